/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample types of a merge.
 *
 * The sum has a column for each type and unit that any input has, exactly as
 * it is written there; only the end knows which unit is the finest, and adds
 * up the columns of one class. Names that differ in a final "s" and units of
 * one kind are one class, as google/pprof has it. An input may have a class
 * twice: its columns are told apart by their occurrence then, counted in byte
 * order of the names, so that it does not depend on the other inputs.
 *
 * Where all inputs have the same classes in the same order, that order stays.
 * Else it is by name without the final "s" (and not by the whole name, which
 * another input may change).
 */
#include "transform/merger.h"

#include "base/error.h"
#include "model/order.h"

#include <stdlib.h>
#include <string.h>

/* ---- What is one ---- */

/* A name without its final "s". */
static struct prof_str stem(const struct prof_profile *p, uint32_t name)
{
	struct prof_str s = profile_string(p, name);

	if (s.len && s.ptr[s.len - 1] == 's')
		s.len--;
	return s;
}

static int compare_stems(const struct prof_profile *p, uint32_t a, uint32_t b)
{
	const struct prof_str x = stem(p, a);
	const struct prof_str y = stem(p, b);
	const size_t shorter = x.len < y.len ? x.len : y.len;
	const int order = a == b ? 0 : memcmp(x.ptr, y.ptr, shorter);

	return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* By name, then kind of unit, then the unit where its kind is not known. */
static int compare_kinds(const struct prof_profile *p,
                         const struct merge_type *a,
                         const struct merge_type *b)
{
	int order = compare_stems(p, a->type.type, b->type.type);

	if (!order)
		order = (a->unit.kind > b->unit.kind) -
			(a->unit.kind < b->unit.kind);
	if (!order && !a->unit.kind)
		order = string_compare(p, a->type.unit, b->type.unit);
	return order;
}

bool merge_type_is_compatible(const struct prof_profile *p,
                              const struct merge_type *a,
                              const struct merge_type *b)
{
	return compare_kinds(p, a, b) == 0;
}

struct merge_type merge_type_of(const struct prof_merger *m,
                                struct row_value_type in)
{
	const struct row_value_type type = {
		m->string_map.data[in.type], m->string_map.data[in.unit] };

	return (struct merge_type){
		type, measure_find_unit(profile_string(m->sum, type.unit)) };
}

void merge_type_unify(const struct prof_profile *p, struct merge_type *known,
                      const struct merge_type *more)
{
	if (string_compare(p, more->type.type, known->type.type) < 0)
		known->type.type = more->type.type;
	if (more->unit.rank > known->unit.rank ||
	    (more->unit.rank == known->unit.rank &&
	     string_compare(p, more->type.unit, known->type.unit) >= 0))
		return;
	known->type.unit = more->type.unit;
	known->unit = more->unit;
}

bool merge_convert(merge_wide *value, const struct merge_type *from,
                   const struct merge_type *to)
{
	const merge_wide limit = (merge_wide)1 << 100;
	int64_t ratio = 1;

	if (*value != 0 && from->unit.rank != to->unit.rank)
		ratio = measure_ratio(from->unit, to->unit);
	if (!ratio || *value >= limit / ratio || *value <= -limit / ratio)
		return false;
	*value *= ratio;
	return true;
}

/* ---- Columns of an input ---- */

/* Before how many of the input's types of its class type i has been. */
static uint32_t count_before(const struct prof_merger *m, uint32_t i,
                             const struct merge_type *type)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < m->in->sample_types.n; k++) {
		const struct merge_type other =
			merge_type_of(m, m->in->sample_types.data[k]);
		int order;

		if (k == i || !merge_type_is_compatible(m->sum, type, &other))
			continue;
		order = string_compare(m->sum, other.type.type,
		                       type->type.type);
		n += order < 0 || (order == 0 && k < i);
	}
	return n;
}

/* The class of a type; a new one where there is none. False: no memory. */
static bool find_class(struct prof_merger *m, uint32_t *found,
                       const struct merge_type *type, uint32_t occurrence)
{
	uint32_t i = 0;

	while (i < m->classes.n &&
	       (m->classes.data[i].occurrence != occurrence ||
	        !merge_type_is_compatible(m->sum, &m->classes.data[i].type,
	                                  type)))
		i++;
	*found = i;
	if (i < m->classes.n)
		return true;
	if (!vec_reserve(&m->classes, 1, &m->a))
		return merge_fail_nomem(m);
	vec_put(&m->classes, (struct merge_class){ .type = *type,
	                                           .occurrence = occurrence });
	return true;
}

/* Widens every row of the sum by a column of zeros. */
static bool add_column(struct prof_merger *m, const struct merge_column *c)
{
	struct prof_profile *sum = m->sum;
	const size_t n = sum->samples.n;
	const size_t width = m->columns.n;

	if (!vec_reserve(&m->columns, 1, &m->a) ||
	    !vec_reserve(&sum->values, n, &m->a))
		return merge_fail_nomem(m);
	for (size_t i = n; i-- > 0;) {
		int64_t *row = sum->values.data + i * (width + 1);

		memmove(row, sum->values.data + i * width,
		        width * sizeof(*row));
		row[width] = 0;
	}
	sum->values.n = n * (width + 1);
	vec_put(&m->columns, *c);
	return true;
}

static bool find_column(struct prof_merger *m, uint32_t *found,
                        const struct merge_column *c)
{
	uint32_t i = 0;

	while (i < m->columns.n &&
	       (m->columns.data[i].class != c->class ||
	        m->columns.data[i].type.type.type != c->type.type.type ||
	        m->columns.data[i].type.type.unit != c->type.type.unit))
		i++;
	*found = i;
	return i < m->columns.n || add_column(m, c);
}

static bool merge_sample_type(struct prof_merger *m, uint32_t i)
{
	struct merge_column c = {
		merge_type_of(m, m->in->sample_types.data[i]), 0 };
	uint32_t column;

	if (!find_class(m, &c.class, &c.type, count_before(m, i, &c.type)) ||
	    !find_column(m, &column, &c))
		return false;
	merge_type_unify(m->sum, &m->classes.data[c.class].type, &c.type);
	m->classes.data[c.class].n_inputs++;
	if (c.class != i)
		m->types_differ = true;
	vec_put(&m->column_map, column);
	return true;
}

bool merge_sample_types(struct prof_merger *m)
{
	const uint32_t n = (uint32_t)m->in->sample_types.n;
	const size_t n_classes = m->classes.n;

	m->column_map.n = 0;
	if (!vec_reserve(&m->column_map, n, &m->a))
		return merge_fail_nomem(m);
	for (uint32_t i = 0; i < n; i++)
		if (!merge_sample_type(m, i))
			return false;
	if (m->n_inputs && (m->classes.n != n_classes || n != n_classes))
		m->types_differ = true;
	return true;
}

/* ---- The end ---- */

static int compare_classes(const void *a_, const void *b_, void *ctx)
{
	const struct prof_merger *m = ctx;
	const struct merge_class *a = &m->classes.data[*(const uint32_t *)a_];
	const struct merge_class *b = &m->classes.data[*(const uint32_t *)b_];
	const int order = compare_kinds(m->sum, &a->type, &b->type);

	return order ? order :
		(a->occurrence > b->occurrence) - (a->occurrence < b->occurrence);
}

/* The classes that stay, in their order; how many. */
static uint32_t choose_classes(struct prof_merger *m, uint32_t *chosen)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->classes.n; i++)
		if (m->union_of_types ||
		    m->classes.data[i].n_inputs >= m->n_inputs)
			chosen[n++] = i;
	if (m->types_differ)
		qsort_r(chosen, n, sizeof(*chosen), compare_classes, m);
	return n;
}

/* A value and what is beyond its 64 bits; low is what the row has. */
static merge_wide wide_value(const struct prof_merger *m, uint32_t sample,
                             uint32_t column, int64_t low)
{
	return (merge_wide)merge_carry_get(&m->carries, sample, column) *
		((merge_wide)1 << 64) + low;
}

/* Adds up a class in row[columns.n]; false: some column is too large. */
static bool add_up(const struct prof_merger *m, uint32_t sample,
                   const int64_t *row, uint32_t class, merge_wide *sum)
{
	*sum = 0;
	for (uint32_t i = 0; i < m->columns.n; i++) {
		const struct merge_column *c = &m->columns.data[i];
		merge_wide value;

		if (c->class != class)
			continue;
		value = wide_value(m, sample, i, row[i]);
		if (!merge_convert(&value, &c->type,
		                   &m->classes.data[class].type))
			return false;
		*sum += value;
	}
	return true;
}

/* The chosen classes of one row, which may go into the place of another. */
static enum prof_status convert_row(const struct prof_merger *m,
                                    uint32_t sample, const int64_t *row,
                                    const uint32_t *chosen, uint32_t n,
                                    struct merge_carries *carries,
                                    struct prof_error *err)
{
	int64_t *const to = m->sum->values.data + (size_t)sample * n;

	for (uint32_t k = 0; k < n; k++) {
		merge_wide sum;
		int64_t turns;

		if (!add_up(m, sample, row, chosen[k], &sum))
			return error_set(err, PROF_OVERFLOW, "the sum of a "
			                 "sample's values leaves the range of "
			                 "64 bits");
		to[k] = (int64_t)(uint64_t)sum;
		turns = (int64_t)((sum - to[k]) / ((merge_wide)1 << 64));
		if (turns && !merge_carry_add(carries, sample, k, turns, &m->a))
			return error_nomem(err);
	}
	return PROF_OK;
}

/* Rows of the chosen classes, in place: there are no more than columns. */
static enum prof_status convert_rows(struct prof_merger *m,
                                     const uint32_t *chosen, uint32_t n,
                                     struct prof_error *err)
{
	struct prof_profile *sum = m->sum;
	const size_t width = m->columns.n;
	int64_t *row = mem_zeroed(&m->a, width + 1, sizeof(*row));
	struct merge_carries carries = { .index = { 0 } };
	enum prof_status status = PROF_OK;

	if (!row)
		return error_nomem(err);
	for (uint32_t i = 0; i < sum->samples.n && status == PROF_OK; i++) {
		if (width)
			memcpy(row, sum->values.data + i * width,
			       width * sizeof(*row));
		status = convert_row(m, i, row, chosen, n, &carries, err);
	}
	sum->values.n = sum->samples.n * n;
	merge_carries_release(&m->carries, &m->a);
	m->carries = carries;
	mem_free(&m->a, row, (width + 1) * sizeof(*row));
	return status;
}

static void note_types(struct prof_merger *m, uint32_t n)
{
	if (m->notes.note && n < m->classes.n)
		m->notes.note(m->notes.ctx, "the inputs have different sample "
		              "types: those that all of them have were kept");
}

enum prof_status merge_choose_types(struct prof_merger *m,
                                    struct prof_error *err)
{
	struct prof_profile *sum = m->sum;
	const size_t size = m->classes.n + 1;
	uint32_t *chosen = mem_zeroed(&m->a, size, sizeof(*chosen));
	enum prof_status status = PROF_OK;
	uint32_t n = 0;

	if (chosen)
		n = choose_classes(m, chosen);
	if (!chosen || !vec_reserve(&sum->sample_types, n, &m->a)) {
		mem_free(&m->a, chosen, size * sizeof(*chosen));
		return error_nomem(err);
	}
	if (n == 0 && m->classes.n)
		status = error_set(err, PROF_MISMATCH,
		                   "no sample type is common to all inputs");
	else if (m->types_differ || m->columns.n != m->classes.n)
		status = convert_rows(m, chosen, n, err);
	for (uint32_t i = 0; i < n && status == PROF_OK; i++)
		vec_put(&sum->sample_types,
		        m->classes.data[chosen[i]].type.type);
	if (status == PROF_OK)
		note_types(m, n);
	mem_free(&m->a, chosen, size * sizeof(*chosen));
	return status;
}
