/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signal by which threads are asked for their stacks, in a program that
 * has plans of its own for it.
 */
#include <profile/sampler.h>

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static volatile sig_atomic_t n_own;
static _Atomic int must_end, n_ready;

static void own_handler(int signal)
{
	(void)signal;
	n_own++;
}

static void *spin(void *blocks)
{
	sigset_t all;

	sigfillset(&all);
	if (blocks)
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	n_ready++;
	while (!must_end)
		__asm__ volatile("");
	return NULL;
}

static void begin(pthread_t *thread, void *blocks)
{
	const int n = n_ready;

	ck_assert_int_eq(pthread_create(thread, NULL, spin, blocks), 0);
	while (n_ready == n)
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

/* How many of the threads told their stack. */
static size_t ask(void)
{
	struct prof_thread_record recs[8];
	size_t n, i, n_complete = 0;

	ck_assert(prof_thread_records(&n, recs, 8));
	for (i = 0; i < n; i++)
		n_complete += recs[i].is_complete;
	return n_complete;
}

static const sighandler_t wishes[] = { SIG_DFL, SIG_IGN, own_handler };

START_TEST(a_program_may_set_its_handler)
{
	pthread_t thread;

	begin(&thread, NULL);
	ck_assert_uint_eq(ask(), 2);
	ck_assert(signal(SIGPROF, wishes[_i]) != SIG_ERR);
	ck_assert_uint_eq(ask(), 2);
	raise(SIGPROF);
	ck_assert_int_eq(n_own, wishes[_i] == own_handler);
	must_end = 1;
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_program_may_block_all)
{
	pthread_t threads[2];

	begin(&threads[0], NULL);
	ck_assert_uint_eq(ask(), 2);
	begin(&threads[1], &threads);
	ck_assert_uint_eq(ask(), 3);
	must_end = 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signal");
	TCase *tc = tcase_create("signal");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_program_may_set_its_handler, 0, 3);
	tcase_add_test(tc, a_program_may_block_all);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
