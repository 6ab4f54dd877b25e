/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: golden files, every file of the corpus through YAML and back,
 * every allocation failing, every cut, every byte damaged.
 */
#include "yaml_rewrite.h"

#include <check.h>
#include <dirent.h>

/* ---- Golden files ---- */

/* testdata/yaml/NAME.yaml becomes NAME.golden, and that becomes itself. */
static const char *const golden[] = {
	"four-lines", "ids", "labels", "tables",     "types",
	"empty",      "cpu", "heap",   "goroutines", "sections",
};

static void check_same(const struct prof_buffer *out, const char *expected,
                       size_t size, const char *name)
{
	ck_assert_msg(out->size == size &&
	              memcmp(out->data, expected, size) == 0,
	              "%s became\n%.*s", name, (int)out->size,
	              (const char *)out->data);
}

START_TEST(golden_file)
{
	struct prof_buffer out = { 0 }, again = { 0 };
	struct prof_error err = { 0 };
	char path[256], *text, *expected;
	size_t size, expected_size;

	snprintf(path, sizeof(path), TESTDATA "/yaml/%s.yaml", golden[_i]);
	ck_assert_msg(read_whole_file(&text, &size, path), "%s", path);
	snprintf(path, sizeof(path), TESTDATA "/yaml/%s.golden", golden[_i]);
	ck_assert_msg(read_whole_file(&expected, &expected_size, path), "%s",
	              path);
	ck_assert_msg(yaml_rewrite(&out, text, size, &err) == PROF_OK,
	              "%s:%d: %s", golden[_i], (int)err.line, err.message);
	check_same(&out, expected, expected_size, golden[_i]);
	ck_assert_int_eq(yaml_rewrite(&again, expected, expected_size, &err),
	                 PROF_OK);
	check_same(&again, expected, expected_size, golden[_i]);
	free(text);
	free(expected);
	prof_buffer_release(&out);
	prof_buffer_release(&again);
}
END_TEST

/* ---- The corpus ---- */

/* pprof -> YAML -> pprof and YAML are the same, where the file reads at all. */
static void check_round_trip(const char *path)
{
	struct prof_buffer yaml = { 0 }, again = { 0 }, pprof = { 0 },
		pprof_again = { 0 };
	const struct prof_write_options *plain =
		&PROF_OPTIONS(prof_write_options, .uncompressed = true,
		              .keep_order = true);
	struct prof_profile *p, *q;
	struct prof_error err = { 0 };
	char *bytes;
	size_t size;

	ck_assert(read_whole_file(&bytes, &size, path));
	if (prof_read_mem(&p, bytes, size, NULL, &err) != PROF_OK) {
		free(bytes);
		return;
	}
	ck_assert_int_eq(prof_write(p, "yaml", prof_sink_buffer(&yaml), NULL,
	                            NULL), PROF_OK);
	ck_assert_msg(prof_read_mem(&q, yaml.data, yaml.size, NULL, &err) ==
	              PROF_OK, "%s: line %d: %s", path, (int)err.line,
	              err.message);
	ck_assert_int_eq(prof_write(q, "yaml", prof_sink_buffer(&again), NULL,
	                            NULL), PROF_OK);
	check_same(&again, (char *)yaml.data, yaml.size, path);
	ck_assert_int_eq(prof_write(p, "pprof", prof_sink_buffer(&pprof), plain,
	                            NULL), PROF_OK);
	ck_assert_int_eq(prof_write(q, "pprof", prof_sink_buffer(&pprof_again),
	                            plain, NULL), PROF_OK);
	ck_assert_msg(pprof.size == pprof_again.size, "%s", path);
	prof_profile_free(p);
	prof_profile_free(q);
	prof_buffer_release(&yaml);
	prof_buffer_release(&again);
	prof_buffer_release(&pprof);
	prof_buffer_release(&pprof_again);
	free(bytes);
}

START_TEST(corpus)
{
	static const char *const folders[] = { "pprof", "pprof/many",
	                                       "pprof-golden", "pprofutils" };
	const char *root = getenv("PROFILE_CORPUS");
	char folder[512], path[1024];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/visible/%s",
	         root ? root : SOURCE_DIR "/../shared/corpus", folders[_i]);
	dir = opendir(folder);
	if (!dir) {
		printf("there is no corpus: skipped\n");
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_type == DT_REG)
			check_round_trip(path);
	}
	closedir(dir);
}
END_TEST

/* ---- Hostile circumstances ---- */

/* Fails one allocation, the one that is `left` from now, and counts. */
struct failing {
	size_t left, n_live;
};

static void *resize_failing(void *ctx, void *ptr, size_t old_size,
                            size_t new_size)
{
	struct failing *f = ctx;

	(void)old_size;
	if (new_size == 0) {
		f->n_live -= ptr != NULL;
		free(ptr);
		return NULL;
	}
	if (f->left-- == 0)
		return NULL;
	f->n_live += ptr == NULL;
	return realloc(ptr, new_size);
}

static const char *const everything[] = {
	"profile: 1\nsample_types: [a/b]\ndefault: a\ncomments: [c]\n"
	"mappings: []\nfunctions: [{fn: f}, {id: 7, fn: g}]\n",
	"profile: 1\ndefault: samples\ncomments: [c]\n"
	"mappings: [{id: 3, file: x, build_id: z}]\n"
	"functions: [{fn: f}, {id: 7, fn: !!binary /w==}]\n"
	"locations: [{id: 9, map: 3, addr: 5, lines: [{f: 7}, {f: 1}]}]\n"
	"samples:\n- {v: 1, at: [9, 9], labels: {a: b}, num: {c: 5 d}}\n"
	"- {v: 2, stack: [f, g]}\n",
	"profile: 1\nlocations: [{lines: [{fn: a, file: b}]}]\n"
	"samples: [{v: 1, at: [1]}, {v: 1, stack: [\"\", x]}]\n",
	"cpu_chunks: 1\nrecorded: {command: c}\nhz: 5\nmappings: [{file: x}]\n"
	"records:\n- {n: 1, pcs: [1, 2], tag: {a: b}}\n"
	"- {map: {limit: 5}}\nsymbols: {1: {fn: a}, 2: [{fn: b}]}\n",
	"recording: 1\nkinds: [mem, count, block]\nsections:\n"
	"- log: [{tag: 1, labels: {a: b}, num: {c: 1}}]\n"
	"- mem: [{rate: 1}, {alloc: [1, 2], pcs: [1]}]\n"
	"- block: [{name: m, cycles_per_second: 1}, {n: 1, cycles: 2, pcs: "
	"[3]}]\n"
	"- count: [{name: c}, {n: 1, pcs: [3], tag: 1}]\n",
};

static enum prof_status rewrite_with(const struct prof_allocator *a,
                                     const char *text, struct prof_error *err)
{
	struct memory_source memory = { .data = (const unsigned char *)text,
	                                .size = strlen(text) };
	const struct prof_read_options read = { .size = sizeof(read),
	                                        .allocator = a };
	const struct prof_write_options write = { .size = sizeof(write),
	                                          .allocator = a };
	struct prof_buffer out = { .allocator = a };
	struct prof_profile *p = NULL;
	struct prof_recorder to;
	enum prof_status status;

	if (strncmp(text, "profile", 7) == 0) {
		status = prof_read_mem(&p, text, memory.size, &read, err);
		if (status == PROF_OK)
			status = prof_write(p, "yaml", prof_sink_buffer(&out),
			                    &write, err);
		prof_profile_free(p);
	} else {
		status = prof_recorder_new(&to, "yaml", prof_sink_buffer(&out),
		                           &write, err);
		if (status != PROF_OK)
			return status;
		status = prof_read_recording(&to, source_memory(&memory), &read,
		                             err);
		prof_recorder_free(&to);
	}
	prof_buffer_release(&out);
	return status;
}

START_TEST(each_allocation_fails)
{
	struct failing f = { .left = SIZE_MAX };
	const struct prof_allocator a = { resize_failing, &f };
	struct prof_error err = { 0 };
	enum prof_status status;
	size_t n = 0;

	do {
		f = (struct failing){ .left = n++ };
		status = rewrite_with(&a, everything[_i], &err);
		ck_assert_uint_eq(f.n_live, 0);
		if (f.left >= n) /* it went below 0: one has failed */
			ck_assert_msg(status == PROF_NOMEM ||
			              status == PROF_SYSTEM,
			              "allocation %zu: status %d: %s", n - 1,
			              (int)status, err.message);
	} while (f.left >= n && n < 10000);
	ck_assert_msg(status == PROF_OK, "%s", err.message);
	ck_assert_uint_gt(n, 5);
}
END_TEST

START_TEST(each_cut)
{
	for (size_t size = 0; size < strlen(everything[_i]); size++) {
		struct prof_buffer out = { 0 };
		struct prof_error err = { 0 };
		enum prof_status status;

		status = yaml_rewrite(&out, everything[_i], size, &err);
		ck_assert(status == PROF_OK || (err.line && err.message[0]));
		prof_buffer_release(&out);
	}
}
END_TEST

START_TEST(each_byte_damaged)
{
	static const char damages[] = "\0\n\t :,[]{}'\"-&*!|>%@#09a\xff";
	const size_t size = strlen(everything[_i]);
	char *text = malloc(size + 1);

	for (size_t i = 0; i < size * sizeof(damages); i++) {
		struct prof_buffer out = { 0 };
		struct prof_error err = { 0 };
		enum prof_status status;

		strcpy(text, everything[_i]);
		text[i / sizeof(damages)] = damages[i % sizeof(damages)];
		status = yaml_rewrite(&out, text, size, &err);
		ck_assert(status == PROF_OK || (err.line && err.message[0]));
		prof_buffer_release(&out);
	}
	free(text);
}
END_TEST

#define N(table) (int)(sizeof(table) / sizeof(table[0]))

int main(void)
{
	Suite *s = suite_create("yaml_profile");
	TCase *t = tcase_create("profiles");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, golden_file, 0, N(golden));
	tcase_add_loop_test(t, corpus, 0, 4);
	tcase_add_loop_test(t, each_allocation_fails, 0, N(everything));
	tcase_add_loop_test(t, each_cut, 0, N(everything));
	tcase_add_loop_test(t, each_byte_damaged, 0, N(everything));
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
