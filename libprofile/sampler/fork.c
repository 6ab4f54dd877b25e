/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fork leaves one thread in the child, and all locks as they were. Tables
 * that are changed in several steps are locked over the fork, so that the
 * child finds them whole. The other locks are just free in the child: what
 * they guard is read whole at any time, or is of no use there.
 */
#include "sampler/cpu.h"
#include "sampler/heap.h"
#include "sampler/loader.h"
#include "sampler/state.h"
#include "sampler/thread.h"
#include "sampler/wall.h"

#include <pthread.h>

static void before_fork(void)
{
	heap_lock();
	stacks_lock();
	counts_lock();
	locks_lock();
}

static void after_fork_in_parent(void)
{
	locks_unlock();
	counts_unlock();
	stacks_unlock();
	heap_unlock();
}

static void after_fork_in_child(void)
{
	/* First what the signal handler uses: signals are held off until
	   the locks are given. */
	cpu_after_fork();
	wall_after_fork();
	sampler_after_fork();
	thread_after_fork();
	thread_table_after_fork();
	labels_after_fork();
	loader_after_fork();
	locks_forget_waiters();
	after_fork_in_parent();
}

void sampler_watch_forks(void)
{
	static _Atomic uint32_t is_watching;

	if (atomic_exchange(&is_watching, 1) == 0)
		pthread_atfork(before_fork, after_fork_in_parent,
		               after_fork_in_child);
}
