/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines above a report: what profile this is, and what of it is shown.
 */

#include "report/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_SIZE 512

struct header {
	line_fn put;
	void *ctx;
};

__attribute__((format(printf, 2, 3)))
static void put_line(const struct header *h, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	/* One line, whatever the names in it: a comment may have more. */
	for (int i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = '?';
	h->put(h->ctx, (struct prof_str){ line, (size_t)n });
}

static int str_width(struct prof_str s)
{
	return s.len > 400 ? 400 : (int)s.len;
}

static void put_time(const struct header *h, int64_t time_ns)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(time_ns / 1000000000);
	struct tm tm;
	int hour;

	if (time_ns % 1000000000 < 0)
		seconds--;
	if (localtime_r(&seconds, &tm) == NULL)
		return;
	hour = tm.tm_hour % 12 == 0 ? 12 : tm.tm_hour % 12;
	put_line(h, "Time: %.3s %d, %d at %d:%02d%s (%s)",
	         &months[3 * tm.tm_mon],
	         tm.tm_mday, tm.tm_year + 1900, hour, tm.tm_min,
	         tm.tm_hour < 12 ? "am" : "pm", tm.tm_zone);
}

static void put_duration(const struct header *h, const struct reporting *r)
{
	struct prof_str ns = { "nanoseconds", 11 }, none = { "auto", 4 };
	struct measured total = measure_scale(r->total, r->unit, ns);
	struct measure_text share = { "" };
	struct measure_text duration =
		measure_label(r->p->duration_ns, ns, none);
	struct measure_text value = report_value(r, r->total);
	bool has_share = str_equals(total.unit, "ns") && total.value != 0;

	if (has_share)
		share = measure_percentage(measure_int(total.value),
		                           r->p->duration_ns);
	put_line(h, "Duration: %s, Total samples = %s %s%s%s", duration.text,
	         value.text, has_share ? "(" : "", share.text,
	         has_share ? ")" : "");
}

void header_profile(struct reporting *r, line_fn put, void *ctx)
{
	const struct prof_profile *p = r->p;
	struct header h = { put, ctx };

	if (p->mappings.n > 1) {
		struct prof_str file, id;

		file = profile_string(p, p->mappings.data[1].file);
		id = profile_string(p, p->mappings.data[1].build_id);
		if (file.len > 0) {
			file = path_base(file);
			put_line(&h, "File: %.*s", str_width(file), file.ptr);
		}
		if (id.len > 0)
			put_line(&h, "Build ID: %.*s", str_width(id), id.ptr);
	}
	for (size_t i = 0; i < p->comments.n; i++) {
		struct prof_str text = profile_string(p, p->comments.data[i]);

		if (text.len == 0 || text.ptr[0] != '#')
			put(ctx, text);
	}
	if (r->type.len > 0)
		put_line(&h, "Type: %s%.*s", r->o.mean ? "mean_" : "",
		         str_width(r->type), r->type.ptr);
	if (p->time_ns != 0)
		put_time(&h, p->time_ns);
	if (p->duration_ns != 0)
		put_duration(&h, r);
}

static void put_filters(const struct header *h, const struct reporting *r)
{
	if (r->o.n_active_filters == 0)
		return;
	put_line(h, "Active filters:");
	for (size_t i = 0; i < r->o.n_active_filters; i++) {
		const char *filter = r->o.active_filters[i];

		put_line(h, "   %.80s%s", filter,
		         strlen(filter) > 80 ? "\xe2\x80\xa6" : "");
	}
}

static void put_dropped(const struct header *h, const struct reporting *r,
                        size_t n, const char *what, double fraction)
{
	bool is_node = *what == 'n';
	int64_t below = measure_abs(measure_int((double)r->total * fraction));
	struct measure_text value = report_value(r, below);

	if (n > 0)
		put_line(h, "Dropped %zu %s%s (%s <= %s)", n, what,
		         n > 1 ? "s" : "", is_node ? "cum" : "freq",
		         value.text);
}

void header_graph(struct reporting *r, const struct trimmed *t,
                  enum header_size size, line_fn put, void *ctx)
{
	struct header h = { put, ctx };
	const struct graph *g = &t->graph;
	struct measure_text shown, total, share;
	int64_t flat = 0;

	if (size == HEADER_FULL || !r->o.short_header)
		header_profile(r, put, ctx);
	put_filters(&h, r);
	for (size_t i = 0; i < g->shown.n; i++)
		flat = measure_add(flat, weight_mean(
			g->nodes.data[g->shown.data[i]].flat));
	shown = report_value(r, flat);
	share = measure_percentage(flat, r->total);
	total = report_value(r, r->total);
	put_line(&h, "Showing nodes accounting for %s, %s of %s total",
	         shown.text, measure_trimmed(&share), total.text);
	if (r->total == 0)
		return;
	put_dropped(&h, r, t->dropped_nodes, "node", r->o.node_fraction);
	if (size == HEADER_FULL)
		put_dropped(&h, r, t->dropped_edges, "edge",
		            r->o.edge_fraction);
	if (g->shown.n > 0 && g->shown.n < t->n_before)
		put_line(&h, "Showing top %zu nodes out of %zu", g->shown.n,
		         t->n_before);
}

void header_write_line(void *reporting, struct prof_str line)
{
	struct reporting *r = reporting;

	const char *p = line.ptr, *end = p + line.len;

	/* A comment may have several lines. */
	for (const char *stop; (stop = memchr(p, '\n', (size_t)(end - p)));
	     p = stop + 1) {
		output_visible(r->out,
		               (struct prof_str){ p, (size_t)(stop - p) });
		output_char(r->out, '\n');
	}
	output_visible(r->out, (struct prof_str){ p, (size_t)(end - p) });
	output_char(r->out, '\n');
}
