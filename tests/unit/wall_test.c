/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall-clock profile: each thread's stacks must add up to the time that
 * the thread was there, whether it sleeps or computes, and however loaded the
 * machine is; and who sleeps must not notice.
 */
#include <profile/io.h>
#include <profile/sampler.h>

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN(section_name) __attribute__((noinline, section(section_name)))
#define SECTION(name)                                                         \
	extern const char __start_##name[], __stop_##name[];
SECTION(sleeper_text)
SECTION(spinner_text)
SECTION(blocked_text)

enum { MAX_RECORDS = 8192 };

static _Atomic int must_end, n_interrupted, n_ready;
static struct prof_block_record recs[MAX_RECORDS];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static IN("sleeper_text") void *sleeper(void *unused)
{
	const struct timespec bit = { 0, 30000000 };

	n_ready++;
	while (!must_end)
		if (nanosleep(&bit, NULL) != 0 && errno == EINTR)
			n_interrupted++;
	return unused;
}

static IN("spinner_text") void *spinner(void *unused)
{
	n_ready++;
	while (!must_end)
		__asm__ volatile("");
	return unused;
}

/* Never answers. */
static IN("blocked_text") void *blocked(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	n_ready++;
	while (!must_end)
		__asm__ volatile("");
	return unused;
}

static bool is_in(const struct prof_block_record *r, const char *start,
                  const char *stop)
{
	size_t i;

	for (i = 0; i < 32 && r->stack[i]; i++)
		if (r->stack[i] > (uint64_t)(uintptr_t)start &&
		    r->stack[i] <= (uint64_t)(uintptr_t)stop)
			return true;
	return false;
}

/* Nanoseconds under a section; NULL: of stacks that are not known. */
static uint64_t time_in(const char *start, const char *stop)
{
	uint64_t sum = 0;
	size_t n, i;

	ck_assert(prof_wall_records(&n, recs, MAX_RECORDS));
	for (i = 0; i < n; i++)
		if (start ? is_in(&recs[i], start, stop)
		          : recs[i].stack[0] == PROF_PC_TRUNCATED)
			sum += (uint64_t)recs[i].cycles;
	return sum;
}

static void sleep_ms(unsigned ms)
{
	const uint64_t end = now_ns() + ms * UINT64_C(1000000);
	const struct timespec bit = { 0, 5000000 };

	while (now_ns() < end)
		nanosleep(&bit, NULL);
}

static void begin(pthread_t *t, void *(*f)(void *))
{
	const int n = n_ready;

	ck_assert_int_eq(pthread_create(t, NULL, f, NULL), 0);
	while (n_ready == n)
		sleep_ms(1);
}

/* Runs the profile for a while; returns for how long, in the largest and the
   smallest sense. */
static void profile_for(unsigned ms, uint32_t hz, uint64_t *least,
                        uint64_t *most)
{
	struct prof_error err = { .message = "" };
	const uint64_t before = now_ns();
	uint64_t started;

	ck_assert_msg(prof_wall_start(&PROF_OPTIONS(prof_wall_options,
	                                            .hz = hz), &err) ==
	                      PROF_OK, "%s", err.message);
	started = now_ns();
	sleep_ms(ms);
	*least = now_ns() - started;
	prof_wall_stop();
	*most = now_ns() - before;
}

START_TEST(threads_add_up_to_the_time)
{
	const uint32_t hz = _i == 0 ? 100 : 500;
	uint64_t least, most, slept, spun;
	pthread_t threads[2];

	begin(&threads[0], sleeper);
	begin(&threads[1], spinner);
	profile_for(700, hz, &least, &most);
	must_end = 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	slept = time_in(__start_sleeper_text, __stop_sleeper_text);
	spun = time_in(__start_spinner_text, __stop_spinner_text);
	/* A thread of ours that starts late, or looks late for the last time,
	   is the machine's doing: but both get the same looks. */
	ck_assert_uint_le(slept, most);
	ck_assert_uint_le(spun, most);
	ck_assert_msg(slept > least / 2, "%lu of %lu ns", (unsigned long)slept,
	              (unsigned long)least);
	ck_assert_msg(spun > slept - slept / 4, "%lu ns spun, %lu slept",
	              (unsigned long)spun, (unsigned long)slept);
	ck_assert_int_eq(n_interrupted, 0);
}
END_TEST

START_TEST(who_cannot_answer_is_not_lost)
{
	uint64_t least, most, unknown;
	pthread_t thread;

	begin(&thread, blocked);
	profile_for(300, 100, &least, &most);
	must_end = 1;
	pthread_join(thread, NULL);
	unknown = time_in(NULL, NULL);
	ck_assert_uint_ge(unknown, least / 4);
	ck_assert_uint_le(unknown, most);
}
END_TEST

START_TEST(starts_and_stops)
{
	struct prof_collection *wall = prof_lookup("wall");
	struct prof_profile *p = NULL;
	struct prof_value_type type;
	struct prof_error err;
	uint64_t least, most;
	size_t n, before;

	ck_assert_int_eq(prof_wall_start(&PROF_OPTIONS(prof_wall_options,
	                                               .hz = 1001), &err),
	                 PROF_INVALID);
	ck_assert_uint_eq(prof_count(wall), 0);
	prof_wall_stop(); /* nothing runs */
	ck_assert_int_eq(prof_wall_start(NULL, &err), PROF_OK);
	ck_assert_int_eq(prof_wall_start(NULL, &err), PROF_BUSY);
	/* Our thread is in no profile. */
	prof_thread_records(&n, NULL, 0);
	ck_assert_uint_eq(n, 1);
	prof_wall_stop();
	before = time_in(__start_sleeper_text, __stop_sleeper_text);
	ck_assert_uint_eq(before, 0);
	profile_for(100, 200, &least, &most);
	ck_assert_uint_gt(prof_count(wall), 0);
	ck_assert_int_eq(prof_snapshot(&p, "wall", &err), PROF_OK);
	ck_assert(prof_get_sample_type(p, 0, &type));
	ck_assert_str_eq(type.type.ptr, "samples");
	ck_assert(prof_get_sample_type(p, 1, &type));
	ck_assert_str_eq(type.type.ptr, "wall");
	ck_assert_str_eq(type.unit.ptr, "nanoseconds");
	prof_profile_free(p);
}
END_TEST

static void *nothing(void *unused)
{
	return unused;
}

/* What a child does whose parent forked amid a look. */
static _Noreturn void live_as_child(void)
{
	struct prof_thread_record rec;
	size_t n;

	if (!prof_thread_records(&n, &rec, 1) || n != 1)
		_exit(1);
	if (prof_wall_start(NULL, NULL) != PROF_OK)
		_exit(2);
	prof_wall_stop();
	_exit(7);
}

/* Threads that come and go, and forks in the middle. */
START_TEST(lives_through_churn)
{
	struct prof_error err;
	pthread_t thread;
	int i, status;
	pid_t pid;

	ck_assert_int_eq(prof_wall_start(&PROF_OPTIONS(prof_wall_options,
	                                               .hz = 1000), &err),
	                 PROF_OK);
	for (i = 0; i < 2000; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, nothing, NULL),
		                 0);
		pthread_join(thread, NULL);
		if (i % 50 != 0)
			continue;
		pid = fork();
		if (pid == 0) {
			alarm(10);
			live_as_child();
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	prof_wall_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wall");
	TCase *tc = tcase_create("wall");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, threads_add_up_to_the_time, 0, 2);
	tcase_add_test(tc, who_cannot_answer_is_not_lost);
	tcase_add_test(tc, starts_and_stops);
	tcase_add_test(tc, lives_through_churn);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
