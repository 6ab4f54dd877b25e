/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap profile of a program that links libprofile-preload: at rate 1 it
 * is exact for every entry point of the allocator, and at other rates its
 * scaled sums are right on the average.
 */
#include <profile/sampler.h>

#include <check.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

/* Sizes nobody else allocates tell our blocks from check's. */
enum { SIZE = 12344, N = 50 };

struct sums {
	int64_t allocs, frees;
};

static struct sums sums_of(size_t size)
{
	static struct prof_mem_record recs[8192];
	struct sums s = { 0, 0 };
	size_t n, i;

	ck_assert(prof_mem_records(&n, recs, 8192));
	for (i = 0; i < n; i++) {
		if (recs[i].alloc_objects == 0 ||
		    recs[i].alloc_bytes / recs[i].alloc_objects !=
		            (int64_t)size)
			continue;
		s.allocs += recs[i].alloc_objects;
		s.frees += recs[i].free_objects;
		ck_assert_uint_ne(recs[i].stack[0], 0);
		ck_assert_uint_ne(recs[i].stack[1], 0);
	}
	return s;
}

/* ---- Every entry point ---- */

static void *volatile block;

static NOINLINE void *by_malloc(size_t n) { return malloc(n); }
static NOINLINE void *by_calloc(size_t n) { return calloc(n / 8, 8); }
static NOINLINE void *by_realloc(size_t n) { return realloc(NULL, n); }
static NOINLINE void *by_reallocarray(size_t n)
{
	return reallocarray(NULL, n / 4, 4);
}
static NOINLINE void *by_memalign(size_t n) { return memalign(256, n); }
static NOINLINE void *by_aligned_alloc(size_t n)
{
	return aligned_alloc(64, n);
}
static NOINLINE void *by_valloc(size_t n) { return valloc(n); }
static NOINLINE void *by_posix_memalign(size_t n)
{
	void *p = NULL;

	ck_assert_int_eq(posix_memalign(&p, 1024, n), 0);
	return p;
}
static NOINLINE void *by_growing(size_t n)
{
	void *p = malloc(n * 2 + 16);

	block = p;
	return realloc(p, n);
}

/* C++'s operators; the size goes last, and then the alignment. */
void *_Znwm(size_t size);
void *_Znam(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *tag);
void *_ZnwmSt11align_val_t(size_t size, size_t alignment);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t alignment,
                                         const void *tag);
void _ZdlPv(void *p);
void _ZdaPv(void *p);
void _ZdlPvm(void *p, size_t size);
void _ZdlPvSt11align_val_t(void *p, size_t alignment);
void _ZdaPvSt11align_val_t(void *p, size_t alignment);

static size_t size_now; /* of the row's blocks */

static NOINLINE void *by_new(size_t n) { return _Znwm(n); }
static NOINLINE void *by_new_array(size_t n) { return _Znam(n); }
static NOINLINE void *by_new_nothrow(size_t n)
{
	return _ZnwmRKSt9nothrow_t(n, "");
}
static NOINLINE void *by_new_aligned(size_t n)
{
	return _ZnwmSt11align_val_t(n, 128);
}
static NOINLINE void *by_new_aligned_nothrow(size_t n)
{
	return _ZnamSt11align_val_tRKSt9nothrow_t(n, 128, "");
}
static void delete_sized(void *p) { _ZdlPvm(p, size_now); }
static void delete_aligned(void *p) { _ZdlPvSt11align_val_t(p, 128); }
static void delete_array_aligned(void *p) { _ZdaPvSt11align_val_t(p, 128); }

static const struct entry {
	void *(*make)(size_t size);
	void (*end)(void *p);
} entries[] = {
	{ by_malloc, free },
	{ by_calloc, free },
	{ by_realloc, free },
	{ by_reallocarray, free },
	{ by_memalign, free },
	{ by_aligned_alloc, free },
	{ by_valloc, free },
	{ by_posix_memalign, free },
	{ by_growing, free },
	{ by_new, _ZdlPv },
	{ by_new, delete_sized },
	{ by_new_array, _ZdaPv },
	{ by_new_nothrow, _ZdlPv },
	{ by_new_aligned, delete_aligned },
	{ by_new_aligned_nothrow, delete_array_aligned },
};

enum { N_BY_MALLOC = 9 }; /* what realloc() may be asked for */

START_TEST(rate_1_is_exact)
{
	const size_t size = SIZE + (size_t)_i * 8;
	void *blocks[N];
	struct sums s;
	int i;

	size_now = size;
	prof_set_mem_rate(1);
	free(malloc(1 << 21)); /* this thread takes notice of the rate */
	for (i = 0; i < N; i++) {
		blocks[i] = entries[_i].make(size);
		ck_assert_ptr_nonnull(blocks[i]);
		memset(blocks[i], 1, size);
	}
	for (i = 0; i < 20; i++)
		entries[_i].end(blocks[i]);
	s = sums_of(size);
	ck_assert_int_eq(s.allocs, N);
	ck_assert_int_eq(s.frees, 20);
	for (i = 20; i < N; i++)
		entries[_i].end(blocks[i]);
	prof_set_mem_rate(0);
	ck_assert_int_eq(sums_of(size).frees, N);
}
END_TEST

START_TEST(realloc_moves_what_is_known)
{
	const size_t size = SIZE + 8000 + (size_t)_i * 8;
	void *p, *other;

	prof_set_mem_rate(1);
	free(malloc(1 << 21));
	p = entries[_i].make(size);
	other = entries[_i].make(size);
	/* Freed by another size: the old block goes. */
	block = realloc(p, size * 3);
	ck_assert_ptr_nonnull(block);
	/* One that cannot be done leaves the block as it is. */
	ck_assert_ptr_null(realloc(other, SIZE_MAX / 4));
	ck_assert_int_eq(sums_of(size).allocs, 2);
	ck_assert_int_eq(sums_of(size).frees, 1);
	ck_assert_int_eq(sums_of(size * 3).allocs, 1);
	/* To nothing is a free. */
	block = realloc(block, 0);
	ck_assert_int_eq(sums_of(size * 3).frees, 1);
	free(block);
	free(other);
	ck_assert_int_eq(sums_of(size).frees, 2);
	prof_set_mem_rate(0);
}
END_TEST

START_TEST(misuse_fails_as_before)
{
	static volatile size_t huge = SIZE_MAX / 2;
	void *p = &p;

	prof_set_mem_rate(1);
	ck_assert_int_eq(posix_memalign(&p, 3, 100), 22);
	ck_assert_ptr_eq(p, &p);
	ck_assert_ptr_null(calloc(huge, 4));
	ck_assert_ptr_null(reallocarray(NULL, huge, 4));
	ck_assert_ptr_null(malloc(huge * 2 - 100));
	ck_assert_ptr_null(malloc(huge));
	free(NULL);
	p = malloc(0);
	free(p);
	free(malloc(100));
	prof_set_mem_rate(0);
}
END_TEST

/* ---- Threads that free each other's blocks ---- */

static void *mailbox[8];
static pthread_mutex_t mailbox_lock = PTHREAD_MUTEX_INITIALIZER;

static void *exchange(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg, i;

	for (i = 0; i < 20000; i++) {
		void *mine = malloc(20008), *old;
		const unsigned slot = (seed = seed * 1103515245 + 12345) >> 29;

		pthread_mutex_lock(&mailbox_lock);
		old = mailbox[slot];
		mailbox[slot] = mine;
		pthread_mutex_unlock(&mailbox_lock);
		free(old);
	}
	return NULL;
}

START_TEST(threads_lose_nothing)
{
	pthread_t threads[4];
	struct sums s;
	uintptr_t i;

	prof_set_mem_rate(1);
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, exchange, (void *)(i + 1));
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 8; i++)
		free(mailbox[i]);
	prof_set_mem_rate(0);
	s = sums_of(20008);
	ck_assert_int_eq(s.allocs, 4 * 20000);
	ck_assert_int_eq(s.frees, s.allocs);
}
END_TEST

/* ---- Sampling is unbiased ---- */

static const struct rate_case {
	int64_t rate;
	size_t size;
	int n;
} rate_cases[] = {
	{ 4096, 104, 200000 },
	{ 4096, 5000, 20000 },
	{ 65536, 1000, 300000 },
	{ 65536, 100000, 3000 },
};

START_TEST(rates_are_unbiased)
{
	const struct rate_case *c = &rate_cases[_i];
	const double p = 1 - exp(-((double)c->size + 1) / (double)c->rate);
	double estimate, sigma;
	struct sums s;
	int i;

	prof_set_mem_rate(c->rate);
	free(malloc(1 << 21));
	for (i = 0; i < c->n; i++) {
		block = malloc(c->size);
		free(block);
	}
	prof_set_mem_rate(0);
	s = sums_of(c->size);
	ck_assert_int_eq(s.allocs, s.frees);
	estimate = (double)s.allocs / p;
	sigma = sqrt(c->n * (1 - p) / p);
	ck_assert_msg(fabs(estimate - c->n) < 5 * sigma,
	              "%.0f for %d, sigma %.0f", estimate, c->n, sigma);
}
END_TEST

/* ---- Sites that mix sizes, what is kept and what is freed ---- */

enum { N_SITES = 4, N_ROUNDS = 20, N_EACH = 4000 };

static void *volatile kept[N_SITES][N_EACH / 4];

/* Every fourth is kept; a site's sizes are all the same modulo 16. */
static NOINLINE void use_site(int site, int round)
{
	unsigned i, n_kept = 0;

	for (i = 0; i < N_EACH; i++) {
		/* 17 to 5000 bytes: far below the rate and above it. */
		const size_t size = 16 * (1 + (i * 7 + (unsigned)round) % 300) +
		                    (size_t)site + 1;

		block = malloc(size);
		if (i % 4 == 0)
			kept[site][n_kept++] = block;
		else
			free(block);
	}
	while (n_kept > 0)
		free(kept[site][--n_kept]);
}

struct estimate {
	double bytes, variance;
};

/* Of what a site allocated, by Go's scaling of each size. */
static struct estimate estimate_of(int site, int64_t rate)
{
	static struct prof_mem_record recs[65536];
	struct estimate e = { 0, 0 };
	size_t n, i;

	ck_assert(prof_mem_records(&n, recs, 65536));
	for (i = 0; i < n; i++) {
		const double allocs = (double)recs[i].alloc_objects;
		double size, p;

		if (recs[i].alloc_objects == 0)
			continue;
		size = (double)recs[i].alloc_bytes / allocs;
		if ((int)size % 16 != site + 1 || size < 17 || size > 5000)
			continue;
		ck_assert_int_eq(recs[i].alloc_objects, recs[i].free_objects);
		p = 1 - exp(-(size + 1) / (double)rate);
		e.bytes += allocs * size / p;
		e.variance += allocs * size * size * (1 - p) / (p * p);
	}
	return e;
}

START_TEST(sites_are_unbiased)
{
	const int64_t rate = _i == 0 ? 1024 : 16384;
	double truth = 0;
	struct estimate e;
	int site, round;
	unsigned i;

	prof_set_mem_rate(rate);
	free(malloc(1 << 21));
	for (round = 0; round < N_ROUNDS; round++)
		for (site = 0; site < N_SITES; site++)
			use_site(site, round);
	prof_set_mem_rate(0);
	for (round = 0; round < N_ROUNDS; round++)
		for (i = 0; i < N_EACH; i++)
			truth += 16 * (1 + (i * 7 + (unsigned)round) % 300);
	for (site = 0; site < N_SITES; site++) {
		const double all = truth + (double)N_ROUNDS * N_EACH *
		                                   (site + 1);

		e = estimate_of(site, rate);
		ck_assert_msg(fabs(e.bytes - all) < 5 * sqrt(e.variance),
		              "site %d: %.0f of %.0f, sigma %.0f", site,
		              e.bytes, all, sqrt(e.variance));
	}
}
END_TEST

START_TEST(forks)
{
	pid_t child;
	int status;

	prof_set_mem_rate(1);
	free(malloc(1 << 21));
	block = malloc(30008);
	child = fork();
	if (child == 0) {
		free(block);
		free(malloc(30008));
		_exit(sums_of(30008).frees == 2 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(sums_of(30008).frees, 0);
	free(block);
	prof_set_mem_rate(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tc = tcase_create("heap");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, rate_1_is_exact, 0,
	                    sizeof(entries) / sizeof(entries[0]));
	tcase_add_loop_test(tc, realloc_moves_what_is_known, 0, N_BY_MALLOC);
	tcase_add_test(tc, misuse_fails_as_before);
	tcase_add_test(tc, threads_lose_nothing);
	tcase_add_loop_test(tc, rates_are_unbiased, 0,
	                    sizeof(rate_cases) / sizeof(rate_cases[0]));
	tcase_add_loop_test(tc, sites_are_unbiased, 0, 2);
	tcase_add_test(tc, forks);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
