/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/unpack.h"

#include "base/memory.h"

#include <limits.h>
#include <string.h>

#include <zlib.h>

struct span unpack_zlib(struct span packed, uint64_t size)
{
	struct span none = { NULL, 0 };
	unsigned char *out;
	uLongf out_size;

	if (!unpack_is_sane(packed, size))
		return none;
	out = mem_resize(&mem_malloc, NULL, 0, (size_t)size);
	if (!out)
		return none;
	out_size = (uLongf)size;
	if (uncompress(out, &out_size, packed.data, packed.size) != Z_OK ||
	    out_size != size) {
		mem_free(&mem_malloc, out, (size_t)size);
		return none;
	}
	return (struct span){ out, (size_t)size };
}

/* Its last four bytes tell the size, but for what is larger than 4 GiB. */
static struct span unpack_gzip(struct span packed)
{
	struct span out = { NULL, 0 };
	const unsigned char *end = packed.data + packed.size;
	z_stream stream = { .next_in = (unsigned char *)(uintptr_t)packed.data,
		            .avail_in = (uInt)packed.size };
	unsigned char *bytes;
	uint32_t size;

	if (packed.size < 18 || packed.size > UINT_MAX)
		return out;
	size = end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 |
	       (uint32_t)end[-1] << 24;
	if (!unpack_is_sane(packed, size) ||
	    inflateInit2(&stream, 15 + 16) != Z_OK) /* 16: gzip's header */
		return out;
	bytes = mem_resize(&mem_malloc, NULL, 0, size);
	stream.next_out = bytes;
	stream.avail_out = size;
	if (bytes && inflate(&stream, Z_FINISH) == Z_STREAM_END &&
	    stream.avail_out == 0)
		out = (struct span){ bytes, size };
	else
		mem_free(&mem_malloc, bytes, size);
	inflateEnd(&stream);
	return out;
}

struct span unpack_file(struct span packed)
{
	if (packed.size < 6)
		return (struct span){ NULL, 0 };
	if (!memcmp(packed.data, "\xfd" "7zXZ", 6))
		return unpack_xz(packed);
	if (!memcmp(packed.data, "\x28\xb5\x2f\xfd", 4))
		return unpack_zstd(packed, unpack_zstd_size(packed));
	if (!memcmp(packed.data, "\x1f\x8b", 2))
		return unpack_gzip(packed);
	return (struct span){ NULL, 0 };
}
