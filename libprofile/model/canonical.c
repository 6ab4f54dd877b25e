/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables are built anew one after the other, and each old one is freed as
 * soon as nothing reads it: a merge of a fleet is as large as the memory
 * allows, and this is its peak.
 */
#include "model/canonical.h"

#include "base/error.h"
#include "model/order.h"

#include <string.h>

struct remaking {
	struct prof_profile *p;
	const struct prof_allocator *a;
	struct canonical_order order;
	uint32_t *function_id, *label_set_id, *string_id; /* by old id; 0: new */
	VEC(uint32_t) functions; /* old ids in new order */
	struct byte_table strings, stacks, label_sets;
	VEC(unsigned char) scratch;
};

/* ---- Samples and stacks ---- */

/* Samples in order; each stack and label set when it first comes. */
static bool remake_samples(struct remaking *g)
{
	struct prof_profile *p = g->p;
	const size_t n = p->samples.n;
	const size_t width = p->sample_types.n;
	struct row_sample *rows = mem_zeroed(g->a, n + 1, sizeof(*rows));
	int64_t *values = mem_zeroed(g->a, n * width + 1, sizeof(*values));

	if (rows && values) {
		for (size_t i = 0; i < n; i++) {
			rows[i] = p->samples.data[g->order.samples[i]];
			memcpy(values + i * width, p->values.data +
			       g->order.samples[i] * width,
			       width * sizeof(*values));
		}
		memcpy(p->samples.data, rows, n * sizeof(*rows));
		memcpy(p->values.data, values, n * width * sizeof(*values));
	}
	mem_free(g->a, rows, (n + 1) * sizeof(*rows));
	mem_free(g->a, values, (n * width + 1) * sizeof(*values));
	return rows && values;
}

/* Equal stacks are next to each other in the order of samples. */
static bool remake_stacks(struct remaking *g)
{
	struct prof_profile *p = g->p;
	uint32_t last = 0, id = 0;

	if (!byte_table_begin(&g->stacks, g->a))
		return false;
	byte_table_release(&p->stacks, g->a);
	for (size_t i = 0; i < p->samples.n; i++) {
		uint32_t *stack = &p->samples.data[i].stack;

		if (*stack != last) {
			const struct prof_str s =
				byte_table_get(&g->order.stacks, *stack);

			last = *stack;
			id = byte_table_append(&g->stacks, s.ptr, s.len, g->a);
			if (!id)
				return false;
		}
		*stack = id;
	}
	p->stacks = g->stacks;
	g->stacks = (struct byte_table){ 0 };
	return true;
}

/* ---- Strings ---- */

static uint32_t new_string(struct remaking *g, uint32_t old, bool *ok)
{
	if (old && !g->string_id[old]) {
		const struct prof_str s = profile_string(g->p, old);

		g->string_id[old] =
			byte_table_append(&g->strings, s.ptr, s.len, g->a);
		*ok = *ok && g->string_id[old];
	}
	return g->string_id[old];
}

static bool remake_label_set(struct remaking *g, uint32_t old)
{
	const struct prof_str s = byte_table_get(&g->p->label_sets, old);
	const unsigned char *from = (const unsigned char *)s.ptr;
	const unsigned char *const end = from + s.len;
	unsigned char *to;
	bool ok = true;

	g->scratch.n = 0;
	if (!vec_reserve(&g->scratch, (s.len / 2 + 1) * LABEL_PACKED_MAX, g->a))
		return false;
	to = g->scratch.data;
	while (from < end) {
		struct row_label label;

		from = label_unpack(from, &label);
		label.key = new_string(g, label.key, &ok);
		label.str = new_string(g, label.str, &ok);
		to = label_pack(to, &label);
	}
	g->label_set_id[old] = byte_table_append(
		&g->label_sets, g->scratch.data,
		(size_t)(to - g->scratch.data), g->a);
	return ok && g->label_set_id[old];
}

static bool remake_label_sets(struct remaking *g)
{
	struct prof_profile *p = g->p;

	if (!byte_table_begin(&g->label_sets, g->a))
		return false;
	for (size_t i = 0; i < p->samples.n; i++) {
		uint32_t *set = &p->samples.data[i].label_set;

		if (*set && !g->label_set_id[*set] && !remake_label_set(g, *set))
			return false;
		*set = g->label_set_id[*set];
	}
	byte_table_release(&p->label_sets, g->a);
	p->label_sets = g->label_sets;
	g->label_sets = (struct byte_table){ 0 };
	return true;
}

/* ---- Locations and functions ---- */

static bool remake_locations(struct remaking *g)
{
	struct prof_profile *p = g->p;
	const uint32_t n = g->order.n_locations;
	struct row_location *rows = mem_zeroed(g->a, (size_t)n + 2,
	                                       sizeof(*rows));
	struct prof_line *lines = mem_zeroed(g->a, p->lines.n + 1,
	                                     sizeof(*lines));
	const size_t lines_size = (p->lines.n + 1) * sizeof(*lines);
	uint32_t n_lines = 0;

	if (rows && lines) {
		for (uint32_t i = 0; i < n; i++) {
			const struct row_location *l =
				&p->locations.data[g->order.locations[i]];
			const uint32_t k = location_n_lines(l);

			rows[i + 1] = *l;
			rows[i + 1].first_line =
				n_lines | (l->first_line & LOCATION_FOLDED);
			if (k)
				memcpy(lines + n_lines,
				       p->lines.data + location_first_line(l),
				       k * sizeof(*lines));
			n_lines += k;
		}
		rows[n + 1].first_line = n_lines;
		memcpy(p->locations.data, rows, ((size_t)n + 2) * sizeof(*rows));
		if (n_lines)
			memcpy(p->lines.data, lines, n_lines * sizeof(*lines));
		p->locations.n = (size_t)n + 2;
		p->lines.n = n_lines;
	}
	mem_free(g->a, rows, ((size_t)n + 2) * sizeof(*rows));
	mem_free(g->a, lines, lines_size);
	return rows && lines;
}

/* Functions in the order in which lines refer to them. */
static bool remake_functions(struct remaking *g)
{
	struct prof_profile *p = g->p;
	struct row_function *rows;
	const size_t n = p->functions.n;

	if (!vec_reserve(&g->functions, n, g->a))
		return false;
	vec_put(&g->functions, 0);
	for (size_t i = 0; i < p->lines.n; i++) {
		uint32_t *id = &p->lines.data[i].function;

		if (!g->function_id[*id]) {
			g->function_id[*id] = (uint32_t)g->functions.n;
			vec_put(&g->functions, *id);
		}
		*id = g->function_id[*id];
	}
	rows = mem_zeroed(g->a, n, sizeof(*rows));
	if (!rows)
		return false;
	for (size_t i = 1; i < g->functions.n; i++)
		rows[i] = p->functions.data[g->functions.data[i]];
	memcpy(p->functions.data, rows, g->functions.n * sizeof(*rows));
	p->functions.n = g->functions.n;
	mem_free(g->a, rows, n * sizeof(*rows));
	return true;
}

/* ---- All strings that are left, in order of first use ---- */

static bool remake_strings(struct remaking *g)
{
	struct prof_profile *p = g->p;
	bool ok = true;

	for (size_t i = 0; i < p->sample_types.n; i++) {
		struct row_value_type *t = &p->sample_types.data[i];

		t->type = new_string(g, t->type, &ok);
		t->unit = new_string(g, t->unit, &ok);
	}
	for (size_t i = 1; i < p->mappings.n; i++) {
		struct row_mapping *m = &p->mappings.data[i];

		m->file = new_string(g, m->file, &ok);
		m->build_id = new_string(g, m->build_id, &ok);
	}
	for (size_t i = 1; i < p->functions.n; i++) {
		struct row_function *f = &p->functions.data[i];

		f->name = new_string(g, f->name, &ok);
		f->system_name = new_string(g, f->system_name, &ok);
		f->filename = new_string(g, f->filename, &ok);
	}
	for (size_t i = 0; i < p->comments.n; i++)
		p->comments.data[i] = new_string(g, p->comments.data[i], &ok);
	p->period_type.type = new_string(g, p->period_type.type, &ok);
	p->period_type.unit = new_string(g, p->period_type.unit, &ok);
	p->default_sample_type = new_string(g, p->default_sample_type, &ok);
	p->drop_frames = new_string(g, p->drop_frames, &ok);
	p->keep_frames = new_string(g, p->keep_frames, &ok);
	p->doc_url = new_string(g, p->doc_url, &ok);
	if (!ok)
		return false;
	byte_table_release(&p->strings, g->a);
	p->strings = g->strings;
	g->strings = (struct byte_table){ 0 };
	return true;
}

enum prof_status profile_make_canonical(struct prof_profile *p,
                                        struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	struct remaking g = { .p = p, .a = &a };
	const size_t n_functions = p->functions.n;
	const size_t n_sets = byte_table_n(&p->label_sets);
	const size_t n_strings = byte_table_n(&p->strings);
	enum prof_status status = canonical_order_init(
		&g.order, p, ORDER_USED_ONLY, &a);
	bool ok = status == PROF_OK;

	g.function_id = mem_zeroed(&a, n_functions, sizeof(uint32_t));
	g.label_set_id = mem_zeroed(&a, n_sets, sizeof(uint32_t));
	g.string_id = mem_zeroed(&a, n_strings, sizeof(uint32_t));
	ok = ok && g.function_id && g.label_set_id && g.string_id &&
		byte_table_begin(&g.strings, &a) && remake_samples(&g) &&
		remake_stacks(&g) && remake_label_sets(&g) &&
		remake_locations(&g) && remake_functions(&g) &&
		remake_strings(&g);
	p->is_canonical = ok;
	canonical_order_release(&g.order, &a);
	mem_free(&a, g.function_id, n_functions * sizeof(uint32_t));
	mem_free(&a, g.label_set_id, n_sets * sizeof(uint32_t));
	mem_free(&a, g.string_id, n_strings * sizeof(uint32_t));
	byte_table_release(&g.strings, &a);
	byte_table_release(&g.stacks, &a);
	byte_table_release(&g.label_sets, &a);
	vec_release(&g.functions, &a);
	vec_release(&g.scratch, &a);
	if (ok)
		return PROF_OK;
	return status == PROF_LIMIT ?
		error_set(err, PROF_LIMIT, "more than 2^28 locations") :
		error_nomem(err);
}
