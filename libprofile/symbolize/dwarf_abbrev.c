/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

#include <stdlib.h>

/*
 * Abbreviations, compiled: most of .debug_info is stepped over, so each entry
 * gets the few steps that do it. Runs of attributes of fixed size are one
 * step; three of four entries of a C++ program are a single addition.
 */

static bool add_attribute(struct dwarf_abbrevs *t,
                          const struct dwarf_attribute *a)
{
	if (!vec_reserve(&t->attributes, 1, &mem_malloc))
		return false;
	vec_put(&t->attributes, *a);
	return true;
}

/* Adds an attribute to the steps; the last of them is still open. */
static bool add_step(struct dwarf_abbrevs *t, const struct dwarf_attribute *a)
{
	struct dwarf_step *open = &t->steps.data[t->steps.n - 1];

	if (a->shape == DWARF_FIXED) {
		/* At most 2^32 / 16 attributes: never reached by a table
		   that fits in memory, but checked. */
		if (open->size > UINT32_MAX - 16)
			return false;
		open->size += a->size;
		return true;
	}
	if (!vec_reserve(&t->steps, 1, &mem_malloc))
		return false;
	t->steps.data[t->steps.n - 1].then = a->shape;
	vec_put(&t->steps, (struct dwarf_step){ 0, DWARF_FIXED });
	return true;
}

static enum dwarf_use use_of(uint16_t name)
{
	switch (name) {
	case DWARF_AT_LOW_PC:
	case DWARF_AT_HIGH_PC:
	case DWARF_AT_RANGES:
	case DWARF_AT_CALL_FILE:
	case DWARF_AT_CALL_LINE:
	case DWARF_AT_CALL_COLUMN:
		return DWARF_USE_PLACE;
	case DWARF_AT_NAME:
	case DWARF_AT_LINKAGE_NAME:
	case DWARF_AT_MIPS_LINKAGE_NAME:
	case DWARF_AT_DECL_LINE:
	case DWARF_AT_ABSTRACT_ORIGIN:
	case DWARF_AT_SPECIFICATION:
		return DWARF_USE_NAME;
	default:
		return DWARF_USE_NONE;
	}
}

/* Reads an abbreviation behind its code. */
static bool read_abbrev(struct dwarf_abbrevs *t, struct cursor *c,
                        const struct dwarf_unit *u, uint64_t code)
{
	struct dwarf_abbrev row = { .code = code };
	uint64_t tag = cursor_uleb(c);
	bool has_place = false;

	row.tag = tag <= UINT32_MAX ? (uint32_t)tag : 0;
	row.has_children = cursor_u8(c) != 0;
	row.first_attribute = (uint32_t)t->attributes.n;
	row.first_step = (uint32_t)t->steps.n;
	if (!vec_reserve(&t->steps, 1, &mem_malloc))
		return false;
	vec_put(&t->steps, (struct dwarf_step){ 0, DWARF_FIXED });
	while (!c->has_failed) {
		uint64_t name = cursor_uleb(c), form = cursor_uleb(c);
		struct dwarf_attribute a = { 0 };

		if (name == 0 && form == 0)
			break;
		a.name = name <= UINT16_MAX ? (uint16_t)name : 0;
		a.form = form <= UINT16_MAX ? (uint16_t)form : 0;
		if (a.form == DWARF_FORM_IMPLICIT_CONST)
			a.implicit = cursor_sleb(c);
		dwarf_attribute_shape(&a, u);
		a.use = (uint8_t)use_of(a.name);
		has_place |= a.name == DWARF_AT_LOW_PC ||
		             a.name == DWARF_AT_RANGES;
		if (!add_attribute(t, &a) || !add_step(t, &a))
			return false;
	}
	row.n_attributes = (uint32_t)t->attributes.n - row.first_attribute;
	row.is_code = has_place && (row.tag == DWARF_TAG_SUBPROGRAM ||
	                            row.tag == DWARF_TAG_INLINED_SUBROUTINE);
	if (!vec_reserve(&t->rows, 1, &mem_malloc))
		return false;
	vec_put(&t->rows, row);
	return !c->has_failed;
}

static int compare_codes(const void *a, const void *b)
{
	uint64_t x = ((const struct dwarf_abbrev *)a)->code;
	uint64_t y = ((const struct dwarf_abbrev *)b)->code;

	return (x > y) - (x < y);
}

static void clear(struct dwarf_abbrevs *t)
{
	t->file = NULL;
	t->rows.n = 0;
	t->attributes.n = 0;
	t->steps.n = 0;
}

static bool compile(struct dwarf_abbrevs *t, const struct dwarf_unit *u)
{
	struct span s = u->file->sections[DWARF_ABBREV];
	struct cursor c = cursor_at(s.data, s.size, u->abbrevs_at,
	                            u->file->is_big);
	uint64_t code;

	clear(t);
	t->offset = u->abbrevs_at;
	t->version = u->version;
	t->address_size = u->address_size;
	t->offset_size = u->offset_size;
	t->is_dense = true;
	while (!c.has_failed && (code = cursor_uleb(&c)) != 0) {
		if (code != t->rows.n + 1)
			t->is_dense = false;
		if (t->attributes.n > UINT32_MAX / 2 ||
		    !read_abbrev(t, &c, u, code))
			return false;
	}
	if (!t->is_dense)
		qsort(t->rows.data, t->rows.n, sizeof(*t->rows.data),
		      compare_codes);
	t->file = u->file;
	return true;
}

const struct dwarf_abbrevs *
dwarf_get_abbrevs(struct dwarf_abbrev_cache *cache, const struct dwarf_unit *u)
{
	uint64_t mix = (u->abbrevs_at ^ (uintptr_t)u->file) *
	               UINT64_C(0x9e3779b97f4a7c15);
	struct dwarf_abbrevs *t =
		&cache->slots[mix >> 32 & (DWARF_ABBREV_SLOTS - 1)];

	if (t->file == u->file && t->offset == u->abbrevs_at &&
	    t->version == u->version && t->address_size == u->address_size &&
	    t->offset_size == u->offset_size)
		return t;
	if (compile(t, u))
		return t;
	clear(t);
	return NULL;
}

void dwarf_abbrev_cache_release(struct dwarf_abbrev_cache *cache)
{
	for (int i = 0; i < DWARF_ABBREV_SLOTS; i++) {
		vec_release(&cache->slots[i].rows, &mem_malloc);
		vec_release(&cache->slots[i].attributes, &mem_malloc);
		vec_release(&cache->slots[i].steps, &mem_malloc);
	}
}

const struct dwarf_abbrev *dwarf_search_abbrev(const struct dwarf_abbrevs *t,
                                               uint64_t code)
{
	struct dwarf_abbrev key = { .code = code };

	return t->rows.n ? bsearch(&key, t->rows.data, t->rows.n,
	                           sizeof(key), compare_codes)
	                 : NULL;
}
