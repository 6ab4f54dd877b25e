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
 *
 * The state: `text` is the frames of the last line as they stood there,
 * `frames` where each of them ends and what it is. A new line keeps the first
 * of them and replaces the rest.
 */
#include "format/collapsed.h"

#include "base/error.h"
#include "base/utf16.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINES_AT_ONCE 1024 /* that are counted for the limit */

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

struct reader {
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

/* What the builder has to say, and the line it says it of. */
static enum prof_status builder_failed(const struct reader *c, uint64_t line)
{
	return error_at_line(c->err, c->b->status, line, "%s",
	                     c->b->error.message);
}

/* Makes v.data[id] there, zero where it is new. False: out of memory. */
#define vec_fill(v, id, a)                                                    \
	((id) < (v)->n ||                                                     \
	 (vec_reserve(v, (size_t)(id) + 1 - (v)->n, a) &&                     \
	  (memset((v)->data + (v)->n, 0,                                      \
	          ((v)->capacity - (v)->n) * sizeof(*(v)->data)),             \
	   (v)->n = (v)->capacity, true)))

/* ---- Columns ---- */

/* Sample types out of "type/unit type/unit". */
static enum prof_status add_types(struct reader *c, struct prof_str types)
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

static void add_default_types(struct reader *c)
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

/*
 * Decides how many values a line has and what they are called: by what the
 * options say, else by a header (empty: there is none), else one.
 */
static enum prof_status begin_columns(struct reader *c, struct prof_str header)
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
		return builder_failed(c, c->n_lines);
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

static enum prof_status malformed(struct reader *c, const char *why)
{
	if (c->r->options->strict)
		return error_at_line(c->err, PROF_CORRUPT, c->n_lines,
		                     "a line that is no stack and count: %s",
		                     why);
	if (c->n_malformed++ == 0)
		c->first_malformed = c->n_lines;
	return PROF_OK;
}

static enum prof_status bad_number(const struct reader *c,
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

/*
 * Takes the values off a trimmed line. *size becomes that of its frames, or
 * SIZE_MAX for a malformed line.
 */
static enum prof_status take_values(struct reader *c,
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

/* ---- Escapes ---- */

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the escapes of p[n]; others than we know stay as they are. */
static size_t unescape(unsigned char *to, const unsigned char *p, size_t n)
{
	unsigned char *const begin = to;

	for (const unsigned char *const end = p + n; p < end; p++) {
		if (*p != '\\' || end - p < 2) {
			*to++ = *p;
		} else if (p[1] == ';' || p[1] == '\\') {
			*to++ = *++p;
		} else if (p[1] == 'n') {
			*to++ = '\n';
			p++;
		} else if (p[1] == 'x' && end - p >= 4 &&
		           hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
			*to++ = (unsigned char)(hex_digit(p[2]) << 4 |
			                        hex_digit(p[3]));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	return (size_t)(to - begin);
}

/* The semicolon that ends the frame which begins at p; end: none does. */
static const unsigned char *frame_end(const struct reader *c,
                                      const unsigned char *p,
                                      const unsigned char *end)
{
	const unsigned char *const begin = p;

	for (;; p++) {
		const unsigned char *before;

		p = memchr(p, ';', (size_t)(end - p));
		if (!p)
			return end;
		if (!c->r->options->escape)
			return p;
		for (before = p; before > begin && before[-1] == '\\';)
			before--;
		if ((p - before) % 2 == 0)
			return p;
	}
}

/* The name that text[n] stands for. */
static struct prof_str frame_name(struct reader *c, const unsigned char *text,
                                  size_t n)
{
	unsigned char *to;

	if (!c->r->options->escape || !memchr(text, '\\', n))
		return (struct prof_str){ (const char *)text, n };
	to = c->unescaped.data + c->unescaped.n;
	n = unescape(to, text, n);
	c->unescaped.n += n;
	return (struct prof_str){ (const char *)to, n };
}

/* ---- Frames ---- */

/* The bits in which the next 8 bytes differ, the first byte's lowest. */
static inline uint64_t difference(const unsigned char *a,
                                  const unsigned char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return le64toh(x ^ y);
}

/* In steps of 32 bytes: twice as fast as of 8 on what sorted lines share. */
static size_t common_prefix(const unsigned char *a, const unsigned char *b,
                            size_t n)
{
	size_t i = 0;

	for (; i + 32 <= n; i += 32)
		if (difference(a + i, b + i) |
		    difference(a + i + 8, b + i + 8) |
		    difference(a + i + 16, b + i + 16) |
		    difference(a + i + 24, b + i + 24))
			break;
	for (; i + 8 <= n; i += 8) {
		const uint64_t bits = difference(a + i, b + i);

		if (bits)
			return i + (size_t)__builtin_ctzll(bits) / 8;
	}
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/*
 * Keeps of the frames at hand those that text[size] begins with, and puts
 * the rest of the text into their place. Returns where the first new frame
 * begins.
 */
static size_t keep_frames(struct reader *c, const unsigned char *text,
                          size_t size)
{
	const size_t n = size < c->text_size ? size : c->text_size;
	const size_t same = common_prefix(c->text, text, n);
	size_t kept = c->frames.n;

	while (kept && c->frames.data[kept - 1].end >= same)
		kept--;
	c->text = text;
	c->text_size = size;
	c->frames.n = kept;
	return kept ? c->frames.data[kept - 1].end + 1u : 0;
}

/*
 * Finds the frames from `begin` on, as names yet, up to one more than a stack
 * may have. False: out of memory.
 */
static bool split_frames(struct reader *c, size_t begin)
{
	const unsigned char *const end = c->text + c->text_size;
	const unsigned char *p = c->text + begin, *semicolon;

	do {
		struct frame f = { .kind = FRAME_PLAIN };
		struct prof_str name;

		semicolon = frame_end(c, p, end);
		f.end = (uint32_t)(semicolon - c->text);
		name = frame_name(c, p, (size_t)(semicolon - p));
		if (c->r->options->annotations)
			f.kind = frame_kind_of((const unsigned char *)name.ptr,
			                       name.len);
		if (f.kind == FRAME_INLINED && c->frames.n == 0)
			f.kind = FRAME_PLAIN; /* into what? */
		if (f.kind != FRAME_PLAIN)
			name.len -= FRAME_MARK_SIZE;
		if (!vec_reserve(&c->frames, 1, c->a) ||
		    !vec_reserve(&c->names, 1, c->a))
			return false;
		vec_put(&c->frames, f);
		vec_put(&c->names, name);
		p = semicolon + 1;
	} while (semicolon != end &&
	         c->frames.n <= c->r->options->limits.max_depth);
	return true;
}

/* The function of a name. 0: failed, and it sticks. */
static uint32_t function_of(struct reader *c, uint32_t name)
{
	struct name_ids *const ids = &c->by_name.data[name];

	if (!ids->function)
		ids->function = builder_append_function(
			c->b, &(struct row_function){ name, name, 0, 0 });
	return ids->function;
}

/* The location of a name that stands for itself. */
static uint32_t location_of(struct reader *c, uint32_t name)
{
	struct name_ids *const ids = &c->by_name.data[name];

	if (!ids->location)
		ids->location = builder_append_location(
			c->b, &(struct row_location){ 0 },
			&(struct prof_line){ function_of(c, name), 0, 0 }, 1);
	return ids->location;
}

/* Interns the names of the new frames, the last ones of the line. */
static bool intern_names(struct reader *c)
{
	const size_t n = c->names.n;
	struct frame *frames;
	uint32_t max = 0;

	if (n == 0)
		return true;
	frames = c->frames.data + c->frames.n - n;
	if (!vec_reserve(&c->name_ids, n, c->a) ||
	    !builder_strings(c->b, c->names.data, c->name_ids.data, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		frames[i].name = c->name_ids.data[i];
		if (frames[i].name > max)
			max = frames[i].name;
	}
	if (!vec_fill(&c->by_name, max, c->a))
		return false;
	if (!c->r->options->annotations)
		for (size_t i = 0; i < n; i++)
			frames[i].location = location_of(c, frames[i].name);
	return true;
}

/* ---- Annotations ---- */

static uint32_t mapping_of(struct reader *c, enum frame_kind kind)
{
	const char *const file = kind == FRAME_KERNEL ? KERNEL_FILE : JIT_FILE;

	if (kind == FRAME_PLAIN)
		return 0;
	if (!c->mappings[kind])
		c->mappings[kind] = prof_add_mapping(
			c->b, &(struct prof_mapping){
				.file = { file, strlen(file) },
				.has_functions = true });
	return c->mappings[kind];
}

/* The location of frames[n], where all but the first are inlined. */
static uint32_t new_group(struct reader *c, const struct frame *frames,
                          size_t n)
{
	c->group_lines.n = 0;
	if (!vec_reserve(&c->group_lines, n, c->a))
		return 0;
	for (size_t i = n; i > 0; i--)
		vec_put(&c->group_lines, (struct prof_line){
			function_of(c, frames[i - 1].name), 0, 0 });
	return builder_append_location(
		c->b, &(struct row_location){
			.mapping = mapping_of(c, (enum frame_kind)frames->kind),
		}, c->group_lines.data, n);
}

/* The same, which may be known. 0: out of memory, or the builder failed. */
static uint32_t group_location(struct reader *c, const struct frame *frames,
                               size_t n)
{
	unsigned char *to;
	uint32_t group;

	if (n == 1 && frames->kind == FRAME_PLAIN)
		return location_of(c, frames->name);
	if (!vec_reserve(&c->packed, (n + 1) * VARINT_MAX, c->a))
		return 0;
	to = varint_put(c->packed.data + c->packed.n, frames->kind);
	for (size_t i = 0; i < n; i++)
		to = varint_put(to, frames[i].name);
	group = intern_bytes(&c->groups, c->packed.data + c->packed.n,
	                     (size_t)(to - c->packed.data) - c->packed.n, c->a);
	if (!group || !vec_fill(&c->group_locations, group, c->a))
		return 0;
	if (!c->group_locations.data[group])
		c->group_locations.data[group] = new_group(c, frames, n);
	return c->group_locations.data[group];
}

/* Joins inlined frames with their callers. */
static bool group_frames(struct reader *c)
{
	struct frame *const frames = c->frames.data;
	const size_t n = c->frames.n;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (frames[end].kind != FRAME_INLINED)
				break;
			frames[end].location = 0;
		}
		frames[i].location = group_location(c, frames + i, end - i);
		if (!frames[i].location)
			return false;
	}
	return true;
}

/* ---- Stacks ---- */

/* Adds a batch of packed stacks as samples, or to those they are. */
static enum prof_status flush(struct reader *c)
{
	struct prof_str stacks[INTERN_BATCH];
	uint32_t ids[INTERN_BATCH];
	const size_t n = c->n_pending;

	for (size_t i = 0; i < n; i++)
		stacks[i] = (struct prof_str){
			(const char *)c->packed.data + c->pending[i].begin,
			c->pending[i].size };
	if (n && !builder_stacks(c->b, stacks, ids, n))
		return builder_failed(c, c->pending[n - 1].line);
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
			return builder_failed(c, c->pending[i].line);
	}
	c->n_pending = 0;
	c->packed.n = c->pending_values.n = 0;
	return PROF_OK;
}

/* Packs the frames, leaf first, as the stack of the line's values. */
static enum prof_status put_stack(struct reader *c)
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
static enum prof_status take_frames(struct reader *c,
                                    const unsigned char *text, size_t size)
{
	size_t begin;

	c->names.n = c->unescaped.n = 0;
	if (c->r->options->escape && !vec_reserve(&c->unescaped, size, c->a))
		return error_nomem(c->err);
	begin = keep_frames(c, text, size);
	if (size && !split_frames(c, begin))
		return error_nomem(c->err);
	if (c->frames.n > c->r->options->limits.max_depth)
		return error_at_line(c->err, PROF_LIMIT, c->n_lines,
		                     "a stack has more frames than the limit "
		                     "max_depth (%" PRIu64 ")",
		                     c->r->options->limits.max_depth);
	if (!intern_names(c) ||
	    (c->r->options->annotations && !group_frames(c)) ||
	    c->b->status != PROF_OK)
		return c->b->status != PROF_OK ? builder_failed(c, c->n_lines) :
			error_nomem(c->err);
	return put_stack(c);
}

static enum prof_status take_line(struct reader *c, const unsigned char *line,
                                  size_t size)
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
			builder_failed(c, c->n_lines);
	}
	if (c->n_columns == 0) {
		const bool is_header = line_is_header(line, size);

		status = begin_columns(c, (struct prof_str){
			(const char *)line, is_header ? size : 0 });
		if (status != PROF_OK || is_header)
			return status;
	}
	status = take_values(c, line, &size);
	if (status != PROF_OK || size == SIZE_MAX)
		return status;
	return take_frames(c, line, size);
}

/* Puts the text of the last frames where it stays. */
static enum prof_status save_text(struct reader *c)
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
static enum prof_status next_line(struct reader *c, const unsigned char **line,
                                  size_t *size)
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

static enum prof_status input_failed(const struct reader *c,
                                     const struct input *in)
{
	if (c->err)
		*c->err = in->error;
	return in->status;
}

static enum prof_status read_lines(struct reader *c)
{
	const unsigned char *line;
	enum prof_status status;
	size_t size;

	if (input_need(c->in, 3) >= 3 && memcmp(c->in->p, "\xef\xbb\xbf", 3) == 0)
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
		status = begin_columns(c, (struct prof_str){ NULL, 0 });
		if (status != PROF_OK)
			return status;
	}
	return flush(c);
}

/* Reads the lines of UTF-16 text through a second input. */
static enum prof_status read_utf16(struct reader *c, enum utf16_order order)
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
static enum prof_status report_malformed(const struct reader *c)
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

static void reader_release(struct reader *c)
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
	struct reader c = {
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
