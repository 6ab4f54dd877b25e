/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

/*
 * Regular expressions over bytes that are mostly UTF-8. The one place that
 * knows which engine does it.
 */

#include <profile/common.h>

struct regex;

/* *out is the caller's. PROF_INVALID with the place in err; PROF_NOMEM. */
enum prof_status regex_new(struct regex **out, const char *pattern,
                           struct prof_error *err);
void regex_free(struct regex *re);

/* Whether it matches anywhere in s. Not for two threads at once. */
bool regex_matches(struct regex *re, struct prof_str s);

/*
 * As regex_matches(); group i of 1 and up comes back in *out, {NULL, 0} where
 * it took no part in the match.
 */
bool regex_group(struct regex *re, struct prof_str s, unsigned i,
                 struct prof_str *out);

#endif
