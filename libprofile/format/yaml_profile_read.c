/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile from its YAML, straight into the builder: each record is read
 * into a scratch row and added, and nothing but the builder's own tables
 * grows with the file. So a table must stand before those that refer to it.
 *
 * The rows of tables are appended, not interned: a profile may have two equal
 * locations, and reading keeps them apart. Functions that locations name in
 * place (fn:) are interned by the builder; with a table of functions: they are
 * rows of it and lines refer to them (f:). Frames of the hand form (stack:)
 * are locations found by name in an index of our own.
 */
#include "format/yaml.h"

#include "base/error.h"

#include <string.h>

enum document_key {
	KEY_PROFILE, /* read already: it is the schema */
	KEY_SAMPLE_TYPES,
	KEY_DEFAULT,
	KEY_PERIOD,
	KEY_TIME,
	KEY_DURATION,
	KEY_COMMENTS,
	KEY_DROP_FRAMES,
	KEY_KEEP_FRAMES,
	KEY_DOC_URL,
	KEY_MAPPINGS,
	KEY_FUNCTIONS,
	KEY_LOCATIONS,
	KEY_SAMPLES
};
static const struct yaml_keys document_keys = {
	"a profile", 14,
	{ "profile", "sample_types", "default", "period", "time_nanos",
	  "duration_nanos", "comments", "drop_frames", "keep_frames",
	  "doc_url", "mappings", "functions", "locations", "samples" },
};
/* Keys whose tables refer to those before them. */
#define TABLE_KEYS (1u << KEY_SAMPLE_TYPES | 1u << KEY_MAPPINGS |             \
	            1u << KEY_FUNCTIONS | 1u << KEY_LOCATIONS |               \
	            1u << KEY_SAMPLES)

/* The strings of the header, which is set when all of it is known. */
struct header_texts {
	struct yaml_text period_type, period_unit, default_type;
	struct yaml_text drop_frames, keep_frames, doc_url;
};

struct profile_reader {
	struct yaml_reader *r;
	struct prof_builder *b;
	const struct prof_allocator *allocator;
	uint32_t seen; /* of enum document_key */
	struct prof_header header;
	struct header_texts texts;
	struct yaml_ids mappings, functions, locations;

	/* The sample, location or mapping at hand. */
	VEC(int64_t) values;
	VEC(uint32_t) stack;
	VEC(struct prof_line) lines;
	struct yaml_labels labels;

	/* Of the hand form: names, and by the name's id its location. */
	struct byte_table names;
	struct interner name_index;
	VEC(uint32_t) location_of_name;
};

/* Room for one more of v, whose allocator is p's; fails else. */
#define READ_ROOM(p, v)                                                       \
	(vec_reserve((v), 1, (p)->allocator) ||                               \
	 (yaml_fail_nested((p)->r, error_nomem((p)->r->err)), false))

/* Where the builder has failed, tells the line at which it did. */
static void check_builder(struct profile_reader *p)
{
	if (p->b->status)
		yaml_fail(p->r, p->b->status, "%s", p->b->error.message);
}

/* ---- Header ---- */

/* "cpu/nanoseconds", or {type: cpu, unit: nanoseconds}. Kept. */
static void read_value_type(struct yaml_reader *r, struct yaml_text *type,
                            struct yaml_text *unit)
{
	static const struct yaml_keys keys = {
		"a sample type", 2, { "type", "unit" }
	};
	uint32_t seen = 0;
	struct prof_str s;
	const char *slash;
	int key;

	if (yaml_next_shape(r) == YAML_SHAPE_MAP) {
		yaml_begin_map(r, "a sample type");
		while ((key = yaml_key(r, &keys, &seen)) != YAML_END)
			*(key == 0 ? type : unit) =
				yaml_keep(r, yaml_string(r, keys.names[key]));
		return;
	}
	s = yaml_string(r, "a sample type");
	slash = memchr(s.ptr, '/', s.len);
	if (!slash) {
		yaml_fail(r, PROF_CORRUPT, "a sample type is type/unit, as "
		          "samples/count, not: %.60s", s.ptr);
		return;
	}
	*type = yaml_keep(r, (struct prof_str){ s.ptr,
	                                        (size_t)(slash - s.ptr) });
	*unit = yaml_keep(r, (struct prof_str){
		slash + 1, s.len - (size_t)(slash - s.ptr) - 1 });
}

static void add_sample_type(struct profile_reader *p)
{
	const size_t mark = p->r->text.n;
	struct yaml_text type = { 0, 0 }, unit = { 0, 0 };

	read_value_type(p->r, &type, &unit);
	if (p->r->status)
		return;
	prof_add_sample_type(p->b, &(struct prof_value_type){
		yaml_kept(p->r, type), yaml_kept(p->r, unit) });
	yaml_forget(p->r, mark);
	check_builder(p);
}

static void read_sample_types(struct profile_reader *p)
{
	if (yaml_begin_list(p->r, "sample_types"))
		while (yaml_more(p->r))
			add_sample_type(p);
}

/* Where the document does not say, it counts samples. */
static void default_sample_types(struct profile_reader *p)
{
	const struct prof_value_type samples = { { "samples", 7 },
	                                         { "count", 5 } };

	if (!(p->seen & 1u << KEY_SAMPLE_TYPES))
		prof_add_sample_type(p->b, &samples);
	check_builder(p);
}

static void read_period(struct profile_reader *p)
{
	static const struct yaml_keys keys = {
		"period", 2, { "type", "value" }
	};
	uint32_t seen = 0;
	int key;

	if (!yaml_begin_map(p->r, "period"))
		return;
	while ((key = yaml_key(p->r, &keys, &seen)) != YAML_END) {
		if (key == 0)
			read_value_type(p->r, &p->texts.period_type,
			                &p->texts.period_unit);
		else
			p->header.period = yaml_i64(p->r, "value");
	}
}

static void read_comments(struct profile_reader *p)
{
	if (!yaml_begin_list(p->r, "comments"))
		return;
	while (yaml_more(p->r)) {
		struct prof_str s = yaml_string(p->r, "a comment");

		if (!p->r->status)
			prof_add_comment(p->b, s);
		check_builder(p);
	}
}

static void set_header(struct profile_reader *p)
{
	const struct header_texts *t = &p->texts;
	struct prof_header *h = &p->header;

	h->period_type.type = yaml_kept(p->r, t->period_type);
	h->period_type.unit = yaml_kept(p->r, t->period_unit);
	h->default_sample_type = yaml_kept(p->r, t->default_type);
	h->drop_frames = yaml_kept(p->r, t->drop_frames);
	h->keep_frames = yaml_kept(p->r, t->keep_frames);
	h->doc_url = yaml_kept(p->r, t->doc_url);
	prof_set_header(p->b, h);
	check_builder(p);
}

/* ---- Mappings, functions and locations ---- */

static void add_mapping(struct profile_reader *p)
{
	struct yaml_reader *r = p->r;
	const size_t mark = r->text.n;
	struct yaml_mapping m;

	if (!yaml_read_mapping(r, &m))
		return;
	if (m.seen & 1u << YAML_MAPPING_TIME) {
		yaml_fail(r, PROF_CORRUPT,
		          "t: belongs to the mappings of a recording");
		return;
	}
	yaml_ids_add(&p->mappings, r,
	             m.seen & 1u << YAML_MAPPING_ID ? &m.id : NULL, "mapping");
	builder_append_mapping(p->b, &(struct row_mapping){
		.start = m.start,
		.limit = m.limit,
		.offset = m.offset,
		.file = builder_string(p->b, yaml_kept(r, m.file)),
		.build_id = builder_string(p->b, yaml_kept(r, m.build_id)),
		.has = m.has,
	});
	yaml_forget(r, mark);
	check_builder(p);
}

static void add_function(struct profile_reader *p)
{
	enum { ID, NAME, SYSTEM_NAME, FILENAME, START };
	static const struct yaml_keys keys = {
		"a function", 5, { "id", "fn", "sys", "file", "start" }
	};
	struct yaml_reader *r = p->r;
	struct row_function row = { 0 };
	uint32_t *const strings[] = { &row.name, &row.system_name,
	                              &row.filename };
	uint32_t seen = 0;
	uint64_t id = 0;
	int key;

	if (!yaml_begin_map(r, "a function"))
		return;
	while ((key = yaml_key(r, &keys, &seen)) != YAML_END) {
		if (key == ID)
			id = yaml_u64(r, "id");
		else if (key == START)
			row.start_line = yaml_i64(r, "start");
		else
			*strings[key - NAME] = builder_string(
				p->b, yaml_string(r, keys.names[key]));
	}
	if (!(seen & 1u << SYSTEM_NAME))
		row.system_name = row.name;
	yaml_ids_add(&p->functions, r, seen & 1u << ID ? &id : NULL,
	             "function");
	if (!r->status)
		builder_append_function(p->b, &row);
	check_builder(p);
}

/* The function that a line names, in place or by the table. */
static uint32_t find_function(struct profile_reader *p,
                              const struct yaml_frame *f)
{
	const uint32_t in_place = 1u << YAML_FRAME_NAME |
		1u << YAML_FRAME_SYSTEM_NAME | 1u << YAML_FRAME_FILE |
		1u << YAML_FRAME_START;

	if (p->seen & 1u << KEY_FUNCTIONS) {
		if (f->seen & in_place ||
		    !(f->seen & 1u << YAML_FRAME_FUNCTION_ID))
			yaml_fail(p->r, PROF_CORRUPT, "with a table of "
			          "functions, a line names one of them by f:");
		return yaml_ids_find(&p->functions, p->r, f->function,
		                     "function");
	}
	if (f->seen & 1u << YAML_FRAME_FUNCTION_ID ||
	    !(f->seen & 1u << YAML_FRAME_NAME)) {
		yaml_fail(p->r, PROF_CORRUPT, "a line names its function by "
		          "fn:, or by f: where functions: come before it");
		return 0;
	}
	return prof_add_function(p->b, &(struct prof_function){
		.name = yaml_kept(p->r, f->name),
		.system_name = yaml_kept(p->r, f->system_name),
		.filename = yaml_kept(p->r, f->file),
		.start_line = f->start,
	});
}

static void read_lines(struct profile_reader *p)
{
	const size_t mark = p->r->text.n;
	struct yaml_frame f;

	if (!yaml_begin_list(p->r, "lines"))
		return;
	while (yaml_more(p->r)) {
		if (!yaml_read_frame(p->r, &f) || !READ_ROOM(p, &p->lines))
			return;
		vec_put(&p->lines, (struct prof_line){
			find_function(p, &f), f.line, f.column });
		yaml_forget(p->r, mark);
		check_builder(p);
	}
}

static void add_location(struct profile_reader *p)
{
	enum { ID, MAP, ADDR, FOLDED, LINES };
	static const struct yaml_keys keys = {
		"a location", 5, { "id", "map", "addr", "folded", "lines" }
	};
	struct yaml_reader *r = p->r;
	struct row_location row = { 0 };
	uint32_t seen = 0;
	uint64_t id = 0;
	int key;

	p->lines.n = 0;
	if (!yaml_begin_map(r, "a location"))
		return;
	while ((key = yaml_key(r, &keys, &seen)) != YAML_END) {
		switch (key) {
		case ID: id = yaml_u64(r, "id"); break;
		case MAP:
			row.mapping = yaml_ids_find(&p->mappings, r,
			                            yaml_u64(r, "map"),
			                            "mapping");
			break;
		case ADDR: row.address = yaml_u64(r, "addr"); break;
		case FOLDED:
			row.first_line = yaml_bool(r, "folded") ?
				LOCATION_FOLDED : 0;
			break;
		case LINES: read_lines(p); break;
		}
	}
	yaml_ids_add(&p->locations, r, seen & 1u << ID ? &id : NULL,
	             "location");
	if (!r->status)
		builder_append_location(p->b, &row, p->lines.data, p->lines.n);
	check_builder(p);
}

/* ---- Samples ---- */

static void read_values(struct profile_reader *p)
{
	const bool is_list = yaml_next_shape(p->r) == YAML_SHAPE_LIST;

	if (!is_list) {
		if (READ_ROOM(p, &p->values))
			vec_put(&p->values, yaml_i64(p->r, "a value"));
		return;
	}
	yaml_begin_list(p->r, "v");
	while (yaml_more(p->r) && READ_ROOM(p, &p->values))
		vec_put(&p->values, yaml_i64(p->r, "a value"));
}

static void read_location_ids(struct profile_reader *p)
{
	if (!yaml_begin_list(p->r, "at"))
		return;
	while (yaml_more(p->r) && READ_ROOM(p, &p->stack))
		vec_put(&p->stack, yaml_ids_find(&p->locations, p->r,
		                                 yaml_u64(p->r, "at"),
		                                 "location"));
}

/* A new location of a function that is only a name. */
static uint32_t append_named_location(struct profile_reader *p,
                                      struct prof_str name)
{
	struct prof_line line = { 0 };

	if (p->seen & 1u << KEY_FUNCTIONS) {
		const uint32_t id = builder_string(p->b, name);

		line.function = builder_append_function(
			p->b, &(struct row_function){ id, id, 0, 0 });
	} else {
		line.function = prof_add_function(p->b, &(struct prof_function){
			.name = name, .system_name = name });
	}
	return builder_append_location(p->b, &(struct row_location){ 0 },
	                               &line, 1);
}

/* The location of a frame of the hand form. */
static uint32_t find_named_location(struct profile_reader *p,
                                    struct prof_str name)
{
	const struct prof_allocator *a = p->allocator;
	uint32_t id;

	if (p->r->status)
		return 0;
	if (!p->name_index.table) {
		p->name_index.table = &p->names;
		p->name_index.seed = hash_seed();
		if (!byte_table_begin(&p->names, a))
			goto nomem;
	}
	id = intern_bytes(&p->name_index, name.ptr, name.len, a);
	if (id == 0 && name.len)
		goto nomem;
	while (p->location_of_name.n <= id) {
		if (!vec_reserve(&p->location_of_name, 1, a))
			goto nomem;
		vec_put(&p->location_of_name, 0);
	}
	if (!p->location_of_name.data[id])
		p->location_of_name.data[id] = append_named_location(p, name);
	return p->location_of_name.data[id];
nomem:
	yaml_fail_nested(p->r, error_nomem(p->r->err));
	return 0;
}

static void read_named_frames(struct profile_reader *p)
{
	if (!yaml_begin_list(p->r, "stack"))
		return;
	while (yaml_more(p->r) && READ_ROOM(p, &p->stack)) {
		struct prof_str name = yaml_string(p->r, "a frame");

		vec_put(&p->stack, find_named_location(p, name));
		check_builder(p);
	}
}

/* The scratch rows hold a whole sample. */
static void add_sample(struct profile_reader *p)
{
	struct yaml_reader *r = p->r;
	const uint32_t n_types = prof_n_sample_types(p->b->profile);
	const struct prof_label *labels = yaml_label_views(r, &p->labels);
	uint32_t stack, label_set;

	if (p->values.n != n_types)
		yaml_fail(r, PROF_CORRUPT, "this sample has %zu values, but "
		          "there are %u sample types", p->values.n, n_types);
	if (r->status)
		return;
	stack = prof_add_stack(p->b, p->stack.data, p->stack.n);
	label_set = prof_add_label_set(p->b, labels, p->labels.rows.n);
	prof_add_sample(p->b, stack, label_set, p->values.data);
	check_builder(p);
}

static void read_sample(struct profile_reader *p)
{
	enum { VALUES, AT, STACK, LABELS, NUM };
	static const struct yaml_keys keys = {
		"a sample", 5, { "v", "at", "stack", "labels", "num" }
	};
	const size_t mark = p->r->text.n;
	uint32_t seen = 0;
	int key;

	p->values.n = p->stack.n = p->labels.rows.n = 0;
	if (!yaml_begin_map(p->r, "a sample"))
		return;
	while ((key = yaml_key(p->r, &keys, &seen)) != YAML_END) {
		switch (key) {
		case VALUES: read_values(p); break;
		case AT: read_location_ids(p); break;
		case STACK: read_named_frames(p); break;
		case LABELS: yaml_read_labels(p->r, &p->labels); break;
		case NUM: yaml_read_num_labels(p->r, &p->labels); break;
		}
	}
	if (seen & 1u << AT && seen & 1u << STACK)
		yaml_fail(p->r, PROF_CORRUPT,
		          "a sample has at: or stack:, not both");
	add_sample(p);
	yaml_forget(p->r, mark);
}

/* ---- The document ---- */

static void read_list(struct profile_reader *p, const char *what,
                      void (*read_one)(struct profile_reader *))
{
	if (yaml_begin_list(p->r, what))
		while (yaml_more(p->r))
			read_one(p);
}

/* Refuses a table that comes after one that may refer to it. */
static void check_order(struct profile_reader *p, int key)
{
	const uint32_t later = p->seen & TABLE_KEYS & ~((2u << key) - 1);

	if (TABLE_KEYS & 1u << key && later)
		yaml_fail(p->r, PROF_CORRUPT, "%s must come before %s",
		          document_keys.names[key],
		          document_keys.names[__builtin_ctz(later)]);
}

static struct yaml_text read_text(struct profile_reader *p,
                                  enum document_key key)
{
	return yaml_keep(p->r, yaml_string(p->r, document_keys.names[key]));
}

static void read_key(struct profile_reader *p, enum document_key key)
{
	switch (key) {
	case KEY_PROFILE: break;
	case KEY_SAMPLE_TYPES: read_sample_types(p); break;
	case KEY_DEFAULT: p->texts.default_type = read_text(p, key); break;
	case KEY_PERIOD: read_period(p); break;
	case KEY_TIME: p->header.time_ns = yaml_i64(p->r, "time_nanos"); break;
	case KEY_DURATION:
		p->header.duration_ns = yaml_i64(p->r, "duration_nanos");
		break;
	case KEY_COMMENTS: read_comments(p); break;
	case KEY_DROP_FRAMES: p->texts.drop_frames = read_text(p, key); break;
	case KEY_KEEP_FRAMES: p->texts.keep_frames = read_text(p, key); break;
	case KEY_DOC_URL: p->texts.doc_url = read_text(p, key); break;
	case KEY_MAPPINGS: read_list(p, "mappings", add_mapping); break;
	case KEY_FUNCTIONS: read_list(p, "functions", add_function); break;
	case KEY_LOCATIONS: read_list(p, "locations", add_location); break;
	case KEY_SAMPLES:
		default_sample_types(p);
		read_list(p, "samples", read_sample);
		break;
	}
}

void yaml_read_profile(struct yaml_reader *r, struct prof_builder *b)
{
	struct profile_reader p = {
		.r = r,
		.b = b,
		.allocator = r->allocator,
		.seen = 1u << KEY_PROFILE,
	};
	int key;

	while ((key = yaml_key(r, &document_keys, &p.seen)) != YAML_END) {
		check_order(&p, key);
		read_key(&p, (enum document_key)key);
	}
	if (!(p.seen & 1u << KEY_SAMPLES))
		default_sample_types(&p);
	yaml_end_document(r);
	if (!r->status)
		set_header(&p);
	yaml_ids_release(&p.mappings, p.allocator);
	yaml_ids_release(&p.functions, p.allocator);
	yaml_ids_release(&p.locations, p.allocator);
	vec_release(&p.values, p.allocator);
	vec_release(&p.stack, p.allocator);
	vec_release(&p.lines, p.allocator);
	yaml_labels_release(&p.labels, p.allocator);
	intern_release(&p.name_index, p.allocator);
	byte_table_release(&p.names, p.allocator);
	vec_release(&p.location_of_name, p.allocator);
}
