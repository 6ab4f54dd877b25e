/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof has one option for all of this, -symbolize=local:demangle=full, which
 * is taken too. What it calls remote is not: no server is ever asked for the
 * symbols of a profile.
 */
#include "symbols.h"

#include <stdio.h>
#include <string.h>

/* ---- Options ---- */

struct word {
	const char *text;
	unsigned value;
};

static const struct word modes[] = {
	{ "auto", SYMBOLS_AUTO },      { "local", SYMBOLS_AUTO },
	{ "fastlocal", SYMBOLS_AUTO }, { "force", SYMBOLS_FORCE },
	{ "none", SYMBOLS_NONE },      { "no", SYMBOLS_NONE },
	{ NULL, 0 }
};

static const struct word demangles[] = {
	{ "default", PROF_DEMANGLE_DEFAULT }, { "none", PROF_DEMANGLE_NONE },
	{ "templates", PROF_DEMANGLE_TEMPLATES },
	{ "full", PROF_DEMANGLE_FULL },       { NULL, 0 }
};

static bool find_word(const struct word *words, const char *text, size_t n,
                      unsigned *value)
{
	for (; words->text; words++)
		if (strlen(words->text) == n && !memcmp(words->text, text, n)) {
			*value = words->value;
			return true;
		}
	return false;
}

static bool set_demangle(struct symbols *s, const char *text, size_t n)
{
	unsigned value;

	if (!find_word(demangles, text, n, &value))
		return false;
	s->options.demangle = (enum prof_demangle)value;
	s->demangles = true;
	return true;
}

static int take_demangle(const struct cli_tool *tool, void *field,
                         const struct cli_option *option, const char *arg)
{
	if (set_demangle(field, arg, strlen(arg)))
		return CLI_CONTINUE;
	return cli_usage_error(tool, "--%s: '%s' is none of: %s",
	                       option->name, arg, option->choices);
}

/* One of the words between the colons; force goes before what else is said. */
static bool take_word(struct symbols *s, const char *word, size_t n)
{
	static const char demangle[] = "demangle=";
	const size_t n_key = sizeof(demangle) - 1;
	unsigned mode;

	if (n > n_key && !memcmp(word, demangle, n_key))
		return set_demangle(s, word + n_key, n - n_key);
	if (!find_word(modes, word, n, &mode))
		return false;
	if (s->mode != SYMBOLS_FORCE || mode == SYMBOLS_NONE)
		s->mode = (enum symbols_mode)mode;
	return true;
}

static int take_mode(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	struct symbols *s = field;

	s->mode = SYMBOLS_UNSET;
	for (const char *word = arg;; word++) {
		const size_t n = strcspn(word, ":");

		if (!take_word(s, word, n))
			return cli_usage_error(tool,
			                       "--%s: '%.*s' is none of: %s",
			                       option->name, (int)n, word,
			                       option->choices);
		word += n;
		if (!*word)
			return CLI_CONTINUE;
	}
}

#define LOOKUP(field) .offset = offsetof(struct symbols, options.field)

const struct cli_option symbols_options[] = {
	{ .name = "symbolize", .arg = "HOW", .type = CLI_CALL,
	  .take = take_mode, .choices = "auto local none force",
	  .help = "auto: name what has no names, from the files that were "
	          "profiled (local is the same); force: everything anew; "
	          "none" },
	{ .name = "demangle", .arg = "HOW", .type = CLI_CALL,
	  .take = take_demangle, .choices = "default none templates full",
	  .help = "C++ and Rust: without parameters and template arguments "
	          "(default), without parameters (templates), full, or none" },
	{ .name = "no-inlines", .type = CLI_FLAG, LOOKUP(no_inlines),
	  .help = "name only what others are inlined into" },
	{ .name = "binary-path", .arg = "DIRS", .type = CLI_TEXT,
	  LOOKUP(binary_path),
	  .help = "where binaries are, with ':' between (PROFILE_BINARY_PATH, "
	          "PPROF_BINARY_PATH or ~/pprof/binaries)" },
	{ .name = "debuginfod", .type = CLI_FLAG, LOOKUP(debuginfod),
	  .help = "ask the servers of DEBUGINFOD_URLS for debug info" },
	{ 0 }
};

/* ---- Symbolizing ---- */

struct report_to {
	const struct teller *teller;
	const struct prof_profile *p;
};

static void tell_mapping(void *ctx, const struct prof_mapping_report *r)
{
	const struct report_to *to = ctx;
	struct prof_mapping m = { .file = { "", 0 } };
	const char *file = "(no mapping)";

	if (prof_get_mapping(to->p, r->mapping, &m))
		file = m.file.len ? m.file.ptr : "(no name)";
	tell_verbose(to->teller, "symbols of %.100s: %lu resolved, %lu of "
	             "them inlined; %lu unresolved: %s", file,
	             (unsigned long)r->n_resolved,
	             (unsigned long)r->n_inlined,
	             (unsigned long)(r->n_locations - r->n_resolved),
	             prof_symbolize_reason_string(r->reason));
}

int symbols_apply(const struct symbols *s, enum symbols_mode unset,
                  struct prof_profile *p, const struct teller *teller)
{
	const enum symbols_mode mode = s->mode != SYMBOLS_UNSET ? s->mode
	                                                        : unset;
	struct prof_symbolize_options options = s->options;
	struct prof_error err = { .offset = UINT64_MAX };
	struct report_to to = { teller, p };

	if (mode == SYMBOLS_NONE && !s->demangles)
		return CLI_CONTINUE;
	options.mode = mode == SYMBOLS_NONE  ? PROF_SYMBOLIZE_NONE
	             : mode == SYMBOLS_FORCE ? PROF_SYMBOLIZE_FORCE
	                                     : PROF_SYMBOLIZE_AUTO;
	options.keep_plain = s->has_shown_names && !s->demangles;
	if (teller->settings->is_verbose && mode != SYMBOLS_NONE) {
		options.report = tell_mapping;
		options.report_ctx = &to;
	}
	if (prof_symbolize(p, &options, &err) != PROF_OK)
		return tell_error(teller, &err);
	return CLI_CONTINUE;
}
