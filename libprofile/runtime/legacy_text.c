/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/legacy_text.h"

#include "base/error.h"
#include "model/events.h"
#include "runtime/frame_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static size_t stack_depth(const uint64_t *stack)
{
	size_t n = 0;

	while (n < 32 && stack[n])
		n++;
	return n;
}

static void put_stack(struct output *out, const struct frame_text *t,
                      const uint64_t *pcs, size_t n)
{
	size_t i;

	output_text(out, " @");
	for (i = 0; i < n; i++) {
		output_char(out, ' ');
		output_hex(out, pcs[i]);
	}
	output_char(out, '\n');
	frame_text_comments(out, t, pcs, n);
}

/* ---- Counts ---- */

/* The addresses of a group's key, "@ 0x1 0x2" and maybe a second line. */
static size_t pcs_of_key(uint64_t *pcs, size_t max, struct prof_str key)
{
	const char *at = key.ptr + 1, *end = key.ptr + key.len;
	size_t n = 0;
	char *next;

	while (at < end && *at == ' ' && n < max) {
		pcs[n++] = strtoull(at + 1, &next, 16);
		at = next;
	}
	return n;
}

enum { MAX_DEPTH = 1024 };

static void put_groups(struct output *out, const struct frame_text *t,
                       const struct count_groups *g)
{
	uint64_t pcs[MAX_DEPTH];
	size_t i;

	for (i = 0; i < g->groups.n; i++) {
		const struct count_group *group = &g->groups.data[i];
		const struct prof_str key =
			byte_table_get(&g->keys, group->key);

		output_i64(out, group->n);
		output_char(out, ' ');
		output_str(out, key);
		output_char(out, '\n');
		frame_text_comments(out, t, pcs,
		                    pcs_of_key(pcs, MAX_DEPTH, key));
	}
}

/* Groups the stacks, and notes their addresses. */
static enum prof_status group_stacks(struct count_groups *g,
                                     struct frame_text *t,
                                     struct address_map *addresses,
                                     const struct prof_count_profile *c,
                                     size_t n, struct prof_error *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct prof_label *labels = NULL;
		const uint64_t *pcs = NULL;
		size_t n_pcs = c->stack(c->ctx, i, &pcs);
		const size_t n_labels =
			c->labels ? c->labels(c->ctx, i, &labels) : 0;

		if (n_pcs > MAX_DEPTH)
			n_pcs = MAX_DEPTH;
		count_groups_add(g, addresses, 1, pcs, n_pcs, labels,
		                 n_labels);
		if (!frame_text_note(t, pcs, n_pcs))
			return error_nomem(err);
	}
	count_groups_sort(g);
	return prof_builder_status(g->b, err);
}

enum prof_status legacy_text_count(struct prof_sink sink,
                                   const struct prof_count_profile *c,
                                   struct prof_error *err)
{
	/* Of the builder only the tables are used; it is never finished. */
	struct prof_builder *b = prof_builder_new(NULL);
	struct frame_text t = { { NULL, 0, 0 }, NULL };
	struct address_map addresses;
	const size_t n = c->len(c->ctx);
	struct count_groups g;
	enum prof_status status;
	struct output out;

	if (!b)
		return error_nomem(err);
	address_map_init(&addresses, b, ADDRESS_CLEAN);
	count_groups_init(&g, b);
	status = group_stacks(&g, &t, &addresses, c, n, err);
	if (status == PROF_OK)
		status = frame_text_resolve(&t, err);
	if (status == PROF_OK) {
		output_open(&out, sink, 0, &mem_malloc);
		output_printf(&out, "%s profile: total %zu\n", c->name, n);
		put_groups(&out, &t, &g);
		status = output_close(&out, err);
	}
	frame_text_release(&t);
	count_groups_release(&g);
	address_map_release(&addresses);
	prof_builder_free(b);
	return status;
}

/* ---- Memory ---- */

static int by_bytes_in_use(const void *a_, const void *b_)
{
	const struct prof_mem_record *a =
		*(const struct prof_mem_record *const *)a_;
	const struct prof_mem_record *b =
		*(const struct prof_mem_record *const *)b_;
	const int64_t x = prof_mem_in_use_bytes(a);
	const int64_t y = prof_mem_in_use_bytes(b);

	if (x != y)
		return x < y ? 1 : -1;
	return (a > b) - (a < b);
}

static void put_mem(struct output *out, const struct prof_mem_record *r)
{
	output_printf(out,
	              "%" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64 "]",
	              prof_mem_in_use_objects(r), prof_mem_in_use_bytes(r),
	              r->alloc_objects, r->alloc_bytes);
}

static void put_total(struct output *out, struct prof_mem_record total,
                      int64_t rate)
{
	/* Readers take equal sums for a profile of two columns. */
	if (total.free_bytes == 0)
		total.alloc_bytes++, total.free_bytes++;
	output_text(out, "heap profile: ");
	put_mem(out, &total);
	/* Twice the rate, as the first C++ heap profilers had it. */
	output_printf(out, " @ heap/%" PRId64 "\n", 2 * rate);
}

/* Pointers to records, in an order. */
static const void **sort_records(const void *recs, size_t n, size_t size,
                                 int (*compare)(const void *, const void *))
{
	const void **sorted = mem_zeroed(&mem_malloc, n + 1, sizeof(*sorted));
	size_t i;

	for (i = 0; sorted && i < n; i++)
		sorted[i] = (const char *)recs + i * size;
	if (sorted)
		qsort(sorted, n, sizeof(*sorted), compare);
	return sorted;
}

static void put_usage(struct output *out)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		output_printf(out, "\n# MaxRSS = %lld\n",
		              (long long)usage.ru_maxrss * 1024);
}

enum prof_status legacy_text_mem(struct prof_sink sink,
                                 const struct prof_mem_record *recs, size_t n,
                                 int64_t rate, struct prof_error *err)
{
	const void **sorted = sort_records(recs, n, sizeof(*recs),
	                                   by_bytes_in_use);
	struct frame_text t = { { NULL, 0, 0 }, NULL };
	struct prof_mem_record total = { 0 };
	enum prof_status status = PROF_OK;
	struct output out;
	size_t i;

	for (i = 0; i < n && sorted && status == PROF_OK; i++) {
		total.alloc_objects += recs[i].alloc_objects;
		total.alloc_bytes += recs[i].alloc_bytes;
		total.free_objects += recs[i].free_objects;
		total.free_bytes += recs[i].free_bytes;
		if (!frame_text_note(&t, recs[i].stack,
		                     stack_depth(recs[i].stack)))
			status = error_nomem(err);
	}
	if (!sorted)
		status = error_nomem(err);
	if (status == PROF_OK)
		status = frame_text_resolve(&t, err);
	if (status == PROF_OK) {
		output_open(&out, sink, 0, &mem_malloc);
		put_total(&out, total, rate);
		for (i = 0; i < n; i++) {
			const struct prof_mem_record *r = sorted[i];

			put_mem(&out, r);
			put_stack(&out, &t, r->stack, stack_depth(r->stack));
		}
		put_usage(&out);
		status = output_close(&out, err);
	}
	frame_text_release(&t);
	mem_free(&mem_malloc, sorted, (n + 1) * sizeof(*sorted));
	return status;
}

/* ---- Waiting ---- */

static int by_cycles(const void *a_, const void *b_)
{
	const struct prof_block_record *a =
		*(const struct prof_block_record *const *)a_;
	const struct prof_block_record *b =
		*(const struct prof_block_record *const *)b_;

	if (a->cycles != b->cycles)
		return a->cycles < b->cycles ? 1 : -1;
	return (a > b) - (a < b);
}

enum prof_status legacy_text_block(struct prof_sink sink,
                                   const char *first_lines,
                                   const struct prof_block_record *recs,
                                   size_t n, struct prof_error *err)
{
	const void **sorted = sort_records(recs, n, sizeof(*recs), by_cycles);
	struct frame_text t = { { NULL, 0, 0 }, NULL };
	enum prof_status status = PROF_OK;
	struct output out;
	size_t i;

	for (i = 0; i < n && sorted && status == PROF_OK; i++)
		if (!frame_text_note(&t, recs[i].stack,
		                     stack_depth(recs[i].stack)))
			status = error_nomem(err);
	if (!sorted)
		status = error_nomem(err);
	if (status == PROF_OK)
		status = frame_text_resolve(&t, err);
	if (status == PROF_OK) {
		output_open(&out, sink, 0, &mem_malloc);
		output_text(&out, first_lines);
		for (i = 0; i < n; i++) {
			const struct prof_block_record *r = sorted[i];

			output_printf(&out, "%" PRId64 " %" PRId64, r->cycles,
			              r->count);
			put_stack(&out, &t, r->stack, stack_depth(r->stack));
		}
		status = output_close(&out, err);
	}
	frame_text_release(&t);
	mem_free(&mem_malloc, sorted, (n + 1) * sizeof(*sorted));
	return status;
}
