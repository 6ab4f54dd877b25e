/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks and other things to wait for. Where a lock can be tried, it is tried
 * first: who gets it has not waited, and nothing is measured. What a try
 * answers other than "busy" is the answer (an owner that died, say); who is
 * busy with itself (an error-checking mutex) is told so by the real call.
 */
#include "sampler/preload.h"

#include "sampler/lock.h"
#include "sampler/machine.h"
#include "sampler/state.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#define SLOW __attribute__((noinline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline bool is_watched(void)
{
	return atomic_load_explicit(&locks_are_watched, memory_order_relaxed);
}

/* ---- Mutexes ---- */

/* Programs take mutexes often: no look whether the next one is known yet. */
static int first_lock(pthread_mutex_t *m);
static int first_trylock(pthread_mutex_t *m);
static int first_unlock(pthread_mutex_t *m);
static int (*next_lock)(pthread_mutex_t *) = first_lock;
static int (*next_trylock)(pthread_mutex_t *) = first_trylock;
static int (*next_unlock)(pthread_mutex_t *) = first_unlock;

static int first_lock(pthread_mutex_t *m)
{
	preload_get_next(&next_lock, "pthread_mutex_lock");
	return next_lock(m);
}

static int first_trylock(pthread_mutex_t *m)
{
	preload_get_next(&next_trylock, "pthread_mutex_trylock");
	return next_trylock(m);
}

static int first_unlock(pthread_mutex_t *m)
{
	preload_get_next(&next_unlock, "pthread_mutex_unlock");
	return next_unlock(m);
}

static SLOW int wait_for_mutex(pthread_mutex_t *m)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	MACHINE_REGS_OF_CALLER(&regs);
	begin = lock_begin_wait(m);
	result = next_lock(m);
	lock_end_wait(m, begin, &regs);
	return result;
}

HOOK int pthread_mutex_lock(pthread_mutex_t *m)
{
	int result;

	if (!is_watched())
		return next_lock(m);
	result = next_trylock(m);
	return UNLIKELY(result == EBUSY) ? wait_for_mutex(m) : result;
}

static SLOW int unlock_awaited(pthread_mutex_t *m)
{
	struct cfi_regs regs;

	MACHINE_REGS_OF_CALLER(&regs);
	lock_note_unlock(m, &regs);
	return next_unlock(m);
}

HOOK int pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (UNLIKELY(lock_is_awaited(m)))
		return unlock_awaited(m);
	return next_unlock(m);
}

HOOK int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	NEXT(pthread_mutex_timedlock);
	if (!is_watched())
		return next(m, t);
	result = pthread_mutex_trylock(m);
	if (result != EBUSY)
		return result;
	MACHINE_REGS_OF_CALLER(&regs);
	begin = lock_begin_wait(m);
	result = next(m, t);
	lock_end_wait(m, begin, &regs);
	return result;
}

/* ---- Read-write locks ---- */

static SLOW int wait_for_rwlock(pthread_rwlock_t *l,
                                int (*next)(pthread_rwlock_t *))
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	MACHINE_REGS_OF_CALLER(&regs);
	begin = lock_begin_wait(l);
	result = next(l);
	lock_end_wait(l, begin, &regs);
	return result;
}

HOOK int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	int result;

	NEXT(pthread_rwlock_rdlock);
	if (!is_watched())
		return next(l);
	result = pthread_rwlock_tryrdlock(l);
	return UNLIKELY(result == EBUSY) ? wait_for_rwlock(l, next) : result;
}

HOOK int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	int result;

	NEXT(pthread_rwlock_wrlock);
	if (!is_watched())
		return next(l);
	result = pthread_rwlock_trywrlock(l);
	return UNLIKELY(result == EBUSY) ? wait_for_rwlock(l, next) : result;
}

static SLOW int unlock_awaited_rwlock(pthread_rwlock_t *l,
                                      int (*next)(pthread_rwlock_t *))
{
	struct cfi_regs regs;

	MACHINE_REGS_OF_CALLER(&regs);
	lock_note_unlock(l, &regs);
	return next(l);
}

HOOK int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	NEXT(pthread_rwlock_unlock);
	if (UNLIKELY(lock_is_awaited(l)))
		return unlock_awaited_rwlock(l, next);
	return next(l);
}

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

HOOK int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *);
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	if (!next)
		get_cond_next(&next, "pthread_cond_wait");
	if (!is_watched())
		return next(c, m);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(c, m);
	lock_note_wait(sampler_now() - begin, &regs);
	return result;
}

HOOK int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                const struct timespec *t)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *,
	                   const struct timespec *);
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	if (!next)
		get_cond_next(&next, "pthread_cond_timedwait");
	if (!is_watched())
		return next(c, m, t);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(c, m, t);
	lock_note_wait(sampler_now() - begin, &regs);
	return result;
}

/* ---- Semaphores, barriers, threads ---- */

static SLOW int wait_for_semaphore(sem_t *s, int (*next)(sem_t *))
{
	struct cfi_regs regs;
	uint64_t begin;
	int result, saved_errno;

	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(s);
	saved_errno = errno;
	lock_note_wait(sampler_now() - begin, &regs);
	errno = saved_errno;
	return result;
}

HOOK int sem_wait(sem_t *s)
{
	const int saved_errno = errno;

	NEXT(sem_wait);
	if (!is_watched())
		return next(s);
	if (sem_trywait(s) == 0)
		return 0;
	errno = saved_errno;
	return wait_for_semaphore(s, next);
}

HOOK int sem_timedwait(sem_t *s, const struct timespec *t)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result, saved_errno;

	NEXT(sem_timedwait);
	if (!is_watched())
		return next(s, t);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(s, t);
	saved_errno = errno;
	lock_note_wait(sampler_now() - begin, &regs);
	errno = saved_errno;
	return result;
}

HOOK int pthread_barrier_wait(pthread_barrier_t *b)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	NEXT(pthread_barrier_wait);
	if (!is_watched())
		return next(b);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(b);
	lock_note_wait(sampler_now() - begin, &regs);
	return result;
}

HOOK int pthread_join(pthread_t thread, void **value)
{
	struct cfi_regs regs;
	uint64_t begin;
	int result;

	NEXT(pthread_join);
	if (!is_watched())
		return next(thread, value);
	MACHINE_REGS_OF_CALLER(&regs);
	begin = sampler_now();
	result = next(thread, value);
	lock_note_wait(sampler_now() - begin, &regs);
	return result;
}
