/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input that was made to hurt: small files that would become large in memory
 * or take long, and each limit with what goes just up to it and just beyond.
 */
#include "wire_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zlib.h>

#define TYPE "1{1:1 2:2} "
#define STRINGS " 6'' 6'cpu' 6'ns' "
#define MIB ((size_t)1 << 20)

/*
 * What a hostile file may cost, by the CPU's clock: 0.1 s on a quiet machine
 * for 61 KB, and 0.25 s for YAML, which libyaml reads byte by byte. Neighbours
 * in the caches may make that three times as long.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 100.0
#define MAX_MEMORY (4096 * MIB)
#else
#define SLOWNESS 3.0
#define MAX_MEMORY (128 * MIB)
#endif

/* ---- Bombs ---- */

struct packer {
	z_stream z;
	struct bytes out;
	size_t capacity;
};

static void pack(struct packer *p, const void *bytes, size_t n, int flush)
{
	p->z.next_in = (Bytef *)(uintptr_t)bytes;
	p->z.avail_in = (uInt)n;
	do {
		if (p->capacity - p->out.size < 65536) {
			p->capacity += 65536 + p->capacity / 2;
			p->out.data = realloc(p->out.data, p->capacity);
			ck_assert_ptr_nonnull(p->out.data);
		}
		p->z.next_out = p->out.data + p->out.size;
		p->z.avail_out = (uInt)(p->capacity - p->out.size);
		deflate(&p->z, flush);
		p->out.size = p->capacity - p->z.avail_out;
	} while (p->z.avail_in || p->z.avail_out == 0);
}

/* gzip of a head, n times a piece, and a tail, which are freed. */
static struct bytes gzip_of(struct bytes head, struct bytes piece, size_t n,
                            struct bytes tail)
{
	struct packer p = { .capacity = 0 };
	struct bytes block = { malloc(MIB), 0 };
	size_t per_block;

	ck_assert_int_eq(deflateInit2(&p.z, 9, Z_DEFLATED, 15 + 16, 9,
	                              Z_DEFAULT_STRATEGY), Z_OK);
	pack(&p, head.data, head.size, Z_NO_FLUSH);
	while (block.size + piece.size <= MIB) {
		memcpy(block.data + block.size, piece.data, piece.size);
		block.size += piece.size;
	}
	per_block = block.size / piece.size;
	for (; n >= per_block; n -= per_block)
		pack(&p, block.data, block.size, Z_NO_FLUSH);
	pack(&p, block.data, n * piece.size, Z_NO_FLUSH);
	pack(&p, tail.data, tail.size, Z_FINISH);
	deflateEnd(&p.z);
	free(block.data);
	free(head.data);
	free(piece.data);
	free(tail.data);
	return p.out;
}

static struct bytes copy_of(const void *bytes, size_t n)
{
	struct bytes b = { malloc(n + 1), n };

	ck_assert_ptr_nonnull(b.data);
	memcpy(b.data, bytes, n);
	return b;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t peak_memory(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (size_t)usage.ru_maxrss * 1024;
}

static const struct bomb {
	const char *name, *format;
	/* Of pprof in the notation of wire_text.h, else as it is. */
	const char *head, *piece;
	size_t n;
	const char *tail;
	const char *message;
} bombs[] = {
	{ "empty locations", "pprof", TYPE STRINGS, "4{}", 31000000, "",
	  "location without an id" },
	{ "empty functions", "pprof", TYPE STRINGS, "5{}", 31000000, "",
	  "function without an id" },
	{ "empty mappings", "pprof", TYPE STRINGS, "3{}", 31000000, "",
	  "mapping without an id" },
	{ "empty samples", "pprof", TYPE STRINGS, "2{}", 31000000, "",
	  "no values" },
	{ "empty strings", "pprof", TYPE STRINGS, "6''", 31000000, "",
	  "max_items" },
	{ "empty sample types", "pprof", STRINGS, "1{}", 31000000, "",
	  "max_types" },
	{ "empty comments", "pprof", TYPE STRINGS, "13:0", 31000000, "",
	  "max_items" },
	{ "equal samples", "pprof", TYPE STRINGS, "2{2:1}", 15000000, "",
	  "max_items" },
	{ "samples of a location", "pprof", TYPE STRINGS "4{1:1}",
	  "2{1:1 2:1}", 10000000, "", "max_items" },
	{ "labelled samples", "pprof", TYPE STRINGS "4{1:1}",
	  "2{1:1 2:1 3{1:1 2:2}}", 5000000, "", "max_items" },
	{ "unknown fields", "pprof", TYPE STRINGS, "99:1", 20000000, "",
	  "max_items" },
	{ "empty unknown fields", "pprof", TYPE STRINGS, "99{}", 20000000, "",
	  "max_items" },
	{ "period types", "pprof", TYPE STRINGS, "11{}", 31000000, "",
	  "max_items" },
	{ "durations", "pprof", TYPE STRINGS, "10:1", 31000000, "",
	  "max_items" },
	{ "equal locations", "pprof", TYPE STRINGS, "4{1:1}", 15000000, "",
	  "id of another" },
	{ "a string of 1 GiB", "pprof", TYPE STRINGS "|32 80 80 80 80 04|",
	  "|00 00 00 00 00 00 00 00|", 134217728, "", "max_string" },
	{ "a stack of 60 MB", "pprof",
	  TYPE STRINGS "4{1:1} |12 86 8e ce 1c 0a 80 8e ce 1c|",
	  "|01 01 01 01 01 01|", 10000000, "|10 01|", "max_" },
	{ "a stack of 1 M unpacked ids", "pprof",
	  TYPE STRINGS "4{1:1} |12 82 89 7a|", "|08 01|", 1000000, "|10 01|",
	  "max_depth" },
	{ "values of 60 MB", "pprof",
	  TYPE STRINGS "|12 85 8e ce 1c 12 80 8e ce 1c|",
	  "|01 01 01 01 01 01|", 10000000, "", "max_" },
	{ "packed comments of 60 MB", "pprof", TYPE STRINGS
	  "|6a 80 8e ce 1c|", "|01 01 01 01 01 01|", 10000000, "", "max_" },
	{ "a location of 20 M lines", "pprof",
	  TYPE STRINGS "5{1:1} |22 82 ad e2 04 08 01|", "|22 02 08 01|",
	  2500000, "", "max_" },
	{ "a sample of labels", "pprof",
	  TYPE STRINGS "|12 82 ad e2 04 10 01|", "|1a 02 08 01|", 2500000, "",
	  "max_" },
	{ "an unknown field of 60 MB", "pprof", TYPE STRINGS
	  "|9a 06 80 8e ce 1c|", "|01 01 01 01 01 01|", 10000000, "",
	  "max_memory" },
	{ "unknown fields in a location", "pprof", TYPE STRINGS
	  "|22 82 8e ce 1c 08 01|", "99:1", 20000000, "", "max_memory" },
	{ "a list of comments", "yaml", "profile: 1\ncomments: [", "a,",
	  31000000, "", "max_items" },
	{ "YAML samples", "yaml", "profile: 1\nsample_types: [cpu/ns]\n"
	  "samples:\n", "- {v: 1}\n", 6700000, "", "max_items" },
	{ "YAML comments", "yaml", "profile: 1\n", "#\n", 31000000, "",
	  "max_items" },
	{ "empty lines of YAML", "yaml", "profile: 1\n", "\n", 61000000, "",
	  "max_items" },
	{ "open lists", "yaml", "profile: 1\nx: ", "[", 160000, "",
	  "unknown key" },
	{ "open maps", "yaml", "profile: 1\nsamples:\n- ", "{stack: ", 40000,
	  "", "" },
	{ "a scalar of 1 GiB", "yaml", "profile: 1\ncomments:\n- ", "aaaaaaaa",
	  134217728, "", "max_items" },
	{ "a scalar of 60 MB", "yaml", "profile: 1\ncomments:\n- ",
	  "aaaaaaaa", 7500000, "", "max_" },
	{ "short lines", "collapsed", "", "a 1\n", 15000000, "",
	  "max_items" },
	{ "empty lines", "collapsed", "a 1\n", "\n", 61000000, "",
	  "max_items" },
	{ "lines without a count", "collapsed", "", "a\n", 31000000, "",
	  "max_items" },
	{ "comment lines", "collapsed", "a 1\n", "# x\n", 15000000, "",
	  "max_" },
	{ "a line of 1 GiB", "collapsed", "", "aaaaaaaa", 134217728, " 1\n",
	  "max_line_bytes" },
	{ "a stack of 8 M frames", "collapsed", "", "a;", 8000000, "b 1\n",
	  "max_" },
	{ "one record of 1 GiB", "raw",
	  "\3\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0\0" "\144\0\0\0\0\0\0\0"
	  "\xff\xff\xff\x07\0\0\0\0", "abcdefgh", 134217728, "", "max_" },
};

static struct bytes bomb_part(const struct bomb *b, const char *text)
{
	if (strcmp(b->format, "pprof") == 0)
		return wire_from_text(text);
	/* The words of raw have zeros in them: 32 bytes of head. */
	if (strcmp(b->format, "raw") == 0 && text == b->head)
		return copy_of(text, 32);
	return copy_of(text, strlen(text));
}

static double max_seconds(const struct bomb *b, size_t size)
{
	const double size_in_61_kb = size < 61000 ? 1.0 : (double)size / 61000;

	return SLOWNESS * size_in_61_kb *
		(strcmp(b->format, "yaml") == 0 ? 0.25 : 0.1);
}

/* libyaml's own buffers double, and no budget of ours holds them. */
static size_t max_memory(const struct bomb *b)
{
	return MAX_MEMORY + (strcmp(b->format, "yaml") == 0 ? 32 * MIB : 0);
}

START_TEST(bombs_fail_early)
{
	const struct bomb *b = &bombs[_i];
	const struct bytes file = gzip_of(
		bomb_part(b, b->head), bomb_part(b, b->piece), b->n,
		bomb_part(b, b->tail));
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	double seconds = cpu_seconds();
	size_t memory = peak_memory();
	const enum prof_status status = prof_read_mem(
		&p, file.data, file.size, &PROF_OPTIONS(
			prof_read_options, .format = b->format), &err);

	seconds = cpu_seconds() - seconds;
	memory = peak_memory() - memory;
	if (getenv("PRINT_COSTS"))
		fprintf(stderr, "%-28s %8zu bytes: %6.1f ms, %6.1f MiB: %s\n",
		        b->name, file.size, seconds * 1e3,
		        (double)memory / (double)MIB, err.message);
	ck_assert_msg(status == PROF_LIMIT || status == PROF_CORRUPT,
	              "%s: %s, \"%s\"", b->name, prof_status_string(status),
	              err.message);
	ck_assert_msg(strstr(err.message, b->message) != NULL, "%s: \"%s\"",
	              b->name, err.message);
	ck_assert_msg(seconds < max_seconds(b, file.size), "%s: %.3f s",
	              b->name, seconds);
	ck_assert_msg(memory < max_memory(b), "%s: %zu MiB", b->name,
	              memory / MIB);
	ck_assert_ptr_null(p);
	free(file.data);
}
END_TEST

/* ---- Each limit ---- */

static const struct limit_case {
	const char *name; /* what the message says, too */
	const char *format, *input;
	struct prof_limits enough, too_little;
} limit_cases[] = {
	{ "max_bytes", "pprof", TYPE "2{2:1}" STRINGS, { .max_bytes = 64 },
	  { .max_bytes = 16 } },
	{ "max_bytes", "collapsed", "a;b 1\na;c 2\n", { .max_bytes = 12 },
	  { .max_bytes = 11 } },
	{ "max_memory", "pprof", TYPE "2{2:1}" STRINGS,
	  { .max_memory = 1 << 20 }, { .max_memory = 1 << 10 } },
	{ "max_string", "pprof", TYPE "2{2:1}" STRINGS "6'abcd'",
	  { .max_string = 4 }, { .max_string = 3 } },
	{ "max_string", "yaml", "profile: 1\nsample_types: [cpu/ns]\n"
	  "samples:\n- {v: 1, stack: [abcdefgh]}\n", { .max_string = 64 },
	  { .max_string = 7 } },
	{ "max_depth", "pprof", TYPE "2{1[1 1 1] 2:1} 4{1:1}" STRINGS,
	  { .max_depth = 3 }, { .max_depth = 2 } },
	{ "max_depth", "pprof", TYPE "2{1[200 200] 2:1} 4{1:200}" STRINGS,
	  { .max_depth = 2 }, { .max_depth = 1 } },
	{ "max_depth", "collapsed", "a;b;c 1\n", { .max_depth = 3 },
	  { .max_depth = 2 } },
	{ "max_lines", "pprof", TYPE "4{1:1 4{1:1} 4{1:1} 4{1:1}} 5{1:1}"
	  STRINGS, { .max_lines = 3 }, { .max_lines = 2 } },
	{ "max_labels", "pprof", TYPE "2{2:1 3{1:1 2:2} 3{1:1 2:2}}" STRINGS,
	  { .max_labels = 2 }, { .max_labels = 1 } },
	{ "max_types", "pprof", "1{1:1} 1{1:2}" STRINGS, { .max_types = 2 },
	  { .max_types = 1 } },
	{ "max_nesting", "yaml", "profile: 1\nsample_types: [cpu/ns]\n",
	  { .max_nesting = 2 }, { .max_nesting = 1 } },
	{ "max_items", "pprof", TYPE "2{2:1} 2{2:2 3{1:1 2:2}}" STRINGS,
	  { .max_items = 7 }, { .max_items = 6 } },
	{ "max_items", "collapsed", "a 1\nb 2\nc 3\n", { .max_items = 3 },
	  { .max_items = 2 } },
	{ "max_items", "yaml", "profile: 1\ncomments: [a, b]\n",
	  { .max_items = 14 }, { .max_items = 13 } },
	{ "max_line_bytes", "collapsed", "abc 1\n", { .max_line_bytes = 6 },
	  { .max_line_bytes = 4 } },
};

static enum prof_status read_limited(struct bytes in, const char *format,
                                     const struct prof_limits *limits,
                                     struct prof_error *err)
{
	struct prof_read_options options = PROF_OPTIONS(
		prof_read_options, .format = format, .limits = *limits);
	struct prof_profile *p = NULL;
	const enum prof_status status =
		prof_read_mem(&p, in.data, in.size, &options, err);

	prof_profile_free(p);
	return status;
}

START_TEST(each_limit)
{
	const struct limit_case *c = &limit_cases[_i];
	const struct bytes in = strcmp(c->format, "pprof") == 0 ?
		wire_from_text(c->input) :
		copy_of(c->input, strlen(c->input));
	struct prof_error err = { 0 };

	ck_assert_msg(read_limited(in, c->format, &c->enough, &err) == PROF_OK,
	              "%s of %s: %s", c->name, c->format, err.message);
	ck_assert_msg(read_limited(in, c->format, &c->too_little, &err) ==
	              PROF_LIMIT, "%s of %s: \"%s\"", c->name, c->format,
	              err.message);
	ck_assert_msg(strstr(err.message, c->name) != NULL, "%s of %s: \"%s\"",
	              c->name, c->format, err.message);
	free(in.data);
}
END_TEST

/* Of recordings, whose words are numbers. */
START_TEST(depth_of_a_record)
{
	const uint64_t words[] = { 3, 1, 100, 6, 2, 1, 7, 8, 9 };
	const struct bytes in = { (unsigned char *)(uintptr_t)words,
	                          sizeof(words) };
	struct prof_error err = { 0 };

	ck_assert_int_eq(read_limited(in, "raw", &(struct prof_limits){
		.max_depth = 3 }, &err), PROF_OK);
	ck_assert_int_eq(read_limited(in, "raw", &(struct prof_limits){
		.max_depth = 2 }, &err), PROF_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.message, "max_depth"));
}
END_TEST

START_TEST(line_of_a_side_file)
{
	const uint64_t words[] = { 3, 1, 100 };
	static const char text[] = "0x0       \n";
	struct test_source tags = { .data = (const unsigned char *)text,
	                            .size = sizeof(text) - 1 };
	struct prof_read_options options = PROF_OPTIONS(
		prof_read_options, .format = "raw",
		.limits = { .max_line_bytes = 10 },
		.tags = test_source(&tags));
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_read_mem(&p, words, sizeof(words), &options,
	                               &err), PROF_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.message, "max_line_bytes"));
}
END_TEST

/* CPU seconds to write n functions without addresses, and to read them. */
static double seconds_there_and_back(const struct prof_format_info *format,
                                     size_t n)
{
	struct bytes text = { malloc(n * 16), 0 }, out;
	struct prof_profile *p = NULL;
	double seconds;

	ck_assert_ptr_nonnull(text.data);
	for (size_t i = 0; i < n; i++)
		text.size += (size_t)sprintf((char *)text.data + text.size,
		                             "f%zu 1\n", i);
	ck_assert_int_eq(prof_read_mem(&p, text.data, text.size,
	                               &PROF_OPTIONS(prof_read_options,
	                                             .format = "collapsed"),
	                               NULL), PROF_OK);
	seconds = cpu_seconds();
	out = write_profile(p, format->name, NULL);
	prof_profile_free(p);
	if (format->can & PROF_CAN_READ) {
		p = NULL;
		ck_assert_int_eq(prof_read_mem(&p, out.data, out.size, NULL,
		                               NULL), PROF_OK);
		prof_profile_free(p);
	}
	free(text.data);
	free(out.data);
	return cpu_seconds() - seconds;
}

/* Eight times the input takes not much more than eight times as long. */
START_TEST(linear_growth)
{
	const struct prof_format_info *format;
	double few, many;

	for (size_t i = 0; (format = prof_format_info(i)) != NULL; i++) {
		if (!(format->can & PROF_CAN_WRITE))
			continue;
		few = seconds_there_and_back(format, 20000);
		many = seconds_there_and_back(format, 160000);
		ck_assert_msg(many < 20 * few + 0.05, "%s: %.3f s, %.3f s",
		              format->name, few, many);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *bomb = tcase_create("bombs");
	TCase *limit = tcase_create("limits");

	tcase_set_timeout(bomb, 120);
	tcase_add_loop_test(bomb, bombs_fail_early, 0, N_ELEMENTS(bombs));
	suite_add_tcase(suite, bomb);
	tcase_add_loop_test(limit, each_limit, 0, N_ELEMENTS(limit_cases));
	tcase_add_test(limit, depth_of_a_record);
	tcase_add_test(limit, line_of_a_side_file);
	tcase_set_timeout(limit, 120);
	tcase_add_test(limit, linear_growth);
	suite_add_tcase(suite, limit);
	return run_suite(suite);
}
