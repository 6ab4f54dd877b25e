/* SPDX-License-Identifier: Apache-2.0 */
/*
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
#include "report/labels.h"
#include "base/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Begin and end ---- */

static int compare_names(const void *l, const void *r, void *table)
{
	uint32_t a = *(const uint32_t *)l, b = *(const uint32_t *)r;
	int order = str_compare(byte_table_get(table, a + 1),
	                         byte_table_get(table, b + 1));

	return order != 0 ? order : (a > b) - (a < b);
}

/* Comparing names once for all orders that fall back on them. */
static bool rank_names(struct graph *g)
{
	size_t n = g->frames.all.n;
	uint32_t rank = 0;
	VEC(uint32_t) sorted = { 0 };

	if (!vec_reserve(&g->name_ranks, n, g->allocator) ||
	    !vec_reserve(&sorted, n, g->allocator))
		return false;
	for (size_t i = 0; i < n; i++)
		vec_put(&sorted, (uint32_t)i);
	if (n > 1)
		qsort_r(sorted.data, n, sizeof(*sorted.data), compare_names,
		        &g->names);
	for (size_t i = 0; i < n; i++) {
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

bool graph_init(struct graph *g, const struct prof_profile *p,
                const struct graph_options *o, const struct prof_allocator *a)
{
	*g = (struct graph){ .p = p, .o = *o, .allocator = a };
	return frames_init(&g->frames, p, o->parts, o->trim_path,
	                   o->source_path, a) &&
	       frames_names(&g->names, &g->frames) && rank_names(g);
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

bool graph_build(struct graph *g, const bool *keep)
{
	struct graph_builder b = { .g = g };
	const struct prof_allocator *a = g->allocator;
	bool is_ok;

	b.path.keep = keep;
	b.path.seed = hash_seed();
	is_ok = sum_stacks(&b) && begin_nodes(g) && follow_nodes(&b);
	/* Stack 0 is the empty one, which counts for nothing. */
	for (uint32_t i = 1; is_ok && i < b.n_weights; i++)
		if (b.weights[i].is_counted)
			is_ok = count_stack(&b, i);
	if (is_ok && g->o.has_tags)
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
