/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the rows of all tables but that of samples. */
#include "format/pprof_reader.h"

#include "base/error.h"

#include <stdio.h>

static bool add_id(struct pprof_reader *g, struct id_map *m, uint32_t id,
                   const unsigned char *at, const char *row_name)
{
	char what[96];

	if (id == 0) {
		snprintf(what, sizeof(what), "%s without an id", row_name);
		return pprof_fail(g, PROF_CORRUPT, at, what);
	}
	switch (id_map_add(m, id, g->a)) {
	case ID_MAP_OK:
		return true;
	case ID_MAP_DUPLICATE:
		snprintf(what, sizeof(what), "%s with the id of another one "
		         "(two profiles in one?)", row_name);
		return pprof_fail(g, PROF_CORRUPT, at, what);
	case ID_MAP_NOMEM:
		break;
	}
	return pprof_fail_nomem(g);
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

bool pprof_read_mapping(struct pprof_reader *g, const unsigned char *p,
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
		return pprof_fail_nomem(g);
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

bool pprof_read_location(struct pprof_reader *g, const unsigned char *p,
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

bool pprof_read_function(struct pprof_reader *g, const unsigned char *p,
                         const unsigned char *end)
{
	struct function_message m = { 0 };

	return read_message(g, p, end, take_function_field, &m, "function") &&
		add_id(g, &g->functions, m.id, p, "function") &&
		(builder_append_function(g->b, &m.row) || add_failed(g));
}

bool pprof_read_string(struct pprof_reader *g, const unsigned char *p,
                       const unsigned char *end)
{
	struct byte_table *t = &g->p->strings;

	/* The model has its "" at 0 already. */
	if (g->n_strings++ == 0) {
		if (p != end)
			return pprof_fail(g, PROF_CORRUPT, p,
			                  "the first string is not empty");
		return true;
	}
	if ((uint64_t)(end - p) > g->r->options->limits.max_string)
		return pprof_fail_long_string(g, p);
	if (byte_table_append(t, p, (size_t)(end - p), g->a))
		return true;
	if (t->bytes.n > UINT32_MAX / 2)
		return pprof_fail(g, PROF_LIMIT, p,
		                  "more than 4 GiB of strings");
	return pprof_fail_nomem(g);
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

bool pprof_read_sample_type(struct pprof_reader *g, const unsigned char *p,
                            const unsigned char *end)
{
	struct row_value_type type = { 0 };

	if (!read_message(g, p, end, take_value_type_field, &type,
	                  "sample type"))
		return false;
	if (g->p->sample_types.n >= g->r->options->limits.max_types)
		return pprof_fail(g, PROF_LIMIT, p,
		                  "more sample types than the limit max_types");
	if (!vec_reserve(&g->p->sample_types, 1, g->a))
		return pprof_fail_nomem(g);
	vec_put(&g->p->sample_types, type);
	return true;
}

bool pprof_read_period_type(struct pprof_reader *g, const unsigned char *p,
                            const unsigned char *end)
{
	return read_message(g, p, end, take_value_type_field,
	                    &g->p->period_type, "period type");
}
