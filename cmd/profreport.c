/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profreport: what is in a profile, as texts and pictures.
 */
#include "profreport.h"

#include "child.h"
#include "disassembler.h"
#include "formats.h"
#include "pprof_words.h"

#include <profile/transform.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_THRESHOLD = 3 }; /* a --fail-if was met */

/* ---- Reading ---- */

static int read_file(struct profreport *c, const char *name,
                     struct prof_profile **out)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct file_input input = { 0 };
	const struct prof_format_info *format;
	const char *found = "";
	int code = CLI_CONTINUE;

	c->on_input.file = strcmp(name, "-") ? name : "stdin";
	progress_phase(&c->progress, name);
	c->reading.options.found_format = &found;
	if (file_input_open(&input, name, &c->progress, &err) != PROF_OK ||
	    prof_read(out, input.source, &c->reading.options, &err) !=
	    PROF_OK)
		code = tell_error(&c->on_input, &err);
	format = format_by_name(found, strlen(found));
	c->symbols.has_shown_names |= format && format->has_shown_names;
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
		cli_error(&profreport_tool, "out of memory");
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

/* Flame graphs have a width for what was before and one for what is after. */
static bool shows_both(const char *report)
{
	return !strcmp(report, "html") || !strcmp(report, "svg") ||
	       !strcmp(report, "flame");
}

/*
 * Takes the base away from *p. Where its samples are marked, equal stacks of
 * both do not become one sample with the change.
 */
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
	if (c->diff_base_name != NULL || shows_both(c->report))
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

/*
 * The call graph drawn by graphviz. The text goes through a file, as dot
 * reads all before it writes anything.
 */
static enum prof_status draw_graph(struct profreport *c,
                                   const struct prof_profile *p,
                                   struct prof_error *err)
{
	static const char *const argv[] = { "dot", "-Tsvg", NULL };
	FILE *file = tmpfile();
	enum prof_status status = PROF_SYSTEM;

	if (file == NULL) {
		*err = (struct prof_error){ .status = status,
			                    .sys_errno = errno,
			                    .offset = UINT64_MAX };
		snprintf(err->message, sizeof(err->message),
		         "temporary file: %s", strerror(errno));
		return status;
	}
	status = prof_report(p, "dot", prof_sink_fd(fileno(file)), &c->options,
	                     err);
	rewind(file);
	if (status == PROF_OK)
		status = child_run(argv, fileno(file), c->output.sink, err);
	if (status == PROF_SYSTEM && err->sys_errno == ENOENT)
		status = child_missing(err, "graphviz is not installed: its "
		                       "program 'dot' draws the call graph; "
		                       "without --svg it is written as text");
	fclose(file);
	return status;
}

static int write_report(struct profreport *c, const struct prof_profile *p)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_sink sink = c->output.sink;
	struct prof_disassembler tool =
		disassembler(&c->symbols.options);
	const char *name = c->report;
	enum prof_status status;

	if (c->is_json && (!strcmp(name, "top") || !strcmp(name, "text") ||
	                   !strcmp(name, "tree")))
		name = "json";
	c->options.disassembler = &tool;
	if (!strcmp(name, "raw"))
		status = prof_write(p, "text", sink, NULL, &err);
	else if (!strcmp(name, "proto"))
		status = prof_write(p, "pprof", sink, NULL, &err);
	else if (!strcmp(name, "topproto"))
		status = write_topproto(c, p, &err);
	else if (c->is_picture)
		status = draw_graph(c, p, &err);
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

static bool is_file(const char *name)
{
	struct stat st;

	return !stat(name, &st) && S_ISREG(st.st_mode);
}

/* What the report at hand cannot do. */
static int check_report(const struct profreport *c)
{
	const struct prof_report_info *info =
		profreport_find(c->report, strlen(c->report));

	if (c->is_json && !info->has_json)
		return cli_usage_error(&profreport_tool, "--json: not for %s",
		                       info->name);
	/* One operand, and that a file: the expression was forgotten. */
	if (info->needs_symbol && c->options.symbol != NULL &&
	    c->n_files == 0 && is_file(c->options.symbol))
		return cli_usage_error(&profreport_tool, "%s needs a REGEX "
		                       "before the files; '%s' is a file",
		                       info->name, c->options.symbol);
	return CLI_CONTINUE;
}

static int check_operands(struct profreport *c)
{
	bool is_diff;

	if (c->report == NULL)
		return cli_usage_error(&profreport_tool, "which report?");
	if (check_report(c) != CLI_CONTINUE)
		return CLI_USAGE;
	if (c->base_name != NULL && c->diff_base_name != NULL)
		return cli_usage_error(&profreport_tool,
		                       "--base or --diff-base?");
	if (c->normalizes && !c->base_name && !c->diff_base_name)
		return cli_usage_error(&profreport_tool,
		                       "--normalize needs a --base");
	if (c->is_picture && strcmp(c->report, "dot") != 0)
		return cli_usage_error(&profreport_tool, "--svg is of dot; the "
		                       "flame graph is the report svg");
	if (c->is_diff && (c->base_name != NULL || c->diff_base_name != NULL))
		return cli_usage_error(&profreport_tool,
		                       "--diff or a base?");
	is_diff = !strcmp(c->report, "diff");
	if (c->is_diff && c->n_files > 2)
		return cli_usage_error(&profreport_tool,
		                       "--diff compares OLD and NEW");
	/* With one input it is the option of reading: before and after are
	   columns of that. */
	if (c->is_diff && c->n_files == 2) {
		c->reading.options.diff = false;
		if (!is_diff) {
			c->base_name = c->files[0];
			c->files[0] = c->files[1];
			c->n_files = 1;
		}
	}
	if (is_diff && (c->base_name != NULL || c->diff_base_name != NULL))
		return cli_usage_error(&profreport_tool, "diff has no base");
	if (is_diff && c->n_files != 2)
		return cli_usage_error(&profreport_tool, "diff compares two files");
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

/* Colours, and as wide as it is, where the report goes to a terminal. */
static void fit_terminal(struct profreport *c)
{
	const char *plain = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	if ((c->output_name != NULL && strcmp(c->output_name, "-") != 0) ||
	    !isatty(STDOUT_FILENO))
		return;
	c->options.color = (plain == NULL || *plain == '\0') &&
	                   (term == NULL || strcmp(term, "dumb") != 0);
	if (c->options.width == 0 && !strcmp(c->report, "flame") &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		c->options.width = size.ws_col;
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
		.tool = &profreport_tool, .settings = &c->settings,
		.progress = &c->progress,
		.is_strict = c->reading.options.strict
	};
	c->reading.options.notes = teller_notes(&c->on_input);
	c->output.name = c->output_name ? c->output_name : "-";
	c->on_output.file = strcmp(c->output.name, "-") ? c->output.name
	                                                 : "stdout";
	if (file_output_open(&c->output, c->output.name, output_flags(c),
	                     &c->progress, &err) != PROF_OK)
		code = tell_error(&c->on_output, &err);
	fit_terminal(c);
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
	struct cli_group groups[PROFREPORT_MAX_GROUPS];
	struct cli_tool with_transforms = profreport_tool;
	struct words words = { 0 };
	int code = CLI_FAILED;

	cli_start();
	c.files = calloc(2 * (size_t)argc + 2, sizeof(*c.files));
	c.conditions = calloc((size_t)argc + 1, sizeof(*c.conditions));
	if (c.files == NULL || c.conditions == NULL ||
	    !filters_init(&c.filters)) {
		cli_error(&profreport_tool, "out of memory");
		goto done;
	}
	memcpy(groups, profreport_tool.groups, sizeof(groups));
	groups[PROFREPORT_TRANSFORMS].options = c.filters.transforms.options;
	with_transforms.groups = words.groups = groups;
	if (!words_init(&words, argc, argv)) {
		cli_error(&profreport_tool, "out of memory");
		goto done;
	}
	code = cli_parse(&with_transforms, &c, words.argc, words.argv);
	if (code == CLI_CONTINUE)
		code = check_operands(&c);
	if (code == CLI_CONTINUE && !filters_settle(&c.filters)) {
		cli_error(&profreport_tool, "out of memory");
		code = CLI_FAILED;
	}
	if (code == CLI_CONTINUE)
		code = run(&c);
done:
	words_release(&words);
	filters_release(&c.filters);
	free(c.files);
	free(c.conditions);
	return cli_finish(&profreport_tool, code);
}
