/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

/*
 * Regular expressions over bytes that are mostly UTF-8, in the syntax that
 * users of google/pprof know (RE2): unanchored, case-sensitive, "$" is the
 * very end, "." is not a newline. The one place that knows which engine does
 * it.
 *
 * An expression that runs into a limit on some name is a failure that sticks,
 * never "no match": after the last name was looked at, ask regex_status().
 * From the failure on nothing matches, and nothing takes time.
 */

#include <profile/common.h>

struct regex;

/*
 * *out is the caller's. PROF_INVALID with the expression, what is wrong and
 * in which column (characters, from 1) in err; PROF_NOMEM.
 */
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

/*
 * PROF_OK, or PROF_LIMIT (an expression that takes too long, named in err),
 * PROF_NOMEM: the matches so far mean nothing.
 */
enum prof_status regex_status(const struct regex *re, struct prof_error *err);

#endif
