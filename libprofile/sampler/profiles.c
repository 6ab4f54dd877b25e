/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a profile that has a name: of the sampler's own, most are kept
 * in tables of their own kind.
 */
#include "sampler/counts.h"
#include "sampler/stacks.h"
#include "sampler/state.h"

typedef size_t (*counter)(void);

static size_t n_threads(void)
{
	size_t n;

	prof_thread_records(&n, NULL, 0);
	return n;
}

static size_t n_mem(void)
{
	size_t n;

	prof_mem_records(&n, NULL, 0);
	return n;
}

static size_t n_block(void)
{
	size_t n;

	prof_block_records(&n, NULL, 0);
	return n;
}

static size_t n_mutex(void)
{
	size_t n;

	prof_mutex_records(&n, NULL, 0);
	return n;
}

static size_t n_wall(void)
{
	size_t n;

	prof_wall_records(&n, NULL, 0);
	return n;
}

size_t prof_count(const struct prof_collection *p)
{
	static const counter counters[COUNTS_BUILTINS] = {
		[COUNTS_THREAD] = n_threads, [COUNTS_HEAP] = n_mem,
		[COUNTS_ALLOCS] = n_mem,     [COUNTS_BLOCK] = n_block,
		[COUNTS_MUTEX] = n_mutex,    [COUNTS_WALL] = n_wall,
	};
	const uint32_t i = counts_index(p);

	return i < COUNTS_BUILTINS && counters[i]
	               ? counters[i]()
	               : atomic_load(&sampler_state->counts.n[i]);
}

bool prof_count_records(const struct prof_collection *p, size_t *n,
                        struct prof_count_record *recs, size_t size)
{
	const struct count_table *t = &sampler_state->counts;
	const uint32_t profile = counts_index(p) + 1;
	size_t i;

	*n = 0;
	counts_lock();
	for (i = 0; i < COUNTS_ENTRIES && atomic_load(&t->n[profile - 1]); i++) {
		const struct count_entry *e = &t->entries[i];

		if (e->profile != profile || (*n)++ >= size)
			continue;
		recs[*n - 1] = (struct prof_count_record){ .n = (int64_t)e->n };
		recs[*n - 1].n_pcs = stacks_get(&sampler_state->stacks,
		                                e->stack, &recs[*n - 1].pcs);
	}
	counts_unlock();
	return *n <= size;
}

bool prof_threadcreate_records(size_t *n, struct prof_count_record *recs,
                               size_t size)
{
	*n = 0;
	return !sampler_state ||
	       prof_count_records(prof_lookup("threadcreate"), n, recs, size);
}
