/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, block and count records as Go's runtime/pprof makes profiles of
 * them; prof_from_...() on top.
 */
#include "model/events.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR(text) ((struct prof_str){ (text), sizeof(text) - 1 })
#define TYPE(type, unit) ((struct prof_value_type){ STR(type), STR(unit) })

static size_t stack_depth(const uint64_t stack[32])
{
	size_t n = 0;

	while (n < 32 && stack[n])
		n++;
	return n;
}

/* ---- Memory ---- */

void mem_set_types(struct prof_builder *b, int64_t rate,
                   struct prof_header *header)
{
	prof_add_sample_type(b, &TYPE("alloc_objects", "count"));
	prof_add_sample_type(b, &TYPE("alloc_space", "bytes"));
	prof_add_sample_type(b, &TYPE("inuse_objects", "count"));
	prof_add_sample_type(b, &TYPE("inuse_space", "bytes"));
	header->period_type = TYPE("space", "bytes");
	header->period = rate;
}

/* A value beyond int64_t, which a cast would leave undefined, is cut. */
static int64_t scaled(int64_t n, double scale)
{
	const double value = (double)n * scale;

	return value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN :
		(int64_t)value;
}

/*
 * Objects and bytes that sampled ones stand for: a block of the mean size is
 * met with probability 1 - exp(-size / rate).
 */
static void unsample(int64_t objects, int64_t bytes, int64_t rate,
                     int64_t out[2])
{
	double scale = 1;

	if (objects == 0 || bytes == 0) {
		out[0] = out[1] = 0;
		return;
	}
	if (rate <= 1) {
		out[0] = objects;
		out[1] = bytes;
		return;
	}
	scale = 1 / (1 - exp(-((double)bytes / (double)objects) /
	                     (double)rate));
	out[0] = scaled(objects, scale);
	out[1] = scaled(bytes, scale);
}

static uint32_t bytes_label(struct prof_builder *b, int64_t size)
{
	const struct prof_label label = { .key = STR("bytes"), .num = size };

	return size ? prof_add_label_set(b, &label, 1) : 0;
}

/* What is in use is a difference, which has to fit and make sense. */
static bool is_valid_record(const struct prof_mem_record *r)
{
	return r->free_bytes >= 0 && r->free_objects >= 0 &&
		r->free_bytes <= r->alloc_bytes &&
		r->free_objects <= r->alloc_objects;
}

bool mem_check_records(struct prof_builder *b, enum prof_status status,
                       const struct prof_mem_record *recs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_valid_record(&recs[i])) {
			builder_fail(b, status, "memory record %zu freed more "
			             "than it allocated, or less than nothing",
			             i);
			return false;
		}
	return true;
}

void mem_add_records(struct prof_builder *b, struct address_map *addresses,
                     const struct prof_mem_record *recs, size_t n, int64_t rate)
{
	for (size_t i = 0; i < n && b->status == PROF_OK; i++) {
		const struct prof_mem_record *r = &recs[i];
		int64_t values[4];
		int64_t size = 0;

		unsample(r->alloc_objects, r->alloc_bytes, rate, values);
		unsample(prof_mem_in_use_objects(r), prof_mem_in_use_bytes(r),
		         rate, values + 2);
		if (r->alloc_objects > 0)
			size = r->alloc_bytes / r->alloc_objects;
		prof_add_sample(b, address_map_stack(addresses, r->stack,
		                                     stack_depth(r->stack)),
		                bytes_label(b, size), values);
	}
}

/* ---- Blocking ---- */

void block_set_types(struct prof_builder *b, struct prof_str name,
                     struct prof_header *header)
{
	header->period = 1;
	if (name.len == 4 && !memcmp(name.ptr, "wall", 4)) {
		prof_add_sample_type(b, &TYPE("samples", "count"));
		prof_add_sample_type(b, &TYPE("wall", "nanoseconds"));
		header->period_type = TYPE("wall", "nanoseconds");
		return;
	}
	prof_add_sample_type(b, &TYPE("contentions", "count"));
	prof_add_sample_type(b, &TYPE("delay", "nanoseconds"));
	header->period_type = TYPE("contentions", "count");
}

void block_add_records(struct prof_builder *b, struct address_map *addresses,
                       const struct prof_block_record *recs, size_t n,
                       int64_t cycles_per_second)
{
	const double cycles_per_ns = (double)cycles_per_second / 1e9;

	for (size_t i = 0; i < n && b->status == PROF_OK; i++) {
		const struct prof_block_record *r = &recs[i];
		const int64_t values[2] = {
			r->count,
			/* Exact where cycles are nanoseconds. */
			cycles_per_second == 1000000000 ? r->cycles :
			scaled(1, (double)r->cycles / cycles_per_ns),
		};

		prof_add_sample(b, address_map_stack(addresses, r->stack,
		                                     stack_depth(r->stack)),
		                0, values);
	}
}

/* ---- Counting ---- */

void count_groups_init(struct count_groups *g, struct prof_builder *b)
{
	memset(g, 0, sizeof(*g));
	g->b = b;
	if (!byte_table_begin(&g->keys, &b->allocator))
		builder_fail(b, PROF_NOMEM, "out of memory");
	g->interner = (struct interner){ &g->keys, .seed = hash_seed() };
}

void count_groups_release(struct count_groups *g)
{
	const struct prof_allocator *a = &g->b->allocator;

	byte_table_release(&g->keys, a);
	intern_release(&g->interner, a);
	vec_release(&g->groups, a);
	vec_release(&g->text, a);
}

void count_set_types(struct prof_builder *b, struct prof_str name,
                     struct prof_header *header)
{
	prof_add_sample_type(b, &(struct prof_value_type){ name, STR("count") });
	header->period_type = (struct prof_value_type){ name, STR("count") };
	header->period = 1;
}

static void put_text(struct count_groups *g, const char *text, size_t size)
{
	if (!vec_reserve(&g->text, size, &g->b->allocator)) {
		builder_fail(g->b, PROF_NOMEM, "out of memory");
		return;
	}
	if (size)
		memcpy(g->text.data + g->text.n, text, size);
	g->text.n += size;
}

static void put_hex(struct count_groups *g, uint64_t n, int digits)
{
	char text[16];
	int i = 16;

	do {
		text[--i] = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n || 16 - i < digits);
	put_text(g, text + i, (size_t)(16 - i));
}

/* A string in quotes, as Go's %q has it (for the ASCII part of it). */
static void put_quoted(struct count_groups *g, struct prof_str s)
{
	static const char escapes[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";

	put_text(g, "\"", 1);
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];
		const char *escape = NULL;

		for (size_t k = 0; k + 1 < sizeof(escapes); k += 2)
			if (escapes[k] == s.ptr[i])
				escape = &escapes[k + 1];
		if (escape) {
			put_text(g, "\\", 1);
			put_text(g, escape, 1);
		} else if (c < 0x20 || c == 0x7f) {
			put_text(g, "\\x", 2);
			put_hex(g, c, 2);
		} else {
			put_text(g, &s.ptr[i], 1);
		}
	}
	put_text(g, "\"", 1);
}

/* Go has no numbers here; what is different must not be one all the same. */
static void put_number(struct count_groups *g, const struct prof_label *label)
{
	char digits[24];

	put_text(g, digits, (size_t)snprintf(digits, sizeof(digits), "%lld ",
	                                     (long long)label->num));
	put_text(g, label->unit.ptr ? label->unit.ptr : "", label->unit.len);
}

static int compare_keys(const void *a_, const void *b_)
{
	const struct prof_label *a = *(const struct prof_label *const *)a_;
	const struct prof_label *b = *(const struct prof_label *const *)b_;
	const size_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
	const int order = n ? memcmp(a->key.ptr, b->key.ptr, n) : 0;

	return order ? order : (a->key.len > b->key.len) -
		(a->key.len < b->key.len);
}

#define MAX_LABELS_SORTED 64

/* `\n# labels: {"k":"v", ...}` with the keys in order. */
static void put_labels(struct count_groups *g, const struct prof_label *labels,
                       size_t n)
{
	const struct prof_label *sorted[MAX_LABELS_SORTED];

	if (n == 0)
		return;
	n = n < MAX_LABELS_SORTED ? n : MAX_LABELS_SORTED;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &labels[i];
	qsort(sorted, n, sizeof(sorted[0]), compare_keys);
	put_text(g, "\n# labels: {", 12);
	for (size_t i = 0; i < n; i++) {
		if (i)
			put_text(g, ", ", 2);
		put_quoted(g, sorted[i]->key);
		put_text(g, ":", 1);
		if (sorted[i]->str.ptr)
			put_quoted(g, sorted[i]->str);
		else
			put_number(g, sorted[i]);
	}
	put_text(g, "}", 1);
}

void count_groups_add(struct count_groups *g, struct address_map *addresses,
                      int64_t n, const uint64_t *pcs, size_t n_pcs,
                      const struct prof_label *labels, size_t n_labels)
{
	struct prof_builder *b = g->b;
	uint32_t key;

	g->text.n = 0;
	put_text(g, "@", 1);
	for (size_t i = 0; i < n_pcs; i++) {
		put_text(g, " 0x", 3);
		put_hex(g, pcs[i], 1);
	}
	put_labels(g, labels, n_labels);
	if (b->status != PROF_OK)
		return;
	key = intern_bytes(&g->interner, g->text.data, g->text.n,
	                   &b->allocator);
	if (!key || !vec_reserve(&g->groups, 1, &b->allocator)) {
		builder_fail(b, PROF_NOMEM, "out of memory");
		return;
	}
	if (key > g->groups.n)
		vec_put(&g->groups, (struct count_group){
			.key = key,
			.stack = address_map_stack(addresses, pcs, n_pcs),
			.label_set = prof_add_label_set(b, labels, n_labels),
		});
	if (__builtin_add_overflow(g->groups.data[key - 1].n, n,
	                           &g->groups.data[key - 1].n))
		builder_fail(b, PROF_OVERFLOW,
		             "a count leaves the range of 64 bits");
}

/* The most counted first, then by the text of the key. */
static int compare_groups(const void *a_, const void *b_, void *ctx)
{
	const struct byte_table *keys = ctx;
	const struct count_group *a = a_;
	const struct count_group *b = b_;
	const struct prof_str x = byte_table_get(keys, a->key);
	const struct prof_str y = byte_table_get(keys, b->key);
	int order = (a->n < b->n) - (a->n > b->n);

	if (!order)
		order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
	return order ? order : (x.len > y.len) - (x.len < y.len);
}

void count_groups_sort(struct count_groups *g)
{
	if (g->b->status == PROF_OK && g->groups.n > 0)
		qsort_r(g->groups.data, g->groups.n, sizeof(*g->groups.data),
		        compare_groups, &g->keys);
}

void count_groups_finish(struct count_groups *g)
{
	if (g->b->status != PROF_OK)
		return;
	count_groups_sort(g);
	for (size_t i = 0; i < g->groups.n; i++)
		prof_add_sample(g->b, g->groups.data[i].stack,
		                g->groups.data[i].label_set,
		                &g->groups.data[i].n);
}

/* ---- prof_from_... ---- */

/* What the three have in common: a builder that knows the mappings. */
struct making {
	struct prof_from_options options;
	struct prof_builder *b;
	struct address_map addresses;
	struct prof_header header;
};

static enum prof_status making_begin(struct making *m,
                                     const struct prof_from_options *options,
                                     struct prof_error *err)
{
	memset(m, 0, sizeof(*m));
	if (options)
		memcpy(&m->options, options,
		       options->size < sizeof(m->options) ? options->size :
		       sizeof(m->options));
	m->b = prof_builder_new(m->options.allocator);
	if (!m->b)
		return error_nomem(err);
	address_map_init(&m->addresses, m->b, ADDRESS_CLEAN);
	for (size_t i = 0; i < m->options.n_mappings; i++)
		address_map_add(&m->addresses, &m->options.mappings[i]);
	m->header.time_ns = m->options.time_ns;
	m->header.duration_ns = m->options.duration_ns;
	if (m->options.default_sample_type)
		m->header.default_sample_type = (struct prof_str){
			m->options.default_sample_type,
			strlen(m->options.default_sample_type) };
	return PROF_OK;
}

static enum prof_status making_end(struct prof_profile **out, struct making *m,
                                   struct prof_error *err)
{
	prof_set_header(m->b, &m->header);
	address_map_release(&m->addresses);
	return prof_builder_finish(out, m->b, err);
}

enum prof_status prof_from_mem(struct prof_profile **out,
                               const struct prof_mem_record *recs, size_t n,
                               int64_t rate,
                               const struct prof_from_options *options,
                               struct prof_error *err)
{
	struct making m;
	const enum prof_status status = making_begin(&m, options, err);

	if (status != PROF_OK)
		return status;
	mem_set_types(m.b, rate, &m.header);
	if (mem_check_records(m.b, PROF_INVALID, recs, n))
		mem_add_records(m.b, &m.addresses, recs, n, rate);
	return making_end(out, &m, err);
}

enum prof_status prof_from_block(struct prof_profile **out,
                                 const struct prof_block_record *recs, size_t n,
                                 int64_t cycles_per_second,
                                 const struct prof_from_options *options,
                                 struct prof_error *err)
{
	struct making m;
	enum prof_status status;

	if (cycles_per_second <= 0)
		return error_set(err, PROF_INVALID,
		                 "a clock of %lld cycles per second",
		                 (long long)cycles_per_second);
	status = making_begin(&m, options, err);
	if (status != PROF_OK)
		return status;
	block_set_types(m.b, STR("block"), &m.header);
	block_add_records(m.b, &m.addresses, recs, n, cycles_per_second);
	return making_end(out, &m, err);
}

enum prof_status prof_from_count(struct prof_profile **out,
                                 const struct prof_count_profile *c,
                                 const struct prof_from_options *options,
                                 struct prof_error *err)
{
	struct making m;
	struct count_groups groups;
	const enum prof_status status = making_begin(&m, options, err);
	size_t n;

	if (status != PROF_OK)
		return status;
	count_set_types(m.b, (struct prof_str){ c->name, strlen(c->name) },
	                &m.header);
	count_groups_init(&groups, m.b);
	n = c->len(c->ctx);
	for (size_t i = 0; i < n; i++) {
		const struct prof_label *labels = NULL;
		const uint64_t *pcs = NULL;
		const size_t n_pcs = c->stack(c->ctx, i, &pcs);
		const size_t n_labels =
			c->labels ? c->labels(c->ctx, i, &labels) : 0;

		count_groups_add(&groups, &m.addresses, 1, pcs, n_pcs, labels,
		                 n_labels);
	}
	count_groups_finish(&groups);
	count_groups_release(&groups);
	return making_end(out, &m, err);
}
