/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_THREADS_H
#define SAMPLER_THREADS_H

/*
 * The threads that are sampled: a table that is read in signal handlers and
 * changed without a lock. Who claims a thread's row arms it; who takes it
 * from ARMED to ENDING disarms and frees it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { THREADS_MAX = 1 << 14, THREADS_PROBES = 128 };

enum { CALL_SHARE_ALL = 4096 };

enum thread_phase { THREAD_FREE, THREAD_CLAIMED, THREAD_ARMED, THREAD_ENDING };

struct thread {
	_Atomic uint32_t tid; /* 0: free */
	_Atomic uint32_t phase;
	int perf_fd, timer; /* -1: none */
	_Atomic uint32_t period_is_set; /* after the random first one */
	uint64_t first_ns;
	uint64_t start_routine;         /* return address; 0: unknown */
	uint64_t cpu_start_ns;          /* of its clock, when it was armed */
	_Atomic int64_t accounted_ns;   /* weights, and what was settled */
	_Atomic uint64_t next_settle_ns; /* on the monotonic clock */
	/* The least that was owed after a sample since then. */
	_Atomic int64_t least_owed_ns;
	/* Of perf events in user mode: which share of the timer's ticks find
	   the thread in a system call, of CALL_SHARE_ALL, and the mean weight
	   of those samples, times 8. */
	_Atomic uint32_t call_share, mean_claim_8;
	uint64_t round_ns; /* 0 to a period, random: rounds debts */
};

/* A new row for tid; NULL where it has one or there is no room: then
   *is_known tells which. */
struct thread *threads_claim(uint32_t tid, bool *is_known);

/* The row of a thread, or NULL. [signal-safe] */
struct thread *threads_find(uint32_t tid);

/* The calling thread's. [signal-safe] */
struct thread *threads_self(void);
uint32_t threads_my_tid(void);

/* ARMED to ENDING, for the one who gets true. */
bool threads_begin_end(struct thread *t);
void threads_free(struct thread *t);

/* The first row from *i on that is in use, *i behind it; NULL: none. */
struct thread *threads_next(uint32_t *i);

/* Threads of our own: in no profile, never armed. Few at a time. */
void threads_hide(uint32_t tid);
void threads_show(uint32_t tid);
bool threads_are_hidden(uint32_t tid);

/* In a forked child: only this thread is left, and it has no row. */
void threads_after_fork(void);

/* Calls f for each thread of the process, from /proc; false: no /proc.
   [signal-safe] where f is. */
bool threads_each_tid(void (*f)(uint32_t tid, void *ctx), void *ctx);

#endif
