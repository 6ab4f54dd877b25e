/* SPDX-License-Identifier: Apache-2.0 */
/* The values of lines: how many, what they are called, and what they are. */
#include "format/collapsed_reader.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Columns ---- */

/* Sample types out of "type/unit type/unit". */
static enum prof_status add_types(struct collapsed_reader *c,
                                  struct prof_str types)
{
	struct prof_value_type type;

	while (value_type_parse(&types, &type)) {
		prof_add_sample_type(c->b, &type);
		c->n_columns++;
	}
	for (; types.len; types.ptr++, types.len--)
		if (!is_blank((unsigned char)*types.ptr))
			return error_set(c->err, PROF_INVALID,
			                 "sample types are \"type/unit "
			                 "type/unit\", not \"%.*s\"",
			                 types.len < 100 ? (int)types.len : 100,
			                 types.ptr);
	return PROF_OK;
}

static void add_default_types(struct collapsed_reader *c)
{
	static const char *const words[] = {
		"samples/count", "before/count after/count",
	};
	const struct prof_read_options *o = c->r->options;
	const char *const text = words[o->diff];
	char numbered[32];

	if (o->diff || o->columns <= 1) {
		add_types(c, (struct prof_str){ text, strlen(text) });
		return;
	}
	for (uint32_t i = 1; i <= o->columns && c->b->status == PROF_OK; i++) {
		const int n = snprintf(numbered, sizeof(numbered),
		                       "column%" PRIu32 "/count", i);

		add_types(c, (struct prof_str){ numbered, (size_t)n });
	}
}

enum prof_status collapsed_begin_columns(struct collapsed_reader *c,
                                         struct prof_str header)
{
	const struct prof_read_options *o = c->r->options;
	const size_t wanted = o->diff ? 2 : o->columns;
	enum prof_status status = PROF_OK;

	if (o->diff && o->columns && o->columns != 2)
		return error_set(c->err, PROF_INVALID, "a difference has 2 "
		                 "values a line, not %" PRIu32, o->columns);
	if (o->sample_types)
		status = add_types(c, (struct prof_str){
			o->sample_types, strlen(o->sample_types) });
	else if (header.len)
		status = add_types(c, header);
	if (status != PROF_OK)
		return status;
	if (c->n_columns == 0)
		add_default_types(c);
	if (c->b->status != PROF_OK)
		return collapsed_builder_failed(c, c->n_lines);
	if (wanted && c->n_columns != wanted)
		return error_at_line(c->err, PROF_INVALID, c->n_lines,
		                     "%zu sample types are named for %zu "
		                     "columns", c->n_columns, wanted);
	if (!vec_reserve(&c->values, c->n_columns, c->a) ||
	    !vec_reserve(&c->pending_values, c->n_columns * INTERN_BATCH,
	                 c->a))
		return error_nomem(c->err);
	return PROF_OK;
}

/* ---- Values ---- */

static enum prof_status malformed(struct collapsed_reader *c, const char *why)
{
	if (c->r->options->strict)
		return error_at_line(c->err, PROF_CORRUPT, c->n_lines,
		                     "a line that is no stack and count: %s",
		                     why);
	if (c->n_malformed++ == 0)
		c->first_malformed = c->n_lines;
	return PROF_OK;
}

static enum prof_status bad_number(const struct collapsed_reader *c,
                                   enum number_result result,
                                   struct prof_str word)
{
	const int n = word.len < 60 ? (int)word.len : 60;

	if (result == NUMBER_FRACTION)
		return error_at_line(c->err, PROF_CORRUPT, c->n_lines,
		                     "%.*s is a fraction, which only a scale "
		                     "makes an integer", n, word.ptr);
	if (result == NUMBER_INEXACT)
		return error_at_line(c->err, PROF_CORRUPT, c->n_lines,
		                     "%.*s times the scale %" PRIu64
		                     " is no integer", n, word.ptr,
		                     c->r->options->scale);
	return error_at_line(c->err, PROF_OVERFLOW, c->n_lines,
	                     "%.*s is out of the range of 64 bits", n,
	                     word.ptr);
}

enum prof_status collapsed_take_values(struct collapsed_reader *c,
                                    const unsigned char *line, size_t *size)
{
	for (size_t i = c->n_columns; i > 0; i--) {
		struct prof_str word;
		enum number_result result;

		*size = line_last_word(line, *size, &word);
		if (*size == SIZE_MAX)
			return malformed(c, "it has too few words");
		result = number_parse(word, c->r->options->scale,
		                      &c->values.data[i - 1]);
		if (result == NUMBER_NONE) {
			*size = SIZE_MAX;
			return malformed(c, "its count is no number");
		}
		if (result != NUMBER_OK)
			return bad_number(c, result, word);
	}
	return PROF_OK;
}
