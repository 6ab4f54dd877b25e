/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_SYMBOLS_H
#define CMD_SYMBOLS_H

/*
 * Names for addresses, as options of every tool that reads profiles.
 */

#include <profile/symbolize.h>

#include "cli.h"
#include "options.h"

enum symbols_mode {
	SYMBOLS_UNSET, /* the tool decides */
	SYMBOLS_AUTO,
	SYMBOLS_FORCE,
	SYMBOLS_NONE
};

/* The target of the group. Zero it, and set options.size. */
struct symbols {
	struct prof_symbolize_options options;
	enum symbols_mode mode;
	bool demangles; /* was asked to, so also where nothing is looked up */
	bool has_shown_names; /* of a profile: see prof_format_info */
};

extern const struct cli_option symbols_options[];

/*
 * Names the locations of p; `unset` is what is done where nobody has asked
 * for anything. teller->file names the profile; where it is verbose it hears
 * what became of each mapping. CLI_CONTINUE, or the code to exit with: what
 * was wrong has been said.
 */
int symbols_apply(const struct symbols *s, enum symbols_mode unset,
                  struct prof_profile *p, const struct teller *teller);

#endif
