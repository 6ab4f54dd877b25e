/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_MERGER_H
#define TRANSFORM_MERGER_H

/*
 * The inside of a merger: one profile that grows, the hash indexes over its
 * tables, and for the input in hand the maps from its ids to those of the
 * sum.
 *
 * While it grows, addresses of locations that have a mapping are relative to
 * its start: only the end tells which start that is.
 */

#include "model/builder.h"

#include <profile/transform.h>

/* A sample type of the sum. */
struct merge_column {
	struct row_value_type type;
	uint32_t n_inputs; /* that have it */
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

struct prof_merger {
	struct prof_allocator a;
	struct prof_notes notes;
	bool union_of_types;
	bool has_failed; /* cannot go on */
	struct prof_profile *sum;
	struct interner strings, stacks, label_sets;
	struct hash_index mappings, functions, locations, samples;
	VEC(struct merge_column) columns;
	VEC(struct merge_mapping) merge_mappings; /* [sum.mappings.n] */
	uint32_t n_inputs;
	bool types_differ;

	/* Of the input in hand. */
	const struct prof_profile *in;
	int64_t weight;
	VEC(uint32_t) string_map, function_map, label_set_map, stack_map;
	VEC(uint32_t) location_map; /* varint_pack()ed ids */
	VEC(struct mapping_map) mapping_map;
	VEC(uint32_t) column_map;
	VEC(int64_t) column_factor; /* the input's values times this */
	VEC(unsigned char) scratch;
	struct prof_error *err;
	enum prof_status status;    /* sticky for the input in hand */
};

/* merge_tables.c: each fills a map and adds what is new to the sum. False:
   m->status says why. */
bool merge_strings(struct prof_merger *m);
bool merge_mappings(struct prof_merger *m);
bool merge_functions(struct prof_merger *m);
bool merge_locations(struct prof_merger *m);
bool merge_stacks(struct prof_merger *m);
bool merge_label_sets(struct prof_merger *m);
bool merge_samples(struct prof_merger *m);

/*
 * Labels in the order in which sets are compared: by key, string labels first;
 * equal keys stay in the order they have.
 */
void merge_sort_labels(const struct prof_profile *p, struct row_label *labels,
                       size_t n);

/* merge_types.c */
bool merge_sample_types(struct prof_merger *m);
/* The columns that the result has: the rest is cut out of the sum. */
enum prof_status merge_choose_types(struct prof_merger *m,
                                    struct prof_error *err);

#endif
