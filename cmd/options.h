/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

/*
 * The options that tools share, each row written once: how to read each
 * format, how to write each, the limits, and how a tool behaves.
 */

#include <profile/io.h>

#include "cli.h"
#include "file.h"
#include "progress.h"

/* The target of the reading groups. */
struct reading {
	struct prof_read_options options;
	const char *tags_name, *maps_name; /* NULL: none */
	struct file_input tags, maps;
};
extern const struct cli_option read_any_options[], read_collapsed_options[],
	read_raw_options[], limit_options[];

/* The target of the writing groups is a struct prof_write_options. */
extern const struct cli_option write_any_options[], write_pprof_options[],
	write_collapsed_options[];

/* The target of the general group. */
struct settings {
	bool is_quiet, is_verbose, is_forced, syncs;
	unsigned progress; /* enum progress_when */
};
extern const struct cli_option general_options[];

/*
 * Opens the side files and sets the sources in the options. On failure
 * *failed is the name of the file.
 */
enum prof_status reading_open(struct reading *r, const char **failed,
                              struct prof_error *err);
void reading_close(struct reading *r);

/* ---- Telling the user ---- */

/* Where notes about a file go. All borrowed. */
struct teller {
	const struct cli_tool *tool;
	const struct settings *settings;
	struct progress *progress;
	const char *file;
	bool is_strict; /* what is not as it was meant is an error */
};

/* "TOOL: FILE: note: ..." for each note, but not where it is quiet. */
struct prof_notes teller_notes(struct teller *teller);

/* A note of the tool's own, as above; where it is strict, an error: returns
   CLI_CONTINUE, or the code to exit with. */
int tell_note(const struct teller *teller, const char *format, ...)
	CLI_PRINTF(2, 3);

/* "TOOL: FILE: ..." where it is verbose. */
void tell_verbose(const struct teller *teller, const char *format, ...)
	CLI_PRINTF(2, 3);

/*
 * "TOOL: FILE:PLACE: what was wrong", where PLACE is a line, or else a byte
 * of the uncompressed input. Returns the code to exit with.
 */
int tell_error(const struct teller *teller, const struct prof_error *err);

#endif
