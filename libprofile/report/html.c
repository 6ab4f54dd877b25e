/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html: one page that shows the profile in any browser, without a network.
 *
 * The page (page/) is the same for all profiles; the data goes into a script
 * element that is not run, gzip-compressed and in base64, so that nothing in
 * a name can end the element or the page. All numbers are varints:
 *
 *	strings: n, then size and bytes of each
 *	title, header lines (n, then each), sample types (n, then type and
 *	unit of each): strings by number; the type to begin with; 1 if there
 *	is a difference, else 0
 *	frames: n, then name, file, line, mapping's file of each
 *	nodes: n, then of each, in preorder, how many levels up from the node
 *	before its parent is (0: that node itself), and its frame
 *	label sets: n, then of each n and (key, value) pairs; set 0 is empty
 *	samples: n, then of each, by node, how far its node is from the last
 *	one's, its label set, and zigzag values for each sample type
 */

#include "report/page.h"
#include "report/stacks.h"

#include "base/varint.h"

#include <stdlib.h>
#include <string.h>

#define DATA_LEVEL 6
#define BASE64_BLOCK 3072

struct html {
	struct reporting *r;
	struct stack_tree tree;
	struct byte_table strings;
	struct interner interner;
	VEC(uint32_t) header_lines; /* strings */
	VEC(uint32_t) samples;      /* by node, then by label set */
	VEC(uint32_t) sets;         /* of label sets: number; 0: not used */
	VEC(uint32_t) set_order;
	struct label_set set;
	struct label_units units;
	struct output data;
	bool has_failed;
};

static uint32_t string_id(struct html *h, struct prof_str s)
{
	uint32_t id = intern_bytes(&h->interner, s.ptr, s.len, h->r->a);

	if (id == 0 && s.len > 0)
		h->has_failed = true;
	return id;
}

static void put(struct html *h, uint64_t n)
{
	if (output_room(&h->data, VARINT_MAX))
		h->data.p = varint_put(h->data.p, n);
}

static void put_string(struct html *h, struct prof_str s)
{
	put(h, string_id(h, s));
}

/* ---- Samples in order ---- */

static uint32_t sample_node(const struct html *h, uint32_t i)
{
	return h->tree.leaves.data[h->r->p->samples.data[i].stack];
}

static int compare_samples(const void *l, const void *r, void *html)
{
	const struct html *h = html;
	uint32_t a = *(const uint32_t *)l, b = *(const uint32_t *)r;
	uint32_t na = sample_node(h, a), nb = sample_node(h, b);

	if (na == nb) {
		na = h->r->p->samples.data[a].label_set;
		nb = h->r->p->samples.data[b].label_set;
	}
	if (na == nb) {
		na = a;
		nb = b;
	}
	return (na > nb) - (na < nb);
}

static bool sort_samples(struct html *h)
{
	uint32_t n = prof_n_samples(h->r->p);

	if (!vec_reserve(&h->samples, n, h->r->a))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (sample_node(h, i) != GRAPH_NONE)
			vec_put(&h->samples, i);
	if (h->samples.n > 1)
		qsort_r(h->samples.data, h->samples.n, sizeof(uint32_t),
		        compare_samples, h);
	return true;
}

/* Label sets get numbers in the order in which samples have them. */
static bool number_sets(struct html *h)
{
	const struct prof_profile *p = h->r->p;
	size_t n = (size_t)prof_n_label_sets(p) + 1;

	if (!vec_reserve(&h->sets, n, h->r->a) ||
	    !vec_reserve(&h->set_order, n, h->r->a))
		return false;
	memset(h->sets.data, 0, n * sizeof(uint32_t));
	for (size_t i = 0; i < h->samples.n; i++) {
		uint32_t set = p->samples.data[h->samples.data[i]].label_set;

		if (set == 0 || h->sets.data[set] != 0)
			continue;
		vec_put(&h->set_order, set);
		h->sets.data[set] = (uint32_t)h->set_order.n;
	}
	return true;
}

/* ---- The data, part by part ---- */

static void put_frames(struct html *h)
{
	const struct frames *f = &h->tree.graph.frames;

	put(h, f->all.n);
	for (size_t i = 0; i < f->all.n; i++) {
		const struct frame *frame = &f->all.data[i];
		struct prof_str name = frames_name(f, frame);
		int64_t line = frame->line != 0 ? frame->line
		                                : frame->start_line;

		if (frame->name == 0)
			name = byte_table_get(&h->tree.graph.names,
			                      (uint32_t)i + 1);
		put_string(h, name);
		put_string(h, frames_string(f, frame->file));
		put(h, line > 0 ? (uint64_t)line : 0);
		put_string(h, frames_string(f, frame->object));
	}
}

static void put_nodes(struct html *h)
{
	uint32_t depth = UINT32_MAX; /* -1: before the first root */

	put(h, h->tree.nodes.n);
	for (size_t i = 0; i < h->tree.nodes.n; i++) {
		const struct stack_node *node = &h->tree.nodes.data[i];

		put(h, depth + 1 - node->depth);
		put(h, node->frame);
		depth = node->depth;
	}
}

static void put_set(struct html *h, uint32_t set)
{
	const struct prof_profile *p = h->r->p;

	if (!label_set_read(&h->set, p, set, h->r->a)) {
		h->has_failed = true;
		return;
	}
	label_set_drop_base(&h->set, p);
	put(h, h->set.labels.n);
	for (size_t i = 0; i < h->set.labels.n; i++) {
		const struct row_label *l = &h->set.labels.data[i];
		struct measure_text text;
		struct prof_str value = profile_string(p, l->str);

		if (l->is_number) {
			text = measure_label(l->num,
			                     label_unit(&h->units, p, l->key),
			                     (struct prof_str){ "auto", 4 });
			value = (struct prof_str){ text.text,
				                   strlen(text.text) };
		}
		put_string(h, profile_string(p, l->key));
		put_string(h, value);
	}
}

static void put_sets(struct html *h)
{
	put(h, h->set_order.n + 1);
	put(h, 0);
	for (size_t i = 0; i < h->set_order.n; i++)
		put_set(h, h->set_order.data[i]);
}

static void put_samples(struct html *h)
{
	const struct prof_profile *p = h->r->p;
	size_t n_types = p->sample_types.n;
	uint32_t last = 0;

	put(h, h->samples.n);
	for (size_t i = 0; i < h->samples.n; i++) {
		uint32_t sample = h->samples.data[i];
		uint32_t node = sample_node(h, sample);
		const int64_t *values = p->values.data + sample * n_types;

		put(h, node - last);
		put(h, h->sets.data[p->samples.data[sample].label_set]);
		for (size_t c = 0; c < n_types; c++)
			put(h, zigzag(values[c]));
		last = node;
	}
}

static bool is_difference(const struct prof_profile *p)
{
	size_t n = p->samples.n * p->sample_types.n;

	for (size_t i = 0; i < n; i++)
		if (p->values.data[i] < 0)
			return true;
	return false;
}

static struct prof_str find_title(const struct reporting *r)
{
	const struct prof_profile *p = r->p;
	struct prof_str file = { "", 0 };

	if (r->o.title != NULL)
		return (struct prof_str){ r->o.title, strlen(r->o.title) };
	/* The program comes first, but for what the kernel maps. */
	for (size_t i = 1; i < p->mappings.n; i++) {
		file = profile_string(p, p->mappings.data[i].file);
		if (file.len > 0 && file.ptr[0] != '[')
			return path_base(file);
	}
	return (struct prof_str){ "Profile", 7 };
}

static void put_head(struct html *h)
{
	const struct prof_profile *p = h->r->p;

	put_string(h, find_title(h->r));
	put(h, h->header_lines.n);
	for (size_t i = 0; i < h->header_lines.n; i++)
		put(h, h->header_lines.data[i]);
	put(h, p->sample_types.n);
	for (size_t i = 0; i < p->sample_types.n; i++) {
		put_string(h, profile_string(p, p->sample_types.data[i].type));
		put_string(h, profile_string(p, p->sample_types.data[i].unit));
	}
	put(h, h->r->column);
	put(h, is_difference(p));
}

static void add_header_line(void *html, struct prof_str line)
{
	struct html *h = html;

	if (!vec_reserve(&h->header_lines, 1, h->r->a)) {
		h->has_failed = true;
		return;
	}
	vec_put(&h->header_lines, string_id(h, line));
}

/* ---- Base64 ---- */

/* A sink that writes base64 to the report's output. */
struct base64 {
	struct output *out;
	unsigned char left[3];
	size_t n_left;
};

static void put_base64(struct output *out, const unsigned char *from, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                             "abcdefghijklmnopqrstuvwxyz0123456789+/";

	if (!output_room(out, n / 3 * 4))
		return;
	for (; n >= 3; n -= 3, from += 3) {
		uint32_t bits = (uint32_t)from[0] << 16 |
		                (uint32_t)from[1] << 8 | from[2];

		*out->p++ = (unsigned char)digits[bits >> 18];
		*out->p++ = (unsigned char)digits[bits >> 12 & 63];
		*out->p++ = (unsigned char)digits[bits >> 6 & 63];
		*out->p++ = (unsigned char)digits[bits & 63];
	}
}

static int base64_write(void *ctx, const void *buf, size_t size)
{
	struct base64 *b = ctx;
	const unsigned char *from = buf;

	while (size > 0) {
		size_t n = size / 3 * 3;

		if (b->n_left > 0 || n == 0) {
			b->left[b->n_left++] = *from++;
			size--;
			if (b->n_left == 3) {
				put_base64(b->out, b->left, 3);
				b->n_left = 0;
			}
			continue;
		}
		n = n > BASE64_BLOCK ? BASE64_BLOCK : n;
		put_base64(b->out, from, n);
		from += n;
		size -= n;
	}
	return 0;
}

static void base64_end(struct base64 *b)
{
	size_t n = b->n_left;
	unsigned char *mark;

	if (n == 0)
		return;
	while (b->n_left < 3)
		b->left[b->n_left++] = 0;
	put_base64(b->out, b->left, 3);
	mark = b->out->p;
	if (b->out->status != PROF_OK)
		return;
	mark[-1] = '=';
	if (n == 1)
		mark[-2] = '=';
}

/* ---- The page ---- */

/*
 * The strings come first in the data and are known last: so all else is put
 * into memory, then both go through one compressor.
 */
static enum prof_status write_data(struct html *h, struct prof_error *err)
{
	struct prof_buffer rest = { .allocator = h->r->a };
	struct base64 base64 = { .out = h->r->out };
	enum prof_status status;

	output_open(&h->data, prof_sink_buffer(&rest), 0, h->r->a);
	put_head(h);
	put_frames(h);
	put_nodes(h);
	put_sets(h);
	put_samples(h);
	status = output_close(&h->data, err);
	if (status == PROF_OK && h->has_failed)
		status = error_nomem(err);
	if (status != PROF_OK)
		goto done;
	output_open(&h->data,
	            (struct prof_sink){ base64_write, &base64 }, DATA_LEVEL,
	            h->r->a);
	put(h, byte_table_n(&h->strings));
	for (uint32_t i = 0; i < byte_table_n(&h->strings); i++) {
		struct prof_str s = byte_table_get(&h->strings, i);

		put(h, s.len);
		output_bytes(&h->data, s.ptr, s.len);
	}
	output_bytes(&h->data, rest.data, rest.size);
	status = output_close(&h->data, err);
	base64_end(&base64);
done:
	prof_buffer_release(&rest);
	return status;
}

/* Writes the page up to a marker and returns what follows it. */
static const char *write_until(struct output *out, const char *page,
                               const char *marker)
{
	const char *at = strstr(page, marker);

	if (at == NULL) /* not in page.html: there is nothing to put in */
		return page;
	output_bytes(out, page, (size_t)(at - page));
	return at + strlen(marker);
}

/*
 * Of a function there is told where it is. Functions of one name in two files
 * are two, but for a difference: what was built in two folders is one program
 * there.
 */
static unsigned told_parts(const struct reporting *r)
{
	enum prof_granularity granularity = r->o.granularity;
	unsigned parts = frame_parts(granularity) | FRAME_OBJECT;
	bool is_diff = is_difference(r->p);

	if (is_diff)
		parts |= FRAME_ANY_OBJECT;
	if (granularity == PROF_FUNCTIONS)
		parts |= FRAME_FILE | (is_diff ? FRAME_ANY_FILE : 0u);
	if (!r->o.no_inlines)
		parts |= FRAME_INLINED;
	return parts;
}

static bool html_init(struct html *h)
{
	const struct prof_allocator *a = h->r->a;

	h->interner = (struct interner){ .table = &h->strings,
		                         .seed = hash_seed() };
	if (!stack_tree_init(&h->tree, h->r, told_parts(h->r)) ||
	    !byte_table_begin(&h->strings, a) ||
	    !label_units_init(&h->units, h->r->p, a) || !sort_samples(h) ||
	    !number_sets(h))
		return false;
	header_profile(h->r, add_header_line, h);
	return !h->has_failed;
}

static void html_release(struct html *h)
{
	const struct prof_allocator *a = h->r->a;

	stack_tree_release(&h->tree, h->r);
	intern_release(&h->interner, a);
	byte_table_release(&h->strings, a);
	vec_release(&h->header_lines, a);
	vec_release(&h->samples, a);
	vec_release(&h->sets, a);
	vec_release(&h->set_order, a);
	label_set_release(&h->set, a);
	label_units_release(&h->units, a);
}

static enum prof_status write_html(struct reporting *r, struct prof_error *err)
{
	struct html h = { .r = r };
	enum prof_status status;
	const char *page = page_html;

	if (!html_init(&h)) {
		status = error_nomem(err);
		goto done;
	}
	page = write_until(r->out, page, "<!--css-->");
	output_text(r->out, page_css);
	page = write_until(r->out, page, "<!--data-->");
	status = write_data(&h, err);
	page = write_until(r->out, page, "<!--js-->");
	output_text(r->out, page_js);
	output_text(r->out, page);
done:
	html_release(&h);
	return status;
}

const struct report html_report = {
	.info = { "html", "a page with flame graph, table and call graph",
	          false, false },
	.flags = REPORT_ALL_NODES,
	.write = write_html,
};
