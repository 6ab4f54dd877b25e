/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks, label sets and samples of an input added to those of the sum: in
 * batches, as in merge_tables.c, and for the same reason.
 */
#include "transform/merger.h"

#include "base/error.h"
#include "model/order.h"

#include <string.h>

/* ---- Stacks ---- */

/* A stack with the sum's ids behind what the scratch holds. */
static struct prof_str map_stack(struct prof_merger *m, struct prof_str stack)
{
	const unsigned char *from = (const unsigned char *)stack.ptr;
	const unsigned char *const end = from + stack.len;
	unsigned char *const begin = m->scratch.data + m->scratch.n;
	unsigned char *to = begin;

	while (from < end) {
		uint32_t id;

		from = varint_get_known(from, &id);
		to = varint_put_packed(to, m->location_map.data[id]);
	}
	m->scratch.n = (size_t)(to - m->scratch.data);
	return (struct prof_str){ (const char *)begin, (size_t)(to - begin) };
}

static bool merge_stack_batch(struct prof_merger *m, uint32_t from, uint32_t n)
{
	struct prof_str stacks[MERGE_BATCH];
	size_t size = 4;

	/* An id takes four bytes where it took one, at most. */
	for (uint32_t i = 0; i < n; i++)
		size += 4 * byte_table_get(&m->in->stacks, from + i).len;
	m->scratch.n = 0;
	if (!vec_reserve(&m->scratch, size, &m->a))
		return merge_fail_nomem(m);
	for (uint32_t i = 0; i < n; i++)
		stacks[i] = map_stack(m, byte_table_get(&m->in->stacks,
		                                        from + i));
	if (!intern_batch(&m->stacks, stacks, m->stack_map.data + from, n,
	                  &m->a))
		return merge_fail_to_grow(m, m->sum->stacks.bytes.n, "stacks");
	return true;
}

bool merge_stacks(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->stacks);

	m->stack_map.n = 0;
	if (!vec_reserve(&m->stack_map, n, &m->a))
		return merge_fail_nomem(m);
	m->stack_map.data[0] = 0;
	m->stack_map.n = n;
	for (uint32_t i = 1; i < n; i += MERGE_BATCH)
		if (!merge_stack_batch(m, i, merge_batch_size(i, n)))
			return false;
	return true;
}

/* ---- Label sets ---- */

static bool comes_before(const struct prof_profile *p, const struct row_label *a,
                         const struct row_label *b)
{
	const int order = string_compare(p, a->key, b->key);

	return order < 0 || (order == 0 && a->is_number < b->is_number);
}

void merge_sort_labels(const struct prof_profile *p, struct row_label *labels,
                       size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct row_label label = labels[i];
		size_t k = i;

		for (; k > 0 && comes_before(p, &label, &labels[k - 1]); k--)
			labels[k] = labels[k - 1];
		labels[k] = label;
	}
}

static struct prof_str map_label_set(struct prof_merger *m, struct prof_str set,
                                     struct row_label *labels)
{
	const unsigned char *from = (const unsigned char *)set.ptr;
	const unsigned char *const end = from + set.len;
	unsigned char *const begin = m->scratch.data + m->scratch.n;
	unsigned char *to = begin;
	size_t n = 0;

	for (; from < end; n++) {
		from = label_unpack(from, &labels[n]);
		labels[n].key = merge_string_of(m, labels[n].key);
		labels[n].str = merge_string_of(m, labels[n].str);
	}
	merge_sort_labels(m->sum, labels, n);
	for (size_t i = 0; i < n; i++)
		to = label_pack(to, &labels[i]);
	m->scratch.n = (size_t)(to - m->scratch.data);
	return (struct prof_str){ (const char *)begin, (size_t)(to - begin) };
}

/* labels[max_labels] is scratch. */
static bool merge_label_set_batch(struct prof_merger *m, uint32_t from,
                                  uint32_t n, struct row_label *labels)
{
	struct prof_str sets[MERGE_BATCH];
	size_t size = 0;

	/* A label takes two bytes at least. */
	for (uint32_t i = 0; i < n; i++) {
		sets[i] = byte_table_get(&m->in->label_sets, from + i);
		size += (sets[i].len / 2 + 1) * LABEL_PACKED_MAX;
	}
	m->scratch.n = 0;
	if (!vec_reserve(&m->scratch, size, &m->a))
		return false;
	for (uint32_t i = 0; i < n; i++)
		sets[i] = map_label_set(m, sets[i], labels);
	return intern_batch(&m->label_sets, sets,
	                    m->label_set_map.data + from, n, &m->a);
}

bool merge_label_sets(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->label_sets);
	const size_t max = m->in->max_labels;
	struct row_label *labels = mem_zeroed(&m->a, max + 1, sizeof(*labels));
	bool ok = labels != NULL;

	if (m->sum->max_labels < max)
		m->sum->max_labels = (uint32_t)max;
	m->label_set_map.n = 0;
	ok = ok && vec_reserve(&m->label_set_map, n, &m->a);
	if (ok)
		m->label_set_map.data[0] = 0;
	for (uint32_t i = 1; i < n && ok; i += MERGE_BATCH)
		ok = merge_label_set_batch(m, i, merge_batch_size(i, n),
		                           labels);
	mem_free(&m->a, labels, (max + 1) * sizeof(*labels));
	if (!ok)
		return merge_fail_to_grow(m, m->sum->label_sets.bytes.n,
		                          "label sets");
	m->label_set_map.n = n;
	return true;
}

/* ---- Samples ---- */

/* The row of a stack with a label set; a new one has only zeros. */
static uint32_t find_sample(struct prof_merger *m, struct row_sample key,
                            uint64_t hash)
{
	struct prof_profile *sum = m->sum;
	struct hash_index *h = &m->samples;
	const size_t width = m->columns.n;
	uint32_t row;
	size_t i;

	/* A slot's id is the sample's number and 1. */
	for (i = hash_index_first(h, hash); (row = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_sample *s = &sum->samples.data[row - 1];

		if (s->stack == key.stack && s->label_set == key.label_set)
			return row - 1;
	}
	vec_put(&sum->samples, key);
	memset(sum->values.data + sum->values.n, 0,
	       width * sizeof(*sum->values.data));
	sum->values.n += width;
	hash_index_put(h, i, hash, (uint32_t)sum->samples.n);
	return (uint32_t)sum->samples.n - 1;
}

static bool fail_overflow(struct prof_merger *m)
{
	m->has_failed = true;
	m->status = error_set(m->err, PROF_OVERFLOW, "the sum of a sample's "
	                      "values leaves the range of 64 bits");
	return false;
}

/* A sum that leaves 64 bits may come back: the end looks at it. */
static bool add_values(struct prof_merger *m, uint32_t row,
                       const int64_t *values)
{
	int64_t *const to = m->sum->values.data + row * m->columns.n;

	for (size_t i = 0; i < m->column_map.n; i++) {
		const uint32_t column = m->column_map.data[i];
		int64_t value;

		if (__builtin_mul_overflow(values[i], m->weight, &value))
			return fail_overflow(m);
		if (__builtin_add_overflow(to[column], value, &to[column]) &&
		    !merge_carry_add(&m->carries, row, column,
		                     value < 0 ? -1 : 1, &m->a))
			return merge_fail_nomem(m);
	}
	return true;
}

/* What is beyond 64 bits in row `from` of a merger that is joined. */
static bool add_carries(struct prof_merger *m, uint32_t row, uint32_t from)
{
	const struct merge_carries *more = &m->joined->carries;

	for (uint32_t i = 0; i < m->column_map.n; i++) {
		const int64_t turns = merge_carry_get(more, from, i);

		if (turns && !merge_carry_add(&m->carries, row,
		                              m->column_map.data[i], turns,
		                              &m->a))
			return merge_fail_nomem(m);
	}
	return true;
}

static bool is_zero(const int64_t *values, size_t n)
{
	int64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= values[i];
	return any == 0;
}

static bool merge_sample_batch(struct prof_merger *m, uint32_t from, uint32_t n)
{
	const size_t width = m->in->sample_types.n;
	const bool has_carries = m->joined && m->joined->carries.rows.n;
	struct prof_profile *sum = m->sum;
	struct row_sample keys[MERGE_BATCH];
	uint64_t hashes[MERGE_BATCH];

	if (sum->samples.n + n >= UINT32_MAX ||
	    !hash_index_reserve(&m->samples, n, &m->a) ||
	    !vec_reserve(&sum->samples, n, &m->a) ||
	    !vec_reserve(&sum->values, n * m->columns.n, &m->a))
		return merge_fail_to_grow(m, sum->samples.n, "samples");
	for (uint32_t i = 0; i < n; i++) {
		const struct row_sample *s = &m->in->samples.data[from + i];

		keys[i] = (struct row_sample){
			m->stack_map.data[s->stack],
			m->label_set_map.data[s->label_set] };
		hashes[i] = hash_bytes(&keys[i], sizeof(keys[i]),
		                       m->strings.seed);
		merge_prefetch_slot(&m->samples, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t row = merge_likely_row(&m->samples, hashes[i]);

		__builtin_prefetch(&sum->samples.data[row ? row - 1 : 0]);
		__builtin_prefetch(&sum->values.data[
			(row ? row - 1 : 0) * m->columns.n]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const int64_t *values = m->in->values.data + (from + i) * width;
		uint32_t row;

		if (!has_carries && is_zero(values, width))
			continue;
		row = find_sample(m, keys[i], hashes[i]);
		if (!add_values(m, row, values) ||
		    (has_carries && !add_carries(m, row, from + i)))
			return false;
	}
	return true;
}

bool merge_samples(struct prof_merger *m)
{
	const uint32_t n = (uint32_t)m->in->samples.n;

	for (uint32_t i = 0; i < n; i += MERGE_BATCH)
		if (!merge_sample_batch(m, i, merge_batch_size(i, n)))
			return false;
	return true;
}
