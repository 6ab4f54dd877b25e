/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_MERGER_H
#define TRANSFORM_MERGER_H

/*
 * The inside of a merger: one profile that grows, the hash indexes over its
 * tables, and for the input in hand the maps from its ids to those of the
 * sum.
 *
 * While it grows, addresses of locations are relative to the start of their
 * mapping: only the end tells which start that is.
 */

#include "base/measure.h"
#include "model/builder.h"

#include <profile/transform.h>

/* A type of values, and what is known of its unit. */
struct merge_type {
	struct row_value_type type; /* strings of the sum */
	struct measure_unit unit;
};

/* A column of the sum's values: a type as it is written in some input. */
struct merge_column {
	struct merge_type type;
	uint32_t class;
};

/* A sample type of the result: columns that differ in their unit only. */
struct merge_class {
	struct merge_type type; /* the first name, and the finest unit */
	uint32_t occurrence;    /* in one input: see merge_types.c */
	uint32_t n_inputs;      /* that have it */
};

/* The longest period in each unit; the end knows the finest. */
struct merge_period {
	struct merge_type type;
	bool has_type;
	int64_t longest[MEASURE_MAX_UNITS];
	uint32_t has_longest; /* bits */
	int64_t untyped;      /* of inputs without a period type */
	bool has_untyped;
};

/* A mapping of the sum, beside its row. */
struct merge_mapping {
	uint64_t size; /* the largest, of those that are one */
	bool is_first; /* some input's first one */
};

/* From an input's mapping to that of the sum. */
struct mapping_map {
	uint32_t id;
	uint64_t start; /* of the input's */
};

/* A sum is the value in its row and turns * 2^64. */
struct merge_carry {
	uint32_t sample, column;
	int64_t turns;
};

struct merge_carries {
	struct hash_index index; /* of sample and column */
	VEC(struct merge_carry) rows;
};

/* Sums of 64-bit values, times the ratio of two units. */
__extension__ typedef __int128 merge_wide;

struct prof_merger {
	struct prof_allocator a;
	struct prof_notes notes;
	bool union_of_types;
	bool has_failed; /* cannot go on */
	struct prof_profile *sum;
	struct interner strings, stacks, label_sets;
	struct hash_index mappings, functions, locations, samples, comments;
	VEC(struct merge_column) columns;
	VEC(struct merge_class) classes;
	struct merge_period period;
	VEC(struct merge_mapping) merge_mappings; /* [sum.mappings.n] */
	struct merge_carries carries;
	int64_t duration, duration_turns; /* as of a merge_carry */
	uint32_t n_inputs;
	bool types_differ;

	/* Of the input in hand. */
	const struct prof_profile *in;
	const struct prof_merger *joined; /* whose sum it is, or NULL */
	int64_t weight;
	VEC(uint32_t) string_map, function_map, label_set_map, stack_map;
	VEC(uint32_t) location_map; /* varint_pack()ed ids */
	VEC(struct mapping_map) mapping_map;
	VEC(uint32_t) column_map;
	VEC(unsigned char) scratch;
	struct prof_error *err;
	enum prof_status status;    /* sticky for the input in hand */
};

/* Sets the status of the input in hand, and that the merger cannot go on;
   false. */
bool merge_fail_nomem(struct prof_merger *m);
/* The same where a table of `size` bytes may be full. */
bool merge_fail_to_grow(struct prof_merger *m, size_t size, const char *what);

/* merge_tables.c and merge_samples.c: each fills a map and adds what is new to
   the sum. False: m->status says why. */
bool merge_strings(struct prof_merger *m);
bool merge_mappings(struct prof_merger *m);
bool merge_functions(struct prof_merger *m);
bool merge_locations(struct prof_merger *m);
bool merge_stacks(struct prof_merger *m);
bool merge_label_sets(struct prof_merger *m);
bool merge_samples(struct prof_merger *m);

/* ---- Batches ---- */

#define MERGE_BATCH INTERN_BATCH

static inline uint32_t merge_batch_size(size_t i, size_t n)
{
	return n - i < MERGE_BATCH ? (uint32_t)(n - i) : MERGE_BATCH;
}

PREFETCHES merge_prefetch_slot(const struct hash_index *h, uint64_t hash)
{
	__builtin_prefetch(&h->slots[hash_index_first(h, hash)]);
}

/* The row that a slot's first look gives, 0 for none: to be fetched. */
static inline uint32_t merge_likely_row(const struct hash_index *h,
                                        uint64_t hash)
{
	const struct hash_slot *slot = &h->slots[hash_index_first(h, hash)];

	return slot->tag == hash_tag(hash) ? slot->id : 0;
}

/* A string of the input, in the sum. */
static inline uint32_t merge_string_of(const struct prof_merger *m,
                                       uint32_t id)
{
	return m->string_map.data[id];
}

/* ---- What is beyond 64 bits: merge_carry.c ---- */

/* False: out of memory. */
bool merge_carry_add(struct merge_carries *c, uint32_t sample, uint32_t column,
                     int64_t turns, const struct prof_allocator *a);
/* 0 for what is not there. */
int64_t merge_carry_get(const struct merge_carries *c, uint32_t sample,
                        uint32_t column);
bool merge_carries_any(const struct merge_carries *c);
void merge_carries_release(struct merge_carries *c,
                           const struct prof_allocator *a);

/* ---- Details ---- */

/*
 * Labels in the order in which sets are compared: by key, string labels first;
 * equal keys stay in the order they have.
 */
void merge_sort_labels(const struct prof_profile *p, struct row_label *labels,
                       size_t n);

/*
 * Among mappings that are some input's first one, which is first: by what
 * makes a mapping itself, so that no other input changes it. <0, 0, >0.
 */
int merge_compare_first(const struct prof_merger *m, uint32_t a, uint32_t b);

/* An address as it was, moved along with its mapping. */
uint64_t merge_address(uint64_t relative, uint64_t start);

/* merge_types.c */
struct merge_type merge_type_of(const struct prof_merger *m,
                                struct row_value_type in);
bool merge_type_is_compatible(const struct prof_profile *p,
                              const struct merge_type *a,
                              const struct merge_type *b);
/* Of two that are compatible, the first name and the finest unit. */
void merge_type_unify(const struct prof_profile *p, struct merge_type *known,
                      const struct merge_type *more);
/* False: it leaves 100 bits, so that sums of such fit in a merge_wide. */
bool merge_convert(merge_wide *value, const struct merge_type *from,
                   const struct merge_type *to);
bool merge_sample_types(struct prof_merger *m);
/* The columns that the result has: the rest is cut out of the sum. */
enum prof_status merge_choose_types(struct prof_merger *m,
                                    struct prof_error *err);

#endif
