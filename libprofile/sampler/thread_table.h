/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_THREAD_TABLE_H
#define SAMPLER_THREAD_TABLE_H

/*
 * The stacks of all threads of a program that another process watches. The
 * launcher asks, a thread of the program answers; and the program puts them
 * down once more when it exits.
 */

#include <profile/sampler.h>

#include <stdatomic.h>
#include <stdint.h>

enum { THREAD_TABLE_MAX = 4096, THREAD_TABLE_DEPTH = 32 };

/* In the state that may be shared; both numbers are futexes. */
struct thread_table {
	_Atomic uint32_t asked;
	_Atomic uint32_t answered; /* the last question that was */
	_Atomic uint32_t watcher;  /* the thread that answers */
	_Atomic uint32_t n;        /* rows; those before are whole */
	_Atomic uint32_t lost;     /* threads without room */
	struct prof_thread_record recs[THREAD_TABLE_MAX];
};

/* Waits until *word is no longer what it was, for 0 (for ever) or some ms. */
void thread_table_wait(_Atomic uint32_t *word, uint32_t what, long ms);
void thread_table_wake(_Atomic uint32_t *word);

/* Puts down the stacks of this process, all but the watcher's. */
void thread_table_take(struct thread_table *t);

/* In a forked child: nobody writes a table there. */
void thread_table_after_fork(void);

/* The rows of a table that is not trusted, at most THREAD_TABLE_MAX. */
uint32_t thread_table_n(const struct thread_table *t);

#endif
