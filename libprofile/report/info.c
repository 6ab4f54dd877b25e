/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info: what is in a profile: types with totals, time, labels, mappings and
 * what of them has names, and what a user should know before trusting it.
 */

#include "base/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_KEYS 20

static void put_types(struct reporting *r)
{
	const struct prof_profile *p = r->p;
	struct prof_str automatic = { "auto", 4 };

	for (size_t c = 0; c < p->sample_types.n; c++) {
		const struct row_value_type *type = &p->sample_types.data[c];
		struct prof_str unit = profile_string(p, type->unit);
		struct measure_text text;
		int64_t sum = 0;

		for (size_t i = 0; i < p->samples.n; i++)
			sum = measure_add(sum,
				p->values.data[i * p->sample_types.n + c]);
		text = measure_label(sum, unit, automatic);
		output_text(r->out, "Type: ");
		output_str(r->out, profile_string(p, type->type));
		output_char(r->out, '/');
		output_str(r->out, unit);
		output_printf(r->out, ", total %s%s\n", text.text,
		              c == r->column ? " (shown by default)" : "");
	}
}

/* How many of a mapping's locations there are, and have function names. */
struct mapping_state {
	uint32_t n, n_named;
};

static void put_mapping(struct reporting *r, uint32_t id,
                        const struct mapping_state *s)
{
	const struct prof_profile *p = r->p;
	const struct row_mapping *m = &p->mappings.data[id];
	struct prof_str file = profile_string(p, m->file);
	struct prof_str build_id = profile_string(p, m->build_id);

	output_text(r->out, "Mapping: ");
	output_str(r->out, file.len > 0 ? file
	                                : (struct prof_str){ "(no name)", 9 });
	if (build_id.len > 0) {
		output_text(r->out, ", build id ");
		output_str(r->out, build_id);
	}
	output_printf(r->out, ", %" PRIu32 " of %" PRIu32
	              " locations have names\n", s->n_named, s->n);
}

static bool put_mappings(struct reporting *r, uint32_t *n_nameless)
{
	const struct prof_profile *p = r->p;
	size_t n = p->mappings.n + 1;
	struct mapping_state *states = mem_zeroed(r->a, n, sizeof(*states));

	if (states == NULL)
		return false;
	for (uint32_t id = 1; id <= prof_n_locations(p); id++) {
		const struct row_location *l = &p->locations.data[id];

		states[l->mapping].n++;
		if (location_n_lines(l) > 0)
			states[l->mapping].n_named++;
		else
			++*n_nameless;
	}
	for (uint32_t id = 1; id < p->mappings.n; id++)
		put_mapping(r, id, &states[id]);
	mem_free(r->a, states, n * sizeof(*states));
	return true;
}

/* Each label key once, in the order of the strings. */
static bool put_labels(struct reporting *r)
{
	const struct prof_profile *p = r->p;
	struct label_set set = { 0 };
	size_t n = p->strings.offsets.n + 1, shown = 0;
	bool *has = mem_zeroed(r->a, n, sizeof(*has));
	bool is_ok = has != NULL;

	for (uint32_t i = 1; is_ok && i <= prof_n_label_sets(p); i++) {
		is_ok = label_set_read(&set, p, i, r->a);
		for (size_t k = 0; is_ok && k < set.labels.n; k++)
			has[set.labels.data[k].key] = true;
	}
	for (uint32_t i = 0; is_ok && i < n; i++) {
		if (!has[i] || shown++ >= SHOWN_KEYS)
			continue;
		output_text(r->out, shown == 1 ? "Labels: " : ", ");
		output_str(r->out, profile_string(p, i));
	}
	if (shown > SHOWN_KEYS)
		output_printf(r->out, " and %zu more", shown - SHOWN_KEYS);
	if (shown > 0)
		output_char(r->out, '\n');
	label_set_release(&set, r->a);
	mem_free(r->a, has, n * sizeof(*has));
	return is_ok;
}

static void put_warnings(struct reporting *r, uint32_t n_nameless)
{
	const struct prof_profile *p = r->p;
	struct output *out = r->out;
	size_t n_empty = 0, n_negative = 0;

	for (size_t i = 0; i < p->samples.n; i++) {
		n_empty += p->samples.data[i].stack == 0;
		n_negative +=
			p->values.data[i * p->sample_types.n + r->column] < 0;
	}
	if (p->samples.n == 0)
		output_text(out, "Warning: there are no samples\n");
	else if (p->samples.n < 100)
		output_printf(out, "Warning: only %zu samples, shares are "
		              "rough\n", p->samples.n);
	if (n_empty > 0)
		output_printf(out, "Warning: %zu samples have no stack\n",
		              n_empty);
	if (n_negative > 0)
		output_printf(out, "Note: %zu samples are negative: this is a "
		              "difference\n", n_negative);
	if (n_nameless > 0)
		output_printf(out, "Warning: %" PRIu32 " of %" PRIu32
		              " locations have no function names\n",
		              n_nameless, prof_n_locations(p));
	if (p->time_ns == 0)
		output_text(out, "Note: the time of the profile is not "
		            "known\n");
}

/* ---- The same as JSON ---- */

static void put_number(struct output *out, const char *key, int64_t value,
                       size_t *n)
{
	json_key(out, key, n);
	output_i64(out, value);
}

static void put_json_types(struct reporting *r)
{
	const struct prof_profile *p = r->p;

	for (size_t c = 0; c < p->sample_types.n; c++) {
		const struct row_value_type *type = &p->sample_types.data[c];
		int64_t sum = 0;

		for (size_t i = 0; i < p->samples.n; i++)
			sum = measure_add(sum,
				p->values.data[i * p->sample_types.n + c]);
		output_text(r->out, c > 0 ? ",{\"type\":" : "{\"type\":");
		json_string(r->out, profile_string(p, type->type));
		output_text(r->out, ",\"unit\":");
		json_string(r->out, profile_string(p, type->unit));
		output_printf(r->out, ",\"total\":%" PRId64 "}", sum);
	}
}

static void put_json_mappings(struct reporting *r)
{
	const struct prof_profile *p = r->p;

	for (size_t i = 1; i < p->mappings.n; i++) {
		const struct row_mapping *m = &p->mappings.data[i];

		output_text(r->out, i > 1 ? ",{\"file\":" : "{\"file\":");
		json_string(r->out, profile_string(p, m->file));
		output_text(r->out, ",\"build_id\":");
		json_string(r->out, profile_string(p, m->build_id));
		output_printf(r->out, ",\"has_functions\":%s}",
		              (m->has & MAPPING_HAS_FUNCTIONS) != 0
		              ? "true" : "false");
	}
}

static void put_json(struct reporting *r)
{
	const struct prof_profile *p = r->p;
	struct output *out = r->out;
	size_t n = 0;

	output_char(out, '{');
	json_key(out, "sample_types", &n);
	output_char(out, '[');
	put_json_types(r);
	output_char(out, ']');
	put_number(out, "default_sample_type", r->column, &n);
	put_number(out, "time_ns", p->time_ns, &n);
	put_number(out, "duration_ns", p->duration_ns, &n);
	put_number(out, "period", p->period, &n);
	put_number(out, "samples", prof_n_samples(p), &n);
	put_number(out, "stacks", prof_n_stacks(p), &n);
	put_number(out, "locations", prof_n_locations(p), &n);
	put_number(out, "functions", prof_n_functions(p), &n);
	put_number(out, "label_sets", prof_n_label_sets(p), &n);
	json_key(out, "mappings", &n);
	output_char(out, '[');
	put_json_mappings(r);
	output_text(out, "]}\n");
}

static enum prof_status write_info(struct reporting *r, struct prof_error *err)
{
	const struct prof_profile *p = r->p;
	uint32_t n_nameless = 0;

	if (r->o.json) {
		put_json(r);
		return PROF_OK;
	}
	header_profile(r, header_write_line, r);
	put_types(r);
	output_printf(r->out, "Samples: %" PRIu32 ", stacks: %" PRIu32
	              " (deepest: %zu), locations: %" PRIu32
	              ", functions: %" PRIu32 "\n", prof_n_samples(p),
	              prof_n_stacks(p), prof_max_stack_depth(p),
	              prof_n_locations(p), prof_n_functions(p));
	if (p->period != 0) {
		output_printf(r->out, "Period: %" PRId64 " ", p->period);
		output_str(r->out, profile_string(p, p->period_type.unit));
		output_text(r->out, " of ");
		output_str(r->out, profile_string(p, p->period_type.type));
		output_char(r->out, '\n');
	}
	if (!put_labels(r) || !put_mappings(r, &n_nameless))
		return error_nomem(err);
	put_warnings(r, n_nameless);
	return PROF_OK;
}

const struct report info_report = {
	.info = { "info", "what is in the profile", false },
	.write = write_info,
};
