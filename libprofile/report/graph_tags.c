/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags of a graph's nodes: how much of a node came from samples with
 * which labels. Only pictures of the graph show them, so they are counted in
 * a walk of their own, sample by sample, since samples with equal stacks
 * differ in their labels.
 *
 * Of numeric labels only "bytes" becomes tags, as in pprof.
 */

#include "report/graph.h"
#include "report/labels.h"
#include "base/measure.h"

#include <stdlib.h>
#include <string.h>

/* What one label set contributes: its strings as one text, and numbers. */
struct set_tags {
	uint32_t labels;
	uint32_t first, n; /* of numbers[] */
	bool is_known;
};

struct set_number {
	uint32_t text;
	int64_t number;
};

struct tag_maker {
	struct graph *g;
	struct interner texts;
	struct label_set set;
	VEC(struct set_tags) sets;
	VEC(struct set_number) numbers;
	VEC(char) joined;
	VEC(uint32_t) seen; /* for each node: the last sample + 1 */
	struct hash_index index;
	uint64_t seed;
};

static bool intern_text(struct tag_maker *m, uint32_t *out, const char *text,
                        size_t size)
{
	*out = intern_bytes(&m->texts, text, size, m->g->allocator);
	return size == 0 || *out != 0;
}

static int compare_label_text(const void *l, const void *r, void *profile)
{
	const struct row_label *a = l, *b = r;
	int order = str_compare(profile_string(profile, a->key),
	                        profile_string(profile, b->key));

	return order != 0 ? order
	                  : str_compare(profile_string(profile, a->str),
	                                profile_string(profile, b->str));
}

/* Appends, with what graphviz takes for syntax made harmless. */
static bool join_text(struct tag_maker *m, struct prof_str s)
{
	if (!vec_reserve(&m->joined, 2 * s.len + 2, m->g->allocator))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			vec_put(&m->joined, '\\');
		vec_put(&m->joined, s.ptr[i]);
	}
	return true;
}

/* "key:value\nkey:value" of the string labels, the \n as two characters. */
static bool join_labels(struct tag_maker *m, uint32_t *out)
{
	const struct prof_profile *p = m->g->p;
	size_t n = 0;

	label_set_drop_base(&m->set, p);
	while (n < m->set.labels.n && !m->set.labels.data[n].is_number)
		n++;
	if (n > 1)
		qsort_r(m->set.labels.data, n, sizeof(*m->set.labels.data),
		        compare_label_text, (void *)(uintptr_t)p);
	m->joined.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct row_label *label = &m->set.labels.data[i];

		if (!vec_reserve(&m->joined, 3, m->g->allocator))
			return false;
		if (i > 0) {
			vec_put(&m->joined, '\\');
			vec_put(&m->joined, 'n');
		}
		if (!join_text(m, profile_string(p, label->key)))
			return false;
		vec_put(&m->joined, ':');
		if (!join_text(m, profile_string(p, label->str)))
			return false;
	}
	return intern_text(m, out, m->joined.data, m->joined.n);
}

static bool add_numbers(struct tag_maker *m, struct set_tags *tags)
{
	const struct graph *g = m->g;

	tags->first = (uint32_t)m->numbers.n;
	for (size_t i = 0; i < m->set.labels.n; i++) {
		const struct row_label *label = &m->set.labels.data[i];
		struct measure_text text;
		struct set_number number = { .number = label->num };

		if (!label->is_number ||
		    !str_equals(profile_string(g->p, label->key), "bytes"))
			continue;
		text = measure_label(label->num, g->o.bytes_unit,
		                     g->o.tag_unit);
		if (!vec_reserve(&m->numbers, 1, g->allocator) ||
		    !intern_text(m, &number.text, text.text,
		                 strlen(text.text)))
			return false;
		vec_put(&m->numbers, number);
		tags->n++;
	}
	return true;
}

static const struct set_tags *find_set(struct tag_maker *m, uint32_t set)
{
	struct set_tags *tags = &m->sets.data[set];

	if (tags->is_known)
		return tags;
	tags->is_known = true;
	if (!label_set_read(&m->set, m->g->p, set, m->g->allocator) ||
	    !join_labels(m, &tags->labels) || !add_numbers(m, tags))
		return NULL;
	return tags;
}

/* The tag with the same node and texts, new if need be; NULL: no memory. */
static struct graph_tag *find_tag(struct tag_maker *m,
                                  const struct graph_tag *like)
{
	struct graph *g = m->g;
	uint32_t key[3] = { like->node, like->labels, like->text }, id;
	uint64_t hash = hash_bytes(key, sizeof(key), m->seed);
	size_t slot;

	if (!hash_index_reserve(&m->index, 1, g->allocator) ||
	    !vec_reserve(&g->tags, 1, g->allocator))
		return NULL;
	for (slot = hash_index_first(&m->index, hash);
	     (id = m->index.slots[slot].id) != 0;
	     slot = hash_index_next(&m->index, slot)) {
		struct graph_tag *tag = &g->tags.data[id - 1];

		if (tag->node == like->node && tag->labels == like->labels &&
		    tag->text == like->text)
			return tag;
	}
	vec_put(&g->tags, *like);
	hash_index_put(&m->index, slot, hash, (uint32_t)g->tags.n);
	return &g->tags.data[g->tags.n - 1];
}

enum tag_part { TAG_FLAT, TAG_CUM };

static bool count_tag(struct tag_maker *m, const struct graph_tag *like,
                      struct weight w, enum tag_part part)
{
	struct graph_tag *tag = find_tag(m, like);

	if (tag == NULL)
		return false;
	weight_add(part == TAG_FLAT ? &tag->flat : &tag->cum, w);
	return true;
}

static bool count_node(struct tag_maker *m, uint32_t node,
                       const struct set_tags *tags, struct weight w,
                       enum tag_part part)
{
	struct graph_tag like = { .node = node, .labels = tags->labels };

	if (tags->labels != 0 && !count_tag(m, &like, w, part))
		return false;
	for (uint32_t i = 0; i < tags->n; i++) {
		like.text = m->numbers.data[tags->first + i].text;
		like.number = m->numbers.data[tags->first + i].number;
		if (!count_tag(m, &like, w, part))
			return false;
	}
	return true;
}

static bool count_sample(struct tag_maker *m, struct graph_path *path,
                         uint32_t sample, struct weight w)
{
	struct graph *g = m->g;
	const struct row_sample *row = &g->p->samples.data[sample];
	const struct set_tags *tags = find_set(m, row->label_set);
	uint32_t leaf = GRAPH_NONE;

	if (tags == NULL || !graph_find_path(g, path, row->stack))
		return false;
	for (size_t i = 0; i < path->steps.n; i++) {
		leaf = path->steps.data[i].node;
		if (m->seen.data[leaf] == sample + 1)
			continue;
		m->seen.data[leaf] = sample + 1;
		if (!count_node(m, leaf, tags, w, TAG_CUM))
			return false;
	}
	return !path->has_leaf || count_node(m, leaf, tags, w, TAG_FLAT);
}

static bool count_samples(struct tag_maker *m, struct graph_path *path)
{
	const struct prof_profile *p = m->g->p;
	const struct graph_options *o = &m->g->o;
	const int64_t *values = p->values.data;

	for (uint32_t i = 0; i < p->samples.n;
	     i++, values += p->sample_types.n) {
		struct weight w = { values[o->value_column], 0 };

		if (o->divisor_column != GRAPH_NONE)
			w.divisor = values[o->divisor_column];
		if (p->samples.data[i].label_set == 0 ||
		    (w.value == 0 && w.divisor == 0))
			continue;
		if (!count_sample(m, path, i, w))
			return false;
	}
	return true;
}

static int compare_nodes(const void *l, const void *r)
{
	const struct graph_tag *a = l, *b = r;

	return (a->node > b->node) - (a->node < b->node);
}

static bool tag_maker_init(struct tag_maker *m, struct graph *g)
{
	const struct prof_allocator *a = g->allocator;
	size_t n_sets = (size_t)prof_n_label_sets(g->p) + 1;

	*m = (struct tag_maker){ .g = g, .seed = hash_seed() };
	m->texts = (struct interner){ .table = &g->tag_texts,
		                      .seed = m->seed };
	byte_table_release(&g->tag_texts, a);
	g->tags.n = 0;
	if (!byte_table_begin(&g->tag_texts, a) ||
	    !vec_reserve(&m->sets, n_sets, a) ||
	    !vec_reserve(&m->seen, g->nodes.n + 1, a))
		return false;
	memset(m->sets.data, 0, n_sets * sizeof(*m->sets.data));
	memset(m->seen.data, 0, (g->nodes.n + 1) * sizeof(*m->seen.data));
	return true;
}

bool graph_add_tags(struct graph *g, struct graph_path *path)
{
	const struct prof_allocator *a = g->allocator;
	struct tag_maker m;
	bool is_ok = tag_maker_init(&m, g) && count_samples(&m, path);

	if (g->tags.n > 1)
		qsort(g->tags.data, g->tags.n, sizeof(*g->tags.data),
		      compare_nodes);
	label_set_release(&m.set, a);
	intern_release(&m.texts, a);
	vec_release(&m.sets, a);
	vec_release(&m.numbers, a);
	vec_release(&m.joined, a);
	vec_release(&m.seen, a);
	hash_index_release(&m.index, a);
	return is_ok;
}
