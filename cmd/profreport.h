/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROFREPORT_H
#define CMD_PROFREPORT_H

/*
 * What the files of profreport share: all that a command line can say, and
 * the rows that say it.
 */

#include "cli.h"
#include "file.h"
#include "filters.h"
#include "options.h"
#include "progress.h"
#include "symbols.h"

#include <profile/io.h>
#include <profile/report.h>

struct profreport {
	struct settings settings;
	struct reading reading;
	struct prof_report_options options;
	struct prof_diff_options diff;
	struct filters filters;
	struct symbols symbols;
	unsigned granularity, order; /* the enums, as cli_type has them */
	unsigned diff_format;
	bool is_json;
	bool is_diff;     /* --diff: OLD and NEW, in any report */
	bool is_picture;  /* dot --svg */
	const char *output_name;
	const char *base_name, *diff_base_name;
	bool normalizes;
	const char *report;
	const char **files;      /* as many as argc */
	size_t n_files;
	const char **conditions; /* --fail-if */
	struct progress progress;
	struct file_output output;
	struct teller on_input, on_output;
};

/* Its groups but for the options of transforms, which are set when it runs:
   those of the group numbered PROFREPORT_TRANSFORMS. */
extern const struct cli_tool profreport_tool;
#define PROFREPORT_TRANSFORMS 3
#define PROFREPORT_MAX_GROUPS 16

/* Whether name[0 .. n) is a report, of the library or of the tool. */
bool profreport_is_report(const char *name, size_t n);

/* NULL: it is none. */
const struct prof_report_info *profreport_find(const char *name, size_t n);

#endif
