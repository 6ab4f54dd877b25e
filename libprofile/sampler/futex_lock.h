/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_FUTEX_LOCK_H
#define SAMPLER_FUTEX_LOCK_H

/*
 * Locks of the sampler. Not pthread mutexes: the sampler watches those.
 * Source: Drepper, "Futexes Are Tricky", mutex 2.
 */

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0: free, 1: held, 2: held and waited for. Not for signal handlers. */
struct futex_lock {
	_Atomic uint32_t state;
};

static inline void futex_lock_take(struct futex_lock *l)
{
	uint32_t free_state = 0;

	if (atomic_compare_exchange_strong(&l->state, &free_state, 1))
		return;
	while (atomic_exchange(&l->state, 2) != 0)
		syscall(SYS_futex, &l->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL,
		        0);
}

static inline void futex_lock_give(struct futex_lock *l)
{
	if (atomic_exchange(&l->state, 0) == 2)
		syscall(SYS_futex, &l->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL,
		        0);
}

/*
 * A lock of a table that is written by hooks of functions that a signal
 * handler may call: open(), waitpid(), sem_post(), fork(). No signal comes
 * while it is held, so no handler waits for the thread that it interrupted,
 * and none forks amid a change. Raw calls, as sigprocmask() is a hook too.
 */
struct table_lock {
	struct futex_lock lock;
	uint64_t mask; /* of who holds it: what it had before */
};

static inline void table_lock_take(struct table_lock *l)
{
	const uint64_t all = UINT64_MAX;
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, sizeof(mask));
	futex_lock_take(&l->lock);
	l->mask = mask;
}

static inline void table_lock_give(struct table_lock *l)
{
	const uint64_t mask = l->mask;

	futex_lock_give(&l->lock);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

#endif
