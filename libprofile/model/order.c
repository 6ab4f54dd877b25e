/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why bytes are sorted and no tree is built: a packed stack read from its end
 * is the path from the root, frame after frame. With ranks for ids, byte
 * strings compared backwards are in the order of a walk through the tree of
 * stacks (a frame's last byte has its top bit clear, the others set: no
 * frame's bytes run into the next one's). Eight bytes compared at a time make
 * that a few machine words per stack; building the tree itself took three
 * times as long (44 against 14 ms on 100,000 stacks).
 *
 * No byte of a packed stack is 0, so a stack that ends is padded with zeros
 * and sorts before those that go on.
 */
#include "model/order.h"

#include "base/varint.h"

#include <stdlib.h>
#include <string.h>

/* ---- Ranks of locations ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_i64(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int string_compare(const struct prof_profile *p, uint32_t a, uint32_t b)
{
	const struct prof_str x = profile_string(p, a);
	const struct prof_str y = profile_string(p, b);
	const size_t shorter = x.len < y.len ? x.len : y.len;
	const int order = a == b ? 0 : memcmp(x.ptr, y.ptr, shorter);

	return order ? order : compare_u64(x.len, y.len);
}

static int compare_functions(const struct prof_profile *p, uint32_t a,
                             uint32_t b)
{
	const struct row_function *x = &p->functions.data[a];
	const struct row_function *y = &p->functions.data[b];
	int order = string_compare(p, x->name, y->name);

	if (!order)
		order = string_compare(p, x->system_name, y->system_name);
	if (!order)
		order = string_compare(p, x->filename, y->filename);
	return order ? order : compare_i64(x->start_line, y->start_line);
}

static int compare_lines(const struct prof_profile *p,
                         const struct row_location *a,
                         const struct row_location *b)
{
	const struct prof_line *x = p->lines.data + location_first_line(a);
	const struct prof_line *y = p->lines.data + location_first_line(b);
	const uint32_t n = location_n_lines(a);
	int order = compare_u64(n, location_n_lines(b));

	for (uint32_t i = 0; i < n && !order; i++) {
		if (x[i].function != y[i].function)
			order = compare_functions(p, x[i].function,
			                          y[i].function);
		if (!order)
			order = compare_i64(x[i].line, y[i].line);
		if (!order)
			order = compare_i64(x[i].column, y[i].column);
	}
	return order;
}

static int compare_locations(const void *a_, const void *b_, void *ctx)
{
	const struct prof_profile *p = ctx;
	const uint32_t a = *(const uint32_t *)a_;
	const uint32_t b = *(const uint32_t *)b_;
	const struct row_location *x = &p->locations.data[a];
	const struct row_location *y = &p->locations.data[b];
	int order = compare_u64(x->mapping, y->mapping);

	if (!order)
		order = compare_u64(x->address, y->address);
	if (!order)
		order = compare_u64(x->first_line & LOCATION_FOLDED,
		                    y->first_line & LOCATION_FOLDED);
	if (!order)
		order = compare_lines(p, x, y);
	return order ? order : compare_u64(a, b);
}

/* Marks the locations of the stacks that samples have. */
static bool mark_used(uint32_t *used, const struct prof_profile *p,
                      const struct prof_allocator *a)
{
	const size_t n_stacks = byte_table_n(&p->stacks);
	bool *has_sample = mem_zeroed(a, n_stacks, sizeof(*has_sample));

	if (!has_sample)
		return false;
	for (size_t i = 0; i < p->samples.n; i++)
		has_sample[p->samples.data[i].stack] = true;
	for (uint32_t i = 1; i < n_stacks; i++) {
		const struct prof_str s = byte_table_get(&p->stacks, i);
		const unsigned char *at = (const unsigned char *)s.ptr;
		const unsigned char *const end = at + s.len;

		while (has_sample[i] && at < end) {
			uint32_t id;

			at = varint_get_known(at, &id);
			used[id] = 1;
		}
	}
	mem_free(a, has_sample, n_stacks * sizeof(*has_sample));
	return true;
}

static enum prof_status rank_locations(struct canonical_order *o,
                                       const struct prof_profile *p,
                                       enum order_flags flags,
                                       const struct prof_allocator *a)
{
	const uint32_t n_all = prof_n_locations(p);
	uint32_t n = 0;

	o->locations_size = (size_t)n_all + 1;
	o->location_rank = mem_zeroed(a, o->locations_size, sizeof(uint32_t));
	o->locations = mem_zeroed(a, o->locations_size, sizeof(uint32_t));
	if (!o->location_rank || !o->locations ||
	    (flags & ORDER_USED_ONLY && !mark_used(o->location_rank, p, a)))
		return PROF_NOMEM;
	for (uint32_t id = 1; id <= n_all; id++)
		if (o->location_rank[id] || !(flags & ORDER_USED_ONLY))
			o->locations[n++] = id;
	qsort_r(o->locations, n, sizeof(uint32_t), compare_locations,
	        (void *)(uintptr_t)p);
	for (uint32_t i = 0; i < n; i++)
		o->location_rank[o->locations[i]] = i + 1;
	o->n_locations = n;
	return PROF_OK;
}

/* ---- Stacks with ranks for ids ---- */

/* The ids of a stack as ranks; to has 4 bytes for each byte of it. */
static unsigned char *put_ranks(unsigned char *to, struct prof_str stack,
                                const uint32_t *packed_rank)
{
	const unsigned char *from = (const unsigned char *)stack.ptr;
	const unsigned char *const end = from + stack.len;

	while (from < end) {
		uint32_t id;

		from = varint_get_known(from, &id);
		to = varint_put_packed(to, packed_rank[id]);
	}
	return to;
}

static enum prof_status pack_stacks(struct canonical_order *o,
                                    const struct prof_profile *p,
                                    const uint32_t *packed_rank,
                                    const struct prof_allocator *a)
{
	const uint32_t n = byte_table_n(&p->stacks);
	struct byte_table *to = &o->stacks;

	if (!byte_table_begin(to, a) || !vec_reserve(&to->offsets, n, a) ||
	    !vec_reserve(&to->bytes, p->stacks.bytes.n, a))
		return PROF_NOMEM;
	for (uint32_t i = 1; i < n; i++) {
		const struct prof_str s = byte_table_get(&p->stacks, i);
		const size_t room = (size_t)s.len * 4 + BYTE_TABLE_BACK;
		unsigned char *at;

		if (room > UINT32_MAX - to->bytes.n ||
		    !vec_reserve(&to->bytes, room, a))
			return PROF_NOMEM;
		at = put_ranks(to->bytes.data + to->bytes.n, s, packed_rank);
		*at++ = '\0';
		to->bytes.n = (size_t)(at - to->bytes.data);
		vec_put(&to->offsets, (uint32_t)to->bytes.n);
	}
	return PROF_OK;
}

static enum prof_status pack_ranks(struct canonical_order *o,
                                   const struct prof_profile *p,
                                   const struct prof_allocator *a)
{
	const size_t n = o->locations_size;
	uint32_t *packed_rank;
	enum prof_status status;

	if (n >= VARINT_PACKED_END)
		return PROF_LIMIT;
	packed_rank = mem_zeroed(a, n, sizeof(*packed_rank));
	if (!packed_rank)
		return PROF_NOMEM;
	/* A stack that no sample has may be of locations that are left out:
	   1 stands for those. */
	for (size_t i = 1; i < n; i++)
		packed_rank[i] = varint_pack(
			o->location_rank[i] ? o->location_rank[i] : 1);
	status = pack_stacks(o, p, packed_rank, a);
	mem_free(a, packed_rank, n * sizeof(*packed_rank));
	return status;
}

/* ---- Sorting stacks ---- */

struct sort_item {
	uint64_t key; /* eight bytes of the stack, from the root on */
	uint32_t stack;
};

/* Bytes [8 * depth, 8 * depth + 8) of a stack counted from its end. */
static uint64_t key_at(const struct byte_table *t, uint32_t stack,
                       uint32_t depth)
{
	const uint32_t begin = t->offsets.data[stack];
	const uint32_t size = t->offsets.data[stack + 1] - begin - 1;
	const uint64_t used = (uint64_t)depth * 8;
	uint64_t key = 0;

	if (used >= size)
		return 0;
	if (size - used >= 8) {
		memcpy(&key, t->bytes.data + begin + (size - used - 8), 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		key = __builtin_bswap64(key);
#endif
		return key;
	}
	for (uint32_t i = 0; i < size - used; i++)
		key |= (uint64_t)t->bytes.data[begin + i] <<
			(8 * (8 - (size - used) + i));
	return key;
}

static void swap_items(struct sort_item *a, struct sort_item *b)
{
	const struct sort_item t = *a;

	*a = *b;
	*b = t;
}

static int compare_from(const struct byte_table *t, const struct sort_item *a,
                        const struct sort_item *b, uint32_t depth)
{
	uint64_t x = a->key, y = b->key;

	/* A zero byte at the end of a key is the end of the stack. */
	while (x == y && (x & 0xff)) {
		depth++;
		x = key_at(t, a->stack, depth);
		y = key_at(t, b->stack, depth);
	}
	return compare_u64(x, y);
}

static void insertion_sort(const struct byte_table *t, struct sort_item *items,
                           size_t n, uint32_t depth)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && compare_from(t, &items[k - 1],
		                                         &items[k], depth) > 0;
		     k--)
			swap_items(&items[k - 1], &items[k]);
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
	if (a > b)
		return b > c ? b : a < c ? a : c;
	return a > c ? a : b < c ? b : c;
}

static uint64_t choose_pivot(const struct sort_item *items, size_t n)
{
	const size_t eighth = n / 8;
	const struct sort_item *const middle = items + n / 2;
	const struct sort_item *const last = items + n - 1;

	if (n < 64)
		return median(items->key, middle->key, last->key);
	return median(median(items[0].key, items[eighth].key,
	                     items[2 * eighth].key),
	              median(middle[-(ptrdiff_t)eighth].key, middle->key,
	                     middle[eighth].key),
	              median(last[-2 * (ptrdiff_t)eighth].key,
	                     last[-(ptrdiff_t)eighth].key, last->key));
}

/* The part of items that a step of the sort is about. */
struct sort_part {
	struct sort_item *items;
	size_t n;
	uint32_t depth;
};

/* Splits by the pivot's key: less, equal and greater. */
static void partition(const struct sort_part *part, struct sort_part out[3])
{
	struct sort_item *const items = part->items;
	const uint64_t pivot = choose_pivot(items, part->n);
	size_t less = 0, i = 0, greater = part->n;

	while (i < greater) {
		if (items[i].key < pivot)
			swap_items(&items[less++], &items[i++]);
		else if (items[i].key > pivot)
			swap_items(&items[i], &items[--greater]);
		else
			i++;
	}
	out[0] = (struct sort_part){ items, less, part->depth };
	out[1] = (struct sort_part){ items + less, greater - less,
	                             part->depth + 1 };
	out[2] = (struct sort_part){ items + greater, part->n - greater,
	                             part->depth };
}

static void order_by_size(struct sort_part parts[3])
{
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2 - i; k++)
			if (parts[k].n > parts[k + 1].n) {
				const struct sort_part t = parts[k];

				parts[k] = parts[k + 1];
				parts[k + 1] = t;
			}
}

/*
 * Multikey quicksort with the key of the current depth kept in the item. The
 * smaller parts recurse and the largest goes on here, so the recursion is no
 * deeper than log2(n), however deep the stacks are.
 */
static void sort_stacks(const struct byte_table *t, struct sort_part part)
{
	struct sort_part parts[3];

	while (part.n > 16) {
		partition(&part, parts);
		if (parts[1].n && !(parts[1].items->key & 0xff))
			parts[1].n = 0; /* they have ended: one of a kind */
		for (size_t i = 0; i < parts[1].n; i++)
			parts[1].items[i].key = key_at(
				t, parts[1].items[i].stack, parts[1].depth);
		order_by_size(parts);
		sort_stacks(t, parts[0]);
		sort_stacks(t, parts[1]);
		part = parts[2];
	}
	insertion_sort(t, part.items, part.n, part.depth);
}

/* The place of each stack in the order; the empty stack is 0. */
static enum prof_status rank_stacks(uint32_t *rank,
                                    const struct canonical_order *o,
                                    const struct prof_allocator *a)
{
	const uint32_t n = byte_table_n(&o->stacks);
	struct sort_item *items = mem_zeroed(a, n, sizeof(*items));

	if (!items)
		return PROF_NOMEM;
	for (uint32_t i = 1; i < n; i++)
		items[i - 1] = (struct sort_item){ key_at(&o->stacks, i, 0), i };
	sort_stacks(&o->stacks, (struct sort_part){ items, n - 1, 0 });
	rank[0] = 0;
	for (uint32_t i = 1; i < n; i++)
		rank[items[i - 1].stack] = i;
	mem_free(a, items, n * sizeof(*items));
	return PROF_OK;
}

/* ---- Samples ---- */

int label_set_compare(const struct prof_profile *p, uint32_t a, uint32_t b)
{
	const struct prof_str s = byte_table_get(&p->label_sets, a);
	const struct prof_str t = byte_table_get(&p->label_sets, b);
	const unsigned char *x = (const unsigned char *)s.ptr;
	const unsigned char *y = (const unsigned char *)t.ptr;
	const unsigned char *const x_end = x + s.len;
	const unsigned char *const y_end = y + t.len;
	int order = 0;

	while (!order && x < x_end && y < y_end) {
		struct row_label l, m;

		x = label_unpack(x, &l);
		y = label_unpack(y, &m);
		order = string_compare(p, l.key, m.key);
		if (!order)
			order = compare_u64(l.is_number, m.is_number);
		if (!order)
			order = compare_i64(l.num, m.num);
		if (!order)
			order = string_compare(p, l.str, m.str);
	}
	return order ? order : (x < x_end) - (y < y_end);
}

static int compare_same_stack(const void *a_, const void *b_, void *ctx)
{
	const struct prof_profile *p = ctx;
	const uint32_t a = *(const uint32_t *)a_;
	const uint32_t b = *(const uint32_t *)b_;
	const uint32_t x = p->samples.data[a].label_set;
	const uint32_t y = p->samples.data[b].label_set;
	const size_t width = p->sample_types.n;
	int order = x == y ? 0 : label_set_compare(p, x, y);

	for (size_t i = 0; i < width && !order; i++)
		order = compare_i64(p->values.data[a * width + i],
		                    p->values.data[b * width + i]);
	return order ? order : compare_u64(a, b);
}

/* Samples in order of their stacks' ranks: a counting sort. */
static enum prof_status order_samples(struct canonical_order *o,
                                      const struct prof_profile *p,
                                      const uint32_t *rank,
                                      const struct prof_allocator *a)
{
	const uint32_t n_stacks = byte_table_n(&p->stacks);
	uint32_t *begin = mem_zeroed(a, (size_t)n_stacks + 1, sizeof(*begin));

	if (!begin)
		return PROF_NOMEM;
	for (uint32_t i = 0; i < o->n_samples; i++)
		begin[rank[p->samples.data[i].stack] + 1]++;
	for (uint32_t i = 0; i < n_stacks; i++)
		begin[i + 1] += begin[i];
	for (uint32_t i = 0; i < o->n_samples; i++)
		o->samples[begin[rank[p->samples.data[i].stack]]++] = i;
	/* begin[i] is now where the samples of rank i end. */
	for (uint32_t i = 0, from = 0; i < n_stacks; from = begin[i++])
		if (begin[i] - from > 1)
			qsort_r(o->samples + from, begin[i] - from,
			        sizeof(*o->samples), compare_same_stack,
			        (void *)(uintptr_t)p);
	mem_free(a, begin, ((size_t)n_stacks + 1) * sizeof(*begin));
	return PROF_OK;
}

enum prof_status canonical_order_init(struct canonical_order *o,
                                      const struct prof_profile *p,
                                      enum order_flags flags,
                                      const struct prof_allocator *a)
{
	const size_t n_stacks = byte_table_n(&p->stacks);
	uint32_t *rank;
	enum prof_status status;

	*o = (struct canonical_order){
		.n_samples = (uint32_t)p->samples.n,
	};
	rank = mem_zeroed(a, n_stacks, sizeof(*rank));
	o->samples = mem_zeroed(a, (size_t)o->n_samples + 1, sizeof(uint32_t));
	status = rank && o->samples ? rank_locations(o, p, flags, a) :
		PROF_NOMEM;
	if (status == PROF_OK)
		status = pack_ranks(o, p, a);
	if (status == PROF_OK)
		status = rank_stacks(rank, o, a);
	if (status == PROF_OK)
		status = order_samples(o, p, rank, a);
	mem_free(a, rank, n_stacks * sizeof(*rank));
	return status;
}

void canonical_order_release(struct canonical_order *o,
                             const struct prof_allocator *a)
{
	const size_t size = o->locations_size * sizeof(uint32_t);

	mem_free(a, o->samples, ((size_t)o->n_samples + 1) * sizeof(uint32_t));
	mem_free(a, o->locations, size);
	mem_free(a, o->location_rank, size);
	byte_table_release(&o->stacks, a);
}
