/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_CLI_H
#define CMD_CLI_H

/*
 * The command line of every tool, as data.
 *
 * A tool is one struct: its name, what it takes, and groups of option rows.
 * Parsing, --help (grouped as the rows are), the completion for shells and
 * the hint after a typing error all come from the same rows, so none of them
 * can miss an option.
 *
 * Options and operands are handed over in the order of the command line:
 * where order has a meaning (the transforms of proffilter, a --weight before
 * a file) a CLI_CALL row notes it as it comes by.
 *
 * A name may stand in two groups (--escape of reading and of writing): each
 * of the rows is served, and both must agree on having an argument.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a tool exits; the same for all of them. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,   /* input, output, or memory */
	CLI_USAGE = 2,    /* the command line */
	CLI_CONTINUE = -1 /* of a function: nothing to exit for */
};

/* What an option does with the field it points to. */
enum cli_type {
	CLI_FLAG,     /* bool: becomes true */
	CLI_TEXT,     /* const char *: borrows the argument */
	CLI_FILE,     /* the same; the argument names a file */
	CLI_READABLE, /* the same; it names a format to read, or is "auto" */
	CLI_WRITABLE, /* the same; it names a format to write */
	CLI_CHOICE,   /* unsigned: which of the choices, from 0 */
	CLI_COUNT32,  /* uint32_t, from 1 */
	CLI_COUNT,    /* uint64_t, from 1 */
	CLI_SIZE,     /* uint64_t bytes, from 1; K M G T: powers of 1024 */
	CLI_CALL      /* none: calls take() */
};

struct cli_tool;

struct cli_option {
	const char *name;    /* without "--" */
	const char *arg;     /* what --help calls the argument; NULL: none */
	const char *help;    /* a phrase without a full stop */
	const char *choices; /* of CLI_CHOICE, separated by blanks; of others:
	                        words that a shell offers */
	size_t offset;       /* of the field in the target of the group */
	uint64_t max;        /* of a number; 0: what fits */
	/* arg is NULL where the option has none. CLI_CONTINUE, or the code
	   to exit with. */
	int (*take)(const struct cli_tool *tool, void *field,
	            const struct cli_option *option, const char *arg);
	enum cli_type type;
	char letter;         /* '\0': none */
};

struct cli_group {
	const char *title;
	const struct cli_option *options; /* to the one without a name */
	size_t offset;                    /* of its target in the tool's data */
};

struct cli_tool {
	const char *name;
	const char *const *usage; /* what may follow the name, one a line */
	const char *about;        /* a paragraph */
	const struct cli_group *groups; /* to the one without a title */
	const char *notes;        /* lines at the end of --help, or NULL */
	/* An operand, in its turn. CLI_CONTINUE, or the code to exit with. */
	int (*operand)(const struct cli_tool *tool, void *data,
	               const char *operand);
	/* Calls put() with each word that the first operand may be; NULL: it
	   is a file. */
	void (*each_word)(void (*put)(void *ctx, const char *word), void *ctx);
};

/* --help, --version, --completion: rows for a group of every tool. */
extern const struct cli_option cli_about_options[];

/*
 * Reads a command line into data, the struct that offsets are counted from.
 * CLI_CONTINUE, or the code to exit with; what was wrong has been said.
 */
int cli_parse(const struct cli_tool *tool, void *data, int argc, char **argv);

/*
 * To be called first: streams that the caller has closed become ones that
 * fail, so that no file opened later is taken for one of them, and a reader
 * that goes away ends the tool without a word.
 */
void cli_start(void);

/* Flushes standard output: code, or CLI_FAILED where that does not work. */
int cli_finish(const struct cli_tool *tool, int code);

/*
 * Looks up a format that a user has named, text[0 .. size): sets *name to its
 * name (static), or to "auto". type: CLI_READABLE or CLI_WRITABLE.
 * CLI_CONTINUE, or CLI_USAGE after a message.
 */
int cli_find_format(const struct cli_tool *tool, const char **name,
                    const char *text, size_t size, enum cli_type type);

/* ---- Messages, on standard error ---- */

#define CLI_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* "TOOL: ..." */
void cli_error(const struct cli_tool *tool, const char *format, ...)
	CLI_PRINTF(2, 3);

/* "TOOL: ...", and where to find help. Returns CLI_USAGE. */
int cli_usage_error(const struct cli_tool *tool, const char *format, ...)
	CLI_PRINTF(2, 3);

/* ---- Help (help.c) and completion (completion.c) ---- */

void cli_print_help(const struct cli_tool *tool);

/* shell: "bash", "zsh" or "fish"; false for another. */
bool cli_print_completion(const struct cli_tool *tool, const char *shell);

#endif
