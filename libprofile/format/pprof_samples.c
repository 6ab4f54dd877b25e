/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample's packed location ids are taken as they stand: those bytes are
 * the model's stack. Samples wait in batches of 32, so that their stacks and
 * label sets are interned together; a batch points into the window, and is
 * interned before the window moves.
 */
#include "format/pprof_reader.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

static const unsigned char *span_bytes(const struct pprof_reader *g,
                                       const struct span *s)
{
	return s->bytes ? s->bytes : g->ids.data + s->offset;
}

static bool intern_strings(struct pprof_reader *g, struct interner *in,
                           const struct prof_str *strings, uint32_t *ids)
{
	if (intern_batch(in, strings, ids, g->n_batch, g->a))
		return true;
	if (in->table->bytes.n > UINT32_MAX / 2)
		return pprof_fail(g, PROF_LIMIT, g->in->p,
		                  "more than 4 GiB of stacks or label sets");
	return pprof_fail_nomem(g);
}

static bool intern_stacks(struct pprof_reader *g, uint32_t *ids)
{
	struct prof_str strings[INTERN_BATCH];

	for (size_t i = 0; i < g->n_batch; i++)
		strings[i] = (struct prof_str){
			(const char *)span_bytes(g, &g->stacks[i]),
			g->stacks[i].size };
	return intern_strings(g, &g->b->stacks, strings, ids);
}

static bool intern_label_sets(struct pprof_reader *g, uint32_t *ids)
{
	struct prof_str strings[INTERN_BATCH];
	size_t begin = 0;

	for (size_t i = 0; i < g->n_batch; begin = g->label_set_ends[i++])
		strings[i] = (struct prof_str){
			(const char *)g->labels.data + begin,
			g->label_set_ends[i] - begin };
	return intern_strings(g, &g->b->label_sets, strings, ids);
}

/* Interns the samples that wait. */
bool pprof_flush_batch(struct pprof_reader *g)
{
	uint32_t stacks[INTERN_BATCH], label_sets[INTERN_BATCH];

	if (g->n_batch == 0)
		return true;
	if (!intern_stacks(g, stacks) || !intern_label_sets(g, label_sets))
		return false;
	if (g->p->samples.n > UINT32_MAX - 1 - g->n_batch)
		return pprof_fail(g, PROF_LIMIT, g->in->p,
		                  "more than 2^32 samples");
	if (!vec_reserve(&g->p->samples, g->n_batch, g->a))
		return pprof_fail_nomem(g);
	for (size_t i = 0; i < g->n_batch; i++)
		vec_put(&g->p->samples,
		        (struct row_sample){ stacks[i], label_sets[i] });
	g->n_batch = 0;
	g->ids.n = 0;
	g->labels.n = 0;
	return true;
}

/*
 * Adds location ids to a stack that has some already. One that ends where
 * g->ids does grows there: unpacked ids come one by one, and a copy of the
 * stack for each would be quadratic.
 */
static bool append_ids(struct pprof_reader *g, struct span *stack,
                       const unsigned char *bytes, size_t size)
{
	const bool is_last = !stack->bytes && stack->size &&
		stack->offset + stack->size == g->ids.n;
	const size_t kept = is_last ? 0 : stack->size; /* to be copied */

	if (!vec_reserve(&g->ids, kept + size, g->a))
		return pprof_fail_nomem(g);
	if (!is_last) {
		if (kept)
			memcpy(g->ids.data + g->ids.n, span_bytes(g, stack),
			       kept);
		*stack = (struct span){ NULL, g->ids.n, kept };
		g->ids.n += kept;
	}
	if (size)
		memcpy(g->ids.data + g->ids.n, bytes, size);
	g->ids.n += size;
	stack->size += size;
	return true;
}

static bool take_location_ids(struct pprof_reader *g, struct span *stack,
                              const struct field *f)
{
	unsigned char id[VARINT_MAX];

	if (f->type == WIRE_VARINT)
		return append_ids(g, stack, id,
		                  (size_t)(varint_put(id, f->value) - id));
	if (f->type != WIRE_BYTES)
		return false;
	if (f->value && f->bytes[f->value - 1] >= 0x80)
		return pprof_fail(g, PROF_CORRUPT, f->bytes,
		                  "a location id in a sample is cut off");
	if (stack->size)
		return append_ids(g, stack, f->bytes, (size_t)f->value);
	stack->bytes = f->bytes;
	stack->size = (size_t)f->value;
	return true;
}

static bool take_values(struct pprof_reader *g, const struct field *f)
{
	const unsigned char *p = f->bytes;
	uint64_t value;

	if (f->type == WIRE_VARINT) {
		if (!vec_reserve(&g->p->values, 1, g->a))
			return pprof_fail_nomem(g);
		vec_put(&g->p->values, (int64_t)f->value);
		return true;
	}
	if (f->type != WIRE_BYTES)
		return false;
	if (!vec_reserve(&g->p->values, f->value, g->a))
		return pprof_fail_nomem(g);
	while (p < f->bytes + f->value) {
		p = varint_get_padded(p, &value);
		if (!p || p > f->bytes + f->value)
			return pprof_fail(g, PROF_CORRUPT, f->bytes,
			                  "malformed value in a sample");
		vec_put(&g->p->values, (int64_t)value);
	}
	return true;
}

struct label_message {
	uint32_t key, str, unit;
	int64_t num;
};

static bool take_label_field(struct pprof_reader *g, void *message,
                             const struct field *f)
{
	struct label_message *label = message;

	switch (f->number) {
	case LABEL_KEY:
		return take_string(g, f, &label->key);
	case LABEL_STR:
		return take_string(g, f, &label->str);
	case LABEL_NUM:
		return take_int(f, &label->num);
	case LABEL_NUM_UNIT:
		return take_string(g, f, &label->unit);
	default:
		return true;
	}
}

static inline void note_string(struct pprof_reader *g, uint32_t id)
{
	if (id > g->b->max_label_string)
		g->b->max_label_string = id;
}

/* A label with a string is a string label, whatever else it has. */
static bool take_label(struct pprof_reader *g, const struct field *f)
{
	struct label_message m = { 0 };
	struct row_label row;

	if (f->type != WIRE_BYTES)
		return false;
	if (!read_message(g, f->bytes, f->bytes + f->value, take_label_field,
	                  &m, "label"))
		return false;
	row = (struct row_label){
		.key = m.key,
		.str = m.str ? m.str : m.unit,
		.is_number = m.str == 0,
		.num = m.num,
	};
	note_string(g, row.key);
	note_string(g, row.str);
	if (!vec_reserve(&g->labels, LABEL_PACKED_MAX, g->a))
		return pprof_fail_nomem(g);
	g->labels.n = (size_t)(label_pack(g->labels.data + g->labels.n, &row) -
	                       g->labels.data);
	return true;
}

/* The number of values is that of the first sample for all. */
static bool check_width(struct pprof_reader *g, size_t n,
                        const unsigned char *at)
{
	const uint64_t n_samples = g->p->samples.n + g->n_batch;
	uint64_t place;

	if (n_samples == 0 && n)
		g->width = n;
	if (n == g->width && n)
		return true;
	if (g->status != PROF_OK)
		return false;
	place = input_offset(g->in) + (uint64_t)(at - g->in->p);
	if (n == g->width)
		g->status = error_at(g->err, PROF_CORRUPT, place,
		                     "sample %" PRIu64 " has no values",
		                     n_samples);
	else
		g->status = error_at(g->err, PROF_CORRUPT, place,
		                     "sample %" PRIu64 " has %zu values, not %zu",
		                     n_samples, n, g->width);
	return false;
}

static inline bool take_sample_field(struct pprof_reader *g,
                                     struct span *stack, uint32_t *n_labels,
                                     const struct field *f)
{
	switch (f->number) {
	case SAMPLE_LOCATION_ID:
		return take_location_ids(g, stack, f);
	case SAMPLE_VALUE:
		return take_values(g, f);
	case SAMPLE_LABEL:
		++*n_labels;
		g->n_items++;
		return take_label(g, f);
	default:
		return true;
	}
}

bool pprof_read_sample(struct pprof_reader *g, const unsigned char *p,
                       const unsigned char *end)
{
	const unsigned char *const begin = p;
	const size_t values_before = g->p->values.n;
	struct span *const stack = &g->stacks[g->n_batch];
	uint32_t n_labels = 0;
	struct field f;

	*stack = (struct span){ 0 };
	while (p < end) {
		const unsigned char *const at = p;

		p = next_field(p, end, &f);
		if (!p || !take_sample_field(g, stack, &n_labels, &f))
			return pprof_fail_in(
				g, at, p ? "field of the wrong type" :
				"malformed field", "sample");
	}
	if (!check_width(g, g->p->values.n - values_before, begin))
		return false;
	if (n_labels > g->p->max_labels)
		g->p->max_labels = n_labels;
	g->label_set_ends[g->n_batch] = g->labels.n;
	return ++g->n_batch < INTERN_BATCH || pprof_flush_batch(g);
}
