/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mapping as one line, the same in profiles and in recordings:
 *
 *	{file: /bin/x, build_id: abc, start: 0x400000, limit: 0x500000,
 *	 offset: 0x1000, has: [functions, filenames, lines, inlines]}
 *
 * In a recording it has a time, t:, and in a profile it may have an id:.
 */
#include "format/yaml.h"

#include "model/profile.h"

#include <string.h>

static const struct yaml_keys mapping_keys = {
	"a mapping", 8,
	{ "id", "t", "file", "build_id", "start", "limit", "offset", "has" },
};

/* In the order in which they are written. */
static const struct has_name {
	const char *name;
	uint32_t bit;
} has_names[] = {
	{ "functions", MAPPING_HAS_FUNCTIONS },
	{ "filenames", MAPPING_HAS_FILENAMES },
	{ "lines", MAPPING_HAS_LINE_NUMBERS },
	{ "inlines", MAPPING_HAS_INLINE_FRAMES },
};
#define N_HAS_NAMES (sizeof(has_names) / sizeof(has_names[0]))

static uint32_t read_has_name(struct yaml_reader *r)
{
	struct prof_str s = yaml_string(r, "an item of has");

	for (size_t i = 0; i < N_HAS_NAMES; i++)
		if (strlen(has_names[i].name) == s.len &&
		    memcmp(has_names[i].name, s.ptr, s.len) == 0)
			return has_names[i].bit;
	yaml_fail(r, PROF_CORRUPT, "has: knows functions, filenames, lines "
	          "and inlines, not %.60s", s.ptr);
	return 0;
}

static uint32_t read_has(struct yaml_reader *r)
{
	uint32_t has = 0;

	if (yaml_begin_list(r, "has"))
		while (yaml_more(r))
			has |= read_has_name(r);
	return has;
}

bool yaml_read_mapping(struct yaml_reader *r, struct yaml_mapping *out)
{
	int key;

	*out = (struct yaml_mapping){ 0 };
	if (!yaml_begin_map(r, "a mapping"))
		return false;
	while ((key = yaml_key(r, &mapping_keys, &out->seen)) != YAML_END) {
		switch ((enum yaml_mapping_key)key) {
		case YAML_MAPPING_ID: out->id = yaml_u64(r, "id"); break;
		case YAML_MAPPING_TIME: out->time = yaml_u64(r, "t"); break;
		case YAML_MAPPING_FILE:
			out->file = yaml_keep(r, yaml_string(r, "file"));
			break;
		case YAML_MAPPING_BUILD_ID:
			out->build_id = yaml_keep(r, yaml_string(r,
			                                         "build_id"));
			break;
		case YAML_MAPPING_START:
			out->start = yaml_u64(r, "start");
			break;
		case YAML_MAPPING_LIMIT:
			out->limit = yaml_u64(r, "limit");
			break;
		case YAML_MAPPING_OFFSET:
			out->offset = yaml_u64(r, "offset");
			break;
		case YAML_MAPPING_HAS: out->has = read_has(r); break;
		}
	}
	return r->status == PROF_OK;
}

void yaml_put_mapping(struct yaml_flow *f, const struct prof_mapping *m)
{
	if (m->file.len)
		yaml_field_string(f, "file", m->file);
	if (m->build_id.len)
		yaml_field_string(f, "build_id", m->build_id);
	if (m->start)
		yaml_field_hex(f, "start", m->start);
	if (m->limit)
		yaml_field_hex(f, "limit", m->limit);
	if (m->offset)
		yaml_field_hex(f, "offset", m->offset);
}

void yaml_put_mapping_has(struct yaml_flow *f, const struct prof_mapping *m)
{
	const bool has[N_HAS_NAMES] = { m->has_functions, m->has_filenames,
	                                m->has_line_numbers,
	                                m->has_inline_frames };
	const char *separator = "";

	yaml_field(f, "has");
	output_char(f->out, '[');
	for (size_t i = 0; i < N_HAS_NAMES; i++) {
		if (!has[i])
			continue;
		output_text(f->out, separator);
		output_text(f->out, has_names[i].name);
		separator = ", ";
	}
	output_char(f->out, ']');
}
