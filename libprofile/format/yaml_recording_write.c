/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorder that writes YAML as it is told: every event is a line, in the
 * order of the events, and nothing is kept, so a recording of any length
 * streams through.
 *
 * With one kind of records the document is a list of records:, and what the
 * first call says (its rate, its name) stands above them; with several it is a
 * list of sections:, a new one where the kind changes. Mappings that come
 * before all else have their own list; later ones are items between the
 * records, as labels and symbols are.
 */
#include "format/yaml.h"

#include "base/error.h"

/* What the items that are written stand in. */
enum place {
	TOP,      /* keys of the document */
	MAPPINGS, /* the list mappings: */
	RECORDS,  /* the list of records:, or of a section */
};

enum section { NO_SECTION, CPU, MEM, COUNT, BLOCK, LOG };

struct yaml_recorder {
	struct format_writing *writing;
	struct output *out;    /* of writing */
	enum yaml_schema schema;
	enum place place;
	enum section section;  /* of sections: that is open */
	uint64_t hz;           /* that was written; 0: none */
	bool is_stream;
	bool has_words;        /* some were written */
	bool has_begun;        /* words or a call were told */
};

/* ---- Lines ---- */

/* A key of the document, whose value is to follow. */
static void put_key(struct yaml_recorder *w, const char *key)
{
	output_text(w->out, key);
	output_text(w->out, ": ");
	w->place = TOP;
}

static void write_u64(struct yaml_recorder *w, const char *key, uint64_t n)
{
	put_key(w, key);
	yaml_put_u64(w->out, n);
	output_char(w->out, '\n');
}

static void write_i64(struct yaml_recorder *w, const char *key, int64_t n)
{
	put_key(w, key);
	yaml_put_i64(w->out, n);
	output_char(w->out, '\n');
}

static void write_name(struct yaml_recorder *w, struct prof_str name)
{
	put_key(w, "name");
	yaml_put_string(w->out, name);
	output_char(w->out, '\n');
}

static const char *section_line(enum section section)
{
	switch (section) {
	case CPU: return "- cpu:\n";
	case MEM: return "- mem:\n";
	case COUNT: return "- count:\n";
	case BLOCK: return "- block:\n";
	default: return "- log:\n";
	}
}

/*
 * Begins an item of a section; of the section that is open where that is LOG,
 * which is at home in all.
 */
static struct yaml_flow open_item(struct yaml_recorder *w,
                                  enum section section)
{
	const bool has_sections = w->schema == YAML_RECORDING;

	if (w->place != RECORDS)
		output_text(w->out, has_sections ? "sections:\n" :
		            "records:\n");
	w->place = RECORDS;
	if (section == LOG && w->section)
		section = w->section;
	if (has_sections && section != w->section)
		output_text(w->out, section_line(section));
	w->section = section;
	output_text(w->out, has_sections ? "  - " : "- ");
	return yaml_open_flow(w->out);
}

static enum prof_status close_item(struct yaml_recorder *w,
                                   struct yaml_flow *f)
{
	yaml_close_flow(f);
	output_char(w->out, '\n');
	return w->out->status;
}

static enum prof_status sink_status(const struct yaml_recorder *w,
                                    struct prof_error *err)
{
	if (w->out->status && err)
		*err = w->out->error;
	return w->out->status;
}

/* A call of a kind that the header did not announce. */
static enum prof_status check_kind(const struct yaml_recorder *w,
                                   enum yaml_schema schema,
                                   struct prof_error *err)
{
	if (w->schema == schema || w->schema == YAML_RECORDING)
		return PROF_OK;
	return error_set(err, PROF_INVALID, "the header of this recording did "
	                 "not announce records of %s",
	                 yaml_schema_key(schema));
}

/* ---- Header ---- */

static enum yaml_schema schema_of(uint64_t kinds)
{
	switch (kinds) {
	case PROF_RECORDS_CPU: return YAML_CPU_CHUNKS;
	case PROF_RECORDS_MEM: return YAML_MEM_PROFILE;
	case PROF_RECORDS_COUNT: return YAML_COUNT_PROFILE;
	case PROF_RECORDS_BLOCK: return YAML_BLOCK_PROFILE;
	default: return YAML_RECORDING;
	}
}

static void write_kinds(struct yaml_recorder *w, uint64_t kinds)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ PROF_RECORDS_CPU, "cpu" },
		{ PROF_RECORDS_MEM, "mem" },
		{ PROF_RECORDS_COUNT, "count" },
		{ PROF_RECORDS_BLOCK, "block" },
	};
	const char *separator = "";

	if (kinds > 15) { /* some that have no name here */
		write_u64(w, "kinds", kinds);
		return;
	}
	output_text(w->out, "kinds: [");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(kinds & names[i].bit))
			continue;
		output_text(w->out, separator);
		output_text(w->out, names[i].name);
		separator = ", ";
	}
	output_text(w->out, "]\n");
}

static void write_recorded(struct yaml_recorder *w,
                           const struct prof_recording_header *h)
{
	struct yaml_flow f;

	put_key(w, "recorded");
	f = yaml_open_flow(w->out);
	if (h->time_ns)
		yaml_field_i64(&f, "time_nanos", h->time_ns);
	if (h->clock_ns)
		yaml_field_u64(&f, "clock_nanos", h->clock_ns);
	if (h->pid)
		yaml_field_u64(&f, "pid", h->pid);
	if (h->command.len)
		yaml_field_string(&f, "command", h->command);
	close_item(w, &f);
}

/* With CPU samples alone, recorded: tells our container from plain words. */
static bool needs_recorded(const struct yaml_recorder *w,
                           const struct prof_recording_header *h)
{
	if (w->schema == YAML_CPU_CHUNKS)
		return !h->is_stream;
	return h->time_ns || h->clock_ns || h->pid || h->command.len;
}

static enum prof_status put_header(void *ctx,
                                   const struct prof_recording_header *h,
                                   struct prof_error *err)
{
	struct yaml_recorder *w = ctx;

	w->schema = schema_of(h->kinds);
	w->is_stream = h->is_stream;
	write_u64(w, yaml_schema_key(w->schema), 1);
	if (w->schema == YAML_RECORDING)
		write_kinds(w, h->kinds);
	if (needs_recorded(w, h))
		write_recorded(w, h);
	if (!h->is_stream && h->hz)
		write_u64(w, "hz", h->hz);
	w->hz = h->is_stream ? 0 : h->hz;
	return sink_status(w, err);
}

/* ---- The log: mappings, label sets, symbols ---- */

/*
 * With hz: at the top, a reader takes [3, 0, hz] for the first record, unless
 * header: says what it is.
 */
static void begin_records_without_header(struct yaml_recorder *w)
{
	if (w->schema == YAML_CPU_CHUNKS && w->hz && !w->has_words &&
	    w->place != RECORDS)
		output_text(w->out, "header: []\n");
}

static void put_mapping_fields(struct yaml_flow *f, uint64_t time,
                               const struct prof_mapping *m)
{
	if (time)
		yaml_field_u64(f, "t", time);
	yaml_put_mapping(f, m);
	if (m->has_functions || m->has_filenames || m->has_line_numbers ||
	    m->has_inline_frames)
		yaml_put_mapping_has(f, m);
}

static enum prof_status put_mapping(void *ctx, uint64_t time,
                                    const struct prof_mapping *m,
                                    struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	struct yaml_flow f, inner;

	if (w->place == RECORDS || w->has_begun) {
		f = open_item(w, LOG);
		yaml_field(&f, "map");
		inner = yaml_open_flow(w->out);
		put_mapping_fields(&inner, time, m);
		yaml_close_flow(&inner);
	} else {
		output_text(w->out, w->place == TOP ? "mappings:\n- " : "- ");
		w->place = MAPPINGS;
		f = yaml_open_flow(w->out);
		put_mapping_fields(&f, time, m);
	}
	close_item(w, &f);
	return sink_status(w, err);
}

static enum prof_status put_label_set(void *ctx, uint64_t tag,
                                      const struct prof_label *labels,
                                      size_t n, struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	struct yaml_flow f;

	begin_records_without_header(w);
	f = open_item(w, LOG);
	yaml_field_u64(&f, "tag", tag);
	if (n == 0) {
		yaml_field(&f, "labels");
		output_text(w->out, "{}");
	}
	yaml_put_labels(&f, labels, n);
	close_item(w, &f);
	return sink_status(w, err);
}

static void put_frame(struct yaml_recorder *w, const struct prof_symbol *s)
{
	struct yaml_flow f = yaml_open_flow(w->out);

	yaml_put_function(&f, s->name, s->system_name, s->filename);
	yaml_put_place(&f, s->line, s->column);
	yaml_put_start(&f, s->start_line);
	yaml_close_flow(&f);
}

static enum prof_status put_symbol(void *ctx, uint64_t pc,
                                   const struct prof_symbol *frames, size_t n,
                                   struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	struct yaml_flow f;

	begin_records_without_header(w);
	f = open_item(w, LOG);
	yaml_field_hex(&f, "pc", pc);
	yaml_field(&f, "frames");
	output_char(w->out, '[');
	for (size_t i = 0; i < n; i++) {
		output_text(w->out, i ? ", " : "");
		put_frame(w, &frames[i]);
	}
	output_char(w->out, ']');
	close_item(w, &f);
	return sink_status(w, err);
}

/* ---- Words ---- */

/*
 * The first record of all, where it can stand in a key of the document: as
 * hz:, which means [3, 0, hz], or as header:. False: it is to be an item.
 */
static bool put_first_record(struct yaml_recorder *w, const uint64_t *record,
                             uint64_t tag)
{
	const bool is_header = record[0] == 3 && tag == 0;
	const bool is_usual = is_header && record[1] == 0;

	if (w->schema != YAML_CPU_CHUNKS || w->place == RECORDS || !is_header) {
		begin_records_without_header(w);
		return false;
	}
	if (is_usual && w->is_stream)
		write_u64(w, "hz", record[2]);
	else if (!is_usual || !w->hz || record[2] != w->hz)
		output_printf(w->out, "header: [3, %llu, %llu]\n",
		              (unsigned long long)record[1],
		              (unsigned long long)record[2]);
	w->place = TOP;
	return true;
}

/* One record as an item. */
static void put_record(struct yaml_recorder *w, const uint64_t *record,
                       uint64_t tag)
{
	const size_t n_pcs = record[0] - 3;
	struct yaml_flow f = open_item(w, CPU);

	yaml_field_u64(&f, "t", record[1]);
	if (n_pcs == 0 && !w->has_words) {
		yaml_field_u64(&f, "hz", record[2]);
	} else if (n_pcs == 1 && record[2] == 0) {
		yaml_field_u64(&f, "lost", record[3]);
	} else {
		yaml_field_u64(&f, "n", record[2]);
		yaml_field(&f, "pcs");
		yaml_put_addresses(w->out, record + 3, n_pcs);
	}
	if (tag)
		yaml_field_u64(&f, "tag", tag);
	close_item(w, &f);
}

static enum prof_status put_words(void *ctx, const uint64_t *words,
                                  size_t n_words, const uint64_t *tags,
                                  size_t n_tags, struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	enum prof_status status = check_kind(w, YAML_CPU_CHUNKS, err);
	size_t i_record = 0;

	for (size_t i = 0; !status && i < n_words; i += words[i], i_record++) {
		const uint64_t tag = i_record < n_tags ? tags[i_record] : 0;

		if (words[i] < 3 || words[i] > n_words - i)
			return error_set(err, PROF_CORRUPT, "word %zu of %zu, "
			                 "%llu, can not be the size of a "
			                 "record", i, n_words,
			                 (unsigned long long)words[i]);
		if (w->has_words || !put_first_record(w, words + i, tag))
			put_record(w, words + i, tag);
		w->has_words = w->has_begun = true;
	}
	return status ? status : sink_status(w, err);
}

/* ---- Memory, block and count records ---- */

/* Whether what this call of n records says can stand above them: it is the
   first, and nothing came before it. */
static bool begins_at_top(struct yaml_recorder *w, size_t n)
{
	const bool is_first = !w->has_begun;

	w->has_begun = true;
	return n && is_first && w->schema != YAML_RECORDING &&
		w->place != RECORDS;
}

static size_t stack_depth(const uint64_t stack[32])
{
	size_t n = 0;

	while (n < 32 && stack[n])
		n++;
	return n;
}

static void put_pair(struct yaml_flow *f, const char *name, int64_t objects,
                     int64_t bytes)
{
	const int64_t pair[2] = { objects, bytes };

	yaml_field(f, name);
	yaml_put_values(f->out, pair, 2);
}

static void put_pcs(struct yaml_flow *f, const uint64_t *pcs, size_t n)
{
	yaml_field(f, "pcs");
	yaml_put_addresses(f->out, pcs, n);
}

static enum prof_status put_mem(void *ctx, int64_t rate,
                                const struct prof_mem_record *recs, size_t n,
                                struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	enum prof_status status = check_kind(w, YAML_MEM_PROFILE, err);
	struct yaml_flow f;

	if (status)
		return status;
	if (begins_at_top(w, n)) {
		write_i64(w, "rate", rate);
	} else {
		f = open_item(w, MEM);
		yaml_field_i64(&f, "rate", rate);
		close_item(w, &f);
	}
	for (size_t i = 0; i < n; i++) {
		f = open_item(w, MEM);
		put_pair(&f, "alloc", recs[i].alloc_objects,
		         recs[i].alloc_bytes);
		if (recs[i].free_objects || recs[i].free_bytes)
			put_pair(&f, "free", recs[i].free_objects,
			         recs[i].free_bytes);
		put_pcs(&f, recs[i].stack, stack_depth(recs[i].stack));
		close_item(w, &f);
	}
	return sink_status(w, err);
}

static enum prof_status put_block(void *ctx, struct prof_str name,
                                  int64_t cycles_per_second,
                                  const struct prof_block_record *recs,
                                  size_t n, struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	enum prof_status status = check_kind(w, YAML_BLOCK_PROFILE, err);
	struct yaml_flow f;

	if (status)
		return status;
	if (begins_at_top(w, n)) {
		write_name(w, name);
		write_i64(w, "cycles_per_second", cycles_per_second);
	} else {
		f = open_item(w, BLOCK);
		yaml_field_string(&f, "name", name);
		yaml_field_i64(&f, "cycles_per_second", cycles_per_second);
		close_item(w, &f);
	}
	for (size_t i = 0; i < n; i++) {
		f = open_item(w, BLOCK);
		yaml_field_i64(&f, "n", recs[i].count);
		yaml_field_i64(&f, "cycles", recs[i].cycles);
		put_pcs(&f, recs[i].stack, stack_depth(recs[i].stack));
		close_item(w, &f);
	}
	return sink_status(w, err);
}

static enum prof_status put_count(void *ctx, struct prof_str name,
                                  const struct prof_count_record *recs,
                                  size_t n, struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	enum prof_status status = check_kind(w, YAML_COUNT_PROFILE, err);
	struct yaml_flow f;

	if (status)
		return status;
	if (begins_at_top(w, n)) {
		write_name(w, name);
	} else {
		f = open_item(w, COUNT);
		yaml_field_string(&f, "name", name);
		close_item(w, &f);
	}
	for (size_t i = 0; i < n; i++) {
		f = open_item(w, COUNT);
		yaml_field_i64(&f, "n", recs[i].n);
		put_pcs(&f, recs[i].pcs, recs[i].n_pcs);
		if (recs[i].tag)
			yaml_field_u64(&f, "tag", recs[i].tag);
		close_item(w, &f);
	}
	return sink_status(w, err);
}

/* ---- End ---- */

static enum prof_status put_end(void *ctx, int64_t duration_ns, uint64_t lost,
                                struct prof_error *err)
{
	struct yaml_recorder *w = ctx;
	struct yaml_flow f;

	if (w->place != RECORDS) {
		begin_records_without_header(w);
		output_text(w->out, w->schema == YAML_RECORDING ?
		            "sections: []\n" : "records: []\n");
	}
	if (duration_ns || lost) {
		put_key(w, "end");
		f = yaml_open_flow(w->out);
		if (duration_ns)
			yaml_field_i64(&f, "duration_nanos", duration_ns);
		if (lost)
			yaml_field_u64(&f, "lost", lost);
		close_item(w, &f);
	}
	return output_close(w->out, err);
}

static void free_recorder(void *ctx)
{
	struct yaml_recorder *w = ctx;
	struct format_writing *writing = w->writing;

	mem_free(&writing->allocator, w, sizeof(*w));
	writing_free(writing);
}

enum prof_status yaml_record(struct prof_recorder *out,
                             struct format_writing *writing,
                             struct prof_error *err)
{
	struct yaml_recorder *w = mem_zeroed(&writing->allocator, 1,
	                                     sizeof(*w));

	if (!w)
		return error_nomem(err);
	w->writing = writing;
	w->out = &writing->out;
	*out = (struct prof_recorder){
		.header = put_header,
		.mapping = put_mapping,
		.label_set = put_label_set,
		.words = put_words,
		.mem = put_mem,
		.block = put_block,
		.count = put_count,
		.symbol = put_symbol,
		.end = put_end,
		.free = free_recorder,
		.ctx = w,
	};
	return PROF_OK;
}
