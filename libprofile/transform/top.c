/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top-stacks, min-value: the heavy stacks only. The weight of a stack is the
 * sum of its samples' values, whatever their labels are, in the column that a
 * reader means by default; a loss weighs as much as a gain.
 */
#include "base/error.h"
#include "model/edit.h"
#include "transform/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct weight {
	double value; /* |sum|: sums past 64 bits are no failure here */
	uint32_t stack;
	bool is_used;
};

/* Weights by stack, [n]; NULL: failed, and err says why. */
static struct weight *weigh(const struct prof_profile *p, size_t n,
                            struct prof_error *err)
{
	const size_t width = p->sample_types.n;
	uint32_t column = 0;
	struct weight *weights;

	if (prof_find_sample_type(&column, p, "", err) != PROF_OK)
		return NULL;
	weights = mem_zeroed(&p->allocator, n, sizeof(*weights));
	if (!weights) {
		error_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < p->samples.n; i++) {
		const uint32_t stack = p->samples.data[i].stack;

		weights[stack].value +=
			(double)p->values.data[i * width + column];
		weights[stack].is_used = true;
	}
	for (uint32_t i = 0; i < n; i++) {
		weights[i].value = fabs(weights[i].value);
		weights[i].stack = i;
	}
	return weights;
}

/* Heaviest first; equal ones in the order of the table, unused ones last. */
static int compare_weights(const void *a_, const void *b_)
{
	const struct weight *a = a_, *b = b_;

	if (a->is_used != b->is_used)
		return b->is_used - a->is_used;
	if (a->value != b->value)
		return a->value < b->value ? 1 : -1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

/* Keeps the samples of the first n_kept stacks of weights[n]. */
static bool keep_stacks(struct prof_profile *p, const struct weight *weights,
                        size_t n, size_t n_kept)
{
	unsigned char *keep = mem_zeroed(&p->allocator, n, 1);

	if (!keep)
		return false;
	for (size_t i = 0; i < n && i < n_kept; i++)
		keep[weights[i].stack] = 1;
	edit_keep_by_stack(p, keep);
	mem_free(&p->allocator, keep, n);
	return true;
}

enum prof_status prof_top_stacks(struct prof_profile *p, uint64_t n_kept,
                                 struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = byte_table_n(&p->stacks);
	struct weight *weights;
	bool ok;

	if (p->sample_types.n == 0)
		return PROF_OK;
	weights = weigh(p, n, err);
	if (!weights)
		return PROF_NOMEM;
	qsort(weights, n, sizeof(*weights), compare_weights);
	ok = keep_stacks(p, weights, n, n_kept < n ? (size_t)n_kept : n);
	mem_free(&a, weights, n * sizeof(*weights));
	return ok ? PROF_OK : error_nomem(err);
}

enum least_is { LEAST_VALUE, LEAST_SHARE };

static enum prof_status keep_from(struct prof_profile *p, double least,
                                  enum least_is is, struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = byte_table_n(&p->stacks);
	struct weight *weights;
	double sum = 0;
	size_t n_kept = 0;
	bool ok;

	if (p->sample_types.n == 0)
		return PROF_OK;
	weights = weigh(p, n, err);
	if (!weights)
		return PROF_NOMEM;
	qsort(weights, n, sizeof(*weights), compare_weights);
	for (size_t i = 0; i < n; i++)
		sum += weights[i].value;
	if (is == LEAST_SHARE)
		least *= sum;
	while (n_kept < n && weights[n_kept].is_used &&
	       weights[n_kept].value >= least)
		n_kept++;
	ok = keep_stacks(p, weights, n, n_kept);
	mem_free(&a, weights, n * sizeof(*weights));
	return ok ? PROF_OK : error_nomem(err);
}

enum prof_status prof_min_value(struct prof_profile *p, int64_t least,
                                struct prof_error *err)
{
	return keep_from(p, (double)least, LEAST_VALUE, err);
}

enum prof_status prof_min_share(struct prof_profile *p, double share,
                                struct prof_error *err)
{
	if (!(share >= 0))
		return error_set(err, PROF_INVALID, "the share is no number "
		                 "from 0");
	return keep_from(p, share, LEAST_SHARE, err);
}

/* ---- As text ---- */

static enum prof_status top_stacks(struct prof_profile *p, const char *arg,
                                   struct prof_error *err)
{
	char *end;
	const unsigned long long n = strtoull(arg, &end, 10);

	if (end == arg || *end || *arg == '-')
		return error_set(err, PROF_INVALID, "'%.60s' is not a number "
		                 "of stacks", arg);
	return prof_top_stacks(p, n, err);
}

static enum prof_status min_value(struct prof_profile *p, const char *arg,
                                  struct prof_error *err)
{
	char *end;
	const double least = strtod(arg, &end);

	if (end == arg || !(least >= 0) ||
	    strcmp(end, *end == '%' ? "%" : "") != 0)
		return error_set(err, PROF_INVALID, "'%.60s' is neither a "
		                 "value nor a percentage", arg);
	return *end ? prof_min_share(p, least / 100, err) :
	              keep_from(p, least, LEAST_VALUE, err);
}

const struct transform top_stacks_transform = {
	.info = { "top-stacks", "N", "keep the N stacks with the largest "
	          "values" },
	.apply = top_stacks
};

const struct transform min_value_transform = {
	.info = { "min-value", "VALUE[%]", "keep the stacks with at least "
	          "this value, or this share of the total" },
	.apply = min_value
};
