/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/record.h"

#include "base/error.h"
#include "base/memory.h"
#include "sampler/stacks.h"
#include "sampler/threads.h"

#include <stdio.h>
#include <string.h>

static struct prof_str str(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

/* The names of frames that are no code. */
static enum prof_status tell_pseudo(struct recording *r,
                                    struct prof_error *err)
{
	static const struct {
		uint64_t pc;
		const char *name;
	} frames[] = {
		{ PROF_PC_TRUNCATED, "[truncated]" },
		{ PROF_PC_UNSAMPLED, "[unsampled]" },
	};
	enum prof_status status = PROF_OK;
	size_t i;

	for (i = 0; i < 2 && status == PROF_OK; i++) {
		const struct prof_symbol frame = {
			.name = str(frames[i].name),
			.system_name = str(frames[i].name)
		};

		status = r->to->symbol(r->to->ctx, frames[i].pc, &frame, 1, err);
	}
	return status;
}

enum prof_status record_header(struct recording *r, struct prof_str command,
                               uint64_t kinds, struct prof_error *err)
{
	const struct state *s = r->state;
	const struct prof_recording_header h = {
		.kinds = kinds,
		.time_ns = atomic_load(&s->time_ns),
		.clock_ns = atomic_load(&s->clock_ns),
		.hz = atomic_load(&s->cpu.hz),
		.pid = atomic_load(&s->pid),
		.command = command,
	};
	enum prof_status status = r->to->header(r->to->ctx, &h, err);

	r->has_header = true;
	return status == PROF_OK ? tell_pseudo(r, err) : status;
}

/* ---- Modules ---- */

static enum prof_status tell_module(struct recording *r,
                                    const struct module *m,
                                    struct prof_error *err)
{
	const struct module_log *log = &r->state->modules;
	struct prof_mapping mapping = {
		.start = m->start, .limit = m->limit, .offset = m->offset
	};
	const size_t n_id = m->build_id_size <= MODULE_ID_SIZE
	                            ? m->build_id_size : 0;
	char id[2 * MODULE_ID_SIZE + 1] = "";
	size_t i;

	if (m->path <= MODULES_PATHS && m->path_size <= MODULES_PATHS - m->path)
		mapping.file = (struct prof_str){ log->paths + m->path,
			                          m->path_size };
	for (i = 0; i < n_id; i++)
		snprintf(id + 2 * i, 3, "%02x", m->build_id[i]);
	mapping.build_id = (struct prof_str){ id, 2 * n_id };
	return r->to->mapping(r->to->ctx, m->time, &mapping, err);
}

enum prof_status record_modules(struct recording *r, struct prof_error *err)
{
	const struct module_log *log = &r->state->modules;
	enum prof_status status = PROF_OK;
	uint32_t n = atomic_load(&log->n);

	if (n > MODULES_MAX)
		n = MODULES_MAX;
	while (status == PROF_OK && r->n_modules < n) {
		const struct module *row = &log->modules[r->n_modules];
		struct module m;

		/* A writer is at it, or died there: then nobody needs it. */
		if (!atomic_load(&row->is_complete) &&
		    atomic_load(&r->state->end_ns) == 0)
			break;
		memcpy(&m, row, sizeof(m));
		r->n_modules++;
		if (m.limit == 0 || m.start < m.limit)
			status = tell_module(r, &m, err);
	}
	return status;
}

/* ---- Samples ---- */

static enum prof_status tell_tag(struct recording *r, uint64_t tag,
                                 struct prof_error *err)
{
	struct prof_label labels[LABELS_MAX];
	const size_t bit = (size_t)(tag / 8);
	size_t n;

	if (tag == 0 || tag >= LABELS_BYTES ||
	    (r->told[bit / 8] >> (bit % 8) & 1))
		return PROF_OK;
	r->told[bit / 8] = (uint8_t)(r->told[bit / 8] | 1u << (bit % 8));
	n = labels_decode(labels, &r->state->labels, tag);
	return r->to->label_set(r->to->ctx, tag, labels, n, err);
}

enum prof_status record_chunk(struct recording *r, const uint64_t *words,
                              size_t n_words, const uint64_t *tags,
                              size_t n_tags, struct prof_error *err)
{
	enum prof_status status = record_modules(r, err);
	size_t i, at;

	for (i = 0; i < n_tags && status == PROF_OK; i++)
		status = tell_tag(r, tags[i], err);
	for (i = 0, at = 0; i < n_tags && n_words - at >= 4; i++) {
		const uint64_t n = words[at];

		if (n == 4 && words[at + 2] == 0)
			r->lost += words[at + 3];
		if (n > n_words - at)
			break;
		at += (size_t)n;
	}
	if (status == PROF_OK)
		status = r->to->words(r->to->ctx, words, n_words, tags, n_tags,
		                      err);
	return status;
}

/* ---- The other kinds ---- */

static enum prof_status tell_mem(struct recording *r, struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	const int64_t rate = atomic_load(&r->state->mem.rate);
	size_t n = heap_records(NULL, 0, r->state), got;
	struct prof_mem_record *recs;
	enum prof_status status;

	if (n == 0 && rate == 0 && !r->tells_empty)
		return PROF_OK;
	recs = mem_zeroed(a, n + 1, sizeof(*recs));
	if (!recs)
		return error_nomem(err);
	got = heap_records(recs, n, r->state);
	status = r->to->mem(r->to->ctx, rate, recs, got < n ? got : n, err);
	mem_free(a, recs, (n + 1) * sizeof(*recs));
	return status;
}

static enum prof_status tell_block(struct recording *r, const char *name,
                                   const struct wait_table *t,
                                   struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	const size_t n = lock_records(NULL, 0, t, &r->state->stacks);
	struct prof_block_record *recs;
	enum prof_status status;
	size_t got;

	if (n == 0 && atomic_load(&t->rate) == 0 && !r->tells_empty)
		return PROF_OK;
	recs = mem_zeroed(a, n + 1, sizeof(*recs));
	if (!recs)
		return error_nomem(err);
	got = lock_records(recs, n, t, &r->state->stacks);
	status = r->to->block(r->to->ctx, str(name), 1000000000, recs,
	                      got < n ? got : n, err);
	mem_free(a, recs, (n + 1) * sizeof(*recs));
	return status;
}

static size_t collect(struct prof_count_record *recs, const struct state *s,
                      uint32_t profile)
{
	size_t i, n = 0;

	for (i = 0; i < COUNTS_ENTRIES; i++) {
		const struct count_entry *e = &s->counts.entries[i];

		if (e->profile != profile + 1)
			continue;
		recs[n] = (struct prof_count_record){
			.n = (int64_t)e->n
		};
		recs[n].n_pcs = stacks_get(&s->stacks, e->stack, &recs[n].pcs);
		n++;
	}
	return n;
}

static enum prof_status tell_thread_records(
	struct recording *r, const struct prof_thread_record *threads, size_t n,
	struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	struct prof_count_record *recs = mem_zeroed(a, n + 1, sizeof(*recs));
	enum prof_status status;
	size_t i;

	if (!recs)
		return error_nomem(err);
	for (i = 0; i < n; i++) {
		recs[i].n = 1;
		recs[i].pcs = threads[i].stack;
		while (recs[i].n_pcs < THREAD_TABLE_DEPTH &&
		       threads[i].stack[recs[i].n_pcs])
			recs[i].n_pcs++;
	}
	status = r->to->count(r->to->ctx, str("thread"), recs, n, err);
	mem_free(a, recs, (n + 1) * sizeof(*recs));
	return status;
}

/* Those that were taken when somebody asked. */
static enum prof_status tell_threads(struct recording *r,
                                     struct prof_error *err)
{
	const struct thread_table *t = &r->state->threads;
	const uint32_t n = thread_table_n(t);

	if (n == 0 && !(r->state->options.kinds & PROF_TARGET_THREAD))
		return PROF_OK;
	return tell_thread_records(r, t->recs, n, err);
}

/* An empty profile is an answer where somebody asked. */
static bool is_wished(const struct state *s, uint32_t profile)
{
	const uint64_t kinds = s->options.kinds;

	return profile == COUNTS_THREADCREATE
	               ? kinds & PROF_TARGET_THREADCREATE
	               : profile <= COUNTS_CHILD && (kinds & PROF_TARGET_FD);
}

static enum prof_status tell_count(struct recording *r, uint32_t i,
                                   struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	const size_t size = COUNTS_ENTRIES * sizeof(struct prof_count_record);
	struct prof_count_record *recs = mem_resize(a, NULL, 0, size);
	char name[COUNTS_NAME + 1] = "";
	enum prof_status status;

	if (!recs)
		return error_nomem(err);
	memcpy(name, r->state->counts.names[i], COUNTS_NAME);
	status = r->to->count(r->to->ctx, str(name), recs,
	                      collect(recs, r->state, i), err);
	mem_free(a, recs, size);
	return status;
}

static enum prof_status tell_counts(struct recording *r,
                                    struct prof_error *err)
{
	const struct count_table *c = &r->state->counts;
	enum prof_status status = PROF_OK;
	uint32_t n = atomic_load(&c->n_profiles), i;

	if (n > COUNTS_PROFILES)
		n = COUNTS_PROFILES;
	for (i = 0; i < n && status == PROF_OK; i++)
		if (atomic_load(&c->n[i]) != 0 || is_wished(r->state, i))
			status = tell_count(r, i, err);
	return status;
}

static enum prof_status tell_end(struct recording *r, uint64_t end,
                                 struct prof_error *err)
{
	const uint64_t begin = atomic_load(&r->state->clock_ns);

	return r->to->end(r->to->ctx,
	                  begin && end > begin ? (int64_t)(end - begin) : 0,
	                  r->lost, err);
}

enum prof_status record_end(struct recording *r, struct prof_error *err)
{
	const struct state *s = r->state;
	uint64_t end = atomic_load(&s->end_ns);
	enum prof_status status = record_modules(r, err);

	if (end == 0)
		end = sampler_now();
	if (status == PROF_OK)
		status = tell_mem(r, err);
	if (status == PROF_OK)
		status = tell_block(r, "block", &s->block, err);
	if (status == PROF_OK)
		status = tell_block(r, "mutex", &s->mutex, err);
	if (status == PROF_OK)
		status = tell_block(r, "wall", &s->wall, err);
	if (status == PROF_OK)
		status = tell_threads(r, err);
	if (status == PROF_OK)
		status = tell_counts(r, err);
	return status == PROF_OK ? tell_end(r, end, err) : status;
}

/* ---- This process ---- */

enum prof_status prof_record(const struct prof_recorder *recorder,
                             struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	struct prof_chunk chunk;
	struct recording *r;
	enum prof_status status;
	uint64_t kinds = PROF_RECORDS_COUNT;

	if (!sampler_init(err))
		return PROF_NOMEM;
	r = mem_zeroed(a, 1, sizeof(*r));
	if (!r)
		return error_nomem(err);
	r->state = sampler_state;
	r->to = recorder;
	if (atomic_load(&sampler_state->cpu.hz))
		kinds |= PROF_RECORDS_CPU;
	if (atomic_load(&sampler_state->mem.rate))
		kinds |= PROF_RECORDS_MEM;
	if (atomic_load(&sampler_state->block.rate) ||
	    atomic_load(&sampler_state->mutex.rate) ||
	    atomic_load(&sampler_state->wall.rate))
		kinds |= PROF_RECORDS_BLOCK;
	status = record_header(r, (struct prof_str){ NULL, 0 }, kinds, err);
	while (status == PROF_OK && prof_cpu_read(&chunk) == PROF_GOT_CHUNK)
		status = record_chunk(r, chunk.words, chunk.n_words, chunk.tags,
		                      chunk.n_tags, err);
	if (status == PROF_OK)
		status = record_end(r, err);
	mem_free(a, r, sizeof(*r));
	return status;
}

/* ---- One profile of this process ---- */

/* The stacks of all threads now. Their code may be met for the first time, so
   the modules come after them. */
static enum prof_status tell_threads_now(struct recording *r,
                                         struct prof_error *err)
{
	const struct prof_allocator *a = &mem_malloc;
	const size_t size = THREADS_MAX;
	struct prof_thread_record *threads =
		mem_resize(a, NULL, 0, size * sizeof(*threads));
	enum prof_status status;
	size_t n;

	if (!threads)
		return error_nomem(err);
	prof_thread_records(&n, threads, size);
	status = record_modules(r, err);
	if (status == PROF_OK)
		status = tell_thread_records(r, threads, n < size ? n : size,
		                             err);
	mem_free(a, threads, size * sizeof(*threads));
	return status;
}

static enum prof_status tell_profile(struct recording *r, uint32_t i,
                                     struct prof_error *err)
{
	switch (i) {
	case COUNTS_THREAD:
		return tell_threads_now(r, err);
	case COUNTS_HEAP:
	case COUNTS_ALLOCS:
		return tell_mem(r, err);
	case COUNTS_BLOCK:
		return tell_block(r, "block", &r->state->block, err);
	case COUNTS_MUTEX:
		return tell_block(r, "mutex", &r->state->mutex, err);
	case COUNTS_WALL:
		return tell_block(r, "wall", &r->state->wall, err);
	default:
		return tell_count(r, i, err);
	}
}

static uint64_t kind_of(uint32_t i)
{
	if (i == COUNTS_HEAP || i == COUNTS_ALLOCS)
		return PROF_RECORDS_MEM;
	return i >= COUNTS_BLOCK && i <= COUNTS_WALL ? PROF_RECORDS_BLOCK
	                                             : PROF_RECORDS_COUNT;
}

enum prof_status prof_record_profile(const struct prof_recorder *recorder,
                                     const char *name, struct prof_error *err)
{
	const struct prof_collection *p = prof_lookup(name);
	const struct prof_allocator *a = &mem_malloc;
	enum prof_status status;
	struct recording *r;

	if (!p)
		return error_set(err, PROF_INVALID,
		                 "there is no profile \"%.48s\"", name);
	r = mem_zeroed(a, 1, sizeof(*r));
	if (!r)
		return error_nomem(err);
	r->state = sampler_state;
	r->to = recorder;
	r->tells_empty = true;
	status = record_header(r, (struct prof_str){ NULL, 0 },
	                       kind_of(counts_index(p)), err);
	if (status == PROF_OK)
		status = record_modules(r, err);
	if (status == PROF_OK)
		status = tell_profile(r, counts_index(p), err);
	if (status == PROF_OK)
		status = tell_end(r, sampler_now(), err);
	mem_free(a, r, sizeof(*r));
	return status;
}
