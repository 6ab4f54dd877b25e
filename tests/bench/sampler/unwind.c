/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a frame costs to unwind, in nanoseconds: our unwinder, libunwind's
 * unw_step() (which a signal handler would use) and libgcc's, in a stack of
 * 40 frames of 30 functions.
 *
 *	hot   best of 30 batches
 *	miss  the rules forgotten (ours only): median of 101
 *	cold  48 MiB written before: median of 101
 *
 * With an argument, that many hot unwindings and nothing else (callgrind).
 */
#include "sampler/unwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unwind.h>

enum { MAX = 128, DEPTH = 36, ROUNDS = 101, BATCHES = 30, BATCH = 500 };

static uint64_t pcs[MAX];
static size_t n_frames;

/* ---- The three ---- */

static __attribute__((noinline)) void ours(void)
{
	struct cfi_regs regs;
	enum unwind_end end;

	MACHINE_REGS_OF_CALLER(&regs);
	n_frames = unwind(pcs, MAX, &regs, UNWIND_AT_CALL, &end);
}

static __attribute__((noinline)) void libunwinds(void)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t ip;

	n_frames = 0;
	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		pcs[n_frames++] = ip;
	} while (n_frames < MAX && unw_step(&cursor) > 0);
}

static _Unwind_Reason_Code take(struct _Unwind_Context *context, void *ctx)
{
	(void)ctx;
	pcs[n_frames++] = _Unwind_GetIP(context);
	return n_frames < MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static __attribute__((noinline)) void libgccs(void)
{
	n_frames = 0;
	_Unwind_Backtrace(take, NULL);
}

/* ---- A stack ---- */

static void (*at_leaf)(void);
static volatile unsigned sink;

#define FRAME(n)                                                              \
	static __attribute__((noinline)) unsigned frame##n(unsigned a,        \
	                                                   unsigned b)        \
	{                                                                     \
		volatile unsigned local[1 + n * 5 % 23];                      \
		unsigned c = a * 3 + b, d = a ^ (b << n % 7);                 \
                                                                              \
		local[0] = c;                                                 \
		c += next(a - 1, d);                                          \
		return n % 3 == 0 ? c + local[0]                              \
		                  : c * d + (n % 3 == 1 ? a : b) + local[0];  \
	}

static unsigned next(unsigned a, unsigned b);

FRAME(0) FRAME(1) FRAME(2) FRAME(3) FRAME(4) FRAME(5) FRAME(6) FRAME(7)
FRAME(8) FRAME(9) FRAME(10) FRAME(11) FRAME(12) FRAME(13) FRAME(14) FRAME(15)
FRAME(16) FRAME(17) FRAME(18) FRAME(19) FRAME(20) FRAME(21) FRAME(22)
FRAME(23) FRAME(24) FRAME(25) FRAME(26) FRAME(27) FRAME(28) FRAME(29)

static unsigned (*const frames[])(unsigned, unsigned) = {
	frame0,  frame1,  frame2,  frame3,  frame4,  frame5,  frame6,  frame7,
	frame8,  frame9,  frame10, frame11, frame12, frame13, frame14, frame15,
	frame16, frame17, frame18, frame19, frame20, frame21, frame22, frame23,
	frame24, frame25, frame26, frame27, frame28, frame29,
};

/* In line, so that each frame is one of the thirty. */
static inline __attribute__((always_inline)) unsigned next(unsigned a,
                                                           unsigned b)
{
	if (a != 0)
		return frames[(a * 7) % 30](a, b);
	at_leaf();
	return b;
}

/* ---- Measuring ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void (*measured)(void);

static double hot(void)
{
	double begin, ns, best = 1e18;
	int i, k;

	for (i = 0; i < BATCHES; i++) {
		begin = now();
		for (k = 0; k < BATCH; k++)
			measured();
		ns = (now() - begin) / BATCH / (double)n_frames;
		best = ns < best ? ns : best;
	}
	return best;
}

static void nothing(void)
{
}

static void evict(void)
{
	enum { SIZE = 48 << 20 };
	static unsigned char *memory;
	size_t i;

	if (!memory)
		memory = malloc(SIZE);
	for (i = 0; memory && i < SIZE; i += 64)
		memory[i]++;
}

static double after(void (*prepare)(void))
{
	double all[ROUNDS], begin;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		prepare();
		begin = now();
		measured();
		all[i] = (now() - begin) / (double)n_frames;
	}
	qsort(all, ROUNDS, sizeof(all[0]), by_value);
	return all[ROUNDS / 2];
}

static int n_times;

static void count(void)
{
	int i;

	for (i = 0; i < n_times; i++)
		ours();
}

static void print(const char *name, void (*which)(void), void (*forget)(void))
{
	measured = which;
	measured();
	printf("%-10s %3zu frames  hot %7.1f", name, n_frames, hot());
	printf("  miss %7.1f", after(forget));
	printf("  cold %7.1f\n", after(evict));
}

static void report(void)
{
	print("ours", ours, unwind_flush);
	print("libunwind", libunwinds, nothing);
	print("libgcc", libgccs, nothing);
}

int main(int argc, char **argv)
{
	n_times = argc > 1 ? atoi(argv[1]) : 0;
	at_leaf = argc > 1 ? count : report;
	sink = next(DEPTH, 1);
	return 0;
}
