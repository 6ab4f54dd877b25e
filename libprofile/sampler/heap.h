/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_HEAP_H
#define SAMPLER_HEAP_H

/*
 * The heap profile: which allocations are sampled, and which of them are
 * still there. What the hooks of malloc and free do on their fast path is
 * in this header, since it is a few instructions for each call.
 */

#include "sampler/machine.h"
#include "sampler/machine.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEM_BUCKETS = 1 << 16, MEM_INDEX = 1 << 17, MEM_DEPTH = 32 };

/* The sampled blocks of one size from one stack: Go's bucket, so that the
   mean size that unsampling uses is exact. */
struct mem_bucket {
	uint32_t stack;
	uint64_t size;
	_Atomic uint64_t allocs, frees;
};

/* In the state that may be shared. */
struct mem_table {
	_Atomic int64_t rate; /* mean bytes between samples; 0: off */
	_Atomic uint32_t n;
	_Atomic uint64_t lost; /* samples without room */
	_Atomic uint32_t index[MEM_INDEX];
	struct mem_bucket buckets[MEM_BUCKETS]; /* from 1 */
};

void heap_keep_in(struct mem_table *table);

/* Less the bytes until the next sample of this thread: it counts up, and the
   sample is due where it wraps. */
extern _Thread_local uint64_t heap_counter
	__attribute__((tls_model("initial-exec")));

/* How many sampled blocks may be at an address with this hash; 255 sticks.
   A block that is not sampled costs a look at one byte when it is freed. The
   byte of a sampled block was written before its address was known to
   anybody, so a plain read will do; it is one instruction less. */
extern uint8_t heap_filter[1 << 16];

static inline uint16_t heap_hash(const void *block)
{
	return (uint16_t)((uintptr_t)block >> 4);
}

static inline bool heap_may_hold(const void *block)
{
	return heap_filter[heap_hash(block)] != 0;
}

/*
 * Counts size bytes; true: the block is to be sampled. One more than the
 * size, so that blocks of no bytes are seen too.
 */
static inline bool heap_is_due(size_t size)
{
	return machine_add_carries(&heap_counter, size + 1);
}

/* After that said true: draws the next gap. False: no sample after all, for
   there was no gap before. */
bool heap_draw(size_t size);

/* Notes a sampled block that was just allocated by the caller with regs. */
void heap_note(void *block, size_t size, const struct cfi_regs *regs);

/*
 * Takes a block out before it is freed. Returns its bucket, 0 where it was
 * not sampled. heap_put_back() undoes it (a realloc that failed), else
 * heap_count_free() must follow.
 */
uint32_t heap_take(const void *block);
void heap_put_back(const void *block, uint32_t bucket);
void heap_count_free(uint32_t bucket);

void heap_lock(void);
void heap_unlock(void);

/* In a forked child: what was live belongs to the parent's profile. */
void heap_after_fork(void);

#endif
