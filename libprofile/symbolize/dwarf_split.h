/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_DWARF_SPLIT_H
#define SYMBOLIZE_DWARF_SPLIT_H

/*
 * Split DWARF: the binary keeps a skeleton of each unit, and the entries are
 * in a .dwo file of its own or in a package (.dwp) of all of them.
 */

#include "symbolize/dwarf.h"
#include "symbolize/find.h"

/* A package beside the binary. */
struct dwarf_package {
	struct mapped_file file;
	struct elf elf;
	struct dwarf_file dwarf; /* without units; no .debug_info: no package */
	struct span index;       /* .debug_cu_index */
};

/* The entries of one unit; they stay until it is closed. */
struct dwarf_split {
	struct mapped_file file;
	struct elf elf;
	struct dwarf_file dwarf;
	const struct dwarf_unit *unit; /* NULL: not found */
};

/* Opens PATH.dwp, where it is there. */
void dwarf_package_open(struct dwarf_package *p, const char *path);
void dwarf_package_close(struct dwarf_package *p);

/* True where a unit has its entries elsewhere. */
static inline bool dwarf_is_split(const struct dwarf_unit *u)
{
	return u->dwo_id != 0 && (u->dwo_name || u->type == DWARF_UT_SKELETON);
}

/*
 * Opens the entries of a skeleton: from the package, else its .dwo file.
 * path: of the binary, for .dwo files that stand beside it. s->unit stays
 * NULL where there is none with the skeleton's id.
 */
void dwarf_split_open(struct dwarf_split *s, const struct dwarf_unit *skeleton,
                      const struct dwarf_package *package, const char *path);
void dwarf_split_close(struct dwarf_split *s);

#endif
