/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules are those of google/pprof's CheckValid: ids in range, values as
 * many as sample types, samples only where there are types. What it leaves
 * open stays open here: addresses outside of their mapping, negative values
 * (differences have them), sample types of the same name.
 */
#include "model/check.h"

#include "base/error.h"
#include "base/varint.h"

#include <inttypes.h>

const struct prof_limits limits_default = {
	.max_string = UINT64_C(16) << 20,
	.max_depth = UINT64_C(64) << 10,
	.max_lines = 1024,
	.max_labels = 1024,
	.max_types = 64,
	.max_nesting = 64,
	.max_line_bytes = UINT64_C(16) << 20,
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
 * Stacks are most of a profile, so that their ids are not decoded: every byte
 * is taken for the last one of an id, together with those before it. Loops
 * without a branch over 16-bit numbers, which compilers turn into vector code
 * (0.9 ns an id; a loop that decodes takes 6.0 ns, for no processor can guess
 * where ids end).
 *
 * `top` is the number that an id's last two bytes make: the id itself where
 * it has one or two, and its upper 14 bits where it has three.
 */
#if defined(__x86_64__) && defined(__linux__)
#define VECTOR_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define VECTOR_CLONES
#endif

#define SCAN_BLOCK 32768 /* bytes: counts of a block fit in 16 bits */

struct scan {
	uint16_t max_short; /* the largest id of one or two bytes */
	uint16_t max_top;   /* the largest top of one of three bytes */
	uint16_t n_zeros;   /* bytes */
	uint16_t has_longer; /* ids of four bytes or more */
};

/* p[-3 .. n) can be read. */
VECTOR_CLONES static struct scan scan_block(const unsigned char *p, size_t n)
{
	struct scan s = { 0 };

	for (size_t i = 0; i < n; i++) {
		const uint16_t b0 = p[i];
		const uint16_t b1 = p[(ptrdiff_t)i - 1];
		const uint16_t b2 = p[(ptrdiff_t)i - 2];
		const uint16_t b3 = p[(ptrdiff_t)i - 3];
		const uint16_t is_last = (uint16_t)((b0 >> 7) - 1);
		const uint16_t is_two = (uint16_t)(0 - (b1 >> 7));
		const uint16_t is_three = (uint16_t)(is_two & (0 - (b2 >> 7)));
		const uint16_t top = (uint16_t)(
			is_last & ((is_two & (b0 << 7 | (b1 & 0x7f))) |
			           (~is_two & b0)));
		const uint16_t top3 = (uint16_t)(is_three & top);
		const uint16_t top12 = (uint16_t)(~is_three & top);

		s.max_short = top12 > s.max_short ? top12 : s.max_short;
		s.max_top = top3 > s.max_top ? top3 : s.max_top;
		s.n_zeros = (uint16_t)(s.n_zeros + (b0 == 0));
		s.has_longer |= (uint16_t)(is_three & (b3 >> 7));
	}
	return s;
}

/* The largest lowest byte of the ids of three bytes with that top. */
VECTOR_CLONES static uint32_t max_low(const unsigned char *p, size_t n,
                                      uint16_t wanted)
{
	uint16_t max = 0;

	for (size_t i = 0; i < n; i++) {
		const uint16_t b0 = p[i];
		const uint16_t b1 = p[(ptrdiff_t)i - 1];
		const uint16_t b2 = p[(ptrdiff_t)i - 2];
		const uint16_t top = (uint16_t)(b0 << 7 | (b1 & 0x7f));
		const uint16_t is_it = (uint16_t)(
			(0 - (b1 >> 7)) & (0 - (b2 >> 7)) &
			(0 - (unsigned)(top == wanted)));
		const uint16_t low = (uint16_t)(is_it & b2 & 0x7f);

		max = low > max ? low : max;
	}
	return max;
}

static uint32_t decoded_max(const unsigned char *p, const unsigned char *end)
{
	uint32_t max = 0;

	while (p < end) {
		uint64_t id;

		p = varint_get(p, end, &id);
		if (!p || id > UINT32_MAX)
			return UINT32_MAX;
		max = id > max ? (uint32_t)id : max;
	}
	return max;
}

static uint32_t max_of(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t stacks_max_location(const struct byte_table *stacks)
{
	const unsigned char *const p = stacks->bytes.data + BYTE_TABLE_FRONT;
	const size_t n = stacks->bytes.n - BYTE_TABLE_FRONT;
	uint64_t n_zeros = 0;
	struct scan all = { 0 };
	uint32_t low = 0;

	for (size_t i = 0; i < n; i += SCAN_BLOCK) {
		const size_t size = n - i < SCAN_BLOCK ? n - i : SCAN_BLOCK;
		const struct scan s = scan_block(p + i, size);

		n_zeros += s.n_zeros;
		all.has_longer |= s.has_longer;
		if (s.max_short > all.max_short)
			all.max_short = s.max_short;
		if (s.max_top < all.max_top || s.max_top == 0)
			continue;
		if (s.max_top > all.max_top)
			low = 0;
		all.max_top = s.max_top;
		low = max_of(low, max_low(p + i, size, s.max_top));
	}
	/* Behind each stack stands a zero, and nowhere else. */
	if (n_zeros != byte_table_n(stacks) - 1)
		return UINT32_MAX;
	if (all.has_longer)
		return decoded_max(p, p + n);
	return all.max_top ? (uint32_t)all.max_top << 7 | low : all.max_short;
}

/* The largest id was noted by each door. */
static enum prof_status check_stacks(const struct checking *c)
{
	const uint32_t n_locations = prof_n_locations(c->p);
	const uint32_t n = byte_table_n(&c->p->stacks);
	const uint64_t max_depth = c->limits->max_depth;

	if (c->max_location > n_locations)
		return error_set(c->err, PROF_CORRUPT,
		                 "a stack refers to location %u of %u",
		                 c->max_location, n_locations);
	for (uint32_t i = 1; i < n; i++) {
		/* A stack is no deeper than it has bytes. */
		if (byte_table_get(&c->p->stacks, i).len > max_depth &&
		    prof_get_stack(c->p, i, NULL, 0) > max_depth)
			return error_set(c->err, PROF_LIMIT, "a stack of %zu "
			                 "frames exceeds the limit max_depth "
			                 "(%" PRIu64 ")",
			                 prof_get_stack(c->p, i, NULL, 0),
			                 max_depth);
	}
	return PROF_OK;
}

/* The largest string was noted by each door as it packed labels. */
static enum prof_status check_label_sets(const struct checking *c)
{
	const uint32_t n_strings = byte_table_n(&c->p->strings);

	if (c->max_label_string >= n_strings)
		return error_set(c->err, PROF_CORRUPT,
		                 "a label refers to string %u of %u",
		                 c->max_label_string, n_strings);
	if (c->p->max_labels > c->limits->max_labels)
		return error_set(c->err, PROF_LIMIT, "a sample with %u labels "
		                 "exceeds the limit max_labels (%llu)",
		                 c->p->max_labels,
		                 (unsigned long long)c->limits->max_labels);
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

enum prof_status profile_check(const struct checking *c)
{
	static enum prof_status (*const checks[])(const struct checking *) = {
		check_header,  check_functions,  check_mappings, check_locations,
		check_stacks,  check_label_sets, check_samples,
	};
	enum prof_status status = PROF_OK;

	for (size_t i = 0; status == PROF_OK &&
	     i < sizeof(checks) / sizeof(checks[0]); i++)
		status = checks[i](c);
	return status;
}
