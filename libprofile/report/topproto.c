/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trimmed graph as a profile: a sample for each node, of one location.
 */

#include "report/report.h"

static const struct report topproto_report = {
	.info = { "topproto", "the nodes of top as a profile", false, false },
	.flags = REPORT_NO_LIMIT,
};

static int64_t in_unit(const struct reporting *r, int64_t value)
{
	return measure_int(measure_scale(value, r->unit,
	                                 r->output_unit).value);
}

static void add_header(struct prof_builder *b, const struct reporting *r)
{
	const struct prof_profile *p = r->p;
	struct prof_header header = { 0 };
	struct prof_value_type type = { { "cum", 3 }, r->output_unit };

	header.period_type.type = profile_string(p, p->period_type.type);
	header.period_type.unit = profile_string(p, p->period_type.unit);
	header.period = p->period;
	header.time_ns = p->time_ns;
	header.duration_ns = p->duration_ns;
	prof_set_header(b, &header);
	prof_add_sample_type(b, &type);
	type.type = (struct prof_str){ "flat", 4 };
	prof_add_sample_type(b, &type);
}

static void add_node(struct prof_builder *b, const struct reporting *r,
                     const struct graph *g, uint32_t id)
{
	const struct frame *f = graph_frame(g, id);
	const struct graph_node *node = &g->nodes.data[id];
	struct prof_function function = { 0 };
	struct prof_line line = { .line = f->line };
	struct prof_location location = { .address = f->address,
		                          .n_lines = 1, .lines = &line };
	int64_t values[] = { in_unit(r, weight_mean(node->cum)),
		             in_unit(r, weight_mean(node->flat)) };
	uint32_t location_id;

	function.name = frames_name(&g->frames, f);
	function.filename = frames_string(&g->frames, f->file);
	function.start_line = f->start_line;
	line.function = prof_add_function(b, &function);
	location_id = prof_add_location(b, &location);
	prof_add_sample(b, prof_add_stack(b, &location_id, 1), 0, values);
}

enum prof_status prof_top_profile(struct prof_profile **out,
                                  const struct prof_profile *p,
                                  const struct prof_report_options *options,
                                  struct prof_error *err)
{
	struct trimmed t = { 0 };
	struct reporting r;
	struct prof_builder *b;
	enum prof_status status =
		reporting_begin(&r, p, &topproto_report, options, err);

	if (status == PROF_OK)
		status = trimmed_init(&t, &r, err);
	if (status != PROF_OK)
		goto done;
	b = prof_builder_new(r.a);
	if (b == NULL) {
		status = error_nomem(err);
		goto done;
	}
	add_header(b, &r);
	for (size_t i = 0; i < t.graph.shown.n; i++)
		add_node(b, &r, &t.graph, t.graph.shown.data[i]);
	status = prof_builder_finish(out, b, err);
done:
	trimmed_release(&t);
	return status;
}
