/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PROFILE_H
#define MODEL_PROFILE_H

/*
 * The layout of a profile, for the layers inside the library that read whole
 * tables or change a profile in place; only the builder adds rows.
 *
 * Columns with 32-bit indexes into each other. Strings, stacks and label
 * sets are interned byte strings:
 *
 *   a stack      its location ids, leaf first, as varints in their shortest
 *                form: the very bytes of profile.proto's packed location_id
 *   a label set  its labels in order, each of varints: the key's string id;
 *                then for a string label 2 * (string id), for a number
 *                2 * (unit's string id) + 1 and the number zigzag-coded
 *
 * So equal stacks are equal bytes, and reading or writing one is a copy.
 */

#include "base/intern.h"
#include "base/varint.h"

#include <profile/model.h>

struct row_location {
	uint64_t address;
	uint32_t mapping;
	uint32_t first_line; /* lines [first_line, that of the next row);
	                        the top bit is is_folded */
};
#define LOCATION_FOLDED UINT32_C(0x80000000)
#define LOCATION_MAX_LINES UINT32_C(0x7fffffff)

struct row_function {
	uint32_t name, system_name, filename; /* string ids */
	int64_t start_line;
};

struct row_mapping {
	uint64_t start, limit, offset;
	uint32_t file, build_id; /* string ids */
	uint32_t has;            /* of enum mapping_has */
};

enum mapping_has {
	MAPPING_HAS_FUNCTIONS = 1,
	MAPPING_HAS_FILENAMES = 2,
	MAPPING_HAS_LINE_NUMBERS = 4,
	MAPPING_HAS_INLINE_FRAMES = 8
};

struct row_value_type {
	uint32_t type, unit; /* string ids */
};

struct row_sample {
	uint32_t stack, label_set;
};

struct prof_profile {
	struct byte_table strings, stacks, label_sets;
	VEC(struct row_value_type) sample_types;
	VEC(struct row_sample) samples;
	VEC(int64_t) values; /* samples.n rows of sample_types.n */
	/* Row 0 is none; and one row more than there are locations closes
	   the last one's lines. */
	VEC(struct row_location) locations;
	VEC(struct prof_line) lines;
	VEC(struct row_function) functions; /* row 0 is none */
	VEC(struct row_mapping) mappings;   /* row 0 is none */
	VEC(uint32_t) comments;             /* string ids */

	struct row_value_type period_type;
	int64_t period, time_ns, duration_ns;
	uint32_t default_sample_type, drop_frames, keep_frames, doc_url;

	uint32_t max_labels; /* of a label set */
	bool is_canonical;   /* as model/canonical.h has it; whoever changes a
	                        profile takes it back */
	struct prof_allocator allocator;
};

static inline struct prof_str profile_string(const struct prof_profile *p,
                                             uint32_t id)
{
	return byte_table_get(&p->strings, id);
}

static inline uint32_t location_first_line(const struct row_location *l)
{
	return l->first_line & LOCATION_MAX_LINES;
}

/* Row id and the row after it must be there: id < locations.n - 1. */
static inline uint32_t location_n_lines(const struct row_location *l)
{
	return location_first_line(l + 1) - location_first_line(l);
}

/* ---- Labels, packed ---- */

struct row_label {
	uint32_t key, str; /* string ids; str is the unit of a number */
	bool is_number;
	int64_t num;
};

#define LABEL_PACKED_MAX (3 * VARINT_MAX)

/* to[LABEL_PACKED_MAX]; returns the end of what was written. */
static inline unsigned char *label_pack(unsigned char *to,
                                        const struct row_label *label)
{
	to = varint_put(to, label->key);
	to = varint_put(to, (uint64_t)label->str << 1 | label->is_number);
	if (label->is_number)
		to = varint_put(to, zigzag(label->num));
	return to;
}

/* Reads one label of a label set; returns its end. */
static inline const unsigned char *label_unpack(const unsigned char *p,
                                                struct row_label *out)
{
	uint64_t n = 0;

	p = varint_get(p, p + VARINT_MAX, &n);
	out->key = (uint32_t)n;
	p = varint_get(p, p + VARINT_MAX, &n);
	out->str = (uint32_t)(n >> 1);
	out->is_number = n & 1;
	out->num = 0;
	if (out->is_number) {
		p = varint_get(p, p + VARINT_MAX, &n);
		out->num = unzigzag(n);
	}
	return p;
}

/* ---- Profiles ---- */

/* An empty profile with row 0 of each table; NULL: out of memory. */
struct prof_profile *profile_new(const struct prof_allocator *a);

/* Drops the samples i for which !keep[i]; order is kept. */
void profile_keep_samples(struct prof_profile *p, const bool *keep);

#endif
