/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PPROF_WORDS_H
#define CMD_PPROF_WORDS_H

/*
 * pprof's users have its command line in their fingers: -top -nodecount=20
 * -focus=x -sample_index=alloc_space. So before parsing, one-dash words that
 * are longer than a letter become GNU options, '_' in a name becomes '-',
 * "=true" and "=false" of flags are taken apart, and a report named as an
 * option ("-peek=main") becomes the first operands.
 */

#include "cli.h"

struct words {
	const struct cli_group *groups; /* to be set: the options there are */
	char **argv; /* to be parsed, argc of them */
	int argc;
	char **owned;
	size_t n_owned;
};

/* argv is borrowed. False: out of memory; release in any case. */
bool words_init(struct words *w, int argc, char **argv);
void words_release(struct words *w);

#endif
