/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the graph: samples to nodes and edges.
 *
 * Why it is as it is: a profile has far fewer stacks than samples, so values
 * are first summed for each stack, and only then is each stack walked, once.
 * Whether a stack has counted for a node or an edge already (recursion) is a
 * stamp with the stack's id in it: nothing has to be cleared.
 *
 * An edge is found through a cache of the last one that left its node, which
 * is right most of the time, then through a hash of (from, to).
 */

#include "report/graph.h"

#include "base/varint.h"
#include "base/measure.h"

#include <stdlib.h>
#include <string.h>

/* ---- Begin and end ---- */

bool graph_init(struct graph *g, const struct prof_profile *p,
                const struct graph_options *o, const struct prof_allocator *a)
{
	*g = (struct graph){ .p = p, .o = *o, .allocator = a };
	return frames_init(&g->frames, p, o->parts, o->trim_path,
	                   o->source_path, a);
}

void graph_release(struct graph *g)
{
	const struct prof_allocator *a = g->allocator;

	if (a == NULL)
		return;
	frames_release(&g->frames);
	byte_table_release(&g->names, a);
	vec_release(&g->name_ranks, a);
	vec_release(&g->nodes, a);
	vec_release(&g->edges, a);
	vec_release(&g->shown, a);
	vec_release(&g->in_first, a);
	vec_release(&g->in_edges, a);
	vec_release(&g->out_first, a);
	vec_release(&g->out_edges, a);
	vec_release(&g->tags, a);
	byte_table_release(&g->tag_texts, a);
}

/* ---- Paths ---- */

static uint64_t hash_pair(uint32_t a, uint32_t b, uint64_t seed)
{
	uint64_t hash = ((uint64_t)a << 32 | b) ^ seed;

	hash *= UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 32;
	return hash * UINT64_C(0xd6e8feb86659fd93);
}

/* The node of a call tree for frame below parent; GRAPH_NONE: no memory. */
static uint32_t find_child(struct graph *g, struct graph_path *path,
                           uint32_t parent, uint32_t frame)
{
	uint64_t hash = hash_pair(parent, frame, path->seed);
	struct hash_index *index = &path->children;
	uint32_t id;
	size_t slot;

	if (!hash_index_reserve(index, 1, g->allocator) ||
	    !vec_reserve(&g->nodes, 1, g->allocator))
		return GRAPH_NONE;
	for (slot = hash_index_first(index, hash);
	     (id = index->slots[slot].id) != 0;
	     slot = hash_index_next(index, slot)) {
		const struct graph_node *node = &g->nodes.data[id - 1];

		if (node->parent == parent && node->frame == frame)
			return id - 1;
	}
	vec_put(&g->nodes,
	        (struct graph_node){ .frame = frame, .parent = parent });
	hash_index_put(index, slot, hash, (uint32_t)g->nodes.n);
	return (uint32_t)g->nodes.n - 1;
}

/* Unpacks a stack, leaf first, into path->locations. */
static bool unpack_stack(struct graph *g, struct graph_path *path,
                         uint32_t stack)
{
	struct prof_str packed = byte_table_get(&g->p->stacks, stack);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;

	path->locations.n = 0;
	if (!vec_reserve(&path->locations, packed.len, g->allocator))
		return false;
	while (at < end) {
		uint32_t id;

		at = varint_get_known(at, &id);
		vec_put(&path->locations, id);
	}
	return true;
}

/* Appends the frames of a location, outermost first. */
static bool step_location(struct graph *g, struct graph_path *path,
                          uint32_t location)
{
	uint32_t begin = g->frames.first.data[location];
	uint32_t end = g->frames.first.data[location + 1];

	if (!vec_reserve(&path->steps, end - begin, g->allocator))
		return false;
	if (path->keep == NULL && !g->o.is_tree && end - begin == 1) {
		vec_put(&path->steps,
		        (struct graph_step){ g->frames.lines.data[begin],
		                             false, false });
		return true;
	}
	for (uint32_t i = end; i-- > begin;) {
		uint32_t node = g->frames.lines.data[i];

		if (path->keep != NULL && !path->keep[node]) {
			path->has_leaf = false;
			continue;
		}
		if (g->o.is_tree) {
			size_t n = path->steps.n;
			uint32_t parent = n == 0 ? GRAPH_NONE
			                  : path->steps.data[n - 1].node;

			node = find_child(g, path, parent, node);
			if (node == GRAPH_NONE)
				return false;
		}
		vec_put(&path->steps,
		        (struct graph_step){ node, i != end - 1,
		                             !path->has_leaf });
		path->has_leaf = true;
	}
	return true;
}

bool graph_find_path(struct graph *g, struct graph_path *path, uint32_t stack)
{
	path->steps.n = 0;
	path->has_leaf = true;
	if (!unpack_stack(g, path, stack))
		return false;
	for (size_t i = path->locations.n; i-- > 0;)
		if (!step_location(g, path, path->locations.data[i]))
			return false;
	if (path->steps.n == 0)
		path->has_leaf = false;
	return true;
}

/* ---- Building ---- */

struct stack_weight {
	struct weight sum;
	bool is_counted; /* by a sample that is not zero; the sum may be */
};

struct graph_builder {
	struct graph *g;
	struct graph_path path;
	struct stack_weight *weights; /* for each stack */
	size_t n_weights;
	VEC(uint32_t) seen;      /* for each node: the last stack it was in */
	VEC(uint32_t) last_edge; /* for each node: that last left it */
	struct hash_index edges; /* (from, to) to edge + 1 */
};

static bool sum_stacks(struct graph_builder *b)
{
	const struct prof_profile *p = b->g->p;
	const struct graph_options *o = &b->g->o;
	size_t n_types = p->sample_types.n;
	const int64_t *values = p->values.data;

	b->n_weights = (size_t)prof_n_stacks(p) + 1;
	b->weights = mem_zeroed(b->g->allocator, b->n_weights,
	                        sizeof(*b->weights));
	if (b->weights == NULL)
		return false;
	for (size_t i = 0; i < p->samples.n; i++, values += n_types) {
		uint32_t stack = p->samples.data[i].stack;
		struct weight w = { values[o->value_column], 0 };

		if (o->divisor_column != GRAPH_NONE)
			w.divisor = values[o->divisor_column];
		if (w.value == 0 && w.divisor == 0)
			continue;
		weight_add(&b->weights[stack].sum, w);
		b->weights[stack].is_counted = true;
	}
	return true;
}

/* The edge from -> to, new if need be; NULL: no memory. */
static struct graph_edge *find_edge(struct graph_builder *b, uint32_t from,
                                    uint32_t to)
{
	struct graph *g = b->g;
	uint32_t id = b->last_edge.data[from];
	uint64_t hash;
	size_t slot;

	if (id != GRAPH_NONE && g->edges.data[id].to == to)
		return &g->edges.data[id];
	if (!hash_index_reserve(&b->edges, 1, g->allocator) ||
	    !vec_reserve(&g->edges, 1, g->allocator))
		return NULL;
	hash = hash_pair(from, to, b->path.seed);
	for (slot = hash_index_first(&b->edges, hash);
	     (id = b->edges.slots[slot].id) != 0;
	     slot = hash_index_next(&b->edges, slot))
		if (g->edges.data[id - 1].from == from &&
		    g->edges.data[id - 1].to == to)
			break;
	if (id == 0) {
		vec_put(&g->edges, (struct graph_edge){ .from = from, .to = to,
		                                        .is_inline = true });
		id = (uint32_t)g->edges.n;
		hash_index_put(&b->edges, slot, hash, id);
	}
	b->last_edge.data[from] = id - 1;
	return &g->edges.data[id - 1];
}

static bool count_edge(struct graph_builder *b, uint32_t from,
                       const struct graph_step *to, uint32_t stack)
{
	struct graph_edge *edge = find_edge(b, from, to->node);

	if (edge == NULL)
		return false;
	if (edge->stamp == stack)
		return true;
	edge->stamp = stack;
	weight_add(&edge->weight, b->weights[stack].sum);
	edge->is_residual |= to->is_residual;
	edge->is_inline &= to->is_inline;
	return true;
}

/* Room in the arrays that go with nodes, which a call tree adds on the way. */
static bool follow_nodes(struct graph_builder *b)
{
	size_t n = b->g->nodes.n;
	const struct prof_allocator *a = b->g->allocator;

	if (b->seen.n == n)
		return true;
	if (!vec_reserve(&b->seen, n - b->seen.n, a) ||
	    !vec_reserve(&b->last_edge, n - b->last_edge.n, a))
		return false;
	while (b->seen.n < n) {
		vec_put(&b->seen, 0);
		vec_put(&b->last_edge, GRAPH_NONE);
	}
	return true;
}

static bool count_stack(struct graph_builder *b, uint32_t stack)
{
	struct graph *g = b->g;
	uint32_t parent = GRAPH_NONE;

	if (!graph_find_path(g, &b->path, stack) || !follow_nodes(b))
		return false;
	for (size_t i = 0; i < b->path.steps.n; i++) {
		const struct graph_step *step = &b->path.steps.data[i];

		if (b->seen.data[step->node] != stack) {
			b->seen.data[step->node] = stack;
			weight_add(&g->nodes.data[step->node].cum,
			           b->weights[stack].sum);
		}
		if (parent != GRAPH_NONE && parent != step->node &&
		    !count_edge(b, parent, step, stack))
			return false;
		parent = step->node;
	}
	if (b->path.has_leaf)
		weight_add(&g->nodes.data[parent].flat, b->weights[stack].sum);
	return true;
}

/* Flat and cum alone: for them it is the same in which order frames come. */
static void count_nodes(struct graph_builder *b, uint32_t stack)
{
	struct graph *g = b->g;
	struct prof_str packed = byte_table_get(&g->p->stacks, stack);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;
	struct weight w = b->weights[stack].sum;
	const bool *keep = b->path.keep;
	uint32_t leaf = GRAPH_NONE;

	while (at < end) {
		uint32_t id;

		at = varint_get_known(at, &id);
		for (uint32_t i = g->frames.first.data[id];
		     i < g->frames.first.data[id + 1]; i++) {
			uint32_t node = g->frames.lines.data[i];

			if (leaf == GRAPH_NONE)
				leaf = node;
			if (b->seen.data[node] == stack ||
			    (keep != NULL && !keep[node]))
				continue;
			b->seen.data[node] = stack;
			weight_add(&g->nodes.data[node].cum, w);
		}
	}
	if (leaf != GRAPH_NONE && (keep == NULL || keep[leaf]))
		weight_add(&g->nodes.data[leaf].flat, w);
}

static bool begin_nodes(struct graph *g)
{
	g->nodes.n = g->edges.n = g->shown.n = 0;
	if (g->o.is_tree)
		return true;
	if (!vec_reserve(&g->nodes, g->frames.all.n, g->allocator))
		return false;
	for (uint32_t i = 0; i < g->frames.all.n; i++)
		vec_put(&g->nodes, (struct graph_node){ .frame = i,
		                                        .parent = GRAPH_NONE });
	return true;
}

static bool is_negative(const struct graph_node *node)
{
	if (node->flat.value != 0)
		return node->flat.value < 0;
	return node->cum.value < 0;
}

static bool select_nodes(struct graph *g)
{
	if (!vec_reserve(&g->shown, g->nodes.n, g->allocator))
		return false;
	for (uint32_t i = 0; i < g->nodes.n; i++) {
		const struct graph_node *node = &g->nodes.data[i];

		if (node->cum.value == 0 && node->flat.value == 0)
			continue;
		if (!g->o.drop_negative || !is_negative(node))
			vec_put(&g->shown, i);
	}
	return true;
}

bool graph_build(struct graph *g, const bool *keep, enum graph_extent extent)
{
	struct graph_builder b = { .g = g };
	const struct prof_allocator *a = g->allocator;
	bool is_ok;

	b.path.keep = keep;
	b.path.seed = hash_seed();
	is_ok = sum_stacks(&b) && begin_nodes(g) && follow_nodes(&b);
	/* Stack 0 is the empty one, which counts for nothing. */
	for (uint32_t i = 1; is_ok && i < b.n_weights; i++) {
		if (!b.weights[i].is_counted)
			continue;
		if (extent == GRAPH_NODES)
			count_nodes(&b, i);
		else
			is_ok = count_stack(&b, i);
	}
	if (is_ok && g->o.has_tags && extent == GRAPH_WHOLE)
		is_ok = graph_add_tags(g, &b.path);
	is_ok = is_ok && select_nodes(g) && graph_link(g);
	mem_free(a, b.weights, b.n_weights * sizeof(*b.weights));
	vec_release(&b.seen, a);
	vec_release(&b.last_edge, a);
	vec_release(&b.path.steps, a);
	vec_release(&b.path.locations, a);
	hash_index_release(&b.path.children, a);
	hash_index_release(&b.edges, a);
	return is_ok;
}
