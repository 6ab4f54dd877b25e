/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_COLLAPSED_TEXTS_H
#define FORMAT_COLLAPSED_TEXTS_H

/*
 * The frames of collapsed stacks as they are written: each distinct text once,
 * with its ';' behind it.
 *
 * A frame in a stack is a form, 2 * text + FORM_LEAF where it is the last one
 * and has no ';'. Ids of texts start at 1. Locations are rendered when they
 * are asked for first, so those of no stack cost nothing.
 */

#include "format/collapsed.h"

#define FORM_LEAF 1u

/* Where a text would be read as something else. */
enum text_guard {
	GUARD_ROOT = 1, /* as a comment, or a byte order mark */
	GUARD_LEAF = 2  /* as one without the blanks at its end */
};

/* The forms of a location, outermost first. */
struct expansion {
	uint32_t first; /* in `expanded` */
	uint32_t n;     /* 0: not rendered yet */
};

struct frame_texts {
	const struct prof_profile *p;
	const struct prof_write_options *options;
	const struct prof_allocator *a;
	struct byte_table bytes;
	struct interner interner;
	VEC(unsigned char) guards; /* by text: of enum text_guard */
	bool has_guards;
	VEC(unsigned char) scratch; /* a text being rendered */
	uint32_t *of_functions;     /* N_FRAME_KINDS for each; 0: none yet */
	struct expansion *expansions; /* by location */
	uint32_t *single_forms;     /* likewise; 0: several, or not known yet */
	VEC(uint32_t) expanded;
	uint64_t n_replaced;        /* names that were changed */
};

/* Begin with p, options and a. False: out of memory; release in any case. */
bool frame_texts_init(struct frame_texts *t);
void frame_texts_release(struct frame_texts *t);

/*
 * The *n forms of a location, outermost first, which is rendered where it is
 * not yet. They hold until the next call. NULL: out of memory.
 */
const uint32_t *frame_forms(struct frame_texts *t, uint32_t location,
                            uint32_t *n);

/*
 * A text of the same frame that is read as it is written: escaped, or with a
 * blank before it, or without those behind it. guards: of enum text_guard.
 * 0: out of memory.
 */
uint32_t frame_texts_guarded(struct frame_texts *t, uint32_t text,
                             unsigned guards);

/* The bytes of a text, with its ';'. */
static inline struct prof_str frame_text(const struct frame_texts *t,
                                         uint32_t text)
{
	return byte_table_get(&t->bytes, text);
}

#endif
