/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_WALL_H
#define SAMPLER_WALL_H

/*
 * The wall-clock profile: a thread of ours that looks at all others.
 */

#include "sampler/cpu.h"

#include <stdbool.h>
#include <stdint.h>

enum { WALL_REQUESTS = 256, WALL_DEPTH = 32 };

/* Questions to running threads; an answer is fetched at a later look. */
extern struct stack_request wall_requests[WALL_REQUESTS];

/* While the calling thread makes ours, a hook of pthread_create() steps
   aside. */
extern _Thread_local bool wall_makes_thread
	__attribute__((tls_model("initial-exec")));

/* Around exec: no questions from when the first returns until the second. */
void wall_pause(void);
void wall_resume(void);

/* In a forked child: our thread is the parent's. */
void wall_after_fork(void);

#endif
