/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging profiles: the header's rules, and the life of a merger.
 */
#include "transform/merger.h"

#include "base/error.h"
#include "model/canonical.h"
#include "model/order.h"

#include <stdlib.h>
#include <string.h>

struct prof_merger *prof_merger_new(const struct prof_merge_options *options)
{
	struct prof_merge_options o = { 0 };
	struct prof_allocator a;
	struct prof_merger *m;

	if (options)
		memcpy(&o, options, options->size < sizeof(o) ? options->size :
		       sizeof(o));
	a = o.allocator ? *o.allocator : mem_malloc;
	m = mem_zeroed(&a, 1, sizeof(*m));
	if (!m)
		return NULL;
	m->a = a;
	m->notes = o.notes;
	m->union_of_types = o.union_of_types;
	m->sum = profile_new(&a);
	if (!m->sum || !vec_reserve(&m->merge_mappings, 1, &a)) {
		prof_merger_free(m);
		return NULL;
	}
	vec_put(&m->merge_mappings, (struct merge_mapping){ 0 });
	m->strings = (struct interner){ &m->sum->strings, .seed = hash_seed() };
	m->stacks = (struct interner){ &m->sum->stacks, .seed = hash_seed() };
	m->label_sets = (struct interner){ &m->sum->label_sets,
	                                   .seed = hash_seed() };
	return m;
}

/* The indexes and maps: what the end has no use for. */
static void release_indexes(struct prof_merger *m)
{
	const struct prof_allocator *a = &m->a;

	intern_release(&m->strings, a);
	intern_release(&m->stacks, a);
	intern_release(&m->label_sets, a);
	hash_index_release(&m->mappings, a);
	hash_index_release(&m->functions, a);
	hash_index_release(&m->locations, a);
	hash_index_release(&m->samples, a);
	hash_index_release(&m->comments, a);
	vec_release(&m->string_map, a);
	vec_release(&m->function_map, a);
	vec_release(&m->label_set_map, a);
	vec_release(&m->stack_map, a);
	vec_release(&m->location_map, a);
	vec_release(&m->mapping_map, a);
	vec_release(&m->column_map, a);
	vec_release(&m->scratch, a);
}

void prof_merger_free(struct prof_merger *m)
{
	struct prof_allocator a;

	if (!m)
		return;
	a = m->a;
	release_indexes(m);
	merge_carries_release(&m->carries, &a);
	vec_release(&m->columns, &a);
	vec_release(&m->classes, &a);
	vec_release(&m->merge_mappings, &a);
	prof_profile_free(m->sum);
	mem_free(&a, m, sizeof(*m));
}

/* ---- Failures ---- */

bool merge_fail_nomem(struct prof_merger *m)
{
	m->has_failed = true;
	if (m->status == PROF_OK)
		m->status = error_nomem(m->err);
	return false;
}

bool merge_fail_to_grow(struct prof_merger *m, size_t size, const char *what)
{
	if (size < UINT32_MAX / 2)
		return merge_fail_nomem(m);
	m->has_failed = true;
	m->status = error_set(m->err, PROF_LIMIT, "more than 4 GiB of %s", what);
	return false;
}

/* ---- Header ---- */

static void keep_longest(int64_t *longest, int64_t period, bool is_first)
{
	if (is_first || period > *longest)
		*longest = period;
}

/* Period types must be compatible, or one of them not be there. */
static bool merge_period(struct prof_merger *m)
{
	const struct merge_type type = merge_type_of(m, m->in->period_type);
	struct merge_period *p = &m->period;
	const uint32_t bit = UINT32_C(1) << type.unit.rank;

	if (!type.type.type && !type.type.unit) {
		keep_longest(&p->untyped, m->in->period, !p->has_untyped);
		p->has_untyped = true;
		return true;
	}
	if (!p->has_type)
		p->type = type;
	if (merge_type_is_compatible(m->sum, &p->type, &type)) {
		p->has_type = true;
		merge_type_unify(m->sum, &p->type, &type);
		keep_longest(&p->longest[type.unit.rank], m->in->period,
		             !(p->has_longest & bit));
		p->has_longest |= bit;
		return true;
	}
	m->status = error_set(m->err, PROF_MISMATCH,
	                      "a period of %.40s/%.40s cannot be merged with "
	                      "one of %.40s/%.40s",
	                      profile_string(m->sum, type.type.type).ptr,
	                      profile_string(m->sum, type.type.unit).ptr,
	                      profile_string(m->sum, p->type.type.type).ptr,
	                      profile_string(m->sum, p->type.type.unit).ptr);
	return false;
}

/* Of the strings that are set, the first in byte order. */
static void merge_string(struct prof_merger *m, uint32_t *known, uint32_t in)
{
	const uint32_t id = m->string_map.data[in];

	if (id && (!*known || string_compare(m->sum, id, *known) < 0))
		*known = id;
}

/* Adds a comment where it is new. Strings of the sum are unique already. */
static void merge_comment(struct prof_merger *m, uint32_t string)
{
	struct hash_index *h = &m->comments;
	const uint64_t hash = hash_bytes(&string, sizeof(string),
	                                 m->strings.seed);
	uint32_t row;
	size_t i;

	for (i = hash_index_first(h, hash); (row = h->slots[i].id) != 0;
	     i = hash_index_next(h, i))
		if (m->sum->comments.data[row - 1] == string)
			return;
	vec_put(&m->sum->comments, string);
	hash_index_put(h, i, hash, (uint32_t)m->sum->comments.n);
}

static bool merge_comments(struct prof_merger *m)
{
	const size_t n = m->in->comments.n;

	if (n && (!vec_reserve(&m->sum->comments, n, &m->a) ||
	          !hash_index_reserve(&m->comments, n, &m->a)))
		return merge_fail_nomem(m);
	for (size_t i = 0; i < n; i++)
		merge_comment(m, m->string_map.data[m->in->comments.data[i]]);
	return true;
}

static enum prof_status duration_overflows(struct prof_error *err)
{
	return error_set(err, PROF_OVERFLOW, "the sum of the durations leaves "
	                 "the range of 64 bits");
}

/* What is taken away took its time too: so does pprof add it. */
static bool weigh_duration(int64_t *out, int64_t duration_ns, int64_t weight)
{
	if (__builtin_mul_overflow(duration_ns, weight, out))
		return false;
	return weight >= 0 || !__builtin_sub_overflow((int64_t)0, *out, out);
}

static bool merge_times(struct prof_merger *m)
{
	const struct prof_profile *in = m->in;
	struct prof_profile *sum = m->sum;
	int64_t duration;

	if (in->time_ns && (!sum->time_ns || in->time_ns < sum->time_ns))
		sum->time_ns = in->time_ns;
	if (m->joined) {
		duration = m->joined->duration;
		m->duration_turns += m->joined->duration_turns;
	}
	if (m->joined ||
	    weigh_duration(&duration, in->duration_ns, m->weight)) {
		if (__builtin_add_overflow(m->duration, duration,
		                           &m->duration))
			m->duration_turns += duration < 0 ? -1 : 1;
		return true;
	}
	m->has_failed = true;
	m->status = duration_overflows(m->err);
	return false;
}

static bool merge_header(struct prof_merger *m)
{
	const struct prof_profile *in = m->in;
	struct prof_profile *sum = m->sum;

	merge_string(m, &sum->default_sample_type, in->default_sample_type);
	merge_string(m, &sum->drop_frames, in->drop_frames);
	merge_string(m, &sum->keep_frames, in->keep_frames);
	merge_string(m, &sum->doc_url, in->doc_url);
	return merge_times(m) && merge_comments(m);
}

enum prof_status prof_merger_add(struct prof_merger *m,
                                 const struct prof_profile *p, int64_t weight,
                                 struct prof_error *err)
{
	if (m->has_failed)
		return error_set(err, PROF_INVALID,
		                 "an earlier input made the merge fail");
	m->in = p;
	m->weight = weight;
	m->err = err;
	m->status = PROF_OK;
	/* The period first: a mismatch leaves the sum as it was. */
	if (merge_strings(m) && merge_period(m) && merge_header(m) &&
	    merge_sample_types(m) && merge_mappings(m) && merge_functions(m) &&
	    merge_locations(m) && merge_stacks(m) && merge_label_sets(m) &&
	    merge_samples(m))
		m->n_inputs++;
	m->in = NULL;
	return m->status;
}

/* ---- The end ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_mappings(const struct prof_merger *m, uint32_t a, uint32_t b)
{
	const struct row_mapping *x = &m->sum->mappings.data[a];
	const struct row_mapping *y = &m->sum->mappings.data[b];
	int order = string_compare(m->sum, x->file, y->file);

	if (!order)
		order = string_compare(m->sum, x->build_id, y->build_id);
	if (!order)
		order = compare_u64(x->offset, y->offset);
	if (!order)
		order = compare_u64(m->merge_mappings.data[a].size,
		                    m->merge_mappings.data[b].size);
	return order;
}

static int compare_mapping_ids(const void *a, const void *b, void *ctx)
{
	return compare_mappings(ctx, *(const uint32_t *)a,
	                        *(const uint32_t *)b);
}

/* ids[n] of all mappings: the main one, then the others by content. */
static void order_mappings(const struct prof_merger *m, uint32_t *ids,
                           uint32_t n)
{
	uint32_t first = n;

	for (uint32_t i = 0; i < n; i++)
		ids[i] = i + 1;
	qsort_r(ids, n, sizeof(*ids), compare_mapping_ids,
	        (void *)(uintptr_t)m);
	for (uint32_t i = 0; i < n; i++)
		if (m->merge_mappings.data[ids[i]].is_first &&
		    (first == n ||
		     merge_compare_first(m, ids[i], ids[first]) < 0))
			first = i;
	if (first < n) {
		const uint32_t id = ids[first];

		memmove(ids + 1, ids, first * sizeof(*ids));
		ids[0] = id;
	}
}

/* Gives addresses their starts, and mappings their order. */
static bool finish_mappings(struct prof_merger *m)
{
	struct prof_profile *sum = m->sum;
	const uint32_t n = prof_n_mappings(sum);
	uint32_t *ids = mem_zeroed(&m->a, (size_t)n + 1, sizeof(*ids));
	uint32_t *new_ids = mem_zeroed(&m->a, (size_t)n + 1, sizeof(*new_ids));
	struct row_mapping *rows = mem_zeroed(&m->a, (size_t)n + 1,
	                                      sizeof(*rows));
	const bool ok = ids && new_ids && rows;

	if (ok) {
		order_mappings(m, ids, n);
		for (uint32_t i = 0; i < n; i++) {
			rows[i] = sum->mappings.data[ids[i]];
			rows[i].limit = rows[i].start +
				m->merge_mappings.data[ids[i]].size;
			new_ids[ids[i]] = i + 1;
		}
		for (size_t i = 1; i + 1 < sum->locations.n; i++) {
			struct row_location *l = &sum->locations.data[i];

			l->address = merge_address(
				l->address,
				sum->mappings.data[l->mapping].start);
			l->mapping = new_ids[l->mapping];
		}
		memcpy(sum->mappings.data + 1, rows, n * sizeof(*rows));
	}
	mem_free(&m->a, ids, ((size_t)n + 1) * sizeof(*ids));
	mem_free(&m->a, new_ids, ((size_t)n + 1) * sizeof(*new_ids));
	mem_free(&m->a, rows, ((size_t)n + 1) * sizeof(*rows));
	return ok;
}

static enum prof_status finish_period(struct prof_merger *m,
                                      struct prof_error *err)
{
	const struct merge_period *p = &m->period;
	bool is_first = true;

	m->sum->period_type = p->type.type;
	m->sum->period = p->untyped;
	for (uint32_t rank = 0; rank < MEASURE_MAX_UNITS; rank++) {
		const struct merge_type from = {
			.unit = { p->type.unit.kind, rank } };
		merge_wide period = p->longest[rank];

		if (!(p->has_longest & UINT32_C(1) << rank))
			continue;
		if (!merge_convert(&period, &from, &p->type) ||
		    period != (int64_t)period)
			return error_set(err, PROF_OVERFLOW, "the period in "
			                 "its finest unit leaves the range of "
			                 "64 bits");
		keep_longest(&m->sum->period, (int64_t)period, is_first);
		is_first = false;
	}
	return PROF_OK;
}

static int compare_comments(const void *a, const void *b, void *ctx)
{
	return string_compare(ctx, *(const uint32_t *)a, *(const uint32_t *)b);
}

static void drop_zero_samples(struct prof_profile *p)
{
	const size_t width = p->sample_types.n;
	size_t n = 0;

	for (size_t i = 0; i < p->samples.n; i++) {
		const int64_t *values = p->values.data + i * width;
		int64_t any = 0;

		for (size_t k = 0; k < width; k++)
			any |= values[k];
		if (!any)
			continue;
		p->samples.data[n] = p->samples.data[i];
		memmove(p->values.data + n * width, values,
		        width * sizeof(*values));
		n++;
	}
	p->samples.n = n;
	p->values.n = n * width;
}

/*
 * Makes the sum a profile, in any order, that nothing is missing of; the
 * merger can only be freed after that.
 */
static enum prof_status finish_sum(struct prof_merger *m,
                                   struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	if (m->has_failed || m->n_inputs == 0)
		status = error_set(err, PROF_INVALID, m->has_failed ?
		                   "an earlier input made the merge fail" :
		                   "there is nothing to merge");
	release_indexes(m);
	if (status == PROF_OK)
		status = merge_choose_types(m, err);
	if (status == PROF_OK)
		status = finish_period(m, err);
	if (status == PROF_OK && !finish_mappings(m))
		status = error_nomem(err);
	return status;
}

/* What was kept beyond 64 bits must be within them now. */
static enum prof_status finish_wide(struct prof_merger *m,
                                    struct prof_error *err)
{
	m->sum->duration_ns = m->duration;
	if (m->duration_turns)
		return duration_overflows(err);
	if (merge_carries_any(&m->carries))
		return error_set(err, PROF_OVERFLOW, "the sum of a sample's "
		                 "values leaves the range of 64 bits");
	return PROF_OK;
}

enum prof_status prof_merger_finish(struct prof_profile **out,
                                    struct prof_merger *m,
                                    struct prof_error *err)
{
	enum prof_status status = finish_sum(m, err);

	if (status == PROF_OK)
		status = finish_wide(m, err);
	if (status == PROF_OK) {
		drop_zero_samples(m->sum);
		if (m->sum->comments.n)
			qsort_r(m->sum->comments.data, m->sum->comments.n,
			        sizeof(*m->sum->comments.data),
			        compare_comments, m->sum);
		status = profile_make_canonical(m->sum, err);
	}
	if (status == PROF_OK) {
		*out = m->sum;
		m->sum = NULL;
	}
	prof_merger_free(m);
	return status;
}

enum prof_status prof_merger_join(struct prof_merger *m,
                                  struct prof_merger *other,
                                  struct prof_error *err)
{
	enum prof_status status = finish_sum(other, err);

	m->joined = other;
	if (status == PROF_OK)
		status = prof_merger_add(m, other->sum, 1, err);
	m->joined = NULL;
	prof_merger_free(other);
	return status;
}

enum prof_status prof_merge(struct prof_profile **out,
                            struct prof_profile *const *in, size_t n,
                            const struct prof_merge_options *options,
                            struct prof_error *err)
{
	struct prof_merger *m = prof_merger_new(options);

	if (!m)
		return error_nomem(err);
	for (size_t i = 0; i < n; i++) {
		const enum prof_status status =
			prof_merger_add(m, in[i], 1, err);

		if (status != PROF_OK) {
			prof_merger_free(m);
			return status;
		}
	}
	return prof_merger_finish(out, m, err);
}
