/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of a graph's nodes, and the orders in which reports show them.
 */

#include "report/graph.h"

#include "base/measure.h"
#include "report/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

static int compare_names(const void *l, const void *r, void *table)
{
	uint32_t a = *(const uint32_t *)l, b = *(const uint32_t *)r;
	int order = str_compare(byte_table_get(table, a + 1),
	                         byte_table_get(table, b + 1));

	return order != 0 ? order : (a > b) - (a < b);
}

/* Comparing names once for all orders that fall back on them. */
static bool rank_names(struct graph *g, const bool *keep)
{
	size_t n = g->frames.all.n;
	uint32_t rank = 0;
	VEC(uint32_t) sorted = { 0 };

	if (!vec_reserve(&g->name_ranks, n, g->allocator) ||
	    !vec_reserve(&sorted, n, g->allocator))
		return false;
	if (n > 0)
		memset(g->name_ranks.data, 0, n * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		if (keep == NULL || keep[i])
			vec_put(&sorted, (uint32_t)i);
	if (sorted.n > 1)
		qsort_r(sorted.data, sorted.n, sizeof(*sorted.data),
		        compare_names, &g->names);
	for (size_t i = 0; i < sorted.n; i++) {
		uint32_t frame = sorted.data[i];

		if (i > 0 &&
		    str_compare(byte_table_get(&g->names, frame + 1),
		                 byte_table_get(&g->names,
		                                sorted.data[i - 1] + 1)) != 0)
			rank++;
		g->name_ranks.data[frame] = rank;
	}
	g->name_ranks.n = n;
	vec_release(&sorted, g->allocator);
	return true;
}

bool graph_make_names(struct graph *g, const bool *keep)
{
	byte_table_release(&g->names, g->allocator);
	vec_release(&g->name_ranks, g->allocator);
	return frames_names(&g->names, &g->frames, keep) &&
	       rank_names(g, keep);
}

/* ---- Order of nodes ---- */

struct order_key {
	int64_t first, last; /* before and after the name, greatest first */
	uint32_t rank, node;
};

static int compare_order(const void *l, const void *r, void *graph)
{
	const struct order_key *a = l, *b = r;
	const struct graph *g = graph;
	const struct frame *fa = graph_frame(g, a->node);
	const struct frame *fb = graph_frame(g, b->node);
	int order;

	if (a->first != b->first)
		return a->first > b->first ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	order = str_compare(frames_string(&g->frames, fa->object),
	                     frames_string(&g->frames, fb->object));
	if (order != 0)
		return order;
	return (a->node > b->node) - (a->node < b->node);
}

/*
 * The entropy of the edges' weights together with self: high where calls
 * spread over many, so that branching points come to the fore.
 */
static double edge_entropy(const struct graph *g, struct edge_list list,
                           int64_t self)
{
	double score = 0, part;
	int64_t total = self;

	for (uint32_t i = 0; i < list.n; i++) {
		int64_t w = g->edges.data[list.edges[i]].weight.value;

		if (w > 0)
			total = measure_add(total, w);
	}
	if (total == 0)
		return 0;
	for (uint32_t i = 0; i < list.n; i++) {
		int64_t w = g->edges.data[list.edges[i]].weight.value;

		part = (double)measure_abs(w) / (double)total;
		score += -part * log2(part);
	}
	if (self > 0) {
		part = (double)self / (double)total;
		score += -part * log2(part);
	}
	return score;
}

static int64_t entropy_score(const struct graph *g, uint32_t id)
{
	const struct graph_node *node = &g->nodes.data[id];
	struct edge_list in = graph_in(g, id), out = graph_out(g, id);
	double score = 0;

	score += in.n == 0 ? 1 : edge_entropy(g, in, 0);
	score += out.n == 0 ? 1 : edge_entropy(g, out, node->flat.value);
	return measure_add(measure_int(score * (double)node->cum.value),
	                   node->flat.value);
}

static struct order_key order_key(const struct graph *g, uint32_t id,
                                  enum graph_order order)
{
	const struct graph_node *node = &g->nodes.data[id];
	struct order_key key = { .rank = g->name_ranks.data[node->frame],
		                 .node = id };

	key.first = measure_abs(node->flat.value);
	key.last = measure_abs(node->cum.value);
	if (order == GRAPH_BY_FLAT)
		return key;
	key.last = key.first;
	key.first = order == GRAPH_BY_CUM
	            ? measure_abs(node->cum.value)
	            : measure_abs(entropy_score(g, id));
	return key;
}

bool graph_sort(struct graph *g, enum graph_order order)
{
	VEC(struct order_key) keys = { 0 };

	if (order == GRAPH_BY_ENTROPY && !graph_sort_edges(g))
		return false;
	if (!vec_reserve(&keys, g->shown.n, g->allocator))
		return false;
	for (size_t i = 0; i < g->shown.n; i++)
		vec_put(&keys, order_key(g, g->shown.data[i], order));
	if (keys.n > 1)
		qsort_r(keys.data, keys.n, sizeof(*keys.data), compare_order,
		        g);
	for (size_t i = 0; i < keys.n; i++)
		g->shown.data[i] = keys.data[i].node;
	vec_release(&keys, g->allocator);
	return true;
}
