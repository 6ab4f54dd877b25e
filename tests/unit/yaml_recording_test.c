/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings through YAML and back: what a recorder is told is noted down as
 * text, a line an event, before and after. How words are cut into calls is
 * not noted, because it says nothing.
 */
#include "testing.h"
#include "yaml_rewrite.h"

#include <inttypes.h>
#include <stdarg.h>

/* ---- Events as text ---- */

struct tape {
	char text[16384];
	size_t size;
};

static void note(struct tape *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->size += (size_t)vsnprintf(t->text + t->size,
	                             sizeof(t->text) - t->size, format, args);
	va_end(args);
	ck_assert_uint_lt(t->size, sizeof(t->text));
}

static void note_str(struct tape *t, struct prof_str s)
{
	note(t, " %zu:", s.len);
	for (size_t i = 0; i < s.len; i++)
		note(t, "%02x", (unsigned char)s.ptr[i]);
}

static void note_pcs(struct tape *t, const uint64_t *pcs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		note(t, " %" PRIx64, pcs[i]);
	note(t, "\n");
}

static enum prof_status on_header(void *ctx,
                                  const struct prof_recording_header *h,
                                  struct prof_error *err)
{
	(void)err;
	note(ctx, "header %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64 " %"
	     PRIu64 " %d", h->kinds, h->time_ns, h->clock_ns, h->hz, h->pid,
	     h->is_stream);
	note_str(ctx, h->command);
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_mapping(void *ctx, uint64_t time,
                                   const struct prof_mapping *m,
                                   struct prof_error *err)
{
	(void)err;
	note(ctx, "mapping %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64
	     " %d%d%d%d", time, m->start, m->limit, m->offset,
	     m->has_functions, m->has_filenames, m->has_line_numbers,
	     m->has_inline_frames);
	note_str(ctx, m->file);
	note_str(ctx, m->build_id);
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_label_set(void *ctx, uint64_t tag,
                                     const struct prof_label *labels,
                                     size_t n, struct prof_error *err)
{
	(void)err;
	note(ctx, "labels %" PRIu64, tag);
	for (size_t i = 0; i < n; i++) {
		note_str(ctx, labels[i].key);
		if (labels[i].str.ptr) {
			note(ctx, " =");
			note_str(ctx, labels[i].str);
		} else {
			note(ctx, " # %" PRId64, labels[i].num);
			note_str(ctx, labels[i].unit);
		}
	}
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_words(void *ctx, const uint64_t *words,
                                 size_t n_words, const uint64_t *tags,
                                 size_t n_tags, struct prof_error *err)
{
	size_t record = 0;

	(void)err;
	for (size_t i = 0; i < n_words; i += words[i], record++) {
		ck_assert_uint_ge(words[i], 3);
		ck_assert_uint_le(words[i], n_words - i);
		note(ctx, "words tag %" PRIu64 ":", n_tags ? tags[record] : 0);
		note_pcs(ctx, words + i, words[i]);
	}
	if (n_tags)
		ck_assert_uint_eq(n_tags, record);
	return PROF_OK;
}

static enum prof_status on_mem(void *ctx, int64_t rate,
                               const struct prof_mem_record *recs, size_t n,
                               struct prof_error *err)
{
	(void)err;
	note(ctx, "mem %" PRId64 "\n", rate);
	for (size_t i = 0; i < n; i++) {
		note(ctx, "  %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
		     recs[i].alloc_bytes, recs[i].free_bytes,
		     recs[i].alloc_objects, recs[i].free_objects);
		note_pcs(ctx, recs[i].stack, 32);
	}
	return PROF_OK;
}

static enum prof_status on_block(void *ctx, struct prof_str name, int64_t rate,
                                 const struct prof_block_record *recs,
                                 size_t n, struct prof_error *err)
{
	(void)err;
	note(ctx, "block %" PRId64, rate);
	note_str(ctx, name);
	for (size_t i = 0; i < n; i++) {
		note(ctx, "\n  %" PRId64 " %" PRId64, recs[i].count,
		     recs[i].cycles);
		note_pcs(ctx, recs[i].stack, 32);
	}
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_count(void *ctx, struct prof_str name,
                                 const struct prof_count_record *recs,
                                 size_t n, struct prof_error *err)
{
	(void)err;
	note(ctx, "count");
	note_str(ctx, name);
	for (size_t i = 0; i < n; i++) {
		note(ctx, "\n  %" PRId64 " tag %" PRIu64, recs[i].n,
		     recs[i].tag);
		note_pcs(ctx, recs[i].pcs, recs[i].n_pcs);
	}
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_symbol(void *ctx, uint64_t pc,
                                  const struct prof_symbol *frames, size_t n,
                                  struct prof_error *err)
{
	(void)err;
	note(ctx, "symbol %" PRIx64, pc);
	for (size_t i = 0; i < n; i++) {
		note(ctx, " (%" PRId64 " %" PRId64 " %" PRId64, frames[i].line,
		     frames[i].column, frames[i].start_line);
		note_str(ctx, frames[i].name);
		note_str(ctx, frames[i].system_name);
		note_str(ctx, frames[i].filename);
		note(ctx, ")");
	}
	note(ctx, "\n");
	return PROF_OK;
}

static enum prof_status on_end(void *ctx, int64_t duration_ns, uint64_t lost,
                               struct prof_error *err)
{
	(void)err;
	note(ctx, "end %" PRId64 " %" PRIu64 "\n", duration_ns, lost);
	return PROF_OK;
}

static struct prof_recorder tape_recorder(struct tape *t)
{
	return (struct prof_recorder){
		.header = on_header, .mapping = on_mapping,
		.label_set = on_label_set, .words = on_words, .mem = on_mem,
		.block = on_block, .count = on_count, .symbol = on_symbol,
		.end = on_end, .ctx = t,
	};
}

/* ---- Recordings ---- */

#define STR(text) ((struct prof_str){ (text), sizeof(text) - 1 })
#define OK(call) ck_assert_int_eq((call), PROF_OK)

static void tell_header(const struct prof_recorder *r, uint64_t kinds)
{
	OK(r->header(r->ctx, &(struct prof_recording_header){
		.kinds = kinds, .time_ns = 1700000000000000001,
		.clock_ns = UINT64_MAX, .hz = 100, .pid = 42,
		.command = STR("./server \"-v\"\n") }, NULL));
}

static void tell_words(const struct prof_recorder *r, const uint64_t *words,
                       size_t n_words, const uint64_t *tags, size_t n_tags)
{
	OK(r->words(r->ctx, words, n_words, tags, n_tags, NULL));
}
#define WORDS(r, ...)                                                         \
	tell_words((r), (const uint64_t[]){ __VA_ARGS__ },                    \
	           sizeof((const uint64_t[]){ __VA_ARGS__ }) / 8, NULL, 0)

static void tell_mapping(const struct prof_recorder *r, uint64_t time,
                         uint64_t start, uint64_t limit)
{
	OK(r->mapping(r->ctx, time, &(struct prof_mapping){
		.start = start, .limit = limit, .offset = 0x1000,
		.file = STR("/lib/a b.so"), .build_id = STR("0123"),
		.has_filenames = limit & 1 }, NULL));
}

static void tell_labels(const struct prof_recorder *r, uint64_t tag)
{
	const struct prof_label labels[] = {
		{ .key = STR("thread"), .str = STR("1:30") },
		{ .key = STR("bytes"), .num = INT64_MIN, .unit = STR("b c") },
		{ .key = STR("thread"), .str = STR("\xff\x00") },
	};

	OK(r->label_set(r->ctx, tag, labels, tag % 4, NULL));
}

static void tell_mem(const struct prof_recorder *r, int64_t rate, size_t n)
{
	struct prof_mem_record recs[2] = {
		{ 4096, 1024, 4, 1, { 0x401000, 0x402000 } },
		{ INT64_MAX, 0, INT64_MIN, 0, { 0 } },
	};

	for (size_t i = 0; i < 32; i++)
		recs[1].stack[i] = UINT64_MAX - i;
	OK(r->mem(r->ctx, rate, recs, n, NULL));
}

static void tell_block(const struct prof_recorder *r, size_t n)
{
	const struct prof_block_record recs[] = {
		{ 3, 500, { 0x401000 } }, { -1, INT64_MIN, { 0 } },
	};

	OK(r->block(r->ctx, STR("mutex"), 1000000000, recs, n, NULL));
}

static void tell_count(const struct prof_recorder *r, struct prof_str name,
                       size_t n)
{
	const uint64_t pcs[] = { 1, 0, UINT64_MAX };
	const struct prof_count_record recs[] = {
		{ 3, pcs, 3, 7 }, { INT64_MIN, NULL, 0, 0 }, { 1, pcs, 1, 0 },
	};

	OK(r->count(r->ctx, name, recs, n, NULL));
}

static void tell_symbol(const struct prof_recorder *r, uint64_t pc, size_t n)
{
	const struct prof_symbol frames[] = {
		{ STR("inl"), STR("inl"), STR("a.c"), 3, 4, 2 },
		{ STR("outer"), STR("_Z5outerv"), STR(""), 0, 0, -1 },
		{ STR("x"), STR(""), STR("y"), INT64_MAX, 0, 0 },
	};

	OK(r->symbol(r->ctx, pc, frames, n, NULL));
}

static void tell_end(const struct prof_recorder *r)
{
	OK(r->end(r->ctx, 3135113726, 37, NULL));
}

static void stream(const struct prof_recorder *r)
{
	OK(r->header(r->ctx, &(struct prof_recording_header){
		.kinds = PROF_RECORDS_CPU, .is_stream = true,
		.command = STR("") }, NULL));
	WORDS(r, 3, 0, 100, 5, 10, 1, 0x401000, 0x402000);
	WORDS(r, 4, 11, 0, 37, 3, 12, 5, 4, UINT64_MAX, UINT64_MAX, 1);
	WORDS(r, 5, 0, 0, 1, 2, 3, 0, 0);
	OK(r->end(r->ctx, 0, 0, NULL));
}

static void stream_with_time(const struct prof_recorder *r)
{
	OK(r->header(r->ctx, &(struct prof_recording_header){
		.kinds = PROF_RECORDS_CPU, .is_stream = true,
		.command = STR("") }, NULL));
	tell_mapping(r, 0, 0x400000, 0x500000);
	WORDS(r, 3, 77, 250, 4, 10, 1, 0x401000);
	OK(r->end(r->ctx, 0, 0, NULL));
}

static void stream_with_tags(const struct prof_recorder *r)
{
	OK(r->header(r->ctx, &(struct prof_recording_header){
		.kinds = PROF_RECORDS_CPU, .is_stream = true,
		.command = STR("") }, NULL));
	tell_labels(r, 2);
	tell_words(r, (const uint64_t[]){ 3, 0, 250, 4, 10, 1, 0x401000 }, 7,
	           (const uint64_t[]){ 0, 2 }, 2);
	OK(r->end(r->ctx, 0, 0, NULL));
}

static void empty_stream(const struct prof_recorder *r)
{
	OK(r->header(r->ctx, &(struct prof_recording_header){
		.kinds = PROF_RECORDS_CPU, .is_stream = true,
		.command = STR("") }, NULL));
	OK(r->end(r->ctx, 0, 0, NULL));
}

static void cpu(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	tell_mapping(r, 5, 0x400000, 0x500001);
	tell_mapping(r, 0, 0, 0);
	WORDS(r, 3, 0, 100, 4, 10, 1, 0x401000);
	tell_labels(r, 7);
	tell_labels(r, UINT64_MAX);
	tell_words(r, (const uint64_t[]){ 4, 1, 1, 9, 4, 2, 0, 9, 3, 3, 9 }, 11,
	           (const uint64_t[]){ 7, 0, UINT64_MAX }, 3);
	tell_labels(r, 4);
	tell_labels(r, 7);
	tell_mapping(r, 90, 0x400000, 0);
	tell_symbol(r, 0x401000, 3);
	tell_symbol(r, 0x401000, 1);
	tell_symbol(r, 0, 0);
	WORDS(r, 4, 10, 1, 0x401000);
	tell_end(r);
}

/* The first record is no header, or has a tag, or comes after labels. */
static void cpu_without_header(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	WORDS(r, 4, 10, 1, 0x401000);
	tell_end(r);
}

static void cpu_with_tagged_header(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	tell_words(r, (const uint64_t[]){ 3, 0, 100 }, 3,
	           (const uint64_t[]){ 5 }, 1);
	tell_end(r);
}

static void cpu_with_late_header(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	tell_labels(r, 3);
	WORDS(r, 3, 0, 100, 3, 0, 100);
	tell_end(r);
}

static void cpu_with_other_header(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	WORDS(r, 3, 0, 99);
	tell_mapping(r, 5, 0x400000, 0x500001);
	tell_labels(r, 3);
	tell_end(r);
}

static void empty_cpu(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU);
	tell_end(r);
}

static void mem(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_MEM);
	tell_mapping(r, 5, 0x400000, 0x500001);
	tell_mem(r, 524288, 2);
	tell_mem(r, 524288, 1);
	tell_symbol(r, 0x401000, 1);
	tell_mem(r, 1, 1);
	tell_mem(r, -1, 0);
	tell_end(r);
}

static void empty_mem(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_MEM);
	tell_mem(r, 5, 0);
	tell_mem(r, 6, 0);
	tell_mapping(r, 5, 0x400000, 0x500001);
	tell_end(r);
}

static void no_mem(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_MEM);
	tell_end(r);
}

static void count(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_COUNT);
	tell_labels(r, 7);
	tell_count(r, STR("thread create"), 3);
	tell_labels(r, 7);
	tell_count(r, STR("no"), 3);
	tell_end(r);
}

static void block(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_BLOCK);
	tell_block(r, 2);
	tell_block(r, 0);
	tell_end(r);
}

static void several(const struct prof_recorder *r)
{
	tell_header(r, PROF_RECORDS_CPU | PROF_RECORDS_MEM |
	            PROF_RECORDS_BLOCK | PROF_RECORDS_COUNT);
	tell_mapping(r, 5, 0x400000, 0x500001);
	tell_labels(r, 7);
	WORDS(r, 3, 0, 100, 4, 10, 1, 0x401000);
	tell_mem(r, 5, 2);
	tell_mapping(r, 6, 0x600000, 0x700001);
	tell_mem(r, 5, 2);
	tell_count(r, STR("open files"), 3);
	tell_count(r, STR("open files"), 0);
	WORDS(r, 3, 0, 100, 4, 10, 1, 0x401000);
	tell_symbol(r, 0x401000, 2);
	tell_block(r, 1);
	tell_symbol(r, 0x401000, 2);
	tell_end(r);
}

static void nothing(const struct prof_recorder *r)
{
	tell_header(r, 0);
	OK(r->end(r->ctx, -1, 0, NULL));
}

static void unknown_kinds(const struct prof_recorder *r)
{
	tell_header(r, 0x100000001);
	WORDS(r, 3, 9, 100);
	tell_end(r);
}

static const struct recording {
	void (*tell)(const struct prof_recorder *r);
	const char *begins; /* the YAML of it */
} recordings[] = {
	{ stream, "cpu_chunks: 1\nhz: 100\nrecords:\n- {t: 10, n: 1, pcs: "
	  "[0x401000, 0x402000]}\n- {t: 11, lost: 37}\n" },
	{ stream_with_time, "cpu_chunks: 1\nmappings:\n" },
	{ stream_with_tags, "cpu_chunks: 1\nrecords:\n- {tag: 2" },
	{ empty_stream, "cpu_chunks: 1\nrecords: []\n" },
	{ cpu, "cpu_chunks: 1\nrecorded: {" },
	{ cpu_without_header, "cpu_chunks: 1\n" },
	{ cpu_with_tagged_header, "cpu_chunks: 1\n" },
	{ cpu_with_late_header, "cpu_chunks: 1\n" },
	{ cpu_with_other_header, "cpu_chunks: 1\n" },
	{ empty_cpu, "cpu_chunks: 1\n" },
	{ mem, "mem_profile: 1\n" },
	{ empty_mem, "mem_profile: 1\n" },
	{ no_mem, "mem_profile: 1\n" },
	{ count, "count_profile: 1\n" },
	{ block, "block_profile: 1\n" },
	{ several, "recording: 1\nkinds: [cpu, mem, count, block]\n" },
	{ nothing, "recording: 1\nkinds: []\n" },
	{ unknown_kinds, "recording: 1\nkinds: 4294967297\n" },
};

START_TEST(round_trip)
{
	const struct recording *c = &recordings[_i];
	static struct tape before, after;
	struct prof_recorder told = tape_recorder(&before), to;
	struct prof_recorder read = tape_recorder(&after);
	struct prof_buffer out = { 0 }, again = { 0 };
	struct memory_source memory;
	struct prof_error err = { 0 };

	before.size = after.size = 0;
	c->tell(&told);
	OK(prof_recorder_new(&to, "yaml", prof_sink_buffer(&out), NULL, &err));
	c->tell(&to);
	prof_recorder_free(&to);
	ck_assert_msg(strncmp((char *)out.data, c->begins, strlen(c->begins))
	              == 0, "%.*s", (int)out.size, (char *)out.data);
	memory = (struct memory_source){ .data = out.data, .size = out.size };
	ck_assert_msg(prof_read_recording(&read, source_memory(&memory), NULL,
	                                  &err) == PROF_OK,
	              "line %d: %s\n%.*s", (int)err.line, err.message,
	              (int)out.size, (char *)out.data);
	ck_assert_msg(strcmp(before.text, after.text) == 0,
	              "told:\n%s\nread:\n%s\n%.*s", before.text, after.text,
	              (int)out.size, (char *)out.data);
	OK(yaml_rewrite(&again, (char *)out.data, out.size, &err));
	ck_assert(again.size == out.size &&
	          memcmp(again.data, out.data, out.size) == 0);
	prof_buffer_release(&out);
	prof_buffer_release(&again);
}
END_TEST

/* A stream longer than a batch, with a tag on some records. */
START_TEST(long_stream)
{
	enum { N = 20000 };
	uint64_t *words = malloc(N * 4 * sizeof(*words));
	uint64_t *tags = calloc(N, sizeof(*tags));
	struct prof_buffer raw = { 0 }, yaml = { 0 }, again = { 0 };
	struct memory_source memory;
	struct prof_recorder to;
	struct prof_error err = { 0 };

	for (size_t i = 0; i < N; i++) {
		memcpy(words + 4 * i, (const uint64_t[]){ 4, i, i % 3, ~i },
		       32);
		tags[i] = i % 1000 == 7;
	}
	OK(prof_recorder_new(&to, "yaml", prof_sink_buffer(&yaml), NULL, &err));
	tell_header(&to, PROF_RECORDS_CPU);
	tell_words(&to, words, N * 4, tags, N);
	tell_end(&to);
	prof_recorder_free(&to);
	OK(prof_recorder_new(&to, "raw", prof_sink_buffer(&raw), NULL, &err));
	memory = (struct memory_source){ .data = yaml.data, .size = yaml.size };
	OK(prof_read_recording(&to, source_memory(&memory), NULL, &err));
	prof_recorder_free(&to);
	OK(prof_recorder_new(&to, "yaml", prof_sink_buffer(&again), NULL,
	                     &err));
	memory = (struct memory_source){ .data = raw.data, .size = raw.size };
	OK(prof_read_recording(&to, source_memory(&memory), NULL, &err));
	prof_recorder_free(&to);
	ck_assert_uint_eq(yaml.size, again.size);
	ck_assert(memcmp(yaml.data, again.data, yaml.size) == 0);
	prof_buffer_release(&raw);
	prof_buffer_release(&yaml);
	prof_buffer_release(&again);
	free(words);
	free(tags);
}
END_TEST

/* Records that the header did not announce, and words that are no records. */
START_TEST(refused_by_the_writer)
{
	struct prof_buffer out = { 0 };
	struct prof_recorder to;
	struct prof_error err = { 0 };
	const uint64_t cut[] = { 4, 1, 1 }, small[] = { 2, 1 };

	OK(prof_recorder_new(&to, "yaml", prof_sink_buffer(&out), NULL, &err));
	tell_header(&to, PROF_RECORDS_CPU);
	ck_assert_int_eq(to.mem(to.ctx, 1, NULL, 0, &err), PROF_INVALID);
	ck_assert_int_eq(to.words(to.ctx, cut, 3, NULL, 0, &err), PROF_CORRUPT);
	ck_assert_int_eq(to.words(to.ctx, small, 2, NULL, 0, &err),
	                 PROF_CORRUPT);
	prof_recorder_free(&to);
	prof_buffer_release(&out);
}
END_TEST

/* As a profile, a recording is folded; and a profile is no recording. */
START_TEST(as_a_profile)
{
	const char recording[] =
		"cpu_chunks: 1\nhz: 100\nrecords:\n"
		"- {n: 2, pcs: [0x10], tag: {k: v}}\n"
		"- {n: 3, pcs: [0x10], tag: {k: v}}\n";
	const char profile[] = "profile: 1\n";
	static struct tape tape;
	struct prof_recorder to = tape_recorder(&tape);
	struct memory_source memory = { .data = (const void *)profile,
	                                .size = strlen(profile) };
	struct prof_profile *p = NULL;
	struct prof_sample s;
	struct prof_error err = { 0 };

	ck_assert_msg(prof_read_mem(&p, recording, strlen(recording), NULL,
	                            &err) == PROF_OK, "%s", err.message);
	ck_assert_uint_eq(prof_n_samples(p), 1);
	ck_assert(prof_get_sample(p, 0, &s));
	ck_assert_int_eq(s.values[0], 5);
	ck_assert_uint_eq(prof_n_label_sets(p), 1);
	prof_profile_free(p);
	ck_assert_int_eq(prof_read_recording(&to, source_memory(&memory), NULL,
	                                     &err), PROF_UNSUPPORTED);
	ck_assert_uint_eq(tape.size, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("yaml_recording");
	TCase *t = tcase_create("recordings");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, round_trip, 0, N_ELEMENTS(recordings));
	tcase_add_test(t, long_stream);
	tcase_add_test(t, refused_by_the_writer);
	tcase_add_test(t, as_a_profile);
	suite_add_tcase(s, t);
	return run_suite(s);
}
