/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_GOPCLNTAB_H
#define SYMBOLIZE_GOPCLNTAB_H

/*
 * Go's own line table, which every Go program carries to print its stacks:
 * functions, files, lines and what was inlined, also where -s -w left neither
 * symbols nor DWARF.
 */

#include "symbolize/elf.h"
#include "symbolize/frames.h"

/*
 * Answers for the sorted addresses[n]: out->chains[n], with 0 frames for what
 * is not Go's. PROF_UNKNOWN_FORMAT: the file has no such table, and *out is
 * empty; PROF_NOMEM.
 */
enum prof_status gopclntab_look_up(const struct elf *elf,
                                   const uint64_t *addresses, size_t n,
                                   struct frame_set *out);

#endif
