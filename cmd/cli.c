/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing. getopt_long() knows how GNU command lines are read (bundled
 * letters, --name=value, unique abbreviations, "--"); this file makes its
 * tables from ours and does the rest: converting arguments, and messages
 * that say what would have been right.
 *
 * getopt keeps its place in globals of libc, hence one call at a time.
 */
#include "cli.h"

#include "formats.h"
#include "message.h"
#include "nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An option with the field of this run. */
struct row {
	const struct cli_option *option;
	void *field;
};

/* getopt returns FIRST_CODE + i for rows[i]; below are the letters. */
#define FIRST_CODE 256

struct parser {
	const struct cli_tool *tool;
	void *data;
	struct row *rows;
	size_t n_rows;
	struct option *longs; /* what getopt is given: each name once */
	size_t n_longs;
	char *letters;
};

/* ---- Messages ---- */

void cli_error(const struct cli_tool *tool, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_write(tool->name, format, args);
	va_end(args);
}

int cli_usage_error(const struct cli_tool *tool, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	message_write(tool->name, format, args);
	va_end(args);
	fprintf(stderr, "Try '%s --help'.\n", tool->name);
	return CLI_USAGE;
}

/*
 * A usage error with the nearest right word where there is one. prefix: what
 * stands before words of this kind.
 */
static int wrong_word(const struct cli_tool *tool, const char *what,
                      const char *prefix, const struct nearest *n)
{
	int size = (int)n->size;

	if (!n->best)
		return cli_usage_error(tool, "unknown %s '%s%.*s'", what,
		                       prefix, size, n->word);
	return cli_usage_error(tool,
	                       "unknown %s '%s%.*s'; did you mean '%s%s'?",
	                       what, prefix, size, n->word, prefix, n->best);
}

/* ---- Arguments ---- */

int cli_find_format(const struct cli_tool *tool, const char **name,
                    const char *text, size_t size, enum cli_type type)
{
	bool is_input = type == CLI_READABLE;
	unsigned can = is_input ? FORMAT_READABLE : FORMAT_WRITABLE;
	const struct prof_format_info *f = format_by_name(text, size);
	struct nearest n = nearest_to(text, size);

	if (format_can(f, can)) {
		*name = f->name;
		return CLI_CONTINUE;
	}
	if (is_input && size == strlen("auto") && !memcmp(text, "auto", size)) {
		*name = "auto";
		return CLI_CONTINUE;
	}
	if (f)
		return cli_usage_error(tool, "format '%s' cannot be %s",
		                       f->name, is_input ? "read" : "written");
	if (is_input)
		nearest_consider(&n, "auto");
	formats_consider(&n, can);
	return wrong_word(tool, "format", "", &n);
}

static int take_choice(const struct cli_tool *tool, unsigned *field,
                       const struct cli_option *option, const char *arg)
{
	const char *choice = option->choices;
	size_t size = strlen(arg);

	for (unsigned i = 0; *choice; i++) {
		size_t n = strcspn(choice, " ");

		if (n == size && !memcmp(choice, arg, n)) {
			*field = i;
			return CLI_CONTINUE;
		}
		choice += n;
		choice += strspn(choice, " ");
	}
	return cli_usage_error(tool, "--%s: '%s' is none of: %s",
	                       option->name, arg, option->choices);
}

/* How many bits a letter behind a size shifts it by; -1: no such letter. */
static int size_letter(char c)
{
	static const char letters[] = "KMGT";
	const char *found = c ? strchr(letters, c & ~0x20) : NULL;

	return found ? (int)(found - letters + 1) * 10 : -1;
}

/* A decimal number, and a letter for CLI_SIZE. 0: neither. */
static uint64_t parse_number(const char *text, enum cli_type type)
{
	uint64_t n = 0;
	int shift;

	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return 0;
	if (type == CLI_SIZE && (shift = size_letter(*text)) > 0) {
		if (n > UINT64_MAX >> shift)
			return 0;
		n <<= shift;
		text++;
	}
	return *text ? 0 : n;
}

static int take_number(const struct cli_tool *tool, void *field,
                       const struct cli_option *option, const char *arg)
{
	uint64_t n = parse_number(arg, option->type);
	uint64_t max = option->type == CLI_COUNT32 ? UINT32_MAX : UINT64_MAX;

	if (option->max)
		max = option->max;
	if (n == 0)
		return cli_usage_error(tool, "--%s: '%s' is not a %s",
		                       option->name, arg,
		                       option->type == CLI_SIZE ?
		                       "size (as 500, 64K, 10M, 2G)" :
		                       "number from 1");
	if (n > max)
		return cli_usage_error(tool, "--%s: %s is more than %llu",
		                       option->name, arg,
		                       (unsigned long long)max);
	if (option->type == CLI_COUNT32)
		*(uint32_t *)field = (uint32_t)n;
	else
		*(uint64_t *)field = n;
	return CLI_CONTINUE;
}

static int take(const struct cli_tool *tool, const struct row *row,
                const char *arg)
{
	const struct cli_option *option = row->option;
	int code = CLI_CONTINUE;

	switch (option->type) {
	case CLI_FLAG:
		*(bool *)row->field = true;
		break;
	case CLI_READABLE:
	case CLI_WRITABLE:
		code = cli_find_format(tool, row->field, arg, strlen(arg),
		                       option->type);
		break;
	case CLI_TEXT:
	case CLI_FILE:
		*(const char **)row->field = arg;
		break;
	case CLI_CHOICE:
		code = take_choice(tool, row->field, option, arg);
		break;
	case CLI_COUNT32:
	case CLI_COUNT:
	case CLI_SIZE:
		code = take_number(tool, row->field, option, arg);
		break;
	case CLI_CALL:
		code = option->take(tool, row->field, option, arg);
		break;
	}
	return code;
}

/* ---- Tables for getopt ---- */

static bool is_named_before(const struct parser *p, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (!strcmp(p->rows[i].option->name,
		            p->rows[row].option->name))
			return true;
	return false;
}

static void collect_rows(struct parser *p)
{
	for (const struct cli_group *g = p->tool->groups; g->title; g++)
		for (const struct cli_option *o = g->options; o->name; o++)
			p->rows[p->n_rows++] = (struct row){
				o, (char *)p->data + g->offset + o->offset
			};
}

static void make_getopt_tables(struct parser *p)
{
	char *letter = p->letters;

	*letter++ = '-'; /* operands in their turn, as if by an option \1 */
	*letter++ = ':'; /* a missing argument is told as ':' */
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct cli_option *o = p->rows[i].option;

		if (is_named_before(p, i))
			continue;
		p->longs[p->n_longs++] = (struct option){
			o->name, o->arg ? required_argument : no_argument,
			NULL, FIRST_CODE + (int)i
		};
		if (o->letter)
			*letter++ = o->letter;
		if (o->letter && o->arg)
			*letter++ = ':';
	}
}

static size_t count_options(const struct cli_tool *tool)
{
	size_t n = 0;

	for (const struct cli_group *g = tool->groups; g->title; g++)
		for (const struct cli_option *o = g->options; o->name; o++)
			n++;
	return n;
}

static bool parser_init(struct parser *p, const struct cli_tool *tool,
                        void *data)
{
	size_t n = count_options(tool);

	*p = (struct parser){ .tool = tool, .data = data };
	p->rows = calloc(n + 1, sizeof(*p->rows));
	p->longs = calloc(n + 1, sizeof(*p->longs));
	p->letters = calloc(n + 2, 2);
	if (!p->rows || !p->longs || !p->letters)
		return false;
	collect_rows(p);
	make_getopt_tables(p);
	return true;
}

static void parser_release(struct parser *p)
{
	free(p->rows);
	free(p->longs);
	free(p->letters);
}

/* ---- Parsing ---- */

/* The row that getopt means by a code, or NULL. */
static const struct row *row_of(const struct parser *p, int code)
{
	for (size_t i = 0; i < p->n_rows; i++)
		if (code == FIRST_CODE + (int)i ||
		    (code && p->rows[i].option->letter == code))
			return &p->rows[i];
	return NULL;
}

static int take_option(const struct parser *p, const struct row *known)
{
	int result = CLI_CONTINUE;

	for (size_t i = 0; result == CLI_CONTINUE && i < p->n_rows; i++)
		if (!strcmp(p->rows[i].option->name, known->option->name))
			result = take(p->tool, &p->rows[i], optarg);
	return result;
}

/* "--nam" is the beginning of several options. */
static int ambiguous(const struct parser *p, const char *name, size_t size)
{
	fprintf(stderr, "%s: option '--%.*s' may be any of:", p->tool->name,
	        (int)size, name);
	for (size_t i = 0; i < p->n_longs; i++)
		if (!strncmp(p->longs[i].name, name, size))
			fprintf(stderr, " --%s", p->longs[i].name);
	fputc('\n', stderr);
	return CLI_USAGE;
}

static int unknown_long(const struct parser *p, const char *name)
{
	size_t size = strcspn(name, "="), n_matches = 0;
	struct nearest n = nearest_to(name, size);

	for (size_t i = 0; i < p->n_longs; i++) {
		n_matches += !strncmp(p->longs[i].name, name, size);
		nearest_consider(&n, p->longs[i].name);
	}
	if (n_matches > 1)
		return ambiguous(p, name, size);
	return wrong_word(p->tool, "option", "--", &n);
}

/* What getopt answered with '?' or, for want of an argument, ':'. */
static int wrong_option(const struct parser *p, int answer, char **argv)
{
	const struct row *known = row_of(p, optopt);

	if (known && answer == ':')
		return cli_usage_error(p->tool,
		                       "option '--%s' needs an argument: %s",
		                       known->option->name,
		                       known->option->arg);
	if (known)
		return cli_usage_error(p->tool,
		                       "option '--%s' takes no argument",
		                       known->option->name);
	if (optopt)
		return cli_usage_error(p->tool, "unknown option '-%c'",
		                       optopt);
	return unknown_long(p, argv[optind - 1] + strlen("--"));
}

static int parse(const struct parser *p, int argc, char **argv)
{
	int code, result = CLI_CONTINUE;

	opterr = 0;
	optind = 0; /* from the start, whoever has parsed before */
	while (result == CLI_CONTINUE &&
	       (code = getopt_long(argc, argv, p->letters, p->longs, NULL)) !=
	       -1) {
		const struct row *known = row_of(p, code);

		if (code == 1)
			result = p->tool->operand(p->tool, p->data, optarg);
		else if (known)
			result = take_option(p, known);
		else
			result = wrong_option(p, code, argv);
	}
	while (result == CLI_CONTINUE && optind < argc)
		result = p->tool->operand(p->tool, p->data, argv[optind++]);
	return result;
}

int cli_parse(const struct cli_tool *tool, void *data, int argc, char **argv)
{
	struct parser p;
	int result = CLI_FAILED;

	if (parser_init(&p, tool, data))
		result = parse(&p, argc, argv);
	else
		cli_error(tool, "out of memory");
	parser_release(&p);
	return result;
}

/* ---- The process ---- */

void cli_start(void)
{
	/* Opened the wrong way round: use of a closed stream is an error. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null",
			            fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	signal(SIGPIPE, SIG_DFL);
}

int cli_finish(const struct cli_tool *tool, int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	cli_error(tool, "stdout: cannot write: %s", strerror(errno));
	return CLI_FAILED;
}
