/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/object.h"

#include "symbolize/gopclntab.h"
#include "symbolize/unpack.h"

/* ---- Symbols ---- */

/* The symbols that a distribution leaves in a stripped file, packed. */
static void add_packed_symbols(struct object *o)
{
	struct span packed = elf_content_of(&o->files.main, ".gnu_debugdata");

	if (!packed.data)
		return;
	o->packed_symbols = unpack_xz(packed);
	if (elf_open(&o->packed, o->packed_symbols, NULL) == PROF_OK)
		o->has_symbols |= symbols_of_elf(&o->symbols, &o->packed) > 0;
}

static void find_symbols(struct object *o)
{
	const struct elf *debug = found_debug(&o->files);

	symbols_of_plt(&o->symbols, &o->files.main);
	o->has_symbols = symbols_of_elf(&o->symbols, &o->files.main) > 0;
	if (debug != &o->files.main)
		o->has_symbols |= symbols_of_elf(&o->symbols, debug) > 0;
	add_packed_symbols(o);
	symbol_search_settle(&o->symbols);
}

/* ---- Who answers ---- */

/*
 * Units that do not say where all of their code is are asked for what is left:
 * those without any range, and those of DWARF 2, which can name only one.
 */
#define ASKING_FUEL (UINT64_C(1) << 28)

struct leftovers {
	VEC(uint64_t) addresses;
	VEC(uint32_t) indexes;
};

static bool gather_leftovers(const struct object *o, const uint32_t *owners,
                             struct leftovers *l)
{
	l->addresses.n = l->indexes.n = 0;
	if (!vec_reserve(&l->addresses, o->n, &mem_malloc) ||
	    !vec_reserve(&l->indexes, o->n, &mem_malloc))
		return false;
	for (size_t i = 0; i < o->n; i++) {
		if (owners[i] != UINT32_MAX)
			continue;
		vec_put(&l->addresses, o->addresses[i]);
		vec_put(&l->indexes, (uint32_t)i);
	}
	return true;
}

static bool is_silent(const struct dwarf_unit *u)
{
	return u->ranges_at == DWARF_NONE &&
	       (u->high_pc == DWARF_NONE || u->version == 2) &&
	       u->lines_at != DWARF_NONE && !dwarf_is_split(u);
}

static bool ask_unit(struct object *o, uint32_t unit, struct dwarf_worker *w,
                     struct leftovers *l, uint32_t *owners)
{
	struct frame_set s;
	bool ok;

	if (!frame_set_begin(&s))
		return false;
	ok = dwarf_look_up(w, &o->dwarf.units.data[unit], NULL,
	                   l->addresses.data, l->addresses.n, &s) == PROF_OK;
	for (size_t i = 0; ok && i < s.chains.n; i++)
		if (s.chains.data[i].n > 0)
			owners[l->indexes.data[i]] = unit;
	if (ok && s.frames.n > 0)
		ok = gather_leftovers(o, owners, l);
	frame_set_release(&s);
	return ok;
}

static bool ask_silent_units(struct object *o, uint32_t *owners)
{
	struct leftovers l = { { NULL, 0, 0 }, { NULL, 0, 0 } };
	struct dwarf_worker *w = dwarf_worker_new();
	bool ok = w && gather_leftovers(o, owners, &l);
	uint64_t fuel = ASKING_FUEL;

	for (size_t i = 0; ok && i < o->dwarf.units.n; i++) {
		const struct dwarf_unit *u = &o->dwarf.units.data[i];
		uint64_t cost = u->end - u->offset + 16 * l.addresses.n +
		                dwarf_line_size(u);

		if (l.addresses.n == 0 || cost > fuel)
			break;
		if (!is_silent(u))
			continue;
		fuel -= cost;
		ok = ask_unit(o, (uint32_t)i, w, &l, owners);
	}
	vec_release(&l.addresses, &mem_malloc);
	vec_release(&l.indexes, &mem_malloc);
	dwarf_worker_free(w);
	return ok;
}

/* ---- Settling ---- */

/* symbol: NULL where there is none to be used. */
static bool settle_chain(const struct object *o, struct frame_set *s, size_t i,
                         const struct symbol *symbol)
{
	struct frame_symbol name = { { NULL, 0 }, false };
	struct chain *c = &s->chains.data[i];

	if (symbol)
		name = (struct frame_symbol){ symbol->name, symbol->is_plt };

	if (o->no_inlines && c->n > 1)
		*c = (struct chain){ c->first + c->n - 1, 1 };
	return frame_set_settle(s, *c, name);
}

/* A frame that has nothing but the symbol of address i. */
static bool put_bare(struct object *o, size_t i)
{
	struct frame_set *s = &o->bare;
	struct chain chain = { (uint32_t)s->frames.n, 1 };
	size_t last;

	if ((s->functions.n == 0 && !frame_set_begin(s)) ||
	    !vec_reserve(&s->frames, 1, &mem_malloc) ||
	    !vec_reserve(&s->chains, 1, &mem_malloc))
		return false;
	vec_put(&s->frames, (struct frame){ 0, 0, 0, 0 });
	vec_put(&s->chains, chain);
	last = s->chains.n - 1;
	o->answers[i] = (struct object_answer){ OBJECT_SYMBOL_SET,
		                                (uint32_t)last };
	return settle_chain(o, s, last, &o->symbols.found[i]);
}

enum prof_status object_settle(struct object *o)
{
	const struct frame_set *s;

	for (size_t i = 0; o->answers && i < o->n; i++)
		if (o->symbols.found[i].name.ptr &&
		    object_chain(o, i, &s).n == 0 && !put_bare(o, i))
			return PROF_NOMEM;
	return PROF_OK;
}

struct frame_set *object_set(struct object *o, size_t i)
{
	return i < o->units.n        ? &o->units.data[i].frames
	       : i == o->units.n     ? &o->go
	       : i == o->units.n + 1 ? &o->bare
	                             : NULL;
}

/* ---- Units ---- */

/* One row of o->units for each unit that owns an address. */
static bool add_units(struct object *o, const uint32_t *owners,
                      uint32_t *numbers)
{
	struct dwarf_budget budget = dwarf_budget_of(&o->dwarf);
	size_t n = o->dwarf.units.n, at = 0;

	if (!vec_reserve(&o->unit_addresses, o->n, &mem_malloc) ||
	    !vec_reserve(&o->unit_indexes, o->n, &mem_malloc))
		return false;
	for (size_t i = 0; i < o->n; i++)
		if (owners[i] != UINT32_MAX)
			numbers[owners[i]]++;
	for (size_t u = 0; u < n; u++) {
		struct object_unit unit = { .unit = &o->dwarf.units.data[u] };

		if (numbers[u] == 0)
			continue;
		dwarf_budget_take(&budget, &o->dwarf.units.data[u]);
		unit.first = at;
		at += numbers[u];
		numbers[u] = (uint32_t)o->units.n;
		if (!vec_reserve(&o->units, 1, &mem_malloc))
			return false;
		vec_put(&o->units, unit);
	}
	return true;
}

static void deal_addresses(struct object *o, const uint32_t *owners,
                           const uint32_t *numbers)
{
	for (size_t i = 0; i < o->n; i++) {
		struct object_unit *u;
		uint32_t number;

		if (owners[i] == UINT32_MAX)
			continue;
		number = numbers[owners[i]];
		u = &o->units.data[number];
		o->answers[i] = (struct object_answer){ number,
			                                (uint32_t)u->n };
		o->unit_addresses.data[u->first + u->n] = o->addresses[i];
		o->unit_indexes.data[u->first + u->n++] = (uint32_t)i;
	}
}

static bool plan_units(struct object *o)
{
	size_t n_units = o->dwarf.units.n;
	uint32_t *owners = mem_zeroed(&mem_malloc, o->n, sizeof(*owners));
	uint32_t *numbers = mem_zeroed(&mem_malloc, n_units, sizeof(*numbers));
	bool ok = owners && numbers;

	if (ok) {
		dwarf_claim(&o->dwarf, o->addresses, o->n, owners);
		for (size_t i = 0; i < o->n; i++)
			if (o->answers[i].set != OBJECT_NO_SET)
				owners[i] = UINT32_MAX; /* Go's */
		ok = ask_silent_units(o, owners) &&
		     add_units(o, owners, numbers);
	}
	if (ok)
		deal_addresses(o, owners, numbers);
	mem_free(&mem_malloc, owners, o->n * sizeof(*owners));
	mem_free(&mem_malloc, numbers, n_units * sizeof(*numbers));
	return ok;
}

static enum prof_status open_dwarf(struct object *o)
{
	enum prof_status status =
		dwarf_open(&o->dwarf, found_debug(&o->files), "", NULL);

	if (status == PROF_OK && o->files.alt.image.data) {
		status = dwarf_open(&o->alt, &o->files.alt, "", NULL);
		o->dwarf.alt = &o->alt;
	}
	o->has_debug_info = o->dwarf.units.n > 0;
	if (o->has_debug_info && o->files.main_file.path)
		dwarf_package_open(&o->package, o->files.main_file.path);
	return status;
}

/* Go's own table knows Go's functions best; DWARF has the C ones beside. */
static bool plan_go(struct object *o)
{
	enum prof_status status =
		gopclntab_look_up(&o->files.main, o->addresses, o->n, &o->go);

	if (status != PROF_OK)
		return status != PROF_NOMEM;
	o->has_go = true;
	for (size_t i = 0; i < o->n; i++) {
		if (o->go.chains.data[i].n == 0)
			continue;
		o->answers[i] = (struct object_answer){ OBJECT_GO_SET,
			                                (uint32_t)i };
		if (!settle_chain(o, &o->go, i, NULL))
			return false;
	}
	return true;
}

bool object_begin(struct object *o)
{
	if (o->n == 0)
		return true;
	o->answers = mem_zeroed(&mem_malloc, o->n, sizeof(*o->answers));
	if (!o->answers || !symbol_search_begin(&o->symbols, o->addresses,
	                                        o->n))
		return false;
	for (size_t i = 0; i < o->n; i++)
		o->answers[i].set = OBJECT_NO_SET;
	return true;
}

enum prof_status object_plan(struct object *o)
{
	if (o->n == 0)
		return PROF_OK;
	if (!object_begin(o))
		return PROF_NOMEM;
	if (o->go_only)
		return plan_go(o) ? PROF_OK : PROF_NOMEM;
	find_symbols(o);
	if (!plan_go(o) || open_dwarf(o) != PROF_OK ||
	    (o->dwarf.units.n && !plan_units(o)))
		return PROF_NOMEM;
	return PROF_OK;
}

static enum prof_status run_unit(struct object *o, struct object_unit *u,
                                 struct dwarf_worker *w)
{
	const uint64_t *addresses = o->unit_addresses.data + u->first;
	const uint32_t *indexes = o->unit_indexes.data + u->first;
	enum prof_status status = PROF_NOMEM;

	if (frame_set_begin(&u->frames))
		status = dwarf_look_up(w, u->unit, u->split.unit, addresses,
		                       u->n, &u->frames);
	for (size_t i = 0; status == PROF_OK && i < u->frames.chains.n; i++)
		if (!settle_chain(o, &u->frames, i,
		                  &o->symbols.found[indexes[i]]))
			status = PROF_NOMEM;
	return status;
}

void object_run(struct object *o, size_t i, struct dwarf_worker *w)
{
	struct object_unit *u = &o->units.data[i];

	if (dwarf_is_split(u->unit))
		dwarf_split_open(&u->split, u->unit, &o->package,
		                 o->files.main_file.path);
	u->status = run_unit(o, u, w);
}

struct chain object_chain(const struct object *o, size_t i,
                          const struct frame_set **set)
{
	struct object_answer a = { OBJECT_NO_SET, 0 };

	*set = NULL;
	if (o->answers)
		a = o->answers[i];
	if (a.set == OBJECT_GO_SET)
		*set = &o->go;
	else if (a.set == OBJECT_SYMBOL_SET)
		*set = &o->bare;
	else if (a.set != OBJECT_NO_SET)
		*set = &o->units.data[a.set].frames;
	if (!*set || a.index >= (*set)->chains.n)
		return (struct chain){ 0, 0 };
	return (*set)->chains.data[a.index];
}

void object_release(struct object *o)
{
	for (size_t i = 0; i < o->units.n; i++) {
		frame_set_release(&o->units.data[i].frames);
		dwarf_split_close(&o->units.data[i].split);
	}
	vec_release(&o->units, &mem_malloc);
	vec_release(&o->unit_addresses, &mem_malloc);
	vec_release(&o->unit_indexes, &mem_malloc);
	frame_set_release(&o->go);
	frame_set_release(&o->bare);
	mem_free(&mem_malloc, o->answers, o->n * sizeof(*o->answers));
	if (o->symbols.found)
		symbol_search_release(&o->symbols);
	elf_close(&o->packed);
	mem_free(&mem_malloc, (void *)(uintptr_t)o->packed_symbols.data,
	         o->packed_symbols.size);
	dwarf_close(&o->dwarf);
	dwarf_close(&o->alt);
	dwarf_package_close(&o->package);
	found_files_release(&o->files);
}
