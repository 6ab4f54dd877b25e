/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PROFILE_TEXT_H
#define TESTS_PROFILE_TEXT_H

/*
 * A profile as lines of text that say all of it, so that two are compared,
 * and their first difference is shown, as text. Frames, mappings and labels
 * are written out where they are used: ids do not matter.
 */

#include <profile/model.h>

/* What is left out or made equal; the sum of these. */
enum profile_text_option {
	TEXT_NO_TIMES = 1,      /* time and duration */
	TEXT_NO_SYMBOLS = 2,    /* lines of locations, has_... of mappings */
	TEXT_NO_MAPPINGS = 4,
	TEXT_SORT_LABELS = 8,   /* by key */
	TEXT_SORT_SAMPLES = 16, /* as lines */
	TEXT_TABLES = 32,       /* ids too, and what no sample refers to */
	TEXT_LOST_BY_NAME = 64  /* the location of Go's lostProfileEvent is its
	                           function's name and nothing else */
};

/* The caller frees it; NULL: out of memory. */
char *profile_text(const struct prof_profile *p, unsigned options);

/*
 * The line where two texts differ first, in each of them: false where they
 * are the same. Lines are borrowed, with their sizes.
 */
bool text_differs(const char *a, const char *b, unsigned *line,
                  struct prof_str *line_a, struct prof_str *line_b);

#endif
