/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_ADDRESS_NAMES_H
#define CMD_ADDRESS_NAMES_H

/*
 * `profconv symbols`: names for addresses without a profile around them.
 */

#include <profile/io.h>

#include "symbols.h"

/* Bytes of the input at most: more than any process has mappings for. */
#define ADDRESS_NAMES_MAX ((size_t)1 << 30)

/*
 * Reads lines of a /proc/PID/maps and lines of one hexadecimal address each,
 * in any order, and writes a line for each address, in turn: the names of its
 * frames, innermost first, "--" between; "??" where there is none. Addresses
 * are taken as they are. Other lines are passed over. maps: the same lines from
 * a file of their own, read before; zeroed: none.
 *
 * PROF_NOMEM, PROF_LIMIT, PROF_SYSTEM; into *code goes what else went wrong
 * and has been said, else CLI_CONTINUE.
 */
enum prof_status address_names(const struct symbols *s,
                               struct prof_source maps,
                               struct prof_source source,
                               struct prof_sink sink,
                               const struct teller *teller, int *code,
                               struct prof_error *err);

#endif
