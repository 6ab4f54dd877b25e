/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaves get of the samples, against the CPU time they used: shares
 * SOURCE HZ. A program spends 2 s of CPU time in six functions, in slices of
 * 20 to 500 us at 32 depths of the stack, so that stacks are distinct and the
 * order has no period. Rows of "leaf  expected  got  sigmas", then chi-square
 * for 5 degrees of freedom (3 sigma: 18.2) and how many of the samples that
 * HZ means for the CPU time came.
 */
#include <profile/sampler.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTHS = 32 };

#define LEAF(n)                                                               \
	__attribute__((noinline, section("leaf_" #n))) static void run_##n(  \
		unsigned turns)                                               \
	{                                                                     \
		volatile unsigned i;                                          \
                                                                              \
		for (i = 0; i < turns; i++)                                   \
			;                                                     \
	}                                                                     \
	extern const char __start_leaf_##n[], __stop_leaf_##n[];

LEAF(a)
LEAF(b)
LEAF(c)
LEAF(d)
LEAF(e)
LEAF(f)

static const struct leaf {
	void (*run)(unsigned turns);
	const char *begin, *end;
	unsigned tickets; /* of 64 */
} leaves[] = {
#define ROW(n, tickets) { run_##n, __start_leaf_##n, __stop_leaf_##n, tickets }
	ROW(a, 32), ROW(b, 16), ROW(c, 8), ROW(d, 4), ROW(e, 3), ROW(f, 1)
};

enum { LEAVES = sizeof(leaves) / sizeof(leaves[0]) };

static double used[LEAVES], got[LEAVES], others;

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *read_samples(void *unused)
{
	struct prof_chunk c;
	const uint64_t *w;
	size_t i, k;

	while (prof_cpu_read(&c) == PROF_GOT_CHUNK) {
		for (i = 0, w = c.words; i < c.n_tags; i++, w += w[0]) {
			const char *pc = (const char *)(uintptr_t)w[3];

			if (w[0] <= 3 || c.tags[i] == 0)
				continue;
			for (k = 0; k < LEAVES; k++)
				if (pc > leaves[k].begin && pc <= leaves[k].end)
					break;
			*(k < LEAVES ? &got[k] : &others) += (double)w[2];
		}
	}
	return unused;
}

static __attribute__((noinline)) void at_depth(unsigned depth, unsigned leaf,
                                               unsigned turns)
{
	if (depth > 0)
		at_depth(depth - 1, leaf, turns);
	else
		leaves[leaf].run(turns);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static unsigned draw(unsigned n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 33) % n;
}

static unsigned draw_leaf(void)
{
	unsigned ticket = draw(64), k = 0;

	while (ticket >= leaves[k].tickets)
		ticket -= leaves[k++].tickets;
	return k;
}

static double turns_in_a_us(void)
{
	const double start = cpu_ns();

	run_a(20000000);
	return 20000000 / ((cpu_ns() - start) / 1000);
}

static void work(void)
{
	const double turns = turns_in_a_us(), end = cpu_ns() + 2e9;
	double start, now = cpu_ns();

	while (now < end) {
		const unsigned leaf = draw_leaf();

		start = now;
		at_depth(draw(DEPTHS), leaf,
		         (unsigned)(turns * (20 + draw(481))));
		now = cpu_ns();
		used[leaf] += now - start;
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "auto", "perf", "perf-user",
		                             "timer" };
	struct prof_cpu_options o = PROF_OPTIONS(prof_cpu_options, .hz = 0);
	const struct prof_label_pair pair = { "at", "work" };
	const struct prof_label_set *set;
	double all_used = 0, all_got, chi = 0;
	struct prof_cpu_counts counts;
	struct prof_error err;
	pthread_t reader;
	unsigned k;

	if (argc != 3)
		return 2;
	for (k = 0; k < 4; k++)
		if (!strcmp(names[k], argv[1]))
			o.source = (enum prof_cpu_source)k;
	o.hz = (uint32_t)atoi(argv[2]);
	set = prof_labels_with(NULL, &pair, 1, &err);
	if (!set || prof_cpu_start(&o, &err) != PROF_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	pthread_create(&reader, NULL, read_samples, NULL);
	turns_in_a_us(); /* the processor is warm */
	prof_labels_set(set);
	work();
	prof_labels_set(NULL);
	prof_cpu_get_counts(&counts);
	prof_cpu_stop();
	pthread_join(reader, NULL);

	all_got = 0;
	for (k = 0; k < LEAVES; k++) {
		all_used += used[k];
		all_got += got[k];
	}
	printf("source %s, %u Hz\n", names[counts.source], o.hz);
	for (k = 0; k < LEAVES; k++) {
		const double share = used[k] / all_used;
		const double expected = share * all_got;

		printf("leaf %c %8.1f %6.0f %6.2f\n", (char)('a' + k), expected,
		       got[k], (got[k] - expected) /
		       sqrt(expected * (1 - share)));
		chi += (got[k] - expected) * (got[k] - expected) / expected;
	}
	printf("chi-square %.2f; elsewhere %.0f; came %.3f; lost %lu\n", chi,
	       others, (all_got + others) / (all_used * 1e-9 * o.hz),
	       (unsigned long)counts.lost);
	return 0;
}
