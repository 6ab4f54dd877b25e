/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each thread takes the next input until none is left and adds it to a merger
 * of its own; the mergers are joined in the end. Which thread had which input
 * makes no difference, because the sum of profiles is the same to the byte in
 * any order and any grouping.
 */
#include "profmerge.h"

#include <profile/transform.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TYPES_SIZE 1000 /* of what is said of the sample types of two inputs */

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
	struct teller teller = { c->tool, &c->settings, &c->progress,
	                         "the inputs", false };
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
	cli_error(c->tool, "%s: %s", teller.file, text);
	c->code = CLI_FAILED;
	c->stops = true;
}

/* What differs between inputs, and between which. */
static void tell_mismatch(const struct worker *w, const struct prof_error *err)
{
	struct profmerge *c = w->c;
	char types[TYPES_SIZE];

	progress_wipe(&c->progress);
	if (w->period_from && strstr(err->message, "period")) {
		cli_error(c->tool, "%s: %s, which %s has", w->teller.file,
		          err->message, w->period_from);
		return;
	}
	types_seen_tell(&w->c->types_seen, types, sizeof(types));
	cli_error(c->tool, "%s: %s: %s", w->teller.file, err->message, types);
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

/* False: out of memory, and *w can be released. */
static bool worker_init(struct worker *w, struct profmerge *c)
{
	*w = (struct worker){
		.c = c,
		.teller = {
			.tool = c->tool,
			.settings = &c->settings,
			.progress = &c->progress,
		},
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
	bool runs[PROFMERGE_MAX_THREADS] = { false };

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

	if (n > PROFMERGE_MAX_THREADS)
		n = PROFMERGE_MAX_THREADS;
	/* A thread that has few files costs more than it saves. */
	if (!c->n_threads && n > n_inputs / 4 + 1)
		n = n_inputs / 4 + 1;
	if (n > n_inputs)
		n = n_inputs;
	return n ? n : 1;
}

int profmerge_merge(struct profmerge *c, size_t first, size_t end,
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
		cli_error(c->tool, "out of memory");
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
