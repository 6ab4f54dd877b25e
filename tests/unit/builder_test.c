/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder: equal things get equal ids, a failure sticks, and nothing that
 * is not valid comes out.
 */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR(text) ((struct prof_str){ (text), sizeof(text) - 1 })

static struct prof_builder *new_builder(void)
{
	struct prof_builder *b = prof_builder_new(NULL);

	ck_assert_ptr_nonnull(b);
	prof_add_sample_type(b, &(struct prof_value_type){ STR("n"), STR("") });
	return b;
}

static uint32_t add_location(struct prof_builder *b, uint64_t address)
{
	return prof_add_location(b, &(struct prof_location){
		.address = address });
}

/* ---- Interning ---- */

START_TEST(equal_rows_have_one_id)
{
	struct prof_builder *b = new_builder();
	const struct prof_function f = { STR("f"), STR("_f"), STR("a.c"), 1 };
	const struct prof_mapping m = { .start = 1, .limit = 9,
	                                .file = STR("a") };
	const uint32_t function = prof_add_function(b, &f);
	const struct prof_line line = { .function = function, .line = 5 };
	const uint32_t stack[] = { add_location(b, 1), add_location(b, 2) };
	const struct prof_label labels[] = {
		{ .key = STR("a"), .str = STR("b") }, { .key = STR("c"), .num = 1 },
	};
	struct prof_profile *p = NULL;

	ck_assert_uint_eq(prof_add_function(b, &f), function);
	ck_assert_uint_eq(prof_add_mapping(b, &m), 1);
	ck_assert_uint_eq(prof_add_mapping(b, &m), 1);
	ck_assert_uint_eq(add_location(b, 1), 1);
	ck_assert_uint_eq(prof_add_location(b, &(struct prof_location){
		.address = 1, .n_lines = 1, .lines = &line }), 3);
	ck_assert_uint_eq(prof_add_location(b, &(struct prof_location){
		.address = 1, .is_folded = true }), 4);
	ck_assert_uint_eq(prof_add_stack(b, stack, 2), 1);
	ck_assert_uint_eq(prof_add_stack(b, stack, 1), 2);
	ck_assert_uint_eq(prof_add_stack(b, stack, 2), 1);
	ck_assert_uint_eq(prof_add_stack(b, NULL, 0), 0);
	ck_assert_uint_eq(prof_add_label_set(b, labels, 2), 1);
	ck_assert_uint_eq(prof_add_label_set(b, labels, 1), 2);
	ck_assert_uint_eq(prof_add_label_set(b, labels, 2), 1);
	ck_assert_uint_eq(prof_add_label_set(b, NULL, 0), 0);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	ck_assert_uint_eq(prof_n_functions(p), 1);
	ck_assert_uint_eq(prof_n_locations(p), 4);
	prof_profile_free(p);
}
END_TEST

/* Beyond the first hash table, and beyond one and two bytes an id. */
START_TEST(many_rows)
{
	const uint32_t n = 40000;
	struct prof_builder *b = new_builder();
	struct prof_profile *p = NULL;
	struct prof_sample s;

	for (int again = 0; again < 2; again++)
		for (uint32_t i = 1; i <= n; i++) {
			const uint32_t stack[] = { add_location(b, i), 1, 1 };
			char text[32];
			const struct prof_label label = {
				.key = STR("key"),
				.str = { text, (size_t)snprintf(
					text, sizeof(text), "label %u", i) },
			};

			ck_assert_uint_eq(stack[0], i);
			ck_assert_uint_eq(prof_add_stack(b, stack, 3), i);
			ck_assert_uint_eq(prof_add_label_set(b, &label, 1), i);
			prof_count_sample(b, i, i, &(int64_t){ i });
		}
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	ck_assert_uint_eq(prof_n_samples(p), n);
	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++) {
		struct prof_label label;
		uint32_t stack[3];
		char text[32];

		ck_assert_int_eq(s.values[0], 2 * ((int64_t)i + 1));
		ck_assert_uint_eq(prof_get_stack(p, s.stack, stack, 3), 3);
		ck_assert_uint_eq(stack[0], i + 1);
		ck_assert_uint_eq(stack[2], 1);
		ck_assert_uint_eq(prof_get_label_set(p, s.label_set, &label, 1),
		                  1);
		snprintf(text, sizeof(text), "label %u", i + 1);
		ck_assert_str_eq(label.str.ptr, text);
	}
	ck_assert_uint_eq(prof_max_stack_depth(p), 3);
	ck_assert_uint_eq(prof_max_label_set_size(p), 1);
	prof_profile_free(p);
}
END_TEST

/* ---- Failures ---- */

static void beyond_locations(struct prof_builder *b)
{
	prof_add_sample(b, prof_add_stack(b, &(uint32_t){ 7 }, 1), 0,
	                &(int64_t){ 1 });
}

static void location_zero(struct prof_builder *b)
{
	prof_add_stack(b, &(uint32_t){ 0 }, 1);
}

static void beyond_stacks(struct prof_builder *b)
{
	prof_add_sample(b, 1, 0, &(int64_t){ 1 });
}

static void beyond_label_sets(struct prof_builder *b)
{
	prof_add_sample(b, 0, 1, &(int64_t){ 1 });
}

static void beyond_functions(struct prof_builder *b)
{
	prof_add_location(b, &(struct prof_location){
		.n_lines = 1, .lines = &(struct prof_line){ .function = 3 } });
}

static void line_without_function(struct prof_builder *b)
{
	prof_add_location(b, &(struct prof_location){
		.n_lines = 1, .lines = &(struct prof_line){ .line = 3 } });
}

static void beyond_mappings(struct prof_builder *b)
{
	prof_add_location(b, &(struct prof_location){ .mapping = 1 });
}

static void sum_overflows(struct prof_builder *b)
{
	prof_count_sample(b, 0, 0, &(int64_t){ INT64_MAX });
	prof_count_sample(b, 0, 0, &(int64_t){ 1 });
}

static void sum_underflows(struct prof_builder *b)
{
	prof_count_sample(b, 0, 0, &(int64_t){ INT64_MIN });
	prof_count_sample(b, 0, 0, &(int64_t){ -1 });
}

static const struct failure {
	void (*make)(struct prof_builder *b);
	enum prof_status status;
	const char *message;
} failures[] = {
	{ beyond_locations, PROF_CORRUPT, "location 7" },
	{ location_zero, PROF_CORRUPT, "location 0" },
	{ beyond_stacks, PROF_CORRUPT, "stack" },
	{ beyond_label_sets, PROF_CORRUPT, "label set" },
	{ beyond_functions, PROF_CORRUPT, "function 3" },
	{ line_without_function, PROF_CORRUPT, "function 0" },
	{ beyond_mappings, PROF_CORRUPT, "mapping 1" },
	{ sum_overflows, PROF_OVERFLOW, "" },
	{ sum_underflows, PROF_OVERFLOW, "" },
};

START_TEST(failures_are_told)
{
	const struct failure *f = &failures[_i];
	struct prof_builder *b = new_builder();
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	enum prof_status status;

	f->make(b);
	status = prof_builder_finish(&p, b, &err);
	ck_assert_msg(status == f->status, "%d: %s, \"%s\"", _i,
	              prof_status_string(status), err.message);
	ck_assert_msg(strstr(err.message, f->message) != NULL, "%d: \"%s\"",
	              _i, err.message);
	ck_assert_ptr_null(p);
}
END_TEST

/* The first failure stays, and nothing is added behind it. */
START_TEST(a_failure_sticks)
{
	struct prof_builder *b = new_builder();
	struct prof_profile *p = NULL;
	struct prof_error first, last;

	sum_overflows(b);
	ck_assert_int_eq(prof_builder_status(b, &first), PROF_OVERFLOW);
	ck_assert_uint_eq(add_location(b, 1), 0);
	ck_assert_uint_eq(prof_add_stack(b, &(uint32_t){ 0 }, 1), 0);
	ck_assert_int_eq(prof_builder_finish(&p, b, &last), PROF_OVERFLOW);
	ck_assert_str_eq(first.message, last.message);
	ck_assert_ptr_null(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("builder");
	TCase *tc = tcase_create("builder");

	tcase_add_test(tc, equal_rows_have_one_id);
	tcase_add_test(tc, many_rows);
	tcase_add_loop_test(tc, failures_are_told, 0, N_ELEMENTS(failures));
	tcase_add_test(tc, a_failure_sticks);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
