/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_MODEL_H
#define PROFILE_MODEL_H

/*
 * The profile: stack traces that led to instances of an event, with counts.
 *
 * A profile is a set of tables (sample types, samples, stacks, label sets,
 * locations, functions, mappings, comments) that refer to each other by
 * 32-bit ids. Ids of stacks, label sets, locations, functions and mappings
 * start at 1, and 0 means none; samples, sample types and comments are
 * numbered from 0. Every table is read with one loop shape:
 *
 *	struct prof_sample s;
 *	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
 *		...
 *	struct prof_location l;
 *	for (uint32_t id = 1; prof_get_location(p, id, &l); id++)
 *		...
 *
 * What a getter fills in is a view: it borrows from the profile and holds
 * until the profile is changed or freed. The fields have the meaning that
 * google/pprof's profile.proto gives them.
 */

#include <profile/common.h>

#ifdef __cplusplus
extern "C" {
#endif

struct prof_profile;

/* ---- Reading a profile ---- */

/* What one column of values counts, as "cpu" in "nanoseconds". */
struct prof_value_type {
	struct prof_str type, unit;
};

/* A line of a function; more than one at a location where code is inlined. */
struct prof_line {
	uint32_t function;    /* 0: none */
	int64_t line, column; /* 0: unknown */
};

struct prof_location {
	uint64_t address;  /* as the program saw it, or 0 */
	uint32_t mapping;  /* 0: none */
	uint32_t n_lines;
	const struct prof_line *lines; /* innermost first: inlined into the next */
	bool is_folded;    /* several symbols share this address (ICF) */
};

struct prof_function {
	struct prof_str name;        /* for people */
	struct prof_str system_name; /* as the linker knows it (mangled) */
	struct prof_str filename;
	int64_t start_line;          /* 0: unknown */
};

struct prof_mapping {
	uint64_t start, limit; /* addresses [start, limit) */
	uint64_t offset;       /* of start in the file */
	struct prof_str file, build_id;
	/* What symbolization has found already for its locations. */
	bool has_functions, has_filenames, has_line_numbers, has_inline_frames;
};

/* A label is a string where str.ptr is set, else a number. */
struct prof_label {
	struct prof_str key;
	struct prof_str str;  /* {NULL, 0}: the label is a number */
	int64_t num;
	struct prof_str unit; /* of num; empty: none */
};

struct prof_sample {
	uint32_t stack;        /* 0: the empty stack */
	uint32_t label_set;    /* 0: no labels */
	const int64_t *values; /* one for each sample type */
};

/* What is said once per profile. Strings are empty where unset. */
struct prof_header {
	struct prof_value_type period_type;
	int64_t period;        /* of period_type, between two events */
	int64_t time_ns;       /* start, since the epoch; 0: unknown */
	int64_t duration_ns;   /* 0: unknown */
	struct prof_str default_sample_type; /* empty: the last column */
	struct prof_str drop_frames, keep_frames; /* regular expressions */
	struct prof_str doc_url;
};

PROF_API void prof_get_header(const struct prof_profile *p,
                              struct prof_header *out);

/* The number of rows; ids run to and include it where they start at 1. */
PROF_API uint32_t prof_n_sample_types(const struct prof_profile *p);
PROF_API uint32_t prof_n_samples(const struct prof_profile *p);
PROF_API uint32_t prof_n_stacks(const struct prof_profile *p);
PROF_API uint32_t prof_n_label_sets(const struct prof_profile *p);
PROF_API uint32_t prof_n_locations(const struct prof_profile *p);
PROF_API uint32_t prof_n_functions(const struct prof_profile *p);
PROF_API uint32_t prof_n_mappings(const struct prof_profile *p);
PROF_API uint32_t prof_n_comments(const struct prof_profile *p);

/* Each returns false, and leaves *out, where there is no such row. */
PROF_API bool prof_get_sample_type(const struct prof_profile *p, uint32_t i,
                                   struct prof_value_type *out);
PROF_API bool prof_get_sample(const struct prof_profile *p, uint32_t i,
                              struct prof_sample *out);
PROF_API bool prof_get_location(const struct prof_profile *p, uint32_t id,
                                struct prof_location *out);
PROF_API bool prof_get_function(const struct prof_profile *p, uint32_t id,
                                struct prof_function *out);
PROF_API bool prof_get_mapping(const struct prof_profile *p, uint32_t id,
                               struct prof_mapping *out);
PROF_API bool prof_get_comment(const struct prof_profile *p, uint32_t i,
                               struct prof_str *out);

/*
 * The location ids of a stack, leaf first, into locations[0 .. size). Returns
 * the depth of the stack, which may be more than size; stack 0 has depth 0.
 */
PROF_API size_t prof_get_stack(const struct prof_profile *p, uint32_t stack,
                               uint32_t *locations, size_t size);

/*
 * The labels of a set into labels[0 .. size), in the order they were given.
 * Returns how many there are, which may be more than size.
 */
PROF_API size_t prof_get_label_set(const struct prof_profile *p, uint32_t set,
                                   struct prof_label *labels, size_t size);

/*
 * The deepest stack and the largest label set: sizes for the two above. The
 * first takes a pass over all stacks.
 */
PROF_API size_t prof_max_stack_depth(const struct prof_profile *p);
PROF_API size_t prof_max_label_set_size(const struct prof_profile *p);

/*
 * The column that is meant by a name: "" or NULL is the default sample type,
 * or the last column where that is not set; a decimal number is that column,
 * from 0; else the first sample type of that name; else that of the name
 * without "inuse_" at its beginning ("inuse_space" finds "space"). Returns
 * PROF_INVALID with the known names in err where nothing fits.
 * Source: google/pprof, SampleIndexByName.
 */
PROF_API enum prof_status prof_find_sample_type(uint32_t *out,
                                                const struct prof_profile *p,
                                                const char *name,
                                                struct prof_error *err);

/* Frees a profile and all its views. NULL is allowed. */
PROF_API void prof_profile_free(struct prof_profile *p);

/* ---- Building a profile ---- */

/*
 * A builder collects tables and interns them: what is equal to what was added
 * before gets the same id. Strings are copied. Once something has failed, all
 * further calls do nothing and return 0, and prof_builder_finish() says why.
 *
 * Ids that are passed in are looked at in the end: a row may refer to one
 * that is added later. A builder of NULL is for prof_builder_free() and
 * prof_builder_finish() only, which says PROF_NOMEM then.
 */
struct prof_builder;

/* allocator NULL: malloc. Returns NULL when out of memory. */
PROF_API struct prof_builder *
prof_builder_new(const struct prof_allocator *allocator);
PROF_API void prof_builder_free(struct prof_builder *b);

/* Replaces the header, which is all zero and empty until then. */
PROF_API void prof_set_header(struct prof_builder *b,
                              const struct prof_header *header);

/* Sample types come before the first sample. Returns the column, from 0. */
PROF_API uint32_t prof_add_sample_type(struct prof_builder *b,
                                       const struct prof_value_type *type);

PROF_API void prof_add_comment(struct prof_builder *b, struct prof_str text);

/* Each returns the id of the row; 0 is a failure that sticks. */
PROF_API uint32_t prof_add_mapping(struct prof_builder *b,
                                   const struct prof_mapping *mapping);
PROF_API uint32_t prof_add_function(struct prof_builder *b,
                                    const struct prof_function *function);
PROF_API uint32_t prof_add_location(struct prof_builder *b,
                                    const struct prof_location *location);
/* locations[n], leaf first; n 0 is the empty stack, 0, and no failure. */
PROF_API uint32_t prof_add_stack(struct prof_builder *b,
                                 const uint32_t *locations, size_t n);
/* labels[n] in order; n 0 is no labels, 0, and no failure. */
PROF_API uint32_t prof_add_label_set(struct prof_builder *b,
                                     const struct prof_label *labels,
                                     size_t n);
/*
 * A sample with one value for each sample type. Samples are kept in order and
 * are not merged: prof_count_sample() adds to an earlier equal one instead.
 */
PROF_API void prof_add_sample(struct prof_builder *b, uint32_t stack,
                              uint32_t label_set, const int64_t *values);
/*
 * As prof_add_sample, but values are added to the sample that has this stack
 * and label set where there is one. A sum that leaves the range of int64_t is
 * PROF_OVERFLOW.
 */
PROF_API void prof_count_sample(struct prof_builder *b, uint32_t stack,
                                uint32_t label_set, const int64_t *values);

/* PROF_OK, or the first failure so far; err (if any) is filled. */
PROF_API enum prof_status prof_builder_status(const struct prof_builder *b,
                                              struct prof_error *err);

/*
 * Ends the building: checks the profile and hands it out. The builder is
 * freed in every case, and the caller frees *out. PROF_NOMEM, PROF_LIMIT (a
 * table passed 2^32 rows or bytes, or one of the limits of <profile/io.h>),
 * PROF_OVERFLOW, PROF_INVALID (a sample type after a sample), PROF_CORRUPT
 * (what check refused: the message names the row).
 */
PROF_API enum prof_status prof_builder_finish(struct prof_profile **out,
                                              struct prof_builder *b,
                                              struct prof_error *err);

/* ---- Profiles as Go's runtime/pprof makes them ---- */

/*
 * A profile that counts stacks, as Go's countProfile: any set of stacks of
 * something that is there now (threads, open files). A struct of functions,
 * so that the caller's own tables serve as they are.
 */
struct prof_count_profile {
	const char *name; /* "threadcreate": the sample and period type */
	/* How many stacks there are. */
	size_t (*len)(void *ctx);
	/* Stack i: sets *pcs to its return addresses, leaf first, and returns
	   how many they are. They hold until the next call. */
	size_t (*stack)(void *ctx, size_t i, const uint64_t **pcs);
	/* The same for the labels of stack i. The function itself may be NULL:
	   nothing has labels. */
	size_t (*labels)(void *ctx, size_t i, const struct prof_label **labels);
	void *ctx;
};

/*
 * One call stack that allocated, as Go's MemProfileRecord. What is in use is
 * the difference: alloc_bytes - free_bytes, alloc_objects - free_objects.
 */
struct prof_mem_record {
	int64_t alloc_bytes, free_bytes;
	int64_t alloc_objects, free_objects;
	uint64_t stack[32]; /* return addresses, leaf first; ends at the first 0 */
};

/* Bytes and objects in use, as Go's InUseBytes() and InUseObjects(). */
static inline int64_t
prof_mem_in_use_bytes(const struct prof_mem_record *r)
{
	return (int64_t)((uint64_t)r->alloc_bytes - (uint64_t)r->free_bytes);
}

static inline int64_t
prof_mem_in_use_objects(const struct prof_mem_record *r)
{
	return (int64_t)((uint64_t)r->alloc_objects -
	                 (uint64_t)r->free_objects);
}

/* A call stack that waited, as Go's BlockProfileRecord. */
struct prof_block_record {
	int64_t count;      /* times */
	int64_t cycles;     /* of the clock whose rate is told beside */
	uint64_t stack[32]; /* return addresses, leaf first; ends at the first 0 */
};

/*
 * What the makers below need to know beside the records. All may be zero,
 * and the options NULL. What they point to is borrowed for the call.
 */
struct prof_from_options {
	size_t size;
	const struct prof_mapping *mappings; /* [n_mappings], of the process */
	size_t n_mappings;
	int64_t time_ns, duration_ns; /* as in struct prof_header */
	/* "alloc_space" makes an allocs profile of prof_from_mem(). NULL: none
	   is set, so it is the last one, which is a heap's "inuse_space". */
	const char *default_sample_type;
	const struct prof_allocator *allocator;
};

/*
 * Makes a profile of counted stacks: equal stacks with equal labels become
 * one sample of sample type NAME/count and period 1, in the order count
 * descending, then by the text of the stack ("@ 0x1 0x2") ascending.
 * Source: Go runtime/pprof, printCountProfile.
 *
 * An address in a stack is a return address; its location is one byte less,
 * with the mapping that holds the return address.
 *
 * PROF_NOMEM; PROF_LIMIT; PROF_OVERFLOW. The caller frees *out.
 */
PROF_API enum prof_status
prof_from_count(struct prof_profile **out, const struct prof_count_profile *c,
                const struct prof_from_options *options,
                struct prof_error *err);

/*
 * Builds a heap profile from sampled allocation records.
 *
 * recs[n]   one record per call stack and block size
 * rate      mean bytes between two samples; 0 or 1: nothing was left out
 *
 * A block of s bytes is sampled with probability 1 - exp(-s / rate); each
 * record is divided by that of its mean block size.
 * Source: Go runtime/pprof, scaleHeapSample.
 *
 * On success *out has alloc_objects/count, alloc_space/bytes,
 * inuse_objects/count and inuse_space/bytes, a numeric label "bytes" (the
 * mean block size) on each sample, period type space/bytes and period rate;
 * the caller frees it. Samples are in the order of recs. PROF_NOMEM;
 * PROF_INVALID for a record that freed more than it allocated or has a
 * negative number.
 */
PROF_API enum prof_status prof_from_mem(struct prof_profile **out,
                                        const struct prof_mem_record *recs,
                                        size_t n, int64_t rate,
                                        const struct prof_from_options *options,
                                        struct prof_error *err);

/*
 * Builds a block or mutex profile: contentions/count and delay/nanoseconds,
 * period 1 of contentions/count, samples in the order of recs.
 *
 * recs[n]            one record per call stack
 * cycles_per_second  1000000000 where cycles are nanoseconds already
 *
 * Source: Go runtime/pprof, printCountCycleProfile. PROF_NOMEM; PROF_INVALID
 * for cycles_per_second <= 0. The caller frees *out.
 */
PROF_API enum prof_status
prof_from_block(struct prof_profile **out, const struct prof_block_record *recs,
                size_t n, int64_t cycles_per_second,
                const struct prof_from_options *options,
                struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
