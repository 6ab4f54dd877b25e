/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/lock.h"
#include "sampler/stacks.h"
#include "sampler/state.h"

#include <string.h>

static int64_t set_rate(_Atomic int64_t *rate, int64_t wish)
{
	int64_t old;

	if (wish < 0)
		return atomic_load(rate);
	old = atomic_exchange(rate, wish);
	locks_update_watch();
	return old;
}

int64_t prof_set_block_rate(int64_t ns)
{
	return sampler_init(NULL) ? set_rate(&sampler_state->block.rate, ns)
	                          : 0;
}

int32_t prof_set_mutex_fraction(int32_t fraction)
{
	return sampler_init(NULL)
	               ? (int32_t)set_rate(&sampler_state->mutex.rate, fraction)
	               : 0;
}

/* Not what another process may have put there: NaN, 1e300. */
static int64_t whole(const _Atomic double *sum)
{
	const double x = atomic_load_explicit(sum, memory_order_relaxed);

	return x >= 0 && x < 0x1p62 ? (int64_t)(x + 0.5) : 0;
}

size_t lock_records(struct prof_block_record *recs, size_t size,
                    const struct wait_table *t, const struct stack_table *stacks)
{
	uint32_t n = atomic_load(&t->n), i;
	const uint64_t *pcs = NULL;
	size_t depth;

	if (n >= WAIT_BUCKETS)
		n = WAIT_BUCKETS - 1;
	for (i = 0; i < n && i < size; i++) {
		const struct wait_bucket *b = &t->buckets[i + 1];

		memset(&recs[i], 0, sizeof(recs[i]));
		recs[i].count = whole(&b->count);
		recs[i].cycles = whole(&b->delay_ns);
		depth = stacks_get(stacks, b->stack, &pcs);
		if (depth > WAIT_DEPTH)
			depth = WAIT_DEPTH;
		if (depth > 0)
			memcpy(recs[i].stack, pcs, depth * sizeof(*pcs));
	}
	return n;
}

static bool records(size_t *n, struct prof_block_record *recs, size_t size,
                    const struct wait_table *t)
{
	*n = lock_records(NULL, 0, t, &sampler_state->stacks);
	if (*n > size)
		return false;
	if (*n > 0)
		lock_records(recs, *n, t, &sampler_state->stacks);
	return true;
}

bool prof_block_records(size_t *n, struct prof_block_record *recs, size_t size)
{
	*n = 0;
	return !sampler_state ||
	       records(n, recs, size, &sampler_state->block);
}

bool prof_wall_records(size_t *n, struct prof_block_record *recs, size_t size)
{
	*n = 0;
	return !sampler_state || records(n, recs, size, &sampler_state->wall);
}

bool prof_mutex_records(size_t *n, struct prof_block_record *recs, size_t size)
{
	*n = 0;
	return !sampler_state ||
	       records(n, recs, size, &sampler_state->mutex);
}
