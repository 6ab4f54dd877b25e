/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block and mutex profiles against waits that the test measures itself: who
 * holds a lock for long lets others wait, and both are told by their stacks.
 */
#include <profile/sampler.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN(section_name) __attribute__((noinline, section(section_name)))
#define SECTION(name)                                                         \
	extern const char __start_##name[], __stop_##name[];
/* Behind a last call, which would be a jump. */
#define KEEP() __asm__ volatile("" ::: "memory")
SECTION(waiter_text)
SECTION(holder_text)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- What there is to wait for ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static pthread_t sleeper;
static volatile int is_held, is_signalled;

static void *sleep_a_bit(void *arg)
{
	(void)arg;
	pause_ms(30);
	return NULL;
}

static IN("holder_text") void hold_mutex(void)
{
	pthread_mutex_lock(&mutex);
	is_held = 1;
	pause_ms(30);
	pthread_mutex_unlock(&mutex);
	is_held = 2;
}

static IN("holder_text") void hold_rwlock(void)
{
	pthread_rwlock_wrlock(&rwlock);
	is_held = 1;
	pause_ms(30);
	pthread_rwlock_unlock(&rwlock);
	is_held = 2;
}

static IN("holder_text") void hold_cond(void)
{
	is_held = 1;
	pause_ms(30);
	pthread_mutex_lock(&mutex);
	is_signalled = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	is_held = 2;
}

static IN("holder_text") void hold_semaphore(void)
{
	is_held = 1;
	pause_ms(30);
	sem_post(&semaphore);
	is_held = 2;
}

static IN("holder_text") void hold_barrier(void)
{
	is_held = 1;
	pause_ms(30);
	pthread_barrier_wait(&barrier);
	is_held = 2;
}

static IN("holder_text") void hold_thread(void)
{
	is_held = 1;
}

static IN("waiter_text") void wait_mutex(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_timed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 100;
	ck_assert_int_eq(pthread_mutex_timedlock(&mutex, &t), 0);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_read(void)
{
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
}

static IN("waiter_text") void wait_write(void)
{
	pthread_rwlock_wrlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
}

static IN("waiter_text") void wait_cond(void)
{
	pthread_mutex_lock(&mutex);
	while (!is_signalled)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_semaphore(void)
{
	ck_assert_int_eq(sem_wait(&semaphore), 0);
}

static IN("waiter_text") void wait_barrier(void)
{
	pthread_barrier_wait(&barrier);
	KEEP();
}

static IN("waiter_text") void wait_thread(void)
{
	pthread_create(&sleeper, NULL, sleep_a_bit, NULL);
	pthread_join(sleeper, NULL);
	KEEP();
}

static const struct lock_case {
	void (*hold)(void), (*wait)(void);
	bool has_unlocker;
} cases[] = {
	{ hold_mutex, wait_mutex, true },
	{ hold_mutex, wait_timed, true },
	{ hold_rwlock, wait_read, true },
	{ hold_rwlock, wait_write, true },
	{ hold_cond, wait_cond, false },
	{ hold_semaphore, wait_semaphore, false },
	{ hold_barrier, wait_barrier, false },
	{ hold_thread, wait_thread, false },
};

/* ---- What was told ---- */

static bool has_frame_in(const uint64_t *stack, const char *start,
                         const char *stop)
{
	size_t i;

	for (i = 0; i < 32 && stack[i]; i++)
		if (stack[i] > (uint64_t)(uintptr_t)start &&
		    stack[i] <= (uint64_t)(uintptr_t)stop)
			return true;
	return false;
}

struct sum {
	uint64_t ns, count;
};

static struct sum sum_in(bool (*get)(size_t *, struct prof_block_record *,
                                     size_t),
                         const char *start, const char *stop)
{
	static struct prof_block_record recs[4096];
	struct sum sum = { 0, 0 };
	size_t n, i;

	ck_assert(get(&n, recs, 4096));
	for (i = 0; i < n; i++) {
		if (!has_frame_in(recs[i].stack, start, stop))
			continue;
		sum.ns += (uint64_t)recs[i].cycles;
		sum.count += (uint64_t)recs[i].count;
	}
	return sum;
}

static uint64_t waited;

static void *wait_main(void *arg)
{
	const struct lock_case *c = arg;
	uint64_t begin;

	while (!is_held)
		pause_ms(1);
	begin = now();
	c->wait();
	waited = now() - begin;
	return NULL;
}

START_TEST(tells_who_waited_and_for_whom)
{
	const struct lock_case *c = &cases[_i];
	struct sum block, mutexes;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	sem_init(&semaphore, 0, 0);
	prof_set_block_rate(1);
	prof_set_mutex_fraction(1);
	pthread_create(&thread, NULL, wait_main, (void *)(uintptr_t)c);
	c->hold();
	pthread_join(thread, NULL);
	prof_set_block_rate(0);
	prof_set_mutex_fraction(0);
	block = sum_in(prof_block_records, __start_waiter_text,
	               __stop_waiter_text);
	mutexes = sum_in(prof_mutex_records, __start_holder_text,
	                 __stop_holder_text);
	/* On a loaded machine the waiter may come late and not wait at all:
	   what it measured is the truth, all but the time around the call. */
	ck_assert_uint_le(block.ns, waited);
	ck_assert_msg(block.ns + 5000000 + waited / 10 >= waited,
	              "%lu us of %lu", (unsigned long)(block.ns / 1000),
	              (unsigned long)(waited / 1000));
	if (c->has_unlocker && block.ns > 10000000) {
		ck_assert_uint_eq(mutexes.count, 1);
		ck_assert_uint_le(mutexes.ns, block.ns);
		ck_assert_uint_ge(mutexes.ns, block.ns * 9 / 10);
	}
}
END_TEST

/* What kinds of mutexes answer is what they answer without us. */
START_TEST(kinds_answer_as_before)
{
	static const int types[] = { PTHREAD_MUTEX_NORMAL,
		                     PTHREAD_MUTEX_ERRORCHECK,
		                     PTHREAD_MUTEX_RECURSIVE };
	static const int again[] = { -1, EDEADLK, 0 };
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	prof_set_block_rate(1);
	prof_set_mutex_fraction(1);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, types[_i]);
	pthread_mutex_init(&m, &attr);
	ck_assert_int_eq(pthread_mutex_lock(&m), 0);
	if (again[_i] >= 0)
		ck_assert_int_eq(pthread_mutex_lock(&m), again[_i]);
	ck_assert_int_eq(pthread_mutex_unlock(&m), 0);
	if (types[_i] == PTHREAD_MUTEX_ERRORCHECK)
		ck_assert_int_eq(pthread_mutex_unlock(&m), EPERM);
}
END_TEST

static void *die_with_mutex(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

START_TEST(robust_mutexes_tell_of_the_dead)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	pthread_t thread;

	prof_set_block_rate(1);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &attr);
	pthread_create(&thread, NULL, die_with_mutex, &m);
	pthread_join(thread, NULL);
	ck_assert_int_eq(pthread_mutex_lock(&m), EOWNERDEAD);
	ck_assert_int_eq(pthread_mutex_consistent(&m), 0);
	ck_assert_int_eq(pthread_mutex_unlock(&m), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tc = tcase_create("lock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tells_who_waited_and_for_whom, 0,
	                    sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, kinds_answer_as_before, 0, 3);
	tcase_add_test(tc, robust_mutexes_tell_of_the_dead);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
