/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame as one flow map, the same for the lines of a location, the rows of
 * the functions: table and the frames of a symbol:
 *
 *	{fn: outer, sys: _Z5outerv, file: a.c, line: 9, col: 4, start: 3}
 *
 * A line of a profile that has a table of functions says {f: 3, line: 9}.
 */
#include "format/yaml.h"

#include <string.h>

static const struct yaml_keys frame_keys = {
	"a frame", 7,
	{ "f", "fn", "sys", "file", "line", "col", "start" },
};

bool yaml_read_frame(struct yaml_reader *r, struct yaml_frame *out)
{
	int key;

	*out = (struct yaml_frame){ 0 };
	if (!yaml_begin_map(r, "a frame"))
		return false;
	while ((key = yaml_key(r, &frame_keys, &out->seen)) != YAML_END) {
		switch ((enum yaml_frame_key)key) {
		case YAML_FRAME_FUNCTION_ID:
			out->function = yaml_u64(r, "f");
			break;
		case YAML_FRAME_NAME:
			out->name = yaml_keep(r, yaml_string(r, "fn"));
			break;
		case YAML_FRAME_SYSTEM_NAME:
			out->system_name = yaml_keep(r, yaml_string(r, "sys"));
			break;
		case YAML_FRAME_FILE:
			out->file = yaml_keep(r, yaml_string(r, "file"));
			break;
		case YAML_FRAME_LINE: out->line = yaml_i64(r, "line"); break;
		case YAML_FRAME_COLUMN: out->column = yaml_i64(r, "col"); break;
		case YAML_FRAME_START: out->start = yaml_i64(r, "start"); break;
		}
	}
	if (!(out->seen & 1u << YAML_FRAME_SYSTEM_NAME))
		out->system_name = out->name;
	return r->status == PROF_OK;
}

static bool is_equal(struct prof_str a, struct prof_str b)
{
	return a.len == b.len &&
		(a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

void yaml_put_function(struct yaml_flow *f, struct prof_str name,
                       struct prof_str system_name, struct prof_str file)
{
	yaml_field_string(f, "fn", name);
	if (!is_equal(name, system_name))
		yaml_field_string(f, "sys", system_name);
	if (file.len)
		yaml_field_string(f, "file", file);
}

void yaml_put_place(struct yaml_flow *f, int64_t line, int64_t column)
{
	if (line)
		yaml_field_i64(f, "line", line);
	if (column)
		yaml_field_i64(f, "col", column);
}

void yaml_put_start(struct yaml_flow *f, int64_t start_line)
{
	if (start_line)
		yaml_field_i64(f, "start", start_line);
}
