/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles of this process as it is now, by name. It stands on the public
 * makers of profiles alone, and is no part of what is loaded into other
 * programs.
 */
#include "sampler/state.h"

#include "base/error.h"
#include "base/memory.h"
#include "sampler/stacks.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH = 32, MAX_THREADS = 1 << 14 };

/* ---- Mappings, from the log of modules ---- */

struct mappings {
	struct prof_mapping rows[MODULES_MAX];
	char ids[MODULES_MAX][2 * MODULE_ID_SIZE + 1];
	size_t n;
};

static void remove_overlapping(struct mappings *all, const struct module *m)
{
	size_t i, kept = 0;

	for (i = 0; i < all->n; i++) {
		const struct prof_mapping *row = &all->rows[i];
		const bool is_gone = m->limit == 0
		                             ? row->start == m->start
		                             : row->start < m->limit &&
		                                       m->start < row->limit;

		if (is_gone)
			continue;
		all->rows[kept] = *row;
		memmove(all->ids[kept], all->ids[i], sizeof(all->ids[0]));
		kept++;
	}
	all->n = kept;
}

static void read_mappings(struct mappings *all)
{
	const struct module_log *log = &sampler_state->modules;
	uint32_t n = atomic_load(&log->n), i, k;

	for (i = 0; i < n && i < MODULES_MAX; i++) {
		const struct module *m = &log->modules[i];
		struct prof_mapping *row;

		if (!atomic_load(&m->is_complete))
			continue;
		remove_overlapping(all, m);
		if (m->limit == 0)
			continue;
		row = &all->rows[all->n];
		*row = (struct prof_mapping){ .start = m->start,
			                      .limit = m->limit,
			                      .offset = m->offset };
		row->file = (struct prof_str){ log->paths + m->path,
			                       m->path_size };
		for (k = 0; k < m->build_id_size; k++)
			snprintf(all->ids[all->n] + 2 * k, 3, "%02x",
			         m->build_id[k]);
		all->n++;
	}
	/* Rows have moved: only now do the ids stay where they are. */
	for (i = 0; i < all->n; i++)
		all->rows[i].build_id = (struct prof_str){
			all->ids[i], strlen(all->ids[i])
		};
}

/* ---- Makers ---- */

struct making {
	struct prof_profile **out;
	struct prof_from_options options;
	struct prof_error *err;
};

static enum prof_status make_mem(const struct making *m)
{
	const struct prof_allocator *a = &mem_malloc;
	struct prof_mem_record *recs;
	enum prof_status status = PROF_OK;
	size_t n, size;

	prof_mem_records(&n, NULL, 0);
	size = n + n / 8 + 64; /* more may come meanwhile */
	recs = mem_zeroed(a, size, sizeof(*recs));
	if (!recs)
		return error_nomem(m->err);
	if (!prof_mem_records(&n, recs, size))
		n = size;
	status = prof_from_mem(m->out, recs, n,
	                       atomic_load(&sampler_state->mem.rate),
	                       &m->options, m->err);
	mem_free(a, recs, size * sizeof(*recs));
	return status;
}

static enum prof_status make_block(const struct making *m,
                                   const struct wait_table *t)
{
	const struct prof_allocator *a = &mem_malloc;
	const size_t size = WAIT_BUCKETS;
	struct prof_block_record *recs = mem_zeroed(a, size, sizeof(*recs));
	enum prof_status status;
	size_t n;

	if (!recs)
		return error_nomem(m->err);
	n = lock_records(recs, size, t, &sampler_state->stacks);
	status = prof_from_block(m->out, recs, n, 1000000000, &m->options,
	                         m->err);
	mem_free(a, recs, size * sizeof(*recs));
	return status;
}

struct threads {
	struct prof_thread_record *recs;
	size_t n;
};

static size_t n_threads(void *ctx)
{
	return ((const struct threads *)ctx)->n;
}

static size_t thread_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	const struct threads *t = ctx;
	size_t n = 0;

	*pcs = t->recs[i].stack;
	while (n < DEPTH && (*pcs)[n])
		n++;
	return n;
}

static enum prof_status make_threads(const struct making *m)
{
	const struct prof_allocator *a = &mem_malloc;
	struct threads t = { NULL, 0 };
	struct prof_count_profile count = { "thread", n_threads, thread_stack,
		                            NULL, &t };
	const size_t size = MAX_THREADS * sizeof(*t.recs);
	enum prof_status status;

	t.recs = mem_resize(a, NULL, 0, size);
	if (!t.recs)
		return error_nomem(m->err);
	prof_thread_records(&t.n, t.recs, MAX_THREADS);
	if (t.n > MAX_THREADS)
		t.n = MAX_THREADS;
	status = prof_from_count(m->out, &count, &m->options, m->err);
	mem_free(a, t.recs, size);
	return status;
}

/* A collection's stacks, one for each value. */
struct entries {
	uint32_t stacks[COUNTS_ENTRIES];
	size_t n;
};

static size_t n_entries(void *ctx)
{
	return ((const struct entries *)ctx)->n;
}

static size_t entry_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	const struct entries *e = ctx;

	return stacks_get(&sampler_state->stacks, e->stacks[i], pcs);
}

static void read_entries(struct entries *out, const struct prof_collection *p)
{
	const struct count_table *t = &sampler_state->counts;
	const uint32_t profile =
		(uint32_t)((prof_name(p) - t->names[0]) / COUNTS_NAME) + 1;
	uint64_t n;
	size_t i;

	counts_lock();
	for (i = 0; i < COUNTS_ENTRIES; i++)
		for (n = 0; t->entries[i].profile == profile &&
		            n < t->entries[i].n && out->n < COUNTS_ENTRIES;
		     n++)
			out->stacks[out->n++] = t->entries[i].stack;
	counts_unlock();
}

static enum prof_status make_collection(const struct making *m,
                                        const struct prof_collection *p)
{
	const struct prof_allocator *a = &mem_malloc;
	struct entries *e = mem_zeroed(a, 1, sizeof(*e));
	struct prof_count_profile count = { prof_name(p), n_entries,
		                            entry_stack, NULL, e };
	enum prof_status status;

	if (!e)
		return error_nomem(m->err);
	read_entries(e, p);
	status = prof_from_count(m->out, &count, &m->options, m->err);
	mem_free(a, e, sizeof(*e));
	return status;
}

static enum prof_status make(const struct making *m, const char *name)
{
	const struct prof_collection *p;

	if (!strcmp(name, "heap") || !strcmp(name, "allocs"))
		return make_mem(m);
	if (!strcmp(name, "block"))
		return make_block(m, &sampler_state->block);
	if (!strcmp(name, "mutex"))
		return make_block(m, &sampler_state->mutex);
	if (!strcmp(name, "thread"))
		return make_threads(m);
	p = prof_lookup(name);
	if (p)
		return make_collection(m, p);
	return error_set(m->err, PROF_INVALID, "there is no profile \"%s\"",
	                 name);
}

enum prof_status prof_snapshot(struct prof_profile **out, const char *name,
                               struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	struct making m = { .out = out, .err = err };
	struct mappings *mappings;
	enum prof_status status;

	if (!sampler_init(err))
		return PROF_NOMEM;
	mappings = mem_zeroed(a, 1, sizeof(*mappings));
	if (!mappings)
		return error_nomem(err);
	read_mappings(mappings);
	m.options = (struct prof_from_options){
		.size = sizeof(m.options),
		.mappings = mappings->rows,
		.n_mappings = mappings->n,
		.time_ns = atomic_load(&sampler_state->time_ns),
		.duration_ns = (int64_t)(sampler_now() -
		                         atomic_load(&sampler_state->clock_ns)),
		.default_sample_type =
			strcmp(name, "allocs") ? NULL : "alloc_space",
	};
	status = make(&m, name);
	mem_free(a, mappings, sizeof(*mappings));
	return status;
}
