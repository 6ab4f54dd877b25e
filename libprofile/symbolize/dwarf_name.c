/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

/*
 * What entries are called: an inlined call and the code of a function refer
 * to the abstract function, that to its declaration, and any of them may have
 * a part of what is wanted.
 */

/* Chains of abstract origins and specifications are two or three long. */
#define MAX_HOPS 16

/*
 * What may be read for the names of a unit: most of its entries are read once
 * or not at all, but a crafted file can refer to a long one again and again.
 */
#define FUEL_BASE 65536
#define FUEL_FACTOR 16

/* An entry somewhere, and what it needs to be read. */
struct name_search {
	struct dwarf_abbrev_cache *abbrevs;
	uint64_t *fuel;
	const struct dwarf_unit *unit;
	uint64_t entry;
	struct frame_function found;
};

static void take_name(struct name_search *n, const struct dwarf_attribute *at,
                      const struct dwarf_value *v)
{
	switch (at->name) {
	case DWARF_AT_NAME:
		if (!n->found.name)
			n->found.name = dwarf_text(n->unit, v);
		break;
	case DWARF_AT_LINKAGE_NAME:
	case DWARF_AT_MIPS_LINKAGE_NAME:
		if (!n->found.system_name)
			n->found.system_name = dwarf_text(n->unit, v);
		break;
	case DWARF_AT_DECL_LINE:
		if (!n->found.start_line)
			n->found.start_line = (uint32_t)v->n;
		break;
	default:
		break;
	}
}

/* Moves on to the entry that a value refers to. */
static bool follow(struct name_search *n, const struct dwarf_value *to)
{
	const struct dwarf_unit *u = n->unit;
	const struct dwarf_file *file;

	n->entry = dwarf_reference(u, to, &file);
	if (n->entry == DWARF_NONE)
		return false;
	if (file != u->file || n->entry < u->first_entry || n->entry >= u->end)
		n->unit = dwarf_unit_at(file, n->entry);
	return n->unit && n->entry >= n->unit->first_entry;
}

/* Pays for n things that were read; false: too much was. */
static bool burn(struct name_search *n, uint64_t cost)
{
	bool ok = *n->fuel >= cost;

	*n->fuel -= ok ? cost : *n->fuel;
	return ok;
}

/* Reads the names of an entry; false: there is no further one to look at. */
static bool read_names(struct name_search *n)
{
	const struct dwarf_unit *u = n->unit;
	const struct dwarf_abbrevs *t = dwarf_get_abbrevs(n->abbrevs, u);
	struct span info = u->file->sections[DWARF_INFO];
	struct cursor c = cursor_at(info.data, (size_t)u->end, n->entry,
	                            u->file->is_big);
	const struct dwarf_abbrev *a =
		t ? dwarf_find_abbrev(t, cursor_uleb(&c)) : NULL;
	struct dwarf_value next = { 0, 0, NULL };

	if (!a || !burn(n, a->n_attributes))
		return false;
	for (uint32_t i = 0; i < a->n_attributes; i++) {
		const struct dwarf_attribute *at =
			&t->attributes.data[a->first_attribute + i];
		struct dwarf_value v;

		if (!at->is_name) {
			dwarf_skip(&c, u, at);
			continue;
		}
		dwarf_read(&v, &c, u, at);
		if (at->name == DWARF_AT_ABSTRACT_ORIGIN ||
		    at->name == DWARF_AT_SPECIFICATION)
			next = v;
		else
			take_name(n, at, &v);
	}
	return burn(n, (uint64_t)(c.p - info.data) - n->entry) &&
	       !c.has_failed && next.form && follow(n, &next);
}

/* ---- What is known already ---- */

static struct dwarf_known *find_known(struct dwarf_names *names,
                                      const struct dwarf_file *file,
                                      uint64_t entry)
{
	size_t mask = names->known.capacity - 1;
	size_t i = (size_t)((entry * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	           mask;
	struct dwarf_known *k;

	for (;; i = (i + 1) & mask) {
		k = &names->known.data[i];
		if (k->turn != names->turn ||
		    (k->entry == entry && k->file == file))
			return k;
	}
}

/* Room for one more of them, at most half full. */
static bool grow_known(struct dwarf_names *names)
{
	struct dwarf_known *old = names->known.data;
	size_t n = names->known.capacity;
	size_t new_n = n ? 2 * n : 1024;

	if (n && names->known.n < n / 2)
		return true;
	names->known.data = mem_zeroed(&mem_malloc, new_n, sizeof(*old));
	if (!names->known.data) {
		names->known.data = old;
		return false;
	}
	names->known.capacity = new_n;
	for (size_t i = 0; i < n; i++)
		if (old[i].turn == names->turn)
			*find_known(names, old[i].file, old[i].entry) = old[i];
	mem_free(&mem_malloc, old, n * sizeof(*old));
	return true;
}

void dwarf_names_begin(struct dwarf_names *names, const struct dwarf_unit *u)
{
	names->fuel = FUEL_BASE + FUEL_FACTOR * (u->end - u->offset);
	names->known.n = 0;
	names->turn++;
}

void dwarf_names_release(struct dwarf_names *names)
{
	vec_release(&names->known, &mem_malloc);
}

uint32_t dwarf_function(struct dwarf_names *names,
                        struct dwarf_abbrev_cache *abbrevs,
                        const struct dwarf_unit *u, uint64_t entry,
                        bool is_origin, struct frame_set *out)
{
	struct name_search n = { .abbrevs = abbrevs, .fuel = &names->fuel,
		                 .unit = u, .entry = entry };
	bool more = is_origin || read_names(&n);
	struct dwarf_known *k = NULL;
	uint32_t id;

	if (!grow_known(names))
		return 0;
	if (more && !n.found.name && !n.found.system_name &&
	    !n.found.start_line) {
		k = find_known(names, n.unit->file, n.entry);
		if (k->turn == names->turn)
			return k->id;
		*k = (struct dwarf_known){ n.entry, n.unit->file, 0,
			                   names->turn };
		names->known.n++;
	}
	for (int hops = 0; more && hops < MAX_HOPS; hops++)
		more = read_names(&n);
	id = frame_set_add_function(out, &n.found);
	if (k)
		k->id = id;
	return id;
}
