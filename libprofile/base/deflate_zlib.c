/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

/* Feeds all of in[n] through c, in the 32-bit steps that zlib takes. */
static int deflate_all(z_stream *c, const unsigned char *in, size_t n,
                       size_t room)
{
	int result;

	c->next_in = (unsigned char *)(uintptr_t)in;
	do {
		const size_t step = n < INT_MAX ? n : INT_MAX;
		const size_t space = room < INT_MAX ? room : INT_MAX;
		const unsigned in_before = (unsigned)step;

		c->avail_in = (unsigned)step;
		c->avail_out = (unsigned)space;
		result = deflate(c, step == n ? Z_FINISH : Z_NO_FLUSH);
		n -= in_before - c->avail_in;
		room -= (unsigned)space - c->avail_out;
	} while (result == Z_OK);
	return result;
}

enum prof_status gzip_compress(unsigned char **out, size_t *size,
                               size_t *capacity, const unsigned char *in,
                               size_t n, uint32_t level,
                               const struct prof_allocator *a)
{
	z_stream c;
	enum prof_status status = PROF_NOMEM;
	unsigned char *to;
	/* zlib's own bound takes an unsigned long, which is 64 bits here. */
	size_t bound;

	memset(&c, 0, sizeof(c));
	if (deflateInit2(&c, level > 9 ? 9 : (int)level, Z_DEFLATED, 15 + 16, 8,
	                 Z_DEFAULT_STRATEGY) != Z_OK)
		return PROF_NOMEM;
	bound = deflateBound(&c, n);
	to = mem_resize(a, NULL, 0, bound);
	if (to) {
		c.next_out = to;
		if (deflate_all(&c, in, n, bound) == Z_STREAM_END) {
			*size = (size_t)(c.next_out - to);
			*out = to;
			*capacity = bound;
			status = PROF_OK;
		} else {
			mem_free(a, to, bound);
		}
	}
	deflateEnd(&c);
	return status;
}

uint32_t crc32_bytes(uint32_t crc, const void *bytes, size_t size)
{
	return size ? (uint32_t)crc32_z(crc, bytes, size) : crc;
}
