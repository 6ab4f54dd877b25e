/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPU samples cost the thread that is sampled: overhead [SLICES]. The
 * same work, 35 calls deep and without frame pointers, in slices that are
 * sampled and not in turn; rows of "source hz median of ratios, quartiles" of
 * the CPU time of a slice to that of the one before it, which was not.
 */
#include <profile/sampler.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_SLICES = 1000, DEPTH = 35 };

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* About a tenth of a second. */
static __attribute__((noinline)) uint64_t work(unsigned depth)
{
	volatile uint64_t sum = depth;
	unsigned i;

	if (depth > 0)
		return work(depth - 1) + sum;
	for (i = 0; i < 300000000; i++)
		sum += i;
	return sum;
}

static uint64_t slice(void)
{
	const uint64_t start = cpu_ns();

	work(DEPTH);
	return cpu_ns() - start;
}

static void drain(void)
{
	struct prof_chunk chunk;

	while (prof_cpu_poll(&chunk) == PROF_GOT_CHUNK)
		;
}

static int compare(const void *a_, const void *b_)
{
	const double a = *(const double *)a_, b = *(const double *)b_;

	return (a > b) - (a < b);
}

static void measure(const char *name, enum prof_cpu_source source,
                    uint32_t hz, int n)
{
	static double ratios[MAX_SLICES];
	struct prof_error err;
	double alone;
	int i;

	for (i = 0; i < n; i++) {
		alone = (double)slice();
		if (prof_cpu_start(&PROF_OPTIONS(prof_cpu_options, .hz = hz,
		                                 .source = source),
		                   &err) != PROF_OK) {
			printf("%-9s %5u  %s\n", name, hz, err.message);
			return;
		}
		ratios[i] = (double)slice() / alone;
		prof_cpu_stop();
		drain();
	}
	qsort(ratios, (size_t)n, sizeof(ratios[0]), compare);
	printf("%-9s %5u  %.4f  %.4f %.4f\n", name, hz, ratios[n / 2],
	       ratios[n / 4], ratios[n * 3 / 4]);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 60;

	if (n < 1 || n > MAX_SLICES)
		return 2;
	measure("timer", PROF_CPU_TIMER, 100, n);
	measure("perf", PROF_CPU_PERF, 100, n);
	measure("perf-user", PROF_CPU_PERF_USER, 100, n);
	measure("perf", PROF_CPU_PERF, 1000, n / 2 + 1);
	return 0;
}
