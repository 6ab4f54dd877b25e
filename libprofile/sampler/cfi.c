/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: DWARF 5, section 6.4; the Linux Standard Base's chapter on
 * .eh_frame and .eh_frame_hdr.
 *
 * What a compiler for Linux does not emit (64-bit lengths, search tables
 * that are not pairs of 32-bit offsets) is told as "not found".
 */
#include "sampler/cfi.h"

#include <string.h>

/* ---- Reading bytes ---- */

struct bytes {
	const uint8_t *ptr, *end;
	bool is_bad; /* sticks */
};

static uint64_t fixed(struct bytes *b, size_t size)
{
	uint64_t v = 0;

	if (b->is_bad || (size_t)(b->end - b->ptr) < size) {
		b->is_bad = true;
		return 0;
	}
	memcpy(&v, b->ptr, size);
	b->ptr += size;
	return v;
}

static uint64_t leb(struct bytes *b, unsigned *bits)
{
	uint64_t v = 0;
	uint8_t byte;

	*bits = 0;
	do {
		byte = (uint8_t)fixed(b, 1);
		if (*bits < 64)
			v |= (uint64_t)(byte & 0x7f) << *bits;
		*bits += 7;
	} while (byte & 0x80);
	return v;
}

static uint64_t uleb(struct bytes *b)
{
	unsigned bits;

	return leb(b, &bits);
}

static int64_t sleb(struct bytes *b)
{
	unsigned bits;
	const uint64_t v = leb(b, &bits);

	if (bits < 64 && (v >> (bits - 1) & 1))
		return (int64_t)(v | ~UINT64_C(0) << bits);
	return (int64_t)v;
}

enum {
	PE_ABSPTR = 0, PE_UDATA2 = 2, PE_UDATA4 = 3, PE_UDATA8 = 4,
	PE_SDATA2 = 10, PE_SDATA4 = 11, PE_SDATA8 = 12,
	PE_FORMAT = 0x0f, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_BASE = 0x70,
	PE_OMIT = 0xff
};

/* A pointer in one of the DW_EH_PE encodings. */
static uint64_t encoded(struct bytes *b, uint8_t encoding)
{
	const uint64_t here = (uint64_t)(uintptr_t)b->ptr;
	uint64_t v;

	switch (encoding & PE_FORMAT) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		v = fixed(b, 8);
		break;
	case PE_UDATA4:
		v = fixed(b, 4);
		break;
	case PE_SDATA4:
		v = (uint64_t)(int64_t)(int32_t)fixed(b, 4);
		break;
	case PE_UDATA2:
		v = fixed(b, 2);
		break;
	case PE_SDATA2:
		v = (uint64_t)(int64_t)(int16_t)fixed(b, 2);
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

struct table_row {
	int32_t pc, fde; /* relative to .eh_frame_hdr */
};

/* The FDE of the last function that begins at or below pc. */
static const uint8_t *search(uint64_t pc, const uint8_t *hdr)
{
	enum { EXPECTED = PE_DATAREL | PE_SDATA4 };
	const int64_t wanted = (int64_t)(pc - (uint64_t)(uintptr_t)hdr);
	const struct table_row *rows = (const void *)(hdr + 12);
	uint32_t lo = 0, hi, mid;

	if (hdr[0] != 1 || (hdr[1] & PE_FORMAT) != PE_SDATA4 ||
	    hdr[2] != PE_UDATA4 || hdr[3] != EXPECTED)
		return NULL;
	memcpy(&hi, hdr + 8, sizeof(hi));
	if (hi == 0 || wanted < rows[0].pc)
		return NULL;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (rows[mid].pc <= wanted)
			lo = mid;
		else
			hi = mid;
	}
	return hdr + rows[lo].fde;
}

/* A length word and the bytes it stands for. */
static struct bytes entry_at(const uint8_t *at)
{
	uint32_t length;
	struct bytes b = { at, at, true };

	memcpy(&length, at, sizeof(length));
	if (length == 0 || length == UINT32_MAX)
		return b;
	return (struct bytes){ at + 4, at + 4 + length, false };
}

struct cie {
	struct bytes program;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pc_encoding;
	bool has_augmentation;
};

static bool read_cie(struct cie *cie, struct cfi *out, const uint8_t *at)
{
	struct bytes b = entry_at(at);
	const char *augmentation;
	uint64_t size;
	uint8_t version;

	if (fixed(&b, 4) != 0)
		return false;
	version = (uint8_t)fixed(&b, 1);
	augmentation = (const char *)b.ptr;
	while (fixed(&b, 1) != 0)
		;
	cie->code_align = uleb(&b);
	cie->data_align = sleb(&b);
	out->return_reg = (uint8_t)(version == 1 ? fixed(&b, 1) : uleb(&b));
	cie->pc_encoding = PE_ABSPTR;
	cie->has_augmentation = *augmentation == 'z';
	cie->program = b;
	if (!cie->has_augmentation)
		return !b.is_bad && *augmentation == '\0';
	size = uleb(&b);
	if (b.is_bad || size > (uint64_t)(b.end - b.ptr))
		return false;
	cie->program = (struct bytes){ b.ptr + size, b.end, false };
	while (*++augmentation && !b.is_bad) {
		if (*augmentation == 'R')
			cie->pc_encoding = (uint8_t)fixed(&b, 1);
		else if (*augmentation == 'L')
			fixed(&b, 1);
		else if (*augmentation == 'P')
			encoded(&b, (uint8_t)fixed(&b, 1) & 0x7f);
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
static int64_t expression(struct machine *m, struct bytes *b)
{
	const int64_t at = b->ptr - m->base;
	const uint64_t size = uleb(b);

	if (b->is_bad || size > (uint64_t)(b->end - b->ptr))
		b->is_bad = true;
	else
		b->ptr += size;
	return at;
}

static void remember(struct machine *m, struct bytes *b)
{
	if (m->n_saved == CFI_MAX_SAVED)
		b->is_bad = true;
	else
		m->saved[m->n_saved++] = *m->row;
}

static void restore_state(struct machine *m, struct bytes *b)
{
	if (m->n_saved == 0)
		b->is_bad = true;
	else
		*m->row = m->saved[--m->n_saved];
}

/* The opcodes with no operand in their own byte, but for the advances. */
static void extended(struct machine *m, struct bytes *b, uint8_t op)
{
	const int64_t align = m->cie->data_align;
	uint64_t reg;

	switch (op) {
	case 0x00: /* nop */
		break;
	case 0x05: /* offset_extended */
		reg = uleb(b);
		set_rule(m, reg, CFI_OFFSET, (int64_t)uleb(b) * align);
		break;
	case 0x06: /* restore_extended */
		restore_rule(m, uleb(b));
		break;
	case 0x07: /* undefined */
		set_rule(m, uleb(b), CFI_UNDEFINED, 0);
		break;
	case 0x08: /* same_value */
		set_rule(m, uleb(b), CFI_SAME, 0);
		break;
	case 0x09: /* register */
		reg = uleb(b);
		set_rule(m, reg, CFI_REGISTER, (int64_t)uleb(b));
		break;
	case 0x0a: /* remember_state */
		remember(m, b);
		break;
	case 0x0b: /* restore_state */
		restore_state(m, b);
		break;
	case 0x0c: /* def_cfa */
		reg = uleb(b);
		set_cfa(m, reg, (int64_t)uleb(b));
		break;
	case 0x0d: /* def_cfa_register */
		set_cfa(m, uleb(b), m->row->cfa_value);
		break;
	case 0x0e: /* def_cfa_offset */
		m->row->cfa_value = (int32_t)uleb(b);
		break;
	case 0x0f: /* def_cfa_expression */
		m->row->cfa_value = (int32_t)expression(m, b);
		m->row->cfa_is_expr = true;
		break;
	case 0x10: /* expression */
		reg = uleb(b);
		set_rule(m, reg, CFI_EXPR, expression(m, b));
		break;
	case 0x11: /* offset_extended_sf */
		reg = uleb(b);
		set_rule(m, reg, CFI_OFFSET, sleb(b) * align);
		break;
	case 0x12: /* def_cfa_sf */
		reg = uleb(b);
		set_cfa(m, reg, sleb(b) * align);
		break;
	case 0x13: /* def_cfa_offset_sf */
		m->row->cfa_value = (int32_t)(sleb(b) * align);
		break;
	case 0x14: /* val_offset */
		reg = uleb(b);
		set_rule(m, reg, CFI_VAL_OFFSET, (int64_t)uleb(b) * align);
		break;
	case 0x15: /* val_offset_sf */
		reg = uleb(b);
		set_rule(m, reg, CFI_VAL_OFFSET, sleb(b) * align);
		break;
	case 0x16: /* val_expression */
		reg = uleb(b);
		set_rule(m, reg, CFI_VAL_EXPR, expression(m, b));
		break;
	case 0x2e: /* GNU_args_size */
		uleb(b);
		break;
	default:
		b->is_bad = true;
	}
}

/* Runs until the row is the one for pc; false: not understood. */
static bool run(struct machine *m, struct bytes b, uint64_t pc)
{
	const uint64_t align = m->cie->code_align;

	while (b.ptr < b.end && !b.is_bad) {
		const uint8_t op = (uint8_t)fixed(&b, 1);
		uint64_t next = m->pc;

		switch (op >> 6) {
		case 1: /* advance_loc */
			next += (op & 0x3fu) * align;
			break;
		case 2: /* offset */
			set_rule(m, op & 0x3f, CFI_OFFSET,
			         (int64_t)uleb(&b) * m->cie->data_align);
			break;
		case 3: /* restore */
			restore_rule(m, op & 0x3f);
			break;
		default:
			if (op == 0x01) /* set_loc */
				next = encoded(&b, m->cie->pc_encoding);
			else if (op >= 0x02 && op <= 0x04) /* advance_locN */
				next += fixed(&b, 1u << (op - 2)) * align;
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

bool cfi_find(struct cfi *out, uint64_t pc, const uint8_t *eh_frame_hdr)
{
	const uint8_t *fde = search(pc, eh_frame_hdr);
	struct cfi_row initial;
	struct machine m;
	struct bytes b;
	struct cie cie;
	uint64_t begin, size;
	const uint8_t *id;

	if (!fde)
		return false;
	b = entry_at(fde);
	id = b.ptr;
	size = fixed(&b, 4);
	out->is_signal_frame = false;
	if (b.is_bad || size == 0 || !read_cie(&cie, out, id - size))
		return false;
	begin = encoded(&b, cie.pc_encoding & 0x7f);
	size = encoded(&b, cie.pc_encoding & PE_FORMAT);
	if (cie.has_augmentation) {
		const uint64_t skip = uleb(&b);

		if (b.is_bad || skip > (uint64_t)(b.end - b.ptr))
			return false;
		b.ptr += skip;
	}
	if (b.is_bad || pc < begin || pc - begin >= size)
		return false;
	memset(&out->row, 0, sizeof(out->row));
	out->row.cfa_reg = UINT8_MAX;
	out->base = eh_frame_hdr;
	initial = out->row;
	m.row = &out->row;
	m.initial = &initial;
	m.n_saved = 0;
	m.cie = &cie;
	m.base = eh_frame_hdr;
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

/* ---- Expressions ---- */

struct cfi_expr cfi_expr_at(const struct cfi *c, int32_t value)
{
	struct bytes b = { c->base + value, c->base + value + 10, false };
	const uint64_t size = uleb(&b);

	return (struct cfi_expr){ b.ptr, b.ptr + size };
}

struct evaluation {
	uint64_t values[16];
	unsigned n;
	struct bytes b;
	const struct cfi_regs *regs;
	struct memory_range *stack;
};

static void push(struct evaluation *e, uint64_t v)
{
	if (e->n == 16)
		e->b.is_bad = true;
	else
		e->values[e->n++] = v;
}

static uint64_t pop(struct evaluation *e)
{
	if (e->n == 0) {
		e->b.is_bad = true;
		return 0;
	}
	return e->values[--e->n];
}

static uint64_t pick(struct evaluation *e, unsigned depth)
{
	if (e->n <= depth) {
		e->b.is_bad = true;
		return 0;
	}
	return e->values[e->n - 1 - depth];
}

static void push_register(struct evaluation *e, unsigned reg, int64_t offset)
{
	if (reg >= CFI_N_REGS || !(e->regs->known >> reg & 1))
		e->b.is_bad = true;
	else
		push(e, e->regs->values[reg] + (uint64_t)offset);
}

static uint64_t binary(struct evaluation *e, uint8_t op, uint64_t a, uint64_t b)
{
	const int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case 0x1a: return a & b;
	case 0x1c: return a - b;
	case 0x1e: return a * b;
	case 0x21: return a | b;
	case 0x22: return a + b;
	case 0x24: return b < 64 ? a << b : 0;
	case 0x25: return b < 64 ? a >> b : 0;
	case 0x27: return a ^ b;
	case 0x29: return a == b;
	case 0x2a: return sa >= sb;
	case 0x2b: return sa > sb;
	case 0x2c: return sa <= sb;
	case 0x2d: return sa < sb;
	case 0x2e: return a != b;
	default: e->b.is_bad = true; return 0;
	}
}

static void operation(struct evaluation *e, uint8_t op)
{
	struct bytes *b = &e->b;
	uint64_t v = 0, w;

	if (op >= 0x30 && op <= 0x4f) { /* lit */
		push(e, op - 0x30u);
	} else if (op >= 0x70 && op <= 0x8f) { /* breg */
		push_register(e, op - 0x70u, sleb(b));
	} else if (op == 0x06) { /* deref */
		if (!memory_load(e->stack, pop(e), &v))
			b->is_bad = true;
		push(e, v);
	} else if (op >= 0x08 && op <= 0x0f) { /* constNu, constNs */
		const unsigned size = 1u << ((op - 0x08) / 2);

		v = fixed(b, size);
		if ((op & 1) && size < 8)
			v = (uint64_t)((int64_t)(v << (64 - 8 * size)) >>
			               (64 - 8 * size));
		push(e, v);
	} else if (op == 0x10) { /* constu */
		push(e, uleb(b));
	} else if (op == 0x11) { /* consts */
		push(e, (uint64_t)sleb(b));
	} else if (op == 0x12 || op == 0x14) { /* dup, over */
		push(e, pick(e, op == 0x14));
	} else if (op == 0x13) { /* drop */
		pop(e);
	} else if (op == 0x16) { /* swap */
		v = pop(e);
		w = pop(e);
		push(e, v);
		push(e, w);
	} else if (op == 0x1f) { /* neg */
		push(e, 0 - pop(e));
	} else if (op == 0x20) { /* not */
		push(e, ~pop(e));
	} else if (op == 0x23) { /* plus_uconst */
		v = pop(e);
		push(e, v + uleb(b));
	} else {
		v = pop(e);
		w = pop(e);
		push(e, binary(e, op, w, v));
	}
}

static bool evaluate(uint64_t *out, struct cfi_expr expr,
                     const struct cfi_regs *regs, struct memory_range *stack,
                     const uint64_t *first)
{
	struct evaluation e;

	e.n = 0;
	e.b = (struct bytes){ expr.ptr, expr.end, false };
	e.regs = regs;
	e.stack = stack;
	if (first)
		push(&e, *first);
	while (e.b.ptr < e.b.end && !e.b.is_bad)
		operation(&e, (uint8_t)fixed(&e.b, 1));
	*out = pop(&e);
	return !e.b.is_bad;
}

/* ---- A step ---- */

static bool find_cfa(uint64_t *cfa, const struct cfi *c,
                     const struct cfi_regs *regs, struct memory_range *stack)
{
	const struct cfi_row *row = &c->row;

	if (row->cfa_is_expr)
		return evaluate(cfa, cfi_expr_at(c, row->cfa_value), regs,
		                stack, NULL);
	if (row->cfa_reg >= CFI_N_REGS || !(regs->known >> row->cfa_reg & 1))
		return false;
	*cfa = regs->values[row->cfa_reg] + (uint64_t)(int64_t)row->cfa_value;
	return true;
}

/* Register i of the caller; false: unknown. The frame is [frame, cfa). */
static bool find_register(uint64_t *out, const struct cfi *c, unsigned i,
                          const struct cfi_regs *regs, uint64_t frame,
                          uint64_t cfa, struct memory_range *stack)
{
	const int32_t value = c->row.values[i];
	const uint64_t at = cfa + (uint64_t)(int64_t)value;
	unsigned from = i;
	uint64_t v;

	switch ((enum cfi_kind)c->row.kinds[i]) {
	case CFI_OFFSET:
		return memory_load(stack, at, out);
	case CFI_VAL_OFFSET:
		*out = at;
		return true;
	case CFI_EXPR:
		if (!evaluate(&v, cfi_expr_at(c, value), regs, stack, &cfa))
			return false;
		/* Not in the frame: restored already (machine_x86_64.h). */
		if (!c->is_signal_frame && (v >= cfa || v < frame))
			break;
		return memory_load(stack, v, out);
	case CFI_VAL_EXPR:
		return evaluate(out, cfi_expr_at(c, value), regs, stack, &cfa);
	case CFI_UNDEFINED:
		return false;
	case CFI_REGISTER:
		from = (unsigned)value;
		break;
	case CFI_SAME:
		break;
	}
	if (from >= CFI_N_REGS || !(regs->known >> from & 1))
		return false;
	*out = regs->values[from];
	return true;
}

bool cfi_step(struct cfi_regs *regs, uint64_t *cfa, const struct cfi *c,
              uint32_t stack_reg, struct memory_range *stack)
{
	struct cfi_regs caller = { .known = 0 };
	unsigned i;

	if (!find_cfa(cfa, c, regs, stack))
		return false;
	/* Unless it is told otherwise the CFA is the caller's stack pointer. */
	caller.values[stack_reg] = *cfa;
	caller.known = UINT32_C(1) << stack_reg;
	for (i = 0; i < CFI_N_REGS; i++) {
		if (i == stack_reg && c->row.kinds[i] == CFI_SAME)
			continue;
		if (find_register(&caller.values[i], c, i, regs,
		                  regs->values[stack_reg], *cfa, stack))
			caller.known |= UINT32_C(1) << i;
	}
	*regs = caller;
	return true;
}
