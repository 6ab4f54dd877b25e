/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tags: for each label key, how much was counted with each of its values.
 * A label set counts as a whole, so values are summed for each set first.
 */

#include "base/json.h"
#include "report/report.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct tag {
	struct prof_str key, text;
	int64_t value;
};

struct tag_id {
	uint32_t key, text; /* ids of strings */
	int64_t value;
};

struct tags {
	struct reporting *r;
	struct label_units units;
	struct label_set set;
	struct byte_table texts; /* of numbers, and of keys and values */
	struct interner strings;
	VEC(struct tag_id) ids;
	VEC(struct tag) all;
};

/* Interned here: two numbers may have the same text. */
static bool add_tag(struct tags *t, const struct row_label *label,
                    int64_t value)
{
	const struct prof_profile *p = t->r->p;
	struct prof_str key = profile_string(p, label->key);
	struct prof_str text = profile_string(p, label->str);
	struct measure_text number;
	struct tag_id id = { .value = value };

	if (label->is_number) {
		number = measure_label(label->num,
		                       label_unit(&t->units, p, label->key),
		                       t->r->output_unit);
		text = (struct prof_str){ number.text, strlen(number.text) };
	}
	id.key = intern_bytes(&t->strings, key.ptr, key.len, t->r->a);
	id.text = intern_bytes(&t->strings, text.ptr, text.len, t->r->a);
	if ((id.key == 0 && key.len > 0) || (id.text == 0 && text.len > 0) ||
	    !vec_reserve(&t->ids, 1, t->r->a))
		return false;
	vec_put(&t->ids, id);
	return true;
}

static bool add_set(struct tags *t, uint32_t set, int64_t value)
{
	if (!label_set_read(&t->set, t->r->p, set, t->r->a))
		return false;
	for (size_t i = 0; i < t->set.labels.n; i++)
		if (!add_tag(t, &t->set.labels.data[i], value))
			return false;
	return true;
}

static bool add_sets(struct tags *t)
{
	const struct prof_profile *p = t->r->p;
	size_t n = (size_t)prof_n_label_sets(p) + 1;
	VEC(int64_t) sums = { 0 };
	VEC(bool) is_used = { 0 };
	bool is_ok = vec_reserve(&sums, n, t->r->a) &&
	             vec_reserve(&is_used, n, t->r->a);

	if (is_ok) {
		memset(sums.data, 0, n * sizeof(*sums.data));
		memset(is_used.data, 0, n);
	}
	for (size_t i = 0; is_ok && i < p->samples.n; i++) {
		uint32_t set = p->samples.data[i].label_set;

		is_used.data[set] = true;
		sums.data[set] = measure_add(sums.data[set],
			p->values.data[i * p->sample_types.n + t->r->column]);
	}
	for (uint32_t i = 1; is_ok && i < n; i++)
		if (is_used.data[i])
			is_ok = add_set(t, i, sums.data[i]);
	vec_release(&sums, t->r->a);
	vec_release(&is_used, t->r->a);
	return is_ok;
}

static int compare_ids(const void *l, const void *r)
{
	const struct tag_id *a = l, *b = r;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->text > b->text) - (a->text < b->text);
}

static int compare_tags(const void *l, const void *r)
{
	const struct tag *a = l, *b = r;
	int64_t va = measure_abs(a->value), vb = measure_abs(b->value);
	int order = str_compare(a->key, b->key);

	if (order != 0)
		return order;
	if (va != vb)
		return va > vb ? -1 : 1;
	return str_compare(a->text, b->text);
}

/* One tag for each key and text, in the order they are printed. */
static bool merge_tags(struct tags *t)
{
	const struct tag_id *ids = t->ids.data;

	if (t->ids.n > 1)
		qsort(t->ids.data, t->ids.n, sizeof(*ids), compare_ids);
	if (!vec_reserve(&t->all, t->ids.n, t->r->a))
		return false;
	for (size_t i = 0; i < t->ids.n; i++) {
		struct tag *last = t->all.data + t->all.n - 1;

		if (i > 0 && compare_ids(&ids[i], &ids[i - 1]) == 0) {
			last->value = measure_add(last->value, ids[i].value);
			continue;
		}
		vec_put(&t->all, (struct tag){
			byte_table_get(&t->texts, ids[i].key),
			byte_table_get(&t->texts, ids[i].text),
			ids[i].value });
	}
	if (t->all.n > 1)
		qsort(t->all.data, t->all.n, sizeof(*t->all.data),
		      compare_tags);
	return true;
}

/* ---- Printing ---- */

/* As wide as a terminal shows it: code points. */
static size_t width(struct prof_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

static void put_right(struct output *out, struct prof_str s, size_t column)
{
	for (size_t i = width(s); i < column; i++)
		output_char(out, ' ');
	output_str(out, s);
}

/* "1.01s (90.18%):", its length in *size. */
static struct measure_text tag_cell(const struct reporting *r, int64_t value)
{
	struct measure_text v = report_value(r, value), cell;
	struct measure_text share = measure_percentage(value, r->total);

	snprintf(cell.text, sizeof(cell.text), "%.*s (%.11s):",
	         (int)sizeof(v.text) - 16, v.text, share.text);
	return cell;
}

static struct prof_str str_of(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

/* tags[n] have one key; a column is one wider than its widest cell. */
static void write_key(struct reporting *r, const struct tag *tags, size_t n)
{
	struct measure_text cell, all;
	struct measure_text share;
	size_t column = 0;
	int64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		size_t size;

		cell = tag_cell(r, tags[i].value);
		size = width(str_of(cell.text));
		total = measure_add(total, tags[i].value);
		column = size > column ? size : column;
	}
	column += 1 + width(tags[0].key) + 2;
	output_char(r->out, ' ');
	output_visible(r->out, tags[0].key);
	cell = report_value(r, total);
	all = report_value(r, r->total);
	share = measure_percentage(total, r->total);
	output_printf(r->out, ": Total %s of %s (%s)\n", cell.text, all.text,
	              share.text);
	for (size_t i = 0; i < n; i++) {
		cell = tag_cell(r, tags[i].value);
		put_right(r->out, str_of(cell.text), column);
		output_char(r->out, ' ');
		output_visible(r->out, tags[i].text);
		output_char(r->out, '\n');
	}
	output_char(r->out, '\n');
}

static void write_json_tag(struct output *out, const struct tag *tag,
                           const char *before)
{
	output_text(out, before);
	output_text(out, "{\"value\":");
	json_string(out, tag->text);
	output_text(out, ",\"sum\":");
	output_i64(out, tag->value);
	output_char(out, '}');
}

/* {"unit": ..., "total": ..., "tags": {key: [{"value", "sum"} ...] ...}} */
static void write_json(struct tags *t)
{
	struct output *out = t->r->out;

	output_text(out, "{\"unit\":");
	json_string(out, t->r->unit);
	output_text(out, ",\"total\":");
	output_i64(out, t->r->total);
	output_text(out, ",\"tags\":{");
	for (size_t i = 0; i < t->all.n; i++) {
		const struct tag *tag = &t->all.data[i];

		if (i > 0 && str_compare(tag[-1].key, tag->key) == 0) {
			write_json_tag(out, tag, ",\n ");
			continue;
		}
		output_text(out, i > 0 ? "],\n" : "\n");
		json_string(out, tag->key);
		write_json_tag(out, tag, ":[");
	}
	output_text(out, t->all.n > 0 ? "]\n}}\n" : "}}\n");
}

static void write_all(struct tags *t)
{
	size_t begin = 0;

	while (begin < t->all.n) {
		size_t end = begin;

		while (end < t->all.n &&
		       str_compare(t->all.data[end].key,
		                   t->all.data[begin].key) == 0)
			end++;
		write_key(t->r, t->all.data + begin, end - begin);
		begin = end;
	}
}

static enum prof_status write_tags(struct reporting *r, struct prof_error *err)
{
	struct tags t = { .r = r };
	enum prof_status status = reporting_check_sums(r, err);
	bool is_ok;

	if (status != PROF_OK)
		return status;
	t.strings = (struct interner){ .table = &t.texts,
		                       .seed = hash_seed() };
	is_ok = byte_table_begin(&t.texts, r->a) &&
	        label_units_init(&t.units, r->p, r->a) && add_sets(&t) &&
	        merge_tags(&t);
	if (is_ok && r->o.json)
		write_json(&t);
	else if (is_ok)
		write_all(&t);
	intern_release(&t.strings, r->a);
	byte_table_release(&t.texts, r->a);
	label_units_release(&t.units, r->a);
	label_set_release(&t.set, r->a);
	vec_release(&t.ids, r->a);
	vec_release(&t.all, r->a);
	return is_ok ? PROF_OK : error_nomem(err);
}

const struct report tags_report = {
	.info = { "tags", "what was counted with which labels", false, true },
	.write = write_tags,
};
