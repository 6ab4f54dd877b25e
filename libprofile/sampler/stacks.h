/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_STACKS_H
#define SAMPLER_STACKS_H

/*
 * Stacks that are kept once: an id is where a stack begins in words[], as
 * [n | hash << 32, pc ...]. Stacks are never freed, so an id holds for ever
 * and may be read by the launcher at any time.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STACKS_WORDS = 1 << 21,
	STACKS_INDEX = 1 << 17,
	STACKS_DEPTH = 64
};

struct stack_table {
	_Atomic uint32_t used;
	_Atomic uint32_t index[STACKS_INDEX];
	_Alignas(8) uint64_t words[STACKS_WORDS];
};

void stacks_keep_in(struct stack_table *table);

/* The id of pcs[n], leaf first; 0: there is no more room, or n is 0. */
uint32_t stacks_intern(const uint64_t *pcs, size_t n);

/* A stack of a table that is not trusted; 0: none. */
size_t stacks_get(const struct stack_table *table, uint32_t id,
                  const uint64_t **pcs);

/* Around fork, so that the child finds the table whole. */
void stacks_lock(void);
void stacks_unlock(void);

#endif
