/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

/* Range lists: pairs in .debug_ranges up to DWARF 4, codes from 5 on. */

enum range_code {
	RANGE_END_OF_LIST = 0,
	RANGE_BASE_ADDRESSX = 1,
	RANGE_STARTX_ENDX = 2,
	RANGE_STARTX_LENGTH = 3,
	RANGE_OFFSET_PAIR = 4,
	RANGE_BASE_ADDRESS = 5,
	RANGE_START_END = 6,
	RANGE_START_LENGTH = 7
};

/* A number in the rnglists offset table, which begins at rnglists_base. */
static uint64_t indexed_list(const struct dwarf_unit *u, uint64_t i)
{
	struct span s = u->file->sections[DWARF_RNGLISTS];
	struct cursor c;
	uint64_t offset;

	if (i > s.size || u->rnglists_base > s.size)
		return DWARF_NONE;
	c = cursor_at(s.data, s.size, u->rnglists_base + i * u->offset_size,
	              u->file->is_big);
	offset = cursor_uint(&c, u->offset_size);
	if (c.has_failed || offset > s.size)
		return DWARF_NONE;
	return u->rnglists_base + offset;
}

uint64_t dwarf_ranges_at(const struct dwarf_unit *u,
                         const struct dwarf_value *v)
{
	if (v->form == 0)
		return DWARF_NONE;
	if (v->form == DWARF_FORM_RNGLISTX)
		return indexed_list(u, v->n);
	if (u->version <= 4 && u->file != u->skeleton_file)
		return v->n > DWARF_NONE - u->ranges_base
		               ? DWARF_NONE
		               : v->n + u->ranges_base;
	return v->n;
}

struct dwarf_ranges dwarf_ranges_begin(const struct dwarf_unit *u, uint64_t at,
                                       uint64_t fuel)
{
	struct span s = u->version >= 5
	                         ? u->file->sections[DWARF_RNGLISTS]
	                         : u->skeleton_file->sections[DWARF_RANGES];
	struct dwarf_ranges r = { u, { NULL, NULL, false, false }, u->low_pc,
		                  fuel };

	r.c = cursor_at(s.data, s.size, at, u->file->is_big);
	return r;
}

/* False at the end of the list. A base address leaves *begin = *end. */
static bool next_pair(struct dwarf_ranges *r, uint64_t *begin, uint64_t *end)
{
	unsigned size = r->unit->address_size;
	uint64_t max = size == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t a = cursor_uint(&r->c, size), b = cursor_uint(&r->c, size);

	if (r->c.has_failed || (a == 0 && b == 0))
		return false;
	if (a == max) {
		r->base = b;
		*begin = *end = 0;
	} else {
		*begin = r->base + a;
		*end = r->base + b;
	}
	return true;
}

static uint64_t address_of_index(struct dwarf_ranges *r)
{
	struct dwarf_value v = { DWARF_FORM_ADDRX, cursor_uleb(&r->c), NULL };

	return dwarf_address(r->unit, &v);
}

static bool next_code(struct dwarf_ranges *r, uint64_t *begin, uint64_t *end)
{
	unsigned size = r->unit->address_size;

	*begin = *end = 0;
	switch (cursor_u8(&r->c)) {
	case RANGE_BASE_ADDRESSX:
		r->base = address_of_index(r);
		break;
	case RANGE_BASE_ADDRESS:
		r->base = cursor_uint(&r->c, size);
		break;
	case RANGE_STARTX_ENDX:
		*begin = address_of_index(r);
		*end = address_of_index(r);
		break;
	case RANGE_STARTX_LENGTH:
		*begin = address_of_index(r);
		*end = *begin + cursor_uleb(&r->c);
		break;
	case RANGE_OFFSET_PAIR:
		*begin = r->base + cursor_uleb(&r->c);
		*end = r->base + cursor_uleb(&r->c);
		break;
	case RANGE_START_END:
		*begin = cursor_uint(&r->c, size);
		*end = cursor_uint(&r->c, size);
		break;
	case RANGE_START_LENGTH:
		*begin = cursor_uint(&r->c, size);
		*end = *begin + cursor_uleb(&r->c);
		break;
	case RANGE_END_OF_LIST:
	default:
		return false;
	}
	return !r->c.has_failed;
}

bool dwarf_ranges_next(struct dwarf_ranges *r, uint64_t *begin, uint64_t *end)
{
	while (r->fuel > 0) {
		r->fuel--;
		if (r->unit->version >= 5 ? !next_code(r, begin, end)
		                          : !next_pair(r, begin, end))
			return false;
		if (*begin < *end)
			return true;
	}
	return false;
}
