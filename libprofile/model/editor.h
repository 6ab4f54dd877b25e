/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_EDITOR_H
#define MODEL_EDITOR_H

/*
 * Changing a finished profile: new strings and functions are interned with
 * those that are there, and every location gets its lines anew. Until
 * profile_editor_finish() the profile reads as before, but for functions and
 * strings that nothing refers to yet; profile_editor_cancel() takes those
 * back. Failures stick.
 */

#include "model/profile.h"

struct profile_editor {
	struct prof_profile *profile;
	struct interner strings;
	struct hash_index functions;
	VEC(struct prof_line) lines;
	VEC(uint32_t) first_lines; /* of each location so far, from row 0 */
	uint32_t n_strings, n_functions; /* when it began */
	enum prof_status status;
};

/* Nothing else may change the profile while it is being edited. */
void profile_editor_begin(struct profile_editor *e, struct prof_profile *p);

/* The id of a string: 0 is "", or a failure. */
uint32_t profile_editor_string(struct profile_editor *e, struct prof_str s);

/* The id of the function with these fields; 0: failed. */
uint32_t profile_editor_function(struct profile_editor *e,
                                 const struct row_function *row);

/*
 * The lines of the next location, innermost first; called once for each, in
 * the order of ids from 1. lines may be those the location has now.
 */
void profile_editor_lines(struct profile_editor *e,
                          const struct prof_line *lines, size_t n);

/*
 * The same with room for n lines that the caller fills in before its next
 * call; NULL: none, or a failure.
 */
struct prof_line *profile_editor_add_lines(struct profile_editor *e, size_t n);

/* Room for n lines in all, so that they need not move as they become more. */
void profile_editor_reserve_lines(struct profile_editor *e, size_t n);

/*
 * Puts the lines in place. On failure, PROF_NOMEM or PROF_LIMIT, all is as it
 * was before the beginning. Ends the editing in both cases.
 */
enum prof_status profile_editor_finish(struct profile_editor *e,
                                       struct prof_error *err);
void profile_editor_cancel(struct profile_editor *e);

/*
 * Changes all stacks: change() gets the locations ids[n] of one, leaf first,
 * and returns how many of them it left. The locations stay in their table.
 * PROF_NOMEM, and then all is as it was.
 */
enum prof_status profile_change_stacks(struct prof_profile *p,
                                       size_t (*change)(void *ctx,
                                                        uint32_t *ids,
                                                        size_t n),
                                       void *ctx, struct prof_error *err);

#endif
