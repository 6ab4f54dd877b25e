/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: each node between its callers and what it calls. peek: the same for
 * nodes that match a regular expression, with nothing trimmed.
 */

#include "base/regex.h"
#include "report/report.h"

#define SEPARATOR                                                             \
	"----------------------------------------------------------"         \
	"+-------------\n"

static void write_edge(struct reporting *r, const struct graph *g,
                       const struct graph_edge *e, uint32_t other,
                       int64_t cum)
{
	struct measure_text value = report_value(r, e->weight.value);
	struct measure_text share = measure_percentage(e->weight.value, cum);

	output_printf(r->out, "%50s %s |   ", value.text, share.text);
	output_visible(r->out, graph_name(g, other));
	output_text(r->out, e->is_inline ? " (inline)\n" : "\n");
}

static void write_node(struct reporting *r, const struct graph *g,
                       uint32_t id, int64_t *sum)
{
	const struct graph_node *node = &g->nodes.data[id];
	int64_t flat = weight_mean(node->flat), cum = weight_mean(node->cum);
	struct edge_list in = graph_in(g, id), out = graph_out(g, id);
	struct measure_text flat_text = report_value(r, flat);
	struct measure_text cum_text = report_value(r, cum);
	struct measure_text share = measure_percentage(flat, r->total);
	struct measure_text sum_share, cum_share;

	output_text(r->out, SEPARATOR);
	for (uint32_t i = 0; i < in.n; i++) {
		const struct graph_edge *e = &g->edges.data[in.edges[i]];

		write_edge(r, g, e, e->from, cum);
	}
	*sum = measure_add(*sum, flat);
	sum_share = measure_percentage(*sum, r->total);
	cum_share = measure_percentage(cum, r->total);
	output_printf(r->out, "%10s %s %s %10s %s                | ",
	              flat_text.text, share.text, sum_share.text,
	              cum_text.text, cum_share.text);
	output_visible(r->out, graph_name(g, id));
	output_char(r->out, '\n');
	for (uint32_t i = 0; i < out.n; i++) {
		const struct graph_edge *e = &g->edges.data[out.edges[i]];

		write_edge(r, g, e, e->to, cum);
	}
}

static enum prof_status write_matching(struct reporting *r,
                                       const struct trimmed *t,
                                       struct regex *re,
                                       struct prof_error *err)
{
	const struct graph *g = &t->graph;
	VEC(uint32_t) matched = { 0 };
	int64_t sum = 0;

	/* Nothing is written where nothing matches. */
	if (!vec_reserve(&matched, g->shown.n, r->a))
		return error_nomem(err);
	for (size_t i = 0; i < g->shown.n; i++)
		if (re == NULL ||
		    regex_matches(re, graph_name(g, g->shown.data[i])))
			vec_put(&matched, g->shown.data[i]);
	if (re != NULL && matched.n == 0) {
		vec_release(&matched, r->a);
		return error_set(err, PROF_INVALID,
		                 "no matches found for regexp: %s",
		                 r->o.symbol);
	}
	header_graph(r, t, HEADER_SHORT, header_write_line, r);
	output_text(r->out, SEPARATOR
	            "      flat  flat%   sum%        cum   cum%   "
	            "calls calls% + context \t \t \n");
	for (size_t i = 0; i < matched.n; i++)
		write_node(r, g, matched.data[i], &sum);
	if (g->shown.n > 0)
		output_text(r->out, SEPARATOR);
	vec_release(&matched, r->a);
	return PROF_OK;
}

static enum prof_status write_tree(struct reporting *r, struct prof_error *err)
{
	struct trimmed t = { 0 };
	struct regex *re = NULL;
	enum prof_status status = PROF_OK;

	if (r->o.symbol != NULL)
		status = regex_new(&re, r->o.symbol, err);
	if (status == PROF_OK)
		status = trimmed_init(&t, r, err);
	if (status == PROF_OK)
		status = write_matching(r, &t, re, err);
	if (status == PROF_OK && re != NULL)
		status = regex_status(re, err);
	trimmed_release(&t);
	regex_free(re);
	return status;
}

const struct report tree_report = {
	.info = { "tree", "each node with its callers and callees",
	          false, true },
	.write = write_tree,
};

const struct report peek_report = {
	.info = { "peek", "callers and callees of what matches REGEX",
	          true, false },
	.flags = REPORT_ALL_NODES,
	.write = write_tree,
};
