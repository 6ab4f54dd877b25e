/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_PPROF_FIELDS_H
#define FORMAT_PPROF_FIELDS_H

/* Fields of a message on the wire, one after the other. */

#include "base/varint.h"
#include "format/pprof.h"

struct field {
	uint32_t number;
	enum pprof_wire_type type;
	uint64_t value;             /* of a varint or fixed; size of bytes */
	const unsigned char *bytes; /* of WIRE_BYTES */
};

static inline bool is_wire_type(unsigned type)
{
	return type <= WIRE_BYTES || type == WIRE_FIXED32;
}

/*
 * The field at p, which is before end: its end, or NULL where malformed. Only
 * for what lies in the window: a varint that is cut off at end reads into the
 * padding (or what comes next), and is seen to end too late.
 */
static inline const unsigned char *next_field(const unsigned char *p,
                                              const unsigned char *end,
                                              struct field *f)
{
	uint64_t tag;

	p = varint_get_padded(p, &tag);
	if (!p || tag < 1 << 3 || tag >> 3 > UINT32_MAX)
		return NULL;
	f->number = (uint32_t)(tag >> 3);
	f->type = (enum pprof_wire_type)(tag & 7);
	switch (f->type) {
	case WIRE_VARINT:
		p = varint_get_padded(p, &f->value);
		return p <= end ? p : NULL;
	case WIRE_BYTES:
		p = varint_get_padded(p, &f->value);
		if (!p || p > end || f->value > (uint64_t)(end - p))
			return NULL;
		f->bytes = p;
		return p + f->value;
	case WIRE_FIXED64: /* in none of our fields: to be skipped, or wrong */
		f->value = 0;
		return end - p >= 8 ? p + 8 : NULL;
	case WIRE_FIXED32:
		f->value = 0;
		return end - p >= 4 ? p + 4 : NULL;
	}
	return NULL;
}

#endif
