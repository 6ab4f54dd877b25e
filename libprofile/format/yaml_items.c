/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items of records: are events in their order, and what an item is shows
 * in its keys: a sample, a memory record, the labels of a tag, a mapping that
 * came. So one reader serves all sections.
 *
 * Words are told in batches, which say nothing: a word stream is one however
 * it is cut. Records of the other kinds are kept until the call they came in
 * is whole, since each call is a profile of its own.
 */
#include "format/yaml_items.h"

#include "base/error.h"

#include <string.h>

/* Words that are told at once. */
#define WORDS_AT_ONCE 8192

#define BIT(key) (UINT32_C(1) << (key))

const struct yaml_keys yaml_section_keys = {
	"a section", 5, { "cpu", "mem", "count", "block", "log" }
};

/* ---- Keys of an item ---- */

enum item_key {
	ITEM_T,
	ITEM_N,
	ITEM_PCS,
	ITEM_TAG,
	ITEM_LABELS,
	ITEM_NUM,
	ITEM_LOST,
	ITEM_HZ,
	ITEM_ALLOC,
	ITEM_FREE,
	ITEM_CYCLES,
	ITEM_RATE,
	ITEM_NAME,
	ITEM_CYCLES_PER_SECOND,
	ITEM_MAP,
	ITEM_PC,
	ITEM_FRAMES
};
static const struct yaml_keys item_keys = {
	"a record", 17,
	{ "t", "n", "pcs", "tag", "labels", "num", "lost", "hz", "alloc",
	  "free", "cycles", "rate", "name", "cycles_per_second", "map", "pc",
	  "frames" },
};

static bool room_failed(struct yaml_items *p)
{
	yaml_fail_nested(p->r, error_nomem(p->r->err));
	return false;
}

/* Room for `more` of v; fails else. */
#define READ_ROOM(p, v, more)                                                 \
	(vec_reserve((v), (more), (p)->allocator) || room_failed(p))

/* ---- Telling ---- */

static void tell_words(struct yaml_items *p)
{
	if (p->r->status || p->words.n == 0)
		return;
	yaml_fail_nested(p->r, p->to->words(p->to->ctx, p->words.data,
	                                    p->words.n,
	                                    p->has_tags ? p->tags.data : NULL,
	                                    p->has_tags ? p->tags.n : 0,
	                                    p->r->err));
	p->words.n = p->tags.n = 0;
	p->has_tags = false;
}

static enum prof_status tell_count(struct yaml_items *p)
{
	size_t begin = 0;

	for (size_t i = 0; i < p->count.n; i++) {
		if (p->count.data[i].n_pcs)
			p->count.data[i].pcs = p->count_pcs.data + begin;
		begin += p->count.data[i].n_pcs;
	}
	return p->to->count(p->to->ctx, (struct prof_str){ p->name.data,
	                                                   p->name.n },
	                    p->count.data, p->count.n, p->r->err);
}

/* Ends the call that is open. */
static void tell_call(struct yaml_items *p)
{
	const struct prof_recorder *to = p->to;
	const struct prof_str name = { p->name.data ? p->name.data : "",
	                               p->name.n };
	enum prof_status status = PROF_OK;

	if (p->r->status || !p->is_call_open)
		return;
	if (p->section == YAML_MEM)
		status = to->mem(to->ctx, p->rate, p->mem.data, p->mem.n,
		                 p->r->err);
	else if (p->section == YAML_BLOCK)
		status = to->block(to->ctx, name, p->cycles_per_second,
		                   p->block.data, p->block.n, p->r->err);
	else if (p->section == YAML_COUNT)
		status = tell_count(p);
	yaml_fail_nested(p->r, status);
	p->is_call_open = p->is_call_of_document = false;
	p->mem.n = p->block.n = p->count.n = p->count_pcs.n = 0;
}

void yaml_tell_pending(struct yaml_items *p)
{
	tell_words(p);
	tell_call(p);
}

/*
 * What is told before labels, a mapping or a symbol: all that came before it,
 * but for a call that keys of the document began and that has no records yet.
 * Records that come later are another call, which must say so, because nobody
 * would expect two.
 */
static void tell_before_log(struct yaml_items *p)
{
	const bool has_records = p->mem.n || p->block.n || p->count.n;

	tell_words(p);
	if (p->is_call_open && (has_records || !p->is_call_of_document)) {
		tell_call(p);
		p->has_rate = p->has_name = false;
	}
}

/* ---- Tags ---- */

/* Tells the labels at hand, of which these are the views. */
static void tell_labels(struct yaml_items *p, uint64_t tag,
                        const struct prof_label *labels)
{
	if (!p->r->status)
		yaml_fail_nested(p->r, p->to->label_set(p->to->ctx, tag, labels,
		                                        p->labels.rows.n,
		                                        p->r->err));
}

/* The bytes that stand for the labels at hand. */
static bool pack_labels(struct yaml_items *p,
                        const struct prof_label *labels, size_t n)
{
	p->packed.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct prof_label *l = &labels[i];
		const bool is_number = !l->str.ptr;
		const struct prof_str text = is_number ? l->unit : l->str;
		unsigned char *to;

		if (!READ_ROOM(p, &p->packed,
		               4 * VARINT_MAX + l->key.len + text.len))
			return false;
		to = varint_put(p->packed.data + p->packed.n, l->key.len);
		to = varint_put(to, (uint64_t)text.len << 1 | is_number);
		to = varint_put(to, zigzag(is_number ? l->num : 0));
		memcpy(to, l->key.ptr, l->key.len);
		to += l->key.len;
		memcpy(to, text.ptr, text.len);
		p->packed.n = (size_t)(to + text.len - p->packed.data);
	}
	return true;
}

static bool begin_label_sets(struct yaml_items *p)
{
	if (p->label_set_index.table)
		return true;
	p->label_set_index.table = &p->label_sets;
	p->label_set_index.seed = hash_seed();
	return byte_table_begin(&p->label_sets, p->allocator) ||
		room_failed(p);
}

/* The tag of the labels at hand; told where it is new. */
static uint64_t tag_of_labels(struct yaml_items *p)
{
	const struct prof_label *labels = yaml_label_views(p->r, &p->labels);
	const size_t n = p->labels.rows.n;
	uint32_t n_known, tag;

	if (!labels || !pack_labels(p, labels, n) || !begin_label_sets(p))
		return 0;
	n_known = byte_table_n(&p->label_sets);
	tag = intern_bytes(&p->label_set_index, p->packed.data, p->packed.n,
	                   p->allocator);
	if (!tag)
		room_failed(p);
	if (tag < n_known)
		return tag;
	tell_words(p);
	tell_labels(p, tag, labels);
	return tag;
}

/*
 * The tag of a record: a number, or labels in its place. A document has one
 * or the other, because labels take the numbers 1, 2, ...
 */
static uint64_t find_tag(struct yaml_items *p, uint32_t seen,
                         bool is_tag_labels)
{
	const bool has_labels = is_tag_labels ||
		seen & (BIT(ITEM_LABELS) | BIT(ITEM_NUM));

	if (seen & BIT(ITEM_TAG) && !is_tag_labels)
		p->has_numbered_tags = true;
	if (has_labels)
		p->tag = tag_of_labels(p);
	if (p->has_numbered_tags && (has_labels || p->label_set_index.table))
		yaml_fail(p->r, PROF_CORRUPT, "tags are numbers or labels, "
		          "not both in one document");
	return p->tag;
}

/* ---- Items ---- */

/* Words [n_pcs + 3, t, count, pcs ...]. */
void yaml_add_words(struct yaml_items *p, uint64_t tag,
                      uint64_t count, const uint64_t *pcs, size_t n_pcs)
{
	if (p->r->status || !READ_ROOM(p, &p->words, n_pcs + 3) ||
	    !READ_ROOM(p, &p->tags, 1))
		return;
	vec_put(&p->words, n_pcs + 3);
	vec_put(&p->words, p->t);
	vec_put(&p->words, count);
	if (n_pcs)
		memcpy(p->words.data + p->words.n, pcs,
		       n_pcs * sizeof(*pcs));
	p->words.n += n_pcs;
	vec_put(&p->tags, tag);
	p->has_tags = p->has_tags || tag;
	if (p->words.n >= WORDS_AT_ONCE)
		tell_words(p);
}

static void add_cpu_sample(struct yaml_items *p, uint64_t tag)
{
	if (p->is_n_negative)
		yaml_fail(p->r, PROF_CORRUPT, "n can not be negative");
	yaml_add_words(p, tag, p->n, p->pcs.data, p->pcs.n);
}

static void add_lost(struct yaml_items *p, uint64_t tag)
{
	yaml_add_words(p, tag, 0, &p->lost, 1);
}

static void add_hz(struct yaml_items *p, uint64_t tag)
{
	yaml_add_words(p, tag, p->hz, NULL, 0);
}

/* The stack of a record that has room for 32 and ends at the first 0. */
static void copy_stack(struct yaml_items *p, uint64_t stack[32])
{
	memset(stack, 0, 32 * sizeof(*stack));
	if (p->pcs.n > 32) {
		yaml_fail(p->r, PROF_CORRUPT, "a stack of this kind has at "
		          "most 32 addresses, not %zu", p->pcs.n);
		return;
	}
	for (size_t i = 0; i < p->pcs.n; i++) {
		stack[i] = p->pcs.data[i];
		if (!stack[i])
			yaml_fail(p->r, PROF_CORRUPT,
			          "an address in a stack can not be 0");
	}
}

static void add_mem(struct yaml_items *p, uint64_t tag)
{
	struct prof_mem_record record = {
		.alloc_bytes = p->alloc_bytes,
		.free_bytes = p->free_bytes,
		.alloc_objects = p->alloc_objects,
		.free_objects = p->free_objects,
	};

	(void)tag;
	if (!p->has_rate)
		yaml_fail(p->r, PROF_CORRUPT, "rate: must come before the "
		          "first record, and again after labels, mappings and "
		          "symbols");
	copy_stack(p, record.stack);
	if (!READ_ROOM(p, &p->mem, 1))
		return;
	vec_put(&p->mem, record);
	p->is_call_open = true;
}

/* n of a record whose counts have a sign. */
static int64_t signed_n(struct yaml_items *p)
{
	return (int64_t)(p->is_n_negative ? 0 - p->n : p->n);
}

static void add_block(struct yaml_items *p, uint64_t tag)
{
	struct prof_block_record record = { .count = signed_n(p),
	                                    .cycles = p->cycles };

	(void)tag;
	if (!p->has_name || !p->has_rate)
		yaml_fail(p->r, PROF_CORRUPT, "name: and cycles_per_second: "
		          "must come before the first record, and again after "
		          "labels, mappings and symbols");
	copy_stack(p, record.stack);
	if (!READ_ROOM(p, &p->block, 1))
		return;
	vec_put(&p->block, record);
	p->is_call_open = true;
}

static void add_count(struct yaml_items *p, uint64_t tag)
{
	if (!p->has_name)
		yaml_fail(p->r, PROF_CORRUPT, "name: must come before the "
		          "first record, and again after labels, mappings and "
		          "symbols");
	if (!READ_ROOM(p, &p->count, 1) ||
	    !READ_ROOM(p, &p->count_pcs, p->pcs.n))
		return;
	vec_put(&p->count, (struct prof_count_record){
		.n = signed_n(p), .n_pcs = p->pcs.n, .tag = tag });
	if (p->pcs.n)
		memcpy(p->count_pcs.data + p->count_pcs.n, p->pcs.data,
		       p->pcs.n * sizeof(*p->pcs.data));
	p->count_pcs.n += p->pcs.n;
	p->is_call_open = true;
}

static void tell_label_set(struct yaml_items *p, uint64_t tag)
{
	const struct prof_label *labels = yaml_label_views(p->r, &p->labels);

	(void)tag;
	p->has_numbered_tags = true;
	tell_before_log(p);
	tell_labels(p, p->tag, labels);
}

static void tell_mapping(struct yaml_items *p, uint64_t tag)
{
	const struct yaml_mapping *m = &p->mapping;
	const struct prof_mapping told = {
		.start = m->start,
		.limit = m->limit,
		.offset = m->offset,
		.file = yaml_kept(p->r, m->file),
		.build_id = yaml_kept(p->r, m->build_id),
		.has_functions = m->has & MAPPING_HAS_FUNCTIONS,
		.has_filenames = m->has & MAPPING_HAS_FILENAMES,
		.has_line_numbers = m->has & MAPPING_HAS_LINE_NUMBERS,
		.has_inline_frames = m->has & MAPPING_HAS_INLINE_FRAMES,
	};

	(void)tag;
	if (m->seen & BIT(YAML_MAPPING_ID))
		yaml_fail(p->r, PROF_CORRUPT,
		          "id: belongs to the mappings of a profile");
	tell_before_log(p);
	if (!p->r->status)
		yaml_fail_nested(p->r, p->to->mapping(p->to->ctx, m->time,
		                                      &told, p->r->err));
}

static void tell_symbol(struct yaml_items *p, uint64_t tag)
{
	(void)tag;
	tell_before_log(p);
	p->symbol.n = 0;
	if (p->r->status || !READ_ROOM(p, &p->symbol, p->frames.n))
		return;
	for (size_t i = 0; i < p->frames.n; i++) {
		const struct yaml_frame *f = &p->frames.data[i];

		vec_put(&p->symbol, (struct prof_symbol){
			.name = yaml_kept(p->r, f->name),
			.system_name = yaml_kept(p->r, f->system_name),
			.filename = yaml_kept(p->r, f->file),
			.line = f->line,
			.column = f->column,
			.start_line = f->start,
		});
	}
	yaml_fail_nested(p->r, p->to->symbol(p->to->ctx, p->pc, p->symbol.data,
	                                     p->symbol.n, p->r->err));
}

/* rate:, or name: and its rate: another call begins. */
static void begin_call(struct yaml_items *p, uint64_t tag)
{
	(void)tag;
	p->is_call_open = true;
}

/*
 * What an item is: the first row whose sections hold ours and whose keys fit.
 * All of `needs` must be there, and nothing beyond `needs` and `may`.
 */
#define IN(place) (1u << (place))
#define ANYWHERE                                                              \
	(IN(YAML_CPU) | IN(YAML_MEM) | IN(YAML_COUNT) | IN(YAML_BLOCK) |      \
	 IN(YAML_LOG))
static const struct item_kind {
	unsigned sections;
	uint32_t needs, may;
	void (*tell)(struct yaml_items *p, uint64_t tag);
} item_kinds[] = {
	{ IN(YAML_CPU), BIT(ITEM_N) | BIT(ITEM_PCS),
	  BIT(ITEM_T) | BIT(ITEM_TAG), add_cpu_sample },
	{ IN(YAML_CPU), BIT(ITEM_LOST), BIT(ITEM_T) | BIT(ITEM_TAG), add_lost },
	{ IN(YAML_CPU), BIT(ITEM_HZ), BIT(ITEM_T) | BIT(ITEM_TAG), add_hz },
	{ IN(YAML_MEM), BIT(ITEM_ALLOC) | BIT(ITEM_PCS), BIT(ITEM_FREE),
	  add_mem },
	{ IN(YAML_MEM), BIT(ITEM_RATE), 0, begin_call },
	{ IN(YAML_COUNT), BIT(ITEM_N) | BIT(ITEM_PCS),
	  BIT(ITEM_TAG) | BIT(ITEM_LABELS) | BIT(ITEM_NUM), add_count },
	{ IN(YAML_COUNT), BIT(ITEM_NAME), 0, begin_call },
	{ IN(YAML_BLOCK), BIT(ITEM_N) | BIT(ITEM_CYCLES) | BIT(ITEM_PCS), 0,
	  add_block },
	{ IN(YAML_BLOCK), BIT(ITEM_NAME) | BIT(ITEM_CYCLES_PER_SECOND), 0,
	  begin_call },
	{ ANYWHERE, BIT(ITEM_TAG) | BIT(ITEM_LABELS), BIT(ITEM_NUM),
	  tell_label_set },
	{ ANYWHERE, BIT(ITEM_TAG) | BIT(ITEM_NUM), 0, tell_label_set },
	{ ANYWHERE, BIT(ITEM_MAP), 0, tell_mapping },
	{ ANYWHERE, BIT(ITEM_PC) | BIT(ITEM_FRAMES), 0, tell_symbol },
};
#define N_ITEM_KINDS (sizeof(item_kinds) / sizeof(item_kinds[0]))

static const struct item_kind *find_item_kind(enum yaml_section section,
                                              uint32_t seen)
{
	for (size_t i = 0; i < N_ITEM_KINDS; i++) {
		const struct item_kind *k = &item_kinds[i];

		if (k->sections & IN(section) &&
		    (seen & k->needs) == k->needs &&
		    !(seen & ~(k->needs | k->may)))
			return k;
	}
	return NULL;
}

/* ---- Fields of an item ---- */

static void read_pcs(struct yaml_items *p)
{
	if (!yaml_begin_list(p->r, "pcs"))
		return;
	while (yaml_more(p->r) && READ_ROOM(p, &p->pcs, 1)) {
		vec_put(&p->pcs, yaml_u64(p->r, "an address"));
		if (p->pcs.n > p->r->limits->max_depth)
			yaml_fail(p->r, PROF_LIMIT, "more addresses than "
			          "max_depth (%llu)",
			          (unsigned long long)p->r->limits->max_depth);
	}
}

/* Counts of a CPU sample go to 2^64; others are int64_t. */
static void read_n(struct yaml_items *p)
{
	if (p->section == YAML_CPU) {
		p->n = yaml_u64(p->r, "n");
		p->is_n_negative = false;
	} else {
		int64_t n = yaml_i64(p->r, "n");

		p->is_n_negative = n < 0;
		p->n = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	}
}

/* [objects, bytes] */
static void read_pair(struct yaml_items *p, const char *what,
                      int64_t *objects, int64_t *bytes)
{
	if (!yaml_begin_list(p->r, what))
		return;
	*objects = yaml_i64(p->r, "a number of objects");
	*bytes = yaml_i64(p->r, "a number of bytes");
	if (yaml_more(p->r))
		yaml_fail(p->r, PROF_CORRUPT, "%s is [objects, bytes]", what);
}

static void read_name(struct yaml_items *p)
{
	const struct prof_str s = yaml_string(p->r, "name");

	p->name.n = 0;
	p->has_name = true;
	if (!READ_ROOM(p, &p->name, s.len + 1))
		return;
	memcpy(p->name.data, s.ptr, s.len);
	p->name.data[s.len] = '\0';
	p->name.n = s.len;
}

/* rate: and name: begin a call: what came before them ends. */
void yaml_read_call_field(struct yaml_items *p, enum yaml_call_field field)
{
	tell_call(p);
	if (field == YAML_NAME) {
		read_name(p);
		return;
	}
	p->has_rate = true;
	if (field == YAML_RATE)
		p->rate = yaml_i64(p->r, "rate");
	else
		p->cycles_per_second = yaml_i64(p->r, "cycles_per_second");
}

/* One frame, or a list of them, innermost first. */
static void read_frames(struct yaml_items *p)
{
	const bool is_list = yaml_next_shape(p->r) == YAML_SHAPE_LIST;
	struct yaml_frame frame;

	p->frames.n = 0;
	if (is_list)
		yaml_begin_list(p->r, "frames");
	while (!is_list || yaml_more(p->r)) {
		if (!yaml_read_frame(p->r, &frame) ||
		    !READ_ROOM(p, &p->frames, 1))
			return;
		if (frame.seen & BIT(YAML_FRAME_FUNCTION_ID))
			yaml_fail(p->r, PROF_CORRUPT,
			          "f: belongs to the lines of a profile");
		if (p->frames.n >= p->r->limits->max_lines)
			yaml_fail(p->r, PROF_LIMIT,
			          "more frames than max_lines (%llu)",
			          (unsigned long long)p->r->limits->max_lines);
		vec_put(&p->frames, frame);
		if (!is_list)
			return;
	}
}

/* tag: is a number, or labels. Returns whether it is labels. */
static bool read_tag(struct yaml_items *p)
{
	if (yaml_next_shape(p->r) == YAML_SHAPE_MAP) {
		yaml_read_labels(p->r, &p->labels);
		return true;
	}
	p->tag = yaml_u64(p->r, "tag");
	return false;
}

static void read_item_field(struct yaml_items *p, enum item_key key)
{
	struct yaml_reader *r = p->r;

	switch (key) {
	case ITEM_T: p->t = yaml_u64(r, "t"); break;
	case ITEM_N: read_n(p); break;
	case ITEM_PCS: read_pcs(p); break;
	case ITEM_TAG: break; /* read_tag() */
	case ITEM_LABELS: yaml_read_labels(r, &p->labels); break;
	case ITEM_NUM: yaml_read_num_labels(r, &p->labels); break;
	case ITEM_LOST: p->lost = yaml_u64(r, "lost"); break;
	case ITEM_HZ: p->hz = yaml_u64(r, "hz"); break;
	case ITEM_ALLOC:
		read_pair(p, "alloc", &p->alloc_objects, &p->alloc_bytes);
		break;
	case ITEM_FREE:
		read_pair(p, "free", &p->free_objects, &p->free_bytes);
		break;
	case ITEM_CYCLES: p->cycles = yaml_i64(r, "cycles"); break;
	case ITEM_RATE: yaml_read_call_field(p, YAML_RATE); break;
	case ITEM_NAME: yaml_read_call_field(p, YAML_NAME); break;
	case ITEM_CYCLES_PER_SECOND:
		yaml_read_call_field(p, YAML_CYCLES_PER_SECOND);
		break;
	case ITEM_MAP: yaml_read_mapping(r, &p->mapping); break;
	case ITEM_PC: p->pc = yaml_u64(r, "pc"); break;
	case ITEM_FRAMES: read_frames(p); break;
	}
}

static void read_item(struct yaml_items *p)
{
	const size_t mark = p->r->text.n;
	const struct item_kind *kind;
	bool is_tag_labels = false;
	uint32_t seen = 0;
	uint64_t tag = 0;
	int key;

	p->t = p->tag = 0;
	p->free_objects = p->free_bytes = 0;
	p->pcs.n = p->labels.rows.n = 0;
	if (!yaml_begin_map(p->r, "a record"))
		return;
	while ((key = yaml_key(p->r, &item_keys, &seen)) != YAML_END) {
		if (key == ITEM_TAG)
			is_tag_labels = read_tag(p);
		else
			read_item_field(p, (enum item_key)key);
	}
	kind = find_item_kind(p->section, seen);
	if (!kind || (is_tag_labels && kind->tell == tell_label_set)) {
		yaml_fail(p->r, PROF_CORRUPT, "these keys together are no "
		          "record of section %s",
		          yaml_section_keys.names[p->section]);
		return;
	}
	if (kind->may & BIT(ITEM_TAG))
		tag = find_tag(p, seen, is_tag_labels);
	if (!p->r->status)
		kind->tell(p, tag);
	yaml_forget(p->r, mark);
}

void yaml_read_items(struct yaml_items *p)
{
	if (yaml_begin_list(p->r, "records"))
		while (yaml_more(p->r))
			read_item(p);
	yaml_tell_pending(p);
}

void yaml_pass_mapping(struct yaml_items *p)
{
	const size_t mark = p->r->text.n;

	if (yaml_read_mapping(p->r, &p->mapping))
		tell_mapping(p, 0);
	yaml_forget(p->r, mark);
}

void yaml_pass_symbol(struct yaml_items *p)
{
	const size_t mark = p->r->text.n;

	read_frames(p);
	tell_symbol(p, 0);
	yaml_forget(p->r, mark);
}

void yaml_items_release(struct yaml_items *p)
{
	const struct prof_allocator *a = p->allocator;

	vec_release(&p->words, a);
	vec_release(&p->tags, a);
	vec_release(&p->name, a);
	vec_release(&p->mem, a);
	vec_release(&p->block, a);
	vec_release(&p->count, a);
	vec_release(&p->count_pcs, a);
	vec_release(&p->pcs, a);
	yaml_labels_release(&p->labels, a);
	vec_release(&p->frames, a);
	vec_release(&p->symbol, a);
	intern_release(&p->label_set_index, a);
	byte_table_release(&p->label_sets, a);
	vec_release(&p->packed, a);
}
