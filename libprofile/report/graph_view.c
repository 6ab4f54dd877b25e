/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call graph as the public API shows it: nodes by their place in the
 * order, edges between places.
 */

#include "report/report.h"

#include <string.h>

struct prof_graph {
	struct trimmed trimmed;
	VEC(uint32_t) places;          /* of nodes; GRAPH_NONE: not shown */
	struct byte_table functions;   /* of the node at place i: i + 1 */
	VEC(struct prof_edge) edges;
	struct prof_allocator allocator;
};

static const struct report graph_report = {
	.info = { "graph", "the call graph", false, false },
	.flags = REPORT_NO_LIMIT | REPORT_TREE,
};

static bool place_nodes(struct prof_graph *v)
{
	const struct graph *g = &v->trimmed.graph;

	if (!vec_reserve(&v->places, g->nodes.n + 1, &v->allocator))
		return false;
	while (v->places.n < g->nodes.n)
		vec_put(&v->places, GRAPH_NONE);
	if (!byte_table_begin(&v->functions, &v->allocator))
		return false;
	for (uint32_t i = 0; i < g->shown.n; i++) {
		uint32_t node = g->shown.data[i];
		struct prof_str name =
			frames_name(&g->frames, graph_frame(g, node));

		v->places.data[node] = i;
		/* A copy: the profile may be gone before the graph. */
		if (byte_table_append(&v->functions, name.ptr, name.len,
		                      &v->allocator) == 0)
			return false;
	}
	return true;
}

static bool place_edges(struct prof_graph *v)
{
	const struct graph *g = &v->trimmed.graph;

	if (!vec_reserve(&v->edges, g->edges.n, &v->allocator))
		return false;
	for (size_t i = 0; i < g->edges.n; i++) {
		const struct graph_edge *e = &g->edges.data[i];
		struct prof_edge edge = { v->places.data[e->from],
			                  v->places.data[e->to],
			                  weight_mean(e->weight),
			                  e->is_inline, e->is_residual };

		if (edge.from != GRAPH_NONE && edge.to != GRAPH_NONE)
			vec_put(&v->edges, edge);
	}
	return true;
}

enum prof_status prof_graph_new(struct prof_graph **out,
                                const struct prof_profile *p,
                                const struct prof_report_options *options,
                                struct prof_error *err)
{
	struct reporting r;
	struct prof_graph *v;
	enum prof_status status =
		reporting_begin(&r, p, &graph_report, options, err);

	if (status != PROF_OK)
		return status;
	v = mem_zeroed(r.a, 1, sizeof(*v));
	if (v == NULL)
		return error_nomem(err);
	v->allocator = *r.a;
	r.a = &v->allocator;
	status = trimmed_init(&v->trimmed, &r, err);
	if (status == PROF_OK && (!place_nodes(v) || !place_edges(v)))
		status = error_nomem(err);
	if (status != PROF_OK) {
		prof_graph_free(v);
		return status;
	}
	*out = v;
	return PROF_OK;
}

void prof_graph_free(struct prof_graph *v)
{
	struct prof_allocator a;

	if (v == NULL)
		return;
	a = v->allocator;
	trimmed_release(&v->trimmed);
	vec_release(&v->places, &a);
	byte_table_release(&v->functions, &a);
	vec_release(&v->edges, &a);
	mem_free(&a, v, sizeof(*v));
}

bool prof_get_node(const struct prof_graph *v, uint32_t i,
                   struct prof_node *out)
{
	const struct graph *g = &v->trimmed.graph;
	const struct graph_node *node;
	const struct frame *f;
	uint32_t id;

	if (i >= g->shown.n)
		return false;
	id = g->shown.data[i];
	node = &g->nodes.data[id];
	f = graph_frame(g, id);
	*out = (struct prof_node){ graph_name(g, id),
		                   byte_table_get(&v->functions, i + 1),
		                   frames_string(&g->frames, f->file),
		                   frames_string(&g->frames, f->object),
		                   f->line, f->address,
		                   weight_mean(node->flat),
		                   weight_mean(node->cum) };
	return true;
}

bool prof_get_edge(const struct prof_graph *v, uint32_t i,
                   struct prof_edge *out)
{
	if (i >= v->edges.n)
		return false;
	*out = v->edges.data[i];
	return true;
}
