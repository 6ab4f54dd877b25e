/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_COLLAPSED_H
#define FORMAT_COLLAPSED_H

/*
 * What reading and writing collapsed stacks have in common: the marks of
 * frames, and the end of a line. docs/collapsed-format.md has the rules.
 */

#include "format/format.h"

enum prof_status collapsed_read(struct format_reading *r,
                                struct prof_builder *b, struct prof_error *err);
enum prof_status collapsed_write(const struct prof_profile *p,
                                 struct format_writing *w,
                                 struct prof_error *err);

/* What is written of a profile, to say what is not. */
struct losses {
	const struct prof_profile *p;
	struct format_writing *w;
	uint32_t column, n_columns; /* the first that is written */
	uint64_t n_replaced;        /* names that were changed */
};

/* One note for what is lost, if anything is, and one for changed names. */
enum prof_status report_losses(const struct losses *c, struct prof_error *err);

/* ---- Marks ---- */

/* What the end of a frame's name says of it. */
enum frame_kind { FRAME_PLAIN, FRAME_KERNEL, FRAME_JIT, FRAME_INLINED };
#define N_FRAME_KINDS 4
#define FRAME_MARK_SIZE 4

/* The mark of a kind: "_[k]", and "" for FRAME_PLAIN. */
extern const char *const frame_marks[N_FRAME_KINDS];

/* The files of the mappings that stand for the kernel and for JIT code. */
#define KERNEL_FILE "[kernel]"
#define JIT_FILE "[jit]"

/* What the mark at the end of a name says. */
enum frame_kind frame_kind_of(const unsigned char *name, size_t size);

/* What its mapping says of a location; FRAME_PLAIN unless to be annotated. */
enum frame_kind location_kind(const struct prof_profile *p,
                              const struct row_location *l,
                              const struct prof_write_options *options);

/* ---- Lines ---- */

static inline bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* The line without the blanks and the carriage return at its end. */
size_t line_trimmed(const unsigned char *line, size_t size);

/*
 * Takes the last word off a trimmed line: *word, and returns the size of what
 * is before the blanks in front of it. SIZE_MAX: there are no blanks.
 */
size_t line_last_word(const unsigned char *line, size_t size,
                      struct prof_str *word);

enum number_result {
	NUMBER_OK,
	NUMBER_NONE,         /* it is no number */
	NUMBER_OUT_OF_RANGE,
	NUMBER_FRACTION,     /* and scale is 0 */
	NUMBER_INEXACT       /* times scale it is no integer */
};

/* A decimal number with an optional sign; times scale, unless that is 0. */
enum number_result number_parse(struct prof_str word, uint64_t scale,
                                int64_t *out);

/*
 * The next of the words "type/unit" in a line of them, which *rest is moved
 * behind. False, with *rest where it was, for anything else.
 */
bool value_type_parse(struct prof_str *rest, struct prof_value_type *out);

/* True for a line that consists of such words. */
bool line_is_header(const unsigned char *line, size_t size);

#endif
