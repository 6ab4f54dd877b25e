/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flame: a flame graph for a terminal, root at the top, a row for each depth.
 * A box is as wide as its share, in whole columns; its edges are told by
 * colour, or by '|' where there is none.
 */

#include "report/stacks.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_WIDTH 80
#define MAX_WIDTH 1000
#define MAX_ROWS 200

/* A box on a row: columns [begin, end) stand for a node and its siblings. */
struct cell {
	uint32_t node;       /* GRAPH_NONE: several, each too narrow */
	uint32_t begin, end;
	double x, scale;     /* exact begin; columns per unit of value */
};

struct flame {
	struct reporting *r;
	struct stack_tree tree;
	struct stack_value *self, *total;
	size_t width;
	VEC(struct cell) row, next;
	VEC(uint32_t) kids;
};

static double size_of(const struct flame *f, uint32_t node)
{
	return f->total[node].before + f->total[node].after;
}

/* Of 256 colours, warm ones; the same name, the same colour. */
static int color_of(struct prof_str name)
{
	static const unsigned char colors[] = { 166, 172, 173, 178, 179, 180,
		                                208, 209, 214, 215, 216, 221 };
	uint32_t hash = 7;

	for (size_t i = 0; i < name.len; i++)
		hash = hash * 31 + (unsigned char)name.ptr[i];
	return colors[hash % sizeof(colors)];
}

/*
 * Puts s in exactly n columns: control characters and broken UTF-8 as '?',
 * a longer text cut with an ellipsis.
 */
static void put_text(struct output *out, struct prof_str s, size_t n)
{
	size_t used = 0, i = 0;

	while (i < s.len && used < n) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (used == n - 1 && i + size < s.len) {
			output_text(out, "\xe2\x80\xa6");
			used++;
			break;
		}
		if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) ||
		    c > 0xf4 || i + size > s.len) {
			output_char(out, '?');
			size = 1;
		} else {
			output_bytes(out, s.ptr + i, size);
		}
		used++;
		i += size;
	}
	for (; used < n; used++)
		output_char(out, ' ');
}

static void put_cell(struct flame *f, const struct cell *c)
{
	struct output *out = f->r->out;
	size_t n = c->end - c->begin;
	struct prof_str name = { "\xe2\x80\xa6", 3 };

	if (c->node != GRAPH_NONE)
		name = stack_name(&f->tree, c->node);
	if (f->r->o.color) {
		output_printf(out, "\x1b[48;5;%dm\x1b[30m", color_of(name));
		put_text(out, name, n);
		output_text(out, "\x1b[0m");
		return;
	}
	output_char(out, '|');
	put_text(out, name, n - 1);
}

static void put_row(struct flame *f)
{
	struct output *out = f->r->out;
	size_t column = 0;

	for (size_t i = 0; i < f->row.n; i++) {
		const struct cell *c = &f->row.data[i];

		for (; column < c->begin; column++)
			output_char(out, ' ');
		put_cell(f, c);
		column = c->end;
	}
	output_text(out, !f->r->o.color && f->row.n > 0 ? "|\n" : "\n");
}

static int by_size(const void *l, const void *r, void *flame)
{
	uint32_t a = *(const uint32_t *)l, b = *(const uint32_t *)r;
	double sa = size_of(flame, a), sb = size_of(flame, b);

	if (sa != sb)
		return sa > sb ? -1 : 1;
	return (a > b) - (a < b);
}

/* Children in [begin, end), the widest first. */
static bool list_kids(struct flame *f, uint32_t begin, uint32_t end)
{
	f->kids.n = 0;
	for (uint32_t i = begin; i < end; i = f->tree.nodes.data[i].end) {
		if (!vec_reserve(&f->kids, 1, f->r->a))
			return false;
		vec_put(&f->kids, i);
	}
	if (f->kids.n > 1)
		qsort_r(f->kids.data, f->kids.n, sizeof(uint32_t), by_size, f);
	return true;
}

/* Adds the boxes for f->kids, from column x on; narrow ones are not shown. */
static bool add_kids(struct flame *f, double x, double scale)
{
	for (size_t i = 0; i < f->kids.n; i++) {
		uint32_t node = f->kids.data[i];
		double end = x + size_of(f, node) * scale;
		struct cell c = { node, (uint32_t)(x + 0.5),
			          (uint32_t)(end + 0.5), x, scale };

		x = end;
		if (c.end <= c.begin)
			continue;
		if (!vec_reserve(&f->next, 1, f->r->a))
			return false;
		vec_put(&f->next, c);
	}
	return true;
}

static bool next_row(struct flame *f)
{
	struct cell *swap;
	size_t capacity;

	f->next.n = 0;
	for (size_t i = 0; i < f->row.n; i++) {
		const struct cell *c = &f->row.data[i];

		if (!list_kids(f, c->node + 1,
		               f->tree.nodes.data[c->node].end) ||
		    !add_kids(f, c->x, c->scale))
			return false;
	}
	swap = f->row.data;
	capacity = f->row.capacity;
	f->row.data = f->next.data;
	f->row.capacity = f->next.capacity;
	f->row.n = f->next.n;
	f->next.data = swap;
	f->next.capacity = capacity;
	return true;
}

static bool put_rows(struct flame *f)
{
	double sum = 0;
	size_t n = f->tree.nodes.n;
	struct measure_text total = report_value(f->r, f->r->total);

	for (uint32_t i = 0; i < n; i = f->tree.nodes.data[i].end)
		sum += size_of(f, i);
	output_printf(f->r->out, "%s of ", total.text);
	output_str(f->r->out, f->r->type);
	output_char(f->r->out, '\n');
	if (sum <= 0)
		return true;
	if (!list_kids(f, 0, (uint32_t)n) ||
	    !add_kids(f, 0, (double)f->width / sum))
		return false;
	f->row.n = 0;
	for (size_t rows = 0; rows < MAX_ROWS; rows++) {
		if (rows == 0) {
			/* The roots are what was added first. */
			if (!vec_reserve(&f->row, f->next.n, f->r->a))
				return false;
			memcpy(f->row.data, f->next.data,
			       f->next.n * sizeof(*f->next.data));
			f->row.n = f->next.n;
		} else if (!next_row(f)) {
			return false;
		}
		if (f->row.n == 0)
			break;
		put_row(f);
	}
	return true;
}

static bool flame_init(struct flame *f)
{
	struct reporting *r = f->r;
	unsigned parts = frame_parts(r->o.granularity);
	bool is_diff;
	size_t n;

	if (!r->o.no_inlines)
		parts |= FRAME_INLINED;
	f->width = r->o.width != 0 ? r->o.width : DEFAULT_WIDTH;
	f->width = f->width > MAX_WIDTH ? MAX_WIDTH : f->width;
	f->width -= !r->o.color; /* for the '|' at the end */
	if (!stack_tree_init(&f->tree, r, parts))
		return false;
	n = f->tree.nodes.n + 1;
	f->self = mem_zeroed(r->a, n, sizeof(*f->self));
	f->total = mem_zeroed(r->a, n, sizeof(*f->total));
	if (f->self == NULL || f->total == NULL)
		return false;
	stack_tree_sum(&f->tree, r, f->self, f->total, &is_diff);
	return true;
}

static enum prof_status write_flame(struct reporting *r,
                                    struct prof_error *err)
{
	struct flame f = { .r = r };
	bool is_ok = flame_init(&f) && put_rows(&f);
	size_t n = f.tree.nodes.n + 1;

	mem_free(r->a, f.self, n * sizeof(*f.self));
	mem_free(r->a, f.total, n * sizeof(*f.total));
	vec_release(&f.row, r->a);
	vec_release(&f.next, r->a);
	vec_release(&f.kids, r->a);
	stack_tree_release(&f.tree, r);
	return is_ok ? PROF_OK : error_nomem(err);
}

const struct report flame_report = {
	.info = { "flame", "a flame graph for the terminal", false, false },
	.flags = REPORT_ALL_NODES,
	.write = write_flame,
};
