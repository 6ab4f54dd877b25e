/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile as YAML: one record a line, so that a line diff is a diff of
 * records, and every table in its order, so that ids are places and need not
 * be written. Reading it gives the same tables, row for row.
 */
#include "format/yaml.h"

#include "base/error.h"
#include "model/profile.h"

#include <string.h>

struct profile_writer {
	const struct prof_profile *p;
	struct output *out;
	bool has_function_table;
	VEC(uint32_t) stack;
	VEC(struct prof_label) labels;
};

/* ---- Header ---- */

/* type/unit, or a map where that could not be told apart again. */
static void put_value_type(struct output *out, const struct prof_value_type *t)
{
	struct yaml_flow f;

	if (!(t->type.len && memchr(t->type.ptr, '/', t->type.len)) &&
	    yaml_is_utf8(t->type) && yaml_is_utf8(t->unit)) {
		yaml_put_joined(out, t->type, '/', t->unit);
		return;
	}
	f = yaml_open_flow(out);
	yaml_field_string(&f, "type", t->type);
	yaml_field_string(&f, "unit", t->unit);
	yaml_close_flow(&f);
}

static void write_sample_types(struct profile_writer *w)
{
	struct prof_value_type t;

	output_text(w->out, "sample_types: [");
	for (uint32_t i = 0; prof_get_sample_type(w->p, i, &t); i++) {
		output_text(w->out, i ? ", " : "");
		put_value_type(w->out, &t);
	}
	output_text(w->out, "]\n");
}

static void write_period(struct profile_writer *w, const struct prof_header *h)
{
	struct yaml_flow f;
	const bool has_type = h->period_type.type.len ||
		h->period_type.unit.len;

	if (!has_type && !h->period)
		return;
	output_text(w->out, "period: ");
	f = yaml_open_flow(w->out);
	if (has_type) {
		yaml_field(&f, "type");
		put_value_type(w->out, &h->period_type);
	}
	if (h->period)
		yaml_field_i64(&f, "value", h->period);
	yaml_close_flow(&f);
	output_char(w->out, '\n');
}

static void write_text(struct profile_writer *w, const char *key,
                       struct prof_str s)
{
	if (!s.len)
		return;
	output_text(w->out, key);
	yaml_put_string(w->out, s);
	output_char(w->out, '\n');
}

static void write_number(struct profile_writer *w, const char *key, int64_t n)
{
	if (!n)
		return;
	output_text(w->out, key);
	yaml_put_i64(w->out, n);
	output_char(w->out, '\n');
}

static void write_comments(struct profile_writer *w)
{
	struct prof_str s;

	if (!prof_n_comments(w->p))
		return;
	output_text(w->out, "comments:\n");
	for (uint32_t i = 0; prof_get_comment(w->p, i, &s); i++) {
		output_text(w->out, "- ");
		yaml_put_string(w->out, s);
		output_char(w->out, '\n');
	}
}

static void write_header(struct profile_writer *w)
{
	struct prof_header h;

	prof_get_header(w->p, &h);
	output_text(w->out, "profile: 1\n");
	write_sample_types(w);
	write_text(w, "default: ", h.default_sample_type);
	write_period(w, &h);
	write_number(w, "time_nanos: ", h.time_ns);
	write_number(w, "duration_nanos: ", h.duration_ns);
	write_comments(w);
	write_text(w, "drop_frames: ", h.drop_frames);
	write_text(w, "keep_frames: ", h.keep_frames);
	write_text(w, "doc_url: ", h.doc_url);
}

/* ---- Mappings ---- */

static void write_mappings(struct profile_writer *w)
{
	struct prof_mapping m;

	if (prof_n_mappings(w->p))
		output_text(w->out, "mappings:\n");
	for (uint32_t id = 1; prof_get_mapping(w->p, id, &m); id++) {
		struct yaml_flow f;

		output_text(w->out, "- ");
		f = yaml_open_flow(w->out);
		yaml_put_mapping(&f, &m);
		yaml_put_mapping_has(&f, &m);
		yaml_close_flow(&f);
		output_char(w->out, '\n');
	}
}

/* ---- Functions ---- */

/* Whether locations use the functions in their order, and all of them: a
   reader that adds them as it meets them gets the same ids. */
static bool functions_are_in_order_of_use(const struct prof_profile *p)
{
	uint32_t n_met = 0;

	for (size_t i = 0; i < p->lines.n; i++) {
		if (p->lines.data[i].function > n_met + 1)
			return false;
		if (p->lines.data[i].function == n_met + 1)
			n_met++;
	}
	return n_met == prof_n_functions(p);
}

static bool same_function(const struct row_function *a,
                          const struct row_function *b)
{
	return a->name == b->name && a->system_name == b->system_name &&
		a->filename == b->filename && a->start_line == b->start_line;
}

/* Finds out whether two functions are equal. False: out of memory. */
static bool find_equal_functions(const struct prof_profile *p, bool *found,
                                 const struct prof_allocator *a)
{
	struct hash_index h = { 0 };
	const uint64_t seed = hash_seed();

	*found = false;
	if (!hash_index_reserve(&h, p->functions.n, a))
		return false;
	for (uint32_t id = 1; id < p->functions.n && !*found; id++) {
		const struct row_function *f = &p->functions.data[id];
		const uint64_t key[3] = {
			(uint64_t)f->name << 32 | f->system_name, f->filename,
			(uint64_t)f->start_line,
		};
		const uint64_t hash = hash_bytes(key, sizeof(key), seed);
		size_t i = hash_index_first(&h, hash);

		for (; h.slots[i].id && !*found; i = hash_index_next(&h, i))
			*found = same_function(
				&p->functions.data[h.slots[i].id], f);
		if (!*found)
			hash_index_put(&h, i, hash, id);
	}
	hash_index_release(&h, a);
	return true;
}

static void write_function_table(struct profile_writer *w)
{
	struct prof_function fn;

	output_text(w->out, "functions:\n");
	for (uint32_t id = 1; prof_get_function(w->p, id, &fn); id++) {
		struct yaml_flow f;

		output_text(w->out, "- ");
		f = yaml_open_flow(w->out);
		yaml_put_function(&f, fn.name, fn.system_name, fn.filename);
		yaml_put_start(&f, fn.start_line);
		yaml_close_flow(&f);
		output_char(w->out, '\n');
	}
}

/* ---- Locations ---- */

static void put_line(struct profile_writer *w, const struct prof_line *line)
{
	struct yaml_flow f = yaml_open_flow(w->out);
	struct prof_function fn = { 0 };

	if (w->has_function_table) {
		yaml_field_u64(&f, "f", line->function);
		yaml_put_place(&f, line->line, line->column);
	} else {
		prof_get_function(w->p, line->function, &fn);
		yaml_put_function(&f, fn.name, fn.system_name, fn.filename);
		yaml_put_place(&f, line->line, line->column);
		yaml_put_start(&f, fn.start_line);
	}
	yaml_close_flow(&f);
}

static void put_location(struct profile_writer *w,
                         const struct prof_location *l)
{
	struct yaml_flow f = yaml_open_flow(w->out);

	if (l->mapping)
		yaml_field_u64(&f, "map", l->mapping);
	if (l->address)
		yaml_field_hex(&f, "addr", l->address);
	if (l->is_folded) {
		yaml_field(&f, "folded");
		output_text(w->out, "true");
	}
	if (l->n_lines) {
		yaml_field(&f, "lines");
		output_char(w->out, '[');
		for (uint32_t i = 0; i < l->n_lines; i++) {
			output_text(w->out, i ? ", " : "");
			put_line(w, &l->lines[i]);
		}
		output_char(w->out, ']');
	}
	yaml_close_flow(&f);
}

static void write_locations(struct profile_writer *w)
{
	struct prof_location l;

	if (prof_n_locations(w->p))
		output_text(w->out, "locations:\n");
	for (uint32_t id = 1; prof_get_location(w->p, id, &l); id++) {
		output_text(w->out, "- ");
		put_location(w, &l);
		output_char(w->out, '\n');
	}
}

/* ---- Samples ---- */

static void put_sample(struct profile_writer *w, const struct prof_sample *s)
{
	struct yaml_flow f = yaml_open_flow(w->out);
	size_t n;

	yaml_field(&f, "v");
	yaml_put_values(w->out, s->values, prof_n_sample_types(w->p));
	n = prof_get_stack(w->p, s->stack, w->stack.data, w->stack.capacity);
	yaml_field(&f, "at");
	yaml_put_ids(w->out, w->stack.data, n);
	if (s->label_set) {
		n = prof_get_label_set(w->p, s->label_set, w->labels.data,
		                       w->labels.capacity);
		yaml_put_labels(&f, w->labels.data, n);
	}
	yaml_close_flow(&f);
}

static void write_samples(struct profile_writer *w)
{
	struct prof_sample s;

	output_text(w->out, prof_n_samples(w->p) ? "samples:\n" :
	            "samples: []\n");
	for (uint32_t i = 0; prof_get_sample(w->p, i, &s); i++) {
		output_text(w->out, "- ");
		put_sample(w, &s);
		output_char(w->out, '\n');
	}
}

/* ---- The document ---- */

enum prof_status yaml_write_profile(const struct prof_profile *p,
                                    struct format_writing *from,
                                    struct prof_error *err)
{
	struct profile_writer w = { .p = p, .out = &from->out };
	const struct prof_allocator *a = &from->allocator;
	enum prof_status status = PROF_OK;
	bool has_equal = false;

	if (!vec_reserve(&w.stack, prof_max_stack_depth(p) + 1, a) ||
	    !vec_reserve(&w.labels, prof_max_label_set_size(p) + 1, a) ||
	    !find_equal_functions(p, &has_equal, a)) {
		status = error_nomem(err);
		goto done;
	}
	w.has_function_table = prof_n_functions(p) &&
		(has_equal || !functions_are_in_order_of_use(p));
	write_header(&w);
	write_mappings(&w);
	if (w.has_function_table)
		write_function_table(&w);
	write_locations(&w);
	write_samples(&w);
done:
	vec_release(&w.stack, a);
	vec_release(&w.labels, a);
	return status;
}
