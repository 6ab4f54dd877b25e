/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of an input added to those of the sum.
 *
 * A sum is larger than the cache, so that a lookup is two loads from memory.
 * Every table goes in batches of 32 for that: hash and fetch the slots, fetch
 * the rows that they name, and only then compare (2 to 5 times as fast).
 */
#include "transform/merger.h"

#include "base/error.h"
#include "model/order.h"

#include <string.h>

#define BATCH INTERN_BATCH

static bool fail_nomem(struct prof_merger *m)
{
	m->has_failed = true;
	if (m->status == PROF_OK)
		m->status = error_nomem(m->err);
	return false;
}

/* Memory ran out, or a table reached the end of its 32-bit ids. */
static bool fail_to_grow(struct prof_merger *m, size_t size, const char *what)
{
	if (size < UINT32_MAX / 2)
		return fail_nomem(m);
	m->has_failed = true;
	m->status = error_set(m->err, PROF_LIMIT, "more than 4 GiB of %s", what);
	return false;
}

static uint32_t batch_size(size_t i, size_t n)
{
	return n - i < BATCH ? (uint32_t)(n - i) : BATCH;
}

PREFETCHES prefetch_slot(const struct hash_index *h, uint64_t hash)
{
	__builtin_prefetch(&h->slots[hash_index_first(h, hash)]);
}

/* The row that a slot's first look gives, 0 for none: to be fetched. */
static uint32_t likely_row(const struct hash_index *h, uint64_t hash)
{
	const struct hash_slot *slot = &h->slots[hash_index_first(h, hash)];

	return slot->tag == hash_tag(hash) ? slot->id : 0;
}

/* ---- Strings ---- */

bool merge_strings(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->strings);
	struct prof_str strings[BATCH];

	m->string_map.n = 0;
	if (!vec_reserve(&m->string_map, n, &m->a))
		return fail_nomem(m);
	for (uint32_t i = 0; i < n; i += BATCH) {
		const uint32_t k = batch_size(i, n);

		for (uint32_t j = 0; j < k; j++)
			strings[j] = profile_string(m->in, i + j);
		if (!intern_batch(&m->strings, strings, m->string_map.data + i,
		                  k, &m->a))
			return fail_to_grow(m, m->sum->strings.bytes.n,
			                    "strings");
	}
	m->string_map.n = n;
	return true;
}

static uint32_t string_of(const struct prof_merger *m, uint32_t id)
{
	return m->string_map.data[id];
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
		fail_nomem(m);
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

	row.file = string_of(m, row.file);
	row.build_id = string_of(m, row.build_id);
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
		return fail_nomem(m);
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
		.name = string_of(m, f->name),
		.system_name = string_of(m, f->system_name),
		.filename = string_of(m, f->filename),
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
	struct function_key keys[BATCH];
	uint64_t hashes[BATCH];

	if (!hash_index_reserve(&m->functions, n, &m->a) ||
	    !vec_reserve(&m->sum->functions, n, &m->a))
		return fail_to_grow(m, m->sum->functions.n, "functions");
	for (uint32_t i = 0; i < n; i++) {
		keys[i] = function_key(m, &m->in->functions.data[from + i]);
		hashes[i] = hash_bytes(&keys[i], sizeof(keys[i]),
		                       m->strings.seed);
		prefetch_slot(&m->functions, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->sum->functions.data[
			likely_row(&m->functions, hashes[i])]);
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
		return fail_nomem(m);
	m->function_map.data[0] = 0;
	m->function_map.n = n;
	for (uint32_t i = 1; i < n; i += BATCH)
		if (!merge_function_batch(m, i, batch_size(i, n)))
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
	struct location_key keys[BATCH];
	uint64_t hashes[BATCH];
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
		return fail_to_grow(m, m->sum->locations.n * 8, "locations");
	for (uint32_t i = 0; i < n; i++) {
		hashes[i] = hash_location(m, &keys[i]);
		prefetch_slot(&m->locations, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&m->sum->locations.data[
			likely_row(&m->locations, hashes[i])]);
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(m->sum->lines.data + location_first_line(
			&m->sum->locations.data[
				likely_row(&m->locations, hashes[i])]));
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
		return fail_nomem(m);
	m->location_map.data[0] = 0;
	m->location_map.n = n;
	for (uint32_t i = 1; i < n; i += BATCH)
		if (!merge_location_batch(m, i, batch_size(i, n)))
			return false;
	return true;
}

/* ---- Stacks ---- */

/* A stack with the sum's ids behind what the scratch holds. */
static struct prof_str map_stack(struct prof_merger *m, struct prof_str stack)
{
	const unsigned char *from = (const unsigned char *)stack.ptr;
	const unsigned char *const end = from + stack.len;
	unsigned char *const begin = m->scratch.data + m->scratch.n;
	unsigned char *to = begin;

	while (from < end) {
		uint32_t id;

		from = varint_get_known(from, &id);
		to = varint_put_packed(to, m->location_map.data[id]);
	}
	m->scratch.n = (size_t)(to - m->scratch.data);
	return (struct prof_str){ (const char *)begin, (size_t)(to - begin) };
}

static bool merge_stack_batch(struct prof_merger *m, uint32_t from, uint32_t n)
{
	struct prof_str stacks[BATCH];
	size_t size = 4;

	/* An id takes four bytes where it took one, at most. */
	for (uint32_t i = 0; i < n; i++)
		size += 4 * byte_table_get(&m->in->stacks, from + i).len;
	m->scratch.n = 0;
	if (!vec_reserve(&m->scratch, size, &m->a))
		return fail_nomem(m);
	for (uint32_t i = 0; i < n; i++)
		stacks[i] = map_stack(m, byte_table_get(&m->in->stacks,
		                                        from + i));
	if (!intern_batch(&m->stacks, stacks, m->stack_map.data + from, n,
	                  &m->a))
		return fail_to_grow(m, m->sum->stacks.bytes.n, "stacks");
	return true;
}

bool merge_stacks(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->stacks);

	m->stack_map.n = 0;
	if (!vec_reserve(&m->stack_map, n, &m->a))
		return fail_nomem(m);
	m->stack_map.data[0] = 0;
	m->stack_map.n = n;
	for (uint32_t i = 1; i < n; i += BATCH)
		if (!merge_stack_batch(m, i, batch_size(i, n)))
			return false;
	return true;
}

/* ---- Label sets ---- */

static bool comes_before(const struct prof_profile *p, const struct row_label *a,
                         const struct row_label *b)
{
	const int order = string_compare(p, a->key, b->key);

	return order < 0 || (order == 0 && a->is_number < b->is_number);
}

void merge_sort_labels(const struct prof_profile *p, struct row_label *labels,
                       size_t n)
{
	for (size_t i = 1; i < n; i++) {
		const struct row_label label = labels[i];
		size_t k = i;

		for (; k > 0 && comes_before(p, &label, &labels[k - 1]); k--)
			labels[k] = labels[k - 1];
		labels[k] = label;
	}
}

static struct prof_str map_label_set(struct prof_merger *m, struct prof_str set,
                                     struct row_label *labels)
{
	const unsigned char *from = (const unsigned char *)set.ptr;
	const unsigned char *const end = from + set.len;
	unsigned char *const begin = m->scratch.data + m->scratch.n;
	unsigned char *to = begin;
	size_t n = 0;

	for (; from < end; n++) {
		from = label_unpack(from, &labels[n]);
		labels[n].key = string_of(m, labels[n].key);
		labels[n].str = string_of(m, labels[n].str);
	}
	merge_sort_labels(m->sum, labels, n);
	for (size_t i = 0; i < n; i++)
		to = label_pack(to, &labels[i]);
	m->scratch.n = (size_t)(to - m->scratch.data);
	return (struct prof_str){ (const char *)begin, (size_t)(to - begin) };
}

/* labels[max_labels] is scratch. */
static bool merge_label_set_batch(struct prof_merger *m, uint32_t from,
                                  uint32_t n, struct row_label *labels)
{
	struct prof_str sets[BATCH];
	size_t size = 0;

	/* A label takes two bytes at least. */
	for (uint32_t i = 0; i < n; i++) {
		sets[i] = byte_table_get(&m->in->label_sets, from + i);
		size += (sets[i].len / 2 + 1) * LABEL_PACKED_MAX;
	}
	m->scratch.n = 0;
	if (!vec_reserve(&m->scratch, size, &m->a))
		return false;
	for (uint32_t i = 0; i < n; i++)
		sets[i] = map_label_set(m, sets[i], labels);
	return intern_batch(&m->label_sets, sets,
	                    m->label_set_map.data + from, n, &m->a);
}

bool merge_label_sets(struct prof_merger *m)
{
	const uint32_t n = byte_table_n(&m->in->label_sets);
	const size_t max = m->in->max_labels;
	struct row_label *labels = mem_zeroed(&m->a, max + 1, sizeof(*labels));
	bool ok = labels != NULL;

	if (m->sum->max_labels < max)
		m->sum->max_labels = (uint32_t)max;
	m->label_set_map.n = 0;
	ok = ok && vec_reserve(&m->label_set_map, n, &m->a);
	if (ok)
		m->label_set_map.data[0] = 0;
	for (uint32_t i = 1; i < n && ok; i += BATCH)
		ok = merge_label_set_batch(m, i, batch_size(i, n), labels);
	mem_free(&m->a, labels, (max + 1) * sizeof(*labels));
	if (!ok)
		return fail_to_grow(m, m->sum->label_sets.bytes.n, "label sets");
	if (m->sum->max_labels < m->in->max_labels)
		m->sum->max_labels = m->in->max_labels;
	m->label_set_map.n = n;
	if (m->in->max_labels > m->sum->max_labels)
		m->sum->max_labels = m->in->max_labels;
	return true;
}

/* ---- Samples ---- */

/* The row of a stack with a label set; a new one has only zeros. */
static uint32_t find_sample(struct prof_merger *m, struct row_sample key,
                            uint64_t hash)
{
	struct prof_profile *sum = m->sum;
	struct hash_index *h = &m->samples;
	const size_t width = m->columns.n;
	uint32_t row;
	size_t i;

	/* A slot's id is the sample's number and 1. */
	for (i = hash_index_first(h, hash); (row = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_sample *s = &sum->samples.data[row - 1];

		if (s->stack == key.stack && s->label_set == key.label_set)
			return row - 1;
	}
	vec_put(&sum->samples, key);
	memset(sum->values.data + sum->values.n, 0,
	       width * sizeof(*sum->values.data));
	sum->values.n += width;
	hash_index_put(h, i, hash, (uint32_t)sum->samples.n);
	return (uint32_t)sum->samples.n - 1;
}

static bool add_values(struct prof_merger *m, uint32_t row,
                       const int64_t *values)
{
	int64_t *const to = m->sum->values.data + row * m->columns.n;

	for (size_t i = 0; i < m->column_map.n; i++) {
		int64_t *sum = &to[m->column_map.data[i]];
		int64_t value;

		if (!__builtin_mul_overflow(values[i], m->weight, &value) &&
		    !__builtin_add_overflow(*sum, value, sum))
			continue;
		m->has_failed = true;
		m->status = error_set(m->err, PROF_OVERFLOW,
		                      "the sum of a sample's values leaves the "
		                      "range of 64 bits");
		return false;
	}
	return true;
}

static bool is_zero(const int64_t *values, size_t n)
{
	int64_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= values[i];
	return any == 0;
}

static bool merge_sample_batch(struct prof_merger *m, uint32_t from, uint32_t n)
{
	const size_t width = m->in->sample_types.n;
	struct prof_profile *sum = m->sum;
	struct row_sample keys[BATCH];
	uint64_t hashes[BATCH];

	if (sum->samples.n + n >= UINT32_MAX ||
	    !hash_index_reserve(&m->samples, n, &m->a) ||
	    !vec_reserve(&sum->samples, n, &m->a) ||
	    !vec_reserve(&sum->values, n * m->columns.n, &m->a))
		return fail_to_grow(m, sum->samples.n, "samples");
	for (uint32_t i = 0; i < n; i++) {
		const struct row_sample *s = &m->in->samples.data[from + i];

		keys[i] = (struct row_sample){
			m->stack_map.data[s->stack],
			m->label_set_map.data[s->label_set] };
		hashes[i] = hash_bytes(&keys[i], sizeof(keys[i]),
		                       m->strings.seed);
		prefetch_slot(&m->samples, hashes[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t row = likely_row(&m->samples, hashes[i]);

		__builtin_prefetch(&sum->samples.data[row ? row - 1 : 0]);
		__builtin_prefetch(&sum->values.data[
			(row ? row - 1 : 0) * m->columns.n]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const int64_t *values = m->in->values.data + (from + i) * width;

		if (!is_zero(values, width) &&
		    !add_values(m, find_sample(m, keys[i], hashes[i]), values))
			return false;
	}
	return true;
}

bool merge_samples(struct prof_merger *m)
{
	const uint32_t n = (uint32_t)m->in->samples.n;

	for (uint32_t i = 0; i < n; i += BATCH)
		if (!merge_sample_batch(m, i, batch_size(i, n)))
			return false;
	return true;
}
