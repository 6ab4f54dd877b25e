/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symbol.h"

#include "symbolize/frames.h"

/* The symbol tables of ELF files, and names for the stubs of their PLT. */

enum {
	STT_NOTYPE_ = 0,
	STT_FUNC_ = 2,
	STT_IFUNC_ = 10,
	SHN_UNDEF_ = 0,
	ELF_EM_ARM = 40
};

struct raw_symbol {
	uint32_t name;
	unsigned type;
	uint16_t section;
	uint64_t value, size;
};

/* A symbol table and its strings. */
struct raw_table {
	const struct elf *elf;
	struct span content, strings;
	size_t n, row_size;
};

static struct raw_symbol read_symbol(const struct elf *elf, struct cursor *c)
{
	struct raw_symbol s;

	s.name = cursor_u32(c);
	if (elf->is_64) {
		s.type = cursor_u8(c) & 15;
		(void)cursor_u8(c);
		s.section = cursor_u16(c);
		s.value = cursor_u64(c);
		s.size = cursor_u64(c);
	} else {
		s.value = cursor_u32(c);
		s.size = cursor_u32(c);
		s.type = cursor_u8(c) & 15;
		(void)cursor_u8(c);
		s.section = cursor_u16(c);
	}
	return s;
}

static struct elf_section *section_of_type(const struct elf *elf, uint32_t type)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (elf->sections.data[i].type == type)
			return &elf->sections.data[i];
	return NULL;
}

static bool open_table(struct raw_table *t, const struct elf *elf,
                       struct elf_section *s)
{
	if (!s || s->link >= elf->sections.n)
		return false;
	t->elf = elf;
	t->content = elf_content(elf, s);
	t->strings = span_of_strings(
		elf_content(elf, &elf->sections.data[s->link]));
	t->row_size = elf->is_64 ? 24 : 16;
	t->n = t->content.size / t->row_size;
	return t->content.data && t->strings.data;
}

static struct raw_symbol table_row(const struct raw_table *t, size_t i)
{
	const struct elf *elf = t->elf;
	struct cursor c = cursor_at(t->content.data, t->content.size,
	                            (uint64_t)i * t->row_size, elf->is_big);
	struct raw_symbol s = read_symbol(elf, &c);

	/* In object files they are counted from their section. */
	if (elf->type == ELF_ET_REL && s.section < elf->sections.n)
		s.value += elf->sections.data[s.section].address;
	return s;
}

/* Ends with '\0'; NULL: there is none. */
static const char *table_text(const struct raw_table *t, uint32_t at)
{
	return at < t->strings.size ? (const char *)t->strings.data + at : NULL;
}

/* How far code can reach from an address: to the end of its section. */
static uint64_t reach_in_section(const struct elf *elf, uint16_t section,
                                 uint64_t address)
{
	const struct elf_section *s;

	if (section >= elf->sections.n)
		return 0;
	s = &elf->sections.data[section];
	if (!(s->flags & ELF_SHF_EXECINSTR) || address < s->address ||
	    address - s->address >= s->size)
		return 0;
	return s->size - (address - s->address);
}

/* $x, $d and so on mark the kinds of bytes for ARM; .L are inner labels. */
static bool is_marker(const char *name)
{
	return name[0] == '\0' || name[0] == '$' ||
	       (name[0] == '.' && name[1] == 'L');
}

static void add_row(struct symbol_search *s, const struct raw_table *t,
                    const struct raw_symbol *raw)
{
	struct symbol symbol = { raw->value, raw->size, { NULL, 0 }, false };
	const char *name = table_text(t, raw->name);
	uint64_t reach;

	if (t->elf->machine == ELF_EM_ARM)
		symbol.address &= ~UINT64_C(1); /* Thumb */
	/* Not for this range of addresses: do not touch the strings. */
	if (symbol.address > s->addresses[s->n - 1])
		return;
	reach = reach_in_section(t->elf, raw->section, symbol.address);
	if (raw->type == STT_NOTYPE_ && reach == 0)
		return;
	if (!name || is_marker(name))
		return;
	symbol.name = (struct prof_str){ name, SYMBOL_NAME_OPEN };
	symbol_search_add(s, &symbol, reach);
}

size_t symbols_of_elf(struct symbol_search *s, const struct elf *elf)
{
	struct raw_table t;
	size_t n = 0;

	if (!open_table(&t, elf, section_of_type(elf, ELF_SHT_SYMTAB)) &&
	    !open_table(&t, elf, section_of_type(elf, ELF_SHT_DYNSYM)))
		return 0;
	for (size_t i = 1; i < t.n && s->n > 0; i++) {
		struct raw_symbol raw = table_row(&t, i);

		if (raw.section == SHN_UNDEF_ ||
		    (raw.type != STT_FUNC_ && raw.type != STT_IFUNC_ &&
		     raw.type != STT_NOTYPE_))
			continue;
		n += raw.type != STT_NOTYPE_;
		add_row(s, &t, &raw);
	}
	return n;
}

bool symbol_address(const struct elf *elf, const char *name, uint64_t *address)
{
	struct raw_table t;

	if (!open_table(&t, elf, section_of_type(elf, ELF_SHT_SYMTAB)))
		return false;
	for (size_t i = 1; i < t.n; i++) {
		struct raw_symbol raw = table_row(&t, i);
		const char *found = table_text(&t, raw.name);

		if (raw.section != SHN_UNDEF_ && found &&
		    strcmp(found, name) == 0) {
			*address = raw.value;
			return true;
		}
	}
	return false;
}

/* ---- PLT ---- */

/*
 * A stub jumps through a slot of the GOT, and a relocation says whose that
 * is. On x86-64 the slot is read from the jump; elsewhere the stubs stand in
 * the order of .rela.plt behind a header.
 */
struct plt {
	struct symbol_search *search;
	const struct elf *elf;
	struct raw_table symbols; /* .dynsym */
};

struct relocation {
	uint64_t offset;
	uint32_t symbol;
};

static size_t relocation_size(const struct elf *elf, bool has_addend)
{
	return (elf->is_64 ? 8u : 4u) * (has_addend ? 3u : 2u);
}

static struct relocation read_relocation(const struct elf *elf,
                                         const struct elf_section *s, size_t i)
{
	size_t size = relocation_size(elf, s->type == ELF_SHT_RELA);
	struct cursor c = cursor_at(s->content.data, s->content.size,
	                            (uint64_t)i * size, elf->is_big);
	struct relocation r;
	uint64_t info;

	r.offset = elf_read_word(elf, &c);
	info = elf_read_word(elf, &c);
	r.symbol = (uint32_t)(elf->is_64 ? info >> 32 : info >> 8);
	return r;
}

static size_t n_relocations(const struct elf *elf, struct elf_section *s)
{
	if (!s || (s->type != ELF_SHT_RELA && s->type != ELF_SHT_REL))
		return 0;
	return elf_content(elf, s).size /
	       relocation_size(elf, s->type == ELF_SHT_RELA);
}

static void add_stub(struct plt *p, uint64_t address, uint64_t size,
                     uint32_t symbol)
{
	struct symbol stub = { address, size, { NULL, 0 }, true };

	if (symbol == 0 || symbol >= p->symbols.n)
		return;
	stub.name = (struct prof_str){
		table_text(&p->symbols, table_row(&p->symbols, symbol).name),
		SYMBOL_NAME_OPEN
	};
	if (stub.name.ptr && *stub.name.ptr)
		symbol_search_add(p->search, &stub, 0);
}

/* The symbol whose slot that is; 0: none. Slots mostly ascend. */
static uint32_t symbol_of_slot(struct plt *p, struct elf_section *s,
                               uint64_t slot, size_t *hint)
{
	size_t n = n_relocations(p->elf, s);

	for (size_t k = 0; k < n && p->search->fuel > 0; k++) {
		size_t i = (*hint + k) % n;
		struct relocation r = read_relocation(p->elf, s, i);

		p->search->fuel--;
		if (r.offset == slot) {
			*hint = i + 1;
			return r.symbol;
		}
	}
	return 0;
}

/* jmp *slot(%rip), maybe behind an endbr64 and with a bnd prefix. */
static uint64_t jump_slot(const unsigned char *p, size_t size, uint64_t address)
{
	for (size_t i = 0; i + 6 <= size; i++) {
		struct cursor c = cursor_at(p, size, i + 2, false);

		if (p[i] == 0xff && p[i + 1] == 0x25)
			return address + i + 6 +
			       (uint64_t)(int64_t)(int32_t)cursor_u32(&c);
	}
	return 0;
}

static void add_x86_64_stubs(struct plt *p, struct elf_section *s)
{
	struct span code = elf_content(p->elf, s);
	uint64_t size = s->entry_size == 8 ? 8 : 16;
	struct elf_section *lazy = elf_find(p->elf, ".rela.plt");
	struct elf_section *bound = elf_find(p->elf, ".rela.dyn");
	const uint64_t *addresses = p->search->addresses;
	size_t n = p->search->n, lazy_hint = 0, bound_hint = 0;
	size_t i = first_at(addresses, n, s->address);

	/* From the addresses to the stubs: most are never asked for. */
	while (i < n && addresses[i] - s->address < code.size) {
		uint64_t at = (addresses[i] - s->address) / size * size;
		uint64_t left = code.size - at;
		uint64_t slot = jump_slot(code.data + at,
		                          (size_t)(left < size ? left : size),
		                          s->address + at);
		uint32_t symbol = symbol_of_slot(p, lazy, slot, &lazy_hint);

		if (symbol == 0)
			symbol = symbol_of_slot(p, bound, slot, &bound_hint);
		add_stub(p, s->address + at, size, symbol);
		i = first_at(addresses, n, s->address + at + size);
	}
}

static void add_ordered_stubs(struct plt *p, struct elf_section *s,
                              uint64_t header, uint64_t size)
{
	struct elf_section *r = elf_find(p->elf, p->elf->is_64 ? ".rela.plt"
	                                                       : ".rel.plt");
	size_t n = n_relocations(p->elf, r);

	for (size_t i = 0; i < n && header + (i + 1) * size <= s->size; i++)
		add_stub(p, s->address + header + i * size, size,
		         read_relocation(p->elf, r, i).symbol);
}

void symbols_of_plt(struct symbol_search *search, const struct elf *elf)
{
	static const char *const names[] = { ".plt", ".plt.sec", ".plt.got" };
	struct plt p = { .search = search, .elf = elf };

	if (search->n == 0 ||
	    !open_table(&p.symbols, elf, section_of_type(elf, ELF_SHT_DYNSYM)))
		return;
	for (int i = 0; i < 3; i++) {
		struct elf_section *s = elf_find(elf, names[i]);

		if (!s)
			continue;
		if (elf->machine == ELF_EM_X86_64)
			add_x86_64_stubs(&p, s);
		else if (elf->machine == ELF_EM_AARCH64 && i == 0)
			add_ordered_stubs(&p, s, 32, 16);
		else if (elf->machine == ELF_EM_386 && i == 0)
			add_ordered_stubs(&p, s, 16, 16);
	}
}
