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

#include "base/sort.h"
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

/* Mapping, then address: nearly all locations differ in those. */
static void load_locations(const void *ctx, struct sort_item *items, size_t n,
                           size_t depth)
{
	const struct prof_profile *p = ctx;

	for (size_t i = 0; i < n; i++) {
		const struct row_location *l =
			&p->locations.data[items[i].id];

		items[i].key = depth == 0 ? l->mapping + UINT64_C(1) :
			depth == 1 ? l->address : 0;
	}
}

static bool is_same_address(const struct prof_profile *p, uint32_t a,
                            uint32_t b)
{
	const struct row_location *x = &p->locations.data[a];
	const struct row_location *y = &p->locations.data[b];

	return x->mapping == y->mapping && x->address == y->address;
}

/*
 * Sorts ids[n] by the content of those locations: by keys, and then what is
 * of one address by all that there is (that alone took 2.6 times the
 * instructions).
 */
static bool sort_locations(uint32_t *ids, uint32_t n,
                           const struct prof_profile *p,
                           const struct prof_allocator *a)
{
	const size_t room = (size_t)n + 1;
	struct sort_item *items = mem_zeroed(a, room, sizeof(*items));

	if (!items)
		return false;
	for (uint32_t i = 0; i < n; i++)
		items[i].id = ids[i];
	sort_by_sequence(items, n,
	                 &(struct sort_sequence){ load_locations, p });
	for (uint32_t i = 0; i < n; i++)
		ids[i] = items[i].id;
	mem_free(a, items, room * sizeof(*items));
	for (uint32_t i = 0, end; i < n; i = end) {
		end = i + 1;
		while (end < n && is_same_address(p, ids[i], ids[end]))
			end++;
		if (end - i > 1)
			qsort_r(ids + i, end - i, sizeof(*ids),
			        compare_locations, (void *)(uintptr_t)p);
	}
	return true;
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
	if (!sort_locations(o->locations, n, p, a))
		return PROF_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		o->location_rank[o->locations[i]] = i + 1;
	o->n_locations = n;
	return PROF_OK;
}

/* ---- Stacks with ranks for ids ---- */

/* A stack on its way from ids to ranks. */
struct packing {
	const unsigned char *from, *end;
	unsigned char *to;
};

static inline void pack_next(struct packing *k, const uint32_t *packed_rank)
{
	uint32_t id;

	k->from = varint_get_known(k->from, &id);
	k->to = varint_put_packed(k->to, packed_rank[id]);
}

/*
 * Two stacks at a time: where an id ends is known only when it is decoded, so
 * that the ids of one stack wait for each other, but not for those of another
 * (12 instead of 20 ms for 4.2 million). Each `to` has 4 bytes for each byte
 * of its stack, and 4.
 */
static void pack_pair(struct packing *a, struct packing *b,
                      const uint32_t *packed_rank)
{
	struct packing x = *a, y = *b;

	while (x.from < x.end && y.from < y.end) {
		pack_next(&x, packed_rank);
		pack_next(&y, packed_rank);
	}
	while (x.from < x.end)
		pack_next(&x, packed_rank);
	while (y.from < y.end)
		pack_next(&y, packed_rank);
	*a = x;
	*b = y;
}

static struct packing packing_of(const struct byte_table *stacks, uint32_t i,
                                 unsigned char *to)
{
	const struct prof_str s = byte_table_get(stacks, i);
	const unsigned char *const from = (const unsigned char *)s.ptr;

	return (struct packing){ from, from + s.len, to };
}

static void end_stack(struct byte_table *to, unsigned char *end)
{
	*end++ = '\0';
	to->bytes.n = (size_t)(end - to->bytes.data);
	vec_put(&to->offsets, (uint32_t)to->bytes.n);
}

/* Stacks i and i + 1 (where there is one) behind what `to` has. */
static bool pack_two(struct byte_table *to, const struct byte_table *stacks,
                     uint32_t i, const uint32_t *packed_rank,
                     const struct prof_allocator *a)
{
	const bool has_second = i + 1 < byte_table_n(stacks);
	const size_t first = (size_t)byte_table_get(stacks, i).len * 4 + 8;
	const size_t second = has_second ?
		(size_t)byte_table_get(stacks, i + 1).len * 4 + 8 : 0;
	const size_t room = first + second + BYTE_TABLE_BACK;
	struct packing x, y = { 0 };
	unsigned char *begin;

	if (room > UINT32_MAX - to->bytes.n || !vec_reserve(&to->bytes, room, a))
		return false;
	/* The second one where it cannot be in the way of the first. */
	begin = to->bytes.data + to->bytes.n;
	x = packing_of(stacks, i, begin);
	if (has_second)
		y = packing_of(stacks, i + 1, begin + first);
	pack_pair(&x, &y, packed_rank);
	end_stack(to, x.to);
	if (has_second) {
		const size_t size = (size_t)(y.to - (begin + first));

		memmove(x.to + 1, begin + first, size);
		end_stack(to, x.to + 1 + size);
	}
	return true;
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
	for (uint32_t i = 1; i < n; i += 2)
		if (!pack_two(to, &p->stacks, i, packed_rank, a))
			return PROF_NOMEM;
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

/* The bytes of word behind (in memory) its last one that is 0. */
static inline uint64_t behind_last_zero(uint64_t word)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
	const uint64_t zeros = ~(((word & low) + low) | word | low);

	/* Each byte of zeros is 0x80 where word's is 0. */
	if (!zeros)
		return word;
	return word & (UINT64_MAX << (63 - __builtin_clzll(zeros)) << 1);
}

#define AHEAD 8 /* stacks that are asked for before they are read */

/*
 * Bytes [8 * depth, 8 * depth + 8) of stacks counted from their ends, which
 * are the items' places. Where a stack begins is not looked up: before it is
 * the '\0' of another, and BYTE_TABLE_FRONT bytes are before the first. A key
 * that is not full is the last one.
 */
static void load_stacks(const void *ctx, struct sort_item *items, size_t n,
                        size_t depth)
{
	const unsigned char *const bytes =
		((const struct byte_table *)ctx)->bytes.data;
	const size_t back = 8 * (depth + 1);

	for (size_t i = 0; i < n; i++) {
		uint64_t word;

		if (i + AHEAD < n)
			__builtin_prefetch(bytes + (items[i + AHEAD].place -
			                            back));
		if (depth && (items[i].key & 0xff) == 0) {
			items[i].key = 0;
			continue;
		}
		memcpy(&word, bytes + (items[i].place - back), sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		items[i].key = behind_last_zero(word);
	}
}

/* The place of each stack in the order; the empty stack is 0. */
static enum prof_status rank_stacks(uint32_t *rank,
                                    const struct canonical_order *o,
                                    const struct prof_allocator *a)
{
	const uint32_t n = byte_table_n(&o->stacks);
	const struct sort_sequence from_root = { load_stacks, &o->stacks };
	struct sort_item *items = mem_zeroed(a, n, sizeof(*items));

	if (!items)
		return PROF_NOMEM;
	for (uint32_t i = 1; i < n; i++) {
		items[i - 1].id = i;
		items[i - 1].place = o->stacks.offsets.data[i + 1] - 1;
	}
	sort_by_sequence(items, n - 1, &from_root);
	rank[0] = 0;
	for (uint32_t i = 1; i < n; i++)
		rank[items[i - 1].id] = i;
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
