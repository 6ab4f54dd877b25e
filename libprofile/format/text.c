/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that google/pprof prints with -raw, byte for byte in UTC: all of a
 * profile at a glance, and a proof of the decoder, since other programs print
 * the same.
 *
 * It is for people, so it is written and not read: names are printed as they
 * are, what drop_frames and keep_frames say and functions that no line has
 * are left out, and a duration is cut after four characters.
 */
#include "format/format.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A label, or several of one key, as it is printed. */
struct entry {
	size_t begin, size; /* in the scratch of the writer */
};

struct text_writer {
	const struct prof_profile *p;
	struct output *out;
	struct prof_error *err;
	const struct prof_allocator *a;
	size_t max_depth;
	uint32_t *stack;           /* [max_depth] */
	struct prof_label *labels; /* [max_labels] */
	VEC(char) scratch;
	VEC(struct entry) entries;
};

/* ---- Header ---- */

static void put_time(struct output *out, int64_t time_ns)
{
	int64_t fraction = time_ns % 1000000000;
	time_t seconds = time_ns / 1000000000;
	struct tm tm;
	char digits[16], text[32];
	size_t n;

	if (fraction < 0) {
		fraction += 1000000000;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	n = (size_t)snprintf(digits, sizeof(digits), ".%09" PRId64, fraction);
	while (n && (digits[n - 1] == '0' || digits[n - 1] == '.'))
		n--;
	output_printf(out, "Time: %s%.*s +0000 UTC\n", text, (int)n, digits);
}

/* n / 10^digits without zeros at its end, as "1.5". Returns the size. */
static size_t fraction_text(char *to, size_t size, uint64_t n, unsigned digits)
{
	uint64_t unit = 1;
	size_t length;

	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	length = (size_t)snprintf(to, size, "%" PRIu64 ".%0*" PRIu64, n / unit,
	                          (int)digits, n % unit);
	while (to[length - 1] == '0')
		length--;
	if (to[length - 1] == '.')
		length--;
	to[length] = '\0';
	return length;
}

/* A duration as Go prints it: "1h2m3.5s", "2.5ms", "20ns". */
static void duration_text(char *to, size_t size, int64_t duration_ns)
{
	uint64_t n = (uint64_t)duration_ns;
	const char *unit = "ns";

	if (duration_ns < 0) {
		*to++ = '-';
		size--;
		n = 0 - n;
	}
	if (n < 1000) {
		snprintf(to, size, "%" PRIu64 "ns", n);
		return;
	}
	if (n < 1000000000) {
		size_t length = fraction_text(to, size, n,
		                              n < 1000000 ? 3 : 6);

		unit = n < 1000000 ? "\u00b5s" : "ms";
		snprintf(to + length, size - length, "%s", unit);
		return;
	}
	if (n >= UINT64_C(3600000000000))
		to += snprintf(to, size, "%" PRIu64 "h",
		               n / UINT64_C(3600000000000));
	if (n >= UINT64_C(60000000000))
		to += snprintf(to, size - 8, "%" PRIu64 "m",
		               n / UINT64_C(60000000000) % 60);
	to += fraction_text(to, 24, n % UINT64_C(60000000000), 9);
	memcpy(to, "s", 2);
}

static void put_duration(struct output *out, int64_t duration_ns)
{
	char text[64];
	size_t n = 0;

	duration_text(text, sizeof(text), duration_ns);
	/* Four characters; the micro sign has two bytes. */
	for (unsigned characters = 0; text[n]; n++)
		if (((unsigned char)text[n] & 0xc0) != 0x80 && characters++ == 4)
			break;
	output_printf(out, "Duration: %.*s\n", (int)n, text);
}

static void put_line(struct output *out, const char *key, struct prof_str s)
{
	output_text(out, key);
	output_str(out, s);
	output_char(out, '\n');
}

static void put_header(const struct text_writer *c)
{
	const struct prof_profile *p = c->p;
	struct output *const out = c->out;

	for (size_t i = 0; i < p->comments.n; i++)
		put_line(out, "Comment: ",
		         profile_string(p, p->comments.data[i]));
	if (p->doc_url)
		put_line(out, "Doc: ", profile_string(p, p->doc_url));
	output_text(out, "PeriodType: ");
	output_str(out, profile_string(p, p->period_type.type));
	put_line(out, " ", profile_string(p, p->period_type.unit));
	output_printf(out, "Period: %" PRId64 "\n", p->period);
	if (p->time_ns)
		put_time(out, p->time_ns);
	if (p->duration_ns)
		put_duration(out, p->duration_ns);
}

static void put_sample_types(const struct text_writer *c)
{
	const struct prof_profile *p = c->p;
	struct output *const out = c->out;

	for (size_t i = 0; i < p->sample_types.n; i++) {
		const struct row_value_type *t = &p->sample_types.data[i];

		if (i)
			output_char(out, ' ');
		output_str(out, profile_string(p, t->type));
		output_char(out, '/');
		output_str(out, profile_string(p, t->unit));
		if (t->type == p->default_sample_type)
			output_text(out, "[dflt]");
	}
	output_char(out, '\n');
}

/* ---- Labels ---- */

static bool is_string(const struct prof_label *l)
{
	return l->str.ptr != NULL;
}

/* Labels that google/pprof does not take in: they say nothing. */
static bool is_void(const struct prof_label *l)
{
	return is_string(l) ? l->str.len == 0 : l->num == 0 && l->unit.len == 0;
}

static bool is_of_key(const struct prof_label *l, const struct prof_label *like)
{
	return !is_void(l) && is_string(l) == is_string(like) &&
		l->key.len == like->key.len &&
		memcmp(l->key.ptr, like->key.ptr, l->key.len) == 0;
}

static bool scratch_put(struct text_writer *c, const char *text, size_t size)
{
	if (!vec_reserve(&c->scratch, size, c->a))
		return false;
	if (size)
		memcpy(c->scratch.data + c->scratch.n, text, size);
	c->scratch.n += size;
	return true;
}

static bool scratch_put_value(struct text_writer *c, const struct prof_label *l,
                              bool with_unit)
{
	char digits[24];
	int n;

	if (is_string(l))
		return scratch_put(c, l->str.ptr, l->str.len);
	n = snprintf(digits, sizeof(digits), "%" PRId64 "%s", l->num,
	             with_unit ? " " : "");
	return scratch_put(c, digits, (size_t)n) &&
		(!with_unit || scratch_put(c, l->unit.ptr, l->unit.len));
}

/* All values of one key, "key:[1 2]"; labels[i] is the first of them. */
static bool put_entry(struct text_writer *c, size_t i, size_t n)
{
	const struct prof_label *const first = &c->labels[i];
	struct entry e = { .begin = c->scratch.n };
	bool with_unit = false, ok;

	/* Where one number has a unit, all of the key are printed with one. */
	for (size_t k = i; k < n; k++)
		with_unit |= is_of_key(&c->labels[k], first) &&
			c->labels[k].unit.len != 0;
	ok = scratch_put(c, first->key.ptr, first->key.len) &&
		scratch_put(c, ":", 1);
	for (size_t k = i; ok && k < n; k++)
		if (is_of_key(&c->labels[k], first))
			ok = scratch_put(c, k == i ? "[" : " ", 1) &&
				scratch_put_value(c, &c->labels[k], with_unit);
	ok = ok && scratch_put(c, "]", 1) && vec_reserve(&c->entries, 1, c->a);
	e.size = c->scratch.n - e.begin;
	if (ok)
		vec_put(&c->entries, e);
	return ok;
}

static int compare_entries(const void *a, const void *b, void *ctx)
{
	const struct text_writer *const c = ctx;
	const struct entry *const x = a, *const y = b;
	const size_t shorter = x->size < y->size ? x->size : y->size;
	const int order = memcmp(c->scratch.data + x->begin,
	                         c->scratch.data + y->begin, shorter);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

enum label_type { LABEL_STRING, LABEL_NUMBER };

/* A line of all labels of a type, sorted, if there are any. */
static bool put_labels(struct text_writer *c, size_t n, enum label_type type)
{
	c->scratch.n = c->entries.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct prof_label *const l = &c->labels[i];
		size_t k = 0;

		if (is_void(l) || is_string(l) != (type == LABEL_STRING))
			continue;
		while (!is_of_key(&c->labels[k], l))
			k++;
		if (k == i && !put_entry(c, i, n))
			return false;
	}
	if (c->entries.n == 0)
		return true;
	qsort_r(c->entries.data, c->entries.n, sizeof(*c->entries.data),
	        compare_entries, c);
	output_printf(c->out, "%16s", "");
	for (size_t i = 0; i < c->entries.n; i++) {
		if (i)
			output_char(c->out, ' ');
		output_bytes(c->out, c->scratch.data + c->entries.data[i].begin,
		             c->entries.data[i].size);
	}
	output_char(c->out, '\n');
	return true;
}

/* ---- Tables ---- */

static bool put_sample(struct text_writer *c, const struct prof_sample *s)
{
	const size_t depth = prof_get_stack(c->p, s->stack, c->stack,
	                                    c->max_depth);
	const size_t n_labels = prof_get_label_set(c->p, s->label_set,
	                                           c->labels,
	                                           c->p->max_labels);

	for (size_t i = 0; i < c->p->sample_types.n; i++)
		output_printf(c->out, " %10" PRId64, s->values[i]);
	output_text(c->out, ": ");
	for (size_t i = 0; i < depth; i++) {
		output_u64(c->out, c->stack[i]);
		output_char(c->out, ' ');
	}
	output_char(c->out, '\n');
	return put_labels(c, n_labels, LABEL_STRING) &&
		put_labels(c, n_labels, LABEL_NUMBER);
}

static void put_function_line(const struct text_writer *c,
                              const struct prof_line *l)
{
	struct output *const out = c->out;
	struct prof_function f;

	prof_get_function(c->p, l->function, &f);
	output_str(out, f.name);
	output_char(out, ' ');
	output_str(out, f.filename);
	output_printf(out, ":%" PRId64 ":%" PRId64 " s=%" PRId64, l->line,
	              l->column, f.start_line);
	if (f.name.len != f.system_name.len ||
	    memcmp(f.name.ptr, f.system_name.ptr, f.name.len) != 0) {
		output_char(out, '(');
		output_str(out, f.system_name);
		output_char(out, ')');
	}
	output_char(out, '\n');
}

static void put_location(const struct text_writer *c, uint32_t id,
                         const struct prof_location *l)
{
	output_printf(c->out, "%6" PRIu32 ": 0x%" PRIx64 " ", id, l->address);
	if (l->mapping)
		output_printf(c->out, "M=%" PRIu32 " ", l->mapping);
	if (l->is_folded)
		output_text(c->out, "[F] ");
	for (uint32_t i = 0; i < l->n_lines; i++) {
		if (i)
			output_printf(c->out, "%13s", "");
		put_function_line(c, &l->lines[i]);
	}
	if (l->n_lines == 0)
		output_char(c->out, '\n');
}

static void put_mapping(const struct text_writer *c, uint32_t id,
                        const struct prof_mapping *m)
{
	struct output *const out = c->out;

	output_printf(out, "%" PRIu32 ": 0x%" PRIx64 "/0x%" PRIx64 "/0x%" PRIx64
	              " ", id, m->start, m->limit, m->offset);
	output_str(out, m->file);
	output_char(out, ' ');
	output_str(out, m->build_id);
	output_char(out, ' ');
	output_text(out, m->has_functions ? "[FN]" : "");
	output_text(out, m->has_filenames ? "[FL]" : "");
	output_text(out, m->has_line_numbers ? "[LN]" : "");
	output_text(out, m->has_inline_frames ? "[IN]" : "");
	output_char(out, '\n');
}

static enum prof_status put_tables(struct text_writer *c)
{
	struct prof_sample s;
	struct prof_location l;
	struct prof_mapping m;

	output_text(c->out, "Samples:\n");
	put_sample_types(c);
	for (uint32_t i = 0; prof_get_sample(c->p, i, &s); i++)
		if (!put_sample(c, &s))
			return error_nomem(c->err);
	output_text(c->out, "Locations\n");
	for (uint32_t id = 1; prof_get_location(c->p, id, &l); id++)
		put_location(c, id, &l);
	output_text(c->out, "Mappings\n");
	for (uint32_t id = 1; prof_get_mapping(c->p, id, &m); id++)
		put_mapping(c, id, &m);
	return PROF_OK;
}

static enum prof_status text_write(const struct prof_profile *p,
                                   struct format_writing *w,
                                   struct prof_error *err)
{
	struct text_writer c = { .p = p, .out = &w->out, .err = err,
	                         .a = &w->allocator,
	                         .max_depth = prof_max_stack_depth(p) };
	const size_t n_labels = (size_t)p->max_labels + 1;
	enum prof_status status;

	c.stack = mem_zeroed(c.a, c.max_depth + 1, sizeof(*c.stack));
	c.labels = mem_zeroed(c.a, n_labels, sizeof(*c.labels));
	if (c.stack && c.labels) {
		put_header(&c);
		status = put_tables(&c);
	} else {
		status = error_nomem(err);
	}
	mem_free(c.a, c.stack, (c.max_depth + 1) * sizeof(*c.stack));
	mem_free(c.a, c.labels, n_labels * sizeof(*c.labels));
	vec_release(&c.scratch, c.a);
	vec_release(&c.entries, c.a);
	return status;
}

const struct format text_format = {
	.info = {
		.name = "text",
		.about = "what google/pprof prints with -raw (UTC)",
		.suffixes = ".txt",
		.can = PROF_CAN_WRITE,
	},
	.write = text_write,
};
