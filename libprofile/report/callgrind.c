/* SPDX-License-Identifier: Apache-2.0 */
/*
 * callgrind: the graph by address, for kcachegrind. Names are numbered the
 * first time they are written and addresses are relative where shorter, as
 * that format allows.
 *
 * In a call tree the nodes of one function differ in nothing that the format
 * can say, so calls name them "f [1/3]".
 */

#include "report/report.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Names by number, as one of the kinds ob=, fl=, fn=. */
struct names {
	struct byte_table table;
	struct interner interner;
	uint32_t n_written;
};

/* Which of the nodes with equal file and name a node is. */
struct disambiguation {
	uint32_t i, n; /* i of n, from 1 */
};

struct callgrind {
	struct reporting *r;
	const struct graph *g;
	struct names objects, files, functions;
	struct disambiguation *which; /* for each node */
};

static bool names_init(struct names *names, const struct prof_allocator *a)
{
	names->interner = (struct interner){ .table = &names->table,
		                             .seed = hash_seed() };
	return byte_table_begin(&names->table, a);
}

static void names_release(struct names *names, const struct prof_allocator *a)
{
	intern_release(&names->interner, a);
	byte_table_release(&names->table, a);
}

/* "(3)", or "(3) main" where it is new; "" has no number. */
static bool write_name(struct callgrind *c, struct names *names,
                       const char *what, struct prof_str name)
{
	struct output *out = c->r->out;
	uint32_t id;

	output_text(out, what);
	if (name.len > 0) {
		id = intern_bytes(&names->interner, name.ptr, name.len,
		                  c->r->a);
		if (id == 0)
			return false;
		output_printf(out, "(%" PRIu32 ")", id);
		if (id > names->n_written) {
			names->n_written = id;
			output_char(out, ' ');
			output_visible(out, name);
		}
	}
	output_char(out, '\n');
	return true;
}

static void write_address(struct callgrind *c, const struct frame *last,
                          uint64_t address)
{
	char absolute[24], relative[24];

	snprintf(absolute, sizeof(absolute), "0x%" PRIx64, address);
	if (last == NULL) {
		output_text(c->r->out, absolute);
		return;
	}
	if (last->address == address) {
		output_char(c->r->out, '*');
		return;
	}
	snprintf(relative, sizeof(relative), "%+" PRId64,
	         (int64_t)(address - last->address));
	output_text(c->r->out, strlen(relative) < strlen(absolute)
	                       ? relative : absolute);
}

static int64_t scaled(const struct callgrind *c, int64_t value)
{
	return measure_int(measure_scale(value, c->r->unit,
	                                 c->r->output_unit).value);
}

static bool write_callee_name(struct callgrind *c, uint32_t node)
{
	const struct frame *f = graph_frame(c->g, node);
	struct prof_str name = frames_name(&c->g->frames, f);
	char text[64];
	VEC(char) joined = { 0 };
	bool is_ok;
	size_t n;

	if (c->which[node].n < 2)
		return write_name(c, &c->functions, "cfn=", name);
	n = (size_t)snprintf(text, sizeof(text),
	                     " [%" PRIu32 "/%" PRIu32 "]",
	                     c->which[node].i, c->which[node].n);
	if (!vec_reserve(&joined, name.len + n, c->r->a))
		return false;
	memcpy(joined.data, name.ptr, name.len);
	memcpy(joined.data + name.len, text, n);
	name = (struct prof_str){ joined.data, name.len + n };
	is_ok = write_name(c, &c->functions, "cfn=", name);
	vec_release(&joined, c->r->a);
	return is_ok;
}

static bool write_call(struct callgrind *c, const struct graph_edge *e,
                       const struct frame *last)
{
	const struct frame *callee = graph_frame(c->g, e->to);

	if (!write_name(c, &c->files, "cfl=",
	                frames_string(&c->g->frames, callee->file)) ||
	    !write_callee_name(c, e->to))
		return false;
	output_text(c->r->out, "calls=0 ");
	write_address(c, last, callee->address);
	output_printf(c->r->out, " %" PRId64 "\n* * %" PRId64 "\n",
	              callee->line, scaled(c, e->weight.value));
	return true;
}

static bool write_node(struct callgrind *c, uint32_t id,
                       const struct frame *last)
{
	const struct graph *g = c->g;
	const struct frame *f = graph_frame(g, id);
	struct edge_list out = graph_out(g, id);

	assert(f);
	if (last == NULL || last->object != f->object ||
	    last->file != f->file || last->name != f->name) {
		output_char(c->r->out, '\n');
		if (!write_name(c, &c->objects, "ob=",
		                frames_string(&g->frames, f->object)) ||
		    !write_name(c, &c->files, "fl=",
		                frames_string(&g->frames, f->file)) ||
		    !write_name(c, &c->functions, "fn=",
		                frames_name(&g->frames, f)))
			return false;
	}
	write_address(c, last, f->address);
	output_printf(c->r->out, " %" PRId64 " %" PRId64 "\n", f->line,
	              scaled(c, weight_mean(g->nodes.data[id].flat)));
	for (uint32_t i = 0; i < out.n; i++)
		if (!write_call(c, &g->edges.data[out.edges[i]], last))
			return false;
	return true;
}

/* ---- Telling nodes apart ---- */

/* A set of byte strings to numbers, from 1 in the order they come. */
struct numbering {
	struct byte_table table;
	struct interner interner;
};

static uint32_t number_of(struct numbering *n, const uint32_t *key,
                          size_t size, const struct prof_allocator *a)
{
	return intern_bytes(&n->interner, key, size, a);
}

static bool numbering_init(struct numbering *n, const struct prof_allocator *a)
{
	n->interner = (struct interner){ .table = &n->table,
		                         .seed = hash_seed() };
	return byte_table_begin(&n->table, a);
}

static void numbering_release(struct numbering *n,
                              const struct prof_allocator *a)
{
	intern_release(&n->interner, a);
	byte_table_release(&n->table, a);
}

/* Groups of nodes with equal file and name: how many, and who was last. */
struct group {
	uint32_t n;
};

/*
 * Nodes are one function where everything but line and address is equal and,
 * in a call tree, where they hang on the same node.
 */
static bool number_nodes(struct callgrind *c, struct numbering *groups,
                         struct numbering *functions, uint32_t *group_of,
                         struct group *sizes, uint32_t *place_of)
{
	const struct graph *g = c->g;

	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t id = g->shown.data[i], group, function, n;
		const struct frame *f = graph_frame(g, id);
		const uint32_t key[] = { f->file, f->name, f->object,
			                 (uint32_t)f->start_line,
			                 (uint32_t)(f->start_line >> 32),
			                 g->nodes.data[id].parent };

		group = number_of(groups, key, 2 * sizeof(*key), c->r->a);
		n = byte_table_n(&functions->table);
		function = number_of(functions, key, sizeof(key), c->r->a);
		if (group == 0 || function == 0)
			return false;
		if (byte_table_n(&functions->table) > n)
			place_of[function] = ++sizes[group].n;
		group_of[id] = group;
		c->which[id].i = place_of[function];
	}
	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t id = g->shown.data[i];

		c->which[id].n = sizes[group_of[id]].n;
	}
	return true;
}

static bool disambiguate(struct callgrind *c)
{
	const struct prof_allocator *a = c->r->a;
	size_t n = c->g->nodes.n + 1;
	struct numbering groups = { 0 }, functions = { 0 };
	uint32_t *group_of = mem_zeroed(a, n, sizeof(*group_of));
	uint32_t *place_of = mem_zeroed(a, n, sizeof(*place_of));
	struct group *sizes = mem_zeroed(a, n, sizeof(*sizes));
	bool is_ok;

	c->which = mem_zeroed(a, n, sizeof(*c->which));
	is_ok = c->which != NULL && group_of != NULL && place_of != NULL &&
	        sizes != NULL && numbering_init(&groups, a) &&
	        numbering_init(&functions, a) &&
	        number_nodes(c, &groups, &functions, group_of, sizes,
	                     place_of);
	mem_free(a, group_of, n * sizeof(*group_of));
	mem_free(a, place_of, n * sizeof(*place_of));
	mem_free(a, sizes, n * sizeof(*sizes));
	numbering_release(&groups, a);
	numbering_release(&functions, a);
	return is_ok;
}

/* ---- The whole ---- */

static bool write_nodes(struct callgrind *c)
{
	const struct frame *last = NULL;
	struct reporting *r = c->r;

	if (!disambiguate(c) || !names_init(&c->objects, r->a) ||
	    !names_init(&c->files, r->a) || !names_init(&c->functions, r->a))
		return false;
	output_text(r->out, "positions: instr line\nevents: ");
	output_text(r->out, r->o.mean ? "mean_" : "");
	output_visible(r->out, r->type);
	output_char(r->out, '(');
	output_visible(r->out, r->output_unit);
	output_text(r->out, ")\n");
	for (size_t i = 0; i < c->g->shown.n; i++) {
		if (!write_node(c, c->g->shown.data[i], last))
			return false;
		last = graph_frame(c->g, c->g->shown.data[i]);
	}
	return true;
}

static enum prof_status write_callgrind(struct reporting *r,
                                        struct prof_error *err)
{
	struct trimmed t;
	struct callgrind c = { .r = r, .g = &t.graph };
	enum prof_status status = trimmed_init(&t, r, err);

	if (status != PROF_OK)
		goto done;
	if (!write_nodes(&c))
		status = error_nomem(err);
	names_release(&c.objects, r->a);
	names_release(&c.files, r->a);
	names_release(&c.functions, r->a);
	mem_free(r->a, c.which, (t.graph.nodes.n + 1) * sizeof(*c.which));
done:
	trimmed_release(&t);
	return status;
}

const struct report callgrind_report = {
	.info = { "callgrind", "the graph by address, for kcachegrind",
	          false, false },
	.flags = REPORT_ALL_NODES | REPORT_OF_ADDRESSES | REPORT_INLINES |
	         REPORT_OBJECTS | REPORT_TREE | REPORT_SMALL_UNIT,
	.write = write_callgrind,
};
