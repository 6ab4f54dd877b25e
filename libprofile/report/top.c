/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top: a line for each node, with flat, cum and the running sum of flat.
 * text is its other name.
 */

#include "report/report.h"

#include <math.h>

/* Whether calls of a node were inlined: " (inline)", all of them. */
static const char *inline_mark(const struct graph *g, uint32_t node)
{
	struct edge_list in = graph_in(g, node);
	uint32_t n_inline = 0;

	for (uint32_t i = 0; i < in.n; i++)
		n_inline += g->edges.data[in.edges[i]].is_inline;
	if (n_inline == 0)
		return "";
	return n_inline == in.n ? " (inline)" : " (partial-inline)";
}

/* On a terminal: what is hot is red, what is next to nothing dim. */
static const char *color_of(const struct reporting *r, int64_t value)
{
	double share = r->total == 0
	               ? 0 : fabs((double)value / (double)r->total);

	if (!r->o.color)
		return "";
	return share >= 0.1 ? "\x1b[1;31m" : share >= 0.02 ? "\x1b[33m"
	       : share < 0.001 ? "\x1b[2m" : "";
}

static void write_node(struct reporting *r, const struct graph *g,
                       uint32_t id, int64_t *sum)
{
	const struct graph_node *node = &g->nodes.data[id];
	int64_t flat = weight_mean(node->flat), cum = weight_mean(node->cum);
	struct measure_text flat_text = report_value(r, flat);
	struct measure_text cum_text = report_value(r, cum);
	struct measure_text share = measure_percentage(flat, r->total);
	struct measure_text sum_share, cum_share;
	const char *end = r->o.color ? "\x1b[0m" : "";

	*sum = measure_add(*sum, flat);
	sum_share = measure_percentage(*sum, r->total);
	cum_share = measure_percentage(cum, r->total);
	output_printf(r->out, "%s%10s %s%s %s %s%10s %s%s  ",
	              color_of(r, flat), flat_text.text, share.text, end,
	              sum_share.text, color_of(r, cum), cum_text.text,
	              cum_share.text, end);
	output_text(r->out, color_of(r, flat));
	output_visible(r->out, graph_name(g, id));
	output_text(r->out, inline_mark(g, id));
	output_printf(r->out, "%s\n", end);
}

static enum prof_status write_top(struct reporting *r, struct prof_error *err)
{
	struct trimmed t;
	enum prof_status status = trimmed_init(&t, r, err);
	int64_t sum = 0;

	if (status != PROF_OK)
		goto done;
	header_graph(r, &t, HEADER_SHORT, header_write_line, r);
	output_printf(r->out, "%s%10s %5s%% %5s%% %10s %5s%%%s\n",
	              r->o.color ? "\x1b[1m" : "", "flat", "flat", "sum",
	              "cum", "cum", r->o.color ? "\x1b[0m" : "");
	for (size_t i = 0; i < t.graph.shown.n; i++)
		write_node(r, &t.graph, t.graph.shown.data[i], &sum);
done:
	trimmed_release(&t);
	return status;
}

const struct report top_report = {
	.info = { "top", "flat and cum of each node, heaviest first",
	          false, true },
	.flags = REPORT_NO_LIMIT | REPORT_ANY_EDGES,
	.write = write_top,
};

const struct report text_report = {
	.info = { "text", "the same as top", false, true },
	.flags = REPORT_NO_LIMIT | REPORT_ANY_EDGES,
	.write = write_top,
};
