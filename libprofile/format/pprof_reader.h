/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_PPROF_READER_H
#define FORMAT_PPROF_READER_H

/*
 * What the files of the reader share: its state, how it fails, and how it
 * takes the fields of a message. The first failure sticks; functions that
 * return false have failed.
 */

#include "format/pprof_fields.h"
#include "format/pprof_ids.h"

/* A stack that waits to be interned: in the window, or packed again. */
struct span {
	const unsigned char *bytes; /* NULL: ids.data + offset */
	size_t offset, size;
};

struct pprof_reader {
	struct format_reading *r;
	struct input *in;
	struct prof_builder *b;
	struct prof_profile *p;
	const struct prof_allocator *a;
	struct prof_error *err;
	enum prof_status status; /* sticky */

	struct id_map mappings, locations, functions;
	struct large_ids large;
	uint32_t n_strings;  /* entries of the string table so far */
	uint32_t max_string; /* the largest index into it */
	size_t width;        /* values of a sample; from the first one */
	bool has_time;
	uint32_t n_items; /* fields and labels since they were last counted */

	/* Salvage. */
	bool is_damaged;
	uint64_t damaged_at, n_dropped; /* bytes */
	uint64_t n_stand_ins;           /* rows made up for lost ones */

	/* The batch. */
	size_t n_batch;
	struct span stacks[INTERN_BATCH];
	size_t label_set_ends[INTERN_BATCH]; /* in labels */
	VEC(unsigned char) ids;    /* stacks that are not taken as they are */
	VEC(unsigned char) labels; /* label sets, packed */
};

/* ---- Failing: all return false ---- */

bool pprof_fail(struct pprof_reader *g, enum prof_status status,
                const unsigned char *at, const char *what);
bool pprof_fail_in(struct pprof_reader *g, const unsigned char *at,
                   const char *what, const char *message);
bool pprof_fail_nomem(struct pprof_reader *g);
bool pprof_fail_long_string(struct pprof_reader *g, const unsigned char *at);

/* ---- Messages ---- */

/* A reader of one message: what to do with each of its fields. */
typedef bool take_field(struct pprof_reader *g, void *message,
                        const struct field *f);

/* Inlined, so that each message has a loop of its own: labels are many. */
static inline __attribute__((always_inline)) bool
read_message(struct pprof_reader *g, const unsigned char *p,
             const unsigned char *end, take_field *take, void *message,
             const char *name)
{
	struct field f;

	while (p < end) {
		const unsigned char *const at = p;

		p = next_field(p, end, &f);
		if (!p || !take(g, message, &f))
			return pprof_fail_in(
				g, at, p ? "field of the wrong type" :
				"malformed field", name);
	}
	return true;
}

/* A field that has to be a number: false where it is not one. */
static inline bool take_number(const struct field *f, uint64_t *to)
{
	*to = f->value;
	return f->type == WIRE_VARINT;
}

static inline bool take_int(const struct field *f, int64_t *to)
{
	*to = (int64_t)f->value;
	return f->type == WIRE_VARINT;
}

/* An index into the string table; its range is checked in the end. */
static inline bool take_string(struct pprof_reader *g, const struct field *f,
                               uint32_t *to)
{
	*to = f->value < UINT32_MAX / 2 ? (uint32_t)f->value : UINT32_MAX / 2;
	if (*to > g->max_string)
		g->max_string = *to;
	return f->type == WIRE_VARINT;
}

static inline bool take_flag(const struct field *f, uint32_t *flags,
                             uint32_t flag)
{
	*flags = f->value ? *flags | flag : *flags & ~flag;
	return f->type == WIRE_VARINT;
}

static inline bool take_id(struct pprof_reader *g, const struct field *f,
                           uint32_t *to)
{
	*to = id_32(&g->large, f->value, g->a);
	if (*to == 0 && f->value != 0)
		pprof_fail_nomem(g);
	return f->type == WIRE_VARINT;
}

/* ---- The tables: whole messages, p to end ---- */

bool pprof_read_sample(struct pprof_reader *g, const unsigned char *p,
                       const unsigned char *end);
/* Interns the samples that wait, before what they point to moves. */
bool pprof_flush_batch(struct pprof_reader *g);

bool pprof_read_mapping(struct pprof_reader *g, const unsigned char *p,
                        const unsigned char *end);
bool pprof_read_location(struct pprof_reader *g, const unsigned char *p,
                         const unsigned char *end);
bool pprof_read_function(struct pprof_reader *g, const unsigned char *p,
                         const unsigned char *end);
bool pprof_read_string(struct pprof_reader *g, const unsigned char *p,
                       const unsigned char *end);
bool pprof_read_sample_type(struct pprof_reader *g, const unsigned char *p,
                            const unsigned char *end);
bool pprof_read_period_type(struct pprof_reader *g, const unsigned char *p,
                            const unsigned char *end);

/* ---- The end ---- */

/* Goes on with what was read before the damage that g->status tells of. */
bool pprof_drop_rest(struct pprof_reader *g);
/*
 * Stands in for rows that were cut off, so that what was whole can be kept:
 * empty strings, functions without a name, locations without an address.
 * Those of sparse ids are found missing when the ids are resolved.
 */
bool pprof_complete_tables(struct pprof_reader *g);
bool pprof_stand_in_location(struct pprof_reader *g, uint32_t id);
/* Says what salvage left out. */
void pprof_note_salvage(struct pprof_reader *g);

/* Rows for ids; what is beyond a table of dense ids, check will find. */
void pprof_resolve(struct pprof_reader *g);

#endif
