/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of an input that stacks and label sets refer to, added to those
 * of the sum.
 *
 * A sum is larger than the cache, so that a lookup is two loads from memory.
 * Every table goes in batches of 32 for that: hash and fetch the slots, fetch
 * the rows that they name, and only then compare (2 to 5 times as fast).
 */
#include "transform/merger.h"

#include "model/order.h"

#include <string.h>

/* ---- Strings ---- */

bool merge_strings(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->strings);
	struct prof_str strings[MERGE_BATCH];

	m->string_map.n = 0;
	if (!vec_reserve(&m->string_map, n, &m->a))
		return merge_fail_nomem(m);
	for (uint32_t i = 0; i < n; i += MERGE_BATCH) {
		const uint32_t k = merge_batch_size(i, n);

		for (uint32_t j = 0; j < k; j++)
			strings[j] = profile_string(m->in, i + j);
		if (!intern_batch(&m->strings, strings, m->string_map.data + i,
		                  k, &m->a))
			return merge_fail_to_grow(m, m->sum->strings.bytes.n,
			                    "strings");
	}
	m->string_map.n = n;
	return true;
}

/* ---- Mappings ---- */

/* Two mappings of one file: of which size, at which offset. */
struct mapping_key {
	uint64_t pages, offset;
	uint32_t name; /* build id, else file, else "" */
	uint32_t is_file;
};

static struct mapping_key mapping_key(const struct row_mapping *row,
                                      uint64_t size)
{
	const uint64_t page = 4096;

	return (struct mapping_key){
		.pages = size / page + (size % page != 0),
		.offset = row->offset,
		.name = row->build_id ? row->build_id : row->file,
		.is_file = !row->build_id,
	};
}

static bool mapping_keys_equal(const struct mapping_key *a,
                               const struct mapping_key *b)
{
	return a->pages == b->pages && a->offset == b->offset &&
		a->name == b->name && a->is_file == b->is_file;
}

int merge_compare_first(const struct prof_merger *m, uint32_t a, uint32_t b)
{
	const struct mapping_key x = mapping_key(
		&m->sum->mappings.data[a], m->merge_mappings.data[a].size);
	const struct mapping_key y = mapping_key(
		&m->sum->mappings.data[b], m->merge_mappings.data[b].size);
	int order = string_compare(m->sum, x.name, y.name);

	if (!order)
		order = (x.is_file > y.is_file) - (x.is_file < y.is_file);
	if (!order)
		order = (x.offset > y.offset) - (x.offset < y.offset);
	return order ? order : (x.pages > y.pages) - (x.pages < y.pages);
}

/* Of two files that are one by their build id, the first name in bytes. */
static uint32_t first_name(const struct prof_profile *p, uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	return string_compare(p, a, b) <= 0 ? a : b;
}

static uint32_t find_mapping(struct prof_merger *m, struct row_mapping *row,
                             uint64_t size)
{
	const struct mapping_key key = mapping_key(row, size);
	const uint64_t hash = hash_bytes(&key, sizeof(key), m->strings.seed);
	struct prof_profile *sum = m->sum;
	struct hash_index *h = &m->mappings;
	uint32_t id;
	size_t i;

	if (!hash_index_reserve(h, 1, &m->a) ||
	    !vec_reserve(&sum->mappings, 1, &m->a) ||
	    !vec_reserve(&m->merge_mappings, 1, &m->a)) {
		merge_fail_nomem(m);
		return 0;
	}
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct mapping_key known = mapping_key(
			&sum->mappings.data[id], m->merge_mappings.data[id].size);

		if (mapping_keys_equal(&known, &key))
			return id;
	}
	vec_put(&sum->mappings, *row);
	vec_put(&m->merge_mappings, (struct merge_mapping){ .size = size });
	id = (uint32_t)(sum->mappings.n - 1);
	hash_index_put(h, i, hash, id);
	return id;
}

static bool merge_mapping(struct prof_merger *m, uint32_t in_id)
{
	struct row_mapping row = m->in->mappings.data[in_id];
	const uint64_t size = row.limit - row.start;
	struct merge_mapping *extra;
	struct row_mapping *known;
	uint32_t id;

	row.file = merge_string_of(m, row.file);
	row.build_id = merge_string_of(m, row.build_id);
	id = find_mapping(m, &row, size);
	if (!id)
		return false;
	known = &m->sum->mappings.data[id];
	extra = &m->merge_mappings.data[id];
	if (row.start < known->start)
		known->start = row.start;
	known->file = first_name(m->sum, known->file, row.file);
	if (size > extra->size)
		extra->size = size;
	extra->is_first = extra->is_first || in_id == 1;
	known->has &= row.has;
	m->mapping_map.data[in_id] = (struct mapping_map){
		.id = id, .start = m->in->mappings.data[in_id].start };
	return true;
}

bool merge_mappings(struct prof_merger *m)
{
	const size_t n = m->in->mappings.n;

	m->mapping_map.n = 0;
	if (!vec_reserve(&m->mapping_map, n, &m->a))
		return merge_fail_nomem(m);
	m->mapping_map.data[0] = (struct mapping_map){ 0 };
	m->mapping_map.n = n;
	for (uint32_t id = 1; id < n; id++)
		if (!merge_mapping(m, id))
			return false;
	return true;
}

/* ---- Functions ---- */

struct function_key {
	uint32_t name, system_name, filename, unused;
	int64_t start_line;
};

static struct function_key function_key(const struct prof_merger *m,
                                        const struct row_function *f)
{
	return (struct function_key){
		.name = merge_string_of(m, f->name),
		.system_name = merge_string_of(m, f->system_name),
		.filename = merge_string_of(m, f->filename),
		.start_line = f->start_line,
	};
}

static uint32_t find_function(struct prof_merger *m,
                              const struct function_key *key, uint64_t hash)
{
	struct prof_profile *sum = m->sum;
	struct hash_index *h = &m->functions;
	uint32_t id;
	size_t i;

	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_function *row = &sum->functions.data[id];

		if (row->name == key->name &&
		    row->system_name == key->system_name &&
		    row->filename == key->filename &&
		    row->start_line == key->start_line)
			return id;
	}
	vec_put(&sum->functions, (struct row_function){
		key->name, key->system_name, key->filename, key->start_line });
	id = (uint32_t)(sum->functions.n - 1);
	hash_index_put(h, i, hash, id);
	return id;
}

static bool merge_function_batch(struct prof_merger *m, uint32_t from,
                                 uint32_t n)
{
	struct function_key keys[MERGE_BATCH];
	uint64_t hashes[MERGE_BATCH];

	if (!hash_index_reserve(&m->functions, n, &m->a) ||
	    !vec_reserve(&m->sum->functions, n, &m->a))
		return merge_fail_to_grow(m, m->sum->functions.n, "functions");
	for (uint32_t i = 0; i < n; i++) {
		keys[i] = function_key(m, &m->in->functions.data[from + i]);
		hashes[i] = hash_bytes(&keys[i], sizeof(keys[i]),
		                       m->strings.seed);
		merge_prefetch_slot(&m->functions, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->sum->functions.data[
			merge_likely_row(&m->functions, hashes[i])]);
	for (uint32_t i = 0; i < n; i++)
		m->function_map.data[from + i] =
			find_function(m, &keys[i], hashes[i]);
	return true;
}

bool merge_functions(struct prof_merger *m)
{
	const uint32_t n = (uint32_t)m->in->functions.n;

	m->function_map.n = 0;
	if (!vec_reserve(&m->function_map, n, &m->a))
		return merge_fail_nomem(m);
	m->function_map.data[0] = 0;
	m->function_map.n = n;
	for (uint32_t i = 1; i < n; i += MERGE_BATCH)
		if (!merge_function_batch(m, i, merge_batch_size(i, n)))
			return false;
	return true;
}

/* ---- Locations ---- */

/*
 * An address moves along with its mapping; but 0 is none and stays, and no
 * other becomes 0, however often mappings are moved. So the addresses but 0
 * are taken for a ring of 2^64 - 1, on which a mapping starts somewhere: one
 * that a location lies below (which should not be) comes out right, too.
 */
#define NO_ADDRESS UINT64_MAX

static uint64_t place_on_ring(uint64_t start)
{
	return start == UINT64_MAX ? 0 : start;
}

static uint64_t relative_address(uint64_t address, uint64_t start)
{
	const uint64_t from = place_on_ring(start);
	const uint64_t to = address - 1;

	return address ? to - from - (to < from) : NO_ADDRESS;
}

uint64_t merge_address(uint64_t relative, uint64_t start)
{
	const uint64_t to = relative + place_on_ring(start);
	const bool is_around = to < relative || to == UINT64_MAX;

	return relative == NO_ADDRESS ? 0 : to + is_around + 1;
}

/* A location of the input in terms of the sum, and its lines. */
struct location_key {
	uint64_t address; /* relative to its mapping's start */
	uint32_t mapping;
	uint32_t folded;  /* LOCATION_FOLDED or 0 */
	const struct prof_line *lines; /* with functions of the input */
	uint32_t n_lines;
};

static struct location_key location_key(const struct prof_merger *m,
                                        uint32_t id)
{
	const struct row_location *row = &m->in->locations.data[id];
	const struct mapping_map *map = &m->mapping_map.data[row->mapping];

	return (struct location_key){
		.address = relative_address(row->address, map->start),
		.mapping = map->id,
		.folded = row->first_line & LOCATION_FOLDED,
		.lines = m->in->lines.data + location_first_line(row),
		.n_lines = location_n_lines(row),
	};
}

static uint64_t hash_location(const struct prof_merger *m,
                              const struct location_key *key)
{
	const uint64_t head[2] = { key->address,
	                           (uint64_t)key->mapping << 32 |
	                           key->folded | key->n_lines };
	uint64_t hash = hash_bytes(head, sizeof(head), m->strings.seed);

	for (uint32_t i = 0; i < key->n_lines; i++) {
		const uint64_t line[3] = {
			m->function_map.data[key->lines[i].function],
			(uint64_t)key->lines[i].line,
			(uint64_t)key->lines[i].column };

		hash = hash_bytes(line, sizeof(line), hash);
	}
	return hash;
}

static bool is_location(const struct prof_merger *m, uint32_t id,
                        const struct location_key *key)
{
	const struct row_location *row = &m->sum->locations.data[id];
	const struct prof_line *lines =
		m->sum->lines.data + location_first_line(row);

	if (row->address != key->address || row->mapping != key->mapping ||
	    (row->first_line & LOCATION_FOLDED) != key->folded ||
	    location_n_lines(row) != key->n_lines)
		return false;
	for (uint32_t i = 0; i < key->n_lines; i++)
		if (lines[i].function !=
		    m->function_map.data[key->lines[i].function] ||
		    lines[i].line != key->lines[i].line ||
		    lines[i].column != key->lines[i].column)
			return false;
	return true;
}

/* Room was reserved. */
static uint32_t append_location(struct prof_merger *m,
                                const struct location_key *key)
{
	struct prof_profile *sum = m->sum;
	const uint32_t id = (uint32_t)(sum->locations.n - 1);

	sum->locations.data[id] = (struct row_location){
		.address = key->address,
		.mapping = key->mapping,
		.first_line = (uint32_t)sum->lines.n | key->folded,
	};
	for (uint32_t i = 0; i < key->n_lines; i++)
		vec_put(&sum->lines, (struct prof_line){
			m->function_map.data[key->lines[i].function],
			key->lines[i].line, key->lines[i].column });
	vec_put(&sum->locations, (struct row_location){
		.first_line = (uint32_t)sum->lines.n });
	return id;
}

static uint32_t find_location(struct prof_merger *m,
                              const struct location_key *key, uint64_t hash)
{
	struct hash_index *h = &m->locations;
	uint32_t id;
	size_t i;

	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i))
		if (h->slots[i].tag == hash_tag(hash) && is_location(m, id, key))
			return id;
	id = append_location(m, key);
	hash_index_put(h, i, hash, id);
	return id;
}

static bool merge_location_batch(struct prof_merger *m, uint32_t from,
                                 uint32_t n)
{
	struct location_key keys[MERGE_BATCH];
	uint64_t hashes[MERGE_BATCH];
	size_t n_lines = 0;

	for (uint32_t i = 0; i < n; i++) {
		keys[i] = location_key(m, from + i);
		n_lines += keys[i].n_lines;
	}
	if (m->sum->lines.n + n_lines > LOCATION_MAX_LINES ||
	    m->sum->locations.n + n >= VARINT_PACKED_END ||
	    !hash_index_reserve(&m->locations, n, &m->a) ||
	    !vec_reserve(&m->sum->locations, n, &m->a) ||
	    !vec_reserve(&m->sum->lines, n_lines, &m->a))
		return merge_fail_to_grow(m, m->sum->locations.n * 8, "locations");
	for (uint32_t i = 0; i < n; i++) {
		hashes[i] = hash_location(m, &keys[i]);
		merge_prefetch_slot(&m->locations, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->sum->locations.data[
			merge_likely_row(&m->locations, hashes[i])]);
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(m->sum->lines.data + location_first_line(
			&m->sum->locations.data[
				merge_likely_row(&m->locations, hashes[i])]));
	for (uint32_t i = 0; i < n; i++)
		m->location_map.data[from + i] =
			varint_pack(find_location(m, &keys[i], hashes[i]));
	return true;
}

bool merge_locations(struct prof_merger *m)
{
	const uint32_t n = prof_n_locations(m->in) + 1;

	m->location_map.n = 0;
	if (!vec_reserve(&m->location_map, n, &m->a))
		return merge_fail_nomem(m);
	m->location_map.data[0] = 0;
	m->location_map.n = n;
	for (uint32_t i = 1; i < n; i += MERGE_BATCH)
		if (!merge_location_batch(m, i, merge_batch_size(i, n)))
			return false;
	return true;
}
