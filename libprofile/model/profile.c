/* SPDX-License-Identifier: Apache-2.0 */
#include "model/profile.h"

#include "base/error.h"
#include "base/varint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct prof_profile *profile_new(const struct prof_allocator *a)
{
	struct prof_profile *p = mem_zeroed(a, 1, sizeof(*p));

	if (!p)
		return NULL;
	p->allocator = *a;
	if (!byte_table_begin(&p->strings, a) ||
	    !byte_table_begin(&p->stacks, a) ||
	    !byte_table_begin(&p->label_sets, a) ||
	    !vec_reserve(&p->locations, 2, a) ||
	    !vec_reserve(&p->lines, 1, a) || /* locations point into it */
	    !vec_reserve(&p->functions, 1, a) ||
	    !vec_reserve(&p->mappings, 1, a)) {
		prof_profile_free(p);
		return NULL;
	}
	vec_put(&p->locations, (struct row_location){ 0 });
	vec_put(&p->locations, (struct row_location){ 0 });
	vec_put(&p->functions, (struct row_function){ 0 });
	vec_put(&p->mappings, (struct row_mapping){ 0 });
	return p;
}

void prof_profile_free(struct prof_profile *p)
{
	struct prof_allocator a;

	if (!p)
		return;
	a = p->allocator;
	byte_table_release(&p->strings, &a);
	byte_table_release(&p->stacks, &a);
	byte_table_release(&p->label_sets, &a);
	vec_release(&p->sample_types, &a);
	vec_release(&p->samples, &a);
	vec_release(&p->values, &a);
	vec_release(&p->locations, &a);
	vec_release(&p->lines, &a);
	vec_release(&p->functions, &a);
	vec_release(&p->mappings, &a);
	vec_release(&p->comments, &a);
	mem_free(&a, p, sizeof(*p));
}

void profile_keep_samples(struct prof_profile *p, const bool *keep)
{
	const size_t width = p->sample_types.n;
	size_t n = 0;

	for (size_t i = 0; i < p->samples.n; i++) {
		if (!keep[i])
			continue;
		if (i != n) {
			p->samples.data[n] = p->samples.data[i];
			memcpy(p->values.data + n * width,
			       p->values.data + i * width,
			       width * sizeof(*p->values.data));
		}
		n++;
	}
	p->samples.n = n;
	p->values.n = n * width;
}

/* ---- Views ---- */

static struct prof_value_type value_type_view(const struct prof_profile *p,
                                              struct row_value_type row)
{
	return (struct prof_value_type){ profile_string(p, row.type),
	                                 profile_string(p, row.unit) };
}

void prof_get_header(const struct prof_profile *p, struct prof_header *out)
{
	*out = (struct prof_header){
		.period_type = value_type_view(p, p->period_type),
		.period = p->period,
		.time_ns = p->time_ns,
		.duration_ns = p->duration_ns,
		.default_sample_type = profile_string(p, p->default_sample_type),
		.drop_frames = profile_string(p, p->drop_frames),
		.keep_frames = profile_string(p, p->keep_frames),
		.doc_url = profile_string(p, p->doc_url),
	};
}

uint32_t prof_n_sample_types(const struct prof_profile *p)
{
	return (uint32_t)p->sample_types.n;
}

uint32_t prof_n_samples(const struct prof_profile *p)
{
	return (uint32_t)p->samples.n;
}

uint32_t prof_n_stacks(const struct prof_profile *p)
{
	return byte_table_n(&p->stacks) - 1;
}

uint32_t prof_n_label_sets(const struct prof_profile *p)
{
	return byte_table_n(&p->label_sets) - 1;
}

uint32_t prof_n_locations(const struct prof_profile *p)
{
	return (uint32_t)(p->locations.n - 2);
}

uint32_t prof_n_functions(const struct prof_profile *p)
{
	return (uint32_t)(p->functions.n - 1);
}

uint32_t prof_n_mappings(const struct prof_profile *p)
{
	return (uint32_t)(p->mappings.n - 1);
}

uint32_t prof_n_comments(const struct prof_profile *p)
{
	return (uint32_t)p->comments.n;
}

bool prof_get_sample_type(const struct prof_profile *p, uint32_t i,
                          struct prof_value_type *out)
{
	if (i >= p->sample_types.n)
		return false;
	*out = value_type_view(p, p->sample_types.data[i]);
	return true;
}

bool prof_get_sample(const struct prof_profile *p, uint32_t i,
                     struct prof_sample *out)
{
	if (i >= p->samples.n)
		return false;
	*out = (struct prof_sample){
		.stack = p->samples.data[i].stack,
		.label_set = p->samples.data[i].label_set,
		.values = p->values.data + i * p->sample_types.n,
	};
	return true;
}

bool prof_get_location(const struct prof_profile *p, uint32_t id,
                       struct prof_location *out)
{
	const struct row_location *row;

	if (id == 0 || id > prof_n_locations(p))
		return false;
	row = &p->locations.data[id];
	*out = (struct prof_location){
		.address = row->address,
		.mapping = row->mapping,
		.n_lines = location_n_lines(row),
		.lines = p->lines.data + location_first_line(row),
		.is_folded = (row->first_line & LOCATION_FOLDED) != 0,
	};
	return true;
}

bool prof_get_function(const struct prof_profile *p, uint32_t id,
                       struct prof_function *out)
{
	const struct row_function *row;

	if (id == 0 || id > prof_n_functions(p))
		return false;
	row = &p->functions.data[id];
	*out = (struct prof_function){
		.name = profile_string(p, row->name),
		.system_name = profile_string(p, row->system_name),
		.filename = profile_string(p, row->filename),
		.start_line = row->start_line,
	};
	return true;
}

bool prof_get_mapping(const struct prof_profile *p, uint32_t id,
                      struct prof_mapping *out)
{
	const struct row_mapping *row;

	if (id == 0 || id > prof_n_mappings(p))
		return false;
	row = &p->mappings.data[id];
	*out = (struct prof_mapping){
		.start = row->start,
		.limit = row->limit,
		.offset = row->offset,
		.file = profile_string(p, row->file),
		.build_id = profile_string(p, row->build_id),
		.has_functions = row->has & MAPPING_HAS_FUNCTIONS,
		.has_filenames = row->has & MAPPING_HAS_FILENAMES,
		.has_line_numbers = row->has & MAPPING_HAS_LINE_NUMBERS,
		.has_inline_frames = row->has & MAPPING_HAS_INLINE_FRAMES,
	};
	return true;
}

bool prof_get_comment(const struct prof_profile *p, uint32_t i,
                      struct prof_str *out)
{
	if (i >= p->comments.n)
		return false;
	*out = profile_string(p, p->comments.data[i]);
	return true;
}

size_t prof_get_stack(const struct prof_profile *p, uint32_t stack,
                      uint32_t *locations, size_t size)
{
	struct prof_str bytes;
	const unsigned char *at, *end;
	size_t n = 0;

	if (stack > prof_n_stacks(p))
		return 0;
	bytes = byte_table_get(&p->stacks, stack);
	at = (const unsigned char *)bytes.ptr;
	for (end = at + bytes.len; at < end; n++) {
		uint32_t id;

		at = varint_get_known(at, &id);
		if (n < size)
			locations[n] = id;
	}
	return n;
}

size_t prof_get_label_set(const struct prof_profile *p, uint32_t set,
                          struct prof_label *labels, size_t size)
{
	struct prof_str bytes;
	const unsigned char *at, *end;
	struct row_label row;
	size_t n = 0;

	if (set > prof_n_label_sets(p))
		return 0;
	bytes = byte_table_get(&p->label_sets, set);
	at = (const unsigned char *)bytes.ptr;
	for (end = at + bytes.len; at < end; n++) {
		at = label_unpack(at, &row);
		if (n >= size)
			continue;
		labels[n] = (struct prof_label){
			.key = profile_string(p, row.key),
		};
		if (row.is_number) {
			labels[n].num = row.num;
			labels[n].unit = profile_string(p, row.str);
		} else {
			labels[n].str = profile_string(p, row.str);
		}
	}
	return n;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* How many ids bytes[n] are: the bytes that do not go on. */
static uint32_t count_ids(const unsigned char *p, size_t n)
{
	uint64_t word;
	uint32_t n_go_on = 0;
	size_t i;

	for (i = 0; n - i >= 8; i += 8) {
		memcpy(&word, p + i, 8);
		n_go_on += (uint32_t)((word >> 7 & EACH_BYTE(1)) *
		                      EACH_BYTE(1) >> 56);
	}
	for (; i < n; i++)
		n_go_on += p[i] >> 7;
	return (uint32_t)n - n_go_on;
}

size_t prof_max_stack_depth(const struct prof_profile *p)
{
	const uint32_t n = byte_table_n(&p->stacks);
	uint32_t max = 0;

	for (uint32_t i = 1; i < n; i++) {
		const struct prof_str s = byte_table_get(&p->stacks, i);
		uint32_t depth;

		/* A stack is no deeper than it has bytes. */
		if (s.len <= max)
			continue;
		depth = count_ids((const unsigned char *)s.ptr, s.len);
		max = depth > max ? depth : max;
	}
	return max;
}

size_t prof_max_label_set_size(const struct prof_profile *p)
{
	return p->max_labels;
}

/* ---- Columns by name ---- */

static bool str_is(struct prof_str s, const char *text, size_t len)
{
	return s.len == len && memcmp(s.ptr, text, len) == 0;
}

static bool find_type(uint32_t *out, const struct prof_profile *p,
                      const char *name, size_t len)
{
	struct prof_value_type type;

	for (uint32_t i = 0; prof_get_sample_type(p, i, &type); i++) {
		if (str_is(type.type, name, len)) {
			*out = i;
			return true;
		}
	}
	return false;
}

static enum prof_status unknown_type(const struct prof_profile *p,
                                     const char *name, struct prof_error *err)
{
	char names[128] = "";
	size_t used = 0;
	struct prof_value_type type;

	for (uint32_t i = 0; prof_get_sample_type(p, i, &type); i++) {
		if (used + type.type.len + 3 > sizeof(names))
			break;
		if (used)
			names[used++] = ' ';
		memcpy(names + used, type.type.ptr, type.type.len);
		used += type.type.len;
		names[used] = '\0';
	}
	return error_set(err, PROF_INVALID,
	                 "no sample type \"%.40s\"; there are: %s", name, names);
}

enum prof_status prof_find_sample_type(uint32_t *out,
                                       const struct prof_profile *p,
                                       const char *name,
                                       struct prof_error *err)
{
	static const char inuse[] = "inuse_";
	const uint32_t n = prof_n_sample_types(p);
	struct prof_str wanted = profile_string(p, p->default_sample_type);
	char *end;
	unsigned long number;

	if (n == 0)
		return error_set(err, PROF_CORRUPT,
		                 "the profile has no sample types");
	if (!name || !*name) {
		if (!wanted.len || !find_type(out, p, wanted.ptr, wanted.len))
			*out = n - 1;
		return PROF_OK;
	}
	number = strtoul(name, &end, 10);
	if (isdigit((unsigned char)*name) && !*end && number < n) {
		*out = (uint32_t)number;
		return PROF_OK;
	}
	if (find_type(out, p, name, strlen(name)))
		return PROF_OK;
	if (strncmp(name, inuse, strlen(inuse)) == 0 &&
	    find_type(out, p, name + strlen(inuse), strlen(name + strlen(inuse))))
		return PROF_OK;
	return unknown_type(p, name, err);
}
