/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profmerge: many profiles as one. The command line, and what is done to the
 * sum; profmerge_work.c has the threads that merge.
 */
#include "profmerge.h"

#include "formats.h"

#include <profile/io.h>
#include <profile/transform.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The command line ---- */

static const char *const usage[] = {
	"[-o OUTPUT] [OPTION]... INPUT...",
	"[-o OUTPUT] [OPTION]... --files-from=FILE",
	NULL
};

static int take_operand(const struct cli_tool *tool, void *data,
                        const char *operand)
{
	struct profmerge *c = data;

	return inputs_add(tool, &c->inputs, operand, strlen(operand),
	                  ROLE_SOURCE);
}

static int take_weight(const struct cli_tool *tool, void *field,
                       const struct cli_option *option, const char *arg)
{
	struct profmerge *c = field;
	char *end;

	(void)option;
	errno = 0;
	c->inputs.weight = strtoll(arg, &end, 10);
	if (errno || end == arg || *end)
		return cli_usage_error(tool, "--weight: '%s' is no whole "
		                       "number", arg);
	return CLI_CONTINUE;
}

static int take_base(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	struct profmerge *c = field;

	return inputs_add(tool, &c->inputs, arg, strlen(arg),
	                  strcmp(option->name, "base") ? ROLE_MARKED_BASE :
	                  ROLE_BASE);
}

static int take_files_from(const struct cli_tool *tool, void *field,
                           const struct cli_option *option, const char *arg)
{
	struct profmerge *c = field;

	return inputs_add_listed(tool, &c->inputs, arg,
	                         strcmp(option->name, "files0-from") ? '\n' :
	                         '\0');
}

static const struct cli_option merge_options[] = {
	{ .name = "output", .arg = "FILE", .letter = 'o', .type = CLI_FILE,
	  .offset = offsetof(struct profmerge, output_name),
	  .help = "write to FILE; -: to standard output (the default)" },
	{ .name = "files-from", .arg = "FILE", .type = CLI_CALL,
	  .take = take_files_from,
	  .help = "merge the files named in FILE too, one a line" },
	{ .name = "files0-from", .arg = "FILE", .type = CLI_CALL,
	  .take = take_files_from,
	  .help = "the same; each name ends with a NUL, as of find -print0" },
	{ .name = "weight", .arg = "N", .type = CLI_CALL, .take = take_weight,
	  .help = "count the inputs that follow N times (1)" },
	{ .name = "base", .arg = "FILE", .type = CLI_CALL, .take = take_base,
	  .help = "take FILE away (as with --weight=-1); may come again" },
	{ .name = "diff-base", .arg = "FILE", .type = CLI_CALL,
	  .take = take_base,
	  .help = "the same, with a label pprof::base=true on its samples" },
	{ .name = "normalize", .type = CLI_FLAG,
	  .offset = offsetof(struct profmerge, normalizes),
	  .help = "first scale what is not base to the sums of the bases" },
	{ .name = "for", .arg = "PURPOSE", .type = CLI_CHOICE,
	  .choices = "any go-pgo",
	  .offset = offsetof(struct profmerge, purpose),
	  .help = "go-pgo: keep only what a Go build with -pgo reads" },
	{ .name = "union", .type = CLI_FLAG,
	  .offset = offsetof(struct profmerge, union_of_types),
	  .help = "keep sample types that only some inputs have" },
	{ .name = "threads", .arg = "N", .letter = 'j', .type = CLI_COUNT32,
	  .offset = offsetof(struct profmerge, n_threads),
	  .max = PROFMERGE_MAX_THREADS,
	  .help = "work with N threads (as many as there are processors); "
	          "the result does not depend on it" },
	{ 0 }
};

static const struct cli_option format_options[] = {
	{ .name = "from", .arg = "FORMAT", .type = CLI_READABLE,
	  .offset = offsetof(struct profmerge, from),
	  .help = "of all inputs; auto (the default): of each by its content" },
	{ .name = "to", .arg = "FORMAT", .type = CLI_WRITABLE,
	  .offset = offsetof(struct profmerge, to),
	  .help = "of the output (by the end of its name, or pprof)" },
	{ 0 }
};

/* The group of the transforms; its options are set when it runs. */
enum { TRANSFORMS = 1 };

static const struct cli_group all_groups[] = {
	{ "Merging", merge_options, 0 },
	[TRANSFORMS] = { "Changes to the result, in the order given", NULL,
	                 offsetof(struct profmerge, transforms) },
	{ "Formats", format_options, 0 },
	{ "Names of addresses, of the sum", symbols_options,
	  offsetof(struct profmerge, symbols) },
	{ "Reading any format", read_any_options,
	  offsetof(struct profmerge, reading) },
	{ "Reading collapsed", read_collapsed_options,
	  offsetof(struct profmerge, reading) },
	{ "Reading raw, and recordings in yaml", read_raw_options,
	  offsetof(struct profmerge, reading) },
	{ "Writing any format", write_any_options,
	  offsetof(struct profmerge, writing) },
	{ "Writing collapsed", write_collapsed_options,
	  offsetof(struct profmerge, writing) },
	{ "Limits of each input", limit_options,
	  offsetof(struct profmerge, reading) },
	{ "General", general_options, offsetof(struct profmerge, settings) },
	{ "About", cli_about_options, 0 },
	{ 0 }
};

static const struct cli_tool tool = {
	.name = "profmerge",
	.usage = usage,
	.about = "Merges profiles, of one format or of many, into one. The "
	         "result is the same to the byte for any order of the inputs "
	         "and for merges of merges. An input that cannot be read is "
	         "named and left out, and the exit code is 1 then; with "
	         "--strict it ends the run.",
	.groups = all_groups,
	.notes = "Examples:\n"
	         "  profmerge -o all.pb.gz cpu-*.pb.gz\n"
	         "  find . -name '*.pb.gz' -print0 | profmerge "
	         "--files0-from=- -o all.pb.gz\n"
	         "  profmerge -o pgo.pb.gz --weight=3 web.pb.gz --weight=1 "
	         "batch.pb.gz\n"
	         "  profmerge -o grown.pb.gz after.pb.gz --base=before.pb.gz\n",
	.operand = take_operand
};

/* ---- Differences of what is scaled to one size ---- */

/* Sources and bases apart; then the former to the sums of the latter. */
static int merge_normalized(struct profmerge *c, struct prof_profile **out)
{
	struct teller teller = { &tool, &c->settings, &c->progress,
	                         "the inputs", false };
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_profile *base = NULL;
	const size_t n_sources = c->inputs.n_sources;

	inputs_sort_by_role(&c->inputs);
	for (size_t i = n_sources; i < c->inputs.n; i++)
		c->inputs.rows[i].weight = 1;
	profmerge_merge(c, 0, n_sources, out);
	if (*out && !c->stops)
		profmerge_merge(c, n_sources, c->inputs.n, &base);
	if (base && !c->stops &&
	    (prof_normalize(*out, base, &err) != PROF_OK ||
	     prof_subtract(out, base, &err) != PROF_OK)) {
		c->code = tell_error(&teller, &err);
		c->stops = true;
	}
	c->stops = c->stops || !base;
	prof_profile_free(base);
	return c->code;
}

/* ---- Files ---- */

static int resolve(struct profmerge *c)
{
	const struct prof_format_info *f;

	if (c->inputs.n == 0)
		return cli_usage_error(&tool, "what is to be merged?");
	if (c->normalizes && (c->inputs.n_sources == 0 ||
	                      c->inputs.n_sources == c->inputs.n))
		return cli_usage_error(&tool, "--normalize needs an input and "
		                       "a --base or --diff-base");
	if (!c->output_name)
		c->output_name = "-";
	f = format_by_suffix(c->output_name);
	if (!c->to)
		c->to = format_can(f, PROF_CAN_WRITE) ? f->name : "pprof";
	if (!format_can(format_by_name(c->to, strlen(c->to)), PROF_CAN_WRITE))
		return cli_usage_error(&tool, "the format %s cannot hold a "
		                       "profile", c->to);
	c->reading.options.format = c->from ? c->from : "auto";
	c->writing.gzip |= is_gzip_name(c->output_name);
	return CLI_CONTINUE;
}

static unsigned output_flags(const struct profmerge *c)
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

static struct teller output_teller(struct profmerge *c)
{
	return (struct teller){
		.tool = &tool,
		.settings = &c->settings,
		.progress = &c->progress,
		.file = strcmp(c->output_name, "-") != 0 ? c->output_name
		                                         : "stdout",
		.is_strict = c->reading.options.strict,
	};
}

static int write_merged(struct profmerge *c, const struct prof_profile *p,
                        struct file_output *out)
{
	struct teller teller = output_teller(c);
	struct prof_error err = { .offset = UINT64_MAX };

	c->writing.notes = teller_notes(&teller);
	tell_verbose(&teller, "%lu samples, %lu locations, %lu functions of "
	             "%zu input%s", (unsigned long)prof_n_samples(p),
	             (unsigned long)prof_n_locations(p),
	             (unsigned long)prof_n_functions(p), c->inputs.n,
	             c->inputs.n == 1 ? "" : "s");
	if (prof_write(p, c->to, out->sink, &c->writing, &err) != PROF_OK ||
	    file_output_commit(out, &err) != PROF_OK)
		return tell_error(&teller, &err);
	return CLI_OK;
}

/* What is done to the sum. CLI_OK, or what was wrong has been said. */
static int change_merged(struct profmerge *c, struct prof_profile *p)
{
	struct teller teller = output_teller(c);
	struct prof_error err = { .offset = UINT64_MAX };

	if (symbols_apply(&c->symbols, SYMBOLS_NONE, p, &teller) !=
	    CLI_CONTINUE)
		return CLI_FAILED;
	/* Once more, because inputs may have different start lines. */
	if (c->purpose == FOR_GO_PGO && prof_go_pgo(p, &err) != PROF_OK)
		return tell_error(&teller, &err);
	return transforms_apply(&c->transforms, p, &teller) == CLI_CONTINUE ?
		CLI_OK : CLI_FAILED;
}

static int run(struct profmerge *c)
{
	struct teller teller = output_teller(c);
	struct file_output out = { 0 };
	struct prof_profile *p = NULL;
	struct prof_error err;
	int code;

	progress_start(&c->progress, c->settings.progress);
	c->progress.unit = PROGRESS_FILES;
	progress_phase(&c->progress, "merging");
	/* The output first: what is wrong with it is told before the work. */
	if (file_output_open(&out, c->output_name, output_flags(c), NULL,
	                     &err) != PROF_OK)
		return tell_error(&teller, &err);
	code = c->normalizes ? merge_normalized(c, &p) :
		profmerge_merge(c, 0, c->inputs.n, &p);
	if (p && !c->stops && (change_merged(c, p) != CLI_OK ||
	                       write_merged(c, p, &out) != CLI_OK))
		code = CLI_FAILED;
	prof_profile_free(p);
	file_output_abandon(&out);
	progress_wipe(&c->progress);
	return code;
}

int main(int argc, char **argv)
{
	struct profmerge c = {
		.tool = &tool,
		.reading.options.size = sizeof(c.reading.options),
		.writing.size = sizeof(c.writing),
		.symbols.options.size = sizeof(c.symbols.options),
		.inputs.weight = 1,
		.lock = PTHREAD_MUTEX_INITIALIZER,
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
	inputs_release(&c.inputs);
	types_seen_release(&c.types_seen);
	transforms_release(&c.transforms);
	return cli_finish(&tool, code);
}
