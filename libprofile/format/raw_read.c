/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the container. A section is looked at only when all of it is there
 * and its checksum holds, so a recording that was cut anywhere gives what its
 * whole sections have. Everything in it is a multiple of 8 bytes and stands
 * at one: words are handed on from where they lie.
 */
#include "format/raw.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

#define MAX_SECTION (UINT64_C(1) << 30)

struct container_reader {
	struct format_reading *r;
	struct input *in;
	const struct prof_recorder *to;
	bool is_swapped;     /* the file has the other byte order */
	bool has_header, has_ended;
	bool has_bad_size;   /* of the next section: not a cut, but a damage */
	uint64_t n_unknown;  /* sections */
	/* What is handed on, gathered from a section. */
	VEC(struct prof_label) labels;
	VEC(struct prof_mem_record) mem;
	VEC(struct prof_block_record) block;
	VEC(struct prof_count_record) count;
	VEC(struct prof_symbol) symbols;
	struct prof_error *err;
};

/* ---- Content ---- */

/* The content of a section; reads beyond its end are 0 and stick. */
struct content {
	const unsigned char *p, *end;
	const unsigned char *begin;
	bool is_swapped, has_failed;
};

static uint64_t take_u64(struct content *c)
{
	uint64_t word;

	if (c->end - c->p < 8) {
		c->has_failed = true;
		return 0;
	}
	memcpy(&word, c->p, sizeof(word));
	c->p += 8;
	return c->is_swapped ? __builtin_bswap64(word) : word;
}

static int64_t take_i64(struct content *c)
{
	return (int64_t)take_u64(c);
}

/* A length, the bytes, and zeros up to a multiple of 8. */
static struct prof_str take_str(struct content *c)
{
	const uint64_t size = take_u64(c);
	struct prof_str s = { (const char *)c->p, 0 };

	if (size > (uint64_t)(c->end - c->p)) {
		c->has_failed = true;
		return s;
	}
	s.len = (size_t)size;
	c->p += (size + 7) & ~UINT64_C(7);
	return s;
}

/* How many things there are that take `size` bytes at least. */
static size_t take_count(struct content *c, size_t size)
{
	const uint64_t n = take_u64(c);

	if (n > (uint64_t)(c->end - c->p) / size) {
		c->has_failed = true;
		return 0;
	}
	return (size_t)n;
}

/* words[n] where they lie, in this machine's byte order; c->p moves on. */
static const uint64_t *take_words(struct content *c, size_t n)
{
	uint64_t *words = (uint64_t *)(uintptr_t)c->p;

	if (n > (size_t)(c->end - c->p) / 8) {
		c->has_failed = true;
		return NULL;
	}
	if (c->is_swapped)
		for (size_t i = 0; i < n; i++)
			words[i] = __builtin_bswap64(words[i]);
	c->p += 8 * n;
	return words;
}

/* A stack of at most 32 addresses. */
static void take_stack32(struct content *c, uint64_t stack[32])
{
	const size_t n = take_count(c, 8);
	const uint64_t *pcs = take_words(c, n);

	memset(stack, 0, 32 * sizeof(*stack));
	if (n > 32)
		c->has_failed = true;
	else if (n)
		memcpy(stack, pcs, n * sizeof(*stack));
}

/* ---- Sections ---- */

static enum prof_status read_header(struct container_reader *g,
                                    struct content *c)
{
	struct prof_recording_header h = { 0 };

	h.kinds = take_u64(c);
	h.time_ns = take_i64(c);
	h.clock_ns = take_u64(c);
	h.hz = take_u64(c);
	h.pid = take_u64(c);
	h.command = take_str(c);
	if (c->has_failed)
		return PROF_OK;
	g->has_header = true;
	return g->to->header(g->to->ctx, &h, g->err);
}

static enum prof_status read_mappings(struct container_reader *g,
                                      struct content *c)
{
	enum prof_status status = PROF_OK;

	while (status == PROF_OK && !c->has_failed && c->p < c->end) {
		struct prof_mapping m = { 0 };
		const uint64_t time = take_u64(c);
		uint64_t flags;

		m.start = take_u64(c);
		m.limit = take_u64(c);
		m.offset = take_u64(c);
		flags = take_u64(c);
		m.has_functions = flags & RAW_HAS_FUNCTIONS;
		m.has_filenames = flags & RAW_HAS_FILENAMES;
		m.has_line_numbers = flags & RAW_HAS_LINE_NUMBERS;
		m.has_inline_frames = flags & RAW_HAS_INLINE_FRAMES;
		m.file = take_str(c);
		m.build_id = take_str(c);
		if (!c->has_failed)
			status = g->to->mapping(g->to->ctx, time, &m, g->err);
	}
	return status;
}

static enum prof_status read_labels(struct container_reader *g,
                                    struct content *c)
{
	const uint64_t tag = take_u64(c);
	const size_t n = take_count(c, 32);

	g->labels.n = 0;
	if (!vec_reserve(&g->labels, n, g->r->allocator))
		return error_nomem(g->err);
	for (size_t i = 0; i < n; i++) {
		struct prof_label label = { .key = take_str(c) };
		const uint64_t is_number = take_u64(c);
		const struct prof_str str = take_str(c);

		if (is_number > 1)
			c->has_failed = true;
		if (is_number)
			label.unit = str;
		else
			label.str = str;
		label.num = take_i64(c);
		vec_put(&g->labels, label);
	}
	if (c->has_failed)
		return PROF_OK;
	return g->to->label_set(g->to->ctx, tag, g->labels.data, n, g->err);
}

/* True where the words are whole records, n_tags of them or tags have none. */
static bool are_records(const uint64_t *words, size_t n_words, size_t n_tags)
{
	struct prof_raw_iter iter = { .words = words, .n_words = n_words };
	struct prof_raw_record record;
	size_t n = 0;

	while (prof_raw_next(&iter, &record))
		n++;
	return iter.status == PROF_OK && (n_tags == 0 || n == n_tags);
}

static enum prof_status read_words(struct container_reader *g,
                                   struct content *c)
{
	const size_t n_tags = take_count(c, 8);
	const size_t n_words = take_count(c, 8);
	const uint64_t *tags = take_words(c, n_tags);
	const uint64_t *words = take_words(c, n_words);

	if (c->has_failed)
		return PROF_OK;
	if (!are_records(words, n_words, n_tags)) {
		c->has_failed = true;
		return PROF_OK;
	}
	return g->to->words(g->to->ctx, words, n_words, tags, n_tags, g->err);
}

static enum prof_status read_memory(struct container_reader *g,
                                    struct content *c)
{
	const int64_t rate = take_i64(c);
	const size_t n = take_count(c, 40);

	g->mem.n = 0;
	if (!vec_reserve(&g->mem, n, g->r->allocator))
		return error_nomem(g->err);
	for (size_t i = 0; i < n; i++) {
		struct prof_mem_record rec;

		rec.alloc_bytes = take_i64(c);
		rec.free_bytes = take_i64(c);
		rec.alloc_objects = take_i64(c);
		rec.free_objects = take_i64(c);
		take_stack32(c, rec.stack);
		vec_put(&g->mem, rec);
	}
	if (c->has_failed)
		return PROF_OK;
	return g->to->mem(g->to->ctx, rate, g->mem.data, n, g->err);
}

static enum prof_status read_block(struct container_reader *g,
                                   struct content *c)
{
	const struct prof_str name = take_str(c);
	const int64_t cycles_per_second = take_i64(c);
	const size_t n = take_count(c, 24);

	g->block.n = 0;
	if (!vec_reserve(&g->block, n, g->r->allocator))
		return error_nomem(g->err);
	for (size_t i = 0; i < n; i++) {
		struct prof_block_record rec;

		rec.count = take_i64(c);
		rec.cycles = take_i64(c);
		take_stack32(c, rec.stack);
		vec_put(&g->block, rec);
	}
	if (c->has_failed)
		return PROF_OK;
	return g->to->block(g->to->ctx, name, cycles_per_second, g->block.data,
	                    n, g->err);
}

static enum prof_status read_count(struct container_reader *g,
                                   struct content *c)
{
	const struct prof_str name = take_str(c);
	const size_t n = take_count(c, 24);

	g->count.n = 0;
	if (!vec_reserve(&g->count, n, g->r->allocator))
		return error_nomem(g->err);
	for (size_t i = 0; i < n; i++) {
		struct prof_count_record rec;

		rec.n = take_i64(c);
		rec.tag = take_u64(c);
		rec.n_pcs = take_count(c, 8);
		rec.pcs = take_words(c, rec.n_pcs);
		vec_put(&g->count, rec);
	}
	if (c->has_failed)
		return PROF_OK;
	return g->to->count(g->to->ctx, name, g->count.data, n, g->err);
}

static enum prof_status read_symbols(struct container_reader *g,
                                     struct content *c)
{
	enum prof_status status = PROF_OK;

	while (status == PROF_OK && !c->has_failed && c->p < c->end) {
		const uint64_t pc = take_u64(c);
		const size_t n = take_count(c, 48);

		g->symbols.n = 0;
		if (!vec_reserve(&g->symbols, n, g->r->allocator))
			return error_nomem(g->err);
		for (size_t i = 0; i < n; i++) {
			struct prof_symbol s;

			s.name = take_str(c);
			s.system_name = take_str(c);
			s.filename = take_str(c);
			s.line = take_i64(c);
			s.column = take_i64(c);
			s.start_line = take_i64(c);
			vec_put(&g->symbols, s);
		}
		if (!c->has_failed)
			status = g->to->symbol(g->to->ctx, pc, g->symbols.data,
			                       n, g->err);
	}
	return status;
}

static enum prof_status read_end(struct container_reader *g, struct content *c)
{
	const int64_t duration_ns = take_i64(c);
	const uint64_t lost = take_u64(c);

	if (c->has_failed)
		return PROF_OK;
	g->has_ended = true;
	return g->to->end(g->to->ctx, duration_ns, lost, g->err);
}

static const struct section_reader {
	enum raw_section_type type;
	const char *name;
	enum prof_status (*read)(struct container_reader *g, struct content *c);
} section_readers[] = {
	{ RAW_HEADER, "header", read_header },
	{ RAW_MAPPINGS, "mappings", read_mappings },
	{ RAW_LABELS, "label set", read_labels },
	{ RAW_WORDS, "CPU words", read_words },
	{ RAW_MEMORY, "memory records", read_memory },
	{ RAW_BLOCK, "block records", read_block },
	{ RAW_COUNT, "count records", read_count },
	{ RAW_SYMBOLS, "symbols", read_symbols },
	{ RAW_END, "end", read_end },
};

#define N_SECTION_READERS \
	(sizeof(section_readers) / sizeof(section_readers[0]))

static const struct section_reader *find_reader(uint32_t type)
{
	for (size_t i = 0; i < N_SECTION_READERS; i++)
		if (section_readers[i].type == type)
			return &section_readers[i];
	return NULL;
}

/* ---- The file ---- */

/* A section that cannot be used: an error, or left out to salvage the rest. */
static enum prof_status bad_section(struct container_reader *g,
                                    const char *name, const char *what)
{
	const uint64_t at = input_offset(g->in);

	if (!g->r->options->salvage)
		return error_at(g->err, PROF_CORRUPT, at,
		                "the section of %s is damaged: %s", name, what);
	return reading_note(g->r, PROF_CORRUPT, g->err,
	                    "the section of %s at byte %" PRIu64
	                    " is damaged (%s) and was left out", name, at, what);
}

/* Takes what is left of the input; how many bytes it was. */
static uint64_t drop_rest(struct container_reader *g)
{
	uint64_t dropped = 0;

	while (input_need(g->in, 1)) {
		dropped += (uint64_t)(g->in->end - g->in->p);
		g->in->p = g->in->end;
	}
	return dropped;
}

/* Nothing comes after the end: another recording, say, is not read. */
static enum prof_status note_rest(struct container_reader *g)
{
	const uint64_t at = input_offset(g->in);
	const uint64_t dropped = drop_rest(g);

	return dropped == 0 ? PROF_OK :
		reading_note(g->r, PROF_CORRUPT, g->err,
		             "the recording ends at byte %" PRIu64 ": the "
		             "%" PRIu64 " bytes behind it were not read", at,
		             dropped);
}

/* The recording stops before its end: what is whole was told. */
static enum prof_status cut(struct container_reader *g)
{
	const uint64_t at = input_offset(g->in);
	uint64_t dropped;

	if (g->in->status != PROF_OK) {
		if (g->err)
			*g->err = g->in->error;
		return g->in->status;
	}
	if (g->has_bad_size && !g->r->options->salvage)
		return error_at(g->err, PROF_CORRUPT, at,
		                "the size of a section is damaged");
	dropped = drop_rest(g);
	return reading_note(g->r, PROF_TRUNCATED, g->err,
	                    "the recording was cut at byte %" PRIu64 ": the "
	                    "%" PRIu64 " bytes behind its last whole section "
	                    "were dropped", at, dropped);
}

static enum prof_status read_section(struct container_reader *g,
                                     const struct raw_section *head,
                                     struct content *c)
{
	const struct section_reader *reader = find_reader(head->type);
	const bool is_first = !g->has_header;
	enum prof_status status;

	if (is_first != (head->type == RAW_HEADER))
		return bad_section(g, reader ? reader->name : "unknown type",
		                   is_first ? "it comes before the header" :
		                   "it comes after another one");
	if (!reader) {
		g->n_unknown++;
		return PROF_OK;
	}
	status = reader->read(g, c);
	if (status == PROF_OK && c->has_failed)
		return bad_section(g, reader->name,
		                   "a length in it goes beyond its end");
	return status;
}

/* The head of the section at p; false: there is none, or not all of it. */
static bool next_section(struct container_reader *g, struct raw_section *head,
                         uint32_t *crc)
{
	struct input *in = g->in;

	if (input_need(in, sizeof(*head)) < sizeof(*head))
		return false;
	memcpy(head, in->p, sizeof(*head));
	if (g->is_swapped) {
		head->type = __builtin_bswap32(head->type);
		head->crc = __builtin_bswap32(head->crc);
		head->size = __builtin_bswap64(head->size);
	}
	if (head->size > MAX_SECTION || head->size % 8) {
		g->has_bad_size = true;
		return false;
	}
	if (input_need(in, sizeof(*head) + head->size) <
	    sizeof(*head) + head->size)
		return false;
	/* The checksum is over the bytes as the file has them. */
	*crc = raw_crc(in->p, in->p + sizeof(*head), (size_t)head->size);
	return true;
}

static enum prof_status read_sections(struct container_reader *g)
{
	struct input *in = g->in;
	enum prof_status status = PROF_OK;
	struct raw_section head;
	uint32_t crc;

	while (status == PROF_OK && !g->has_ended &&
	       next_section(g, &head, &crc)) {
		struct content c = {
			.p = in->p + sizeof(head),
			.end = in->p + sizeof(head) + head.size,
			.is_swapped = g->is_swapped,
		};
		const struct section_reader *reader = find_reader(head.type);

		if (crc != head.crc)
			status = bad_section(g, reader ? reader->name :
			                     "unknown type",
			                     "its checksum is wrong");
		else
			status = read_section(g, &head, &c);
		in->p = c.end;
	}
	if (status == PROF_OK && !g->has_ended) {
		status = cut(g);
		if (status == PROF_OK && g->has_header)
			status = g->to->end(g->to->ctx, 0, 0, g->err);
	}
	if (status == PROF_OK && g->has_ended)
		status = note_rest(g);
	if (status == PROF_OK && !g->has_header)
		status = error_at(g->err, PROF_TRUNCATED,
		                  sizeof(struct raw_head),
		                  "the recording has no header");
	if (status == PROF_OK && g->n_unknown)
		status = reading_note(g->r, PROF_UNSUPPORTED, g->err,
		                      "%" PRIu64 " sections of unknown types were "
		                      "left out", g->n_unknown);
	return status;
}

static enum prof_status read_head(struct container_reader *g)
{
	struct raw_head head;

	if (input_need(g->in, sizeof(head)) < sizeof(head))
		return error_at(g->err, PROF_TRUNCATED, 0,
		                "the recording is cut in its first 16 bytes");
	memcpy(&head, g->in->p, sizeof(head));
	if (head.byte_order == __builtin_bswap32(RAW_BYTE_ORDER)) {
		g->is_swapped = true;
		head.version = __builtin_bswap32(head.version);
	} else if (head.byte_order != RAW_BYTE_ORDER) {
		return error_at(g->err, PROF_CORRUPT, RAW_MAGIC_SIZE,
		                "the byte order mark is damaged");
	}
	if (head.version != RAW_VERSION)
		return error_at(g->err, PROF_UNSUPPORTED, RAW_MAGIC_SIZE + 4,
		                "a recording of version %" PRIu32 "; this reads "
		                "version %d", head.version, RAW_VERSION);
	g->in->p += sizeof(head);
	return PROF_OK;
}

enum prof_status raw_read_container(struct format_reading *r,
                                    const struct prof_recorder *to,
                                    struct prof_error *err)
{
	struct container_reader g = { .r = r, .in = r->in, .to = to,
	                              .err = err };
	enum prof_status status = read_head(&g);

	if (status == PROF_OK)
		status = read_sections(&g);
	vec_release(&g.labels, r->allocator);
	vec_release(&g.mem, r->allocator);
	vec_release(&g.block, r->allocator);
	vec_release(&g.count, r->allocator);
	vec_release(&g.symbols, r->allocator);
	return status;
}
