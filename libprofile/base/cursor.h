/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

/*
 * A cursor over bytes in memory that reads numbers of either byte order. It
 * is sticky: what would run past the end reads as 0, moves the cursor to the
 * end and sets has_failed, so a decoder reads straight through and looks once
 * when it is done.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const unsigned char *p, *end;
	bool is_big;     /* the numbers are big-endian */
	bool has_failed; /* sticky */
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static inline void cursor_fail(struct cursor *c)
{
	c->p = c->end;
	c->has_failed = true;
}

/* The bytes [offset, size) of data; failed where offset is behind them. */
static inline struct cursor cursor_at(const unsigned char *data, size_t size,
                                      uint64_t offset, bool is_big)
{
	struct cursor c = { data, data, is_big, offset > size };

	if (data && offset <= size) {
		c.p = data + offset;
		c.end = data + size;
	}
	return c;
}

/* The next n bytes, or NULL. */
static inline const unsigned char *cursor_bytes(struct cursor *c, uint64_t n)
{
	const unsigned char *p = c->p;

	if (n > cursor_left(c)) {
		cursor_fail(c);
		return NULL;
	}
	c->p += n;
	return p;
}

static inline void cursor_skip(struct cursor *c, uint64_t n)
{
	(void)cursor_bytes(c, n);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	if (c->p < c->end)
		return *c->p++;
	c->has_failed = true;
	return 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const unsigned char *p = cursor_bytes(c, 2);

	if (!p)
		return 0;
	return (uint16_t)(c->is_big ? p[0] << 8 | p[1]
	                            : p[1] << 8 | p[0]);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const unsigned char *p = cursor_bytes(c, 4);

	if (!p)
		return 0;
	return c->is_big ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	                           (uint32_t)p[2] << 8 | p[3]
	                 : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	                           (uint32_t)p[1] << 8 | p[0];
}

static inline uint64_t cursor_u64(struct cursor *c)
{
	uint64_t a, b;

	if (cursor_left(c) < 8) {
		cursor_fail(c);
		return 0;
	}
	a = cursor_u32(c);
	b = cursor_u32(c);
	return c->is_big ? a << 32 | b : b << 32 | a;
}

/* A number of 1, 2, 3, 4 or 8 bytes; any other size fails. */
static inline uint64_t cursor_uint(struct cursor *c, unsigned size)
{
	uint64_t a, b;

	switch (size) {
	case 1:
		return cursor_u8(c);
	case 2:
		return cursor_u16(c);
	case 3:
		a = cursor_u16(c);
		b = cursor_u8(c);
		return c->is_big ? a << 8 | b : b << 16 | a;
	case 4:
		return cursor_u32(c);
	case 8:
		return cursor_u64(c);
	default:
		cursor_fail(c);
		return 0;
	}
}

/* LEB128: bits beyond 64 are dropped, as every reader of DWARF does. */
static inline uint64_t cursor_uleb(struct cursor *c)
{
	uint64_t n = 0;
	unsigned shift = 0;

	while (c->p < c->end) {
		unsigned char b = *c->p++;

		if (shift < 64)
			n |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return n;
		shift += 7;
	}
	c->has_failed = true;
	return 0;
}

static inline int64_t cursor_sleb(struct cursor *c)
{
	uint64_t n = 0;
	unsigned shift = 0;

	while (c->p < c->end) {
		unsigned char b = *c->p++;

		if (shift < 64)
			n |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
		if (b < 0x80) {
			if (b & 0x40 && shift < 64)
				n |= UINT64_MAX << shift;
			return (int64_t)n;
		}
	}
	c->has_failed = true;
	return 0;
}

/* A string that ends with '\0', or NULL where there is no end. */
static inline const char *cursor_string(struct cursor *c)
{
	const unsigned char *p = c->p;
	const unsigned char *nul =
		p < c->end ? memchr(p, 0, cursor_left(c)) : NULL;

	if (!nul) {
		cursor_fail(c);
		return NULL;
	}
	c->p = nul + 1;
	return (const char *)p;
}

#endif
