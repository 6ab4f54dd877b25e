/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: the processor supplements of the System V ABI for i386, x86-64 and
 * AArch64, tables of relocations.
 */
#include "symbolize/relocate.h"

/* Bytes that a relocation fills, and whether it counts from there. */
struct relocation_kind {
	uint16_t machine;
	uint32_t type;
	uint8_t size;
	bool is_relative;
};

static const struct relocation_kind *find_kind(uint16_t machine, uint32_t type)
{
	static const struct relocation_kind kinds[] = {
		{ ELF_EM_X86_64, 1, 8, false },   /* R_X86_64_64 */
		{ ELF_EM_X86_64, 2, 4, true },    /* R_X86_64_PC32 */
		{ ELF_EM_X86_64, 10, 4, false },  /* R_X86_64_32 */
		{ ELF_EM_X86_64, 11, 4, false },  /* R_X86_64_32S */
		{ ELF_EM_X86_64, 24, 8, true },   /* R_X86_64_PC64 */
		{ ELF_EM_386, 1, 4, false },      /* R_386_32 */
		{ ELF_EM_386, 2, 4, true },       /* R_386_PC32 */
		{ ELF_EM_AARCH64, 257, 8, false }, /* R_AARCH64_ABS64 */
		{ ELF_EM_AARCH64, 258, 4, false }, /* R_AARCH64_ABS32 */
		{ ELF_EM_AARCH64, 260, 8, true },  /* R_AARCH64_PREL64 */
		{ ELF_EM_AARCH64, 261, 4, true },  /* R_AARCH64_PREL32 */
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].machine == machine && kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

/* The address of a symbol, 0 where there is no such. */
static uint64_t symbol_value(const struct elf *elf, struct span symbols,
                             uint64_t i)
{
	uint64_t row = elf->is_64 ? 24 : 16, value;
	struct cursor c = cursor_at(symbols.data, symbols.size,
	                            i < symbols.size ? i * row : UINT64_MAX,
	                            elf->is_big);
	uint16_t section;

	cursor_skip(&c, 4);
	if (elf->is_64) {
		cursor_skip(&c, 2);
		section = cursor_u16(&c);
		value = cursor_u64(&c);
	} else {
		value = cursor_u32(&c);
		cursor_skip(&c, 4 + 2);
		section = cursor_u16(&c);
	}
	if (c.has_failed)
		return 0;
	if (section < elf->sections.n)
		value += elf->sections.data[section].address;
	return value;
}

static void put_number(unsigned char *to, uint64_t n, unsigned size,
                       bool is_big)
{
	for (unsigned i = 0; i < size; i++)
		to[is_big ? size - 1 - i : i] = (unsigned char)(n >> 8 * i);
}

/* Applies the relocations of one table to the content of a section. */
static void apply(const struct elf *elf, const struct elf_section *table,
                  struct span relocations, struct span symbols,
                  struct span content)
{
	bool has_addend = table->type == ELF_SHT_RELA;
	struct cursor c = elf_cursor(elf, relocations);
	unsigned char *to = (unsigned char *)(uintptr_t)content.data;

	while (cursor_left(&c) > 0) {
		uint64_t at = elf_read_word(elf, &c);
		uint64_t info = elf_read_word(elf, &c);
		uint64_t addend = has_addend ? elf_read_word(elf, &c) : 0;
		const struct relocation_kind *kind = find_kind(
			elf->machine,
			(uint32_t)(elf->is_64 ? info : info & 0xff));
		struct cursor old;
		uint64_t value;

		if (c.has_failed)
			return;
		if (!kind || at > content.size ||
		    kind->size > content.size - at)
			continue;
		old = cursor_at(content.data, content.size, at, elf->is_big);
		if (!has_addend)
			addend = cursor_uint(&old, kind->size);
		value = symbol_value(elf, symbols,
		                     elf->is_64 ? info >> 32 : info >> 8) +
		        addend - (kind->is_relative ? at : 0);
		put_number(to + at, value, kind->size, elf->is_big);
	}
}

/* Memory of its own for the content of a section. */
static bool own_content(struct elf_section *s)
{
	unsigned char *copy;

	if (s->is_owned)
		return true;
	copy = mem_resize(&mem_malloc, NULL, 0, s->content.size);
	if (!copy)
		return false;
	memcpy(copy, s->content.data, s->content.size);
	s->content.data = copy;
	s->is_owned = true;
	return true;
}

void elf_relocate(const struct elf *elf, struct elf_section *section)
{
	size_t number = (size_t)(section - elf->sections.data);

	if (elf->type != ELF_ET_REL || !elf_content(elf, section).data ||
	    section->is_relocated)
		return;
	section->is_relocated = true;
	for (size_t i = 0; i < elf->sections.n; i++) {
		struct elf_section *table = &elf->sections.data[i];
		struct span relocations, symbols;

		if ((table->type != ELF_SHT_RELA &&
		     table->type != ELF_SHT_REL) ||
		    table->info != number || table->link >= elf->sections.n)
			continue;
		relocations = elf_content(elf, table);
		symbols = elf_content(elf, &elf->sections.data[table->link]);
		if (relocations.data && symbols.data && own_content(section))
			apply(elf, table, relocations, symbols,
			      section->content);
		return; /* there is one table; more would be work without end */
	}
}
