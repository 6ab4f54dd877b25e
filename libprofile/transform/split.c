/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One profile for each value of a label.
 *
 * A part is the whole profile with a few of its samples, and is never copied:
 * a merger reads it so and keeps what these samples need.
 */
#include "base/error.h"
#include "model/edit.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct splitting {
	const struct prof_profile *p;
	struct prof_allocator a;
	struct byte_table values;   /* of the label, as text */
	struct interner interner;
	uint32_t *value_of;         /* by label set; 0: without the label */
	uint32_t n_sets;
	uint32_t *order;            /* values by their bytes, from 1 */
	uint32_t n_values;
};

/* The first label of that key: its text in *out; false: there is none. */
static bool find_value(const struct splitting *s, uint32_t set, uint32_t key,
                       char number[64], struct prof_str *out)
{
	const struct prof_str bytes = byte_table_get(&s->p->label_sets, set);
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	const unsigned char *const end = at + bytes.len;
	struct row_label l;

	while (at < end) {
		at = label_unpack(at, &l);
		if (l.key != key)
			continue;
		*out = profile_string(s->p, l.str);
		if (l.is_number) {
			snprintf(number, 64, "%" PRId64 "%.40s", l.num,
			         out->ptr);
			*out = str_of(number);
		}
		return true;
	}
	return false;
}

/* Values that are empty texts count as absent. */
static bool find_values(struct splitting *s, uint32_t key)
{
	char number[64];

	for (uint32_t set = 1; set < s->n_sets; set++) {
		struct prof_str value;

		if (!find_value(s, set, key, number, &value))
			continue;
		s->value_of[set] = intern_bytes(&s->interner, value.ptr,
		                                value.len, &s->a);
		if (!s->value_of[set] && value.len)
			return false;
	}
	return true;
}

static int compare_values(const void *a_, const void *b_, void *ctx)
{
	const struct splitting *s = ctx;
	const struct prof_str a =
		byte_table_get(&s->values, *(const uint32_t *)a_);
	const struct prof_str b =
		byte_table_get(&s->values, *(const uint32_t *)b_);
	const int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static enum prof_status splitting_init(struct splitting *s,
                                       const struct prof_profile *p,
                                       struct prof_str key,
                                       struct prof_error *err)
{
	const uint32_t key_id = edit_find_string(p, key);

	*s = (struct splitting){ .p = p, .a = p->allocator,
	                         .n_sets = byte_table_n(&p->label_sets) };
	s->interner = (struct interner){ &s->values, .seed = hash_seed() };
	s->value_of = mem_zeroed(&s->a, s->n_sets, sizeof(*s->value_of));
	if (!s->value_of || !byte_table_begin(&s->values, &s->a) ||
	    !find_values(s, key_id))
		return error_nomem(err);
	s->n_values = byte_table_n(&s->values);
	s->order = mem_zeroed(&s->a, s->n_values, sizeof(*s->order));
	if (!s->order)
		return error_nomem(err);
	for (uint32_t i = 0; i < s->n_values; i++)
		s->order[i] = i;
	qsort_r(s->order, s->n_values, sizeof(*s->order), compare_values, s);
	return PROF_OK;
}

static void splitting_release(struct splitting *s)
{
	mem_free(&s->a, s->value_of, s->n_sets * sizeof(*s->value_of));
	mem_free(&s->a, s->order, s->n_values * sizeof(*s->order));
	byte_table_release(&s->values, &s->a);
	intern_release(&s->interner, &s->a);
}

/* Puts the samples with a value into part, which has room for all. */
static void take_samples(const struct splitting *s, uint32_t value,
                         struct prof_profile *part)
{
	const size_t width = s->p->sample_types.n;

	part->samples.n = part->values.n = 0;
	for (size_t i = 0; i < s->p->samples.n; i++) {
		const struct row_sample row = s->p->samples.data[i];

		if (s->value_of[row.label_set] != value)
			continue;
		vec_put(&part->samples, row);
		for (size_t k = 0; k < width; k++)
			vec_put(&part->values,
			        s->p->values.data[i * width + k]);
	}
}

static enum prof_status give_part(const struct splitting *s, uint32_t value,
                                  const struct prof_profile *part,
                                  const struct prof_part_taker *taker,
                                  struct prof_error *err)
{
	const struct prof_merge_options options = {
		.size = sizeof(options), .allocator = &s->a };
	struct prof_merger *m = prof_merger_new(&options);
	struct prof_profile *out = NULL;
	enum prof_status status;

	if (!m)
		return error_nomem(err);
	status = prof_merger_add(m, part, 1, err);
	if (status != PROF_OK) {
		prof_merger_free(m);
		return status;
	}
	status = prof_merger_finish(&out, m, err);
	if (status != PROF_OK)
		return status;
	return taker->take(taker->ctx, byte_table_get(&s->values, value), out,
	                   err);
}

enum prof_status prof_split(const struct prof_profile *p, struct prof_str key,
                            const struct prof_part_taker *taker,
                            struct prof_error *err)
{
	struct splitting s;
	struct prof_profile part = *p; /* its own samples, all else p's */
	enum prof_status status = splitting_init(&s, p, key, err);

	memset(&part.samples, 0, sizeof(part.samples));
	memset(&part.values, 0, sizeof(part.values));
	if (status == PROF_OK &&
	    (!vec_reserve(&part.samples, p->samples.n + 1, &s.a) ||
	     !vec_reserve(&part.values, p->values.n + 1, &s.a)))
		status = error_nomem(err);
	for (uint32_t i = 0; i < s.n_values && status == PROF_OK; i++) {
		take_samples(&s, s.order[i], &part);
		if (part.samples.n)
			status = give_part(&s, s.order[i], &part, taker, err);
	}
	vec_release(&part.samples, &s.a);
	vec_release(&part.values, &s.a);
	splitting_release(&s);
	return status;
}
