/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_NAMES_H
#define TRANSFORM_NAMES_H

/*
 * Which names of a profile a regular expression matches. Each string is
 * matched once, when it is first asked for, however many functions, lines and
 * locations it stands for.
 */

#include "base/regex.h"
#include "model/profile.h"

struct names {
	const struct prof_profile *p;
	struct regex *regex;
	unsigned char *known; /* [n_known], by string id: enum known_match */
	size_t n_known;
	struct prof_allocator a;
	/* What of a name the expression is shown; NULL: all. */
	struct prof_str (*part)(struct prof_str name);
};

/* PROF_INVALID (the expression), PROF_NOMEM. Release in every case. */
enum prof_status names_init(struct names *n, const struct prof_profile *p,
                            const char *pattern, struct prof_error *err);
void names_release(struct names *n);

/* To be asked at the end: see regex_status(). */
enum prof_status names_status(const struct names *n, struct prof_error *err);

bool names_match_string(struct names *n, uint32_t string);

/* The function's name or file name; false where there is no function. */
bool names_match_line(struct names *n, const struct prof_line *line);

/* The file of the mapping; false where there is no mapping. */
bool names_match_mapping(struct names *n, const struct row_location *l);

/*
 * marks[locations.n]: 1 for each location of which a line or the mapping
 * matches, else 0. False: out of memory.
 */
bool names_mark_locations(struct names *n, unsigned char *marks);

/* ---- Names as they are pruned by ---- */

/*
 * A name without a leading '.', and without the list of arguments and what
 * is behind it: "a::b(int) const" is "a::b".
 */
struct prof_str name_simplified(struct prof_str name);

/* The same without blanks around it. */
struct prof_str name_simplified_and_trimmed(struct prof_str name);

#endif
