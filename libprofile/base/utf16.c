/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A character at a time: such files are rare, and small.
 */
#include "base/utf16.h"

#define REPLACEMENT UINT32_C(0xfffd)

enum utf16_order utf16_order_of(const unsigned char *p, size_t size)
{
	if (size >= 2 && p[0] == 0xff && p[1] == 0xfe)
		return UTF16_LITTLE_ENDIAN;
	if (size >= 2 && p[0] == 0xfe && p[1] == 0xff)
		return UTF16_BIG_ENDIAN;
	return UTF16_NONE;
}

/* The unit `ahead` bytes further on, which are there. */
static uint32_t unit_at(const struct utf16_source *s, size_t ahead)
{
	const unsigned char *p = s->from->p + ahead;

	return s->is_big_endian ? (uint32_t)p[0] << 8 | p[1] :
		(uint32_t)p[1] << 8 | p[0];
}

/* Takes a character of the input, of which there is at least a byte. */
static uint32_t take_character(struct utf16_source *s)
{
	const size_t at_hand = input_need(s->from, 4);
	uint32_t unit, low;

	if (at_hand < 2) {
		s->from->p = s->from->end;
		return REPLACEMENT;
	}
	unit = unit_at(s, 0);
	if ((unit & 0xfc00) == 0xd800 && at_hand >= 4) {
		low = unit_at(s, 2);
		if ((low & 0xfc00) == 0xdc00) {
			s->from->p += 4;
			return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
		}
	}
	s->from->p += 2;
	return (unit & 0xf800) == 0xd800 ? REPLACEMENT : unit;
}

static size_t put_utf8(unsigned char to[4], uint32_t c)
{
	/* What the first byte of a character of so many bytes begins with. */
	static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--) {
		to[i] = (unsigned char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	to[0] = (unsigned char)(marks[n] | c);
	return n;
}

static ptrdiff_t read_utf16(void *ctx, void *buf, size_t size)
{
	struct utf16_source *s = ctx;
	unsigned char *to = buf;
	size_t n = 0;

	while (n < size) {
		if (s->n_taken == s->n_bytes) {
			if (input_need(s->from, 1) == 0)
				break;
			s->n_bytes = put_utf8(s->bytes, take_character(s));
			s->n_taken = 0;
		}
		to[n++] = s->bytes[s->n_taken++];
	}
	return (ptrdiff_t)n;
}

struct prof_source source_utf16(struct utf16_source *s)
{
	return (struct prof_source){ read_utf16, s };
}
