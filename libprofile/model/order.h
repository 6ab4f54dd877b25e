/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ORDER_H
#define MODEL_ORDER_H

/*
 * The canonical order of a profile: the same for the same content, however
 * the tables came to be ordered.
 *
 * Locations are ranked by content (mapping, address, lines). Samples are in
 * the order of a walk through the tree of stacks from the root, children by
 * rank; equal stacks by the content of their label sets, then by values.
 * Samples of one stack prefix stand together then, which is what makes a
 * compressed file a quarter to a half smaller.
 */

#include "model/profile.h"

enum order_flags {
	ORDER_USED_ONLY = 1, /* leave out locations that no sample has */
};

struct canonical_order {
	uint32_t *samples;       /* [n_samples] rows in canonical order */
	uint32_t *locations;     /* [n_locations] ids in order of rank */
	uint32_t *location_rank; /* by id: 1.. ; 0: left out */
	/* Stacks with ranks for ids; stack i is stack i of the profile. */
	struct byte_table stacks;
	uint32_t n_samples, n_locations;
	size_t locations_size;   /* of the two above, in elements */
};

/* PROF_NOMEM; PROF_LIMIT beyond 2^28 locations. Release in every case. */
enum prof_status canonical_order_init(struct canonical_order *o,
                                      const struct prof_profile *p,
                                      enum order_flags flags,
                                      const struct prof_allocator *a);
void canonical_order_release(struct canonical_order *o,
                             const struct prof_allocator *a);

/* Compares strings by their bytes: <0, 0, >0. */
int string_compare(const struct prof_profile *p, uint32_t a, uint32_t b);

/*
 * Compares the labels of two sets by content: <0, 0, >0. Sets of equal
 * labels in another order are different.
 */
int label_set_compare(const struct prof_profile *p, uint32_t a, uint32_t b);

#endif
