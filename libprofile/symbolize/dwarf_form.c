/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

/*
 * Values of attributes: how many bytes they take and what they refer to. Two
 * switches over the forms, the only ones.
 */

static enum dwarf_shape fixed(unsigned *size, unsigned n)
{
	*size = n;
	return DWARF_FIXED;
}

enum dwarf_shape dwarf_form_shape(const struct dwarf_unit *u, uint32_t form,
                                  unsigned *size)
{
	switch (form) {
	case DWARF_FORM_FLAG_PRESENT:
	case DWARF_FORM_IMPLICIT_CONST:
		return fixed(size, 0);
	case DWARF_FORM_DATA1:
	case DWARF_FORM_FLAG:
	case DWARF_FORM_REF1:
	case DWARF_FORM_STRX1:
	case DWARF_FORM_ADDRX1:
		return fixed(size, 1);
	case DWARF_FORM_DATA2:
	case DWARF_FORM_REF2:
	case DWARF_FORM_STRX2:
	case DWARF_FORM_ADDRX2:
		return fixed(size, 2);
	case DWARF_FORM_STRX3:
	case DWARF_FORM_ADDRX3:
		return fixed(size, 3);
	case DWARF_FORM_DATA4:
	case DWARF_FORM_REF4:
	case DWARF_FORM_REF_SUP4:
	case DWARF_FORM_STRX4:
	case DWARF_FORM_ADDRX4:
		return fixed(size, 4);
	case DWARF_FORM_DATA8:
	case DWARF_FORM_REF8:
	case DWARF_FORM_REF_SIG8:
	case DWARF_FORM_REF_SUP8:
		return fixed(size, 8);
	case DWARF_FORM_DATA16:
		return fixed(size, 16);
	case DWARF_FORM_ADDR:
		return fixed(size, u->address_size);
	case DWARF_FORM_REF_ADDR:
		return fixed(size, u->version <= 2 ? u->address_size
		                                   : u->offset_size);
	case DWARF_FORM_STRP:
	case DWARF_FORM_LINE_STRP:
	case DWARF_FORM_STRP_SUP:
	case DWARF_FORM_SEC_OFFSET:
	case DWARF_FORM_GNU_REF_ALT:
	case DWARF_FORM_GNU_STRP_ALT:
		return fixed(size, u->offset_size);
	case DWARF_FORM_SDATA:
	case DWARF_FORM_UDATA:
	case DWARF_FORM_REF_UDATA:
	case DWARF_FORM_STRX:
	case DWARF_FORM_ADDRX:
	case DWARF_FORM_LOCLISTX:
	case DWARF_FORM_RNGLISTX:
	case DWARF_FORM_GNU_ADDR_INDEX:
	case DWARF_FORM_GNU_STR_INDEX:
		return DWARF_LEB;
	case DWARF_FORM_STRING:
		return DWARF_TEXT;
	case DWARF_FORM_BLOCK:
	case DWARF_FORM_EXPRLOC:
		return DWARF_SIZED_LEB;
	case DWARF_FORM_BLOCK1:
		return DWARF_SIZED_1;
	case DWARF_FORM_BLOCK2:
		return DWARF_SIZED_2;
	case DWARF_FORM_BLOCK4:
		return DWARF_SIZED_4;
	case DWARF_FORM_INDIRECT:
		return DWARF_NESTED;
	default:
		return DWARF_UNKNOWN;
	}
}

void dwarf_attribute_shape(struct dwarf_attribute *a,
                           const struct dwarf_unit *u)
{
	unsigned size = 0;

	a->shape = (uint8_t)dwarf_form_shape(u, a->form, &size);
	a->size = (uint8_t)size;
}

static uint64_t read_fixed(struct cursor *c, unsigned size)
{
	if (size == 0)
		return 1; /* DWARF_FORM_FLAG_PRESENT */
	if (size == 16) {
		cursor_skip(c, 16);
		return 0;
	}
	return cursor_uint(c, size);
}

struct dwarf_value dwarf_read_value(struct cursor *c,
                                    const struct dwarf_unit *u,
                                    const struct dwarf_attribute *a)
{
	struct dwarf_value v = { .form = a->form };
	unsigned size = a->size;
	enum dwarf_shape shape = (enum dwarf_shape)a->shape;

	if (shape == DWARF_NESTED) {
		uint64_t form = cursor_uleb(c);

		/* Not to be nested again, nor to have a value elsewhere. */
		v.form = form <= UINT16_MAX ? (uint32_t)form : 0;
		shape = dwarf_form_shape(u, v.form, &size);
	}
	switch (shape) {
	case DWARF_FIXED:
		v.n = v.form == DWARF_FORM_IMPLICIT_CONST
		              ? (uint64_t)a->implicit
		              : read_fixed(c, size);
		break;
	case DWARF_LEB:
		v.n = v.form == DWARF_FORM_SDATA ? (uint64_t)cursor_sleb(c)
		                                 : cursor_uleb(c);
		break;
	case DWARF_TEXT:
		v.text = cursor_string(c);
		break;
	case DWARF_SIZED_LEB:
		cursor_skip(c, cursor_uleb(c));
		break;
	case DWARF_SIZED_1:
		cursor_skip(c, cursor_u8(c));
		break;
	case DWARF_SIZED_2:
		cursor_skip(c, cursor_u16(c));
		break;
	case DWARF_SIZED_4:
		cursor_skip(c, cursor_u32(c));
		break;
	case DWARF_NESTED:
	case DWARF_UNKNOWN:
		cursor_fail(c);
		break;
	}
	return v;
}

void dwarf_skip_value(struct cursor *c, const struct dwarf_unit *u,
                      uint32_t shape)
{
	static const struct dwarf_attribute nested = {
		.form = DWARF_FORM_INDIRECT, .shape = DWARF_NESTED
	};

	switch (shape) {
	case DWARF_LEB:
		while (c->p < c->end && *c->p++ >= 0x80)
			;
		break;
	case DWARF_TEXT:
		(void)cursor_string(c);
		break;
	case DWARF_SIZED_LEB:
		cursor_skip(c, cursor_uleb(c));
		break;
	case DWARF_SIZED_1:
		cursor_skip(c, cursor_u8(c));
		break;
	case DWARF_SIZED_2:
		cursor_skip(c, cursor_u16(c));
		break;
	case DWARF_SIZED_4:
		cursor_skip(c, cursor_u32(c));
		break;
	case DWARF_NESTED:
		(void)dwarf_read_value(c, u, &nested);
		break;
	default:
		cursor_fail(c);
	}
}

/* ---- Strings ---- */

static const char *text_at(struct span section, uint64_t offset)
{
	return offset < section.size ? (const char *)section.data + offset
	                             : NULL;
}

/* Entry i of a table of numbers that begins at base. */
static uint64_t table_entry(struct span section, uint64_t base, uint64_t i,
                            unsigned size, bool is_big)
{
	struct cursor c;
	uint64_t n;

	if (i > section.size)
		return DWARF_NONE;
	if (base > section.size)
		return DWARF_NONE;
	c = cursor_at(section.data, section.size, base + i * size, is_big);
	n = cursor_uint(&c, size);
	return c.has_failed ? DWARF_NONE : n;
}

static const char *indexed_text(const struct dwarf_unit *u, uint64_t i)
{
	const struct dwarf_file *f = u->file;

	return text_at(f->sections[DWARF_STR],
	               table_entry(f->sections[DWARF_STR_OFFSETS],
	                           u->str_offsets_base, i, u->offset_size,
	                           f->is_big));
}

const char *dwarf_text(const struct dwarf_unit *u, const struct dwarf_value *v)
{
	const struct dwarf_file *f = u->file;

	switch (v->form) {
	case DWARF_FORM_STRING:
		return v->text;
	case DWARF_FORM_STRP:
		return text_at(f->sections[DWARF_STR], v->n);
	case DWARF_FORM_LINE_STRP:
		return text_at(f->sections[DWARF_LINE_STR], v->n);
	case DWARF_FORM_STRP_SUP:
	case DWARF_FORM_GNU_STRP_ALT:
		return f->alt ? text_at(f->alt->sections[DWARF_STR], v->n)
		              : NULL;
	case DWARF_FORM_STRX:
	case DWARF_FORM_STRX1:
	case DWARF_FORM_STRX2:
	case DWARF_FORM_STRX3:
	case DWARF_FORM_STRX4:
	case DWARF_FORM_GNU_STR_INDEX:
		return indexed_text(u, v->n);
	default:
		return NULL;
	}
}

/* ---- Addresses ---- */

static bool is_indexed_address(uint32_t form)
{
	return form == DWARF_FORM_ADDRX || form == DWARF_FORM_GNU_ADDR_INDEX ||
	       (form >= DWARF_FORM_ADDRX1 && form <= DWARF_FORM_ADDRX4);
}

bool dwarf_is_address(const struct dwarf_value *v)
{
	return v->form == DWARF_FORM_ADDR || is_indexed_address(v->form);
}

uint64_t dwarf_address(const struct dwarf_unit *u, const struct dwarf_value *v)
{
	if (v->form == DWARF_FORM_ADDR)
		return v->n;
	if (!is_indexed_address(v->form))
		return DWARF_NONE;
	return table_entry(u->skeleton_file->sections[DWARF_ADDR],
	                   u->addresses_base, v->n, u->address_size,
	                   u->file->is_big);
}

/* ---- References ---- */

uint64_t dwarf_reference(const struct dwarf_unit *u,
                         const struct dwarf_value *v,
                         const struct dwarf_file **file)
{
	*file = u->file;
	switch (v->form) {
	case DWARF_FORM_REF1:
	case DWARF_FORM_REF2:
	case DWARF_FORM_REF4:
	case DWARF_FORM_REF8:
	case DWARF_FORM_REF_UDATA:
		return v->n < u->end - u->offset ? u->offset + v->n
		                                 : DWARF_NONE;
	case DWARF_FORM_REF_ADDR:
		return v->n;
	case DWARF_FORM_REF_SUP4:
	case DWARF_FORM_REF_SUP8:
	case DWARF_FORM_GNU_REF_ALT:
		*file = u->file->alt;
		return u->file->alt ? v->n : DWARF_NONE;
	default:
		return DWARF_NONE;
	}
}
