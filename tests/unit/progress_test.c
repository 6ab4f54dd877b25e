/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <check.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define GB UINT64_C(1000000000)
#define BYTES PROGRESS_BYTES
#define FILES PROGRESS_FILES

static const struct format_case {
	enum progress_unit unit;
	uint64_t done, total, elapsed_ns;
	const char *text;
} format_cases[] = {
	{ BYTES, 500, 1000, 1000 * MS, "50% of 1.0 kB, 500 B/s, 0:01 left" },
	{ BYTES, GB, 4 * GB, 60000 * MS, "25% of 4.0 GB, 17 MB/s, 3:00 left" },
	{ BYTES, GB, GB, 2000 * MS, "100% of 1.0 GB, 500 MB/s, 0:00 left" },
	{ BYTES, 999, 1000, 1000 * MS, "99% of 1.0 kB, 999 B/s, 0:00 left" },
	{ BYTES, 1, 7200, 1000 * MS, "0% of 7.2 kB, 1 B/s, 119:59 left" },
	{ BYTES, 12340000, 0, 1000 * MS, "12 MB, 12 MB/s" },  /* total unknown */
	{ BYTES, 2000, 1000, 1000 * MS, "2.0 kB, 2.0 kB/s" }, /* it has grown */
	{ BYTES, 0, 1000, 1000 * MS, "0 B, 0 B/s" },
	{ BYTES, 0, 0, 0, "0 B, 0 B/s" },
	{ BYTES, UINT64_MAX, 0, 1000 * MS, "18447 PB, 18447 PB/s" },
	{ FILES, 43, 100, 1000 * MS, "43% of 100 files, 43 files/s, 0:01 left" },
	{ FILES, 6, 20000, 4000 * MS,
	  "0% of 20000 files, 1.5 files/s, 222:09 left" },
};

START_TEST(test_format)
{
	const struct format_case *c = &format_cases[_i];
	char text[96];

	progress_format(text, sizeof(text), c->unit, c->done, c->total,
	                c->elapsed_ns);
	ck_assert_str_eq(text, c->text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tcase = tcase_create("progress");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_add_loop_test(tcase, test_format, 0,
	                    sizeof(format_cases) / sizeof(*format_cases));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
