/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROFMERGE_H
#define CMD_PROFMERGE_H

/*
 * A run of profmerge: what the command line says, and what its threads share.
 */

#include "cli.h"
#include "file.h"
#include "options.h"
#include "profmerge_inputs.h"
#include "progress.h"
#include "symbols.h"
#include "transforms.h"

#include <profile/io.h>

#include <pthread.h>

#define PROFMERGE_MAX_THREADS 256

/* The choices of --for, in this order. */
enum purpose { FOR_ANY, FOR_GO_PGO };

struct profmerge {
	const struct cli_tool *tool;
	struct settings settings;
	struct reading reading;
	struct prof_write_options writing;
	struct symbols symbols;  /* of the sum */
	const char *from, *to;
	const char *output_name;
	struct transforms transforms; /* of the result */
	bool union_of_types;
	bool normalizes;
	unsigned purpose;        /* enum purpose */
	uint32_t n_threads;
	struct inputs inputs;    /* sources first, where it normalizes */

	/* Shared by the threads, under the lock. */
	pthread_mutex_t lock;
	size_t next, end;        /* the input to take next; behind the last */
	size_t n_done;
	bool stops;              /* an input has failed that must not */
	struct types_seen types_seen;
	bool has_noted;          /* that types of samples were dropped */
	int code;                /* to exit with */
	struct progress progress;
};

/*
 * Merges inputs [first, end), each prepared for what it is merged for. *out
 * stays NULL where none of them could be read. The code to exit with; what was
 * wrong has been said.
 */
int profmerge_merge(struct profmerge *c, size_t first, size_t end,
                    struct prof_profile **out);

#endif
