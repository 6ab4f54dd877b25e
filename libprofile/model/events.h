/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_EVENTS_H
#define MODEL_EVENTS_H

/*
 * Records of memory, of blocking and of counted stacks put into a builder, as
 * Go's runtime/pprof writes them. Used by prof_from_...() and by the fold of
 * a recording. Failures stick in the builder.
 */

#include "model/addresses.h"

/* Sample types, period type and period of a heap profile of that rate. */
void mem_set_types(struct prof_builder *b, int64_t rate,
                   struct prof_header *header);
/* False, and a failure of that status, where a record cannot be. */
bool mem_check_records(struct prof_builder *b, enum prof_status status,
                       const struct prof_mem_record *recs, size_t n);
/* Of records that were checked. */
void mem_add_records(struct prof_builder *b, struct address_map *addresses,
                     const struct prof_mem_record *recs, size_t n,
                     int64_t rate);

/* name: "wall" is time, any other contentions. */
void block_set_types(struct prof_builder *b, struct prof_str name,
                     struct prof_header *header);
void block_add_records(struct prof_builder *b, struct address_map *addresses,
                       const struct prof_block_record *recs, size_t n,
                       int64_t cycles_per_second);

/* Stacks that are counted until all were given. */
struct count_groups {
	struct prof_builder *b;
	struct byte_table keys; /* the text that Go groups and orders by */
	struct interner interner;
	VEC(struct count_group) groups; /* of key i + 1 */
	VEC(char) text;
};

struct count_group {
	int64_t n;
	uint32_t key, stack, label_set;
};

void count_groups_init(struct count_groups *g, struct prof_builder *b);
void count_groups_release(struct count_groups *g);
void count_set_types(struct prof_builder *b, struct prof_str name,
                     struct prof_header *header);
/* n of a stack; its labels[n_labels] count for the group's first one. */
void count_groups_add(struct count_groups *g, struct address_map *addresses,
                      int64_t n, const uint64_t *pcs, size_t n_pcs,
                      const struct prof_label *labels, size_t n_labels);
/* Puts the groups in Go's order: the most counted first, then by key. */
void count_groups_sort(struct count_groups *g);
/* The same, and adds the samples. */
void count_groups_finish(struct count_groups *g);

#endif
