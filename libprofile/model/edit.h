/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_EDIT_H
#define MODEL_EDIT_H

/*
 * Changing a finished profile in place: what the transforms are made of.
 *
 * Whatever is built anew is built beside the old and put in its place at the
 * end, where nothing can fail any more. So a function here that fails leaves
 * the profile as it was (with some rows more, that nothing refers to). Each
 * takes back is_canonical.
 *
 * Rows that nothing refers to stay until the profile is compacted, except
 * stacks and label sets, which are built anew as a whole.
 */

#include "model/profile.h"

/* Drops the samples with !keep_stack[stack]. */
void edit_keep_by_stack(struct prof_profile *p,
                        const unsigned char *keep_stack);

/* Drops the samples i for which !keep[i]. */
void edit_keep_samples(struct prof_profile *p, const bool *keep);

/* Drops the lines i, of all locations, for which !keep[i]. */
void edit_keep_lines(struct prof_profile *p, const bool *keep);

/*
 * A new location like `id` with only lines [first, first + n) of its lines.
 * 0: failed, err says why.
 */
uint32_t edit_cut_location(struct prof_profile *p, uint32_t id, uint32_t first,
                           uint32_t n, struct prof_error *err);

/* A new location without an address that is a line of a function. */
uint32_t edit_add_location(struct prof_profile *p, uint32_t function,
                           struct prof_error *err);
uint32_t edit_add_function(struct prof_profile *p,
                           const struct row_function *row,
                           struct prof_error *err);

/* ---- Strings ---- */

/* The id of a string, found by a look at all of them; UINT32_MAX: none. */
uint32_t edit_find_string(const struct prof_profile *p, struct prof_str s);

/* The same, added where it is new. UINT32_MAX: failed, err says why. */
uint32_t edit_add_string(struct prof_profile *p, struct prof_str s,
                         struct prof_error *err);

/* ---- Stacks ---- */

/*
 * Stacks built anew. Begin; then for each stack that is wanted get it into
 * ids[], change it, and put it back; commit with the new stack of each old
 * one, or of each sample; and release in every case.
 */
struct stack_edit {
	struct prof_profile *p;
	struct byte_table stacks;
	struct interner interner;
	uint32_t *ids;          /* [size]: the stack in hand, leaf first */
	size_t size;
	unsigned char *packed;
	uint32_t *new_ids;      /* by old stack; UINT32_MAX: not yet */
	uint32_t n_old;
	size_t depth;           /* of the deepest old one */
};

/* extra: how many locations a stack may grow by. False: out of memory. */
bool stack_edit_begin(struct stack_edit *e, struct prof_profile *p,
                      size_t extra);
void stack_edit_release(struct stack_edit *e);

/* Unpacks a stack into ids; its depth. */
size_t stack_edit_get(struct stack_edit *e, uint32_t stack);

/*
 * The new stack that ids[from, from + n) is, in *out. False: failed, and err
 * says why.
 */
bool stack_edit_put(struct stack_edit *e, const uint32_t *ids, size_t n,
                    uint32_t *out, struct prof_error *err);

/* The new stack that is the same as an old one. */
bool stack_edit_copy(struct stack_edit *e, uint32_t stack, uint32_t *out,
                     struct prof_error *err);

/* Puts the new table into the profile; the samples' ids are new already. */
void stack_edit_commit(struct stack_edit *e);

/*
 * All of that for an edit that depends on nothing but the stack: change()
 * gets ids[n] and returns the new depth, with *first for where it begins.
 * Stacks with touched[stack] == 0 are copied; touched may be NULL.
 */
enum edit_flags {
	EDIT_DROP_EMPTIED = 1, /* samples whose stack has become empty */
	EDIT_DROP_EMPTY = 2    /* those whose stack was empty, too */
};
struct stack_change {
	size_t (*change)(void *ctx, uint32_t *ids, size_t n, size_t *first);
	void *ctx;
	const unsigned char *touched;
	unsigned flags; /* of enum edit_flags */
};
enum prof_status edit_stacks(struct prof_profile *p,
                             const struct stack_change *change,
                             struct prof_error *err);

/* Takes the locations with marks[id] != 0 out of all stacks. */
enum prof_status edit_drop_locations(struct prof_profile *p,
                                     const unsigned char *marks,
                                     struct prof_error *err);

/* ---- Labels ---- */

/*
 * All label sets built anew: change() gets labels[n], with room for `extra`
 * more, and returns how many there are then. A set without labels is none.
 */
struct label_change {
	size_t (*change)(void *ctx, struct row_label *labels, size_t n);
	void *ctx;
	size_t extra;
};
enum prof_status edit_labels(struct prof_profile *p,
                             const struct label_change *change,
                             struct prof_error *err);

/* ---- The whole ---- */

/* Gives *p the content of *from, which is freed; both of one allocator. */
void edit_replace(struct prof_profile *p, struct prof_profile *from);

#endif
