/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profconv: a profile from one format to another.
 *
 * A recording that goes to a format for recordings is passed on event by
 * event and never becomes a profile, so that nothing it holds is lost.
 * Whether the input is one is known only when it is read, so that is tried
 * first; a profile is then read from the start again.
 */
#include "address_names.h"
#include "cli.h"
#include "file.h"
#include "formats.h"
#include "options.h"
#include "progress.h"
#include "symbols.h"

#include <profile/io.h>

#include <stdio.h>
#include <string.h>

struct profconv {
	struct settings settings;
	struct reading reading;
	struct prof_write_options writing;
	struct symbols symbols;
	const char *from, *to; /* names of formats; from "auto": by content */
	bool is_recording;     /* the input */
	const char *output_name;
	const char *operands[3];
	size_t n_operands;
	bool is_symbols;       /* addresses to names; no profile at all */
	struct progress progress;
	struct file_input input;
	struct file_output output;
	struct teller on_input, on_output;
};

/* ---- The command line ---- */

static const char *const usage[] = {
	"FROM-to-TO [OPTION]... [INPUT [OUTPUT]]",
	"symbols [OPTION]... [INPUT [OUTPUT]]",
	"[--from=FORMAT] [--to=FORMAT] [OPTION]... [INPUT [OUTPUT]]",
	NULL
};

static int take_list_formats(const struct cli_tool *tool, void *field,
                             const struct cli_option *option,
                             const char *arg)
{
	(void)tool, (void)field, (void)option, (void)arg;
	formats_print();
	return CLI_OK;
}

static const struct cli_option conversion_options[] = {
	{ .name = "from", .arg = "FORMAT", .type = CLI_READABLE,
	  .offset = offsetof(struct profconv, from),
	  .help = "of the input; auto (the default): by its content" },
	{ .name = "to", .arg = "FORMAT", .type = CLI_WRITABLE,
	  .offset = offsetof(struct profconv, to),
	  .help = "of the output (by the end of its name)" },
	{ .name = "output", .arg = "FILE", .letter = 'o', .type = CLI_FILE,
	  .offset = offsetof(struct profconv, output_name),
	  .help = "write to FILE; -: to standard output (the default)" },
	{ .name = "list-formats", .type = CLI_CALL,
	  .take = take_list_formats, .help = "print all formats and exit" },
	{ 0 }
};

static const struct cli_group groups[] = {
	{ "Conversion", conversion_options, 0 },
	{ "Names of addresses", symbols_options,
	  offsetof(struct profconv, symbols) },
	{ "Reading any format", read_any_options,
	  offsetof(struct profconv, reading) },
	{ "Reading collapsed", read_collapsed_options,
	  offsetof(struct profconv, reading) },
	{ "Reading raw, and recordings in yaml", read_raw_options,
	  offsetof(struct profconv, reading) },
	{ "Writing any format", write_any_options,
	  offsetof(struct profconv, writing) },
	{ "Writing pprof", write_pprof_options,
	  offsetof(struct profconv, writing) },
	{ "Writing collapsed", write_collapsed_options,
	  offsetof(struct profconv, writing) },
	{ "Limits of the input", limit_options,
	  offsetof(struct profconv, reading) },
	{ "General", general_options, offsetof(struct profconv, settings) },
	{ "About", cli_about_options, 0 },
	{ 0 }
};

static int take_operand(const struct cli_tool *tool, void *data,
                        const char *operand)
{
	struct profconv *c = data;

	if (c->n_operands == sizeof(c->operands) / sizeof(*c->operands))
		return cli_usage_error(tool, "one operand too many: '%s'",
		                       operand);
	c->operands[c->n_operands++] = operand;
	return CLI_CONTINUE;
}

static void put_conversions(void (*put)(void *ctx, const char *word),
                            void *ctx, const char *from)
{
	const struct prof_format_info *to;
	char word[64];

	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		if (!format_can(to, FORMAT_WRITABLE) ||
		    !strcmp(from, to->name))
			continue;
		snprintf(word, sizeof(word), "%s-to-%s", from, to->name);
		put(ctx, word);
	}
}

static void each_conversion(void (*put)(void *ctx, const char *word),
                            void *ctx)
{
	const struct prof_format_info *from;

	put(ctx, "symbols");
	put_conversions(put, ctx, "auto");
	for (size_t i = 0; (from = prof_format_info(i)) != NULL; i++)
		if (format_can(from, FORMAT_READABLE))
			put_conversions(put, ctx, from->name);
}

static const struct cli_tool tool = {
	.name = "profconv",
	.usage = usage,
	.about = "Converts a profile from one format to another. INPUT and "
	         "OUTPUT are standard input and output by default, or where "
	         "they are -. FROM may be auto. symbols reads lines of "
	         "/proc/PID/maps and of addresses, and writes names.",
	.groups = groups,
	.notes = "Examples:\n"
	         "  profconv pprof-to-collapsed cpu.pb.gz | flamegraph.pl\n"
	         "  profconv auto-to-collapsed --sample-type=cpu cpu.pb.gz\n"
	         "  profconv raw-to-pprof --kind=heap app.raw heap.pb.gz\n"
	         "  profconv cpu.pb.gz cpu.yaml\n",
	.operand = take_operand,
	.each_word = each_conversion
};

/* ---- What to convert ---- */

/* "FROM-to-TO" as the first operand; one with a slash is a file. */
static int take_conversion(struct profconv *c, bool *was_taken)
{
	const char *first = c->n_operands ? c->operands[0] : "";
	const char *mid = strstr(first, "-to-");
	int code;

	c->is_symbols = !c->from && !c->to && !strcmp(first, "symbols");
	*was_taken = c->is_symbols;
	if (c->is_symbols)
		return CLI_CONTINUE;
	if (c->from || c->to || !mid || strchr(first, '/'))
		return CLI_CONTINUE;
	*was_taken = true;
	code = cli_find_format(&tool, &c->from, first, (size_t)(mid - first),
	                       CLI_READABLE);
	if (code != CLI_CONTINUE)
		return code;
	mid += strlen("-to-");
	return cli_find_format(&tool, &c->to, mid, strlen(mid), CLI_WRITABLE);
}

/* The format of the output where nobody has told it. */
static int guess_format(struct profconv *c)
{
	const struct prof_format_info *f = format_by_suffix(c->output.name);

	if (c->to || c->is_symbols)
		return CLI_CONTINUE;
	if (!strcmp(c->output.name, "-"))
		return cli_usage_error(&tool, "to which format? "
		                       "Say FROM-to-TO or --to");
	if (!format_can(f, FORMAT_WRITABLE))
		return cli_usage_error(&tool, "to which format? '%s' does not "
		                       "tell; say FROM-to-TO or --to",
		                       c->output.name);
	c->to = f->name;
	return CLI_CONTINUE;
}

/* Operands and options become from, to, and the names of the files. */
static int resolve(struct profconv *c)
{
	const char **files = c->operands;
	size_t n_files = c->n_operands;
	bool was_taken;
	int code = take_conversion(c, &was_taken);

	if (code != CLI_CONTINUE)
		return code;
	if (was_taken) {
		files++;
		n_files--;
	} else if (n_files == 0 && !c->to) {
		return cli_usage_error(&tool, "what is to be converted?");
	}
	if (n_files > 2 || (n_files == 2 && c->output_name))
		return cli_usage_error(&tool, "one operand too many: '%s'",
		                       files[n_files - 1]);
	c->input.name = n_files > 0 ? files[0] : "-";
	c->output.name = n_files > 1 ? files[1] :
	                 c->output_name ? c->output_name : "-";
	if (!c->from)
		c->from = "auto";
	c->reading.options.format = c->from;
	c->reading.options.found_recording = &c->is_recording;
	c->symbols.options.go_exact = c->reading.options.go_exact;
	c->writing.gzip |= is_gzip_name(c->output.name);
	return guess_format(c);
}

/* ---- Converting ---- */

/* Whether a recording is to be passed on as one. */
static bool keeps_recordings(const struct profconv *c)
{
	const struct prof_format_info *from =
		format_by_name(c->from, strlen(c->from));
	const struct prof_format_info *to = format_by_name(c->to,
	                                                   strlen(c->to));

	/* These two are about the profile that is made of a recording. */
	if (c->reading.options.kind || c->reading.options.go_exact)
		return false;
	return format_can(to, PROF_CAN_WRITE_RECORDING) &&
	       (!from || format_can(from, PROF_CAN_READ_RECORDING));
}

/* CLI_CONTINUE: the input is no recording, and nothing has happened yet. */
static int convert_recording(struct profconv *c)
{
	struct prof_recorder recorder = { 0 };
	struct prof_error err = { .offset = UINT64_MAX };
	enum prof_status status;

	status = prof_recorder_new(&recorder, c->to, c->output.sink,
	                           &c->writing, &err);
	if (status != PROF_OK)
		return tell_error(&c->on_output, &err);
	status = prof_read_recording(&recorder, c->input.source,
	                             &c->reading.options, &err);
	prof_recorder_free(&recorder);
	if (status == PROF_OK)
		return CLI_OK;
	if (status == PROF_UNSUPPORTED && c->output.n_written == 0)
		return CLI_CONTINUE;
	return tell_error(c->output.has_failed ? &c->on_output :
	                                         &c->on_input, &err);
}

static void describe(const struct profconv *c, const struct prof_profile *p)
{
	tell_verbose(&c->on_input,
	             "%llu bytes: %lu samples, %lu locations, %lu functions",
	             (unsigned long long)c->input.n_read,
	             (unsigned long)prof_n_samples(p),
	             (unsigned long)prof_n_locations(p),
	             (unsigned long)prof_n_functions(p));
}

/*
 * A recording has no names yet: the profile made of it gets them, where the
 * files are there. Profiles are only converted.
 */
static int symbolize(struct profconv *c, struct prof_profile *p)
{
	return symbols_apply(&c->symbols,
	                     c->is_recording ? SYMBOLS_AUTO : SYMBOLS_NONE,
	                     p, &c->on_input);
}

static int convert_profile(struct profconv *c)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { .offset = UINT64_MAX };
	int code;

	progress_phase(&c->progress, c->input.name);
	if (prof_read(&p, c->input.source, &c->reading.options, &err) !=
	    PROF_OK)
		return tell_error(&c->on_input, &err);
	describe(c, p);
	progress_phase(&c->progress, c->output.name);
	code = symbolize(c, p);
	if (code == CLI_CONTINUE &&
	    prof_write(p, c->to, c->output.sink, &c->writing, &err) != PROF_OK)
		code = tell_error(&c->on_output, &err);
	prof_profile_free(p);
	return code == CLI_CONTINUE ? CLI_OK : code;
}

static int convert_addresses(struct profconv *c)
{
	struct prof_error err = { .offset = UINT64_MAX };
	int code;

	if (address_names(&c->symbols, c->reading.options.maps,
	                  c->input.source, c->output.sink, &c->on_input,
	                  &code, &err) != PROF_OK)
		return tell_error(c->output.has_failed ? &c->on_output :
		                                         &c->on_input, &err);
	return code == CLI_CONTINUE ? CLI_OK : code;
}

static int convert(struct profconv *c)
{
	struct prof_error err;
	int code;

	if (c->is_symbols)
		return convert_addresses(c);
	if (keeps_recordings(c)) {
		if (c->symbols.mode > SYMBOLS_UNSET &&
		    c->symbols.mode != SYMBOLS_NONE)
			tell_verbose(&c->on_input, "a recording that stays "
			             "one gets no names");
		progress_phase(&c->progress, c->input.name);
		code = convert_recording(c);
		if (code != CLI_CONTINUE)
			return code;
		if (file_input_rewind(&c->input, &err) != PROF_OK)
			return tell_error(&c->on_input, &err);
	}
	return convert_profile(c);
}

/* ---- Files ---- */

static unsigned output_flags(const struct profconv *c)
{
	const struct prof_format_info *to =
		c->is_symbols ? NULL : format_by_name(c->to, strlen(c->to));
	unsigned flags = 0;

	if ((to && to->is_binary) ||
	    (c->writing.gzip && !c->writing.uncompressed))
		flags |= FILE_IS_BINARY;
	if (c->settings.is_forced)
		flags |= FILE_FORCE;
	if (c->settings.syncs)
		flags |= FILE_SYNC;
	return flags;
}

/* The output first: what is wrong with it is told before a long read. */
static int open_files(struct profconv *c)
{
	struct prof_error err;
	const char *side_file = NULL;
	enum prof_status status;

	status = file_output_open(&c->output, c->output.name, output_flags(c),
	                          &c->progress, &err);
	c->on_output.file = c->output.name;
	if (status != PROF_OK)
		return tell_error(&c->on_output, &err);
	status = file_input_open(&c->input, c->input.name, &c->progress, &err);
	c->on_input.file = c->input.name;
	if (status != PROF_OK)
		return tell_error(&c->on_input, &err);
	if (reading_open(&c->reading, &side_file, &err) != PROF_OK) {
		c->on_input.file = side_file;
		return tell_error(&c->on_input, &err);
	}
	return CLI_CONTINUE;
}

static int run(struct profconv *c)
{
	struct prof_error err;
	int code;

	progress_start(&c->progress, c->settings.progress);
	c->on_input = c->on_output = (struct teller){
		.tool = &tool, .settings = &c->settings,
		.progress = &c->progress
	};
	c->reading.options.notes = teller_notes(&c->on_input);
	c->writing.notes = teller_notes(&c->on_output);
	code = open_files(c);
	if (code == CLI_CONTINUE)
		code = convert(c);
	if (code == CLI_OK &&
	    file_output_commit(&c->output, &err) != PROF_OK)
		code = tell_error(&c->on_output, &err);
	if (code == CLI_OK)
		tell_verbose(&c->on_output, "%llu bytes",
		             (unsigned long long)c->output.n_written);
	file_output_abandon(&c->output);
	file_input_close(&c->input);
	reading_close(&c->reading);
	progress_wipe(&c->progress);
	return code;
}

int main(int argc, char **argv)
{
	struct profconv c = {
		.reading.options.size = sizeof(c.reading.options),
		.writing.size = sizeof(c.writing),
		.symbols.options.size = sizeof(c.symbols.options)
	};
	int code;

	cli_start();
	code = cli_parse(&tool, &c, argc, argv);
	if (code == CLI_CONTINUE)
		code = resolve(&c);
	if (code == CLI_CONTINUE)
		code = run(&c);
	return cli_finish(&tool, code);
}
