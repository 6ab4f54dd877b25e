/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampler's tables with many threads at once: nothing may be lost or
 * counted twice. Also built with ThreadSanitizer, see .ci/run.
 */
#include "sampler/counts.h"
#include "sampler/heap.h"
#include "sampler/labels.h"
#include "sampler/lock.h"
#include "sampler/stacks.h"
#include "sampler/state.h"

#include <profile/sampler.h>

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_barrier_t barrier;
static _Atomic unsigned n_failed;

struct worker {
	pthread_t thread;
	uintptr_t i;
	void (*work)(uintptr_t i);
};

static void *run(void *arg)
{
	const struct worker *w = arg;

	pthread_barrier_wait(&barrier);
	w->work(w->i);
	return NULL;
}

/* The same work in all threads, at the same time; the main thread works at
   something else meanwhile. */
static void work_together(void (*work)(uintptr_t i), void (*meanwhile)(void))
{
	struct worker workers[THREADS];
	uintptr_t i;

	ck_assert(sampler_init(NULL));
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		workers[i].i = i;
		workers[i].work = work;
		pthread_create(&workers[i].thread, NULL, run, &workers[i]);
	}
	pthread_barrier_wait(&barrier);
	if (meanwhile)
		meanwhile();
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	ck_assert_uint_eq(n_failed, 0);
}

static void expect(bool is_true)
{
	n_failed += !is_true;
}

/* ---- Stacks ---- */

static _Atomic uint32_t ids[ROUNDS];

static void intern_stacks(uintptr_t thread)
{
	const uint64_t *found = NULL;
	uint64_t pcs[8];
	uint32_t id, other;
	uintptr_t i, k;

	for (i = 0; i < ROUNDS; i++) {
		for (k = 0; k < 8; k++)
			pcs[k] = i * 8 + k + 1;
		id = stacks_intern(pcs, 1 + i % 8);
		other = 0;
		/* All threads get the same id, and it has that stack. */
		if (!atomic_compare_exchange_strong(&ids[i], &other, id))
			expect(other == id);
		expect(stacks_get(&sampler_state->stacks, id, &found) ==
		       1 + i % 8);
		expect(!memcmp(found, pcs, (1 + i % 8) * sizeof(*pcs)));
	}
	(void)thread;
}

START_TEST(stacks)
{
	work_together(intern_stacks, NULL);
}
END_TEST

/* ---- Labels ---- */

static void make_labels(uintptr_t thread)
{
	char own[16], shared[16];
	const struct prof_label_pair pairs[2] = { { "own", own },
		                                  { "shared", shared } };
	const struct prof_label_set *set;
	int i;

	snprintf(own, sizeof(own), "%u", (unsigned)thread);
	for (i = 0; i < 200; i++) {
		snprintf(shared, sizeof(shared), "%d", i);
		set = prof_labels_with(NULL, pairs, 2, NULL);
		expect(set != NULL);
		prof_labels_set(set);
		expect(prof_labels_with(NULL, pairs, 2, NULL) == set);
		expect(!strcmp(prof_labels_value(prof_labels_get(), "own"),
		               own));
		expect(!strcmp(prof_labels_value(set, "shared"), shared));
	}
}

START_TEST(labels)
{
	work_together(make_labels, NULL);
}
END_TEST

/* ---- Collections ---- */

static struct prof_collection *collection;

static void add_and_remove(uintptr_t thread)
{
	const uintptr_t base = (thread + 1) << 20;
	uintptr_t i;

	for (i = 0; i < ROUNDS / 4; i++) {
		expect(prof_add(collection, (void *)(base + i), 0, NULL) ==
		       PROF_OK);
		if (i % 2)
			prof_remove(collection, (void *)(base + i));
	}
}

static void read_collection(void)
{
	static struct prof_count_record recs[THREADS * ROUNDS];
	size_t n, i;

	for (i = 0; i < 50; i++) {
		prof_count_records(collection, &n, recs, THREADS * ROUNDS);
		expect(n <= THREADS * ROUNDS / 8 + THREADS);
		prof_count(collection);
	}
}

START_TEST(collections)
{
	size_t n;

	ck_assert_int_eq(prof_new(&collection, "together", NULL), PROF_OK);
	work_together(add_and_remove, read_collection);
	ck_assert_uint_eq(prof_count(collection), THREADS * ROUNDS / 8);
	prof_count_records(collection, &n, NULL, 0);
	ck_assert_uint_eq(n, THREADS * ROUNDS / 8);
}
END_TEST

/* ---- Heap ---- */

static void here(struct cfi_regs *regs)
{
	MACHINE_REGS_OF_CALLER(regs);
}

/* Each takes back half of its own, and all of what its neighbour left. */
static void note_and_take(uintptr_t thread)
{
	const uintptr_t base = (thread + 1) << 24;
	struct cfi_regs regs;
	uintptr_t i;
	uint32_t bucket;

	here(&regs);
	for (i = 0; i < ROUNDS; i++) {
		heap_note((void *)(base + i * 16), 16 + i % 4, &regs);
		if (i % 2)
			continue;
		bucket = heap_take((void *)(base + i * 16));
		expect(bucket != 0);
		if (i % 4)
			heap_count_free(bucket);
		else
			heap_put_back((void *)(base + i * 16), bucket);
		expect(heap_take((void *)(base + i * 16 + 8)) == 0);
	}
}

static void read_heap(void)
{
	static struct prof_mem_record recs[4096];
	size_t n, i, k;

	for (i = 0; i < 50; i++) {
		if (!prof_mem_records(&n, recs, 4096))
			continue;
		for (k = 0; k < n; k++)
			expect(recs[k].alloc_objects >= recs[k].free_objects);
	}
}

START_TEST(heap)
{
	static struct prof_mem_record recs[4096];
	int64_t allocs = 0, frees = 0;
	size_t n, i;

	work_together(note_and_take, read_heap);
	ck_assert(prof_mem_records(&n, recs, 4096));
	for (i = 0; i < n; i++) {
		allocs += recs[i].alloc_objects;
		frees += recs[i].free_objects;
	}
	ck_assert_int_eq(allocs, THREADS * ROUNDS);
	ck_assert_int_eq(frees, THREADS * ROUNDS / 4);
}
END_TEST

/* ---- Waits ---- */

static void add_waits(uintptr_t thread)
{
	const uint64_t pcs[2] = { 1, thread % 3 + 1 };
	const uint32_t stack = stacks_intern(pcs, 2);
	int i;

	for (i = 0; i < ROUNDS; i++)
		locks_add(&sampler_state->wall, stack, 1, 1000);
}

START_TEST(waits)
{
	struct prof_block_record recs[8];
	int64_t count = 0, cycles = 0;
	size_t n, i;

	work_together(add_waits, NULL);
	ck_assert(prof_wall_records(&n, recs, 8));
	ck_assert_uint_eq(n, 3);
	for (i = 0; i < n; i++) {
		count += recs[i].count;
		cycles += recs[i].cycles;
	}
	ck_assert_int_eq(count, THREADS * ROUNDS);
	ck_assert_int_eq(cycles, THREADS * ROUNDS * INT64_C(1000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tables");
	TCase *tc = tcase_create("tables");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, stacks);
	tcase_add_test(tc, labels);
	tcase_add_test(tc, collections);
	tcase_add_test(tc, heap);
	tcase_add_test(tc, waits);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
