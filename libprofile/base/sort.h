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
};

/*
 * The sequence of an item, 64 bits at a time, depth = 0, 1, ...; smaller
 * comes first. 0 is the end of a sequence, and at any depth behind it.
 */
struct sort_sequence {
	uint64_t (*key)(const void *ctx, uint32_t id, size_t depth);
	/* Asks for the memory that key() will read; NULL: it is at hand. */
	void (*prefetch)(const void *ctx, uint32_t id, size_t depth);
	const void *ctx;
};

/*
 * Sorts items[n], of which only the ids need be set. Equal sequences end up
 * side by side in no certain order. Needs no memory; the stack is bounded.
 */
void sort_by_sequence(struct sort_item *items, size_t n,
                      const struct sort_sequence *sequence);

#endif
