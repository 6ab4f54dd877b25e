/* SPDX-License-Identifier: Apache-2.0 */
#include "nearest.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIXTY_FOUR                                                            \
	"0123456789012345678901234567890123456789012345678901234567890123"

static const struct distance_case {
	const char *a, *b;
	size_t distance;
} distance_cases[] = {
	{ "", "", 0 },
	{ "strict", "strict", 0 },
	{ "", "abc", 3 },
	{ "abc", "", 3 },
	{ "yml", "yaml", 1 },    /* put in */
	{ "yaaml", "yaml", 1 },  /* left out */
	{ "jaml", "yaml", 1 },   /* changed */
	{ "strcit", "strict", 1 }, /* swapped */
	{ "kitten", "sitting", 3 },
	{ "ca", "abc", 3 },      /* a swap is not edited again */
	{ SIXTY_FOUR, "x", SIZE_MAX },
	{ "x", SIXTY_FOUR, SIZE_MAX },
};

START_TEST(test_distance)
{
	const struct distance_case *c = &distance_cases[_i];

	ck_assert_uint_eq(edit_distance(c->a, strlen(c->a), c->b),
	                  c->distance);
}
END_TEST

static const struct nearest_case {
	const char *typed, *best;
} nearest_cases[] = {
	{ "yml", "yaml" },
	{ "prof", "pprof" },
	{ "collapse", "collapsed" },
	{ "rwa", "raw" },
	{ "zip", NULL },
	{ "", NULL },
	{ "perf", NULL },        /* two edits in four letters */
};

START_TEST(test_nearest)
{
	static const char *const words[] = { "pprof", "raw", "collapsed",
	                                     "yaml" };
	const struct nearest_case *c = &nearest_cases[_i];
	struct nearest n = nearest_to(c->typed, strlen(c->typed));

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		nearest_consider(&n, words[i]);
	ck_assert_pstr_eq(n.best, c->best);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *tcase = tcase_create("nearest");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_add_loop_test(tcase, test_distance, 0,
	                    sizeof(distance_cases) / sizeof(*distance_cases));
	tcase_add_loop_test(tcase, test_nearest, 0,
	                    sizeof(nearest_cases) / sizeof(*nearest_cases));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
