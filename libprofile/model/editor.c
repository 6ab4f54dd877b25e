/* SPDX-License-Identifier: Apache-2.0 */
#include "model/editor.h"

#include "base/error.h"
#include "base/varint.h"

#include <string.h>

static void fail(struct profile_editor *e, size_t n)
{
	if (e->status == PROF_OK)
		e->status = n > UINT32_MAX / 2 ? PROF_LIMIT : PROF_NOMEM;
}

/* Enters the strings that are there into the index. */
static bool index_strings(struct profile_editor *e)
{
	const struct byte_table *t = &e->profile->strings;
	struct hash_index *h = &e->strings.index;
	uint32_t n = byte_table_n(t);

	if (!hash_index_reserve(h, n, &e->profile->allocator))
		return false;
	for (uint32_t id = 1; id < n; id++) {
		struct prof_str s = byte_table_get(t, id);
		uint64_t hash = hash_bytes(s.ptr, s.len, e->strings.seed);
		size_t i = hash_index_first(h, hash);

		while (h->slots[i].id)
			i = hash_index_next(h, i);
		hash_index_put(h, i, hash, id);
	}
	return true;
}

static uint64_t function_hash(const struct profile_editor *e,
                              const struct row_function *row)
{
	const uint64_t fields[3] = {
		(uint64_t)row->name << 32 | row->system_name, row->filename,
		(uint64_t)row->start_line
	};

	return hash_bytes(fields, sizeof(fields), e->strings.seed);
}

static bool is_equal(const struct row_function *a, const struct row_function *b)
{
	return a->name == b->name && a->system_name == b->system_name &&
	       a->filename == b->filename && a->start_line == b->start_line;
}

/* The slot of an equal function, or the free one it would take. */
static size_t function_slot(const struct profile_editor *e,
                            const struct row_function *row, uint64_t hash)
{
	const struct hash_index *h = &e->functions;
	size_t i = hash_index_first(h, hash);

	for (; h->slots[i].id; i = hash_index_next(h, i))
		if (h->slots[i].tag == hash_tag(hash) &&
		    is_equal(&e->profile->functions.data[h->slots[i].id], row))
			break;
	return i;
}

static bool index_functions(struct profile_editor *e)
{
	const struct prof_profile *p = e->profile;

	if (!hash_index_reserve(&e->functions, p->functions.n, &p->allocator))
		return false;
	for (uint32_t id = 1; id < p->functions.n; id++) {
		uint64_t hash = function_hash(e, &p->functions.data[id]);
		size_t i = function_slot(e, &p->functions.data[id], hash);

		if (!e->functions.slots[i].id)
			hash_index_put(&e->functions, i, hash, id);
	}
	return true;
}

void profile_editor_begin(struct profile_editor *e, struct prof_profile *p)
{
	*e = (struct profile_editor){
		.profile = p,
		.strings = { &p->strings, .seed = hash_seed() },
		.n_strings = byte_table_n(&p->strings),
		.n_functions = (uint32_t)p->functions.n
	};
	if (!index_strings(e) || !index_functions(e) ||
	    !vec_reserve(&e->first_lines, p->locations.n, &p->allocator)) {
		fail(e, 0);
		return;
	}
	vec_put(&e->first_lines, 0);
}

uint32_t profile_editor_string(struct profile_editor *e, struct prof_str s)
{
	struct prof_profile *p = e->profile;
	uint32_t id;

	if (e->status != PROF_OK || s.len == 0)
		return 0;
	id = intern_bytes(&e->strings, s.ptr, s.len, &p->allocator);
	if (id == 0)
		fail(e, p->strings.bytes.n);
	return id;
}

uint32_t profile_editor_function(struct profile_editor *e,
                                 const struct row_function *row)
{
	struct prof_profile *p = e->profile;
	uint64_t hash = function_hash(e, row);
	size_t i;

	if (e->status != PROF_OK)
		return 0;
	if (p->functions.n >= UINT32_MAX / 2 ||
	    !hash_index_reserve(&e->functions, 1, &p->allocator) ||
	    !vec_reserve(&p->functions, 1, &p->allocator)) {
		fail(e, p->functions.n);
		return 0;
	}
	i = function_slot(e, row, hash);
	if (e->functions.slots[i].id == 0) {
		vec_put(&p->functions, *row);
		hash_index_put(&e->functions, i, hash,
		               (uint32_t)(p->functions.n - 1));
	}
	return e->functions.slots[i].id;
}

void profile_editor_reserve_lines(struct profile_editor *e, size_t n)
{
	if (e->status == PROF_OK && n <= LOCATION_MAX_LINES &&
	    !vec_reserve(&e->lines, n, &e->profile->allocator))
		fail(e, 0);
}

struct prof_line *profile_editor_add_lines(struct profile_editor *e, size_t n)
{
	struct prof_profile *p = e->profile;

	if (e->status != PROF_OK)
		return NULL;
	/* Row 0 and the closing row of p->locations are no locations. */
	if (e->first_lines.n + 1 >= p->locations.n ||
	    n > LOCATION_MAX_LINES - e->lines.n ||
	    !vec_reserve(&e->lines, n, &p->allocator)) {
		fail(e, e->lines.n);
		return NULL;
	}
	vec_put(&e->first_lines, (uint32_t)e->lines.n);
	e->lines.n += n;
	return n ? e->lines.data + e->lines.n - n : NULL;
}

void profile_editor_lines(struct profile_editor *e,
                          const struct prof_line *lines, size_t n)
{
	struct prof_line *room = profile_editor_add_lines(e, n);

	if (room)
		memcpy(room, lines, n * sizeof(*lines));
}

static void release(struct profile_editor *e)
{
	const struct prof_allocator *a = &e->profile->allocator;

	intern_release(&e->strings, a);
	hash_index_release(&e->functions, a);
	vec_release(&e->lines, a);
	vec_release(&e->first_lines, a);
}

void profile_editor_cancel(struct profile_editor *e)
{
	struct byte_table *t = &e->profile->strings;

	if (byte_table_n(t) > e->n_strings) {
		t->offsets.n = (size_t)e->n_strings + 1;
		t->bytes.n = t->offsets.data[e->n_strings];
	}
	e->profile->functions.n = e->n_functions;
	release(e);
}

enum prof_status profile_editor_finish(struct profile_editor *e,
                                       struct prof_error *err)
{
	struct prof_profile *p = e->profile;
	enum prof_status status = e->status;

	if (status != PROF_OK) {
		profile_editor_cancel(e);
		return error_set(err, status, status == PROF_LIMIT
		                 ? "a table of the profile is full"
		                 : "out of memory");
	}
	for (size_t i = 1; i < e->first_lines.n; i++) {
		struct row_location *l = &p->locations.data[i];

		l->first_line = (l->first_line & LOCATION_FOLDED) |
		                e->first_lines.data[i];
	}
	/* The closing row, or the first location that got no lines. */
	for (size_t i = e->first_lines.n; i < p->locations.n; i++)
		p->locations.data[i].first_line =
			(p->locations.data[i].first_line & LOCATION_FOLDED) |
			(uint32_t)e->lines.n;
	vec_release(&p->lines, &p->allocator);
	p->lines.data = e->lines.data;
	p->lines.n = e->lines.n;
	p->lines.capacity = e->lines.capacity;
	e->lines.data = NULL;
	e->lines.n = e->lines.capacity = 0;
	release(e);
	return PROF_OK;
}

/* ---- Stacks ---- */

/* A table of stacks that takes the place of another. */
struct restack {
	struct byte_table table;
	struct interner interner;
	size_t (*change)(void *ctx, uint32_t *ids, size_t n);
	void *ctx;
	VEC(uint32_t) locations;  /* of the stack at hand */
	VEC(unsigned char) stack; /* being put together */
	VEC(uint32_t) ids;        /* the new id of each old stack */
};

/* Adds a stack as it is changed. */
static bool restack(struct restack *r, struct prof_str old,
                    const struct prof_allocator *a)
{
	const unsigned char *p = (const unsigned char *)old.ptr;
	const unsigned char *end = p + old.len;
	unsigned char *to;
	uint32_t id = 0;
	size_t n;

	r->locations.n = r->stack.n = 0;
	if (!vec_reserve(&r->stack, old.len, a) ||
	    !vec_reserve(&r->locations, old.len, a))
		return false;
	while (p < end) {
		uint32_t location;

		p = varint_get_known(p, &location);
		vec_put(&r->locations, location);
	}
	n = r->change(r->ctx, r->locations.data, r->locations.n);
	/* A part of the stack: no longer than it was. */
	to = r->stack.data;
	for (size_t i = 0; i < n; i++)
		to = varint_put(to, r->locations.data[i]);
	r->stack.n = (size_t)(to - r->stack.data);
	if (n)
		id = intern_bytes(&r->interner, r->stack.data, r->stack.n, a);
	if (n && !id)
		return false;
	vec_put(&r->ids, id);
	return true;
}

enum prof_status profile_change_stacks(struct prof_profile *p,
                                       size_t (*change)(void *ctx,
                                                        uint32_t *ids,
                                                        size_t n),
                                       void *ctx, struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	struct restack r = { .change = change, .ctx = ctx };
	uint32_t n = byte_table_n(&p->stacks);
	bool ok;

	r.interner = (struct interner){ &r.table, .seed = hash_seed() };
	ok = byte_table_begin(&r.table, &a) && vec_reserve(&r.ids, n, &a);
	for (uint32_t i = 0; i < n && ok; i++)
		ok = restack(&r, byte_table_get(&p->stacks, i), &a);
	if (ok) {
		struct byte_table old = p->stacks;

		for (size_t i = 0; i < p->samples.n; i++)
			p->samples.data[i].stack =
				r.ids.data[p->samples.data[i].stack];
		p->stacks = r.table;
		r.table = old;
	}
	intern_release(&r.interner, &a);
	byte_table_release(&r.table, &a);
	vec_release(&r.locations, &a);
	vec_release(&r.stack, &a);
	vec_release(&r.ids, &a);
	return ok ? PROF_OK : error_nomem(err);
}
