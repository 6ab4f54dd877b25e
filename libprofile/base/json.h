/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/output.h"

/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
void json_string(struct output *out, struct prof_str s);

/* "key": with a comma before it where *n is not 0, which it counts up. */
void json_key(struct output *out, const char *key, size_t *n);

#endif
