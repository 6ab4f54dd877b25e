/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/work.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

struct pool {
	const struct work *work;
	atomic_size_t next;
};

struct worker {
	struct pool *pool;
	unsigned number;
	pthread_t thread;
};

static void *run_tasks(void *arg)
{
	const struct worker *w = arg;
	const struct work *work = w->pool->work;
	size_t task;

	while ((task = atomic_fetch_add(&w->pool->next, 1)) < work->n_tasks)
		work->run(work->ctx, w->number, task);
	return NULL;
}

void work_run(const struct work *work)
{
	struct pool pool = { .work = work };
	struct worker workers[WORK_MAX_WORKERS];
	unsigned n = work->n_workers, started = 1;
	sigset_t all, before;

	if (n > WORK_MAX_WORKERS)
		n = WORK_MAX_WORKERS;
	if (n > work->n_tasks)
		n = (unsigned)work->n_tasks;
	atomic_init(&pool.next, 0);
	workers[0] = (struct worker){ .pool = &pool, .number = 0 };
	/* The program's signals are none of these threads' business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; started < n; started++) {
		struct worker *w = &workers[started];

		*w = (struct worker){ .pool = &pool, .number = started };
		if (pthread_create(&w->thread, NULL, run_tasks, w) != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	run_tasks(&workers[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
}

unsigned work_n_processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
	                                                     : 1;

	return n < 1                  ? 1
	       : n > WORK_MAX_WORKERS ? WORK_MAX_WORKERS
	                              : (unsigned)n;
}
