/* SPDX-License-Identifier: Apache-2.0 */
#include "report/frames.h"
#include "base/measure.h"
#include "report/shorten.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct prof_str str(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

static const struct label_case {
	int64_t value;
	const char *from, *to, *text;
} label_cases[] = {
	{ 0, "bytes", "auto", "0" },
	{ 1, "bytes", "auto", "1B" },
	{ 1023, "bytes", "auto", "1023B" },
	{ 1024, "byte", "minimum", "1kB" },
	{ 1638400, "bytes", "auto", "1.56MB" },
	{ -1638400, "bytes", "auto", "-1.56MB" },
	{ 1024, "kb", "B", "1048576B" },
	{ 1, "bytes", "MB", "0" },
	{ 1100, "milliseconds", "auto", "1.10s" },
	{ 1100, "milliseconds", "hrs", "0" },
	{ 90, "s", "auto", "90s" },
	{ 7200, "seconds", "auto", "2hrs" },
	{ 5, "nanoseconds", "bytes", "0" },
	{ 5, "count", "minimum", "5" },
	{ 5, "count", "count", "5" },
	{ 5, "objects", "things", "5things" },
	{ 1500, "GCU", "auto", "1.50k*GCU" },
	{ INT64_MAX, "ns", "auto", "2562047.79hrs" },
	{ INT64_MIN, "count", "auto", "-9223372036854775808" },
	{ INT64_MIN, "bytes", "auto", "-8192PB" },
};

START_TEST(test_label)
{
	const struct label_case *c = &label_cases[_i];
	struct measure_text t = measure_label(c->value, str(c->from),
	                                      str(c->to));

	ck_assert_str_eq(t.text, c->text);
}
END_TEST

static const struct ratio_case {
	const char *large, *small;
	int64_t ratio;
} ratio_cases[] = {
	{ "ns", "nanoseconds", 1 },
	{ "us", "ns", 1000 },
	{ "hours", "ns", INT64_C(3600000000000) },
	{ "hr", "Seconds", 3600 },
	{ "kB", "bytes", 1024 },
	{ "PB", "B", INT64_C(1) << 50 },
	{ "GCU", "nanogcu", 1000000000 },
	{ "petagcu", "microgcu", 0 }, /* 1e21 */
};

START_TEST(test_ratio)
{
	const struct ratio_case *c = &ratio_cases[_i];
	const struct measure_unit large = measure_find_unit(str(c->large));
	const struct measure_unit small = measure_find_unit(str(c->small));

	ck_assert_uint_ne(large.kind, 0);
	ck_assert_uint_eq(large.kind, small.kind);
	ck_assert_uint_ge(large.rank, small.rank);
	ck_assert_int_eq(measure_ratio(large, small), c->ratio);
	ck_assert_uint_eq(measure_find_unit(str("count")).kind, 0);
}
END_TEST

static const struct int_case {
	double value;
	int64_t whole, magnitude;
} int_cases[] = {
	{ 1.9, 1, 1 },
	{ -1.9, -1, 1 },
	{ 0x1p63, INT64_MAX, INT64_MAX },
	{ -0x1p63, INT64_MIN, INT64_MAX },
	{ 1e300, INT64_MAX, INT64_MAX },
	{ -INFINITY, INT64_MIN, INT64_MAX },
	{ NAN, 0, 0 },
};

START_TEST(test_int)
{
	const struct int_case *c = &int_cases[_i];

	ck_assert_int_eq(measure_int(c->value), c->whole);
	ck_assert_int_eq(measure_abs(c->whole), c->magnitude);
}
END_TEST

static const struct percentage_case {
	int64_t value, total;
	const char *text;
} percentage_cases[] = {
	{ 1, 1, "  100%" },    { 9995, 10000, "  100%" },
	{ 9994, 10000, "99.94%" }, { 10006, 10000, "100.06%" },
	{ 0, 5, "    0%" },    { 5, 0, "    0%" },
	{ 9, 1000, "  0.9%" }, { 1, 1000000, "0.0001%" },
	{ 1, 10000000, "1e-05%" }, { -1, 4, "25.00%" },
};

START_TEST(test_percentage)
{
	const struct percentage_case *c = &percentage_cases[_i];
	struct measure_text t = measure_percentage(c->value, c->total);

	ck_assert_str_eq(t.text, c->text);
}
END_TEST

static const struct path_case {
	const char *path, *clean, *base;
} path_cases[] = {
	{ "a/b.c", "a/b.c", "b.c" },
	{ "a/./b//c/../d", "a/b/d", "d" },
	{ "/../a", "/a", "a" },
	{ "../../a", "../../a", "a" },
	{ "a/../..", "..", ".." },
	{ "a/..", ".", ".." },
	{ "/", "/", "/" },
	{ "a//", "a", "a" },
	{ "./a", "a", "a" },
};

START_TEST(test_path)
{
	const struct path_case *c = &path_cases[_i];
	struct prof_str base = path_base(str(c->path));
	char clean[64];
	size_t n = path_clean(clean, str(c->path));

	clean[n] = '\0';
	ck_assert_str_eq(clean, c->clean);
	ck_assert_uint_eq(base.len, strlen(c->base));
	ck_assert_int_eq(memcmp(base.ptr, c->base, base.len), 0);
}
END_TEST

static const struct trim_case {
	const char *path, *trim, *source, *want;
} trim_cases[] = {
	{ "/build/a/b.c", "/build", NULL, "a/b.c" },
	{ "/build/a/b.c", "/other:/build/", NULL, "a/b.c" },
	{ "/builder/b.c", "/build", NULL, "/builder/b.c" },
	{ "/x/proj/a.c", NULL, "/home/me/proj", "a.c" },
	{ "/proc/self/cwd/./a.c", NULL, NULL, "a.c" },
	{ "a.c", NULL, NULL, "a.c" },
};

START_TEST(test_trim)
{
	const struct trim_case *c = &trim_cases[_i];
	struct prof_str s = path_trim(str(c->path), c->trim, c->source);

	ck_assert_str_eq(s.ptr, c->want);
}
END_TEST

static const struct shorten_case {
	const char *name, *want;
} shorten_cases[] = {
	{ "net/http.(*conn).serve", "http.(*conn).serve" },
	{ "github.com/x/y/v2/z.F", "z.F" },
	{ "example.com/m/v2.F", "m.F" },
	{ "java.bar.foo.FooBar.run(java.lang.Runnable)", "FooBar.run" },
	{ "java.util.List.<init>", "List.<init>" },
	{ "ns::Class::method", "Class::method" },
	{ "(anonymous namespace)::Bar::Foo", "Bar::Foo" },
	{ "ns::fn", "ns::fn" },
	{ "main", "main" },
	{ "", "" },
};

START_TEST(test_shorten)
{
	const struct shorten_case *c = &shorten_cases[_i];
	struct shortener s = { 0 };
	struct prof_str got;

	ck_assert_int_eq(shortener_init(&s, NULL), PROF_OK);
	got = shorten(&s, str(c->name));
	ck_assert_uint_eq(got.len, strlen(c->want));
	ck_assert_int_eq(memcmp(got.ptr, c->want, got.len), 0);
	shortener_release(&s);
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("measure");
	TCase *cases = tcase_create("measure");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_add_loop_test(cases, test_ratio, 0,
	                    sizeof(ratio_cases) / sizeof(ratio_cases[0]));
	tcase_add_loop_test(cases, test_int, 0, N(int_cases));
	tcase_add_loop_test(cases, test_label, 0, N(label_cases));
	tcase_add_loop_test(cases, test_percentage, 0, N(percentage_cases));
	tcase_add_loop_test(cases, test_path, 0, N(path_cases));
	tcase_add_loop_test(cases, test_trim, 0, N(trim_cases));
	tcase_add_loop_test(cases, test_shorten, 0, N(shorten_cases));
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
