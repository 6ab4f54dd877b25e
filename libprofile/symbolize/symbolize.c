/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbolizing a profile: locations are put together by the file that can
 * answer them, files and then units of files are worked on in parallel, and
 * the answers are written in the order of the locations, by one thread, so
 * that the profile does not depend on who was first.
 */
#include <profile/symbolize.h>

#include "base/error.h"
#include "base/intern.h"
#include "base/sort.h"
#include "symbolize/address.h"
#include "symbolize/go_exact.h"
#include "symbolize/naming.h"
#include "symbolize/source.h"
#include "symbolize/work.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

const char *prof_symbolize_reason_string(enum prof_symbolize_reason reason)
{
#define REASON_TEXT(name, text) text,
	static const char *const texts[] = {
		PROF_SYMBOLIZE_REASONS(REASON_TEXT)
	};
#undef REASON_TEXT

	return (size_t)reason < sizeof(texts) / sizeof(*texts) ? texts[reason]
	                                                       : "unknown";
}

/* ---- What is asked ---- */

/* A location that is to be named. */
struct question {
	uint64_t address; /* as the file has it, once that is open */
	uint32_t location, mapping;
};

/* The questions of one file: questions[first .. first + n) of the job. */
struct group {
	struct source source;
	struct object object;
	size_t first, n;
	VEC(uint64_t) addresses; /* sorted, each once */
	enum prof_status status;
};

struct mapping_state {
	uint32_t group; /* UINT32_MAX: nothing is asked of it */
	bool fits;      /* the file, by its addresses */
	bool has_base;
	uint64_t base;
	struct prof_mapping_report report;
};

/* Where the answer to a location is. */
struct answer_place {
	uint32_t group; /* UINT32_MAX: none */
	uint32_t index; /* of the address, in the group's object */
};

struct job {
	struct prof_profile *profile;
	struct prof_symbolize_options options;
	struct source_options sources;
	unsigned n_workers;
	struct mapping_state *mappings; /* [mappings.n of the profile] */
	struct answer_place *answers;   /* [locations.n] */
	VEC(struct question) questions; /* by group */
	VEC(struct group) groups;
	struct hash_index group_index; /* of groups' sources; id: place + 1 */
	uint64_t hash_seed;
	/* Units of all groups, numbered on: the first number of each. */
	VEC(size_t) first_units;
	struct dwarf_worker *workers[WORK_MAX_WORKERS];
};

static bool is_named(const struct prof_profile *p, uint32_t location)
{
	const struct row_location *l = &p->locations.data[location];
	const struct prof_line *line;

	if (location_n_lines(l) == 0)
		return false;
	/* Go writes a nameless function where it knows none. */
	line = &p->lines.data[location_first_line(l)];
	return line->function != 0 &&
	       (p->functions.data[line->function].name != 0 ||
	        p->functions.data[line->function].system_name != 0);
}

static bool is_asked(const struct job *j, uint32_t location)
{
	const struct prof_profile *p = j->profile;
	uint32_t mapping = p->locations.data[location].mapping;

	if (j->options.mode == PROF_SYMBOLIZE_FORCE)
		return p->locations.data[location].address != 0;
	return !is_named(p, location) &&
	       p->locations.data[location].address != 0 &&
	       (mapping == 0 || !(p->mappings.data[mapping].has &
	                          MAPPING_HAS_FUNCTIONS));
}

/* The group of the mapping's file, made where it is new. */
static bool assign_group(struct job *j, uint32_t mapping)
{
	struct mapping_state *m = &j->mappings[mapping];
	struct group g = { .status = PROF_OK };
	const struct hash_index *h = &j->group_index;
	uint64_t hash;
	uint32_t id;
	size_t i;

	if (!vec_reserve(&j->groups, 1, &mem_malloc) ||
	    !hash_index_reserve(&j->group_index, 1, &mem_malloc))
		return false;
	source_of_mapping(&g.source, j->profile, mapping, &j->sources);
	hash = source_hash(&g.source, j->hash_seed);
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i))
		if (h->slots[i].tag == hash_tag(hash) &&
		    source_is_equal(&j->groups.data[id - 1].source,
		                    &g.source))
			break;
	if (!id) {
		vec_put(&j->groups, g);
		id = (uint32_t)j->groups.n;
		hash_index_put(&j->group_index, i, hash, id);
	}
	m->group = id - 1;
	return true;
}

/* Counts the questions of each group, then puts them in their places. */
static bool collect_questions(struct job *j)
{
	const struct prof_profile *p = j->profile;
	uint32_t n = prof_n_locations(p);
	size_t at = 0;

	for (uint32_t id = 1; id <= n; id++) {
		uint32_t mapping = p->locations.data[id].mapping;

		if (!is_asked(j, id))
			continue;
		if (j->mappings[mapping].group == UINT32_MAX &&
		    !assign_group(j, mapping))
			return false;
		j->groups.data[j->mappings[mapping].group].n++;
		at++;
	}
	if (!vec_reserve(&j->questions, at, &mem_malloc))
		return false;
	j->questions.n = at;
	at = 0;
	for (size_t i = 0; i < j->groups.n; i++) {
		j->groups.data[i].first = at;
		at += j->groups.data[i].n;
		j->groups.data[i].n = 0;
	}
	for (uint32_t id = 1; id <= n; id++) {
		const struct row_location *l = &p->locations.data[id];
		struct group *g;

		if (!is_asked(j, id))
			continue;
		g = &j->groups.data[j->mappings[l->mapping].group];
		j->questions.data[g->first + g->n++] = (struct question){
			l->address, id, l->mapping
		};
	}
	return true;
}

/* ---- Files, in parallel ---- */

/* The base of a question's mapping, by the first address seen in it. */
static bool find_base(struct job *j, struct group *g, const struct question *q)
{
	struct mapping_state *m = &j->mappings[q->mapping];
	const struct row_mapping *row = &j->profile->mappings.data[q->mapping];

	if (!m->has_base) {
		m->has_base = true;
		m->fits = source_base(&g->source, &g->object.files.main, row,
		                      q->address, &m->base);
	}
	return m->fits;
}

static void load_questions(const void *ctx, struct sort_item *items, size_t n,
                           size_t depth)
{
	const struct question *q = ctx;

	for (size_t i = 0; i < n; i++)
		items[i].key = depth == 0 ? q[items[i].id].address : 0;
}

/* Sorts the addresses of n questions, each once. */
static bool sort_addresses(struct job *j, struct group *g,
                           const struct question *q, size_t n)
{
	const struct sort_sequence sequence = { .load = load_questions,
		                                .ctx = q };
	struct sort_item *items = mem_zeroed(&mem_malloc, n, sizeof(*items));

	if (!items || !vec_reserve(&g->addresses, n, &mem_malloc)) {
		mem_free(&mem_malloc, items, n * sizeof(*items));
		return false;
	}
	for (size_t i = 0; i < n; i++)
		items[i].id = (uint32_t)i;
	sort_by_sequence(items, n, &sequence);
	for (size_t i = 0; i < n; i++) {
		const struct question *asked = &q[items[i].id];
		size_t last = g->addresses.n;

		if (last == 0 || asked->address != g->addresses.data[last - 1])
			vec_put(&g->addresses, asked->address);
		j->answers[asked->location] = (struct answer_place){
			(uint32_t)(g - j->groups.data),
			(uint32_t)(g->addresses.n - 1)
		};
	}
	mem_free(&mem_malloc, items, n * sizeof(*items));
	return true;
}

/* Turns the questions into sorted addresses of the file. */
static bool normalize(struct job *j, struct group *g)
{
	struct question *q = j->questions.data + g->first;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (!find_base(j, g, &q[i]))
			continue;
		q[n] = q[i];
		q[n++].address -= j->mappings[q[i].mapping].base;
	}
	g->n = n;
	if (n > 0 && !sort_addresses(j, g, q, n))
		return false;
	g->object.addresses = g->addresses.data;
	g->object.n = g->addresses.n;
	return true;
}

static void open_group(void *ctx, unsigned worker, size_t task)
{
	struct job *j = ctx;
	struct group *g = &j->groups.data[task];

	(void)worker;
	source_open(&g->source, &g->object.files, &j->sources);
	if (g->source.result == FIND_NO_MEMORY || !normalize(j, g)) {
		g->status = PROF_NOMEM;
		return;
	}
	g->object.no_inlines = j->options.no_inlines;
	g->object.go_only = j->options.go_exact;
	if (g->source.result == FIND_OK)
		g->status = source_plan(&g->source, &g->object);
}

/* ---- Units of files, in parallel ---- */

static void run_unit(void *ctx, unsigned worker, size_t task)
{
	struct job *j = ctx;
	size_t low = 0, high = j->first_units.n;

	/* The last group whose first unit is not behind the task. */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (j->first_units.data[middle] <= task)
			low = middle;
		else
			high = middle;
	}
	if (!j->workers[worker])
		j->workers[worker] = dwarf_worker_new();
	if (j->workers[worker])
		object_run(&j->groups.data[low].object,
		           task - j->first_units.data[low],
		           j->workers[worker]);
	else
		j->groups.data[low].object.units
			.data[task - j->first_units.data[low]]
			.status = PROF_NOMEM;
}

static enum prof_status run_units(struct job *j)
{
	struct work work = { .run = run_unit, .ctx = j,
		             .n_workers = j->n_workers };

	if (!vec_reserve(&j->first_units, j->groups.n, &mem_malloc))
		return PROF_NOMEM;
	for (size_t i = 0; i < j->groups.n; i++) {
		if (j->groups.data[i].status != PROF_OK)
			return j->groups.data[i].status;
		vec_put(&j->first_units, work.n_tasks);
		work.n_tasks += j->groups.data[i].object.units.n;
	}
	work_run(&work);
	for (size_t i = 0; i < j->groups.n; i++) {
		const struct object *o = &j->groups.data[i].object;

		for (size_t u = 0; u < o->units.n; u++)
			if (o->units.data[u].status != PROF_OK)
				return o->units.data[u].status;
		if (object_settle(&j->groups.data[i].object) != PROF_OK)
			return PROF_NOMEM;
	}
	return PROF_OK;
}

/* ---- Answers ---- */

/* Names the frames of all sets; returns how many frames there are. */
static size_t name_sets(struct job *j, struct naming *n)
{
	struct frame_set *s;
	size_t n_frames = 0;

	for (size_t g = 0; g < j->groups.n; g++) {
		struct object *o = &j->groups.data[g].object;

		for (size_t i = 0; (s = object_set(o, i)) != NULL; i++) {
			naming_intern(n, s);
			n_frames += s->frames.n;
		}
	}
	naming_decode(n, j->n_workers);
	for (size_t g = 0; g < j->groups.n; g++) {
		struct object *o = &j->groups.data[g].object;

		for (size_t i = 0; (s = object_set(o, i)) != NULL; i++)
			naming_functions(n, s);
	}
	return n_frames;
}

/* Writes what was found for a location; false: nothing new is known of it. */
static bool write_answer(struct job *j, struct profile_editor *e,
                         uint32_t location)
{
	struct answer_place place = j->answers[location];
	const struct frame_set *s;
	struct prof_line *lines;
	struct chain chain;

	if (place.group == UINT32_MAX)
		return false;
	chain = object_chain(&j->groups.data[place.group].object, place.index,
	                     &s);
	if (chain.n == 0)
		return false;
	lines = profile_editor_add_lines(e, chain.n);
	for (uint32_t i = 0; lines && i < chain.n; i++) {
		const struct frame *f = &s->frames.data[chain.first + i];

		lines[i] = (struct prof_line){ s->names.data[f->function].id,
			                       f->line, f->column };
	}
	return true;
}

static void count(struct job *j, uint32_t location, const struct prof_line *l,
                  size_t n)
{
	const struct prof_profile *p = j->profile;
	struct prof_mapping_report *r =
		&j->mappings[p->locations.data[location].mapping].report;
	const struct row_function *f =
		n ? &p->functions.data[l[n - 1].function] : NULL;

	r->n_locations++;
	if (f && (f->name || f->system_name))
		r->n_resolved++;
	r->n_inlined += n > 1;
}

/* Whether all locations have names, and any of them files and so on. */
static void note_flags(struct job *j, uint32_t location,
                       const struct prof_line *lines, size_t n)
{
	struct prof_profile *p = j->profile;
	uint32_t mapping = p->locations.data[location].mapping;
	uint32_t has = n > 1 ? MAPPING_HAS_INLINE_FRAMES : 0;

	if (mapping == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (p->functions.data[lines[i].function].filename)
			has |= MAPPING_HAS_FILENAMES;
		if (lines[i].line)
			has |= MAPPING_HAS_LINE_NUMBERS;
	}
	p->mappings.data[mapping].has |= has;
}

static void write_lines(struct job *j, struct profile_editor *e)
{
	struct prof_profile *p = j->profile;
	uint32_t n_locations = prof_n_locations(p);

	for (uint32_t id = 1; id <= n_locations; id++) {
		const struct row_location *l = &p->locations.data[id];
		size_t n = location_n_lines(l);

		if (!write_answer(j, e, id))
			profile_editor_lines(
				e,
				n ? &p->lines.data[location_first_line(l)]
				  : NULL,
				n);
	}
}

static enum prof_symbolize_reason reason_of(const struct job *j,
                                            const struct mapping_state *m)
{
	const struct group *g;

	if (m->group == UINT32_MAX)
		return PROF_REASON_KNOWN;
	g = &j->groups.data[m->group];
	switch (g->source.result) {
	case FIND_OK:
		break;
	case FIND_NOT_ELF:
		return PROF_REASON_NOT_ELF;
	case FIND_MISMATCH:
		return PROF_REASON_MISMATCH;
	default:
		return g->source.is_hidden ? PROF_REASON_HIDDEN
		                           : PROF_REASON_NO_FILE;
	}
	if (!m->fits)
		return PROF_REASON_ADDRESSES;
	if (g->object.has_debug_info || g->object.has_go)
		return PROF_REASON_OK;
	return g->object.has_symbols ? PROF_REASON_NO_DEBUG_INFO
	                             : PROF_REASON_STRIPPED;
}

static void report(struct job *j)
{
	struct prof_profile *p = j->profile;
	uint32_t n = prof_n_locations(p);

	if (j->options.mode == PROF_SYMBOLIZE_FORCE)
		for (size_t id = 1; id < p->mappings.n; id++)
			p->mappings.data[id].has = 0;
	for (uint32_t id = 1; id <= n; id++) {
		const struct row_location *l = &p->locations.data[id];
		size_t n_lines = location_n_lines(l);
		const struct prof_line *lines =
			n_lines ? &p->lines.data[location_first_line(l)] : NULL;

		count(j, id, lines, n_lines);
		if (j->mappings[l->mapping].group != UINT32_MAX)
			note_flags(j, id, lines, n_lines);
	}
	for (uint32_t id = 0; id < p->mappings.n; id++) {
		struct mapping_state *m = &j->mappings[id];
		struct prof_mapping_report *r = &m->report;

		if (m->group != UINT32_MAX && id != 0 &&
		    r->n_resolved == r->n_locations)
			p->mappings.data[id].has |= MAPPING_HAS_FUNCTIONS;
		if (r->n_locations == 0 || !j->options.report)
			continue;
		r->mapping = id;
		r->reason = reason_of(j, m);
		if (m->group != UINT32_MAX)
			r->file = source_path(&j->groups.data[m->group].source,
			                      &j->groups.data[m->group]
			                               .object.files);
		j->options.report(j->options.report_ctx, r);
	}
}

static enum prof_status write_answers(struct job *j, struct prof_error *err)
{
	struct profile_editor editor;
	struct naming naming;
	enum prof_status status;

	profile_editor_begin(&editor, j->profile);
	naming_init(&naming, &editor, j->options.demangle);
	if (editor.status == PROF_OK) {
		profile_editor_reserve_lines(&editor,
		                             j->profile->lines.n +
		                                     name_sets(j, &naming));
		write_lines(j, &editor);
	}
	if (naming.has_no_memory) {
		profile_editor_cancel(&editor);
		status = error_nomem(err);
	} else {
		if (editor.status == PROF_OK)
			naming_demangle(&naming, &j->options);
		status = profile_editor_finish(&editor, err);
	}
	naming_release(&naming);
	return status;
}

/* ---- The whole ---- */

static bool begin(struct job *j, const struct prof_symbolize_options *options)
{
	const struct prof_profile *p = j->profile;

	if (options)
		memcpy(&j->options, options,
		       options->size < sizeof(j->options)
		               ? options->size
		               : sizeof(j->options));
	j->n_workers = j->options.n_threads ? j->options.n_threads
	                                    : work_n_processors();
	if (j->n_workers > WORK_MAX_WORKERS)
		j->n_workers = WORK_MAX_WORKERS;
	j->mappings = mem_zeroed(&mem_malloc, p->mappings.n,
	                         sizeof(*j->mappings));
	j->answers = mem_zeroed(&mem_malloc, p->locations.n,
	                        sizeof(*j->answers));
	if (!j->mappings || !j->answers)
		return false;
	for (size_t i = 0; i < p->mappings.n; i++)
		j->mappings[i].group = UINT32_MAX;
	for (size_t i = 0; i < p->locations.n; i++)
		j->answers[i].group = UINT32_MAX;
	return source_options_init(&j->sources, &j->options);
}

static void release(struct job *j)
{
	const struct prof_profile *p = j->profile;

	for (size_t i = 0; i < j->groups.n; i++) {
		struct group *g = &j->groups.data[i];

		object_release(&g->object);
		source_release(&g->source);
		vec_release(&g->addresses, &mem_malloc);
	}
	for (size_t i = 0; i < WORK_MAX_WORKERS; i++)
		dwarf_worker_free(j->workers[i]);
	vec_release(&j->groups, &mem_malloc);
	hash_index_release(&j->group_index, &mem_malloc);
	vec_release(&j->questions, &mem_malloc);
	vec_release(&j->first_units, &mem_malloc);
	mem_free(&mem_malloc, j->mappings,
	         p->mappings.n * sizeof(*j->mappings));
	mem_free(&mem_malloc, j->answers,
	         p->locations.n * sizeof(*j->answers));
	source_options_release(&j->sources);
	mem_free(&mem_malloc, j, sizeof(*j));
}

/* Opens the files and answers the questions. */
static enum prof_status look_up(struct job *j)
{
	struct work files = { .run = open_group, .ctx = j,
		              .n_workers = j->n_workers };

	if (!collect_questions(j))
		return PROF_NOMEM;
	files.n_tasks = j->groups.n;
	work_run(&files);
	return run_units(j);
}

enum prof_status prof_symbolize(struct prof_profile *p,
                                const struct prof_symbolize_options *options,
                                struct prof_error *err)
{
	struct job *j = mem_zeroed(&mem_malloc, 1, sizeof(*j));
	enum prof_status status = PROF_NOMEM;

	if (!j)
		return error_nomem(err);
	j->profile = p;
	j->hash_seed = hash_seed();
	if (begin(j, options))
		status = j->options.mode == PROF_SYMBOLIZE_NONE ? PROF_OK
		                                                : look_up(j);
	if (status == PROF_OK)
		status = write_answers(j, err);
	else
		error_nomem(err);
	if (status == PROF_OK)
		report(j);
	if (status == PROF_OK && j->options.go_exact)
		status = go_exact_apply(p, err);
	release(j);
	return status;
}
