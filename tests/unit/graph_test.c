/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The call graph of small profiles that are written as text: a stack a line,
 * root first, ';' between frames, a blank and the value at the end.
 */

#include <profile/report.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SEED "A 1\nA;B 1\nA;B;C 3\nA;C 1\n"

static uint32_t add_frame(struct prof_builder *b, const char *name, size_t n)
{
	struct prof_function function = { .name = { name, n } };
	struct prof_line line = { .line = 0 };
	struct prof_location location = { .n_lines = 1, .lines = &line };

	line.function = prof_add_function(b, &function);
	return prof_add_location(b, &location);
}

static void add_stack(struct prof_builder *b, const char *line)
{
	uint32_t root_first[64], leaf_first[64];
	size_t n = 0;
	int64_t value;
	const char *end = strchr(line, ' ');

	while (line < end) {
		size_t size = strcspn(line, "; ");

		root_first[n++] = add_frame(b, line, size);
		line += size + (line + size < end);
	}
	for (size_t i = 0; i < n; i++)
		leaf_first[i] = root_first[n - 1 - i];
	value = strtoll(end, NULL, 10);
	prof_add_sample(b, prof_add_stack(b, leaf_first, n), 0, &value);
}

static struct prof_profile *make(const char *stacks)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_value_type type = { { "samples", 7 }, { "count", 5 } };
	struct prof_profile *p = NULL;

	prof_add_sample_type(b, &type);
	for (; *stacks != '\0'; stacks = strchr(stacks, '\n') + 1)
		add_stack(b, stacks);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

static struct prof_graph *graph_of(const char *stacks,
                                   const struct prof_report_options *o)
{
	struct prof_profile *p = make(stacks);
	struct prof_graph *g = NULL;

	ck_assert_int_eq(prof_graph_new(&g, p, o, NULL), PROF_OK);
	prof_profile_free(p);
	return g;
}

static bool find_node(const struct prof_graph *g, const char *name,
                      struct prof_node *node, uint32_t *place)
{
	for (*place = 0; prof_get_node(g, *place, node); ++*place)
		if (!strcmp(node->name.ptr, name))
			return true;
	return false;
}

/* ---- Nodes ---- */

static const struct node_case {
	const char *stacks, *function;
	int64_t flat, cum;
} node_cases[] = {
	{ SEED, "A", 1, 6 },
	{ SEED, "B", 1, 4 },
	{ SEED, "C", 4, 4 },
	{ "A;B;A 5\n", "A", 5, 5 }, /* recursion counts once */
	{ "A;B;A 5\n", "B", 0, 5 },
	{ "A;A;A 2\nA 3\n", "A", 5, 5 },
	{ "A;B 4\nA;B -4\nA 1\n", "A", 1, 1 },
	{ "A 9223372036854775806\nB -1\n", "A", INT64_MAX - 1, INT64_MAX - 1 },
};

START_TEST(test_node)
{
	const struct node_case *c = &node_cases[_i];
	struct prof_report_options o = { .size = sizeof(o), .no_trim = true };
	struct prof_graph *g = graph_of(c->stacks, &o);
	struct prof_node node;
	uint32_t place;

	ck_assert(find_node(g, c->function, &node, &place));
	ck_assert_int_eq(node.flat, c->flat);
	ck_assert_int_eq(node.cum, c->cum);
	prof_graph_free(g);
}
END_TEST

/* ---- Edges ---- */

static const struct edge_case {
	const char *stacks, *from, *to;
	int64_t node_count; /* as in options */
	int64_t weight;     /* 0: there is no such edge */
	bool is_residual;
} edge_cases[] = {
	{ SEED, "A", "B", 0, 4, false },
	{ SEED, "B", "C", 0, 3, false },
	{ SEED, "A", "C", 0, 1, false },
	{ SEED, "C", "A", 0, 0, false },
	{ "A;B;A;B 5\n", "A", "B", 0, 5, false }, /* once a sample */
	{ "A;A 5\n", "A", "A", 0, 0, false },     /* none to itself */
	/* With B left out, the edge that bridges it is residual. */
	{ "A 9\nA;B;C 7\n", "A", "C", 2, 7, true },
	{ "A 9\nA;B;C 7\n", "A", "B", 2, 0, false },
};

START_TEST(test_edge)
{
	const struct edge_case *c = &edge_cases[_i];
	struct prof_report_options o = { .size = sizeof(o),
		                         .node_count = c->node_count };
	struct prof_graph *g = graph_of(c->stacks, &o);
	struct prof_node node;
	struct prof_edge edge;
	uint32_t from = UINT32_MAX, to = UINT32_MAX;
	int64_t weight = 0;
	bool is_residual = false;

	ck_assert(find_node(g, c->from, &node, &from));
	find_node(g, c->to, &node, &to);
	for (uint32_t i = 0; prof_get_edge(g, i, &edge); i++)
		if (edge.from == from && edge.to == to) {
			weight = edge.weight;
			is_residual = edge.is_residual;
		}
	ck_assert_int_eq(weight, c->weight);
	ck_assert_int_eq(is_residual, c->is_residual);
	prof_graph_free(g);
}
END_TEST

/* ---- Trimming and trees ---- */

static const struct shape_case {
	const char *stacks;
	struct prof_report_options options;
	const char *nodes; /* names in order, a blank between */
} shape_cases[] = {
	{ SEED, { 0 }, "C A B" },
	{ SEED, { .order = PROF_BY_CUM }, "A B C" },
	{ SEED, { .node_count = 2 }, "C A" },
	{ "A 1000\nA;B 1\n", { 0 }, "A" }, /* below 0.5 % */
	{ "A 1000\nA;B 1\n", { .no_trim = true }, "A B" },
	{ "A 1000\nA;B 1\n", { .node_fraction = -1 }, "A B" },
	{ "A 5\nB -3\n", { 0 }, "A B" },
	{ "A 5\nB -3\n", { .drop_negative = true }, "A" },
	{ "A;B 5\nA;B -5\nC 1\n", { 0 }, "C" }, /* zero is not there */
	{ "A;C 2\nB;C 3\n", { .call_tree = true }, "C C A B" },
	{ "A;B;A 2\n", { .call_tree = true }, "A A B" },
	{ "", { 0 }, "" },
};

START_TEST(test_shape)
{
	struct prof_report_options o = shape_cases[_i].options;
	struct prof_graph *g;
	struct prof_node node;
	char names[128] = "";

	o.size = sizeof(o);
	g = graph_of(shape_cases[_i].stacks, &o);
	for (uint32_t i = 0; prof_get_node(g, i, &node); i++) {
		if (i > 0)
			strcat(names, " ");
		strcat(names, node.name.ptr);
	}
	ck_assert_str_eq(names, shape_cases[_i].nodes);
	prof_graph_free(g);
}
END_TEST

/* ---- Out of memory ---- */

struct failing {
	struct prof_allocator allocator;
	long left;
	size_t used;
};

static void *failing_resize(void *ctx, void *ptr, size_t old_size,
                            size_t new_size)
{
	struct failing *f = ctx;
	void *new_ptr;

	if (new_size == 0) {
		free(ptr);
		f->used -= old_size;
		return NULL;
	}
	if (f->left-- <= 0)
		return NULL;
	new_ptr = realloc(ptr, new_size);
	f->used += new_size - old_size;
	return new_ptr;
}

static int drop(void *ctx, const void *buf, size_t size)
{
	(void)ctx;
	(void)buf;
	(void)size;
	return 0;
}

/* Each report, with the n-th allocation failing, for all n. */
START_TEST(test_no_memory)
{
	struct prof_profile *p = make(SEED "A;B;C;D 2\n");
	const struct prof_report_info *info = prof_report_info((size_t)_i);
	struct failing f = { { failing_resize, &f }, 0, 0 };
	struct prof_sink sink = { drop, NULL };
	enum prof_status status = PROF_NOMEM;

	for (long n = 0; status == PROF_NOMEM && n < 10000; n++) {
		struct prof_report_options o = { .size = sizeof(o),
			                         .symbol = "A",
			                         .allocator = &f.allocator };

		f.left = n;
		status = prof_report(p, info->name, sink, &o, NULL);
		ck_assert_uint_eq(f.used, 0);
	}
	ck_assert_int_ne(status, PROF_NOMEM);
	prof_profile_free(p);
}
END_TEST

/* ---- Sums ---- */

/* What could leave an int64_t is told, not wrapped. */
START_TEST(test_overflow)
{
	static const char *const stacks[] = {
		"A 9223372036854775807\nA 1\n",
		"A 9223372036854775807\nB -1\n",
		"A -9223372036854775808\n",
	};
	struct prof_profile *p = make(stacks[_i]);
	struct prof_graph *g = NULL;

	ck_assert_int_eq(prof_graph_new(&g, p, NULL, NULL), PROF_OVERFLOW);
	ck_assert_ptr_null(g);
	prof_profile_free(p);
}
END_TEST

/* ---- Instructions ---- */

static enum prof_status fake_find(void *ctx, struct prof_binary *out,
                                  const struct prof_profile *p,
                                  uint32_t mapping, uint64_t address,
                                  struct prof_error *err)
{
	(void)ctx, (void)p, (void)mapping, (void)address, (void)err;
	*out = (struct prof_binary){ .path = "a.out", .base = 0x7000 };
	return PROF_OK;
}

static enum prof_status fake_symbols(void *ctx, const char *path,
                                     prof_symbol_fn put, void *put_ctx,
                                     struct prof_error *err)
{
	(void)ctx, (void)path, (void)err;
	put(put_ctx, 0x80, (struct prof_str){ "before", 6 });
	put(put_ctx, 0x100, (struct prof_str){ "work", 4 });
	put(put_ctx, 0x100, (struct prof_str){ "alias", 5 });
	put(put_ctx, 0x110, (struct prof_str){ "behind", 6 });
	return PROF_OK;
}

static enum prof_status fake_instructions(void *ctx, const char *path,
                                          uint64_t start, uint64_t end,
                                          prof_instruction_fn put,
                                          void *put_ctx,
                                          struct prof_error *err)
{
	static const char *const texts[] = {
		"mov", "one that is so long that its place has a line", "ret"
	};

	(void)ctx, (void)path, (void)err;
	ck_assert_uint_eq(start, 0x100);
	ck_assert_uint_eq(end, 0x110);
	for (uint32_t i = 0; i < 3; i++) {
		struct prof_instruction in = {
			.address = 0x100 + 4 * i,
			.text = { texts[i], strlen(texts[i]) },
			.function = { "work", 4 },
			.file = { "src/a.c", 7 },
			.line = i == 0 ? 3 : 4
		};

		put(put_ctx, &in);
	}
	return PROF_OK;
}

/* Samples in work() at 0x100 (3), in its second instruction (2), behind (1). */
static struct prof_profile *make_mapped(void)
{
	static const uint64_t addresses[] = { 0x7100, 0x7106, 0x7118 };
	static const char *const names[] = { "work", "work", "behind" };
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_value_type type = { { "samples", 7 }, { "count", 5 } };
	struct prof_mapping mapping = { .start = 0x7000, .limit = 0x8000,
		                        .file = { "a.out", 5 } };
	struct prof_profile *p = NULL;
	uint32_t id;

	prof_add_sample_type(b, &type);
	id = prof_add_mapping(b, &mapping);
	for (uint32_t i = 0; i < 3; i++) {
		struct prof_function function = {
			.name = { names[i], strlen(names[i]) }
		};
		struct prof_line line = { prof_add_function(b, &function), 1,
			                  0 };
		struct prof_location location = { addresses[i], id, 1,
			                          .lines = &line };
		uint32_t at = prof_add_location(b, &location);
		int64_t value = 3 - i;

		prof_add_sample(b, prof_add_stack(b, &at, 1), 0, &value);
	}
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

START_TEST(test_disasm)
{
	static const char expected[] =
		"Total: 6\n"
		"ROUTINE ======================== work\n"
		"         5          5 (flat, cum) 83.33% of Total\n"
		"         3          3        100: "
		"mov                                     ;work a.c:3\n"
		"                                                            "
		"              ;work a.c:4\n"
		"         2          2        104: "
		"one that is so long that its place has a line\n"
		"         .          .        108: ret\n";
	struct prof_disassembler tool = { NULL, fake_find, fake_symbols,
		                          fake_instructions };
	struct prof_profile *p = make_mapped();
	struct failing f = { { failing_resize, &f }, 0, 0 };
	enum prof_status status = PROF_NOMEM;

	for (long n = 0; status == PROF_NOMEM && n < 10000; n++) {
		struct prof_buffer out = { 0 };
		struct prof_report_options o = { .size = sizeof(o),
			                         .symbol = "^work$",
			                         .disassembler = &tool,
			                         .allocator = &f.allocator };

		f.left = n;
		status = prof_report(p, "disasm", prof_sink_buffer(&out), &o,
		                     NULL);
		ck_assert_uint_eq(f.used, 0);
		if (status == PROF_OK) {
			ck_assert_int_eq(prof_sink_buffer(&out).write(&out, "",
			                                              1), 0);
			ck_assert_str_eq((char *)out.data, expected);
		}
		prof_buffer_release(&out);
	}
	ck_assert_int_eq(status, PROF_OK);
	prof_profile_free(p);
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("graph");
	TCase *cases = tcase_create("graph");
	SRunner *runner = srunner_create(suite);
	int n_failed, n_reports = 0;

	while (prof_report_info((size_t)n_reports) != NULL)
		n_reports++;
	tcase_add_loop_test(cases, test_node, 0, N(node_cases));
	tcase_add_loop_test(cases, test_edge, 0, N(edge_cases));
	tcase_add_loop_test(cases, test_shape, 0, N(shape_cases));
	tcase_add_loop_test(cases, test_no_memory, 0, n_reports);
	tcase_add_loop_test(cases, test_overflow, 0, 3);
	tcase_add_test(cases, test_disasm);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
