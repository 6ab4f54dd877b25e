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

static bool open_step(struct dwarf_abbrevs *t)
{
	if (!vec_reserve(&t->steps, 1, &mem_malloc))
		return false;
	vec_put(&t->steps, (struct dwarf_step){ 0, DWARF_FIXED });
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
	open->then = a->shape;
	return open_step(t);
}

/* ---- Places ---- */

static enum dwarf_slot slot_of(uint16_t name)
{
	switch (name) {
	case DWARF_AT_LOW_PC:
		return DWARF_SLOT_LOW_PC;
	case DWARF_AT_HIGH_PC:
		return DWARF_SLOT_HIGH_PC;
	case DWARF_AT_RANGES:
		return DWARF_SLOT_RANGES;
	case DWARF_AT_ABSTRACT_ORIGIN:
		return DWARF_SLOT_ORIGIN;
	case DWARF_AT_CALL_FILE:
		return DWARF_SLOT_CALL_FILE;
	case DWARF_AT_CALL_LINE:
		return DWARF_SLOT_CALL_LINE;
	case DWARF_AT_CALL_COLUMN:
		return DWARF_SLOT_CALL_COLUMN;
	default:
		return DWARF_N_SLOTS;
	}
}

/*
 * Runs of fixed size that nobody wants become part of what follows them; as
 * does what takes no bytes and was there before, so that an entry costs no
 * more than its bytes.
 */
static bool add_places(struct dwarf_abbrevs *t, struct dwarf_abbrev *row)
{
	struct dwarf_place next = { .slot = DWARF_N_SLOTS };
	unsigned had = 0;

	row->first_place = (uint32_t)t->places.n;
	for (uint32_t i = 0; i <= row->n_attributes; i++) {
		bool is_end = i == row->n_attributes;

		if (!is_end) {
			next.attribute = t->attributes.data[
				row->first_attribute + i];
			next.slot = (uint8_t)slot_of(next.attribute.name);
			if (next.attribute.shape == DWARF_FIXED &&
			    next.attribute.size == 0 && had >> next.slot & 1)
				next.slot = DWARF_N_SLOTS;
			had |= 1u << next.slot;
		}
		if (!is_end && next.slot == DWARF_N_SLOTS &&
		    next.attribute.shape == DWARF_FIXED) {
			next.skip += next.attribute.size;
			continue;
		}
		if (is_end)
			next.attribute = (struct dwarf_attribute){
				.shape = DWARF_FIXED
			};
		if (!vec_reserve(&t->places, 1, &mem_malloc))
			return false;
		vec_put(&t->places, next);
		next = (struct dwarf_place){ .slot = DWARF_N_SLOTS };
	}
	row->n_places = (uint32_t)t->places.n - row->first_place;
	return true;
}

/* ---- Outlines ---- */

/*
 * A declaration has parameters in it and no code, so the scan may go on with
 * its sibling: a quarter of the entries of a C++ program need no look. No
 * other entry is stepped over whole, whatever its ranges are.
 */
static void outline_sibling(struct dwarf_outline *o,
                            const struct dwarf_attribute *a, uint32_t n)
{
	bool is_declaration = false;
	uint32_t at = 0;

	for (uint32_t i = 0; i < n && at <= UINT16_MAX; at += a[i++].size) {
		if (a[i].shape != DWARF_FIXED)
			break;
		is_declaration |= a[i].form == DWARF_FORM_FLAG_PRESENT &&
		                  a[i].name == DWARF_AT_DECLARATION;
		if (a[i].name == DWARF_AT_SIBLING &&
		    a[i].form >= DWARF_FORM_REF1 &&
		    a[i].form <= DWARF_FORM_REF8) {
			o->sibling_at = (uint16_t)at;
			o->sibling_size = a[i].size;
		}
	}
	if (!is_declaration)
		o->sibling_size = 0;
}

static bool add_outline(struct dwarf_abbrevs *t, struct dwarf_abbrev *row,
                        bool has_children)
{
	const struct dwarf_step *step = &t->steps.data[row->first_step];
	const struct dwarf_attribute *a =
		t->attributes.data + row->first_attribute;
	bool is_function = row->tag == DWARF_TAG_SUBPROGRAM ||
	                   row->tag == DWARF_TAG_INLINED_SUBROUTINE;
	struct dwarf_outline o = { .size = step->size,
		                   .then = (uint8_t)step->then,
		                   .has_children = has_children };

	for (uint32_t i = 0; is_function && i < row->n_attributes; i++)
		o.is_code |= a[i].name == DWARF_AT_LOW_PC ||
		             a[i].name == DWARF_AT_RANGES;
	if (row->tag == DWARF_TAG_SUBPROGRAM && has_children && !o.is_code)
		outline_sibling(&o, a, row->n_attributes);
	if ((o.is_code && !add_places(t, row)) ||
	    !vec_reserve(&t->outlines, 1, &mem_malloc))
		return false;
	row->outline = (uint32_t)t->outlines.n;
	vec_put(&t->outlines, o);
	return true;
}

/* ---- Reading ---- */

static bool is_name(uint16_t name)
{
	return name == DWARF_AT_NAME || name == DWARF_AT_LINKAGE_NAME ||
	       name == DWARF_AT_MIPS_LINKAGE_NAME ||
	       name == DWARF_AT_DECL_LINE || name == DWARF_AT_ABSTRACT_ORIGIN ||
	       name == DWARF_AT_SPECIFICATION;
}

/* Reads an abbreviation behind its code. */
static bool read_abbrev(struct dwarf_abbrevs *t, struct cursor *c,
                        const struct dwarf_unit *u, uint64_t code)
{
	struct dwarf_abbrev row = { .code = code, .is_nameless = true };
	uint64_t tag = cursor_uleb(c);
	bool has_children = cursor_u8(c) != 0;

	row.tag = tag <= UINT32_MAX ? (uint32_t)tag : 0;
	row.first_attribute = (uint32_t)t->attributes.n;
	row.first_step = (uint32_t)t->steps.n;
	if (!open_step(t))
		return false;
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
		a.is_name = is_name(a.name);
		row.is_nameless &= !a.is_name ||
		                   a.name == DWARF_AT_ABSTRACT_ORIGIN;
		if (!add_attribute(t, &a) || !add_step(t, &a))
			return false;
	}
	row.n_attributes = (uint32_t)t->attributes.n - row.first_attribute;
	if (!add_outline(t, &row, has_children) ||
	    !vec_reserve(&t->rows, 1, &mem_malloc))
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
	t->rows.n = t->outlines.n = t->attributes.n = t->places.n = 0;
	t->steps.n = 0;
}

static bool compile(struct dwarf_abbrevs *t, const struct dwarf_unit *u)
{
	struct span s = u->file->sections[DWARF_ABBREV];
	struct cursor c = cursor_at(
		s.data, u->abbrevs_end < s.size ? (size_t)u->abbrevs_end
		                                : s.size,
		u->abbrevs_at, u->file->is_big);
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
		struct dwarf_abbrevs *t = &cache->slots[i];

		vec_release(&t->rows, &mem_malloc);
		vec_release(&t->outlines, &mem_malloc);
		vec_release(&t->attributes, &mem_malloc);
		vec_release(&t->places, &mem_malloc);
		vec_release(&t->steps, &mem_malloc);
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
