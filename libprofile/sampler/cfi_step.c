/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row applied to all registers. Source: DWARF 5, sections 2.5 and 6.4.3.
 * Expressions have no jumps here, so that they end.
 */
#include "sampler/cfi.h"

#include "sampler/cfi_bytes.h"

struct cfi_expr cfi_expr_at(const struct cfi *c, int32_t value)
{
	struct cfi_bytes b = { c->base + value, c->base + value + 10, false };
	const uint64_t size = cfi_uleb(&b);

	return (struct cfi_expr){ b.ptr, b.ptr + size };
}

struct evaluation {
	uint64_t values[16];
	unsigned n;
	struct cfi_bytes b;
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
	struct cfi_bytes *b = &e->b;
	uint64_t v = 0, w;

	if (op >= 0x30 && op <= 0x4f) { /* lit */
		push(e, op - 0x30u);
	} else if (op >= 0x70 && op <= 0x8f) { /* breg */
		push_register(e, op - 0x70u, cfi_sleb(b));
	} else if (op == 0x06) { /* deref */
		if (!memory_load(e->stack, pop(e), &v))
			b->is_bad = true;
		push(e, v);
	} else if (op >= 0x08 && op <= 0x0f) { /* constNu, constNs */
		const unsigned size = 1u << ((op - 0x08) / 2);

		v = cfi_fixed(b, size);
		if ((op & 1) && size < 8)
			v = (uint64_t)((int64_t)(v << (64 - 8 * size)) >>
			               (64 - 8 * size));
		push(e, v);
	} else if (op == 0x10) { /* constu */
		push(e, cfi_uleb(b));
	} else if (op == 0x11) { /* consts */
		push(e, (uint64_t)cfi_sleb(b));
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
		push(e, v + cfi_uleb(b));
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
	e.b = (struct cfi_bytes){ expr.ptr, expr.end, false };
	e.regs = regs;
	e.stack = stack;
	if (first)
		push(&e, *first);
	while (e.b.ptr < e.b.end && !e.b.is_bad)
		operation(&e, (uint8_t)cfi_fixed(&e.b, 1));
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

bool cfi_step(struct cfi_regs *regs, const struct cfi *c,
              struct memory_range *stack)
{
	const uint64_t frame = regs->values[MACHINE_SP];
	const unsigned back = c->return_reg;
	struct cfi_regs caller = { .known = 0 };
	uint64_t cfa;
	unsigned i;

	if (!find_cfa(&cfa, c, regs, stack) || back >= CFI_N_REGS)
		return false;
	/* Unless it is told otherwise the CFA is the caller's stack pointer. */
	caller.values[MACHINE_SP] = cfa;
	caller.known = UINT64_C(1) << MACHINE_SP;
	for (i = 0; i < CFI_N_REGS; i++) {
		if ((i == MACHINE_SP && c->row.kinds[i] == CFI_SAME) ||
		    (i == MACHINE_PC && i != back))
			continue;
		if (find_register(&caller.values[i], c, i, regs, frame, cfa,
		                  stack))
			caller.known |= UINT64_C(1) << i;
	}
	caller.values[MACHINE_PC] = caller.values[back];
	caller.known |= (caller.known >> back & 1) << MACHINE_PC;
	*regs = caller;
	return true;
}
