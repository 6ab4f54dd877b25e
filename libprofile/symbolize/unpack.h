/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_UNPACK_H
#define SYMBOLIZE_UNPACK_H

/*
 * Decompressing what ELF files keep packed, into memory of mem_malloc that
 * the caller frees (data, size). Absent where the input is damaged, where a
 * declared size is not plausible for what is there, where there is no memory,
 * or where the library was built without that kind.
 */

#include "symbolize/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Debugging information becomes a fifth to a third; far more is a bomb. */
#define UNPACK_MAX_RATIO 32
#define UNPACK_SMALL ((uint64_t)64 << 20) /* may be packed as well as can be */

static inline bool unpack_is_sane(struct span packed, uint64_t size)
{
	return size > 0 && size <= SIZE_MAX &&
	       (size <= UNPACK_SMALL ||
	        size / UNPACK_MAX_RATIO <= packed.size);
}

/* Exactly size bytes come out. */
struct span unpack_zlib(struct span packed, uint64_t size);
struct span unpack_zstd(struct span packed, uint64_t size);

/* The size that the first frame says it has unpacked; 0: it does not. */
uint64_t unpack_zstd_size(struct span packed);

/* How many bytes come out is not known; at most 256 MiB. */
struct span unpack_xz(struct span packed);

/* A whole file that gzip, xz or zstd packed, as kernel modules are. */
struct span unpack_file(struct span packed);

#endif
