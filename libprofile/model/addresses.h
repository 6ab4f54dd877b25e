/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_ADDRESSES_H
#define MODEL_ADDRESSES_H

/*
 * From the return addresses of a stack to locations of a profile.
 *
 * A return address stands behind the call that it belongs to, so a location
 * is one byte less. Two rules for the rest:
 *
 *   clean     the mapping that holds the location; no lines where the
 *             address has no symbol; address 0 stays 0
 *   go exact  the mapping that holds the return address itself; a line of a
 *             nameless function where there is no symbol; one empty mapping
 *             that owns all where none is known; 0 becomes 2^64 - 1
 *
 * Source of the second: Go runtime/pprof, profileBuilder.
 */

#include "model/builder.h"
#include "model/ranges.h"

#include <profile/raw.h>

enum address_rule { ADDRESS_CLEAN, ADDRESS_GO_EXACT };

struct address_symbol {
	uint32_t first_line, n_lines; /* of lines */
};

struct address_map {
	struct prof_builder *b;
	enum address_rule rule;
	struct address_ranges ranges; /* of mapping ids */
	/* pc to location id, for the ranges as they are. */
	struct hash_index index;
	VEC(uint64_t) pcs;        /* of slot ids - 1 */
	VEC(uint32_t) locations;
	/* pc to symbol */
	struct hash_index symbol_index;
	VEC(uint64_t) symbol_pcs;
	VEC(struct address_symbol) symbols;
	VEC(struct prof_line) lines;
	VEC(uint32_t) scratch;    /* a stack */
	uint32_t no_function;     /* the nameless one; 0: not yet */
	uint32_t fake_mapping;    /* 0: not yet */
};

void address_map_init(struct address_map *m, struct prof_builder *b,
                      enum address_rule rule);
void address_map_release(struct address_map *m);

/*
 * A mapping that is there from now on, in place of those it overlaps; limit
 * 0: the one that begins at start is gone. Failures stick in the builder.
 */
void address_map_add(struct address_map *m, const struct prof_mapping *mapping);

/* The frames of a return address from now on, innermost first. */
void address_map_add_symbol(struct address_map *m, uint64_t pc,
                            const struct prof_symbol *frames, size_t n);

/* The stack of return addresses pcs[n], leaf first; 0 for n 0 or failed. */
uint32_t address_map_stack(struct address_map *m, const uint64_t *pcs,
                           size_t n);

#endif
