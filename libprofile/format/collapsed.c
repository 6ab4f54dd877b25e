/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed (folded) stacks: a line for each stack, root first, and a count.
 * No document defines them; what is read is what tools write, and what is
 * written is what all of them read. This file has the grammar of a line.
 */
#include "format/collapsed.h"

#include "base/utf16.h"

#include <string.h>

const char *const frame_marks[N_FRAME_KINDS] = { "", "_[k]", "_[j]", "_[i]" };

enum frame_kind frame_kind_of(const unsigned char *name, size_t size)
{
	if (size < FRAME_MARK_SIZE || name[size - 1] != ']')
		return FRAME_PLAIN;
	for (unsigned kind = FRAME_KERNEL; kind < N_FRAME_KINDS; kind++)
		if (memcmp(name + size - FRAME_MARK_SIZE, frame_marks[kind],
		           FRAME_MARK_SIZE) == 0)
			return (enum frame_kind)kind;
	return FRAME_PLAIN;
}

static bool begins_with(struct prof_str s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.ptr, with, strlen(with)) == 0;
}

enum frame_kind location_kind(const struct prof_profile *p,
                              const struct row_location *l,
                              const struct prof_write_options *options)
{
	struct prof_str file;

	if (!options->annotate || !l->mapping)
		return FRAME_PLAIN;
	file = profile_string(p, p->mappings.data[l->mapping].file);
	if (begins_with(file, "[kernel"))
		return FRAME_KERNEL;
	if (begins_with(file, JIT_FILE) || begins_with(file, "/tmp/perf-"))
		return FRAME_JIT;
	return FRAME_PLAIN;
}

/* ---- Lines ---- */

size_t line_trimmed(const unsigned char *line, size_t size)
{
	while (size && (is_blank(line[size - 1]) || line[size - 1] == '\r' ||
	                line[size - 1] == '\n'))
		size--;
	return size;
}

size_t line_last_word(const unsigned char *line, size_t size,
                      struct prof_str *word)
{
	size_t begin = size;

	while (begin && !is_blank(line[begin - 1]))
		begin--;
	if (begin == 0)
		return SIZE_MAX;
	*word = (struct prof_str){ (const char *)line + begin, size - begin };
	while (begin && is_blank(line[begin - 1]))
		begin--;
	return begin;
}

bool value_type_parse(struct prof_str *rest, struct prof_value_type *out)
{
	const char *p = rest->ptr, *const end = rest->ptr + rest->len;
	const char *slash, *word_end;

	while (p < end && is_blank((unsigned char)*p))
		p++;
	word_end = p;
	while (word_end < end && !is_blank((unsigned char)*word_end))
		word_end++;
	slash = memchr(p, '/', (size_t)(word_end - p));
	if (!slash || slash == p || slash + 1 == word_end ||
	    memchr(slash + 1, '/', (size_t)(word_end - slash - 1)) ||
	    memchr(p, ';', (size_t)(word_end - p)))
		return false;
	out->type = (struct prof_str){ p, (size_t)(slash - p) };
	out->unit = (struct prof_str){ slash + 1,
	                               (size_t)(word_end - slash - 1) };
	*rest = (struct prof_str){ word_end, (size_t)(end - word_end) };
	return true;
}

bool line_is_header(const unsigned char *line, size_t size)
{
	struct prof_str rest = { (const char *)line, line_trimmed(line, size) };
	struct prof_value_type type;

	while (value_type_parse(&rest, &type))
		if (rest.len == 0)
			return true;
	return false;
}

/* ---- Numbers ---- */

/* Digits at *p as a number; false where they leave 64 bits. */
static bool take_digits(const char **p, const char *end, uint64_t *out)
{
	uint64_t n = 0;
	bool fits = true;

	for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
		fits = fits && !__builtin_mul_overflow(n, 10u, &n) &&
			!__builtin_add_overflow(n, (uint64_t)(**p - '0'), &n);
	*out = n;
	return fits;
}

/*
 * scale times 0.DIGITS, exactly. The fraction is reduced first, so that it is
 * exact whenever the product is an integer of 64 bits.
 */
static bool scale_fraction(const char *digits, const char *end,
                           uint64_t scale, uint64_t *out)
{
	uint64_t numerator, denominator = 1;

	while (end > digits && end[-1] == '0')
		end--;
	if (end - digits > 19)
		return false;
	for (ptrdiff_t i = end - digits; i > 0; i--)
		denominator *= 10;
	take_digits(&digits, end, &numerator);
	for (; numerator % 2 == 0 && denominator % 2 == 0; numerator /= 2)
		denominator /= 2;
	for (; numerator % 5 == 0 && denominator % 5 == 0; numerator /= 5)
		denominator /= 5;
	if (scale % denominator != 0)
		return false;
	*out = numerator * (scale / denominator);
	return true;
}

static enum number_result signed_number(bool is_negative, uint64_t n,
                                        int64_t *out)
{
	if (n > (uint64_t)INT64_MAX + is_negative)
		return NUMBER_OUT_OF_RANGE;
	*out = is_negative ? (int64_t)(0 - n) : (int64_t)n;
	return NUMBER_OK;
}

enum number_result number_parse(struct prof_str word, uint64_t scale,
                                int64_t *out)
{
	const char *p = word.ptr, *const end = word.ptr + word.len;
	const char *begin, *point;
	uint64_t n, fraction = 0;
	bool is_negative, fits;

	is_negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	begin = p;
	fits = take_digits(&p, end, &n);
	if (p == begin)
		return NUMBER_NONE;
	point = p;
	if (p < end && *p == '.' && end - p > 1) {
		uint64_t ignored;

		p++;
		take_digits(&p, end, &ignored);
	}
	if (p != end)
		return NUMBER_NONE;
	if (point != end && scale == 0)
		return NUMBER_FRACTION;
	if (point != end && !scale_fraction(point + 1, end, scale, &fraction))
		return NUMBER_INEXACT;
	if (!fits || (scale && __builtin_mul_overflow(n, scale, &n)) ||
	    __builtin_add_overflow(n, fraction, &n))
		return NUMBER_OUT_OF_RANGE;
	return signed_number(is_negative, n, out);
}

/* ---- Finding the format ---- */

#define HEAD_SIZE 512 /* what a probe is given of a longer input */

/* True for a line of frames and a number. */
static bool is_stack_line(const unsigned char *line, size_t size)
{
	struct prof_str word;
	int64_t value;

	if (line_last_word(line, size, &word) == SIZE_MAX)
		return false;
	return number_parse(word, 1, &value) != NUMBER_NONE;
}

static bool has_control_bytes(const unsigned char *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] < ' ' && p[i] != '\t' && p[i] != '\n' && p[i] != '\r')
			return true;
	return false;
}

/* What the lines of a head look like. */
struct look {
	size_t n_lines; /* without comments and headers */
	size_t n_stacks, n_deep, n_odd;
};

static void look_at_line(struct look *l, const unsigned char *line, size_t size)
{
	size = line_trimmed(line, size);
	if (size == 0 || *line == '#' || line_is_header(line, size))
		return;
	l->n_lines++;
	if (has_control_bytes(line, size)) {
		l->n_odd++; /* a binary format, or a name that is odd */
		return;
	}
	l->n_stacks += is_stack_line(line, size);
	l->n_deep += memchr(line, ';', size) != NULL;
}

static int score(const struct look *l)
{
	if (l->n_stacks == 0)
		return 0;
	if (l->n_stacks == l->n_lines)
		return 2;
	if (!l->n_deep)
		return 0;
	return 2 * l->n_stacks >= l->n_lines ? 2 : l->n_odd ? 0 : 1;
}

/* The begin of a line that is cut: nothing but frames. */
static bool is_long_stack(const unsigned char *line, size_t size)
{
	return memchr(line, ';', size) && !has_control_bytes(line, size);
}

/* Lines decide, and those with control bytes are no stacks. */
static int probe(const unsigned char *head, size_t size)
{
	const unsigned char *const end = head + size;
	struct look l = { 0 };

	if (utf16_order_of(head, size) != UTF16_NONE)
		return 2;
	while (head < end) {
		const unsigned char *newline =
			memchr(head, '\n', (size_t)(end - head));

		if (!newline && size >= HEAD_SIZE) /* a line that is cut */
			return l.n_lines ? score(&l) :
				is_long_stack(head, (size_t)(end - head)) ?
				2 : 0;
		look_at_line(&l, head,
		             (size_t)((newline ? newline : end) - head));
		head = newline ? newline + 1 : end;
	}
	return score(&l);
}

const struct format collapsed_format = {
	.scales = true,
	.info = {
		.name = "collapsed",
		.about = "collapsed stacks, a line each: root;...;leaf count",
		.suffixes = ".collapsed .folded .txt",
		.can = PROF_CAN_READ | PROF_CAN_WRITE,
		.has_shown_names = true,
	},
	.probe = probe,
	.read = collapsed_read,
	.write = collapsed_write,
};
