/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf_split.h"

#include <limits.h>
#include <stdio.h>

/*
 * Source: DWARF 5, 7.3; the GNU form of the package index, version 2, is that
 * of DWARF 4 (https://gcc.gnu.org/wiki/DebugFissionDWP).
 */

/* Columns of the index, in both versions. */
enum package_column {
	COLUMN_INFO = 1,
	COLUMN_ABBREV = 3,
	COLUMN_LINE = 4,
	COLUMN_STR_OFFSETS = 6,
	COLUMN_RNGLISTS = 8 /* of version 5 */
};

void dwarf_package_open(struct dwarf_package *p, const char *path)
{
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s.dwp", path);

	*p = (struct dwarf_package){ .file = { .path = NULL } };
	if (n < 0 || (size_t)n >= sizeof(name) || !map_file(&p->file, name))
		return;
	if (elf_open(&p->elf, p->file.image, NULL) != PROF_OK) {
		dwarf_package_close(p);
		return;
	}
	/* Unpacked and relocated now: later there are several threads. */
	(void)dwarf_open_sections(&p->dwarf, &p->elf, ".dwo");
	p->index = elf_content_of(&p->elf, ".debug_cu_index");
}

void dwarf_package_close(struct dwarf_package *p)
{
	elf_close(&p->elf);
	unmap_file(&p->file);
	*p = (struct dwarf_package){ .file = { .path = NULL } };
}

/* ---- The index of a package ---- */

struct package_index {
	struct span content;
	bool is_big;
	uint32_t version, n_columns, n_units, n_slots;
	uint64_t ids, rows, columns, offsets, sizes;
};

static struct cursor index_at(const struct package_index *x, uint64_t at)
{
	return cursor_at(x->content.data, x->content.size, at, x->is_big);
}

static bool open_index(struct package_index *x, const struct dwarf_package *p)
{
	struct cursor c;

	x->content = p->index;
	x->is_big = p->elf.is_big;
	c = index_at(x, 0);
	x->version = cursor_u32(&c);
	if (x->version >> 16 == 5 || (x->version & 0xffff) == 5)
		x->version = 5; /* a half word and padding */
	x->n_columns = cursor_u32(&c);
	x->n_units = cursor_u32(&c);
	x->n_slots = cursor_u32(&c);
	if (c.has_failed || (x->version != 2 && x->version != 5) ||
	    x->n_columns > 64 || x->n_slots > x->content.size ||
	    x->n_slots == 0 || (x->n_slots & (x->n_slots - 1)) != 0)
		return false;
	x->ids = 16;
	x->rows = x->ids + UINT64_C(8) * x->n_slots;
	x->columns = x->rows + UINT64_C(4) * x->n_slots;
	x->offsets = x->columns + UINT64_C(4) * x->n_columns;
	x->sizes = x->offsets +
	           UINT64_C(4) * x->n_columns * (uint64_t)x->n_units;
	return true;
}

/* The row of a unit, from 1; 0: it is not in the package. */
static uint32_t find_row(const struct package_index *x, uint64_t id)
{
	uint64_t mask = x->n_slots - 1;
	uint64_t slot = id & mask, step = (id >> 32 & mask) | 1;

	for (uint32_t i = 0; i < x->n_slots; i++) {
		struct cursor ids = index_at(x, x->ids + 8 * slot);
		struct cursor rows = index_at(x, x->rows + 4 * slot);
		uint64_t found = cursor_u64(&ids);
		uint32_t row = cursor_u32(&rows);

		if (row == 0)
			return 0;
		if (found == id)
			return row <= x->n_units ? row : 0;
		slot = (slot + step) & mask;
	}
	return 0;
}

/* The part of a section that is the unit's. */
static void cut_section(const struct package_index *x, uint32_t row,
                        uint32_t column, struct span *section)
{
	uint64_t cell = UINT64_C(4) *
	                ((uint64_t)(row - 1) * x->n_columns + column);
	struct cursor at = index_at(x, x->offsets + cell);
	struct cursor n = index_at(x, x->sizes + cell);
	uint32_t offset = cursor_u32(&at), size = cursor_u32(&n);

	if (at.has_failed || n.has_failed || offset > section->size ||
	    size > section->size - offset)
		*section = (struct span){ NULL, 0 };
	else
		*section = (struct span){ section->data + offset, size };
}

static void cut_sections(struct dwarf_file *d, const struct package_index *x,
                         uint32_t row)
{
	for (uint32_t i = 0; i < x->n_columns; i++) {
		struct cursor c = index_at(x, x->columns + UINT64_C(4) * i);
		int section;

		switch (cursor_u32(&c)) {
		case COLUMN_INFO:
			section = DWARF_INFO;
			break;
		case COLUMN_ABBREV:
			section = DWARF_ABBREV;
			break;
		case COLUMN_LINE:
			section = DWARF_LINE;
			break;
		case COLUMN_STR_OFFSETS:
			section = DWARF_STR_OFFSETS;
			break;
		case COLUMN_RNGLISTS:
			section = x->version == 5 ? DWARF_RNGLISTS
			                          : DWARF_N_SECTIONS;
			break;
		default:
			section = DWARF_N_SECTIONS;
		}
		if (section < DWARF_N_SECTIONS)
			cut_section(x, row, i, &d->sections[section]);
	}
}

/* ---- Opening ---- */

/* Takes the unit with the skeleton's id, and tells it where its tables are. */
static void adopt(struct dwarf_split *s, const struct dwarf_unit *skeleton)
{
	s->dwarf.code_begin = skeleton->file->code_begin;
	for (size_t i = 0; i < s->dwarf.units.n && !s->unit; i++) {
		struct dwarf_unit *u = &s->dwarf.units.data[i];

		if (u->dwo_id != skeleton->dwo_id)
			continue;
		u->skeleton_file = skeleton->file;
		u->low_pc = skeleton->low_pc;
		u->addresses_base = skeleton->addresses_base;
		u->ranges_base = skeleton->ranges_base;
		s->unit = u;
	}
}

static void open_packed(struct dwarf_split *s,
                        const struct dwarf_unit *skeleton,
                        const struct dwarf_package *package)
{
	struct package_index x;
	uint32_t row;

	if (!package->dwarf.sections[DWARF_INFO].data ||
	    !open_index(&x, package))
		return;
	row = find_row(&x, skeleton->dwo_id);
	if (row == 0)
		return;
	s->dwarf = package->dwarf; /* whose list of units is empty */
	cut_sections(&s->dwarf, &x, row);
	if (dwarf_list_units(&s->dwarf, NULL) == PROF_OK)
		adopt(s, skeleton);
	if (!s->unit)
		dwarf_split_close(s);
}

static bool open_file(struct dwarf_split *s, const struct dwarf_unit *skeleton,
                      const char *path)
{
	if (!map_file(&s->file, path))
		return false;
	if (elf_open(&s->elf, s->file.image, NULL) == PROF_OK &&
	    dwarf_open(&s->dwarf, &s->elf, ".dwo", NULL) == PROF_OK)
		adopt(s, skeleton);
	if (!s->unit)
		dwarf_split_close(s);
	return s->unit != NULL;
}

void dwarf_split_open(struct dwarf_split *s, const struct dwarf_unit *skeleton,
                      const struct dwarf_package *package, const char *path)
{
	const char *name = skeleton->dwo_name, *dir = skeleton->comp_dir;
	const char *slash = path ? strrchr(path, '/') : NULL;
	char full[PATH_MAX];
	int n;

	*s = (struct dwarf_split){ .unit = NULL };
	open_packed(s, skeleton, package);
	if (s->unit || !name)
		return;
	n = snprintf(full, sizeof(full), "%s%s%s",
	             dir && name[0] != '/' ? dir : "",
	             dir && name[0] != '/' ? "/" : "", name);
	if (n > 0 && (size_t)n < sizeof(full) && open_file(s, skeleton, full))
		return;
	/* Moved along with the binary. */
	n = snprintf(full, sizeof(full), "%.*s%s",
	             slash ? (int)(slash - path + 1) : 0, path ? path : "",
	             name);
	if (name[0] != '/' && n > 0 && (size_t)n < sizeof(full))
		(void)open_file(s, skeleton, full);
}

void dwarf_split_close(struct dwarf_split *s)
{
	dwarf_close(&s->dwarf);
	elf_close(&s->elf);
	unmap_file(&s->file);
	*s = (struct dwarf_split){ .unit = NULL };
}
