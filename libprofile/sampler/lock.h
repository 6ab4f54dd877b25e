/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_LOCK_H
#define SAMPLER_LOCK_H

/*
 * Waiting: the block profile has the stacks that waited and for how long, the
 * mutex profile the stacks that let others wait, by what they unlocked. What
 * the hooks do on their fast path is in this header.
 */

#include "sampler/machine.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WAIT_BUCKETS = 1 << 13,
	WAIT_INDEX = 1 << 14,
	WAIT_DEPTH = 32,
	LOCK_SLOTS = 4096
};

/* Who adds has the lock; who reads has not, and may be another process. */
struct wait_bucket {
	uint32_t stack; /* there before wait_table.n has it */
	_Atomic double count, delay_ns; /* scaled: what was left out is added */
};

/* In the state that may be shared. */
struct wait_table {
	_Atomic int64_t rate;  /* block: ns; mutex: 1 of so many; 0: off */
	_Atomic uint32_t n;
	_Atomic uint64_t lost; /* samples without room */
	_Atomic uint32_t index[WAIT_INDEX];
	struct wait_bucket buckets[WAIT_BUCKETS]; /* from 1 */
};

void locks_keep_in(struct wait_table *block, struct wait_table *mutex);
/* A rate has changed. */
void locks_update_watch(void);

/* Around fork, so that the child finds the tables whole. */
void locks_lock(void);
void locks_unlock(void);
/* In a forked child: nobody waits there. */
void locks_forget_waiters(void);
/* And the tables are the parent's. */
void locks_after_fork(void);

/* Whether anything is profiled at all. Not atomic, which would cost each call
   an instruction: who reads an old value sees a wait more or less. */
extern bool locks_are_watched;

static inline bool locks_watched(void)
{
	return locks_are_watched;
}

/* Threads that wait for a lock with that hash. */
extern _Atomic uint16_t lock_waiters[LOCK_SLOTS];

static inline uint32_t lock_hash(const void *lock)
{
	return (uint32_t)((uintptr_t)lock * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

static inline bool lock_is_awaited(const void *lock)
{
	return atomic_load_explicit(&lock_waiters[lock_hash(lock)],
	                            memory_order_relaxed) != 0;
}

/* Adds to the bucket of a stack. Not in a signal handler. */
void locks_add(struct wait_table *t, uint32_t stack, double count,
               double delay_ns);

/* Who gives a lock up. A reader that waits is let go by one who has written,
   a writer by anybody. */
enum lock_holder { LOCK_OWNER, LOCK_READER, LOCK_ANYBODY };

/* Before the call that waits. One of three follows: the lock was got; time
   ran out; it was no wait but an error. */
uint64_t lock_begin_wait(const void *lock);
void lock_end_wait(const void *lock, uint64_t begin, enum lock_holder let_go_by,
                   const struct cfi_regs *regs);
void lock_give_up_wait(const void *lock, uint64_t begin,
                       const struct cfi_regs *regs);
void lock_did_not_wait(const void *lock);

/* Before a lock that somebody waits for is given up. */
void lock_note_unlock(const void *lock, enum lock_holder who,
                      const struct cfi_regs *regs);

/* Waiting for something that nobody unlocks. */
void lock_note_wait(uint64_t ns, const struct cfi_regs *regs);

#endif
