/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MEMORY_RANGE_H
#define SAMPLER_MEMORY_RANGE_H

/*
 * Memory that may be read: [lo, hi) is mapped. Unwinding reads nothing else,
 * so that a wrong rule ends a stack and not the program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory_range {
	uint64_t lo, hi;
	uint64_t copied_to; /* less lo: where it may be read; 0: there */
};

/* What leaf functions use below the stack pointer, on any processor. */
enum { STACK_BELOW_SP = 128 };

/* An aligned word; false where it is not inside. [signal-safe] */
static inline bool memory_load(const struct memory_range *m, uint64_t at,
                               uint64_t *out)
{
	if (at < m->lo || at >= m->hi || m->hi - at < 8 || (at & 7) != 0)
		return false;
	*out = *(const uint64_t *)(uintptr_t)(at + m->copied_to);
	return true;
}

/*
 * The mapped memory from sp up that a stack at sp can use, empty (lo == hi)
 * where sp is in no mapping. One lookup in the list of mappings for each
 * thread, and for each call where sp is not on the thread's own stack (an
 * alternate stack, a coroutine's). [signal-safe]
 */
struct memory_range memory_of_stack(uint64_t sp);

/* Copies bytes from wherever; false where they are not all there.
   [signal-safe] */
bool memory_copy(void *to, uint64_t from, size_t size);

#endif
