/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing profile.proto. The file is in canonical order unless the order is
 * to be kept: equal content gives equal bytes, and the samples of a call tree
 * stand together, so that the compressed file is a quarter to a half smaller
 * than in random order.
 *
 * A stack goes out as one copy, because the model keeps it in the form of
 * the wire. Everything whose length has to stand before it is put together
 * in a scratch first: measured twice as fast as counting sizes ahead or as
 * writing backwards.
 *
 * Fields are left out where they are zero, as proto3 has it. The string table
 * comes last and holds what is referred to, in order of first use.
 */
#include "format/pprof.h"

#include "base/error.h"
#include "base/varint.h"
#include "model/order.h"

#include <stdlib.h>
#include <string.h>

struct pprof_writer {
	const struct prof_profile *p;
	struct output *out;
	const struct prof_allocator *a;
	struct canonical_order order;
	const struct byte_table *stacks; /* with the ids of the file */
	bool is_reordered;
	bool has_failed; /* out of memory */
	/* New ids by old ones, 0 where there is none yet; and the other way
	   round in order of new ids. */
	uint32_t *string_id, *function_id;
	VEC(uint32_t) strings, functions;
	VEC(unsigned char) scratch; /* the message in hand */
};

/* ---- Pieces ---- */

static unsigned char *put_field(unsigned char *to, unsigned field,
                                uint64_t value)
{
	if (value) {
		to = varint_put(to, PPROF_TAG(field, WIRE_VARINT));
		to = varint_put(to, value);
	}
	return to;
}

#define FIELD_MAX ((size_t)(2 + VARINT_MAX))

/* Room for n bytes behind what the scratch holds. */
static unsigned char *scratch_room(struct pprof_writer *g, size_t n)
{
	if (vec_reserve(&g->scratch, n, g->a))
		return g->scratch.data + g->scratch.n;
	g->has_failed = true;
	return NULL;
}

static void scratch_ends_at(struct pprof_writer *g, const unsigned char *end)
{
	g->scratch.n = (size_t)(end - g->scratch.data);
}

/* A message of the profile: its tag, its size, the scratch. */
static void write_scratch(struct pprof_writer *g, unsigned field)
{
	struct output *out = g->out;

	if (!output_room(out, 2 * VARINT_MAX + g->scratch.n))
		return;
	out->p = varint_put(out->p, PPROF_TAG(field, WIRE_BYTES));
	out->p = varint_put(out->p, g->scratch.n);
	if (g->scratch.n)
		memcpy(out->p, g->scratch.data, g->scratch.n);
	out->p += g->scratch.n;
	g->scratch.n = 0;
}

static void write_number(struct pprof_writer *g, unsigned field,
                         uint64_t value)
{
	if (output_room(g->out, FIELD_MAX))
		g->out->p = put_field(g->out->p, field, value);
}

/* The index of a string in the file. Every string was reserved room for. */
static uint32_t new_string(struct pprof_writer *g, uint32_t old)
{
	if (old && !g->string_id[old]) {
		vec_put(&g->strings, old);
		g->string_id[old] = (uint32_t)g->strings.n;
	}
	return g->string_id[old];
}

static uint32_t new_function(struct pprof_writer *g, uint32_t old)
{
	if (!g->function_id[old]) {
		vec_put(&g->functions, old);
		g->function_id[old] = (uint32_t)g->functions.n;
	}
	return g->function_id[old];
}

static void write_value_type(struct pprof_writer *g, unsigned field,
                             struct row_value_type type)
{
	unsigned char *at = scratch_room(g, 2 * FIELD_MAX);

	if (!at)
		return;
	at = put_field(at, VALUE_TYPE_TYPE, new_string(g, type.type));
	at = put_field(at, VALUE_TYPE_UNIT, new_string(g, type.unit));
	scratch_ends_at(g, at);
	write_scratch(g, field);
}

/* ---- Samples ---- */

static void put_values(struct pprof_writer *g, const int64_t *values)
{
	const size_t n = g->p->sample_types.n;
	unsigned char *at = scratch_room(g, (n + 2) * VARINT_MAX);
	size_t size = 0;

	if (!at)
		return;
	if (n == 1) {
		*at++ = PPROF_TAG(SAMPLE_VALUE, WIRE_VARINT);
		scratch_ends_at(g, varint_put(at, (uint64_t)values[0]));
		return;
	}
	for (size_t i = 0; i < n; i++)
		size += varint_size((uint64_t)values[i]);
	*at++ = PPROF_TAG(SAMPLE_VALUE, WIRE_BYTES);
	at = varint_put(at, size);
	for (size_t i = 0; i < n; i++)
		at = varint_put(at, (uint64_t)values[i]);
	scratch_ends_at(g, at);
}

static void put_labels(struct pprof_writer *g, uint32_t set)
{
	const struct prof_str s = byte_table_get(&g->p->label_sets, set);
	const unsigned char *from = (const unsigned char *)s.ptr;
	const unsigned char *const end = from + s.len;
	struct row_label label;
	unsigned char fields[4 * FIELD_MAX];

	while (from < end) {
		unsigned char *at = fields;
		unsigned char *to;

		from = label_unpack(from, &label);
		at = put_field(at, LABEL_KEY, new_string(g, label.key));
		if (label.is_number) {
			at = put_field(at, LABEL_NUM, (uint64_t)label.num);
			at = put_field(at, LABEL_NUM_UNIT,
			               new_string(g, label.str));
		} else {
			at = put_field(at, LABEL_STR, new_string(g, label.str));
		}
		to = scratch_room(g, sizeof(fields) + 2);
		if (!to)
			return;
		*to++ = PPROF_TAG(SAMPLE_LABEL, WIRE_BYTES);
		*to++ = (unsigned char)(at - fields); /* 4 * FIELD_MAX < 0x80 */
		memcpy(to, fields, (size_t)(at - fields));
		scratch_ends_at(g, to + (at - fields));
	}
}

/* A stack of one frame is cheaper unpacked. */
static bool is_single(struct prof_str stack)
{
	size_t i = 0;

	while (i < stack.len && (unsigned char)stack.ptr[i] >= 0x80)
		i++;
	return i + 1 == stack.len;
}

static void write_sample(struct pprof_writer *g, uint32_t i)
{
	const struct row_sample *s = &g->p->samples.data[i];
	const struct prof_str stack = byte_table_get(g->stacks, s->stack);
	struct output *out = g->out;
	unsigned char head[2 + VARINT_MAX];
	unsigned char *at = head;

	put_values(g, g->p->values.data + i * g->p->sample_types.n);
	if (s->label_set)
		put_labels(g, s->label_set);
	if (is_single(stack)) {
		*at++ = PPROF_TAG(SAMPLE_LOCATION_ID, WIRE_VARINT);
	} else if (stack.len) {
		*at++ = PPROF_TAG(SAMPLE_LOCATION_ID, WIRE_BYTES);
		at = varint_put(at, stack.len);
	}
	if (!output_room(out, 2 * VARINT_MAX + sizeof(head) + stack.len +
	                 g->scratch.n))
		return;
	*out->p++ = PPROF_TAG(PROFILE_SAMPLE, WIRE_BYTES);
	out->p = varint_put(out->p, (uint64_t)(at - head) + stack.len +
	                    g->scratch.n);
	memcpy(out->p, head, (size_t)(at - head));
	out->p += at - head;
	memcpy(out->p, stack.ptr, stack.len);
	out->p += stack.len;
	memcpy(out->p, g->scratch.data, g->scratch.n);
	out->p += g->scratch.n;
	g->scratch.n = 0;
}

static uint32_t sample_at(const struct pprof_writer *g, uint32_t i)
{
	return g->is_reordered ? g->order.samples[i] : i;
}

/*
 * Asks for what samples further on need, which in canonical order is all over
 * the tables: one load leads to the next, so each step is asked for when the
 * one before it has come.
 */
PREFETCHES prefetch_samples(const struct pprof_writer *g, uint32_t i,
                            uint32_t n)
{
	const uint32_t far = 32, middle = 16, near = 8;
	const struct prof_profile *p = g->p;
	const struct row_sample *s;

	if (i + far >= n)
		return;
	__builtin_prefetch(&p->samples.data[sample_at(g, i + far)]);
	s = &p->samples.data[sample_at(g, i + middle)];
	__builtin_prefetch(&g->stacks->offsets.data[s->stack]);
	__builtin_prefetch(&p->label_sets.offsets.data[s->label_set]);
	s = &p->samples.data[sample_at(g, i + near)];
	__builtin_prefetch(byte_table_get(g->stacks, s->stack).ptr);
	__builtin_prefetch(byte_table_get(g->stacks, s->stack).ptr + 64);
	__builtin_prefetch(byte_table_get(&p->label_sets, s->label_set).ptr);
	__builtin_prefetch(p->values.data + (size_t)sample_at(g, i + near) *
	                   p->sample_types.n);
}

static void write_samples(struct pprof_writer *g)
{
	const uint32_t n = prof_n_samples(g->p);

	for (uint32_t i = 0; i < n && !g->has_failed; i++) {
		prefetch_samples(g, i, n);
		write_sample(g, sample_at(g, i));
	}
}

/* ---- The other tables ---- */

static void write_mappings(struct pprof_writer *g)
{
	static const struct {
		enum mapping_has has;
		enum pprof_mapping_field field;
	} flags[] = {
		{ MAPPING_HAS_FUNCTIONS, MAPPING_FIELD_HAS_FUNCTIONS },
		{ MAPPING_HAS_FILENAMES, MAPPING_FIELD_HAS_FILENAMES },
		{ MAPPING_HAS_LINE_NUMBERS, MAPPING_FIELD_HAS_LINE_NUMBERS },
		{ MAPPING_HAS_INLINE_FRAMES, MAPPING_FIELD_HAS_INLINE_FRAMES },
	};

	for (uint32_t id = 1; id < g->p->mappings.n; id++) {
		const struct row_mapping *m = &g->p->mappings.data[id];
		unsigned char *at = scratch_room(g, 10 * FIELD_MAX);

		if (!at)
			return;
		at = put_field(at, MAPPING_ID, id);
		at = put_field(at, MAPPING_MEMORY_START, m->start);
		at = put_field(at, MAPPING_MEMORY_LIMIT, m->limit);
		at = put_field(at, MAPPING_FILE_OFFSET, m->offset);
		at = put_field(at, MAPPING_FILENAME, new_string(g, m->file));
		at = put_field(at, MAPPING_BUILD_ID, new_string(g, m->build_id));
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			at = put_field(at, flags[i].field,
			               (m->has & flags[i].has) != 0);
		scratch_ends_at(g, at);
		write_scratch(g, PROFILE_MAPPING);
	}
}

static void put_line(struct pprof_writer *g, const struct prof_line *line)
{
	unsigned char fields[3 * FIELD_MAX];
	unsigned char *at = fields;
	unsigned char *to = scratch_room(g, sizeof(fields) + 2);

	if (!to)
		return;
	at = put_field(at, LINE_FUNCTION_ID, new_function(g, line->function));
	at = put_field(at, LINE_LINE, (uint64_t)line->line);
	at = put_field(at, LINE_COLUMN, (uint64_t)line->column);
	*to++ = PPROF_TAG(LOCATION_LINE, WIRE_BYTES);
	*to++ = (unsigned char)(at - fields); /* 3 * FIELD_MAX < 0x80 */
	memcpy(to, fields, (size_t)(at - fields));
	scratch_ends_at(g, to + (at - fields));
}

static void write_location(struct pprof_writer *g, uint32_t old, uint32_t id)
{
	const struct row_location *l = &g->p->locations.data[old];
	const struct prof_line *lines = g->p->lines.data + location_first_line(l);
	const uint32_t n_lines = location_n_lines(l);
	unsigned char *at = scratch_room(g, 4 * FIELD_MAX);

	if (!at)
		return;
	at = put_field(at, LOCATION_ID, id);
	at = put_field(at, LOCATION_MAPPING_ID, l->mapping);
	at = put_field(at, LOCATION_ADDRESS, l->address);
	scratch_ends_at(g, at);
	for (uint32_t i = 0; i < n_lines; i++)
		put_line(g, &lines[i]);
	at = scratch_room(g, FIELD_MAX);
	if (!at)
		return;
	at = put_field(at, LOCATION_IS_FOLDED,
	               (l->first_line & LOCATION_FOLDED) != 0);
	scratch_ends_at(g, at);
	write_scratch(g, PROFILE_LOCATION);
}

static void write_locations(struct pprof_writer *g)
{
	const uint32_t n = prof_n_locations(g->p);

	for (uint32_t i = 0; i < n && !g->has_failed; i++)
		write_location(g, g->is_reordered ? g->order.locations[i] : i + 1,
		               i + 1);
}

/* Gives those that have none yet an id, in the order of the table. */
static void number_functions(struct pprof_writer *g)
{
	for (uint32_t i = 1; i < g->p->functions.n; i++)
		new_function(g, i);
}

static void write_functions(struct pprof_writer *g)
{
	/* Those that no line refers to come last. */
	number_functions(g);
	for (uint32_t i = 0; i < g->functions.n; i++) {
		const struct row_function *f =
			&g->p->functions.data[g->functions.data[i]];
		unsigned char *at = scratch_room(g, 5 * FIELD_MAX);

		if (!at)
			return;
		at = put_field(at, FUNCTION_ID, i + 1);
		at = put_field(at, FUNCTION_NAME, new_string(g, f->name));
		at = put_field(at, FUNCTION_SYSTEM_NAME,
		               new_string(g, f->system_name));
		at = put_field(at, FUNCTION_FILENAME,
		               new_string(g, f->filename));
		at = put_field(at, FUNCTION_START_LINE,
		               (uint64_t)f->start_line);
		scratch_ends_at(g, at);
		write_scratch(g, PROFILE_FUNCTION);
	}
}

static void write_string(struct pprof_writer *g, struct prof_str s)
{
	struct output *out = g->out;

	if (!output_room(out, 2 * VARINT_MAX + s.len))
		return;
	*out->p++ = PPROF_TAG(PROFILE_STRING_TABLE, WIRE_BYTES);
	out->p = varint_put(out->p, s.len);
	memcpy(out->p, s.ptr, s.len);
	out->p += s.len;
}

static void write_strings(struct pprof_writer *g)
{
	write_string(g, (struct prof_str){ "", 0 });
	for (size_t i = 0; i < g->strings.n; i++)
		write_string(g, profile_string(g->p, g->strings.data[i]));
}

static void write_header(struct pprof_writer *g)
{
	const struct prof_profile *p = g->p;

	write_number(g, PROFILE_DROP_FRAMES, new_string(g, p->drop_frames));
	write_number(g, PROFILE_KEEP_FRAMES, new_string(g, p->keep_frames));
	write_number(g, PROFILE_TIME_NANOS, (uint64_t)p->time_ns);
	write_number(g, PROFILE_DURATION_NANOS, (uint64_t)p->duration_ns);
	if (p->period_type.type || p->period_type.unit)
		write_value_type(g, PROFILE_PERIOD_TYPE, p->period_type);
	write_number(g, PROFILE_PERIOD, (uint64_t)p->period);
	for (size_t i = 0; i < p->comments.n; i++) {
		/* An empty comment is one too: its zero is written. */
		output_char(g->out, PPROF_TAG(PROFILE_COMMENT, WIRE_VARINT));
		if (output_room(g->out, VARINT_MAX))
			g->out->p = varint_put(
				g->out->p, new_string(g, p->comments.data[i]));
	}
	write_number(g, PROFILE_DEFAULT_SAMPLE_TYPE,
	             new_string(g, p->default_sample_type));
	write_number(g, PROFILE_DOC_URL, new_string(g, p->doc_url));
}

static void write_profile(struct pprof_writer *g)
{
	for (size_t i = 0; i < g->p->sample_types.n; i++)
		write_value_type(g, PROFILE_SAMPLE_TYPE,
		                 g->p->sample_types.data[i]);
	write_samples(g);
	write_mappings(g);
	write_locations(g);
	write_functions(g);
	write_header(g);
	write_strings(g);
}

/* Room for every id there can be, so that nothing fails on the way. */
static bool reserve_ids(struct pprof_writer *g)
{
	const size_t n_strings = byte_table_n(&g->p->strings);
	const size_t n_functions = g->p->functions.n;

	g->string_id = mem_zeroed(g->a, n_strings, sizeof(uint32_t));
	g->function_id = mem_zeroed(g->a, n_functions, sizeof(uint32_t));
	return g->string_id && g->function_id &&
		vec_reserve(&g->strings, n_strings, g->a) &&
		vec_reserve(&g->functions, n_functions, g->a);
}

enum prof_status pprof_write(const struct prof_profile *p,
                             struct format_writing *w, struct prof_error *err)
{
	struct pprof_writer g = {
		.p = p, .out = &w->out, .a = &w->allocator,
		.is_reordered = !w->options.keep_order && !p->is_canonical,
	};

	g.stacks = g.is_reordered ? &g.order.stacks : &p->stacks;
	g.has_failed = !reserve_ids(&g) ||
		(g.is_reordered &&
		 canonical_order_init(&g.order, p, 0, g.a) != PROF_OK);
	if (!g.has_failed && w->options.keep_order)
		number_functions(&g);
	if (!g.has_failed)
		write_profile(&g);
	if (g.is_reordered)
		canonical_order_release(&g.order, g.a);
	mem_free(g.a, g.string_id, byte_table_n(&p->strings) * sizeof(uint32_t));
	mem_free(g.a, g.function_id, p->functions.n * sizeof(uint32_t));
	vec_release(&g.strings, g.a);
	vec_release(&g.functions, g.a);
	vec_release(&g.scratch, g.a);
	return g.has_failed ? error_nomem(err) : PROF_OK;
}
