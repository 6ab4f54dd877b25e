/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

/*
 * An output: bytes put together in a buffer and handed to a sink, compressed
 * on the way where that was asked for. The one place that compresses.
 *
 * Failures stick: put everything, then look at what output_close() returns.
 */

#include "base/memory.h"

#include <profile/io.h>

struct output {
	unsigned char *p, *end; /* free room in the buffer */
	unsigned char *buffer;
	size_t buffer_size;
	uint64_t flushed;       /* bytes before the buffer */
	struct prof_sink sink;
	uint32_t gzip_level;    /* 0: not compressed */
	void *encoder;          /* NULL: nothing has gone through it yet */
	unsigned char *packed;  /* of the encoder */
	bool is_closed;
	enum prof_status status;
	struct prof_error error;
	const struct prof_allocator *allocator;
};

/* gzip_level: 1 (fast) to 12 (small), 0 for none. */
void output_open(struct output *out, struct prof_sink sink,
                 uint32_t gzip_level, const struct prof_allocator *a);

/*
 * Hands the rest to the sink, frees the buffer, and tells how all went. Once
 * more: only tells.
 */
enum prof_status output_close(struct output *out, struct prof_error *err);

/* Hands over what there is so far, where it is not compressed: what is
   compressed is handed over as it comes. */
void output_flush(struct output *out);

/* Frees the buffers and hands over nothing more. */
void output_abandon(struct output *out);

/*
 * Room for n bytes at out->p, contiguous. False (with a scratch of no use)
 * only when out of memory. Advance out->p over what was written.
 */
bool output_room(struct output *out, size_t n);

void output_bytes(struct output *out, const void *bytes, size_t size);
void output_text(struct output *out, const char *text);
void output_str(struct output *out, struct prof_str s);
/*
 * A string as part of a line of text: control characters, which would begin
 * another line or speak to the terminal, become "\n" or "\x1b". Tabs stay.
 */
void output_visible(struct output *out, struct prof_str s);
void output_char(struct output *out, char c);
void output_u64(struct output *out, uint64_t n);
void output_i64(struct output *out, int64_t n);
void output_hex(struct output *out, uint64_t n); /* 0x1f */
/* For lines that are written once; numbers above are faster. */
void output_printf(struct output *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How many bytes were put so far, before compression. */
uint64_t output_size(const struct output *out);

#endif
