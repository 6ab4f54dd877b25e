/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_GRAPH_H
#define REPORT_GRAPH_H

/*
 * The call graph of a profile: nodes with flat and cum, and edges.
 *
 * Without call_tree, node i is frame i, so that a graph can be built again
 * with some nodes left out and all numbers stay. With call_tree there is a
 * node for each path of frames from the root.
 */

#include "report/frames.h"
#include "base/measure.h"

#define GRAPH_NONE UINT32_MAX

/* A weight and what to divide it by for a mean; 0: there is no mean. */
struct weight {
	int64_t value, divisor;
};

struct graph_node {
	struct weight flat, cum;
	uint32_t frame;
	uint32_t parent; /* call tree: node; GRAPH_NONE: a root */
};

struct graph_edge {
	struct weight weight;
	uint32_t from, to;
	uint32_t stamp;   /* the stack that was last counted over it */
	bool is_inline;   /* each call over it was inlined */
	bool is_residual; /* in some stack, frames between them were left out */
};

/* What the samples at a node were labelled with; see graph_tags.c. */
struct graph_tag {
	struct weight flat, cum;
	uint32_t node;
	uint32_t labels; /* all string labels as one text; 0: none */
	uint32_t text;   /* a number as text; 0: the tag stands for labels */
	int64_t number;
};

/* Edges that enter or leave a node: edges[begin .. begin + n). */
struct edge_list {
	const uint32_t *edges;
	uint32_t n;
};

struct graph_options {
	unsigned parts;          /* of enum frame_parts */
	uint32_t value_column;
	uint32_t divisor_column; /* GRAPH_NONE: no mean */
	bool is_tree, drop_negative, has_tags;
	struct prof_str bytes_unit; /* of the label "bytes" */
	struct prof_str tag_unit;   /* that tags' numbers are shown in */
	const char *trim_path, *source_path;
};

struct graph {
	const struct prof_profile *p;
	struct graph_options o;
	struct frames frames;
	struct byte_table names;   /* of frame i: string i + 1, once made */
	VEC(uint32_t) name_ranks;  /* of frames, by name; equal names, equal */
	VEC(struct graph_node) nodes;
	VEC(struct graph_edge) edges;
	VEC(uint32_t) shown;       /* nodes that are in the graph, in order */
	/* The edges of nodes, in the order of edges: see graph_in(). */
	VEC(uint32_t) in_first, in_edges, out_first, out_edges;
	VEC(struct graph_tag) tags; /* by node */
	struct byte_table tag_texts;
	const struct prof_allocator *allocator;
};

static inline int64_t weight_mean(struct weight w)
{
	if (w.divisor == 0)
		return w.value;
	if (w.divisor == -1) /* also for INT64_MIN */
		return (int64_t)(0 - (uint64_t)w.value);
	return w.value / w.divisor;
}

static inline void weight_add(struct weight *to, struct weight w)
{
	to->value = measure_add(to->value, w.value);
	to->divisor = measure_add(to->divisor, w.divisor);
}

/* p must outlive the graph. False: out of memory; release in any case. */
bool graph_init(struct graph *g, const struct prof_profile *p,
                const struct graph_options *o,
                const struct prof_allocator *a);
void graph_release(struct graph *g);

/* What to build: flat and cum of nodes take a fifth of the time and of the
   memory of the whole, with edges and tags. */
enum graph_extent { GRAPH_NODES, GRAPH_WHOLE };

/*
 * Counts all samples, over what the graph had. keep[i]: whether node i is in
 * it; NULL: all. Of a call tree only the whole, with keep NULL, can be built.
 * False: out of memory.
 */
bool graph_build(struct graph *g, const bool *keep, enum graph_extent extent);

/* Names the frames i for which keep[i] (NULL: all), which sorting needs. */
bool graph_make_names(struct graph *g, const bool *keep);

/* Lists the edges of each node, in the order of edges; any change of them
   needs it again. */
bool graph_link(struct graph *g);

/* Sorts edges by weight, heaviest first, and links. */
bool graph_sort_edges(struct graph *g);

struct edge_list graph_in(const struct graph *g, uint32_t node);
struct edge_list graph_out(const struct graph *g, uint32_t node);

enum graph_order { GRAPH_BY_FLAT, GRAPH_BY_CUM, GRAPH_BY_ENTROPY };

/* Sorts the nodes shown. For entropy, edges are sorted first, so that sums
   of fractions are the same each time. */
bool graph_sort(struct graph *g, enum graph_order order);

/* Drops edges i for which !keep[i], and links. */
bool graph_keep_edges(struct graph *g, const bool *keep);

/*
 * A call tree with only the nodes i for which keep[i]: what was below a
 * dropped node hangs on the next one above that is kept.
 */
bool graph_keep_tree(struct graph *g, const bool *keep);

static inline struct prof_str graph_name(const struct graph *g, uint32_t node)
{
	return byte_table_get(&g->names, g->nodes.data[node].frame + 1);
}

static inline const struct frame *graph_frame(const struct graph *g,
                                              uint32_t node)
{
	return &g->frames.all.data[g->nodes.data[node].frame];
}

/* ---- Inside: between graph.c and graph_tags.c ---- */

/* One kept frame of a stack that is being counted. */
struct graph_step {
	uint32_t node;
	bool is_inline, is_residual;
};

struct graph_path {
	VEC(struct graph_step) steps; /* root first */
	bool has_leaf; /* the last step is the leaf, none was left out below */
	VEC(uint32_t) locations;
	struct hash_index children; /* call tree: (node, frame) to node + 1 */
	uint64_t seed;
	const bool *keep;
};

/* The nodes of a stack; a call tree grows what is not there. */
bool graph_find_path(struct graph *g, struct graph_path *path,
                     uint32_t stack);

bool graph_add_tags(struct graph *g, struct graph_path *path);

#endif
