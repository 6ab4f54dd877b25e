/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed scalars. Whether one is a string or a number is the schema's word,
 * never a guess from its looks; but where it looks like the other, it is
 * refused, because a library that guesses would read it differently.
 */
#include "format/yaml_read.h"

#include "base/error.h"
#include "format/yaml_base64.h"
#include "format/yaml_plain.h"

#include <string.h>

/* A scalar for a message: not more of it than is of use. */
#define SHOWN(s) (int)((s).len < 60 ? (s).len : 60), (s).ptr

/* Takes the next scalar; {NULL, 0} where it is none. */
static struct prof_str take_scalar(struct yaml_reader *r, const char *what)
{
	if (!yaml_take(r, YAML_SCALAR_EVENT, what))
		return (struct prof_str){ NULL, 0 };
	return (struct prof_str){
		(const char *)r->event.data.scalar.value,
		r->event.data.scalar.length,
	};
}

static bool is_plain(const struct yaml_reader *r)
{
	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		!r->event.data.scalar.tag;
}

/* ---- Strings ---- */

static struct prof_str decode_binary(struct yaml_reader *r, struct prof_str s,
                                     const char *what)
{
	size_t n;

	r->decoded.n = 0;
	if (!vec_reserve(&r->decoded, s.len / 4 * 3 + 4, r->allocator)) {
		yaml_fail_nested(r, error_nomem(r->err));
		return (struct prof_str){ "", 0 };
	}
	if (!base64_decode(r->decoded.data, &n, s.ptr, s.len)) {
		yaml_fail(r, PROF_CORRUPT, "%s is not base64: %.*s", what,
		          SHOWN(s));
		return (struct prof_str){ "", 0 };
	}
	r->decoded.data[n] = '\0';
	return (struct prof_str){ r->decoded.data, n };
}

struct prof_str yaml_string(struct yaml_reader *r, const char *what)
{
	struct prof_str s = take_scalar(r, what);

	if (!s.ptr)
		return (struct prof_str){ "", 0 };
	if (r->event.data.scalar.tag)
		return decode_binary(r, s, what);
	if (is_plain(r) && yaml_is_ambiguous(s.ptr, s.len)) {
		yaml_fail(r, PROF_CORRUPT, "%s must be in quotes, because not "
		          "every YAML reader takes it for a string: %.*s",
		          what, SHOWN(s));
		return (struct prof_str){ "", 0 };
	}
	return s;
}

bool yaml_bool(struct yaml_reader *r, const char *what)
{
	struct prof_str s = take_scalar(r, what);

	if (!s.ptr)
		return false;
	if (is_plain(r) && strcmp(s.ptr, "true") == 0)
		return true;
	if (!is_plain(r) || strcmp(s.ptr, "false") != 0)
		yaml_fail(r, PROF_CORRUPT, "%s must be true or false: %.*s",
		          what, SHOWN(s));
	return false;
}

/* ---- Numbers ---- */

static int64_t signed_of(struct yaml_reader *r, const char *what,
                         bool is_negative, uint64_t magnitude)
{
	if (magnitude > (uint64_t)INT64_MAX + is_negative) {
		yaml_fail(r, PROF_OVERFLOW, "%s is not in the range of "
		          "64 bits with a sign", what);
		return 0;
	}
	return (int64_t)(is_negative ? 0 - magnitude : magnitude);
}

static void fail_number(struct yaml_reader *r, const char *what,
                        struct prof_str s)
{
	if (!is_plain(r))
		yaml_fail(r, PROF_CORRUPT, "%s must be a number without "
		          "quotes or tag: %.*s", what, SHOWN(s));
	else
		yaml_fail(r, PROF_CORRUPT, "%s must be a whole number of 64 "
		          "bits, decimal without leading zeros or 0x: %.*s",
		          what, SHOWN(s));
}

/* The next scalar as a number; false, and a failure, where it is none. */
static bool take_number(struct yaml_reader *r, const char *what,
                        bool *is_negative, uint64_t *magnitude)
{
	struct prof_str s = take_scalar(r, what);

	if (!s.ptr)
		return false;
	if (is_plain(r) &&
	    yaml_parse_number(s.ptr, s.len, is_negative, magnitude))
		return true;
	fail_number(r, what, s);
	return false;
}

int64_t yaml_i64(struct yaml_reader *r, const char *what)
{
	bool is_negative;
	uint64_t magnitude;

	if (!take_number(r, what, &is_negative, &magnitude))
		return 0;
	return signed_of(r, what, is_negative, magnitude);
}

uint64_t yaml_u64(struct yaml_reader *r, const char *what)
{
	bool is_negative;
	uint64_t magnitude;

	if (!take_number(r, what, &is_negative, &magnitude))
		return 0;
	if (is_negative && magnitude) {
		yaml_fail(r, PROF_CORRUPT, "%s can not be negative", what);
		return 0;
	}
	return magnitude;
}

bool yaml_next_is_number(struct yaml_reader *r)
{
	bool is_negative;
	uint64_t magnitude;

	return yaml_peek(r) == YAML_SCALAR_EVENT && is_plain(r) &&
		yaml_parse_number((const char *)r->event.data.scalar.value,
		                  r->event.data.scalar.length, &is_negative,
		                  &magnitude);
}

int64_t yaml_number_with_unit(struct yaml_reader *r, const char *what,
                              struct prof_str *unit)
{
	struct prof_str s = take_scalar(r, what);
	const char *blank;
	bool is_negative;
	uint64_t magnitude;
	size_t size;

	*unit = (struct prof_str){ "", 0 };
	if (!s.ptr)
		return 0;
	if (r->event.data.scalar.tag)
		s = decode_binary(r, s, what);
	blank = memchr(s.ptr, ' ', s.len);
	size = blank ? (size_t)(blank - s.ptr) : s.len;
	if ((!blank && !is_plain(r)) ||
	    !yaml_parse_number(s.ptr, size, &is_negative, &magnitude)) {
		fail_number(r, what, s);
		return 0;
	}
	if (blank)
		*unit = (struct prof_str){ blank + 1, s.len - size - 1 };
	if (blank && unit->len == 0)
		yaml_fail(r, PROF_CORRUPT, "%s has a blank and no unit "
		          "behind it", what);
	return signed_of(r, what, is_negative, magnitude);
}
