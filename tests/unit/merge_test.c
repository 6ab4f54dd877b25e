/* SPDX-License-Identifier: Apache-2.0 */
/* What a merge has to say of its label sets. */
#include "testing.h"
#include "wire_text.h"

#include <profile/transform.h>
#include <stdlib.h>

#define TYPE "1{1:1 2:2} "
#define STRINGS " 6'' 6'cpu' 6'ns' "

static const struct set_size_case {
	const char *wire;
	size_t size;
} set_size_cases[] = {
	{ TYPE "2{2:7}" STRINGS, 0 },
	{ TYPE "2{2:7 3{1:1 2:2}}" STRINGS, 1 },
	{ TYPE "2{2:7} 2{2:7 3{1:1 2:2} 3{1:1 3:1} 3{1:1 3:2} 3{1:2 3:3}} "
	  "2{2:1 3{1:2 3:9}}" STRINGS, 4 },
};

/* The sum of merges, too: its label sets are read with that size. */
START_TEST(largest_label_set)
{
	const struct set_size_case *c = &set_size_cases[_i];
	struct bytes wire = wire_from_text(c->wire);
	struct prof_profile *in = read_profile(wire, NULL);
	struct prof_profile *sum, *sums;

	ck_assert_uint_eq(prof_max_label_set_size(in), c->size);
	ck_assert_int_eq(prof_merge(&sum, &in, 1, NULL, NULL), PROF_OK);
	ck_assert_uint_eq(prof_max_label_set_size(sum), c->size);
	ck_assert_int_eq(prof_merge(&sums, (struct prof_profile *[]){
		sum, in }, 2, NULL, NULL), PROF_OK);
	ck_assert_uint_eq(prof_max_label_set_size(sums), c->size);
	prof_profile_free(sums);
	prof_profile_free(sum);
	prof_profile_free(in);
	free(wire.data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *tc = tcase_create("merge");

	tcase_add_loop_test(tc, largest_label_set, 0,
	                    sizeof(set_size_cases) / sizeof(set_size_cases[0]));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
