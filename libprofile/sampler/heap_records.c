/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/heap.h"
#include "sampler/stacks.h"
#include "sampler/state.h"

#include <string.h>

int64_t prof_set_mem_rate(int64_t rate)
{
	if (!sampler_init(NULL))
		return 0;
	return rate < 0 ? atomic_load(&sampler_state->mem.rate)
	                : atomic_exchange(&sampler_state->mem.rate, rate);
}

/* Fills one record from a bucket of a table that is not trusted. */
static void to_record(struct prof_mem_record *out, const struct state *s,
                      const struct mem_bucket *b)
{
	/* Frees first: a block is allocated before it is freed. */
	const int64_t frees = (int64_t)atomic_load(&b->frees);
	const int64_t allocs = (int64_t)atomic_load(&b->allocs);
	const uint64_t *pcs;
	size_t n = stacks_get(&s->stacks, b->stack, &pcs);

	memset(out, 0, sizeof(*out));
	out->alloc_objects = allocs;
	out->free_objects = frees;
	out->alloc_bytes = (int64_t)((uint64_t)allocs * b->size);
	out->free_bytes = (int64_t)((uint64_t)frees * b->size);
	if (n > MEM_DEPTH)
		n = MEM_DEPTH;
	memcpy(out->stack, pcs, n * sizeof(*pcs));
}

size_t heap_records(struct prof_mem_record *recs, size_t size,
                    const struct state *s)
{
	uint32_t n = atomic_load(&s->mem.n), i;

	if (n >= MEM_BUCKETS)
		n = MEM_BUCKETS - 1;
	for (i = 0; i < n && i < size; i++)
		to_record(&recs[i], s, &s->mem.buckets[i + 1]);
	return n;
}

bool prof_mem_records(size_t *n, struct prof_mem_record *recs, size_t size)
{
	*n = sampler_state ? heap_records(NULL, 0, sampler_state) : 0;
	if (*n > size)
		return false;
	if (*n > 0)
		heap_records(recs, *n, sampler_state);
	return true;
}
