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

/* For a tool that has an option of that name itself. */
void transforms_leave_out(struct transforms *t, const char *name);

/* Adds a step (both borrowed), as the command line does. */
bool transforms_add(struct transforms *t, const char *name, const char *arg);

/*
 * Puts the steps into an order that is the tool's, not that of the command
 * line: of names[], to NULL. Others come last, and equal ones stay in turn.
 * Returns how many steps are named before names[n].
 */
size_t transforms_sort(struct transforms *t, const char *const *names,
                       size_t n);

void transforms_release(struct transforms *t);

/*
 * Does all steps. teller->file names the profile; where it is verbose it
 * hears how many samples, and how much of their value, each step has left.
 * CLI_CONTINUE, or the code to exit with: what was wrong has been said.
 */
int transforms_apply(const struct transforms *t, struct prof_profile *p,
                     const struct teller *teller);

/* The same for steps[first .. first + n) alone. */
int transforms_apply_some(const struct transforms *t, size_t first, size_t n,
                          struct prof_profile *p, const struct teller *teller);

#endif
