/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/unpack.h"

#include "base/memory.h"

#include <zstd.h>

struct span unpack_zstd(struct span packed, uint64_t size)
{
	struct span none = { NULL, 0 };
	unsigned char *out;

	if (!unpack_is_sane(packed, size))
		return none;
	out = mem_resize(&mem_malloc, NULL, 0, (size_t)size);
	if (!out)
		return none;
	if (ZSTD_decompress(out, (size_t)size, packed.data, packed.size) !=
	    size) {
		mem_free(&mem_malloc, out, (size_t)size);
		return none;
	}
	return (struct span){ out, (size_t)size };
}

uint64_t unpack_zstd_size(struct span packed)
{
	unsigned long long size =
		ZSTD_getFrameContentSize(packed.data, packed.size);

	return size == ZSTD_CONTENTSIZE_UNKNOWN ||
	                       size == ZSTD_CONTENTSIZE_ERROR
	               ? 0
	               : size;
}
