/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact: a profile as if it had been merged alone. Where a look shows that
 * there is nothing to add up and nothing to leave out, nothing is done: that
 * is so for what most tools write, and 5 to 10 times as fast as a merge.
 */
#include "base/error.h"
#include "model/edit.h"
#include "model/search.h"
#include "transform/merger.h"
#include "transform/transform.h"

#include <string.h>

static const struct prof_line *lines_of(const struct prof_profile *p,
                                        uint32_t location, uint32_t *n)
{
	const struct row_location *l = &p->locations.data[location];

	*n = location_n_lines(l);
	return p->lines.data + location_first_line(l);
}

static bool is_same_location(const struct prof_profile *p, uint32_t a,
                             uint32_t b)
{
	const struct row_location *x = &p->locations.data[a];
	const struct row_location *y = &p->locations.data[b];
	uint32_t n, m;
	const struct prof_line *u = lines_of(p, a, &n);
	const struct prof_line *v = lines_of(p, b, &m);

	if (x->address != y->address || x->mapping != y->mapping || n != m ||
	    ((x->first_line ^ y->first_line) & LOCATION_FOLDED))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (u[i].function != v[i].function || u[i].line != v[i].line ||
		    u[i].column != v[i].column)
			return false;
	return true;
}

static uint64_t hash_location(const struct prof_profile *p, uint32_t id,
                              uint64_t seed)
{
	const struct row_location *l = &p->locations.data[id];
	uint64_t hash = seed ^ l->address;
	uint32_t n;
	const struct prof_line *line = lines_of(p, id, &n);

	/* Field by field: between them there may be bytes of no meaning. */
	for (uint32_t i = 0; i < n; i++) {
		const int64_t key[3] = { line[i].function, line[i].line,
		                         line[i].column };

		hash = hash_bytes(key, sizeof(key), hash);
	}
	return hash_bytes(&l->mapping, sizeof(l->mapping), hash);
}

static bool is_same_sample(const struct prof_profile *p, uint32_t a,
                           uint32_t b)
{
	const struct row_sample *x = &p->samples.data[a - 1];
	const struct row_sample *y = &p->samples.data[b - 1];

	return x->stack == y->stack && x->label_set == y->label_set;
}

static uint64_t hash_sample(const struct prof_profile *p, uint32_t id,
                            uint64_t seed)
{
	return hash_bytes(&p->samples.data[id - 1], sizeof(struct row_sample),
	                  seed);
}

static bool is_same_function(const struct prof_profile *p, uint32_t a,
                             uint32_t b)
{
	const struct row_function *x = &p->functions.data[a];
	const struct row_function *y = &p->functions.data[b];

	return x->name == y->name && x->system_name == y->system_name &&
		x->filename == y->filename && x->start_line == y->start_line;
}

static uint64_t hash_function(const struct prof_profile *p, uint32_t id,
                              uint64_t seed)
{
	const struct row_function *f = &p->functions.data[id];
	const int64_t key[4] = { f->name, f->system_name, f->filename,
	                         f->start_line };

	return hash_bytes(key, sizeof(key), seed);
}

/* Of a table with ids from 1 to n. */
struct table {
	uint32_t n;
	uint64_t (*hash)(const struct prof_profile *p, uint32_t id,
	                 uint64_t seed);
	bool (*is_same)(const struct prof_profile *p, uint32_t a, uint32_t b);
};

enum finding { FOUND_NOTHING, FOUND_WORK, FOUND_NO_MEMORY };

static enum finding find_equal_rows(const struct prof_profile *p,
                                    const struct table *t)
{
	struct hash_index h = { 0 };
	const uint64_t seed = hash_seed();
	enum finding found = FOUND_NOTHING;

	if (!hash_index_reserve(&h, (size_t)t->n + 1, &p->allocator))
		return FOUND_NO_MEMORY;
	for (uint32_t id = 1; id <= t->n && found == FOUND_NOTHING; id++) {
		const uint64_t hash = t->hash(p, id, seed);
		size_t i = hash_index_first(&h, hash);
		uint32_t other;

		while ((other = h.slots[i].id) != 0) {
			if (h.slots[i].tag == hash_tag(hash) &&
			    t->is_same(p, other, id))
				found = FOUND_WORK;
			i = hash_index_next(&h, i);
		}
		hash_index_put(&h, i, hash, id);
	}
	hash_index_release(&h, &p->allocator);
	return found;
}

/* Whether any sample has values of 0 alone. */
static bool has_zero_sample(const struct prof_profile *p)
{
	const size_t width = p->sample_types.n;

	for (size_t i = 0; i < p->samples.n; i++) {
		int64_t any = 0;

		for (size_t k = 0; k < width; k++)
			any |= p->values.data[i * width + k];
		if (!any)
			return true;
	}
	return false;
}

/* labels[max_labels + 1] and packed[], as large, are scratch. */
static bool has_equal_sets(const struct prof_profile *p,
                           struct interner *sorted, struct row_label *labels,
                           unsigned char *packed)
{
	const uint32_t n_sets = byte_table_n(&p->label_sets);

	for (uint32_t set = 1; set < n_sets; set++) {
		const struct prof_str s = byte_table_get(&p->label_sets, set);
		const unsigned char *at = (const unsigned char *)s.ptr;
		const unsigned char *const end = at + s.len;
		unsigned char *to = packed;
		size_t n = 0;

		while (at < end)
			at = label_unpack(at, &labels[n++]);
		merge_sort_labels(p, labels, n);
		for (size_t i = 0; i < n; i++)
			to = label_pack(to, &labels[i]);
		/* Less than a new id, where memory has run out, too. */
		if (intern_bytes(sorted, packed, (size_t)(to - packed),
		                 &p->allocator) != set)
			return true;
	}
	return false;
}

/* Label sets that are one but for the order of their labels. */
static enum finding find_equal_sets(const struct prof_profile *p)
{
	const struct prof_allocator *a = &p->allocator;
	const size_t max = (size_t)p->max_labels + 1;
	struct row_label *labels = mem_zeroed(a, max, sizeof(*labels));
	unsigned char *packed = mem_zeroed(a, max, LABEL_PACKED_MAX);
	struct byte_table table = { .bytes = { 0 } };
	struct interner sorted = { &table, .seed = hash_seed() };
	enum finding found = FOUND_NO_MEMORY;

	if (labels && packed && byte_table_begin(&table, a))
		found = has_equal_sets(p, &sorted, labels, packed) ?
			FOUND_WORK : FOUND_NOTHING;
	mem_free(a, labels, max * sizeof(*labels));
	mem_free(a, packed, max * LABEL_PACKED_MAX);
	intern_release(&sorted, a);
	byte_table_release(&table, a);
	return found;
}

/* marks[n] of ids: whether all from 1 are set. */
static bool are_all_set(const unsigned char *marks, size_t n)
{
	return n < 2 || !memchr(marks + 1, 0, n - 1);
}

/* Stacks, locations and functions that no sample has. */
static enum finding find_unused(const struct prof_profile *p)
{
	const struct prof_allocator *a = &p->allocator;
	const size_t n_stacks = byte_table_n(&p->stacks);
	const size_t n_locations = p->locations.n - 1;
	const size_t n_functions = p->functions.n;
	const size_t n = n_stacks + n_locations + n_functions;
	unsigned char *stacks = mem_zeroed(a, n, 1);
	unsigned char *locations, *functions;
	enum finding found = FOUND_WORK;

	if (!stacks)
		return FOUND_NO_MEMORY;
	locations = stacks + n_stacks;
	functions = locations + n_locations;
	for (size_t i = 0; i < p->samples.n; i++)
		stacks[p->samples.data[i].stack] = 1;
	if (are_all_set(stacks, n_stacks)) {
		stacks_mark_used(p, locations);
		for (size_t i = 0; i < p->lines.n; i++)
			functions[p->lines.data[i].function] = 1;
		if (are_all_set(locations, n_locations) &&
		    are_all_set(functions, n_functions))
			found = FOUND_NOTHING;
	}
	mem_free(a, stacks, n);
	return found;
}

static bool is_same_mapping(const struct prof_profile *p, uint32_t a,
                            uint32_t b)
{
	const struct row_mapping *x = &p->mappings.data[a];
	const struct row_mapping *y = &p->mappings.data[b];

	/* Less than a merge asks for: what may be one is left to it. */
	return x->offset == y->offset && x->file == y->file;
}

static uint64_t hash_mapping(const struct prof_profile *p, uint32_t id,
                             uint64_t seed)
{
	const struct row_mapping *m = &p->mappings.data[id];
	const uint64_t key[2] = { m->offset, m->file };

	return hash_bytes(key, sizeof(key), seed);
}

static enum finding find_work(const struct prof_profile *p)
{
	const struct table tables[] = {
		{ (uint32_t)p->mappings.n - 1, hash_mapping, is_same_mapping },
		{ (uint32_t)p->functions.n - 1, hash_function,
		  is_same_function },
		{ prof_n_locations(p), hash_location, is_same_location },
		{ (uint32_t)p->samples.n, hash_sample, is_same_sample },
	};
	enum finding found;

	if (has_zero_sample(p))
		return FOUND_WORK;
	found = find_equal_sets(p);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables) &&
	     found == FOUND_NOTHING; i++)
		found = find_equal_rows(p, &tables[i]);
	return found == FOUND_NOTHING ? find_unused(p) : found;
}

enum prof_status prof_compact(struct prof_profile *p, struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const enum finding found = find_work(p);
	struct prof_profile *merged = NULL;
	enum prof_status status;

	if (found == FOUND_NOTHING)
		return PROF_OK;
	if (found == FOUND_NO_MEMORY)
		return error_nomem(err);
	status = prof_merge(&merged, &p, 1,
	                    &PROF_OPTIONS(prof_merge_options, .allocator = &a),
	                    err);
	if (status == PROF_OK)
		edit_replace(p, merged);
	return status;
}

static enum prof_status compact(struct prof_profile *p, const char *arg,
                                struct prof_error *err)
{
	(void)arg;
	return prof_compact(p, err);
}

const struct transform compact_transform = {
	.info = { "compact", NULL, "add up what is equal, and leave out what "
	          "no sample refers to" },
	.apply = compact
};
