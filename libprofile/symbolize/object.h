/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_OBJECT_H
#define SYMBOLIZE_OBJECT_H

/*
 * One file and the addresses that are asked of it. Work goes in four steps,
 * the first two of which may run at the same time for different objects and
 * units: object_plan, then object_run for each of o->units, object_settle,
 * then reading answers.
 */

#include "symbolize/dwarf_split.h"
#include "symbolize/symbol.h"

/* A unit of DWARF with the addresses that are its own. */
struct object_unit {
	const struct dwarf_unit *unit;
	struct dwarf_split split;
	size_t first, n; /* of unit_addresses and unit_indexes */
	struct frame_set frames;
	enum prof_status status;
};

/* Where the frames of an address are: chain `index` of set `set`. */
struct object_answer {
	uint32_t set; /* one of these, or number of a unit */
	uint32_t index;
};
#define OBJECT_NO_SET UINT32_MAX
#define OBJECT_GO_SET (UINT32_MAX - 1)
#define OBJECT_SYMBOL_SET (UINT32_MAX - 2)

struct object {
	struct found_files files;     /* set by the caller */
	const uint64_t *addresses;    /* sorted, each once; set by the caller */
	size_t n;
	bool no_inlines, go_only;     /* set by the caller */

	struct symbol_search symbols; /* found[n] */
	struct span packed_symbols;  /* .gnu_debugdata, unpacked */
	struct elf packed;           /* of it; names of symbols are in there */
	bool has_symbols, has_debug_info, has_go;
	struct dwarf_file dwarf, alt;
	struct dwarf_package package;
	VEC(struct object_unit) units;
	/* The addresses by unit, and which of the object's each of them is. */
	VEC(uint64_t) unit_addresses;
	VEC(uint32_t) unit_indexes;
	struct frame_set go;
	struct frame_set bare; /* frames of symbols alone */
	struct object_answer *answers; /* [n]; NULL: nothing is known */
};

/*
 * Finds out who answers for which address, and the symbols. PROF_NOMEM. The
 * object must not move from here on.
 */
enum prof_status object_plan(struct object *o);

/* Its first step alone: nothing is known yet. False: out of memory. */
bool object_begin(struct object *o);

/* Answers for unit i of the object. Its status says whether memory ran out. */
void object_run(struct object *o, size_t i, struct dwarf_worker *w);

/*
 * The addresses for which nobody but the symbols has an answer get that.
 * PROF_NOMEM.
 */
enum prof_status object_settle(struct object *o);

/* The sets of frames, all of them settled, set 0, 1, ...; NULL: no more. */
struct frame_set *object_set(struct object *o, size_t i);

/* The frames of address i, innermost first; n 0: there are none. */
struct chain object_chain(const struct object *o, size_t i,
                          const struct frame_set **set);

void object_release(struct object *o);

#endif
