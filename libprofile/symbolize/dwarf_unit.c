/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

#include "base/error.h"
#include "symbolize/relocate.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * The list of units, and which of them answers for which address: that is
 * read from the first entry of each, a few bytes in a unit of many thousand.
 */

/*
 * Work that a crafted file can ask for before a byte of it is useful: bytes of
 * abbreviations passed to find those of the units, entries of range lists.
 */
#define LISTING_FUEL (UINT64_C(1) << 28)

/* ---- Headers ---- */

/* Reads the header at c; false: the list of units ends here. */
static bool read_header(struct cursor *c, const struct dwarf_file *d,
                        struct dwarf_unit *u)
{
	uint64_t size = cursor_u32(c);

	u->offset_size = 4;
	if (size == 0xffffffff) {
		size = cursor_u64(c);
		u->offset_size = 8;
	} else if (size >= 0xfffffff0) {
		return false;
	}
	if (c->has_failed || size > cursor_left(c))
		return false;
	c->end = c->p + size;
	u->end = (uint64_t)(c->end - d->sections[DWARF_INFO].data);
	u->version = cursor_u16(c);
	u->type = DWARF_UT_COMPILE;
	if (u->version >= 5) {
		u->type = cursor_u8(c);
		u->address_size = cursor_u8(c);
		u->abbrevs_at = cursor_uint(c, u->offset_size);
	} else {
		u->abbrevs_at = cursor_uint(c, u->offset_size);
		u->address_size = cursor_u8(c);
	}
	if (u->type == DWARF_UT_SKELETON || u->type == DWARF_UT_SPLIT_COMPILE)
		u->dwo_id = cursor_u64(c);
	u->first_entry = (uint64_t)(c->p - d->sections[DWARF_INFO].data);
	return true;
}

static bool is_readable(const struct dwarf_unit *u)
{
	return u->version >= 2 && u->version <= 5 &&
	       (u->address_size == 4 || u->address_size == 8) &&
	       (u->type == DWARF_UT_COMPILE || u->type == DWARF_UT_SKELETON ||
	        u->type == DWARF_UT_SPLIT_COMPILE);
}

/* ---- The first entry ---- */

static void skip_attributes(struct cursor *c)
{
	uint64_t name, form;

	do {
		name = cursor_uleb(c);
		form = cursor_uleb(c);
		if (form == DWARF_FORM_IMPLICIT_CONST)
			(void)cursor_sleb(c);
	} while ((name || form) && !c->has_failed);
}

/* Moves c to the attributes of that abbreviation. */
static bool seek_abbrev(struct cursor *c, uint64_t code)
{
	uint64_t found;

	while ((found = cursor_uleb(c)) != 0 && !c->has_failed) {
		(void)cursor_uleb(c); /* tag */
		(void)cursor_u8(c);   /* children */
		if (found == code)
			return !c->has_failed;
		skip_attributes(c);
	}
	return false;
}

/* The values that have to wait for the bases that may follow them. */
struct first_entry {
	struct dwarf_value low_pc, high_pc, ranges, comp_dir, dwo_name;
};

static void take_value(struct dwarf_unit *u, struct first_entry *e,
                       uint64_t name, struct dwarf_value v)
{
	switch (name) {
	case DWARF_AT_LOW_PC:
		e->low_pc = v;
		break;
	case DWARF_AT_HIGH_PC:
		e->high_pc = v;
		break;
	case DWARF_AT_RANGES:
		e->ranges = v;
		break;
	case DWARF_AT_COMP_DIR:
		e->comp_dir = v;
		break;
	case DWARF_AT_DWO_NAME:
	case DWARF_AT_GNU_DWO_NAME:
		e->dwo_name = v;
		break;
	case DWARF_AT_GNU_DWO_ID:
		u->dwo_id = v.n;
		break;
	case DWARF_AT_STMT_LIST:
		u->lines_at = v.n;
		break;
	case DWARF_AT_STR_OFFSETS_BASE:
		u->str_offsets_base = v.n;
		break;
	case DWARF_AT_ADDR_BASE:
	case DWARF_AT_GNU_ADDR_BASE:
		u->addresses_base = v.n;
		break;
	case DWARF_AT_RNGLISTS_BASE:
		u->rnglists_base = v.n;
		break;
	case DWARF_AT_GNU_RANGES_BASE:
		u->ranges_base = v.n;
		break;
	default:
		break;
	}
}

static void settle(struct dwarf_unit *u, const struct first_entry *e)
{
	uint64_t low = dwarf_address(u, &e->low_pc);

	u->comp_dir = dwarf_text(u, &e->comp_dir);
	u->dwo_name = dwarf_text(u, &e->dwo_name);
	u->low_pc = low == DWARF_NONE ? 0 : low;
	if (low != DWARF_NONE && dwarf_is_address(&e->high_pc))
		u->high_pc = dwarf_address(u, &e->high_pc);
	else if (low != DWARF_NONE && e->high_pc.form &&
	         e->high_pc.n < DWARF_NONE - low)
		u->high_pc = low + e->high_pc.n;
	u->ranges_at = dwarf_ranges_at(u, &e->ranges);
}

/* What DWARF 5 says of tables whose base is not told: behind the header. */
static void set_default_bases(struct dwarf_unit *u)
{
	bool is_wide = u->offset_size == 8;

	u->lines_at = u->ranges_at = u->high_pc = DWARF_NONE;
	if (u->version < 5)
		return;
	u->str_offsets_base = is_wide ? 16 : 8;
	u->addresses_base = is_wide ? 16 : 8;
	u->rnglists_base = is_wide ? 20 : 12;
}

/* a: at the attributes of the entry's abbreviation. */
static void read_attributes(struct dwarf_unit *u, struct cursor *c,
                            struct cursor *a)
{
	struct first_entry e = { .low_pc = { 0, 0, NULL } };

	while (!a->has_failed && !c->has_failed) {
		uint64_t name = cursor_uleb(a), form = cursor_uleb(a);
		struct dwarf_attribute attribute = { 0 };

		if (name == 0 && form == 0)
			break;
		attribute.form = form <= UINT16_MAX ? (uint16_t)form : 0;
		if (form == DWARF_FORM_IMPLICIT_CONST)
			attribute.implicit = cursor_sleb(a);
		dwarf_attribute_shape(&attribute, u);
		take_value(u, &e, name, dwarf_read_value(c, u, &attribute));
	}
	if (!c->has_failed)
		settle(u, &e);
}

static void read_first_entry(struct dwarf_unit *u, struct cursor *c,
                             uint64_t *fuel)
{
	struct span s = u->file->sections[DWARF_ABBREV];
	struct cursor a = cursor_at(s.data, s.size, u->abbrevs_at, c->is_big);
	size_t before = cursor_left(&a);
	uint64_t cost;

	set_default_bases(u);
	if (seek_abbrev(&a, cursor_uleb(c)))
		read_attributes(u, c, &a);
	cost = before - cursor_left(&a);
	*fuel -= cost < *fuel ? cost : *fuel;
}

/* ---- The list ---- */

static int compare_offsets(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * A table of abbreviations ends where the next one begins, at the latest:
 * so units cannot each have the same bytes read as another table.
 */
static bool end_tables(struct dwarf_file *d)
{
	size_t n = d->units.n;
	uint64_t *begins = mem_zeroed(&mem_malloc, n, sizeof(*begins));
	bool is_sorted = true;

	if (!begins)
		return n == 0;
	for (size_t i = 0; i < n; i++) {
		begins[i] = d->units.data[i].abbrevs_at;
		is_sorted &= i == 0 || begins[i] >= begins[i - 1];
	}
	if (!is_sorted)
		qsort(begins, n, sizeof(*begins), compare_offsets);
	for (size_t i = 0; i < n; i++) {
		struct dwarf_unit *u = &d->units.data[i];
		size_t next = u->abbrevs_at == UINT64_MAX
		                      ? n
		                      : first_at(begins, n, u->abbrevs_at + 1);

		u->abbrevs_end = next < n ? begins[next] : UINT64_MAX;
	}
	mem_free(&mem_malloc, begins, n * sizeof(*begins));
	return true;
}

enum prof_status dwarf_list_units(struct dwarf_file *d, struct prof_error *err)
{
	struct span info = d->sections[DWARF_INFO];
	uint64_t at = 0, fuel = LISTING_FUEL;

	while (at < info.size && fuel > 0) {
		struct cursor c = cursor_at(info.data, info.size, at,
		                            d->is_big);
		struct dwarf_unit u = { .file = d, .skeleton_file = d,
			                .offset = at };

		if (!read_header(&c, d, &u))
			break;
		at = u.end;
		if (!is_readable(&u) || c.has_failed)
			continue;
		read_first_entry(&u, &c, &fuel);
		if (!vec_reserve(&d->units, 1, &mem_malloc))
			return error_nomem(err);
		vec_put(&d->units, u);
	}
	return end_tables(d) ? PROF_OK : error_nomem(err);
}

static const char *const section_names[DWARF_N_SECTIONS] = {
	[DWARF_INFO] = "info",
	[DWARF_ABBREV] = "abbrev",
	[DWARF_STR] = "str",
	[DWARF_LINE_STR] = "line_str",
	[DWARF_STR_OFFSETS] = "str_offsets",
	[DWARF_LINE] = "line",
	[DWARF_ADDR] = "addr",
	[DWARF_RANGES] = "ranges",
	[DWARF_RNGLISTS] = "rnglists",
};

static struct span debug_section(const struct elf *elf, const char *name,
                                 const char *suffix)
{
	struct elf_section *s;
	char full[64];

	snprintf(full, sizeof(full), ".debug_%s%s", name, suffix);
	s = elf_find(elf, full);
	if (!s) {
		snprintf(full, sizeof(full), ".zdebug_%s%s", name, suffix);
		s = elf_find(elf, full);
	}
	if (!s)
		return (struct span){ NULL, 0 };
	elf_relocate(elf, s);
	return elf_content(elf, s);
}

bool dwarf_open_sections(struct dwarf_file *d, const struct elf *elf,
                         const char *suffix)
{
	*d = (struct dwarf_file){ .is_big = elf->is_big,
		                  .code_begin = elf->code_begin };
	for (int i = 0; i < DWARF_N_SECTIONS; i++)
		d->sections[i] = debug_section(elf, section_names[i], suffix);
	d->sections[DWARF_STR] = span_of_strings(d->sections[DWARF_STR]);
	d->sections[DWARF_LINE_STR] =
		span_of_strings(d->sections[DWARF_LINE_STR]);
	return d->sections[DWARF_INFO].data != NULL;
}

enum prof_status dwarf_open(struct dwarf_file *d, const struct elf *elf,
                            const char *suffix, struct prof_error *err)
{
	return dwarf_open_sections(d, elf, suffix) ? dwarf_list_units(d, err)
	                                           : PROF_OK;
}

void dwarf_close(struct dwarf_file *d)
{
	vec_release(&d->units, &mem_malloc);
}

const struct dwarf_unit *dwarf_unit_at(const struct dwarf_file *d,
                                       uint64_t offset)
{
	size_t low = 0, high = d->units.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dwarf_unit *u = &d->units.data[middle];

		if (offset < u->offset)
			high = middle;
		else if (offset >= u->end)
			low = middle + 1;
		else
			return u;
	}
	return NULL;
}

/* ---- Who answers ---- */

struct claim {
	const uint64_t *addresses;
	size_t n;
	uint32_t *owners;
	uint64_t fuel;
};

/* Addresses that have an owner cost fuel too: ranges can be told again. */
static void claim_range(struct claim *c, uint64_t begin, uint64_t end,
                        uint32_t owner)
{
	size_t i = first_at(c->addresses, c->n, begin);

	for (; i < c->n && c->addresses[i] < end && c->fuel > 0; i++) {
		c->fuel--;
		if (c->owners[i] == UINT32_MAX)
			c->owners[i] = owner;
	}
}

static void claim_unit(struct claim *c, const struct dwarf_unit *u,
                       uint32_t owner)
{
	uint64_t code_begin = u->file->code_begin;
	struct dwarf_ranges r;
	uint64_t begin, end;

	if (u->ranges_at == DWARF_NONE) {
		if (u->high_pc != DWARF_NONE && u->low_pc >= code_begin)
			claim_range(c, u->low_pc, u->high_pc, owner);
		return;
	}
	r = dwarf_ranges_begin(u, u->ranges_at, c->fuel);
	while (dwarf_ranges_next(&r, &begin, &end)) {
		c->fuel = r.fuel;
		if (begin >= code_begin)
			claim_range(c, begin, end, owner);
		r.fuel = c->fuel;
	}
	c->fuel = r.fuel;
}

void dwarf_claim(const struct dwarf_file *d, const uint64_t *addresses,
                 size_t n, uint32_t *owners)
{
	struct claim c = { addresses, n, owners, LISTING_FUEL };

	for (size_t i = 0; i < n; i++)
		owners[i] = UINT32_MAX;
	for (size_t i = 0; i < d->units.n && i < UINT32_MAX; i++)
		claim_unit(&c, &d->units.data[i], (uint32_t)i);
}

/* ---- What they may cost ---- */

#define BUDGET_BASE ((uint64_t)32 << 20)
#define BUDGET_FACTOR 8

struct dwarf_budget dwarf_budget_of(const struct dwarf_file *d)
{
	return (struct dwarf_budget){
		BUDGET_BASE + BUDGET_FACTOR * d->sections[DWARF_LINE].size,
		BUDGET_BASE + BUDGET_FACTOR * d->sections[DWARF_ABBREV].size,
		DWARF_NONE
	};
}

void dwarf_budget_take(struct dwarf_budget *b, struct dwarf_unit *u)
{
	uint64_t lines = dwarf_line_size(u), abbrevs = 0;
	uint64_t end = u->file->sections[DWARF_ABBREV].size;

	if (u->abbrevs_end < end)
		end = u->abbrevs_end;
	if (u->abbrevs_at != b->last_abbrevs && u->abbrevs_at < end)
		abbrevs = end - u->abbrevs_at;
	b->last_abbrevs = u->abbrevs_at;
	if (lines > b->lines)
		u->lines_at = DWARF_NONE;
	else
		b->lines -= lines;
	if (abbrevs > b->abbrevs)
		u->abbrevs_at = DWARF_NONE;
	else
		b->abbrevs -= abbrevs;
}
