/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <libdeflate.h>

enum prof_status gzip_compress(unsigned char **out, size_t *size,
                               size_t *capacity, const unsigned char *in,
                               size_t n, uint32_t level,
                               const struct prof_allocator *a)
{
	struct libdeflate_compressor *c =
		libdeflate_alloc_compressor(level > 12 ? 12 : (int)level);
	enum prof_status status = PROF_NOMEM;
	size_t bound;
	unsigned char *to;

	if (!c)
		return PROF_NOMEM;
	bound = libdeflate_gzip_compress_bound(c, n);
	to = mem_resize(a, NULL, 0, bound);
	if (to) {
		*size = libdeflate_gzip_compress(c, in, n, to, bound);
		*out = to;
		*capacity = bound;
		status = PROF_OK;
	}
	libdeflate_free_compressor(c);
	return status;
}

uint32_t crc32_bytes(uint32_t crc, const void *bytes, size_t size)
{
	return size ? libdeflate_crc32(crc, bytes, size) : crc;
}
