/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_RANGES_H
#define MODEL_RANGES_H

/*
 * Ranges of addresses that do not overlap, each with an id. Adding one, taking
 * one out and finding one take the logarithm of how many there are, in
 * whatever order they come: recordings are hostile, too.
 */

#include "base/memory.h"

struct address_range {
	uint64_t start, limit; /* start < limit */
	uint32_t id;
	uint32_t priority;     /* larger than those below, at random */
	uint32_t left, right;  /* nodes; 0: none */
};

struct address_ranges {
	VEC(struct address_range) nodes; /* 0 is none; old ones are left */
	uint32_t root;
	uint64_t random; /* state; set before the first is added */
};

/*
 * Adds [start, limit) in place of those it overlaps. One that is empty is
 * never found. False: out of memory.
 */
bool address_ranges_add(struct address_ranges *r, uint64_t start,
                        uint64_t limit, uint32_t id,
                        const struct prof_allocator *a);

/* Takes the range out that begins at start, where there is one. */
void address_ranges_remove(struct address_ranges *r, uint64_t start);

/* The id of the range that has the address; 0: none. */
uint32_t address_ranges_find(const struct address_ranges *r,
                             uint64_t address);

void address_ranges_release(struct address_ranges *r,
                            const struct prof_allocator *a);

#endif
