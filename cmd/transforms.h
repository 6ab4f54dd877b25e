/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_TRANSFORMS_H
#define CMD_TRANSFORMS_H

/*
 * The transforms of the library as options of a tool. The rows are made at
 * start from the library's own list, so that a new transform is an option of
 * every tool at once. They are done in the order of the command line.
 *
 *	struct cli_group groups[N] = { ... };
 *	transforms_init(&c.transforms);
 *	groups[i] = { "Transforms", c.transforms.options, offsetof(...) };
 */

#include <profile/transform.h>

#include "cli.h"
#include "options.h"

struct transform_step {
	const char *name, *arg; /* arg: borrowed, NULL: none */
};

/* The target of the group. */
struct transforms {
	struct cli_option *options; /* to the one without a name */
	struct transform_step *steps;
	size_t n, capacity;
};

/* False: out of memory. */
bool transforms_init(struct transforms *t);
void transforms_release(struct transforms *t);

/*
 * Does all steps. teller->file names the profile; where it is verbose it
 * hears how many samples, and how much of their value, each step has left.
 * CLI_CONTINUE, or the code to exit with: what was wrong has been said.
 */
int transforms_apply(const struct transforms *t, struct prof_profile *p,
                     const struct teller *teller);

#endif
