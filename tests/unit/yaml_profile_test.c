/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: golden files, every file of the corpus through YAML and back,
 * every allocation failing, every cut, every byte damaged.
 */
#include "testing.h"
#include "yaml_rewrite.h"


/* ---- Golden files ---- */

/* testdata/yaml/NAME.yaml becomes NAME.golden, and that becomes itself. */
static const char *const golden[] = {
	"four-lines", "ids", "labels", "tables",     "types",
	"empty",      "cpu", "heap",   "goroutines", "sections",
};

static void check_same(const struct prof_buffer *out,
                       const struct bytes *expected, const char *name)
{
	ck_assert_msg(out->size == expected->size &&
	              memcmp(out->data, expected->data, out->size) == 0,
	              "%s became\n%.*s", name, (int)out->size,
	              (const char *)out->data);
}

START_TEST(golden_file)
{
	struct prof_buffer out = { 0 }, again = { 0 };
	struct prof_error err = { 0 };
	struct bytes text, expected;
	char path[256];

	snprintf(path, sizeof(path), TESTDATA "/yaml/%s.yaml", golden[_i]);
	text = bytes_of_file(path);
	snprintf(path, sizeof(path), TESTDATA "/yaml/%s.golden", golden[_i]);
	expected = bytes_of_file(path);
	ck_assert_msg(yaml_rewrite(&out, (char *)text.data, text.size, &err) ==
	              PROF_OK,
	              "%s:%d: %s", golden[_i], (int)err.line, err.message);
	check_same(&out, &expected, golden[_i]);
	ck_assert_int_eq(yaml_rewrite(&again, (char *)expected.data,
	                              expected.size, &err), PROF_OK);
	check_same(&again, &expected, golden[_i]);
	free(text.data);
	free(expected.data);
	prof_buffer_release(&out);
	prof_buffer_release(&again);
}
END_TEST

/* ---- The corpus ---- */

/* pprof -> YAML -> pprof and YAML are the same, where the file reads at all. */
static void check_round_trip(const char *path, void *n_read)
{
	const struct bytes in = bytes_of_file(path);
	struct prof_profile *p = NULL, *q;
	struct bytes yaml, again;

	if (prof_read_mem(&p, in.data, in.size, NULL, NULL) != PROF_OK) {
		free(in.data);
		return;
	}
	yaml = write_profile(p, "yaml", NULL);
	q = read_profile(yaml, NULL);
	assert_same_profile(q, p, TEXT_TABLES, path);
	again = write_profile(q, "yaml", NULL);
	ck_assert_msg(again.size == yaml.size &&
	              memcmp(again.data, yaml.data, yaml.size) == 0, "%s",
	              path);
	prof_profile_free(p);
	prof_profile_free(q);
	free(in.data);
	free(yaml.data);
	free(again.data);
	++*(int *)n_read;
}

START_TEST(corpus)
{
	const char *root = corpus_folder();
	char folder[1024];
	int n_read = 0;

	if (!root) {
		printf("there is no corpus: skipped\n");
		return;
	}
	snprintf(folder, sizeof(folder), "%s/visible/pprof", root);
	ck_assert(for_each_file(folder, check_round_trip, &n_read));
	ck_assert_int_ge(n_read, 15);
}
END_TEST

/* ---- Hostile circumstances ---- */

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
	struct failing_allocator f;
	struct prof_error err = { 0 };
	enum prof_status status;
	size_t n = 0;

	do {
		failing_allocator_init(&f);
		f.fail_at = ++n;
		status = rewrite_with(&f.allocator, everything[_i], &err);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
		if (f.n_calls >= n)
			ck_assert_msg(status == PROF_NOMEM ||
			              status == PROF_SYSTEM,
			              "allocation %zu: status %d: %s", n,
			              (int)status, err.message);
	} while (f.n_calls >= n);
	ck_assert_msg(status == PROF_OK, "%s", err.message);
	ck_assert_uint_gt(n, 10);
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

int main(void)
{
	Suite *s = suite_create("yaml_profile");
	TCase *t = tcase_create("profiles");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, golden_file, 0, N_ELEMENTS(golden));
	tcase_add_test(t, corpus);
	tcase_add_loop_test(t, each_allocation_fails, 0, N_ELEMENTS(everything));
	tcase_add_loop_test(t, each_cut, 0, N_ELEMENTS(everything));
	tcase_add_loop_test(t, each_byte_damaged, 0, N_ELEMENTS(everything));
	suite_add_tcase(s, t);
	return run_suite(s);
}
