/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: DWARF 5, section 6.4; the Linux Standard Base's chapter on
 * .eh_frame and .eh_frame_hdr.
 *
 * What a compiler for Linux does not emit (64-bit lengths, search tables
 * that are not pairs of 32-bit offsets) is told as "not found".
 */
#include "sampler/cfi.h"

#include "sampler/cfi_bytes.h"

#include <string.h>

enum {
	PE_ABSPTR = 0, PE_UDATA2 = 2, PE_UDATA4 = 3, PE_UDATA8 = 4,
	PE_SDATA2 = 10, PE_SDATA4 = 11, PE_SDATA8 = 12,
	PE_FORMAT = 0x0f, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_BASE = 0x70,
	PE_OMIT = 0xff
};

/* A pointer in one of the DW_EH_PE encodings. */
static uint64_t encoded(struct cfi_bytes *b, uint8_t encoding)
{
	const uint64_t here = (uint64_t)(uintptr_t)b->ptr;
	uint64_t v;

	switch (encoding & PE_FORMAT) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		v = cfi_fixed(b, 8);
		break;
	case PE_UDATA4:
		v = cfi_fixed(b, 4);
		break;
	case PE_SDATA4:
		v = (uint64_t)(int64_t)(int32_t)cfi_fixed(b, 4);
		break;
	case PE_UDATA2:
		v = cfi_fixed(b, 2);
		break;
	case PE_SDATA2:
		v = (uint64_t)(int64_t)(int16_t)cfi_fixed(b, 2);
		break;
	default:
		b->is_bad = true;
		return 0;
	}
	if ((encoding & PE_BASE) == PE_PCREL)
		v += here;
	else if ((encoding & PE_BASE) != 0)
		b->is_bad = true;
	return v;
}

/* ---- Finding the FDE ---- */

enum { HEAD = 12 }; /* bytes of .eh_frame_hdr before its table */

struct table_row {
	int32_t pc, fde; /* relative to .eh_frame_hdr */
};

static struct table_row row_at(const uint8_t *hdr, uint32_t i)
{
	struct table_row row;

	memcpy(&row, hdr + HEAD + (size_t)i * sizeof(row), sizeof(row));
	return row;
}

/* The FDE of the last function that begins at or below pc, relative to
   .eh_frame_hdr; 0: none. */
static int64_t search(uint64_t pc, const struct cfi_tables *t)
{
	enum { EXPECTED = PE_DATAREL | PE_SDATA4 };
	const uint8_t *hdr = t->eh_frame_hdr;
	const size_t there = (size_t)(t->end - hdr);
	const int64_t wanted = (int64_t)(pc - (uint64_t)(uintptr_t)hdr);
	uint32_t lo = 0, hi, mid;

	if (there < HEAD || hdr[0] != 1 || (hdr[1] & PE_FORMAT) != PE_SDATA4 ||
	    hdr[2] != PE_UDATA4 || hdr[3] != EXPECTED)
		return 0;
	memcpy(&hi, hdr + 8, sizeof(hi));
	if (hi == 0 || hi > (there - HEAD) / sizeof(struct table_row) ||
	    wanted < row_at(hdr, 0).pc)
		return 0;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (row_at(hdr, mid).pc <= wanted)
			lo = mid;
		else
			hi = mid;
	}
	return row_at(hdr, lo).fde;
}

/* A length word and the bytes it stands for, at a place that is relative to
   .eh_frame_hdr. */
static struct cfi_bytes entry_at(int64_t at, const struct cfi_tables *t)
{
	struct cfi_bytes b = { NULL, NULL, true };
	uint32_t length;

	if (at < t->start - t->eh_frame_hdr || at > t->end - t->eh_frame_hdr)
		return b;
	b = (struct cfi_bytes){ t->eh_frame_hdr + at, t->end, false };
	length = (uint32_t)cfi_fixed(&b, sizeof(length));
	if (length == 0 || length > CFI_MAX_ENTRY ||
	    length > (size_t)(b.end - b.ptr))
		b.is_bad = true;
	else
		b.end = b.ptr + length;
	return b;
}

struct cie {
	struct cfi_bytes program;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pc_encoding;
	bool has_augmentation;
};

static bool read_cie(struct cie *cie, struct cfi *out, int64_t at,
                     const struct cfi_tables *t)
{
	struct cfi_bytes b = entry_at(at, t);
	const char *augmentation;
	uint64_t size;
	uint8_t version;

	if (cfi_fixed(&b, 4) != 0)
		return false;
	version = (uint8_t)cfi_fixed(&b, 1);
	augmentation = (const char *)b.ptr;
	while (cfi_fixed(&b, 1) != 0)
		;
	cie->code_align = cfi_uleb(&b);
	cie->data_align = cfi_sleb(&b);
	out->return_reg = (uint8_t)(version == 1 ? cfi_fixed(&b, 1) : cfi_uleb(&b));
	if (b.is_bad)
		return false;
	cie->pc_encoding = PE_ABSPTR;
	cie->has_augmentation = *augmentation == 'z';
	cie->program = b;
	if (!cie->has_augmentation)
		return *augmentation == '\0';
	size = cfi_uleb(&b);
	if (b.is_bad || size > (uint64_t)(b.end - b.ptr))
		return false;
	cie->program = (struct cfi_bytes){ b.ptr + size, b.end, false };
	while (*++augmentation && !b.is_bad) {
		if (*augmentation == 'R')
			cie->pc_encoding = (uint8_t)cfi_fixed(&b, 1);
		else if (*augmentation == 'L')
			cfi_fixed(&b, 1);
		else if (*augmentation == 'P')
			encoded(&b, (uint8_t)cfi_fixed(&b, 1) & 0x7f);
		else if (*augmentation == 'S')
			out->is_signal_frame = true;
	}
	return !b.is_bad;
}

/* ---- Running the program ---- */

struct machine {
	struct cfi_row *row, *initial;
	struct cfi_row saved[CFI_MAX_SAVED];
	unsigned n_saved;
	const struct cie *cie;
	const uint8_t *base;
	uint64_t pc; /* of the instruction the row so far is for */
	uint64_t next; /* where that row ends */
};

static void set_rule(struct machine *m, uint64_t reg, enum cfi_kind kind,
                     int64_t value)
{
	/* Vector registers and the like are nobody's business here. */
	if (reg >= CFI_N_REGS)
		return;
	m->row->kinds[reg] = (uint8_t)kind;
	m->row->values[reg] = (int32_t)value;
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t value)
{
	m->row->cfa_is_expr = false;
	m->row->cfa_reg = reg < CFI_N_REGS ? (uint8_t)reg : UINT8_MAX;
	m->row->cfa_value = (int32_t)value;
}

static void restore_rule(struct machine *m, uint64_t reg)
{
	if (reg < CFI_N_REGS)
		set_rule(m, reg, (enum cfi_kind)m->initial->kinds[reg],
		         m->initial->values[reg]);
}

/* The position of an expression's length; steps over it. */
static int64_t expression(struct machine *m, struct cfi_bytes *b)
{
	const int64_t at = b->ptr - m->base;
	const uint64_t size = cfi_uleb(b);

	/* Its length is read again by cfi_expr_at(), in at most 10 bytes. */
	if (b->is_bad || at != (int32_t)at || b->ptr - m->base - at > 9 ||
	    size > (uint64_t)(b->end - b->ptr))
		b->is_bad = true;
	else
		b->ptr += size;
	return at;
}

static void remember(struct machine *m, struct cfi_bytes *b)
{
	if (m->n_saved == CFI_MAX_SAVED)
		b->is_bad = true;
	else
		m->saved[m->n_saved++] = *m->row;
}

static void restore_state(struct machine *m, struct cfi_bytes *b)
{
	if (m->n_saved == 0)
		b->is_bad = true;
	else
		*m->row = m->saved[--m->n_saved];
}

/* Without overflow: a table may say anything. */
static int64_t factored_by(uint64_t n, int64_t align)
{
	return (int64_t)(n * (uint64_t)align);
}

/* The opcodes with no operand in their own byte, but for the advances. */
static void extended(struct machine *m, struct cfi_bytes *b, uint8_t op)
{
	const int64_t align = m->cie->data_align;
	uint64_t reg;

	switch (op) {
	case 0x00: /* nop */
		break;
	case 0x05: /* offset_extended */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_OFFSET,
		         factored_by(cfi_uleb(b), align));
		break;
	case 0x06: /* restore_extended */
		restore_rule(m, cfi_uleb(b));
		break;
	case 0x07: /* undefined */
		set_rule(m, cfi_uleb(b), CFI_UNDEFINED, 0);
		break;
	case 0x08: /* same_value */
		set_rule(m, cfi_uleb(b), CFI_SAME, 0);
		break;
	case 0x09: /* register */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_REGISTER, (int64_t)cfi_uleb(b));
		break;
	case 0x0a: /* remember_state */
		remember(m, b);
		break;
	case 0x0b: /* restore_state */
		restore_state(m, b);
		break;
	case 0x0c: /* def_cfa */
		reg = cfi_uleb(b);
		set_cfa(m, reg, (int64_t)cfi_uleb(b));
		break;
	case 0x0d: /* def_cfa_register */
		set_cfa(m, cfi_uleb(b), m->row->cfa_value);
		break;
	case 0x0e: /* def_cfa_offset */
		set_cfa(m, m->row->cfa_reg, (int64_t)cfi_uleb(b));
		break;
	case 0x0f: /* def_cfa_expression */
		m->row->cfa_value = (int32_t)expression(m, b);
		m->row->cfa_is_expr = true;
		break;
	case 0x10: /* expression */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_EXPR, expression(m, b));
		break;
	case 0x11: /* offset_extended_sf */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_OFFSET,
		         factored_by((uint64_t)cfi_sleb(b), align));
		break;
	case 0x12: /* def_cfa_sf */
		reg = cfi_uleb(b);
		set_cfa(m, reg, factored_by((uint64_t)cfi_sleb(b), align));
		break;
	case 0x13: /* def_cfa_offset_sf */
		set_cfa(m, m->row->cfa_reg,
		        factored_by((uint64_t)cfi_sleb(b), align));
		break;
	case 0x14: /* val_offset */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_VAL_OFFSET,
		         factored_by(cfi_uleb(b), align));
		break;
	case 0x15: /* val_offset_sf */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_VAL_OFFSET,
		         factored_by((uint64_t)cfi_sleb(b), align));
		break;
	case 0x16: /* val_expression */
		reg = cfi_uleb(b);
		set_rule(m, reg, CFI_VAL_EXPR, expression(m, b));
		break;
	case 0x2d: /* AARCH64_negate_ra_state: a signature is cut off anyway */
		break;
	case 0x2e: /* GNU_args_size */
		cfi_uleb(b);
		break;
	default:
		b->is_bad = true;
	}
}

/* Runs until the row is the one for pc; false: not understood. */
static bool run(struct machine *m, struct cfi_bytes b, uint64_t pc)
{
	const uint64_t align = m->cie->code_align;

	while (b.ptr < b.end && !b.is_bad) {
		const uint8_t op = (uint8_t)cfi_fixed(&b, 1);
		uint64_t next = m->pc;

		switch (op >> 6) {
		case 1: /* advance_loc */
			next += (op & 0x3fu) * align;
			break;
		case 2: /* offset */
			set_rule(m, op & 0x3f, CFI_OFFSET,
			         factored_by(cfi_uleb(&b), m->cie->data_align));
			break;
		case 3: /* restore */
			restore_rule(m, op & 0x3f);
			break;
		default:
			if (op == 0x01) /* set_loc */
				next = encoded(&b, m->cie->pc_encoding);
			else if (op >= 0x02 && op <= 0x04) /* advance_locN */
				next += cfi_fixed(&b, 1u << (op - 2)) * align;
			else
				extended(m, &b, op);
		}
		if (next > pc) {
			m->next = next;
			return true;
		}
		m->pc = next;
	}
	return !b.is_bad;
}

bool cfi_find(struct cfi *out, uint64_t pc, const struct cfi_tables *tables)
{
	const int64_t fde = search(pc, tables);
	struct cfi_row initial;
	struct machine m;
	struct cfi_bytes b;
	struct cie cie;
	uint64_t begin, size;

	if (fde == 0)
		return false;
	b = entry_at(fde, tables);
	size = cfi_fixed(&b, 4);
	out->is_signal_frame = false;
	if (b.is_bad || size == 0 ||
	    !read_cie(&cie, out, fde + 4 - (int64_t)size, tables))
		return false;
	begin = encoded(&b, cie.pc_encoding & 0x7f);
	size = encoded(&b, cie.pc_encoding & PE_FORMAT);
	if (cie.has_augmentation) {
		const uint64_t skip = cfi_uleb(&b);

		if (b.is_bad || skip > (uint64_t)(b.end - b.ptr))
			return false;
		b.ptr += skip;
	}
	if (b.is_bad || pc < begin || pc - begin >= size ||
	    size > UINT64_MAX - begin)
		return false;
	memset(&out->row, 0, sizeof(out->row));
	out->row.cfa_reg = UINT8_MAX;
	out->base = tables->eh_frame_hdr;
	initial = out->row;
	m.row = &out->row;
	m.initial = &initial;
	m.n_saved = 0;
	m.cie = &cie;
	m.base = tables->eh_frame_hdr;
	m.pc = begin;
	if (!run(&m, cie.program, UINT64_MAX))
		return false;
	initial = out->row;
	m.next = begin + size;
	if (!run(&m, b, pc))
		return false;
	out->row_limit = m.next;
	return true;
}
