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

static void *(*const entries[])(size_t) = {
	by_malloc, by_calloc, by_realloc, by_reallocarray, by_memalign,
	by_aligned_alloc, by_valloc, by_posix_memalign, by_growing,
};

START_TEST(rate_1_is_exact)
{
	const size_t size = SIZE + (size_t)_i * 8;
	void *blocks[N];
	struct sums s;
	int i;

	prof_set_mem_rate(1);
	free(malloc(1 << 21)); /* this thread takes notice of the rate */
	for (i = 0; i < N; i++) {
		blocks[i] = entries[_i](size);
		ck_assert_ptr_nonnull(blocks[i]);
		memset(blocks[i], 1, size);
	}
	for (i = 0; i < 20; i++)
		free(blocks[i]);
	/* Freed by another size: the old block goes. */
	block = realloc(blocks[20], size * 3);
	ck_assert_ptr_nonnull(block);
	/* One that cannot be done leaves the block as it is. */
	ck_assert_ptr_null(realloc(blocks[21], SIZE_MAX / 4));
	prof_set_mem_rate(0);
	s = sums_of(size);
	ck_assert_int_eq(s.allocs, N);
	ck_assert_int_eq(s.frees, 21);
	ck_assert_int_eq(sums_of(size * 3).allocs, 1);
	for (i = 21; i < N; i++)
		free(blocks[i]);
	ck_assert_int_eq(sums_of(size).frees, N);
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
	tcase_add_test(tc, misuse_fails_as_before);
	tcase_add_test(tc, threads_lose_nothing);
	tcase_add_loop_test(tc, rates_are_unbiased, 0,
	                    sizeof(rate_cases) / sizeof(rate_cases[0]));
	tcase_add_test(tc, forks);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
