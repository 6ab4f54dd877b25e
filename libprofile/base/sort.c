/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multikey quicksort (Bentley and Sedgewick, 1997) with the next 64 bits of
 * each sequence beside its id. A range is split into what is less than,
 * equal to and greater than a pivot at one depth; the equal part goes on at
 * the next depth.
 *
 * The largest part is gone on with in the loop and the others are sorted by
 * recursion, so the stack is no deeper than the logarithm of n, whatever the
 * input. Pivots are picked at random, so no input makes it slow either.
 */
#include "base/sort.h"

#include "base/intern.h"

#include <stdbool.h>

#define SMALL 12 /* items: measured flat between 8 and 20 */

struct sorting {
	const struct sort_sequence *sequence;
	uint64_t random;
};

struct range {
	struct sort_item *items;
	size_t n, depth;
};

static void load_keys(const struct sorting *s, const struct range *r)
{
	s->sequence->load(s->sequence->ctx, r->items, r->n, r->depth);
}

static uint64_t random_key(struct sorting *s, const struct range *r)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return r->items[s->random % r->n].key;
}

static uint64_t pick_pivot(struct sorting *s, const struct range *r)
{
	const uint64_t a = random_key(s, r), b = random_key(s, r),
		c = random_key(s, r);

	if (a < b)
		return b < c ? b : a < c ? c : a;
	return a < c ? a : b < c ? c : b;
}

/*
 * Exchanges two items, in the pieces in which they may just have been stored:
 * a load that is larger than a store before it waits for that (1.6 times the
 * time of sorting).
 */
static inline void exchange(struct sort_item *x, struct sort_item *y)
{
	const uint64_t key = x->key;
	const uint32_t id = x->id, place = x->place;

	x->key = y->key;
	x->id = y->id;
	x->place = y->place;
	y->key = key;
	y->id = id;
	y->place = place;
}

/* Moves the items whose key is less than `limit` to the front; how many. */
static size_t move_less(struct sort_item *items, size_t n, uint64_t limit)
{
	size_t less = 0;

	for (size_t i = 0; i < n; i++) {
		const bool is_less = items[i].key < limit;

		exchange(&items[i], &items[less]);
		less += is_less;
	}
	return less;
}

/*
 * Splits r in three, of which the middle one has the pivot's key. In two
 * passes without a branch on a key, which nobody can predict.
 */
static void partition(const struct range *r, uint64_t pivot,
                      struct range parts[3])
{
	const size_t less = move_less(r->items, r->n, pivot);
	const size_t rest = r->n - less;
	const size_t equal = pivot == UINT64_MAX ? rest :
		move_less(r->items + less, rest, pivot + 1);

	parts[0] = (struct range){ r->items, less, r->depth };
	parts[1] = (struct range){ r->items + less, equal, r->depth };
	parts[2] = (struct range){ r->items + less + equal, rest - equal,
	                           r->depth };
}

static void sort_range(struct sorting *s, struct range r);

static void insertion_sort(const struct range *r)
{
	for (size_t i = 1; i < r->n; i++) {
		const struct sort_item item = r->items[i];
		size_t j = i;

		for (; j > 0 && r->items[j - 1].key > item.key; j--)
			r->items[j] = r->items[j - 1];
		r->items[j] = item;
	}
}

/* Makes r the same items at the next depth; false: their sequences ended. */
static bool go_deeper(const struct sorting *s, struct range *r)
{
	if (r->items[0].key == 0)
		return false;
	r->depth++;
	load_keys(s, r);
	return true;
}

/*
 * Sorts a small range. False: it is done. True: all keys are equal, and r is
 * now at the next depth.
 */
static bool sort_small(struct sorting *s, struct range *r)
{
	if (r->n < 2)
		return false;
	insertion_sort(r);
	if (r->items[0].key == r->items[r->n - 1].key)
		return go_deeper(s, r);
	for (size_t i = 0, end; i < r->n; i = end) {
		struct range run = { r->items + i, 0, r->depth };

		for (end = i + 1; end < r->n; end++)
			if (r->items[end].key != r->items[i].key)
				break;
		run.n = end - i;
		if (run.n > 1 && go_deeper(s, &run))
			sort_range(s, run);
	}
	return false;
}

/* Sorts all parts but the largest, which it returns. */
static struct range sort_smaller_parts(struct sorting *s,
                                       struct range parts[3])
{
	size_t largest = 0;

	if (parts[1].n < 2 || !go_deeper(s, &parts[1]))
		parts[1].n = 0;
	for (size_t i = 1; i < 3; i++)
		if (parts[i].n > parts[largest].n)
			largest = i;
	for (size_t i = 0; i < 3; i++)
		if (i != largest)
			sort_range(s, parts[i]);
	return parts[largest];
}

/* The keys of r are loaded. */
static void sort_range(struct sorting *s, struct range r)
{
	struct range parts[3];

	for (;;) {
		if (r.n > SMALL) {
			partition(&r, pick_pivot(s, &r), parts);
			r = sort_smaller_parts(s, parts);
		} else if (!sort_small(s, &r)) {
			return;
		}
	}
}

void sort_by_sequence(struct sort_item *items, size_t n,
                      const struct sort_sequence *sequence)
{
	struct sorting s = { sequence, hash_seed() | 1 };
	const struct range all = { items, n, 0 };

	load_keys(&s, &all);
	sort_range(&s, all);
}
