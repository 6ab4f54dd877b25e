/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

/*
 * A line on the terminal about work that takes more than a second. It is
 * wiped at the end; a standard error that is no terminal gets nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The choices of --progress, in this order. */
enum progress_when { PROGRESS_AUTO, PROGRESS_NEVER };
#define PROGRESS_CHOICES "auto never"

/* What is counted. */
enum progress_unit { PROGRESS_BYTES, PROGRESS_FILES };

struct progress {
	enum progress_unit unit; /* to be set after progress_start() */
	const char *what;  /* "reading cpu.pb.gz" */
	uint64_t start_ns, next_ns;
	bool is_on;        /* there is a terminal */
	bool is_shown;     /* there is a line to wipe */
};

void progress_start(struct progress *p, enum progress_when when);

/* What is done from here on; its time begins now. Borrowed. */
void progress_phase(struct progress *p, const char *what);

/* done of total, in the unit; total 0: nobody knows. Cheap: call it often. */
void progress_step(struct progress *p, uint64_t done, uint64_t total);

/* Wipes the line; before each message, and at the end. */
void progress_wipe(struct progress *p);

/*
 * The line for `done` of `total` after elapsed_ns, without what it is about,
 * into text[size].
 */
void progress_format(char *text, size_t size, enum progress_unit unit,
                     uint64_t done, uint64_t total, uint64_t elapsed_ns);

#endif
