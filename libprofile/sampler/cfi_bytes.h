/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_CFI_BYTES_H
#define SAMPLER_CFI_BYTES_H

/*
 * Reading the bytes of unwind tables.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_bytes {
	const uint8_t *ptr, *end;
	bool is_bad; /* sticks */
};

static inline uint64_t cfi_fixed(struct cfi_bytes *b, size_t size)
{
	uint64_t v = 0;

	if (b->is_bad || (size_t)(b->end - b->ptr) < size) {
		b->is_bad = true;
		return 0;
	}
	memcpy(&v, b->ptr, size);
	b->ptr += size;
	return v;
}

static inline uint64_t cfi_leb(struct cfi_bytes *b, unsigned *bits)
{
	uint64_t v = 0;
	uint8_t byte;

	*bits = 0;
	do {
		byte = (uint8_t)cfi_fixed(b, 1);
		if (*bits < 64)
			v |= (uint64_t)(byte & 0x7f) << *bits;
		*bits += 7;
	} while (byte & 0x80);
	return v;
}

static inline uint64_t cfi_uleb(struct cfi_bytes *b)
{
	unsigned bits;

	return cfi_leb(b, &bits);
}

static inline int64_t cfi_sleb(struct cfi_bytes *b)
{
	unsigned bits;
	const uint64_t v = cfi_leb(b, &bits);

	if (bits < 64 && (v >> (bits - 1) & 1))
		return (int64_t)(v | ~UINT64_C(0) << bits);
	return (int64_t)v;
}

#endif
