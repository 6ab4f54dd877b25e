/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --help from the option rows, --version, and the rows for both. Lines end
 * at 79 columns whatever the terminal is, so that the text can be tested and
 * quoted.
 */
#include "cli.h"

#include <profile/common.h>

#include <stdio.h>
#include <string.h>

#define WIDTH 79
#define HELP_COLUMN 27

/* Prints words from column on, broken at WIDTH, continued at indent. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
	size_t n;

	if (column > indent)
		printf("\n%*s", (int)indent, "");
	else
		printf("%*s", (int)(indent - column), "");
	for (column = indent; *text; text += n) {
		const char *blank = column > indent ? " " : "";

		text += strspn(text, " ");
		n = strcspn(text, " ");
		if (column > indent && column + 1 + n > WIDTH) {
			printf("\n%*s", (int)indent, "");
			column = indent;
			blank = "";
		}
		printf("%s%.*s", blank, (int)n, text);
		column += n + strlen(blank);
	}
	putchar('\n');
}

static void print_option(const struct cli_option *o)
{
	int column;

	if (o->letter)
		column = printf("  -%c, --%s", o->letter, o->name);
	else
		column = printf("      --%s", o->name);
	if (o->arg)
		column += printf("=%s", o->arg);
	/* Two blanks at least between an option and what it does. */
	print_wrapped(o->help, (size_t)column + 2 > HELP_COLUMN ?
	              WIDTH : (size_t)column, HELP_COLUMN);
}

void cli_print_help(const struct cli_tool *tool)
{
	const char *lead = "Usage:";

	for (const char *const *line = tool->usage; *line; line++) {
		printf("%s %s %s\n", lead, tool->name, *line);
		lead = "   or:";
	}
	print_wrapped(tool->about, 0, 0);
	for (const struct cli_group *g = tool->groups; g->title; g++) {
		printf("\n%s:\n", g->title);
		for (const struct cli_option *o = g->options; o->name; o++)
			print_option(o);
	}
	if (tool->notes)
		printf("\n%s", tool->notes);
	printf("\nExit codes: 0 success, 1 input, output or memory failed, "
	       "2 wrong usage.\n");
}

/* ---- The rows that every tool has ---- */

static int take_help(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	(void)field, (void)option, (void)arg;
	cli_print_help(tool);
	return CLI_OK;
}

static int take_version(const struct cli_tool *tool, void *field,
                        const struct cli_option *option, const char *arg)
{
	(void)field, (void)option, (void)arg;
	printf("%s (libprofile) %s\n"
	       "Licence Apache-2.0: free software, without any warranty.\n",
	       tool->name, prof_version());
	return CLI_OK;
}

static int take_completion(const struct cli_tool *tool, void *field,
                           const struct cli_option *option, const char *arg)
{
	(void)field;
	if (cli_print_completion(tool, arg))
		return CLI_OK;
	return cli_usage_error(tool, "--%s: '%s' is none of: %s", option->name,
	                       arg, option->choices);
}

const struct cli_option cli_about_options[] = {
	{ .name = "completion", .arg = "SHELL", .choices = "bash zsh fish",
	  .type = CLI_CALL, .take = take_completion,
	  .help = "print the completion for bash, zsh or fish, and exit" },
	{ .name = "help", .letter = 'h', .type = CLI_CALL, .take = take_help,
	  .help = "print this help and exit" },
	{ .name = "version", .letter = 'V', .type = CLI_CALL,
	  .take = take_version,
	  .help = "print the version and the licence, and exit" },
	{ 0 }
};
