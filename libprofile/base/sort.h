/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SORT_H
#define BASE_SORT_H

/*
 * Sorting of things that are long sequences with long common beginnings, as
 * stacks and their names are: each comparison looks at 8 bytes that are at
 * hand, and what has been found equal is never looked at again.
 */

#include <stddef.h>
#include <stdint.h>

struct sort_item {
	uint64_t key; /* its sequence at the depth that is being sorted */
	uint32_t id;
	uint32_t place; /* for load() alone */
};

/*
 * The sequence of an item, 64 bits at a time, depth = 0, 1, ...; smaller
 * comes first. 0 is the end of a sequence, and what is behind it is never
 * asked for.
 */
struct sort_sequence {
	/* Sets the keys of items[n] for a depth; until then they are those
	   of the depth before it, where there is one. One call for many, so
	   that it can ask for memory before it reads it. */
	void (*load)(const void *ctx, struct sort_item *items, size_t n,
	             size_t depth);
	const void *ctx;
};

/*
 * Sorts items[n], of which only what load() looks at need be set. Equal
 * sequences end up side by side in no certain order. Needs no memory; the
 * stack is bounded.
 */
void sort_by_sequence(struct sort_item *items, size_t n,
                      const struct sort_sequence *sequence);

#endif
