/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule for an instruction is one 64-bit word in a table that all threads
 * share: half tells whose rule it is, half is the rule (machine.h). A word
 * is loaded and stored whole, so there is no lock, no torn entry and no
 * false hit: the address, of 47 bits, say, is multiplied by an odd number
 * modulo 2^47, which is reversible; 14 bits of the product are the index and
 * the other 33 are kept.
 *
 * Measured by the prototype: 7 to 8 ns a frame when hot, 260 when nothing is
 * in any cache; libunwind's unw_step takes 1300. Tables made in advance were
 * slower and took megabytes.
 *
 * Rules that do not fit send the whole stack to unwind_slowly(), which knows
 * all registers: 3 % of stacks, nearly all in lazy binding (CFA = rbx).
 */
#include "sampler/unwind.h"

#include "sampler/modules.h"

#include <stdatomic.h>

#define MIX UINT64_C(0x5851F42D4C957F2D)
#define ADDRESSES (UINT64_C(1) << MACHINE_ADDRESS_BITS)
#define LOW_BITS(n) ((UINT64_C(1) << (n)) - 1)

enum {
	INDEX_BITS = 14,
	KEY_BITS = MACHINE_ADDRESS_BITS - MACHINE_PC_SHIFT,
	TAG_BITS = KEY_BITS - INDEX_BITS
};
_Static_assert((int)TAG_BITS + (int)MACHINE_RULE_BITS <= 64,
               "a tag and a rule are one word");

static _Atomic uint64_t cache[1 << INDEX_BITS];

void unwind_flush(void)
{
	size_t i;

	for (i = 0; i < sizeof(cache) / sizeof(cache[0]); i++)
		atomic_store_explicit(&cache[i], 0, memory_order_relaxed);
}

static bool find_row(struct cfi *c, uint64_t pc)
{
	struct cfi_tables tables;

	return modules_find(&tables, pc) && cfi_find(c, pc, &tables);
}

/* The rule from the tables; 0: the address is in none. */
static uint32_t find_rule(uint64_t pc)
{
	struct cfi c;

	if (find_row(&c, pc))
		return machine_pack(&c);
	return machine_is_sigreturn(pc) ? (uint32_t)MACHINE_SIGNAL : 0;
}

static uint32_t rule_of(uint64_t pc)
{
	const uint64_t mixed =
		(pc >> MACHINE_PC_SHIFT) * MIX & LOW_BITS(KEY_BITS);
	const uint64_t tag = mixed & LOW_BITS(TAG_BITS);
	_Atomic uint64_t *slot = &cache[mixed >> TAG_BITS];
	const uint64_t word =
		atomic_load_explicit(slot, memory_order_relaxed);
	uint32_t rule;

	if (word >> MACHINE_RULE_BITS == tag && word != 0)
		return (uint32_t)(word & LOW_BITS(MACHINE_RULE_BITS));
	rule = find_rule(pc);
	if (rule != 0)
		atomic_store_explicit(slot, tag << MACHINE_RULE_BITS | rule,
		                      memory_order_relaxed);
	return rule;
}

/* A frame that the tables do not know: made by a JIT or written by hand. */
static bool step_without_rule(struct machine_frame *f,
                              const struct memory_range *stack)
{
	const uint64_t pc = f->pc;

	/* The caller is known code, or near enough to be more of the same. */
	return machine_step_by_bp(f, stack) &&
	       (modules_contain(f->pc) || f->pc - pc + (UINT64_C(1) << 31) <
	                                          UINT64_C(1) << 32);
}

size_t unwind(uint64_t *pcs, size_t max, const struct cfi_regs *regs,
              enum unwind_start start, enum unwind_end *end)
{
	return unwind_in(pcs, max, regs, start,
	                 memory_of_stack(regs->values[MACHINE_SP]), end);
}

size_t unwind_in(uint64_t *pcs, size_t max, const struct cfi_regs *regs,
                 enum unwind_start start, struct memory_range stack,
                 enum unwind_end *end)
{
	const struct memory_range whole = stack;
	struct machine_frame f =
		machine_frame_of(regs, start == UNWIND_AT_INSTRUCTION);
	size_t n = 0;
	uint32_t rule;

	*end = UNWIND_TRUNCATED;
	while (f.pc != 0 && f.pc < ADDRESSES) {
		if (n == max) {
			*end = UNWIND_FULL;
			return n;
		}
		pcs[n++] = f.pc + f.is_exact;
		rule = rule_of(f.pc - !f.is_exact);
		if (rule == 0) {
			if (!step_without_rule(&f, &stack))
				return n;
			continue;
		}
		switch (machine_kind_of(rule)) {
		case MACHINE_END:
			*end = UNWIND_COMPLETE;
			return n;
		case MACHINE_SLOW:
			return unwind_slowly(pcs, max, regs, start, whole,
			                     end);
		case MACHINE_SIGNAL:
			if (!machine_leave_signal(&f, &stack))
				return n;
			break;
		default:
			if (!machine_step(&f, rule, &stack))
				return n;
		}
	}
	if (f.pc == 0)
		*end = UNWIND_COMPLETE;
	return n;
}

static bool step_slowly_without_rule(struct cfi_regs *regs,
                                     const struct memory_range *stack)
{
	struct machine_frame f = machine_frame_of(regs, false);

	if (!step_without_rule(&f, stack))
		return false;
	regs->values[MACHINE_PC] = f.pc;
	regs->values[MACHINE_SP] = f.sp;
	regs->values[MACHINE_BP] = f.bp;
	regs->known = UINT64_C(1) << MACHINE_PC | UINT64_C(1) << MACHINE_SP |
	              UINT64_C(1) << MACHINE_BP;
	return true;
}

/*
 * Whether the caller's frame lies above, in the stack. At the same place is
 * enough for what was interrupted: it may have its return address in a
 * register, and there is only one of it.
 */
static bool is_above(const struct cfi_regs *caller, uint64_t sp,
                     const struct memory_range *stack, bool is_leaf)
{
	const uint64_t at = caller->values[MACHINE_SP];

	return (caller->known >> MACHINE_SP & 1) && at <= stack->hi &&
	       (at > sp || (is_leaf && at == sp));
}

size_t unwind_slowly(uint64_t *pcs, size_t max,
                     const struct cfi_regs *start_regs,
                     enum unwind_start start, struct memory_range stack,
                     enum unwind_end *end)
{
	struct cfi_regs regs = *start_regs;
	bool is_exact = start == UNWIND_AT_INSTRUCTION, is_signal;
	size_t n = 0;
	struct cfi c;

	*end = UNWIND_TRUNCATED;
	while ((regs.known >> MACHINE_PC & 1) && regs.values[MACHINE_PC] != 0) {
		const uint64_t pc = regs.values[MACHINE_PC];
		const uint64_t sp = regs.values[MACHINE_SP];

		if (n == max) {
			*end = UNWIND_FULL;
			return n;
		}
		pcs[n++] = pc + is_exact;
		if (!find_row(&c, pc - !is_exact)) {
			is_signal = machine_is_sigreturn(pc - !is_exact);
			if (is_signal
			            ? !machine_regs_of_signal_frame(&regs, &stack)
			            : !step_slowly_without_rule(&regs, &stack))
				return n;
			is_exact = is_signal;
			continue;
		}
		if (c.row.kinds[c.return_reg % CFI_N_REGS] == CFI_UNDEFINED) {
			*end = UNWIND_COMPLETE;
			return n;
		}
		if (!cfi_step(&regs, &c, &stack))
			return n;
		if (!c.is_signal_frame) {
			machine_after_step(&regs);
			if (!is_above(&regs, sp, &stack, is_exact))
				return n;
		} else if (!stack.copied_to) {
			stack = memory_of_stack(regs.values[MACHINE_SP]);
		}
		is_exact = c.is_signal_frame;
	}
	if ((regs.known >> MACHINE_PC & 1) && regs.values[MACHINE_PC] == 0)
		*end = UNWIND_COMPLETE;
	return n;
}
