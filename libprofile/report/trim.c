/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming, by pprof's rules: nodes whose cum is below a fraction of the
 * total go, and the graph is built again from the samples without them, so
 * that edges bridge the gaps; then the first node_count in order stay, and it
 * is built again; last, light edges go.
 *
 * The total here is the sum of flat over all nodes, not that of percentages.
 */

#include "report/report.h"

#include <string.h>

#define MAX_NODELETS 4

struct graph_options report_graph_options(const struct reporting *r)
{
	struct graph_options o = { .divisor_column = GRAPH_NONE };
	unsigned flags = r->report->flags;

	o.parts = frame_parts(r->o.granularity);
	if (!r->o.no_inlines)
		o.parts |= FRAME_INLINED;
	if ((flags & REPORT_OBJECTS) != 0)
		o.parts |= FRAME_OBJECT;
	o.value_column = r->column;
	if (r->o.mean)
		o.divisor_column = 0;
	o.is_tree = (flags & REPORT_TREE) != 0 && r->o.call_tree;
	o.drop_negative = r->o.drop_negative;
	o.has_tags = (flags & REPORT_VISUAL) != 0;
	o.tag_unit = r->output_unit;
	o.trim_path = r->o.trim_path;
	o.source_path = r->o.source_path;
	return o;
}

struct trimmer {
	struct trimmed *t;
	struct reporting *r;
	int64_t node_cutoff, edge_cutoff;
	enum graph_order order;
	bool is_built; /* with the edges between the nodes that stay */
	bool is_whole; /* all nodes stay, those whose sum is 0 too */
	VEC(bool) keep;
};

static int64_t cutoff(int64_t total, double fraction)
{
	return measure_abs(measure_int((double)total * fraction));
}

static bool keep_none(struct trimmer *m, size_t n)
{
	m->keep.n = 0;
	if (!vec_reserve(&m->keep, n + 1, m->r->a))
		return false;
	memset(m->keep.data, 0, n + 1);
	m->keep.n = n;
	return true;
}

/* The graph with only the nodes that stay. */
static bool rebuild(struct trimmer *m)
{
	struct graph *g = &m->t->graph;

	if (g->o.is_tree)
		return graph_keep_tree(g, m->keep.data);
	return graph_build(g, m->is_whole ? NULL : m->keep.data, GRAPH_WHOLE);
}

/* Of the nodes shown leaves those above the cutoff. */
static bool drop_light_nodes(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	size_t n_kept = 0;

	if (!keep_none(m, g->nodes.n))
		return false;
	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t id = g->shown.data[i];
		int64_t cum = g->nodes.data[id].cum.value;

		if (m->node_cutoff > 0 && measure_abs(cum) < m->node_cutoff)
			continue;
		m->keep.data[id] = true;
		g->shown.data[n_kept++] = id;
	}
	m->t->dropped_nodes = g->shown.n - n_kept;
	m->is_whole = n_kept == g->shown.n;
	g->shown.n = n_kept;
	return true;
}

static void drop_light_tags(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	size_t n = 0;

	for (size_t i = 0; i < g->tags.n; i++) {
		const struct graph_tag *tag = &g->tags.data[i];

		if (measure_abs(tag->flat.value) >= m->node_cutoff ||
		    measure_abs(tag->cum.value) >= m->node_cutoff)
			g->tags.data[n++] = *tag;
	}
	g->tags.n = n;
}

/*
 * Edges to nodes that are not shown (their sum is 0) stay however light: tree
 * has lines for them, as in pprof.
 */
static bool drop_light_edges(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	size_t n_before = g->edges.n;
	VEC(bool) is_shown = { 0 };
	bool is_ok;

	m->t->dropped_edges = 0;
	if (m->edge_cutoff <= 0)
		return true;
	if (!keep_none(m, n_before) ||
	    !vec_reserve(&is_shown, g->nodes.n + 1, m->r->a))
		return false;
	memset(is_shown.data, 0, g->nodes.n + 1);
	for (size_t i = 0; i < g->shown.n; i++)
		is_shown.data[g->shown.data[i]] = true;
	for (size_t i = 0; i < n_before; i++) {
		const struct graph_edge *e = &g->edges.data[i];

		m->keep.data[i] = measure_abs(e->weight.value) >=
		                          m->edge_cutoff ||
		                  !is_shown.data[e->to];
	}
	vec_release(&is_shown, m->r->a);
	is_ok = graph_keep_edges(g, m->keep.data);
	m->t->dropped_edges = n_before - g->edges.n;
	return is_ok;
}

/* In a picture the tags of a node count as nodes, up to a few. */
static bool visual_limit(struct trimmer *m, size_t *limit)
{
	struct graph *g = &m->t->graph;
	VEC(uint32_t) tags = { 0 };
	size_t count = 0;

	if (!vec_reserve(&tags, g->nodes.n + 1, m->r->a))
		return false;
	memset(tags.data, 0, (g->nodes.n + 1) * sizeof(*tags.data));
	for (size_t i = 0; i < g->tags.n; i++)
		if (g->tags.data[i].flat.value != 0)
			tags.data[g->tags.data[i].node]++;
	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t n = tags.data[g->shown.data[i]];

		count += (n < MAX_NODELETS ? n : MAX_NODELETS) + 1;
		if (count >= *limit) {
			*limit = i + 1;
			break;
		}
	}
	vec_release(&tags, m->r->a);
	return true;
}

/* Of the nodes shown leaves the first. */
static bool keep_first_nodes(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	size_t limit = (size_t)m->r->o.node_count;

	if (m->r->o.node_count < 0)
		return true;
	if (g->o.has_tags) {
		drop_light_tags(m);
		if (!drop_light_edges(m) || !visual_limit(m, &limit))
			return false;
	}
	if (limit >= g->shown.n)
		return true;
	if (!keep_none(m, g->nodes.n))
		return false;
	for (size_t i = 0; i < limit; i++)
		m->keep.data[g->shown.data[i]] = true;
	g->shown.n = limit;
	m->is_built = m->is_whole = false;
	return true;
}

/* ---- Redundant edges ---- */

/* Whether e->to is reached from e->from without e. */
static bool is_redundant(const struct graph *g, uint32_t e, const bool *gone,
                         uint32_t *seen, uint32_t stamp, uint32_t *queue)
{
	const struct graph_edge *edge = &g->edges.data[e];
	size_t head = 0, tail = 0;

	seen[edge->to] = stamp;
	queue[tail++] = edge->to;
	while (head < tail) {
		struct edge_list in = graph_in(g, queue[head++]);

		for (uint32_t i = 0; i < in.n; i++) {
			uint32_t id = in.edges[i];
			uint32_t from = g->edges.data[id].from;

			if (id == e || gone[id] || seen[from] == stamp)
				continue;
			if (from == edge->from)
				return true;
			seen[from] = stamp;
			queue[tail++] = from;
		}
	}
	return false;
}

/* The lightest residual edges into a node, until one is not residual. */
static void find_redundant(const struct graph *g, uint32_t node, bool *gone,
                           uint32_t *seen, uint32_t *queue)
{
	struct edge_list in = graph_in(g, node);

	for (uint32_t i = in.n; i-- > 0;) {
		uint32_t id = in.edges[i];

		if (!g->edges.data[id].is_residual)
			break;
		gone[id] = is_redundant(g, id, gone, seen, id + 1, queue);
	}
}

/* An edge that stands for dropped nodes goes where another path remains. */
static bool drop_redundant_edges(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	VEC(uint32_t) seen = { 0 }, queue = { 0 };
	bool is_ok = keep_none(m, g->edges.n) &&
	             vec_reserve(&seen, g->nodes.n + 1, m->r->a) &&
	             vec_reserve(&queue, g->nodes.n + 1, m->r->a);

	if (is_ok) {
		bool *gone = m->keep.data;

		memset(seen.data, 0, (g->nodes.n + 1) * sizeof(*seen.data));
		for (size_t i = g->shown.n; i-- > 0;)
			find_redundant(g, g->shown.data[i], gone, seen.data,
			               queue.data);
		for (size_t i = 0; i < g->edges.n; i++)
			gone[i] = !gone[i];
		is_ok = graph_keep_edges(g, gone);
	}
	vec_release(&seen, m->r->a);
	vec_release(&queue, m->r->a);
	return is_ok;
}

/* ---- The whole ---- */

/* What of flat there is at all; cutoffs are fractions of it. */
static void set_cutoffs(struct trimmer *m)
{
	const struct graph *g = &m->t->graph;
	int64_t total = 0;

	for (size_t i = 0; i < g->shown.n; i++)
		total = measure_add(total,
		                    g->nodes.data[g->shown.data[i]].flat.value);
	m->node_cutoff = cutoff(total, m->r->o.node_fraction);
	m->edge_cutoff = cutoff(total, m->r->o.edge_fraction);
}

/*
 * Leaves the nodes that are to be shown, in order. flat and cum of a node
 * are the same whichever others are left out; so unless the order rests on
 * edges, those are counted but once, between the nodes that stay.
 */
static bool choose_nodes(struct trimmer *m)
{
	struct graph *g = &m->t->graph;
	const struct prof_report_options *o = &m->r->o;
	bool needs_edges = m->order == GRAPH_BY_ENTROPY || g->o.is_tree;

	m->is_built = g->o.is_tree ||
	              (o->node_fraction <= 0 &&
	               (needs_edges || o->node_count < 0));
	if (!graph_build(g, NULL, m->is_built ? GRAPH_WHOLE : GRAPH_NODES))
		return false;
	set_cutoffs(m);
	if (!drop_light_nodes(m) ||
	    !graph_make_names(g, m->is_whole || g->o.is_tree ? NULL
	                                                     : m->keep.data))
		return false;
	m->is_built &= m->is_whole;
	if (needs_edges && !m->is_built) {
		if (!rebuild(m))
			return false;
		m->is_built = true;
	}
	m->t->n_before = g->shown.n;
	return graph_sort(g, m->order) && keep_first_nodes(m);
}

static bool trim(struct trimmer *m)
{
	struct graph *g = &m->t->graph;

	if (!choose_nodes(m) ||
	    (!m->is_built && (!rebuild(m) || !graph_sort(g, m->order))))
		return false;
	drop_light_tags(m);
	if (!drop_light_edges(m))
		return false;
	if ((m->r->report->flags & REPORT_ANY_EDGES) == 0 &&
	    !graph_sort_edges(g))
		return false;
	return !g->o.has_tags || drop_redundant_edges(m);
}

/* The unit in which the smallest value shown still has a meaning. */
static void choose_unit(struct reporting *r, const struct graph *g)
{
	struct prof_str automatic = { "minimum", 7 }, unit;
	int64_t least = 0, most = r->total;

	if (!str_equals(r->output_unit, "minimum") || g->shown.n == 0)
		return;
	for (size_t i = 0; i < g->shown.n; i++) {
		const struct graph_node *n = &g->nodes.data[g->shown.data[i]];
		int64_t value = measure_abs(weight_mean(n->flat));

		if (value == 0)
			value = measure_abs(weight_mean(n->cum));
		if (value > 0 && (least == 0 || value < least))
			least = value;
	}
	if (least == 0)
		least = most;
	if (r->ratio > 0 && r->ratio != 1) {
		least = measure_int((double)least * r->ratio);
		most = measure_int((double)most * r->ratio);
	}
	unit = measure_scale(least, r->unit, automatic).unit;
	if ((r->report->flags & REPORT_SMALL_UNIT) == 0 &&
	    str_compare(unit,
	                measure_scale(most, r->unit, automatic).unit) != 0 &&
	    least < most / 100 + (most % 100 != 0))
		unit = measure_scale((int64_t)((uint64_t)least * 100), r->unit,
		                     automatic).unit;
	r->output_unit = unit.len > 0 ? unit : r->unit;
}

static enum graph_order order_of(const struct reporting *r)
{
	if ((r->report->flags & REPORT_VISUAL) != 0)
		return GRAPH_BY_ENTROPY;
	return r->o.order == PROF_BY_CUM ? GRAPH_BY_CUM : GRAPH_BY_FLAT;
}

/* The unit of the tag "bytes". */
static bool find_bytes_unit(const struct reporting *r,
                            struct graph_options *o)
{
	struct label_units units = { 0 };
	bool is_ok = label_units_init(&units, r->p, r->a);

	o->bytes_unit = (struct prof_str){ "bytes", 5 };
	for (uint32_t i = 0; is_ok && i < units.units.n; i++)
		if (units.units.data[i] != 0 &&
		    str_equals(profile_string(r->p, i), "bytes"))
			o->bytes_unit = label_unit(&units, r->p, i);
	label_units_release(&units, r->a);
	return is_ok;
}

enum prof_status trimmed_init(struct trimmed *t, struct reporting *r,
                              struct prof_error *err)
{
	struct trimmer m = { .t = t, .r = r, .order = order_of(r) };
	struct graph_options o = report_graph_options(r);
	enum prof_status status = reporting_check_sums(r, err);
	bool is_ok;

	*t = (struct trimmed){ 0 };
	if (status != PROF_OK)
		return status;
	is_ok = (!o.has_tags || find_bytes_unit(r, &o)) &&
	        graph_init(&t->graph, r->p, &o, r->a) && trim(&m);
	vec_release(&m.keep, r->a);
	if (!is_ok)
		return error_nomem(err);
	choose_unit(r, &t->graph);
	return PROF_OK;
}

void trimmed_release(struct trimmed *t)
{
	graph_release(&t->graph);
}
