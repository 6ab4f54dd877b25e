/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New threads: armed in themselves before they do anything, and settled when
 * they end, however they do.
 */
#include "sampler/preload.h"

#include "sampler/counts.h"
#include "sampler/cpu.h"
#include "sampler/futex_lock.h"
#include "sampler/labels.h"
#include "sampler/machine.h"
#include "sampler/wall.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#include <unistd.h>

/* What a thread is to do; from pages of our own, since the program's heap is
   not ours to use. */
struct start {
	void *(*routine)(void *);
	thrd_start_t c11_routine; /* in its place */
	void *arg;
	const struct prof_label_set *labels;
	struct start *next_free;
};

static struct futex_lock start_lock;
static struct start *free_starts;

static struct start *take_start(void)
{
	enum { N = 4096 / sizeof(struct start) };
	struct start *s;
	size_t i;

	futex_lock_take(&start_lock);
	if (!free_starts) {
		s = mmap(NULL, N * sizeof(*s), PROT_READ | PROT_WRITE,
		         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (i = 0; s != MAP_FAILED && i < N; i++) {
			s[i].next_free = free_starts;
			free_starts = &s[i];
		}
	}
	s = free_starts;
	if (s)
		free_starts = s->next_free;
	futex_lock_give(&start_lock);
	return s;
}

static void give_start(struct start *s)
{
	futex_lock_take(&start_lock);
	s->next_free = free_starts;
	free_starts = s;
	futex_lock_give(&start_lock);
}

/* One that was being put on or off the list is lost. */
void preload_threads_after_fork(void)
{
	memset(&start_lock, 0, sizeof(start_lock));
}

static void thread_ended(void *unused)
{
	(void)unused;
	cpu_thread_end();
}

/* Servers start threads with all signals blocked; ours is none of theirs. */
static void unblock_our_signal(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, CPU_SIGNAL);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &ours, NULL, 8);
}

static void begin_thread(const struct start *s, uint64_t routine)
{
	prof_labels_set(s->labels);
	if (cpu_signal_is_used())
		unblock_our_signal();
	cpu_thread_begin(routine);
}

static void *profiled_thread(void *arg)
{
	const struct start s = *(struct start *)arg;
	void *result;

	give_start(arg);
	begin_thread(&s, (uint64_t)(uintptr_t)s.routine + 1);
	pthread_cleanup_push(thread_ended, NULL);
	result = s.routine(s.arg);
	pthread_cleanup_pop(1);
	return result;
}

HOOK int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                        void *(*routine)(void *), void *arg)
{
	struct cfi_regs regs;
	struct start *s;
	int result;

	NEXT(pthread_create);
	if (wall_makes_thread)
		return next(thread, attr, routine, arg);
	s = take_start();
	if (!s)
		return next(thread, attr, routine, arg);
	*s = (struct start){ routine, NULL, arg, prof_labels_get(), NULL };
	MACHINE_REGS_OF_CALLER(&regs);
	result = next(thread, attr, profiled_thread, s);
	if (result != 0)
		give_start(s);
	else if (preload_records(PROF_TARGET_THREADCREATE))
		counts_event(COUNTS_THREADCREATE, &regs);
	return result;
}

/* C11's does not call the other by name. */
static int profiled_c11_thread(void *arg)
{
	const struct start s = *(struct start *)arg;
	int result;

	give_start(arg);
	begin_thread(&s, (uint64_t)(uintptr_t)s.c11_routine + 1);
	pthread_cleanup_push(thread_ended, NULL);
	result = s.c11_routine(s.arg);
	pthread_cleanup_pop(1);
	return result;
}

HOOK int thrd_create(thrd_t *thread, thrd_start_t routine, void *arg)
{
	struct cfi_regs regs;
	struct start *s;
	int result;

	NEXT(thrd_create);
	s = take_start();
	if (!s)
		return next(thread, routine, arg);
	*s = (struct start){ NULL, routine, arg, prof_labels_get(), NULL };
	MACHINE_REGS_OF_CALLER(&regs);
	result = next(thread, profiled_c11_thread, s);
	if (result != thrd_success)
		give_start(s);
	else if (preload_records(PROF_TARGET_THREADCREATE))
		counts_event(COUNTS_THREADCREATE, &regs);
	return result;
}
