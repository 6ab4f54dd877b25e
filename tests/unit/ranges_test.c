/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges of addresses: what is found is what a plain list gives, and the tree
 * stays flat in whatever order they are added.
 */
#include "testing.h"

#include "model/ranges.h"

#include <string.h>

/* ---- Against a list ---- */

#define N_ADDRESSES 64 /* a byte of `owner` says which range has each */

static void list_add(uint32_t *owner, uint32_t *start_of, uint64_t start,
                     uint64_t limit, uint32_t id)
{
	/* A range goes as a whole where any of it is covered. */
	for (uint64_t i = start; i < limit; i++) {
		const uint32_t old = owner[i];

		for (uint64_t k = 0; old && k < N_ADDRESSES; k++)
			if (owner[k] == old)
				owner[k] = 0;
	}
	for (uint64_t i = start; i < limit; i++)
		owner[i] = id;
	start_of[id] = (uint32_t)start;
}

static void list_remove(uint32_t *owner, const uint32_t *start_of,
                        uint64_t start)
{
	const uint32_t old = owner[start];

	for (uint64_t i = 0; old && start_of[old] == start && i < N_ADDRESSES;
	     i++)
		if (owner[i] == old)
			owner[i] = 0;
}

START_TEST(as_in_a_list)
{
	struct address_ranges r = { .random = (uint64_t)_i };
	uint32_t owner[N_ADDRESSES] = { 0 }, start_of[401] = { 0 };
	uint32_t state = (uint32_t)_i * 2654435761u + 1;

	for (uint32_t id = 1; id <= 400; id++) {
		uint64_t start, size;

		state = state * 1664525u + 1013904223u;
		start = state >> 26;
		size = state >> 8 & 7;
		if (start + size > N_ADDRESSES)
			size = N_ADDRESSES - start;
		if (state & 0x10000) {
			address_ranges_remove(&r, start);
			list_remove(owner, start_of, start);
		} else {
			ck_assert(address_ranges_add(&r, start, start + size,
			                             id, &mem_malloc));
			list_add(owner, start_of, start, start + size, id);
		}
		for (uint64_t i = 0; i < N_ADDRESSES; i++)
			ck_assert_uint_eq(address_ranges_find(&r, i),
			                  owner[i]);
	}
	address_ranges_release(&r, &mem_malloc);
}
END_TEST

START_TEST(at_the_end)
{
	struct address_ranges r = { 0 };

	ck_assert_uint_eq(address_ranges_find(&r, 0), 0);
	address_ranges_remove(&r, 0);
	ck_assert(address_ranges_add(&r, UINT64_MAX - 1, UINT64_MAX, 1,
	                             &mem_malloc));
	ck_assert(address_ranges_add(&r, 0, 1, 2, &mem_malloc));
	ck_assert_uint_eq(address_ranges_find(&r, UINT64_MAX - 1), 1);
	ck_assert_uint_eq(address_ranges_find(&r, UINT64_MAX), 0);
	ck_assert_uint_eq(address_ranges_find(&r, 0), 2);
	address_ranges_remove(&r, UINT64_MAX);
	address_ranges_remove(&r, UINT64_MAX - 1);
	ck_assert_uint_eq(address_ranges_find(&r, UINT64_MAX - 1), 0);
	ck_assert(address_ranges_add(&r, 0, UINT64_MAX, 3, &mem_malloc));
	ck_assert_uint_eq(address_ranges_find(&r, 0), 3);
	address_ranges_release(&r, &mem_malloc);
}
END_TEST

/* ---- The depth, which is what an operation costs ---- */

#define N_RANGES 100000

static const char *const orders[] = {
	"ascending", "descending", "from both ends", "scattered", "equal",
};

static uint64_t start_in_order(const char *order, uint64_t i)
{
	if (strcmp(order, "ascending") == 0)
		return i;
	if (strcmp(order, "descending") == 0)
		return N_RANGES - 1 - i;
	if (strcmp(order, "from both ends") == 0)
		return i % 2 ? i / 2 : N_RANGES - 1 - i / 2;
	if (strcmp(order, "scattered") == 0)
		return i * 61979 % N_RANGES;
	return 7;
}

/* By a walk with a stack of its own: a broken tree may be deep. */
static unsigned depth_of(const struct address_ranges *r)
{
	static uint32_t stack[2 * N_RANGES];
	static unsigned depths[2 * N_RANGES];
	size_t n = 0;
	unsigned max = 0;

	if (r->root) {
		stack[n] = r->root;
		depths[n++] = 1;
	}
	while (n) {
		const struct address_range *node = &r->nodes.data[stack[--n]];
		const unsigned depth = depths[n];
		const uint32_t below[] = { node->left, node->right };

		if (depth > max)
			max = depth;
		for (size_t i = 0; i < 2; i++)
			if (below[i]) {
				stack[n] = below[i];
				depths[n++] = depth + 1;
			}
	}
	return max;
}

START_TEST(stays_flat)
{
	const char *order = orders[_i];
	struct address_ranges r = { .random = 1 };

	for (uint64_t i = 0; i < N_RANGES; i++) {
		const uint64_t start = 16 * start_in_order(order, i);

		ck_assert(address_ranges_add(&r, start, start + 16,
		                             (uint32_t)i + 1, &mem_malloc));
	}
	for (uint64_t i = 0; i < N_RANGES; i += 97)
		ck_assert(address_ranges_find(
			&r, 16 * start_in_order(order, i) + 15));
	/* 17 would be the least; a random tree is some 2 to 3 times that. */
	ck_assert_msg(depth_of(&r) < 60, "%s: %u deep", order, depth_of(&r));
	address_ranges_release(&r, &mem_malloc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ranges");
	TCase *tcase = tcase_create("ranges");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, as_in_a_list, 0, 50);
	tcase_add_test(tcase, at_the_end);
	tcase_add_loop_test(tcase, stays_flat, 0, N_ELEMENTS(orders));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
