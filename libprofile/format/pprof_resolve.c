/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ids of a file to rows. Nearly always they are 1, 2, 3 ... in order,
 * and one fast pass over all stacks sees that each is in its shortest form
 * and in the table.
 */
#include "format/pprof_reader.h"

#include "base/error.h"
#include "model/check.h"

#include <inttypes.h>

static bool resolve(struct pprof_reader *g, const struct id_map *m,
                    uint32_t *id, const char *from, const char *to)
{
	const uint32_t row = id_map_find(m, *id);

	if (row == 0) {
		g->status = error_set(g->err, PROF_CORRUPT,
		                      "a %s refers to %s %" PRIu64
		                      ", which is not there", from, to,
		                      id_64(&g->large, *id));
		return false;
	}
	*id = row;
	return true;
}

/* A mapping that is not there is none, as google/pprof has it. */
static void resolve_mappings(struct pprof_reader *g)
{
	for (size_t i = 1; i + 1 < g->p->locations.n; i++) {
		struct row_location *l = &g->p->locations.data[i];

		l->mapping = l->mapping ? id_map_find(&g->mappings, l->mapping) :
			0;
	}
}

static bool resolve_functions(struct pprof_reader *g)
{
	if (!g->functions.is_sparse)
		return true; /* what is beyond the table, check will find */
	for (size_t i = 0; i < g->p->lines.n; i++)
		if (!resolve(g, &g->functions, &g->p->lines.data[i].function,
		             "line", "function"))
			return false;
	return true;
}

/* Packs a stack again, with the rows that its ids stand for. */
static bool resolve_stack(struct pprof_reader *g, struct prof_str stack)
{
	const unsigned char *p = (const unsigned char *)stack.ptr;
	const unsigned char *const end = p + stack.len;

	g->ids.n = 0;
	if (!vec_reserve(&g->ids, stack.len * 5, g->a))
		return pprof_fail_nomem(g);
	while (p < end) {
		uint64_t wire_id;
		uint32_t id;

		p = varint_get(p, end, &wire_id);
		if (!p || wire_id == 0) {
			g->status = error_set(g->err, PROF_CORRUPT, p ?
			                      "a sample refers to location 0" :
			                      "malformed location id in a "
			                      "sample");
			return false;
		}
		id = id_32(&g->large, wire_id, g->a);
		if (!id)
			return pprof_fail_nomem(g);
		if (g->r->options->salvage && !id_map_find(&g->locations, id) &&
		    !pprof_stand_in_location(g, id))
			return pprof_fail_nomem(g);
		if (!resolve(g, &g->locations, &id, "sample", "location"))
			return false;
		g->ids.n = (size_t)(varint_put(g->ids.data + g->ids.n, id) -
		                    g->ids.data);
	}
	return true;
}

/* Stacks in a table of their own; new_ids[n] says what became of each. */
static bool resolve_each_stack(struct pprof_reader *g, struct byte_table *to,
                               uint32_t *new_ids)
{
	const uint32_t n = byte_table_n(&g->p->stacks);
	struct interner in = { to, .seed = g->b->stacks.seed };

	for (uint32_t i = 1; i < n && g->status == PROF_OK; i++) {
		if (!resolve_stack(g, byte_table_get(&g->p->stacks, i)))
			break;
		new_ids[i] = intern_bytes(&in, g->ids.data, g->ids.n, g->a);
		if (!new_ids[i])
			pprof_fail_nomem(g);
	}
	intern_release(&in, g->a);
	return g->status == PROF_OK;
}

/*
 * For the few files whose location ids are not 1, 2, 3 ..., or not in their
 * shortest form: all stacks once more.
 */
static void resolve_stacks(struct pprof_reader *g)
{
	struct byte_table resolved = { 0 };
	const uint32_t n = byte_table_n(&g->p->stacks);
	uint32_t *new_ids = mem_zeroed(g->a, n, sizeof(*new_ids));

	if (!new_ids || !byte_table_begin(&resolved, g->a)) {
		pprof_fail_nomem(g);
	} else if (resolve_each_stack(g, &resolved, new_ids)) {
		for (size_t i = 0; i < g->p->samples.n; i++)
			g->p->samples.data[i].stack =
				new_ids[g->p->samples.data[i].stack];
		byte_table_release(&g->p->stacks, g->a);
		g->p->stacks = resolved;
		resolved = (struct byte_table){ 0 };
		g->b->max_location = g->locations.n;
	}
	byte_table_release(&resolved, g->a);
	mem_free(g->a, new_ids, n * sizeof(*new_ids));
}

void pprof_resolve(struct pprof_reader *g)
{
	if (g->width != g->p->sample_types.n && g->p->samples.n &&
	    g->p->sample_types.n) {
		g->status = error_set(g->err, PROF_CORRUPT,
		                      "samples have %zu values, but there are "
		                      "%zu sample types", g->width,
		                      g->p->sample_types.n);
		return;
	}
	resolve_mappings(g);
	if (!resolve_functions(g))
		return;
	g->b->max_location = stacks_max_location(&g->p->stacks);
	if (g->locations.is_sparse || g->b->max_location == UINT32_MAX)
		resolve_stacks(g);
}
