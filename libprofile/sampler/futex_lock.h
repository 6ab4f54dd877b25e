/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_FUTEX_LOCK_H
#define SAMPLER_FUTEX_LOCK_H

/*
 * A lock for the sampler's tables. Not a pthread mutex: the sampler watches
 * those. Never taken in a signal handler. Source: Drepper, "Futexes Are
 * Tricky", mutex 2.
 */

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0: free, 1: held, 2: held and waited for. */
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

#endif
