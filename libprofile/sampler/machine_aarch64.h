/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MACHINE_AARCH64_H
#define SAMPLER_MACHINE_AARCH64_H

/*
 * AArch64. The return address is in x30 until a function saves it; where
 * pointers are authenticated, its upper bits are a signature, which is cut
 * off.
 *
 * A rule in 32 bits. Frames are multiples of 16 bytes; x29 and x30 are nearly
 * always saved as a pair.
 *
 *	bits 0-2  kind    bits 3-4  what is saved
 *	bits 5-17  CFA offset / 16, signed    bits 18-31  saved at / 8, signed
 *
 * Sources: DWARF for the Arm 64-bit Architecture; AAPCS64; Linux'
 * arch/arm64/kernel/signal.c.
 */

#include "sampler/cfi.h"
#include "sampler/memory_range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum {
	MACHINE_ADDRESS_BITS = 48,
	MACHINE_PC_SHIFT = 2, /* an instruction's address is a multiple of 4 */
	MACHINE_RULE_BITS = 32
};

enum machine_kind {
	MACHINE_SLOW = 1, /* does not fit */
	MACHINE_END,      /* the outermost frame */
	MACHINE_CFA_SP,
	MACHINE_CFA_BP,
	MACHINE_SIGNAL    /* sp is the siginfo the kernel left */
};

enum machine_saved {
	SAVED_NONE, /* a leaf */
	SAVED_PAIR, /* x29, and x30 8 bytes above */
	SAVED_LR,
	SAVED_BP
};

struct machine_frame {
	uint64_t pc, sp, bp, lr;
	bool is_exact;
	bool bp_is_known, lr_is_known;
};

static inline uint64_t machine_strip(uint64_t pc)
{
	return pc & ((UINT64_C(1) << MACHINE_ADDRESS_BITS) - 1);
}

static inline void machine_regs_of_signal(struct cfi_regs *out,
                                          const void *ucontext)
{
	const ucontext_t *uc = ucontext;
	unsigned i;

	for (i = 0; i <= MACHINE_LR; i++)
		out->values[i] = uc->uc_mcontext.regs[i];
	out->values[MACHINE_SP] = uc->uc_mcontext.sp;
	out->values[MACHINE_PC] = uc->uc_mcontext.pc;
	out->known = (UINT64_C(1) << CFI_N_REGS) - 1;
}

/* A frame record lies anywhere in its frame, so that only the compiler knows
   where the caller's stack pointer was. */
#define MACHINE_REGS_OF_CALLER(out)                                           \
	machine_regs_of_frame((out), __builtin_return_address(0),             \
	                      __builtin_frame_address(0),                     \
	                      __builtin_dwarf_cfa())

static inline void machine_regs_of_frame(struct cfi_regs *out,
                                         const void *return_address,
                                         const void *frame, const void *cfa)
{
	out->values[MACHINE_PC] =
		machine_strip((uint64_t)(uintptr_t)return_address);
	out->values[MACHINE_SP] = (uint64_t)(uintptr_t)cfa;
	memcpy(&out->values[MACHINE_BP], frame, 8);
	out->known = UINT64_C(1) << MACHINE_PC | UINT64_C(1) << MACHINE_SP |
	             UINT64_C(1) << MACHINE_BP;
}

static inline struct machine_frame
machine_frame_of(const struct cfi_regs *regs, bool is_exact)
{
	return (struct machine_frame){
		regs->values[MACHINE_PC],          regs->values[MACHINE_SP],
		regs->values[MACHINE_BP],          regs->values[MACHINE_LR],
		is_exact,                          regs->known >> MACHINE_BP & 1,
		regs->known >> MACHINE_LR & 1,
	};
}

/* A call has made x30 the address it returns to, whatever it was. */
static inline void machine_after_step(struct cfi_regs *caller)
{
	caller->values[MACHINE_PC] = machine_strip(caller->values[MACHINE_PC]);
	caller->known &= ~(UINT64_C(1) << MACHINE_LR);
}

/* Whether the instruction before pc, or at it, is svc #0. */
static inline bool machine_is_syscall(uint64_t pc)
{
	const uint32_t *p = (const uint32_t *)(uintptr_t)pc;
	enum { SVC = 0xd4000001u & INT32_MAX };

	return ((pc & 4095) >= 4 && (p[-1] & INT32_MAX) == SVC) ||
	       (p[0] & INT32_MAX) == SVC;
}

/*
 * The kernel's way back from a handler, mov x8, #139; svc #0, which has no
 * unwind rules for good (they could not tell all registers). pc is either
 * one, or before the first where that is a return address.
 */
static inline bool machine_is_sigreturn(uint64_t pc)
{
	static const uint32_t code[] = { 0xd2801168, 0xd4000001 };
	const uint64_t first = (pc + 1) & ~UINT64_C(3);
	uint32_t found[2];

	return (memory_copy(found, first, 8) && !memcmp(found, code, 8)) ||
	       (memory_copy(found, first - 4, 8) && !memcmp(found, code, 8));
}

static inline bool machine_fits(int64_t value, int64_t unit, unsigned bits)
{
	const int64_t half = INT64_C(1) << (bits - 1);

	return value % unit == 0 && value / unit >= -half &&
	       value / unit < half;
}

static inline enum machine_kind machine_kind_of(uint32_t rule)
{
	return (enum machine_kind)(rule & 7);
}

static inline enum machine_saved machine_saved_of(uint32_t rule)
{
	return (enum machine_saved)(rule >> 3 & 3);
}

static inline uint64_t machine_cfa_offset(uint32_t rule)
{
	return (uint64_t)((int64_t)((int32_t)(rule << 14) >> 19) * 16);
}

static inline uint64_t machine_saved_offset(uint32_t rule)
{
	return (uint64_t)((int64_t)((int32_t)rule >> 18) * 8);
}

/* What is saved, and where; false: in another way. */
static inline bool machine_pack_saved(const struct cfi_row *row,
                                      enum machine_saved *saved,
                                      int64_t *offset)
{
	const bool has_bp = row->kinds[MACHINE_BP] == CFI_OFFSET;
	const bool has_lr = row->kinds[MACHINE_LR] == CFI_OFFSET;

	*saved = has_bp && has_lr ? SAVED_PAIR
	         : has_lr         ? SAVED_LR
	         : has_bp         ? SAVED_BP
	                          : SAVED_NONE;
	*offset = has_bp ? row->values[MACHINE_BP]
	          : has_lr ? row->values[MACHINE_LR] : 0;
	return (has_bp || row->kinds[MACHINE_BP] <= CFI_UNDEFINED) &&
	       (has_lr || row->kinds[MACHINE_LR] == CFI_SAME) &&
	       (*saved != SAVED_PAIR ||
	        row->values[MACHINE_LR] == *offset + 8) &&
	       machine_fits(*offset, 8, 14);
}

static inline uint32_t machine_pack(const struct cfi *c)
{
	const struct cfi_row *row = &c->row;
	enum machine_saved saved;
	int64_t at;

	if (c->is_signal_frame)
		return MACHINE_SIGNAL;
	if (c->return_reg == MACHINE_LR &&
	    row->kinds[MACHINE_LR] == CFI_UNDEFINED)
		return MACHINE_END;
	if (c->return_reg != MACHINE_LR || row->cfa_is_expr ||
	    (row->cfa_reg != MACHINE_SP && row->cfa_reg != MACHINE_BP) ||
	    row->kinds[MACHINE_SP] != CFI_SAME ||
	    !machine_pack_saved(row, &saved, &at) ||
	    !machine_fits(row->cfa_value, 16, 13))
		return MACHINE_SLOW;
	return (uint32_t)(row->cfa_reg == MACHINE_SP ? MACHINE_CFA_SP
	                                             : MACHINE_CFA_BP) |
	       (uint32_t)saved << 3 |
	       ((uint32_t)(row->cfa_value / 16) & 0x1fff) << 5 |
	       (uint32_t)(at / 8) << 18;
}

/* Where the kernel's frame has the ucontext: behind the siginfo. */
enum { MACHINE_UCONTEXT = 128 };

static inline bool machine_leave_signal(struct machine_frame *f,
                                        struct memory_range *stack)
{
	enum { REGS = MACHINE_UCONTEXT + offsetof(ucontext_t, uc_mcontext.regs) };
	uint64_t pc, sp, bp, lr;

	if (!memory_load(stack, f->sp + REGS + 8 * MACHINE_BP, &bp) ||
	    !memory_load(stack, f->sp + REGS + 8 * MACHINE_LR, &lr) ||
	    !memory_load(stack, f->sp + REGS + 8 * 31, &sp) ||
	    !memory_load(stack, f->sp + REGS + 8 * 32, &pc))
		return false;
	*f = (struct machine_frame){ pc, sp, bp, lr, true, true, true };
	if (!stack->copied_to)
		*stack = memory_of_stack(sp);
	return true;
}

/* The same with all registers. */
static inline bool machine_regs_of_signal_frame(struct cfi_regs *regs,
                                                struct memory_range *stack)
{
	const uint64_t at = regs->values[MACHINE_SP] + MACHINE_UCONTEXT;

	if (at < stack->lo || at > stack->hi ||
	    stack->hi - at < sizeof(ucontext_t))
		return false;
	machine_regs_of_signal(regs, (const void *)(uintptr_t)(
					     at + stack->copied_to));
	if (!stack->copied_to)
		*stack = memory_of_stack(regs->values[MACHINE_SP]);
	return true;
}

static inline bool machine_step(struct machine_frame *f, uint32_t rule,
                                struct memory_range *stack)
{
	const bool by_sp = machine_kind_of(rule) == MACHINE_CFA_SP;
	const uint64_t cfa =
		(by_sp ? f->sp : f->bp) + machine_cfa_offset(rule);
	const uint64_t at = cfa + machine_saved_offset(rule);
	const enum machine_saved saved = machine_saved_of(rule);

	/* What was interrupted may have no frame. */
	if (!(by_sp || f->bp_is_known) || cfa < f->sp ||
	    (cfa == f->sp && !f->is_exact))
		return false;
	if (saved == SAVED_PAIR || saved == SAVED_LR) {
		if (!memory_load(stack, at + (saved == SAVED_PAIR ? 8 : 0),
		                 &f->pc))
			return false;
	} else if (f->lr_is_known) {
		f->pc = f->lr;
	} else {
		return false;
	}
	if (saved == SAVED_PAIR || saved == SAVED_BP)
		f->bp_is_known = memory_load(stack, at, &f->bp);
	f->pc = machine_strip(f->pc);
	f->sp = cfa;
	f->is_exact = false;
	f->lr_is_known = false;
	return true;
}

/* Code without a rule: believe a frame record that looks like one. */
static inline bool machine_step_by_bp(struct machine_frame *f,
                                      const struct memory_range *stack)
{
	uint64_t bp, pc;

	if (!f->bp_is_known || f->bp < f->sp ||
	    !memory_load(stack, f->bp, &bp) ||
	    !memory_load(stack, f->bp + 8, &pc) || bp <= f->bp)
		return false;
	*f = (struct machine_frame){ machine_strip(pc), f->bp + 16, bp, 0,
		                     false, true, false };
	return true;
}

/* Adds to a counter and tells whether it went past its end. */
static inline bool machine_add_carries(uint64_t *counter, uint64_t n)
{
	return __builtin_add_overflow(*counter, n, counter);
}

#endif
