/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MACHINE_X86_64_H
#define SAMPLER_MACHINE_X86_64_H

/*
 * x86-64. A rule in 30 bits: of 2,946,836 rows in 300 of Debian's shared libraries
 * 99.87 % say no more than where the CFA is (rsp or rbp plus an offset, or a
 * word near rbp) and where rbp was saved; a word near rsp is OpenSSL's way.
 * The return address is at CFA-8.
 *
 *	bits 0-3  kind    bits 4-17  CFA offset / 8, signed
 *	bits 18-19  rbp kind    bits 20-29  rbp offset / 8, signed
 */

#include "sampler/cfi.h"
#include "sampler/memory_range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum {
	MACHINE_ADDRESS_BITS = 47,
	MACHINE_PC_SHIFT = 0,
	MACHINE_RULE_BITS = 31
};

/* Kinds of rules. Others than 0 so that no rule is the word 0. */
enum machine_kind {
	MACHINE_SLOW = 1, /* does not fit */
	MACHINE_END,      /* the outermost frame */
	MACHINE_CFA_SP,
	MACHINE_CFA_BP,
	MACHINE_CFA_AT_BP, /* the word at rbp + offset */
	MACHINE_CFA_AT_SP, /* the word at rsp + offset, and 8 more */
	MACHINE_PLT,       /* rsp + 8, and 8 more late in a PLT entry */
	MACHINE_SIGNAL     /* rsp is the ucontext the kernel left */
};

enum machine_bp { BP_SAME, BP_AT_CFA, BP_AT_BP };

/* What the fast path knows of a frame. */
struct machine_frame {
	uint64_t pc, sp, bp;
	bool is_exact;    /* pc is an instruction, not a return address */
	bool bp_is_known;
};

/* Where a signal interrupted the thread. */
static inline void machine_regs_of_signal(struct cfi_regs *out,
                                          const void *ucontext)
{
	static const uint8_t order[CFI_N_REGS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
		REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
		REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
	};
	const ucontext_t *uc = ucontext;
	unsigned i;

	for (i = 0; i < CFI_N_REGS; i++)
		out->values[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
	out->known = (UINT64_C(1) << CFI_N_REGS) - 1;
}

/*
 * The registers of the caller of the function this is in: a macro, since it
 * reads that function's frame, which it also forces to have one.
 */
#define MACHINE_REGS_OF_CALLER(out)                                           \
	machine_regs_of_frame((out), __builtin_return_address(0),             \
	                      __builtin_frame_address(0))

static inline void machine_regs_of_frame(struct cfi_regs *out,
                                         const void *return_address,
                                         const void *frame)
{
	out->values[MACHINE_PC] = (uint64_t)(uintptr_t)return_address;
	out->values[MACHINE_SP] = (uint64_t)(uintptr_t)frame + 16;
	memcpy(&out->values[MACHINE_BP], frame, 8);
	out->known = UINT64_C(1) << MACHINE_PC | UINT64_C(1) << MACHINE_SP |
	             UINT64_C(1) << MACHINE_BP;
}

static inline struct machine_frame
machine_frame_of(const struct cfi_regs *regs, bool is_exact)
{
	return (struct machine_frame){ regs->values[MACHINE_PC],
		                       regs->values[MACHINE_SP],
		                       regs->values[MACHINE_BP], is_exact,
		                       regs->known >> MACHINE_BP & 1 };
}

static inline void machine_after_step(struct cfi_regs *caller)
{
	(void)caller;
}

/* libc's way back from a handler has rules (machine_is_signal). */
static inline bool machine_is_sigreturn(uint64_t pc)
{
	(void)pc;
	return false;
}

static inline bool machine_regs_of_signal_frame(struct cfi_regs *regs,
                                                struct memory_range *stack)
{
	(void)regs;
	(void)stack;
	return false;
}

/*
 * vfork(), at file scope. The child returns first and writes over the return
 * address, which is kept in a register for the parent; there the function
 * `made` gets what the kernel returned, and returns for vfork().
 */
#define MACHINE_VFORK(made)                                                   \
	__asm__(".pushsection .text\n"                                        \
	        ".globl vfork\n"                                              \
	        ".type vfork, @function\n"                                    \
	        "vfork:\n"                                                    \
	        "	.cfi_startproc\n"                                     \
	        "	endbr64\n"                                            \
	        "	pop %rdi\n"                                           \
	        "	.cfi_adjust_cfa_offset -8\n"                          \
	        "	.cfi_register %rip, %rdi\n"                           \
	        "	mov $58, %eax\n" /* SYS_vfork */                      \
	        "	syscall\n"                                            \
	        "	push %rdi\n"                                          \
	        "	.cfi_adjust_cfa_offset 8\n"                           \
	        "	.cfi_rel_offset %rip, 0\n"                            \
	        "	test %rax, %rax\n"                                    \
	        "	je 1f\n"                                              \
	        "	mov %rax, %rdi\n"                                     \
	        "	jmp " made "\n"                                       \
	        "1:	ret\n"                                                \
	        "	.cfi_endproc\n"                                       \
	        ".size vfork, . - vfork\n"                                    \
	        ".popsection\n")

/* Whether the instruction before pc, or at it, is a system call. */
static inline bool machine_is_syscall(uint64_t pc)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)pc;

	return ((pc & 4095) >= 2 && p[-2] == 0x0f && p[-1] == 0x05) ||
	       ((pc & 4095) != 4095 && p[0] == 0x0f && p[1] == 0x05);
}

static inline bool machine_fits(int64_t value, unsigned bits)
{
	const int64_t half = INT64_C(1) << (bits - 1);

	return value % 8 == 0 && value / 8 >= -half && value / 8 < half;
}

static inline uint32_t machine_word(enum machine_kind kind, int64_t cfa,
                                    enum machine_bp bp, int64_t bp_offset)
{
	return (uint32_t)kind | ((uint32_t)(cfa / 8) & 0x3fff) << 4 |
	       (uint32_t)bp << 18 | ((uint32_t)(bp_offset / 8) & 0x3ff) << 20;
}

static inline enum machine_kind machine_kind_of(uint32_t rule)
{
	return (enum machine_kind)(rule & 15);
}

static inline int64_t machine_cfa_offset(uint32_t rule)
{
	return (int64_t)((int32_t)(rule << 14) >> 18) * 8;
}

static inline int64_t machine_bp_offset(uint32_t rule)
{
	return (int64_t)((int32_t)(rule << 2) >> 22) * 8;
}

static inline enum machine_bp machine_bp_kind(uint32_t rule)
{
	return (enum machine_bp)(rule >> 18 & 3);
}

/* {breg o} of a register and what follows, `tail`: the offset; or false. */
static inline bool machine_is_at(struct cfi_expr e, uint8_t reg,
                                 const char *tail, int64_t *offset)
{
	const size_t size = strlen(tail);
	uint64_t v;

	if (e.end - e.ptr < 2 || *e.ptr++ != 0x70 + reg)
		return false;
	v = *e.ptr & 0x7f;
	if (*e.ptr++ & 0x80) {
		if (e.ptr == e.end)
			return false;
		v |= (uint64_t)(*e.ptr & 0x7f) << 7;
		if (*e.ptr++ & 0x80)
			return false;
		*offset = (int64_t)(v << 50) >> 50;
	} else {
		*offset = (int64_t)(v << 57) >> 57;
	}
	return (size_t)(e.end - e.ptr) == size &&
	       memcmp(e.ptr, tail, size) == 0;
}

/* What binutils writes for .plt: rsp + 8 + ((rip & 15) >= n ? 8 : 0). */
static inline bool machine_is_plt(struct cfi_expr e, int64_t *n)
{
	static const uint8_t head[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a };
	static const uint8_t tail[] = { 0x2a, 0x33, 0x24, 0x22 };

	if (e.end - e.ptr != 11 || memcmp(e.ptr, head, 6) != 0 ||
	    memcmp(e.ptr + 7, tail, 4) != 0)
		return false;
	*n = e.ptr[6] - 0x30;
	return *n >= 0 && *n < 16;
}

/* The kernel's frame: every register is in the ucontext at rsp. */
static inline bool machine_is_signal(const struct cfi *c)
{
	static const uint8_t sp_slot[] = { 0x77, 0xa0, 0x01, 0x06 };
	struct cfi_expr e;

	if (!c->is_signal_frame || !c->row.cfa_is_expr)
		return false;
	e = cfi_expr_at(c, c->row.cfa_value);
	return e.end - e.ptr == 4 && memcmp(e.ptr, sp_slot, 4) == 0;
}

static inline bool machine_pack_bp(const struct cfi *c, enum machine_bp *kind,
                                   int64_t *offset)
{
	*offset = c->row.values[MACHINE_BP];
	switch ((enum cfi_kind)c->row.kinds[MACHINE_BP]) {
	case CFI_SAME:
	case CFI_UNDEFINED:
		*kind = BP_SAME;
		*offset = 0;
		return true;
	case CFI_OFFSET:
		*kind = BP_AT_CFA;
		return machine_fits(*offset, 10);
	case CFI_EXPR:
		*kind = BP_AT_BP;
		return machine_is_at(cfi_expr_at(c, (int32_t)*offset),
		                     MACHINE_BP, "", offset) &&
		       machine_fits(*offset, 10);
	default:
		return false;
	}
}

/* The word for a row. */
static inline uint32_t machine_pack(const struct cfi *c)
{
	const struct cfi_row *row = &c->row;
	const enum cfi_kind pc = (enum cfi_kind)row->kinds[MACHINE_PC];
	enum machine_kind kind;
	enum machine_bp bp;
	int64_t cfa = row->cfa_value, bp_offset;
	struct cfi_expr e;

	if (machine_is_signal(c))
		return MACHINE_SIGNAL;
	if (pc == CFI_UNDEFINED)
		return MACHINE_END;
	if (c->return_reg != MACHINE_PC || c->is_signal_frame ||
	    pc != CFI_OFFSET || row->values[MACHINE_PC] != -8 ||
	    row->kinds[MACHINE_SP] != CFI_SAME ||
	    !machine_pack_bp(c, &bp, &bp_offset))
		return MACHINE_SLOW;
	if (!row->cfa_is_expr) {
		if (row->cfa_reg != MACHINE_SP && row->cfa_reg != MACHINE_BP)
			return MACHINE_SLOW;
		kind = row->cfa_reg == MACHINE_SP ? MACHINE_CFA_SP
		                                  : MACHINE_CFA_BP;
	} else {
		e = cfi_expr_at(c, row->cfa_value);
		if (machine_is_at(e, MACHINE_BP, "\x06", &cfa))
			kind = MACHINE_CFA_AT_BP;
		else if (machine_is_at(e, MACHINE_SP, "\x06\x23\x08", &cfa))
			kind = MACHINE_CFA_AT_SP;
		else if (machine_is_plt(e, &cfa))
			return machine_word(MACHINE_PLT, cfa * 8, bp,
			                    bp_offset);
		else
			return MACHINE_SLOW;
	}
	return machine_fits(cfa, 14) ? machine_word(kind, cfa, bp, bp_offset)
	                             : (uint32_t)MACHINE_SLOW;
}

/* Back to what a signal interrupted; its stack may be another one. */
static inline bool machine_leave_signal(struct machine_frame *f,
                                        struct memory_range *stack)
{
	enum { GREGS = offsetof(ucontext_t, uc_mcontext.gregs) };
	uint64_t pc, sp, bp;

	if (!memory_load(stack, f->sp + GREGS + 8 * REG_RIP, &pc) ||
	    !memory_load(stack, f->sp + GREGS + 8 * REG_RSP, &sp) ||
	    !memory_load(stack, f->sp + GREGS + 8 * REG_RBP, &bp))
		return false;
	*f = (struct machine_frame){ pc, sp, bp, true, true };
	if (!stack->copied_to)
		*stack = memory_of_stack(sp);
	return true;
}

static inline bool machine_find_cfa(uint64_t *cfa, uint32_t rule,
                                    const struct machine_frame *f,
                                    const struct memory_range *stack)
{
	const uint64_t offset = (uint64_t)machine_cfa_offset(rule);

	switch (machine_kind_of(rule)) {
	case MACHINE_CFA_SP:
		*cfa = f->sp + offset;
		return true;
	case MACHINE_CFA_BP:
		*cfa = f->bp + offset;
		return f->bp_is_known;
	case MACHINE_CFA_AT_BP:
		return f->bp_is_known &&
		       memory_load(stack, f->bp + offset, cfa);
	case MACHINE_CFA_AT_SP:
		if (!memory_load(stack, f->sp + offset, cfa))
			return false;
		*cfa += 8;
		return true;
	case MACHINE_PLT:
		*cfa = f->sp + 8 + ((f->pc & 15) >= offset / 8 ? 8 : 0);
		return true;
	default:
		return false;
	}
}

/*
 * From a frame to its caller's. False where memory that is no stack would
 * have to be read, or the frame does not lie above the last one: a rule that
 * does not fit.
 *
 * A saved rbp that cannot be read makes rbp unknown and no more. One that
 * would lie outside of the frame has been restored already: gcc's epilogues
 * of realigned frames do not tell so for their last two instructions.
 */
static inline bool machine_step(struct machine_frame *f, uint32_t rule,
                                struct memory_range *stack)
{
	uint64_t cfa = 0, at;

	if (!machine_find_cfa(&cfa, rule, f, stack) || cfa <= f->sp ||
	    !memory_load(stack, cfa - 8, &f->pc))
		return false;
	if (machine_bp_kind(rule) == BP_AT_CFA) {
		at = cfa + (uint64_t)machine_bp_offset(rule);
		f->bp_is_known = memory_load(stack, at, &f->bp);
	} else if (machine_bp_kind(rule) == BP_AT_BP && f->bp_is_known) {
		at = f->bp + (uint64_t)machine_bp_offset(rule);
		if (at >= f->sp && at < cfa)
			f->bp_is_known = memory_load(stack, at, &f->bp);
	}
	f->sp = cfa;
	f->is_exact = false;
	return true;
}

/* Code without a rule: believe a frame pointer that looks like one. */
static inline bool machine_step_by_bp(struct machine_frame *f,
                                      const struct memory_range *stack)
{
	uint64_t bp, pc;

	if (!f->bp_is_known || f->bp < f->sp ||
	    !memory_load(stack, f->bp, &bp) ||
	    !memory_load(stack, f->bp + 8, &pc) || bp <= f->bp)
		return false;
	*f = (struct machine_frame){ pc, f->bp + 16, bp, false, true };
	return true;
}

/*
 * Adds to a counter and tells whether it went past its end. One instruction
 * with the flag it leaves: the compiler would load, add and store (7 for 5
 * instructions in malloc).
 */
static inline bool machine_add_carries(uint64_t *counter, uint64_t n)
{
	bool carries;

	__asm__("addq %2, %1" : "=@ccc"(carries), "+m"(*counter) : "r"(n));
	return carries;
}

#endif
