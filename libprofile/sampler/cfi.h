/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_CFI_H
#define SAMPLER_CFI_H

/*
 * DWARF call frame information as .eh_frame has it: what the caller's
 * registers are at an instruction. All [signal-safe]; the tables are those
 * of a loaded object and are trusted to be mapped, but no loop trusts a
 * length or a count in them.
 */

#include "sampler/memory_range.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CFI_N_REGS = 17,    /* as many as any processor of machine.h has */
	CFI_MAX_SAVED = 8   /* remember_state, nested */
};

enum cfi_kind {
	CFI_SAME,
	CFI_UNDEFINED,
	CFI_OFFSET,      /* saved at CFA + value */
	CFI_VAL_OFFSET,  /* is CFA + value */
	CFI_REGISTER,    /* is in register number value */
	CFI_EXPR,        /* saved where the expression says */
	CFI_VAL_EXPR     /* is what the expression says */
};

/* How to find the caller's registers. Expressions are positions in `base`,
   so that a row is small: a handler has several of them on its stack. */
struct cfi_row {
	uint8_t kinds[CFI_N_REGS];
	uint8_t cfa_reg;
	bool cfa_is_expr;
	int32_t cfa_value;
	int32_t values[CFI_N_REGS];
};

struct cfi {
	const uint8_t *base;
	struct cfi_row row;
	uint64_t row_limit; /* the first address that it is not for */
	uint8_t return_reg;
	bool is_signal_frame;
};

/* An expression: its bytes. */
struct cfi_expr {
	const uint8_t *ptr, *end;
};

/* The row for the instruction at pc, of the object with that
   .eh_frame_hdr. False: there is none, or it is beyond us. */
bool cfi_find(struct cfi *out, uint64_t pc, const uint8_t *eh_frame_hdr);

struct cfi_expr cfi_expr_at(const struct cfi *c, int32_t value);

/* Registers; bit i of `known` tells whether values[i] is. */
struct cfi_regs {
	uint64_t values[CFI_N_REGS];
	uint32_t known;
};

/*
 * Applies a row: regs become those of the caller, *cfa the canonical frame
 * address. False where something was unknown or not in the stack.
 */
bool cfi_step(struct cfi_regs *regs, uint64_t *cfa, const struct cfi *c,
              uint32_t stack_reg, struct memory_range *stack);

#endif
