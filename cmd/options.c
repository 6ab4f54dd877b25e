/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Reading ---- */

#define READ(field) .offset = offsetof(struct reading, options.field)
#define LIMIT(field) READ(limits.field)

const struct cli_option read_any_options[] = {
	{ .name = "strict", .type = CLI_FLAG, READ(strict),
	  .help = "what was skipped or cut off is an error, no note" },
	{ .name = "salvage", .type = CLI_FLAG, READ(salvage),
	  .help = "keep what is whole before a cut or a damage" },
	{ .name = "scale", .arg = "N", .type = CLI_COUNT, READ(scale),
	  .help = "multiply each value by N; collapsed stacks may have "
	          "fractions then" },
	{ 0 }
};

const struct cli_option read_collapsed_options[] = {
	{ .name = "columns", .arg = "N", .type = CLI_COUNT32, READ(columns),
	  .help = "values at the end of a line (1)" },
	{ .name = "sample-types", .arg = "LIST", .type = CLI_TEXT,
	  READ(sample_types),
	  .help = "their types and units: \"a/b c/d\" (samples/count)" },
	{ .name = "diff", .type = CLI_FLAG, READ(diff),
	  .help = "two values a line: before and after" },
	{ .name = "escape", .type = CLI_FLAG, READ(escape),
	  .help = "undo \\; \\\\ \\n and \\xNN in names" },
	{ .name = "annotations", .type = CLI_FLAG, READ(annotations),
	  .help = "take _[k] _[i] _[j] for kernel, inlined and compiled "
	          "at run time" },
	{ 0 }
};

const struct cli_option read_raw_options[] = {
	{ .name = "kind", .arg = "KIND", .type = CLI_TEXT, READ(kind),
	  .choices = "cpu heap allocs block mutex threadcreate",
	  .help = "the profile to take from a recording: cpu, heap, allocs, "
	          "block, mutex or another name it has (the only one, or "
	          "cpu)" },
	{ .name = "go-exact", .type = CLI_FLAG, READ(go_exact),
	  .help = "make the profile that Go's own builder makes" },
	{ .name = "tags", .arg = "FILE", .type = CLI_FILE,
	  .offset = offsetof(struct reading, tags_name),
	  .help = "labels of the tags of a plain word stream" },
	{ .name = "maps", .arg = "FILE", .type = CLI_FILE,
	  .offset = offsetof(struct reading, maps_name),
	  .help = "/proc/PID/maps of a plain word stream, or of "
	          "the addresses of symbols" },
	{ 0 }
};

const struct cli_option limit_options[] = {
	{ .name = "max-bytes", .arg = "SIZE", .type = CLI_SIZE,
	  LIMIT(max_bytes),
	  .help = "uncompressed input (64M + 1000 times the compressed, 4G "
	          "at most)" },
	{ .name = "max-memory", .arg = "SIZE", .type = CLI_SIZE,
	  LIMIT(max_memory),
	  .help = "memory of a profile (64M + 16 times the uncompressed "
	          "input)" },
	{ .name = "max-string", .arg = "SIZE", .type = CLI_SIZE,
	  LIMIT(max_string), .help = "a name or another string (16M)" },
	{ .name = "max-depth", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_depth), .help = "frames of a stack (65536)" },
	{ .name = "max-lines", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_lines), .help = "lines of a location (1024)" },
	{ .name = "max-labels", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_labels), .help = "labels of a sample (1024)" },
	{ .name = "max-types", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_types), .help = "sample types (64)" },
	{ .name = "max-nesting", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_nesting), .help = "levels of YAML (64)" },
	{ .name = "max-line-bytes", .arg = "SIZE", .type = CLI_SIZE,
	  LIMIT(max_line_bytes), .help = "a line of a text format (16M)" },
	{ .name = "max-items", .arg = "N", .type = CLI_COUNT,
	  LIMIT(max_items),
	  .help = "fields or lines of compressed input (1M + 8 times its "
	          "bytes)" },
	{ 0 }
};

enum prof_status reading_open(struct reading *r, const char **failed,
                              struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	if (r->tags_name) {
		*failed = r->tags_name;
		status = file_input_open(&r->tags, r->tags_name, NULL, err);
		r->options.tags = r->tags.source;
	}
	if (r->maps_name && status == PROF_OK) {
		*failed = r->maps_name;
		status = file_input_open(&r->maps, r->maps_name, NULL, err);
		r->options.maps = r->maps.source;
	}
	return status;
}

void reading_close(struct reading *r)
{
	file_input_close(&r->tags);
	file_input_close(&r->maps);
}

/* ---- Writing ---- */

#define WRITE(field) .offset = offsetof(struct prof_write_options, field)

const struct cli_option write_any_options[] = {
	{ .name = "strict", .type = CLI_FLAG, WRITE(strict),
	  .help = "what the format cannot hold is an error, no note" },
	{ .name = "gzip", .type = CLI_FLAG, WRITE(gzip),
	  .help = "compress (so is pprof, and a FILE.gz)" },
	{ .name = "uncompressed", .type = CLI_FLAG, WRITE(uncompressed),
	  .help = "do not compress" },
	{ .name = "level", .arg = "N", .type = CLI_COUNT32, WRITE(level),
	  .max = 12, .help = "of gzip, 1 (fast) to 12 (small) (1)" },
	{ 0 }
};

const struct cli_option write_pprof_options[] = {
	{ .name = "keep-order", .type = CLI_FLAG, WRITE(keep_order),
	  .help = "samples and ids in the order they came in, not the "
	          "canonical one" },
	{ 0 }
};

const struct cli_option write_collapsed_options[] = {
	{ .name = "sample-type", .arg = "TYPE", .type = CLI_TEXT,
	  WRITE(sample_type),
	  .help = "the value to write, by name or column (the profile's "
	          "default, or the last)" },
	{ .name = "escape", .type = CLI_FLAG, WRITE(escape),
	  .help = "write ; and control characters in names so that reading "
	          "with --escape undoes it" },
	{ .name = "annotate", .type = CLI_FLAG, WRITE(annotate),
	  .help = "mark frames as _[k] _[i] _[j]" },
	{ 0 }
};

/* ---- General ---- */

#define SETTING(field) .offset = offsetof(struct settings, field)

const struct cli_option general_options[] = {
	{ .name = "force", .letter = 'f', .type = CLI_FLAG,
	  SETTING(is_forced), .help = "write binary data to a terminal" },
	{ .name = "fsync", .type = CLI_FLAG, SETTING(syncs),
	  .help = "have the output on disk before the old file goes" },
	{ .name = "quiet", .letter = 'q', .type = CLI_FLAG,
	  SETTING(is_quiet), .help = "no notes, only errors" },
	{ .name = "verbose", .letter = 'v', .type = CLI_FLAG,
	  SETTING(is_verbose), .help = "tell what was read and written" },
	{ .name = "progress", .arg = "WHEN", .type = CLI_CHOICE,
	  SETTING(progress), .choices = PROGRESS_CHOICES,
	  .help = "auto (work over a second, on a terminal) or never" },
	{ 0 }
};

/* ---- Telling the user ---- */

static void take_note(void *ctx, const char *message)
{
	const struct teller *t = ctx;

	if (t->settings->is_quiet)
		return;
	progress_wipe(t->progress);
	cli_error(t->tool, "%s: note: %s", t->file, message);
}

struct prof_notes teller_notes(struct teller *teller)
{
	return (struct prof_notes){ take_note, teller };
}

int tell_note(const struct teller *teller, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!teller->is_strict) {
		struct teller own = *teller;

		take_note(&own, text);
		return CLI_CONTINUE;
	}
	progress_wipe(teller->progress);
	cli_error(teller->tool, "%s: %s", teller->file, text);
	return CLI_FAILED;
}

void tell_verbose(const struct teller *teller, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!teller->settings->is_verbose)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	progress_wipe(teller->progress);
	cli_error(teller->tool, "%s: %s", teller->file, text);
}

int tell_error(const struct teller *teller, const struct prof_error *err)
{
	char place[24] = "";
	const char *message = err->message;

	if (!*message)
		message = prof_status_string(err->status);
	if (err->line)
		snprintf(place, sizeof(place), ":%llu",
		         (unsigned long long)err->line);
	else if (err->offset != UINT64_MAX)
		snprintf(place, sizeof(place), ":%llu",
		         (unsigned long long)err->offset);
	progress_wipe(teller->progress);
	/* The message may have ended with the system's own words. */
	if (err->sys_errno && !strstr(message, strerror(err->sys_errno)))
		cli_error(teller->tool, "%s%s: %s: %s", teller->file, place,
		          message, strerror(err->sys_errno));
	else
		cli_error(teller->tool, "%s%s: %s", teller->file, place,
		          message);
	return err->status == PROF_INVALID ? CLI_USAGE : CLI_FAILED;
}
