/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_CFI_H
#define SAMPLER_CFI_H

/*
 * DWARF call frame information as .eh_frame has it: what the caller's
 * registers are at an instruction. All [signal-safe]; the tables are those
 * of a loaded object, whose memory is all that is read, in bounded time,
 * whatever they say.
 */

#include "sampler/memory_range.h"
#include "sampler/registers.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	CFI_MAX_SAVED = 8,      /* remember_state, nested */
	CFI_MAX_ENTRY = 1 << 20 /* bytes of an FDE or CIE */
};

/* The tables of a loaded object, and what of its memory may be read. */
struct cfi_tables {
	const uint8_t *eh_frame_hdr;
	const uint8_t *start, *end;
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

/* The row for the instruction at pc, of the object with those tables.
   False: there is none, or it is beyond us. */
bool cfi_find(struct cfi *out, uint64_t pc, const struct cfi_tables *tables);

struct cfi_expr cfi_expr_at(const struct cfi *c, int32_t value);

/* Registers; bit i of `known` tells whether values[i] is. */
struct cfi_regs {
	uint64_t values[CFI_N_REGS];
	uint64_t known;
};

/* Applies a row: regs become those of the caller. False where its frame is
   unknown or not in the stack. */
bool cfi_step(struct cfi_regs *regs, const struct cfi *c,
              struct memory_range *stack);

#endif
