/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_PRELOAD_H
#define SAMPLER_PRELOAD_H

/*
 * What the interposed functions share. They are in libprofile-preload only,
 * each family in a file of its own.
 */

#include <profile/common.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* An interposed function. Headers declare some with attributes of their own,
   which need not be repeated. */
#define HOOK PROF_API

/* The definition of a function behind ours: dlsym(RTLD_NEXT). Ends the
   program where there is none, since nothing could be done in its stead. */
void *preload_next(const char *name);

/* Fetches `next` of the type of its function once; races are harmless. */
#define NEXT(function)                                                        \
	static __typeof__(&(function)) next;                                  \
	do {                                                                  \
		if (!next)                                                    \
			preload_get_next((void *)&next, #function);           \
	} while (0)

void preload_get_next(void *next, const char *name);

/* Whether this process (and not a vfork()ed child in our memory) records
   that kind, of enum prof_target_kind. */
bool preload_records(uint64_t kind);
bool preload_is_own_process(void);

/* Whether a timed wait would find nothing wrong with its time. */
static inline bool preload_is_time(clockid_t clock, const struct timespec *t)
{
	return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) &&
	       t->tv_nsec >= 0 && t->tv_nsec < 1000000000;
}

/* Begins to answer when the launcher asks for the threads' stacks. */
void preload_watch(void);

/* In a forked child: nobody makes a thread there. */
void preload_threads_after_fork(void);

/* The process ends. */
void preload_finish(void);

#endif
