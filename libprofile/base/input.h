/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_INPUT_H
#define BASE_INPUT_H

/*
 * An input: bytes pulled from a source, decompressed on the way (gzip of any
 * number of members, zstd, or plain) and looked at through a window. The
 * whole is never in memory, so a window of 256 KiB stays in the cache.
 *
 * The one place that decompresses and that bounds how much comes out.
 */

#include "base/memory.h"

#include <profile/io.h>

struct input {
	/* The bytes at hand; 16 readable bytes follow end. Take some by
	   moving p. */
	const unsigned char *p, *end;
	/* Why no more bytes come: PROF_OK at the end of the input. Sticky. */
	enum prof_status status;
	struct prof_error error; /* of that status */
	struct mem_budget *budget; /* raised by what comes in, or NULL */
	struct input_state *state;
};

enum input_flags {
	INPUT_SALVAGE = 1, /* damaged compressed data ends the input: no error,
	                      but input_cut() says where */
};

/*
 * Opens an input and finds out how it is compressed. limits: max_bytes and
 * max_items are looked at. budget: may be NULL; see struct input. The
 * source and a must outlive the input.
 */
enum prof_status input_open(struct input *in, struct prof_source source,
                            const struct prof_limits *limits,
                            enum input_flags flags,
                            const struct prof_allocator *a,
                            struct mem_budget *budget,
                            struct prof_error *err);
void input_close(struct input *in);

/*
 * Tries to have n bytes at p, and returns how many there are: fewer only
 * where the input ends or has failed (see status). What p pointed to may
 * move.
 */
size_t input_need(struct input *in, size_t n);

/*
 * The bytes up to and with the next '\n', or to the end of the input where
 * there is none: *line and its size; false at the end or on failure. p moves
 * behind them; they hold until the next call. max: longest line, more is
 * PROF_LIMIT.
 */
bool input_line(struct input *in, uint64_t max, const unsigned char **line,
                size_t *size);

/*
 * Counts n more of what a format takes one by one, and takes time for. False
 * where that is more than the limit max_items: the input has failed then.
 */
bool input_count(struct input *in, uint64_t n);

/* The offset of p in the uncompressed bytes. */
uint64_t input_offset(const struct input *in);

/* Compressed bytes taken from the source so far. */
uint64_t input_source_bytes(const struct input *in);

/*
 * True where INPUT_SALVAGE let a damage pass: *bytes_dropped compressed bytes
 * from *at on could not be used.
 */
bool input_cut(const struct input *in, uint64_t *at, uint64_t *bytes_dropped);

/* Memory as a source: reads *m from position on. */
struct memory_source {
	const unsigned char *data;
	size_t size, position;
};
struct prof_source source_memory(struct memory_source *m);

#endif
