/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side file that says which label set each record of a word stream has.
 * A tag is known by its number, which is the address Go had it at: equal
 * label sets under two numbers stay two.
 */
#include "format/raw.h"

#include "base/error.h"

#include <string.h>

#define MAX_TAG_LABELS 256

static const char hex_digits[] = "0123456789abcdef";

/* A walk over a line; failed is sticky. */
struct json {
	const char *p, *end;
	bool failed;
};

struct tags_reader {
	struct raw_tags *tags;
	struct input in;
	const struct prof_recorder *to;
	const struct prof_allocator *a;
	struct hash_index seen; /* of tags, to their place in told */
	VEC(uint64_t) told;
	VEC(char) text;         /* strings of a line, unescaped */
	uint64_t seed, line;
	struct prof_error *err;
};

static enum prof_status fail_line(struct tags_reader *g, const char *what)
{
	return error_at_line(g->err, PROF_CORRUPT, g->line, "tags: %s", what);
}

/* ---- JSON ---- */

static bool json_take(struct json *j, char c)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t'))
		j->p++;
	if (j->p >= j->end || *j->p != c)
		return false;
	j->p++;
	return true;
}

static uint32_t json_hex4(struct json *j)
{
	uint32_t n = 0;

	for (int i = 0; i < 4; i++) {
		const char c = j->p < j->end ? *j->p++ : 'x';
		const char *at = c ? strchr(hex_digits, c | 0x20) : NULL;

		if (!at || (c < '0')) {
			j->failed = true;
			return 0;
		}
		n = n << 4 | (uint32_t)(at - hex_digits);
	}
	return n;
}

/* \uXXXX, and the second half of a pair; a lone half becomes U+FFFD. */
static uint32_t json_unicode(struct json *j)
{
	uint32_t n = json_hex4(j);

	if (n >= 0xd800 && n < 0xdc00 && j->end - j->p >= 6 &&
	    j->p[0] == '\\' && j->p[1] == 'u') {
		struct json low = { j->p + 2, j->end, false };
		const uint32_t second = json_hex4(&low);

		if (second >= 0xdc00 && second < 0xe000) {
			j->p = low.p;
			return 0x10000 + ((n - 0xd800) << 10) + second - 0xdc00;
		}
	}
	return n >= 0xd800 && n < 0xe000 ? 0xfffd : n;
}

static size_t utf8_put(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t json_escape(struct json *j)
{
	static const char names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char c = j->p < j->end ? *j->p++ : '\0';

	if (c == 'u')
		return json_unicode(j);
	for (size_t i = 0; i + 1 < sizeof(names); i += 2)
		if (names[i] == c)
			return (unsigned char)names[i + 1];
	j->failed = true;
	return 0;
}

/* A string into text, which has room for the whole line. */
static struct prof_str json_string(struct json *j, char **text)
{
	struct prof_str s = { *text, 0 };

	if (!json_take(j, '"')) {
		j->failed = true;
		return s;
	}
	while (!j->failed && j->p < j->end && *j->p != '"') {
		if (*j->p != '\\') {
			*(*text)++ = *j->p++;
			continue;
		}
		j->p++;
		*text += utf8_put(*text, json_escape(j));
	}
	if (j->p >= j->end)
		j->failed = true;
	j->p++;
	s.len = (size_t)(*text - s.ptr);
	return s;
}

static size_t json_labels(struct json *j, char *text,
                          struct prof_label labels[MAX_TAG_LABELS])
{
	size_t n = 0;

	if (!json_take(j, '{'))
		j->failed = true;
	if (json_take(j, '}'))
		return 0;
	do {
		if (n == MAX_TAG_LABELS || j->failed) {
			j->failed = true;
			return 0;
		}
		labels[n].key = json_string(j, &text);
		if (!json_take(j, ':'))
			j->failed = true;
		labels[n++].str = json_string(j, &text);
	} while (json_take(j, ','));
	if (!json_take(j, '}'))
		j->failed = true;
	return n;
}

/* ---- Lines ---- */

/* 0x and 1 to 16 digits. */
static bool parse_number(const char **p, const char *end, uint64_t *out)
{
	const char *const digits = *p + 2;
	const char *at;
	uint64_t n = 0;

	if (end - *p < 3 || (*p)[0] != '0' || (*p)[1] != 'x')
		return false;
	for (at = digits; at < end; at++) {
		const char *digit = *at ? strchr(hex_digits, *at) : NULL;

		if (!digit)
			break;
		n = n << 4 | (uint64_t)(digit - hex_digits);
	}
	if (at == digits || at - digits > 16)
		return false;
	*p = at;
	*out = n;
	return true;
}

/* True where the tag was not met before; it is now. */
static bool is_new(struct tags_reader *g, uint64_t tag, bool *has_failed)
{
	const uint64_t hash = hash_bytes(&tag, sizeof(tag), g->seed);
	uint32_t id;
	size_t i;

	*has_failed = !hash_index_reserve(&g->seen, 1, g->a) ||
		!vec_reserve(&g->told, 1, g->a);
	if (*has_failed)
		return false;
	for (i = hash_index_first(&g->seen, hash);
	     (id = g->seen.slots[i].id) != 0; i = hash_index_next(&g->seen, i))
		if (g->told.data[id - 1] == tag)
			return false;
	vec_put(&g->told, tag);
	hash_index_put(&g->seen, i, hash, (uint32_t)g->told.n);
	return true;
}

static enum prof_status tell_labels(struct tags_reader *g, uint64_t tag,
                                    const char *p, const char *end)
{
	struct prof_label labels[MAX_TAG_LABELS] = { 0 };
	struct json j = { p, end, false };
	size_t n;

	g->text.n = 0;
	/* An escape of n bytes gives at most n bytes. */
	if (!vec_reserve(&g->text, (size_t)(end - p) + 4, g->a))
		return error_nomem(g->err);
	n = json_labels(&j, g->text.data, labels);
	if (j.failed || json_take(&j, '\0') || j.p != j.end)
		return fail_line(g, "no JSON object of strings");
	return g->to->label_set(g->to->ctx, tag, labels, n, g->err);
}

static enum prof_status take_tag_line(struct tags_reader *g, const char *p,
                                      const char *end)
{
	bool has_failed;
	uint64_t tag;

	while (p < end && (end[-1] == '\n' || end[-1] == '\r' ||
	                   end[-1] == ' '))
		end--;
	if (!parse_number(&p, end, &tag))
		return fail_line(g, "no number like 0x0");
	if (!vec_reserve(&g->tags->tags, 1, g->a))
		return error_nomem(g->err);
	vec_put(&g->tags->tags, tag);
	if (tag == 0 || p == end)
		return p == end ? PROF_OK : fail_line(g, "0x0 has no labels");
	if (*p != '\t')
		return fail_line(g, "no tab behind the number");
	if (!is_new(g, tag, &has_failed))
		return has_failed ? error_nomem(g->err) : PROF_OK;
	return tell_labels(g, tag, p + 1, end);
}

enum prof_status raw_read_tags(struct raw_tags *out, struct format_reading *r,
                               const struct prof_recorder *to,
                               struct prof_error *err)
{
	struct tags_reader g = { .tags = out, .to = to, .a = r->allocator,
	                         .seed = hash_seed(), .err = err };
	const unsigned char *line;
	enum prof_status status;
	size_t size;

	status = input_open(&g.in, r->options->tags, &r->options->limits, 0,
	                    r->allocator, r->in->budget, err);
	if (status != PROF_OK)
		return status;
	while (status == PROF_OK &&
	       input_line(&g.in, r->options->limits.max_line_bytes, &line,
	                  &size)) {
		g.line++;
		status = take_tag_line(&g, (const char *)line,
		                       (const char *)line + size);
	}
	if (status == PROF_OK && g.in.status != PROF_OK) {
		status = g.in.status;
		if (err)
			*err = g.in.error;
	}
	input_close(&g.in);
	hash_index_release(&g.seen, r->allocator);
	vec_release(&g.told, r->allocator);
	vec_release(&g.text, r->allocator);
	return status;
}
