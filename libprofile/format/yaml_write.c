/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: libyaml's emitter goes through events at some 20 MB/s,
 * while all that we write is known text between numbers and strings. Whether
 * a string needs quotes is one table look-up a byte; only strings that have
 * control characters or bytes beyond ASCII are looked at by character.
 *
 * What is plain is far less than YAML allows: a letter, '_' or '/' first, and
 * then nothing that has a meaning anywhere in YAML. What is raw in quotes is
 * what every version of YAML lets stand there.
 */
#include "format/yaml_write.h"

#include "format/yaml_base64.h"
#include "format/yaml_plain.h"

#include <string.h>

/* ---- Numbers ---- */

#define DIGITS_MAX 20
#define HEX_MAX 18

/* Writes n at `to`, which has DIGITS_MAX bytes; returns its end. */
static unsigned char *put_digits(unsigned char *to, uint64_t n)
{
	static const char pairs[] =
		"00010203040506070809101112131415161718192021222324"
		"25262728293031323334353637383940414243444546474849"
		"50515253545556575859606162636465666768697071727374"
		"75767778798081828384858687888990919293949596979899";
	unsigned char digits[DIGITS_MAX];
	size_t i = sizeof(digits);

	for (; n >= 100; n /= 100) {
		i -= 2;
		memcpy(digits + i, pairs + n % 100 * 2, 2);
	}
	if (n >= 10) {
		i -= 2;
		memcpy(digits + i, pairs + n * 2, 2);
	} else {
		digits[--i] = (unsigned char)('0' + n);
	}
	memcpy(to, digits + i, sizeof(digits) - i);
	return to + sizeof(digits) - i;
}

static unsigned char *put_signed(unsigned char *to, int64_t n)
{
	if (n < 0)
		*to++ = '-';
	return put_digits(to, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

/* Writes n at `to`, which has HEX_MAX bytes; returns its end. */
static unsigned char *put_hex(unsigned char *to, uint64_t n)
{
	unsigned n_digits = n ? (67 - (unsigned)__builtin_clzll(n)) / 4 : 1;

	*to++ = '0';
	*to++ = 'x';
	for (unsigned i = n_digits; i > 0; i--, n >>= 4)
		to[i - 1] = (unsigned char)"0123456789abcdef"[n & 15];
	return to + n_digits;
}

void yaml_put_u64(struct output *out, uint64_t n)
{
	if (output_room(out, DIGITS_MAX))
		out->p = put_digits(out->p, n);
}

void yaml_put_i64(struct output *out, int64_t n)
{
	if (output_room(out, DIGITS_MAX + 1))
		out->p = put_signed(out->p, n);
}

void yaml_put_hex(struct output *out, uint64_t n)
{
	if (output_room(out, HEX_MAX))
		out->p = put_hex(out->p, n);
}

/*
 * A list [a, b]: `put` is put_digits() or its like for each of n items. Room
 * is made for some items at a time, so that a list of any length passes
 * through a buffer of any size.
 */
#define ITEMS_AT_ONCE 1024
#define PUT_LIST(out, items, n, item_max, put)                                \
	do {                                                                  \
		output_char((out), '[');                                      \
		for (size_t i_ = 0; i_ < (n); i_++) {                         \
			if (i_ % ITEMS_AT_ONCE == 0 &&                        \
			    !output_room((out),                               \
			                 ITEMS_AT_ONCE * ((item_max) + 2)))   \
				return;                                       \
			if (i_) {                                             \
				*(out)->p++ = ',';                            \
				*(out)->p++ = ' ';                            \
			}                                                     \
			(out)->p = put((out)->p, (items)[i_]);                \
		}                                                             \
		output_char((out), ']');                                      \
	} while (0)

void yaml_put_ids(struct output *out, const uint32_t *ids, size_t n)
{
	PUT_LIST(out, ids, n, DIGITS_MAX, put_digits);
}

void yaml_put_values(struct output *out, const int64_t *values, size_t n)
{
	PUT_LIST(out, values, n, DIGITS_MAX + 1, put_signed);
}

void yaml_put_addresses(struct output *out, const uint64_t *pcs, size_t n)
{
	PUT_LIST(out, pcs, n, HEX_MAX, put_hex);
}

/* ---- What a byte may be part of ---- */

enum byte_class {
	FIRST = 1, /* begins a plain scalar */
	PLAIN = 2, /* goes on in one */
	RAW = 4,   /* stands for itself in double quotes */
};

#define P (PLAIN | RAW)
#define F (FIRST | PLAIN | RAW)
static const unsigned char classes[256] = {
	[' '] = RAW, ['!'] = RAW, ['#'] = RAW, ['$'] = P,   ['%'] = RAW,
	['&'] = RAW, ['\''] = RAW, ['('] = P,  [')'] = P,   ['*'] = P,
	['+'] = P,   [','] = RAW, ['-'] = P,   ['.'] = P,   ['/'] = F,
	['0'] = P,   ['1'] = P,   ['2'] = P,   ['3'] = P,   ['4'] = P,
	['5'] = P,   ['6'] = P,   ['7'] = P,   ['8'] = P,   ['9'] = P,
	[':'] = RAW, [';'] = RAW, ['<'] = RAW, ['='] = P,   ['>'] = RAW,
	['?'] = RAW, ['@'] = RAW,
	['A'] = F,   ['B'] = F,   ['C'] = F,   ['D'] = F,   ['E'] = F,
	['F'] = F,   ['G'] = F,   ['H'] = F,   ['I'] = F,   ['J'] = F,
	['K'] = F,   ['L'] = F,   ['M'] = F,   ['N'] = F,   ['O'] = F,
	['P'] = F,   ['Q'] = F,   ['R'] = F,   ['S'] = F,   ['T'] = F,
	['U'] = F,   ['V'] = F,   ['W'] = F,   ['X'] = F,   ['Y'] = F,
	['Z'] = F,
	['['] = RAW, [']'] = RAW, ['^'] = P,   ['_'] = F,   ['`'] = RAW,
	['a'] = F,   ['b'] = F,   ['c'] = F,   ['d'] = F,   ['e'] = F,
	['f'] = F,   ['g'] = F,   ['h'] = F,   ['i'] = F,   ['j'] = F,
	['k'] = F,   ['l'] = F,   ['m'] = F,   ['n'] = F,   ['o'] = F,
	['p'] = F,   ['q'] = F,   ['r'] = F,   ['s'] = F,   ['t'] = F,
	['u'] = F,   ['v'] = F,   ['w'] = F,   ['x'] = F,   ['y'] = F,
	['z'] = F,
	['{'] = RAW, ['|'] = RAW, ['}'] = RAW, ['~'] = P,
};
#undef P
#undef F

/* The longest plain scalar; far below what a simple key may have. */
#define PLAIN_MAX 200

/* The classes that all bytes of s are in. */
static unsigned classes_of(struct prof_str s)
{
	unsigned in_all = FIRST | PLAIN | RAW;

	for (size_t i = 0; i < s.len; i++)
		in_all &= classes[(unsigned char)s.ptr[i]];
	return in_all;
}

/* ---- Characters beyond ASCII ---- */

/* Decodes the character at p; 0 where it is not UTF-8, else its size. */
static unsigned decode_utf8(const unsigned char *p, const unsigned char *end,
                            uint32_t *character)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned size = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 :
		*p >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (size == 0 || (size_t)(end - p) < size)
		return 0;
	c = size == 1 ? *p : *p & (0x7fu >> size);
	for (unsigned i = 1; i < size; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*character = c;
	return size;
}

bool yaml_is_utf8(struct prof_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	const unsigned char *end = p + s.len;
	uint32_t character;
	unsigned size;

	for (; p < end; p += size) {
		size = decode_utf8(p, end, &character);
		if (size == 0)
			return false;
	}
	return true;
}

/*
 * Whether a character needs an escape in double quotes: controls, and what
 * YAML takes for a line break, a byte order mark or nothing at all.
 */
static bool needs_escape(uint32_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || (c >= 0x7f && c < 0xa0) ||
		c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
		c == 0xffff;
}

static void put_escape(struct output *out, uint32_t c)
{
	switch (c) {
	case '"': output_text(out, "\\\""); break;
	case '\\': output_text(out, "\\\\"); break;
	case '\n': output_text(out, "\\n"); break;
	case '\t': output_text(out, "\\t"); break;
	default:
		output_printf(out, c < 0x100 ? "\\x%02X" : "\\u%04X",
		              (unsigned)c);
	}
}

/* What stands between double quotes. s is UTF-8. */
static void put_quoted_part(struct output *out, struct prof_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	const unsigned char *const end = p + s.len;
	const unsigned char *raw = p;
	uint32_t c = 0;
	unsigned size;

	if (classes_of(s) & RAW) {
		output_str(out, s);
		return;
	}
	for (; p < end; p += size) {
		size = decode_utf8(p, end, &c);
		if (!needs_escape(c))
			continue;
		output_bytes(out, raw, (size_t)(p - raw));
		put_escape(out, c);
		raw = p + size;
	}
	output_bytes(out, raw, (size_t)(p - raw));
}

static void put_binary(struct output *out, struct prof_str s)
{
	const size_t at_once = 3 << 10;

	output_text(out, "!!binary \"");
	while (s.len) {
		size_t n = s.len < at_once ? s.len : at_once;

		if (!output_room(out, base64_size(n)))
			return;
		out->p = base64_encode(out->p, s.ptr, n);
		s.ptr += n;
		s.len -= n;
	}
	output_char(out, '"');
}

/* ---- Strings ---- */

static bool is_plain(struct prof_str s, unsigned in_all)
{
	return s.len > 0 && s.len < PLAIN_MAX && (in_all & PLAIN) &&
		(classes[(unsigned char)s.ptr[0]] & FIRST) &&
		!yaml_is_reserved_word(s.ptr, s.len);
}

void yaml_put_string(struct output *out, struct prof_str s)
{
	const unsigned in_all = classes_of(s);

	if (is_plain(s, in_all)) {
		output_str(out, s);
	} else if ((in_all & RAW) || yaml_is_utf8(s)) {
		output_char(out, '"');
		put_quoted_part(out, s);
		output_char(out, '"');
	} else {
		put_binary(out, s);
	}
}

/*
 * A key of up to 1024 characters, as written, may do without "? " before it.
 * A byte takes at most four characters.
 */
#define SIMPLE_KEY_MAX 250

void yaml_put_key(struct output *out, struct prof_str s)
{
	const bool is_simple = s.len <= SIMPLE_KEY_MAX;

	if (!is_simple)
		output_text(out, "? ");
	yaml_put_string(out, s);
	output_text(out, is_simple ? ": " : " : ");
}

void yaml_put_joined(struct output *out, struct prof_str a, char separator,
                     struct prof_str b)
{
	const struct prof_str middle = { &separator, 1 };
	const unsigned in_all = classes_of(a) & classes_of(middle) &
		classes_of(b);
	const unsigned char first = (unsigned char)(a.len ? *a.ptr : separator);
	const bool joins_plain = (in_all & PLAIN) && (classes[first] & FIRST) &&
		a.len + b.len + 1 < PLAIN_MAX;

	if (!joins_plain)
		output_char(out, '"');
	put_quoted_part(out, a);
	output_char(out, separator);
	put_quoted_part(out, b);
	if (!joins_plain)
		output_char(out, '"');
}

void yaml_put_number_with_unit(struct output *out, int64_t n,
                               struct prof_str unit)
{
	/* With a plain unit behind it, no reader takes it for a number. */
	const bool needs_quotes = unit.len && !is_plain(unit, classes_of(unit));

	if (needs_quotes)
		output_char(out, '"');
	yaml_put_i64(out, n);
	if (unit.len) {
		output_char(out, ' ');
		put_quoted_part(out, unit);
	}
	if (needs_quotes)
		output_char(out, '"');
}

/* ---- Flow maps ---- */

struct yaml_flow yaml_open_flow(struct output *out)
{
	output_char(out, '{');
	return (struct yaml_flow){ out, false };
}

void yaml_close_flow(struct yaml_flow *f)
{
	output_char(f->out, '}');
}

void yaml_field(struct yaml_flow *f, const char *name)
{
	const size_t size = strlen(name);
	unsigned char *p;

	if (!output_room(f->out, size + 4))
		return;
	p = f->out->p;
	if (f->has_fields) {
		*p++ = ',';
		*p++ = ' ';
	}
	memcpy(p, name, size); /* NOLINT(bugprone-not-null-terminated-*) */
	p += size;
	*p++ = ':';
	*p++ = ' ';
	f->out->p = p;
	f->has_fields = true;
}

void yaml_field_u64(struct yaml_flow *f, const char *name, uint64_t n)
{
	yaml_field(f, name);
	yaml_put_u64(f->out, n);
}

void yaml_field_i64(struct yaml_flow *f, const char *name, int64_t n)
{
	yaml_field(f, name);
	yaml_put_i64(f->out, n);
}

void yaml_field_hex(struct yaml_flow *f, const char *name, uint64_t n)
{
	yaml_field(f, name);
	yaml_put_hex(f->out, n);
}

void yaml_field_string(struct yaml_flow *f, const char *name,
                       struct prof_str s)
{
	yaml_field(f, name);
	yaml_put_string(f->out, s);
}
