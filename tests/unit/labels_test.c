/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/labels.h"
#include "sampler/state.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* "a=1 b=2" applied to a set; "a" takes a key away. */
static const struct prof_label_set *with(const struct prof_label_set *base,
                                         const char *text)
{
	char copy[256], *save = NULL, *word;
	struct prof_label_pair pairs[16];
	size_t n = 0;

	strcpy(copy, text);
	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals++ = '\0';
		pairs[n++] = (struct prof_label_pair){ word, equals };
	}
	return prof_labels_with(base, pairs, n, NULL);
}

static const char *text_of(const struct prof_label_set *set)
{
	static char text[256];
	struct prof_label labels[LABELS_MAX];
	const uint64_t tag =
		set ? (uint64_t)((const unsigned char *)set -
	                         sampler_state->labels.bytes)
		    : 0;
	size_t n = labels_decode(labels, &sampler_state->labels, tag), i;

	text[0] = '\0';
	for (i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%s=%s", i ? " " : "",
		        labels[i].key.ptr, labels[i].str.ptr);
	return text;
}

static const struct labels_case {
	const char *base, *change, *result;
} cases[] = {
	{ "", "", "" },
	{ "", "a=1", "a=1" },
	{ "", "b=2 a=1", "a=1 b=2" },
	{ "a=1", "a=2", "a=2" },
	{ "a=1 c=3", "b=2", "a=1 b=2 c=3" },
	{ "a=1 b=2", "a", "b=2" },
	{ "a=1", "a", "" },
	{ "", "a", "" },
	{ "a=1", "b= c=x", "a=1 b= c=x" },
	{ "", "a=1 a=2", "a=2" },
};

START_TEST(makes_sets)
{
	const struct labels_case *c = &cases[_i];
	const struct prof_label_set *base = with(NULL, c->base), *set;

	set = with(base, c->change);
	ck_assert_str_eq(text_of(set), c->result);
	ck_assert_str_eq(text_of(base), c->base); /* copy on write */
	ck_assert_ptr_eq(set, with(NULL, c->result)); /* interned */
}
END_TEST

static void note_value(void *out)
{
	*(const char **)out = prof_labels_value(prof_labels_get(), "k");
}

START_TEST(scopes)
{
	const struct prof_label_set *outer = with(NULL, "k=outer");
	const char *value = NULL;

	prof_labels_set(outer);
	prof_do(with(outer, "k=inner"), note_value, &value);
	ck_assert_str_eq(value, "inner");
	ck_assert_ptr_eq(prof_labels_get(), outer);
	ck_assert_ptr_null(prof_labels_value(outer, "other"));
	ck_assert_ptr_null(prof_labels_value(NULL, "k"));
	prof_labels_set(NULL);
	ck_assert_uint_eq(labels_tag(), 0);
}
END_TEST

START_TEST(refuses)
{
	const struct prof_label_pair no_key = { "", "x" };
	struct prof_label_pair pairs[LABELS_MAX + 1];
	static char keys[LABELS_MAX + 1][8], huge[LABELS_BYTES];
	struct prof_error err;
	size_t i;

	ck_assert_ptr_null(prof_labels_with(NULL, &no_key, 1, &err));
	ck_assert_int_eq(err.status, PROF_INVALID);
	for (i = 0; i <= LABELS_MAX; i++) {
		sprintf(keys[i], "k%zu", i);
		pairs[i] = (struct prof_label_pair){ keys[i], "v" };
	}
	ck_assert_ptr_nonnull(prof_labels_with(NULL, pairs, LABELS_MAX, &err));
	ck_assert_ptr_null(
		prof_labels_with(NULL, pairs, LABELS_MAX + 1, &err));
	ck_assert_int_eq(err.status, PROF_LIMIT);
	memset(huge, 'x', sizeof(huge) - 1);
	pairs[0].value = huge;
	ck_assert_ptr_null(prof_labels_with(NULL, pairs, 1, &err));
	ck_assert_int_eq(err.status, PROF_LIMIT);
}
END_TEST

/* A table from another process may hold anything. */
START_TEST(distrusts_memory)
{
	static struct label_table t;
	struct prof_label labels[LABELS_MAX];
	size_t i;
	uint64_t tag;

	for (i = 0; i < sizeof(t.bytes); i++)
		t.bytes[i] = (unsigned char)(i * 2654435761u >> (8 + _i));
	for (tag = 0; tag < LABELS_BYTES + 100; tag += 8)
		ck_assert_uint_le(labels_decode(labels, &t, tag), LABELS_MAX);
	ck_assert_uint_eq(labels_decode(labels, &t, UINT64_MAX), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("labels");
	TCase *tc = tcase_create("labels");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, makes_sets, 0,
	                    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, scopes);
	tcase_add_test(tc, refuses);
	tcase_add_loop_test(tc, distrusts_memory, 0, 16);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
