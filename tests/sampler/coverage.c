/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coverage [LIBRARY]...: how many rows of the unwind tables of shared
 * libraries fit in the word of a rule (machine.h). Exit status 1 where it is
 * less than 99.7 % of all, or where a table is not understood. (libcrypto has
 * 99.1 %: its CFA is in rax in many prologues; others nearly 100.)
 */
#include "sampler/machine.h"
#include "sampler/modules.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

struct count {
	uint64_t functions, rows, slow, not_understood;
};

struct table {
	int32_t pc, fde;
};

static void count_function(struct count *c, uint64_t pc,
                           const struct cfi_tables *tables)
{
	const uint64_t begin = pc;
	struct cfi cfi;

	c->functions++;
	while (cfi_find(&cfi, pc, tables)) {
		c->rows++;
		c->slow += machine_pack(&cfi) == MACHINE_SLOW;
		pc = cfi.row_limit;
	}
	c->not_understood += pc == begin;
}

static struct count count_object(const uint8_t *hdr)
{
	const struct table *rows = (const void *)(hdr + 12);
	const uint64_t pc = (uint64_t)((intptr_t)hdr + rows[0].pc);
	struct cfi_tables tables = { 0 };
	struct count c = { 0, 0, 0, 0 };
	uint32_t n, i;

	modules_find(&tables, pc);
	memcpy(&n, hdr + 8, sizeof(n));
	for (i = 0; i < n; i++)
		count_function(&c, (uint64_t)((intptr_t)hdr + rows[i].pc),
		               &tables);
	return c;
}

static void print(const char *name, const struct count *c)
{
	printf("%9llu %9llu %7llu %7llu %9.4f  %s\n",
	       (unsigned long long)c->functions, (unsigned long long)c->rows,
	       (unsigned long long)c->slow,
	       (unsigned long long)c->not_understood,
	       100 - 100 * (double)c->slow / (double)(c->rows + !c->rows),
	       name);
}

static int visit(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct count *all = ctx, c;
	uint16_t i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_GNU_EH_FRAME)
			continue;
		c = count_object((const void *)(info->dlpi_addr +
		                                info->dlpi_phdr[i].p_vaddr));
		print(info->dlpi_name, &c);
		all->functions += c.functions;
		all->rows += c.rows;
		all->slow += c.slow;
		all->not_understood += c.not_understood;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct count all = { 0, 0, 0, 0 };
	int i;

	for (i = 1; i < argc; i++)
		if (!dlopen(argv[i], RTLD_LAZY))
			fprintf(stderr, "coverage: not there: %s\n", argv[i]);
	printf("functions      rows    slow unknown fit in %%\n");
	dl_iterate_phdr(visit, &all);
	print("all", &all);
	return all.not_understood > 0 || all.slow * 1000 > all.rows * 3;
}
