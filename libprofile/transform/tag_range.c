/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/tag_range.h"

#include "base/error.h"
#include "base/measure.h"
#include "transform/list.h"

#include <math.h>

/* A number with its unit, as "-32kb". */
struct quantity {
	int64_t value;
	struct prof_str unit;
	bool overflows;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes one from the front of *text; false: there is none. */
static bool take_quantity(struct prof_str *text, struct quantity *q)
{
	const char *at = text->ptr, *const end = at + text->len;
	bool is_negative = false;

	*q = (struct quantity){ 0 };
	if (at < end && (*at == '-' || *at == '+'))
		is_negative = *at++ == '-';
	if (at == end || !is_digit(*at))
		return false;
	for (; at < end && is_digit(*at); at++) {
		const int digit = is_negative ? '0' - *at : *at - '0';

		if (__builtin_mul_overflow(q->value, 10, &q->value) ||
		    __builtin_add_overflow(q->value, digit, &q->value))
			q->overflows = true;
	}
	q->unit.ptr = at;
	while (at < end && is_letter(*at))
		at++;
	q->unit.len = (size_t)(at - q->unit.ptr);
	*text = (struct prof_str){ at, (size_t)(end - at) };
	return true;
}

static bool take_colon(struct prof_str *text)
{
	if (!text->len || *text->ptr != ':')
		return false;
	text->ptr++;
	text->len--;
	return true;
}

enum prof_status tag_range_parse(struct tag_range *out, bool *is_range,
                                 struct prof_str text,
                                 struct prof_error *err)
{
	const struct prof_str whole = text;
	const bool is_open_below = take_colon(&text);
	struct quantity low, high;
	struct measured a, b;
	bool is_open_above;

	*is_range = false;
	if (!take_quantity(&text, &low))
		return PROF_OK;
	high = low;
	is_open_above = !is_open_below && take_colon(&text);
	if (is_open_above && text.len) {
		is_open_above = false;
		if (!take_quantity(&text, &high))
			return PROF_OK;
	}
	if (text.len)
		return PROF_OK;
	a = measure_scale(low.value, low.unit, low.unit);
	b = measure_scale(high.value, high.unit, a.unit);
	if (low.overflows || high.overflows)
		return error_set(err, PROF_INVALID, "'%.*s': a number leaves "
		                 "the range of 64 bits",
		                 (int)(whole.len < 80 ? whole.len : 80),
		                 whole.ptr);
	if (!str_equal(a.unit, b.unit))
		return error_set(err, PROF_INVALID, "'%.*s': these units "
		                 "cannot be compared",
		                 (int)(whole.len < 80 ? whole.len : 80),
		                 whole.ptr);
	*is_range = true;
	*out = (struct tag_range){ is_open_below ? -INFINITY : a.value,
	                           is_open_above ? INFINITY : b.value,
	                           a.unit };
	return PROF_OK;
}

bool tag_range_has(const struct tag_range *r, int64_t value,
                   struct prof_str unit)
{
	const struct measured m = measure_scale(value, unit, r->unit);

	return str_equal(m.unit, r->unit) && m.value >= r->min &&
		m.value <= r->max;
}
