/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_IO_H
#define PROFILE_IO_H

/*
 * Profiles from bytes and back. Input may be compressed (gzip of one or more
 * members, zstd) and its format is found by content unless it is named.
 */

#include <profile/common.h>
#include <profile/model.h>
#include <profile/raw.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Bytes ---- */

/*
 * Reads up to size bytes (1 or more) into buf. Returns how many, 0 at the
 * end, or -errno. Fewer than size is no end. A source whose read is NULL is
 * none, where one may be left out.
 */
struct prof_source {
	ptrdiff_t (*read)(void *ctx, void *buf, size_t size);
	void *ctx;
};

/* Takes all size bytes of buf and returns 0, or -errno. */
struct prof_sink {
	int (*write)(void *ctx, const void *buf, size_t size);
	void *ctx;
};

/* A file descriptor as a source or a sink; it stays the caller's. */
PROF_API struct prof_source prof_source_fd(int fd);
PROF_API struct prof_sink prof_sink_fd(int fd);

/*
 * A growing piece of memory as a sink; begin with all zero. What was written
 * is data[0 .. size). prof_buffer_release() frees it and makes it empty.
 */
struct prof_buffer {
	unsigned char *data;
	size_t size, capacity;
	const struct prof_allocator *allocator; /* NULL: malloc */
};
PROF_API struct prof_sink prof_sink_buffer(struct prof_buffer *buffer);
PROF_API void prof_buffer_release(struct prof_buffer *buffer);

/* ---- Notes ---- */

/*
 * A note is a line about something that was not an error but that the user
 * should know: what was dropped, skipped, cut off or repaired. The message
 * has no newline at its end and is borrowed for the call. Without a function,
 * notes go nowhere; with .strict they are errors instead.
 */
struct prof_notes {
	void (*note)(void *ctx, const char *message);
	void *ctx;
};

/* ---- Formats ---- */

/* What a format can do; the sum of these. */
enum prof_format_can {
	PROF_CAN_READ = 1,
	PROF_CAN_WRITE = 2,
	PROF_CAN_READ_RECORDING = 4,
	PROF_CAN_WRITE_RECORDING = 8
};

struct prof_format_info {
	const char *name;     /* "pprof" */
	const char *about;    /* one line */
	const char *suffixes; /* usual ends of file names: ".pb.gz .pprof";
	                         with a * behind, a begin: "callgrind.out.*" */
	unsigned can;         /* of enum prof_format_can */
	bool is_binary;
	bool has_shown_names; /* names are as people read them, never as a
	                         linker has them */
};

/* The formats in the order of the list; NULL at its end. */
PROF_API const struct prof_format_info *prof_format_info(size_t i);

/* ---- Limits ---- */

/*
 * What input may not exceed; more is PROF_LIMIT, with the limit's name in
 * the message. 0: the default.
 */
struct prof_limits {
	uint64_t max_bytes;    /* uncompressed; min(4 GiB, 1000 x compressed
	                          + 64 MiB) */
	uint64_t max_memory;   /* of the profile in memory; 64 MiB
	                          + 16 x uncompressed */
	uint64_t max_string;   /* bytes of one; 16 MiB */
	uint64_t max_depth;    /* frames of a stack; 65536 */
	uint64_t max_lines;    /* of a location; 1024 */
	uint64_t max_labels;   /* of a sample; 1024 */
	uint64_t max_types;    /* sample types; 64 */
	uint64_t max_nesting;  /* of YAML; 64 */
	uint64_t max_line_bytes; /* of a text format; 16 MiB */
	uint64_t max_items;    /* fields of pprof and its labels, lines of
	                          collapsed stacks, events of YAML and 16
	                          bytes of its text; of compressed input
	                          1 Mi + 8 x compressed, else no limit */
};

/* ---- Reading ---- */

/* Options for reading; each format looks at those that concern it. */
struct prof_read_options {
	size_t size;
	const char *format; /* NULL or "auto": by content */
	const struct prof_allocator *allocator;
	struct prof_limits limits;
	struct prof_notes notes;
	bool strict;        /* a note is an error */
	bool salvage;       /* keep what is whole before a cut or a damage */
	uint64_t scale;     /* a profile's values times this; 0: 1. Those of
	                       collapsed stacks may then have fractions */

	/* collapsed */
	uint32_t columns;   /* values at the end of a line; 0: 1 */
	const char *sample_types; /* "type/unit type/unit"; NULL: samples/count */
	bool diff;          /* two values a line: before and after */
	bool escape;        /* undo \; \\ \n \xNN in names */
	bool annotations;   /* read _[k] _[i] _[j] into structure */

	/* raw */
	const char *kind;   /* which of a recording's profiles: "cpu", "heap",
	                       "allocs", "block", "mutex" or a name of its
	                       own; NULL: the only one, or cpu */
	bool go_exact;      /* as Go's builder makes it */
	struct prof_source tags, maps; /* side files of a plain word stream */

	/* Where set: becomes the name (static) of the input's format. */
	const char **found_format;
	/* Where set: becomes whether the input is a recording. */
	bool *found_recording;
};

/*
 * Reads a profile; of a recording, the one that options.kind names. options
 * NULL: all defaults. On success the caller frees *out. PROF_NOMEM,
 * PROF_SYSTEM (reading), PROF_UNKNOWN_FORMAT, PROF_CORRUPT, PROF_TRUNCATED,
 * PROF_LIMIT, PROF_OVERFLOW (a number or a sum left 64 bits),
 * PROF_UNSUPPORTED (the format can not be read; with .strict, what had to be
 * left out), PROF_INVALID (an option).
 */
PROF_API enum prof_status prof_read(struct prof_profile **out,
                                    struct prof_source source,
                                    const struct prof_read_options *options,
                                    struct prof_error *err);
/* As prof_read, from memory, which is only borrowed for the call. */
PROF_API enum prof_status prof_read_mem(struct prof_profile **out,
                                        const void *data, size_t size,
                                        const struct prof_read_options *options,
                                        struct prof_error *err);

/* ---- Writing ---- */

/* Options for writing; each format looks at those that concern it. */
struct prof_write_options {
	size_t size;
	struct prof_notes notes;
	bool strict; /* what cannot be expressed is PROF_UNSUPPORTED, no note */
	const struct prof_allocator *allocator;

	bool gzip;         /* compress formats that are plain by custom too */
	bool uncompressed; /* do not compress those that are not */
	uint32_t level;    /* of gzip, 1 to 12; 0: 1 */

	/* pprof */
	bool keep_order; /* samples and ids as they are; else canonical order */

	/* collapsed */
	const char *sample_type; /* as prof_find_sample_type(); NULL: "" */
	bool escape;    /* write \; \\ \n \xNN in names */
	bool annotate;  /* write _[k] _[i] _[j] */
};

/*
 * Writes a profile in the named format; options NULL: all defaults. On
 * failure the sink may have taken a part of it. PROF_NOMEM, PROF_SYSTEM (the
 * sink), PROF_UNSUPPORTED (the format can not hold a profile; with .strict,
 * something of this one), PROF_UNKNOWN_FORMAT, PROF_OVERFLOW (a sum of values
 * that one line would have), PROF_INVALID (an option).
 */
PROF_API enum prof_status prof_write(const struct prof_profile *p,
                                     const char *format, struct prof_sink sink,
                                     const struct prof_write_options *options,
                                     struct prof_error *err);

/* ---- Recordings ---- */

/*
 * Reads a recording (a format with PROF_CAN_READ_RECORDING) event by event
 * into a recorder, which stays the caller's. Where the input turns out to be
 * a profile and no recording, the status is PROF_UNSUPPORTED and nothing has
 * been told. Else the statuses of prof_read(), or what a function of the
 * recorder returned to end the reading.
 */
PROF_API enum prof_status
prof_read_recording(const struct prof_recorder *recorder,
                    struct prof_source source,
                    const struct prof_read_options *options,
                    struct prof_error *err);

/*
 * A recorder that writes what it is told in the named format (one with
 * PROF_CAN_WRITE_RECORDING). Its end() must be called for the output to be
 * complete; prof_recorder_free() gives back its memory, once, at any time
 * (NULL is allowed). PROF_NOMEM, PROF_UNKNOWN_FORMAT, PROF_UNSUPPORTED; from
 * its functions also PROF_SYSTEM (the sink), and PROF_INVALID or PROF_CORRUPT
 * (what is told makes no sense).
 */
PROF_API enum prof_status
prof_recorder_new(struct prof_recorder *out, const char *format,
                  struct prof_sink sink,
                  const struct prof_write_options *options,
                  struct prof_error *err);
PROF_API void prof_recorder_free(struct prof_recorder *recorder);

/* ---- Memory that is used again ---- */

/*
 * An allocator that keeps what is freed for the next request: for reading one
 * profile after another. It reserves 192 GiB of addresses (no memory). Where
 * the system does not allow that it is NULL, which is malloc to all who are
 * given it.
 * What was allocated with it must be freed before it. Not thread-safe.
 */
PROF_API struct prof_allocator *prof_recycler_new(void);
PROF_API void prof_recycler_free(struct prof_allocator *recycler);

#ifdef __cplusplus
}
#endif

#endif
