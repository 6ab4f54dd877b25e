/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_ELF_H
#define SYMBOLIZE_ELF_H

/*
 * ELF files as bytes: segments, sections, build id. The reader is our own and
 * no library's, because the files may be hostile and are read by several
 * threads at once: every offset is compared with what is there, and once a
 * file is open it is only read.
 *
 * Memory comes from malloc (mem_malloc): symbolization works in threads of
 * its own, where a caller's allocator may not be used.
 */

#include "base/cursor.h"
#include "base/memory.h"
#include "symbolize/span.h"

enum {
	ELF_ET_REL = 1,
	ELF_ET_EXEC = 2,
	ELF_ET_DYN = 3,
	ELF_PT_LOAD = 1,
	ELF_PT_NOTE = 4,
	ELF_PF_X = 1,
	ELF_SHT_SYMTAB = 2,
	ELF_SHT_RELA = 4,
	ELF_SHT_NOTE = 7,
	ELF_SHT_NOBITS = 8,
	ELF_SHT_REL = 9,
	ELF_SHT_DYNSYM = 11,
	ELF_SHF_ALLOC = 2,
	ELF_SHF_EXECINSTR = 4,
	ELF_SHF_COMPRESSED = 0x800,
	ELF_EM_386 = 3,
	ELF_EM_X86_64 = 62,
	ELF_EM_AARCH64 = 183
};

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, file_size, memory_size, align;
};

struct elf_section {
	const char *name; /* ends with '\0'; "" where it has none */
	uint32_t type, link, info;
	uint64_t flags, address, offset, size, align, entry_size;
	struct span content; /* plain; set by elf_content() */
	bool is_owned;        /* the content is memory of its own */
	bool is_relocated;
};

struct elf {
	struct span image;
	bool is_64, is_big;
	uint16_t type, machine;
	VEC(struct elf_segment) segments;
	VEC(struct elf_section) sections;
	/* The executable bytes in memory: [code_begin, code_end). */
	uint64_t code_begin, code_end;
};

/*
 * Reads the headers of a file in memory, which must outlive it. PROF_NOMEM;
 * PROF_UNKNOWN_FORMAT: no ELF file; PROF_CORRUPT. A section table that lies
 * outside of the file is as none: segments are enough to run a program.
 */
enum prof_status elf_open(struct elf *elf, struct span image,
                          struct prof_error *err);
void elf_close(struct elf *elf);

/* The first section of that name, or NULL. */
struct elf_section *elf_find(const struct elf *elf, const char *name);

/*
 * The bytes of a section, decompressed (zlib, zstd and the older .zdebug)
 * on the first call, which may not happen in two threads at once. Absent
 * where there are none or they are damaged.
 */
struct span elf_content(const struct elf *elf, struct elf_section *section);

/* elf_content() of the section of that name. */
struct span elf_content_of(const struct elf *elf, const char *name);

/* The bytes in the file that are at [address, address + size) in memory. */
struct span elf_memory(const struct elf *elf, uint64_t address, uint64_t size);

/* The bytes of the GNU build id, from the notes; absent: none. */
struct span elf_build_id(const struct elf *elf);

/* A cursor in the file's byte order. */
static inline struct cursor elf_cursor(const struct elf *elf, struct span b)
{
	return cursor_at(b.data, b.size, 0, elf->is_big);
}

/* A number as wide as an address of the file. */
static inline uint64_t elf_read_word(const struct elf *elf, struct cursor *c)
{
	return elf->is_64 ? cursor_u64(c) : cursor_u32(c);
}

#endif
