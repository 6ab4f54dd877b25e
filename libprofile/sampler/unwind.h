/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_UNWIND_H
#define SAMPLER_UNWIND_H

/*
 * Call stacks of code that keeps no frame pointers, in a signal handler.
 */

#include "sampler/machine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unwind_end {
	UNWIND_COMPLETE,  /* the thread's first frame was reached */
	UNWIND_FULL,      /* there are more frames than pcs[] has room for */
	UNWIND_TRUNCATED  /* no rule, or one that does not fit the stack */
};

/* What the registers say where unwinding begins. */
enum unwind_start {
	UNWIND_AT_INSTRUCTION, /* pc was interrupted: it is the leaf */
	UNWIND_AT_CALL         /* pc is where a call will return to */
};

/*
 * Fills pcs[max], leaf first, with return addresses; that of an interrupted
 * instruction is one more than its address, as in Go. Returns how many.
 * regs must know the pc and the stack pointer, of the calling thread.
 * [signal-safe]
 */
size_t unwind(uint64_t *pcs, size_t max, const struct cfi_regs *regs,
              enum unwind_start start, enum unwind_end *end);

/* As unwind(), of a thread whose stack is in that memory (or a copy). */
size_t unwind_in(uint64_t *pcs, size_t max, const struct cfi_regs *regs,
                 enum unwind_start start, struct memory_range stack,
                 enum unwind_end *end);

/* Forgets all rules: code was unloaded. */
void unwind_flush(void);

/* As unwind(), with every register and without the cache: its twin for what
   does not fit in a word, and for tests. [signal-safe] */
size_t unwind_slowly(uint64_t *pcs, size_t max, const struct cfi_regs *regs,
                     enum unwind_start start, struct memory_range stack,
                     enum unwind_end *end);

#endif
