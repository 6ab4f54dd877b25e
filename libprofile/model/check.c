/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules are those of google/pprof's CheckValid: ids in range, values as
 * many as sample types, samples only where there are types. What it leaves
 * open stays open here: addresses outside of their mapping, negative values
 * (differences have them), sample types of the same name.
 */
#include "model/check.h"

#include "base/error.h"

const struct prof_limits limits_default = {
	.max_string = UINT64_C(16) << 20,
	.max_depth = UINT64_C(64) << 10,
	.max_lines = 1024,
	.max_labels = 1024,
	.max_types = 64,
	.max_nesting = 64,
	.max_line_bytes = UINT64_C(16) << 20,
};

struct checking {
	const struct prof_builder *b;
	const struct prof_profile *p;
	struct prof_error *err;
};

static enum prof_status check_functions(const struct checking *c)
{
	const uint32_t n_strings = byte_table_n(&c->p->strings);

	for (size_t i = 1; i < c->p->functions.n; i++) {
		const struct row_function *f = &c->p->functions.data[i];

		if (f->name >= n_strings || f->system_name >= n_strings ||
		    f->filename >= n_strings)
			return error_set(c->err, PROF_CORRUPT,
			                 "function %zu refers to a string beyond "
			                 "the %u there are", i, n_strings);
	}
	return PROF_OK;
}

static enum prof_status check_mappings(const struct checking *c)
{
	const uint32_t n_strings = byte_table_n(&c->p->strings);

	for (size_t i = 1; i < c->p->mappings.n; i++) {
		const struct row_mapping *m = &c->p->mappings.data[i];

		if (m->file >= n_strings || m->build_id >= n_strings)
			return error_set(c->err, PROF_CORRUPT,
			                 "mapping %zu refers to a string beyond "
			                 "the %u there are", i, n_strings);
	}
	return PROF_OK;
}

static enum prof_status check_locations(const struct checking *c)
{
	const struct prof_profile *p = c->p;

	for (size_t i = 1; i + 1 < p->locations.n; i++) {
		const struct row_location *l = &p->locations.data[i];
		const struct prof_line *line =
			p->lines.data + location_first_line(l);

		if (l->mapping >= p->mappings.n)
			return error_set(c->err, PROF_CORRUPT,
			                 "location %zu refers to mapping %u of "
			                 "%zu", i, l->mapping, p->mappings.n - 1);
		for (uint32_t k = location_n_lines(l); k > 0; k--, line++)
			if (line->function == 0 ||
			    line->function >= p->functions.n)
				return error_set(c->err, PROF_CORRUPT,
				                 "location %zu has a line of "
				                 "function %u of %zu", i,
				                 line->function,
				                 p->functions.n - 1);
	}
	return PROF_OK;
}

/*
 * Stacks and label sets are many: what they refer to was noted by each door
 * as it packed them, and is not read again.
 */
static enum prof_status check_stacks(const struct checking *c)
{
	const uint32_t n_locations = prof_n_locations(c->p);

	if (c->b->max_location > n_locations)
		return error_set(c->err, PROF_CORRUPT,
		                 "a stack refers to location %u of %u",
		                 c->b->max_location, n_locations);
	if (c->p->max_depth > c->b->limits.max_depth)
		return error_set(c->err, PROF_LIMIT, "a stack of %u frames "
		                 "exceeds the limit max_depth (%llu)",
		                 c->p->max_depth,
		                 (unsigned long long)c->b->limits.max_depth);
	return PROF_OK;
}

static enum prof_status check_label_sets(const struct checking *c)
{
	const uint32_t n_strings = byte_table_n(&c->p->strings);

	if (c->b->max_label_string >= n_strings)
		return error_set(c->err, PROF_CORRUPT,
		                 "a label refers to string %u of %u",
		                 c->b->max_label_string, n_strings);
	if (c->p->max_labels > c->b->limits.max_labels)
		return error_set(c->err, PROF_LIMIT, "a sample with %u labels "
		                 "exceeds the limit max_labels (%llu)",
		                 c->p->max_labels,
		                 (unsigned long long)c->b->limits.max_labels);
	return PROF_OK;
}

static enum prof_status check_samples(const struct checking *c)
{
	const struct prof_profile *p = c->p;

	if (p->samples.n && !p->sample_types.n)
		return error_set(c->err, PROF_CORRUPT,
		                 "there are samples but no sample types");
	if (p->values.n != p->samples.n * p->sample_types.n)
		return error_set(c->err, PROF_CORRUPT,
		                 "%zu samples of %zu sample types have %zu "
		                 "values", p->samples.n, p->sample_types.n,
		                 p->values.n);
	for (size_t i = 0; i < p->samples.n; i++) {
		const struct row_sample *s = &p->samples.data[i];

		if (s->stack > prof_n_stacks(p) ||
		    s->label_set > prof_n_label_sets(p))
			return error_set(c->err, PROF_CORRUPT,
			                 "sample %zu refers to a stack or label "
			                 "set that is not there", i);
	}
	return PROF_OK;
}

static enum prof_status check_header(const struct checking *c)
{
	const struct prof_profile *p = c->p;
	const uint32_t n_strings = byte_table_n(&p->strings);
	bool valid = p->period_type.type < n_strings &&
		p->period_type.unit < n_strings &&
		p->default_sample_type < n_strings &&
		p->drop_frames < n_strings && p->keep_frames < n_strings &&
		p->doc_url < n_strings;

	for (size_t i = 0; i < p->comments.n; i++)
		valid = valid && p->comments.data[i] < n_strings;
	for (size_t i = 0; i < p->sample_types.n; i++)
		valid = valid && p->sample_types.data[i].type < n_strings &&
			p->sample_types.data[i].unit < n_strings;
	if (!valid)
		return error_set(c->err, PROF_CORRUPT,
		                 "a header field refers to a string beyond the "
		                 "%u there are", n_strings);
	return PROF_OK;
}

enum prof_status profile_check(const struct prof_builder *b,
                               struct prof_error *err)
{
	static enum prof_status (*const checks[])(const struct checking *) = {
		check_header,  check_functions,  check_mappings, check_locations,
		check_stacks,  check_label_sets, check_samples,
	};
	const struct checking c = { b, b->profile, err };
	enum prof_status status = PROF_OK;

	for (size_t i = 0; status == PROF_OK &&
	     i < sizeof(checks) / sizeof(checks[0]); i++)
		status = checks[i](&c);
	return status;
}
