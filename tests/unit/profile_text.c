/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
	const struct prof_profile *p;
	unsigned options;
	FILE *f;
	uint32_t *stack;
	struct prof_label *labels;
	size_t max_depth, max_labels;
};

static void put_str(FILE *f, struct prof_str s)
{
	putc('"', f);
	for (size_t i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			putc(c, f);
	}
	putc('"', f);
}

static void put_named(FILE *f, const char *name, struct prof_str s)
{
	fprintf(f, "%s ", name);
	put_str(f, s);
	putc('\n', f);
}

static void put_type(FILE *f, const char *name, struct prof_value_type t)
{
	fprintf(f, "%s ", name);
	put_str(f, t.type);
	put_str(f, t.unit);
	putc('\n', f);
}

static void put_header(const struct printer *t)
{
	struct prof_header h;
	struct prof_value_type type;
	struct prof_str comment;

	prof_get_header(t->p, &h);
	put_type(t->f, "period type", h.period_type);
	fprintf(t->f, "period %" PRId64 "\n", h.period);
	if (!(t->options & TEXT_NO_TIMES))
		fprintf(t->f, "time %" PRId64 " duration %" PRId64 "\n",
		        h.time_ns, h.duration_ns);
	put_named(t->f, "default sample type", h.default_sample_type);
	put_named(t->f, "drop frames", h.drop_frames);
	put_named(t->f, "keep frames", h.keep_frames);
	put_named(t->f, "doc url", h.doc_url);
	for (uint32_t i = 0; prof_get_sample_type(t->p, i, &type); i++)
		put_type(t->f, "sample type", type);
	for (uint32_t i = 0; prof_get_comment(t->p, i, &comment); i++)
		put_named(t->f, "comment", comment);
}

static void put_mapping(const struct printer *t, uint32_t id)
{
	struct prof_mapping m;

	if (!prof_get_mapping(t->p, id, &m))
		return;
	fprintf(t->f, "%#" PRIx64 "-%#" PRIx64 "+%#" PRIx64, m.start, m.limit,
	        m.offset);
	put_str(t->f, m.file);
	put_str(t->f, m.build_id);
	if (!(t->options & TEXT_NO_SYMBOLS))
		fprintf(t->f, "%s%s%s%s", m.has_functions ? "F" : "",
		        m.has_filenames ? "N" : "",
		        m.has_line_numbers ? "L" : "",
		        m.has_inline_frames ? "I" : "");
}

static void put_line(const struct printer *t, const struct prof_line *line)
{
	struct prof_function f = { 0 };

	fputs(" in ", t->f);
	if (!prof_get_function(t->p, line->function, &f)) {
		fputs("no function", t->f);
		return;
	}
	put_str(t->f, f.name);
	put_str(t->f, f.system_name);
	put_str(t->f, f.filename);
	fprintf(t->f, "%" PRId64 ":%" PRId64 ":%" PRId64, f.start_line,
	        line->line, line->column);
}

static bool is_lost(const struct printer *t, const struct prof_location *l)
{
	static const char name[] = "runtime/pprof.lostProfileEvent";
	struct prof_function f;

	return (t->options & TEXT_LOST_BY_NAME) && l->n_lines == 1 &&
		prof_get_function(t->p, l->lines[0].function, &f) &&
		f.name.len == sizeof(name) - 1 &&
		memcmp(f.name.ptr, name, f.name.len) == 0;
}

static void put_location(const struct printer *t, uint32_t id)
{
	struct prof_location l;

	if (!prof_get_location(t->p, id, &l)) {
		fprintf(t->f, " no location %" PRIu32, id);
		return;
	}
	if (is_lost(t, &l)) {
		fputs(" lost", t->f);
		return;
	}
	fprintf(t->f, " %#" PRIx64 "%s", l.address, l.is_folded ? "*" : "");
	if (l.mapping && !(t->options & TEXT_NO_MAPPINGS)) {
		putc('@', t->f);
		put_mapping(t, l.mapping);
	}
	if (t->options & TEXT_NO_SYMBOLS)
		return;
	for (uint32_t i = 0; i < l.n_lines; i++)
		put_line(t, &l.lines[i]);
}

static int compare_strings(struct prof_str a, struct prof_str b)
{
	const size_t n = a.len < b.len ? a.len : b.len;
	const int order = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_labels(const void *a, const void *b)
{
	return compare_strings(((const struct prof_label *)a)->key,
	                       ((const struct prof_label *)b)->key);
}

static void put_labels(const struct printer *t, uint32_t set)
{
	const size_t n = prof_get_label_set(t->p, set, t->labels,
	                                    t->max_labels);

	if (t->options & TEXT_SORT_LABELS)
		qsort(t->labels, n, sizeof(*t->labels), compare_labels);
	for (size_t i = 0; i < n; i++) {
		const struct prof_label *l = &t->labels[i];

		fputs(i ? ", " : " {", t->f);
		put_str(t->f, l->key);
		putc('=', t->f);
		if (l->str.ptr) {
			put_str(t->f, l->str);
		} else {
			fprintf(t->f, "%" PRId64, l->num);
			put_str(t->f, l->unit);
		}
	}
	if (n)
		putc('}', t->f);
}

static void put_sample(const struct printer *t, const struct prof_sample *s)
{
	const uint32_t n_types = prof_n_sample_types(t->p);
	const size_t depth = prof_get_stack(t->p, s->stack, t->stack,
	                                    t->max_depth);

	fputs("sample", t->f);
	for (uint32_t i = 0; i < n_types; i++)
		fprintf(t->f, " %" PRId64, s->values[i]);
	put_labels(t, s->label_set);
	fputs(":", t->f);
	for (size_t i = 0; i < depth; i++) {
		if (t->options & TEXT_TABLES)
			fprintf(t->f, " %" PRIu32, t->stack[i]);
		else
			put_location(t, t->stack[i]);
	}
	putc('\n', t->f);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Samples, each as a string of its own, in order of those strings. */
static bool put_sorted_samples(const struct printer *t)
{
	const uint32_t n = prof_n_samples(t->p);
	char **lines = calloc((size_t)n + 1, sizeof(*lines));
	bool complete = lines != NULL;
	struct prof_sample s;

	for (uint32_t i = 0; complete && prof_get_sample(t->p, i, &s); i++) {
		struct printer line = *t;
		size_t size;

		line.f = open_memstream(&lines[i], &size);
		complete = line.f != NULL;
		if (complete) {
			put_sample(&line, &s);
			fclose(line.f);
		}
	}
	if (complete && n)
		qsort(lines, n, sizeof(*lines), compare_lines);
	for (uint32_t i = 0; lines && i < n; i++) {
		if (lines[i])
			fputs(lines[i], t->f);
		free(lines[i]);
	}
	free(lines);
	return complete;
}

static void put_tables(const struct printer *t)
{
	struct prof_location l;
	struct prof_function f;

	for (uint32_t id = 1; prof_get_location(t->p, id, &l); id++) {
		fprintf(t->f, "location %" PRIu32 " m%" PRIu32, id, l.mapping);
		put_location(t, id);
		for (uint32_t i = 0; i < l.n_lines; i++)
			fprintf(t->f, " f%" PRIu32, l.lines[i].function);
		putc('\n', t->f);
	}
	for (uint32_t id = 1; prof_get_function(t->p, id, &f); id++) {
		fprintf(t->f, "function %" PRIu32, id);
		put_line(t, &(struct prof_line){ .function = id });
		putc('\n', t->f);
	}
}

static bool put_profile(const struct printer *t)
{
	struct prof_mapping m;
	struct prof_sample s;
	bool complete = true;

	put_header(t);
	for (uint32_t id = 1; prof_get_mapping(t->p, id, &m) &&
	     !(t->options & TEXT_NO_MAPPINGS); id++) {
		fputs("mapping ", t->f);
		put_mapping(t, id);
		putc('\n', t->f);
	}
	if (t->options & TEXT_SORT_SAMPLES)
		complete = put_sorted_samples(t);
	else
		for (uint32_t i = 0; prof_get_sample(t->p, i, &s); i++)
			put_sample(t, &s);
	if (t->options & TEXT_TABLES)
		put_tables(t);
	return complete;
}

char *profile_text(const struct prof_profile *p, unsigned options)
{
	struct printer t = {
		.p = p,
		.options = options,
		.max_depth = prof_max_stack_depth(p),
		.max_labels = prof_max_label_set_size(p),
	};
	char *text = NULL;
	size_t size;
	bool complete = false;

	t.f = open_memstream(&text, &size);
	t.stack = calloc(t.max_depth + 1, sizeof(*t.stack));
	t.labels = calloc(t.max_labels + 1, sizeof(*t.labels));
	if (t.f && t.stack && t.labels)
		complete = put_profile(&t);
	if (t.f)
		fclose(t.f);
	free(t.stack);
	free(t.labels);
	if (!complete) {
		free(text);
		return NULL;
	}
	return text;
}

static struct prof_str line_at(const char *text)
{
	return (struct prof_str){ text, strcspn(text, "\n") };
}

bool text_differs(const char *a, const char *b, unsigned *line,
                  struct prof_str *line_a, struct prof_str *line_b)
{
	for (*line = 1;; ++*line) {
		*line_a = line_at(a);
		*line_b = line_at(b);
		if (line_a->len != line_b->len ||
		    memcmp(a, b, line_a->len) != 0)
			return true;
		a += line_a->len;
		b += line_b->len;
		if (*a != *b)
			return true;
		if (*a == '\0')
			return false;
		a++;
		b++;
	}
}
