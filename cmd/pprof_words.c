/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How pprof's users write options, as GNU options.
 */
#include "pprof_words.h"

#include "profreport.h"

#include <stdlib.h>
#include <string.h>

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
 * json and diff are reports and options, the latter where they look like one;
 * svg is an option of dot.
 */
static bool is_option_too(const struct words *w, const char *name)
{
	if (!strcmp(name, "json") || !strcmp(name, "diff"))
		return true;
	return !strcmp(name, "svg") && w->argc > 1 &&
	       !strcmp(w->argv[1], "dot");
}

/*
 * The argument in GNU form; "" is to be left out. *symbol is what stood
 * behind '=' of a report.
 */
static char *gnu_word(const struct words *w, const char *arg,
                      const char **symbol)
{
	const char *name = arg + 1 + (arg[1] == '-');
	size_t n = strcspn(name, "=");
	const char *value = name[n] == '=' ? name + n + 1 : NULL;
	const char *flag = NULL;
	char *word;

	if (profreport_is_report(name, n) && !is_option_too(w, name)) {
		*symbol = value;
		return join("", name, n);
	}
	if (n == 4 && !memcmp(name, "trim", 4) && value == NULL)
		value = "true";
	if (value != NULL && !takes_argument(w->groups, name, n) &&
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
	word = gnu_word(w, arg, &symbol);
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

bool words_init(struct words *w, int argc, char **argv)
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

void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n_owned; i++)
		free(w->owned[i]);
	free(w->owned);
	free(w->argv);
}
