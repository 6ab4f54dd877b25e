/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequences of 64-bit keys come out in the order that comparing them one by
 * one gives, whatever their shape.
 */
#include "testing.h"

#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS 3000
#define MAX_DEPTH 6

/* Sequences of up to MAX_DEPTH keys that are not 0, ended by one that is. */
struct sequences {
	uint64_t keys[MAX_ITEMS][MAX_DEPTH + 1];
};

static uint64_t key_of(const void *ctx, uint32_t id, size_t depth)
{
	const struct sequences *const s = ctx;

	for (size_t i = 0; i < depth; i++)
		if (s->keys[id][i] == 0)
			return 0;
	return s->keys[id][depth];
}

/* Nothing is asked for behind its end, nor alone; keys are kept until then. */
static void load_keys(const void *ctx, struct sort_item *items, size_t n,
                      size_t depth)
{
	ck_assert(depth == 0 || n > 1);
	for (size_t i = 0; i < n; i++) {
		if (depth) {
			ck_assert_uint_ne(items[i].key, 0);
			ck_assert_uint_eq(items[i].key, key_of(
				ctx, items[i].id, depth - 1));
		}
		items[i].key = key_of(ctx, items[i].id, depth);
	}
}

static int compare_sequences(const struct sequences *s, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i <= MAX_DEPTH; i++)
		if (s->keys[a][i] != s->keys[b][i] || s->keys[a][i] == 0)
			return (s->keys[a][i] > s->keys[b][i]) -
				(s->keys[a][i] < s->keys[b][i]);
	return 0;
}

static const struct sort_case {
	size_t n;
	uint64_t n_keys; /* different ones; few make long common beginnings */
	size_t min_depth;
} sort_cases[] = {
	{ 0, 2, 0 }, { 1, 2, 0 }, { 2, 1, 0 }, { 12, 3, 0 }, { 13, 3, 0 },
	{ 500, 1, 0 }, { 500, 1, MAX_DEPTH }, { 1000, 2, 0 }, { 1000, 2, 5 },
	{ 3000, 3, 0 }, { 3000, 7, 1 }, { 3000, UINT64_MAX, 1 },
};

enum shape { RANDOM, ASCENDING, DESCENDING, N_SHAPES };

static void fill(struct sequences *s, const struct sort_case *c,
                 enum shape shape)
{
	uint64_t state = 1;

	for (size_t i = 0; i < c->n; i++) {
		const size_t at = shape == DESCENDING ? c->n - 1 - i : i;
		size_t depth;

		state = state * UINT64_C(6364136223846793005) + 1;
		depth = c->min_depth +
			(state >> 33) % (MAX_DEPTH + 1 - c->min_depth);
		memset(s->keys[i], 0, sizeof(s->keys[i]));
		for (size_t k = 0; k < depth; k++) {
			state = state * UINT64_C(6364136223846793005) + 1;
			s->keys[i][k] = shape == RANDOM ?
				(state >> 20) % c->n_keys + 1 :
				at / (k + 1) % c->n_keys + 1;
		}
	}
}

START_TEST(as_compared)
{
	const struct sort_case *c = &sort_cases[_i];
	static struct sequences s;
	static struct sort_item items[MAX_ITEMS];
	static bool is_seen[MAX_ITEMS];

	for (int shape = 0; shape < N_SHAPES; shape++) {
		fill(&s, c, (enum shape)shape);
		memset(is_seen, 0, sizeof(is_seen));
		for (size_t i = 0; i < c->n; i++)
			items[i] = (struct sort_item){ .id = (uint32_t)i };
		sort_by_sequence(items, c->n,
		                 &(struct sort_sequence){ load_keys, &s });
		for (size_t i = 0; i < c->n; i++) {
			ck_assert(!is_seen[items[i].id]);
			is_seen[items[i].id] = true;
			if (i)
				ck_assert_int_le(compare_sequences(
					&s, items[i - 1].id, items[i].id), 0);
		}
	}
}
END_TEST

/* All alike to a great depth: in one loop, or the stack would run out. */
static void load_deep(const void *ctx, struct sort_item *items, size_t n,
                      size_t depth)
{
	const size_t *const max = ctx;

	for (size_t i = 0; i < n; i++)
		items[i].key = depth < *max ? 1 :
			depth == *max ? items[i].id + 1u : 0;
}

START_TEST(deep)
{
	static const size_t n_items[] = { 2, 12, 100 };
	const size_t depth = 200000;
	const size_t n = n_items[_i];
	struct sort_item items[100];

	for (size_t i = 0; i < n; i++)
		items[i] = (struct sort_item){ .id = (uint32_t)(n - 1 - i) };
	sort_by_sequence(items, n, &(struct sort_sequence){
		.load = load_deep, .ctx = &depth });
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(items[i].id, i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sort");
	TCase *tcase = tcase_create("sort");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, as_compared, 0, N_ELEMENTS(sort_cases));
	tcase_add_loop_test(tcase, deep, 0, 3);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
