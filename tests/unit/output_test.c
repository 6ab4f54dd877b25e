/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed outputs: whatever their size and however they are put, they are
 * one gzip member that zlib gives the same bytes from; a sink or memory that
 * fails is told, and nothing leaks.
 */
#include "testing.h"

#include "base/codec.h"
#include "base/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* A sink that keeps all, and fails from the n-th call on. */
struct kept {
	struct bytes bytes;
	size_t n_calls, fail_at; /* from 1; 0: never */
};

static int keep(void *ctx, const void *buf, size_t size)
{
	struct kept *k = ctx;

	if (++k->n_calls == k->fail_at)
		return -ENOSPC;
	k->bytes.data = realloc(k->bytes.data, k->bytes.size + size + 1);
	memcpy(k->bytes.data + k->bytes.size, buf, size);
	k->bytes.size += size;
	return 0;
}

/* Bytes that compress, but not to nothing. */
static struct bytes content_of(size_t size)
{
	struct bytes b = { malloc(size + 1), size };
	uint32_t state = 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		b.data[i] = (unsigned char)(state >> 29 | i >> 12);
	}
	return b;
}

/* The end of the first member; fails unless it gives content. */
static size_t inflated_size(struct bytes packed, struct bytes content)
{
	unsigned char *got = malloc(content.size + 1);
	z_stream z = { .next_in = packed.data, .next_out = got,
	               .avail_in = (uInt)packed.size,
	               .avail_out = (uInt)content.size + 1 };

	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.total_out, content.size);
	ck_assert_int_eq(memcmp(got, content.data, content.size), 0);
	inflateEnd(&z);
	free(got);
	return z.total_in;
}

static void put(struct output *out, struct bytes content, size_t piece)
{
	for (size_t i = 0; i < content.size; i += piece)
		output_bytes(out, content.data + i,
		             content.size - i < piece ? content.size - i :
		             piece);
}

static const struct output_case {
	size_t size, piece;
	uint32_t level;
} output_cases[] = {
	{ 0, 1, 1 },
	{ 1, 1, 1 },
	{ 300 * KIB, 7, 1 },
	{ 2 * MIB - 1, 1000, 1 },
	{ 2 * MIB, 1000, 1 },
	{ 2 * MIB + 1, 1000, 1 },
	{ 5 * MIB, 1, 1 },
	{ 5 * MIB, 64 * KIB, 1 },
	{ 5 * MIB, 3 * MIB, 1 }, /* one piece is larger than the buffer */
	{ 9 * MIB, 9 * MIB, 1 },
	{ 5 * MIB, 1000, 2 },
	{ 5 * MIB, 1000, 6 },
	{ 2 * MIB, 1000, 12 },
};

START_TEST(one_member)
{
	const struct output_case *c = &output_cases[_i];
	struct bytes content = content_of(c->size);
	struct kept kept = { 0 };
	struct prof_error err;
	struct output out;

	output_open(&out, (struct prof_sink){ keep, &kept }, c->level,
	            &mem_malloc);
	put(&out, content, c->piece);
	ck_assert_uint_eq(output_size(&out), c->size);
	output_flush(&out);
	ck_assert_int_eq(output_close(&out, &err), PROF_OK);
	ck_assert_uint_eq(inflated_size(kept.bytes, content), kept.bytes.size);
	free(kept.bytes.data);
	free(content.data);
}
END_TEST

/* What is large goes to the sink on the way, where the build can do that. */
START_TEST(needs_no_memory_for_all)
{
	struct bytes content = content_of(32 * MIB);
	struct failing_allocator memory;
	struct kept kept = { 0 };
	struct output out;

	failing_allocator_init(&memory);
	output_open(&out, (struct prof_sink){ keep, &kept }, 1,
	            &memory.allocator);
	put(&out, content, 1000);
	ck_assert_int_eq(output_close(&out, NULL), PROF_OK);
	if (encoder_gzip)
		ck_assert_uint_lt(memory.max_bytes, 5 * MIB);
	ck_assert_uint_eq(memory.n_bytes, 0);
	free(kept.bytes.data);
	free(content.data);
}
END_TEST

START_TEST(sink_fails)
{
	struct bytes content = content_of(5 * MIB);
	struct kept kept = { .fail_at = (size_t)_i + 1 };
	struct prof_error err;
	struct output out;

	output_open(&out, (struct prof_sink){ keep, &kept }, 1, &mem_malloc);
	put(&out, content, 1000);
	ck_assert_int_eq(output_close(&out, &err), PROF_SYSTEM);
	/* It was not asked again. */
	ck_assert_uint_eq(kept.n_calls, kept.fail_at);
	free(kept.bytes.data);
	free(content.data);
}
END_TEST

START_TEST(memory_fails)
{
	struct bytes content = content_of((size_t)_i * 3 * MIB + 100);
	enum prof_status status = PROF_NOMEM;

	for (size_t n = 1; status != PROF_OK; n++) {
		struct failing_allocator memory;
		struct kept kept = { 0 };
		struct output out;

		failing_allocator_init(&memory);
		memory.fail_at = n;
		output_open(&out, (struct prof_sink){ keep, &kept }, 1,
		            &memory.allocator);
		put(&out, content, 1000);
		status = output_close(&out, NULL);
		ck_assert(status == PROF_OK || status == PROF_NOMEM);
		ck_assert_uint_eq(memory.n_bytes, 0);
		ck_assert(!memory.was_misused);
		if (status == PROF_OK)
			ck_assert_uint_lt(memory.n_calls, n);
		free(kept.bytes.data);
	}
	free(content.data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output");
	TCase *tcase = tcase_create("output");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, one_member, 0, N_ELEMENTS(output_cases));
	tcase_add_test(tcase, needs_no_memory_for_all);
	tcase_add_loop_test(tcase, sink_fails, 0, 3);
	tcase_add_loop_test(tcase, memory_fails, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
