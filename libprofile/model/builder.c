/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows are found again by a hash over their fields; equal strings have equal
 * ids by then, so a row is compared as a few integers. The tables know
 * nothing of this: the hash indexes live here and go with the builder.
 */
#include "model/builder.h"

#include "base/error.h"
#include "model/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Beginning, failing, ending ---- */

struct prof_builder *prof_builder_new(const struct prof_allocator *allocator)
{
	const struct prof_allocator a = allocator ? *allocator : mem_malloc;
	struct prof_builder *b = mem_zeroed(&a, 1, sizeof(*b));

	if (!b)
		return NULL;
	b->allocator = a;
	b->limits = limits_default;
	b->profile = profile_new(&a);
	if (!b->profile) {
		mem_free(&a, b, sizeof(*b));
		return NULL;
	}
	b->strings = (struct interner){ &b->profile->strings, .seed = hash_seed() };
	b->stacks = (struct interner){ &b->profile->stacks,
	                               .seed = b->strings.seed };
	b->label_sets = (struct interner){ &b->profile->label_sets,
	                                   .seed = b->strings.seed };
	return b;
}

void prof_builder_free(struct prof_builder *b)
{
	struct prof_allocator a;

	if (!b)
		return;
	a = b->allocator;
	prof_profile_free(b->profile);
	intern_release(&b->strings, &a);
	intern_release(&b->stacks, &a);
	intern_release(&b->label_sets, &a);
	hash_index_release(&b->functions, &a);
	hash_index_release(&b->locations, &a);
	hash_index_release(&b->mappings, &a);
	hash_index_release(&b->samples, &a);
	vec_release(&b->scratch, &a);
	mem_free(&a, b, sizeof(*b));
}

enum prof_status builder_fail(struct prof_builder *b, enum prof_status status,
                              const char *format, ...)
{
	va_list args;
	char message[sizeof(b->error.message)];

	if (b->status != PROF_OK)
		return b->status;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return b->status = error_set(&b->error, status, "%s", message);
}

/* Memory ran out, or a table would need a 33rd bit. */
static uint32_t fail_to_grow(struct prof_builder *b, const char *table,
                             size_t n)
{
	if (n > UINT32_MAX / 2)
		builder_fail(b, PROF_LIMIT, "more than 4 GiB of %s", table);
	else
		builder_fail(b, PROF_NOMEM, "out of memory");
	return 0;
}

enum prof_status prof_builder_status(const struct prof_builder *b,
                                     struct prof_error *err)
{
	if (b->status != PROF_OK && err)
		*err = b->error;
	return b->status;
}

enum prof_status prof_builder_finish(struct prof_profile **out,
                                     struct prof_builder *b,
                                     struct prof_error *err)
{
	enum prof_status status;

	if (!b)
		return error_nomem(err);
	status = prof_builder_status(b, err);
	if (status == PROF_OK)
		status = profile_check(&(struct checking){
			.p = b->profile, .limits = &b->limits,
			.max_location = b->max_location,
			.max_label_string = b->max_label_string, .err = err
		});
	if (status == PROF_OK) {
		*out = b->profile;
		b->profile = NULL;
	}
	prof_builder_free(b);
	return status;
}

/* ---- Header ---- */

uint32_t builder_string(struct prof_builder *b, struct prof_str s)
{
	uint32_t id;

	if (b->status != PROF_OK || s.len == 0)
		return 0;
	if (s.len > b->limits.max_string) {
		builder_fail(b, PROF_LIMIT, "a string of %zu bytes is longer "
		             "than the limit max_string (%llu)", s.len,
		             (unsigned long long)b->limits.max_string);
		return 0;
	}
	id = intern_bytes(&b->strings, s.ptr, s.len, &b->allocator);
	return id ? id : fail_to_grow(b, "strings", b->profile->strings.bytes.n);
}

bool builder_strings(struct prof_builder *b, const struct prof_str *strings,
                     uint32_t *ids, size_t n)
{
	if (b->status != PROF_OK)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strings[i].len > b->limits.max_string)
			return builder_string(b, strings[i]); /* says so */
	return intern_batch(&b->strings, strings, ids, n, &b->allocator) ||
		fail_to_grow(b, "strings", b->profile->strings.bytes.n);
}

static struct row_value_type value_type_row(struct prof_builder *b,
                                            const struct prof_value_type *t)
{
	return (struct row_value_type){ builder_string(b, t->type),
	                                builder_string(b, t->unit) };
}

void prof_set_header(struct prof_builder *b, const struct prof_header *header)
{
	struct prof_profile *p = b->profile;

	p->period_type = value_type_row(b, &header->period_type);
	p->period = header->period;
	p->time_ns = header->time_ns;
	p->duration_ns = header->duration_ns;
	p->default_sample_type = builder_string(b, header->default_sample_type);
	p->drop_frames = builder_string(b, header->drop_frames);
	p->keep_frames = builder_string(b, header->keep_frames);
	p->doc_url = builder_string(b, header->doc_url);
}

uint32_t prof_add_sample_type(struct prof_builder *b,
                              const struct prof_value_type *type)
{
	struct prof_profile *p = b->profile;

	if (b->status != PROF_OK)
		return 0;
	if (p->samples.n) {
		builder_fail(b, PROF_INVALID,
		             "a sample type was added after a sample");
		return 0;
	}
	if (p->sample_types.n >= b->limits.max_types) {
		builder_fail(b, PROF_LIMIT,
		             "more sample types than the limit max_types (%llu)",
		             (unsigned long long)b->limits.max_types);
		return 0;
	}
	if (!vec_reserve(&p->sample_types, 1, &b->allocator))
		return fail_to_grow(b, "sample types", p->sample_types.n);
	vec_put(&p->sample_types, value_type_row(b, type));
	return (uint32_t)(p->sample_types.n - 1);
}

void prof_add_comment(struct prof_builder *b, struct prof_str text)
{
	struct prof_profile *p = b->profile;

	if (b->status != PROF_OK)
		return;
	if (!vec_reserve(&p->comments, 1, &b->allocator)) {
		fail_to_grow(b, "comments", p->comments.n);
		return;
	}
	vec_put(&p->comments, builder_string(b, text));
}

/* ---- Appending ---- */

uint32_t builder_append_function(struct prof_builder *b,
                                 const struct row_function *row)
{
	struct prof_profile *p = b->profile;
	struct row_function *to;

	if (b->status != PROF_OK)
		return 0;
	if (p->functions.n >= UINT32_MAX / 2 ||
	    !vec_reserve(&p->functions, 1, &b->allocator))
		return fail_to_grow(b, "functions", p->functions.n);
	/* Field by field: the row was written a moment ago, and a copy of it
	   would stall. */
	to = &p->functions.data[p->functions.n++];
	to->name = row->name;
	to->system_name = row->system_name;
	to->filename = row->filename;
	to->start_line = row->start_line;
	return (uint32_t)(p->functions.n - 1);
}

uint32_t builder_append_mapping(struct prof_builder *b,
                                const struct row_mapping *row)
{
	struct prof_profile *p = b->profile;

	if (b->status != PROF_OK)
		return 0;
	if (p->mappings.n >= UINT32_MAX / 2 ||
	    !vec_reserve(&p->mappings, 1, &b->allocator))
		return fail_to_grow(b, "mappings", p->mappings.n);
	vec_put(&p->mappings, *row);
	return (uint32_t)(p->mappings.n - 1);
}

uint32_t builder_append_location(struct prof_builder *b,
                                 const struct row_location *row,
                                 const struct prof_line *lines, size_t n)
{
	struct prof_profile *p = b->profile;
	struct row_location *last;

	if (b->status != PROF_OK)
		return 0;
	if (n > b->limits.max_lines) {
		builder_fail(b, PROF_LIMIT, "a location with %zu lines exceeds "
		             "the limit max_lines (%llu)", n,
		             (unsigned long long)b->limits.max_lines);
		return 0;
	}
	if (p->locations.n >= UINT32_MAX / 2 ||
	    n > LOCATION_MAX_LINES - p->lines.n ||
	    !vec_reserve(&p->locations, 1, &b->allocator) ||
	    !vec_reserve(&p->lines, n, &b->allocator))
		return fail_to_grow(b, "locations", p->locations.n);
	/* The closing row becomes this location, and a new one closes. */
	last = &p->locations.data[p->locations.n - 1];
	*last = (struct row_location){
		.address = row->address,
		.mapping = row->mapping,
		.first_line = (uint32_t)p->lines.n |
			(row->first_line & LOCATION_FOLDED),
	};
	if (n && lines != p->lines.data + p->lines.n)
		memcpy(p->lines.data + p->lines.n, lines, n * sizeof(*lines));
	p->lines.n += n;
	vec_put(&p->locations,
	        (struct row_location){ .first_line = (uint32_t)p->lines.n });
	return (uint32_t)(p->locations.n - 2);
}

/* ---- Interning ---- */

uint32_t prof_add_function(struct prof_builder *b,
                           const struct prof_function *f)
{
	const struct {
		uint32_t name, system_name, filename, unused;
		int64_t start_line;
	} key = {
		builder_string(b, f->name),
		builder_string(b, f->system_name),
		builder_string(b, f->filename),
		0,
		f->start_line,
	};
	struct hash_index *h = &b->functions;
	uint64_t hash;
	uint32_t id;
	size_t i;

	if (b->status != PROF_OK)
		return 0;
	if (!hash_index_reserve(h, 1, &b->allocator))
		return fail_to_grow(b, "functions", h->n);
	hash = hash_bytes(&key, sizeof(key), b->strings.seed);
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_function *row = &b->profile->functions.data[id];

		if (row->name == key.name && row->filename == key.filename &&
		    row->system_name == key.system_name &&
		    row->start_line == key.start_line)
			return id;
	}
	id = builder_append_function(
		b, &(struct row_function){ key.name, key.system_name,
		                           key.filename, key.start_line });
	if (id)
		hash_index_put(h, i, hash, id);
	return id;
}

static uint32_t mapping_has(const struct prof_mapping *m)
{
	return (m->has_functions ? MAPPING_HAS_FUNCTIONS : 0u) |
		(m->has_filenames ? MAPPING_HAS_FILENAMES : 0u) |
		(m->has_line_numbers ? MAPPING_HAS_LINE_NUMBERS : 0u) |
		(m->has_inline_frames ? MAPPING_HAS_INLINE_FRAMES : 0u);
}

uint32_t prof_add_mapping(struct prof_builder *b, const struct prof_mapping *m)
{
	const struct row_mapping key = {
		.start = m->start,
		.limit = m->limit,
		.offset = m->offset,
		.file = builder_string(b, m->file),
		.build_id = builder_string(b, m->build_id),
		.has = mapping_has(m),
	};
	const uint64_t hashed[5] = { key.start, key.limit, key.offset,
	                             (uint64_t)key.file << 32 | key.build_id,
	                             key.has };
	struct hash_index *h = &b->mappings;
	uint64_t hash;
	uint32_t id;
	size_t i;

	if (b->status != PROF_OK)
		return 0;
	if (!hash_index_reserve(h, 1, &b->allocator))
		return fail_to_grow(b, "mappings", h->n);
	hash = hash_bytes(hashed, sizeof(hashed), b->strings.seed);
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_mapping *row = &b->profile->mappings.data[id];

		if (row->start == key.start && row->limit == key.limit &&
		    row->offset == key.offset && row->file == key.file &&
		    row->build_id == key.build_id && row->has == key.has)
			return id;
	}
	id = builder_append_mapping(b, &key);
	if (id)
		hash_index_put(h, i, hash, id);
	return id;
}

static uint64_t location_hash(const struct prof_location *l, uint64_t seed)
{
	const uint64_t head[2] = { l->address,
	                           (uint64_t)l->mapping << 1 | l->is_folded };
	uint64_t hash = hash_bytes(head, sizeof(head), seed);

	for (uint32_t i = 0; i < l->n_lines; i++) {
		const uint64_t line[3] = { l->lines[i].function,
		                           (uint64_t)l->lines[i].line,
		                           (uint64_t)l->lines[i].column };

		hash = hash_bytes(line, sizeof(line), hash);
	}
	return hash;
}

static bool location_equal(const struct prof_location *a,
                           const struct prof_location *b)
{
	if (a->address != b->address || a->mapping != b->mapping ||
	    a->is_folded != b->is_folded || a->n_lines != b->n_lines)
		return false;
	for (uint32_t i = 0; i < a->n_lines; i++)
		if (a->lines[i].function != b->lines[i].function ||
		    a->lines[i].line != b->lines[i].line ||
		    a->lines[i].column != b->lines[i].column)
			return false;
	return true;
}

uint32_t prof_add_location(struct prof_builder *b,
                           const struct prof_location *l)
{
	struct hash_index *h = &b->locations;
	struct prof_location known;
	uint64_t hash;
	uint32_t id;
	size_t i;

	if (b->status != PROF_OK)
		return 0;
	if (!hash_index_reserve(h, 1, &b->allocator))
		return fail_to_grow(b, "locations", h->n);
	hash = location_hash(l, b->strings.seed);
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i))
		if (h->slots[i].tag == hash_tag(hash) &&
		    prof_get_location(b->profile, id, &known) &&
		    location_equal(&known, l))
			return id;
	id = builder_append_location(
		b, &(struct row_location){
			.address = l->address,
			.mapping = l->mapping,
			.first_line = l->is_folded ? LOCATION_FOLDED : 0,
		}, l->lines, l->n_lines);
	if (id)
		hash_index_put(h, i, hash, id);
	return id;
}

uint32_t prof_add_stack(struct prof_builder *b, const uint32_t *locations,
                        size_t n)
{
	unsigned char *to;
	uint32_t id;

	if (b->status != PROF_OK || n == 0)
		return 0;
	if (n > b->limits.max_depth) {
		builder_fail(b, PROF_LIMIT, "a stack of %zu frames exceeds the "
		             "limit max_depth (%llu)", n,
		             (unsigned long long)b->limits.max_depth);
		return 0;
	}
	b->scratch.n = 0;
	if (!vec_reserve(&b->scratch, n * 5, &b->allocator))
		return fail_to_grow(b, "stacks", 0);
	to = b->scratch.data;
	for (size_t i = 0; i < n; i++) {
		to = varint_put(to, locations[i]);
		if (locations[i] > b->max_location)
			b->max_location = locations[i];
		if (locations[i] == 0)
			builder_fail(b, PROF_CORRUPT,
			             "a stack refers to location 0");
	}
	id = intern_bytes(&b->stacks, b->scratch.data,
	                  (size_t)(to - b->scratch.data), &b->allocator);
	return id ? id : fail_to_grow(b, "stacks", b->profile->stacks.bytes.n);
}

bool builder_stacks(struct prof_builder *b, const struct prof_str *packed,
                    uint32_t *ids, size_t n)
{
	if (b->status != PROF_OK)
		return false;
	b->max_location = prof_n_locations(b->profile);
	return intern_batch(&b->stacks, packed, ids, n, &b->allocator) ||
		fail_to_grow(b, "stacks", b->profile->stacks.bytes.n);
}

uint32_t prof_add_label_set(struct prof_builder *b,
                            const struct prof_label *labels, size_t n)
{
	unsigned char *to;
	uint32_t id;

	if (b->status != PROF_OK || n == 0)
		return 0;
	if (n > b->limits.max_labels) {
		builder_fail(b, PROF_LIMIT, "a sample with %zu labels exceeds "
		             "the limit max_labels (%llu)", n,
		             (unsigned long long)b->limits.max_labels);
		return 0;
	}
	b->scratch.n = 0;
	if (!vec_reserve(&b->scratch, n * LABEL_PACKED_MAX, &b->allocator))
		return fail_to_grow(b, "label sets", 0);
	to = b->scratch.data;
	for (size_t i = 0; i < n; i++) {
		const bool is_number = !labels[i].str.ptr;

		to = label_pack(to, &(struct row_label){
			.key = builder_string(b, labels[i].key),
			.str = builder_string(b, is_number ? labels[i].unit :
			                      labels[i].str),
			.is_number = is_number,
			.num = labels[i].num,
		});
	}
	if (b->status != PROF_OK)
		return 0;
	if (n > b->profile->max_labels)
		b->profile->max_labels = (uint32_t)n;
	id = intern_bytes(&b->label_sets, b->scratch.data,
	                  (size_t)(to - b->scratch.data), &b->allocator);
	return id ? id :
		fail_to_grow(b, "label sets", b->profile->label_sets.bytes.n);
}

/* ---- Samples ---- */

void prof_add_sample(struct prof_builder *b, uint32_t stack,
                     uint32_t label_set, const int64_t *values)
{
	struct prof_profile *p = b->profile;
	const size_t width = p->sample_types.n;

	if (b->status != PROF_OK)
		return;
	if (p->samples.n >= UINT32_MAX - 1 ||
	    !vec_reserve(&p->samples, 1, &b->allocator) ||
	    !vec_reserve(&p->values, width, &b->allocator)) {
		fail_to_grow(b, "samples", p->samples.n);
		return;
	}
	vec_put(&p->samples, (struct row_sample){ stack, label_set });
	if (width)
		memcpy(p->values.data + p->values.n, values,
		       width * sizeof(*values));
	p->values.n += width;
}

void builder_add_values(struct prof_builder *b, uint32_t sample,
                        const int64_t *values)
{
	const size_t width = b->profile->sample_types.n;
	int64_t *const row = b->profile->values.data + sample * width;
	int64_t sum;

	for (size_t i = 0; i < width; i++) {
		if (__builtin_add_overflow(row[i], values[i], &sum)) {
			builder_fail(b, PROF_OVERFLOW,
			             "the sum of a sample's values %lld and %lld "
			             "leaves the range of 64 bits",
			             (long long)row[i], (long long)values[i]);
			return;
		}
	}
	for (size_t i = 0; i < width; i++)
		row[i] += values[i];
}

void prof_count_sample(struct prof_builder *b, uint32_t stack,
                       uint32_t label_set, const int64_t *values)
{
	const uint32_t key[2] = { stack, label_set };
	struct hash_index *h = &b->samples;
	const struct prof_profile *p = b->profile;
	uint64_t hash;
	uint32_t row;
	size_t i;

	if (b->status != PROF_OK)
		return;
	if (!hash_index_reserve(h, 1, &b->allocator)) {
		fail_to_grow(b, "samples", p->samples.n);
		return;
	}
	hash = hash_bytes(key, sizeof(key), b->strings.seed);
	/* A slot's id is the sample's number and 1. */
	for (i = hash_index_first(h, hash); (row = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		const struct row_sample *s = &p->samples.data[row - 1];

		if (s->stack != stack || s->label_set != label_set)
			continue;
		builder_add_values(b, row - 1, values);
		return;
	}
	prof_add_sample(b, stack, label_set, values);
	if (b->status == PROF_OK)
		hash_index_put(h, i, hash, (uint32_t)p->samples.n);
}
