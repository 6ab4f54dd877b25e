/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every instruction of some of libc's code, by the processor's trap flag: the
 * word rules and the interpreter of all registers must tell the same.
 * (tests/sampler/stepper compares with libunwind.)
 */
#include "sampler/unwind.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX = 128 };

static volatile size_t n_steps, n_differ, n_cut, n_compared;
/* Not in trace(), whose pushes have no unwind rules. */
static volatile bool is_at_work;
static uint64_t first_bad;

static void on_trap(int signal, siginfo_t *info, void *ucontext)
{
	static uint64_t fast[MAX], slow[MAX];
	enum unwind_end fast_end, slow_end;
	struct cfi_regs regs;
	size_t n, n_slow;

	(void)signal;
	(void)info;
	if (!is_at_work)
		return;
	machine_regs_of_signal(&regs, ucontext);
	n = unwind(fast, MAX, &regs, UNWIND_AT_INSTRUCTION, &fast_end);
	n_slow = unwind_slowly(slow, MAX, &regs, UNWIND_AT_INSTRUCTION,
	                       memory_of_stack(regs.values[MACHINE_SP]),
	                       &slow_end);
	n_steps++;
	if (fast_end != UNWIND_COMPLETE) {
		n_cut++;
		first_bad = regs.values[MACHINE_PC];
	} else if (n != n_slow || memcmp(fast, slow, n * sizeof(fast[0]))) {
		n_differ++;
		first_bad = regs.values[MACHINE_PC];
	}
}

static void trace(bool on)
{
	if (on)
		__asm__ volatile("pushfq; orq $0x100,(%%rsp); popfq" ::
		                         : "memory", "cc");
	else
		__asm__ volatile("pushfq; andq $~0x100,(%%rsp); popfq" ::
		                         : "memory", "cc");
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void work_for_steps(void)
{
	int numbers[24], i;
	char text[128];
	struct timespec t;

	is_at_work = true;
	for (i = 0; i < 24; i++)
		numbers[i] = (i * 7919) % 31;
	qsort(numbers, 24, sizeof(numbers[0]), by_value);
	snprintf(text, sizeof(text), "%d %s %.3f", numbers[3], "text", 2.5);
	n_compared = strtoul(text, NULL, 10);
	free(realloc(malloc(100), 10000));
	clock_gettime(CLOCK_MONOTONIC, &t);
	is_at_work = false;
}

START_TEST(single_steps)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO,
		                    .sa_sigaction = on_trap };

	ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
	trace(true);
	work_for_steps();
	trace(false);
	ck_assert_uint_gt(n_steps, 3000);
	ck_assert_msg(n_differ == 0, "%zu of %zu steps differ, one at %lx",
	              n_differ, n_steps, (unsigned long)first_bad);
	ck_assert_msg(n_cut == 0, "%zu of %zu stacks cut, one at %lx", n_cut,
	              n_steps, (unsigned long)first_bad);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unwind_steps");
	TCase *tc = tcase_create("unwind_steps");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, single_steps);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
