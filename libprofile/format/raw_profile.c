/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile as a recording, for programs that take those. It has no times;
 * what was aggregated stays so. A profile with samples/count becomes CPU
 * words, any other a count profile of one of its columns.
 *
 * A recording knows addresses and, beside them, what is at each. So every
 * location needs an address of its own: a location without one gets one that
 * no other has. Its address is one less than the return address that stands
 * for it.
 *
 * The profile is told twice: to a fold, which makes of it what a reader of the
 * recording will get, and that to the file. So what is read and written again
 * is the same bytes.
 */
#include "format/raw.h"

#include "base/error.h"
#include "model/fold.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024

struct profile_recorder {
	const struct prof_profile *p;
	struct format_writing *w;
	struct prof_recorder to;
	const struct prof_allocator *a;
	struct prof_error *err;
	uint32_t column;    /* that is written */
	bool is_cpu;
	uint64_t hz;
	uint64_t *pcs;      /* by location id: the return address */
	uint32_t *stack;    /* [max depth] */
	uint64_t *stack_pcs;
	size_t max_depth;
	VEC(uint64_t) words, tags;
};

/* A time that is a count times the period must fit. */
static bool fits_cpu(const struct profile_recorder *g)
{
	const int64_t period = g->p->period > 0 ? g->p->period : 1;
	struct prof_sample s;
	int64_t time, sum = 0;

	for (uint32_t i = 0; prof_get_sample(g->p, i, &s); i++)
		if (s.values[g->column] <= 0 ||
		    __builtin_mul_overflow(s.values[g->column], period, &time) ||
		    __builtin_add_overflow(sum, time, &sum))
			return false;
	return true;
}

static enum prof_status choose_column(struct profile_recorder *g)
{
	const char *name = g->w->options.sample_type;
	struct prof_value_type type;
	enum prof_status status;

	status = prof_find_sample_type(&g->column, g->p, name ? name : "",
	                               g->err);
	for (uint32_t i = 0; status == PROF_OK && !name &&
	     prof_get_sample_type(g->p, i, &type); i++)
		if (type.type.len == 7 && !memcmp(type.type.ptr, "samples", 7))
			g->column = i;
	if (status == PROF_OK && prof_get_sample_type(g->p, g->column, &type))
		g->is_cpu = type.type.len == 7 &&
			!memcmp(type.type.ptr, "samples", 7) && fits_cpu(g);
	return status;
}

/* ---- Addresses ---- */

static int compare_u64(const void *a_, const void *b_)
{
	const uint64_t a = *(const uint64_t *)a_;
	const uint64_t b = *(const uint64_t *)b_;

	return (a > b) - (a < b);
}

/* Where in sorted[n] the first is that is not below pc; n where none is. */
static size_t place_of(const uint64_t *sorted, size_t n, uint64_t pc)
{
	size_t begin = 0;

	while (begin < n) {
		const size_t middle = begin + (n - begin) / 2;

		if (sorted[middle] < pc)
			begin = middle + 1;
		else
			n = middle;
	}
	return begin;
}

/*
 * Addresses for all locations, in g->pcs. sorted[n] are the profile's own;
 * is_used[i] tells that sorted[i] was given away. Addresses of 0 are none.
 */
static void give_addresses(struct profile_recorder *g, const uint64_t *sorted,
                           bool *is_used, uint32_t n)
{
	uint64_t made_up = 1;

	for (uint32_t id = 1; id <= n; id++) {
		const uint64_t pc = g->p->locations.data[id].address + 1;
		const size_t i = place_of(sorted, n, pc);

		if (pc > 1 && !is_used[i]) {
			is_used[i] = true;
			g->pcs[id] = pc;
			continue;
		}
		do {
			made_up++;
		} while (bsearch(&made_up, sorted, n, sizeof(*sorted),
		                 compare_u64));
		g->pcs[id] = made_up;
	}
}

/* The first location of an address keeps it; others get made-up ones. */
static bool choose_addresses(struct profile_recorder *g)
{
	const uint32_t n = prof_n_locations(g->p);
	uint64_t *sorted = mem_zeroed(g->a, (size_t)n + 1, sizeof(*sorted));
	bool *is_used = mem_zeroed(g->a, (size_t)n + 1, sizeof(*is_used));

	g->pcs = mem_zeroed(g->a, (size_t)n + 1, sizeof(*g->pcs));
	if (sorted && is_used && g->pcs) {
		for (uint32_t i = 0; i < n; i++)
			sorted[i] = g->p->locations.data[i + 1].address + 1;
		qsort(sorted, n, sizeof(*sorted), compare_u64);
		give_addresses(g, sorted, is_used, n);
	}
	mem_free(g->a, sorted, ((size_t)n + 1) * sizeof(*sorted));
	mem_free(g->a, is_used, ((size_t)n + 1) * sizeof(*is_used));
	return sorted && is_used && g->pcs;
}

/* ---- Telling ---- */

static enum prof_status tell_header(struct profile_recorder *g)
{
	const int64_t period = g->p->period;
	struct prof_recording_header h = {
		.kinds = g->is_cpu ? PROF_RECORDS_CPU : PROF_RECORDS_COUNT,
		.time_ns = g->p->time_ns,
	};

	if (g->is_cpu)
		h.hz = g->hz = period > 0 && period <= 1000000000 ?
			(uint64_t)(1000000000 / period) : 1;
	return g->to.header(g->to.ctx, &h, g->err);
}

static enum prof_status tell_mappings(struct profile_recorder *g)
{
	enum prof_status status = PROF_OK;
	struct prof_mapping m;

	for (uint32_t id = 1; status == PROF_OK &&
	     prof_get_mapping(g->p, id, &m); id++)
		if (m.limit)
			status = g->to.mapping(g->to.ctx, 0, &m, g->err);
	return status;
}

/* The number of a label set is its tag. */
static enum prof_status tell_label_sets(struct profile_recorder *g)
{
	const uint32_t n = prof_n_label_sets(g->p);
	const size_t size = prof_max_label_set_size(g->p) + 1;
	struct prof_label *labels = mem_zeroed(g->a, size, sizeof(*labels));
	enum prof_status status = labels ? PROF_OK : error_nomem(g->err);

	for (uint32_t id = 1; id <= n && status == PROF_OK; id++) {
		const size_t count = prof_get_label_set(g->p, id, labels, size);

		status = g->to.label_set(g->to.ctx, id, labels, count, g->err);
	}
	mem_free(g->a, labels, size * sizeof(*labels));
	return status;
}

static enum prof_status tell_symbol(struct profile_recorder *g, uint32_t id)
{
	struct prof_location l;
	struct prof_symbol *frames;
	enum prof_status status;

	prof_get_location(g->p, id, &l);
	if (l.n_lines == 0)
		return PROF_OK;
	frames = mem_zeroed(g->a, l.n_lines, sizeof(*frames));
	if (!frames)
		return error_nomem(g->err);
	for (uint32_t i = 0; i < l.n_lines; i++) {
		struct prof_function f;

		prof_get_function(g->p, l.lines[i].function, &f);
		frames[i] = (struct prof_symbol){
			f.name, f.system_name, f.filename, l.lines[i].line,
			l.lines[i].column, f.start_line };
	}
	status = g->to.symbol(g->to.ctx, g->pcs[id], frames, l.n_lines, g->err);
	mem_free(g->a, frames, l.n_lines * sizeof(*frames));
	return status;
}

static int compare_by_pc(const void *a, const void *b, void *ctx)
{
	const struct profile_recorder *g = ctx;

	return compare_u64(&g->pcs[*(const uint32_t *)a],
	                   &g->pcs[*(const uint32_t *)b]);
}

/* In order of addresses, which is the same whoever numbered the locations. */
static enum prof_status tell_symbols(struct profile_recorder *g)
{
	const uint32_t n = prof_n_locations(g->p);
	uint32_t *ids = mem_zeroed(g->a, (size_t)n + 1, sizeof(*ids));
	enum prof_status status = PROF_OK;

	if (!ids)
		return error_nomem(g->err);
	for (uint32_t i = 0; i < n; i++)
		ids[i] = i + 1;
	qsort_r(ids, n, sizeof(*ids), compare_by_pc, g);
	for (uint32_t i = 0; i < n && status == PROF_OK; i++)
		status = tell_symbol(g, ids[i]);
	mem_free(g->a, ids, ((size_t)n + 1) * sizeof(*ids));
	return status;
}

/* ---- Samples ---- */

static size_t stack_pcs(struct profile_recorder *g, uint32_t stack)
{
	const size_t n = prof_get_stack(g->p, stack, g->stack, g->max_depth);

	for (size_t i = 0; i < n; i++)
		g->stack_pcs[i] = g->pcs[g->stack[i]];
	return n;
}

static enum prof_status flush_words(struct profile_recorder *g)
{
	enum prof_status status = PROF_OK;

	if (g->tags.n)
		status = g->to.words(g->to.ctx, g->words.data, g->words.n,
		                     g->tags.data, g->tags.n, g->err);
	g->words.n = g->tags.n = 0;
	return status;
}

static enum prof_status put_record(struct profile_recorder *g, uint64_t count,
                                   size_t n_pcs, uint64_t tag)
{
	if (!vec_reserve(&g->words, n_pcs + 3, g->a) ||
	    !vec_reserve(&g->tags, 1, g->a))
		return error_nomem(g->err);
	g->words.n += prof_raw_put(g->words.data + g->words.n, n_pcs + 3, 0,
	                           count, g->stack_pcs, n_pcs);
	vec_put(&g->tags, tag);
	return g->tags.n < BATCH ? PROF_OK : flush_words(g);
}

static enum prof_status tell_words(struct profile_recorder *g)
{
	enum prof_status status = put_record(g, g->hz, 0, 0);
	struct prof_sample s;

	for (uint32_t i = 0; status == PROF_OK &&
	     prof_get_sample(g->p, i, &s); i++) {
		/* Counts are positive: see fits_cpu(). */
		status = put_record(g, (uint64_t)s.values[g->column],
		                    stack_pcs(g, s.stack), s.label_set);
	}
	return status == PROF_OK ? flush_words(g) : status;
}

static enum prof_status tell_counts(struct profile_recorder *g)
{
	enum prof_status status = PROF_OK;
	struct prof_value_type type;
	struct prof_sample s;

	prof_get_sample_type(g->p, g->column, &type);
	/* Of no samples the name is told all the same. */
	if (prof_n_samples(g->p) == 0)
		return g->to.count(g->to.ctx, type.type, NULL, 0, g->err);
	for (uint32_t i = 0; status == PROF_OK &&
	     prof_get_sample(g->p, i, &s); i++) {
		const struct prof_count_record record = {
			.n = s.values[g->column],
			.n_pcs = stack_pcs(g, s.stack),
			.pcs = g->stack_pcs,
			.tag = s.label_set,
		};

		status = g->to.count(g->to.ctx, type.type, &record, 1, g->err);
	}
	return status;
}

/* ---- What is left out ---- */

/* A recording has little of what a profile says of itself. */
static enum prof_status note_losses(struct profile_recorder *g)
{
	const size_t n_types = g->p->sample_types.n;
	struct prof_value_type type;

	prof_get_sample_type(g->p, g->column, &type);
	return writing_note(g->w, g->err, "a recording keeps the stacks, the "
	                    "labels and the %.40s of a profile; dropped: %zu "
	                    "other sample types, %zu comments, the rest of its "
	                    "header", type.type.ptr, n_types - 1,
	                    g->p->comments.n);
}

static enum prof_status tell_all(struct profile_recorder *g)
{
	enum prof_status status = tell_header(g);

	if (status == PROF_OK)
		status = tell_mappings(g);
	if (status == PROF_OK)
		status = tell_label_sets(g);
	if (status == PROF_OK)
		status = tell_symbols(g);
	if (status == PROF_OK)
		status = g->is_cpu ? tell_words(g) : tell_counts(g);
	if (status == PROF_OK)
		status = g->to.end(g->to.ctx, g->p->duration_ns, 0, g->err);
	return status;
}

/* Tells g->p to g->to. */
static enum prof_status tell_profile(struct profile_recorder *g)
{
	const size_t depth = prof_max_stack_depth(g->p) + 1;
	const size_t n_pcs = (size_t)prof_n_locations(g->p) + 1;
	enum prof_status status = PROF_OK;

	g->max_depth = depth;
	g->pcs = NULL;
	g->stack = mem_zeroed(g->a, depth, sizeof(*g->stack));
	g->stack_pcs = mem_zeroed(g->a, depth, sizeof(*g->stack_pcs));
	if (!g->stack || !g->stack_pcs || !choose_addresses(g))
		status = error_nomem(g->err);
	if (status == PROF_OK)
		status = tell_all(g);
	mem_free(g->a, g->stack, depth * sizeof(*g->stack));
	mem_free(g->a, g->stack_pcs, depth * sizeof(*g->stack_pcs));
	mem_free(g->a, g->pcs, n_pcs * sizeof(*g->pcs));
	vec_release(&g->words, g->a);
	vec_release(&g->tags, g->a);
	return status;
}

/* What a reader of the recording gets. */
static enum prof_status fold_profile(struct prof_profile **out,
                                     struct profile_recorder *g)
{
	const struct prof_read_options options = { 0 };
	struct prof_builder *b = prof_builder_new(g->a);
	struct fold *fold = NULL;
	enum prof_status status;

	if (!b)
		return error_nomem(g->err);
	status = fold_new(&fold, &g->to, b, &options, g->err);
	if (status == PROF_OK)
		status = tell_profile(g);
	if (status == PROF_OK)
		status = fold_finish(fold, g->err);
	if (fold)
		fold_free(fold);
	if (status == PROF_OK)
		return prof_builder_finish(out, b, g->err);
	prof_builder_free(b);
	return status;
}

enum prof_status raw_write_profile(const struct prof_profile *p,
                                   const struct prof_recorder *to,
                                   struct format_writing *w,
                                   struct prof_error *err)
{
	struct profile_recorder g = {
		.p = p, .w = w, .a = &w->allocator, .err = err,
	};
	struct prof_profile *folded = NULL;
	enum prof_status status = choose_column(&g);

	if (status == PROF_OK)
		status = note_losses(&g);
	if (status == PROF_OK)
		status = fold_profile(&folded, &g);
	if (status == PROF_OK) {
		assert(folded);
		g.p = folded;
		g.column = 0;
		g.to = *to;
		status = tell_profile(&g);
	}
	prof_profile_free(folded);
	return status;
}
