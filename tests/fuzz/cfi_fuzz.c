/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables that lie. The input is an object's memory from .eh_frame_hdr
 * on, in a block of its own size, so that a read outside of it is seen. Each
 * function of its table is asked for its rows, and each row is applied to
 * registers that point into a small stack.
 */
#include "sampler/machine.h"

#include <stdlib.h>
#include <string.h>

enum { STACK_WORDS = 64, FUNCTIONS_MAX = 64, ROWS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct cfi *c, uint64_t pc)
{
	static uint64_t words[STACK_WORDS];
	struct memory_range stack = {
		(uint64_t)(uintptr_t)words,
		(uint64_t)(uintptr_t)(words + STACK_WORDS), 0
	};
	struct cfi_regs regs = { .known = (UINT64_C(1) << CFI_N_REGS) - 1 };
	struct machine_frame f;
	const uint32_t rule = machine_pack(c);
	size_t i;

	for (i = 0; i < STACK_WORDS; i++)
		words[i] = stack.lo + i * 8;
	for (i = 0; i < CFI_N_REGS; i++)
		regs.values[i] = stack.lo + 64 + i * 8;
	regs.values[MACHINE_PC] = pc;
	f = machine_frame_of(&regs, true);
	if (rule != MACHINE_SLOW && rule != MACHINE_END &&
	    machine_kind_of(rule) != MACHINE_SIGNAL)
		machine_step(&f, rule, &stack);
	cfi_step(&regs, c, &stack);
}

static void try_function(const struct cfi_tables *tables, uint64_t pc)
{
	struct cfi c;
	int i;

	for (i = 0; i < ROWS_MAX && cfi_find(&c, pc, tables); i++) {
		apply(&c, pc);
		if (c.row_limit <= pc)
			abort(); /* a row holds for one address at least */
		pc = c.row_limit;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *image = malloc(size);
	const struct cfi_tables tables = { image, image, image + size };
	size_t at, i;
	int32_t pc;

	if (!image)
		return 0;
	memcpy(image, data, size);
	for (i = 0; i < FUNCTIONS_MAX; i++) {
		at = 12 + 8 * i;
		if (at + 8 > size)
			break;
		memcpy(&pc, image + at, sizeof(pc));
		try_function(&tables,
		             (uint64_t)(uintptr_t)image + (uint64_t)(int64_t)pc);
	}
	free(image);
	return 0;
}
