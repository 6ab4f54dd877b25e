/* SPDX-License-Identifier: Apache-2.0 */
/* What can be kept of a file that is cut off or damaged. */
#include "format/pprof_reader.h"

#include "model/check.h"

#include <inttypes.h>

bool pprof_stand_in_location(struct pprof_reader *g, uint32_t id)
{
	const struct row_location none = { 0 };

	g->n_stand_ins++;
	return id_map_add(&g->locations, id, g->a) == ID_MAP_OK &&
		builder_append_location(g->b, &none, NULL, 0);
}

static bool stand_in_function(struct pprof_reader *g, uint32_t id)
{
	const struct row_function none = { 0 };

	g->n_stand_ins++;
	return id_map_add(&g->functions, id, g->a) == ID_MAP_OK &&
		builder_append_function(g->b, &none);
}

bool pprof_complete_tables(struct pprof_reader *g)
{
	const uint32_t max_location = stacks_max_location(&g->p->stacks);

	while (!g->locations.is_sparse && g->locations.n < max_location &&
	       max_location != UINT32_MAX)
		if (!pprof_stand_in_location(g, g->locations.n + 1))
			return pprof_fail_nomem(g);
	for (size_t i = 0; i < g->p->lines.n; i++) {
		const uint32_t id = g->p->lines.data[i].function;

		if (id && !id_map_find(&g->functions, id) &&
		    !stand_in_function(g, id))
			return pprof_fail_nomem(g);
	}
	while (g->max_string >= byte_table_n(&g->p->strings)) {
		if (!byte_table_append(&g->p->strings, "", 0, g->a))
			return pprof_fail_nomem(g);
		g->n_stand_ins++;
	}
	return true;
}

bool pprof_drop_rest(struct pprof_reader *g)
{
	struct input *in = g->in;

	g->damaged_at = input_offset(in);
	g->is_damaged = true;
	/* Values and labels of a sample that was not whole. */
	g->p->values.n = (g->p->samples.n + g->n_batch) * g->width;
	g->status = PROF_OK;
	if (!pprof_flush_batch(g))
		return false;
	while (input_need(in, 1)) {
		g->n_dropped += (uint64_t)(in->end - in->p);
		in->p = in->end;
	}
	return true;
}

void pprof_note_salvage(struct pprof_reader *g)
{
	if (g->is_damaged)
		g->status = reading_note(
			g->r, PROF_TRUNCATED, g->err, "damaged at byte %" PRIu64
			": the %" PRIu64 " bytes from there on were dropped; %zu "
			"samples are whole, and %" PRIu64 " strings, locations "
			"and functions they need are lost", g->damaged_at,
			g->n_dropped, g->p->samples.n, g->n_stand_ins);
	else if (g->n_stand_ins)
		g->status = reading_note(
			g->r, PROF_TRUNCATED, g->err, "cut at byte %" PRIu64
			": %" PRIu64 " strings, locations and functions that "
			"samples need are lost", input_offset(g->in),
			g->n_stand_ins);
}
