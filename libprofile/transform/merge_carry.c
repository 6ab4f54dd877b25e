/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums are 64 bits and wrap around; how often one did is kept beside them,
 * where it did at all. So whether a merge overflows depends on its sums alone
 * and not on the order in which they came to be, and what is always the case
 * costs nothing.
 */
#include "transform/merger.h"

static uint64_t carry_hash(uint32_t sample, uint32_t column)
{
	const uint32_t key[2] = { sample, column };

	return hash_bytes(key, sizeof(key), 0);
}

/* The slot of a value, or the free one that it would take. */
static size_t carry_slot(const struct merge_carries *c, uint32_t sample,
                         uint32_t column, uint64_t hash)
{
	const struct hash_index *h = &c->index;
	size_t i = hash_index_first(h, hash);

	for (; h->slots[i].id; i = hash_index_next(h, i)) {
		const struct merge_carry *row =
			&c->rows.data[h->slots[i].id - 1];

		if (row->sample == sample && row->column == column)
			break;
	}
	return i;
}

bool merge_carry_add(struct merge_carries *c, uint32_t sample, uint32_t column,
                     int64_t turns, const struct prof_allocator *a)
{
	const uint64_t hash = carry_hash(sample, column);
	size_t i;

	if (!hash_index_reserve(&c->index, 1, a) ||
	    !vec_reserve(&c->rows, 1, a))
		return false;
	i = carry_slot(c, sample, column, hash);
	if (!c->index.slots[i].id) {
		vec_put(&c->rows, (struct merge_carry){ sample, column, 0 });
		hash_index_put(&c->index, i, hash, (uint32_t)c->rows.n);
	}
	c->rows.data[c->index.slots[i].id - 1].turns += turns;
	return true;
}

int64_t merge_carry_get(const struct merge_carries *c, uint32_t sample,
                        uint32_t column)
{
	uint32_t row;

	if (!c->rows.n)
		return 0;
	row = c->index.slots[carry_slot(c, sample, column,
	                                carry_hash(sample, column))].id;
	return row ? c->rows.data[row - 1].turns : 0;
}

bool merge_carries_any(const struct merge_carries *c)
{
	for (size_t i = 0; i < c->rows.n; i++)
		if (c->rows.data[i].turns)
			return true;
	return false;
}

void merge_carries_release(struct merge_carries *c,
                           const struct prof_allocator *a)
{
	hash_index_release(&c->index, a);
	vec_release(&c->rows, a);
}
