/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of profiles, against the rules of Go's runtime/pprof. */
#include <profile/sampler.h>

#include <check.h>
#include <stdio.h>
#include <string.h>

/* ---- Names ---- */

static const struct name_case {
	const char *name;
	enum prof_status status;
} names[] = {
	{ "connections", PROF_OK },      { "", PROF_INVALID },
	{ NULL, PROF_INVALID },          { "heap", PROF_INVALID },
	{ "allocs", PROF_INVALID },      { "cpu", PROF_INVALID },
	{ "thread", PROF_INVALID },      { "threadcreate", PROF_INVALID },
	{ "fd", PROF_INVALID },          { "block", PROF_INVALID },
	{ "mutex", PROF_INVALID },       { "heap2", PROF_OK },
	{ "a name of forty-seven bytes, which is the limit", PROF_OK },
	{ "a name of forty-eight bytes, which is too many..", PROF_INVALID },
};

START_TEST(checks_names)
{
	const struct name_case *c = &names[_i];
	struct prof_collection *p = NULL, *other = NULL;
	struct prof_error err;

	ck_assert_int_eq(prof_new(&p, c->name, &err), c->status);
	if (c->status != PROF_OK) {
		ck_assert_ptr_null(p);
		return;
	}
	ck_assert_str_eq(prof_name(p), c->name);
	ck_assert_ptr_eq(prof_lookup(c->name), p);
	ck_assert_int_eq(prof_new(&other, c->name, &err), PROF_INVALID);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(lists_by_name)
{
	struct prof_collection *all[16], *p;
	size_t n, i;

	prof_new(&p, "zebra", NULL);
	prof_new(&p, "apple", NULL);
	n = prof_profiles(all, 16);
	ck_assert_uint_eq(n, 6); /* child fd file threadcreate, and ours */
	ck_assert_str_eq(prof_name(all[0]), "apple");
	ck_assert_str_eq(prof_name(all[n - 1]), "zebra");
	for (i = 1; i < n; i++)
		ck_assert_int_lt(strcmp(prof_name(all[i - 1]),
		                        prof_name(all[i])), 0);
	ck_assert_ptr_null(prof_lookup("absent"));
}
END_TEST

/* ---- Values ---- */

static int values[1000];

static __attribute__((noinline)) enum prof_status
add_here(struct prof_collection *p, const void *value, size_t skip)
{
	struct prof_error err;
	enum prof_status status = prof_add(p, value, skip, &err);

	__asm__ volatile("" ::: "memory");
	return status;
}

START_TEST(adds_and_removes)
{
	struct prof_collection *p = NULL, *q = NULL;
	int i;

	ck_assert_int_eq(prof_new(&p, "p", NULL), PROF_OK);
	ck_assert_int_eq(prof_new(&q, "q", NULL), PROF_OK);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(add_here(p, &values[i], 0), PROF_OK);
	ck_assert_int_eq(add_here(p, &values[7], 0), PROF_INVALID);
	ck_assert_int_eq(add_here(q, &values[7], 0), PROF_OK);
	ck_assert_uint_eq(prof_count(p), 1000);
	ck_assert_uint_eq(prof_count(q), 1);
	for (i = 0; i < 1000; i += 2)
		prof_remove(p, &values[i]);
	prof_remove(p, &values[0]); /* not there: nothing */
	ck_assert_uint_eq(prof_count(p), 500);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(add_here(p, &values[i], 0),
		                 i % 2 ? PROF_INVALID : PROF_OK);
	ck_assert_uint_eq(prof_count(p), 1000);
	ck_assert_uint_eq(prof_count(q), 1);
}
END_TEST

START_TEST(the_samplers_own_are_closed)
{
	struct prof_collection *fd = prof_lookup("fd");

	ck_assert_ptr_nonnull(fd);
	ck_assert_int_eq(add_here(fd, &values[0], 0), PROF_INVALID);
	ck_assert_uint_eq(prof_count(fd), 0);
}
END_TEST

START_TEST(is_full_at_some_point)
{
	struct prof_collection *p = NULL;
	struct prof_error err;
	size_t i, n = 0;

	prof_new(&p, "full", NULL);
	for (i = 0; i < 70000; i++)
		n += add_here(p, (void *)(i + 1), 0) == PROF_OK;
	ck_assert_uint_eq(n, 65536);
	ck_assert_int_eq(prof_add(p, values, 0, &err), PROF_LIMIT);
	prof_remove(p, (void *)1);
	ck_assert_int_eq(prof_add(p, values, 0, &err), PROF_OK);
}
END_TEST

/* ---- Snapshots ---- */

static int64_t total(const struct prof_profile *p)
{
	struct prof_sample s;
	int64_t sum = 0;
	uint32_t i;

	for (i = 0; prof_get_sample(p, i, &s); i++)
		sum += s.values[0];
	return sum;
}

START_TEST(takes_snapshots)
{
	struct prof_collection *p = NULL;
	struct prof_profile *profile = NULL;
	struct prof_value_type type;
	struct prof_location l;
	struct prof_error err;
	uint32_t id;
	int i;

	prof_new(&p, "open", NULL);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(add_here(p, &values[i], (size_t)i % 2),
		                 PROF_OK);
	ck_assert_int_eq(prof_snapshot(&profile, "open", &err), PROF_OK);
	ck_assert_int_eq(total(profile), 5);
	/* With and without a skip, and a compiler may unroll. */
	ck_assert_uint_ge(prof_n_samples(profile), 2);
	ck_assert(prof_get_sample_type(profile, 0, &type));
	ck_assert_str_eq(type.type.ptr, "open");
	for (id = 1; prof_get_location(profile, id, &l); id++)
		ck_assert_uint_ne(l.mapping, 0);
	prof_profile_free(profile);
	ck_assert_int_eq(prof_snapshot(&profile, "thread", &err), PROF_OK);
	ck_assert_int_eq(total(profile), 1);
	prof_profile_free(profile);
	ck_assert_int_eq(prof_snapshot(&profile, "heap", &err), PROF_OK);
	prof_profile_free(profile);
	ck_assert_int_eq(prof_snapshot(&profile, "mutex", &err), PROF_OK);
	prof_profile_free(profile);
	ck_assert_int_eq(prof_snapshot(&profile, "absent", &err),
	                 PROF_INVALID);
	ck_assert_str_eq(err.message, "there is no profile \"absent\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tc = tcase_create("registry");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, checks_names, 0,
	                    sizeof(names) / sizeof(names[0]));
	tcase_add_test(tc, lists_by_name);
	tcase_add_test(tc, adds_and_removes);
	tcase_add_test(tc, the_samplers_own_are_closed);
	tcase_add_test(tc, is_full_at_some_point);
	tcase_add_test(tc, takes_snapshots);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
