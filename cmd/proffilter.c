/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proffilter: a profile with less in it, or with other names for it.
 *
 * What it can do is the library's list of transforms. The rest of this file
 * is about where things come from and go to: a stretch of time is cut out of
 * a recording before it is a profile, and --split has many outputs.
 */
#include "cli.h"
#include "file.h"
#include "formats.h"
#include "options.h"
#include "progress.h"
#include "symbols.h"
#include "transforms.h"

#include <profile/io.h>
#include <profile/transform.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct proffilter {
	struct settings settings;
	struct reading reading;
	struct prof_write_options writing;
	struct transforms transforms;
	struct symbols symbols;
	struct prof_time_options times;
	const char *from, *to;  /* names of formats; NULL: not told */
	const char *found;      /* the input's format */
	bool is_recording;      /* the input */
	const char *output_name, *split_key;
	const char *operands[2];
	size_t n_operands;
	struct progress progress;
	struct file_input input;
	struct file_output output;
	struct teller on_input, on_output;
};

/* ---- The command line ---- */

static const char *const usage[] = {
	"[OPTION]... [INPUT [OUTPUT]]",
	"--split=KEY -o NAME{}NAME [OPTION]... [INPUT]",
	NULL
};

/* A time: seconds, or a number with one of ns us ms s m h. 0 ns is allowed. */
static bool parse_time(const char *text, uint64_t *out)
{
	static const struct { const char *unit; double ns; } units[] = {
		{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 },
		{ "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 }
	};
	char *end;
	const double n = strtod(text, &end);

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (end != text && !strcmp(end, units[i].unit) && n >= 0 &&
		    n * units[i].ns < 0x1p63) {
			*out = (uint64_t)(n * units[i].ns);
			return true;
		}
	return false;
}

static int take_time(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	uint64_t *ns = field;

	if (parse_time(arg, ns) && (*ns || !strcmp(option->name, "from-time")))
		return CLI_CONTINUE;
	return cli_usage_error(tool, "--%s: '%s' is not a time (as 1.5, "
	                       "200ms, 2m)", option->name, arg);
}

static const struct cli_option file_options[] = {
	{ .name = "from", .arg = "FORMAT", .type = CLI_READABLE,
	  .offset = offsetof(struct proffilter, from),
	  .help = "of the input; auto (the default): by its content" },
	{ .name = "to", .arg = "FORMAT", .type = CLI_WRITABLE,
	  .offset = offsetof(struct proffilter, to),
	  .help = "of the output (by the end of its name, else that of the "
	          "input)" },
	{ .name = "output", .arg = "FILE", .letter = 'o', .type = CLI_FILE,
	  .offset = offsetof(struct proffilter, output_name),
	  .help = "write to FILE; -: to standard output (the default)" },
	{ .name = "split", .arg = "KEY", .type = CLI_TEXT,
	  .offset = offsetof(struct proffilter, split_key),
	  .help = "write a file for each value of a label, in the end; {} in "
	          "the name of the output stands for the value" },
	{ 0 }
};

#define TIME(field) .type = CLI_CALL, .take = take_time,                      \
	.offset = offsetof(struct proffilter, times.field)

static const struct cli_option time_options[] = {
	{ .name = "from-time", .arg = "TIME", TIME(from_ns),
	  .help = "leave out samples before, in seconds since the beginning "
	          "(or 200ms, 2m)" },
	{ .name = "to-time", .arg = "TIME", TIME(to_ns),
	  .help = "leave out samples from then on" },
	{ .name = "bucket", .arg = "TIME", TIME(bucket_ns),
	  .help = "give samples a label \"time\" with steps of that length" },
	{ 0 }
};

/* The group of the transforms; its options are set when it runs. */
#define TRANSFORMS 1

static const struct cli_group all_groups[] = {
	{ "Files", file_options, 0 },
	[TRANSFORMS] = { "Transforms, done in their order", NULL,
	                 offsetof(struct proffilter, transforms) },
	{ "Recordings, before all else", time_options, 0 },
	{ "Names of addresses, before the transforms", symbols_options,
	  offsetof(struct proffilter, symbols) },
	{ "Reading any format", read_any_options,
	  offsetof(struct proffilter, reading) },
	{ "Reading collapsed", read_collapsed_options,
	  offsetof(struct proffilter, reading) },
	{ "Reading raw, and recordings in yaml", read_raw_options,
	  offsetof(struct proffilter, reading) },
	{ "Writing any format", write_any_options,
	  offsetof(struct proffilter, writing) },
	{ "Writing pprof", write_pprof_options,
	  offsetof(struct proffilter, writing) },
	{ "Writing collapsed", write_collapsed_options,
	  offsetof(struct proffilter, writing) },
	{ "Limits of the input", limit_options,
	  offsetof(struct proffilter, reading) },
	{ "General", general_options, offsetof(struct proffilter, settings) },
	{ "About", cli_about_options, 0 },
	{ 0 }
};

static int take_operand(const struct cli_tool *tool, void *data,
                        const char *operand)
{
	struct proffilter *c = data;

	if (c->n_operands == sizeof(c->operands) / sizeof(*c->operands))
		return cli_usage_error(tool, "one operand too many: '%s'",
		                       operand);
	c->operands[c->n_operands++] = operand;
	return CLI_CONTINUE;
}

static const struct cli_tool tool = {
	.name = "proffilter",
	.usage = usage,
	.about = "Filters and changes a profile. INPUT and OUTPUT are standard "
	         "input and output by default, or where they are -.",
	.groups = all_groups,
	.notes = "Examples:\n"
	         "  proffilter --focus=malloc --hide='^runtime\\.' cpu.pb.gz "
	         "out.pb.gz\n"
	         "  proffilter -v --tagfocus=request=1ms: cpu.pb.gz out.yaml\n"
	         "  proffilter --split=thread -o cpu-{}.pb.gz cpu.pb.gz\n"
	         "  proffilter --from-time=10 --to-time=20 app.raw out.pb.gz\n",
	.operand = take_operand
};

static int resolve(struct proffilter *c)
{
	if (c->n_operands > 1 && c->output_name)
		return cli_usage_error(&tool, "one operand too many: '%s'",
		                       c->operands[1]);
	c->input.name = c->n_operands > 0 ? c->operands[0] : "-";
	c->output.name = c->n_operands > 1 ? c->operands[1] :
	                 c->output_name ? c->output_name : "-";
	if (c->split_key && !strstr(c->output.name, "{}"))
		return cli_usage_error(&tool, "--split: the name of the output "
		                       "needs a {} where the value is to be");
	c->reading.options.format = c->from ? c->from : "auto";
	c->reading.options.found_format = &c->found;
	c->reading.options.found_recording = &c->is_recording;
	c->writing.gzip |= is_gzip_name(c->output.name);
	return CLI_CONTINUE;
}

/* The format of the output, once that of the input is known. */
static int settle_format(struct proffilter *c)
{
	const struct prof_format_info *f = format_by_suffix(c->output.name);

	if (c->to)
		return CLI_CONTINUE;
	if (!format_can(f, PROF_CAN_WRITE) && c->found)
		f = format_by_name(c->found, strlen(c->found));
	if (!format_can(f, PROF_CAN_WRITE))
		return cli_usage_error(&tool, "to which format? Say --to");
	c->to = f->name;
	return CLI_CONTINUE;
}

/* ---- Reading ---- */

static bool has_times(const struct proffilter *c)
{
	return c->times.from_ns || c->times.to_ns || c->times.bucket_ns;
}

/*
 * The wanted stretch of time, as a recording in memory. It is read again from
 * there as any other: what makes a profile of a recording is the reader.
 */
static enum prof_status cut_recording(struct proffilter *c,
                                      struct prof_buffer *cut,
                                      struct prof_error *err)
{
	struct prof_recorder writer = { 0 }, filter = { 0 };
	enum prof_status status;

	status = prof_recorder_new(&writer, "raw", prof_sink_buffer(cut),
	                           &PROF_OPTIONS(prof_write_options,
	                                         .notes = c->writing.notes),
	                           err);
	if (status == PROF_OK)
		status = prof_time_filter_new(&filter, &writer, &c->times,
		                              err);
	if (status == PROF_OK)
		status = prof_read_recording(&filter, c->input.source,
		                             &c->reading.options, err);
	prof_recorder_free(&filter);
	prof_recorder_free(&writer);
	return status;
}

static enum prof_status read_cut(struct proffilter *c,
                                 struct prof_profile **out,
                                 struct prof_error *err)
{
	struct prof_buffer cut = { 0 };
	enum prof_status status = cut_recording(c, &cut, err);

	if (status == PROF_OK) {
		const char *found = c->found;
		struct prof_read_options options = c->reading.options;

		options.format = "raw";
		options.tags = options.maps = (struct prof_source){ 0 };
		status = prof_read_mem(out, cut.data, cut.size, &options, err);
		c->found = found;
	}
	prof_buffer_release(&cut);
	return status;
}

static int read_input(struct proffilter *c, struct prof_profile **out)
{
	struct prof_error err = { .offset = UINT64_MAX };
	enum prof_status status;

	progress_phase(&c->progress, c->input.name);
	status = has_times(c) ? read_cut(c, out, &err) :
		prof_read(out, c->input.source, &c->reading.options, &err);
	if (status != PROF_OK)
		return tell_error(&c->on_input, &err);
	tell_verbose(&c->on_input, "%llu bytes: %lu samples",
	             (unsigned long long)c->input.n_read,
	             (unsigned long)prof_n_samples(*out));
	if (has_times(c) && !prof_n_samples(*out))
		return tell_note(&c->on_input, "no sample is in the stretch "
		                 "of time");
	return CLI_CONTINUE;
}

/* ---- Writing ---- */

static unsigned output_flags(const struct proffilter *c)
{
	const struct prof_format_info *to = format_by_name(c->to,
	                                                   strlen(c->to));
	unsigned flags = 0;

	if (to->is_binary || (c->writing.gzip && !c->writing.uncompressed))
		flags |= FILE_IS_BINARY;
	if (c->settings.is_forced)
		flags |= FILE_FORCE;
	if (c->settings.syncs)
		flags |= FILE_SYNC;
	return flags;
}

/* name: borrowed while it is written. */
static int write_output(struct proffilter *c, const char *name,
                        const struct prof_profile *p)
{
	struct prof_error err = { .offset = UINT64_MAX };
	enum prof_status status;
	int code = CLI_CONTINUE;

	c->on_output.file = name;
	c->output = (struct file_output){ .name = name };
	status = file_output_open(&c->output, name, output_flags(c),
	                          &c->progress, &err);
	progress_phase(&c->progress, name);
	if (status == PROF_OK)
		status = prof_write(p, c->to, c->output.sink, &c->writing,
		                    &err);
	if (status == PROF_OK)
		status = file_output_commit(&c->output, &err);
	if (status != PROF_OK)
		code = tell_error(&c->on_output, &err);
	else
		tell_verbose(&c->on_output, "%llu bytes",
		             (unsigned long long)c->output.n_written);
	file_output_abandon(&c->output);
	return code;
}

/* ---- Splitting ---- */

/* Where the parts go. */
struct parts {
	struct proffilter *filter;
	const char *pattern; /* with {} in it */
	int code;
	bool has_value; /* a part of samples that have the label */
};

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || strchr("-_.+@,=:", c);
}

/*
 * Bytes of a value in a name: with the pattern's own and a temporary file's
 * below the 255 that file systems take. A longer value is cut, and a hash of
 * the whole (FNV-1a) keeps it apart from others.
 */
#define MAX_VALUE 160

static uint64_t hash_of(struct prof_str value)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < value.len; i++)
		hash = (hash ^ (unsigned char)value.ptr[i]) *
		       UINT64_C(0x100000001b3);
	return hash;
}

/*
 * The name for a value, which the caller frees: what could mean something to
 * a file system or a shell is %XX, and so is a dot at the beginning.
 */
static char *name_of_part(const char *pattern, struct prof_str value)
{
	const char *place = strstr(pattern, "{}");
	const size_t before = (size_t)(place - pattern);
	char *name = malloc(strlen(pattern) + MAX_VALUE + 32);
	char *to = name, *limit;
	size_t i;

	if (!name)
		return NULL;
	memcpy(to, pattern, before);
	to += before;
	limit = to + MAX_VALUE - strlen("%XX");
	for (i = 0; i < value.len && to <= limit; i++) {
		const unsigned char c = (unsigned char)value.ptr[i];

		if (c && is_plain(c) && !(i == 0 && c == '.'))
			*to++ = (char)c;
		else
			to += sprintf(to, "%%%02X", (unsigned)c);
	}
	if (i < value.len)
		to += sprintf(to, "~%016" PRIx64, hash_of(value));
	memcpy(to, place + strlen("{}"), strlen(place + strlen("{}")) + 1);
	return name;
}

static enum prof_status take_part(void *ctx, struct prof_str value,
                                  struct prof_profile *part,
                                  struct prof_error *err)
{
	struct parts *parts = ctx;
	char *name = name_of_part(parts->pattern, value);

	(void)err;
	parts->has_value |= value.len > 0;
	parts->code = CLI_FAILED;
	if (name)
		parts->code = write_output(parts->filter, name, part);
	else
		cli_error(&tool, "out of memory");
	free(name);
	prof_profile_free(part);
	return parts->code == CLI_CONTINUE ? PROF_OK : PROF_SYSTEM;
}

static int write_parts(struct proffilter *c, const char *pattern,
                       const struct prof_profile *p)
{
	struct parts parts = { c, pattern, CLI_CONTINUE, false };
	struct prof_error err = { .offset = UINT64_MAX };
	const struct prof_part_taker taker = { take_part, &parts };
	const enum prof_status status = prof_split(
		p, (struct prof_str){ c->split_key, strlen(c->split_key) },
		&taker, &err);

	/* What a part failed with has been told. */
	if (status != PROF_OK && parts.code == CLI_CONTINUE)
		return tell_error(&c->on_input, &err);
	if (parts.code == CLI_CONTINUE && !parts.has_value)
		return tell_note(&c->on_input, "no sample has a label '%.80s'",
		                 c->split_key);
	return parts.code;
}

/* ---- Running ---- */

static int open_input(struct proffilter *c)
{
	struct prof_error err;
	const char *side_file = NULL;

	c->on_input.file = strcmp(c->input.name, "-") ? c->input.name : "stdin";
	if (file_input_open(&c->input, c->input.name, &c->progress, &err) !=
	    PROF_OK)
		return tell_error(&c->on_input, &err);
	if (reading_open(&c->reading, &side_file, &err) != PROF_OK) {
		c->on_input.file = side_file;
		return tell_error(&c->on_input, &err);
	}
	return CLI_CONTINUE;
}

static int filter(struct proffilter *c)
{
	const char *output = c->output.name;
	struct prof_profile *p = NULL;
	int code = read_input(c, &p);

	if (code == CLI_CONTINUE)
		code = settle_format(c);
	if (code == CLI_CONTINUE)
		code = symbols_apply(&c->symbols, c->is_recording ?
		                     SYMBOLS_AUTO : SYMBOLS_NONE, p,
		                     &c->on_input);
	if (code == CLI_CONTINUE)
		code = transforms_apply(&c->transforms, p, &c->on_input);
	if (code == CLI_CONTINUE)
		code = c->split_key ? write_parts(c, output, p) :
		                      write_output(c, output, p);
	prof_profile_free(p);
	return code == CLI_CONTINUE ? CLI_OK : code;
}

static int run(struct proffilter *c)
{
	int code;

	progress_start(&c->progress, c->settings.progress);
	c->on_input = c->on_output = (struct teller){
		.tool = &tool, .settings = &c->settings,
		.progress = &c->progress,
		.is_strict = c->reading.options.strict
	};
	c->reading.options.notes = teller_notes(&c->on_input);
	c->writing.notes = teller_notes(&c->on_output);
	code = open_input(c);
	if (code == CLI_CONTINUE)
		code = filter(c);
	file_input_close(&c->input);
	reading_close(&c->reading);
	progress_wipe(&c->progress);
	return code;
}

int main(int argc, char **argv)
{
	struct proffilter c = {
		.reading.options.size = sizeof(c.reading.options),
		.writing.size = sizeof(c.writing),
		.times.size = sizeof(c.times),
		.symbols.options.size = sizeof(c.symbols.options)
	};
	struct cli_group groups[sizeof(all_groups) / sizeof(*all_groups)];
	struct cli_tool with_transforms = tool;
	int code;

	cli_start();
	if (!transforms_init(&c.transforms)) {
		cli_error(&tool, "out of memory");
		return CLI_FAILED;
	}
	memcpy(groups, all_groups, sizeof(groups));
	groups[TRANSFORMS].options = c.transforms.options;
	with_transforms.groups = groups;
	code = cli_parse(&with_transforms, &c, argc, argv);
	if (code == CLI_CONTINUE)
		code = resolve(&c);
	if (code == CLI_CONTINUE)
		code = run(&c);
	transforms_release(&c.transforms);
	return cli_finish(&tool, code);
}
