/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/unpack.h"

#include "base/memory.h"

#include <limits.h>

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
