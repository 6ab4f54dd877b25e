/* SPDX-License-Identifier: Apache-2.0 */
#include "base/varint.h"

const unsigned char *varint_get_long(const unsigned char *p,
                                     const unsigned char *end, uint64_t *out)
{
	uint64_t n = 0;

	for (unsigned shift = 0; p < end; shift += 7) {
		uint64_t byte = *p++;

		if (shift == 63 && byte > 1)
			return NULL;
		n |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = n;
			return p;
		}
	}
	return NULL;
}
