/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of memory, of blocking and of counted stacks: the profile that Go's
 * own writers made of the same records, and the text that they made of them
 * with debug=1.
 */
#include "testing.h"

#include "runtime/legacy_text.h"

#include <profile/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS TESTDATA "/go/records/"
#define MAX_RECORDS 512
#define MAX_LABELS 8

/* ---- The files of records ---- */

/* Addresses behind '@' into pcs; returns how many, *at moves behind them. */
static size_t parse_stack(char **at, uint64_t *pcs, size_t max)
{
	size_t n = 0;

	while (**at == ' ' && n < max) {
		pcs[n++] = strtoull(*at + 1, at, 0);
		ck_assert_uint_ne(pcs[n - 1], 0);
	}
	return n;
}

/* A string of JSON without escapes but \" in place; its text. */
static struct prof_str parse_json_string(char **at)
{
	struct prof_str s;
	char *to;

	ck_assert_int_eq(**at, '"');
	s.ptr = to = ++*at;
	for (; **at != '"'; ++*at) {
		ck_assert_int_ne(**at, '\0');
		*at += **at == '\\';
		*to++ = **at;
	}
	s.len = (size_t)(to - s.ptr);
	++*at;
	return s;
}

static size_t parse_json(char *at, struct prof_label *labels)
{
	size_t n = 0;

	while (*at == (n ? ',' : '{') && at[1] == '"') {
		ck_assert_uint_lt(n, MAX_LABELS);
		at++;
		labels[n].key = parse_json_string(&at);
		ck_assert_int_eq(*at, ':');
		at++;
		labels[n++].str = parse_json_string(&at);
	}
	ck_assert_int_eq(*at, '}');
	return n;
}

/* ---- Each kind ---- */

/* What debug=1 makes of the records that were read last. */
static struct prof_buffer text;


static struct prof_profile *heap_profile(FILE *f, const char *name)
{
	static struct prof_mem_record recs[MAX_RECORDS];
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	char line[4096];
	long long rate;
	size_t n = 0;

	memset(recs, 0, sizeof(recs));
	ck_assert_int_eq(fscanf(f, "# MemProfileRate %lld;%4095[^\n]\n", &rate,
	                        line), 2);
	while (fgets(line, sizeof(line), f)) {
		struct prof_mem_record *r = &recs[n++];
		char *at;

		ck_assert_uint_lt(n, MAX_RECORDS);
		r->alloc_bytes = strtoll(line, &at, 10);
		r->free_bytes = strtoll(at, &at, 10);
		r->alloc_objects = strtoll(at, &at, 10);
		r->free_objects = strtoll(at, &at, 10);
		ck_assert_int_eq(strncmp(at, " @", 2), 0);
		at += 2;
		parse_stack(&at, r->stack, 32);
	}
	ck_assert_uint_gt(n, 0);
	ck_assert_msg(prof_from_mem(&p, recs, n, rate, &PROF_OPTIONS(
			prof_from_options, .default_sample_type =
			strncmp(name, "allocs", 6) == 0 ? "alloc_space" :
			NULL), &err) == PROF_OK, "%s", err.message);
	return p;
}

static struct prof_profile *block_profile(FILE *f, const char *name)
{
	static struct prof_block_record recs[MAX_RECORDS];
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	char line[4096];
	long long rate;
	size_t n = 0;

	(void)name;
	memset(recs, 0, sizeof(recs));
	ck_assert_int_eq(fscanf(f, "# cycles/second %lld;%4095[^\n]\n", &rate,
	                        line), 2);
	while (fgets(line, sizeof(line), f)) {
		struct prof_block_record *r = &recs[n++];
		char *at;

		ck_assert_uint_lt(n, MAX_RECORDS);
		r->count = strtoll(line, &at, 10);
		r->cycles = strtoll(at, &at, 10);
		ck_assert_int_eq(strncmp(at, " @", 2), 0);
		at += 2;
		parse_stack(&at, r->stack, 32);
	}
	ck_assert_uint_gt(n, 0);
	ck_assert_msg(prof_from_block(&p, recs, n, rate, NULL, &err) == PROF_OK,
	              "%s", err.message);
	snprintf(line, sizeof(line), "--- contention:\ncycles/second=%lld\n",
	         rate);
	ck_assert_int_eq(legacy_text_block(prof_sink_buffer(&text), line, recs,
	                                   n, &err), PROF_OK);
	return p;
}

struct stacks {
	size_t n;
	struct counted_stack {
		char line[4096]; /* the labels' text */
		uint64_t pcs[64];
		struct prof_label labels[MAX_LABELS];
		size_t n_pcs, n_labels;
	} stacks[MAX_RECORDS];
};

static size_t stacks_len(void *ctx)
{
	return ((struct stacks *)ctx)->n;
}

static size_t stacks_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	struct counted_stack *s = &((struct stacks *)ctx)->stacks[i];

	*pcs = s->pcs;
	return s->n_pcs;
}

static size_t stacks_labels(void *ctx, size_t i,
                            const struct prof_label **labels)
{
	struct counted_stack *s = &((struct stacks *)ctx)->stacks[i];

	*labels = s->labels;
	return s->n_labels;
}

static struct prof_profile *count_profile(FILE *f, const char *name)
{
	static struct stacks all;
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	struct prof_count_profile c = { "my/count", stacks_len, stacks_stack,
	                                stacks_labels, &all };

	(void)name;
	memset(&all, 0, sizeof(all));
	while (fgets(all.stacks[all.n].line, sizeof(all.stacks[0].line), f)) {
		struct counted_stack *s = &all.stacks[all.n++];
		char *at = s->line + 1;

		ck_assert_uint_lt(all.n, MAX_RECORDS);
		ck_assert_int_eq(s->line[0], '@');
		s->n_pcs = parse_stack(&at, s->pcs, 64);
		if (*at == '\t')
			s->n_labels = parse_json(at + 1, s->labels);
	}
	ck_assert_msg(prof_from_count(&p, &c, NULL, &err) == PROF_OK, "%s",
	              err.message);
	ck_assert_int_eq(legacy_text_count(prof_sink_buffer(&text), &c, &err),
	                 PROF_OK);
	return p;
}

/* ---- Compared with Go ---- */

static const struct kind {
	const char *name;
	struct prof_profile *(*make)(FILE *f, const char *name);
} kinds[] = {
	{ "heap-", heap_profile },
	{ "allocs-", heap_profile },
	{ "block-", block_profile },
	{ "count-", count_profile },
};

/* Heap profiles have the process's own memory at their end: no such file. */
static bool compare_text(const char *path)
{
	static char go[1 << 16];
	FILE *f = fopen(path, "r");
	size_t n;

	if (f) {
		n = fread(go, 1, sizeof(go) - 1, f);
		fclose(f);
		go[n] = '\0';
		ck_assert_uint_lt(n, sizeof(go) - 1);
		ck_assert_uint_eq(text.size, n);
		ck_assert_mem_eq(text.data, go, n);
	}
	prof_buffer_release(&text);
	return f != NULL;
}

static unsigned n_texts;

static void compare_with_go(const char *path, void *ctx)
{
	const char *name = strrchr(path, '/') + 1;
	const char *suffix = strstr(name, ".records");
	unsigned *n = ctx;

	if (!suffix)
		return;
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		struct prof_profile *ours, *go;
		char go_path[512];
		FILE *f;

		if (strncmp(name, kinds[i].name, strlen(kinds[i].name)) != 0)
			continue;
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		ours = kinds[i].make(f, name);
		fclose(f);
		snprintf(go_path, sizeof(go_path), "%.*s.pb.gz",
		         (int)(suffix - path), path);
		go = read_profile_file(go_path, NULL);
		assert_same_profile(ours, go, TEXT_NO_TIMES | TEXT_NO_SYMBOLS |
		                    TEXT_NO_MAPPINGS | TEXT_SORT_LABELS, name);
		prof_profile_free(ours);
		prof_profile_free(go);
		snprintf(go_path, sizeof(go_path), "%.*s.debug1.txt",
		         (int)(suffix - path), path);
		n_texts += compare_text(go_path);
		n[i]++;
	}
}

START_TEST(as_go_writes_them)
{
	unsigned n[N_ELEMENTS(kinds)] = { 0 };

	ck_assert(for_each_file(RECORDS, compare_with_go, n));
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		ck_assert_uint_gt(n[i], 2);
	ck_assert_uint_eq(n_texts, 20);
}
END_TEST

/* ---- Records at the edge ---- */

static const struct mem_case {
	struct prof_mem_record rec;
	int64_t rate;
	enum prof_status status;
	int64_t values[4];
} mem_cases[] = {
	{ { 100, 40, 10, 4, { 1 } }, 1, PROF_OK, { 10, 100, 6, 60 } },
	{ { 100, 40, 10, 4, { 1 } }, 0, PROF_OK, { 10, 100, 6, 60 } },
	{ { 0, 0, 0, 0, { 1 } }, 512, PROF_OK, { 0, 0, 0, 0 } },
	/* scale 1/(1-exp(-1)) = 1.58197... */
	{ { 512, 512, 1, 1, { 1 } }, 512, PROF_OK, { 1, 809, 0, 0 } },
	{ { INT64_MAX, 0, 1, 0, { 1 } }, 1, PROF_OK,
	  { 1, INT64_MAX, 1, INT64_MAX } },
	{ { INT64_MAX, 0, INT64_MAX, 0, { 1 } }, INT64_MAX, PROF_OK,
	  { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX } },
	{ { 1, 2, 1, 1, { 1 } }, 1, PROF_INVALID, { 0 } },
	{ { 2, 1, 1, 2, { 1 } }, 1, PROF_INVALID, { 0 } },
	{ { INT64_MAX, -1, 1, 0, { 1 } }, 1, PROF_INVALID, { 0 } },
	{ { 1, 0, INT64_MAX, INT64_MIN, { 1 } }, 1, PROF_INVALID, { 0 } },
	{ { -5, -5, 0, 0, { 1 } }, 1, PROF_INVALID, { 0 } },
};

START_TEST(memory_at_the_edge)
{
	const struct mem_case *c = &mem_cases[_i];
	struct prof_profile *p = NULL;
	struct prof_sample s;

	ck_assert_int_eq(prof_from_mem(&p, &c->rec, 1, c->rate, NULL, NULL),
	                 c->status);
	if (c->status != PROF_OK) {
		ck_assert_ptr_null(p);
		return;
	}
	ck_assert(prof_get_sample(p, 0, &s));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(s.values[i], c->values[i]);
	prof_profile_free(p);
}
END_TEST

static const struct block_case {
	int64_t count, cycles, cycles_per_second;
	enum prof_status status;
	int64_t delay;
} block_cases[] = {
	{ 3, 5000, 1000000000, PROF_OK, 5000 },
	{ 3, 5000, 2500000000, PROF_OK, 2000 },
	{ 3, INT64_MAX, 1000000000, PROF_OK, INT64_MAX },
	{ 3, INT64_MAX, 1, PROF_OK, INT64_MAX },
	{ 3, INT64_MIN, 1, PROF_OK, INT64_MIN },
	{ 3, 5, 0, PROF_INVALID, 0 },
	{ 3, 5, -1, PROF_INVALID, 0 },
};

START_TEST(blocking_at_the_edge)
{
	const struct block_case *c = &block_cases[_i];
	const struct prof_block_record rec = { c->count, c->cycles, { 7 } };
	struct prof_profile *p = NULL;
	struct prof_sample s;

	ck_assert_int_eq(prof_from_block(&p, &rec, 1, c->cycles_per_second,
	                                 NULL, NULL), c->status);
	if (c->status != PROF_OK) {
		ck_assert_ptr_null(p);
		return;
	}
	ck_assert(prof_get_sample(p, 0, &s));
	ck_assert_int_eq(s.values[0], c->count);
	ck_assert_int_eq(s.values[1], c->delay);
	prof_profile_free(p);
}
END_TEST

/* ---- Memory that fails ---- */

static enum prof_status make_counts(const struct prof_allocator *a)
{
	static struct stacks all = {
		.n = 2,
		.stacks = {
			{ .pcs = { 1, 2, 3 }, .n_pcs = 3 },
			{ .pcs = { 4 }, .n_pcs = 1, .n_labels = 1, .labels = {
				{ .key = { "k", 1 }, .str = { "v", 1 } } } },
		},
	};
	struct prof_count_profile c = { "threads", stacks_len, stacks_stack,
	                                stacks_labels, &all };
	const struct prof_mapping m = { .start = 1, .limit = 9 };
	struct prof_profile *p = NULL;
	const enum prof_status status = prof_from_count(
		&p, &c, &PROF_OPTIONS(prof_from_options, .mappings = &m,
		                      .n_mappings = 1, .allocator = a), NULL);

	prof_profile_free(p);
	return status;
}

static enum prof_status make_heap(const struct prof_allocator *a)
{
	const struct prof_mem_record recs[] = {
		{ 100, 40, 10, 4, { 1, 2 } }, { 10, 4, 10, 4, { 1, 3 } },
	};
	struct prof_profile *p = NULL;
	const enum prof_status status = prof_from_mem(
		&p, recs, 2, 512, &PROF_OPTIONS(prof_from_options,
		                                .allocator = a), NULL);

	prof_profile_free(p);
	return status;
}

static enum prof_status (*const makers[])(const struct prof_allocator *) = {
	make_counts, make_heap,
};

START_TEST(each_allocation_fails)
{
	enum prof_status status = PROF_NOMEM;

	for (size_t n = 1; status != PROF_OK; n++) {
		struct failing_allocator f;

		ck_assert_uint_lt(n, 1000);
		failing_allocator_init(&f);
		f.fail_at = n;
		f.fails_on = true;
		status = makers[_i](&f.allocator);
		ck_assert(status == PROF_OK || status == PROF_NOMEM);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tc = tcase_create("records");

	tcase_add_test(tc, as_go_writes_them);
	tcase_add_loop_test(tc, memory_at_the_edge, 0, N_ELEMENTS(mem_cases));
	tcase_add_loop_test(tc, blocking_at_the_edge, 0,
	                    N_ELEMENTS(block_cases));
	tcase_add_loop_test(tc, each_allocation_fails, 0, N_ELEMENTS(makers));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
