/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_SYMBOL_H
#define SYMBOLIZE_SYMBOL_H

/*
 * Symbols for sorted addresses. A symbol table is not sorted to search it:
 * the addresses are, so each symbol looks up which of them it covers, and an
 * address keeps the best one. That reads the table once and keeps nothing.
 *
 * The best symbol is the one that begins last; of those at one address the
 * largest; of equal ones the last in the table, where ELF has the global ones.
 * Symbols without a size hold until the next one begins, and only where no
 * sized one covers the address.
 */

#include "symbolize/elf.h"

/* Until it is settled: there is a '\0' somewhere. A name that nobody asks for
   is not measured, and one that is no longer than SPAN_TEXT_MAX. */
#define SYMBOL_NAME_OPEN SIZE_MAX

struct symbol {
	uint64_t address, size;
	/* Borrowed; need not end with '\0', unless len is SYMBOL_NAME_OPEN. */
	struct prof_str name;
	bool is_plt;          /* shown as NAME@plt */
};

struct symbol_search {
	const uint64_t *addresses;
	size_t n;
	struct symbol *found; /* one for each; name.ptr NULL: none yet */
	/* Where the last sized symbol begins that ends between the address
	   before and this one: an unsized one does not reach over it. */
	uint64_t *ended;
	VEC(struct symbol) unsized; /* size: how far they can reach */
	uint64_t fuel; /* steps that overlapping symbols may still cost */
};

/* For addresses[n], sorted, which must outlive it. False: out of memory. */
bool symbol_search_begin(struct symbol_search *s, const uint64_t *addresses,
                         size_t n);
/* After it, found[] is complete. */
void symbol_search_settle(struct symbol_search *s);
void symbol_search_release(struct symbol_search *s);

/* size 0: unknown; reach: how far an unsized one can reach at most. */
void symbol_search_add(struct symbol_search *s, const struct symbol *symbol,
                       uint64_t reach);

/* ---- Tables ---- */

/*
 * The functions of .symtab, or of .dynsym where there is no .symtab. Returns
 * how many functions there were.
 */
size_t symbols_of_elf(struct symbol_search *s, const struct elf *elf);

/* The address of the symbol of that name. False: there is none. */
bool symbol_address(const struct elf *elf, const char *name, uint64_t *address);

/* The stubs of calls into other files (x86-64, i386, aarch64). */
void symbols_of_plt(struct symbol_search *s, const struct elf *elf);

/*
 * The text of a perf map: lines of START SIZE NAME in hexadecimal. Later
 * lines win over earlier ones, as code is compiled anew.
 */
void symbols_of_perf_map(struct symbol_search *s, const char *text,
                         size_t size);

/*
 * The text of /proc/kallsyms: lines of ADDRESS TYPE NAME [MODULE]. Returns
 * how many functions had an address: 0 where the kernel hides them.
 */
size_t symbols_of_kallsyms(struct symbol_search *s, const char *text,
                           size_t size);

#endif
