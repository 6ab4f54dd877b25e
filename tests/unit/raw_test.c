/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of recordings: what is told to it comes back as it was told,
 * from a whole file, and what was whole from one that was cut or damaged.
 */
#include "testing.h"

#include <inttypes.h>
#include <profile/raw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STR(text) ((struct prof_str){ (text), sizeof(text) - 1 })

/* ---- A recorder that writes down what it is told ---- */

struct event_log {
	char *text;
	size_t size;
	FILE *f;
};

static void put_str(FILE *f, struct prof_str s)
{
	fprintf(f, " %zu'", s.len);
	for (size_t i = 0; i < s.len; i++)
		fprintf(f, s.ptr[i] < 0x20 ? "\\%02x" : "%c",
		        (unsigned char)s.ptr[i]);
	putc('\'', f);
}

static void put_words(FILE *f, const uint64_t *words, size_t n)
{
	fprintf(f, " %zu[", n);
	for (size_t i = 0; i < n; i++)
		fprintf(f, " %" PRIx64, words[i]);
	putc(']', f);
}

static enum prof_status log_header(void *ctx,
                                   const struct prof_recording_header *h,
                                   struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "header %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64
	        " %" PRIu64 " %d", h->kinds, h->time_ns, h->clock_ns, h->hz,
	        h->pid, h->is_stream);
	put_str(f, h->command);
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_mapping(void *ctx, uint64_t time,
                                    const struct prof_mapping *m,
                                    struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "mapping %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64
	        " %d%d%d%d", time, m->start, m->limit, m->offset,
	        m->has_functions, m->has_filenames, m->has_line_numbers,
	        m->has_inline_frames);
	put_str(f, m->file);
	put_str(f, m->build_id);
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_label_set(void *ctx, uint64_t tag,
                                      const struct prof_label *labels,
                                      size_t n, struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "labels %" PRIx64, tag);
	for (size_t i = 0; i < n; i++) {
		put_str(f, labels[i].key);
		if (labels[i].str.ptr)
			put_str(f, labels[i].str);
		else
			fprintf(f, " %" PRId64, labels[i].num);
		put_str(f, labels[i].unit);
	}
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_words(void *ctx, const uint64_t *words,
                                  size_t n_words, const uint64_t *tags,
                                  size_t n_tags, struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fputs("words", f);
	put_words(f, words, n_words);
	put_words(f, tags, n_tags);
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_mem(void *ctx, int64_t rate,
                                const struct prof_mem_record *recs, size_t n,
                                struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "mem %" PRId64, rate);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
		        recs[i].alloc_bytes, recs[i].free_bytes,
		        recs[i].alloc_objects, recs[i].free_objects);
		put_words(f, recs[i].stack, 32);
	}
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_block(void *ctx, struct prof_str name,
                                  int64_t cycles_per_second,
                                  const struct prof_block_record *recs,
                                  size_t n, struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fputs("block", f);
	put_str(f, name);
	fprintf(f, " %" PRId64, cycles_per_second);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, " %" PRId64 " %" PRId64, recs[i].count,
		        recs[i].cycles);
		put_words(f, recs[i].stack, 32);
	}
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_count(void *ctx, struct prof_str name,
                                  const struct prof_count_record *recs,
                                  size_t n, struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fputs("count", f);
	put_str(f, name);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, " %" PRId64 " %" PRIx64, recs[i].n, recs[i].tag);
		put_words(f, recs[i].pcs, recs[i].n_pcs);
	}
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_symbol(void *ctx, uint64_t pc,
                                   const struct prof_symbol *frames, size_t n,
                                   struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "symbol %" PRIx64, pc);
	for (size_t i = 0; i < n; i++) {
		put_str(f, frames[i].name);
		put_str(f, frames[i].system_name);
		put_str(f, frames[i].filename);
		fprintf(f, " %" PRId64 ":%" PRId64 ":%" PRId64, frames[i].line,
		        frames[i].column, frames[i].start_line);
	}
	putc('\n', f);
	return PROF_OK;
}

static enum prof_status log_end(void *ctx, int64_t duration_ns, uint64_t lost,
                                struct prof_error *err)
{
	FILE *f = ((struct event_log *)ctx)->f;

	(void)err;
	fprintf(f, "end %" PRId64 " %" PRIu64 "\n", duration_ns, lost);
	return PROF_OK;
}

static struct prof_recorder log_open(struct event_log *log)
{
	log->f = open_memstream(&log->text, &log->size);
	ck_assert_ptr_nonnull(log->f);
	return (struct prof_recorder){
		.header = log_header, .mapping = log_mapping,
		.label_set = log_label_set, .words = log_words, .mem = log_mem,
		.block = log_block, .count = log_count, .symbol = log_symbol,
		.end = log_end, .ctx = log,
	};
}

/* The text, which the caller frees. */
static char *log_close(struct event_log *log)
{
	fclose(log->f);
	return log->text;
}

/* ---- Recordings ---- */

static void tell_header(const struct prof_recorder *r)
{
	const struct prof_recording_header h = {
		.kinds = 15, .time_ns = -1, .clock_ns = UINT64_MAX, .hz = 100,
		.pid = 4711, .command = STR("a command, of 24 bytes\x01\x02"),
	};

	ck_assert_int_eq(r->header(r->ctx, &h, NULL), PROF_OK);
}

static void tell_mappings(const struct prof_recorder *r)
{
	const struct prof_mapping mappings[] = {
		{ .start = 0x400000, .limit = 0x500000, .offset = 0x1000,
		  .file = STR("/bin/app"), .build_id = STR("c0ffee"),
		  .has_functions = true, .has_line_numbers = true },
		{ .start = UINT64_MAX, .limit = 0,
		  .has_filenames = true, .has_inline_frames = true },
		{ 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(mappings); i++)
		ck_assert_int_eq(r->mapping(r->ctx, i, &mappings[i], NULL),
		                 PROF_OK);
}

static void tell_labels(const struct prof_recorder *r)
{
	const struct prof_label labels[] = {
		{ .key = STR("key"), .str = STR("value") },
		{ .key = STR("empty"), .str = STR("") },
		{ .key = STR("number"), .num = INT64_MIN, .unit = STR("bytes") },
		{ .key = STR("zero") },
	};

	ck_assert_int_eq(r->label_set(r->ctx, 0xfeed, labels, 4, NULL),
	                 PROF_OK);
	ck_assert_int_eq(r->label_set(r->ctx, UINT64_MAX, NULL, 0, NULL),
	                 PROF_OK);
}

static void tell_words(const struct prof_recorder *r)
{
	const uint64_t words[] = { 3, 1, 100, 5, 2, 1, 0x401000, 0x402000,
	                           4, 3, 0, 17, 3, 4, 9 };
	const uint64_t tags[] = { 0, 0xfeed, 0, UINT64_MAX };

	ck_assert_int_eq(r->words(r->ctx, words, N_ELEMENTS(words), tags, 4,
	                          NULL), PROF_OK);
	ck_assert_int_eq(r->words(r->ctx, words + 3, 5, NULL, 0, NULL),
	                 PROF_OK);
	ck_assert_int_eq(r->words(r->ctx, NULL, 0, NULL, 0, NULL), PROF_OK);
}

static void tell_records(const struct prof_recorder *r)
{
	struct prof_mem_record mem[2] = {
		{ 100, 50, 10, 5, { 0x401000, 0x402000 } },
		{ INT64_MAX, 0, 1, 0, { 0 } },
	};
	struct prof_block_record block = { -1, INT64_MIN, { 0x401000 } };
	const uint64_t pcs[] = { 0x401000, 0, UINT64_MAX };
	const struct prof_count_record count[] = {
		{ .n = 5, .pcs = pcs, .n_pcs = 3, .tag = 0xfeed },
		{ .n = -1, .pcs = NULL, .n_pcs = 0 },
	};

	for (uint64_t i = 0; i < 32; i++)
		mem[1].stack[i] = i + 1;
	ck_assert_int_eq(r->mem(r->ctx, 524288, mem, 2, NULL), PROF_OK);
	ck_assert_int_eq(r->block(r->ctx, STR("mutex"), 1000000000, &block, 1,
	                          NULL), PROF_OK);
	ck_assert_int_eq(r->count(r->ctx, STR("threads"), count, 2, NULL),
	                 PROF_OK);
	ck_assert_int_eq(r->count(r->ctx, STR(""), NULL, 0, NULL), PROF_OK);
}

static void tell_symbols(const struct prof_recorder *r)
{
	const struct prof_symbol frames[] = {
		{ STR("inner"), STR("_Z5inner"), STR("a.c"), 1, 2, 3 },
		{ STR("outer"), STR(""), STR(""), -1, INT64_MAX, 0 },
	};

	ck_assert_int_eq(r->symbol(r->ctx, 0x401000, frames, 2, NULL), PROF_OK);
	ck_assert_int_eq(r->symbol(r->ctx, 0, NULL, 0, NULL), PROF_OK);
}

/* Every event there is, with numbers at their edges. */
static void tell_all(const struct prof_recorder *r)
{
	tell_header(r);
	tell_mappings(r);
	tell_labels(r);
	tell_words(r);
	tell_records(r);
	tell_symbols(r);
	ck_assert_int_eq(r->end(r->ctx, -5, UINT64_MAX, NULL), PROF_OK);
}

static char *logged(void (*tell)(const struct prof_recorder *))
{
	struct event_log log;
	const struct prof_recorder r = log_open(&log);

	tell(&r);
	return log_close(&log);
}

static struct bytes recorded(void (*tell)(const struct prof_recorder *),
                             const struct prof_write_options *options)
{
	struct prof_buffer buffer = { 0 };
	struct prof_recorder r;

	ck_assert_int_eq(prof_recorder_new(&r, "raw", prof_sink_buffer(&buffer),
	                                   options, NULL), PROF_OK);
	tell(&r);
	prof_recorder_free(&r);
	return (struct bytes){ buffer.data, buffer.size };
}

/* What a file tells; the log's text goes to *text. */
static enum prof_status read_log(char **text, struct bytes file, size_t step,
                                 const struct prof_read_options *options,
                                 struct prof_error *err)
{
	struct test_source source = { .data = file.data, .size = file.size,
	                              .step = step };
	struct event_log log;
	const struct prof_recorder r = log_open(&log);
	const enum prof_status status =
		prof_read_recording(&r, test_source(&source), options, err);

	*text = log_close(&log);
	return status;
}

static void assert_tells(struct bytes file, size_t step, const char *expected,
                         const char *name)
{
	struct prof_error err = { 0 };
	struct test_notes notes;
	const struct prof_read_options options = PROF_OPTIONS(
		prof_read_options, .notes = test_notes(&notes));
	char *text;
	const enum prof_status status =
		read_log(&text, file, step, &options, &err);

	ck_assert_msg(status == PROF_OK, "%s: %s", name, err.message);
	assert_same_text(text, expected, name);
	ck_assert_uint_eq(notes.n, 0);
	free(text);
}

/* ---- Round trips ---- */

static const struct trip_case {
	const char *name;
	bool gzip;
	size_t step;
} trip_cases[] = {
	{ "plain", false, 0 },
	{ "a byte at a time", false, 1 },
	{ "13 bytes at a time", false, 13 },
	{ "compressed", true, 0 },
	{ "compressed, a byte at a time", true, 1 },
};

START_TEST(round_trips)
{
	const struct trip_case *c = &trip_cases[_i];
	struct bytes file = recorded(tell_all, &PROF_OPTIONS(
		prof_write_options, .gzip = c->gzip));
	char *expected = logged(tell_all);

	assert_tells(file, c->step, expected, c->name);
	free(expected);
	free(file.data);
}
END_TEST

/* Each thing is a section of its own: what was told is in the sink already. */
START_TEST(sections_leave_at_once)
{
	struct prof_buffer buffer = { 0 };
	struct prof_recorder r;
	size_t size;

	ck_assert_int_eq(prof_recorder_new(&r, "raw", prof_sink_buffer(&buffer),
	                                   NULL, NULL), PROF_OK);
	tell_header(&r);
	size = buffer.size;
	ck_assert_uint_gt(size, 16);
	tell_words(&r);
	ck_assert_uint_gt(buffer.size, size);
	/* The program dies here, without an end. */
	prof_recorder_free(&r);
	prof_buffer_release(&buffer);
}
END_TEST

/* ---- The other byte order ---- */

/*
 * What the sections are made of: u a number, s a string, n a count of what is
 * in (), p a count and that many numbers, * what is in () up to the end; t
 * and w count numbers that follow later, T and W.
 */
static const struct layout {
	const char *type, *content;
} layouts[] = {
	{ "HEAD", "uuuuus" },
	{ "MAPS", "*(uuuuuss)" },
	{ "LABL", "un(susu)" },
	{ "WORD", "twTW" },
	{ "MEMR", "un(uuuup)" },
	{ "BLCK", "sun(uup)" },
	{ "CNTR", "sn(uup)" },
	{ "SYMB", "*(un(sssuuu))" },
	{ "END ", "uu" },
};

struct swapper {
	unsigned char *p, *end;
	uint64_t n_tags, n_words;
};

static void swap_bytes(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		const unsigned char c = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = c;
	}
}

/* The number as it was. */
static uint64_t swap_number(struct swapper *s)
{
	uint64_t n;

	ck_assert_int_ge(s->end - s->p, 8);
	memcpy(&n, s->p, 8);
	swap_bytes(s->p, 8);
	s->p += 8;
	return n;
}

static void swap_numbers(struct swapper *s, uint64_t n)
{
	while (n-- > 0)
		swap_number(s);
}

/* Returns the layout behind the ')' that ends it. */
static const char *swap_content(struct swapper *s, const char *layout)
{
	const char *rest = layout;
	uint64_t n;

	for (; *layout && *layout != ')'; layout = rest) {
		rest = layout + 1;
		switch (*layout) {
		case 'u':
			swap_number(s);
			break;
		case 's':
			s->p += (swap_number(s) + 7) & ~UINT64_C(7);
			break;
		case 'p':
			swap_numbers(s, swap_number(s));
			break;
		case 't':
			s->n_tags = swap_number(s);
			break;
		case 'w':
			s->n_words = swap_number(s);
			break;
		case 'T':
			swap_numbers(s, s->n_tags);
			break;
		case 'W':
			swap_numbers(s, s->n_words);
			break;
		default: /* n( and *( */
			n = *layout == 'n' ? swap_number(s) : 0;
			for (uint64_t i = 0; *layout == 'n' ? i < n :
			     s->p < s->end; i++)
				swap_content(s, layout + 2);
			for (int depth = 1; *++rest != ')' || --depth > 0;)
				depth += *rest == '(';
			rest++;
		}
	}
	return rest;
}

/* CRC-32 as docs/raw-format.md has it. */
static uint32_t section_crc(const unsigned char *section, size_t size)
{
	uLong crc = crc32(0, section, 4);

	crc = crc32(crc, section + 8, 8);
	return (uint32_t)crc32(crc, section + 16, (uInt)size);
}

static void swap_section(unsigned char *section, uint64_t size)
{
	struct swapper s = { section + 16, section + 16 + size, 0, 0 };
	size_t i = 0;
	uint32_t crc;

	while (i < N_ELEMENTS(layouts) &&
	       memcmp(layouts[i].type, section, 4) != 0)
		i++;
	ck_assert_uint_lt(i, N_ELEMENTS(layouts));
	swap_content(&s, layouts[i].content);
	ck_assert_ptr_eq(s.p, s.end);
	swap_bytes(section, 4);
	swap_bytes(section + 8, 8);
	crc = section_crc(section, size);
	memcpy(section + 4, &crc, 4);
	swap_bytes(section + 4, 4);
}

static void swap_file(struct bytes file)
{
	uint64_t size;

	swap_bytes(file.data + 8, 4);
	swap_bytes(file.data + 12, 4);
	for (size_t at = 16; at < file.size; at += 16 + size) {
		memcpy(&size, file.data + at + 8, 8);
		ck_assert_uint_le(size, file.size - at - 16);
		swap_section(file.data + at, size);
	}
}

START_TEST(swapped_files)
{
	struct bytes file = recorded(tell_all, NULL);
	char *expected = logged(tell_all);

	swap_file(file);
	assert_tells(file, 0, expected, "swapped");
	assert_tells(file, 1, expected, "swapped, a byte at a time");
	free(expected);
	free(file.data);
}
END_TEST

/* ---- Cut and damaged files ---- */

/* How many lines of `text` are those `of` begins with. */
static unsigned lines_in_common(const char *text, const char *of)
{
	unsigned n = 0;

	for (size_t i = 0; text[i] && text[i] == of[i]; i++)
		n += text[i] == '\n';
	return n;
}

static unsigned n_lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The whole sections of the first `size` bytes, and where they end. */
static unsigned whole_sections(struct bytes file, size_t size, size_t *end)
{
	unsigned n = 0;
	uint64_t section;

	for (*end = 16; *end + 16 <= size; *end += 16 + section, n++) {
		memcpy(&section, file.data + *end + 8, 8);
		if (section > size - *end - 16)
			break;
	}
	return n;
}

/*
 * A cut file tells all of its whole sections (each is one event) and an end
 * of nothing, and names the byte; that is an error where strict.
 */
START_TEST(cut_at_every_byte)
{
	struct bytes file = recorded(tell_all, NULL);
	char *all = logged(tell_all);

	for (size_t size = 0; size < file.size; size++) {
		const struct bytes cut = { file.data, size };
		struct prof_error err = { 0 };
		struct test_notes notes;
		struct prof_read_options options = PROF_OPTIONS(
			prof_read_options, .format = "raw",
			.notes = test_notes(&notes));
		size_t end;
		const unsigned n = whole_sections(file, size, &end);
		char *text, place[32];
		const enum prof_status status =
			read_log(&text, cut, 0, &options, &err);

		if (n == 0) {
			/* Nothing can be made of it without a header. */
			ck_assert_int_eq(status, PROF_TRUNCATED);
			ck_assert_str_eq(text, "");
			free(text);
			continue;
		}
		ck_assert_msg(status == PROF_OK, "%zu: %s", size, err.message);
		ck_assert_uint_eq(lines_in_common(text, all), n);
		ck_assert_uint_eq(n_lines(text), n + 1);
		ck_assert_ptr_nonnull(strstr(text, "end 0 0\n"));
		ck_assert_uint_eq(notes.n, 1);
		snprintf(place, sizeof(place), "at byte %zu:", end);
		ck_assert_msg(strstr(notes.text, place) != NULL, "%s: %s",
		              place, notes.text);
		free(text);

		options.strict = true;
		ck_assert_int_eq(read_log(&text, cut, 0, &options, &err),
		                 PROF_TRUNCATED);
		free(text);
	}
	free(all);
	free(file.data);
}
END_TEST

/* Each line of text is one of `of`, in order; an end of nothing aside. */
static bool is_subset(const char *text, const char *of)
{
	while (*text) {
		const size_t n = strcspn(text, "\n") + 1;

		if (strcmp(text, "end 0 0\n") == 0)
			return true;
		while (*of && strncmp(of, text, n) != 0)
			of += strcspn(of, "\n") + 1;
		if (!*of)
			return false;
		text += n;
		of += n;
	}
	return true;
}

/*
 * One byte changed anywhere is found out: an error that names a place in the
 * file (or that it is no recording at all). With salvage the undamaged
 * sections are told.
 */
START_TEST(flipped_at_every_byte)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	struct bytes file = recorded(tell_all, NULL);
	char *all = logged(tell_all);
	unsigned n_salvaged = 0;

	for (size_t i = 0; i < file.size * N_ELEMENTS(flips); i++) {
		const size_t at = i / N_ELEMENTS(flips);
		const unsigned char flip = flips[i % N_ELEMENTS(flips)];
		struct prof_error err = { 0 };
		struct test_notes notes;
		struct prof_read_options options = PROF_OPTIONS(
			prof_read_options, .format = "raw",
			.notes = test_notes(&notes));
		char *text;
		enum prof_status status;

		file.data[at] ^= flip;
		status = read_log(&text, file, 0, &options, &err);
		ck_assert_msg(is_subset(text, all), "byte %zu: %s", at, text);
		free(text);
		/* A size that grew looks like a cut. */
		ck_assert_msg(status != PROF_OK || notes.n == 1,
		              "byte %zu: nothing was found", at);
		ck_assert(status == PROF_OK || status == PROF_UNSUPPORTED ||
		          status == PROF_CORRUPT || status == PROF_TRUNCATED);
		if (status != PROF_OK)
			ck_assert_msg(err.offset <= at, "byte %zu: %s at %llu",
			              at, err.message,
			              (unsigned long long)err.offset);

		options.salvage = true;
		options.notes = test_notes(&notes);
		status = read_log(&text, file, 0, &options, &err);
		if (status == PROF_OK) {
			ck_assert_uint_ge(notes.n, 1);
			ck_assert_msg(is_subset(text, all), "byte %zu", at);
			n_salvaged += n_lines(text) >= n_lines(all) - 1;
		}
		free(text);
		file.data[at] ^= flip;
	}
	/* Most bytes are content, and cost their own section only. */
	ck_assert_uint_gt(n_salvaged, 2 * file.size);
	free(all);
	free(file.data);
}
END_TEST

/* ---- Sections that cannot be ---- */

static void put_number(struct bytes *to, uint64_t n, size_t size)
{
	memcpy(to->data + to->size, &n, size);
	to->size += size;
}

/* Magic, a header section of zeros, and one section with that content. */
static struct bytes file_of(const char *type, const uint64_t *content,
                            size_t n)
{
	struct bytes file = { calloc(1, 1024), 0 };
	size_t begin;
	uint32_t crc;

	memcpy(file.data, "\x89PRAW\r\n\x1a", 8);
	file.size = 8;
	put_number(&file, 0x01020304, 4);
	put_number(&file, 1, 4);
	for (int i = 0; i < 2; i++) {
		begin = file.size;
		memcpy(file.data + begin, i ? type : "HEAD", 4);
		file.size += 8;
		put_number(&file, i ? 8 * n : 48, 8);
		for (size_t k = 0; k < (i ? n : 6); k++)
			put_number(&file, i ? content[k] : 0, 8);
		crc = section_crc(file.data + begin, file.size - begin - 16);
		memcpy(file.data + begin + 4, &crc, 4);
	}
	return file;
}

static const struct section_case {
	const char *name, *type;
	uint64_t content[12];
	size_t n;
	const char *message; /* NULL: an unknown section, which is noted */
} section_cases[] = {
	{ "header twice", "HEAD", { 0 }, 6, "after another" },
	{ "mapping without a file", "MAPS", { 1, 2, 3, 4, 0 }, 5, "length" },
	{ "file beyond the end", "MAPS", { 1, 2, 3, 4, 0, 9, 0, 0 }, 8,
	  "length" },
	{ "file of 2^64 bytes", "MAPS", { 1, 2, 3, 4, 0, UINT64_MAX, 0 }, 7,
	  "length" },
	{ "labels beyond the end", "LABL", { 1, 2, 0, 0, 0, 0 }, 6, "length" },
	{ "2^60 labels", "LABL", { 1, UINT64_C(1) << 60, 0, 0, 0, 0 }, 6,
	  "length" },
	{ "a label neither string nor number", "LABL", { 1, 1, 0, 2, 0, 0 }, 6,
	  "length" },
	{ "words beyond the end", "WORD", { 0, 4, 3, 1, 100 }, 5, "length" },
	{ "2^61 words", "WORD", { 0, UINT64_C(1) << 61, 3, 1, 100 }, 5,
	  "length" },
	{ "tags beyond the end", "WORD", { 9, 0 }, 2, "length" },
	{ "a record of two words", "WORD", { 0, 3, 2, 1, 100 }, 5, "" },
	{ "a record that is cut", "WORD", { 0, 3, 4, 1, 100 }, 5, "" },
	{ "a tag too many", "WORD", { 2, 3, 0, 0, 3, 1, 1 }, 7, "" },
	{ "a tag too few", "WORD", { 1, 6, 0, 3, 1, 1, 3, 1, 1 }, 9, "" },
	{ "memory beyond the end", "MEMR", { 1, 1, 1, 1, 1, 1 }, 6, "length" },
	{ "a stack of 33", "MEMR", { 1, 1, 1, 1, 1, 1, 33 }, 7, "length" },
	{ "block beyond the end", "BLCK", { 0, 1, 2, 1, 1, 0 }, 6, "length" },
	{ "count beyond the end", "CNTR", { 0, 1, 1, 0, 1 }, 5, "length" },
	{ "symbols beyond the end", "SYMB", { 1, 1, 0, 0, 0, 0, 0 }, 7,
	  "length" },
	{ "an end without its numbers", "END ", { 1 }, 1, "length" },
	{ "an unknown section", "XXXX", { 1 }, 1, NULL },
};

START_TEST(impossible_sections)
{
	const struct section_case *c = &section_cases[_i];
	struct bytes file = file_of(c->type, c->content, c->n);
	struct prof_error err = { 0 };
	struct test_notes notes;
	struct prof_read_options options = PROF_OPTIONS(
		prof_read_options, .notes = test_notes(&notes));
	char *text;
	const enum prof_status status = read_log(&text, file, 0, &options,
	                                         &err);

	if (c->message) {
		ck_assert_msg(status == PROF_CORRUPT, "%s: %s", c->name,
		              prof_status_string(status));
		ck_assert_msg(strstr(err.message, c->message) != NULL,
		              "%s: %s", c->name, err.message);
		ck_assert_uint_eq(err.offset, 80);
		ck_assert_uint_eq(n_lines(text), 1);
	} else {
		ck_assert_int_eq(status, PROF_OK);
		ck_assert_ptr_nonnull(strstr(notes.text, "unknown"));
	}
	free(text);
	/* The same with salvage: the section is left out, and said so. */
	options.salvage = true;
	options.notes = test_notes(&notes);
	ck_assert_int_eq(read_log(&text, file, 0, &options, &err), PROF_OK);
	ck_assert_uint_ge(notes.n, 1);
	free(text);
	free(file.data);
}
END_TEST

/* ---- The example of the manual ---- */

static void tell_example(const struct prof_recorder *r)
{
	const struct prof_recording_header h = {
		.kinds = PROF_RECORDS_CPU, .time_ns = 1700000000000000000,
		.clock_ns = 1000, .hz = 100, .pid = 42, .command = STR("demo"),
	};
	const struct prof_mapping m = {
		.start = 0x400000, .limit = 0x401000, .offset = 0x1000,
		.file = STR("/bin/demo"), .build_id = STR("c0ffee"),
	};
	const struct prof_label label = { .key = STR("step"),
	                                  .str = STR("load") };
	const uint64_t words[] = { 3, 1000, 100, 5, 2000, 1, 0x400123,
	                           0x400456 };
	const uint64_t tags[] = { 0, 7 };

	r->header(r->ctx, &h, NULL);
	r->mapping(r->ctx, 1000, &m, NULL);
	r->label_set(r->ctx, 7, &label, 1, NULL);
	r->words(r->ctx, words, N_ELEMENTS(words), tags, 2, NULL);
	r->end(r->ctx, 5000000, 0, NULL);
}

/* The bytes of the ```hex block: "0010: 48 45 ..  ; what they are". */
static struct bytes bytes_of_manual(void)
{
	struct bytes manual = bytes_of_file(SOURCE_DIR "/docs/raw-format.md");
	struct bytes hex = { calloc(1, manual.size), 0 };
	char *text = malloc(manual.size + 1), *line;

	memcpy(text, manual.data, manual.size);
	text[manual.size] = '\0';
	line = strstr(text, "```hex\n");
	ck_assert_ptr_nonnull(line);
	for (line += 7; strncmp(line, "```", 3) != 0;
	     line += strcspn(line, "\n") + 1) {
		char *end = line;

		/* Offsets are right, too. */
		ck_assert_uint_eq(strtoul(line, &end, 16), hex.size);
		ck_assert_int_eq(*end, ':');
		for (char *at = end + 1; *(at += strspn(at, " ")) != ';' &&
		     *at != '\n'; at = end) {
			hex.data[hex.size++] =
				(unsigned char)strtoul(at, &end, 16);
			ck_assert_int_eq(end - at, 2);
		}
	}
	free(text);
	free(manual.data);
	return hex;
}

START_TEST(manual_example)
{
	struct bytes manual = bytes_of_manual();
	struct bytes file = recorded(tell_example, NULL);
	char *expected = logged(tell_example);

	assert_tells(manual, 0, expected, "the manual's example");
	ck_assert_uint_eq(manual.size, file.size);
	ck_assert_mem_eq(manual.data, file.data, file.size);
	free(expected);
	free(manual.data);
	free(file.data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("raw");
	TCase *whole = tcase_create("whole");
	TCase *damaged = tcase_create("damaged");

	tcase_add_loop_test(whole, round_trips, 0, N_ELEMENTS(trip_cases));
	tcase_add_test(whole, sections_leave_at_once);
	tcase_add_test(whole, swapped_files);
	tcase_add_test(whole, manual_example);
	suite_add_tcase(suite, whole);
	tcase_set_timeout(damaged, 120);
	tcase_add_test(damaged, cut_at_every_byte);
	tcase_add_test(damaged, flipped_at_every_byte);
	tcase_add_loop_test(damaged, impossible_sections, 0,
	                    N_ELEMENTS(section_cases));
	suite_add_tcase(suite, damaged);
	return run_suite(suite);
}
