/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/unpack.h"

#include "base/memory.h"

#include <lzma.h>

#define XZ_MAX_OUT ((size_t)256 << 20)
#define XZ_MAX_MEMORY ((uint64_t)256 << 20)

struct xz_out {
	VEC(unsigned char) bytes;
};

/* Doubles the room for what comes out. False: enough, or no memory. */
static bool grow(struct xz_out *out, lzma_stream *stream)
{
	out->bytes.n = out->bytes.capacity - stream->avail_out;
	if (out->bytes.n >= XZ_MAX_OUT ||
	    !vec_reserve(&out->bytes, out->bytes.n + 65536, &mem_malloc))
		return false;
	stream->next_out = out->bytes.data + out->bytes.n;
	stream->avail_out = out->bytes.capacity - out->bytes.n;
	return true;
}

struct span unpack_xz(struct span packed)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	struct xz_out out = { { NULL, 0, 0 } };
	struct span result = { NULL, 0 };
	lzma_ret ret = LZMA_OK;

	if (lzma_stream_decoder(&stream, XZ_MAX_MEMORY, 0) != LZMA_OK)
		return result;
	stream.next_in = packed.data;
	stream.avail_in = packed.size;
	while (ret == LZMA_OK && grow(&out, &stream))
		ret = lzma_code(&stream, LZMA_FINISH);
	out.bytes.n = out.bytes.capacity - stream.avail_out;
	lzma_end(&stream);
	if (ret == LZMA_STREAM_END && out.bytes.n > 0)
		result.data = mem_resize(&mem_malloc, out.bytes.data,
		                         out.bytes.capacity, out.bytes.n);
	if (result.data)
		result.size = out.bytes.n;
	else
		vec_release(&out.bytes, &mem_malloc);
	return result;
}
