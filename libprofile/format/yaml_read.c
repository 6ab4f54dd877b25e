/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: libyaml's event interface takes memory for one scalar
 * at a time, where its document interface would build a tree of the whole
 * file. Some of its ways are guarded against here:
 *
 *   - it is quadratic in the depth of [ and {, so the depth is bounded as the
 *     events come (40 KB of [ took 5 s without);
 *   - it gathers a scalar of any length before it tells of it, so the bytes
 *     it is handed from one event to the next are bounded;
 *   - its errors about characters have no line, so newlines are counted as
 *     they are handed over.
 *
 * An event is fetched when it is looked at, not when the one before is used:
 * so a string may be borrowed from an event until the next call.
 */
#include "format/yaml_read.h"

#include "base/error.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BINARY_TAG "tag:yaml.org,2002:binary"
#define TEXT_PER_ITEM 16 /* bytes that count as an item of max_items */

/*
 * Whether so many bytes are more than one scalar may take: an escape has up to
 * four bytes for one (\x41), and there are blanks and comments.
 */
static bool is_too_long(uint64_t n, uint64_t max_string)
{
	const uint64_t between = 1 << 20;

	return n > between && (n - between) / 4 > max_string;
}

/* ---- Input ---- */

static size_t count_newlines(const unsigned char *p, size_t size)
{
	const unsigned char *end = p + size;
	size_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* yaml_read_handler_t: 1 and *n_read, which is 0 at the end; 0: failed. */
static int hand_bytes(void *ctx, unsigned char *to, size_t size,
                      size_t *n_read)
{
	struct yaml_reader *r = ctx;
	size_t n = (size_t)(r->in->end - r->in->p);

	*n_read = 0;
	if (n == 0)
		n = input_need(r->in, 1);
	if (n == 0)
		return r->in->status == PROF_OK;
	if (n > size)
		n = size;
	r->n_handed += n;
	if (is_too_long(r->n_handed, r->limits->max_string)) {
		r->was_too_long = true;
		return 0;
	}
	/* libyaml looks at each byte, so text counts, and not events alone. */
	if (!input_count(r->in, n / TEXT_PER_ITEM))
		return 0;
	memcpy(to, r->in->p, n);
	r->in->p += n;
	r->n_newlines += count_newlines(to, n);
	*n_read = n;
	return 1;
}

enum prof_status yaml_reader_open(struct yaml_reader *r,
                                  struct format_reading *from,
                                  struct prof_error *err)
{
	memset(r, 0, sizeof(*r));
	r->in = from->in;
	r->limits = &from->options->limits;
	r->allocator = from->allocator;
	r->err = err;
	r->was_taken = true;
	r->line = 1;
	if (!yaml_parser_initialize(&r->parser))
		return r->status = error_nomem(err);
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&r->parser, hand_bytes, r);
	return PROF_OK;
}

void yaml_reader_close(struct yaml_reader *r)
{
	yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	vec_release(&r->text, r->allocator);
	vec_release(&r->decoded, r->allocator);
}

/* ---- Failures ---- */

void yaml_fail(struct yaml_reader *r, enum prof_status status,
               const char *format, ...)
{
	char message[sizeof(r->err->message)];
	va_list args;

	if (r->status)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	r->status = error_at_line(r->err, status, r->line, "%s", message);
}

void yaml_fail_nested(struct yaml_reader *r, enum prof_status status)
{
	if (r->status || status == PROF_OK)
		return;
	r->status = status;
	if (r->err && r->err->line == 0 && status != PROF_NOMEM &&
	    status != PROF_SYSTEM)
		r->err->line = r->line;
}

/*
 * The line of a byte that is no character. The parser holds what it was
 * handed last and has not decoded yet, from that byte on.
 */
static uint64_t line_of_bad_byte(const struct yaml_reader *r)
{
	const unsigned char *p = r->parser.raw_buffer.pointer;

	return 1 + r->n_newlines -
		count_newlines(p, (size_t)(r->parser.raw_buffer.last - p));
}

static void fail_in_reader(struct yaml_reader *r)
{
	if (r->in->status) {
		if (r->err)
			*r->err = r->in->error;
		r->status = r->in->status;
		return;
	}
	if (r->was_too_long) {
		yaml_fail(r, PROF_LIMIT, "something here is longer than "
		          "max_string (%llu bytes)",
		          (unsigned long long)r->limits->max_string);
		return;
	}
	r->line = line_of_bad_byte(r);
	yaml_fail(r, PROF_CORRUPT, "%s%s",
	          r->parser.problem ? r->parser.problem : "not readable",
	          r->parser.problem_value == -1 ? "" :
	          " (write it as an escape or as !!binary)");
}

/* What libyaml could not make sense of. */
static void fail_in_parser(struct yaml_reader *r)
{
	const char *problem = r->parser.problem;

	switch (r->parser.error) {
	case YAML_MEMORY_ERROR:
		yaml_fail_nested(r, error_nomem(r->err));
		return;
	case YAML_READER_ERROR:
		fail_in_reader(r);
		return;
	default:
		r->line = r->parser.problem_mark.line + 1;
		yaml_fail(r, PROF_CORRUPT, "%s%s%s",
		          problem ? problem : "not YAML",
		          r->parser.context ? " " : "",
		          r->parser.context ? r->parser.context : "");
	}
}

/* ---- Events ---- */

static void check_anchor(struct yaml_reader *r, const yaml_char_t *anchor)
{
	if (anchor)
		yaml_fail(r, PROF_CORRUPT, "anchors are not allowed: &%.60s",
		          (const char *)anchor);
}

static void check_tag(struct yaml_reader *r, const yaml_char_t *tag,
                      const char *allowed)
{
	if (tag && strcmp((const char *)tag, allowed) != 0)
		yaml_fail(r, PROF_CORRUPT, "tags are not allowed "
		          "(but !!binary before a string): %.80s",
		          (const char *)tag);
}

static void open_level(struct yaml_reader *r)
{
	if (++r->depth > r->limits->max_nesting)
		yaml_fail(r, PROF_LIMIT, "maps and lists are nested deeper "
		          "than max_nesting (%llu)",
		          (unsigned long long)r->limits->max_nesting);
}

/* Refuses what no place of the schema allows. */
static void check_event(struct yaml_reader *r)
{
	const yaml_event_t *e = &r->event;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		check_anchor(r, e->data.scalar.anchor);
		check_tag(r, e->data.scalar.tag, BINARY_TAG);
		if (e->data.scalar.length > r->limits->max_string)
			yaml_fail(r, PROF_LIMIT, "a string is longer than "
			          "max_string (%llu bytes)",
			          (unsigned long long)r->limits->max_string);
		break;
	case YAML_SEQUENCE_START_EVENT:
		check_anchor(r, e->data.sequence_start.anchor);
		check_tag(r, e->data.sequence_start.tag, "");
		open_level(r);
		break;
	case YAML_MAPPING_START_EVENT:
		check_anchor(r, e->data.mapping_start.anchor);
		check_tag(r, e->data.mapping_start.tag, "");
		open_level(r);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	case YAML_ALIAS_EVENT:
		yaml_fail(r, PROF_CORRUPT, "aliases are not allowed: *%.60s",
		          (const char *)e->data.alias.anchor);
		break;
	default:
		break;
	}
}

yaml_event_type_t yaml_peek(struct yaml_reader *r)
{
	if (r->status)
		return YAML_NO_EVENT;
	if (!r->was_taken)
		return r->event.type;
	yaml_event_delete(&r->event);
	if (!input_count(r->in, 1)) {
		fail_in_reader(r);
		return YAML_NO_EVENT;
	}
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		fail_in_parser(r);
		return YAML_NO_EVENT;
	}
	r->was_taken = false;
	r->n_handed = 0;
	r->line = r->event.start_mark.line + 1;
	check_event(r);
	return r->status ? YAML_NO_EVENT : r->event.type;
}

static const char *name_of_event(yaml_event_type_t type)
{
	switch (type) {
	case YAML_SCALAR_EVENT: return "a single value";
	case YAML_SEQUENCE_START_EVENT: return "a list";
	case YAML_MAPPING_START_EVENT: return "a map";
	case YAML_DOCUMENT_START_EVENT: return "a document";
	default: return "the end";
	}
}

bool yaml_take(struct yaml_reader *r, yaml_event_type_t type, const char *what)
{
	yaml_event_type_t next = yaml_peek(r);

	if (next == YAML_NO_EVENT)
		return false;
	if (next != type) {
		yaml_fail(r, PROF_CORRUPT, "%s must be %s, but here is %s",
		          what, name_of_event(type), name_of_event(next));
		return false;
	}
	r->was_taken = true;
	return true;
}

enum yaml_shape yaml_next_shape(struct yaml_reader *r)
{
	switch (yaml_peek(r)) {
	case YAML_SCALAR_EVENT: return YAML_SHAPE_SCALAR;
	case YAML_SEQUENCE_START_EVENT: return YAML_SHAPE_LIST;
	case YAML_MAPPING_START_EVENT: return YAML_SHAPE_MAP;
	default: return YAML_SHAPE_NONE;
	}
}

/* ---- Maps and lists ---- */

bool yaml_begin_document(struct yaml_reader *r)
{
	if (yaml_peek(r) == YAML_STREAM_START_EVENT)
		r->was_taken = true;
	if (yaml_peek(r) == YAML_STREAM_END_EVENT)
		yaml_fail(r, PROF_TRUNCATED, "there is no document");
	return yaml_take(r, YAML_DOCUMENT_START_EVENT, "the input") &&
		yaml_begin_map(r, "the document");
}

void yaml_end_document(struct yaml_reader *r)
{
	if (yaml_peek(r) == YAML_DOCUMENT_END_EVENT)
		r->was_taken = true;
	if (yaml_peek(r) == YAML_DOCUMENT_START_EVENT)
		yaml_fail(r, PROF_CORRUPT, "a second document: "
		          "a file holds one");
}

bool yaml_begin_map(struct yaml_reader *r, const char *what)
{
	return yaml_take(r, YAML_MAPPING_START_EVENT, what);
}

bool yaml_begin_list(struct yaml_reader *r, const char *what)
{
	return yaml_take(r, YAML_SEQUENCE_START_EVENT, what);
}

bool yaml_more(struct yaml_reader *r)
{
	switch (yaml_peek(r)) {
	case YAML_NO_EVENT:
		return false;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->was_taken = true;
		return false;
	default:
		return true;
	}
}

static int find_key(const struct yaml_keys *keys, const char *name,
                    size_t size)
{
	for (unsigned i = 0; i < keys->n; i++)
		if (keys->names[i][0] == name[0] &&
		    strlen(keys->names[i]) == size &&
		    memcmp(keys->names[i], name, size) == 0)
			return (int)i;
	return YAML_END;
}

int yaml_key(struct yaml_reader *r, const struct yaml_keys *keys,
             uint32_t *seen)
{
	const char *name;
	int key;

	if (!yaml_more(r) || !yaml_take(r, YAML_SCALAR_EVENT, "a key"))
		return YAML_END;
	name = (const char *)r->event.data.scalar.value;
	key = r->event.data.scalar.tag ? YAML_END :
		find_key(keys, name, r->event.data.scalar.length);
	if (key == YAML_END) {
		yaml_fail(r, PROF_CORRUPT, "unknown key in %s: %.60s",
		          keys->what, name);
		return YAML_END;
	}
	if (*seen & UINT32_C(1) << key) {
		yaml_fail(r, PROF_CORRUPT, "a key that is there twice in %s: "
		          "%s", keys->what, name);
		return YAML_END;
	}
	*seen |= UINT32_C(1) << key;
	return key;
}

/* ---- Kept strings ---- */

struct yaml_text yaml_keep(struct yaml_reader *r, struct prof_str s)
{
	struct yaml_text t = { r->text.n, s.len };

	if (r->status || s.len == 0)
		return (struct yaml_text){ 0, 0 };
	if (!vec_reserve(&r->text, s.len, r->allocator)) {
		yaml_fail_nested(r, error_nomem(r->err));
		return (struct yaml_text){ 0, 0 };
	}
	memcpy(r->text.data + r->text.n, s.ptr, s.len);
	r->text.n += s.len;
	return t;
}
