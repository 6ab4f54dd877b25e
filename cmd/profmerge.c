/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profmerge: many profiles as one.
 *
 * Each thread takes the next input until none is left and adds it to a merger
 * of its own; the mergers are merged in the end. Which thread had which input
 * makes no difference, because the sum of profiles is the same to the byte in
 * any order and any grouping.
 */
#include "cli.h"
#include "file.h"
#include "formats.h"
#include "options.h"
#include "profmerge_inputs.h"
#include "progress.h"
#include "symbols.h"
#include "transforms.h"

#include <profile/io.h>
#include <profile/transform.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 256
#define TYPES_SIZE 1000 /* of what is said of the sample types of two inputs */

/* The choices of --for, in this order. */
enum purpose { FOR_ANY, FOR_GO_PGO };

struct profmerge {
	struct settings settings;
	struct reading reading;
	struct prof_write_options writing;
	struct symbols symbols;  /* of the sum */
	const char *from, *to;
	const char *output_name;
	struct transforms transforms; /* of the result */
	bool union_of_types;
	bool normalizes;
	unsigned purpose;        /* enum purpose */
	uint32_t n_threads;
	struct inputs inputs;    /* sources first, where it normalizes */

	/* Shared by the threads, under the lock. */
	pthread_mutex_t lock;
	size_t next, end;        /* the input to take next; behind the last */
	size_t n_done;
	bool stops;              /* an input has failed that must not */
	struct types_seen types_seen;
	bool has_noted;          /* that types of samples were dropped */
	int code;                /* to exit with */
	struct progress progress;
};

/* A thread, and what it has of its own. */
struct worker {
	struct profmerge *c;
	pthread_t thread;
	struct prof_merger *merger;
	struct prof_allocator *recycler;
	struct teller teller;
	struct prof_notes notes; /* of the teller, without the lock */
	size_t n_added;
	const char *period_from; /* the first input that has a type of it */
};

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
	  .max = MAX_THREADS,
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

/* ---- Messages of threads ---- */

static void locked_note(void *ctx, const char *message)
{
	struct worker *w = ctx;

	pthread_mutex_lock(&w->c->lock);
	w->notes.note(w->notes.ctx, message);
	pthread_mutex_unlock(&w->c->lock);
}

/*
 * What mergers say. They finish one after the other, so that there is no need
 * for the lock; and each may say it, but how many there are shall not matter.
 */
static void note_once(void *ctx, const char *message)
{
	struct profmerge *c = ctx;
	struct teller teller = { &tool, &c->settings, &c->progress,
	                         "the inputs" };
	char types[TYPES_SIZE], text[TYPES_SIZE + 200];

	if (c->has_noted)
		return;
	c->has_noted = true;
	types_seen_tell(&c->types_seen, types, sizeof(types));
	snprintf(text, sizeof(text), "%s: %s", message, types);
	if (!c->reading.options.strict) {
		teller_notes(&teller).note(&teller, text);
		return;
	}
	cli_error(&tool, "%s: %s", teller.file, text);
	c->code = CLI_FAILED;
	c->stops = true;
}

/* What differs between inputs, and between which. */
static void tell_mismatch(const struct worker *w, const struct prof_error *err)
{
	char types[TYPES_SIZE];

	progress_wipe(&w->c->progress);
	if (w->period_from && strstr(err->message, "period")) {
		cli_error(&tool, "%s: %s, which %s has", w->teller.file,
		          err->message, w->period_from);
		return;
	}
	types_seen_tell(&w->c->types_seen, types, sizeof(types));
	cli_error(&tool, "%s: %s: %s", w->teller.file, err->message, types);
}

/* An input that could not be read, or the end of all. */
static void fail_input(struct worker *w, const struct prof_error *err,
                       bool is_the_end)
{
	struct profmerge *c = w->c;

	pthread_mutex_lock(&c->lock);
	if (err->status == PROF_MISMATCH)
		tell_mismatch(w, err);
	else
		tell_error(&w->teller, err);
	c->code = CLI_FAILED;
	c->stops = c->stops || is_the_end || c->reading.options.strict;
	pthread_mutex_unlock(&c->lock);
}

/* ---- Merging ---- */

/* What is done to an input before it is added. */
static enum prof_status prepare(const struct worker *w, const struct input *in,
                                struct prof_profile *p, struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	if (in->role == ROLE_MARKED_BASE)
		status = prof_mark_base(p, err);
	/* Not at the end: so the sum has calls only, and not all stacks. */
	if (status == PROF_OK && w->c->purpose == FOR_GO_PGO)
		status = prof_go_pgo(p, err);
	return status;
}

static enum prof_status read_input(struct worker *w, const struct input *in,
                                   struct prof_profile **p,
                                   struct prof_error *err)
{
	struct prof_read_options options = w->c->reading.options;
	struct file_input file = { 0 };
	enum prof_status status;

	options.allocator = w->recycler;
	options.notes = (struct prof_notes){ locked_note, w };
	status = file_input_open(&file, in->name, NULL, err);
	w->teller.file = in->name;
	if (status != PROF_OK)
		return status;
	w->teller.file = file.name;
	status = prof_read(p, file.source, &options, err);
	file_input_close(&file);
	return status;
}

static void note_added(struct worker *w, const struct input *in,
                       const struct prof_profile *p)
{
	struct profmerge *c = w->c;
	struct prof_header header;

	w->n_added++;
	prof_get_header(p, &header);
	if (!w->period_from && (header.period_type.type.len ||
	                        header.period_type.unit.len))
		w->period_from = in->name;
	pthread_mutex_lock(&c->lock);
	types_seen_add(&c->types_seen, p, in->name,
	               (size_t)(in - c->inputs.rows));
	pthread_mutex_unlock(&c->lock);
}

static void merge_input(struct worker *w, const struct input *in)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_profile *p = NULL;

	if (read_input(w, in, &p, &err) != PROF_OK ||
	    prepare(w, in, p, &err) != PROF_OK)
		fail_input(w, &err, false);
	else if (prof_merger_add(w->merger, p, in->weight, &err) == PROF_OK)
		note_added(w, in, p);
	else
		fail_input(w, &err, true);
	prof_profile_free(p);
}

static const struct input *take_input(struct worker *w, bool has_done_one)
{
	struct profmerge *c = w->c;
	const struct input *in = NULL;

	pthread_mutex_lock(&c->lock);
	c->n_done += has_done_one;
	if (has_done_one)
		progress_step(&c->progress, c->n_done, c->inputs.n);
	if (!c->stops && c->next < c->end)
		in = &c->inputs.rows[c->next++];
	pthread_mutex_unlock(&c->lock);
	return in;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const struct input *in = take_input(w, false);

	while (in) {
		merge_input(w, in);
		in = take_input(w, true);
	}
	return NULL;
}

/* NULL: out of memory, and *w can be released. */
static bool worker_init(struct worker *w, struct profmerge *c)
{
	*w = (struct worker){
		.c = c,
		.teller = { &tool, &c->settings, &c->progress, NULL },
	};
	w->notes = teller_notes(&w->teller);
	/* Where addresses are limited there is none, and malloc will do. */
	w->recycler = prof_recycler_new();
	w->merger = prof_merger_new(
		&PROF_OPTIONS(prof_merge_options,
		              .union_of_types = c->union_of_types,
		              .notes = { note_once, c }));
	return w->merger != NULL;
}

static void worker_release(struct worker *w)
{
	prof_merger_free(w->merger);
	prof_recycler_free(w->recycler);
}

/* Adds what the others have to the first worker's merger. */
static void join_mergers(struct worker *workers, size_t n)
{
	struct prof_error err = { .offset = UINT64_MAX };
	struct worker *first = &workers[0];

	for (size_t i = 1; i < n; i++) {
		struct prof_merger *m = workers[i].merger;

		workers[i].merger = NULL;
		first->teller.file = workers[i].period_from ?
			workers[i].period_from : "the inputs";
		if (workers[i].n_added == 0 || first->c->stops) {
			prof_merger_free(m);
		} else if (prof_merger_join(first->merger, m, &err) !=
		           PROF_OK) {
			fail_input(first, &err, true);
		} else {
			first->n_added++;
			if (!first->period_from)
				first->period_from = workers[i].period_from;
		}
	}
}

/* Runs the workers; those whose thread cannot start are left out. */
static void run_workers(struct worker *workers, size_t n)
{
	bool runs[MAX_THREADS] = { false };

	for (size_t i = 1; i < n; i++)
		runs[i] = pthread_create(&workers[i].thread, NULL, work,
		                         &workers[i]) == 0;
	work(&workers[0]);
	for (size_t i = 1; i < n; i++)
		if (runs[i])
			pthread_join(workers[i].thread, NULL);
}

static size_t thread_count(const struct profmerge *c)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const size_t n_inputs = c->end - c->next;
	size_t n = c->n_threads ? c->n_threads :
		cores > 0 ? (size_t)cores : 1;

	if (n > MAX_THREADS)
		n = MAX_THREADS;
	/* A thread that has few files costs more than it saves. */
	if (!c->n_threads && n > n_inputs / 4 + 1)
		n = n_inputs / 4 + 1;
	return n < n_inputs ? n : n_inputs ? n_inputs : 1;
}

/* Inputs [first, end). *out stays NULL where none of them could be read. */
static int merge(struct profmerge *c, size_t first, size_t end,
                 struct prof_profile **out)
{
	struct worker *workers;
	struct prof_error err = { .offset = UINT64_MAX };
	size_t n;
	bool ok;

	c->next = first;
	c->end = end;
	n = thread_count(c);
	workers = calloc(n, sizeof(*workers));
	ok = workers != NULL;
	for (size_t i = 0; i < n && workers; i++)
		ok = worker_init(&workers[i], c) && ok;
	if (!ok) {
		cli_error(&tool, "out of memory");
		c->code = CLI_FAILED;
	} else {
		run_workers(workers, n);
		join_mergers(workers, n);
	}
	if (ok && !c->stops && workers[0].n_added) {
		struct prof_merger *m = workers[0].merger;

		workers[0].merger = NULL;
		workers[0].teller.file = "the inputs";
		if (prof_merger_finish(out, m, &err) != PROF_OK)
			fail_input(&workers[0], &err, true);
	}
	for (size_t i = 0; i < n && workers; i++)
		worker_release(&workers[i]);
	free(workers);
	return c->code;
}

/* ---- Differences of what is scaled to one size ---- */

/* Sources and bases apart; then the former to the sums of the latter. */
static int merge_normalized(struct profmerge *c, struct prof_profile **out)
{
	struct teller teller = { &tool, &c->settings, &c->progress,
	                         "the inputs" };
	struct prof_error err = { .offset = UINT64_MAX };
	struct prof_profile *base = NULL;
	const size_t n_sources = c->inputs.n_sources;

	inputs_sort_by_role(&c->inputs);
	for (size_t i = n_sources; i < c->inputs.n; i++)
		c->inputs.rows[i].weight = 1;
	merge(c, 0, n_sources, out);
	if (*out && !c->stops)
		merge(c, n_sources, c->inputs.n, &base);
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
	return (struct teller){ &tool, &c->settings, &c->progress,
	                        strcmp(c->output_name, "-") ?
	                        c->output_name : "stdout" };
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
		merge(c, 0, c->inputs.n, &p);
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
