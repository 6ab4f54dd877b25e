/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles reduced to what Go's -pgo reads: by tables, and that the edges
 * which Go makes of the reduced profile are those of the whole one, by a
 * second, slow way to count them.
 */
#include "testing.h"

#include <profile/transform.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define P "profile: 1\n"
#define COUNT "sample_types: [samples/count]\n"

static struct prof_profile *read_text(const char *text)
{
	return read_profile((struct bytes){ (unsigned char *)(uintptr_t)text,
	                                    strlen(text) },
	                    &PROF_OPTIONS(prof_read_options,
	                                  .format = "yaml"));
}

static void check_text(const struct prof_profile *p, const char *expected,
                       const char *name)
{
	struct bytes b = write_profile(p, "yaml", NULL);
	char *text = strndup((char *)b.data, b.size);

	assert_same_text(text, expected, name);
	free(text);
	free(b.data);
}

static const struct pgo_case {
	const char *name, *in, *out; /* NULL: the status and message */
	enum prof_status status;
	const char *message;
} cases[] = {
	{ "caller and callee, nothing else",
	  P "sample_types: [alloc/bytes, cpu/nanoseconds, samples/count]\n"
	  "period: {type: cpu/nanoseconds, value: 7}\ncomments:\n- c\n"
	  "mappings:\n- {file: /x, start: 0x1000, limit: 0x9000}\n"
	  "locations:\n"
	  "- {map: 1, addr: 0x1001, lines: [{fn: f, file: f.go, line: 12, "
	  "start: 10}]}\n"
	  "- {map: 1, addr: 0x1002, lines: [{fn: g, sys: _g, file: g.go, "
	  "line: 23, col: 4, start: 20}]}\n"
	  "samples:\n- {v: [1, 50, 5], at: [1, 2], labels: {k: v}}\n",
	  .out = P "sample_types: [cpu/nanoseconds]\n"
	  "locations:\n"
	  "- {lines: [{fn: f, sys: \"\", start: 10}]}\n"
	  "- {lines: [{fn: g, sys: \"\", line: 23, start: 20}]}\n"
	  "samples:\n- {v: [50], at: [1, 2]}\n" },
	{ "only the two innermost locations, with all their lines",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: a, line: 2, start: 1}, {fn: b, line: 4, "
	  "start: 3}]}\n"
	  "- {addr: 0x2, lines: [{fn: c, line: 6, start: 5}]}\n"
	  "- {addr: 0x3, lines: [{fn: d, line: 8, start: 7}]}\n"
	  "samples:\n- {v: 5, at: [1, 2, 3]}\n",
	  .out = P COUNT "locations:\n"
	  "- {lines: [{fn: a, sys: \"\", start: 1}]}\n"
	  "- {lines: [{fn: b, sys: \"\", start: 3}]}\n"
	  "- {lines: [{fn: b, sys: \"\", line: 4, start: 3}]}\n"
	  "- {lines: [{fn: c, sys: \"\", line: 6, start: 5}]}\n"
	  "samples:\n- {v: [5], at: [1, 3]}\n- {v: [5], at: [2, 4]}\n" },
	{ "labels and addresses make no difference, offsets do",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: f, line: 12, start: 10}]}\n"
	  "- {addr: 0x2, lines: [{fn: g, line: 23, start: 20}]}\n"
	  "- {addr: 0x3, lines: [{fn: g, line: 33, start: 30}]}\n"
	  "- {addr: 0x4, lines: [{fn: g, line: 34, start: 30}]}\n"
	  "samples:\n- {v: 1, at: [1, 2], labels: {k: v}}\n"
	  "- {v: 2, at: [1, 3]}\n- {v: 4, at: [1, 4]}\n- {v: 8, at: [1, 2]}\n",
	  .out = P COUNT "locations:\n"
	  "- {lines: [{fn: f, sys: \"\", start: 10}]}\n"
	  "- {lines: [{fn: g, sys: \"\", line: 23, start: 20}]}\n"
	  "- {lines: [{fn: g, sys: \"\", line: 24, start: 20}]}\n"
	  "samples:\n- {v: [11], at: [1, 2]}\n- {v: [4], at: [1, 3]}\n" },
	{ "a call of itself at the same place counts not at all",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: f, line: 12, start: 10}]}\n"
	  "samples:\n- {v: 1, at: [1, 1, 1]}\n",
	  .out = P COUNT "samples: []\n" },
	{ "and from another line it does",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: f, line: 12, start: 10}]}\n"
	  "- {addr: 0x2, lines: [{fn: f, line: 0, start: 10}]}\n"
	  "samples:\n- {v: 1, at: [1, 2]}\n",
	  .out = P COUNT "locations:\n"
	  "- {lines: [{fn: f, sys: \"\", start: 10}]}\n"
	  "- {lines: [{fn: f, sys: \"\", line: 1, start: 10}]}\n"
	  "samples:\n- {v: [1], at: [2, 1]}\n" },
	{ "an edge counts once in a sample",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: f, line: 2, start: 1}, {fn: g, line: 9, "
	  "start: 8}, {fn: f, line: 2, start: 1}, {fn: g, line: 9, "
	  "start: 8}]}\n"
	  "samples:\n- {v: 3, at: [1]}\n",
	  .out = P COUNT "locations:\n"
	  "- {lines: [{fn: f, sys: \"\", start: 1}]}\n"
	  "- {lines: [{fn: f, sys: \"\", line: 2, start: 1}]}\n"
	  "- {lines: [{fn: g, sys: \"\", start: 8}]}\n"
	  "- {lines: [{fn: g, sys: \"\", line: 9, start: 8}]}\n"
	  "samples:\n- {v: [3], at: [3, 2]}\n- {v: [3], at: [1, 4]}\n" },
	{ "nothing to do",
	  P COUNT "samples: []\n",
	  .out = P COUNT "samples: []\n" },
	{ "no start line",
	  P "samples:\n- {v: 1, stack: [f, g]}\n",
	  .status = PROF_INVALID, .message = "no function has a start line, "
	  "which Go's -pgo needs (Go 1.20 and later write them)" },
	{ "no such type",
	  P "sample_types: [cpu/ms, samples/bytes]\n",
	  .status = PROF_INVALID, .message = "there is no sample type "
	  "samples/count or cpu/nanoseconds, one of which Go's -pgo needs" },
	{ "more than 64 bits",
	  P "locations:\n"
	  "- {addr: 0x1, lines: [{fn: f, line: 2, start: 1}, {fn: g}]}\n"
	  "samples:\n- {v: 9223372036854775807, at: [1]}\n"
	  "- {v: 1, at: [1, 1]}\n",
	  .status = PROF_OVERFLOW, .message = "the weight of a call leaves the "
	  "range of 64 bits" },
};

START_TEST(what_remains)
{
	const struct pgo_case *c = &cases[_i];
	struct prof_profile *p = read_text(c->in), *same;
	struct prof_error err = { 0 };

	ck_assert_msg(prof_go_pgo(p, &err) == c->status, "%s: %s", c->name,
	              err.message);
	if (c->out) {
		check_text(p, c->out, c->name);
	} else {
		ck_assert_str_eq(err.message, c->message);
		same = read_text(c->in);
		assert_same_profile(p, same, TEXT_TABLES, c->name);
		prof_profile_free(same);
	}
	prof_profile_free(p);
}
END_TEST

/* ---- Random profiles ---- */

struct rng {
	uint64_t state;
};

static uint32_t pick(struct rng *r, uint32_t n)
{
	r->state = r->state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)((r->state >> 33) % n);
}

enum { N_LOCATIONS = 8, N_SAMPLES = 30 };

static struct prof_profile *random_profile(struct rng *r)
{
	static const char *const names[] = { "f", "g", "h", "" };
	static const struct prof_value_type type = { { "samples", 7 },
	                                             { "count", 5 } };
	struct prof_builder *b = prof_builder_new(NULL);
	uint32_t locations[N_LOCATIONS], stack[4];
	struct prof_profile *p = NULL;

	prof_add_sample_type(b, &type);
	for (uint32_t i = 0; i < N_LOCATIONS; i++) {
		struct prof_line lines[3];
		const uint32_t n = pick(r, 4);

		for (uint32_t k = 0; k < n; k++) {
			const char *name = names[pick(r, 4)];

			lines[k] = (struct prof_line){
				.line = pick(r, 3),
				.function = prof_add_function(
					b, &(struct prof_function){
						.name = { name, strlen(name) },
						.system_name = { "", 0 },
						.filename = { "", 0 },
						.start_line = 1 + pick(r, 2),
					}),
			};
		}
		locations[i] = prof_add_location(b, &(struct prof_location){
			.address = pick(r, 3), .n_lines = n, .lines = lines });
	}
	for (uint32_t i = 0; i < N_SAMPLES; i++) {
		const uint32_t depth = pick(r, 5);
		const int64_t value = (int64_t)pick(r, 9) - 2;

		for (uint32_t k = 0; k < depth; k++)
			stack[k] = locations[pick(r, N_LOCATIONS)];
		prof_add_sample(b, prof_add_stack(b, stack, depth), 0, &value);
	}
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

/* ---- The edges, counted as Go does, by searching lists ---- */

struct frame {
	char name[4];
	uint64_t address;
	int64_t start, line;
};

struct counted_edge {
	char caller[4], callee[4];
	int64_t offset, weight;
};

struct counted {
	struct counted_edge edges[1000];
	size_t n;
};

static void count(struct counted *c, const struct frame *caller,
                  const struct frame *callee, int64_t weight)
{
	struct counted_edge *e = c->edges;

	while (e < c->edges + c->n &&
	       (strcmp(e->caller, caller->name) ||
	        strcmp(e->callee, callee->name) ||
	        e->offset != caller->line - caller->start))
		e++;
	if (e == c->edges + c->n) {
		ck_assert_uint_lt(c->n++, N_ELEMENTS(c->edges));
		memset(e, 0, sizeof(*e));
		strcpy(e->caller, caller->name);
		strcpy(e->callee, callee->name);
		e->offset = caller->line - caller->start;
	}
	e->weight += weight;
}

static bool is_same_frame(const struct frame *a, const struct frame *b)
{
	return !strcmp(a->name, b->name) && a->address == b->address &&
		a->start == b->start && a->line == b->line;
}

/* The frames of a location, from the outermost; how many. */
static size_t frames_of(const struct prof_profile *p, uint32_t location,
                        struct frame *frames)
{
	struct prof_location l;
	size_t n = 0;

	ck_assert(prof_get_location(p, location, &l));
	for (uint32_t i = l.n_lines; i-- > 0;) {
		struct prof_function f;

		frames[n] = (struct frame){ .address = l.address };
		if (prof_get_function(p, l.lines[i].function, &f)) {
			snprintf(frames[n].name, sizeof(frames[n].name), "%s",
			         f.name.ptr);
			frames[n].start = f.start_line;
			frames[n].line = l.lines[i].line;
		}
		n++;
	}
	if (n == 0)
		frames[n++] = (struct frame){ .address = l.address };
	return n;
}

static void count_sample(struct counted *c, const struct prof_profile *p,
                         const struct prof_sample *s)
{
	struct frame f[8];
	uint32_t stack[8];
	const size_t depth = prof_get_stack(p, s->stack, stack, 8);
	size_t n = 0;

	for (size_t i = depth > 1 ? 2 : depth; i-- > 0;)
		n += frames_of(p, stack[i], f + n);
	for (size_t i = 1; i < n; i++) {
		size_t k = 1;

		while (k < i && !(is_same_frame(&f[k], &f[i]) &&
		                  is_same_frame(&f[k - 1], &f[i - 1])))
			k++;
		if (k == i && !is_same_frame(&f[i], &f[i - 1]))
			count(c, &f[i - 1], &f[i], s->values[0]);
	}
}

static int compare_edges(const void *a, const void *b)
{
	const struct counted_edge *x = a, *y = b;
	int order = strcmp(x->caller, y->caller);

	if (!order)
		order = strcmp(x->callee, y->callee);
	return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* As text, without those that came to 0. */
static char *edges_text(const struct prof_profile *p)
{
	struct counted *c = calloc(1, sizeof(*c));
	char *text = calloc(N_ELEMENTS(c->edges), 64);
	struct prof_sample s;
	size_t used = 0;

	ck_assert(c && text);
	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
		count_sample(c, p, &s);
	qsort(c->edges, c->n, sizeof(*c->edges), compare_edges);
	for (size_t i = 0; i < c->n; i++)
		if (c->edges[i].weight)
			used += (size_t)sprintf(
				text + used, "%s %s +%d: %d\n",
				c->edges[i].caller, c->edges[i].callee,
				(int)c->edges[i].offset,
				(int)c->edges[i].weight);
	free(c);
	return text;
}

START_TEST(same_edges)
{
	struct rng r = { (uint64_t)_i + 1 };
	struct prof_profile *p = random_profile(&r);
	char *whole = edges_text(p), *reduced;
	struct prof_error err = { 0 };

	ck_assert_uint_gt(strlen(whole), 20);
	ck_assert_msg(prof_go_pgo(p, &err) == PROF_OK, "%s", err.message);
	reduced = edges_text(p);
	assert_same_text(reduced, whole, "edges");
	free(whole);
	free(reduced);
	prof_profile_free(p);
}
END_TEST

/* Reduced and then merged is merged and then reduced. */
START_TEST(any_order)
{
	struct rng r = { (uint64_t)_i + 1000 };
	struct prof_profile *in[3], *merged = NULL, *parts = NULL;
	struct bytes a, b;

	for (size_t i = 0; i < 3; i++)
		in[i] = random_profile(&r);
	ck_assert_int_eq(prof_merge(&merged, in, 3, NULL, NULL), PROF_OK);
	ck_assert_int_eq(prof_go_pgo(merged, NULL), PROF_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(prof_go_pgo(in[i], NULL), PROF_OK);
	ck_assert_int_eq(prof_merge(&parts, in, 3, NULL, NULL), PROF_OK);
	ck_assert_int_eq(prof_go_pgo(parts, NULL), PROF_OK);
	a = write_profile(parts, "pprof", NULL);
	b = write_profile(merged, "pprof", NULL);
	ck_assert_uint_eq(a.size, b.size);
	ck_assert(!memcmp(a.data, b.data, a.size));
	free(a.data);
	free(b.data);
	for (size_t i = 0; i < 3; i++)
		prof_profile_free(in[i]);
	prof_profile_free(merged);
	prof_profile_free(parts);
}
END_TEST

/* ---- Allocations ---- */

START_TEST(failing)
{
	struct rng r = { 9 };
	struct prof_profile *from = random_profile(&r);
	struct bytes text = write_profile(from, "yaml", NULL);
	enum prof_status status = PROF_NOMEM;
	size_t n = 0;

	while (status != PROF_OK) {
		struct failing_allocator f;
		struct prof_profile *p;

		failing_allocator_init(&f);
		p = read_profile(text, &PROF_OPTIONS(prof_read_options,
			.format = "yaml", .allocator = &f.allocator));
		f.n_calls = 0;
		f.fail_at = ++n;
		f.fails_on = _i;
		status = prof_go_pgo(p, NULL);
		f.fail_at = 0;
		if (status != PROF_OK) {
			ck_assert_int_eq(status, PROF_NOMEM);
			assert_same_profile(p, from, TEXT_TABLES, "kept");
		}
		prof_profile_free(p);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
	ck_assert_uint_gt(n, 20);
	free(text.data);
	prof_profile_free(from);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("go_pgo");
	TCase *tcase = tcase_create("go_pgo");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, what_remains, 0, N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, same_edges, 0, 200);
	tcase_add_loop_test(tcase, any_order, 0, 100);
	tcase_add_loop_test(tcase, failing, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
