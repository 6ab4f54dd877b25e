/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff: each function before and after, and whether the change is more than
 * chance. A value that rests on n equal samples has a standard deviation of
 * value / sqrt(n), as counts of independent events are Poisson-distributed;
 * that of a change is the root of the sum of both squares.
 *
 * How many samples there are is told by a column "samples" (or "sample") of
 * counts, else by the period where it has the unit of the values. Where
 * neither does, the noise is not known, and is taken to be 0.
 */

#include "base/regex.h"
#include "base/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROWS 40
#define SIGMAS 3

static const struct report diff_report = {
	.info = { "diff", "two profiles compared", false, true },
	.flags = REPORT_ALL_NODES,
};

/* One of flat and cum. */
struct side {
	double before, after;
	double before_variance, after_variance;
};

struct row {
	struct prof_str name;
	struct side flat, cum;
	bool has_failed; /* met a condition */
};

/* A profile being compared. */
struct subject {
	struct reporting r;
	struct graph graph;
	double scale; /* to the unit of the one before */
	bool has_events, has_period;
};

struct condition {
	struct regex *re;
	double percent;
	bool is_cum, is_above;
};

struct diff {
	struct subject before, after;
	struct byte_table names;
	struct interner interner;
	VEC(struct row) rows;       /* row i has name i + 1 */
	VEC(struct condition) conditions;
	const struct prof_diff_options *o;
	const struct prof_allocator *a;
	struct output *out;
};

/* ---- The two graphs ---- */

static uint32_t find_events(const struct prof_profile *p)
{
	for (uint32_t i = 0; i < p->sample_types.n; i++) {
		const struct row_value_type *t = &p->sample_types.data[i];
		struct prof_str type = profile_string(p, t->type);

		if ((str_equals(type, "samples") || str_equals(type, "sample")) &&
		    str_equals(profile_string(p, t->unit), "count"))
			return i;
	}
	return GRAPH_NONE;
}

static enum prof_status subject_init(struct subject *s,
                                     const struct prof_profile *p,
                                     const struct prof_report_options *options,
                                     struct prof_error *err)
{
	struct graph_options o;
	enum prof_status status =
		reporting_begin(&s->r, p, &diff_report, options, err);

	if (status != PROF_OK)
		return status;
	s->r.o.mean = false;
	status = reporting_check_sums(&s->r, err);
	if (status != PROF_OK)
		return status;
	o = report_graph_options(&s->r);
	o.divisor_column = find_events(p);
	s->scale = 1;
	s->has_events = o.divisor_column != GRAPH_NONE;
	s->has_period = p->period > 0 &&
	                str_compare(profile_string(p, p->period_type.unit),
	                            s->r.unit) == 0;
	if (!graph_init(&s->graph, p, &o, s->r.a) ||
	    !graph_build(&s->graph, NULL, GRAPH_NODES) ||
	    !graph_make_names(&s->graph, NULL))
		return error_nomem(err);
	return PROF_OK;
}

static enum prof_status fit_units(struct diff *d, struct prof_error *err)
{
	struct prof_str want = d->before.r.unit, have = d->after.r.unit;
	struct measured to, from;

	if (str_compare(want, have) == 0)
		return PROF_OK;
	to = measure_scale(1, want, want);
	from = measure_scale(1, have, want);
	if (str_compare(to.unit, from.unit) != 0 || from.value == 0)
		return error_set(err, PROF_MISMATCH,
		                 "units '%.40s' and '%.40s' do not fit",
		                 want.ptr, have.ptr);
	d->after.scale = from.value / to.value;
	return PROF_OK;
}

/* The number of samples of a weight, 0 where it is not known. */
static double events_of(const struct subject *s, struct weight w)
{
	if (s->has_events)
		return fabs((double)w.divisor);
	if (s->has_period)
		return fabs((double)w.value / (double)s->r.p->period);
	return 0;
}

static void add_side(struct side *side, const struct subject *s,
                     struct weight w, bool is_after)
{
	double value = (double)w.value * s->scale;
	double n = events_of(s, w);
	double variance = n > 0 ? value * value / n : 0;

	if (is_after) {
		side->after += value;
		side->after_variance += variance;
	} else {
		side->before += value;
		side->before_variance += variance;
	}
}

static bool add_nodes(struct diff *d, const struct subject *s)
{
	const struct graph *g = &s->graph;

	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t id = g->shown.data[i];
		const struct graph_node *node = &g->nodes.data[id];
		struct prof_str name = graph_name(g, id);
		uint32_t row = intern_bytes(&d->interner, name.ptr, name.len,
		                            d->a);

		if (row == 0 || !vec_reserve(&d->rows, 1, d->a))
			return false;
		if (row > d->rows.n)
			vec_put(&d->rows, (struct row){ .name = { NULL, 0 } });
		add_side(&d->rows.data[row - 1].flat, s, node->flat,
		         s == &d->after);
		add_side(&d->rows.data[row - 1].cum, s, node->cum,
		         s == &d->after);
	}
	return true;
}

static bool make_rows(struct diff *d)
{
	d->interner = (struct interner){ .table = &d->names,
		                         .seed = hash_seed() };
	if (!byte_table_begin(&d->names, d->a) ||
	    !add_nodes(d, &d->before) || !add_nodes(d, &d->after))
		return false;
	for (uint32_t i = 0; i < d->rows.n; i++)
		d->rows.data[i].name = byte_table_get(&d->names, i + 1);
	return true;
}

/* ---- Change and noise ---- */

static double change_of(const struct side *s)
{
	return s->after - s->before;
}

static double noise_of(const struct side *s)
{
	return sqrt(s->before_variance + s->after_variance);
}

/* In percent; of something new it is infinite. */
static double percent_of(const struct side *s)
{
	double change = change_of(s);

	if (s->before == 0)
		return change == 0 ? 0 : change > 0 ? INFINITY : -INFINITY;
	return 100 * change / fabs(s->before);
}

static bool is_significant(const struct side *s)
{
	return fabs(change_of(s)) > SIGMAS * noise_of(s);
}

/* ---- Conditions ---- */

/* "cum(REGEX)>+5%" */
static enum prof_status parse_condition(struct condition *c, const char *text,
                                        const struct prof_allocator *a,
                                        struct prof_error *err)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	VEC(char) pattern = { 0 };
	enum prof_status status;
	char *end;

	c->is_cum = !strncmp(text, "cum(", 4);
	if ((!c->is_cum && strncmp(text, "flat(", 5) != 0) || close == NULL ||
	    (close[1] != '>' && close[1] != '<'))
		return error_set(err, PROF_INVALID,
		                 "'%.60s' is not like 'cum(REGEX)>+5%%'",
		                 text);
	c->is_above = close[1] == '>';
	c->percent = strtod(close + 2, &end);
	if (end == close + 2 || strcmp(end, "%") != 0)
		return error_set(err, PROF_INVALID,
		                 "'%.60s' does not end in a percentage", text);
	if (!vec_reserve(&pattern, (size_t)(close - open), a))
		return error_nomem(err);
	memcpy(pattern.data, open + 1, (size_t)(close - open) - 1);
	pattern.data[close - open - 1] = '\0';
	status = regex_new(&c->re, pattern.data, err);
	vec_release(&pattern, a);
	return status;
}

static enum prof_status parse_conditions(struct diff *d,
                                         struct prof_error *err)
{
	size_t n = d->o->n_fail_if;

	if (!vec_reserve(&d->conditions, n, d->a))
		return error_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct condition c = { 0 };
		enum prof_status status =
			parse_condition(&c, d->o->fail_if[i], d->a, err);

		if (status != PROF_OK)
			return status;
		vec_put(&d->conditions, c);
	}
	return PROF_OK;
}

static bool meets(const struct row *row, const struct condition *c)
{
	const struct side *s = c->is_cum ? &row->cum : &row->flat;
	double percent = percent_of(s);

	if (!is_significant(s) || !regex_matches(c->re, row->name))
		return false;
	return c->is_above ? percent > c->percent : percent < c->percent;
}

static uint32_t check_conditions(struct diff *d)
{
	uint32_t n_failed = 0;

	for (size_t i = 0; i < d->rows.n; i++) {
		struct row *row = &d->rows.data[i];

		for (size_t k = 0; k < d->conditions.n; k++)
			row->has_failed |= meets(row, &d->conditions.data[k]);
		n_failed += row->has_failed;
	}
	return n_failed;
}

/* ---- Order ---- */

static int compare_changes(const struct side *a, const struct side *b)
{
	double ca = fabs(change_of(a)), cb = fabs(change_of(b));

	return (ca < cb) - (ca > cb);
}

static int compare_rows(const void *l, const void *r, void *diff)
{
	const struct row *a = l, *b = r;
	const struct diff *d = diff;
	int order;

	if (a->has_failed != b->has_failed)
		return a->has_failed ? -1 : 1;
	order = d->o->report.order == PROF_BY_CUM
	        ? compare_changes(&a->cum, &b->cum)
	        : compare_changes(&a->flat, &b->flat);
	if (order == 0)
		order = compare_changes(&a->cum, &b->cum);
	return order != 0 ? order : str_compare(a->name, b->name);
}

/* ---- Printing ---- */

struct side_text {
	struct measure_text before, after, change, noise;
	char percent[24];
};

static struct measure_text value_text(const struct diff *d, double value)
{
	return report_value(&d->before.r, measure_int(value));
}

static struct side_text side_text(const struct diff *d, const struct side *s)
{
	struct side_text t;
	double percent = percent_of(s);
	struct measure_text change = value_text(d, change_of(s));

	t.before = value_text(d, s->before);
	t.after = value_text(d, s->after);
	t.noise = value_text(d, noise_of(s));
	change.text[sizeof(change.text) - 2] = '\0';
	snprintf(t.change.text, sizeof(t.change.text), "%s%.94s",
	         change_of(s) > 0 ? "+" : "", change.text);
	if (isinf(percent))
		snprintf(t.percent, sizeof(t.percent), "new");
	else if (s->after == 0 && s->before != 0)
		snprintf(t.percent, sizeof(t.percent), "gone");
	else
		snprintf(t.percent, sizeof(t.percent), "%+.1f%%", percent);
	return t;
}

static void put_text_side(struct diff *d, const struct side *s)
{
	struct side_text t = side_text(d, s);

	output_printf(d->out, "%10s %10s %11s %8s%c %9s ", t.before.text,
	              t.after.text, t.change.text, t.percent,
	              is_significant(s) ? '*' : ' ', t.noise.text);
}

static void put_text(struct diff *d, size_t n)
{
	output_printf(d->out, "%10s %10s %11s %8s  %9s %10s %10s %11s %8s  "
	              "%9s\n", "flat", "after", "change", "", "noise", "cum",
	              "after", "change", "", "noise");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &d->rows.data[i];

		put_text_side(d, &row->flat);
		put_text_side(d, &row->cum);
		output_char(d->out, ' ');
		output_visible(d->out, row->name);
		output_text(d->out, row->has_failed ? "  FAILED\n" : "\n");
	}
	output_printf(d->out, "* more than %d times the noise\n", SIGMAS);
}

static void put_markdown(struct diff *d, size_t n)
{
	output_text(d->out, "| function | flat | after | change | noise | cum "
	            "| after | change | noise |\n"
	            "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &d->rows.data[i];
		struct side_text flat = side_text(d, &row->flat);
		struct side_text cum = side_text(d, &row->cum);

		output_text(d->out, row->has_failed ? "| **FAILED** `"
		                                    : "| `");
		for (size_t k = 0; k < row->name.len; k++) {
			char c = row->name.ptr[k];

			if (c == '|') /* ends a cell, in code as well */
				output_char(d->out, '\\');
			output_char(d->out, c == '`' ? '\'' :
			            (unsigned char)c < 0x20 || c == 0x7f
			            ? ' ' : c);
		}
		output_printf(d->out, "` | %s | %s | %s %s | %s | %s | %s | "
		              "%s %s | %s |\n", flat.before.text,
		              flat.after.text, flat.change.text, flat.percent,
		              flat.noise.text, cum.before.text,
		              cum.after.text, cum.change.text, cum.percent,
		              cum.noise.text);
	}
}

static void put_json_side(struct diff *d, const struct side *s)
{
	output_printf(d->out, "{\"before\":%.17g,\"after\":%.17g,"
	              "\"change\":%.17g,\"noise\":%.6g,\"significant\":%s}",
	              s->before, s->after, change_of(s), noise_of(s),
	              is_significant(s) ? "true" : "false");
}

static void put_json(struct diff *d, size_t n)
{
	output_text(d->out, "{\"type\":");
	json_string(d->out, d->before.r.type);
	output_text(d->out, ",\"unit\":");
	json_string(d->out, d->before.r.unit);
	output_text(d->out, ",\"functions\":[");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &d->rows.data[i];

		output_text(d->out, i > 0 ? ",\n{\"name\":" : "\n{\"name\":");
		json_string(d->out, row->name);
		output_text(d->out, ",\"flat\":");
		put_json_side(d, &row->flat);
		output_text(d->out, ",\"cum\":");
		put_json_side(d, &row->cum);
		output_printf(d->out, ",\"failed\":%s}",
		              row->has_failed ? "true" : "false");
	}
	output_text(d->out, "]}\n");
}

static void put_rows(struct diff *d)
{
	int64_t limit = d->o->report.node_count;
	size_t n = d->rows.n;

	if (limit == 0)
		limit = DEFAULT_ROWS;
	if (limit > 0 && (uint64_t)limit < n)
		n = (size_t)limit;
	switch (d->o->format) {
	case PROF_DIFF_TEXT:
		put_text(d, n);
		break;
	case PROF_DIFF_JSON:
		put_json(d, n);
		break;
	case PROF_DIFF_MARKDOWN:
		put_markdown(d, n);
		break;
	}
}

/* ---- The whole ---- */

static enum prof_status compare(struct diff *d, uint32_t *n_failed,
                                struct prof_error *err)
{
	enum prof_status status = fit_units(d, err);

	if (status != PROF_OK)
		return status;
	if (!make_rows(d))
		return error_nomem(err);
	*n_failed = check_conditions(d);
	if (d->rows.n > 1)
		qsort_r(d->rows.data, d->rows.n, sizeof(*d->rows.data),
		        compare_rows, d);
	put_rows(d);
	return PROF_OK;
}

static void diff_release(struct diff *d)
{
	for (size_t i = 0; i < d->conditions.n; i++)
		regex_free(d->conditions.data[i].re);
	vec_release(&d->conditions, d->a);
	vec_release(&d->rows, d->a);
	intern_release(&d->interner, d->a);
	byte_table_release(&d->names, d->a);
	graph_release(&d->before.graph);
	graph_release(&d->after.graph);
}

enum prof_status prof_report_diff(uint32_t *n_failed,
                                  const struct prof_profile *before,
                                  const struct prof_profile *after,
                                  struct prof_sink sink,
                                  const struct prof_diff_options *options,
                                  struct prof_error *err)
{
	struct prof_diff_options o = { .size = sizeof(o) };
	struct output out;
	struct diff d = { .o = &o, .out = &out };
	enum prof_status status, closed;
	uint32_t failed = 0;

	if (options != NULL)
		memcpy(&o, options, options->size < sizeof(o) ? options->size
		                                              : sizeof(o));
	o.report.size = sizeof(o.report);
	d.a = o.report.allocator != NULL ? o.report.allocator : &mem_malloc;
	output_open(&out, sink, 0, d.a);
	status = parse_conditions(&d, err);
	if (status == PROF_OK)
		status = subject_init(&d.before, before, &o.report, err);
	if (status == PROF_OK)
		status = subject_init(&d.after, after, &o.report, err);
	if (status == PROF_OK)
		status = compare(&d, &failed, err);
	diff_release(&d);
	closed = output_close(&out, status == PROF_OK ? err : NULL);
	if (status == PROF_OK)
		status = closed;
	if (status == PROF_OK)
		*n_failed = failed;
	return status;
}
