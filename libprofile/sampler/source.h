/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_SOURCE_H
#define SAMPLER_SOURCE_H

/*
 * What interrupts a thread after so much CPU time. All may be called for any
 * thread of the process, and all are [signal-safe].
 */

#include <stdint.h>
#include <time.h>

struct source_wish {
	int tid;
	int signal;         /* sent to that thread */
	uint64_t period_ns; /* of its CPU time */
	uint64_t first_ns;  /* 1 to period_ns: random, so that threads which
	                       live for less than a period are seen */
};

enum source_scope { SOURCE_ALL, SOURCE_USER };

/* Returns a descriptor, or -errno. After the first signal the period must be
   set by source_perf_set_period(). */
int source_perf_open(const struct source_wish *w, enum source_scope scope);
void source_perf_set_period(int fd, uint64_t period_ns);
void source_perf_close(int fd);

/* Returns a timer id, or -errno. si_value of the signal is the cookie. */
int source_ctimer_open(const struct source_wish *w, void *cookie);
void source_ctimer_close(int id);

/* The clock of a thread's CPU time. */
clockid_t source_cpu_clock(int tid);

#endif
