/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of profiles, against the rules of Go's runtime/pprof. */
#include <profile/io.h>
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
	{ "mutex", PROF_INVALID },       { "wall", PROF_INVALID },
	{ "file", PROF_INVALID },        { "heap2", PROF_OK },
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
	ck_assert_uint_eq(n, 12); /* ten of its own, and ours */
	ck_assert_uint_eq(prof_profiles(NULL, 0), 12);
	ck_assert_str_eq(prof_name(all[0]), "allocs");
	ck_assert_str_eq(prof_name(all[1]), "apple");
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
	static const char names_of[][16] = {
		"allocs", "block",  "child", "fd",   "file",
		"heap",   "mutex", "thread", "threadcreate", "wall",
	};
	struct prof_count_record rec;
	struct prof_collection *p;
	size_t i, n;

	for (i = 0; i < sizeof(names_of) / sizeof(names_of[0]); i++) {
		p = prof_lookup(names_of[i]);
		ck_assert_ptr_nonnull(p);
		ck_assert_str_eq(prof_name(p), names_of[i]);
		ck_assert_int_eq(add_here(p, &values[0], 0), PROF_INVALID);
		prof_remove(p, &values[0]);
		ck_assert_uint_eq(prof_count(p), names_of[i][0] == 't' &&
		                                 !names_of[i][6]);
		ck_assert(prof_count_records(p, &n, &rec, 1));
		ck_assert_uint_eq(n, 0);
	}
	ck_assert_ptr_null(prof_lookup("cpu")); /* a stream, as in Go */
	ck_assert(prof_threadcreate_records(&n, NULL, 0));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(hands_out_records)
{
	static struct prof_count_record recs[8];
	struct prof_collection *p = NULL;
	volatile size_t wish = 8; /* one call, not eight */
	size_t n = 77, i;

	ck_assert_int_eq(prof_new(&p, "handed", NULL), PROF_OK);
	ck_assert(prof_count_records(p, &n, NULL, 0));
	ck_assert_uint_eq(n, 0);
	for (i = 0; i < wish; i++)
		ck_assert_int_eq(add_here(p, &values[i], 0), PROF_OK);
	ck_assert(!prof_count_records(p, &n, recs, 7));
	ck_assert_uint_eq(n, 8);
	ck_assert(prof_count_records(p, &n, recs, 8));
	ck_assert_uint_eq(n, 8);
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(recs[i].n, 1);
		ck_assert_uint_gt(recs[i].n_pcs, 2);
		ck_assert_ptr_eq(recs[i].pcs, recs[0].pcs);
	}
}
END_TEST

START_TEST(tells_rates)
{
	ck_assert_int_eq(prof_set_mem_rate(-1), 0);
	ck_assert_int_eq(prof_set_mem_rate(1000), 0);
	ck_assert_int_eq(prof_set_mem_rate(-1), 1000);
	ck_assert_int_eq(prof_set_mem_rate(0), 1000);
	ck_assert_int_eq(prof_set_block_rate(7), 0);
	ck_assert_int_eq(prof_set_block_rate(-1), 7);
	ck_assert_int_eq(prof_set_block_rate(0), 7);
	ck_assert_int_eq(prof_set_mutex_fraction(5), 0);
	ck_assert_int_eq(prof_set_mutex_fraction(-3), 5);
	ck_assert_int_eq(prof_set_mutex_fraction(0), 5);
}
END_TEST

/* ---- Writing ---- */

static char written[1 << 16];

static const char *write_text(const struct prof_collection *p, int debug)
{
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_error err = { .message = "" };

	ck_assert_msg(prof_write_to(p, prof_sink_buffer(&out), debug, &err) ==
	                      PROF_OK, "%s", err.message);
	ck_assert_uint_gt(out.size, 0);
	ck_assert_uint_lt(out.size, sizeof(written));
	memcpy(written, out.data, out.size);
	written[out.size] = '\0';
	prof_buffer_release(&out);
	return written;
}

/* The first lines of what is empty, as Go has them. */
static const struct text_case {
	const char *name, *text;
} texts[] = {
	{ "fd", "fd profile: total 0\n" },
	{ "threadcreate", "threadcreate profile: total 0\n" },
	{ "thread", "thread profile: total 1\n1 @ 0x" },
	{ "heap", "heap profile: 0: 0 [0: 1] @ heap/0\n\n# MaxRSS = " },
	{ "allocs", "heap profile: 0: 0 [0: 1] @ heap/0\n\n# MaxRSS = " },
	{ "block", "--- contention:\ncycles/second=1000000000\n" },
	{ "mutex", "--- mutex:\ncycles/second=1000000000\n"
	           "sampling period=1\n" },
	{ "wall", "--- contention:\ncycles/second=1000000000\n" },
};

START_TEST(writes_texts)
{
	const struct text_case *c = &texts[_i];
	const size_t n = strlen(c->text);

	write_text(prof_lookup(c->name), 1);
	ck_assert_uint_ge(strlen(written), n);
	written[n] = '\0';
	ck_assert_str_eq(written, c->text);
}
END_TEST

START_TEST(writes_with_names)
{
	struct prof_collection *p = NULL;
	struct prof_profile *profile = NULL;
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_function f;
	struct prof_error err;
	bool has_name = false;
	volatile int n = 3; /* one call, not three */
	uint32_t id;
	int i;

	prof_new(&p, "written", NULL);
	for (i = 0; i < n; i++)
		add_here(p, &values[i], 0);
	write_text(p, 1);
	ck_assert_int_eq(strncmp(written, "written profile: total 3\n3 @ 0x",
	                         31), 0);
	ck_assert_ptr_nonnull(strstr(written, "\tadd_here"));
	ck_assert_ptr_nonnull(strstr(written, "registry_test.c:"));
	write_text(prof_lookup("thread"), 2);
	ck_assert_int_eq(strncmp(written, "thread ", 7), 0);
	ck_assert_ptr_nonnull(strstr(written, "\"registry_test\" [running]:\n"));
	ck_assert_ptr_nonnull(strstr(written, "main(...)\n\t"));

	ck_assert_int_eq(prof_write_to(p, prof_sink_buffer(&out), 0, &err),
	                 PROF_OK);
	ck_assert_uint_eq(out.data[0], 0x1f);
	ck_assert_uint_eq(out.data[1], 0x8b);
	ck_assert_int_eq(prof_read_mem(&profile, out.data, out.size, NULL,
	                               &err), PROF_OK);
	for (id = 1; prof_get_function(profile, id, &f); id++)
		has_name |= !strcmp(f.name.ptr, "add_here");
	ck_assert(has_name);
	prof_profile_free(profile);
	prof_buffer_release(&out);
	ck_assert_int_eq(prof_write_to(p, prof_sink_buffer(&out), 3, &err),
	                 PROF_INVALID);
	ck_assert_uint_eq(out.size, 0);
}
END_TEST

static int refuse(void *ctx, const void *buf, size_t size)
{
	(void)ctx;
	(void)buf;
	return size > 0 ? -28 : 0;
}

START_TEST(tells_of_a_full_disk)
{
	const struct prof_sink full = { refuse, NULL };
	struct prof_error err;

	ck_assert_int_eq(prof_write_to(prof_lookup("heap"), full, _i, &err),
	                 PROF_SYSTEM);
	ck_assert_int_eq(err.sys_errno, 28);
	ck_assert_int_eq(prof_write_to(prof_lookup("thread"), full, _i, &err),
	                 PROF_SYSTEM);
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
	tcase_add_test(tc, hands_out_records);
	tcase_add_test(tc, tells_rates);
	tcase_add_loop_test(tc, writes_texts, 0,
	                    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tc, writes_with_names);
	tcase_add_loop_test(tc, tells_of_a_full_disk, 0, 3);
	tcase_add_test(tc, is_full_at_some_point);
	tcase_add_test(tc, takes_snapshots);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
