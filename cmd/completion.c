/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion for shells, from the option rows: each shell gets its names,
 * the words its arguments may be, and files elsewhere.
 *
 * Names and words are letters, digits and dashes, so they need no quoting;
 * help texts do, and are quoted for each shell.
 */
#include "cli.h"

#include "formats.h"

#include <stdio.h>
#include <string.h>

/* Whether no row before this one has its name. */
static bool is_first(const struct cli_tool *tool,
                     const struct cli_option *option)
{
	for (const struct cli_group *g = tool->groups; g->title; g++)
		for (const struct cli_option *o = g->options; o->name; o++)
			if (!strcmp(o->name, option->name))
				return o == option;
	return false;
}

/* Calls each() for each name once, whatever groups it stands in. */
static void each_option(const struct cli_tool *tool,
                        void (*each)(const struct cli_tool *tool,
                                     const struct cli_option *option))
{
	for (const struct cli_group *g = tool->groups; g->title; g++)
		for (const struct cli_option *o = g->options; o->name; o++)
			if (is_first(tool, o))
				each(tool, o);
}

static void print_word(void *ctx, const char *word)
{
	printf("%s%s", (const char *)ctx, word);
}

/* The words that an argument may be, each behind a separator. */
static bool has_words(const struct cli_option *o)
{
	return o->choices || o->type == CLI_READABLE ||
	       o->type == CLI_WRITABLE;
}

static void print_words(const struct cli_option *o)
{
	unsigned can = o->type == CLI_READABLE ? FORMAT_READABLE :
	                                         FORMAT_WRITABLE;
	const struct prof_format_info *f;

	if (o->choices) {
		printf(" %s", o->choices);
		return;
	}
	if (o->type == CLI_READABLE)
		printf(" auto");
	for (size_t i = 0; (f = prof_format_info(i)) != NULL; i++)
		if (format_can(f, can))
			printf(" %s", f->name);
}

/* Text within '': quote is how the shell writes a ' there. */
static void print_quoted(const char *text, const char *quote,
                         const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs(quote, stdout);
		else if (strchr(escaped, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* ---- bash ---- */

static void bash_argument(const struct cli_tool *tool,
                          const struct cli_option *o)
{
	(void)tool;
	if (!o->arg)
		return;
	printf("\t--%s", o->name);
	if (o->letter)
		printf("|-%c", o->letter);
	printf(")\n\t\t");
	if (has_words(o)) {
		printf("words='");
		print_words(o);
		printf("'");
	} else {
		printf(o->type == CLI_FILE ? "files=1" : ":");
	}
	printf(" ;;\n");
}

static void bash_name(const struct cli_tool *tool, const struct cli_option *o)
{
	(void)tool;
	printf(" --%s", o->name);
}

static void print_bash(const struct cli_tool *tool)
{
	printf("# bash completion for %s\n"
	       "_%s()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words= files=\n"
	       "\tlocal prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\t# --name=value arrives as three words\n"
	       "\t[ \"$cur\" = = ] && cur=\n"
	       "\t[ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	       "\tcase $prev in\n", tool->name, tool->name);
	each_option(tool, bash_argument);
	printf("\t*)\n\t\tif [[ $cur == -* ]]; then\n\t\t\twords='");
	each_option(tool, bash_name);
	printf("'\n\t\telse\n\t\t\tfiles=1\n");
	if (tool->each_word) {
		printf("\t\t\t[ \"$COMP_CWORD\" = 1 ] && words='");
		tool->each_word(print_word, " ");
		printf("'\n");
	}
	printf("\t\tfi ;;\n\tesac\n"
	       "\tmapfile -t COMPREPLY < <(compgen ${files:+-f} "
	       "-W \"$words\" -- \"$cur\")\n"
	       "}\n"
	       "complete -o filenames -F _%s %s\n", tool->name, tool->name);
}

/* ---- zsh ---- */

static void zsh_option(const struct cli_tool *tool, const struct cli_option *o)
{
	(void)tool;
	printf(" \\\n\t'--%s%s[", o->name, o->arg ? "=" : "");
	print_quoted(o->help, "'\\''", "[]:\\");
	printf("]");
	if (o->arg) {
		printf(":%s:", o->arg);
		if (has_words(o)) {
			printf("(");
			print_words(o);
			printf(")");
		} else if (o->type == CLI_FILE) {
			printf("_files");
		}
	}
	printf("'");
}

static void print_zsh(const struct cli_tool *tool)
{
	printf("#compdef %s\n_arguments -s", tool->name);
	each_option(tool, zsh_option);
	if (tool->each_word) {
		printf(" \\\n\t'1:operand:{ compadd --");
		tool->each_word(print_word, " ");
		printf("; _files }'");
	}
	printf(" \\\n\t'*:file:_files'\n");
}

/* ---- fish ---- */

static void fish_option(const struct cli_tool *tool,
                        const struct cli_option *o)
{
	printf("complete -c %s -l %s", tool->name, o->name);
	if (o->letter)
		printf(" -s %c", o->letter);
	if (o->arg)
		printf(o->type == CLI_FILE ? " -r -F" : " -x");
	if (has_words(o)) {
		printf(" -a '");
		print_words(o);
		printf("'");
	}
	printf(" -d '");
	print_quoted(o->help, "\\'", "\\");
	printf("'\n");
}

static void print_fish(const struct cli_tool *tool)
{
	printf("# fish completion for %s\n", tool->name);
	each_option(tool, fish_option);
	if (tool->each_word) {
		printf("complete -c %s -n __fish_is_first_token -a '",
		       tool->name);
		tool->each_word(print_word, " ");
		printf("'\n");
	}
}

bool cli_print_completion(const struct cli_tool *tool, const char *shell)
{
	static const struct {
		const char *shell;
		void (*print)(const struct cli_tool *tool);
	} printers[] = {
		{ "bash", print_bash }, { "zsh", print_zsh },
		{ "fish", print_fish }
	};

	for (size_t i = 0; i < sizeof(printers) / sizeof(*printers); i++)
		if (!strcmp(printers[i].shell, shell)) {
			printers[i].print(tool);
			return true;
		}
	return false;
}
