/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_COLLAPSED_READER_H
#define FORMAT_COLLAPSED_READER_H

/* What the files of the reader share: its state, and what one does for
   another. collapsed_read.c says why it is as it is. */

#include "base/intern.h"
#include "format/collapsed.h"

struct frame {
	uint32_t end;      /* in the line; a ';' stands there, or it ends */
	uint32_t name;     /* string id */
	uint32_t location; /* 0: inlined, it is a line of its caller's */
	uint32_t kind;     /* of enum frame_kind */
};

/* What was made of a name. */
struct name_ids {
	uint32_t function, location; /* 0: none yet */
};

/* A stack that is packed, and waits for its batch to be full. */
struct pending {
	size_t begin, size; /* in `packed` */
	uint64_t line;
};

struct collapsed_reader {
	struct format_reading *r;
	struct prof_builder *b;
	struct prof_error *err;
	const struct prof_allocator *a;
	struct input *in;
	uint64_t max_line;
	uint64_t n_lines; /* so far, with the one at hand: its number */

	size_t n_columns; /* 0: the first stack or header is still to come */
	VEC(int64_t) values; /* of the line at hand */

	/* The frames of the last line, in the window of the input, or saved
	   from there before the window moves. */
	const unsigned char *text;
	size_t text_size;
	VEC(unsigned char) saved;
	VEC(struct frame) frames;
	VEC(struct name_ids) by_name; /* by string id */
	VEC(struct prof_str) names;   /* of the frames that are new in a line */
	VEC(uint32_t) name_ids;
	VEC(unsigned char) unescaped; /* those of them that had escapes */

	/* Locations of several frames or of a mapping, for annotations only:
	   a key of their kind and names, and what it became. */
	struct byte_table group_keys;
	struct interner groups;
	VEC(uint32_t) group_locations;
	VEC(struct prof_line) group_lines;
	uint32_t mappings[N_FRAME_KINDS];

	VEC(unsigned char) packed;
	struct pending pending[INTERN_BATCH];
	VEC(int64_t) pending_values; /* n_columns for each */
	size_t n_pending;
	VEC(uint32_t) samples; /* by stack id: the sample and 1; 0: none yet */

	uint64_t n_stacks, n_malformed, first_malformed;
};

/* Makes v.data[id] there, zero where it is new. False: out of memory. */
#define vec_fill(v, id, a)                                                    \
	((id) < (v)->n ||                                                     \
	 (vec_reserve(v, (size_t)(id) + 1 - (v)->n, a) &&                     \
	  (memset((v)->data + (v)->n, 0,                                      \
	          ((v)->capacity - (v)->n) * sizeof(*(v)->data)),             \
	   (v)->n = (v)->capacity, true)))

/* What the builder has to say, and the line it says it of. */
enum prof_status collapsed_builder_failed(const struct collapsed_reader *c,
                                          uint64_t line);

/*
 * Decides how many values a line has and what they are called: by what the
 * options say, else by a header (empty: there is none), else one.
 */
enum prof_status collapsed_begin_columns(struct collapsed_reader *c,
                                         struct prof_str header);

/*
 * Takes the values off a trimmed line. *size becomes that of its frames, or
 * SIZE_MAX for a malformed line.
 */
enum prof_status collapsed_take_values(struct collapsed_reader *c,
                                       const unsigned char *line,
                                       size_t *size);

/*
 * Makes c->frames those of text[size], up to one more than a stack may have,
 * with their locations. False: out of memory, or the builder has failed.
 */
bool collapsed_split(struct collapsed_reader *c, const unsigned char *text,
                     size_t size);
bool collapsed_locate(struct collapsed_reader *c);

#endif
