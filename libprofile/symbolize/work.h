/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_WORK_H
#define SYMBOLIZE_WORK_H

/*
 * Running independent tasks on several threads. A task writes only what is
 * its own, so that results do not depend on who ran it and when.
 */

#include <stddef.h>

struct work {
	/* Does task number `task`; worker is < n_workers, and no other task
	   runs under the same number at the same time. */
	void (*run)(void *ctx, unsigned worker, size_t task);
	void *ctx;
	size_t n_tasks;
	unsigned n_workers; /* at least 1; the calling thread is one of them */
};

#define WORK_MAX_WORKERS 256

/* Returns when all is done. Threads that cannot be had are done without. */
void work_run(const struct work *w);

/* The processors this process may use. */
unsigned work_n_processors(void);

#endif
