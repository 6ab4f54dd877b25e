/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile for a Go build with -pgo.
 *
 * Go makes a graph of the profile first: a node for each name, address, start
 * line and line, an edge for each call between them, to which a sample adds
 * its value once; and of a stack only the two innermost locations, with all
 * their inlined frames. Then it forgets all of that but the caller's name, the
 * line of the call relative to the caller's start, and the callee's name. So
 * the graph is made here, and written down as one sample for each of these.
 *
 * The frames of a sample are adjacent lines of one or two locations, so that
 * nodes are made per line, once, and edges are pairs of numbers; a mark at
 * the edge says which sample came last, which is how one counts once.
 */
#include "base/error.h"
#include "base/intern.h"
#include "model/builder.h"
#include "model/edit.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <string.h>

/* What Go tells nodes apart by; no bytes between the fields. */
struct node {
	uint64_t address;
	int64_t start_line, line;
	uint64_t name; /* string id */
};

struct edge {
	int64_t weight;
	uint32_t last_sample; /* that counted, and 1 */
};

struct pgo {
	struct prof_profile *p;
	struct prof_allocator a;
	size_t column;
	struct byte_table node_table, edge_table; /* struct node; two ids */
	struct interner nodes, edges;
	VEC(struct edge) weights; /* by edge */
	int64_t *start_lines;     /* [n_strings], by name: the least but 0 */
	size_t n_strings;
	struct prof_error *err;
};

/* ---- The graph ---- */

/* The node of a location's line; 0: out of memory. Line 0 of none is none. */
static uint32_t find_node(struct pgo *g, const struct row_location *location,
                          uint32_t line)
{
	struct node node = { .address = location->address };

	if (location_n_lines(location)) {
		const struct prof_line *l = g->p->lines.data +
			location_first_line(location) + line;
		const struct row_function *f =
			&g->p->functions.data[l->function];

		if (l->function) {
			node.start_line = f->start_line;
			node.line = l->line;
			node.name = f->name;
		}
	}
	return intern_bytes(&g->nodes, &node, sizeof(node), &g->a);
}

static struct node get_node(const struct pgo *g, uint32_t id)
{
	struct node node;

	memcpy(&node, byte_table_get(&g->node_table, id).ptr, sizeof(node));
	return node;
}

static bool count_edge(struct pgo *g, const uint32_t pair[2], uint32_t sample,
                       int64_t weight)
{
	const uint32_t id = intern_bytes(&g->edges, pair, 2 * sizeof(*pair),
	                                 &g->a);
	struct edge *e;

	if (!id || !vec_reserve(&g->weights, 2, &g->a)) {
		error_nomem(g->err);
		return false;
	}
	while (g->weights.n <= id)
		vec_put(&g->weights, (struct edge){ 0 });
	e = &g->weights.data[id];
	if (e->last_sample == sample + 1)
		return true;
	e->last_sample = sample + 1;
	if (!__builtin_add_overflow(e->weight, weight, &e->weight))
		return true;
	error_set(g->err, PROF_OVERFLOW,
	          "the weight of a call leaves the range of 64 bits");
	return false;
}

/* The frames of a location from the outermost; *parent is the last one. */
static bool count_location(struct pgo *g, uint32_t location, uint32_t sample,
                           uint32_t *parent)
{
	const struct row_location *l = &g->p->locations.data[location];
	const int64_t weight = g->p->values.data[
		sample * g->p->sample_types.n + g->column];
	uint32_t line = location_n_lines(l);

	do {
		const uint32_t node = find_node(g, l, line ? --line : 0);
		const uint32_t pair[2] = { *parent, node };

		if (!node) {
			error_nomem(g->err);
			return false;
		}
		if (*parent && *parent != node &&
		    !count_edge(g, pair, sample, weight))
			return false;
		*parent = node;
	} while (line);
	return true;
}

/* The two innermost locations. */
static bool count_sample(struct pgo *g, uint32_t sample)
{
	const struct prof_profile *p = g->p;
	const struct prof_str stack = byte_table_get(
		&p->stacks, p->samples.data[sample].stack);
	const unsigned char *at = (const unsigned char *)stack.ptr;
	const unsigned char *const end = at + stack.len;
	uint32_t leaf, caller, parent = 0;

	/* A call needs two frames: one location may have them, too. */
	if (at == end ||
	    p->values.data[sample * p->sample_types.n + g->column] == 0)
		return true;
	at = varint_get_known(at, &leaf);
	if (at < end) {
		varint_get_known(at, &caller);
		if (!count_location(g, caller, sample, &parent))
			return false;
	}
	return count_location(g, leaf, sample, &parent);
}

/* ---- Writing it down ---- */

static void note_start_line(struct pgo *g, const struct node *node)
{
	int64_t *known = &g->start_lines[node->name];

	if (node->start_line && (!*known || node->start_line < *known))
		*known = node->start_line;
}

static bool note_start_lines(struct pgo *g)
{
	bool has_any = g->weights.n == 0;

	for (uint32_t i = 1; i < g->weights.n; i++) {
		uint32_t pair[2];

		memcpy(pair, byte_table_get(&g->edge_table, i).ptr,
		       sizeof(pair));
		for (int k = 0; k < 2; k++) {
			const struct node node = get_node(g, pair[k]);

			note_start_line(g, &node);
			has_any = has_any || node.start_line;
		}
	}
	if (!has_any)
		error_set(g->err, PROF_INVALID, "no function has a start line, "
		          "which Go's -pgo needs (Go 1.20 and later write them)");
	return has_any;
}

static uint32_t add_frame(struct pgo *g, struct prof_builder *b, uint64_t name,
                          int64_t line)
{
	const struct prof_line l = {
		.function = prof_add_function(b, &(struct prof_function){
			.name = profile_string(g->p, (uint32_t)name),
			.system_name = str_of(""),
			.filename = str_of(""),
			.start_line = g->start_lines[name] }),
		.line = line,
	};

	return prof_add_location(b, &(struct prof_location){ .n_lines = 1,
	                                                     .lines = &l });
}

static void add_edge(struct pgo *g, struct prof_builder *b, uint32_t id)
{
	const int64_t weight = g->weights.data[id].weight;
	struct node caller, callee;
	uint32_t pair[2], stack[2];
	int64_t line;

	memcpy(pair, byte_table_get(&g->edge_table, id).ptr, sizeof(pair));
	caller = get_node(g, pair[0]);
	callee = get_node(g, pair[1]);
	/* Modulo 2^64, as Go's int: only the difference to the start counts. */
	line = (int64_t)((uint64_t)caller.line - (uint64_t)caller.start_line +
	                 (uint64_t)g->start_lines[caller.name]);
	stack[1] = add_frame(g, b, caller.name, line);
	/* Any line of the callee will do that does not make it the caller. */
	stack[0] = add_frame(g, b, callee.name,
	                     caller.name == callee.name && line == 0);
	prof_count_sample(b, prof_add_stack(b, stack, 2), 0, &weight);
}

static enum prof_status build(struct pgo *g)
{
	struct prof_builder *b = prof_builder_new(&g->a);
	const struct row_value_type *type =
		&g->p->sample_types.data[g->column];
	struct prof_profile *reduced = NULL, *merged = NULL;
	enum prof_status status;

	if (!b)
		return error_nomem(g->err);
	prof_add_sample_type(b, &(struct prof_value_type){
		profile_string(g->p, type->type),
		profile_string(g->p, type->unit) });
	for (uint32_t i = 1; i < g->weights.n; i++)
		add_edge(g, b, i);
	status = prof_builder_finish(&reduced, b, g->err);
	/* For the order, and because weights may have come to 0. */
	if (status == PROF_OK)
		status = prof_merge(&merged, &reduced, 1,
		                    &PROF_OPTIONS(prof_merge_options,
		                                  .allocator = &g->a), g->err);
	prof_profile_free(reduced);
	if (status == PROF_OK)
		edit_replace(g->p, merged);
	return status;
}

/* ---- All of it ---- */

static bool find_column(struct pgo *g)
{
	const struct prof_profile *p = g->p;

	for (size_t i = 0; i < p->sample_types.n; i++) {
		const struct row_value_type *t = &p->sample_types.data[i];
		const struct prof_str type = profile_string(p, t->type);
		const struct prof_str unit = profile_string(p, t->unit);

		g->column = i;
		if ((str_equal(type, str_of("samples")) &&
		     str_equal(unit, str_of("count"))) ||
		    (str_equal(type, str_of("cpu")) &&
		     str_equal(unit, str_of("nanoseconds"))))
			return true;
	}
	error_set(g->err, PROF_INVALID, "there is no sample type samples/count "
	          "or cpu/nanoseconds, one of which Go's -pgo needs");
	return false;
}

static bool make_graph(struct pgo *g)
{
	g->start_lines = mem_zeroed(&g->a, g->n_strings,
	                            sizeof(*g->start_lines));
	if (!g->start_lines || !byte_table_begin(&g->node_table, &g->a) ||
	    !byte_table_begin(&g->edge_table, &g->a)) {
		error_nomem(g->err);
		return false;
	}
	for (uint32_t i = 0; i < g->p->samples.n; i++)
		if (!count_sample(g, i))
			return false;
	return note_start_lines(g);
}

enum prof_status prof_go_pgo(struct prof_profile *p, struct prof_error *err)
{
	struct prof_error ignored;
	struct pgo g = { .p = p, .a = p->allocator,
	                 .n_strings = byte_table_n(&p->strings),
	                 .err = err ? err : &ignored };
	enum prof_status status = PROF_OK;

	g.nodes = (struct interner){ &g.node_table, .seed = hash_seed() };
	g.edges = (struct interner){ &g.edge_table, .seed = hash_seed() };
	if (find_column(&g) && make_graph(&g))
		status = build(&g);
	else
		status = g.err->status;
	mem_free(&g.a, g.start_lines, g.n_strings * sizeof(*g.start_lines));
	vec_release(&g.weights, &g.a);
	intern_release(&g.nodes, &g.a);
	intern_release(&g.edges, &g.a);
	byte_table_release(&g.node_table, &g.a);
	byte_table_release(&g.edge_table, &g.a);
	return status;
}

static enum prof_status go_pgo(struct prof_profile *p, const char *arg,
                               struct prof_error *err)
{
	(void)arg;
	return prof_go_pgo(p, err);
}

const struct transform go_pgo_transform = {
	.info = { "go-pgo", NULL, "reduce to the calls that a Go build with "
	          "-pgo reads" },
	.apply = go_pgo
};
