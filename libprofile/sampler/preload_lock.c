/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes and read-write locks. A lock is tried first: who gets it has not
 * waited, and nothing is measured. What a try answers other than "busy" is
 * the answer (an owner that died, say); who is busy with itself (an
 * error-checking mutex) is told so by the real call.
 */
#include "sampler/preload.h"

#include "sampler/lock.h"
#include "sampler/machine.h"
#include "sampler/threads.h"

#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <threads.h>
#include <time.h>

#define SLOW __attribute__((noinline))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Waits by `call` and returns what it does. */
#define WAIT_FOR_LOCK(lock, call, let_go_by)                                  \
	do {                                                                  \
		struct cfi_regs regs;                                         \
		uint64_t begin;                                               \
		int answer;                                                   \
                                                                              \
		MACHINE_REGS_OF_CALLER(&regs);                                \
		begin = lock_begin_wait(lock);                                \
		answer = call;                                                \
		if (answer == 0 || answer == EOWNERDEAD)                      \
			lock_end_wait(lock, begin, let_go_by, &regs);         \
		else if (answer == ETIMEDOUT || answer == thrd_timedout)      \
			lock_give_up_wait(lock, begin, &regs);                \
		else                                                          \
			lock_did_not_wait(lock);                              \
		return answer;                                                \
	} while (0)

/*
 * Returns what the try answers, unless that is `busy`: then waits. The try is
 * not made where the call would look at the time first and find it wrong.
 */
#define TRY_THEN_WAIT(lock, time_is_valid, try, busy, call, let_go_by)        \
	do {                                                                  \
		int result;                                                   \
                                                                              \
		if (!locks_watched() || !(time_is_valid))                     \
			return call;                                          \
		result = try;                                                 \
		if (result != (busy))                                         \
			return result;                                        \
		WAIT_FOR_LOCK(lock, call, let_go_by);                         \
	} while (0)

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
	WAIT_FOR_LOCK(m, next_lock(m), LOCK_OWNER);
}

/*
 * A process with one thread waits for no mutex but those it shares with
 * others; and glibc's lock needs no atomic instruction then, where its try
 * does: 5.4 ns of 6.4 for a pair.
 */
static inline bool cannot_wait(const pthread_mutex_t *m)
{
	enum { IS_SHARED = 128 }; /* glibc's, of a mutex' kind */

	return __libc_single_threaded && !(m->__data.__kind & IS_SHARED);
}

static SLOW int watched_lock(pthread_mutex_t *m)
{
	int result;

	if (cannot_wait(m))
		return next_lock(m);
	result = next_trylock(m);
	return UNLIKELY(result == EBUSY) ? wait_for_mutex(m) : result;
}

HOOK int pthread_mutex_lock(pthread_mutex_t *m)
{
	return UNLIKELY(locks_watched()) ? watched_lock(m) : next_lock(m);
}

static SLOW int unlock_awaited(pthread_mutex_t *m)
{
	struct cfi_regs regs;

	MACHINE_REGS_OF_CALLER(&regs);
	lock_note_unlock(m, LOCK_OWNER, &regs);
	return next_unlock(m);
}

HOOK int pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (UNLIKELY(locks_watched()) && UNLIKELY(lock_is_awaited(m)))
		return unlock_awaited(m);
	return next_unlock(m);
}

HOOK int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t)
{
	NEXT(pthread_mutex_timedlock);
	TRY_THEN_WAIT(m, preload_is_time(CLOCK_REALTIME, t),
	              pthread_mutex_trylock(m), EBUSY, next(m, t), LOCK_OWNER);
}

HOOK int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
                                 const struct timespec *t)
{
	NEXT(pthread_mutex_clocklock);
	TRY_THEN_WAIT(m, preload_is_time(clock, t), pthread_mutex_trylock(m),
	              EBUSY, next(m, clock, t), LOCK_OWNER);
}

/* ---- Read-write locks ---- */

HOOK int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	NEXT(pthread_rwlock_rdlock);
	TRY_THEN_WAIT(l, true, pthread_rwlock_tryrdlock(l), EBUSY, next(l),
	              LOCK_OWNER);
}

HOOK int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	NEXT(pthread_rwlock_wrlock);
	TRY_THEN_WAIT(l, true, pthread_rwlock_trywrlock(l), EBUSY, next(l),
	              LOCK_ANYBODY);
}

HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t *l,
                                    const struct timespec *t)
{
	NEXT(pthread_rwlock_timedrdlock);
	TRY_THEN_WAIT(l, preload_is_time(CLOCK_REALTIME, t),
	              pthread_rwlock_tryrdlock(l), EBUSY, next(l, t),
	              LOCK_OWNER);
}

HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t *l,
                                    const struct timespec *t)
{
	NEXT(pthread_rwlock_timedwrlock);
	TRY_THEN_WAIT(l, preload_is_time(CLOCK_REALTIME, t),
	              pthread_rwlock_trywrlock(l), EBUSY, next(l, t),
	              LOCK_ANYBODY);
}

HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock,
                                    const struct timespec *t)
{
	NEXT(pthread_rwlock_clockrdlock);
	TRY_THEN_WAIT(l, preload_is_time(clock, t), pthread_rwlock_tryrdlock(l),
	              EBUSY, next(l, clock, t), LOCK_OWNER);
}

HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock,
                                    const struct timespec *t)
{
	NEXT(pthread_rwlock_clockwrlock);
	TRY_THEN_WAIT(l, preload_is_time(clock, t), pthread_rwlock_trywrlock(l),
	              EBUSY, next(l, clock, t), LOCK_ANYBODY);
}

/* By whom may unlock it: the calling thread. */
static bool is_written(const pthread_rwlock_t *l)
{
	return l->__data.__cur_writer == (int)threads_my_tid();
}

HOOK int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	NEXT(pthread_rwlock_unlock);
	if (locks_watched() && UNLIKELY(lock_is_awaited(l))) {
		struct cfi_regs regs;

		MACHINE_REGS_OF_CALLER(&regs);
		lock_note_unlock(l, is_written(l) ? LOCK_OWNER : LOCK_READER,
		                 &regs);
	}
	return next(l);
}

/* ---- C11's, which do not call those of POSIX by name ---- */

HOOK int mtx_lock(mtx_t *m)
{
	NEXT(mtx_lock);
	TRY_THEN_WAIT(m, true, mtx_trylock(m), thrd_busy, next(m), LOCK_OWNER);
}

HOOK int mtx_timedlock(mtx_t *m, const struct timespec *t)
{
	NEXT(mtx_timedlock);
	TRY_THEN_WAIT(m, preload_is_time(CLOCK_REALTIME, t), mtx_trylock(m),
	              thrd_busy, next(m, t), LOCK_OWNER);
}

HOOK int mtx_unlock(mtx_t *m)
{
	NEXT(mtx_unlock);
	if (locks_watched() && UNLIKELY(lock_is_awaited(m))) {
		struct cfi_regs regs;

		MACHINE_REGS_OF_CALLER(&regs);
		lock_note_unlock(m, LOCK_OWNER, &regs);
	}
	return next(m);
}
