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
#include <sys/wait.h>
#include <threads.h>
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
static mtx_t c11_mutex;
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

static IN("holder_text") void hold_c11(void)
{
	mtx_lock(&c11_mutex);
	is_held = 1;
	pause_ms(30);
	mtx_unlock(&c11_mutex);
	is_held = 2;
}

/* Gives the mutex up by waiting for something else. */
static IN("holder_text") void hold_by_cond(void)
{
	struct timespec t;

	pthread_mutex_lock(&mutex);
	is_held = 1;
	pause_ms(30);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 1;
	pthread_cond_timedwait(&cond, &mutex, &t);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_and_signal(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
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

static struct timespec in_100_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += 100;
	return t;
}

/* Functions of rows: waits with a time limit that is not reached. */
#define WAITER(name, clock, wait, unlock)                                     \
	static IN("waiter_text") void name(void)                              \
	{                                                                     \
		const struct timespec t = in_100_s(clock);                    \
                                                                              \
		ck_assert_int_eq(wait, 0);                                    \
		unlock;                                                       \
		KEEP();                                                       \
	}

WAITER(wait_clock, CLOCK_MONOTONIC,
       pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &t),
       pthread_mutex_unlock(&mutex))
WAITER(wait_read_timed, CLOCK_REALTIME,
       pthread_rwlock_timedrdlock(&rwlock, &t), pthread_rwlock_unlock(&rwlock))
WAITER(wait_write_timed, CLOCK_REALTIME,
       pthread_rwlock_timedwrlock(&rwlock, &t), pthread_rwlock_unlock(&rwlock))
WAITER(wait_read_clock, CLOCK_MONOTONIC,
       pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &t),
       pthread_rwlock_unlock(&rwlock))
WAITER(wait_write_clock, CLOCK_MONOTONIC,
       pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &t),
       pthread_rwlock_unlock(&rwlock))
WAITER(wait_semaphore_timed, CLOCK_REALTIME, sem_timedwait(&semaphore, &t), )
WAITER(wait_semaphore_clock, CLOCK_MONOTONIC,
       sem_clockwait(&semaphore, CLOCK_MONOTONIC, &t), )
WAITER(wait_c11, CLOCK_REALTIME, mtx_lock(&c11_mutex),
       mtx_unlock(&c11_mutex); (void)t)
WAITER(wait_c11_timed, CLOCK_REALTIME, mtx_timedlock(&c11_mutex, &t),
       mtx_unlock(&c11_mutex))

static IN("waiter_text") void wait_cond_timed(void)
{
	const struct timespec t = in_100_s(CLOCK_REALTIME);

	pthread_mutex_lock(&mutex);
	while (!is_signalled)
		pthread_cond_timedwait(&cond, &mutex, &t);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_cond_clock(void)
{
	const struct timespec t = in_100_s(CLOCK_MONOTONIC);

	pthread_mutex_lock(&mutex);
	while (!is_signalled)
		pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &t);
	pthread_mutex_unlock(&mutex);
}

static IN("waiter_text") void wait_thread_timed(void)
{
	const struct timespec t = in_100_s(CLOCK_REALTIME);

	pthread_create(&sleeper, NULL, sleep_a_bit, NULL);
	ck_assert_int_eq(pthread_timedjoin_np(sleeper, NULL, &t), 0);
	KEEP();
}

static IN("waiter_text") void wait_thread_clock(void)
{
	const struct timespec t = in_100_s(CLOCK_MONOTONIC);

	pthread_create(&sleeper, NULL, sleep_a_bit, NULL);
	ck_assert_int_eq(
		pthread_clockjoin_np(sleeper, NULL, CLOCK_MONOTONIC, &t), 0);
	KEEP();
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
	{ hold_mutex, wait_clock, true },
	{ hold_by_cond, wait_and_signal, true },
	{ hold_c11, wait_c11, true },
	{ hold_c11, wait_c11_timed, true },
	{ hold_rwlock, wait_read_timed, true },
	{ hold_rwlock, wait_write_timed, true },
	{ hold_rwlock, wait_read_clock, true },
	{ hold_rwlock, wait_write_clock, true },
	{ hold_cond, wait_cond_timed, false },
	{ hold_cond, wait_cond_clock, false },
	{ hold_semaphore, wait_semaphore_timed, false },
	{ hold_semaphore, wait_semaphore_clock, false },
	{ hold_thread, wait_thread_timed, false },
	{ hold_thread, wait_thread_clock, false },
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
	mtx_init(&c11_mutex, mtx_timed);
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

/* ---- Exact counts ---- */

enum { N_READERS = 3 };

static IN("waiter_text") void *read_once(void *arrived)
{
	sem_post(arrived);
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	return NULL;
}

static IN("holder_text") void unlock_readers(void)
{
	pthread_rwlock_unlock(&rwlock);
	KEEP();
}

static void watch(void)
{
	prof_set_block_rate(1);
	prof_set_mutex_fraction(1);
}

static struct sum blocks_here(void)
{
	return sum_in(prof_block_records, __start_waiter_text,
	              __stop_waiter_text);
}

static struct sum mutexes_here(void)
{
	return sum_in(prof_mutex_records, __start_holder_text,
	              __stop_holder_text);
}

/* One unlock lets all readers go: it answers for the waits of each. */
START_TEST(readers_wait_for_one_writer)
{
	pthread_t threads[N_READERS];
	struct sum block, mutexes;
	sem_t arrived;
	int i;

	sem_init(&arrived, 0, 0);
	pthread_rwlock_wrlock(&rwlock);
	watch();
	for (i = 0; i < N_READERS; i++)
		pthread_create(&threads[i], NULL, read_once, &arrived);
	for (i = 0; i < N_READERS; i++)
		sem_wait(&arrived);
	pause_ms(50);
	unlock_readers();
	for (i = 0; i < N_READERS; i++)
		pthread_join(threads[i], NULL);
	block = blocks_here();
	mutexes = mutexes_here();
	ck_assert_uint_le(block.count, N_READERS);
	ck_assert_uint_eq(mutexes.count, block.count);
	ck_assert_uint_eq(mutexes.ns, block.ns);
}
END_TEST

static void *post_often(void *unused)
{
	int i;

	for (i = 0; i < 500; i++) {
		pause_ms(1);
		sem_post(&semaphore);
	}
	return unused;
}

/* Returns how long it waited in all. */
static IN("waiter_text") uint64_t wait_often(void)
{
	const uint64_t begin = now();
	int i;

	for (i = 0; i < 500; i++)
		sem_wait(&semaphore);
	KEEP();
	return now() - begin;
}

static IN("waiter_text") void *meet(void *unused)
{
	int i;

	for (i = 0; i < 20; i++)
		pthread_barrier_wait(&barrier);
	return unused;
}

/* All but the last to come have waited. */
START_TEST(barriers_count_who_waits)
{
	pthread_t threads[4];
	int i;

	pthread_barrier_init(&barrier, NULL, 4);
	watch();
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, meet, NULL);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(blocks_here().count, 20 * 3);
}
END_TEST

static IN("waiter_text") void get_nothing(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 20000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	ck_assert_int_eq(pthread_mutex_timedlock(&mutex, &t), ETIMEDOUT);
	ck_assert_int_eq(sem_timedwait(&semaphore, &t), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	/* Wrong times are told as before, whatever could be had. */
	t.tv_nsec = -1;
	sem_post(&semaphore);
	ck_assert_int_eq(sem_timedwait(&semaphore, &t), -1);
	ck_assert_int_eq(errno, EINVAL);
}

static void *hold_for_long(void *unused)
{
	pthread_mutex_lock(&mutex);
	is_held = 1;
	while (is_held == 1)
		pause_ms(1);
	pthread_mutex_unlock(&mutex);
	return unused;
}

/* Who gave up has waited, and for nobody's unlock. */
START_TEST(waits_in_vain)
{
	pthread_t thread;
	struct sum block;

	sem_init(&semaphore, 0, 0);
	watch();
	pthread_create(&thread, NULL, hold_for_long, NULL);
	while (!is_held)
		pause_ms(1);
	get_nothing();
	is_held = 2;
	pthread_join(thread, NULL);
	block = blocks_here();
	ck_assert_uint_ge(block.count, 2);
	ck_assert_uint_ge(block.ns, 20000000);
	ck_assert_uint_eq(sum_in(prof_mutex_records, NULL,
	                         (const char *)UINTPTR_MAX).count, 0);
}
END_TEST

static IN("waiter_text") void get_all_at_once(pthread_t ended)
{
	int i;

	for (i = 0; i < 100; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
		ck_assert_int_eq(sem_wait(&semaphore), 0);
	}
	ck_assert_int_eq(pthread_join(ended, NULL), 0);
}

START_TEST(nobody_waits_for_what_is_free)
{
	pthread_t thread;

	sem_init(&semaphore, 0, 100);
	watch();
	pthread_create(&thread, NULL, sleep_a_bit, NULL);
	pause_ms(500);
	get_all_at_once(thread);
	ck_assert_uint_le(blocks_here().count, 1); /* if it took so long */
}
END_TEST

/* A child of a program that waits finds the tables free. */
START_TEST(forks_while_others_wait)
{
	pthread_t threads[4];
	int i, status;
	pid_t child;

	pthread_barrier_init(&barrier, NULL, 4);
	watch();
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, meet, NULL);
	for (i = 0; i < 50; i++) {
		child = fork();
		if (child == 0) {
			pthread_barrier_init(&barrier, NULL, 1);
			pthread_create(&threads[0], NULL, sleep_a_bit, NULL);
			pthread_join(threads[0], NULL);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

/* Fractions are unbiased: short waits in proportion to their length. */
START_TEST(rates_keep_the_sum)
{
	pthread_t thread;
	uint64_t truth;
	double sum;

	sem_init(&semaphore, 0, 0);
	prof_set_block_rate(2000000);
	pthread_create(&thread, NULL, post_often, NULL);
	truth = wait_often();
	pthread_join(thread, NULL);
	sum = (double)blocks_here().ns / (double)truth;
	/* 500 waits of about 1 ms: one sigma is a 20th. */
	ck_assert_msg(sum > 0.7 && sum < 1.3, "%.3f of the truth", sum);
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
	tcase_add_test(tc, readers_wait_for_one_writer);
	tcase_add_test(tc, barriers_count_who_waits);
	tcase_add_test(tc, waits_in_vain);
	tcase_add_test(tc, nobody_waits_for_what_is_free);
	tcase_add_test(tc, forks_while_others_wait);
	tcase_add_test(tc, rates_keep_the_sum);
	tcase_add_loop_test(tc, kinds_answer_as_before, 0, 3);
	tcase_add_test(tc, robust_mutexes_tell_of_the_dead);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
