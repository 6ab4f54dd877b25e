/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profreport: what is in a profile, as texts and pictures.
 *
 * pprof's users have its command line in their fingers: -top -nodecount=20
 * -focus=x -sample_index=alloc_space. So before parsing, one-dash words that
 * are longer than a letter become GNU options, '_' in a name becomes '-',
 * "=true" and "=false" of flags are taken apart, and a report named as an
 * option ("-peek=main") becomes the first operands.
 */
#include "cli.h"
#include "file.h"
#include "filters.h"
#include "nearest.h"
#include "options.h"
#include "progress.h"
#include "symbols.h"

#include <profile/io.h>
#include <profile/report.h>
#include <profile/transform.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_THRESHOLD = 3 }; /* a --fail-if was met */

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

#define FIELD(field) .offset = offsetof(struct profreport, field)
#define OPTION(field) FIELD(options.field)

static const char *const usage[] = {
	"REPORT [OPTION]... [INPUT]...",
	"peek|list REGEX [OPTION]... [INPUT]...",
	"diff [OPTION]... OLD NEW",
	NULL
};

/* ---- The reports that are not in the library's list ---- */

static const char *const other_reports[] = { "raw", "proto", "topproto",
	                                     "diff", NULL };

static const struct prof_report_info *find_report(const char *name, size_t n)
{
	const struct prof_report_info *info;

	for (size_t i = 0; (info = prof_report_info(i)) != NULL; i++)
		if (strlen(info->name) == n && !memcmp(info->name, name, n))
			return info;
	return NULL;
}

static bool is_report(const char *name, size_t n)
{
	for (size_t i = 0; other_reports[i] != NULL; i++)
		if (strlen(other_reports[i]) == n &&
		    !memcmp(other_reports[i], name, n))
			return true;
	return find_report(name, n) != NULL;
}

static void each_report(void (*put)(void *ctx, const char *word), void *ctx)
{
	const struct prof_report_info *info;

	for (size_t i = 0; (info = prof_report_info(i)) != NULL; i++)
		put(ctx, info->name);
	for (size_t i = 0; other_reports[i] != NULL; i++)
		put(ctx, other_reports[i]);
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
	for (size_t i = 0; (info = prof_report_info(i)) != NULL; i++)
		nearest_consider(&n, info->name);
	for (size_t i = 0; other_reports[i] != NULL; i++)
		nearest_consider(&n, other_reports[i]);
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
	if (end == arg || *end != '\0' || errno != 0 || !(*to >= 0))
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
	  .help = "top, tree, tags, info, diff: as JSON" },
	{ .name = "compact-labels", .type = CLI_FLAG, OPTION(short_header),
	  .help = "top, tree: leave out file, time and duration" },
	{ .name = "title", .arg = "TEXT", .type = CLI_TEXT, OPTION(title),
	  .help = "html, svg: the title" },
	{ .name = "width", .arg = "N", .type = CLI_COUNT32, OPTION(width),
	  .help = "flame: columns (80); svg: pixels (1200)" },
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

/* The group of the transforms; its options are set when it runs. */
#define TRANSFORMS 3

static const struct cli_group all_groups[] = {
	{ "What becomes a node", graph_options, 0 },
	{ "What is left out", trim_options, 0 },
	{ "Filters", filters_options, offsetof(struct profreport, filters) },
	[TRANSFORMS] = { "Changes to the profile, done in pprof's order",
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
		if (!is_report(operand, strlen(operand)))
			return unknown_report(tool, operand);
		c->report = operand;
		return CLI_CONTINUE;
	}
	info = find_report(c->report, strlen(c->report));
	if (info != NULL && info->needs_symbol && c->options.symbol == NULL)
		c->options.symbol = operand;
	else
		c->files[c->n_files++] = operand;
	return CLI_CONTINUE;
}

static const struct cli_tool tool = {
	.name = "profreport",
	.usage = usage,
	.about = "Shows what is in profiles; several inputs are merged. "
	         "INPUT is standard input by default, or where it is -. "
	         "REPORT is top, text, tree, peek, list, traces, tags, "
	         "comments, dot, callgrind, raw, proto, topproto, html, svg, "
	         "flame, json, info or diff.",
	.groups = all_groups,
	.notes = "Options of pprof may be written as there: -nodecount=20, "
	         "-sample_index=cpu, -top.\n\n"
	         "Examples:\n"
	         "  profreport top --cum cpu.pb.gz\n"
	         "  profreport html -o cpu.html cpu.pb.gz\n"
	         "  profreport peek 'main\\.parse' cpu.pb.gz\n"
	         "  profreport diff --fail-if='cum(parse)>+5%' old.pb new.pb\n",
	.operand = take_operand,
	.each_word = each_report
};

/* ---- pprof's way of writing options ---- */

static char *join(const char *a, const char *b, size_t b_size)
{
	size_t n = strlen(a);
	char *to = malloc(n + b_size + 1);

	if (to == NULL)
		return NULL;
	memcpy(to, a, n);
	memcpy(to + n, b, b_size);
	to[n + b_size] = '\0';
	return to;
}

/* Flags may have a value there; "trim" is one that is true by default. */
static const char *flag_word(const char *name, size_t n, const char *value)
{
	bool is_off = !strcmp(value, "false") || !strcmp(value, "0");

	if (n == 4 && !memcmp(name, "trim", 4))
		return is_off ? "--no-trim" : "";
	return is_off ? "" : NULL;
}

static bool is_same(const char *option, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (option[i] != (name[i] == '_' ? '-' : name[i]))
			return false;
	return option[n] == '\0';
}

/* Whether "=true" would be the argument of an option, not that of a flag. */
static bool takes_argument(const struct cli_group *g, const char *name,
                           size_t n)
{
	for (; g->title; g++)
		for (const struct cli_option *o = g->options; o->name; o++)
			if (is_same(o->name, name, n))
				return o->arg != NULL;
	return false;
}

/*
 * The argument in GNU form; "" is to be left out. *symbol is what stood
 * behind '=' of a report.
 */
static char *gnu_word(const char *arg, const struct cli_group *known,
                      const char **symbol)
{
	const char *name = arg + 1 + (arg[1] == '-');
	size_t n = strcspn(name, "=");
	const char *value = name[n] == '=' ? name + n + 1 : NULL;
	const char *flag = NULL;
	char *word;

	/* json is both, and an option where it looks like one. */
	if (is_report(name, n) && strcmp(name, "json") != 0) {
		*symbol = value;
		return join("", name, n);
	}
	if (n == 4 && !memcmp(name, "trim", 4) && value == NULL)
		value = "true";
	if (value != NULL && !takes_argument(known, name, n) &&
	    (!strcmp(value, "true") || !strcmp(value, "false") ||
	     (n == 4 && !memcmp(name, "trim", 4)))) {
		flag = flag_word(name, n, value);
		if (flag != NULL)
			return join(flag, "", 0);
		return join("--", name, n);
	}
	word = join("--", name, strlen(name));
	for (size_t i = 2; word != NULL && i < n + 2; i++)
		if (word[i] == '_')
			word[i] = '-';
	return word;
}

struct words {
	const struct cli_group *groups;
	char **argv;
	int argc;
	char **owned;
	size_t n_owned;
};

static bool is_long(const char *arg)
{
	return arg[0] == '-' && arg[1] != '\0' && arg[2] != '\0' &&
	       !(arg[1] == 'o' && arg[2] != 'u' && arg[2] != '=');
}

static void add_word(struct words *w, char *word)
{
	w->argv[w->argc++] = word;
}

static bool translate(struct words *w, char *arg, bool *is_over)
{
	const char *symbol = NULL;
	char *word;

	if (!strcmp(arg, "--"))
		*is_over = true;
	if (*is_over || !is_long(arg)) {
		add_word(w, arg);
		return true;
	}
	word = gnu_word(arg, w->groups, &symbol);
	if (word == NULL)
		return false;
	w->owned[w->n_owned++] = word;
	if (word[0] == '-') {
		add_word(w, word);
	} else if (word[0] != '\0') {
		/* The report comes first, however late it is named. */
		int extra = symbol != NULL ? 2 : 1;

		memmove(w->argv + 1 + extra, w->argv + 1,
		        (size_t)(w->argc - 1) * sizeof(*w->argv));
		w->argv[1] = word;
		if (symbol != NULL)
			w->argv[2] = arg + (symbol - arg);
		w->argc += extra;
	}
	return true;
}

static bool words_init(struct words *w, int argc, char **argv)
{
	size_t n = 2 * (size_t)argc + 2;
	bool is_over = false;

	w->argv = calloc(n, sizeof(*w->argv));
	w->owned = calloc(n, sizeof(*w->owned));
	if (w->argv == NULL || w->owned == NULL)
		return false;
	add_word(w, argv[0]);
	for (int i = 1; i < argc; i++)
		if (!translate(w, argv[i], &is_over))
			return false;
	return true;
}

static void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n_owned; i++)
		free(w->owned[i]);
	free(w->owned);
	free(w->argv);
}

/* ---- Reading ---- */

static int read_file(struct profreport *c, const char *name,
                     struct prof_profile **out)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct file_input input = { 0 };
	int code = CLI_CONTINUE;

	c->on_input.file = strcmp(name, "-") ? name : "stdin";
	progress_phase(&c->progress, name);
	if (file_input_open(&input, name, &c->progress, &err) != PROF_OK ||
	    prof_read(out, input.source, &c->reading.options, &err) !=
	    PROF_OK)
		code = tell_error(&c->on_input, &err);
	file_input_close(&input);
	return code;
}

static int merge_file(struct profreport *c, struct prof_merger *m,
                      const char *name)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { .offset = UINT64_MAX };
	int code = read_file(c, name, &p);

	if (code != CLI_CONTINUE)
		return code;
	if (prof_merger_add(m, p, 1, &err) != PROF_OK)
		code = tell_error(&c->on_input, &err);
	prof_profile_free(p);
	return code;
}

/* All inputs as one. */
static int read_inputs(struct profreport *c, struct prof_profile **out)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_merger *m;
	int code = CLI_CONTINUE;

	if (c->n_files == 1)
		return read_file(c, c->files[0], out);
	m = prof_merger_new(NULL);
	if (m == NULL) {
		cli_error(&tool, "out of memory");
		return CLI_FAILED;
	}
	for (size_t i = 0; code == CLI_CONTINUE && i < c->n_files; i++)
		code = merge_file(c, m, c->files[i]);
	if (code != CLI_CONTINUE) {
		prof_merger_free(m);
		return code;
	}
	if (prof_merger_finish(out, m, &err) != PROF_OK)
		return tell_error(&c->on_input, &err);
	return CLI_CONTINUE;
}

/* Takes the base away from *p. */
static int subtract_base(struct profreport *c, struct prof_profile **p)
{
	const char *name = c->base_name ? c->base_name : c->diff_base_name;
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_profile *base = NULL;
	enum prof_status status = PROF_OK;
	int code;

	if (name == NULL)
		return CLI_CONTINUE;
	code = read_file(c, name, &base);
	if (code != CLI_CONTINUE)
		return code;
	if (c->diff_base_name != NULL)
		status = prof_mark_base(base, &err);
	if (status == PROF_OK && c->normalizes)
		status = prof_normalize(*p, base, &err);
	if (status == PROF_OK)
		status = prof_subtract(p, base, &err);
	if (status != PROF_OK)
		code = tell_error(&c->on_input, &err);
	prof_profile_free(base);
	return code;
}

/* Names and filters, as every report sees them. */
static int prepare(struct profreport *c, const char *name,
                   struct prof_profile *p)
{
	int code;

	c->on_input.file = name;
	code = symbols_apply(&c->symbols, SYMBOLS_AUTO, p, &c->on_input);
	if (code == CLI_CONTINUE)
		code = filters_apply(&c->filters, p, &c->options,
		                     &c->on_input);
	return code;
}

/* ---- Writing ---- */

static enum prof_status write_topproto(struct profreport *c,
                                       const struct prof_profile *p,
                                       struct prof_error *err)
{
	struct prof_profile *top = NULL;
	enum prof_status status;

	status = prof_top_profile(&top, p, &c->options, err);
	if (status != PROF_OK)
		return status;
	status = prof_write(top, "pprof", c->output.sink, NULL, err);
	prof_profile_free(top);
	return status;
}

/* A sample type that is not there, no match: not the output's fault. */
static int tell_report_error(const struct profreport *c,
                             const struct prof_error *err)
{
	return tell_error(err->status == PROF_SYSTEM ? &c->on_output
	                                             : &c->on_input, err);
}

static int write_report(struct profreport *c, const struct prof_profile *p)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_sink sink = c->output.sink;
	const char *name = c->report;
	enum prof_status status;

	if (c->is_json && (!strcmp(name, "top") || !strcmp(name, "text") ||
	                   !strcmp(name, "tree")))
		name = "json";
	if (!strcmp(name, "raw"))
		status = prof_write(p, "text", sink, NULL, &err);
	else if (!strcmp(name, "proto"))
		status = prof_write(p, "pprof", sink, NULL, &err);
	else if (!strcmp(name, "topproto"))
		status = write_topproto(c, p, &err);
	else
		status = prof_report(p, name, sink, &c->options, &err);
	if (status == PROF_OK)
		return CLI_OK;
	return tell_report_error(c, &err);
}

static int report_inputs(struct profreport *c)
{
	struct prof_profile *p = NULL;
	int code = read_inputs(c, &p);

	if (code == CLI_CONTINUE)
		code = subtract_base(c, &p);
	if (code == CLI_CONTINUE)
		code = prepare(c, c->files[0], p);
	if (code == CLI_CONTINUE)
		code = write_report(c, p);
	prof_profile_free(p);
	return code;
}

static int report_diff(struct profreport *c)
{
	struct prof_profile *before = NULL, *after = NULL;
	struct prof_error err = { .offset = UINT64_MAX };
	uint32_t n_failed = 0;
	int code;

	c->diff.fail_if = c->conditions;
	c->diff.format = c->is_json ? PROF_DIFF_JSON
	                            : (enum prof_diff_format)c->diff_format;
	code = read_file(c, c->files[0], &before);
	if (code == CLI_CONTINUE)
		code = read_file(c, c->files[1], &after);
	if (code == CLI_CONTINUE)
		code = prepare(c, c->files[0], before);
	if (code == CLI_CONTINUE)
		code = prepare(c, c->files[1], after);
	if (code == CLI_CONTINUE) {
		code = CLI_OK;
		/* Each side has a total of its own. */
		c->diff.report = c->options;
		c->diff.report.has_total = false;
		if (prof_report_diff(&n_failed, before, after,
		                     c->output.sink, &c->diff, &err) !=
		    PROF_OK)
			code = tell_report_error(c, &err);
		else if (n_failed > 0)
			code = EXIT_THRESHOLD;
	}
	prof_profile_free(before);
	prof_profile_free(after);
	return code;
}

static int check_operands(struct profreport *c)
{
	bool is_diff;

	if (c->report == NULL)
		return cli_usage_error(&tool, "which report?");
	if (c->base_name != NULL && c->diff_base_name != NULL)
		return cli_usage_error(&tool, "--base or --diff-base?");
	if (c->normalizes && !c->base_name && !c->diff_base_name)
		return cli_usage_error(&tool, "--normalize needs a --base");
	is_diff = !strcmp(c->report, "diff");
	if (is_diff && (c->base_name != NULL || c->diff_base_name != NULL))
		return cli_usage_error(&tool, "diff has no base");
	if (is_diff && c->n_files != 2)
		return cli_usage_error(&tool, "diff compares two files");
	if (c->n_files == 0)
		c->files[c->n_files++] = "-";
	return CLI_CONTINUE;
}

static unsigned output_flags(const struct profreport *c)
{
	bool is_binary = !strcmp(c->report, "proto") ||
	                 !strcmp(c->report, "topproto");

	return (is_binary ? FILE_IS_BINARY : 0u) |
	       (c->settings.is_forced ? FILE_FORCE : 0u) |
	       (c->settings.syncs ? FILE_SYNC : 0u);
}

static bool wants_color(const struct profreport *c)
{
	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL &&
	       !strcmp(c->output.name, "-");
}

static int run(struct profreport *c)
{
	struct prof_error err = { .offset = UINT64_MAX };
	int code = CLI_CONTINUE;

	c->options.granularity = (enum prof_granularity)c->granularity;
	c->options.order = (enum prof_order)c->order;
	c->options.json = c->is_json;
	progress_start(&c->progress, c->settings.progress);
	c->on_input = c->on_output = (struct teller){
		.tool = &tool, .settings = &c->settings,
		.progress = &c->progress
	};
	c->reading.options.notes = teller_notes(&c->on_input);
	c->output.name = c->output_name ? c->output_name : "-";
	c->on_output.file = strcmp(c->output.name, "-") ? c->output.name
	                                                 : "stdout";
	if (file_output_open(&c->output, c->output.name, output_flags(c),
	                     &c->progress, &err) != PROF_OK)
		code = tell_error(&c->on_output, &err);
	c->options.color = wants_color(c);
	if (code == CLI_CONTINUE)
		code = !strcmp(c->report, "diff") ? report_diff(c)
		                                  : report_inputs(c);
	if ((code == CLI_OK || code == EXIT_THRESHOLD) &&
	    file_output_commit(&c->output, &err) != PROF_OK)
		code = tell_error(&c->on_output, &err);
	file_output_abandon(&c->output);
	progress_wipe(&c->progress);
	return code;
}

int main(int argc, char **argv)
{
	struct profreport c = {
		.reading.options.size = sizeof(c.reading.options),
		.options.size = sizeof(c.options),
		.diff.size = sizeof(c.diff),
		.symbols.options.size = sizeof(c.symbols.options)
	};
	struct cli_group groups[sizeof(all_groups) / sizeof(*all_groups)];
	struct cli_tool with_transforms = tool;
	struct words words = { 0 };
	int code = CLI_FAILED;

	cli_start();
	c.files = calloc(2 * (size_t)argc + 2, sizeof(*c.files));
	c.conditions = calloc((size_t)argc + 1, sizeof(*c.conditions));
	if (c.files == NULL || c.conditions == NULL ||
	    !filters_init(&c.filters)) {
		cli_error(&tool, "out of memory");
		goto done;
	}
	memcpy(groups, all_groups, sizeof(groups));
	groups[TRANSFORMS].options = c.filters.transforms.options;
	with_transforms.groups = words.groups = groups;
	if (!words_init(&words, argc, argv)) {
		cli_error(&tool, "out of memory");
		goto done;
	}
	code = cli_parse(&with_transforms, &c, words.argc, words.argv);
	if (code == CLI_CONTINUE)
		code = check_operands(&c);
	if (code == CLI_CONTINUE && !filters_settle(&c.filters)) {
		cli_error(&tool, "out of memory");
		code = CLI_FAILED;
	}
	if (code == CLI_CONTINUE)
		code = run(&c);
done:
	words_release(&words);
	filters_release(&c.filters);
	free(c.files);
	free(c.conditions);
	return cli_finish(&tool, code);
}
