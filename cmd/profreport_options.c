/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of profreport: its reports, and the rows of its options.
 */
#include "profreport.h"

#include "nearest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD(field) .offset = offsetof(struct profreport, field)
#define OPTION(field) FIELD(options.field)

static const char *const usage[] = {
	"REPORT [OPTION]... [INPUT]...",
	"peek|list|disasm REGEX [OPTION]... [INPUT]...",
	"diff [OPTION]... OLD NEW",
	NULL
};

/* ---- The reports that are not in the library's list ---- */

static const struct prof_report_info other_reports[] = {
	{ "raw", "the profile as text", false, false },
	{ "proto", "the profile as pprof", false, false },
	{ "topproto", "the nodes of top as a profile", false, false },
	{ "diff", "two profiles compared", false, true },
};
#define N_OTHERS (sizeof(other_reports) / sizeof(*other_reports))

/* The library's reports, then the others; NULL at the end. */
static const struct prof_report_info *report_at(size_t i)
{
	size_t n = 0;

	while (n < i && prof_report_info(n) != NULL)
		n++;
	if (prof_report_info(n) != NULL)
		return prof_report_info(n);
	return i - n < N_OTHERS ? &other_reports[i - n] : NULL;
}

const struct prof_report_info *profreport_find(const char *name, size_t n)
{
	const struct prof_report_info *info;

	for (size_t i = 0; (info = report_at(i)) != NULL; i++)
		if (strlen(info->name) == n && !memcmp(info->name, name, n))
			return info;
	return NULL;
}

bool profreport_is_report(const char *name, size_t n)
{
	return profreport_find(name, n) != NULL;
}

static void each_report(void (*put)(void *ctx, const char *word), void *ctx)
{
	const struct prof_report_info *info;

	for (size_t i = 0; (info = report_at(i)) != NULL; i++)
		put(ctx, info->name);
}

/* The report comes first: a file's name there is the usual mistake. */
static int unknown_report(const struct cli_tool *tool, const char *name)
{
	struct nearest n = nearest_to(name, strlen(name));
	const struct prof_report_info *info;

	if (!access(name, F_OK))
		return cli_usage_error(tool, "'%s' is no report; which one, as "
		                       "in '%s top %s'?",
		                       name, tool->name, name);
	for (size_t i = 0; (info = report_at(i)) != NULL; i++)
		nearest_consider(&n, info->name);
	if (n.best != NULL)
		return cli_usage_error(tool, "no such report: '%s'; did you "
		                       "mean '%s'?", name, n.best);
	return cli_usage_error(tool, "no such report: '%s'", name);
}

/* ---- Options ---- */

static int take_fraction(const struct cli_tool *tool, void *field,
                         const struct cli_option *option, const char *arg)
{
	double *to = field;
	char *end;

	errno = 0;
	*to = strtod(arg, &end);
	if (end == arg || *end != '\0' || errno != 0 ||
	    !(*to >= 0) || isinf(*to) || strpbrk(arg, "xX"))
		return cli_usage_error(tool, "--%s: '%s' is no number from 0",
		                       option->name, arg);
	/* In the library 0 is the default, and negative is none. */
	if (*to == 0 && strcmp(option->name, "divide-by") != 0)
		*to = -1;
	if (*to == 0)
		return cli_usage_error(tool, "--divide-by: not by 0");
	return CLI_CONTINUE;
}

static int take_node_count(const struct cli_tool *tool, void *field,
                           const struct cli_option *option, const char *arg)
{
	int64_t *to = field;
	char *end;

	errno = 0;
	*to = strtoll(arg, &end, 10);
	if (end == arg || *end != '\0' || errno != 0 || *to < -1)
		return cli_usage_error(tool, "--%s: '%s' is no number",
		                       option->name, arg);
	*to = *to == 0 ? -1 : *to == -1 ? 0 : *to;
	return CLI_CONTINUE;
}

/* One option for each value, as "--lines"; field is an unsigned. */
static int take_granularity(const struct cli_tool *tool, void *field,
                            const struct cli_option *option, const char *arg)
{
	(void)tool, (void)arg;
	*(unsigned *)field = !strcmp(option->name, "functions")
	                     ? PROF_FUNCTIONS
	                     : !strcmp(option->name, "filefunctions")
	                     ? PROF_FILEFUNCTIONS
	                     : !strcmp(option->name, "files") ? PROF_FILES
	                     : !strcmp(option->name, "lines") ? PROF_LINES
	                     : PROF_ADDRESSES;
	return CLI_CONTINUE;
}

static int take_order(const struct cli_tool *tool, void *field,
                      const struct cli_option *option, const char *arg)
{
	(void)tool, (void)arg;
	*(unsigned *)field = !strcmp(option->name, "cum") ? PROF_BY_CUM
	                                                  : PROF_BY_FLAT;
	return CLI_CONTINUE;
}

/* "--alloc-space" for --sample-index=alloc_space. */
static int take_type(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	struct prof_report_options *o = field;

	(void)tool, (void)arg;
	o->sample_type = option->choices;
	o->mean |= !strcmp(option->name, "mean-delay");
	return CLI_CONTINUE;
}

static int take_condition(const struct cli_tool *tool, void *field,
                          const struct cli_option *option, const char *arg)
{
	struct profreport *c = field;

	(void)tool, (void)option;
	c->conditions[c->diff.n_fail_if++] = arg;
	return CLI_CONTINUE;
}

static const struct cli_option graph_options[] = {
	{ .name = "functions", .type = CLI_CALL, .take = take_granularity,
	  FIELD(granularity), .help = "a node for each function (default)" },
	{ .name = "filefunctions", .type = CLI_CALL,
	  .take = take_granularity, FIELD(granularity),
	  .help = "a node for each function and file" },
	{ .name = "files", .type = CLI_CALL, .take = take_granularity,
	  FIELD(granularity), .help = "a node for each file" },
	{ .name = "lines", .type = CLI_CALL, .take = take_granularity,
	  FIELD(granularity), .help = "a node for each line" },
	{ .name = "addresses", .type = CLI_CALL, .take = take_granularity,
	  FIELD(granularity), .help = "a node for each address" },
	{ .name = "granularity", .arg = "WHAT", .type = CLI_CHOICE,
	  .choices = "functions filefunctions files lines addresses",
	  FIELD(granularity), .help = "the same by name" },
	{ .name = "noinlines", .type = CLI_FLAG, OPTION(no_inlines),
	  .help = "inlined functions count for what they are inlined into" },
	{ .name = "call-tree", .type = CLI_FLAG, OPTION(call_tree),
	  .help = "dot, callgrind: a node for each path" },
	{ .name = "flat", .type = CLI_CALL, .take = take_order, FIELD(order),
	  .help = "order by what is in a node itself (default)" },
	{ .name = "cum", .type = CLI_CALL, .take = take_order, FIELD(order),
	  .help = "order by what is in a node and below" },
	{ .name = "sort", .arg = "WHAT", .type = CLI_CHOICE,
	  .choices = "flat cum", FIELD(order), .help = "the same by name" },
	{ 0 }
};

static const struct cli_option trim_options[] = {
	{ .name = "nodecount", .arg = "N", .type = CLI_CALL,
	  .take = take_node_count, OPTION(node_count),
	  .help = "show so many nodes; 0: all (80; top: all)" },
	{ .name = "nodefraction", .arg = "F", .type = CLI_CALL,
	  .take = take_fraction, OPTION(node_fraction),
	  .help = "drop nodes below F of the total (0.005)" },
	{ .name = "edgefraction", .arg = "F", .type = CLI_CALL,
	  .take = take_fraction, OPTION(edge_fraction),
	  .help = "drop edges below F of the total (0.001)" },
	{ .name = "no-trim", .type = CLI_FLAG, OPTION(no_trim),
	  .help = "drop nothing" },
	{ .name = "drop-negative", .type = CLI_FLAG, OPTION(drop_negative),
	  .help = "drop nodes that are negative" },
	{ 0 }
};

static const struct cli_option value_options[] = {
	{ .name = "sample-index", .arg = "TYPE", .type = CLI_TEXT,
	  OPTION(sample_type), .help = "which values: a type or its number" },
	{ .name = "inuse-space", .type = CLI_CALL, .take = take_type,
	  .choices = "inuse_space", OPTION(size),
	  .help = "--sample-index=inuse_space" },
	{ .name = "inuse-objects", .type = CLI_CALL, .take = take_type,
	  .choices = "inuse_objects", OPTION(size), .help = "likewise" },
	{ .name = "alloc-space", .type = CLI_CALL, .take = take_type,
	  .choices = "alloc_space", OPTION(size), .help = "likewise" },
	{ .name = "alloc-objects", .type = CLI_CALL, .take = take_type,
	  .choices = "alloc_objects", OPTION(size), .help = "likewise" },
	{ .name = "contentions", .type = CLI_CALL, .take = take_type,
	  .choices = "contentions", OPTION(size), .help = "likewise" },
	{ .name = "total-delay", .type = CLI_CALL, .take = take_type,
	  .choices = "delay", OPTION(size), .help = "--sample-index=delay" },
	{ .name = "mean-delay", .type = CLI_CALL, .take = take_type,
	  .choices = "delay", OPTION(size), .help = "the same, and --mean" },
	{ .name = "mean", .type = CLI_FLAG, OPTION(mean),
	  .help = "values divided by those of the first type" },
	{ .name = "divide-by", .arg = "N", .type = CLI_CALL,
	  .take = take_fraction, OPTION(divide_by),
	  .help = "divide what is printed by N" },
	{ .name = "unit", .arg = "UNIT", .type = CLI_TEXT, OPTION(unit),
	  .help = "print in UNIT (minimum: what fits the smallest)" },
	{ .name = "base", .arg = "FILE", .type = CLI_FILE, FIELD(base_name),
	  .help = "take the values of FILE away" },
	{ .name = "diff-base", .arg = "FILE", .type = CLI_FILE,
	  FIELD(diff_base_name),
	  .help = "the same, with percentages of FILE" },
	{ .name = "diff", .type = CLI_FLAG, FIELD(is_diff),
	  .help = "the inputs are OLD and NEW: the same as --base OLD NEW" },
	{ .name = "normalize", .type = CLI_FLAG, FIELD(normalizes),
	  .help = "first scale the inputs to the sums of the base" },
	{ 0 }
};

static const struct cli_option output_options[] = {
	{ .name = "from", .arg = "FORMAT", .type = CLI_READABLE,
	  FIELD(reading.options.format),
	  .help = "of the inputs; auto (the default): by their content" },
	{ .name = "output", .arg = "FILE", .letter = 'o', .type = CLI_FILE,
	  FIELD(output_name), .help = "write to FILE (standard output)" },
	{ .name = "json", .type = CLI_FLAG, FIELD(is_json),
	  .help = "top, text, tree, tags, info, diff: as JSON" },
	{ .name = "svg", .type = CLI_FLAG, FIELD(is_picture),
	  .help = "dot: the call graph as a picture, drawn by graphviz" },
	{ .name = "compact-labels", .type = CLI_FLAG, OPTION(short_header),
	  .help = "top, tree: leave out file, time and duration" },
	{ .name = "title", .arg = "TEXT", .type = CLI_TEXT, OPTION(title),
	  .help = "html, svg: the title" },
	{ .name = "width", .arg = "N", .type = CLI_COUNT32, OPTION(width),
	  .help = "flame: columns (the terminal's, or 80); svg: pixels "
	          "(1200)" },
	{ .name = "source-path", .arg = "DIRS", .type = CLI_TEXT,
	  OPTION(source_path), .help = "list: where sources are (.)" },
	{ .name = "trim-path", .arg = "DIRS", .type = CLI_TEXT,
	  OPTION(trim_path), .help = "what to take off file names" },
	{ 0 }
};

static const struct cli_option diff_options[] = {
	{ .name = "fail-if", .arg = "CONDITION", .type = CLI_CALL,
	  .take = take_condition,
	  .help = "exit with 3 where it is met: 'cum(REGEX)>+5%'" },
	{ .name = "diff-format", .arg = "FORMAT", .type = CLI_CHOICE,
	  .choices = "text json markdown", FIELD(diff_format),
	  .help = "of diff: text (the default), json or markdown" },
	{ 0 }
};

static const struct cli_group all_groups[PROFREPORT_MAX_GROUPS] = {
	{ "What becomes a node", graph_options, 0 },
	{ "What is left out", trim_options, 0 },
	{ "Filters", filters_options, offsetof(struct profreport, filters) },
	[PROFREPORT_TRANSFORMS] = { "Changes to the profile, done in pprof's order",
	                 NULL,
	                 offsetof(struct profreport, filters.transforms) },
	{ "Which values", value_options, 0 },
	{ "Names of addresses", symbols_options,
	  offsetof(struct profreport, symbols) },
	{ "Input and output", output_options, 0 },
	{ "Comparing", diff_options, 0 },
	{ "Reading any format", read_any_options,
	  offsetof(struct profreport, reading) },
	{ "Reading collapsed", read_collapsed_options,
	  offsetof(struct profreport, reading) },
	{ "Reading raw, and recordings in yaml", read_raw_options,
	  offsetof(struct profreport, reading) },
	{ "Limits of the input", limit_options,
	  offsetof(struct profreport, reading) },
	{ "General", general_options, offsetof(struct profreport, settings) },
	{ "About", cli_about_options, 0 },
	{ 0 }
};

static int take_operand(const struct cli_tool *tool, void *data,
                        const char *operand)
{
	struct profreport *c = data;
	const struct prof_report_info *info;

	if (c->report == NULL) {
		if (!profreport_is_report(operand, strlen(operand)))
			return unknown_report(tool, operand);
		c->report = operand;
		return CLI_CONTINUE;
	}
	info = profreport_find(c->report, strlen(c->report));
	if (info != NULL && info->needs_symbol && c->options.symbol == NULL)
		c->options.symbol = operand;
	else
		c->files[c->n_files++] = operand;
	return CLI_CONTINUE;
}

const struct cli_tool profreport_tool = {
	.name = "profreport",
	.usage = usage,
	.about = "Shows what is in profiles; several inputs are merged. "
	         "INPUT is standard input by default, or where it is -. "
	         "REPORT is top, text, tree, peek, list, disasm, traces, tags, "
	         "comments, dot, callgrind, raw, proto, topproto, html, svg, "
	         "flame, json, info or diff.",
	.groups = all_groups,
	.notes = "Options of pprof may be written as there: -nodecount=20, "
	         "-sample_index=cpu, -top.\n\n"
	         "Examples:\n"
	         "  profreport top --cum cpu.pb.gz\n"
	         "  profreport html -o cpu.html cpu.pb.gz\n"
	         "  profreport peek 'main\\.parse' cpu.pb.gz\n"
	         "  profreport dot --svg -o graph.svg cpu.pb.gz\n"
	         "  profreport svg --diff -o diff.svg old.pb.gz new.pb.gz\n"
	         "  profreport diff --fail-if='cum(parse)>+5%' old.pb new.pb\n",
	.operand = take_operand,
	.each_word = each_report
};
