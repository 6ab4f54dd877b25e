/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs: what comes out of compressed bytes, however they are put together,
 * cut and handed over.
 */
#include "testing.h"

#include "base/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KIB ((size_t)1 << 10)

/* Bytes that compress badly, and differ from place to place. */
static struct bytes noise(size_t size)
{
	struct bytes b = { malloc(size + 1), size };
	uint32_t state = 2463534242u;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		b.data[i] = (unsigned char)(state >> 24);
	}
	return b;
}

static void append(struct bytes *to, const void *bytes, size_t n)
{
	to->data = realloc(to->data, to->size + n + 1);
	ck_assert_ptr_nonnull(to->data);
	if (n)
		memcpy(to->data + to->size, bytes, n);
	to->size += n;
}

/* One gzip member behind what there is. */
static void append_gzip(struct bytes *to, const unsigned char *data, size_t n)
{
	z_stream z = { 0 };
	const size_t room = n + n / 100 + 100;
	unsigned char *packed = malloc(room);

	ck_assert_int_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8,
	                              Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)n;
	z.next_out = packed;
	z.avail_out = (uInt)room;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	append(to, packed, room - z.avail_out);
	deflateEnd(&z);
	free(packed);
}

/* All that an input gives, taken `take` bytes at a time. */
static enum prof_status read_all(struct bytes *out, struct bytes file,
                                 size_t step, size_t take,
                                 enum input_flags flags,
                                 struct prof_error *err)
{
	struct test_source source = { .data = file.data, .size = file.size,
	                              .step = step };
	struct input in;
	enum prof_status status = input_open(&in, test_source(&source), NULL,
	                                     flags, &mem_malloc, NULL, err);
	size_t n;

	*out = (struct bytes){ 0 };
	if (status != PROF_OK)
		return status;
	while ((n = input_need(&in, take)) > 0) {
		n = n < take ? n : take;
		ck_assert_uint_eq(input_offset(&in), out->size);
		append(out, in.p, n);
		in.p += n;
	}
	status = in.status;
	*err = in.error;
	input_close(&in);
	return status;
}

static void assert_gives(struct bytes file, struct bytes expected, size_t step,
                         size_t take, const char *name)
{
	struct prof_error err = { 0 };
	struct bytes got;

	ck_assert_msg(read_all(&got, file, step, take, 0, &err) == PROF_OK,
	              "%s: %s", name, err.message);
	ck_assert_msg(got.size == expected.size, "%s: %zu bytes, not %zu",
	              name, got.size, expected.size);
	if (expected.size)
		ck_assert_mem_eq(got.data, expected.data, expected.size);
	free(got.data);
}

/* ---- Sizes at the edges of windows and buffers ---- */

static const size_t edges[] = { 0, 1, 2, 3, 4, 128 * KIB, 256 * KIB,
                                384 * KIB, 512 * KIB };

START_TEST(sizes_at_edges)
{
	for (int d = -20; d <= 20; d += d > -4 && d < 4 ? 1 : 4) {
		const struct bytes plain =
			noise(edges[_i] < 20 ? edges[_i] + (size_t)(d + 20) :
			      edges[_i] + (size_t)d);
		struct bytes packed = { 0 };

		assert_gives(plain, plain, 0, 64 * KIB, "plain");
		assert_gives(plain, plain, 4097, 7777, "plain in pieces");
		append_gzip(&packed, plain.data, plain.size);
		assert_gives(packed, plain, 0, 64 * KIB, "gzip");
		assert_gives(packed, plain, 4097, 300 * KIB, "gzip in pieces");
		free(plain.data);
		free(packed.data);
	}
}
END_TEST

/* Compressed members that end at the edges of the source's buffer. */
START_TEST(members_at_edges)
{
	for (size_t d = 0; d < 48; d++) {
		const struct bytes plain = noise(300 * KIB);
		/* Noise is stored: 5 bytes a block of 16 KiB or so, a head of
		   10 and a tail of 8. */
		const size_t first = 128 * KIB - 64 + d;
		struct bytes packed = { 0 };

		append_gzip(&packed, plain.data, first);
		append_gzip(&packed, plain.data + first, plain.size - first);
		assert_gives(packed, plain, 0, 64 * KIB, "two members");
		free(plain.data);
		free(packed.data);
	}
}
END_TEST

/* ---- Members ---- */

/* A text of two members, split at every place, handed over in any steps. */
START_TEST(members_split_everywhere)
{
	static const unsigned char text[] =
		"a text that is a little longer than a gzip tail is";
	const struct bytes plain = { (unsigned char *)(uintptr_t)text,
	                             sizeof(text) };

	for (size_t at = 0; at <= sizeof(text); at++) {
		struct bytes packed = { 0 };

		append_gzip(&packed, text, at);
		append_gzip(&packed, text + at, sizeof(text) - at);
		for (size_t step = 1; step < 30; step++)
			assert_gives(packed, plain, step, 5, "two members");
		assert_gives(packed, plain, 0, 1000, "two members");
		free(packed.data);
	}
}
END_TEST

START_TEST(many_members)
{
	const struct bytes plain = noise(600);
	struct bytes packed = { 0 };

	for (size_t i = 0; i < plain.size; i += 2)
		append_gzip(&packed, plain.data + i, 2);
	assert_gives(packed, plain, 0, 64, "300 members");
	assert_gives(packed, plain, 11, 64, "300 members in pieces");
	free(plain.data);
	free(packed.data);
}
END_TEST

static const struct tail_case {
	const char *tail;
	size_t n;
	enum prof_status status;
	const char *message;
} tail_cases[] = {
	{ "", 0, PROF_OK, "" },
	{ "\0", 1, PROF_OK, "" },
	{ "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, PROF_OK, "" },
	{ "x", 1, PROF_CORRUPT, "garbage after the end" },
	{ "\0\0x", 3, PROF_CORRUPT, "garbage after the end" },
	{ "\n", 1, PROF_CORRUPT, "garbage after the end" },
	{ "\x1f", 1, PROF_TRUNCATED, "ends early" },
	{ "\x1f\x8b", 2, PROF_TRUNCATED, "ends early" },
	{ "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10, PROF_TRUNCATED, "ends early" },
	{ "\x1fgarbage that is long enough", 28, PROF_CORRUPT, "damaged" },
	{ "(garbage that is long enough", 28, PROF_CORRUPT, "damaged" },
};

START_TEST(tails)
{
	const struct tail_case *c = &tail_cases[_i];
	static const size_t steps[] = { 0, 1, 9 };

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		struct bytes packed = { 0 }, got;
		struct prof_error err = { 0 };

		append_gzip(&packed, (const unsigned char *)"hello", 5);
		append(&packed, c->tail, c->n);
		ck_assert_msg(read_all(&got, packed, steps[i], 100, 0, &err) ==
		              c->status, "\"%s\"", err.message);
		ck_assert_msg(strstr(err.message, c->message) != NULL,
		              "\"%s\"", err.message);
		free(got.data);
		/* With salvage, what was whole stays. */
		ck_assert_int_eq(read_all(&got, packed, steps[i], 100,
		                          INPUT_SALVAGE, &err), PROF_OK);
		ck_assert_uint_eq(got.size, 5);
		ck_assert_mem_eq(got.data, "hello", 5);
		free(got.data);
		free(packed.data);
	}
}
END_TEST

/* Cut anywhere: an error, or with salvage what could be had. */
START_TEST(cut_everywhere)
{
	const struct bytes plain = noise(2000);
	struct bytes packed = { 0 };

	append_gzip(&packed, plain.data, 1000);
	append_gzip(&packed, plain.data + 1000, 1000);
	for (size_t size = 4; size < packed.size; size++) {
		const struct bytes cut = { packed.data, size };
		struct prof_error err = { 0 };
		struct bytes got;
		const enum prof_status status =
			read_all(&got, cut, 0, 100, 0, &err);

		/* One whole member and nothing more is a whole file. */
		ck_assert(status == PROF_TRUNCATED || got.size == 1000);
		free(got.data);
		ck_assert_int_eq(read_all(&got, cut, 0, 100, INPUT_SALVAGE,
		                          &err), PROF_OK);
		ck_assert_uint_le(got.size, plain.size);
		if (got.size)
			ck_assert_mem_eq(got.data, plain.data, got.size);
		free(got.data);
	}
	free(plain.data);
	free(packed.data);
}
END_TEST

/* A bit changed anywhere is seen: gzip has a checksum. */
START_TEST(changed_everywhere)
{
	const struct bytes plain = noise(500);
	struct bytes packed = { 0 };
	unsigned n_unseen = 0;

	append_gzip(&packed, plain.data, plain.size);
	for (size_t at = 0; at < packed.size; at++) {
		struct prof_error err = { 0 };
		struct bytes got;

		packed.data[at] ^= 4;
		n_unseen += read_all(&got, packed, 0, 100, 0, &err) == PROF_OK;
		free(got.data);
		packed.data[at] ^= 4;
	}
	/* The magic (then it is plain), time, flags and system in the head. */
	ck_assert_uint_le(n_unseen, 9);
	free(plain.data);
	free(packed.data);
}
END_TEST

/* ---- Lines ---- */

static const struct line_case {
	const char *text;
	uint64_t max;
	const char *lines[4]; /* with their newlines */
	bool is_too_long;
} line_cases[] = {
	{ "", 10, { NULL }, false },
	{ "a", 10, { "a" }, false },
	{ "a\n", 10, { "a\n" }, false },
	{ "\n\nb", 10, { "\n", "\n", "b" }, false },
	{ "abc\nde\n", 4, { "abc\n", "de\n" }, false },
	{ "ab\nabcd\n", 4, { "ab\n" }, true },
	{ "abcde", 4, { NULL }, true },
};

START_TEST(lines)
{
	const struct line_case *c = &line_cases[_i];
	struct test_source source = {
		.data = (const unsigned char *)c->text,
		.size = strlen(c->text), .step = 1,
	};
	const unsigned char *line;
	struct input in;
	size_t size, n = 0;

	ck_assert_int_eq(input_open(&in, test_source(&source), NULL, 0,
	                            &mem_malloc, NULL, NULL), PROF_OK);
	while (input_line(&in, c->max, &line, &size)) {
		ck_assert_ptr_nonnull(c->lines[n]);
		ck_assert_uint_eq(size, strlen(c->lines[n]));
		ck_assert_mem_eq(line, c->lines[n], size);
		n++;
	}
	ck_assert_ptr_null(c->lines[n]);
	ck_assert_int_eq(in.status, c->is_too_long ? PROF_LIMIT : PROF_OK);
	input_close(&in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("input");
	TCase *tc = tcase_create("bytes");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, sizes_at_edges, 0, N_ELEMENTS(edges));
	tcase_add_test(tc, members_at_edges);
	tcase_add_test(tc, members_split_everywhere);
	tcase_add_test(tc, many_members);
	tcase_add_loop_test(tc, tails, 0, N_ELEMENTS(tail_cases));
	tcase_add_test(tc, cut_everywhere);
	tcase_add_test(tc, changed_everywhere);
	tcase_add_loop_test(tc, lines, 0, N_ELEMENTS(line_cases));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
