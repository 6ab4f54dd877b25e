/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disasm: the instructions of functions that match, with flat and cum at each.
 * The library starts no programs: whoever asks for this report brings a
 * struct prof_disassembler.
 *
 * A symbol matches by its own name, or by what the profile calls a place in
 * it, which is how demangled names match. Its end is where the next one
 * begins.
 */

#include "base/regex.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_INSTRUCTION 40 /* has its place on the same line */

struct asm_symbol {
	uint64_t start, end; /* in the file; end is behind it */
	uint32_t name;       /* of names */
	uint32_t binary;
	bool is_matched;
};

/* The file of a mapping that has samples of matching functions. */
struct asm_binary {
	uint32_t mapping;
	struct prof_binary file;
};

struct asm_sums {
	struct weight flat, cum;
};

struct disasm {
	struct reporting *r;
	const struct graph *g;
	const struct prof_disassembler *tool;
	struct regex *re;
	bool has_address; /* the expression is a number, too */
	uint64_t address;
	struct byte_table names;
	VEC(uint32_t) nodes;       /* by address */
	VEC(struct asm_binary) binaries;
	VEC(struct asm_symbol) symbols;
	bool has_failed;
	struct prof_error missing; /* why the last mapping was left out */
	/* The symbol that is being written. */
	const struct asm_symbol *symbol;
	size_t node, node_end;     /* those in it, from the next on */
	struct prof_instruction last;
	VEC(char) text;            /* of last, with its names */
	VEC(char) place;           /* of last: function and line */
	bool has_last;
	VEC(char) shown;           /* the place that was told last */
};

static uint64_t address_of(const struct disasm *d, size_t i)
{
	return graph_frame(d->g, d->nodes.data[i])->address;
}

static int compare_nodes(const void *l, const void *r, void *graph)
{
	uint32_t a = *(const uint32_t *)l, b = *(const uint32_t *)r;
	uint64_t aa = graph_frame(graph, a)->address;
	uint64_t ab = graph_frame(graph, b)->address;

	return aa != ab ? (aa > ab) - (aa < ab) : (a > b) - (a < b);
}

static bool sort_nodes(struct disasm *d)
{
	const struct graph *g = d->g;

	if (!vec_reserve(&d->nodes, g->shown.n, d->r->a))
		return false;
	for (size_t i = 0; i < g->shown.n; i++)
		vec_put(&d->nodes, g->shown.data[i]);
	if (d->nodes.n > 1)
		qsort_r(d->nodes.data, d->nodes.n, sizeof(uint32_t),
		        compare_nodes, (void *)(uintptr_t)g);
	return true;
}

/* The first of the nodes at an address or behind it. */
static size_t first_node(const struct disasm *d, uint64_t address)
{
	size_t low = 0, high = d->nodes.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address_of(d, middle) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- Which symbols ---- */

static bool has_match(struct disasm *d, size_t begin, size_t end)
{
	const struct graph *g = d->g;

	/* By all that is shown of a node, as in pprof, or by its function. */
	for (size_t i = begin; i < end; i++) {
		uint32_t node = d->nodes.data[i];

		if (regex_matches(d->re, frames_name(&g->frames,
		                                     graph_frame(g, node))) ||
		    regex_matches(d->re, graph_name(g, node)))
			return true;
	}
	return false;
}

static void put_symbol(void *ctx, uint64_t address, struct prof_str name)
{
	struct disasm *d = ctx;
	struct asm_symbol *last =
		d->symbols.n > 0 ? &d->symbols.data[d->symbols.n - 1] : NULL;
	uint32_t binary = (uint32_t)d->binaries.n - 1;
	struct asm_symbol s = { address, UINT64_MAX, 0, binary, false };

	s.is_matched = regex_matches(d->re, name);
	if (last && last->binary == binary) {
		/* Of names for the same address, the first that matches. */
		if (last->start == address && (last->is_matched ||
		                               !s.is_matched))
			return;
		if (last->start == address)
			d->symbols.n--;
		else
			last->end = address;
	}
	s.name = byte_table_append(&d->names, name.ptr, name.len, d->r->a);
	if (s.name == 0 || !vec_reserve(&d->symbols, 1, d->r->a)) {
		d->has_failed = true;
		return;
	}
	vec_put(&d->symbols, s);
}

static enum prof_status add_mapping(struct disasm *d, uint32_t mapping,
                                    uint64_t address, struct prof_error *err)
{
	struct asm_binary b = { .mapping = mapping };

	if (!vec_reserve(&d->binaries, 1, d->r->a))
		return error_nomem(err);
	if (d->tool->find(d->tool->ctx, &b.file, d->r->p, mapping, address,
	                  &d->missing) != PROF_OK)
		return PROF_OK; /* another may have it */
	vec_put(&d->binaries, b);
	return d->tool->symbols(d->tool->ctx, b.file.path, put_symbol, d, err);
}

/* Of a mapping, where something in it matches. */
static enum prof_status look_at_mapping(struct disasm *d, uint32_t mapping,
                                        struct prof_error *err)
{
	const struct row_mapping *m = &d->r->p->mappings.data[mapping];
	size_t begin = first_node(d, m->start);
	size_t end = first_node(d, m->limit);

	if (begin < end &&
	    ((d->has_address && m->start <= d->address &&
	      d->address < m->limit) || has_match(d, begin, end)))
		return add_mapping(d, mapping, address_of(d, begin), err);
	return PROF_OK;
}

/* The nodes in a symbol: [*begin, *end). */
static void find_nodes(const struct disasm *d, const struct asm_symbol *s,
                       size_t *begin, size_t *end)
{
	const struct asm_binary *b = &d->binaries.data[s->binary];
	const struct row_mapping *m = &d->r->p->mappings.data[b->mapping];
	uint64_t start = s->start + b->file.base;
	uint64_t stop = s->end + b->file.base;

	if (start < m->start)
		start = m->start;
	if (s->end == UINT64_MAX || stop > m->limit)
		stop = m->limit;
	*begin = first_node(d, start);
	*end = start < stop ? first_node(d, stop) : *begin;
}

/* Leaves the symbols that match and have samples. */
static void choose_symbols(struct disasm *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->symbols.n; i++) {
		struct asm_symbol *s = &d->symbols.data[i];
		uint64_t base = d->binaries.data[s->binary].file.base;
		size_t begin, end;

		find_nodes(d, s, &begin, &end);
		s->is_matched |= d->has_address &&
		                 d->address - base >= s->start &&
		                 d->address - base < s->end;
		if (begin < end &&
		    (s->is_matched || has_match(d, begin, end)))
			d->symbols.data[n++] = *s;
	}
	d->symbols.n = n;
}

static int compare_symbols(const void *l, const void *r, void *names)
{
	const struct asm_symbol *a = l, *b = r;
	int order = str_compare(byte_table_get(names, a->name),
	                        byte_table_get(names, b->name));

	return order != 0 ? order : (a->start > b->start) -
	                            (a->start < b->start);
}

/* ---- Writing ---- */

static struct asm_sums sum_nodes(struct disasm *d, size_t begin, size_t end)
{
	struct asm_sums sums = { { 0, 0 }, { 0, 0 } };

	for (size_t i = begin; i < end; i++) {
		const struct graph_node *node =
			&d->g->nodes.data[d->nodes.data[i]];

		weight_add(&sums.flat, node->flat);
		weight_add(&sums.cum, node->cum);
	}
	return sums;
}

static struct measure_text value_or_dot(const struct reporting *r,
                                        struct weight w)
{
	struct measure_text dot = { "." };
	int64_t value = weight_mean(w);

	return value != 0 ? report_value(r, value) : dot;
}

/* "function file.c:12"; where the tool has none, the sample's. */
static bool find_place(struct disasm *d, struct prof_str *out, size_t begin,
                       size_t end, char *number, size_t number_size)
{
	struct prof_str function = d->last.function;
	struct prof_str file = path_base(d->last.file);
	int64_t line = d->last.line;
	size_t n = 0, n_number;

	if (d->last.file.len == 0)
		file = d->last.file;
	for (size_t i = begin; i < end; i++) {
		const struct frame *f = graph_frame(d->g, d->nodes.data[i]);
		struct prof_str of_frame = frames_string(&d->g->frames,
		                                         f->file);

		if (file.len == 0 && of_frame.len > 0)
			file = path_base(of_frame);
		if (line == 0)
			line = f->line;
		if (function.len == 0)
			function = frames_name(&d->g->frames, f);
	}
	n_number = line == 0 || file.len == 0 ? 0
	           : (size_t)snprintf(number, number_size, ":%" PRId64, line);
	d->place.n = 0;
	if (!vec_reserve(&d->place,
	                 function.len + file.len + n_number + 1, d->r->a))
		return false;
	if (function.len > 0) {
		memcpy(d->place.data, function.ptr, function.len);
		n = function.len;
		d->place.data[n++] = ' ';
	}
	if (file.len > 0)
		memcpy(d->place.data + n, file.ptr, file.len);
	n += file.len;
	memcpy(d->place.data + n, number, n_number);
	*out = (struct prof_str){ d->place.data, n + n_number };
	return true;
}

/* The place, unless it is the one that was told last. */
static bool is_new_place(struct disasm *d, struct prof_str place)
{
	struct prof_str shown = { d->shown.data, d->shown.n };

	if (shown.len == place.len &&
	    (place.len == 0 || !memcmp(shown.ptr, place.ptr, place.len)))
		return false;
	d->shown.n = 0;
	if (!vec_reserve(&d->shown, place.len + 1, d->r->a)) {
		d->has_failed = true;
		return false;
	}
	if (place.len > 0)
		memcpy(d->shown.data, place.ptr, place.len);
	d->shown.n = place.len;
	return place.len > 0;
}

/* The instruction before the one at next, with what was counted up to that. */
static void write_last(struct disasm *d, uint64_t next)
{
	struct output *out = d->r->out;
	uint64_t base = d->binaries.data[d->symbol->binary].file.base;
	size_t begin = d->node;
	struct asm_sums sums;
	struct measure_text flat, cum;
	struct prof_str place;
	char number[32] = "";
	bool is_new, is_short = d->last.text.len < SHORT_INSTRUCTION;

	while (d->node < d->node_end && address_of(d, d->node) - base < next)
		d->node++;
	sums = sum_nodes(d, begin, d->node);
	flat = value_or_dot(d->r, sums.flat);
	cum = value_or_dot(d->r, sums.cum);
	if (!find_place(d, &place, begin, d->node, number, sizeof(number))) {
		d->has_failed = true;
		return;
	}
	is_new = is_new_place(d, place);
	if (is_new && !is_short) {
		output_printf(out, "%74s;", "");
		output_visible(out, place);
		output_char(out, '\n');
	}
	output_printf(out, "%10s %10s %10" PRIx64 ": ", flat.text, cum.text,
	              d->last.address);
	output_visible(out, d->last.text);
	if (is_new && is_short) {
		output_printf(out, "%*s;",
		              (int)(SHORT_INSTRUCTION - d->last.text.len), "");
		output_visible(out, place);
	}
	output_char(out, '\n');
}

static void keep_str(struct disasm *d, struct prof_str *s)
{
	char *to = d->text.data + d->text.n;

	if (s->len > 0)
		memcpy(to, s->ptr, s->len);
	s->ptr = to;
	d->text.n += s->len;
}

/* What an instruction has is known with the address of the next. */
static void put_instruction(void *ctx, const struct prof_instruction *in)
{
	struct disasm *d = ctx;

	if (d->has_last)
		write_last(d, in->address);
	d->text.n = 0;
	if (!vec_reserve(&d->text, in->text.len + in->function.len +
	                           in->file.len + 1, d->r->a)) {
		d->has_failed = true;
		d->has_last = false;
		return;
	}
	d->last = *in;
	keep_str(d, &d->last.text);
	keep_str(d, &d->last.function);
	keep_str(d, &d->last.file);
	d->has_last = true;
}

static enum prof_status write_symbol(struct disasm *d,
                                     const struct asm_symbol *s,
                                     struct prof_error *err)
{
	const char *path = d->binaries.data[s->binary].file.path;
	struct output *out = d->r->out;
	struct measure_text flat, cum, share;
	struct prof_str name = byte_table_get(&d->names, s->name);
	struct asm_sums sums;
	enum prof_status status;

	find_nodes(d, s, &d->node, &d->node_end);
	sums = sum_nodes(d, d->node, d->node_end);
	flat = report_value(d->r, weight_mean(sums.flat));
	cum = report_value(d->r, weight_mean(sums.cum));
	share = measure_percentage(weight_mean(sums.cum), d->r->total);
	output_text(out, "ROUTINE ======================== ");
	output_visible(out, name);
	output_printf(out, "\n%10s %10s (flat, cum) %s of Total\n", flat.text,
	              cum.text, share.text);
	d->symbol = s;
	d->has_last = false;
	d->shown.n = 0;
	status = d->tool->instructions(d->tool->ctx, path, s->start, s->end,
	                               put_instruction, d, err);
	if (status == PROF_OK && d->has_last)
		write_last(d, UINT64_MAX);
	return status;
}

/* ---- The whole ---- */

static bool take_address(struct disasm *d)
{
	char *end;

	d->address = strtoull(d->r->o.symbol, &end, 0);
	d->has_address = end > d->r->o.symbol && *end == '\0';
	return sort_nodes(d) && byte_table_begin(&d->names, d->r->a);
}

static enum prof_status find_symbols(struct disasm *d, struct prof_error *err)
{
	enum prof_status status = regex_new(&d->re, d->r->o.symbol, err);
	uint32_t n = (uint32_t)d->r->p->mappings.n;

	if (status == PROF_OK && !take_address(d))
		status = error_nomem(err);
	for (uint32_t i = 1; status == PROF_OK && i < n; i++)
		status = look_at_mapping(d, i, err);
	if (status == PROF_OK && d->has_failed)
		status = error_nomem(err);
	if (status != PROF_OK)
		return status;
	choose_symbols(d);
	status = regex_status(d->re, err);
	if (status == PROF_OK && d->symbols.n == 0 && d->missing.message[0])
		return error_set(err, PROF_UNSUPPORTED, "%.200s",
		                 d->missing.message);
	if (status == PROF_OK && d->symbols.n == 0)
		return error_set(err, PROF_INVALID,
		                 "no matches found for regexp: %s",
		                 d->r->o.symbol);
	if (d->symbols.n > 1)
		qsort_r(d->symbols.data, d->symbols.n,
		        sizeof(*d->symbols.data), compare_symbols, &d->names);
	return status;
}

static enum prof_status write_disasm(struct reporting *r,
                                     struct prof_error *err)
{
	struct trimmed t = { 0 };
	struct disasm d = { .r = r, .g = &t.graph,
		            .tool = r->o.disassembler };
	struct prof_str unit = r->output_unit;
	struct measure_text total;
	enum prof_status status;

	if (d.tool == NULL)
		return error_set(err, PROF_INVALID,
		                 "disasm needs a disassembler");
	status = trimmed_init(&t, r, err);
	r->output_unit = unit; /* each value in what fits it */
	if (status == PROF_OK)
		status = find_symbols(&d, err);
	if (status == PROF_OK) {
		total = report_value(r, r->total);
		output_printf(r->out, "Total: %s\n", total.text);
	}
	for (size_t i = 0; status == PROF_OK && i < d.symbols.n; i++)
		status = write_symbol(&d, &d.symbols.data[i], err);
	if (status == PROF_OK && d.has_failed)
		status = error_nomem(err);
	regex_free(d.re);
	byte_table_release(&d.names, r->a);
	vec_release(&d.nodes, r->a);
	vec_release(&d.binaries, r->a);
	vec_release(&d.symbols, r->a);
	vec_release(&d.text, r->a);
	vec_release(&d.place, r->a);
	vec_release(&d.shown, r->a);
	trimmed_release(&t);
	return status;
}

const struct report disasm_report = {
	.info = { "disasm", "the instructions of what matches REGEX, annotated",
	          true, false },
	.flags = REPORT_ALL_NODES | REPORT_OF_ADDRESSES | REPORT_NO_INLINES |
	         REPORT_OBJECTS | REPORT_ANY_EDGES,
	.write = write_disasm,
};
