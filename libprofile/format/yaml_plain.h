/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_PLAIN_H
#define FORMAT_YAML_PLAIN_H

/*
 * What a scalar without quotes may be taken for: YAML 1.1, YAML 1.2 and the
 * libraries disagree on when "no", "010" or "1:30" is a string. We read and
 * write only what all of them agree on.
 */

#include <profile/common.h>

/* A word such as yes, no, on, off, true, null, in any case. */
bool yaml_is_reserved_word(const char *s, size_t size);

/* Whether some reader may take it for a boolean, number, date or null. */
bool yaml_is_ambiguous(const char *s, size_t size);

/*
 * -?[0-9]+ without leading zeros, or -?0x[0-9a-fA-F]+. False where it is
 * neither or leaves 64 bits.
 */
bool yaml_parse_number(const char *s, size_t size, bool *is_negative,
                       uint64_t *magnitude);

#endif
