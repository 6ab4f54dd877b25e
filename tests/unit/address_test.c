/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/address.h"

#include "testing.h"

#include <string.h>

#define CODE 5 /* PF_R + PF_X */
#define DATA 6
#define FAILS UINT64_MAX
#define KERNEL UINT64_C(0xffffffff81000000)

/*
 * A file of up to three segments {type, flags, offset, vaddr, file size,
 * memory size, align}, a mapping, and the base that comes of them.
 */
static const struct base_case {
	const char *about;
	uint16_t type;
	struct elf_segment segments[3];
	struct address_mapping mapping;
	uint64_t address, base;
} cases[] = {
	{ "fake: the addresses are the file's", ELF_ET_EXEC,
	  { { 1, CODE, 0, 0x400000, 0x1000, 0x1000, 0x1000 } },
	  { 0, 0, 0, false, false, 0 }, 0x400100, 0 },
	{ "fake: over all", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1000, 0x1000, 0x1000 } },
	  { 0, UINT64_MAX, 0, false, false, 0 }, 0x123, 0 },
	{ "fixed program", ELF_ET_EXEC,
	  { { 1, CODE, 0, 0x400000, 0x5000, 0x5000, 0x1000 } },
	  { 0x400000, 0x405000, 0, false, false, 0 }, 0x400100, 0 },
	{ "fixed program, moved", ELF_ET_EXEC,
	  { { 1, CODE, 0, 0x400000, 0x5000, 0x5000, 0x1000 } },
	  { 0x500000, 0x505000, 0, false, false, 0 }, 0x500100, 0x100000 },
	{ "fixed program without segments", ELF_ET_EXEC, { { 0 } },
	  { 0x400000, 0x405000, 0, false, false, 0 }, 0x400100, 0 },
	{ "shared, code first", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x5000, 0x5000, 0x1000 } },
	  { 0x7f0000000000, 0x7f0000005000, 0, false, false, 0 },
	  0x7f0000000100, 0x7f0000000000 },
	{ "shared, code behind constants", ELF_ET_DYN,
	  { { 1, 4, 0, 0, 0x1000, 0x1000, 0x1000 },
	    { 1, CODE, 0x1000, 0x1000, 0x4000, 0x4000, 0x1000 } },
	  { 0x7f0000001000, 0x7f0000005000, 0x1000, false, false, 0 },
	  0x7f0000001100, 0x7f0000000000 },
	{ "shared, address and offset differ, as lld does", ELF_ET_DYN,
	  { { 1, 4, 0, 0, 0x1040, 0x1040, 0x1000 },
	    { 1, CODE, 0x1040, 0x2040, 0x4000, 0x4000, 0x1000 } },
	  { 0x7f0000002000, 0x7f0000006000, 0x1000, false, false, 0 },
	  0x7f0000002100, 0x7f0000000000 },
	{ "shared, the mapping begins inside of the segment", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x8000, 0x8000, 0x1000 } },
	  { 0x7f0000004000, 0x7f0000008000, 0x4000, false, false, 0 },
	  0x7f0000004100, 0x7f0000000000 },
	{ "shared without segments", ELF_ET_DYN, { { 0 } },
	  { 0x7f0000001000, 0x7f0000005000, 0x1000, false, false, 0 },
	  0x7f0000001100, 0x7f0000000000 },
	{ "two segments in one page: the one with the address", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1800, 0x1800, 0x1000 },
	    { 1, DATA, 0x1800, 0x2800, 0x1000, 0x1000, 0x1000 } },
	  { 0x10002000, 0x10004000, 0x1000, false, false, 0 }, 0x10002900,
	  0x10000000 },
	{ "only the last bytes of a segment and pages more: not that", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1800, 0x1800, 0x1000 },
	    { 1, DATA, 0x1800, 0x2800, 0x2000, 0x2000, 0x1000 } },
	  { 0x10002000, 0x10005000, 0x1000, false, false, 0 }, 0x10002100,
	  0x10000000 },
	{ "only debugging information: no bytes in the file", ELF_ET_DYN,
	  { { 1, CODE, 0, 0x1000, 0, 0x4000, 0x1000 } },
	  { 0x7f0000001000, 0x7f0000005000, 0x1000, false, false, 0 },
	  0x7f0000001100, 0x7f0000000000 },
	{ "no segment there", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1000, 0x1000, 0x1000 } },
	  { 0x7f0000000000, 0x7f0000001000, 0x9000, false, false, 0 },
	  0x7f0000000100, FAILS },
	{ "address before the mapping", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1000, 0x1000, 0x1000 } },
	  { 0x7f0000000000, 0x7f0000001000, 0, false, false, 0 }, 0x100,
	  FAILS },
	{ "address behind the mapping", ELF_ET_DYN,
	  { { 1, CODE, 0, 0, 0x1000, 0x1000, 0x1000 } },
	  { 0x7f0000000000, 0x7f0000001000, 0, false, false, 0 },
	  0x7f0000001000, FAILS },
	{ "object file", ELF_ET_REL, { { 0 } },
	  { 0x2000, 0x3000, 0, false, false, 0 }, 0x2100, 0x2000 },
	{ "object file at an offset", ELF_ET_REL, { { 0 } },
	  { 0x2000, 0x3000, 0x40, false, false, 0 }, 0x2100, FAILS },
	{ "core file", 4, { { 0 } }, { 0x2000, 0x3000, 0, false, false, 0 },
	  0x2100, FAILS },
	{ "kernel where it was linked", ELF_ET_EXEC,
	  { { 1, CODE, 0x200000, KERNEL, 0x800000, 0x800000, 0x200000 } },
	  { KERNEL, KERNEL + 0x800000, 0, true, false, 0 }, KERNEL + 0x100,
	  0 },
	{ "kernel, moved", ELF_ET_EXEC,
	  { { 1, CODE, 0x200000, KERNEL, 0x800000, 0x800000, 0x200000 } },
	  { KERNEL + 0x1000000, KERNEL + 0x1800000, KERNEL + 0x1000000, true,
	    true, KERNEL },
	  KERNEL + 0x1000100, 0x1000000 },
	{ "kernel, begins at _stext and not at a page", ELF_ET_EXEC,
	  { { 1, CODE, 0x200000, KERNEL, 0x800000, 0x800000, 0x200000 } },
	  { KERNEL + 0x1c8, KERNEL + 0x800000, KERNEL + 0x1c8, true, true,
	    KERNEL + 0x1c8 },
	  KERNEL + 0x300, 0 },
	{ "kernel, moved to 0", ELF_ET_EXEC,
	  { { 1, CODE, 0x200000, KERNEL, 0x800000, 0x800000, 0x200000 } },
	  { 0, 0x800000, 0, true, true, KERNEL }, 0x100,
	  UINT64_C(0) - KERNEL },
	{ "kernel, an offset that means nothing", ELF_ET_EXEC,
	  { { 1, CODE, 0x200000, KERNEL, 0x800000, 0x800000, 0x200000 } },
	  { KERNEL + 0x1000000, KERNEL + 0x1800000, 0x123000, true, false, 0 },
	  KERNEL + 0x1000100, FAILS },
};

START_TEST(base)
{
	const struct base_case *c = &cases[_i];
	struct elf elf = { .type = c->type, .is_64 = true };
	uint64_t got = 0;
	bool ok;

	elf.segments.data = (struct elf_segment *)(uintptr_t)c->segments;
	while (elf.segments.n < 3 && c->segments[elf.segments.n].type)
		elf.segments.n++;
	ok = address_base(&elf, &c->mapping, c->address, &got);
	ck_assert_msg(ok == (c->base != FAILS), "%s: %s", c->about,
	              ok ? "has a base" : "has none");
	if (ok)
		ck_assert_msg(got == c->base, "%s: base %llx", c->about,
		              (unsigned long long)got);
}
END_TEST

static const struct kernel_case {
	struct address_mapping mapping;
	const char *file;
	bool is_kernel;
} kernel_cases[] = {
	{ { 0x400000, 0x401000, 0, false, false, 0 }, "/bin/a", false },
	{ { KERNEL, KERNEL + 0x1000, 0, false, false, 0 }, "x", true },
	{ { 0x400000, 0x401000, 0, false, false, 0 }, "/boot/vmlinux-6", true },
	{ { 0x400000, 0x401000, 0, false, false, 0 }, "[kernel.kallsyms]",
	  true },
	{ { 0x400001, 0x401000, 0, false, false, 0 }, "x", true },
	{ { 0, 0, 0, false, false, 0 }, "vmlinux", false },
};

START_TEST(kernel)
{
	const struct kernel_case *c = &kernel_cases[_i];
	struct prof_str file = { c->file, strlen(c->file) };

	ck_assert_int_eq(address_is_kernel(&c->mapping, file), c->is_kernel);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tc = tcase_create("address");

	tcase_add_loop_test(tc, base, 0, N_ELEMENTS(cases));
	tcase_add_loop_test(tc, kernel, 0, N_ELEMENTS(kernel_cases));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
