/* SPDX-License-Identifier: Apache-2.0 */
/*
 * info: what is in a profile: types with totals, time, labels, mappings and
 * what of them has names, and what a user should know before trusting it.
 * All is found first, and then written as text or as JSON.
 */

#include "base/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_KEYS 20

/* How many of a mapping's locations there are, and have function names. */
struct mapping_state {
	uint32_t n, n_named;
};

/* The sum of a type's values; where it left an int64_t, the end of that. */
struct type_sum {
	int64_t sum;
	bool is_too_large;
};

struct note {
	const char *kind; /* "Warning", "Note" */
	char text[160];
};

struct info {
	struct reporting *r;
	VEC(struct type_sum) sums;          /* of each sample type */
	VEC(struct mapping_state) mappings; /* 0: those without one */
	uint32_t n_nameless;
	VEC(uint32_t) keys;                 /* strings: labels' keys, once */
	VEC(struct note) notes;
};

/* ---- Finding ---- */

static struct type_sum sum_type(const struct prof_profile *p, size_t column)
{
	const int64_t *value = p->values.data + column;
	struct type_sum t = { 0, false };

	for (size_t i = 0; i < p->samples.n;
	     i++, value += p->sample_types.n) {
		if (*value > 0 ? t.sum > INT64_MAX - *value
		               : t.sum < INT64_MIN - *value) {
			t.sum = *value > 0 ? INT64_MAX : INT64_MIN;
			t.is_too_large = true;
			return t;
		}
		t.sum += *value;
	}
	return t;
}

static bool find_sums(struct info *info)
{
	const struct prof_profile *p = info->r->p;

	if (!vec_reserve(&info->sums, p->sample_types.n, info->r->a))
		return false;
	for (size_t i = 0; i < p->sample_types.n; i++)
		vec_put(&info->sums, sum_type(p, i));
	return true;
}

static bool find_mappings(struct info *info)
{
	const struct prof_profile *p = info->r->p;
	size_t n = p->mappings.n;

	if (!vec_reserve(&info->mappings, n, info->r->a))
		return false;
	memset(info->mappings.data, 0, n * sizeof(*info->mappings.data));
	info->mappings.n = n;
	for (uint32_t id = 1; id <= prof_n_locations(p); id++) {
		const struct row_location *l = &p->locations.data[id];
		struct mapping_state *s = &info->mappings.data[l->mapping];

		s->n++;
		if (location_n_lines(l) > 0)
			s->n_named++;
		else
			info->n_nameless++;
	}
	return true;
}

/* In the order of the strings. */
static bool find_keys(struct info *info)
{
	const struct prof_profile *p = info->r->p;
	const struct prof_allocator *a = info->r->a;
	struct label_set set = { 0 };
	size_t n = p->strings.offsets.n + 1;
	bool *has = mem_zeroed(a, n, sizeof(*has));
	bool is_ok = has != NULL;

	for (uint32_t i = 1; is_ok && i <= prof_n_label_sets(p); i++) {
		is_ok = label_set_read(&set, p, i, a);
		for (size_t k = 0; is_ok && k < set.labels.n; k++)
			has[set.labels.data[k].key] = true;
	}
	for (uint32_t i = 0; is_ok && i < n; i++) {
		if (!has[i])
			continue;
		is_ok = vec_reserve(&info->keys, 1, a);
		if (is_ok)
			vec_put(&info->keys, i);
	}
	label_set_release(&set, a);
	mem_free(a, has, n * sizeof(*has));
	return is_ok;
}

__attribute__((format(printf, 3, 4)))
static bool add_note(struct info *info, const char *kind, const char *format,
                     ...)
{
	struct note note = { .kind = kind };
	va_list args;

	if (!vec_reserve(&info->notes, 1, info->r->a))
		return false;
	va_start(args, format);
	vsnprintf(note.text, sizeof(note.text), format, args);
	va_end(args);
	vec_put(&info->notes, note);
	return true;
}

static bool note_samples(struct info *info)
{
	const struct prof_profile *p = info->r->p;
	size_t n_empty = 0, n_negative = 0, n = p->samples.n;

	for (size_t i = 0; i < n; i++) {
		n_empty += p->samples.data[i].stack == 0;
		n_negative += p->values.data[i * p->sample_types.n +
		                             info->r->column] < 0;
	}
	if (n == 0 && !add_note(info, "Warning", "there are no samples"))
		return false;
	if (n > 0 && n < 100 &&
	    !add_note(info, "Warning", "only %zu sample%s, shares are rough",
	              n, n > 1 ? "s" : ""))
		return false;
	if (n_empty > 0 &&
	    !add_note(info, "Warning", "%zu of %zu samples have no stack",
	              n_empty, n))
		return false;
	return n_negative == 0 ||
	       add_note(info, "Note", "%zu samples are negative: this is a "
	                "difference", n_negative);
}

static bool find_notes(struct info *info)
{
	const struct prof_profile *p = info->r->p;

	if (!note_samples(info))
		return false;
	for (size_t i = 0; i < info->sums.n; i++)
		if (info->sums.data[i].is_too_large &&
		    !add_note(info, "Warning", "the values of %.60s add up "
		              "to more than 2^63 - 1",
		              profile_string(p, p->sample_types.data[i].type)
		              .ptr))
			return false;
	if (info->n_nameless > 0 &&
	    !add_note(info, "Warning", "%" PRIu32 " of %" PRIu32
	              " locations have no function names",
	              info->n_nameless, prof_n_locations(p)))
		return false;
	return p->time_ns != 0 ||
	       add_note(info, "Note", "the time of the profile is not known");
}

/* ---- As text ---- */

static void put_types(const struct info *info)
{
	struct reporting *r = info->r;
	const struct prof_profile *p = r->p;

	for (size_t i = 0; i < info->sums.n; i++) {
		const struct row_value_type *type = &p->sample_types.data[i];
		struct prof_str unit = profile_string(p, type->unit);
		struct measure_text sum =
			measure_label(info->sums.data[i].sum, unit,
			              (struct prof_str){ "auto", 4 });

		output_text(r->out, "Type: ");
		output_visible(r->out, profile_string(p, type->type));
		output_char(r->out, '/');
		output_visible(r->out, unit);
		output_text(r->out, ", total ");
		if (info->sums.data[i].is_too_large)
			output_text(r->out, "beyond ");
		output_text(r->out, sum.text);
		output_text(r->out, i == r->column ? " (shown by default)\n"
		                                   : "\n");
	}
}

static void put_mappings(const struct info *info)
{
	struct reporting *r = info->r;
	const struct prof_profile *p = r->p;

	for (size_t i = 1; i < info->mappings.n; i++) {
		const struct mapping_state *s = &info->mappings.data[i];
		struct prof_str file =
			profile_string(p, p->mappings.data[i].file);
		struct prof_str id =
			profile_string(p, p->mappings.data[i].build_id);

		if (file.len == 0)
			file = (struct prof_str){ "(no name)", 9 };
		output_text(r->out, "Mapping: ");
		output_visible(r->out, file);
		if (id.len > 0) {
			output_text(r->out, ", build id ");
			output_visible(r->out, id);
		}
		if (s->n == 0)
			output_text(r->out, ", no locations\n");
		else
			output_printf(r->out, ", %" PRIu32 " of %" PRIu32
			              " locations have names\n", s->n_named,
			              s->n);
	}
}

static void put_keys(const struct info *info)
{
	struct reporting *r = info->r;

	for (size_t i = 0; i < info->keys.n && i < SHOWN_KEYS; i++) {
		output_text(r->out, i == 0 ? "Labels: " : ", ");
		output_visible(r->out,
		               profile_string(r->p, info->keys.data[i]));
	}
	if (info->keys.n > SHOWN_KEYS)
		output_printf(r->out, " and %zu more",
		              info->keys.n - SHOWN_KEYS);
	if (info->keys.n > 0)
		output_char(r->out, '\n');
}

static void put_text(const struct info *info)
{
	struct reporting *r = info->r;
	const struct prof_profile *p = r->p;

	header_profile(r, header_write_line, r);
	put_types(info);
	output_printf(r->out, "Samples: %" PRIu32 ", stacks: %" PRIu32
	              " (deepest: %zu), locations: %" PRIu32
	              ", functions: %" PRIu32 "\n", prof_n_samples(p),
	              prof_n_stacks(p), prof_max_stack_depth(p),
	              prof_n_locations(p), prof_n_functions(p));
	if (p->period != 0) {
		output_printf(r->out, "Period: %" PRId64 " ", p->period);
		output_visible(r->out, profile_string(p, p->period_type.unit));
		output_text(r->out, " of ");
		output_visible(r->out, profile_string(p, p->period_type.type));
		output_char(r->out, '\n');
	}
	put_keys(info);
	put_mappings(info);
	for (size_t i = 0; i < info->notes.n; i++)
		output_printf(r->out, "%s: %s\n", info->notes.data[i].kind,
		              info->notes.data[i].text);
}

/* ---- As JSON ---- */

static void put_number(struct output *out, const char *key, int64_t value,
                       size_t *n)
{
	json_key(out, key, n);
	output_i64(out, value);
}

static void put_string(struct output *out, const char *key, struct prof_str s,
                       size_t *n)
{
	json_key(out, key, n);
	json_string(out, s);
}

static void put_json_types(const struct info *info)
{
	const struct prof_profile *p = info->r->p;
	struct output *out = info->r->out;

	for (size_t i = 0; i < info->sums.n; i++) {
		const struct row_value_type *type = &p->sample_types.data[i];
		size_t n = 0;

		output_text(out, i > 0 ? ",{" : "{");
		put_string(out, "type", profile_string(p, type->type), &n);
		put_string(out, "unit", profile_string(p, type->unit), &n);
		put_number(out, "total", info->sums.data[i].sum, &n);
		output_char(out, '}');
	}
}

static void put_json_mappings(const struct info *info)
{
	const struct prof_profile *p = info->r->p;
	struct output *out = info->r->out;

	for (size_t i = 1; i < info->mappings.n; i++) {
		const struct row_mapping *m = &p->mappings.data[i];
		const struct mapping_state *s = &info->mappings.data[i];
		size_t n = 0;

		output_text(out, i > 1 ? ",{" : "{");
		put_string(out, "file", profile_string(p, m->file), &n);
		put_string(out, "build_id", profile_string(p, m->build_id),
		           &n);
		json_key(out, "has_functions", &n);
		output_text(out, (m->has & MAPPING_HAS_FUNCTIONS) != 0
		                 ? "true" : "false");
		put_number(out, "locations", s->n, &n);
		put_number(out, "named_locations", s->n_named, &n);
		output_char(out, '}');
	}
}

static void put_json_lists(const struct info *info, size_t *n)
{
	struct reporting *r = info->r;
	struct output *out = r->out;

	json_key(out, "labels", n);
	output_char(out, '[');
	for (size_t i = 0; i < info->keys.n; i++) {
		output_text(out, i > 0 ? "," : "");
		json_string(out, profile_string(r->p, info->keys.data[i]));
	}
	output_char(out, ']');
	json_key(out, "comments", n);
	output_char(out, '[');
	for (size_t i = 0; i < r->p->comments.n; i++) {
		output_text(out, i > 0 ? "," : "");
		json_string(out, profile_string(r->p,
		                                r->p->comments.data[i]));
	}
	output_char(out, ']');
	json_key(out, "warnings", n);
	output_char(out, '[');
	for (size_t i = 0; i < info->notes.n; i++) {
		const char *text = info->notes.data[i].text;

		output_text(out, i > 0 ? "," : "");
		json_string(out, (struct prof_str){ text, strlen(text) });
	}
	output_char(out, ']');
}

static void put_json(const struct info *info)
{
	const struct prof_profile *p = info->r->p;
	struct output *out = info->r->out;
	size_t n = 0;

	output_char(out, '{');
	json_key(out, "sample_types", &n);
	output_char(out, '[');
	put_json_types(info);
	output_char(out, ']');
	put_number(out, "default_sample_type", info->r->column, &n);
	put_number(out, "time_ns", p->time_ns, &n);
	put_number(out, "duration_ns", p->duration_ns, &n);
	put_number(out, "period", p->period, &n);
	put_string(out, "period_type",
	           profile_string(p, p->period_type.type), &n);
	put_string(out, "period_unit",
	           profile_string(p, p->period_type.unit), &n);
	put_number(out, "samples", prof_n_samples(p), &n);
	put_number(out, "stacks", prof_n_stacks(p), &n);
	put_number(out, "max_depth", (int64_t)prof_max_stack_depth(p), &n);
	put_number(out, "locations", prof_n_locations(p), &n);
	put_number(out, "functions", prof_n_functions(p), &n);
	put_number(out, "label_sets", prof_n_label_sets(p), &n);
	json_key(out, "mappings", &n);
	output_char(out, '[');
	put_json_mappings(info);
	output_char(out, ']');
	put_json_lists(info, &n);
	output_text(out, "}\n");
}

/* ---- The whole ---- */

static enum prof_status write_info(struct reporting *r, struct prof_error *err)
{
	struct info info = { .r = r };
	bool is_ok = find_sums(&info) && find_mappings(&info) &&
	             find_keys(&info) && find_notes(&info);

	if (is_ok && r->o.json)
		put_json(&info);
	else if (is_ok)
		put_text(&info);
	vec_release(&info.sums, r->a);
	vec_release(&info.mappings, r->a);
	vec_release(&info.keys, r->a);
	vec_release(&info.notes, r->a);
	return is_ok ? PROF_OK : error_nomem(err);
}

const struct report info_report = {
	.info = { "info", "what is in the profile", false, true },
	.write = write_info,
};
