/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree is grown as a call tree by the graph, whose nodes come in the
 * order they are met, and then put in preorder: then a subtree is a range,
 * and sums are one pass from the end.
 */

#include "report/stacks.h"

#include <string.h>

/* Lists of children while the tree is put in order. */
struct orderer {
	struct stack_tree *t;
	VEC(uint32_t) first, next;  /* child, sibling; GRAPH_NONE: none */
	VEC(uint32_t) by_name;      /* nodes, names descending */
	VEC(uint32_t) rank_first;   /* counting sort by rank of name */
	VEC(uint32_t) place;        /* of nodes in preorder */
	VEC(uint32_t) path;
	const struct prof_allocator *a;
};

static bool grow(struct stack_tree *t, const struct prof_allocator *a)
{
	const struct prof_profile *p = t->graph.p;
	size_t n = (size_t)prof_n_stacks(p) + 1;
	struct graph_path path = { .seed = hash_seed() };
	VEC(bool) is_used = { 0 };
	bool is_ok = vec_reserve(&t->leaves, n, a) &&
	             vec_reserve(&is_used, n, a);

	if (is_ok)
		memset(is_used.data, 0, n);
	for (size_t i = 0; is_ok && i < p->samples.n; i++)
		is_used.data[p->samples.data[i].stack] = true;
	for (uint32_t i = 0; is_ok && i < n; i++) {
		uint32_t leaf = GRAPH_NONE;

		if (is_used.data[i] && i > 0) {
			is_ok = graph_find_path(&t->graph, &path, i);
			if (is_ok && path.steps.n > 0)
				leaf = path.steps.data[path.steps.n - 1].node;
		}
		vec_put(&t->leaves, leaf);
	}
	vec_release(&is_used, a);
	vec_release(&path.steps, a);
	vec_release(&path.locations, a);
	hash_index_release(&path.children, a);
	return is_ok;
}

static bool orderer_init(struct orderer *o)
{
	size_t n = o->t->graph.nodes.n + 1, n_ranks = o->t->graph.frames.all.n;

	return vec_reserve(&o->first, n, o->a) &&
	       vec_reserve(&o->next, n, o->a) &&
	       vec_reserve(&o->by_name, n, o->a) &&
	       vec_reserve(&o->rank_first, n_ranks + 1, o->a) &&
	       vec_reserve(&o->place, n, o->a) &&
	       vec_reserve(&o->path, n, o->a) &&
	       vec_reserve(&o->t->nodes, n, o->a);
}

static void orderer_release(struct orderer *o)
{
	vec_release(&o->first, o->a);
	vec_release(&o->next, o->a);
	vec_release(&o->by_name, o->a);
	vec_release(&o->rank_first, o->a);
	vec_release(&o->place, o->a);
	vec_release(&o->path, o->a);
}

/* Nodes by the rank of their names, greatest first. */
static void sort_by_name(struct orderer *o)
{
	const struct graph *g = &o->t->graph;
	size_t n_ranks = g->frames.all.n, n = g->nodes.n;
	uint32_t *ends = o->rank_first.data;

	memset(ends, 0, (n_ranks + 1) * sizeof(*ends));
	for (size_t i = 0; i < n; i++)
		ends[g->name_ranks.data[g->nodes.data[i].frame]]++;
	for (size_t i = 1; i < n_ranks; i++)
		ends[i] += ends[i - 1];
	for (size_t i = 0; i < n; i++) {
		uint32_t rank = g->name_ranks.data[g->nodes.data[i].frame];

		o->by_name.data[n - ends[rank]--] = (uint32_t)i;
	}
}

/* Children by name: each is put before its siblings, greatest name first. */
static uint32_t list_children(struct orderer *o)
{
	const struct graph *g = &o->t->graph;
	size_t n = g->nodes.n;
	uint32_t root = GRAPH_NONE;

	for (size_t i = 0; i < n; i++)
		o->first.data[i] = GRAPH_NONE;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = o->by_name.data[i];
		uint32_t parent = g->nodes.data[id].parent;
		uint32_t *head = parent == GRAPH_NONE
		                 ? &root : &o->first.data[parent];

		o->next.data[id] = *head;
		*head = id;
	}
	return root;
}

static void close_node(struct orderer *o)
{
	uint32_t id = o->path.data[--o->path.n];

	o->t->nodes.data[o->place.data[id]].end = (uint32_t)o->t->nodes.n;
}

static void open_node(struct orderer *o, uint32_t id)
{
	const struct graph_node *node = &o->t->graph.nodes.data[id];
	uint32_t depth = (uint32_t)o->path.n;
	uint32_t parent = GRAPH_NONE;

	if (depth > 0)
		parent = o->place.data[o->path.data[depth - 1]];
	o->place.data[id] = (uint32_t)o->t->nodes.n;
	vec_put(&o->t->nodes,
	        (struct stack_node){ node->frame, depth, 0, parent });
	vec_put(&o->path, id);
	if (depth + 1 > o->t->max_depth)
		o->t->max_depth = depth + 1;
}

static void walk(struct orderer *o, uint32_t id)
{
	while (id != GRAPH_NONE) {
		open_node(o, id);
		id = o->first.data[id];
		while (id == GRAPH_NONE && o->path.n > 0) {
			id = o->next.data[o->path.data[o->path.n - 1]];
			close_node(o);
		}
	}
}

bool stack_tree_init(struct stack_tree *t, const struct reporting *r,
                     unsigned parts)
{
	struct orderer o = { .t = t, .a = r->a };
	struct graph_options options = report_graph_options(r);
	bool is_ok;

	*t = (struct stack_tree){ 0 };
	options.parts = parts;
	options.is_tree = true;
	options.has_tags = false;
	is_ok = graph_init(&t->graph, r->p, &options, r->a) &&
	        graph_make_names(&t->graph, NULL) && grow(t, r->a) &&
	        orderer_init(&o);
	if (is_ok) {
		sort_by_name(&o);
		walk(&o, list_children(&o));
		for (size_t i = 0; i < t->leaves.n; i++)
			if (t->leaves.data[i] != GRAPH_NONE)
				t->leaves.data[i] =
					o.place.data[t->leaves.data[i]];
	}
	orderer_release(&o);
	return is_ok;
}

void stack_tree_release(struct stack_tree *t, const struct reporting *r)
{
	graph_release(&t->graph);
	vec_release(&t->nodes, r->a);
	vec_release(&t->leaves, r->a);
}

void stack_tree_sum(const struct stack_tree *t, const struct reporting *r,
                    struct stack_value *self, struct stack_value *total,
                    bool *is_diff)
{
	const struct prof_profile *p = r->p;
	const int64_t *value = p->values.data + r->column;
	size_t n = t->nodes.n;

	memset(self, 0, n * sizeof(*self));
	*is_diff = false;
	for (size_t i = 0; i < p->samples.n;
	     i++, value += p->sample_types.n) {
		uint32_t node = t->leaves.data[p->samples.data[i].stack];

		if (*value < 0)
			*is_diff = true;
		if (node == GRAPH_NONE)
			continue;
		if (*value < 0)
			self[node].before -= (double)*value;
		else
			self[node].after += (double)*value;
	}
	if (n > 0)
		memcpy(total, self, n * sizeof(*self));
	for (size_t i = n; i-- > 0;) {
		uint32_t parent = t->nodes.data[i].parent;

		if (parent == GRAPH_NONE)
			continue;
		total[parent].before += total[i].before;
		total[parent].after += total[i].after;
	}
}
