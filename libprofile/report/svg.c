/* SPDX-License-Identifier: Apache-2.0 */
/*
 * svg: a still flame graph for a README or a mail: no script, names in
 * titles, dark where the reader's system is. A difference is coloured by
 * change: red has grown, blue has shrunk; all that was before or is after
 * has its width, so what has vanished can be seen.
 */

#include "report/stacks.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DEFAULT_WIDTH 1200
#define ROW 18
#define MIN_WIDTH 0.3  /* pixels below which a box is left out */
#define LETTER 7.0     /* pixels of a letter, about */
#define HEAD 26
/* A picture has an end: the rows below either are told of, not drawn. */
#define MAX_ROWS 1000
#define MAX_BOXES 200000
/* Of any name in a title, in characters. */
#define MAX_NAME 1000

struct svg {
	struct reporting *r;
	struct stack_tree tree;
	struct stack_value *self, *total;
	double *x;         /* of each node; < 0: not drawn */
	double width, scale, sum;
	uint32_t max_depth, n_rows; /* of all wide enough; of those drawn */
	bool is_diff;
};

static double size_of(const struct svg *s, uint32_t node)
{
	return s->total[node].before + s->total[node].after;
}

/* XML 1.0 text: what may not be in it becomes U+FFFD. */
static void put_xml(struct output *out, struct prof_str s, size_t max)
{
	size_t used = 0, i = 0;

	while (i < s.len) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		bool is_bad = c < 0x20 || c == 0x7f ||
		              (c >= 0x80 && c < 0xc2) || c > 0xf4 ||
		              i + size > s.len;

		for (size_t k = 1; k < size && !is_bad; k++)
			is_bad = ((unsigned char)s.ptr[i + k] & 0xc0) != 0x80;
		if (used == max - 1 && i + size < s.len) {
			output_text(out, "\xe2\x80\xa6");
			return;
		}
		if (is_bad || (c == 0xed && (unsigned char)s.ptr[i + 1] > 0x9f))
			output_text(out, "\xef\xbf\xbd");
		else if (c == '<')
			output_text(out, "&lt;");
		else if (c == '>')
			output_text(out, "&gt;");
		else if (c == '&')
			output_text(out, "&amp;");
		else
			output_bytes(out, s.ptr + i, size);
		i += is_bad ? 1 : size;
		used++;
	}
}

/* Chosen so that Go's main is warm, and its runtime is not. */
#define HASH_SEED 41296

static uint32_t hash_text(const char *s, size_t n, uint32_t hash)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash * 31 + (unsigned char)s[i]) % 99991;
	return hash;
}

/*
 * As on the page: a package has a hue, two of three a warm one, and its
 * functions differ a little in lightness. A package is the path and what is
 * before the first of ".:(" behind it.
 */
static void put_hue(struct output *out, struct prof_str name)
{
	size_t path = name.len, n;
	uint32_t hash;
	int shift = (int)(hash_text(name.ptr, name.len, HASH_SEED) % 7) - 3;

	while (path > 0 && name.ptr[path - 1] != '/')
		path--;
	for (n = path; n < name.len && !strchr(".:(", name.ptr[n]);)
		n++;
	hash = hash_text(name.ptr + path, n - path, HASH_SEED);
	hash = hash_text(name.ptr, path, hash);
	if (hash % 3 != 0)
		output_printf(out, "hsl(%u 86%% %d%%)", 4 + hash % 49,
		              76 + shift);
	else
		output_printf(out, "hsl(%u 50%% %d%%)", 165 + hash % 140,
		              76 + shift);
}

static void put_fill(struct svg *s, uint32_t node)
{
	double before = s->total[node].before, after = s->total[node].after;
	double change = (after - before) / (after + before);
	int strength = (int)(100 * pow(fabs(change), 0.6));

	if (!s->is_diff)
		put_hue(s->r->out, stack_name(&s->tree, node));
	else
		output_printf(s->r->out, "hsl(%d %d%% %d%%)",
		              change > 0 ? 8 : 212, 10 + 3 * strength / 4,
		              90 - strength / 5);
}

static int64_t whole(double value)
{
	return measure_int(value);
}

static void put_title(struct svg *s, uint32_t node)
{
	struct output *out = s->r->out;
	double before = s->total[node].before, after = s->total[node].after;
	struct measure_text value = report_value(s->r, whole(after));
	struct measure_text share;

	output_text(out, "<title>");
	put_xml(out, stack_name(&s->tree, node), MAX_NAME);
	if (s->is_diff) {
		struct measure_text old = report_value(s->r, whole(before));

		output_printf(out, ": %s before, %s after%s", old.text,
		              value.text, before == 0 ? " (new)" :
		              after == 0 ? " (vanished)" : "");
	} else {
		share = measure_percentage(whole(after), s->r->total);
		output_printf(out, ": %s (%s)", value.text,
		              measure_trimmed(&share));
	}
	output_text(out, "</title>");
}

static void put_box(struct svg *s, uint32_t node)
{
	struct output *out = s->r->out;
	double width = size_of(s, node) * s->scale;
	uint32_t y = HEAD + (s->tree.nodes.data[node].depth) * ROW;
	size_t letters = (size_t)((width - 4) / LETTER);

	output_text(out, "<g>");
	put_title(s, node);
	output_printf(out, "<rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
	              "height=\"%d\" fill=\"", s->x[node], y,
	              width > 2 ? width - 0.8 : width, ROW - 1);
	put_fill(s, node);
	output_text(out, "\"/>");
	if (width > 4 + 3 * LETTER) {
		output_printf(out, "<text x=\"%.1f\" y=\"%u\">",
		              s->x[node] + 3, y + 13);
		put_xml(out, stack_name(&s->tree, node), letters);
		output_text(out, "</text>");
	}
	output_text(out, "</g>\n");
}

/* Where each node begins: its parent, and what came before it in there. */
static bool place(struct svg *s)
{
	size_t n = s->tree.nodes.n;
	double *next = mem_zeroed(s->r->a, n + 1, sizeof(*next));
	uint32_t boxes[MAX_ROWS] = { 0 }, n_boxes = 0; /* of each row; all */
	double root_x = 0;

	if (next == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct stack_node *node = &s->tree.nodes.data[i];
		double *x = node->parent == GRAPH_NONE ? &root_x
		                                       : &next[node->parent];

		s->x[i] = next[i] = *x;
		*x += size_of(s, i) * s->scale;
		if (size_of(s, i) * s->scale < MIN_WIDTH)
			continue;
		if (node->depth + 1 > s->max_depth)
			s->max_depth = node->depth + 1;
		if (node->depth < MAX_ROWS)
			boxes[node->depth]++;
	}
	mem_free(s->r->a, next, (n + 1) * sizeof(*next));
	while (s->n_rows < MAX_ROWS && s->n_rows < s->max_depth &&
	       boxes[s->n_rows] <= MAX_BOXES - n_boxes)
		n_boxes += boxes[s->n_rows++];
	return true;
}

static void put_head(struct svg *s)
{
	struct output *out = s->r->out;
	struct measure_text total = report_value(s->r, s->r->total);
	unsigned width = (unsigned)s->width;
	unsigned height = HEAD + s->n_rows * ROW + 4;

	output_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
	              "width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
	              "role=\"img\">\n", width, height, width, height);
	output_text(out, "<style>text{font:12px ui-monospace,Menlo,Consolas,"
	            "monospace;fill:#241a12;pointer-events:none}"
	            ".t{font:600 13px system-ui,sans-serif;fill:#1d1b19}"
	            "svg{background:#fdfcfb}rect{rx:2px}"
	            "g:hover rect{stroke:#b8450b;stroke-width:1.5}"
	            "@media(prefers-color-scheme:dark){svg{background:#161513}"
	            ".t{fill:#eceae6}rect{filter:brightness(.82)}}</style>\n"
	            "<text class=\"t\" x=\"4\" y=\"17\">");
	if (s->r->o.title != NULL) {
		put_xml(out, (struct prof_str){ s->r->o.title,
		                                strlen(s->r->o.title) },
		        SIZE_MAX);
		output_text(out, ": ");
	}
	put_xml(out, s->r->type, SIZE_MAX);
	output_printf(out, ", %s", total.text);
	if (s->n_rows < s->max_depth)
		output_printf(out, "; %" PRIu32 " deeper rows are not shown",
		              s->max_depth - s->n_rows);
	output_text(out, "</text>\n");
}

static bool svg_init(struct svg *s)
{
	struct reporting *r = s->r;
	unsigned parts = frame_parts(r->o.granularity);
	size_t n;

	if (!r->o.no_inlines)
		parts |= FRAME_INLINED;
	s->width = r->o.width != 0 ? r->o.width : DEFAULT_WIDTH;
	if (!stack_tree_init(&s->tree, r, parts))
		return false;
	n = s->tree.nodes.n + 1;
	s->self = mem_zeroed(r->a, n, sizeof(*s->self));
	s->total = mem_zeroed(r->a, n, sizeof(*s->total));
	s->x = mem_zeroed(r->a, n, sizeof(*s->x));
	if (s->self == NULL || s->total == NULL || s->x == NULL)
		return false;
	stack_tree_sum(&s->tree, r, s->self, s->total, &s->is_diff);
	for (uint32_t i = 0; i < s->tree.nodes.n;
	     i = s->tree.nodes.data[i].end)
		s->sum += size_of(s, i);
	s->scale = s->sum > 0 ? s->width / s->sum : 0;
	return place(s);
}

static void put_boxes(struct svg *s)
{
	uint32_t i = 0;

	while (i < s->tree.nodes.n) {
		if (size_of(s, i) * s->scale < MIN_WIDTH ||
		    s->tree.nodes.data[i].depth >= s->n_rows) {
			i = s->tree.nodes.data[i].end;
			continue;
		}
		put_box(s, i++);
	}
}

static enum prof_status write_svg(struct reporting *r, struct prof_error *err)
{
	struct svg s = { .r = r };
	bool is_ok = svg_init(&s);
	size_t n = s.tree.nodes.n + 1;

	if (is_ok) {
		put_head(&s);
		put_boxes(&s);
		output_text(r->out, "</svg>\n");
	}
	mem_free(r->a, s.self, n * sizeof(*s.self));
	mem_free(r->a, s.total, n * sizeof(*s.total));
	mem_free(r->a, s.x, n * sizeof(*s.x));
	stack_tree_release(&s.tree, r);
	return is_ok ? PROF_OK : error_nomem(err);
}

const struct report svg_report = {
	.info = { "svg", "a still flame graph as a picture", false, false },
	.flags = REPORT_ALL_NODES,
	.write = write_svg,
};
