/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why there are two forms: profiles keep the labels of a sample in order, and
 * a map of lists is what people want to read; nearly always it tells the
 * order too. Where it would not, nothing may be lost, so the list is used.
 */
#include "format/yaml_labels.h"

#include "base/error.h"

#include <string.h>

/* ---- Reading ---- */

static void add_label(struct yaml_reader *r, struct yaml_labels *l,
                      const struct yaml_label *label)
{
	if (r->status)
		return;
	if (l->rows.n >= r->limits->max_labels) {
		yaml_fail(r, PROF_LIMIT, "more labels than max_labels (%llu)",
		          (unsigned long long)r->limits->max_labels);
		return;
	}
	if (!vec_reserve(&l->rows, 1, r->allocator)) {
		yaml_fail_nested(r, error_nomem(r->err));
		return;
	}
	vec_put(&l->rows, *label);
}

static void read_string_label(struct yaml_reader *r, struct yaml_labels *l,
                              struct yaml_text key)
{
	struct yaml_label label = { .key = key };

	label.str = yaml_keep(r, yaml_string(r, "the value of a label"));
	add_label(r, l, &label);
}

static void read_number_label(struct yaml_reader *r, struct yaml_labels *l,
                              struct yaml_text key)
{
	struct yaml_label label = { .key = key, .is_number = true };
	struct prof_str unit;

	label.num = yaml_number_with_unit(r, "the value of a numeric label",
	                                  &unit);
	label.unit = yaml_keep(r, unit);
	add_label(r, l, &label);
}

/* Not more of a string than is of use in a message; it has no '\0'. */
static int shown_size(struct prof_str s)
{
	return (int)(s.len < 60 ? s.len : 60);
}

/* A key of a map of labels, of which those from row `first` are before it. */
static struct yaml_text read_label_key(struct yaml_reader *r,
                                       const struct yaml_labels *l,
                                       size_t first)
{
	const struct yaml_text key =
		yaml_keep(r, yaml_string(r, "the key of a label"));
	const struct prof_str name = yaml_kept(r, key);

	for (size_t i = first; i < l->rows.n; i++) {
		struct prof_str other = yaml_kept(r, l->rows.data[i].key);

		if (other.len == name.len &&
		    memcmp(other.ptr, name.ptr, name.len) == 0)
			yaml_fail(r, PROF_CORRUPT, "a label's key that is "
			          "there twice: %.*s", shown_size(name),
			          name.ptr);
	}
	return key;
}

/* {key: value, key: [value, value]}, each value read by read_one. */
static void read_map(struct yaml_reader *r, struct yaml_labels *l,
                     void (*read_one)(struct yaml_reader *,
                                      struct yaml_labels *,
                                      struct yaml_text))
{
	const size_t first = l->rows.n;

	if (!yaml_begin_map(r, "a set of labels"))
		return;
	while (yaml_more(r)) {
		struct yaml_text key = read_label_key(r, l, first);
		size_t before = l->rows.n;

		if (yaml_next_shape(r) != YAML_SHAPE_LIST) {
			read_one(r, l, key);
			continue;
		}
		yaml_begin_list(r, "a label");
		while (yaml_more(r))
			read_one(r, l, key);
		if (l->rows.n == before)
			yaml_fail(r, PROF_CORRUPT, "a label has no value");
	}
}

/* [number, unit] */
static void read_number_and_unit(struct yaml_reader *r, struct yaml_labels *l,
                                 struct yaml_text key)
{
	struct yaml_label label = { .key = key, .is_number = true };

	yaml_begin_list(r, "a label");
	label.num = yaml_i64(r, "the first of a label's [number, unit]");
	label.unit = yaml_keep(r, yaml_string(r, "the unit of a label"));
	if (yaml_more(r))
		yaml_fail(r, PROF_CORRUPT, "a label in a list of labels is "
		          "a string, a number or [number, unit]");
	add_label(r, l, &label);
}

/* One {key: value} of a list of labels. */
static void read_listed_label(struct yaml_reader *r, struct yaml_labels *l)
{
	struct yaml_text key;

	if (!yaml_begin_map(r, "a label in a list of labels"))
		return;
	key = yaml_keep(r, yaml_string(r, "the key of a label"));
	if (yaml_next_shape(r) == YAML_SHAPE_LIST)
		read_number_and_unit(r, l, key);
	else if (yaml_next_is_number(r))
		read_number_label(r, l, key);
	else
		read_string_label(r, l, key);
	if (yaml_more(r))
		yaml_fail(r, PROF_CORRUPT,
		          "a label in a list of labels has one key");
}

void yaml_read_labels(struct yaml_reader *r, struct yaml_labels *l)
{
	if (yaml_next_shape(r) != YAML_SHAPE_LIST) {
		read_map(r, l, read_string_label);
		return;
	}
	yaml_begin_list(r, "labels");
	while (yaml_more(r))
		read_listed_label(r, l);
}

void yaml_read_num_labels(struct yaml_reader *r, struct yaml_labels *l)
{
	read_map(r, l, read_number_label);
}

const struct prof_label *yaml_label_views(struct yaml_reader *r,
                                          struct yaml_labels *l)
{
	l->views.n = 0;
	if (r->status || l->rows.n == 0)
		return NULL;
	if (!vec_reserve(&l->views, l->rows.n, r->allocator)) {
		yaml_fail_nested(r, error_nomem(r->err));
		return NULL;
	}
	for (size_t i = 0; i < l->rows.n; i++) {
		const struct yaml_label *row = &l->rows.data[i];
		struct prof_label view = { .key = yaml_kept(r, row->key),
		                           .num = row->num,
		                           .unit = yaml_kept(r, row->unit) };

		if (!row->is_number)
			view.str = yaml_kept(r, row->str);
		vec_put(&l->views, view);
	}
	return l->views.data;
}

void yaml_labels_release(struct yaml_labels *l,
                         const struct prof_allocator *a)
{
	vec_release(&l->rows, a);
	vec_release(&l->views, a);
}

/* ---- Writing ---- */

static bool is_number(const struct prof_label *label)
{
	return !label->str.ptr;
}

static bool same_key(const struct prof_label *a, const struct prof_label *b)
{
	return a->key.len == b->key.len &&
		memcmp(a->key.ptr, b->key.ptr, a->key.len) == 0;
}

/*
 * Whether the two maps tell all of the set: strings stand before numbers, and
 * the labels of a key stand together.
 */
static bool fits_maps(const struct prof_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_number(&labels[i]) && !yaml_is_utf8(labels[i].unit))
			return false;
		if (i == 0)
			continue;
		if (is_number(&labels[i - 1]) > is_number(&labels[i]))
			return false;
		if (same_key(&labels[i - 1], &labels[i]))
			continue;
		for (size_t j = i - 1; j-- > 0;)
			if (is_number(&labels[j]) == is_number(&labels[i]) &&
			    same_key(&labels[j], &labels[i]))
				return false;
	}
	return true;
}

static void put_value(struct output *out, const struct prof_label *label)
{
	if (is_number(label))
		yaml_put_number_with_unit(out, label->num, label->unit);
	else
		yaml_put_string(out, label->str);
}

/* labels[n], of which those of one key stand together. */
static void put_map(struct output *out, const struct prof_label *labels,
                    size_t n)
{
	output_char(out, '{');
	for (size_t i = 0; i < n; i++) {
		if (i && same_key(&labels[i - 1], &labels[i])) {
			output_text(out, ", ");
		} else {
			output_text(out, i ? "], " : "");
			yaml_put_key(out, labels[i].key);
			output_char(out, '[');
		}
		put_value(out, &labels[i]);
	}
	output_text(out, n ? "]}" : "}");
}

static void put_list(struct output *out, const struct prof_label *labels,
                     size_t n)
{
	output_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		output_text(out, i ? ", {" : "{");
		yaml_put_key(out, labels[i].key);
		if (is_number(&labels[i]) && labels[i].unit.len) {
			output_char(out, '[');
			yaml_put_i64(out, labels[i].num);
			output_text(out, ", ");
			yaml_put_string(out, labels[i].unit);
			output_char(out, ']');
		} else {
			put_value(out, &labels[i]);
		}
		output_char(out, '}');
	}
	output_char(out, ']');
}

void yaml_put_labels(struct yaml_flow *f, const struct prof_label *labels,
                     size_t n)
{
	size_t n_strings = 0;

	if (!fits_maps(labels, n)) {
		yaml_field(f, "labels");
		put_list(f->out, labels, n);
		return;
	}
	while (n_strings < n && !is_number(&labels[n_strings]))
		n_strings++;
	if (n_strings) {
		yaml_field(f, "labels");
		put_map(f->out, labels, n_strings);
	}
	if (n_strings < n) {
		yaml_field(f, "num");
		put_map(f->out, labels + n_strings, n - n_strings);
	}
}
