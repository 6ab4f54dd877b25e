/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scale-by, normalize-to: values times a number. Each product is rounded to
 * the nearest integer, halves away from zero. Samples whose values become 0
 * stay: leaving them out is what compact does. (google/pprof drops a sample
 * that is 0 in the columns that are scaled, whatever the others are.)
 */
#include "base/error.h"
#include "model/profile.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static bool is_finite(double x)
{
	return x - x == 0;
}

/* value * factor; false: it leaves the range of 64 bits. */
static bool scale_value(int64_t value, double factor, int64_t *out)
{
	double product;

	/* Exact where a double would not be. */
	if (factor == rint(factor) && fabs(factor) < 0x1p53)
		return !__builtin_mul_overflow(value, (int64_t)factor, out);
	product = round((double)value * factor);
	if (!(product >= -0x1p63 && product < 0x1p63))
		return false;
	*out = (int64_t)product;
	return true;
}

/* All products, in out[values.n]. */
static bool scale_all(const struct prof_profile *p, const double *factors,
                      int64_t *out)
{
	const size_t width = p->sample_types.n;

	assert(width > 0 || p->values.n == 0);
	for (size_t i = 0; i < p->values.n; i++)
		if (!scale_value(p->values.data[i], factors[i % width],
		                 &out[i]))
			return false;
	return true;
}

enum prof_status prof_scale_each(struct prof_profile *p,
                                 const double *factors,
                                 struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = p->values.n;
	enum prof_status status = PROF_OK;
	int64_t *values;

	for (size_t i = 0; i < p->sample_types.n; i++)
		if (!is_finite(factors[i]))
			return error_set(err, PROF_INVALID,
			                 "a factor is not finite");
	values = mem_zeroed(&a, n + 1, sizeof(*values));
	if (!values)
		return error_nomem(err);
	if (!scale_all(p, factors, values)) {
		status = error_set(err, PROF_OVERFLOW, "a scaled value leaves "
		                   "the range of 64 bits");
	} else {
		for (size_t i = 0; i < n; i++)
			p->values.data[i] = values[i];
		p->is_canonical = false;
	}
	mem_free(&a, values, (n + 1) * sizeof(*values));
	return status;
}

enum prof_status prof_scale(struct prof_profile *p, double factor,
                            struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = p->sample_types.n + 1;
	double *factors = mem_zeroed(&a, n, sizeof(*factors));
	enum prof_status status;

	if (!factors)
		return error_nomem(err);
	for (size_t i = 0; i < n; i++)
		factors[i] = factor;
	status = prof_scale_each(p, factors, err);
	mem_free(&a, factors, n * sizeof(*factors));
	return status;
}

/* ---- Normalizing ---- */

/* The sum of a column, as a double: only a ratio is made of it. */
static double column_sum(const struct prof_profile *p, size_t column)
{
	const size_t width = p->sample_types.n;
	double sum = 0;

	for (size_t i = column; i < p->values.n; i += width)
		sum += (double)p->values.data[i];
	return sum;
}

/* wanted[columns]: the sums that there are to be. A sum of 0 stays 0. */
static enum prof_status scale_to(struct prof_profile *p, const double *wanted,
                                 struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = p->sample_types.n;
	double *factors = mem_zeroed(&a, n + 1, sizeof(*factors));
	enum prof_status status;

	if (!factors)
		return error_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const double sum = column_sum(p, i);

		factors[i] = sum != 0 ? wanted[i] / sum : 0;
	}
	status = prof_scale_each(p, factors, err);
	mem_free(&a, factors, (n + 1) * sizeof(*factors));
	return status;
}

static bool has_same_types(const struct prof_profile *a,
                           const struct prof_profile *b)
{
	struct prof_value_type x, y;
	uint32_t i = 0;

	for (; prof_get_sample_type(a, i, &x); i++)
		if (!prof_get_sample_type(b, i, &y) ||
		    !str_equal(x.type, y.type) || !str_equal(x.unit, y.unit))
			return false;
	return i == prof_n_sample_types(b);
}

enum prof_status prof_normalize(struct prof_profile *p,
                                const struct prof_profile *base,
                                struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = p->sample_types.n + 1;
	double *sums;
	enum prof_status status;

	if (!has_same_types(p, base))
		return error_set(err, PROF_MISMATCH, "only profiles with the "
		                 "same sample types can be normalized");
	sums = mem_zeroed(&a, n, sizeof(*sums));
	if (!sums)
		return error_nomem(err);
	for (size_t i = 0; i + 1 < n; i++)
		sums[i] = column_sum(base, i);
	status = scale_to(p, sums, err);
	mem_free(&a, sums, n * sizeof(*sums));
	return status;
}

enum prof_status prof_normalize_to(struct prof_profile *p, double total,
                                   struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n = p->sample_types.n + 1;
	double *wanted;
	enum prof_status status;

	if (!is_finite(total))
		return error_set(err, PROF_INVALID, "the total is not finite");
	wanted = mem_zeroed(&a, n, sizeof(*wanted));
	if (!wanted)
		return error_nomem(err);
	for (size_t i = 0; i < n; i++)
		wanted[i] = total;
	status = scale_to(p, wanted, err);
	mem_free(&a, wanted, n * sizeof(*wanted));
	return status;
}

/* ---- As text ---- */

static enum prof_status parse(double *out, const char *arg,
                              struct prof_error *err)
{
	char *end;

	*out = strtod(arg, &end);
	if (end != arg && !*end && is_finite(*out))
		return PROF_OK;
	return error_set(err, PROF_INVALID, "'%.60s' is not a number", arg);
}

static enum prof_status scale_by(struct prof_profile *p, const char *arg,
                                 struct prof_error *err)
{
	double factor;
	const enum prof_status status = parse(&factor, arg, err);

	return status == PROF_OK ? prof_scale(p, factor, err) : status;
}

static enum prof_status normalize_to(struct prof_profile *p, const char *arg,
                                     struct prof_error *err)
{
	double total;
	const enum prof_status status = parse(&total, arg, err);

	return status == PROF_OK ? prof_normalize_to(p, total, err) : status;
}

const struct transform scale_by_transform = {
	.info = { "scale-by", "NUMBER", "multiply all values" },
	.apply = scale_by
};

const struct transform normalize_to_transform = {
	.info = { "normalize-to", "TOTAL", "scale each sample type so that "
	          "its values add up to this" },
	.apply = normalize_to
};
