/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph as JSON: json has nodes with flat and cum, edges between them,
 * the unit and the total. Values are those of the profile, in its own unit.
 */

#include "base/json.h"
#include "report/report.h"

#include <inttypes.h>

static void put_i64(struct output *out, const char *key, int64_t value,
                    size_t *n)
{
	json_key(out, key, n);
	output_i64(out, value);
}

static void put_str(struct output *out, const char *key, struct prof_str s,
                    size_t *n)
{
	if (s.len == 0)
		return;
	json_key(out, key, n);
	json_string(out, s);
}

static void put_node(struct reporting *r, const struct graph *g, uint32_t id)
{
	const struct graph_node *node = &g->nodes.data[id];
	const struct frame *f = graph_frame(g, id);
	size_t n = 0;

	output_char(r->out, '{');
	put_str(r->out, "name", graph_name(g, id), &n);
	put_str(r->out, "function", frames_name(&g->frames, f), &n);
	put_str(r->out, "file", frames_string(&g->frames, f->file), &n);
	if (f->line != 0)
		put_i64(r->out, "line", f->line, &n);
	if (f->address != 0) {
		json_key(r->out, "address", &n);
		output_printf(r->out, "\"0x%" PRIx64 "\"", f->address);
	}
	put_str(r->out, "object", frames_string(&g->frames, f->object), &n);
	put_i64(r->out, "flat", weight_mean(node->flat), &n);
	put_i64(r->out, "cum", weight_mean(node->cum), &n);
	output_char(r->out, '}');
}

static void put_edges(struct reporting *r, const struct graph *g,
                      const uint32_t *places)
{
	size_t n_edges = 0;

	for (size_t i = 0; i < g->edges.n; i++) {
		const struct graph_edge *e = &g->edges.data[i];
		size_t n = 0;

		if (places[e->from] == 0 || places[e->to] == 0)
			continue;
		output_text(r->out, n_edges++ > 0 ? ",\n{" : "\n{");
		put_i64(r->out, "from", places[e->from] - 1, &n);
		put_i64(r->out, "to", places[e->to] - 1, &n);
		put_i64(r->out, "weight", weight_mean(e->weight), &n);
		json_key(r->out, "inline", &n);
		output_text(r->out, e->is_inline ? "true" : "false");
		json_key(r->out, "residual", &n);
		output_text(r->out, e->is_residual ? "true" : "false");
		output_char(r->out, '}');
	}
}

static void put_graph(struct reporting *r, const struct trimmed *t,
                      uint32_t *places)
{
	const struct graph *g = &t->graph;
	size_t n = 0;

	output_char(r->out, '{');
	put_str(r->out, "type", r->type, &n);
	put_str(r->out, "unit", r->unit, &n);
	put_i64(r->out, "total", r->total, &n);
	put_i64(r->out, "dropped_nodes", (int64_t)t->dropped_nodes, &n);
	put_i64(r->out, "dropped_edges", (int64_t)t->dropped_edges, &n);
	json_key(r->out, "nodes", &n);
	output_char(r->out, '[');
	for (uint32_t i = 0; i < g->shown.n; i++) {
		output_text(r->out, i > 0 ? ",\n" : "\n");
		put_node(r, g, g->shown.data[i]);
		places[g->shown.data[i]] = i + 1;
	}
	output_text(r->out, "],\n");
	n = 0;
	json_key(r->out, "edges", &n);
	output_char(r->out, '[');
	put_edges(r, g, places);
	output_text(r->out, "]}\n");
}

static enum prof_status write_json(struct reporting *r, struct prof_error *err)
{
	struct trimmed t;
	uint32_t *places = NULL;
	enum prof_status status = trimmed_init(&t, r, err);
	size_t n = t.graph.nodes.n + 1;

	if (status != PROF_OK)
		goto done;
	places = mem_zeroed(r->a, n, sizeof(*places));
	if (places == NULL) {
		status = error_nomem(err);
		goto done;
	}
	put_graph(r, &t, places);
done:
	mem_free(r->a, places, n * sizeof(*places));
	trimmed_release(&t);
	return status;
}

const struct report json_report = {
	.info = { "json", "nodes and edges of the graph as JSON", false, true },
	.flags = REPORT_NO_LIMIT,
	.write = write_json,
};
