/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_PPROF_IDS_H
#define FORMAT_PPROF_IDS_H

/*
 * The ids of a profile.proto file: any 64-bit numbers but 0, told before or
 * after they are used. Almost every file numbers its rows 1, 2, 3 ... in
 * order, and then an id is the model's id already. For the others there is a
 * map, and one pass over the references at the end.
 *
 * A reference takes 32 bits while it waits for that: ids from 2^31 on stand
 * for the larger ones, in the order in which those were met.
 */

#include "base/intern.h"

/* The ids of 2^31 and more, for all kinds of rows alike. */
struct large_ids {
	struct byte_table table; /* of 8-byte ids */
	struct interner interner;
};

#define LARGE_ID_FIRST UINT32_C(0x80000000)

/* The 32-bit form of an id; 0 where memory ran out (or the id is 0). */
uint32_t id_32(struct large_ids *l, uint64_t id, const struct prof_allocator *a);
/* The id that a 32-bit form stands for. */
uint64_t id_64(const struct large_ids *l, uint32_t id);
void large_ids_release(struct large_ids *l, const struct prof_allocator *a);

/* Ids to rows of one table. */
struct id_map {
	uint32_t n;              /* rows so far; row n is the last */
	bool is_sparse;          /* not 1, 2, 3 ...: the following are in use */
	struct hash_index index; /* to a row */
	VEC(uint32_t) ids;       /* of row i + 1 */
	uint64_t seed;
};

enum id_map_result { ID_MAP_OK, ID_MAP_DUPLICATE, ID_MAP_NOMEM };

/* The id of the next row. */
enum id_map_result id_map_add(struct id_map *m, uint32_t id,
                              const struct prof_allocator *a);
/* The row that has the id, 0 where there is none. */
uint32_t id_map_find(const struct id_map *m, uint32_t id);
void id_map_release(struct id_map *m, const struct prof_allocator *a);

#endif
