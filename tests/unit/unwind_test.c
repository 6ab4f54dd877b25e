/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks against a truth that is compiled in: the functions on the way note
 * the return addresses themselves. By the word rules and by the interpreter
 * of all registers.
 */
#include "sampler/modules.h"
#include "sampler/unwind.h"

#include <alloca.h>
#include <check.h>
#include <dlfcn.h>
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

static bool is_slow; /* which of the two is asked */

static void take(const struct cfi_regs *regs, enum unwind_start start)
{
	n_got = is_slow ? unwind_slowly(
				  got, MAX, regs, start,
				  memory_of_stack(regs->values[MACHINE_SP]),
				  &got_end)
	                : unwind(got, MAX, regs, start, &got_end);
}

static NOINLINE void capture(void)
{
	struct cfi_regs regs;

	NOTE();
	MACHINE_REGS_OF_CALLER(&regs);
	take(&regs, UNWIND_AT_CALL);
}

static void on_signal(int signal, siginfo_t *info, void *ucontext)
{
	struct cfi_regs regs;

	(void)signal;
	(void)info;
	machine_regs_of_signal(&regs, ucontext);
	take(&regs, UNWIND_AT_INSTRUCTION);
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

START_TEST(finds_the_truth_slowly)
{
	is_slow = true;
	run_case(&cases[_i]);
	is_slow = false;
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
	const long least = sysconf(_SC_THREAD_STACK_MIN);
	const size_t size = least > 32768 ? (size_t)least : 32768;
	pthread_attr_t attr;
	pthread_t thread;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (cases[_i].has_altstack)
		return; /* the alternate stack is the main thread's */
	pthread_attr_init(&attr);
	ck_assert_int_eq(pthread_attr_setstack(&attr, memory, size), 0);
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

/* ---- Objects that come and go ---- */

static bool becomes_known(uint64_t pc)
{
	const struct timespec a_while = { 0, 20000000 };
	struct cfi_tables tables;
	int i;

	for (i = 0; i < 100; i++) {
		if (modules_find(&tables, pc))
			return true;
		nanosleep(&a_while, NULL);
	}
	return false;
}

START_TEST(follows_loading)
{
	static struct module_log log;
	uint32_t i, n_gone = 0;
	uint64_t pc = 0;
	void *library;
	int k;

	modules_log_to(&log);
	modules_have_gone();
	ck_assert(!modules_have_gone());
	for (k = 0; k < 3; k++) {
		/* The smallest one of glibc. */
		library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
		if (!library)
			return;
		pc = (uint64_t)(uintptr_t)dlsym(library,
		                                "__ctype_get_mb_cur_max");
		ck_assert_uint_ne(pc, 0);
		ck_assert(becomes_known(pc));
		ck_assert(modules_contain(pc));
		ck_assert(!modules_have_gone());
		dlclose(library);
		ck_assert(modules_have_gone());
		unwind_flush();
		modules_after_unload();
		ck_assert(!modules_contain(pc));
	}
	for (i = 0; i < log.n; i++)
		n_gone += log.modules[i].limit == 0;
	ck_assert_uint_eq(n_gone, 3);
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
	tcase_add_loop_test(tc, finds_the_truth_slowly, 0, n);
	tcase_add_loop_test(tc, finds_the_truth_in_threads, 0, n);
	tcase_add_test(tc, coroutine_at_the_end_of_its_memory);
	tcase_add_test(tc, stops_at_max);
	tcase_add_test(tc, survives_nonsense);
	tcase_add_test(tc, follows_loading);
	tcase_add_test(tc, logs_modules);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
