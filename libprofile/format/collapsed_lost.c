/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile has that collapsed stacks have no place for, in one line.
 */
#include "format/collapsed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A list of words in a fixed place, cut off where it is full. */
struct list {
	char text[512];
	size_t n;
};

static void list_put(struct list *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void list_put(struct list *l, const char *format, ...)
{
	va_list args;
	int n;

	if (l->n && l->n + 3 < sizeof(l->text)) {
		memcpy(l->text + l->n, ", ", 3);
		l->n += 2;
	}
	va_start(args, format);
	n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
	va_end(args);
	l->n += n < 0 ? 0 : (size_t)n;
	if (l->n >= sizeof(l->text))
		l->n = sizeof(l->text) - 1;
}

static void list_count(struct list *l, size_t n, const char *one,
                       const char *several)
{
	if (n)
		list_put(l, "%zu %s", n, n == 1 ? one : several);
}

static void list_lost_samples(const struct losses *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_labelled = 0;

	if (p->sample_types.n > c->n_columns)
		list_count(l, p->sample_types.n - c->n_columns,
		           "other sample type", "other sample types");
	for (size_t i = 0; i < p->samples.n; i++)
		n_labelled += p->samples.data[i].label_set != 0;
	list_count(l, n_labelled, "sample's labels", "samples' labels");
}

static void list_lost_locations(const struct losses *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_addresses = 0, n_mapped = 0, n_lines = 0;

	for (size_t i = 1; i + 1 < p->locations.n; i++) {
		const struct row_location *row = &p->locations.data[i];

		n_addresses += row->address && location_n_lines(row);
		n_mapped += row->mapping &&
			location_kind(p, row, &c->w->options) == FRAME_PLAIN;
	}
	for (size_t i = 0; i < p->lines.n; i++)
		n_lines += p->lines.data[i].line || p->lines.data[i].column;
	list_count(l, n_addresses, "address", "addresses");
	list_count(l, n_mapped, "location's mapping", "locations' mappings");
	list_count(l, n_lines, "line number", "line numbers");
}

static void list_lost_functions(const struct losses *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_files = 0, n_system_names = 0;

	for (size_t i = 1; i < p->functions.n; i++) {
		const struct row_function *f = &p->functions.data[i];

		n_files += f->filename || f->start_line;
		n_system_names += f->name && f->system_name &&
			f->system_name != f->name;
	}
	list_count(l, n_files, "function's file", "functions' files");
	list_count(l, n_system_names, "system name", "system names");
}

/* The name of the one sample type, unless it is what reading assumes. */
static void list_lost_type(const struct losses *c, struct list *l)
{
	const struct row_value_type *t;
	struct prof_str type, unit;

	if (c->n_columns == 0)
		return;
	t = &c->p->sample_types.data[c->column];
	type = profile_string(c->p, t->type);
	unit = profile_string(c->p, t->unit);
	if (strcmp(unit.ptr, "count") != 0 ||
	    (c->n_columns == 1 && strcmp(type.ptr, "samples") != 0))
		list_put(l, "the sample type's name (%.40s/%.40s)", type.ptr,
		         unit.ptr);
}

static void list_lost_header(const struct losses *c, struct list *l)
{
	const struct prof_profile *p = c->p;

	if (p->time_ns || p->duration_ns)
		list_put(l, "time and duration");
	if (p->period || p->period_type.type || p->period_type.unit)
		list_put(l, "the period");
	list_count(l, p->comments.n, "comment", "comments");
	if (p->drop_frames || p->keep_frames || p->doc_url ||
	    p->default_sample_type)
		list_put(l, "other fields of the header");
}

enum prof_status report_losses(const struct losses *c, struct prof_error *err)
{
	struct list l = { .n = 0 };
	enum prof_status status = PROF_OK;

	if (c->n_replaced)
		status = writing_note(c->w, err, "%" PRIu64 " names that "
		                      "would be misread were changed",
		                      c->n_replaced);
	list_lost_samples(c, &l);
	list_lost_locations(c, &l);
	list_lost_functions(c, &l);
	list_lost_type(c, &l);
	list_lost_header(c, &l);
	if (l.n && status == PROF_OK)
		status = writing_note(c->w, err, "collapsed stacks cannot "
		                      "hold: %s", l.text);
	return status;
}
