/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepper [ROUNDS]: runs code of many kinds instruction by instruction and
 * unwinds at each one, in the trap's signal handler, with our unwinder and
 * with libunwind. Exit status 1 where ours is not as good.
 *
 * libunwind has its own gaps, so there is a third witness: the stepper sees
 * each call push its return address and knows where that lies; it is on the
 * stack as long as the stack pointer is below. The truth is wrong at the few
 * instructions that change it themselves (longjmp, the landing of an
 * exception), and there libunwind counts.
 */
#include "stepper.h"

#include "sampler/unwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { MAX = 128, TRAP_FLAG = 0x100, CALL_MAX = 15 };

volatile int step_is_on;

struct slot {
	uint64_t at, value;
	uint64_t sp; /* of what a signal interrupted; 0: this is a call */
};

static struct slot calls[MAX]; /* the truth, outermost first */
static size_t n_calls;
static uint64_t base[MAX];     /* what is below the victim, leaf first */
static size_t n_base;
static uint64_t last_pc, last_sp;

/* Stacks that are not as they should be, by kind. */
enum verdict {
	SAME,       /* as libunwind's */
	BETTER,     /* libunwind differs; ours is the truth */
	SHORT,      /* ours is a part of libunwind's */
	DIFFERENT,  /* libunwind's is the truth, or nobody's */
	N_VERDICTS
};

static uint64_t counts[N_VERDICTS], n_steps, n_true;

enum { REPORTS = 4 };

static struct report {
	uint64_t ours[MAX], theirs[MAX], truth[MAX];
	size_t n_ours, n_theirs, n_truth;
	enum unwind_end end;
} reports[REPORTS]; /* the first that were bad, of different places */
static size_t n_reports;

/* Plain instruction pointers: which of them are exact it tells unreliably. */
static size_t with_libunwind(uint64_t *pcs, ucontext_t *uc)
{
	unw_cursor_t cursor;
	size_t n = 0;
	unw_word_t ip;

	if (unw_init_local2(&cursor, uc, UNW_INIT_SIGNAL_FRAME) != 0)
		return 0;
	do {
		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) != 0 || ip == 0)
			break;
		pcs[n++] = ip;
	} while (n < MAX && unw_step(&cursor) > 0);
	return n;
}

static size_t true_stack(uint64_t *pcs, uint64_t pc)
{
	size_t i, n = 0;

	pcs[n++] = pc + 1;
	for (i = n_calls; i > 0 && n < MAX; i--)
		pcs[n++] = calls[i - 1].value;
	for (i = 0; i < n_base && n < MAX; i++)
		pcs[n++] = base[i];
	return n;
}

static bool is_same(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
	return n == m && memcmp(a, b, n * sizeof(*a)) == 0;
}

/* Ours may be one more, where an instruction was interrupted. */
static bool is_as_theirs(const struct report *r, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (r->ours[i] - r->theirs[i] > 1)
			return false;
	return true;
}

/* In the last instructions of longjmp or a throw: the leaf, where it will
   land, and what is true from there on. */
static bool is_landing(const struct report *r)
{
	const size_t n = r->n_ours - 2;

	return r->n_ours > 2 + n_base && n < r->n_truth &&
	       is_same(r->ours + 2, n, r->truth + r->n_truth - n, n);
}

static enum verdict judge(const struct report *r)
{
	const size_t n = r->n_ours;

	if (n == r->n_theirs && is_as_theirs(r, n))
		return SAME;
	if (is_same(r->ours, n, r->truth, r->n_truth) || is_landing(r))
		return BETTER;
	return n < r->n_theirs && r->end != UNWIND_COMPLETE &&
	       is_as_theirs(r, n) ? SHORT : DIFFERENT;
}

static void keep(const struct report *r)
{
	size_t i;

	for (i = 0; i < n_reports; i++)
		if (reports[i].ours[0] == r->ours[0])
			return;
	if (n_reports < REPORTS)
		reports[n_reports++] = *r;
}

static void compare(ucontext_t *uc)
{
	static struct report r;
	struct cfi_regs regs;
	enum verdict verdict;

	machine_regs_of_signal(&regs, uc);
	r.n_ours = unwind(r.ours, MAX, &regs, UNWIND_AT_INSTRUCTION, &r.end);
	r.n_theirs = with_libunwind(r.theirs, uc);
	r.n_truth = true_stack(r.truth, regs.values[MACHINE_PC]);
	verdict = judge(&r);
	counts[verdict]++;
	n_steps++;
	n_true += is_same(r.ours, r.n_ours, r.truth, r.n_truth);
	if (verdict >= SHORT)
		keep(&r);
}

/* What the last instruction did to the stack. */
static void follow(uint64_t pc, uint64_t sp)
{
	uint64_t top;

	while (n_calls > 0 && calls[n_calls - 1].at < sp) {
		const struct slot *s = &calls[--n_calls];

		/* An instruction may be done before the next trap. */
		if (s->sp != 0) {
			last_pc = s->value - 1;
			last_sp = s->sp;
		}
	}
	if (sp != last_sp - 8 || n_calls == MAX)
		return;
	memcpy(&top, (const void *)(uintptr_t)sp, sizeof(top));
	if (top > last_pc && top - last_pc <= CALL_MAX && pc != top)
		calls[n_calls++] = (struct slot){ sp, top, 0 };
}

void step_note_signal(const void *ucontext)
{
	const ucontext_t *uc = ucontext;
	const uint64_t at = (uint64_t)(uintptr_t)ucontext;
	uint64_t restorer;

	memcpy(&restorer, (const char *)ucontext - 8, sizeof(restorer));
	/* The signal may have come before the trap did. */
	follow((uint64_t)uc->uc_mcontext.gregs[REG_RIP],
	       (uint64_t)uc->uc_mcontext.gregs[REG_RSP]);
	if (n_calls > MAX - 2)
		return;
	calls[n_calls++] = (struct slot){
		at, (uint64_t)uc->uc_mcontext.gregs[REG_RIP] + 1,
		(uint64_t)uc->uc_mcontext.gregs[REG_RSP]
	};
	calls[n_calls++] = (struct slot){ at - 8, restorer, 0 };
}

static void on_trap(int signal, siginfo_t *info, void *ucontext)
{
	ucontext_t *uc = ucontext;
	greg_t *regs = uc->uc_mcontext.gregs;
	const uint64_t pc = (uint64_t)regs[REG_RIP];
	const uint64_t sp = (uint64_t)regs[REG_RSP];

	(void)signal;
	if (info->si_code != TRAP_TRACE) {
		/* raise(): begin, or end where it was on. */
		regs[REG_EFL] ^= TRAP_FLAG;
		return;
	}
	if (!(regs[REG_EFL] & TRAP_FLAG))
		return; /* a late one, in another signal's handler */
	if (step_is_on) {
		follow(pc, sp);
		compare(uc);
	}
	last_pc = pc;
	last_sp = sp;
}

static __attribute__((noinline)) void step(void (*victim)(void))
{
	void *below[MAX];
	int i, n = backtrace(below, MAX);

	/* All but this function's own frame. */
	n_base = 0;
	for (i = 1; i < n; i++)
		base[n_base++] = (uint64_t)(uintptr_t)below[i];
	n_calls = 0;
	raise(SIGTRAP);
	step_is_on = 1;
	victim();
	step_is_on = 0;
	raise(SIGTRAP);
}

static void print_stack(const char *name, const uint64_t *pcs, size_t n)
{
	void *pc;
	size_t i;

	fprintf(stderr, "%s\n", name);
	fflush(stderr);
	for (i = 0; i < n; i++) {
		pc = (void *)(uintptr_t)pcs[i];
		backtrace_symbols_fd(&pc, 1, 2);
	}
}

static const struct victim {
	const char *name;
	void (*run)(void);
} victims[] = {
	{ "C -O0", victim_O0 },
	{ "C -O1, frame pointers", victim_O1_fp },
	{ "C -O2", victim_O2 },
	{ "C -Os", victim_Os },
	{ "C++ -O0", throw_O0 },
	{ "C++ -O2", throw_O2 },
	{ "shared library", victim_library },
	{ "shared library, IBT", victim_library_ibt },
	{ "signals", victim_signals },
	{ "timer signals", victim_timer },
	{ "longjmp", victim_jumps },
	{ "libc", victim_libc },
	{ "libcrypto", victim_crypto },
};

static bool run_victim(const struct victim *v)
{
	size_t i;

	n_reports = 0;
	memset(counts, 0, sizeof(counts));
	n_steps = n_true = 0;
	step(v->run);
	printf("%-24s %9llu %9llu %6llu %6llu %6llu %9llu\n", v->name,
	       (unsigned long long)n_steps, (unsigned long long)counts[SAME],
	       (unsigned long long)counts[BETTER],
	       (unsigned long long)counts[SHORT],
	       (unsigned long long)counts[DIFFERENT],
	       (unsigned long long)n_true);
	fflush(stdout);
	for (i = 0; i < n_reports; i++) {
		const struct report *r = &reports[i];

		print_stack("ours:", r->ours, r->n_ours);
		print_stack("libunwind's:", r->theirs, r->n_theirs);
		print_stack("true:", r->truth, r->n_truth);
	}
	return n_reports == 0;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 1;
	static char memory[1 << 18];
	const stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK,
		                    .sa_sigaction = on_trap };
	bool is_good = true;
	size_t i;
	int k;

	sigaltstack(&stack, NULL);
	sigfillset(&action.sa_mask);
	sigaction(SIGTRAP, &action, NULL);
	printf("%-24s %9s %9s %6s %6s %6s %9s\n", "stacks", "steps",
	       "libunwind", "better", "short", "wrong", "truth");
	for (k = 0; k < rounds; k++)
		for (i = 0; i < sizeof(victims) / sizeof(victims[0]); i++)
			is_good &= run_victim(&victims[i]);
	return !is_good;
}
