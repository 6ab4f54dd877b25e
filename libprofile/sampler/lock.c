/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's rules. A wait of d ns is sampled if d >= rate, else with probability
 * d / rate, and then counts for rate / d waits of rate ns in all. An unlock
 * is sampled with probability 1 / fraction; the waiter that it lets go adds
 * its delay to the unlocker's stack, times fraction.
 * Source: Go runtime, mprof.go, blocksampled() and mutexevent().
 *
 * The unlocker leaves its stack and the time in a slot that it shares with
 * the waiters by the lock's address; who waited since before that time was
 * let go by it. One unlock may let several readers go. A slot that two locks
 * share by chance can lose a sample, and never has one that is not of its
 * lock.
 */
#include "sampler/lock.h"

#include "sampler/clock.h"
#include "sampler/futex_lock.h"
#include "sampler/machine.h"
#include "sampler/stacks.h"
#include "sampler/unwind.h"

#include <profile/sampler.h>

#include <string.h>

bool locks_are_watched;
_Atomic uint16_t lock_waiters[LOCK_SLOTS];

static struct wait_table *block_table, *mutex_table;
static struct table_lock wait_lock;

/* Stack ids of unlockers, with 32 bits of the lock's address; of owners, and
   of readers. */
static _Atomic uint64_t unlockers[2][LOCK_SLOTS];
static _Atomic uint64_t unlock_times[2][LOCK_SLOTS];

void locks_update_watch(void)
{
	locks_are_watched = block_table &&
	                    (atomic_load(&block_table->rate) > 0 ||
	                     atomic_load(&mutex_table->rate) > 0);
}

void locks_keep_in(struct wait_table *block, struct wait_table *mutex)
{
	block_table = block;
	mutex_table = mutex;
	locks_update_watch();
}

void locks_lock(void)
{
	table_lock_take(&wait_lock);
}

void locks_unlock(void)
{
	table_lock_give(&wait_lock);
}

void locks_forget_waiters(void)
{
	memset((void *)lock_waiters, 0, sizeof(lock_waiters));
}

void locks_after_fork(void)
{
	block_table = mutex_table = NULL;
	locks_update_watch();
}

/* ---- Buckets ---- */

/* With the lock held; NULL: no room. */
static struct wait_bucket *find_bucket(struct wait_table *t, uint32_t stack)
{
	uint32_t slot = stack * 2654435761u >> 18, probes, i;

	for (probes = 0; probes < WAIT_INDEX; probes++, slot++) {
		i = atomic_load(&t->index[slot % WAIT_INDEX]);
		if (i == 0)
			break;
		if (t->buckets[i].stack == stack)
			return &t->buckets[i];
	}
	i = atomic_load(&t->n) + 1;
	if (i == WAIT_BUCKETS)
		return NULL;
	t->buckets[i].stack = stack;
	atomic_store(&t->n, i);
	atomic_store(&t->index[slot % WAIT_INDEX], i);
	return &t->buckets[i];
}

/* With the lock held: a load and a store, as it would be without _Atomic. */
static void add(_Atomic double *to, double x)
{
	atomic_store_explicit(
		to, atomic_load_explicit(to, memory_order_relaxed) + x,
		memory_order_relaxed);
}

void locks_add(struct wait_table *t, uint32_t stack, double count,
               double delay_ns)
{
	struct wait_bucket *b;

	table_lock_take(&wait_lock);
	b = stack != 0 ? find_bucket(t, stack) : NULL;
	if (b) {
		add(&b->count, count);
		add(&b->delay_ns, delay_ns);
	} else {
		atomic_fetch_add(&t->lost, 1);
	}
	table_lock_give(&wait_lock);
}

static uint32_t stack_of(const struct cfi_regs *regs)
{
	uint64_t pcs[WAIT_DEPTH];
	enum unwind_end end;
	size_t n = unwind(pcs, WAIT_DEPTH - 1, regs, UNWIND_AT_CALL, &end);

	if (end == UNWIND_TRUNCATED)
		pcs[n++] = PROF_PC_TRUNCATED;
	return stacks_intern(pcs, n);
}

/* ---- Events ---- */

void lock_note_wait(uint64_t ns, const struct cfi_regs *regs)
{
	const int64_t rate = block_table ? atomic_load(&block_table->rate) : 0;
	const double r = (double)rate;
	const double d = ns > 0 ? (double)ns : 1;

	if (rate <= 0)
		return;
	if (d >= r)
		locks_add(block_table, stack_of(regs), 1, d);
	else if ((uint64_t)d > sampler_random() % (uint64_t)rate)
		locks_add(block_table, stack_of(regs), r / d, r);
}

uint64_t lock_begin_wait(const void *lock)
{
	atomic_fetch_add(&lock_waiters[lock_hash(lock)], 1);
	return sampler_now();
}

static uint64_t slot_of(const void *lock, uint32_t stack)
{
	return ((uint64_t)(uintptr_t)lock << 28 & ~(uint64_t)UINT32_MAX) |
	       stack;
}

void lock_did_not_wait(const void *lock)
{
	atomic_fetch_sub(&lock_waiters[lock_hash(lock)], 1);
}

void lock_give_up_wait(const void *lock, uint64_t begin,
                       const struct cfi_regs *regs)
{
	atomic_fetch_sub(&lock_waiters[lock_hash(lock)], 1);
	lock_note_wait(sampler_now() - begin, regs);
}

/* The stack of who let go a lock that was awaited since then; 0: unknown. */
static uint32_t unlocker_of(const void *lock, uint64_t begin,
                            enum lock_holder who)
{
	const uint32_t at = lock_hash(lock);
	uint64_t word;
	uint32_t stack;

	if (who == LOCK_ANYBODY)
		who = atomic_load(&unlock_times[LOCK_READER][at]) >
		                      atomic_load(&unlock_times[LOCK_OWNER][at])
		              ? LOCK_READER : LOCK_OWNER;
	word = atomic_load(&unlockers[who][at]);
	stack = (uint32_t)word;
	return word == slot_of(lock, stack) &&
	               atomic_load(&unlock_times[who][at]) >= begin ? stack : 0;
}

void lock_end_wait(const void *lock, uint64_t begin, enum lock_holder let_go_by,
                   const struct cfi_regs *regs)
{
	const uint64_t ns = sampler_now() - begin;
	const uint32_t stack = unlocker_of(lock, begin, let_go_by);
	int64_t fraction;

	atomic_fetch_sub(&lock_waiters[lock_hash(lock)], 1);
	if (!block_table)
		return;
	fraction = atomic_load(&mutex_table->rate);
	if (stack != 0 && fraction > 0)
		locks_add(mutex_table, stack, (double)fraction,
		    (double)fraction * (double)ns);
	lock_note_wait(ns, regs);
}

void lock_note_unlock(const void *lock, enum lock_holder who,
                      const struct cfi_regs *regs)
{
	const int64_t fraction =
		mutex_table ? atomic_load(&mutex_table->rate) : 0;
	const uint32_t at = lock_hash(lock);
	/* One that is not sampled lets a waiter go, too: 0. */
	uint32_t stack = 0;

	if (fraction <= 0)
		return;
	if (fraction == 1 || sampler_random() % (uint64_t)fraction == 0)
		stack = stack_of(regs);
	atomic_store(&unlock_times[who][at], sampler_now());
	atomic_store(&unlockers[who][at], stack ? slot_of(lock, stack) : 0);
}
