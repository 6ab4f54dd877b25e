/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FILTERS_H
#define CMD_FILTERS_H

/*
 * Transforms in the order of google/pprof, for reports: the order of the
 * command line has no meaning there, and percentages are of what there was
 * before the filters.
 */

#include <profile/report.h>

#include "cli.h"
#include "transforms.h"

/* The target of both groups: filters_options[] and transforms.options. */
struct filters {
	struct transforms transforms;
	bool all_frames;           /* drop_frames of the profile is let be */
	bool relative_percentages; /* of what is left */
	size_t n_before;           /* steps that come before the total */
	char **active;             /* [n_active]: "focus=main" */
	size_t n_active;
};

extern const struct cli_option filters_options[];

/* False: out of memory. */
bool filters_init(struct filters *f);
void filters_release(struct filters *f);

/* Once the command line is read. False: out of memory. */
bool filters_settle(struct filters *f);

/*
 * Does all steps, and sets total and active filters of the options, which
 * borrow from f. CLI_CONTINUE, or the code to exit with: what was wrong has
 * been said.
 */
int filters_apply(const struct filters *f, struct prof_profile *p,
                  struct prof_report_options *options,
                  const struct teller *teller);

#endif
