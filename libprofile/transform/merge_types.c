/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample types of a merge. The sum has a column for each type that any input
 * has; the end keeps those that all have, or all.
 */
#include "transform/merger.h"

#include "base/error.h"
#include "model/order.h"

#include <stdlib.h>
#include <string.h>

static bool fail_nomem(struct prof_merger *m)
{
	m->has_failed = true;
	m->status = error_nomem(m->err);
	return false;
}

static uint32_t find_column(const struct prof_merger *m,
                            struct row_value_type type)
{
	uint32_t i = 0;

	while (i < m->columns.n && (m->columns.data[i].type.type != type.type ||
	                            m->columns.data[i].type.unit != type.unit))
		i++;
	return i;
}

/* Widens every row of the sum by a column of zeros. */
static bool add_column(struct prof_merger *m, struct row_value_type type)
{
	struct prof_profile *sum = m->sum;
	const size_t n = sum->samples.n;
	const size_t width = m->columns.n;

	if (!vec_reserve(&m->columns, 1, &m->a) ||
	    !vec_reserve(&sum->values, n, &m->a))
		return fail_nomem(m);
	for (size_t i = n; i-- > 0;) {
		int64_t *row = sum->values.data + i * (width + 1);

		memmove(row, sum->values.data + i * width,
		        width * sizeof(*row));
		row[width] = 0;
	}
	sum->values.n = n * (width + 1);
	vec_put(&m->columns, (struct merge_column){ .type = type });
	return true;
}

/* True where the input's types are those of the sum, in the same order. */
static bool are_same_types(const struct prof_merger *m)
{
	if (m->column_map.n != m->columns.n)
		return false;
	for (uint32_t i = 0; i < m->column_map.n; i++)
		if (m->column_map.data[i] != i)
			return false;
	return true;
}

bool merge_sample_types(struct prof_merger *m)
{
	const size_t n = m->in->sample_types.n;

	m->column_map.n = m->column_factor.n = 0;
	if (!vec_reserve(&m->column_map, n, &m->a) ||
	    !vec_reserve(&m->column_factor, n, &m->a))
		return fail_nomem(m);
	for (size_t i = 0; i < n; i++) {
		const struct row_value_type *row = &m->in->sample_types.data[i];
		const struct row_value_type type = {
			m->string_map.data[row->type],
			m->string_map.data[row->unit] };
		uint32_t column = find_column(m, type);

		if (column == m->columns.n) {
			m->types_differ = m->types_differ || m->n_inputs;
			if (!add_column(m, type))
				return false;
		}
		m->columns.data[column].n_inputs++;
		vec_put(&m->column_map, column);
		vec_put(&m->column_factor, m->weight);
	}
	if (!are_same_types(m))
		m->types_differ = true;
	return true;
}

/* ---- The end ---- */

static int compare_columns(const void *a_, const void *b_, void *ctx)
{
	const struct prof_merger *m = ctx;
	const struct merge_column *a = &m->columns.data[*(const uint32_t *)a_];
	const struct merge_column *b = &m->columns.data[*(const uint32_t *)b_];
	const int order = string_compare(m->sum, a->type.type, b->type.type);

	return order ? order :
		string_compare(m->sum, a->type.unit, b->type.unit);
}

/* The columns that stay, in their order; how many. */
static uint32_t choose_columns(struct prof_merger *m, uint32_t *chosen)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->columns.n; i++)
		if (m->union_of_types ||
		    m->columns.data[i].n_inputs >= m->n_inputs)
			chosen[n++] = i;
	if (m->types_differ)
		qsort_r(chosen, n, sizeof(*chosen), compare_columns, m);
	return n;
}

/* Rows with the chosen columns only. */
static bool cut_columns(struct prof_merger *m, const uint32_t *chosen,
                        uint32_t n)
{
	struct prof_profile *sum = m->sum;
	const size_t width = m->columns.n;
	int64_t *row = mem_zeroed(&m->a, width, sizeof(*row));

	if (!row)
		return false;
	for (size_t i = 0; i < sum->samples.n; i++) {
		memcpy(row, sum->values.data + i * width,
		       width * sizeof(*row));
		for (uint32_t k = 0; k < n; k++)
			sum->values.data[i * n + k] = row[chosen[k]];
	}
	sum->values.n = sum->samples.n * n;
	mem_free(&m->a, row, width * sizeof(*row));
	return true;
}

static void note_types(struct prof_merger *m, uint32_t n)
{
	if (m->notes.note && m->types_differ && !m->union_of_types &&
	    n < m->columns.n)
		m->notes.note(m->notes.ctx, "the inputs have different sample "
		              "types: those that all of them have were kept");
}

enum prof_status merge_choose_types(struct prof_merger *m,
                                    struct prof_error *err)
{
	struct prof_profile *sum = m->sum;
	uint32_t *chosen = mem_zeroed(&m->a, m->columns.n + 1,
	                              sizeof(*chosen));
	enum prof_status status = PROF_OK;
	uint32_t n = 0;

	if (chosen)
		n = choose_columns(m, chosen);
	if (!chosen || !vec_reserve(&sum->sample_types, n, &m->a))
		status = error_nomem(err);
	else if (n == 0 && m->columns.n)
		status = error_set(err, PROF_MISMATCH,
		                   "no sample type is common to all inputs");
	else if (m->types_differ && !cut_columns(m, chosen, n))
		status = error_nomem(err);
	for (uint32_t i = 0; i < n && status == PROF_OK; i++)
		vec_put(&sum->sample_types, m->columns.data[chosen[i]].type);
	if (status == PROF_OK)
		note_types(m, n);
	mem_free(&m->a, chosen, (m->columns.n + 1) * sizeof(*chosen));
	return status;
}
