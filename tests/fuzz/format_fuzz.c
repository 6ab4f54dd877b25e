/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One harness for the whole table of formats. Whatever the input is, each
 * format that can read tries it, damaged parts left out or not; what it makes
 * of it is written in each format that can write, and read again: it has to
 * be the same, or the writer has to have said what it dropped. Recordings go
 * from format to format and must not change by a byte.
 */
#include "profile_text.h"

#include <profile/io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small ones, so that most of the time goes into what is different. */
#define LIMITS { .max_bytes = 1 << 17, .max_memory = 64 << 20,                \
	         .max_depth = 4096 }

/* ---- Memory ---- */

/*
 * Windows and buffers are the same large sizes each time, and to map them
 * anew takes two fifths of a run: they are kept. Their ends stay exact, so
 * that what goes beyond them is still found.
 */
#define LARGE ((size_t)64 << 10)

static struct {
	void *ptr;
	size_t size;
} kept[32];

static void *take_kept(size_t size)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i].ptr && kept[i].size == size) {
			void *ptr = kept[i].ptr;

			kept[i].ptr = NULL;
			return ptr;
		}
	return malloc(size);
}

static void keep(void *ptr, size_t size)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!kept[i].ptr) {
			kept[i].ptr = ptr;
			kept[i].size = size;
			return;
		}
	free(ptr);
}

static void *resize_keeping(void *ctx, void *ptr, size_t old_size,
                            size_t new_size)
{
	void *moved;

	(void)ctx;
	if (old_size < LARGE && new_size < LARGE && new_size)
		return realloc(ptr, new_size);
	moved = new_size >= LARGE ? take_kept(new_size) :
		new_size ? malloc(new_size) : NULL;
	if (new_size && !moved)
		return NULL;
	if (moved && ptr)
		memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
	if (old_size >= LARGE)
		keep(ptr, old_size);
	else
		free(ptr);
	return moved;
}

static const struct prof_allocator allocator = { resize_keeping, NULL };

/* ---- Input ---- */

struct input {
	const uint8_t *data;
	size_t size, position;
};

static ptrdiff_t read_input(void *ctx, void *buf, size_t size)
{
	struct input *in = ctx;
	const size_t left = in->size - in->position;
	const size_t n = size < left ? size : left;

	if (n)
		memcpy(buf, in->data + in->position, n);
	in->position += n;
	return (ptrdiff_t)n;
}

static void count_note(void *ctx, const char *message)
{
	(void)message;
	++*(unsigned *)ctx;
}

static void fail(const char *what, const char *from, const char *to,
                 const char *message)
{
	fprintf(stderr, "%s: %s -> %s: %s\n", what, from, to, message);
	abort();
}

static bool can(const struct prof_format_info *format, unsigned what)
{
	return (format->can & what) == what;
}

/* ---- Profiles ---- */

static void compare(const struct prof_profile *got,
                    const struct prof_profile *expected, const char *from,
                    const char *to)
{
	char *a = profile_text(got, TEXT_SORT_SAMPLES);
	char *b = profile_text(expected, TEXT_SORT_SAMPLES);
	struct prof_str x, y;
	unsigned line;

	if (a && b && text_differs(a, b, &line, &x, &y)) {
		fprintf(stderr, "     got %.*s\nexpected %.*s\n", (int)x.len,
		        x.ptr, (int)y.len, y.ptr);
		fail("another profile", from, to, "");
	}
	free(a);
	free(b);
}

static void write_and_read(const struct prof_profile *p, const char *from,
                           const char *to)
{
	unsigned n_notes = 0;
	const struct prof_write_options options = PROF_OPTIONS(
		prof_write_options, .notes = { count_note, &n_notes },
		.uncompressed = true, .allocator = &allocator);
	struct prof_buffer file = { 0 }, again = { 0 };
	struct prof_profile *back = NULL;
	struct prof_error err = { 0 };
	bool is_lossy;

	if (prof_write(p, to, prof_sink_buffer(&file), &options, &err) !=
	    PROF_OK) {
		if (err.status != PROF_OVERFLOW &&
		    err.status != PROF_UNSUPPORTED && prof_n_sample_types(p))
			fail("cannot write", from, to, err.message);
		prof_buffer_release(&file);
		return;
	}
	/* A profile of nothing may become one of no samples of some type. */
	is_lossy = n_notes > 0 || prof_n_sample_types(p) == 0;
	if (prof_read_mem(&back, file.data, file.size, &PROF_OPTIONS(
			prof_read_options, .format = to,
			.allocator = &allocator), &err) != PROF_OK)
		fail("cannot read what was written", from, to, err.message);
	if (!is_lossy)
		compare(back, p, from, to);
	if (prof_write(back, to, prof_sink_buffer(&again), &options, &err) !=
	    PROF_OK)
		fail("cannot write again", from, to, err.message);
	if (file.size != again.size ||
	    (file.size && memcmp(file.data, again.data, file.size) != 0))
		fail("other bytes the second time", from, to, "");
	prof_profile_free(back);
	prof_buffer_release(&file);
	prof_buffer_release(&again);
}

static void write_only(const struct prof_profile *p, const char *from,
                       const char *to)
{
	struct prof_buffer file = { 0 };
	struct prof_error err = { 0 };

	if (prof_write(p, to, prof_sink_buffer(&file), &PROF_OPTIONS(
			prof_write_options, .allocator = &allocator), &err) !=
	    PROF_OK)
		fail("cannot write", from, to, err.message);
	prof_buffer_release(&file);
}

static void try_profile(const uint8_t *data, size_t size,
                        const struct prof_read_options *options)
{
	const struct prof_format_info *to;
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	char *text;

	if (prof_read_mem(&p, data, size, options, &err) != PROF_OK) {
		if (!err.message[0] || p)
			fail("no message", options->format, "", "");
		return;
	}
	text = profile_text(p, TEXT_TABLES);
	free(text);
	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++)
		if (can(to, PROF_CAN_READ | PROF_CAN_WRITE))
			write_and_read(p, options->format, to->name);
		else if (can(to, PROF_CAN_WRITE))
			write_only(p, options->format, to->name);
	prof_profile_free(p);
}

/* ---- Recordings ---- */

/* False: it cannot be read as a recording. */
static bool record(struct prof_buffer *out, const char *to,
                   const uint8_t *data, size_t size,
                   const struct prof_read_options *options)
{
	struct input in = { .data = data, .size = size };
	struct prof_recorder r;
	bool is_whole;

	if (prof_recorder_new(&r, to, prof_sink_buffer(out), &PROF_OPTIONS(
			prof_write_options, .allocator = &allocator), NULL) !=
	    PROF_OK)
		abort();
	is_whole = prof_read_recording(
		&r, (struct prof_source){ read_input, &in }, options, NULL) ==
		PROF_OK;
	prof_recorder_free(&r);
	return is_whole;
}

static void there_and_back(const struct prof_buffer *raw, const char *to)
{
	struct prof_buffer there = { 0 }, back = { 0 };

	if (!record(&there, to, raw->data, raw->size, &PROF_OPTIONS(
			prof_read_options, .format = "raw",
			.allocator = &allocator)))
		fail("cannot read the recording", "raw", to, "");
	if (!record(&back, "raw", there.data, there.size, &PROF_OPTIONS(
			prof_read_options, .format = to,
			.allocator = &allocator)))
		fail("cannot read the recording", to, "raw", "");
	/* Many words may come back in other portions. */
	if (raw->size < 1 << 15 && (back.size != raw->size ||
	    memcmp(back.data, raw->data, raw->size) != 0))
		fail("another recording", "raw", to, "");
	prof_buffer_release(&there);
	prof_buffer_release(&back);
}

static void try_recording(const uint8_t *data, size_t size,
                          const struct prof_read_options *options)
{
	const struct prof_format_info *to;
	struct prof_buffer raw = { 0 };

	if (record(&raw, "raw", data, size, options))
		for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++)
			if (can(to, PROF_CAN_READ_RECORDING |
			        PROF_CAN_WRITE_RECORDING))
				there_and_back(&raw, to->name);
	prof_buffer_release(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct prof_format_info *format;

	for (size_t i = 0; (format = prof_format_info(i)) != NULL; i++) {
		struct prof_read_options options = PROF_OPTIONS(
			prof_read_options, .format = format->name,
			.limits = LIMITS, .allocator = &allocator,
			.salvage = size % 2);

		if (can(format, PROF_CAN_READ))
			try_profile(data, size, &options);
		if (can(format, PROF_CAN_READ_RECORDING))
			try_recording(data, size, &options);
	}
	return 0;
}
