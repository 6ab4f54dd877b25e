/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks against a truth that is compiled in: the functions on the way note
 * the return addresses themselves. Then every instruction of libc's and our
 * own code in a single-stepped child: the word rules and the full-register
 * interpreter must tell the same.
 */
#include "sampler/modules.h"
#include "sampler/unwind.h"

#include <alloca.h>
#include <check.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAX = 128 };

static uint64_t truth[MAX], got[MAX];
static size_t n_truth, n_got;
static enum unwind_end got_end;

#define NOINLINE __attribute__((noinline))
/* Something after the call, so that it is none in tail position. */
#define KEEP() __asm__ volatile("" ::: "memory")

#define NOTE()                                                                \
	(truth[n_truth++] =                                                   \
	         (uint64_t)(uintptr_t)__builtin_return_address(0))

static NOINLINE void capture(void)
{
	struct cfi_regs regs;

	NOTE();
	MACHINE_REGS_OF_CALLER(&regs);
	n_got = unwind(got, MAX, &regs, UNWIND_AT_CALL, &got_end);
}

static void on_signal(int signal, siginfo_t *info, void *ucontext)
{
	struct cfi_regs regs;

	(void)signal;
	(void)info;
	machine_regs_of_signal(&regs, ucontext);
	n_got = unwind(got, MAX, &regs, UNWIND_AT_INSTRUCTION, &got_end);
}

/* Frames of all kinds on the way to the leaf. */
static void (*at_leaf)(void);

static NOINLINE void plain(int depth);

static NOINLINE void with_alloca(int depth)
{
	char *p = alloca((size_t)depth * 16 + 8);

	NOTE();
	memset(p, depth, (size_t)depth * 16 + 8);
	plain(depth - 1);
	__asm__ volatile("" ::"r"(p) : "memory");
}

static NOINLINE void realigned(int depth)
{
	_Alignas(64) char block[192];

	NOTE();
	memset(block, depth, sizeof(block));
	plain(depth - 1);
	__asm__ volatile("" ::"r"(block) : "memory");
}

static NOINLINE void plain(int depth)
{
	NOTE();
	if (depth == 0)
		at_leaf();
	else if (depth % 3 == 0)
		with_alloca(depth);
	else if (depth % 3 == 1)
		realigned(depth);
	else
		plain(depth - 1);
	KEEP();
}

static int compare(const void *a, const void *b)
{
	(void)b;
	if (*(const int *)a == 0)
		plain(9);
	KEEP();
	return 0;
}

/* Through libc's frames, which note nothing. */
static NOINLINE void through_libc(int depth)
{
	int one[1] = { 0 };
	size_t n = 1;

	(void)depth;
	NOTE();
	lfind(one, one, &n, sizeof(one[0]), compare);
	KEEP();
}

static NOINLINE void raise_leaf(void)
{
	NOTE();
	raise(SIGUSR1);
	KEEP();
}

static void nested_handler(int signal)
{
	(void)signal;
	capture();
	KEEP();
}

static NOINLINE void nested_leaf(void)
{
	NOTE();
	raise(SIGUSR2);
	KEEP();
}

/* The truth, leaf first, must be in the stack in order; where is_dense, the
   stack has nothing else down to the outermost noted frame. */
static void check_against_truth(size_t may_skip)
{
	size_t i = n_truth, k = 0, skipped = 0;

	ck_assert_int_eq(got_end, UNWIND_COMPLETE);
	while (i > 0) {
		while (k < n_got && got[k] != truth[i - 1]) {
			k++;
			skipped++;
		}
		ck_assert_msg(k < n_got, "frame %zu of %zu is missing", i,
		              n_truth);
		i--;
		k++;
	}
	ck_assert_uint_le(skipped, may_skip);
}

static const struct unwind_case {
	const char *name;
	void (*leaf)(void);
	void (*first)(int depth);
	int depth;
	bool has_altstack;
	size_t may_skip; /* frames of libc and of the kernel */
} cases[] = {
	{ "call", capture, plain, 12, false, 0 },
	{ "signal", raise_leaf, plain, 12, false, 3 },
	{ "altstack", raise_leaf, plain, 12, true, 3 },
	{ "nested", nested_leaf, plain, 12, false, 5 },
	{ "nested altstack", nested_leaf, plain, 12, true, 5 },
	{ "libc", capture, through_libc, 0, false, 8 },
	{ "deep", capture, plain, 40, false, 0 },
};

static void install(int signal, void (*simple)(int),
                    void (*full)(int, siginfo_t *, void *), bool altstack)
{
	static char stack[65536];
	struct sigaction action = { .sa_flags = altstack ? SA_ONSTACK : 0 };
	const stack_t alternate = { .ss_sp = stack,
		                    .ss_size = sizeof(stack) };

	if (altstack)
		ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
	if (full) {
		action.sa_flags |= SA_SIGINFO;
		action.sa_sigaction = full;
	} else {
		action.sa_handler = simple;
	}
	ck_assert_int_eq(sigaction(signal, &action, NULL), 0);
}

static void run_case(const struct unwind_case *c)
{
	install(SIGUSR1, NULL, on_signal, c->has_altstack);
	install(SIGUSR2, nested_handler, NULL, c->has_altstack);
	at_leaf = c->leaf;
	n_truth = n_got = 0;
	c->first(c->depth);
}

START_TEST(finds_the_truth)
{
	run_case(&cases[_i]);
	check_against_truth(cases[_i].may_skip);
}
END_TEST

static void *thread_main(void *arg)
{
	run_case(arg);
	return NULL;
}

START_TEST(finds_the_truth_in_threads)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *memory = mmap(NULL, 32768, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (cases[_i].has_altstack)
		return; /* the alternate stack is the main thread's */
	pthread_attr_init(&attr);
	ck_assert_int_eq(pthread_attr_setstack(&attr, memory, 32768), 0);
	ck_assert_int_eq(pthread_create(&thread, &attr, thread_main,
	                                (void *)(uintptr_t)&cases[_i]), 0);
	pthread_join(thread, NULL);
	check_against_truth(cases[_i].may_skip);
}
END_TEST

/* ---- Stacks of another kind ---- */

static ucontext_t main_context, coroutine;

static void coroutine_main(void)
{
	at_leaf = raise_leaf;
	plain(5);
}

START_TEST(coroutine_at_the_end_of_its_memory)
{
	/* Nothing is mapped behind the stack: to read there is to crash. */
	char *memory = mmap(NULL, 65536, PROT_NONE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i, k;

	mprotect(memory + 16384, 32768, PROT_READ | PROT_WRITE);
	install(SIGUSR1, NULL, on_signal, false);
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = memory + 16384;
	coroutine.uc_stack.ss_size = 32768;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, coroutine_main, 0);
	n_truth = n_got = 0;
	swapcontext(&main_context, &coroutine);
	ck_assert_uint_gt(n_truth, 6);
	for (i = n_truth, k = 0; i > 0; i--) {
		while (k < n_got && got[k] != truth[i - 1])
			k++;
		ck_assert_uint_lt(k, n_got);
	}
}
END_TEST

START_TEST(stops_at_max)
{
	struct cfi_regs regs;
	enum unwind_end end;
	uint64_t pcs[2];

	MACHINE_REGS_OF_CALLER(&regs);
	ck_assert_uint_eq(unwind(pcs, 2, &regs, UNWIND_AT_CALL, &end), 2);
	ck_assert_int_eq(end, UNWIND_FULL);
}
END_TEST

/* Registers that are nonsense end the stack, and nothing else. */
START_TEST(survives_nonsense)
{
	static const uint64_t values[] = {
		0, 1, 8, 4096, UINT64_C(0x7fffffffffff), UINT64_MAX,
		UINT64_MAX - 7, UINT64_C(1) << 63,
	};
	struct cfi_regs regs;
	enum unwind_end end;
	uint64_t pcs[MAX];
	size_t i, k;

	for (i = 0; i < 8; i++) {
		for (k = 0; k < 8; k++) {
			MACHINE_REGS_OF_CALLER(&regs);
			regs.values[MACHINE_BP] = values[i];
			unwind(pcs, MAX, &regs, UNWIND_AT_INSTRUCTION, &end);
			regs.values[MACHINE_SP] = values[k];
			unwind(pcs, MAX, &regs, UNWIND_AT_INSTRUCTION, &end);
			unwind_slowly(pcs, MAX, &regs, UNWIND_AT_INSTRUCTION,
			              memory_of_stack(values[k]), &end);
			regs.values[MACHINE_PC] = values[i];
			unwind(pcs, MAX, &regs, UNWIND_AT_CALL, &end);
		}
	}
}
END_TEST

/* ---- Single steps ---- */

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
	install(SIGTRAP, NULL, on_trap, false);
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

/* ---- The log of modules ---- */

START_TEST(logs_modules)
{
	static struct module_log log;
	char self[1024] = "";
	const char *path;
	uint32_t i, n_named = 0;

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	modules_log_to(&log);
	run_case(&cases[5]);
	ck_assert_uint_ge(log.n, 1);
	unwind_flush();
	run_case(&cases[5]);
	ck_assert_uint_ge(log.n, 2);
	for (i = 0; i < log.n; i++) {
		const struct module *m = &log.modules[i];

		path = log.paths + m->path;
		ck_assert_uint_eq(m->is_complete, 1);
		ck_assert_uint_lt(m->start, m->limit);
		ck_assert_uint_eq(m->offset % 4096, 0);
		n_named += m->path_size == strlen(self) &&
		           !memcmp(path, self, m->path_size);
		n_named += m->path_size > 9 &&
		           memmem(path, m->path_size, "libc.so", 7) != NULL;
	}
	ck_assert_uint_ge(n_named, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unwind");
	TCase *tc = tcase_create("unwind");
	SRunner *runner = srunner_create(suite);
	const int n = sizeof(cases) / sizeof(cases[0]);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, finds_the_truth, 0, n);
	tcase_add_loop_test(tc, finds_the_truth_in_threads, 0, n);
	tcase_add_test(tc, coroutine_at_the_end_of_its_memory);
	tcase_add_test(tc, stops_at_max);
	tcase_add_test(tc, survives_nonsense);
	tcase_add_test(tc, single_steps);
	tcase_add_test(tc, logs_modules);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
