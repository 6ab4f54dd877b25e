/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_ADDRESS_H
#define SYMBOLIZE_ADDRESS_H

/*
 * From addresses as a program saw them to addresses as its files have them:
 * symbol address = address - base. The rules are those of google/pprof, whose
 * users' profiles these are; see docs/symbolize.md for the table.
 *
 * Source: google/pprof, internal/elfexec, described in our own words.
 */

#include "symbolize/elf.h"

struct address_mapping {
	uint64_t start, limit, offset;
	bool is_kernel;
	/* The kernel's _stext (or _text) in the file, where it is known. */
	bool has_stext;
	uint64_t stext;
};

/*
 * The base of a mapping of the file, by the first address that was seen in
 * it. False: the mapping does not fit the file, or the address is outside.
 */
bool address_base(const struct elf *elf, const struct address_mapping *m,
                  uint64_t address, uint64_t *base);

/* True where it looks like one of the kernel's. */
bool address_is_kernel(const struct address_mapping *m, struct prof_str file);

#endif
