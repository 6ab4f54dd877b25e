/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_NAMING_H
#define SYMBOLIZE_NAMING_H

/*
 * Writing answers into a profile: strings are interned and names demangled
 * once each, whoever found them.
 */

#include "model/editor.h"
#include "symbolize/demangle.h"
#include "symbolize/object.h"

struct naming {
	struct profile_editor *editor;
	struct demangler demangler;
	VEC(uint32_t) display; /* of a system name's id; 0: not yet */
	VEC(struct prof_line) lines; /* of the last address */
	struct prof_str last_symbol; /* and the ids it got */
	uint32_t last_system_name;
	bool no_inlines;
	bool has_no_memory;
};

/* The profile ids of the names of one frame_set, filled when first used. */
struct set_names {
	VEC(uint32_t) system_names, files; /* id + 1; 0: not yet */
};

void naming_init(struct naming *n, struct profile_editor *e,
                 enum prof_demangle mode);
void naming_release(struct naming *n);

/*
 * Sets n->lines to the frames of address i of an object; names belong to the
 * set that answers it. None: lines.n is 0.
 */
void naming_lines(struct naming *n, const struct object *o, size_t i,
                  struct set_names *names);

/* Demangles the functions that have no name for people yet, or all. */
void naming_demangle(struct naming *n, enum prof_symbolize_mode mode);

void set_names_release(struct set_names *s);

#endif
