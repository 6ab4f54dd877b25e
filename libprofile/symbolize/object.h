/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_OBJECT_H
#define SYMBOLIZE_OBJECT_H

/*
 * One file and the addresses that are asked of it. Work goes in three steps,
 * each of which may run at the same time for different objects and units:
 * object_plan, then object_run for each of o->units, then reading answers.
 */

#include "symbolize/dwarf_split.h"
#include "symbolize/symbol.h"

/* A unit of DWARF with the addresses that are its own. */
struct object_unit {
	const struct dwarf_unit *unit;
	struct dwarf_split split;
	const uint64_t *addresses; /* in unit_addresses of the object */
	size_t n;
	struct frame_set frames;
	enum prof_status status;
};

/* Where the frames of an address are: chain `index` of set `set`. */
struct object_answer {
	uint32_t set; /* OBJECT_NO_SET, OBJECT_GO_SET, or number of a unit */
	uint32_t index;
};
#define OBJECT_NO_SET UINT32_MAX
#define OBJECT_GO_SET (UINT32_MAX - 1)

struct object {
	struct found_files files;     /* set by the caller */
	const uint64_t *addresses;    /* sorted, each once; set by the caller */
	size_t n;

	struct symbol_search symbols; /* found[n] */
	struct span packed_symbols;  /* .gnu_debugdata, unpacked */
	bool has_symbols, has_debug_info, has_go;
	struct dwarf_file dwarf, alt;
	struct dwarf_package package;
	VEC(struct object_unit) units;
	VEC(uint64_t) unit_addresses;
	struct frame_set go;
	struct object_answer *answers; /* [n]; NULL: only symbols are known */
};

/*
 * Finds out who answers for which address, and the symbols. PROF_NOMEM. The
 * object must not move from here on.
 */
enum prof_status object_plan(struct object *o);

/* Answers for unit i of the object. Its status says whether memory ran out. */
void object_run(struct object *o, size_t i, struct dwarf_worker *w);

/* The frames of address i, innermost first; n 0: there are none. */
struct chain object_chain(const struct object *o, size_t i,
                          const struct frame_set **set);

void object_release(struct object *o);

#endif
