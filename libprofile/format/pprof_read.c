/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading profile.proto in one pass over the window, with no message tree.
 *
 * A sample's packed location ids are taken as they stand: those bytes are
 * the model's stack. Only in the end one fast pass over all stacks sees that
 * each id is in its shortest form and in the table. Samples wait in batches of
 * 32, so that their stacks and label sets are interned together; a batch
 * points into the window, and is interned before the window moves.
 *
 * Rows may refer to rows that come later (google/pprof writes samples
 * first). References stay as the file has them until the end of the input;
 * where ids are 1, 2, 3 ... in order, as nearly always, that is all.
 */
#include "format/pprof.h"

#include "base/error.h"
#include "base/varint.h"
#include "format/pprof_ids.h"
#include "model/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A read ahead that keeps small fields whole: fewer checks for more input. */
#define READ_AHEAD 4096
/* Bytes that one sample, location ... may take: far beyond its own limits. */
#define MAX_MESSAGE (UINT64_C(1) << 30)

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

/* ---- Failing ---- */

static bool fail(struct pprof_reader *g, enum prof_status status,
                 const unsigned char *at, const char *what)
{
	if (g->status == PROF_OK)
		g->status = error_at(g->err, status,
		                     input_offset(g->in) +
		                     (uint64_t)(at - g->in->p), "%s", what);
	return false;
}

static bool fail_in(struct pprof_reader *g, const unsigned char *at,
                    const char *what, const char *message)
{
	if (g->status == PROF_OK)
		g->status = error_at(g->err, PROF_CORRUPT,
		                     input_offset(g->in) +
		                     (uint64_t)(at - g->in->p), "%s in a %s",
		                     what, message);
	return false;
}

static bool fail_nomem(struct pprof_reader *g)
{
	if (g->status == PROF_OK)
		g->status = error_nomem(g->err);
	return false;
}

/* ---- Fields ---- */

struct field {
	uint32_t number;
	enum pprof_wire_type type;
	uint64_t value;             /* of a varint or fixed; size of bytes */
	const unsigned char *bytes; /* of WIRE_BYTES */
};

static bool is_wire_type(unsigned type)
{
	return type <= WIRE_BYTES || type == WIRE_FIXED32;
}

/*
 * The field at p, which is before end: its end, or NULL where malformed. Only
 * for what lies in the window: a varint that is cut off at end reads into the
 * padding (or what comes next), and is seen to end too late.
 */
static inline const unsigned char *next_field(const unsigned char *p,
                                              const unsigned char *end,
                                              struct field *f)
{
	uint64_t tag;

	p = varint_get_padded(p, &tag);
	if (!p || tag < 1 << 3 || tag >> 3 > UINT32_MAX)
		return NULL;
	f->number = (uint32_t)(tag >> 3);
	f->type = (enum pprof_wire_type)(tag & 7);
	switch (f->type) {
	case WIRE_VARINT:
		p = varint_get_padded(p, &f->value);
		return p <= end ? p : NULL;
	case WIRE_BYTES:
		p = varint_get_padded(p, &f->value);
		if (!p || p > end || f->value > (uint64_t)(end - p))
			return NULL;
		f->bytes = p;
		return p + f->value;
	case WIRE_FIXED64: /* in none of our fields: to be skipped, or wrong */
		f->value = 0;
		return end - p >= 8 ? p + 8 : NULL;
	case WIRE_FIXED32:
		f->value = 0;
		return end - p >= 4 ? p + 4 : NULL;
	}
	return NULL;
}

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
			return fail_in(g, at, p ? "field of the wrong type" :
			               "malformed field", name);
	}
	return true;
}

/* A field that has to be a number: false where it is not one. */
static bool take_number(const struct field *f, uint64_t *to)
{
	*to = f->value;
	return f->type == WIRE_VARINT;
}

static bool take_int(const struct field *f, int64_t *to)
{
	*to = (int64_t)f->value;
	return f->type == WIRE_VARINT;
}

/* An index into the string table; its range is checked in the end. */
static bool take_string(struct pprof_reader *g, const struct field *f,
                        uint32_t *to)
{
	*to = f->value < UINT32_MAX / 2 ? (uint32_t)f->value : UINT32_MAX / 2;
	if (*to > g->max_string)
		g->max_string = *to;
	return f->type == WIRE_VARINT;
}

static bool take_flag(const struct field *f, uint32_t *flags, uint32_t flag)
{
	*flags = f->value ? *flags | flag : *flags & ~flag;
	return f->type == WIRE_VARINT;
}

static bool take_id(struct pprof_reader *g, const struct field *f,
                    uint32_t *to)
{
	*to = id_32(&g->large, f->value, g->a);
	if (*to == 0 && f->value != 0)
		fail_nomem(g);
	return f->type == WIRE_VARINT;
}

/* ---- Samples ---- */

static const unsigned char *span_bytes(const struct pprof_reader *g,
                                       const struct span *s)
{
	return s->bytes ? s->bytes : g->ids.data + s->offset;
}

static bool intern_strings(struct pprof_reader *g, struct interner *in,
                           const struct prof_str *strings, uint32_t *ids)
{
	if (intern_batch(in, strings, ids, g->n_batch, g->a))
		return true;
	if (in->table->bytes.n > UINT32_MAX / 2)
		return fail(g, PROF_LIMIT, g->in->p,
		            "more than 4 GiB of stacks or label sets");
	return fail_nomem(g);
}

static bool intern_stacks(struct pprof_reader *g, uint32_t *ids)
{
	struct prof_str strings[INTERN_BATCH];

	for (size_t i = 0; i < g->n_batch; i++)
		strings[i] = (struct prof_str){
			(const char *)span_bytes(g, &g->stacks[i]),
			g->stacks[i].size };
	return intern_strings(g, &g->b->stacks, strings, ids);
}

static bool intern_label_sets(struct pprof_reader *g, uint32_t *ids)
{
	struct prof_str strings[INTERN_BATCH];
	size_t begin = 0;

	for (size_t i = 0; i < g->n_batch; begin = g->label_set_ends[i++])
		strings[i] = (struct prof_str){
			(const char *)g->labels.data + begin,
			g->label_set_ends[i] - begin };
	return intern_strings(g, &g->b->label_sets, strings, ids);
}

/* Interns the samples that wait. */
static bool flush_batch(struct pprof_reader *g)
{
	uint32_t stacks[INTERN_BATCH], label_sets[INTERN_BATCH];

	if (g->n_batch == 0)
		return true;
	if (!intern_stacks(g, stacks) || !intern_label_sets(g, label_sets))
		return false;
	if (g->p->samples.n > UINT32_MAX - 1 - g->n_batch)
		return fail(g, PROF_LIMIT, g->in->p, "more than 2^32 samples");
	if (!vec_reserve(&g->p->samples, g->n_batch, g->a))
		return fail_nomem(g);
	for (size_t i = 0; i < g->n_batch; i++)
		vec_put(&g->p->samples,
		        (struct row_sample){ stacks[i], label_sets[i] });
	g->n_batch = 0;
	g->ids.n = 0;
	g->labels.n = 0;
	return true;
}

/*
 * Adds location ids to a stack that has some already. One that ends where
 * g->ids does grows there: unpacked ids come one by one, and a copy of the
 * stack for each would be quadratic.
 */
static bool append_ids(struct pprof_reader *g, struct span *stack,
                       const unsigned char *bytes, size_t size)
{
	const bool is_last = !stack->bytes && stack->size &&
		stack->offset + stack->size == g->ids.n;
	const size_t kept = is_last ? 0 : stack->size; /* to be copied */

	if (!vec_reserve(&g->ids, kept + size, g->a))
		return fail_nomem(g);
	if (!is_last) {
		if (kept)
			memcpy(g->ids.data + g->ids.n, span_bytes(g, stack),
			       kept);
		*stack = (struct span){ NULL, g->ids.n, kept };
		g->ids.n += kept;
	}
	if (size)
		memcpy(g->ids.data + g->ids.n, bytes, size);
	g->ids.n += size;
	stack->size += size;
	return true;
}

static bool take_location_ids(struct pprof_reader *g, struct span *stack,
                              const struct field *f)
{
	unsigned char id[VARINT_MAX];

	if (f->type == WIRE_VARINT)
		return append_ids(g, stack, id,
		                  (size_t)(varint_put(id, f->value) - id));
	if (f->type != WIRE_BYTES)
		return false;
	if (f->value && f->bytes[f->value - 1] >= 0x80)
		return fail(g, PROF_CORRUPT, f->bytes,
		            "a location id in a sample is cut off");
	if (stack->size)
		return append_ids(g, stack, f->bytes, (size_t)f->value);
	stack->bytes = f->bytes;
	stack->size = (size_t)f->value;
	return true;
}

static bool take_values(struct pprof_reader *g, const struct field *f)
{
	const unsigned char *p = f->bytes;
	uint64_t value;

	if (f->type == WIRE_VARINT) {
		if (!vec_reserve(&g->p->values, 1, g->a))
			return fail_nomem(g);
		vec_put(&g->p->values, (int64_t)f->value);
		return true;
	}
	if (f->type != WIRE_BYTES)
		return false;
	if (!vec_reserve(&g->p->values, f->value, g->a))
		return fail_nomem(g);
	while (p < f->bytes + f->value) {
		p = varint_get_padded(p, &value);
		if (!p || p > f->bytes + f->value)
			return fail(g, PROF_CORRUPT, f->bytes,
			            "malformed value in a sample");
		vec_put(&g->p->values, (int64_t)value);
	}
	return true;
}

struct label_message {
	uint32_t key, str, unit;
	int64_t num;
};

static bool take_label_field(struct pprof_reader *g, void *message,
                             const struct field *f)
{
	struct label_message *label = message;

	switch (f->number) {
	case LABEL_KEY:
		return take_string(g, f, &label->key);
	case LABEL_STR:
		return take_string(g, f, &label->str);
	case LABEL_NUM:
		return take_int(f, &label->num);
	case LABEL_NUM_UNIT:
		return take_string(g, f, &label->unit);
	default:
		return true;
	}
}

static inline void note_string(struct pprof_reader *g, uint32_t id)
{
	if (id > g->b->max_label_string)
		g->b->max_label_string = id;
}

/* A label with a string is a string label, whatever else it has. */
static bool take_label(struct pprof_reader *g, const struct field *f)
{
	struct label_message m = { 0 };
	struct row_label row;

	if (f->type != WIRE_BYTES)
		return false;
	if (!read_message(g, f->bytes, f->bytes + f->value, take_label_field,
	                  &m, "label"))
		return false;
	row = (struct row_label){
		.key = m.key,
		.str = m.str ? m.str : m.unit,
		.is_number = m.str == 0,
		.num = m.num,
	};
	note_string(g, row.key);
	note_string(g, row.str);
	if (!vec_reserve(&g->labels, LABEL_PACKED_MAX, g->a))
		return fail_nomem(g);
	g->labels.n = (size_t)(label_pack(g->labels.data + g->labels.n, &row) -
	                       g->labels.data);
	return true;
}

/* The number of values is that of the first sample for all. */
static bool check_width(struct pprof_reader *g, size_t n,
                        const unsigned char *at)
{
	const uint64_t n_samples = g->p->samples.n + g->n_batch;

	if (n_samples == 0 && n)
		g->width = n;
	if (n == g->width && n)
		return true;
	if (g->status == PROF_OK)
		g->status = error_at(g->err, PROF_CORRUPT, input_offset(g->in) +
		                     (uint64_t)(at - g->in->p),
		                     "sample %" PRIu64 " has %zu values, not %zu",
		                     n_samples, n, g->width);
	return false;
}

static inline bool take_sample_field(struct pprof_reader *g,
                                     struct span *stack, uint32_t *n_labels,
                                     const struct field *f)
{
	switch (f->number) {
	case SAMPLE_LOCATION_ID:
		return take_location_ids(g, stack, f);
	case SAMPLE_VALUE:
		return take_values(g, f);
	case SAMPLE_LABEL:
		++*n_labels;
		g->n_items++;
		return take_label(g, f);
	default:
		return true;
	}
}

static bool read_sample(struct pprof_reader *g, const unsigned char *p,
                        const unsigned char *end)
{
	const unsigned char *const begin = p;
	const size_t values_before = g->p->values.n;
	struct span *const stack = &g->stacks[g->n_batch];
	uint32_t n_labels = 0;
	struct field f;

	*stack = (struct span){ 0 };
	while (p < end) {
		const unsigned char *const at = p;

		p = next_field(p, end, &f);
		if (!p || !take_sample_field(g, stack, &n_labels, &f))
			return fail_in(g, at, p ? "field of the wrong type" :
			               "malformed field", "sample");
	}
	if (!check_width(g, g->p->values.n - values_before, begin))
		return false;
	if (n_labels > g->p->max_labels)
		g->p->max_labels = n_labels;
	g->label_set_ends[g->n_batch] = g->labels.n;
	return ++g->n_batch < INTERN_BATCH || flush_batch(g);
}

/* ---- The other tables ---- */

static bool add_id(struct pprof_reader *g, struct id_map *m, uint32_t id,
                   const unsigned char *at, const char *row_name)
{
	char what[96];

	if (id == 0) {
		snprintf(what, sizeof(what), "%s without an id", row_name);
		return fail(g, PROF_CORRUPT, at, what);
	}
	switch (id_map_add(m, id, g->a)) {
	case ID_MAP_OK:
		return true;
	case ID_MAP_DUPLICATE:
		snprintf(what, sizeof(what), "%s with the id of another one "
		         "(two profiles in one?)", row_name);
		return fail(g, PROF_CORRUPT, at, what);
	case ID_MAP_NOMEM:
		break;
	}
	return fail_nomem(g);
}

static bool add_failed(struct pprof_reader *g)
{
	if (g->status == PROF_OK)
		g->status = prof_builder_status(g->b, g->err);
	return false;
}

struct mapping_message {
	uint32_t id;
	struct row_mapping row;
};

static bool take_mapping_field(struct pprof_reader *g, void *message,
                               const struct field *f)
{
	struct mapping_message *m = message;
	struct row_mapping *row = &m->row;

	switch (f->number) {
	case MAPPING_ID:
		return take_id(g, f, &m->id);
	case MAPPING_MEMORY_START:
		return take_number(f, &row->start);
	case MAPPING_MEMORY_LIMIT:
		return take_number(f, &row->limit);
	case MAPPING_FILE_OFFSET:
		return take_number(f, &row->offset);
	case MAPPING_FILENAME:
		return take_string(g, f, &row->file);
	case MAPPING_BUILD_ID:
		return take_string(g, f, &row->build_id);
	case MAPPING_FIELD_HAS_FUNCTIONS:
		return take_flag(f, &row->has, MAPPING_HAS_FUNCTIONS);
	case MAPPING_FIELD_HAS_FILENAMES:
		return take_flag(f, &row->has, MAPPING_HAS_FILENAMES);
	case MAPPING_FIELD_HAS_LINE_NUMBERS:
		return take_flag(f, &row->has, MAPPING_HAS_LINE_NUMBERS);
	case MAPPING_FIELD_HAS_INLINE_FRAMES:
		return take_flag(f, &row->has, MAPPING_HAS_INLINE_FRAMES);
	default:
		return true;
	}
}

static bool read_mapping(struct pprof_reader *g, const unsigned char *p,
                         const unsigned char *end)
{
	struct mapping_message m = { 0 };

	return read_message(g, p, end, take_mapping_field, &m, "mapping") &&
		add_id(g, &g->mappings, m.id, p, "mapping") &&
		(builder_append_mapping(g->b, &m.row) || add_failed(g));
}

static bool take_line_field(struct pprof_reader *g, void *message,
                            const struct field *f)
{
	struct prof_line *line = message;

	switch (f->number) {
	case LINE_FUNCTION_ID:
		return take_id(g, f, &line->function);
	case LINE_LINE:
		return take_int(f, &line->line);
	case LINE_COLUMN:
		return take_int(f, &line->column);
	default:
		return true;
	}
}

/* Lines go where they will be: behind those of the profile. */
static bool take_line(struct pprof_reader *g, const struct field *f,
                      uint32_t n_lines)
{
	struct prof_line line = { 0 };
	struct prof_line *to;

	if (f->type != WIRE_BYTES)
		return false;
	if (!read_message(g, f->bytes, f->bytes + f->value, take_line_field,
	                  &line, "line"))
		return false;
	if (!vec_reserve(&g->p->lines, (size_t)n_lines + 1, g->a))
		return fail_nomem(g);
	/* Field by field: a copy of what was only just written stalls. */
	to = &g->p->lines.data[g->p->lines.n + n_lines];
	to->function = line.function;
	to->line = line.line;
	to->column = line.column;
	return true;
}

struct location_message {
	uint32_t id, n_lines;
	struct row_location row;
};

static bool take_location_field(struct pprof_reader *g, void *message,
                                const struct field *f)
{
	struct location_message *m = message;

	switch (f->number) {
	case LOCATION_ID:
		return take_id(g, f, &m->id);
	case LOCATION_MAPPING_ID:
		return take_id(g, f, &m->row.mapping);
	case LOCATION_ADDRESS:
		return take_number(f, &m->row.address);
	case LOCATION_LINE:
		return take_line(g, f, m->n_lines++);
	case LOCATION_IS_FOLDED:
		return take_flag(f, &m->row.first_line, LOCATION_FOLDED);
	default:
		return true;
	}
}

static bool read_location(struct pprof_reader *g, const unsigned char *p,
                          const unsigned char *end)
{
	struct location_message m = { 0 };

	return read_message(g, p, end, take_location_field, &m, "location") &&
		add_id(g, &g->locations, m.id, p, "location") &&
		(builder_append_location(g->b, &m.row, m.n_lines ?
		                         g->p->lines.data + g->p->lines.n :
		                         NULL, m.n_lines) || add_failed(g));
}

struct function_message {
	uint32_t id;
	struct row_function row;
};

static bool take_function_field(struct pprof_reader *g, void *message,
                                const struct field *f)
{
	struct function_message *m = message;

	switch (f->number) {
	case FUNCTION_ID:
		return take_id(g, f, &m->id);
	case FUNCTION_NAME:
		return take_string(g, f, &m->row.name);
	case FUNCTION_SYSTEM_NAME:
		return take_string(g, f, &m->row.system_name);
	case FUNCTION_FILENAME:
		return take_string(g, f, &m->row.filename);
	case FUNCTION_START_LINE:
		return take_int(f, &m->row.start_line);
	default:
		return true;
	}
}

static bool read_function(struct pprof_reader *g, const unsigned char *p,
                          const unsigned char *end)
{
	struct function_message m = { 0 };

	return read_message(g, p, end, take_function_field, &m, "function") &&
		add_id(g, &g->functions, m.id, p, "function") &&
		(builder_append_function(g->b, &m.row) || add_failed(g));
}

static bool fail_long_string(struct pprof_reader *g, const unsigned char *at)
{
	return fail(g, PROF_LIMIT, at,
	            "a string is longer than the limit max_string");
}

static bool read_string(struct pprof_reader *g, const unsigned char *p,
                        const unsigned char *end)
{
	struct byte_table *t = &g->p->strings;

	/* The model has its "" at 0 already. */
	if (g->n_strings++ == 0) {
		if (p != end)
			return fail(g, PROF_CORRUPT, p,
			            "the first string is not empty");
		return true;
	}
	if ((uint64_t)(end - p) > g->r->options->limits.max_string)
		return fail_long_string(g, p);
	if (byte_table_append(t, p, (size_t)(end - p), g->a))
		return true;
	if (t->bytes.n > UINT32_MAX / 2)
		return fail(g, PROF_LIMIT, p, "more than 4 GiB of strings");
	return fail_nomem(g);
}

static bool take_value_type_field(struct pprof_reader *g, void *message,
                                  const struct field *f)
{
	struct row_value_type *type = message;

	switch (f->number) {
	case VALUE_TYPE_TYPE:
		return take_string(g, f, &type->type);
	case VALUE_TYPE_UNIT:
		return take_string(g, f, &type->unit);
	default:
		return true;
	}
}

static bool read_sample_type(struct pprof_reader *g, const unsigned char *p,
                             const unsigned char *end)
{
	struct row_value_type type = { 0 };

	if (!read_message(g, p, end, take_value_type_field, &type,
	                  "sample type"))
		return false;
	if (g->p->sample_types.n >= g->r->options->limits.max_types)
		return fail(g, PROF_LIMIT, p,
		            "more sample types than the limit max_types");
	if (!vec_reserve(&g->p->sample_types, 1, g->a))
		return fail_nomem(g);
	vec_put(&g->p->sample_types, type);
	return true;
}

static bool read_comment(struct pprof_reader *g, uint64_t value)
{
	struct field f = { .type = WIRE_VARINT, .value = value };
	uint32_t id;

	if (!vec_reserve(&g->p->comments, 1, g->a))
		return fail_nomem(g);
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
		return fail(g, PROF_CORRUPT, at,
		            "a second profile begins here (concatenated files; "
		            "profmerge puts profiles together)");
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
		return is_message(f) && read_sample_type(g, p, end);
	case PROFILE_SAMPLE:
		return is_message(f) && read_sample(g, p, end);
	case PROFILE_MAPPING:
		return is_message(f) && read_mapping(g, p, end);
	case PROFILE_LOCATION:
		return is_message(f) && read_location(g, p, end);
	case PROFILE_FUNCTION:
		return is_message(f) && read_function(g, p, end);
	case PROFILE_STRING_TABLE:
		return is_message(f) && read_string(g, p, end);
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
			read_message(g, p, end, take_value_type_field,
			             &g->p->period_type, "period type");
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
		return fail(g, PROF_TRUNCATED, in->p, "a field is cut off");
	if (!p || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
		return fail(g, PROF_CORRUPT, in->p, "this is no profile.proto");
	if (!is_wire_type((unsigned)tag & 7))
		return fail(g, PROF_CORRUPT, in->p,
		            "a field has an unknown wire type");
	p = (tag & 7) == WIRE_BYTES ? varint_get(p, in->end, &n) : NULL;
	if (!p)
		return fail(g, at_hand < 2 * VARINT_MAX ? PROF_TRUNCATED :
		            PROF_CORRUPT, in->p, "a field is cut off");
	if (n > MAX_MESSAGE)
		return fail(g, PROF_LIMIT, in->p, "a field of over 1 GiB");
	if (tag >> 3 == PROFILE_STRING_TABLE &&
	    n > g->r->options->limits.max_string)
		return fail_long_string(g, in->p);
	if (!flush_batch(g))
		return false;
	*size = (size_t)(p - in->p) + (size_t)n;
	at_hand = input_need(in, *size);
	if (at_hand < *size || !next_field(in->p, in->end, f))
		return fail(g, PROF_TRUNCATED, in->p, "a field is cut off");
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
		return fail(g, PROF_CORRUPT, in->p,
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
		if (!flush_batch(g) || !count_items(g))
			return;
	} while (input_need(in, READ_AHEAD) == READ_AHEAD ||
	         in->end - in->p >= READ_AHEAD);
	/* These are the last bytes. */
	while (in->p < in->end)
		if (!read_next_field(g))
			return;
	if (flush_batch(g))
		count_items(g);
}

/* ---- Salvage ---- */

static bool stand_in_location(struct pprof_reader *g, uint32_t id)
{
	const struct row_location none = { 0 };

	g->n_stand_ins++;
	return id_map_add(&g->locations, id, g->a) == ID_MAP_OK &&
		builder_append_location(g->b, &none, NULL, 0);
}

static bool stand_in_function(struct pprof_reader *g, uint32_t id)
{
	const struct row_function none = { 0 };

	g->n_stand_ins++;
	return id_map_add(&g->functions, id, g->a) == ID_MAP_OK &&
		builder_append_function(g->b, &none);
}

/*
 * Stands in for rows that were cut off, so that what was whole can be kept:
 * empty strings, functions without a name, locations without an address.
 * Those of sparse ids are found missing when the ids are resolved.
 */
static bool complete_tables(struct pprof_reader *g)
{
	const uint32_t max_location = stacks_max_location(&g->p->stacks);

	while (!g->locations.is_sparse && g->locations.n < max_location &&
	       max_location != UINT32_MAX)
		if (!stand_in_location(g, g->locations.n + 1))
			return fail_nomem(g);
	for (size_t i = 0; i < g->p->lines.n; i++) {
		const uint32_t id = g->p->lines.data[i].function;

		if (id && !id_map_find(&g->functions, id) &&
		    !stand_in_function(g, id))
			return fail_nomem(g);
	}
	while (g->max_string >= byte_table_n(&g->p->strings)) {
		if (!byte_table_append(&g->p->strings, "", 0, g->a))
			return fail_nomem(g);
		g->n_stand_ins++;
	}
	return true;
}

/* Goes on with what was read before the damage that g->status tells of. */
static bool drop_rest(struct pprof_reader *g)
{
	struct input *in = g->in;

	g->damaged_at = input_offset(in);
	g->is_damaged = true;
	/* Values and labels of a sample that was not whole. */
	g->p->values.n = (g->p->samples.n + g->n_batch) * g->width;
	g->status = PROF_OK;
	if (!flush_batch(g))
		return false;
	while (input_need(in, 1)) {
		g->n_dropped += (uint64_t)(in->end - in->p);
		in->p = in->end;
	}
	return true;
}

static void note_salvage(struct pprof_reader *g)
{
	if (g->is_damaged)
		g->status = reading_note(
			g->r, PROF_TRUNCATED, g->err, "damaged at byte %" PRIu64
			": the %" PRIu64 " bytes from there on were dropped; %zu "
			"samples are whole, and %" PRIu64 " strings, locations "
			"and functions they need are lost", g->damaged_at,
			g->n_dropped, g->p->samples.n, g->n_stand_ins);
	else if (g->n_stand_ins)
		g->status = reading_note(
			g->r, PROF_TRUNCATED, g->err, "cut at byte %" PRIu64
			": %" PRIu64 " strings, locations and functions that "
			"samples need are lost", input_offset(g->in),
			g->n_stand_ins);
}

/* ---- References ---- */

static bool resolve(struct pprof_reader *g, const struct id_map *m,
                    uint32_t *id, const char *from, const char *to)
{
	const uint32_t row = id_map_find(m, *id);

	if (row == 0) {
		g->status = error_set(g->err, PROF_CORRUPT,
		                      "a %s refers to %s %" PRIu64
		                      ", which is not there", from, to,
		                      id_64(&g->large, *id));
		return false;
	}
	*id = row;
	return true;
}

/* A mapping that is not there is none, as google/pprof has it. */
static void resolve_mappings(struct pprof_reader *g)
{
	for (size_t i = 1; i + 1 < g->p->locations.n; i++) {
		struct row_location *l = &g->p->locations.data[i];

		l->mapping = l->mapping ? id_map_find(&g->mappings, l->mapping) :
			0;
	}
}

static bool resolve_functions(struct pprof_reader *g)
{
	if (!g->functions.is_sparse)
		return true; /* what is beyond the table, check will find */
	for (size_t i = 0; i < g->p->lines.n; i++)
		if (!resolve(g, &g->functions, &g->p->lines.data[i].function,
		             "line", "function"))
			return false;
	return true;
}

/* Packs a stack again, with the rows that its ids stand for. */
static bool resolve_stack(struct pprof_reader *g, struct prof_str stack)
{
	const unsigned char *p = (const unsigned char *)stack.ptr;
	const unsigned char *const end = p + stack.len;

	g->ids.n = 0;
	if (!vec_reserve(&g->ids, stack.len * 5, g->a))
		return fail_nomem(g);
	while (p < end) {
		uint64_t wire_id;
		uint32_t id;

		p = varint_get(p, end, &wire_id);
		if (!p || wire_id == 0) {
			g->status = error_set(g->err, PROF_CORRUPT, p ?
			                      "a sample refers to location 0" :
			                      "malformed location id in a "
			                      "sample");
			return false;
		}
		id = id_32(&g->large, wire_id, g->a);
		if (!id)
			return fail_nomem(g);
		if (g->r->options->salvage && !id_map_find(&g->locations, id) &&
		    !stand_in_location(g, id))
			return fail_nomem(g);
		if (!resolve(g, &g->locations, &id, "sample", "location"))
			return false;
		g->ids.n = (size_t)(varint_put(g->ids.data + g->ids.n, id) -
		                    g->ids.data);
	}
	return true;
}

/* Stacks in a table of their own; new_ids[n] says what became of each. */
static bool resolve_each_stack(struct pprof_reader *g, struct byte_table *to,
                               uint32_t *new_ids)
{
	const uint32_t n = byte_table_n(&g->p->stacks);
	struct interner in = { to, .seed = g->b->stacks.seed };

	for (uint32_t i = 1; i < n && g->status == PROF_OK; i++) {
		if (!resolve_stack(g, byte_table_get(&g->p->stacks, i)))
			break;
		new_ids[i] = intern_bytes(&in, g->ids.data, g->ids.n, g->a);
		if (!new_ids[i])
			fail_nomem(g);
	}
	intern_release(&in, g->a);
	return g->status == PROF_OK;
}

/*
 * For the few files whose location ids are not 1, 2, 3 ..., or not in their
 * shortest form: all stacks once more.
 */
static void resolve_stacks(struct pprof_reader *g)
{
	struct byte_table resolved = { 0 };
	const uint32_t n = byte_table_n(&g->p->stacks);
	uint32_t *new_ids = mem_zeroed(g->a, n, sizeof(*new_ids));

	if (!new_ids || !byte_table_begin(&resolved, g->a)) {
		fail_nomem(g);
	} else if (resolve_each_stack(g, &resolved, new_ids)) {
		for (size_t i = 0; i < g->p->samples.n; i++)
			g->p->samples.data[i].stack =
				new_ids[g->p->samples.data[i].stack];
		byte_table_release(&g->p->stacks, g->a);
		g->p->stacks = resolved;
		resolved = (struct byte_table){ 0 };
		g->b->max_location = g->locations.n;
	}
	byte_table_release(&resolved, g->a);
	mem_free(g->a, new_ids, n * sizeof(*new_ids));
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

static void check_and_resolve(struct pprof_reader *g)
{
	if (g->width != g->p->sample_types.n && g->p->samples.n &&
	    g->p->sample_types.n) {
		g->status = error_set(g->err, PROF_CORRUPT,
		                      "samples have %zu values, but there are "
		                      "%zu sample types", g->width,
		                      g->p->sample_types.n);
		return;
	}
	resolve_mappings(g);
	if (!resolve_functions(g))
		return;
	g->b->max_location = stacks_max_location(&g->p->stacks);
	if (g->locations.is_sparse || g->b->max_location == UINT32_MAX)
		resolve_stacks(g);
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
		fail_nomem(&g);
	else
		read_fields(&g);
	prefer_input_error(&g);
	if (r->options->salvage &&
	    (g.status == PROF_TRUNCATED || g.status == PROF_CORRUPT))
		drop_rest(&g);
	if (g.status == PROF_OK && r->options->salvage)
		complete_tables(&g);
	if (g.status == PROF_OK)
		check_and_resolve(&g);
	if (g.status == PROF_OK && r->options->salvage)
		note_salvage(&g);
	id_map_release(&g.mappings, g.a);
	id_map_release(&g.locations, g.a);
	id_map_release(&g.functions, g.a);
	large_ids_release(&g.large, g.a);
	vec_release(&g.ids, g.a);
	vec_release(&g.labels, g.a);
	return g.status;
}

/*
 * A profile.proto begins with a field of the profile whose wire type is the
 * right one: mostly a sample type of 2 to 12 bytes that has a tag of its own.
 */
int pprof_probe(const unsigned char *head, size_t size)
{
	const unsigned char *p = head;
	const unsigned char *const end = head + size;
	struct field f;
	int n_fields = 0;

	while (p < end && n_fields < 3) {
		const unsigned char *const next = next_field(p, end, &f);

		if (!next || f.number > PROFILE_DOC_URL)
			break;
		if ((f.number <= PROFILE_STRING_TABLE ||
		     f.number == PROFILE_PERIOD_TYPE) != (f.type == WIRE_BYTES) &&
		    f.number != PROFILE_COMMENT)
			return 0;
		n_fields++;
		p = next;
	}
	if (n_fields == 0)
		return 0;
	return head[0] == PPROF_TAG(PROFILE_SAMPLE_TYPE, WIRE_BYTES) &&
		n_fields >= 2 ? 3 : 1;
}
