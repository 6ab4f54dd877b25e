/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FILE_H
#define CMD_FILE_H

/*
 * Files for tools: an input that can be read from its start again, and an
 * output that is there whole or not at all.
 *
 * Failures fill a struct prof_error (PROF_SYSTEM with the errno), so that one
 * function can tell the user of these and of the library's.
 */

#include <profile/io.h>

#include "progress.h"

/* ---- Inputs ---- */

struct file_input {
	const char *name; /* for messages: "stdin" for "-"; borrowed */
	struct prof_source source; /* the bytes; holds while this one stays */
	uint64_t n_read;
	uint64_t size;    /* 0: nobody knows */
	int fd;
	int64_t start;    /* offset of the first byte; -1: cannot seek */
	/* The first bytes, where it cannot seek. */
	unsigned char *kept;
	size_t n_kept;
	size_t position;  /* next of kept[] to read again; n_kept: none */
	struct progress *progress;
};

/*
 * Opens a file, or standard input for "-". A directory is an error. progress
 * (borrowed, or NULL) hears of each read.
 */
enum prof_status file_input_open(struct file_input *in, const char *name,
                                 struct progress *progress,
                                 struct prof_error *err);

/*
 * Back to the first byte. A pipe can go back over its first MiB, which is
 * more than a reader takes before it knows what it reads; PROF_SYSTEM
 * (ESPIPE) behind that.
 */
enum prof_status file_input_rewind(struct file_input *in,
                                   struct prof_error *err);

/* Of one that is all zero too. */
void file_input_close(struct file_input *in);

/* ---- Outputs ---- */

enum file_output_flags {
	FILE_IS_BINARY = 1, /* not for a terminal */
	FILE_FORCE = 2,     /* though it is binary */
	FILE_SYNC = 4       /* on disk before it takes the place of the old */
};

struct file_output {
	const char *name; /* for messages: "stdout" for "-"; borrowed */
	struct prof_sink sink;
	uint64_t n_written;
	bool has_failed;  /* a write did */
	unsigned flags;
	int fd;
	char *temporary;  /* NULL: written straight through */
	char *target;     /* what temporary becomes */
	struct progress *progress;
};

/*
 * Opens an output, or standard output for "-".
 *
 * A regular file, or one that is not there yet, is written to a temporary
 * file in the same folder, which takes its name (and the mode and owner of
 * the one it replaces) at the end. So the old file survives a full disk and
 * kill -9, readers see the old or the new one, and an input may be its own
 * output. SIGINT, SIGTERM and SIGHUP remove the temporary file. Symbolic
 * links are followed; other hard links keep the old content.
 *
 * Anything else (a pipe, /dev/full, or what standard output is too) is
 * written straight through.
 *
 * One output at a time. PROF_SYSTEM; PROF_INVALID for binary output to a
 * terminal; PROF_NOMEM.
 */
enum prof_status file_output_open(struct file_output *out, const char *name,
                                  unsigned flags, struct progress *progress,
                                  struct prof_error *err);

/* All has been written: gives the file its name. */
enum prof_status file_output_commit(struct file_output *out,
                                    struct prof_error *err);

/* Leaves everything as it was. After a commit, or of all zero: nothing. */
void file_output_abandon(struct file_output *out);

#endif
