/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/address.h"

#define PAGE UINT64_C(4096)
#define KERNEL_HALF (UINT64_C(1) << 63)

/* What a loader may put in the place of a kernel mapping's offset. */
#define KERNEL_USER_OFFSET UINT64_C(0xc000000000000000)

/* A mapping that some tools make up where they know none. */
static bool is_fake(const struct address_mapping *m)
{
	return m->start == 0 && m->offset == 0 &&
	       (m->limit == 0 || m->limit == UINT64_MAX);
}

static uint64_t page_down(uint64_t address, uint64_t align)
{
	return align > 1 ? address - address % align : address;
}

/* Whether the mapping can have come from the segment. */
static bool fits(const struct elf_segment *s, const struct address_mapping *m)
{
	uint64_t size = m->limit - m->start;
	uint64_t end = s->offset + s->file_size;

	if (s->type != ELF_PT_LOAD || s->file_size == 0)
		return false;
	if (m->offset >= end || m->offset + size <= s->offset)
		return false;
	if (m->offset < page_down(s->offset, s->align))
		return false;
	/* Only the tail page of the segment, and a page or more beyond. */
	if (m->offset > s->offset && end - m->offset < PAGE &&
	    m->offset + size >= end + PAGE)
		return false;
	return true;
}

/*
 * The segment a mapping came from: the one that fits; of several, the one
 * whose bytes in the file have the address. NULL: none, or no telling.
 */
static const struct elf_segment *find_segment(const struct elf *elf,
                                              const struct address_mapping *m,
                                              uint64_t address)
{
	const struct elf_segment *only = NULL, *holder = NULL;
	uint64_t at = address - m->start + m->offset;
	size_t n_fit = 0, n_hold = 0;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct elf_segment *s = &elf->segments.data[i];

		if (!fits(s, m))
			continue;
		n_fit++;
		only = s;
		if (at >= s->offset && at - s->offset < s->file_size) {
			n_hold++;
			holder = s;
		}
	}
	if (n_fit == 1)
		return only;
	return n_hold == 1 ? holder : NULL;
}

/*
 * A file with debugging information alone has no bytes of its segments, and
 * other offsets. Where one segment is code, the mapping is of that.
 */
static const struct elf_segment *find_bare_segment(const struct elf *elf)
{
	const struct elf_segment *code = NULL;

	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct elf_segment *s = &elf->segments.data[i];

		if (s->type != ELF_PT_LOAD || !(s->flags & ELF_PF_X))
			continue;
		if (s->file_size > 0 || code)
			return NULL;
		code = s;
	}
	return code;
}

static bool has_segments(const struct elf *elf)
{
	for (size_t i = 0; i < elf->segments.n; i++)
		if (elf->segments.data[i].type == ELF_PT_LOAD)
			return true;
	return false;
}

static bool kernel_base(const struct elf_segment *s,
                        const struct address_mapping *m, uint64_t *base)
{
	if (s && s->vaddr == m->start - m->offset) {
		*base = m->offset;
		return true;
	}
	if (m->start == 0 && m->limit != 0) {
		/* Moved to address 0, as ChromeOS does. */
		*base = m->has_stext ? 0 - m->stext : 0 - (s ? s->vaddr : 0);
		return m->has_stext || s;
	}
	if (m->offset != 0 && m->offset != m->start &&
	    m->offset != KERNEL_USER_OFFSET)
		return false;
	if (m->has_stext && m->start % PAGE == m->stext % PAGE) {
		*base = m->start - m->stext;
		return true;
	}
	*base = m->start - (s ? s->vaddr : 0);
	return s != NULL;
}

/* The kernel's code segment; offsets of its mappings are not the file's. */
static const struct elf_segment *kernel_segment(const struct elf *elf)
{
	for (size_t i = 0; i < elf->segments.n; i++) {
		const struct elf_segment *s = &elf->segments.data[i];

		if (s->type == ELF_PT_LOAD && s->flags & ELF_PF_X)
			return s;
	}
	return NULL;
}

static bool user_base(const struct elf *elf, const struct address_mapping *m,
                      uint64_t address, uint64_t *base)
{
	const struct elf_segment *s;

	if (!has_segments(elf)) {
		*base = elf->type == ELF_ET_DYN ? m->start - m->offset : 0;
		return true;
	}
	s = find_segment(elf, m, address);
	if (s) {
		*base = m->start - m->offset + s->offset - s->vaddr;
		return true;
	}
	s = find_bare_segment(elf);
	if (s)
		*base = m->start - page_down(s->vaddr, PAGE);
	return s != NULL;
}

bool address_base(const struct elf *elf, const struct address_mapping *m,
                  uint64_t address, uint64_t *base)
{
	if (is_fake(m)) {
		*base = 0;
		return true;
	}
	if (address < m->start || address >= m->limit)
		return false;
	switch (elf->type) {
	case ELF_ET_REL:
		*base = m->start;
		return m->offset == 0;
	case ELF_ET_EXEC:
	case ELF_ET_DYN:
		if (m->is_kernel)
			return kernel_base(kernel_segment(elf), m, base);
		return user_base(elf, m, address, base);
	default:
		return false;
	}
}

static bool has_prefix(struct prof_str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.ptr, prefix, n) == 0;
}

bool address_is_kernel(const struct address_mapping *m, struct prof_str file)
{
	if (is_fake(m))
		return false;
	if (m->start >= KERNEL_HALF || has_prefix(file, "[kernel.") ||
	    has_prefix(file, "[guest.kernel.") ||
	    (file.len >= 7 && memmem(file.ptr, file.len, "vmlinux", 7)))
		return true;
	return m->start % PAGE != 0 || m->limit % PAGE != 0 ||
	       m->offset % PAGE != 0;
}
