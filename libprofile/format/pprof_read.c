/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading profile.proto in one pass over the window, with no message tree.
 *
 * Rows may refer to rows that come later (google/pprof writes samples
 * first). References stay as the file has them until the end of the input;
 * where ids are 1, 2, 3 ... in order, as nearly always, that is all.
 */
#include "format/pprof_reader.h"

#include "base/error.h"

#include <string.h>

/* A read ahead that keeps small fields whole: fewer checks for more input. */
#define READ_AHEAD 4096
/* Bytes that one sample, location ... may take: far beyond its own limits. */
#define MAX_MESSAGE (UINT64_C(1) << 30)

/* ---- Failing ---- */

bool pprof_fail(struct pprof_reader *g, enum prof_status status,
                const unsigned char *at, const char *what)
{
	if (g->status == PROF_OK)
		g->status = error_at(g->err, status,
		                     input_offset(g->in) +
		                     (uint64_t)(at - g->in->p), "%s", what);
	return false;
}

bool pprof_fail_in(struct pprof_reader *g, const unsigned char *at,
                   const char *what, const char *message)
{
	if (g->status == PROF_OK)
		g->status = error_at(g->err, PROF_CORRUPT,
		                     input_offset(g->in) +
		                     (uint64_t)(at - g->in->p), "%s in a %s",
		                     what, message);
	return false;
}

bool pprof_fail_nomem(struct pprof_reader *g)
{
	if (g->status == PROF_OK)
		g->status = error_nomem(g->err);
	return false;
}

bool pprof_fail_long_string(struct pprof_reader *g, const unsigned char *at)
{
	return pprof_fail(g, PROF_LIMIT, at,
	                  "a string is longer than the limit max_string");
}

/* ---- Fields of the profile itself ---- */

static bool read_comment(struct pprof_reader *g, uint64_t value)
{
	struct field f = { .type = WIRE_VARINT, .value = value };
	uint32_t id;

	if (!vec_reserve(&g->p->comments, 1, g->a))
		return pprof_fail_nomem(g);
	take_string(g, &f, &id);
	vec_put(&g->p->comments, id);
	return true;
}

static bool read_comments(struct pprof_reader *g, const struct field *f)
{
	const unsigned char *p = f->bytes;
	uint64_t value;

	if (f->type == WIRE_VARINT)
		return read_comment(g, f->value);
	if (f->type != WIRE_BYTES)
		return false;
	while (p < f->bytes + f->value) {
		p = varint_get(p, f->bytes + f->value, &value);
		if (!p || !read_comment(g, value))
			return false;
	}
	return true;
}

/* A time that is told twice: the file is two profiles put together. */
static bool read_time(struct pprof_reader *g, const struct field *f,
                      const unsigned char *at)
{
	if (g->has_time && f->value)
		return pprof_fail(g, PROF_CORRUPT, at,
		                  "a second profile begins here (concatenated "
		                  "files; profmerge puts profiles together)");
	g->has_time = g->has_time || f->value;
	return take_int(f, &g->p->time_ns);
}

/* ---- The profile ---- */

static bool is_message(const struct field *f)
{
	return f->type == WIRE_BYTES;
}

/* One field of the profile, whole in the window, at `at`. */
static bool read_field(struct pprof_reader *g, const struct field *f,
                       const unsigned char *at)
{
	const unsigned char *const p = f->bytes;
	const unsigned char *const end = is_message(f) ? p + f->value : NULL;

	switch (f->number) {
	case PROFILE_SAMPLE_TYPE:
		return is_message(f) && pprof_read_sample_type(g, p, end);
	case PROFILE_SAMPLE:
		return is_message(f) && pprof_read_sample(g, p, end);
	case PROFILE_MAPPING:
		return is_message(f) && pprof_read_mapping(g, p, end);
	case PROFILE_LOCATION:
		return is_message(f) && pprof_read_location(g, p, end);
	case PROFILE_FUNCTION:
		return is_message(f) && pprof_read_function(g, p, end);
	case PROFILE_STRING_TABLE:
		return is_message(f) && pprof_read_string(g, p, end);
	case PROFILE_DROP_FRAMES:
		return take_string(g, f, &g->p->drop_frames);
	case PROFILE_KEEP_FRAMES:
		return take_string(g, f, &g->p->keep_frames);
	case PROFILE_TIME_NANOS:
		return read_time(g, f, at);
	case PROFILE_DURATION_NANOS:
		return take_int(f, &g->p->duration_ns);
	case PROFILE_PERIOD_TYPE:
		return is_message(f) &&
			pprof_read_period_type(g, p, end);
	case PROFILE_PERIOD:
		return take_int(f, &g->p->period);
	case PROFILE_COMMENT:
		return read_comments(g, f);
	case PROFILE_DEFAULT_SAMPLE_TYPE:
		return take_string(g, f, &g->p->default_sample_type);
	case PROFILE_DOC_URL:
		return take_string(g, f, &g->p->doc_url);
	default:
		return true;
	}
}

/*
 * Makes the field at in->p whole in the window, where it is not: *size is
 * then that of all of it. False: it cannot be.
 */
static bool get_whole_field(struct pprof_reader *g, struct field *f,
                            size_t *size)
{
	struct input *in = g->in;
	size_t at_hand = (size_t)(in->end - in->p);
	const unsigned char *end = next_field(in->p, in->end, f);
	const unsigned char *p;
	uint64_t tag, n;

	if (end) {
		*size = (size_t)(end - in->p);
		return true;
	}
	/* Only a field of bytes may be that long: find out how long it is. */
	p = varint_get(in->p, in->end, &tag);
	if (!p && at_hand < VARINT_MAX)
		return pprof_fail(g, PROF_TRUNCATED, in->p,
		                  "a field is cut off");
	if (!p || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
		return pprof_fail(g, PROF_CORRUPT, in->p,
		                  "this is no profile.proto");
	if (!is_wire_type((unsigned)tag & 7))
		return pprof_fail(g, PROF_CORRUPT, in->p,
		                  "a field has an unknown wire type");
	p = (tag & 7) == WIRE_BYTES ? varint_get(p, in->end, &n) : NULL;
	if (!p)
		return pprof_fail(g, at_hand < 2 * VARINT_MAX ? PROF_TRUNCATED :
		                  PROF_CORRUPT, in->p, "a field is cut off");
	if (n > MAX_MESSAGE)
		return pprof_fail(g, PROF_LIMIT, in->p,
		                  "a field of over 1 GiB");
	if (tag >> 3 == PROFILE_STRING_TABLE &&
	    n > g->r->options->limits.max_string)
		return pprof_fail_long_string(g, in->p);
	if (!pprof_flush_batch(g))
		return false;
	*size = (size_t)(p - in->p) + (size_t)n;
	at_hand = input_need(in, *size);
	if (at_hand < *size || !next_field(in->p, in->end, f))
		return pprof_fail(g, PROF_TRUNCATED, in->p,
		                  "a field is cut off");
	return true;
}

static bool read_next_field(struct pprof_reader *g)
{
	struct input *in = g->in;
	struct field f = { 0 };
	size_t size;

	if (!get_whole_field(g, &f, &size))
		return false;
	if (!read_field(g, &f, in->p))
		return pprof_fail(g, PROF_CORRUPT, in->p,
		                  "a field of the profile has the wrong type");
	in->p += size;
	g->n_items++;
	return true;
}

/* False: these are more than the limit, and the input has failed. */
static bool count_items(struct pprof_reader *g)
{
	const uint32_t n = g->n_items;

	g->n_items = 0;
	return input_count(g->in, n);
}

static void read_fields(struct pprof_reader *g)
{
	struct input *in = g->in;

	do {
		while (in->end - in->p >= READ_AHEAD)
			if (!read_next_field(g))
				return;
		if (!pprof_flush_batch(g) || !count_items(g))
			return;
	} while (input_need(in, READ_AHEAD) == READ_AHEAD ||
	         in->end - in->p >= READ_AHEAD);
	/* These are the last bytes. */
	while (in->p < in->end)
		if (!read_next_field(g))
			return;
	if (pprof_flush_batch(g))
		count_items(g);
}

/* A failure to get more bytes is the reason for all that follows from it. */
static void prefer_input_error(struct pprof_reader *g)
{
	if (g->in->status == PROF_OK)
		return;
	g->status = g->in->status;
	if (g->err)
		*g->err = g->in->error;
}

enum prof_status pprof_read(struct format_reading *r, struct prof_builder *b,
                            struct prof_error *err)
{
	struct pprof_reader g = {
		.r = r, .in = r->in, .b = b, .p = b->profile,
		.a = r->allocator, .err = err,
	};

	/* Empty stacks and label sets point into these, too. */
	if (!vec_reserve(&g.ids, 1, g.a) || !vec_reserve(&g.labels, 1, g.a))
		pprof_fail_nomem(&g);
	else
		read_fields(&g);
	prefer_input_error(&g);
	if (r->options->salvage &&
	    (g.status == PROF_TRUNCATED || g.status == PROF_CORRUPT))
		pprof_drop_rest(&g);
	if (g.status == PROF_OK && r->options->salvage)
		pprof_complete_tables(&g);
	if (g.status == PROF_OK)
		pprof_resolve(&g);
	if (g.status == PROF_OK && r->options->salvage)
		pprof_note_salvage(&g);
	id_map_release(&g.mappings, g.a);
	id_map_release(&g.locations, g.a);
	id_map_release(&g.functions, g.a);
	large_ids_release(&g.large, g.a);
	vec_release(&g.ids, g.a);
	vec_release(&g.labels, g.a);
	return g.status;
}
