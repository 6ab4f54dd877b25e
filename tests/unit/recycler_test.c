/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator for one profile after another: blocks keep what is in them
 * and never overlap, and the same allocations get the same memory again.
 */
#include "testing.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1 << 10)
#define N_BLOCKS 100 /* more than there are ranges */

struct block {
	unsigned char *data;
	size_t size;
	unsigned char content;
};

static void fill(struct block *b, unsigned char content)
{
	b->content = content;
	memset(b->data, content, b->size);
}

static void check(const struct block *b, size_t size)
{
	size_t i = 0;

	while (i < size && b->data[i] == b->content)
		i++;
	ck_assert_uint_eq(i, size);
}

static void resize(struct block *b, const struct prof_allocator *a,
                   size_t size)
{
	const size_t kept = b->size < size ? b->size : size;

	b->data = mem_resize(a, b->data, b->size, size);
	ck_assert_ptr_nonnull(b->data);
	check(b, kept);
	b->size = size;
}

/* Many at once, small and large, that grow, shrink and go in some order. */
START_TEST(blocks_are_their_own)
{
	struct prof_allocator *a = prof_recycler_new();
	struct block blocks[N_BLOCKS] = { { NULL, 0, 0 } };
	uint32_t state = (uint32_t)_i + 1;

	for (int i = 0; i < 2000; i++) {
		struct block *b;

		state = state * 1664525u + 1013904223u;
		b = &blocks[(state >> 20) % N_BLOCKS];
		if (state >> 28 == 0) {
			if (b->data)
				check(b, b->size);
			mem_free(a, b->data, b->size);
			*b = (struct block){ NULL, 0, 0 };
			continue;
		}
		resize(b, a, 1 + (state >> 8) % (state & 64 ? 200 * KIB :
		                                 200));
		fill(b, (unsigned char)i);
	}
	for (size_t i = 0; i < N_BLOCKS; i++) {
		if (blocks[i].data)
			check(&blocks[i], blocks[i].size);
		mem_free(a, blocks[i].data, blocks[i].size);
	}
	prof_recycler_free(a);
}
END_TEST

/* What tables do: some blocks grow in turn, a temporary one comes and goes. */
static void grow_tables(const struct prof_allocator *a, void *last[4])
{
	struct block tables[4] = { { NULL, 0, 0 } };
	struct block scratch = { NULL, 0, 0 };

	for (size_t size = KIB; size <= 4096 * KIB; size *= 2)
		for (size_t i = 0; i < 4; i++) {
			resize(&tables[i], a, size * (i + 1));
			fill(&tables[i], (unsigned char)(i + 1));
			resize(&scratch, a, size);
			mem_free(a, scratch.data, scratch.size);
			scratch = (struct block){ NULL, 0, 0 };
		}
	for (size_t i = 0; i < 4; i++) {
		last[i] = tables[i].data;
		mem_free(a, tables[i].data, tables[i].size);
	}
}

START_TEST(same_allocations_same_memory)
{
	struct prof_allocator *a = prof_recycler_new();
	void *first[4], *again[4];

	grow_tables(a, first);
	for (int i = 0; i < 5; i++) {
		grow_tables(a, again);
		ck_assert_mem_eq(first, again, sizeof(first));
	}
	prof_recycler_free(a);
}
END_TEST

START_TEST(too_large)
{
	struct prof_allocator *a = prof_recycler_new();
	struct block b = { NULL, 0, 0 };

	resize(&b, a, 100 * KIB);
	fill(&b, 7);
	ck_assert_ptr_null(mem_resize(a, b.data, b.size, SIZE_MAX / 2));
	check(&b, b.size);
	mem_free(a, b.data, b.size);
	prof_recycler_free(a);
	prof_recycler_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recycler");
	TCase *tcase = tcase_create("recycler");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, blocks_are_their_own, 0, 10);
	tcase_add_test(tcase, same_allocations_same_memory);
	tcase_add_test(tcase, too_large);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
