/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traces: each stack with its labels, in the profile's order. Samples that
 * differ in their values alone are one, as they are for pprof.
 */

#include "base/varint.h"
#include "report/report.h"

#include <string.h>

#define SEPARATOR                                                             \
	"-----------+-------------------------------------------------------\n"

/* Samples with one stack and one set of labels: the first, and the sum. */
struct trace {
	struct row_sample key;
	struct weight sum;
};

struct traces {
	struct reporting *r;
	struct frames frames;
	struct byte_table names; /* of frame i: string i + 1 */
	struct label_units units;
	struct label_set set;
	VEC(struct trace) all;   /* by first appearance */
	struct hash_index index; /* of all */
	uint64_t seed;
};

static void put_right(struct output *out, struct prof_str s)
{
	for (size_t i = s.len; i < 10; i++)
		output_char(out, ' ');
	output_visible(out, s);
}

static void write_label_value(struct traces *t, const struct row_label *label)
{
	struct measure_text text;

	if (!label->is_number) {
		output_visible(t->r->out,
		               profile_string(t->r->p, label->str));
		return;
	}
	text = measure_label(label->num,
	                     label_unit(&t->units, t->r->p, label->key),
	                     (struct prof_str){ "auto", 4 });
	output_text(t->r->out, text.text);
}

/* A line for each key, with all its values. */
static bool write_labels(struct traces *t, uint32_t set)
{
	const struct prof_profile *p = t->r->p;
	const struct row_label *last = NULL;

	if (!label_set_read(&t->set, p, set, t->r->a))
		return false;
	for (size_t i = 0; i < t->set.labels.n; i++) {
		const struct row_label *label = &t->set.labels.data[i];

		if (last == NULL || last->key != label->key ||
		    last->is_number != label->is_number) {
			output_text(t->r->out, last == NULL ? "" : "\n");
			put_right(t->r->out, profile_string(p, label->key));
			output_text(t->r->out, ":  ");
		} else {
			output_char(t->r->out, ' ');
		}
		write_label_value(t, label);
		last = label;
	}
	if (last != NULL)
		output_char(t->r->out, '\n');
	return true;
}

static void write_frames(struct traces *t, uint32_t location,
                         const char **value)
{
	const struct frames *f = &t->frames;
	uint32_t end = f->first.data[location + 1];

	for (uint32_t i = f->first.data[location]; i < end; i++) {
		if (*value != NULL)
			output_printf(t->r->out, "%10s   ", *value);
		else
			output_bytes(t->r->out, "             ", 13);
		*value = NULL;
		output_visible(t->r->out, byte_table_get(&t->names,
		                                         f->lines.data[i] + 1));
		output_text(t->r->out, i + 1 < end ? " (inline)\n" : "\n");
	}
}

static bool is_zero(const struct prof_profile *p, const int64_t *values)
{
	for (size_t i = 0; i < p->sample_types.n; i++)
		if (values[i] != 0)
			return false;
	return true;
}

/* The trace with this key, new if need be; NULL: no memory. */
static struct trace *find_trace(struct traces *t, struct row_sample key)
{
	uint64_t hash = hash_bytes(&key, sizeof(key), t->seed);
	const struct prof_allocator *a = t->r->a;
	uint32_t id;
	size_t slot;

	if (!hash_index_reserve(&t->index, 1, a) ||
	    !vec_reserve(&t->all, 1, a))
		return NULL;
	for (slot = hash_index_first(&t->index, hash);
	     (id = t->index.slots[slot].id) != 0;
	     slot = hash_index_next(&t->index, slot))
		if (!memcmp(&t->all.data[id - 1].key, &key, sizeof(key)))
			return &t->all.data[id - 1];
	vec_put(&t->all, (struct trace){ .key = key });
	hash_index_put(&t->index, slot, hash, (uint32_t)t->all.n);
	return &t->all.data[t->all.n - 1];
}

static bool add_samples(struct traces *t)
{
	const struct reporting *r = t->r;
	const struct prof_profile *p = r->p;
	const int64_t *values = p->values.data;

	for (size_t i = 0; i < p->samples.n;
	     i++, values += p->sample_types.n) {
		struct weight w = { values[r->column],
			            r->o.mean ? values[0] : 0 };
		struct trace *trace;

		if (is_zero(p, values))
			continue;
		trace = find_trace(t, p->samples.data[i]);
		if (trace == NULL)
			return false;
		weight_add(&trace->sum, w);
	}
	return true;
}

static bool write_trace(struct traces *t, const struct trace *trace)
{
	struct reporting *r = t->r;
	struct prof_str packed = byte_table_get(&r->p->stacks,
	                                        trace->key.stack);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;
	struct measure_text text = report_value(r, weight_mean(trace->sum));
	const char *value = text.text;

	if (at == end)
		return true;
	output_text(r->out, SEPARATOR);
	if (!write_labels(t, trace->key.label_set))
		return false;
	while (at < end) {
		uint32_t location;

		at = varint_get_known(at, &location);
		write_frames(t, location, &value);
	}
	return true;
}

static bool write_samples(struct traces *t)
{
	struct reporting *r = t->r;
	unsigned parts = frame_parts(r->o.granularity);

	if (!r->o.no_inlines)
		parts |= FRAME_INLINED;
	if (!frames_init(&t->frames, r->p, parts, r->o.trim_path,
	                 r->o.source_path, r->a) ||
	    !frames_names(&t->names, &t->frames, NULL) ||
	    !label_units_init(&t->units, r->p, r->a) || !add_samples(t))
		return false;
	for (size_t i = 0; i < t->all.n; i++)
		if (!write_trace(t, &t->all.data[i]))
			return false;
	return true;
}

static enum prof_status write_traces(struct reporting *r,
                                     struct prof_error *err)
{
	struct traces t = { .r = r, .seed = hash_seed() };
	bool is_ok;

	header_profile(r, header_write_line, r);
	is_ok = write_samples(&t);
	output_text(r->out, SEPARATOR);
	frames_release(&t.frames);
	byte_table_release(&t.names, r->a);
	label_units_release(&t.units, r->a);
	label_set_release(&t.set, r->a);
	vec_release(&t.all, r->a);
	hash_index_release(&t.index, r->a);
	return is_ok ? PROF_OK : error_nomem(err);
}

const struct report traces_report = {
	.info = { "traces", "every sample with its labels and stack",
	          false, false },
	.write = write_traces,
};
