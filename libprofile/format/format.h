/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

/*
 * What a format is: one constant struct at the end of its file, and one row
 * in formats.c. Everything that is the same for all of them (decompression,
 * finding the format, limits, options' defaults, checking the result) is done
 * by prof_read() and prof_write() before and after these functions.
 */

#include "base/input.h"
#include "base/output.h"
#include "model/builder.h"

#include <profile/io.h>

/*
 * What a reading function gets. options is never NULL, and its limits are
 * all set.
 */
struct format_reading {
	struct input *in;
	const struct prof_read_options *options;
	const struct prof_allocator *allocator;
};

/*
 * What a writing function gets: put bytes into out. A recorder keeps it until
 * its free() is called, which ends with writing_free().
 */
struct format_writing {
	struct output out;
	struct prof_write_options options;
	struct prof_allocator allocator;
};

struct format {
	struct prof_format_info info;
	bool is_gzipped; /* unless the caller asks otherwise */
	bool scales;     /* it reads fractions, and does options.scale itself */
	/*
	 * How sure the first bytes head[size] (512 of them where the input has
	 * so many) make it that this is the format: 0 no, 1 it could be, 2 it
	 * looks like it, 3 certain. The highest wins, then the first row. NULL:
	 * never found by content.
	 */
	int (*probe)(const unsigned char *head, size_t size);
	/* Adds what it reads to the builder. A failure to read comes back as
	   the status, with err filled; one of the builder sticks there, and
	   one of the input in r->in. */
	enum prof_status (*read)(struct format_reading *r,
	                         struct prof_builder *b,
	                         struct prof_error *err);
	/* Failures of the output stick there. */
	enum prof_status (*write)(const struct prof_profile *p,
	                          struct format_writing *w,
	                          struct prof_error *err);
	/* Tells the recorder what it reads. */
	enum prof_status (*read_recording)(struct format_reading *r,
	                                   const struct prof_recorder *to,
	                                   struct prof_error *err);
	/* Of a format that can hold either: what these first bytes begin. */
	bool (*holds_recording)(const unsigned char *head, size_t size);
	/*
	 * Fills in a recorder that puts what it is told into w->out; its end()
	 * closes the output, its free() calls writing_free(). On failure w
	 * stays the caller's.
	 */
	enum prof_status (*record)(struct prof_recorder *out,
	                           struct format_writing *w,
	                           struct prof_error *err);
};

void writing_free(struct format_writing *w);

extern const struct format pprof_format, raw_format, collapsed_format,
	yaml_format, text_format, speedscope_format, callgrind_format;

/* ---- Notes ---- */

/*
 * Tells the user about something that is no error; where options are strict
 * it is one of the given status. Returns PROF_OK, or that status.
 */
enum prof_status reading_note(struct format_reading *r, enum prof_status status,
                              struct prof_error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
enum prof_status writing_note(struct format_writing *w, struct prof_error *err,
                              const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
