/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

/*
 * The scan of a unit's entries. Each entry that is code and has an address
 * becomes a `place`; each address keeps a list of the places it was found in,
 * innermost first. Because entries come in the order parent, children, what
 * was found at the same or a greater depth is left again when a sibling has
 * the address too; a subprogram begins anew. Names are resolved at the end,
 * for the places that are still on a list.
 */

#define NO_HIT UINT32_MAX

/* An entry that has some of the addresses. */
struct place {
	uint64_t entry;    /* its offset in .debug_info, or its origin's */
	bool is_origin;
	bool is_inlined;
	uint32_t depth;
	uint32_t call_file, call_line, call_column;
	uint32_t function; /* in the frame_set, once it is resolved; 0: not */
};

/* An address in a place, and in the place around that. */
struct hit {
	uint32_t place, outer; /* NO_HIT: the outermost */
};

/*
 * The addresses by their upper bits: of those with (address - first) >> shift
 * = b, the first is number starts[b]. About one of them has each b.
 */
struct address_index {
	const uint64_t *addresses;
	size_t n;
	unsigned shift;
	VEC(uint32_t) starts;
};

struct dwarf_worker {
	struct dwarf_abbrev_cache abbrevs;
	struct dwarf_line_table lines;
	struct dwarf_names names;
	struct address_index index;
	VEC(struct place) places;
	VEC(struct hit) hits;
	VEC(uint32_t) innermost; /* hit of each address */
	VEC(struct dwarf_row) rows;
};

struct dwarf_worker *dwarf_worker_new(void)
{
	return mem_zeroed(&mem_malloc, 1, sizeof(struct dwarf_worker));
}

void dwarf_worker_free(struct dwarf_worker *w)
{
	if (!w)
		return;
	dwarf_abbrev_cache_release(&w->abbrevs);
	dwarf_line_release(&w->lines);
	dwarf_names_release(&w->names);
	vec_release(&w->index.starts, &mem_malloc);
	vec_release(&w->places, &mem_malloc);
	vec_release(&w->hits, &mem_malloc);
	vec_release(&w->innermost, &mem_malloc);
	vec_release(&w->rows, &mem_malloc);
	mem_free(&mem_malloc, w, sizeof(*w));
}

/* ---- Which addresses are in a range ---- */

static bool index_addresses(struct address_index *x, const uint64_t *addresses,
                            size_t n)
{
	uint64_t first = addresses[0], span = addresses[n - 1] - first;
	size_t n_starts = 1;

	x->addresses = addresses;
	x->n = n;
	x->shift = 0;
	x->starts.n = 0;
	while (n_starts < n)
		n_starts *= 2;
	while (span >> x->shift >= n_starts)
		x->shift++;
	if (!vec_reserve(&x->starts, n_starts + 1, &mem_malloc))
		return false;
	for (size_t i = 0; i < n; i++)
		while (x->starts.n <= (addresses[i] - first) >> x->shift)
			vec_put(&x->starts, (uint32_t)i);
	while (x->starts.n <= n_starts)
		vec_put(&x->starts, (uint32_t)n);
	return true;
}

/* The first address that is not below `begin`, which the last is not. */
static size_t seek_address(const struct address_index *x, uint64_t begin)
{
	uint64_t first = x->addresses[0], slot;
	uint32_t i, end;

	if (begin <= first)
		return 0;
	slot = (begin - first) >> x->shift;
	i = x->starts.data[slot];
	end = x->starts.data[slot + 1];
	return i + first_at(x->addresses + i, end - i, begin);
}

/* ---- Scan ---- */

struct scan {
	struct dwarf_worker *w;
	const struct dwarf_unit *unit;
	const struct dwarf_abbrevs *abbrevs;
	const uint64_t *addresses;
	size_t n;
	size_t max_hits; /* what a crafted file may make us keep */
	uint64_t fuel;   /* entries of range lists */
	bool has_no_memory;
};

/* An entry that is code. */
struct code_entry {
	struct dwarf_value values[DWARF_N_SLOTS];
	const struct dwarf_abbrev *abbrev;
	uint64_t entry;
	uint32_t depth;
	uint32_t place; /* NO_HIT: it has no address yet */
};

static struct place place_of(const struct scan *s, const struct code_entry *e)
{
	const struct dwarf_value *v = e->values;
	const struct dwarf_unit *u = s->unit;
	const struct dwarf_file *file;
	struct place p = {
		.entry = e->entry,
		.is_inlined = e->abbrev->tag != DWARF_TAG_SUBPROGRAM,
		.depth = e->depth,
		.call_file = (uint32_t)v[DWARF_SLOT_CALL_FILE].n,
		.call_line = (uint32_t)v[DWARF_SLOT_CALL_LINE].n,
		.call_column = (uint32_t)v[DWARF_SLOT_CALL_COLUMN].n
	};
	uint64_t origin;

	if (!e->abbrev->is_nameless || !v[DWARF_SLOT_ORIGIN].form)
		return p;
	origin = dwarf_reference(u, &v[DWARF_SLOT_ORIGIN], &file);
	if (file == u->file && origin >= u->first_entry && origin < u->end) {
		p.entry = origin;
		p.is_origin = true;
	}
	return p;
}

/* Adds the entry's place when its first address is found. */
static bool add_place(struct scan *s, struct code_entry *e)
{
	struct dwarf_worker *w = s->w;

	if (e->place != NO_HIT)
		return true;
	if (w->places.n >= NO_HIT || !vec_reserve(&w->places, 1, &mem_malloc)) {
		s->has_no_memory = true;
		return false;
	}
	e->place = (uint32_t)w->places.n;
	vec_put(&w->places, place_of(s, e));
	return true;
}

static void hit_address(struct dwarf_worker *w, const struct code_entry *e,
                        size_t i)
{
	uint32_t outer = w->innermost.data[i];

	if (!w->places.data[e->place].is_inlined)
		outer = NO_HIT;
	while (outer != NO_HIT &&
	       w->places.data[w->hits.data[outer].place].depth >= e->depth)
		outer = w->hits.data[outer].outer;
	vec_put(&w->hits, (struct hit){ e->place, outer });
	w->innermost.data[i] = (uint32_t)(w->hits.n - 1);
}

/* False: the entries ask for more than is reasonable. */
static bool hit_range(struct scan *s, struct code_entry *e, uint64_t begin,
                      uint64_t end)
{
	struct dwarf_worker *w = s->w;
	size_t i, last;

	if (begin >= end || begin < s->unit->file->code_begin ||
	    begin > s->addresses[s->n - 1] || end <= s->addresses[0])
		return true;
	i = seek_address(&w->index, begin);
	for (last = i; last < s->n && s->addresses[last] < end; last++)
		;
	if (last == i)
		return true;
	if (last - i > s->max_hits - w->hits.n || !add_place(s, e))
		return false;
	if (!vec_reserve(&w->hits, last - i, &mem_malloc)) {
		s->has_no_memory = true;
		return false;
	}
	for (; i < last; i++)
		hit_address(w, e, i);
	return true;
}

static bool hit_entry(struct scan *s, struct code_entry *e)
{
	const struct dwarf_unit *u = s->unit;
	const struct dwarf_value *low = &e->values[DWARF_SLOT_LOW_PC];
	const struct dwarf_value *high = &e->values[DWARF_SLOT_HIGH_PC];
	const struct dwarf_value *ranges = &e->values[DWARF_SLOT_RANGES];
	uint64_t begin, end;

	if (ranges->form) {
		struct dwarf_ranges r = dwarf_ranges_begin(
			u, dwarf_ranges_at(u, ranges), s->fuel);
		bool ok = true;

		while (ok && dwarf_ranges_next(&r, &begin, &end))
			ok = hit_range(s, e, begin, end);
		s->fuel = r.fuel;
		return ok && s->fuel > 0;
	}
	begin = dwarf_address(u, low);
	if (begin == DWARF_NONE || !high->form)
		return true;
	end = dwarf_is_address(high) ? dwarf_address(u, high)
	                             : begin + high->n;
	return hit_range(s, e, begin, end);
}

/* Decodes an entry that is code; c stands behind its code. */
static bool read_code_entry(struct scan *s, const struct dwarf_abbrev *a,
                            struct cursor *c, uint64_t entry, uint32_t depth)
{
	const struct dwarf_place *at = &s->abbrevs->places.data[a->first_place];
	const struct dwarf_place *end = at + a->n_places;
	struct code_entry e;

	e.abbrev = a;
	e.entry = entry;
	e.depth = depth;
	e.place = NO_HIT;
	for (int i = 0; i < DWARF_N_SLOTS; i++) {
		e.values[i].form = 0;
		e.values[i].n = 0;
	}
	for (; at < end; at++) {
		cursor_skip(c, at->skip);
		if (at->slot < DWARF_N_SLOTS)
			dwarf_read(&e.values[at->slot], c, s->unit,
			           &at->attribute);
		else
			dwarf_skip(c, s->unit, &at->attribute);
	}
	return !c->has_failed && hit_entry(s, &e);
}

/* Steps on behind the first part of fixed size. */
static void step_over(const struct scan *s, const struct dwarf_abbrev *a,
                      struct cursor *c)
{
	const struct dwarf_step *step = &s->abbrevs->steps.data[a->first_step];

	while (step->then != DWARF_FIXED) {
		dwarf_skip_value(c, s->unit, step->then);
		step++;
		cursor_skip(c, step->size);
	}
}

/* Goes on behind the children of a declaration, where it says where that is.
   attributes: of the declaration; c stands behind them. */
static bool skip_children(const struct scan *s, const struct dwarf_outline *o,
                          const unsigned char *attributes, struct cursor *c)
{
	const struct dwarf_unit *u = s->unit;
	const unsigned char *begin = u->file->sections[DWARF_INFO].data;
	struct cursor at = { attributes + o->sibling_at, c->end, c->is_big,
		             false };
	uint64_t sibling = cursor_uint(&at, o->sibling_size);

	if (sibling > u->end - u->offset ||
	    sibling + u->offset < (uint64_t)(c->p - begin))
		return false;
	c->p = begin + u->offset + sibling;
	return true;
}

static inline uint64_t read_code(struct cursor *c)
{
	const unsigned char *p = c->p;

	if (p[0] < 0x80) {
		c->p += 1;
		return p[0];
	}
	if (c->end - p > 1 && p[1] < 0x80) {
		c->p += 2;
		return (uint64_t)p[1] << 7 | (p[0] & 0x7f);
	}
	return cursor_uleb(c);
}

/* The abbreviation of a code that is not among the dense ones. */
static const struct dwarf_outline *search_outline(const struct scan *s,
                                                  uint64_t code)
{
	const struct dwarf_abbrev *a = dwarf_search_abbrev(s->abbrevs, code);

	return a ? &s->abbrevs->outlines.data[a->outline] : NULL;
}

static void scan_entries(struct scan *s)
{
	const struct dwarf_unit *u = s->unit;
	const struct dwarf_abbrevs *t = s->abbrevs;
	struct span info = u->file->sections[DWARF_INFO];
	struct cursor c = cursor_at(info.data, (size_t)u->end, u->first_entry,
	                            u->file->is_big);
	size_t n_dense = t->is_dense ? t->outlines.n : 0;
	uint32_t depth = 0;

	while (c.p < c.end) {
		uint64_t entry = (uint64_t)(c.p - info.data);
		uint64_t code = read_code(&c);
		const unsigned char *attributes = c.p;
		const struct dwarf_outline *o;

		if (code == 0) {
			depth -= depth > 0;
			continue;
		}
		o = code - 1 < n_dense ? &t->outlines.data[code - 1]
		                       : search_outline(s, code);
		if (!o)
			return;
		if (o->is_code) {
			if (!read_code_entry(s, dwarf_find_abbrev(t, code), &c,
			                     entry, depth))
				return;
		} else {
			cursor_skip(&c, o->size);
			if (o->then != DWARF_FIXED)
				step_over(s, dwarf_find_abbrev(t, code), &c);
			else if (o->sibling_size && !c.has_failed &&
			         skip_children(s, o, attributes, &c))
				continue;
		}
		depth += o->has_children;
	}
}

/* ---- Chains ---- */

struct chains {
	struct dwarf_worker *w;
	const struct dwarf_unit *unit; /* of the entries */
	struct frame_set *out;
};

static uint32_t place_function(struct chains *ch, struct place *p)
{
	if (!p->function)
		p->function = dwarf_function(&ch->w->names, &ch->w->abbrevs,
		                             ch->unit, p->entry, p->is_origin,
		                             ch->out);
	return p->function;
}

/* The frames of one address. False: out of memory. */
static bool put_chain(struct chains *ch, size_t address)
{
	struct dwarf_worker *w = ch->w;
	struct dwarf_row row = w->rows.data[address];
	uint32_t hit = w->innermost.data[address];
	struct frame_set *out = ch->out;
	struct chain chain = { (uint32_t)out->frames.n, 0 };
	struct frame f = { 0, 0, 0, 0 };

	if (row.line != UINT32_MAX)
		f = (struct frame){ 0, dwarf_line_file(&w->lines, out,
			                               row.file),
			            row.line, row.column };
	do {
		struct place *p = NULL;

		if (hit != NO_HIT) {
			p = &w->places.data[w->hits.data[hit].place];
			f.function = place_function(ch, p);
			hit = w->hits.data[hit].outer;
		} else if (row.line == UINT32_MAX) {
			break;
		}
		if (out->frames.n >= UINT32_MAX ||
		    !vec_reserve(&out->frames, 1, &mem_malloc))
			return false;
		vec_put(&out->frames, f);
		chain.n++;
		if (p)
			f = (struct frame){
				0, dwarf_line_file(&w->lines, out, p->call_file),
				p->call_line, p->call_column
			};
	} while (hit != NO_HIT);
	vec_put(&out->chains, chain);
	return true;
}

/* ---- The whole ---- */

static bool begin_unit(struct dwarf_worker *w, const struct dwarf_unit *entries,
                       const uint64_t *addresses, size_t n,
                       struct frame_set *out)
{
	w->places.n = w->hits.n = w->innermost.n = w->rows.n = 0;
	dwarf_names_begin(&w->names, entries);
	if (!index_addresses(&w->index, addresses, n) ||
	    !vec_reserve(&w->innermost, n, &mem_malloc) ||
	    !vec_reserve(&w->rows, n, &mem_malloc) ||
	    !vec_reserve(&out->chains, n, &mem_malloc))
		return false;
	for (size_t i = 0; i < n; i++) {
		vec_put(&w->innermost, NO_HIT);
		vec_put(&w->rows, (struct dwarf_row){ 0, UINT32_MAX, 0 });
	}
	return true;
}

enum prof_status dwarf_look_up(struct dwarf_worker *w,
                               const struct dwarf_unit *u,
                               const struct dwarf_unit *split,
                               const uint64_t *addresses, size_t n,
                               struct frame_set *out)
{
	const struct dwarf_unit *entries = split ? split : u;
	struct chains chains = { w, entries, out };
	struct scan s = {
		.w = w, .unit = entries, .addresses = addresses, .n = n,
		.abbrevs = dwarf_get_abbrevs(&w->abbrevs, entries),
		.max_hits = n < SIZE_MAX / 512 ? 256 * n + 65536 : n,
		.fuel = entries->end - entries->offset
	};

	if (n == 0)
		return PROF_OK;
	if (!begin_unit(w, entries, addresses, n, out))
		return PROF_NOMEM;
	if (s.max_hits > NO_HIT)
		s.max_hits = NO_HIT;
	if (s.abbrevs)
		scan_entries(&s);
	if (dwarf_line_open(&w->lines, u))
		dwarf_line_run(&w->lines, addresses, n, w->rows.data);
	if (s.has_no_memory)
		return PROF_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (!put_chain(&chains, i))
			return PROF_NOMEM;
	return PROF_OK;
}
