/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: lines are made of few names in many combinations, so
 * the time goes into finding each name again in the table of strings.
 *
 *  - What a line has in common with the one before it is not looked at: its
 *    frames are known. In sorted files that is nine tenths of all frames; in
 *    others the comparison costs a few percent.
 *  - The other frames of a line are interned at once, and stacks a batch of
 *    lines at a time (see intern_batch()).
 *  - A name is one function and one location, found by the string's id; a
 *    stack is one sample, found by the stack's id. No table is hashed twice.
 */
#include "format/collapsed_reader.h"

#include "base/error.h"
#include "base/utf16.h"

#include <inttypes.h>
#include <string.h>

#define LINES_AT_ONCE 1024 /* that are counted for the limit */

/* What the builder has to say, and the line it says it of. */
enum prof_status collapsed_builder_failed(const struct collapsed_reader *c,
                                          uint64_t line)
{
	return error_at_line(c->err, c->b->status, line, "%s",
	                     c->b->error.message);
}

/* ---- Stacks ---- */

/* Adds a batch of packed stacks as samples, or to those they are. */
static enum prof_status flush(struct collapsed_reader *c)
{
	struct prof_str stacks[INTERN_BATCH];
	uint32_t ids[INTERN_BATCH];
	const size_t n = c->n_pending;

	for (size_t i = 0; i < n; i++)
		stacks[i] = (struct prof_str){
			(const char *)c->packed.data + c->pending[i].begin,
			c->pending[i].size };
	if (n && !builder_stacks(c->b, stacks, ids, n))
		return collapsed_builder_failed(c, c->pending[n - 1].line);
	for (size_t i = 0; i < n; i++) {
		const int64_t *const values =
			c->pending_values.data + i * c->n_columns;

		if (!vec_fill(&c->samples, ids[i], c->a))
			return error_nomem(c->err);
		if (c->samples.data[ids[i]]) {
			builder_add_values(c->b, c->samples.data[ids[i]] - 1,
			                   values);
		} else {
			prof_add_sample(c->b, ids[i], 0, values);
			c->samples.data[ids[i]] =
				(uint32_t)c->b->profile->samples.n;
		}
		if (c->b->status != PROF_OK)
			return collapsed_builder_failed(c, c->pending[i].line);
	}
	c->n_pending = 0;
	c->packed.n = c->pending_values.n = 0;
	return PROF_OK;
}

/* Packs the frames, leaf first, as the stack of the line's values. */
static enum prof_status put_stack(struct collapsed_reader *c)
{
	struct pending *const stack = &c->pending[c->n_pending];
	unsigned char *to;

	if (!vec_reserve(&c->packed, c->frames.n * VARINT_MAX + 1, c->a))
		return error_nomem(c->err);
	to = c->packed.data + c->packed.n;
	for (size_t i = c->frames.n; i > 0; i--)
		if (c->frames.data[i - 1].location)
			to = varint_put(to, c->frames.data[i - 1].location);
	stack->begin = c->packed.n;
	stack->size = (size_t)(to - c->packed.data) - c->packed.n;
	stack->line = c->n_lines;
	c->packed.n += stack->size;
	memcpy(c->pending_values.data + c->pending_values.n, c->values.data,
	       c->n_columns * sizeof(*c->values.data));
	c->pending_values.n += c->n_columns;
	c->n_stacks++;
	return ++c->n_pending == INTERN_BATCH ? flush(c) : PROF_OK;
}

/* ---- Lines ---- */

/* text[size] is the part of a line before its values. */
static enum prof_status take_frames(struct collapsed_reader *c,
                                    const unsigned char *text, size_t size)
{
	if (!collapsed_split(c, text, size))
		return error_nomem(c->err);
	if (c->frames.n > c->r->options->limits.max_depth)
		return error_at_line(c->err, PROF_LIMIT, c->n_lines,
		                     "a stack has more frames than the limit "
		                     "max_depth (%" PRIu64 ")",
		                     c->r->options->limits.max_depth);
	if (!collapsed_locate(c))
		return c->b->status != PROF_OK ?
			collapsed_builder_failed(c, c->n_lines) :
			error_nomem(c->err);
	return put_stack(c);
}

static enum prof_status take_line(struct collapsed_reader *c,
                                  const unsigned char *line, size_t size)
{
	enum prof_status status;

	size = line_trimmed(line, size);
	if (size == 0)
		return PROF_OK;
	if (*line == '#') {
		/* google/pprof hides comments that begin with it */
		prof_add_comment(c->b, (struct prof_str){ (const char *)line,
		                                          size });
		return c->b->status == PROF_OK ? PROF_OK :
			collapsed_builder_failed(c, c->n_lines);
	}
	if (c->n_columns == 0) {
		const bool is_header = line_is_header(line, size);

		status = collapsed_begin_columns(c, (struct prof_str){
			(const char *)line, is_header ? size : 0 });
		if (status != PROF_OK || is_header)
			return status;
	}
	status = collapsed_take_values(c, line, &size);
	if (status != PROF_OK || size == SIZE_MAX)
		return status;
	return take_frames(c, line, size);
}

/* Puts the text of the last frames where it stays. */
static enum prof_status save_text(struct collapsed_reader *c)
{
	c->saved.n = 0;
	if (!vec_reserve(&c->saved, c->text_size + 1, c->a))
		return error_nomem(c->err);
	memcpy(c->saved.data, c->text, c->text_size);
	c->text = c->saved.data;
	return PROF_OK;
}

/*
 * The next line; most are whole in the window and cost one memchr(). Its end
 * is *line NULL, or a failure of the input, which sticks there.
 */
static enum prof_status next_line(struct collapsed_reader *c,
                                  const unsigned char **line, size_t *size)
{
	struct input *const in = c->in;
	const unsigned char *newline =
		memchr(in->p, '\n', (size_t)(in->end - in->p));
	enum prof_status status = PROF_OK;

	if (newline && (uint64_t)(newline - in->p) <= c->max_line) {
		*line = in->p;
		*size = (size_t)(newline - in->p);
		in->p = newline + 1;
		return PROF_OK;
	}
	if (c->text_size && c->text != c->saved.data)
		status = save_text(c);
	if (status != PROF_OK || !input_line(in, c->max_line, line, size))
		*line = NULL;
	return status;
}

static enum prof_status input_failed(const struct collapsed_reader *c,
                                     const struct input *in)
{
	if (c->err)
		*c->err = in->error;
	return in->status;
}

static enum prof_status read_lines(struct collapsed_reader *c)
{
	const unsigned char *line;
	enum prof_status status;
	size_t size;

	if (input_need(c->in, 3) >= 3 &&
	    memcmp(c->in->p, "\xef\xbb\xbf", 3) == 0)
		c->in->p += 3;
	for (;;) {
		status = next_line(c, &line, &size);
		if (status != PROF_OK || !line)
			break;
		c->n_lines++;
		if (c->n_lines % LINES_AT_ONCE == 0 &&
		    !input_count(c->r->in, LINES_AT_ONCE))
			return input_failed(c, c->r->in);
		status = take_line(c, line, size);
		if (status != PROF_OK)
			break;
	}
	if (status != PROF_OK)
		return status;
	if (c->in->status != PROF_OK)
		return input_failed(c, c->in);
	if (!input_count(c->r->in, c->n_lines % LINES_AT_ONCE))
		return input_failed(c, c->r->in);
	if (c->n_columns == 0) {
		status = collapsed_begin_columns(c,
		                                 (struct prof_str){ NULL, 0 });
		if (status != PROF_OK)
			return status;
	}
	return flush(c);
}

/* Reads the lines of UTF-16 text through a second input. */
static enum prof_status read_utf16(struct collapsed_reader *c,
                                   enum utf16_order order)
{
	struct utf16_source utf16 = {
		.from = c->in,
		.is_big_endian = order == UTF16_BIG_ENDIAN,
	};
	struct input in;
	enum prof_status status;

	c->in->p += 2;
	status = input_open(&in, source_utf16(&utf16),
	                    &c->r->options->limits, 0, c->a, NULL, c->err);
	if (status != PROF_OK)
		return status;
	c->in = &in;
	status = read_lines(c);
	c->in = utf16.from;
	input_close(&in);
	return status;
}

/* Says how many lines were left out; none but such is no profile. */
static enum prof_status report_malformed(const struct collapsed_reader *c)
{
	if (!c->n_malformed)
		return PROF_OK;
	if (!c->n_stacks)
		return error_at_line(c->err, PROF_CORRUPT, c->first_malformed,
		                     "no line is a stack and a count");
	return reading_note(c->r, PROF_CORRUPT, c->err,
	                    "%" PRIu64 " of %" PRIu64 " lines are no stack "
	                    "and count and were skipped, the first is line "
	                    "%" PRIu64, c->n_malformed, c->n_lines,
	                    c->first_malformed);
}

static void reader_release(struct collapsed_reader *c)
{
	vec_release(&c->values, c->a);
	vec_release(&c->saved, c->a);
	vec_release(&c->frames, c->a);
	vec_release(&c->by_name, c->a);
	vec_release(&c->names, c->a);
	vec_release(&c->name_ids, c->a);
	vec_release(&c->unescaped, c->a);
	byte_table_release(&c->group_keys, c->a);
	intern_release(&c->groups, c->a);
	vec_release(&c->group_locations, c->a);
	vec_release(&c->group_lines, c->a);
	vec_release(&c->packed, c->a);
	vec_release(&c->pending_values, c->a);
	vec_release(&c->samples, c->a);
}

enum prof_status collapsed_read(struct format_reading *r,
                                struct prof_builder *b, struct prof_error *err)
{
	struct collapsed_reader c = {
		.r = r, .b = b, .err = err, .a = r->allocator, .in = r->in,
		.max_line = r->options->limits.max_line_bytes,
	};
	enum utf16_order order;
	enum prof_status status;
	size_t size;

	/* Offsets within a line have 32 bits. */
	if (c.max_line > UINT32_MAX / 2)
		c.max_line = UINT32_MAX / 2;
	c.groups = (struct interner){ &c.group_keys, .seed = hash_seed() };
	if (!byte_table_begin(&c.group_keys, c.a)) {
		status = error_nomem(err);
		goto done;
	}
	size = input_need(r->in, 2);
	order = utf16_order_of(r->in->p, size);
	status = order == UTF16_NONE ? read_lines(&c) : read_utf16(&c, order);
	if (status == PROF_OK)
		status = report_malformed(&c);
done:
	reader_release(&c);
	return status;
}
