/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_DEMANGLE_H
#define SYMBOLIZE_DEMANGLE_H

/*
 * Names for people from names for linkers, in google/pprof's modes.
 */

#include "base/memory.h"

#include <profile/symbolize.h>

struct demangler {
	enum prof_demangle mode;
	bool keeps_plain; /* what is not mangled stays as it is */
	VEC(char) text; /* the last answer */
};

void demangle_init(struct demangler *d, enum prof_demangle mode);
void demangle_release(struct demangler *d);

/*
 * The name for people: `name` itself where nothing is to be changed, else
 * text borrowed from d until its next use.
 */
struct prof_str demangle(struct demangler *d, struct prof_str name);

#endif
