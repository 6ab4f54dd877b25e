/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_BUILDER_H
#define MODEL_BUILDER_H

/*
 * The builder inside the library: beside the public prof_add_... which intern
 * what they are given, the prof_append_... door for readers whose rows are
 * unique already and whose ids are known (profile.proto). Both keep the same
 * tables; a table takes rows through one door only.
 */

#include "model/profile.h"

#include <profile/io.h>

struct prof_builder {
	struct prof_profile *profile; /* NULL: there was no memory for one */
	struct interner strings, stacks, label_sets;
	struct hash_index functions, locations, mappings;
	struct hash_index samples;    /* of prof_count_sample */
	/* The largest ids that stacks and label sets refer to. */
	uint32_t max_location, max_label_string;
	VEC(unsigned char) scratch;   /* a stack or label set being packed */
	struct prof_limits limits;    /* all set; the sizes of one row */
	enum prof_status status;      /* sticky */
	struct prof_error error;
	struct prof_allocator allocator;
};

/*
 * The sticky failure: the first one is kept. Returns the status that is kept.
 */
enum prof_status builder_fail(struct prof_builder *b, enum prof_status status,
                              const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The id of a string: 0 is "", and a failure, which sticks. */
uint32_t builder_string(struct prof_builder *b, struct prof_str s);

/*
 * The same for strings[n] at once, see intern_batch(). False: a failure, which
 * sticks.
 */
bool builder_strings(struct prof_builder *b, const struct prof_str *strings,
                     uint32_t *ids, size_t n);

/*
 * Interns n packed stacks of locations that are there. False: a failure,
 * which sticks.
 */
bool builder_stacks(struct prof_builder *b, const struct prof_str *packed,
                    uint32_t *ids, size_t n);

/*
 * Adds values to those of a sample, all of them or none: PROF_OVERFLOW, which
 * sticks, where a sum leaves the range of int64_t.
 */
void builder_add_values(struct prof_builder *b, uint32_t sample,
                        const int64_t *values);

/* Rows without a look for equal ones. 0: failed, and it sticks. */
uint32_t builder_append_function(struct prof_builder *b,
                                 const struct row_function *row);
uint32_t builder_append_mapping(struct prof_builder *b,
                                const struct row_mapping *row);
/*
 * lines[n] of the location; row.first_line's flag is kept, the rest set. They
 * may stand behind the lines of the profile already, where they will be: to
 * copy what was only just written stalls the processor (80 ns a location).
 */
uint32_t builder_append_location(struct prof_builder *b,
                                 const struct row_location *row,
                                 const struct prof_line *lines, size_t n);

#endif
