/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_REGISTERS_H
#define SAMPLER_REGISTERS_H

/*
 * The registers of unwind tables, by DWARF number: as many as matter (vector
 * registers and the like do not), and those that the unwinder names.
 */

#if defined(__x86_64__)
/* rax rdx rcx rbx rsi rdi rbp rsp r8..r15, and the return address for rip. */
enum { CFI_N_REGS = 17, MACHINE_BP = 6, MACHINE_SP = 7, MACHINE_PC = 16 };
#elif defined(__aarch64__)
/* x0..x30, sp, and the program counter. */
enum {
	CFI_N_REGS = 33,
	MACHINE_BP = 29,
	MACHINE_LR = 30,
	MACHINE_SP = 31,
	MACHINE_PC = 32
};
#else
#error "the sampler knows x86-64 and AArch64 only"
#endif

#endif
