/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROFMERGE_INPUTS_H
#define CMD_PROFMERGE_INPUTS_H

/*
 * What profmerge is given to merge: names with a weight and a role, from the
 * command line and from lists of files.
 */

#include "cli.h"

#include <profile/model.h>

enum input_role {
	ROLE_SOURCE,
	ROLE_BASE,       /* to take away */
	ROLE_MARKED_BASE /* the same, with a label that says so */
};

struct input {
	char *name;
	int64_t weight;
	enum input_role role;
};

struct inputs {
	struct input *rows; /* [n] */
	size_t n, capacity;
	size_t n_sources;
	int64_t weight;     /* of the sources that follow */
};

/* CLI_CONTINUE, or what was wrong has been said. */
int inputs_add(const struct cli_tool *tool, struct inputs *in,
               const char *name, size_t size, enum input_role role);

/* The names in a file ("-": stdin), each ended by `delimiter`. The same. */
int inputs_add_listed(const struct cli_tool *tool, struct inputs *in,
                      const char *list, int delimiter);

/* Puts the sources before the bases. */
void inputs_sort_by_role(struct inputs *in);
void inputs_release(struct inputs *in);

/* ---- Which sample types inputs have, for messages ---- */

#define TYPES_SEEN_MAX 16

struct types_seen {
	struct {
		char *types;      /* "samples/count, cpu/nanoseconds" */
		const char *file; /* the first input with these; borrowed */
		size_t number;    /* of it */
	} rows[TYPES_SEEN_MAX];
	size_t n;
};

/* Not for two threads at once. Where memory has run out it is left out. */
void types_seen_add(struct types_seen *s, const struct prof_profile *p,
                    const char *file, size_t number);

/*
 * "a has samples/count; b has wall/ns" into text[size], of the first inputs
 * that differ; the same for any order of adding. "" where none does.
 */
void types_seen_tell(const struct types_seen *s, char *text, size_t size);
void types_seen_release(struct types_seen *s);

#endif
