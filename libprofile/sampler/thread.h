/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_THREAD_H
#define SAMPLER_THREAD_H

#include <profile/sampler.h>

/*
 * The stack of r->tid where it waits in a system call, read from outside.
 * False: it runs, or its stack needs what only it knows. Takes a lock.
 */
bool thread_read_waiting(struct prof_thread_record *r);

/* In a forked child: nobody looks at threads there. */
void thread_after_fork(void);

#endif
