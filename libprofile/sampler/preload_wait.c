/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for what nobody unlocks: condition variables, semaphores, barriers
 * and the ends of threads. All of a wait is measured, but where it can be
 * known that there was none.
 */
#include "sampler/preload.h"

#include "sampler/clock.h"
#include "sampler/lock.h"
#include "sampler/machine.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>
#include <time.h>

static void note(uint64_t begin, const struct cfi_regs *regs)
{
	const int saved_errno = errno;

	lock_note_wait(sampler_now() - begin, regs);
	errno = saved_errno;
}

/* Returns what the call does, and notes how long it took. */
#define WAIT(call)                                                            \
	do {                                                                  \
		struct cfi_regs regs;                                         \
		uint64_t begin;                                               \
		int result;                                                   \
                                                                              \
		if (!locks_watched())                                         \
			return call;                                          \
		MACHINE_REGS_OF_CALLER(&regs);                                \
		begin = sampler_now();                                        \
		result = call;                                                \
		note(begin, &regs);                                           \
		return result;                                                \
	} while (0)

/* ---- Condition variables ---- */

/* glibc 2.3.2 changed their layout; the older versions are still there, and
   a search by name alone may find them. */
static void get_cond_next(void *next, const char *name)
{
	void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");

	if (found)
		memcpy(next, &found, sizeof(found));
	else
		preload_get_next(next, name);
}

/* They give the mutex up, and others may wait for it. */
#define WAIT_WITHOUT(mutex, call)                                             \
	do {                                                                  \
		if (locks_watched() && lock_is_awaited(mutex)) {              \
			struct cfi_regs here;                                 \
                                                                              \
			MACHINE_REGS_OF_CALLER(&here);                        \
			lock_note_unlock(mutex, LOCK_OWNER, &here);           \
		}                                                             \
		WAIT(call);                                                   \
	} while (0)

HOOK int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *);

	if (!next)
		get_cond_next(&next, "pthread_cond_wait");
	WAIT_WITHOUT(m, next(c, m));
}

HOOK int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                const struct timespec *t)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *,
	                   const struct timespec *);

	if (!next)
		get_cond_next(&next, "pthread_cond_timedwait");
	WAIT_WITHOUT(m, next(c, m, t));
}

HOOK int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
                                clockid_t clock, const struct timespec *t)
{
	NEXT(pthread_cond_clockwait);
	WAIT_WITHOUT(m, next(c, m, clock, t));
}

HOOK int cnd_wait(cnd_t *c, mtx_t *m)
{
	NEXT(cnd_wait);
	WAIT_WITHOUT(m, next(c, m));
}

HOOK int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *t)
{
	NEXT(cnd_timedwait);
	WAIT_WITHOUT(m, next(c, m, t));
}

/* ---- Semaphores ---- */

/* A try; but the real call acts on a cancellation before it looks. */
static bool takes_at_once(sem_t *s)
{
	const int saved_errno = errno;

	pthread_testcancel();
	if (sem_trywait(s) == 0)
		return true;
	errno = saved_errno;
	return false;
}

HOOK int sem_wait(sem_t *s)
{
	NEXT(sem_wait);
	if (locks_watched() && takes_at_once(s))
		return 0;
	WAIT(next(s));
}

HOOK int sem_timedwait(sem_t *s, const struct timespec *t)
{
	NEXT(sem_timedwait);
	if (locks_watched() && preload_is_time(CLOCK_REALTIME, t) &&
	    takes_at_once(s))
		return 0;
	WAIT(next(s, t));
}

HOOK int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *t)
{
	NEXT(sem_clockwait);
	if (locks_watched() && preload_is_time(clock, t) && takes_at_once(s))
		return 0;
	WAIT(next(s, clock, t));
}

/* ---- Barriers and threads ---- */

/* The last to come has not waited: glibc makes it the serial one. */
HOOK int pthread_barrier_wait(pthread_barrier_t *b)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	NEXT(pthread_barrier_wait);
	if (!locks_watched())
		return next(b);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(b);
	if (result != PTHREAD_BARRIER_SERIAL_THREAD)
		note(begin, &regs);
	return result;
}

/* A thread that has ended is joined at once. */
#define JOIN(thread, value, call)                                             \
	do {                                                                  \
		int joined = EBUSY;                                           \
                                                                              \
		if (locks_watched())                                          \
			joined = pthread_tryjoin_np(thread, value);           \
		if (joined != EBUSY)                                          \
			return joined;                                        \
		WAIT(call);                                                   \
	} while (0)

HOOK int pthread_join(pthread_t thread, void **value)
{
	NEXT(pthread_join);
	JOIN(thread, value, next(thread, value));
}

HOOK int pthread_timedjoin_np(pthread_t thread, void **value,
                              const struct timespec *t)
{
	NEXT(pthread_timedjoin_np);
	JOIN(thread, value, next(thread, value, t));
}

HOOK int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                              const struct timespec *t)
{
	NEXT(pthread_clockjoin_np);
	JOIN(thread, value, next(thread, value, clock, t));
}

HOOK int thrd_join(thrd_t thread, int *value)
{
	NEXT(thrd_join);
	WAIT(next(thread, value));
}
