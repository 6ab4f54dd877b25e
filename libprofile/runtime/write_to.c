/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profile.WriteTo. Records come by the public functions alone: where
 * libprofile-preload stands in front of this library, they are its own.
 */
#include "runtime/frame_text.h"
#include "runtime/legacy_text.h"

#include "base/error.h"

#include <profile/sampler.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct prof_allocator *const allocator = &mem_malloc;

/* ---- Records ---- */

/* Records of any type, fetched as (n, ok): more may come meanwhile. */
struct records {
	void *recs;
	size_t n, size, bytes;
};

typedef bool (*fetcher)(const struct prof_collection *p, size_t *n,
                        void *recs, size_t size);

static enum prof_status fetch(struct records *r, fetcher f,
                              const struct prof_collection *p, size_t bytes,
                              struct prof_error *err)
{
	bool has_all;

	*r = (struct records){ .bytes = bytes };
	f(p, &r->n, NULL, 0);
	do {
		mem_free(allocator, r->recs, r->size * bytes);
		r->size = r->n + r->n / 8 + 64;
		r->recs = mem_zeroed(allocator, r->size, bytes);
		if (!r->recs)
			return error_nomem(err);
		has_all = f(p, &r->n, r->recs, r->size);
	} while (!has_all);
	return PROF_OK;
}

static void release(struct records *r)
{
	mem_free(allocator, r->recs, r->size * r->bytes);
}

static bool fetch_mem(const struct prof_collection *p, size_t *n, void *recs,
                      size_t size)
{
	(void)p;
	return prof_mem_records(n, recs, size);
}

static bool fetch_block(const struct prof_collection *p, size_t *n, void *recs,
                        size_t size)
{
	(void)p;
	return prof_block_records(n, recs, size);
}

static bool fetch_mutex(const struct prof_collection *p, size_t *n, void *recs,
                        size_t size)
{
	(void)p;
	return prof_mutex_records(n, recs, size);
}

static bool fetch_wall(const struct prof_collection *p, size_t *n, void *recs,
                       size_t size)
{
	(void)p;
	return prof_wall_records(n, recs, size);
}

static bool fetch_threads(const struct prof_collection *p, size_t *n,
                          void *recs, size_t size)
{
	(void)p;
	return prof_thread_records(n, recs, size);
}

static bool fetch_counts(const struct prof_collection *p, size_t *n,
                         void *recs, size_t size)
{
	return prof_count_records(p, n, recs, size);
}

/* ---- Texts ---- */

static enum prof_status text_mem(const struct prof_collection *p,
                                 struct prof_sink sink, struct prof_error *err)
{
	struct records r;
	enum prof_status status =
		fetch(&r, fetch_mem, p, sizeof(struct prof_mem_record), err);

	if (status == PROF_OK)
		status = legacy_text_mem(sink, r.recs, r.n,
		                         prof_set_mem_rate(-1), err);
	release(&r);
	return status;
}

static enum prof_status text_waits(const struct prof_collection *p,
                                   struct prof_sink sink, fetcher f,
                                   const char *first_lines,
                                   struct prof_error *err)
{
	struct records r;
	enum prof_status status =
		fetch(&r, f, p, sizeof(struct prof_block_record), err);

	if (status == PROF_OK)
		status = legacy_text_block(sink, first_lines, r.recs, r.n, err);
	release(&r);
	return status;
}

#define RATE_LINE "cycles/second=1000000000\n"

static enum prof_status text_block(const struct prof_collection *p,
                                   struct prof_sink sink,
                                   struct prof_error *err)
{
	return text_waits(p, sink, fetch_block, "--- contention:\n" RATE_LINE,
	                  err);
}

/* What is recorded is scaled already, so it is as if each was sampled. */
static enum prof_status text_mutex(const struct prof_collection *p,
                                   struct prof_sink sink,
                                   struct prof_error *err)
{
	return text_waits(p, sink, fetch_mutex,
	                  "--- mutex:\n" RATE_LINE "sampling period=1\n", err);
}

static enum prof_status text_wall(const struct prof_collection *p,
                                  struct prof_sink sink,
                                  struct prof_error *err)
{
	return text_waits(p, sink, fetch_wall, "--- contention:\n" RATE_LINE,
	                  err);
}

/* ---- Counts ---- */

static size_t n_records(void *ctx)
{
	return ((const struct records *)ctx)->n;
}

static size_t thread_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	const struct records *r = ctx;
	const struct prof_thread_record *t = r->recs;
	size_t n = 0;

	*pcs = t[i].stack;
	while (n < 32 && t[i].stack[n])
		n++;
	return n;
}

static enum prof_status text_threads(const struct prof_collection *p,
                                     struct prof_sink sink,
                                     struct prof_error *err)
{
	struct records r;
	const struct prof_count_profile c = { "thread", n_records, thread_stack,
		                              NULL, &r };
	enum prof_status status = fetch(&r, fetch_threads, p,
	                                sizeof(struct prof_thread_record), err);

	if (status == PROF_OK)
		status = legacy_text_count(sink, &c, err);
	release(&r);
	return status;
}

/* Records that count more than one, as many stacks. */
struct counted {
	const struct prof_count_record *recs;
	size_t n;     /* in all */
	size_t i;     /* of recs, where the last look was: looks go upwards */
	size_t first; /* the first number of recs[i] */
};

static size_t n_counted(void *ctx)
{
	return ((const struct counted *)ctx)->n;
}

static size_t counted_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	struct counted *c = ctx;

	while (i - c->first >= (size_t)c->recs[c->i].n)
		c->first += (size_t)c->recs[c->i++].n;
	*pcs = c->recs[c->i].pcs;
	return c->recs[c->i].n_pcs;
}

static enum prof_status text_counts(const struct prof_collection *p,
                                    struct prof_sink sink,
                                    struct prof_error *err)
{
	struct records r;
	struct counted counted = { NULL, 0, 0, 0 };
	const struct prof_count_profile c = { prof_name(p), n_counted,
		                              counted_stack, NULL, &counted };
	enum prof_status status = fetch(&r, fetch_counts, p,
	                                sizeof(struct prof_count_record), err);
	size_t i;

	counted.recs = r.recs;
	for (i = 0; status == PROF_OK && i < r.n; i++)
		counted.n += (size_t)counted.recs[i].n;
	if (status == PROF_OK)
		status = legacy_text_count(sink, &c, err);
	release(&r);
	return status;
}

/* ---- All threads, for people ---- */

/* What the kernel calls it, and what it does. */
static void put_thread_head(struct output *out, uint32_t tid)
{
	char path[48], text[512], name[64] = "", state = '?';
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%" PRIu32 "/stat", tid);
	f = fopen(path, "re");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	/* "TID (NAME) S ...": a name may have anything in it. */
	if (strchr(text, '(') && strrchr(text, ')')) {
		const char *begin = strchr(text, '(') + 1;
		const char *end = strrchr(text, ')');

		snprintf(name, sizeof(name), "%.*s", (int)(end - begin), begin);
		state = end[1] == ' ' ? end[2] : '?';
	}
	output_printf(out, "thread %" PRIu32 " \"%s\" [%s]:\n", tid, name,
	              state == 'R'                 ? "running"
	              : state == 'S'               ? "sleeping"
	              : state == 'D'               ? "waiting for the kernel"
	              : state == 'T' || state == 't' ? "stopped"
	                                           : "unknown");
}

static enum prof_status dump_threads(const struct prof_collection *p,
                                     struct prof_sink sink,
                                     struct prof_error *err)
{
	struct frame_text t = { { NULL, 0, 0 }, NULL };
	const uint64_t *pcs;
	struct output out;
	struct records r;
	enum prof_status status = fetch(&r, fetch_threads, p,
	                                sizeof(struct prof_thread_record), err);
	size_t i, n;

	for (i = 0; status == PROF_OK && i < r.n; i++) {
		n = thread_stack(&r, i, &pcs);
		if (!frame_text_note(&t, pcs, n))
			status = error_nomem(err);
	}
	if (status == PROF_OK)
		status = frame_text_resolve(&t, err);
	if (status == PROF_OK) {
		const struct prof_thread_record *recs = r.recs;

		output_open(&out, sink, 0, allocator);
		for (i = 0; i < r.n; i++) {
			n = thread_stack(&r, i, &pcs);
			put_thread_head(&out, recs[i].tid);
			frame_text_dump(&out, &t, pcs, n);
		}
		status = output_close(&out, err);
	}
	frame_text_release(&t);
	release(&r);
	return status;
}

/* ---- Which ---- */

typedef enum prof_status (*text_writer)(const struct prof_collection *p,
                                        struct prof_sink sink,
                                        struct prof_error *err);

static const struct {
	const char *name; /* NULL: any other */
	text_writer text, dump;
} rows[] = {
	{ "thread", text_threads, dump_threads },
	{ "heap", text_mem, text_mem },
	{ "allocs", text_mem, text_mem },
	{ "block", text_block, text_block },
	{ "mutex", text_mutex, text_mutex },
	{ "wall", text_wall, text_wall },
	{ NULL, text_counts, text_counts },
};

static enum prof_status write_pprof(const struct prof_collection *p,
                                    struct prof_sink sink,
                                    struct prof_error *err)
{
	const struct prof_symbolize_options options = {
		.size = sizeof(options), .pid = (uint64_t)getpid()
	};
	struct prof_profile *profile;
	enum prof_status status = prof_snapshot(&profile, prof_name(p), err);

	if (status != PROF_OK)
		return status;
	status = prof_symbolize(profile, &options, err);
	if (status == PROF_OK)
		status = prof_write(profile, "pprof", sink, NULL, err);
	prof_profile_free(profile);
	return status;
}

enum prof_status prof_write_to(const struct prof_collection *p,
                               struct prof_sink sink, int debug,
                               struct prof_error *err)
{
	size_t i = 0;

	if (debug < 0 || debug > 2)
		return error_set(err, PROF_INVALID, "debug is 0, 1 or 2");
	if (debug == 0)
		return write_pprof(p, sink, err);
	while (rows[i].name && strcmp(rows[i].name, prof_name(p)) != 0)
		i++;
	return (debug == 2 ? rows[i].dump : rows[i].text)(p, sink, err);
}
