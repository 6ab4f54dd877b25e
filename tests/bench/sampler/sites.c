/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How true the heap profile is for each site: sites RATE. Rows of "site  bytes
 * estimate  variance  live-bytes  estimate  variance": what the site allocated
 * and has not freed, and what its samples say by the scaling of each size. The
 * runs of a process each are summed by run.sh.
 */
#include <profile/sampler.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EACH = 64 << 20, RECORDS = 1 << 16 };

struct sum {
	double truth, estimate, variance;
};

static void *volatile last;

/* Allocates EACH bytes in blocks of `size`, or up to it, keeps one of four. */
#define SITE(n, size)                                                         \
	__attribute__((noinline, section("site_" #n))) static void run_##n(  \
		struct sum *all, struct sum *live)                            \
	{                                                                     \
		unsigned i;                                                   \
                                                                              \
		for (i = 0; all->truth < EACH; i++) {                         \
			const size_t s = (size);                              \
			void *block = malloc(s);                              \
                                                                              \
			last = block;                                         \
			all->truth += (double)s;                              \
			if (i % 4 == 0)                                       \
				live->truth += (double)s;                     \
			else                                                  \
				free(block);                                  \
		}                                                             \
	}                                                                     \
	extern const char __start_site_##n[], __stop_site_##n[];

SITE(a, 16)
SITE(b, 100)
SITE(c, 1000)
SITE(d, 10000)
SITE(e, 100000)
SITE(f, 1000000)
SITE(g, 16 + i * 7 % 300 * 16)
SITE(h, i % 2 ? 32 : 32768)

static const struct site {
	void (*run)(struct sum *all, struct sum *live);
	const char *begin, *end;
} sites[] = {
#define ROW(n) { run_##n, __start_site_##n, __stop_site_##n }
	ROW(a), ROW(b), ROW(c), ROW(d), ROW(e), ROW(f), ROW(g), ROW(h)
};

enum { SITES = sizeof(sites) / sizeof(sites[0]) };

/* Samples of blocks of one size: each stands for 1 / p of them. */
static void add(struct sum *s, int64_t bytes, int64_t objects, double rate)
{
	double size, p;

	if (objects <= 0)
		return;
	size = (double)bytes / (double)objects;
	p = 1 - exp(-(size + 1) / rate);
	s->estimate += (double)bytes / p;
	s->variance += (double)bytes * size * (1 - p) / (p * p);
}

int main(int argc, char **argv)
{
	static struct prof_mem_record recs[RECORDS];
	static struct sum all[SITES], live[SITES];
	const int rate = argc == 2 ? atoi(argv[1]) : 0;
	size_t n, i, k;

	if (rate <= 0)
		return 2;
	prof_set_mem_rate(rate);
	/* The first gap was drawn at another rate. */
	free(malloc(1 << 24));
	for (k = 0; k < SITES; k++)
		sites[k].run(&all[k], &live[k]);
	if (!prof_mem_records(&n, recs, RECORDS))
		return 1;
	prof_set_mem_rate(0);
	for (i = 0; i < n; i++) {
		const struct prof_mem_record *r = &recs[i];
		const char *pc = (const char *)(uintptr_t)r->stack[0];

		for (k = 0; k < SITES; k++) {
			if (pc <= sites[k].begin || pc > sites[k].end)
				continue;
			add(&all[k], r->alloc_bytes, r->alloc_objects, rate);
			add(&live[k], r->alloc_bytes - r->free_bytes,
			    r->alloc_objects - r->free_objects, rate);
		}
	}
	for (k = 0; k < SITES; k++)
		printf("%c %.0f %.0f %.0f %.0f %.0f %.0f\n", (char)('a' + k),
		       all[k].truth, all[k].estimate, all[k].variance,
		       live[k].truth, live[k].estimate, live[k].variance);
	return 0;
}
