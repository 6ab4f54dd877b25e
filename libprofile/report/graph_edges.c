/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edges of a graph by node, and what leaves some of them out.
 */

#include "report/graph.h"

#include "base/measure.h"
#include "report/labels.h"

#include <stdlib.h>
#include <string.h>

/* ---- Edges of a node ---- */

static int compare_edges(const void *l, const void *r, void *graph)
{
	const struct graph *g = graph;
	const struct graph_edge *a = l, *b = r;
	int64_t wa = measure_abs(a->weight.value);
	int64_t wb = measure_abs(b->weight.value);
	const uint32_t *ranks = g->name_ranks.data;
	uint32_t ra = ranks[g->nodes.data[a->from].frame];
	uint32_t rb = ranks[g->nodes.data[b->from].frame];

	if (wa != wb)
		return wa > wb ? -1 : 1;
	if (ra == rb) {
		ra = ranks[g->nodes.data[a->to].frame];
		rb = ranks[g->nodes.data[b->to].frame];
	}
	if (ra == rb) {
		ra = a->from;
		rb = b->from;
	}
	if (ra == rb) {
		ra = a->to;
		rb = b->to;
	}
	return (ra > rb) - (ra < rb);
}

/* first[n + 1] from a count of each node, which is in first[1 .. n]. */
static void begin_lists(uint32_t *first, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		first[i] += first[i - 1];
}

bool graph_link(struct graph *g)
{
	size_t n = g->nodes.n, n_edges = g->edges.n;
	const struct prof_allocator *a = g->allocator;

	g->in_first.n = g->out_first.n = g->in_edges.n = g->out_edges.n = 0;
	if (!vec_reserve(&g->in_first, n + 1, a) ||
	    !vec_reserve(&g->out_first, n + 1, a) ||
	    !vec_reserve(&g->in_edges, n_edges, a) ||
	    !vec_reserve(&g->out_edges, n_edges, a))
		return false;
	memset(g->in_first.data, 0, (n + 1) * sizeof(uint32_t));
	memset(g->out_first.data, 0, (n + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < n_edges; i++) {
		g->in_first.data[g->edges.data[i].to + 1]++;
		g->out_first.data[g->edges.data[i].from + 1]++;
	}
	begin_lists(g->in_first.data, n);
	begin_lists(g->out_first.data, n);
	/* Filled from the end, so that first[] ends where it began. */
	for (size_t i = n_edges; i-- > 0;) {
		const struct graph_edge *e = &g->edges.data[i];

		g->in_edges.data[--g->in_first.data[e->to + 1]] = (uint32_t)i;
		g->out_edges.data[--g->out_first.data[e->from + 1]] =
			(uint32_t)i;
	}
	g->in_first.n = g->out_first.n = n + 1;
	g->in_edges.n = g->out_edges.n = n_edges;
	return true;
}

bool graph_sort_edges(struct graph *g)
{
	if (g->edges.n > 1)
		qsort_r(g->edges.data, g->edges.n, sizeof(*g->edges.data),
		        compare_edges, g);
	return graph_link(g);
}

/*
 * graph_link() leaves the begin of node i's list at first[i + 1]; its end is
 * the begin of the next one's.
 */
static struct edge_list list_of(const uint32_t *first, size_t n,
                                const uint32_t *edges, size_t n_edges,
                                uint32_t node)
{
	uint32_t begin = first[node + 1];
	uint32_t end = node + 1 < n - 1 ? first[node + 2] : (uint32_t)n_edges;

	return (struct edge_list){ edges + begin, end - begin };
}

struct edge_list graph_in(const struct graph *g, uint32_t node)
{
	return list_of(g->in_first.data, g->in_first.n, g->in_edges.data,
	               g->in_edges.n, node);
}

struct edge_list graph_out(const struct graph *g, uint32_t node)
{
	return list_of(g->out_first.data, g->out_first.n, g->out_edges.data,
	               g->out_edges.n, node);
}

bool graph_keep_edges(struct graph *g, const bool *keep)
{
	size_t n = 0;

	for (size_t i = 0; i < g->edges.n; i++)
		if (keep[i])
			g->edges.data[n++] = g->edges.data[i];
	g->edges.n = n;
	return graph_link(g);
}

/* ---- Call trees ---- */

/* Moves the edge into node up to the next node above that is kept. */
static bool lift_edge(struct graph *g, const bool *keep,
                      struct graph_edge *edge)
{
	while (!keep[edge->from]) {
		struct edge_list in = graph_in(g, edge->from);
		const struct graph_edge *above;

		if (in.n == 0)
			return false;
		above = &g->edges.data[in.edges[0]];
		edge->is_inline &= above->is_inline;
		edge->is_residual = true;
		edge->from = above->from;
	}
	return true;
}

bool graph_keep_tree(struct graph *g, const bool *keep)
{
	VEC(struct graph_edge) lifted = { 0 };
	size_t n = 0;

	if (!vec_reserve(&lifted, g->edges.n, g->allocator))
		return false;
	for (size_t i = 0; i < g->edges.n; i++) {
		struct graph_edge edge = g->edges.data[i];

		if (keep[edge.to] && lift_edge(g, keep, &edge))
			vec_put(&lifted, edge);
	}
	if (lifted.n > 0)
		memcpy(g->edges.data, lifted.data,
		       lifted.n * sizeof(*lifted.data));
	g->edges.n = lifted.n;
	vec_release(&lifted, g->allocator);
	for (size_t i = 0; i < g->shown.n; i++)
		if (keep[g->shown.data[i]])
			g->shown.data[n++] = g->shown.data[i];
	g->shown.n = n;
	return graph_link(g);
}
