/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording from its YAML, told to a recorder piece by piece. All schemas
 * have the same items (yaml_items.c); a schema only says which section they
 * stand in and which keys there are at the top.
 */
#include "format/yaml_items.h"

#include "base/error.h"

#include <string.h>

/* By enum yaml_section. */
static const uint64_t section_kinds[] = {
	PROF_RECORDS_CPU, PROF_RECORDS_MEM, PROF_RECORDS_COUNT,
	PROF_RECORDS_BLOCK, 0,
};

/* ---- Keys of the document ---- */

enum document_key {
	KEY_SCHEMA, /* read already */
	KEY_KINDS,
	KEY_RECORDED,
	KEY_HZ,
	KEY_HEADER,
	KEY_RATE,
	KEY_NAME,
	KEY_CYCLES,
	KEY_MAPPINGS,
	KEY_RECORDS,
	KEY_SECTIONS,
	KEY_SYMBOLS,
	KEY_END
};
static const struct yaml_keys document_keys = {
	"a recording", 13,
	{ "recording", "kinds", "recorded", "hz", "header", "rate", "name",
	  "cycles_per_second", "mappings", "records", "sections", "symbols",
	  "end" },
};

#define BIT(key) (UINT32_C(1) << (key))
#define COMMON_KEYS (BIT(KEY_SCHEMA) | BIT(KEY_RECORDED) | BIT(KEY_HZ) |      \
	             BIT(KEY_MAPPINGS) | BIT(KEY_SYMBOLS) | BIT(KEY_END))

/* What each schema is about, by enum yaml_schema. */
static const struct schema {
	enum yaml_section section;
	uint64_t kinds;
	uint32_t keys; /* that it may have */
} schemas[] = {
	[YAML_CPU_CHUNKS] = { YAML_CPU, PROF_RECORDS_CPU,
	                      COMMON_KEYS | BIT(KEY_HEADER) |
	                      BIT(KEY_RECORDS) },
	[YAML_MEM_PROFILE] = { YAML_MEM, PROF_RECORDS_MEM,
	                       COMMON_KEYS | BIT(KEY_RATE) |
	                       BIT(KEY_RECORDS) },
	[YAML_COUNT_PROFILE] = { YAML_COUNT, PROF_RECORDS_COUNT,
	                         COMMON_KEYS | BIT(KEY_NAME) |
	                         BIT(KEY_RECORDS) },
	[YAML_BLOCK_PROFILE] = { YAML_BLOCK, PROF_RECORDS_BLOCK,
	                         COMMON_KEYS | BIT(KEY_NAME) |
	                         BIT(KEY_CYCLES) | BIT(KEY_RECORDS) },
	[YAML_RECORDING] = { YAML_LOG, 0,
	                     COMMON_KEYS | BIT(KEY_KINDS) |
	                     BIT(KEY_SECTIONS) },
};

struct recording_reader {
	struct yaml_reader *r;
	struct yaml_items items;
	const struct schema *schema;
	uint32_t seen; /* of enum document_key */
	struct prof_recording_header header;
	struct yaml_text command;
	bool was_header_told;
	uint64_t header_words[3]; /* of header: */
	uint64_t n_header_words;
	uint64_t hz;
	int64_t duration_ns; /* of end: */
	uint64_t lost;
};

static void tell_header(struct recording_reader *p)
{
	const struct prof_recorder *to = p->items.to;
	struct prof_recording_header *h = &p->header;

	if (p->was_header_told || p->r->status)
		return;
	p->was_header_told = true;
	h->is_stream = p->schema->section == YAML_CPU &&
		!(p->seen & BIT(KEY_RECORDED));
	/* Of a plain stream, the words alone know. */
	h->hz = h->is_stream ? 0 : p->hz;
	h->kinds |= p->schema->kinds;
	h->command = yaml_kept(p->r, p->command);
	yaml_fail_nested(p->r, to->header(to->ctx, h, p->r->err));
}

/* ---- The document ---- */

static void read_kinds(struct recording_reader *p)
{
	if (yaml_next_shape(p->r) == YAML_SHAPE_SCALAR) {
		p->header.kinds = yaml_u64(p->r, "kinds");
		return;
	}
	yaml_begin_list(p->r, "kinds");
	while (yaml_more(p->r)) {
		const struct prof_str s = yaml_string(p->r, "a kind");
		unsigned i = 0;

		while (i < YAML_LOG &&
		       strcmp(yaml_section_keys.names[i], s.ptr) != 0)
			i++;
		if (i == YAML_LOG)
			yaml_fail(p->r, PROF_CORRUPT, "kinds: knows cpu, mem, "
			          "count and block, not %.60s", s.ptr);
		p->header.kinds |= section_kinds[i];
	}
}

static void read_recorded(struct recording_reader *p)
{
	enum { TIME, CLOCK, PID, COMMAND };
	static const struct yaml_keys keys = {
		"recorded", 4, { "time_nanos", "clock_nanos", "pid", "command" }
	};
	struct prof_recording_header *h = &p->header;
	uint32_t seen = 0;
	int key;

	if (!yaml_begin_map(p->r, "recorded"))
		return;
	while ((key = yaml_key(p->r, &keys, &seen)) != YAML_END) {
		switch (key) {
		case TIME: h->time_ns = yaml_i64(p->r, "time_nanos"); break;
		case CLOCK: h->clock_ns = yaml_u64(p->r, "clock_nanos"); break;
		case PID: h->pid = yaml_u64(p->r, "pid"); break;
		case COMMAND:
			p->command = yaml_keep(p->r,
			                       yaml_string(p->r, "command"));
			break;
		}
	}
}

/* header: the words of the first record, or [] for none. */
static void read_header_words(struct recording_reader *p)
{
	if (!yaml_begin_list(p->r, "header"))
		return;
	for (; yaml_more(p->r); p->n_header_words++) {
		const uint64_t word = yaml_u64(p->r, "a word");

		if (p->n_header_words < 3)
			p->header_words[p->n_header_words] = word;
	}
	if (p->n_header_words &&
	    (p->n_header_words != 3 || p->header_words[0] != 3))
		yaml_fail(p->r, PROF_CORRUPT, "header: is [3, time, hz] or []");
}

/*
 * The words that stand before those of records: those of header:, else
 * [3, 0, hz] where hz: is given.
 */
static void begin_cpu_records(struct recording_reader *p)
{
	p->items.t = 0;
	if (p->seen & BIT(KEY_HEADER)) {
		if (!p->n_header_words)
			return;
		p->items.t = p->header_words[1];
		yaml_add_words(&p->items, 0, p->header_words[2], NULL, 0);
	} else if (p->seen & BIT(KEY_HZ)) {
		yaml_add_words(&p->items, 0, p->hz, NULL, 0);
	}
}

static void read_records(struct recording_reader *p)
{
	struct yaml_items *items = &p->items;

	tell_header(p);
	if (items->section == YAML_CPU)
		begin_cpu_records(p);
	items->is_call_open = items->has_rate || items->has_name;
	items->is_call_of_document = items->is_call_open;
	if (items->section == YAML_BLOCK && items->has_rate != items->has_name)
		yaml_fail(p->r, PROF_CORRUPT, "name: and cycles_per_second: "
		          "come together");
	yaml_read_items(items);
}

/* {cpu: [...]} */
static void read_section(struct recording_reader *p)
{
	uint32_t seen = 0;
	int key;

	if (!yaml_begin_map(p->r, "a section"))
		return;
	key = yaml_key(p->r, &yaml_section_keys, &seen);
	if (key == YAML_END) {
		yaml_fail(p->r, PROF_CORRUPT, "an empty section");
		return;
	}
	p->items.section = (enum yaml_section)key;
	p->items.has_rate = p->items.has_name = false;
	yaml_read_items(&p->items);
	if (yaml_more(p->r))
		yaml_fail(p->r, PROF_CORRUPT, "a section has one key");
}

static void read_sections(struct recording_reader *p)
{
	tell_header(p);
	if (yaml_begin_list(p->r, "sections"))
		while (yaml_more(p->r))
			read_section(p);
}

static void read_mappings(struct recording_reader *p)
{
	tell_header(p);
	if (yaml_begin_list(p->r, "mappings"))
		while (yaml_more(p->r))
			yaml_pass_mapping(&p->items);
}

/* {0x401000: {fn: main}}, each address once. */
static void read_symbols(struct recording_reader *p)
{
	struct yaml_ids addresses = { 0 };

	tell_header(p);
	if (!yaml_begin_map(p->r, "symbols"))
		return;
	while (yaml_more(p->r)) {
		p->items.pc = yaml_u64(p->r, "an address of symbols");
		yaml_ids_add(&addresses, p->r, &p->items.pc, "symbol");
		yaml_pass_symbol(&p->items);
	}
	yaml_ids_release(&addresses, p->r->allocator);
}

static void read_end(struct recording_reader *p)
{
	static const struct yaml_keys keys = {
		"end", 2, { "duration_nanos", "lost" }
	};
	uint32_t seen = 0;
	int key;

	if (!yaml_begin_map(p->r, "end"))
		return;
	while ((key = yaml_key(p->r, &keys, &seen)) != YAML_END) {
		if (key == 0)
			p->duration_ns = yaml_i64(p->r, "duration_nanos");
		else
			p->lost = yaml_u64(p->r, "lost");
	}
}

/* Refuses a key that the schema has not, or that comes too late. */
static void check_key(struct recording_reader *p, int key)
{
	const uint32_t before_records = BIT(KEY_HZ) | BIT(KEY_HEADER) |
		BIT(KEY_RATE) | BIT(KEY_NAME) | BIT(KEY_CYCLES) |
		BIT(KEY_MAPPINGS);
	const uint32_t records = BIT(KEY_RECORDS) | BIT(KEY_SECTIONS);
	const char *name = document_keys.names[key];

	if (!(p->schema->keys & BIT(key)))
		yaml_fail(p->r, PROF_CORRUPT, "%s: does not belong to this "
		          "kind of recording", name);
	if (BIT(key) & (BIT(KEY_KINDS) | BIT(KEY_RECORDED)) &&
	    p->was_header_told)
		yaml_fail(p->r, PROF_CORRUPT, "%s: must come before mappings "
		          "and records", name);
	if (BIT(key) & before_records && p->seen & records)
		yaml_fail(p->r, PROF_CORRUPT, "%s: must come before the "
		          "records", name);
}

/* What the keys of the document left to be told. */
static void tell_end(struct recording_reader *p)
{
	const struct prof_recorder *to = p->items.to;

	tell_header(p);
	if (p->schema->section == YAML_CPU && !(p->seen & BIT(KEY_RECORDS))) {
		begin_cpu_records(p);
		yaml_tell_pending(&p->items);
	}
	yaml_end_document(p->r);
	if (p->r->status)
		return;
	yaml_fail_nested(p->r, to->end(to->ctx, p->duration_ns, p->lost,
	                               p->r->err));
}

static void read_recording(struct recording_reader *p)
{
	int key;

	while ((key = yaml_key(p->r, &document_keys, &p->seen)) != YAML_END) {
		check_key(p, key);
		switch ((enum document_key)key) {
		case KEY_SCHEMA: break;
		case KEY_KINDS: read_kinds(p); break;
		case KEY_RECORDED: read_recorded(p); break;
		case KEY_HZ: p->hz = yaml_u64(p->r, "hz"); break;
		case KEY_HEADER: read_header_words(p); break;
		case KEY_RATE:
			yaml_read_call_field(&p->items, YAML_RATE);
			break;
		case KEY_NAME:
			yaml_read_call_field(&p->items, YAML_NAME);
			break;
		case KEY_CYCLES:
			yaml_read_call_field(&p->items, YAML_CYCLES_PER_SECOND);
			break;
		case KEY_MAPPINGS: read_mappings(p); break;
		case KEY_RECORDS: read_records(p); break;
		case KEY_SECTIONS: read_sections(p); break;
		case KEY_SYMBOLS: read_symbols(p); break;
		case KEY_END: read_end(p); break;
		}
	}
	tell_end(p);
}

void yaml_read_recording(struct yaml_reader *r, enum yaml_schema schema,
                         const struct prof_recorder *to)
{
	struct recording_reader p = {
		.r = r,
		.items = {
			.r = r,
			.to = to,
			.allocator = r->allocator,
			.section = schemas[schema].section,
		},
		.schema = &schemas[schema],
		.seen = BIT(KEY_SCHEMA),
	};

	read_recording(&p);
	yaml_items_release(&p.items);
}
