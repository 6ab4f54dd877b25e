/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words as Go's readProfile delivered them become the profile that Go's own
 * builder made of them.
 */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GO TESTDATA "/go/raw/"

/* A capture read with its side files. */
struct capture {
	struct bytes words, tags, maps;
	struct test_source tags_source, maps_source;
	struct prof_read_options options;
};

static struct bytes side_file(const char *name, const char *suffix)
{
	char path[512];

	snprintf(path, sizeof(path), GO "%s%s", name, suffix);
	if (strcmp(suffix, ".words") == 0 && !file_exists(path))
		snprintf(path, sizeof(path), GO "%s%s.gz", name, suffix);
	return bytes_of_file(path);
}

static void capture_init(struct capture *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	c->words = side_file(name, ".words");
	c->tags = side_file(name, ".tags");
	c->maps = side_file(name, ".maps");
	c->tags_source = (struct test_source){ .data = c->tags.data,
	                                        .size = c->tags.size };
	c->maps_source = (struct test_source){ .data = c->maps.data,
	                                        .size = c->maps.size };
	c->options = PROF_OPTIONS(prof_read_options, .format = "raw",
	                          .go_exact = true,
	                          .tags = test_source(&c->tags_source),
	                          .maps = test_source(&c->maps_source));
}

static void capture_release(struct capture *c)
{
	free(c->words.data);
	free(c->tags.data);
	free(c->maps.data);
}

static struct prof_profile *read_capture(const char *name)
{
	struct capture c;
	struct prof_profile *p;

	capture_init(&c, name);
	p = read_profile(c.words, &c.options);
	capture_release(&c);
	return p;
}

static struct prof_profile *read_go(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), GO "%s.pb.gz", name);
	return read_profile_file(path, NULL);
}

/* ---- Made-up streams ---- */

/* What is left after a profile went through a file. */
static struct prof_profile *written_and_read(struct prof_profile *p)
{
	struct bytes file = write_profile(p, "pprof", &PROF_OPTIONS(
		prof_write_options, .keep_order = true));
	struct prof_profile *back = read_profile(file, NULL);

	free(file.data);
	prof_profile_free(p);
	return back;
}

/*
 * All of it: values, labels, order, stacks, mappings, period, types. A plain
 * stream knows no time. Go writes labels in the random order of its maps; a
 * label "" and a number 0 are the same in a file.
 */
static void compare_synthetic(const char *path, void *ctx)
{
	const char *suffix = strstr(path, ".words");
	unsigned *n = ctx;
	char name[256];
	struct prof_profile *ours, *go;

	if (!suffix || strstr(path, "/bad-"))
		return;
	snprintf(name, sizeof(name), "%.*s",
	         (int)(suffix - path - (ptrdiff_t)strlen(GO)),
	         path + strlen(GO));
	ours = written_and_read(read_capture(name));
	go = read_go(name);
	assert_same_profile(ours, go, TEXT_NO_TIMES | TEXT_SORT_LABELS |
	                    TEXT_LOST_BY_NAME, name);
	/* As many locations, too: none more than Go has. */
	ck_assert_uint_eq(prof_n_locations(ours), prof_n_locations(go));
	prof_profile_free(ours);
	prof_profile_free(go);
	++*n;
}

START_TEST(synthetic_streams)
{
	unsigned n = 0;

	ck_assert(for_each_file(GO "synth", compare_synthetic, &n));
	ck_assert_uint_ge(n, 30);
}
END_TEST

/* ---- Live programs ---- */

#define MAX_DEPTH 128

static size_t addresses_of(const struct prof_profile *p, uint32_t stack,
                           uint64_t addresses[MAX_DEPTH])
{
	uint32_t ids[MAX_DEPTH];
	const size_t n = prof_get_stack(p, stack, ids, MAX_DEPTH);

	ck_assert_uint_le(n, MAX_DEPTH);
	for (size_t i = 0; i < n; i++) {
		struct prof_location l;

		ck_assert(prof_get_location(p, ids[i], &l));
		addresses[i] = l.address;
	}
	return n;
}

static bool has_address(const struct prof_profile *p, uint64_t address)
{
	struct prof_location l;

	for (uint32_t id = 1; prof_get_location(p, id, &l); id++)
		if (l.address == address)
			return true;
	return false;
}

static bool is_lost_stack(const struct prof_profile *p, uint32_t stack)
{
	uint32_t id;
	struct prof_location l;
	struct prof_function f;

	return prof_get_stack(p, stack, &id, 1) == 1 &&
		prof_get_location(p, id, &l) && l.n_lines == 1 &&
		prof_get_function(p, l.lines[0].function, &f) &&
		strstr(f.name.ptr, "lostProfileEvent");
}

/*
 * What symbols decide is left out: Go drops frames of runtime.goexit, and
 * folds the frames that were inlined into one location.
 *
 * Without inlining a stack has to be Go's after the root frame of goexit is
 * taken off: it is the one address that Go's profile does not have. With
 * inlining the leaf and the root less goexit are Go's, and Go's addresses
 * are found among ours in their order.
 */
static void compare_stacks(const struct prof_profile *ours, uint32_t our_stack,
                           const struct prof_profile *go, uint32_t go_stack,
                           bool is_inlined, uint64_t *goexit)
{
	uint64_t a[MAX_DEPTH], b[MAX_DEPTH];
	size_t n = addresses_of(ours, our_stack, a);
	const size_t go_n = addresses_of(go, go_stack, b);
	size_t k = 0;

	if (is_lost_stack(go, go_stack)) {
		ck_assert(is_lost_stack(ours, our_stack));
		return;
	}
	if (n > 1 && !has_address(go, a[n - 1]) &&
	    (*goexit == 0 || *goexit == a[n - 1]))
		*goexit = a[--n];
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(a[0], b[0]);
	for (size_t i = 0; i < n; i++) {
		if (k < go_n && a[i] == b[k])
			k++;
		else
			ck_assert_msg(is_inlined, "frame %zu is %#llx, not "
			              "Go's %#llx", i, (unsigned long long)a[i],
			              (unsigned long long)b[k < go_n ? k : 0]);
	}
	ck_assert_uint_eq(k, go_n);
}

static void compare_labels(const struct prof_profile *ours, uint32_t our_set,
                           const struct prof_profile *go, uint32_t go_set)
{
	struct prof_label a[16], b[16];
	const size_t n = prof_get_label_set(ours, our_set, a, 16);

	ck_assert_uint_eq(n, prof_get_label_set(go, go_set, b, 16));
	ck_assert_uint_le(n, 16);
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < n && (a[i].key.len != b[k].key.len ||
		                 strcmp(a[i].key.ptr, b[k].key.ptr) != 0))
			k++;
		ck_assert_uint_lt(k, n);
		ck_assert_str_eq(a[i].str.ptr, b[k].str.ptr);
	}
}

static const struct live_case {
	const char *name;
	bool is_inlined;
} live_cases[] = {
	{ "live-plain", true },
	{ "live-plain-noinline", false },
	{ "live-labels-noinline", false },
	{ "live-overflow", true },
	{ "live-cgo", true },
	{ "live-idle", false },
};

START_TEST(live_streams)
{
	const struct live_case *c = &live_cases[_i];
	struct prof_profile *ours = read_capture(c->name);
	struct prof_profile *go = read_go(c->name);
	struct prof_header our_header, go_header;
	struct prof_sample a, b;
	struct prof_mapping m, w;
	uint64_t goexit = 0;

	prof_get_header(ours, &our_header);
	prof_get_header(go, &go_header);
	ck_assert_int_eq(our_header.period, go_header.period);
	ck_assert_uint_eq(prof_n_samples(ours), prof_n_samples(go));
	for (uint32_t i = 0; prof_get_sample(ours, i, &a); i++) {
		ck_assert(prof_get_sample(go, i, &b));
		ck_assert_int_eq(a.values[0], b.values[0]);
		ck_assert_int_eq(a.values[1], b.values[1]);
		compare_labels(ours, a.label_set, go, b.label_set);
		compare_stacks(ours, a.stack, go, b.stack, c->is_inlined,
		               &goexit);
	}
	ck_assert_uint_eq(prof_n_mappings(ours), prof_n_mappings(go));
	for (uint32_t id = 1; prof_get_mapping(ours, id, &m); id++) {
		ck_assert(prof_get_mapping(go, id, &w));
		ck_assert_uint_eq(m.start, w.start);
		ck_assert_uint_eq(m.limit, w.limit);
		ck_assert_uint_eq(m.offset, w.offset);
		ck_assert_str_eq(m.file.ptr, w.file.ptr);
	}
	prof_profile_free(ours);
	prof_profile_free(go);
}
END_TEST

/* ---- Malformed streams ---- */

static void compare_error(const char *path, void *ctx)
{
	const char *suffix = strstr(path, ".err");
	unsigned *n = ctx;
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	struct capture c;
	struct bytes reason;
	char name[256];
	enum prof_status status;

	if (!suffix)
		return;
	snprintf(name, sizeof(name), "%.*s",
	         (int)(suffix - path - (ptrdiff_t)strlen(GO)),
	         path + strlen(GO));
	reason = bytes_of_file(path);
	ck_assert_uint_gt(reason.size, 10);
	reason.data[reason.size - 1] = '\0'; /* the newline */
	capture_init(&c, name);
	status = prof_read_mem(&p, c.words.data, c.words.size, &c.options,
	                       &err);
	ck_assert_msg(status == PROF_CORRUPT || status == PROF_TRUNCATED,
	              "%s: %s", name, prof_status_string(status));
	ck_assert_msg(strstr(err.message, (char *)reason.data) != NULL,
	              "%s: \"%s\" instead of \"%s\"", name, err.message,
	              (char *)reason.data);
	ck_assert_ptr_null(p);
	free(reason.data);
	capture_release(&c);
	++*n;
}

START_TEST(malformed_streams)
{
	unsigned n = 0;

	ck_assert(for_each_file(GO "synth", compare_error, &n));
	ck_assert_uint_ge(n, 6);
}
END_TEST

/* ---- Both byte orders, any window ---- */

static void swap_words(struct bytes words)
{
	for (size_t i = 0; i + 8 <= words.size; i += 8)
		for (size_t k = 0; k < 4; k++) {
			const unsigned char c = words.data[i + k];

			words.data[i + k] = words.data[i + 7 - k];
			words.data[i + 7 - k] = c;
		}
}

static const char *const stream_names[] = {
	"live-labels-noinline", "live-cgo", "synth/rand-23", "synth/synth-tags",
};

START_TEST(big_endian_streams)
{
	struct prof_profile *p = read_capture(stream_names[_i]);
	struct prof_profile *swapped;
	struct capture c;

	capture_init(&c, stream_names[_i]);
	swap_words(c.words);
	swapped = read_profile(c.words, &c.options);
	assert_same_profile(swapped, p, TEXT_TABLES, stream_names[_i]);
	capture_release(&c);
	prof_profile_free(p);
	prof_profile_free(swapped);
}
END_TEST

/* 1 and 7 bytes at a time: records and words are split everywhere. */
START_TEST(streams_in_small_pieces)
{
	static const size_t steps[] = { 1, 7, 4096 };
	struct prof_profile *p = read_capture(stream_names[_i]);

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		struct capture c;
		struct test_source source;
		struct prof_profile *pieces = NULL;

		capture_init(&c, stream_names[_i]);
		source = (struct test_source){ c.words.data, c.words.size, 0,
		                               steps[i], 0 };
		c.tags_source.step = c.maps_source.step = steps[i];
		ck_assert_int_eq(prof_read(&pieces, test_source(&source),
		                           &c.options, NULL), PROF_OK);
		assert_same_profile(pieces, p, TEXT_TABLES, stream_names[_i]);
		capture_release(&c);
		prof_profile_free(pieces);
	}
	prof_profile_free(p);
}
END_TEST

/* A cut stream says so; with salvage it has the records before the cut. */
START_TEST(streams_cut_at_every_byte)
{
	struct capture c;
	struct prof_sample s;
	int64_t last = -1;

	capture_init(&c, "live-plain-noinline");
	for (size_t size = 24; size <= c.words.size; size++) {
		struct prof_read_options options =
			PROF_OPTIONS(prof_read_options, .format = "raw");
		struct prof_profile *p = NULL;
		struct prof_error err = { 0 };
		struct test_notes notes;
		int64_t sum = 0;
		const enum prof_status status = prof_read_mem(
			&p, c.words.data, size, &options, &err);

		if (status != PROF_OK) {
			ck_assert_int_eq(status, PROF_TRUNCATED);
			ck_assert_uint_le(err.offset, size);
			ck_assert_uint_eq(err.offset % 8, 0);
			options.salvage = true;
			options.notes = test_notes(&notes);
			p = read_profile((struct bytes){ c.words.data, size },
			                 &options);
			ck_assert_uint_eq(notes.n, 1);
		}
		for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
			sum += s.values[0];
		ck_assert_int_ge(sum, last);
		last = sum;
		prof_profile_free(p);
	}
	ck_assert_int_gt(last, 10);
	capture_release(&c);
}
END_TEST

/* ---- The clean mode ---- */

#define MAX_WORDS 64

static const struct clean_case {
	const char *name;
	uint64_t words[MAX_WORDS]; /* records behind the header; 0 ends */
	const char *tags, *samples;
} clean_cases[] = {
	{ "equal label sets are one sample",
	  { 4, 1, 1, 0x101, 4, 2, 2, 0x101 },
	  "0x0\n0x1\t{\"a\":\"1\"}\n0x2\t{\"a\":\"1\"}\n",
	  "sample 3 30000000 {\"a\"=\"1\"}: 0x100\n" },
	{ "another label set is another sample",
	  { 4, 1, 1, 0x101, 4, 2, 2, 0x101 },
	  "0x0\n0x1\t{\"a\":\"1\"}\n0x2\t{\"a\":\"2\"}\n",
	  "sample 1 10000000 {\"a\"=\"1\"}: 0x100\n"
	  "sample 2 20000000 {\"a\"=\"2\"}: 0x100\n" },
	{ "a record of zero is nothing",
	  { 5, 1, 0, 0x101, 0x201, 4, 2, 1, 0x101 }, NULL,
	  "sample 1 10000000: 0x100\n" },
	{ "lost samples have a frame of their own",
	  { 4, 1, 1, 0x101, 4, 2, 0, 7 }, NULL,
	  "sample 1 10000000: 0x100\n"
	  "sample 7 70000000: 0 in \"[lost]\"\"[lost]\"\"\"0:0:0\n" },
	{ "an empty stack", { 3, 1, 5 }, NULL, "sample 5 50000000:\n" },
	{ "address 0 stays", { 4, 1, 5, 0 }, NULL, "sample 5 50000000: 0\n" },
	{ "escapes of JSON",
	  { 4, 1, 1, 0x101 },
	  "0x0\n0x1\t{ \"\\u00e9\\n\" : \"\\ud83d\\ude00\\\"\" }\n",
	  "sample 1 10000000 {\"\\xc3\\xa9\\x0a\"="
	  "\"\\xf0\\x9f\\x98\\x80\\x22\"}: 0x100\n" },
};

static size_t n_words_of(const struct clean_case *c)
{
	size_t n = 0;

	while (n < MAX_WORDS && c->words[n])
		n += c->words[n];
	return n;
}

static const char *samples_in(const char *text)
{
	const char *samples = strstr(text, "\nsample ");

	while (samples && strncmp(samples, "\nsample type", 12) == 0)
		samples = strstr(samples + 1, "\nsample ");
	return samples ? samples + 1 : "";
}

START_TEST(clean_streams)
{
	const struct clean_case *c = &clean_cases[_i];
	uint64_t words[3 + MAX_WORDS] = { 3, 1, 100 };
	struct test_source tags = { 0 };
	struct prof_read_options options =
		PROF_OPTIONS(prof_read_options, .format = "raw");
	struct prof_profile *p;
	char *text;

	memcpy(words + 3, c->words, sizeof(c->words));
	if (c->tags) {
		tags.data = (const unsigned char *)c->tags;
		tags.size = strlen(c->tags);
		options.tags = test_source(&tags);
	}
	p = read_profile((struct bytes){ (unsigned char *)words,
	                                 (3 + n_words_of(c)) * 8 }, &options);
	text = profile_text(p, 0);
	assert_same_text(samples_in(text), c->samples, c->name);
	free(text);
	prof_profile_free(p);
}
END_TEST

/* ---- Count profiles and their names ---- */

static const struct name_case {
	size_t first, second; /* bytes of the names; SIZE_MAX: no second */
	enum prof_status status;
} name_cases[] = {
	{ 5, SIZE_MAX, PROF_OK },
	{ 0, SIZE_MAX, PROF_OK },
	{ 200, SIZE_MAX, PROF_OK },
	{ 200, 200, PROF_OK },
	{ 0, 5, PROF_INVALID },
	{ 5, 6, PROF_INVALID },
	{ 200, 201, PROF_INVALID },
};

static void tell_count(const struct prof_recorder *r, size_t size)
{
	char name[256];
	const uint64_t pc = 0x101;
	const struct prof_count_record rec = { .n = 1, .pcs = &pc,
	                                       .n_pcs = 1 };

	memset(name, 'n', sizeof(name));
	ck_assert_int_eq(r->count(r->ctx, (struct prof_str){ name, size }, &rec,
	                          1, NULL), PROF_OK);
}

/* One count profile is chosen by its whole name, however long. */
START_TEST(names_of_counts)
{
	const struct name_case *c = &name_cases[_i];
	const struct prof_recording_header h = { .kinds = PROF_RECORDS_COUNT };
	struct prof_buffer buffer = { 0 };
	struct prof_recorder r;
	struct prof_profile *p = NULL;
	struct prof_value_type type;

	ck_assert_int_eq(prof_recorder_new(&r, "raw", prof_sink_buffer(&buffer),
	                                   NULL, NULL), PROF_OK);
	ck_assert_int_eq(r.header(r.ctx, &h, NULL), PROF_OK);
	tell_count(&r, c->first);
	if (c->second != SIZE_MAX)
		tell_count(&r, c->second);
	ck_assert_int_eq(r.end(r.ctx, 0, 0, NULL), PROF_OK);
	prof_recorder_free(&r);
	ck_assert_int_eq(prof_read_mem(&p, buffer.data, buffer.size, NULL,
	                               NULL), c->status);
	if (c->status == PROF_OK) {
		ck_assert(prof_get_sample_type(p, 0, &type));
		ck_assert_uint_eq(type.type.len, c->first);
	}
	prof_profile_free(p);
	prof_buffer_release(&buffer);
}
END_TEST

/* ---- Side files that are wrong ---- */

static const struct side_case {
	const char *tags, *message;
	uint64_t line; /* 0: the fault has no line */
} side_cases[] = {
	{ "0x0\nno\n", "no number", 2 },
	{ "0x0\n0x\n", "no number", 2 },
	{ "0x0\n0xg\t{}\n", "no number", 2 },
	{ "0x0\n0x11111111111111111\t{}\n", "no number", 2 },
	{ "0x0\n0x1 {}\n", "no tab", 2 },
	{ "0x0\n0x1\t{\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\"}\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\":1}\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\":\"b\"}x\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\":\"\\q\"}\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\":\"\\u12\"}\n", "JSON", 2 },
	{ "0x0\n0x1\t{\"a\":\"b\n", "JSON", 2 },
	{ "0x0\n", "malformed profile", 0 },
	{ "0x0\n0x0\n0x0\n", "mismatched profile records and tags", 0 },
};

START_TEST(wrong_side_files)
{
	const struct side_case *c = &side_cases[_i];
	uint64_t words[] = { 3, 1, 100, 4, 2, 1, 0x101 };
	struct test_source tags = {
		.data = (const unsigned char *)c->tags,
		.size = strlen(c->tags),
	};
	struct prof_read_options options = PROF_OPTIONS(
		prof_read_options, .format = "raw", .tags = test_source(&tags));
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_read_mem(&p, words, sizeof(words), &options,
	                               &err), PROF_CORRUPT);
	ck_assert_msg(strstr(err.message, c->message) != NULL, "\"%s\"",
	              err.message);
	ck_assert_uint_eq(err.line, c->line);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fold");
	TCase *go = tcase_create("go");
	TCase *clean = tcase_create("clean");

	tcase_set_timeout(go, 60);
	tcase_add_test(go, synthetic_streams);
	tcase_add_loop_test(go, live_streams, 0, N_ELEMENTS(live_cases));
	tcase_add_test(go, malformed_streams);
	tcase_add_loop_test(go, big_endian_streams, 0,
	                    N_ELEMENTS(stream_names));
	tcase_add_loop_test(go, streams_in_small_pieces, 0,
	                    N_ELEMENTS(stream_names));
	tcase_add_test(go, streams_cut_at_every_byte);
	suite_add_tcase(suite, go);
	tcase_add_loop_test(clean, clean_streams, 0, N_ELEMENTS(clean_cases));
	tcase_add_loop_test(clean, names_of_counts, 0, N_ELEMENTS(name_cases));
	tcase_add_loop_test(clean, wrong_side_files, 0, N_ELEMENTS(side_cases));
	suite_add_tcase(suite, clean);
	return run_suite(suite);
}
