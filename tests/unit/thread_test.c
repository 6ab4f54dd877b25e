/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads in all kinds of waits and one that runs: each must be told with the
 * function it is in, and none may be disturbed.
 */
#include <profile/sampler.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define IN(section_name) __attribute__((noinline, section(section_name)))

static int pipe_fds[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static volatile int must_run = 1;
static _Atomic int n_interrupted, n_ready;

static void check_call(int result)
{
	if (result < 0 && errno == EINTR)
		n_interrupted++;
}

/* Each waits for half a second in a section of its own. */
#define WAITER(name, ...)                                                     \
	extern const char __start_text_##name[], __stop_text_##name[];        \
	static IN("text_" #name) void *name(void *tid)                        \
	{                                                                     \
		*(uint32_t *)tid = (uint32_t)syscall(SYS_gettid);             \
		n_ready++;                                                    \
		__VA_ARGS__;                                                  \
		return tid;                                                   \
	}

WAITER(in_nanosleep, {
	const struct timespec half = { 0, 500000000 };
	check_call(nanosleep(&half, NULL));
})
WAITER(in_poll, {
	struct pollfd p = { .fd = pipe_fds[0], .events = POLLIN };
	check_call(poll(&p, 1, 500));
})
WAITER(in_select, {
	struct timeval half = { 0, 500000 };
	check_call(select(0, NULL, NULL, NULL, &half));
})
WAITER(in_epoll, {
	struct epoll_event e;
	check_call(epoll_wait(epoll_create1(0), &e, 1, 500));
})
WAITER(in_read, {
	char c;
	check_call((int)read(pipe_fds[0], &c, 1));
})
WAITER(in_mutex, {
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
})
WAITER(in_semaphore, check_call(sem_wait(&semaphore)))
WAITER(in_loop, {
	while (must_run)
		__asm__ volatile("");
})

static const struct waiter {
	void *(*run)(void *);
	const char *start, *stop;
} waiters[] = {
#define ROW(name) { name, __start_text_##name, __stop_text_##name }
	ROW(in_nanosleep), ROW(in_poll),      ROW(in_select), ROW(in_epoll),
	ROW(in_read),      ROW(in_mutex),     ROW(in_semaphore),
	ROW(in_loop),
};
enum { N = sizeof(waiters) / sizeof(waiters[0]) };

static bool has_frame(const struct prof_thread_record *r, const char *start,
                      const char *stop)
{
	size_t i;

	for (i = 0; i < 32 && r->stack[i]; i++)
		if (r->stack[i] > (uint64_t)(uintptr_t)start &&
		    r->stack[i] <= (uint64_t)(uintptr_t)stop)
			return true;
	return false;
}

START_TEST(tells_where_each_thread_is)
{
	struct prof_thread_record recs[N + 8];
	uint32_t tids[N] = { 0 };
	pthread_t threads[N];
	size_t n, i, k;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	sem_init(&semaphore, 0, 0);
	pthread_mutex_lock(&mutex);
	for (i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, waiters[i].run, &tids[i]);
	while (n_ready < N)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	ck_assert(!prof_thread_records(&n, recs, 1));
	ck_assert_uint_eq(n, N + 1);
	ck_assert(prof_thread_records(&n, recs, N + 8));
	ck_assert_uint_eq(n, N + 1);
	ck_assert_uint_eq(recs[0].tid, (uint32_t)syscall(SYS_gettid));
	must_run = 0;
	pthread_mutex_unlock(&mutex);
	sem_post(&semaphore);
	ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
	for (i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < N; i++) {
		for (k = 1; k < n && recs[k].tid != tids[i]; k++)
			;
		ck_assert_uint_lt(k, n);
		ck_assert_msg(recs[k].is_complete, "thread %zu", i);
		ck_assert_msg(has_frame(&recs[k], waiters[i].start,
		                        waiters[i].stop),
		              "thread %zu", i);
	}
	ck_assert_int_eq(n_interrupted, 0);
}
END_TEST

extern const char __start_late_text[], __stop_late_text[];
static _Atomic int64_t late_ms; /* when it is to answer; 0: not yet */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *spin(void (*unblock)(const sigset_t *))
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	n_ready++;
	while (must_run)
		if (late_ms != 0 && now_ms() >= late_ms && unblock)
			unblock(&old);
	return NULL;
}

static void unblock_all(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

static IN("late_text") void *answers_late(void *unused)
{
	void *result = spin(unblock_all);

	__asm__ volatile("" ::: "memory"); /* no tail call */
	return result ? result : unused;
}

static void *never_answers(void *unused)
{
	(void)unused;
	return spin(NULL);
}

/* A thread that answers when the next one is asked answers nobody. */
START_TEST(a_late_answer_is_nobodys)
{
	struct prof_thread_record recs[8];
	pthread_t threads[3];
	size_t n, i, n_late = 0;

	must_run = 1;
	for (i = 0; i < 3; i++) {
		pthread_create(&threads[i], NULL,
		               i == 0 ? answers_late : never_answers, NULL);
		while (n_ready <= (int)i)
			nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	}
	late_ms = now_ms() + 300;
	ck_assert(prof_thread_records(&n, recs, 8));
	ck_assert_uint_eq(n, 4);
	must_run = 0;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < n; i++)
		n_late += has_frame(&recs[i], __start_late_text,
		                    __stop_late_text);
	ck_assert_uint_eq(n_late, 0);
}
END_TEST

/* Threads that come and go while they are looked at. */
static void *come_and_go(void *unused)
{
	return unused;
}

static void *churn(void *unused)
{
	pthread_t thread;

	while (must_run)
		if (pthread_create(&thread, NULL, come_and_go, NULL) == 0)
			pthread_join(thread, NULL);
	return unused;
}

START_TEST(survives_churn)
{
	struct prof_thread_record recs[64];
	pthread_t threads[3];
	size_t n;
	int i;

	for (i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, churn, NULL);
	for (i = 0; i < 200; i++)
		ck_assert(prof_thread_records(&n, recs, 64));
	must_run = 0;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("thread");
	TCase *tc = tcase_create("thread");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, tells_where_each_thread_is);
	tcase_add_test(tc, a_late_answer_is_nobodys);
	tcase_add_test(tc, survives_churn);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
