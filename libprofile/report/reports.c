/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of reports, and what is the same for all of them.
 */

#include "report/report.h"

#include <string.h>

static const struct report *const reports[] = {
	&top_report,  &text_report, &tree_report,     &peek_report,
	&traces_report, &tags_report, &comments_report, &dot_report,
	&callgrind_report, &html_report, &svg_report, &flame_report,
	&json_report, &info_report, &list_report, &disasm_report,
};
#define N_REPORTS (sizeof(reports) / sizeof(reports[0]))

#define DEFAULT_NODE_COUNT 80
#define DEFAULT_NODE_FRACTION 0.005
#define DEFAULT_EDGE_FRACTION 0.001

const struct prof_report_info *prof_report_info(size_t i)
{
	return i < N_REPORTS ? &reports[i]->info : NULL;
}

/* ---- Options ---- */

static void settle_trimming(struct prof_report_options *o, unsigned flags)
{
	if (o->node_fraction == 0)
		o->node_fraction = DEFAULT_NODE_FRACTION;
	if (o->edge_fraction == 0)
		o->edge_fraction = DEFAULT_EDGE_FRACTION;
	if (o->node_count == 0)
		o->node_count = (flags & REPORT_NO_LIMIT) != 0
		                ? -1 : DEFAULT_NODE_COUNT;
	if (o->no_trim || (flags & REPORT_ALL_NODES) != 0) {
		o->node_fraction = o->edge_fraction = 0;
		o->node_count = -1;
	}
	if (o->node_fraction < 0)
		o->node_fraction = 0;
	if (o->edge_fraction < 0)
		o->edge_fraction = 0;
}

static void settle_granularity(struct prof_report_options *o, unsigned flags)
{
	if ((flags & REPORT_OF_ADDRESSES) != 0)
		o->granularity = PROF_ADDRESSES;
	if ((flags & REPORT_OF_LINES) != 0)
		o->granularity = PROF_LINES;
	if ((flags & REPORT_NO_INLINES) != 0)
		o->no_inlines = true;
	if ((flags & REPORT_INLINES) != 0)
		o->no_inlines = false;
}

static bool is_base_sample(const struct prof_profile *p, uint32_t set)
{
	struct prof_str packed = byte_table_get(&p->label_sets, set);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;

	while (at < end) {
		struct row_label label;

		at = label_unpack(at, &label);
		if (!label.is_number &&
		    str_equals(profile_string(p, label.key), BASE_KEY) &&
		    str_equals(profile_string(p, label.str), "true"))
			return true;
	}
	return false;
}

/* Whether the sum of all |v| of a column leaves an int64_t. */
static bool is_too_large(const struct prof_profile *p, uint32_t column)
{
	const int64_t *value = p->values.data + column;
	uint64_t sum = 0;

	for (size_t i = 0; i < p->samples.n;
	     i++, value += p->sample_types.n) {
		uint64_t v = *value < 0 ? 0 - (uint64_t)*value
		                        : (uint64_t)*value;

		if (v > (uint64_t)INT64_MAX - sum)
			return true;
		sum += v;
	}
	return false;
}

static int64_t sum_total(const struct reporting *r)
{
	const struct prof_profile *p = r->p;
	const int64_t *values = p->values.data;
	struct weight all = { 0 }, base = { 0 };

	for (size_t i = 0; i < p->samples.n;
	     i++, values += p->sample_types.n) {
		uint32_t set = p->samples.data[i].label_set;
		struct weight w = { measure_abs(values[r->column]),
			            r->o.mean ? values[0] : 0 };

		weight_add(&all, w);
		if (set != 0 && is_base_sample(p, set))
			weight_add(&base, w);
	}
	return weight_mean(base.value > 0 ? base : all);
}

static enum prof_status settle(struct reporting *r, struct prof_error *err)
{
	const struct prof_profile *p = r->p;
	struct prof_report_options *o = &r->o;
	const struct row_value_type *type;
	enum prof_status status;

	status = prof_find_sample_type(&r->column, p,
	                               o->sample_type ? o->sample_type : "",
	                               err);
	if (status != PROF_OK)
		return status;
	if (o->divide_by < 0)
		return error_set(err, PROF_INVALID,
		                 "divide_by is less than 0");
	type = &p->sample_types.data[r->column];
	r->type = profile_string(p, type->type);
	r->unit = profile_string(p, type->unit);
	r->ratio = o->divide_by == 0 ? 1 : 1 / o->divide_by;
	if (o->unit == NULL)
		o->unit = "minimum";
	r->output_unit = (struct prof_str){ o->unit, strlen(o->unit) };
	r->total = o->has_total ? o->total : sum_total(r);
	r->is_too_large = is_too_large(p, r->column) ||
	                  (o->mean && is_too_large(p, 0));
	if (r->is_too_large && !o->has_total)
		r->total = INT64_MAX;
	return PROF_OK;
}

enum prof_status reporting_begin(struct reporting *r,
                                 const struct prof_profile *p,
                                 const struct report *report,
                                 const struct prof_report_options *options,
                                 struct prof_error *err)
{
	*r = (struct reporting){ .p = p, .report = report };
	if (options != NULL)
		memcpy(&r->o, options,
		       options->size < sizeof(r->o) ? options->size
		                                    : sizeof(r->o));
	r->a = r->o.allocator != NULL ? r->o.allocator : &mem_malloc;
	settle_trimming(&r->o, report->flags);
	settle_granularity(&r->o, report->flags);
	return settle(r, err);
}

enum prof_status reporting_check_sums(const struct reporting *r,
                                      struct prof_error *err)
{
	if (!r->is_too_large)
		return PROF_OK;
	return error_set(err, PROF_OVERFLOW, "the values of %.60s add up to more "
	                 "than 2^63 - 1; they need to be scaled down first",
	                 r->type.ptr);
}

struct measure_text report_value(const struct reporting *r, int64_t value)
{
	if (r->ratio > 0 && r->ratio != 1)
		value = measure_int((double)value * r->ratio);
	return measure_label(value, r->unit, r->output_unit);
}

enum prof_status prof_report_total(int64_t *out, const struct prof_profile *p,
                                   const struct prof_report_options *options,
                                   struct prof_error *err)
{
	struct reporting r;
	enum prof_status status =
		reporting_begin(&r, p, &top_report, options, err);

	if (status == PROF_OK)
		*out = r.total;
	return status;
}

/* ---- The door ---- */

static const struct report *find_report(const char *name)
{
	for (size_t i = 0; i < N_REPORTS; i++)
		if (!strcmp(reports[i]->info.name, name))
			return reports[i];
	return NULL;
}

enum prof_status prof_report(const struct prof_profile *p, const char *name,
                             struct prof_sink sink,
                             const struct prof_report_options *options,
                             struct prof_error *err)
{
	const struct report *report = find_report(name);
	struct output out;
	struct reporting r;
	enum prof_status status, closed;

	if (report == NULL)
		return error_set(err, PROF_INVALID, "no such report: %s",
		                 name);
	status = reporting_begin(&r, p, report, options, err);
	if (status != PROF_OK)
		return status;
	if (report->info.needs_symbol && r.o.symbol == NULL)
		return error_set(err, PROF_INVALID,
		                 "%s needs a regular expression", name);
	output_open(&out, sink, 0, r.a);
	r.out = &out;
	status = report->write(&r, err);
	closed = output_close(&out, status == PROF_OK ? err : NULL);
	return status != PROF_OK ? status : closed;
}
