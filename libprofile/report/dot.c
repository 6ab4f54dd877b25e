/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot: the graph in the language of graphviz. Boxes grow with flat, redden
 * with cum; edges thicken with their weight; labels hang on nodes as small
 * boxes (nodelets).
 */

#include "report/report.h"
#include "report/shorten.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODELETS 4

struct dot {
	struct reporting *r;
	const struct trimmed *t;
	const struct graph *g;
	struct shortener shortener;
	struct prof_str title;
	int64_t max_flat;
	uint32_t *numbers; /* of nodes, from 1; 0: not shown */
	bool *has_nodelets;
	bool has_failed;   /* out of memory */
};

/* ---- Text ---- */

/*
 * Graphviz ends a quoted string at 16384 bytes: two names of this many, each
 * byte of them escaped, and what is around them are below.
 */
#define MAX_NAME 3900

/* s, or as much of it as fits, to the end of a character. */
static struct prof_str cut_name(struct prof_str s)
{
	if (s.len <= MAX_NAME)
		return s;
	s.len = MAX_NAME;
	while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80)
		s.len--;
	return s;
}

/*
 * In a quoted string: names are data. Control characters, of which a NUL
 * ends the file for Graphviz, are blanks.
 */
static void put_escaped(struct output *out, struct prof_str s)
{
	struct prof_str part = cut_name(s);

	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];

		if (c == '\n') {
			output_text(out, "\\l");
			continue;
		}
		if (c == '"' || c == '\\')
			output_char(out, '\\');
		output_char(out, (unsigned char)c < 0x20 || c == 0x7f
		                 ? ' ' : c);
	}
	if (part.len < s.len)
		output_text(out, "\xe2\x80\xa6");
}

/* Tags as graph_tags.c joins them: with quotes and backslashes escaped. */
static void put_tags(struct output *out, struct prof_str s)
{
	struct prof_str part = cut_name(s);
	size_t n_slashes = 0;

	/* No half of an escape at the end. */
	while (n_slashes < part.len &&
	       part.ptr[part.len - 1 - n_slashes] == '\\')
		n_slashes++;
	part.len -= n_slashes % 2;
	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];

		output_char(out, (unsigned char)c < 0x20 || c == 0x7f
		                 ? ' ' : c);
	}
	if (part.len < s.len)
		output_text(out, "\xe2\x80\xa6");
}

/* A function name in a box: a line for each part of it. */
static void put_broken(struct output *out, struct prof_str s)
{
	s = cut_name(s);
	for (size_t i = 0; i < s.len; i++) {
		size_t left = s.len - i;
		struct prof_str one = { s.ptr + i, 1 };

		if (left >= 2 && !memcmp(s.ptr + i, "::", 2)) {
			output_text(out, "\\n");
			i++;
		} else if (left >= 5 && !memcmp(s.ptr + i, "[...]", 5)) {
			output_text(out, "[\xe2\x80\xa6]");
			i += 4;
		} else if (*one.ptr == '.') {
			output_text(out, "\\n");
		} else {
			put_escaped(out, one);
		}
	}
}

static void put_node_name(struct dot *d, const struct frame *f)
{
	struct output *out = d->r->out;
	const struct frames *frames = &d->g->frames;
	struct prof_str file = frames_string(frames, f->file);

	if (file.len > 0)
		file = path_base(file);
	if (f->address != 0)
		output_printf(out, "%016" PRIx64 "\\n", f->address);
	if (f->name != 0) {
		put_broken(out, shorten(&d->shortener,
		                        frames_name(frames, f)));
		output_text(out, "\\n");
	}
	if (f->line != 0 || f->file != 0) {
		put_escaped(out, file);
		if (f->line != 0)
			output_printf(out, ":%" PRId64, f->line);
		output_text(out, "\\n");
	} else if (f->name == 0 && f->object != 0) {
		output_char(out, '[');
		put_escaped(out, path_base(frames_string(frames, f->object)));
		output_text(out, "]\\n");
	} else if (f->name == 0) {
		output_text(out, "<unknown>\\n");
	}
}

/* ---- Colour ---- */

enum color_place { FOREGROUND, BACKGROUND };

/* score: -1 (all green) to 1 (all red); 0 is grey. */
static void put_color(struct output *out, double score,
                      enum color_place place)
{
	double saturation = place == BACKGROUND ? 0.1 : 1;
	double value = place == BACKGROUND ? 0.93 : 0.7;
	double red, green, blue;

	/* So that the small ones differ, too. */
	const double exponent = 1 - 0.7;

	score = fmax(-1, fmin(1, score));
	if (fabs(score) < 0.2)
		saturation *= fabs(score) / 0.2;
	if (score > 0)
		score = pow(score, exponent);
	if (score < 0)
		score = -pow(-score, exponent);
	red = score < 0 ? value * (1 + saturation * score) : value;
	green = score < 0 ? value : value * (1 - saturation * score);
	blue = value * (1 - saturation);
	output_printf(out, "\"#%02x%02x%02x\"", (unsigned)(red * 255),
	              (unsigned)(green * 255), (unsigned)(blue * 255));
}

static double share_of_total(const struct dot *d, int64_t value)
{
	double total = (double)measure_abs(d->r->total);

	if (total == 0)
		return 0;
	return (double)value / total;
}

/* ---- Nodes ---- */

static void put_value(struct dot *d, const char *before, int64_t value)
{
	struct measure_text text = report_value(d->r, value);
	struct measure_text share = measure_percentage(value, d->r->total);

	output_printf(d->r->out, "%s%s (%s)", before, text.text,
	              measure_trimmed(&share));
}

static int font_size(const struct dot *d, int64_t flat)
{
	double max = (double)d->max_flat;
	double f = (double)measure_abs(flat);

	if (max == 0 || flat == 0 || f > max)
		return 8;
	return 8 + (int)ceil(16 * sqrt(f / max));
}

static void write_node(struct dot *d, uint32_t id, uint32_t number)
{
	struct output *out = d->r->out;
	const struct graph_node *node = &d->g->nodes.data[id];
	int64_t flat = weight_mean(node->flat), cum = weight_mean(node->cum);
	struct measure_text cum_text = report_value(d->r, cum);

	output_printf(out, "N%" PRIu32 " [label=\"", number);
	put_node_name(d, graph_frame(d->g, id));
	if (flat != 0)
		put_value(d, "", flat);
	else
		output_char(out, '0');
	if (cum != flat)
		put_value(d, flat != 0 ? "\\nof " : " of ", cum);
	output_printf(out, "\" id=\"node%" PRIu32 "\" fontsize=%d shape=box "
	              "tooltip=\"", number, font_size(d, flat));
	put_escaped(out, graph_name(d->g, id));
	output_printf(out, " (%s)\" color=", cum_text.text);
	put_color(out, share_of_total(d, cum), FOREGROUND);
	output_text(out, " fillcolor=");
	put_color(out, share_of_total(d, cum), BACKGROUND);
	output_text(out, "]\n");
}

/* ---- Nodelets ---- */

/* One or more tags that are shown as one box. */
struct nodelet {
	struct weight flat, cum; /* in order by value, shown as the mean */
	int64_t low, high; /* of the numbers in it */
	struct prof_str text;
	uint32_t labels;
};

typedef int (*nodelet_order)(const void *l, const void *r);

static int by_flat(const void *l, const void *r)
{
	const struct nodelet *a = l, *b = r;
	int64_t fa = measure_abs(a->flat.value);
	int64_t fb = measure_abs(b->flat.value);

	if (fa != fb)
		return fa > fb ? -1 : 1;
	return str_compare(a->text, b->text);
}

static int by_cum(const void *l, const void *r)
{
	const struct nodelet *a = l, *b = r;
	int64_t ca = measure_abs(a->cum.value);
	int64_t cb = measure_abs(b->cum.value);

	if (ca != cb)
		return ca > cb ? -1 : 1;
	return by_flat(l, r);
}

typedef VEC(struct nodelet) nodelets;

static struct nodelet nodelet_of(const struct graph *g,
                                 const struct graph_tag *tag)
{
	uint32_t text = tag->text != 0 ? tag->text : tag->labels;

	return (struct nodelet){ tag->flat, tag->cum, tag->number,
		                 tag->number,
		                 byte_table_get(&g->tag_texts, text),
		                 tag->labels };
}

enum tag_kind { TAG_OF_LABELS, TAG_OF_NUMBER };

/*
 * Those of tags[n] that stand for labels, or for the numbers beside the
 * labels of that id; sorted.
 */
static bool collect(struct dot *d, nodelets *to, const struct graph_tag *tags,
                    size_t n, enum tag_kind kind, uint32_t labels,
                    nodelet_order order)
{
	to->n = 0;
	if (!vec_reserve(to, n + 1, d->r->a))
		return false;
	for (size_t i = 0; i < n; i++) {
		bool is_number = tags[i].text != 0;

		if (is_number != (kind == TAG_OF_NUMBER))
			continue;
		if (!is_number || tags[i].labels == labels)
			vec_put(to, nodelet_of(d->g, &tags[i]));
	}
	if (to->n > 1)
		qsort(to->data, to->n, sizeof(*to->data), order);
	return true;
}

static double distance(const struct nodelet *a, const struct nodelet *b)
{
	return fabs((double)a->low - (double)b->low);
}

static void join(struct nodelet *to, const struct nodelet *from)
{
	weight_add(&to->flat, from->flat);
	weight_add(&to->cum, from->cum);
	if (from->high > to->high)
		to->high = from->high;
	if (from->high < to->low)
		to->low = from->high;
}

/*
 * Leaves only so many numbers that fit: the heaviest stay, and each of the
 * rest joins the one it is nearest to, which then stands for a range.
 */
static void collapse(nodelets *list)
{
	struct nodelet heads[MAX_NODELETS];

	memcpy(heads, list->data, sizeof(heads));
	for (size_t i = MAX_NODELETS; i < list->n; i++) {
		const struct nodelet *tag = &list->data[i];
		size_t best = 0;

		for (size_t k = 1; k < MAX_NODELETS; k++)
			if (distance(tag, &heads[k]) <
			    distance(tag, &heads[best]))
				best = k;
		join(&list->data[best], tag);
	}
	list->n = MAX_NODELETS;
	for (size_t i = 0; i < list->n; i++) {
		struct nodelet *n = &list->data[i];

		n->flat = (struct weight){ weight_mean(n->flat), 0 };
		n->cum = (struct weight){ weight_mean(n->cum), 0 };
	}
}

static struct measure_text range_text(const struct dot *d,
                                      const struct nodelet *n)
{
	struct prof_str automatic = { "auto", 4 };
	struct measure_text low = measure_label(n->low, d->g->o.bytes_unit,
	                                        automatic);
	struct measure_text high = measure_label(n->high, d->g->o.bytes_unit,
	                                         automatic);

	struct measure_text range = low;
	const int half = (int)sizeof(low.text) / 2 - 2;

	if (n->low != n->high)
		snprintf(range.text, sizeof(range.text), "%.*s..%.*s", half,
		         low.text, half, high.text);
	return range;
}

/* A box at the node or nodelet called source, and the line to it. */
static void write_nodelet(struct dot *d, const char *source, const char *kind,
                          size_t i, struct prof_str text, int64_t value,
                          const char *more)
{
	struct measure_text v = report_value(d->r, value);
	struct output *out = d->r->out;

	output_printf(out, "%s%s_%zu [label = \"", kind, source, i);
	put_tags(out, text);
	output_printf(out,
	              "\" id=\"%s%s_%zu\" fontsize=8 shape=box3d "
	              "tooltip=\"%s\"]\n%s -> %s%s_%zu [label=\" %s\" "
	              "weight=100 tooltip=\"%s\" labeltooltip=\"%s\"%s]\n",
	              kind, source, i, v.text, source, kind, source, i, v.text,
	              v.text, v.text, more);
}

static void write_numbers(struct dot *d, nodelets *list, const char *source,
                          nodelet_order order)
{
	struct measure_text texts[MAX_NODELETS];

	if (list->n > MAX_NODELETS) {
		collapse(list);
		for (size_t i = 0; i < list->n; i++) {
			texts[i] = range_text(d, &list->data[i]);
			list->data[i].text = (struct prof_str){
				texts[i].text, strlen(texts[i].text) };
		}
		qsort(list->data, list->n, sizeof(*list->data), order);
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct nodelet *n = &list->data[i];
		int64_t flat = weight_mean(n->flat);
		bool is_flat = order == by_flat || flat == weight_mean(n->cum);
		int64_t value = is_flat ? flat : weight_mean(n->cum);

		if (value != 0)
			write_nodelet(d, source, "N", i, n->text, value,
			              is_flat ? "" : " style=\"dotted\"");
	}
}

/* The boxes of a node's tags[n]. */
static void write_nodelets(struct dot *d, uint32_t number,
                           const struct graph_tag *tags, size_t n,
                           nodelet_order order)
{
	nodelets labels = { 0 }, numbers = { 0 };
	char node[16], source[48];
	bool is_ok = collect(d, &labels, tags, n, TAG_OF_LABELS, 0, order);

	snprintf(node, sizeof(node), "N%" PRIu32, number);
	for (size_t i = 0; is_ok && i < labels.n && i < MAX_NODELETS; i++) {
		const struct nodelet *l = &labels.data[i];
		int64_t value = weight_mean(order == by_flat ? l->flat
		                                             : l->cum);

		if (value == 0)
			continue;
		write_nodelet(d, node, "", i, l->text, value, "");
		snprintf(source, sizeof(source), "%s_%zu", node, i);
		is_ok = collect(d, &numbers, tags, n, TAG_OF_NUMBER,
		                l->labels, order);
		if (is_ok)
			write_numbers(d, &numbers, source, order);
	}
	if (is_ok)
		is_ok = collect(d, &numbers, tags, n, TAG_OF_NUMBER, 0, order);
	if (is_ok)
		write_numbers(d, &numbers, node, order);
	if (!is_ok)
		d->has_failed = true;
	vec_release(&labels, d->r->a);
	vec_release(&numbers, d->r->a);
}

/* tags are sorted by node: the n of one begin at what is returned. */
static size_t tags_of(const struct graph *g, uint32_t node, size_t *n)
{
	size_t low = 0, high = g->tags.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->tags.data[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	for (*n = 0; low + *n < g->tags.n; ++*n)
		if (g->tags.data[low + *n].node != node)
			break;
	return low;
}

static void write_tags(struct dot *d, uint32_t id)
{
	uint64_t before = output_size(d->r->out);
	size_t n, first = tags_of(d->g, id, &n);

	if (n > 0)
		write_nodelets(d, d->numbers[id], d->g->tags.data + first, n,
		               graph_out(d->g, id).n > 0 ? by_flat : by_cum);
	d->has_nodelets[id] = output_size(d->r->out) > before;
}

/* ---- Edges ---- */

static int64_t up_to(int64_t value, int64_t limit)
{
	value = measure_abs(value);
	return value < limit ? value : limit;
}

/* weight * scale / total in integers; the product wraps as pprof's. */
static int64_t share_of(int64_t weight, uint64_t scale, int64_t total)
{
	struct weight w = { (int64_t)((uint64_t)weight * scale), total };

	return weight_mean(w);
}

static void put_tooltip(struct dot *d, const char *name,
                        const struct graph_edge *e, const char *value)
{
	struct output *out = d->r->out;

	output_printf(out, " %s=\"", name);
	put_escaped(out, graph_name(d->g, e->from));
	output_text(out, e->is_residual ? " ... " : " -> ");
	put_escaped(out, graph_name(d->g, e->to));
	output_printf(out, " (%s)\"", value);
}

static void write_edge(struct dot *d, const struct graph_edge *e)
{
	struct output *out = d->r->out;
	int64_t weight = weight_mean(e->weight), total = d->r->total, n;
	struct measure_text value = report_value(d->r, weight);

	output_printf(out, "N%" PRIu32 " -> N%" PRIu32 " [label=\" %s%s\"",
	              d->numbers[e->from], d->numbers[e->to], value.text,
	              e->is_inline ? "\\n (inline)" : "");
	if (total != 0) {
		n = up_to(share_of(weight, 100, total), 100);
		if (n > 0)
			output_printf(out, " weight=%" PRId64, n + 1);
		n = up_to(share_of(weight, 5, total), 5);
		if (n > 0)
			output_printf(out, " penwidth=%" PRId64, n + 1);
		output_text(out, " color=");
		put_color(out, share_of_total(d, weight), FOREGROUND);
	}
	put_tooltip(d, "tooltip", e, value.text);
	put_tooltip(d, "labeltooltip", e, value.text);
	output_text(out, e->is_residual ? " style=\"dotted\"" : "");
	output_text(out, d->has_nodelets[e->from] ? " minlen=2" : "");
	output_text(out, "]\n");
}

/* ---- The whole ---- */

struct legend {
	struct dot *d;
	size_t n;
};

static void put_legend_line(void *ctx, struct prof_str line)
{
	struct legend *l = ctx;
	struct output *out = l->d->r->out;

	if (l->n++ == 0) {
		output_text(out, "subgraph cluster_L { \"");
		put_escaped(out, line);
		output_text(out, "\" [shape=box fontsize=16 label=\"");
	}
	put_escaped(out, line);
	output_text(out, "\\l");
}

static void write_legend(struct dot *d)
{
	struct legend legend = { d, 0 };
	struct output *out = d->r->out;

	header_graph(d->r, d->t, HEADER_FULL, put_legend_line, &legend);
	output_text(out, "\\lSee https://git.io/JfYMW for how to read the "
	            "graph\\l\"");
	if (d->title.len > 0) {
		output_text(out, " tooltip=\"");
		put_escaped(out, d->title);
		output_char(out, '"');
	}
	output_text(out, "] }\n");
}

static void write_graph(struct dot *d)
{
	const struct graph *g = d->g;

	for (size_t i = 0; i < g->shown.n; i++) {
		uint32_t id = g->shown.data[i];
		int64_t flat = weight_mean(g->nodes.data[id].flat);

		d->numbers[id] = (uint32_t)i + 1;
		if (measure_abs(flat) > d->max_flat)
			d->max_flat = measure_abs(flat);
	}
	for (size_t i = 0; i < g->shown.n; i++) {
		write_node(d, g->shown.data[i], (uint32_t)i + 1);
		write_tags(d, g->shown.data[i]);
	}
	/* An edge may lead to a node whose sum is 0, which is not shown. */
	for (size_t i = 0; i < g->edges.n; i++)
		if (d->numbers[g->edges.data[i].from] != 0 &&
		    d->numbers[g->edges.data[i].to] != 0)
			write_edge(d, &g->edges.data[i]);
}

static struct prof_str find_title(const struct prof_profile *p)
{
	struct prof_str file = { "", 0 };

	if (p->mappings.n > 1)
		file = profile_string(p, p->mappings.data[1].file);
	return file.len > 0 ? path_base(file) : file;
}

static enum prof_status write_whole(struct dot *d, struct prof_error *err)
{
	struct output *out = d->r->out;
	size_t n = d->g->nodes.n + 1;

	d->numbers = mem_zeroed(d->r->a, n, sizeof(*d->numbers));
	d->has_nodelets = mem_zeroed(d->r->a, n, sizeof(*d->has_nodelets));
	if (d->numbers == NULL || d->has_nodelets == NULL)
		return error_nomem(err);
	d->title = find_title(d->r->p);
	output_text(out, "digraph \"");
	if (d->title.len > 0)
		put_escaped(out, d->title);
	else
		output_text(out, "unnamed");
	output_text(out, "\" {\nnode [style=filled fillcolor=\"#f8f8f8\"]\n");
	write_legend(d);
	write_graph(d);
	output_text(out, "}\n");
	return d->has_failed ? error_nomem(err) : PROF_OK;
}

static enum prof_status write_dot(struct reporting *r, struct prof_error *err)
{
	struct trimmed t = { 0 };
	struct dot d = { .r = r, .t = &t, .g = &t.graph };
	enum prof_status status = shortener_init(&d.shortener, err);

	if (status == PROF_OK)
		status = trimmed_init(&t, r, err);
	if (status == PROF_OK)
		status = write_whole(&d, err);
	mem_free(r->a, d.numbers, (t.graph.nodes.n + 1) * sizeof(*d.numbers));
	mem_free(r->a, d.has_nodelets,
	         (t.graph.nodes.n + 1) * sizeof(*d.has_nodelets));
	shortener_release(&d.shortener);
	trimmed_release(&t);
	return status;
}

const struct report dot_report = {
	.info = { "dot", "the call graph for graphviz", false, false },
	.flags = REPORT_VISUAL | REPORT_TREE,
	.write = write_dot,
};
