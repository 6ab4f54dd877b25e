/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_NAMING_H
#define SYMBOLIZE_NAMING_H

/*
 * Writing answers into a profile: strings are interned and names demangled
 * once each, whoever found them. Three steps: naming_intern() for all sets of
 * frames, naming_decode(), then naming_functions() for all sets.
 */

#include "model/editor.h"
#include "symbolize/demangle.h"
#include "symbolize/object.h"

struct naming {
	struct profile_editor *editor;
	struct demangler demangler;
	VEC(uint32_t) display; /* of a system name's id; 0: not yet */
	VEC(uint32_t) wanted;  /* system names that are to be demangled */
	/* Ids of the set that is at hand, and 1; 0: not yet. */
	VEC(uint32_t) system_names, files;
	struct prof_str last_symbol; /* and the id it got */
	uint32_t last_system_name;
	bool has_no_memory;
};

void naming_init(struct naming *n, struct profile_editor *e,
                 enum prof_demangle mode);
void naming_release(struct naming *n);

/* Interns the strings of a settled set. */
void naming_intern(struct naming *n, struct frame_set *s);

/* Demangles what the sets have, in up to n_workers threads. */
void naming_decode(struct naming *n, unsigned n_workers);

/* Gives each name of the set its function in the profile. */
void naming_functions(struct naming *n, struct frame_set *s);

/* Demangles the functions that have no name for people yet, or all. */
void naming_demangle(struct naming *n,
                     const struct prof_symbolize_options *o);

#endif
