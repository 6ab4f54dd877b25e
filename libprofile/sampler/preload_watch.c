/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that answers when the launcher asks for the stacks of all
 * threads. It is there only where such are wished: a program that had one
 * thread has two then.
 */
#include "sampler/preload.h"

#include "sampler/state.h"
#include "sampler/threads.h"

#include <pthread.h>
#include <signal.h>

static void *answer(void *arg)
{
	struct thread_table *t = arg;
	uint32_t asked, answered = 0;

	atomic_store(&t->watcher, threads_my_tid());
	threads_hide(threads_my_tid());
	for (;;) {
		asked = atomic_load(&t->asked);
		if (asked == answered) {
			thread_table_wait(&t->asked, asked, 0);
			continue;
		}
		thread_table_take(t);
		answered = asked;
		atomic_store(&t->answered, answered);
		thread_table_wake(&t->answered);
	}
	return NULL;
}

void preload_watch(void)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	              void *);
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	/* Not by our hook: it is none of the program's threads. */
	preload_get_next(&create, "pthread_create");
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* It inherits the mask: the program's signals are not for it. */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	create(&thread, &attr, answer, &sampler_state->threads);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}
