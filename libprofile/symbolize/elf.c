/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/elf.h"

#include "base/error.h"
#include "symbolize/unpack.h"

/*
 * Source: System V ABI, chapters 4 and 5; the GNU note and compression
 * extensions as binutils writes them. The constants that are used once stand
 * where they are used.
 */

struct elf_header {
	uint64_t segments_at, sections_at;
	uint16_t segment_size, section_size;
	uint64_t n_segments, n_sections, names;
};

static struct elf_header read_header(struct elf *elf, struct cursor *c)
{
	struct elf_header h;

	cursor_skip(c, 16);
	elf->type = cursor_u16(c);
	elf->machine = cursor_u16(c);
	cursor_skip(c, 4);
	(void)elf_read_word(elf, c); /* entry */
	h.segments_at = elf_read_word(elf, c);
	h.sections_at = elf_read_word(elf, c);
	cursor_skip(c, 4 + 2); /* flags, size of this header */
	h.segment_size = cursor_u16(c);
	h.n_segments = cursor_u16(c);
	h.section_size = cursor_u16(c);
	h.n_sections = cursor_u16(c);
	h.names = cursor_u16(c);
	return h;
}

static struct elf_segment read_segment(const struct elf *elf, struct cursor *c)
{
	struct elf_segment s = { 0 };

	s.type = cursor_u32(c);
	if (elf->is_64)
		s.flags = cursor_u32(c);
	s.offset = elf_read_word(elf, c);
	s.vaddr = elf_read_word(elf, c);
	(void)elf_read_word(elf, c); /* physical address */
	s.file_size = elf_read_word(elf, c);
	s.memory_size = elf_read_word(elf, c);
	if (!elf->is_64)
		s.flags = cursor_u32(c);
	s.align = elf_read_word(elf, c);
	return s;
}

/* *name is where the name begins in the section of names. */
static struct elf_section read_section(const struct elf *elf, struct cursor *c,
                                       uint32_t *name)
{
	struct elf_section s = { .name = "" };

	*name = cursor_u32(c);
	s.type = cursor_u32(c);
	s.flags = elf_read_word(elf, c);
	s.address = elf_read_word(elf, c);
	s.offset = elf_read_word(elf, c);
	s.size = elf_read_word(elf, c);
	s.link = cursor_u32(c);
	s.info = cursor_u32(c);
	s.align = elf_read_word(elf, c);
	s.entry_size = elf_read_word(elf, c);
	return s;
}

static struct cursor table_cursor(const struct elf *elf, uint64_t at,
                                  uint64_t i, uint64_t row_size)
{
	/* i < 2^32 and row_size < 2^16: the product cannot overflow. */
	uint64_t skip = i * row_size;

	return cursor_at(elf->image.data, elf->image.size,
	                 at > UINT64_MAX - skip ? UINT64_MAX : at + skip,
	                 elf->is_big);
}

static bool read_segments(struct elf *elf, const struct elf_header *h)
{
	if (!vec_reserve(&elf->segments, h->n_segments, &mem_malloc))
		return false;
	for (uint64_t i = 0; i < h->n_segments; i++) {
		struct cursor c = table_cursor(elf, h->segments_at, i,
		                               h->segment_size);
		struct elf_segment s = read_segment(elf, &c);

		if (c.has_failed)
			break;
		vec_put(&elf->segments, s);
	}
	return true;
}

/* More than 0xff00 sections are counted in the otherwise empty first one. */
static void read_extended_counts(const struct elf *elf, struct elf_header *h)
{
	struct cursor c = table_cursor(elf, h->sections_at, 0, 0);
	uint32_t name;
	struct elf_section first = read_section(elf, &c, &name);

	if (c.has_failed) {
		h->n_sections = 0;
		return;
	}
	if (h->n_sections == 0)
		h->n_sections = first.size;
	if (h->names == 0xffff)
		h->names = first.link;
	if (h->section_size &&
	    h->n_sections > elf->image.size / h->section_size)
		h->n_sections = 0;
}

static void name_section(struct elf *elf, size_t i, uint32_t name,
                         struct span names)
{
	if (name < names.size)
		elf->sections.data[i].name = (const char *)names.data + name;
}

static bool read_sections(struct elf *elf, struct elf_header *h)
{
	struct span names = { NULL, 0 };

	if (h->sections_at == 0 || h->section_size < (elf->is_64 ? 64 : 40))
		return true;
	read_extended_counts(elf, h);
	if (!vec_reserve(&elf->sections, h->n_sections, &mem_malloc))
		return false;
	for (uint64_t i = 0; i < h->n_sections; i++) {
		struct cursor c = table_cursor(elf, h->sections_at, i,
		                               h->section_size);
		uint32_t name;
		struct elf_section s = read_section(elf, &c, &name);

		if (c.has_failed)
			break;
		vec_put(&elf->sections, s);
	}
	if (h->names < elf->sections.n)
		names = span_of_strings(elf_content(
			elf, &elf->sections.data[h->names]));
	for (size_t i = 0; i < elf->sections.n; i++) {
		struct cursor c = table_cursor(elf, h->sections_at, i,
		                               h->section_size);

		name_section(elf, i, cursor_u32(&c), names);
	}
	return true;
}

/*
 * Sections of object files and kernel modules have no addresses yet. Code gets
 * them from 0 on, as the kernel does with a module: one section behind the
 * other, aligned, without those of .init, which are loaded elsewhere.
 *
 * Source: Linux, kernel/module/main.c, layout_sections().
 */
static void lay_out(struct elf *elf)
{
	uint64_t end = 0;

	for (size_t i = 0; i < elf->sections.n; i++) {
		struct elf_section *s = &elf->sections.data[i];
		uint64_t align = s->align > 1 ? s->align : 1;
		uint64_t begin = (end + align - 1) / align * align;

		s->address = 0;
		if (!(s->flags & ELF_SHF_EXECINSTR) ||
		    !(s->flags & ELF_SHF_ALLOC) ||
		    strncmp(s->name, ".init", 5) == 0)
			continue;
		/* What a crafted file has beyond this is no code of a file. */
		if (begin < end || s->size > UINT64_MAX / 2 - begin)
			return;
		s->address = begin;
		end = begin + s->size;
	}
}

static void note_code(struct elf *elf, uint64_t begin, uint64_t size)
{
	uint64_t end = begin > UINT64_MAX - size ? UINT64_MAX : begin + size;

	if (elf->code_end == 0 || begin < elf->code_begin)
		elf->code_begin = begin;
	if (end > elf->code_end)
		elf->code_end = end;
}

/* Sections tell where code begins more narrowly than segments do. */
static void find_code(struct elf *elf)
{
	for (size_t i = 0; i < elf->sections.n; i++) {
		const struct elf_section *s = &elf->sections.data[i];

		if (s->flags & ELF_SHF_EXECINSTR && s->flags & ELF_SHF_ALLOC)
			note_code(elf, s->address, s->size);
	}
	if (elf->code_end)
		return;
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct elf_segment *s = &elf->segments.data[i];

		if (s->type == ELF_PT_LOAD && s->flags & ELF_PF_X)
			note_code(elf, s->vaddr, s->memory_size);
	}
}

enum prof_status elf_open(struct elf *elf, struct span image,
                          struct prof_error *err)
{
	static const unsigned char magic[4] = { 0x7f, 'E', 'L', 'F' };
	struct elf_header header;
	struct cursor c;

	*elf = (struct elf){ .image = image };
	if (image.size < 16 || memcmp(image.data, magic, 4) != 0)
		return error_at(err, PROF_UNKNOWN_FORMAT, 0,
		                "not an ELF file");
	if (image.data[4] < 1 || image.data[4] > 2 || image.data[5] < 1 ||
	    image.data[5] > 2)
		return error_at(err, PROF_CORRUPT, 4,
		                "ELF class %u, byte order %u", image.data[4],
		                image.data[5]);
	elf->is_64 = image.data[4] == 2;
	elf->is_big = image.data[5] == 2;
	c = elf_cursor(elf, image);
	header = read_header(elf, &c);
	if (c.has_failed)
		return error_at(err, PROF_TRUNCATED, image.size,
		                "ELF header ends early");
	if (!read_segments(elf, &header) || !read_sections(elf, &header)) {
		elf_close(elf);
		return error_nomem(err);
	}
	if (elf->type == ELF_ET_REL)
		lay_out(elf);
	find_code(elf);
	return PROF_OK;
}

void elf_close(struct elf *elf)
{
	for (size_t i = 0; i < elf->sections.n; i++) {
		struct elf_section *s = &elf->sections.data[i];

		if (s->is_owned)
			mem_free(&mem_malloc, (void *)(uintptr_t)s->content.data,
			         s->content.size);
	}
	vec_release(&elf->sections, &mem_malloc);
	vec_release(&elf->segments, &mem_malloc);
}

struct elf_section *elf_find(const struct elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->sections.n; i++)
		if (strcmp(elf->sections.data[i].name, name) == 0)
			return &elf->sections.data[i];
	return NULL;
}

/* ---- Content ---- */

/* A section with SHF_COMPRESSED begins with a header of its own. */
static void unpack_section(const struct elf *elf, struct elf_section *s,
                           struct span packed)
{
	struct cursor c = elf_cursor(elf, packed);
	uint32_t type = cursor_u32(&c);
	uint64_t size;

	if (elf->is_64)
		cursor_skip(&c, 4);
	size = elf_read_word(elf, &c);
	(void)elf_read_word(elf, &c); /* alignment */
	packed = (struct span){ c.p, cursor_left(&c) };
	if (!c.has_failed)
		s->content = type == 1   ? unpack_zlib(packed, size)
		             : type == 2 ? unpack_zstd(packed, size)
		                         : s->content;
	s->is_owned = s->content.data != NULL;
}

/* .zdebug_...: "ZLIB", and the size as a big-endian number. */
static void unpack_zdebug(struct elf_section *s, struct span packed)
{
	struct cursor c = cursor_at(packed.data, packed.size, 0, true);
	const unsigned char *magic = cursor_bytes(&c, 4);
	uint64_t size = cursor_u64(&c);

	if (c.has_failed || memcmp(magic, "ZLIB", 4) != 0)
		return;
	packed = (struct span){ c.p, cursor_left(&c) };
	s->content = unpack_zlib(packed, size);
	s->is_owned = s->content.data != NULL;
}

struct span elf_content(const struct elf *elf, struct elf_section *s)
{
	struct span raw;

	if (s->content.data || s->type == ELF_SHT_NOBITS ||
	    s->offset > elf->image.size ||
	    s->size > elf->image.size - s->offset || s->size == 0)
		return s->content;
	raw = (struct span){ elf->image.data + s->offset, (size_t)s->size };
	if (s->flags & ELF_SHF_COMPRESSED)
		unpack_section(elf, s, raw);
	else if (strncmp(s->name, ".zdebug", 7) == 0)
		unpack_zdebug(s, raw);
	else
		s->content = raw;
	return s->content;
}

struct span elf_content_of(const struct elf *elf, const char *name)
{
	struct elf_section *s = elf_find(elf, name);

	return s ? elf_content(elf, s) : (struct span){ NULL, 0 };
}

struct span elf_memory(const struct elf *elf, uint64_t address, uint64_t size)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct elf_segment *s = &elf->segments.data[i];
		uint64_t skip = address - s->vaddr;

		if (s->type != ELF_PT_LOAD || address < s->vaddr ||
		    skip > s->file_size || size > s->file_size - skip ||
		    s->offset > elf->image.size ||
		    s->file_size > elf->image.size - s->offset)
			continue;
		return (struct span){ elf->image.data + s->offset + skip,
			               (size_t)size };
	}
	return (struct span){ NULL, 0 };
}

/* ---- Build id ---- */

/* The id in a run of notes, where there is one. */
static struct span build_id_of_notes(const struct elf *elf, uint64_t offset,
                                      uint64_t size, uint64_t align)
{
	uint64_t pad = align == 8 ? 7 : 3;
	struct span notes = { NULL, 0 };
	struct cursor c;

	if (offset <= elf->image.size && size <= elf->image.size - offset)
		notes = (struct span){ elf->image.data + offset,
			                (size_t)size };
	c = elf_cursor(elf, notes);
	while (cursor_left(&c) >= 12) {
		uint64_t name_size = cursor_u32(&c);
		uint64_t id_size = cursor_u32(&c);
		uint32_t type = cursor_u32(&c);
		const unsigned char *name = cursor_bytes(&c, name_size);
		const unsigned char *id;

		cursor_skip(&c, -name_size & pad);
		id = cursor_bytes(&c, id_size);
		if (!id)
			break;
		if (type == 3 && name_size == 4 && memcmp(name, "GNU", 4) == 0)
			return (struct span){ id, (size_t)id_size };
		if (cursor_left(&c) < (-id_size & pad))
			break;
		cursor_skip(&c, -id_size & pad);
	}
	return (struct span){ NULL, 0 };
}

struct span elf_build_id(const struct elf *elf)
{
	struct span id = { NULL, 0 };

	for (size_t i = 0; i < elf->segments.n && !id.data; i++) {
		const struct elf_segment *s = &elf->segments.data[i];

		if (s->type == ELF_PT_NOTE)
			id = build_id_of_notes(elf, s->offset, s->file_size,
			                       s->align);
	}
	for (size_t i = 0; i < elf->sections.n && !id.data; i++) {
		const struct elf_section *s = &elf->sections.data[i];

		if (s->type == ELF_SHT_NOTE)
			id = build_id_of_notes(elf, s->offset, s->size, 4);
	}
	return id;
}
