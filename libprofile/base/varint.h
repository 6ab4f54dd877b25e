/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

/*
 * Varints: 7 bits a byte, least significant first, as protocol buffers have
 * them. Plain scalar code: measured faster than SIMD and bit-deposit variants
 * on the 1 to 3 byte numbers that profiles are made of.
 */

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX 10

/* Writes n at to, which has VARINT_MAX bytes; returns the end of it. */
static inline unsigned char *varint_put(unsigned char *to, uint64_t n)
{
	while (n >= 0x80) {
		*to++ = (unsigned char)(n | 0x80);
		n >>= 7;
	}
	*to++ = (unsigned char)n;
	return to;
}

static inline size_t varint_size(uint64_t n)
{
	return (size_t)(70 - __builtin_clzll(n | 1)) / 7;
}

/*
 * Reads one of more than a byte from p. Returns its end, or NULL where it
 * runs past end or past 64 bits.
 */
const unsigned char *varint_get_long(const unsigned char *p,
                                     const unsigned char *end, uint64_t *out);

static inline const unsigned char *
varint_get(const unsigned char *p, const unsigned char *end, uint64_t *out)
{
	if (p < end && *p < 0x80) {
		*out = *p;
		return p + 1;
	}
	if (end - p >= 2 && p[1] < 0x80) {
		*out = (p[0] & 0x7fu) | (uint64_t)p[1] << 7;
		return p + 2;
	}
	return varint_get_long(p, end, out);
}

/* Of bytes that are known to be whole varints of up to 32 bits. */
static inline const unsigned char *varint_get_known(const unsigned char *p,
                                                    uint32_t *out)
{
	uint32_t n = *p++;

	if (n >= 0x80) {
		unsigned shift = 7;

		n &= 0x7f;
		for (; *p >= 0x80; shift += 7)
			n |= (uint32_t)(*p++ & 0x7f) << shift;
		n |= (uint32_t)*p++ << shift;
	}
	*out = n;
	return p;
}

static inline uint64_t zigzag(int64_t n)
{
	return (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
}

static inline int64_t unzigzag(uint64_t n)
{
	return (int64_t)(n >> 1 ^ (n & 1 ? UINT64_MAX : 0));
}

#endif
