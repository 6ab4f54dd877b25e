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

/* Chains of abstract origins and specifications are two or three long. */
#define MAX_HOPS 16

#define NO_HIT UINT32_MAX

/* An entry that has some of the addresses. */
struct place {
	uint64_t entry; /* its offset in .debug_info */
	uint32_t tag, depth;
	uint32_t call_file, call_line, call_column;
	uint32_t function; /* in the frame_set, once it is resolved; 0: not */
};

/* An address in a place, and in the place around that. */
struct hit {
	uint32_t place, outer; /* NO_HIT: the outermost */
};

/* Functions that were resolved already, by the entry that names them. */
struct known_function {
	uint64_t entry;
	const struct dwarf_file *file;
	uint32_t id;
	uint32_t turn; /* of the worker's; any other: free */
};

struct dwarf_worker {
	struct dwarf_abbrev_cache abbrevs;
	struct dwarf_line_table lines;
	VEC(struct place) places;
	VEC(struct hit) hits;
	VEC(uint32_t) innermost; /* hit of each address */
	VEC(struct dwarf_row) rows;
	VEC(struct known_function) known; /* capacity is a power of two */
	uint32_t turn; /* number of the unit: empties `known` at no cost */
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
	vec_release(&w->places, &mem_malloc);
	vec_release(&w->hits, &mem_malloc);
	vec_release(&w->innermost, &mem_malloc);
	vec_release(&w->rows, &mem_malloc);
	vec_release(&w->known, &mem_malloc);
	mem_free(&mem_malloc, w, sizeof(*w));
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

/* The attributes of an entry that is code. */
struct code_entry {
	struct dwarf_value low_pc, high_pc, ranges;
	struct place place;
};

static void take_attribute(struct code_entry *e, uint32_t name,
                           struct dwarf_value v)
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
	case DWARF_AT_CALL_FILE:
		e->place.call_file = (uint32_t)v.n;
		break;
	case DWARF_AT_CALL_LINE:
		e->place.call_line = (uint32_t)v.n;
		break;
	case DWARF_AT_CALL_COLUMN:
		e->place.call_column = (uint32_t)v.n;
		break;
	default:
		break;
	}
}

/* The place's row, added when its first address is found. */
static uint32_t place_row(struct scan *s, const struct place *p,
                          uint32_t *row)
{
	struct dwarf_worker *w = s->w;

	if (*row != NO_HIT)
		return *row;
	if (w->places.n >= NO_HIT || !vec_reserve(&w->places, 1, &mem_malloc)) {
		s->has_no_memory = true;
		return NO_HIT;
	}
	vec_put(&w->places, *p);
	return *row = (uint32_t)(w->places.n - 1);
}

static void hit_address(struct scan *s, const struct place *p, uint32_t row,
                        size_t i)
{
	struct dwarf_worker *w = s->w;
	uint32_t outer = w->innermost.data[i];

	if (p->tag == DWARF_TAG_SUBPROGRAM)
		outer = NO_HIT;
	while (outer != NO_HIT &&
	       w->places.data[w->hits.data[outer].place].depth >= p->depth)
		outer = w->hits.data[outer].outer;
	vec_put(&w->hits, (struct hit){ row, outer });
	w->innermost.data[i] = (uint32_t)(w->hits.n - 1);
}

/* False: the entries ask for more than is reasonable. */
static bool hit_range(struct scan *s, const struct place *p, uint32_t *row,
                      uint64_t begin, uint64_t end)
{
	struct dwarf_worker *w = s->w;
	size_t i, last;

	if (begin >= end || begin < s->unit->file->code_begin ||
	    begin > s->addresses[s->n - 1] || end <= s->addresses[0])
		return true;
	i = first_at(s->addresses, s->n, begin);
	for (last = i; last < s->n && s->addresses[last] < end; last++)
		;
	if (last == i)
		return true;
	if (last - i > s->max_hits - w->hits.n ||
	    place_row(s, p, row) == NO_HIT)
		return false;
	if (!vec_reserve(&w->hits, last - i, &mem_malloc)) {
		s->has_no_memory = true;
		return false;
	}
	for (; i < last; i++)
		hit_address(s, p, *row, i);
	return true;
}

static bool hit_entry(struct scan *s, const struct code_entry *e)
{
	const struct dwarf_unit *u = s->unit;
	uint32_t row = NO_HIT;
	uint64_t begin, end;

	if (e->ranges.form) {
		struct dwarf_ranges r = dwarf_ranges_begin(
			u, dwarf_ranges_at(u, &e->ranges), s->fuel);
		bool ok = true;

		while (ok && dwarf_ranges_next(&r, &begin, &end))
			ok = hit_range(s, &e->place, &row, begin, end);
		s->fuel = r.fuel;
		return ok && s->fuel > 0;
	}
	begin = dwarf_address(u, &e->low_pc);
	if (begin == DWARF_NONE || !e->high_pc.form)
		return true;
	end = dwarf_is_address(&e->high_pc) ? dwarf_address(u, &e->high_pc)
	                                    : begin + e->high_pc.n;
	return hit_range(s, &e->place, &row, begin, end);
}

/* Decodes an entry that is code; c stands behind its code. */
static bool read_code_entry(struct scan *s, const struct dwarf_abbrev *a,
                            struct cursor *c, uint64_t entry, uint32_t depth)
{
	const struct dwarf_attribute *at =
		&s->abbrevs->attributes.data[a->first_attribute];
	const struct dwarf_attribute *end = at + a->n_attributes;
	struct code_entry e = { .place = { .entry = entry, .tag = a->tag,
		                           .depth = depth } };

	for (; at < end; at++) {
		if (at->use == DWARF_USE_PLACE)
			take_attribute(&e, at->name,
			               dwarf_read(c, s->unit, at));
		else
			dwarf_skip(c, s->unit, at);
	}
	return !c->has_failed && hit_entry(s, &e);
}

static inline void step_over(const struct scan *s, const struct dwarf_abbrev *a,
                             struct cursor *c)
{
	const struct dwarf_step *step = &s->abbrevs->steps.data[a->first_step];

	for (;; step++) {
		if (step->size > cursor_left(c)) {
			cursor_fail(c);
			return;
		}
		c->p += step->size;
		if (step->then == DWARF_FIXED)
			return;
		dwarf_skip_value(c, s->unit, step->then);
	}
}

static void scan_entries(struct scan *s)
{
	const struct dwarf_unit *u = s->unit;
	struct span info = u->file->sections[DWARF_INFO];
	struct cursor c = cursor_at(info.data, (size_t)u->end, u->first_entry,
	                            u->file->is_big);
	uint32_t depth = 0;

	while (c.p < c.end) {
		uint64_t entry = (uint64_t)(c.p - info.data);
		uint64_t code = *c.p < 0x80 ? *c.p++ : cursor_uleb(&c);
		const struct dwarf_abbrev *a;

		if (code == 0) {
			if (depth > 0)
				depth--;
			continue;
		}
		a = dwarf_find_abbrev(s->abbrevs, code);
		if (!a)
			return;
		if (!a->is_code)
			step_over(s, a, &c);
		else if (!read_code_entry(s, a, &c, entry, depth))
			return;
		depth += a->has_children;
	}
}

/* ---- Names ---- */

/* An entry somewhere, and what it needs to be read. */
struct name_search {
	struct dwarf_worker *w;
	const struct dwarf_unit *unit;
	uint64_t entry;
	struct frame_function found;
};

/* Reads the names of an entry; false: there is no further one to look at. */
static bool read_names(struct name_search *n)
{
	const struct dwarf_unit *u = n->unit;
	const struct dwarf_abbrevs *t = dwarf_get_abbrevs(&n->w->abbrevs, u);
	struct span info = u->file->sections[DWARF_INFO];
	struct cursor c = cursor_at(info.data, (size_t)u->end, n->entry,
	                            u->file->is_big);
	const struct dwarf_abbrev *a =
		t ? dwarf_find_abbrev(t, cursor_uleb(&c)) : NULL;
	struct dwarf_value next = { 0, 0, NULL };
	const struct dwarf_file *file;

	for (uint32_t i = 0; a && i < a->n_attributes; i++) {
		const struct dwarf_attribute *at =
			&t->attributes.data[a->first_attribute + i];
		struct dwarf_value v;

		if (at->use != DWARF_USE_NAME) {
			dwarf_skip(&c, u, at);
			continue;
		}
		v = dwarf_read(&c, u, at);
		if (at->name == DWARF_AT_NAME && !n->found.name)
			n->found.name = dwarf_text(u, &v);
		else if ((at->name == DWARF_AT_LINKAGE_NAME ||
		          at->name == DWARF_AT_MIPS_LINKAGE_NAME) &&
		         !n->found.system_name)
			n->found.system_name = dwarf_text(u, &v);
		else if (at->name == DWARF_AT_DECL_LINE &&
		         !n->found.start_line)
			n->found.start_line = (uint32_t)v.n;
		else if (at->name == DWARF_AT_ABSTRACT_ORIGIN ||
		         at->name == DWARF_AT_SPECIFICATION)
			next = v;
	}
	if (!a || c.has_failed || !next.form)
		return false;
	n->entry = dwarf_reference(u, &next, &file);
	if (n->entry == DWARF_NONE)
		return false;
	if (file != u->file || n->entry < u->first_entry || n->entry >= u->end)
		n->unit = dwarf_unit_at(file, n->entry);
	return n->unit && n->entry >= n->unit->first_entry;
}

static struct known_function *find_known(struct dwarf_worker *w,
                                         const struct dwarf_file *file,
                                         uint64_t entry)
{
	size_t mask = w->known.capacity - 1;
	size_t i = (size_t)((entry * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	           mask;
	struct known_function *k;

	for (;; i = (i + 1) & mask) {
		k = &w->known.data[i];
		if (k->turn != w->turn ||
		    (k->entry == entry && k->file == file))
			return k;
	}
}

/* Room for one more of them, at most half full. */
static bool grow_known(struct dwarf_worker *w)
{
	struct known_function *old = w->known.data;
	size_t n = w->known.capacity;
	size_t new_n = n ? 2 * n : 1024;

	if (n && w->known.n < n / 2)
		return true;
	w->known.data = mem_zeroed(&mem_malloc, new_n, sizeof(*old));
	if (!w->known.data) {
		w->known.data = old;
		return false;
	}
	w->known.capacity = new_n;
	for (size_t i = 0; i < n; i++)
		if (old[i].turn == w->turn)
			*find_known(w, old[i].file, old[i].entry) = old[i];
	mem_free(&mem_malloc, old, n * sizeof(*old));
	return true;
}

/*
 * The function of a place. An abstract origin is shared by all its inlined
 * copies, so the first hop is looked up before it is read.
 */
static uint32_t resolve(struct dwarf_worker *w, const struct dwarf_unit *u,
                        const struct place *p, struct frame_set *out)
{
	struct name_search n = { .w = w, .unit = u, .entry = p->entry };
	bool more = read_names(&n);
	bool is_shared = more && !n.found.name && !n.found.system_name &&
	                 !n.found.start_line;
	struct known_function *k = NULL;
	uint32_t id;

	if (!grow_known(w))
		return 0;
	if (is_shared) {
		k = find_known(w, n.unit->file, n.entry);
		if (k->turn == w->turn)
			return k->id;
		*k = (struct known_function){ n.entry, n.unit->file, 0,
			                      w->turn };
		w->known.n++;
	}
	for (int hops = 0; more && hops < MAX_HOPS; hops++)
		more = read_names(&n);
	id = frame_set_add_function(out, &n.found);
	if (k)
		k->id = id;
	return id;
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
		p->function = resolve(ch->w, ch->unit, p, ch->out);
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

static bool begin_unit(struct dwarf_worker *w, size_t n, struct frame_set *out)
{
	w->places.n = w->hits.n = w->innermost.n = w->rows.n = w->known.n = 0;
	w->turn++;
	if (!vec_reserve(&w->innermost, n, &mem_malloc) ||
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
	if (!begin_unit(w, n, out))
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
