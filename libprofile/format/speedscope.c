/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file format of speedscope.app, written only: a profile in it for each
 * sample type, over one table of frames. Inlined frames are frames like any
 * other.
 *
 * It has no place for labels, addresses and mappings, nor for values below 0
 * (which the viewer cannot draw): notes say what was left out.
 *
 * Source: speedscope's file-format-schema.json and its importer.
 */
#include "format/format.h"

#include "base/error.h"
#include "base/json.h"
#include "base/varint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct speedscope {
	const struct prof_profile *p;
	struct output *out;
	/* Of locations without lines: their frames follow the functions'. */
	uint32_t *nameless;
	VEC(uint32_t) stack;
	const struct prof_allocator *a;
	uint64_t n_negative;
};

/* ---- Frames ---- */

static void put_function(struct speedscope *s, const struct row_function *f)
{
	struct prof_str name = profile_string(s->p, f->name);
	struct prof_str file = profile_string(s->p, f->filename);
	size_t n = 0;

	output_char(s->out, '{');
	json_key(s->out, "name", &n);
	json_string(s->out, name.len > 0 ? name
	                                 : (struct prof_str){ "?", 1 });
	if (file.len > 0) {
		json_key(s->out, "file", &n);
		json_string(s->out, file);
	}
	if (f->start_line > 0) {
		json_key(s->out, "line", &n);
		output_i64(s->out, f->start_line);
	}
	output_char(s->out, '}');
}

/* "0x1234 libc.so" */
static void put_address(struct speedscope *s, const struct row_location *l)
{
	struct prof_str file = profile_string(
		s->p, s->p->mappings.data[l->mapping].file);
	size_t n = 0;

	output_char(s->out, '{');
	json_key(s->out, "name", &n);
	output_printf(s->out, "\"0x%" PRIx64 "\"", l->address);
	if (file.len > 0) {
		json_key(s->out, "file", &n);
		json_string(s->out, file);
	}
	output_char(s->out, '}');
}

static bool put_frames(struct speedscope *s)
{
	const struct prof_profile *p = s->p;
	size_t n = 0;

	/* Frame 0 is that of a line without a function. */
	output_text(s->out, "\"shared\":{\"frames\":[\n{\"name\":\"?\"}");
	for (size_t i = 1; i < p->functions.n; i++, n++) {
		output_text(s->out, ",\n");
		put_function(s, &p->functions.data[i]);
	}
	s->nameless = mem_zeroed(s->a, (size_t)prof_n_locations(p) + 1,
	                         sizeof(*s->nameless));
	if (s->nameless == NULL)
		return false;
	for (uint32_t id = 1; id <= prof_n_locations(p); id++) {
		const struct row_location *l = &p->locations.data[id];

		if (location_n_lines(l) > 0)
			continue;
		s->nameless[id] = (uint32_t)++n;
		output_text(s->out, ",\n");
		put_address(s, l);
	}
	output_text(s->out, "\n]},\n");
	return true;
}

/* ---- Samples ---- */

/* The frames of a location, innermost first, onto s->stack. */
static bool add_location(struct speedscope *s, uint32_t id)
{
	const struct row_location *l = &s->p->locations.data[id];
	uint32_t n = location_n_lines(l);
	const struct prof_line *lines = s->p->lines.data;

	if (!vec_reserve(&s->stack, n + 1, s->a))
		return false;
	if (n == 0)
		vec_put(&s->stack, s->nameless[id]);
	else
		lines += location_first_line(l);
	for (uint32_t i = 0; i < n; i++)
		vec_put(&s->stack, lines[i].function);
	return true;
}

/* [root, ..., leaf] */
static bool put_stack(struct speedscope *s, uint32_t stack)
{
	struct prof_str packed = byte_table_get(&s->p->stacks, stack);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;

	s->stack.n = 0;
	while (at < end) {
		uint32_t id;

		at = varint_get_known(at, &id);
		if (!add_location(s, id))
			return false;
	}
	output_char(s->out, '[');
	for (size_t i = s->stack.n; i-- > 0;) {
		output_u64(s->out, s->stack.data[i]);
		if (i > 0)
			output_char(s->out, ',');
	}
	output_char(s->out, ']');
	return true;
}

/* The unit as speedscope knows it. */
static const char *unit_name(struct prof_str unit)
{
	static const char *const units[] = { "nanoseconds", "microseconds",
		                             "milliseconds", "seconds",
		                             "bytes" };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (unit.len == strlen(units[i]) &&
		    !memcmp(unit.ptr, units[i], unit.len))
			return units[i];
	return "none";
}

static bool put_samples(struct speedscope *s, size_t column, uint64_t *sum)
{
	const struct prof_profile *p = s->p;
	const size_t n_types = p->sample_types.n;
	bool is_first = true;

	output_text(s->out, "\"samples\":[\n");
	for (size_t i = 0; i < p->samples.n; i++) {
		const int64_t value = p->values.data[i * n_types + column];

		s->n_negative += value < 0;
		if (value <= 0)
			continue;
		output_text(s->out, is_first ? "" : ",\n");
		is_first = false;
		*sum += (uint64_t)value;
		if (!put_stack(s, p->samples.data[i].stack))
			return false;
	}
	output_text(s->out, "],\n\"weights\":[");
	is_first = true;
	for (size_t i = 0; i < p->samples.n; i++) {
		const int64_t value = p->values.data[i * n_types + column];

		if (value <= 0)
			continue;
		output_text(s->out, is_first ? "" : ",");
		is_first = false;
		output_i64(s->out, value);
	}
	output_char(s->out, ']');
	return true;
}

static bool put_profile(struct speedscope *s, size_t column)
{
	const struct row_value_type *type = &s->p->sample_types.data[column];
	struct prof_str unit = profile_string(s->p, type->unit);
	uint64_t sum = 0;

	output_text(s->out, "{\"type\":\"sampled\",\"name\":");
	json_string(s->out, profile_string(s->p, type->type));
	output_printf(s->out, ",\"unit\":\"%s\",", unit_name(unit));
	if (!put_samples(s, column, &sum))
		return false;
	output_printf(s->out, ",\n\"startValue\":0,\"endValue\":%" PRIu64 "}",
	              sum);
	return true;
}

static bool put_file(struct speedscope *s)
{
	output_text(s->out, "{\"$schema\":\"https://www.speedscope.app/"
	            "file-format-schema.json\",\n"
	            "\"exporter\":\"libprofile\",\n");
	if (!put_frames(s))
		return false;
	output_text(s->out, "\"profiles\":[\n");
	for (size_t c = 0; c < s->p->sample_types.n; c++) {
		output_text(s->out, c > 0 ? ",\n" : "");
		if (!put_profile(s, c))
			return false;
	}
	output_text(s->out, "\n]}\n");
	return true;
}

static enum prof_status tell_losses(const struct speedscope *s,
                                    struct format_writing *w,
                                    struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	if (prof_n_label_sets(s->p) > 0)
		status = writing_note(w, err, "labels are left out: "
		                      "speedscope has no place for them");
	if (status == PROF_OK && s->n_negative > 0)
		status = writing_note(w, err, "%" PRIu64 " values below 0 "
		                      "are left out", s->n_negative);
	return status;
}

static enum prof_status speedscope_write(const struct prof_profile *p,
                                         struct format_writing *w,
                                         struct prof_error *err)
{
	struct speedscope s = { .p = p, .out = &w->out, .a = &w->allocator };
	enum prof_status status = PROF_OK;

	if (!put_file(&s))
		status = error_nomem(err);
	if (s.nameless != NULL)
		mem_free(s.a, s.nameless, ((size_t)prof_n_locations(p) + 1) *
		                          sizeof(*s.nameless));
	vec_release(&s.stack, s.a);
	return status == PROF_OK ? tell_losses(&s, w, err) : status;
}

const struct format speedscope_format = {
	.info = {
		.name = "speedscope",
		.about = "for speedscope.app: all sample types, no labels",
		.suffixes = ".speedscope.json",
		.can = PROF_CAN_WRITE,
	},
	.write = speedscope_write,
};
