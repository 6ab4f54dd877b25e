/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the container: each thing that is told becomes a section of its
 * own, put together in a scratch and handed to the sink at once, so that a
 * program that dies leaves whole sections behind it.
 */
#include "format/raw.h"

#include "base/codec.h"
#include "base/error.h"

#include <string.h>

struct container_writer {
	struct format_writing *w;
	VEC(unsigned char) content;
	bool has_failed; /* out of memory */
};

uint32_t raw_crc(const void *head, const void *content, size_t size)
{
	const unsigned char *bytes = head;
	uint32_t crc;

	/* Type and size: the checksum between them is not its own subject. */
	crc = crc32_bytes(0, bytes, sizeof(uint32_t));
	crc = crc32_bytes(crc, bytes + offsetof(struct raw_section, size),
	                  sizeof(uint64_t));
	return crc32_bytes(crc, content, size);
}

/* ---- Content ---- */

static unsigned char *content_room(struct container_writer *g, size_t n)
{
	if (!vec_reserve(&g->content, n, &g->w->allocator)) {
		g->has_failed = true;
		return NULL;
	}
	return g->content.data + g->content.n;
}

static void put_bytes(struct container_writer *g, const void *bytes, size_t n)
{
	const size_t padded = (n + 7) & ~(size_t)7;
	unsigned char *to = content_room(g, padded);

	if (!to)
		return;
	if (n)
		memcpy(to, bytes, n);
	memset(to + n, 0, padded - n);
	g->content.n += padded;
}

static void put_u64(struct container_writer *g, uint64_t n)
{
	put_bytes(g, &n, sizeof(n));
}

static void put_i64(struct container_writer *g, int64_t n)
{
	put_bytes(g, &n, sizeof(n));
}

static void put_str(struct container_writer *g, struct prof_str s)
{
	put_u64(g, s.len);
	put_bytes(g, s.ptr, s.len);
}

static void put_words(struct container_writer *g, const uint64_t *words,
                      size_t n)
{
	put_bytes(g, words, n * sizeof(*words));
}

/* A count and the addresses of a stack that ends at the first 0. */
static void put_stack32(struct container_writer *g, const uint64_t stack[32])
{
	size_t n = 0;

	while (n < 32 && stack[n])
		n++;
	put_u64(g, n);
	put_words(g, stack, n);
}

/* Writes what was put together as a section. */
static enum prof_status end_section(struct container_writer *g,
                                    enum raw_section_type type,
                                    struct prof_error *err)
{
	struct raw_section section = { .type = type, .size = g->content.n };
	struct output *out = &g->w->out;

	if (g->has_failed)
		return error_nomem(err);
	section.crc = raw_crc(&section, g->content.data, g->content.n);
	output_bytes(out, &section, sizeof(section));
	output_bytes(out, g->content.data, g->content.n);
	output_flush(out);
	g->content.n = 0;
	if (out->status != PROF_OK && err)
		*err = out->error;
	return out->status;
}

/* ---- What is told ---- */

static enum prof_status write_header(void *ctx,
                                     const struct prof_recording_header *h,
                                     struct prof_error *err)
{
	struct container_writer *g = ctx;
	struct raw_head head = { RAW_MAGIC, RAW_BYTE_ORDER, RAW_VERSION };

	output_bytes(&g->w->out, &head, sizeof(head));
	put_u64(g, h->kinds);
	put_i64(g, h->time_ns);
	put_u64(g, h->clock_ns);
	put_u64(g, h->hz);
	put_u64(g, h->pid);
	put_str(g, h->command);
	return end_section(g, RAW_HEADER, err);
}

static enum prof_status write_mapping(void *ctx, uint64_t time,
                                      const struct prof_mapping *m,
                                      struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_u64(g, time);
	put_u64(g, m->start);
	put_u64(g, m->limit);
	put_u64(g, m->offset);
	put_u64(g, (m->has_functions ? RAW_HAS_FUNCTIONS : 0u) |
	        (m->has_filenames ? RAW_HAS_FILENAMES : 0u) |
	        (m->has_line_numbers ? RAW_HAS_LINE_NUMBERS : 0u) |
	        (m->has_inline_frames ? RAW_HAS_INLINE_FRAMES : 0u));
	put_str(g, m->file);
	put_str(g, m->build_id);
	return end_section(g, RAW_MAPPINGS, err);
}

static enum prof_status write_label_set(void *ctx, uint64_t tag,
                                        const struct prof_label *labels,
                                        size_t n, struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_u64(g, tag);
	put_u64(g, n);
	for (size_t i = 0; i < n; i++) {
		const bool is_number = !labels[i].str.ptr;

		put_str(g, labels[i].key);
		put_u64(g, is_number);
		put_str(g, is_number ? labels[i].unit : labels[i].str);
		put_i64(g, labels[i].num);
	}
	return end_section(g, RAW_LABELS, err);
}

static enum prof_status write_words(void *ctx, const uint64_t *words,
                                    size_t n_words, const uint64_t *tags,
                                    size_t n_tags, struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_u64(g, n_tags);
	put_u64(g, n_words);
	put_words(g, tags, n_tags);
	put_words(g, words, n_words);
	return end_section(g, RAW_WORDS, err);
}

static enum prof_status write_mem(void *ctx, int64_t rate,
                                  const struct prof_mem_record *recs, size_t n,
                                  struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_i64(g, rate);
	put_u64(g, n);
	for (size_t i = 0; i < n; i++) {
		put_i64(g, recs[i].alloc_bytes);
		put_i64(g, recs[i].free_bytes);
		put_i64(g, recs[i].alloc_objects);
		put_i64(g, recs[i].free_objects);
		put_stack32(g, recs[i].stack);
	}
	return end_section(g, RAW_MEMORY, err);
}

static enum prof_status write_block(void *ctx, struct prof_str name,
                                    int64_t cycles_per_second,
                                    const struct prof_block_record *recs,
                                    size_t n, struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_str(g, name);
	put_i64(g, cycles_per_second);
	put_u64(g, n);
	for (size_t i = 0; i < n; i++) {
		put_i64(g, recs[i].count);
		put_i64(g, recs[i].cycles);
		put_stack32(g, recs[i].stack);
	}
	return end_section(g, RAW_BLOCK, err);
}

static enum prof_status write_count(void *ctx, struct prof_str name,
                                    const struct prof_count_record *recs,
                                    size_t n, struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_str(g, name);
	put_u64(g, n);
	for (size_t i = 0; i < n; i++) {
		put_i64(g, recs[i].n);
		put_u64(g, recs[i].tag);
		put_u64(g, recs[i].n_pcs);
		put_words(g, recs[i].pcs, recs[i].n_pcs);
	}
	return end_section(g, RAW_COUNT, err);
}

static enum prof_status write_symbol(void *ctx, uint64_t pc,
                                     const struct prof_symbol *frames,
                                     size_t n, struct prof_error *err)
{
	struct container_writer *g = ctx;

	put_u64(g, pc);
	put_u64(g, n);
	for (size_t i = 0; i < n; i++) {
		put_str(g, frames[i].name);
		put_str(g, frames[i].system_name);
		put_str(g, frames[i].filename);
		put_i64(g, frames[i].line);
		put_i64(g, frames[i].column);
		put_i64(g, frames[i].start_line);
	}
	return end_section(g, RAW_SYMBOLS, err);
}

static enum prof_status write_end(void *ctx, int64_t duration_ns, uint64_t lost,
                                  struct prof_error *err)
{
	struct container_writer *g = ctx;
	enum prof_status status;

	put_i64(g, duration_ns);
	put_u64(g, lost);
	status = end_section(g, RAW_END, err);
	return status == PROF_OK ? output_close(&g->w->out, err) : status;
}

void raw_record_release(struct prof_recorder *recorder)
{
	struct container_writer *g = recorder->ctx;
	struct format_writing *w = g->w;

	vec_release(&g->content, &w->allocator);
	mem_free(&w->allocator, g, sizeof(*g));
}

static void writer_free(void *ctx)
{
	struct container_writer *g = ctx;
	struct format_writing *w = g->w;

	raw_record_release(&(struct prof_recorder){ .ctx = g });
	writing_free(w);
}

enum prof_status raw_record(struct prof_recorder *out, struct format_writing *w,
                            struct prof_error *err)
{
	struct container_writer *g = mem_zeroed(&w->allocator, 1, sizeof(*g));

	if (!g)
		return error_nomem(err);
	g->w = w;
	*out = (struct prof_recorder){
		.header = write_header, .mapping = write_mapping,
		.label_set = write_label_set, .words = write_words,
		.mem = write_mem, .block = write_block, .count = write_count,
		.symbol = write_symbol, .end = write_end,
		.free = writer_free, .ctx = g,
	};
	return PROF_OK;
}
