/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused, at which line and in which words; and what is not. */
#include "testing.h"
#include "yaml_rewrite.h"

#include "format/format.h"

#include <time.h>

#define P "profile: 1\n"
#define S P "samples:\n"
#define C "cpu_chunks: 1\nhz: 100\nrecords:\n"

static const struct refusal {
	const char *text;
	enum prof_status status;
	unsigned line;
	const char *message;
} refusals[] = {
	/* What of YAML is left out. */
	{ P "comments: &x [a]\n", PROF_CORRUPT, 2, "anchors" },
	{ P "comments: [&x a]\n", PROF_CORRUPT, 2, "anchors" },
	{ P "comments: [*x]\n", PROF_CORRUPT, 2, "aliases" },
	{ P "comments: [a]\n<<: {a: 1}\n", PROF_CORRUPT, 3, "unknown key" },
	{ P "comments: !!set [a]\n", PROF_CORRUPT, 2, "tags" },
	{ P "comments: [!!str a]\n", PROF_CORRUPT, 2, "tags" },
	{ P "comments: [! a]\n", PROF_CORRUPT, 2, "tags" },
	{ P "comments: !!binary [a]\n", PROF_CORRUPT, 2, "tags" },
	{ P "!!binary ZG9jX3VybA==: a\n", PROF_CORRUPT, 2, "unknown key" },
	{ P "time_nanos: !!int 5\n", PROF_CORRUPT, 2, "tags" },
	{ P "---\n" P, PROF_CORRUPT, 2, "second document" },
	{ P "...\n" P, PROF_CORRUPT, 3, "document" },
	{ P "default: a\ndefault: a\n", PROF_CORRUPT, 3, "there twice" },
	{ P P, PROF_CORRUPT, 2, "there twice" },
	{ P "\ncolour: a\n", PROF_CORRUPT, 3,
	  "unknown key in a profile: colour" },
	{ P "? [a]\n: b\n", PROF_CORRUPT, 2, "a key must be a single value" },
	{ S "- {v: 1, v: 2}\n", PROF_CORRUPT, 3, "there twice in a sample: v" },
	{ S "- {v: 1, labels: {a: b, \"a\": c}}\n", PROF_CORRUPT, 3,
	  "label's key that is there twice: a" },
	{ S "- {v: 1, labels: {a: []}}\n", PROF_CORRUPT, 3, "has no value" },
	{ P "comments: [\"\\q\"]\n", PROF_CORRUPT, 2, "escape" },
	{ P "comments: [a\n", PROF_CORRUPT, 3, "did not find expected" },
	{ P "comments: [a]\n# \xff\n", PROF_CORRUPT, 3, "UTF-8" },
	{ P "comments: [a]\n\n\"\x01\": b\n", PROF_CORRUPT, 4, "control" },

	/* The first key. */
	{ "", PROF_TRUNCATED, 1, "no document" },
	{ "# nothing\n", PROF_TRUNCATED, 2, "no document" },
	{ "{}\n", PROF_CORRUPT, 1, "empty" },
	{ "- a\n", PROF_CORRUPT, 1, "the document must be a map" },
	{ "default: a\nprofile: 1\n", PROF_CORRUPT, 1, "the first key" },
	{ "profile: 2\n", PROF_UNSUPPORTED, 1, "version 2" },
	{ "profile: \"1\"\n", PROF_CORRUPT, 1, "without quotes" },
	{ "recording: 7\n", PROF_UNSUPPORTED, 1, "version 7" },

	/* Numbers. */
	{ P "time_nanos: 010\n", PROF_CORRUPT, 2, "010" },
	{ P "time_nanos: 0o10\n", PROF_CORRUPT, 2, "0o10" },
	{ P "time_nanos: 1_000\n", PROF_CORRUPT, 2, "1_000" },
	{ P "time_nanos: 1:30\n", PROF_CORRUPT, 2, "1:30" },
	{ P "time_nanos: 1e3\n", PROF_CORRUPT, 2, "1e3" },
	{ P "time_nanos: 1.0\n", PROF_CORRUPT, 2, "1.0" },
	{ P "time_nanos: +1\n", PROF_CORRUPT, 2, "+1" },
	{ P "time_nanos: 0x\n", PROF_CORRUPT, 2, "0x" },
	{ P "time_nanos: 0X10\n", PROF_CORRUPT, 2, "0X10" },
	{ P "time_nanos: 0b1\n", PROF_CORRUPT, 2, "0b1" },
	{ P "time_nanos: -\n", PROF_CORRUPT, 2, "" },
	{ P "time_nanos:\n", PROF_CORRUPT, 2, "whole number" },
	{ P "time_nanos: 2021-01-01\n", PROF_CORRUPT, 2, "2021-01-01" },
	{ P "time_nanos: [1]\n", PROF_CORRUPT, 2, "a single value" },
	{ P "time_nanos: 9223372036854775808\n", PROF_OVERFLOW, 2, "range" },
	{ P "time_nanos: -9223372036854775809\n", PROF_OVERFLOW, 2, "range" },
	{ P "time_nanos: 18446744073709551616\n", PROF_CORRUPT, 2, "64" },
	{ P "time_nanos: 0x10000000000000000\n", PROF_CORRUPT, 2, "64" },
	{ P "mappings:\n- {start: -1}\n", PROF_CORRUPT, 3, "negative" },

	/* Strings. */
	{ P "default: no\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: On\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: y\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: ~\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default:\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: Null\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: =\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: <<\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 12\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 010\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 1_0\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 1:30\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 1e3\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: .5\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: -.inf\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: .NaN\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 0xab\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 2021-01-01\n", PROF_CORRUPT, 2, "in quotes" },
	{ P "default: 2001-12-14t21:59:43.10-05:00\n", PROF_CORRUPT, 2,
	  "in quotes" },
	{ S "- {v: 1, labels: {no: [a]}}\n", PROF_CORRUPT, 3, "in quotes" },
	{ P "default: !!binary \"a\"\n", PROF_CORRUPT, 2, "base64" },
	{ P "default: !!binary \"YQ=\"\n", PROF_CORRUPT, 2, "base64" },
	{ P "default: !!binary \"YR==\"\n", PROF_CORRUPT, 2, "base64" },
	{ P "default: !!binary \"YQ==YQ==\"\n", PROF_CORRUPT, 2, "base64" },
	{ P "default: !!binary \"Y-==\"\n", PROF_CORRUPT, 2, "base64" },

	/* Profiles. */
	{ P "sample_types: [samples]\n", PROF_CORRUPT, 2, "type/unit" },
	{ P "sample_types: {}\n", PROF_CORRUPT, 2, "must be a list" },
	{ P "locations: []\nmappings: []\n", PROF_CORRUPT, 3,
	  "mappings must come before locations" },
	{ S "[]\nsample_types: [a/b]\n", PROF_CORRUPT, 4, "" },
	{ P "locations:\n- {map: 1}\n", PROF_CORRUPT, 3, "no mapping 1" },
	{ P "locations:\n- {map: 0}\n", PROF_CORRUPT, 3, "no mapping 0" },
	{ P "locations:\n- {id: 0}\n", PROF_CORRUPT, 3, "id 0" },
	{ P "locations:\n- {id: 5}\n- {id: 5}\n", PROF_CORRUPT, 4, "id 5" },
	{ P "locations:\n- {id: 2}\n- {}\n", PROF_CORRUPT, 4, "id 2" },
	{ P "locations:\n- {folded: 1}\n", PROF_CORRUPT, 3, "true or false" },
	{ P "locations:\n- {lines: [{line: 1}]}\n", PROF_CORRUPT, 3, "fn:" },
	{ P "locations:\n- {lines: [{f: 1}]}\n", PROF_CORRUPT, 3, "fn:" },
	{ P "functions: [{fn: a}]\nlocations:\n- {lines: [{fn: a}]}\n",
	  PROF_CORRUPT, 4, "by f:" },
	{ P "functions: [{fn: a}]\nlocations:\n- {lines: [{f: 2}]}\n",
	  PROF_CORRUPT, 4, "no function 2" },
	{ P "mappings:\n- {has: [colour]}\n", PROF_CORRUPT, 3, "colour" },
	{ P "mappings:\n- {t: 1}\n", PROF_CORRUPT, 3, "recording" },
	{ S "- {v: 1, at: [1]}\n", PROF_CORRUPT, 3, "no location 1" },
	{ S "- {v: [1, 2]}\n", PROF_CORRUPT, 3, "2 values" },
	{ S "- {at: []}\n", PROF_CORRUPT, 3, "0 values" },
	{ P "sample_types: []\nsamples:\n- {v: 1}\n", PROF_CORRUPT, 4,
	  "1 values" },
	{ S "- {v: 1, at: [], stack: []}\n", PROF_CORRUPT, 3, "not both" },
	{ S "- {v: 1, num: {a: b}}\n", PROF_CORRUPT, 3, "numeric label" },
	{ S "- {v: 1, num: {a: \"16\"}}\n", PROF_CORRUPT, 3, "quotes" },
	{ S "- {v: 1, num: {a: \"16 \"}}\n", PROF_CORRUPT, 3, "no unit" },
	{ S "- {v: 1, labels: [{a: b, c: d}]}\n", PROF_CORRUPT, 3, "one key" },
	{ S "- {v: 1, labels: [{a: [1, b, c]}]}\n", PROF_CORRUPT, 3,
	  "[number, unit]" },

	/* Recordings. */
	{ C "- {n: 1}\n", PROF_CORRUPT, 4, "no record of section cpu" },
	{ C "- {n: -1, pcs: []}\n", PROF_CORRUPT, 4, "negative" },
	{ C "- {n: 1, pcs: [], lost: 1}\n", PROF_CORRUPT, 4, "no record" },
	{ C "- {alloc: [1, 2], pcs: []}\n", PROF_CORRUPT, 4, "no record" },
	{ C "- {tag: {a: b}, labels: {a: b}}\n", PROF_CORRUPT, 4, "no record" },
	{ C "- {n: 1, pcs: [], tag: {a: b}}\n- {n: 1, pcs: [], tag: 1}\n",
	  PROF_CORRUPT, 5, "not both" },
	{ C "- {pc: 1, frames: [{f: 1}]}\n", PROF_CORRUPT, 4, "a profile" },
	{ C "- {map: {id: 1}}\n", PROF_CORRUPT, 4, "a profile" },
	{ C "[]\nhz: 1\n", PROF_CORRUPT, 5, "" },
	{ "cpu_chunks: 1\nheader: [4, 1, 2]\n", PROF_CORRUPT, 2, "header" },
	{ "cpu_chunks: 1\nrecords: []\nmappings: []\n", PROF_CORRUPT, 3,
	  "before the records" },
	{ "cpu_chunks: 1\nmappings: []\nrecorded: {}\n", PROF_CORRUPT, 3,
	  "recorded: must come before" },
	{ "cpu_chunks: 1\nrate: 1\n", PROF_CORRUPT, 2, "does not belong" },
	{ "cpu_chunks: 1\nsections: []\n", PROF_CORRUPT, 2, "does not belong" },
	{ "cpu_chunks: 1\nrecording: 1\n", PROF_CORRUPT, 2, "" },
	{ "cpu_chunks: 1\nsymbols: {1: {fn: a}, 1: {fn: b}}\n", PROF_CORRUPT, 2,
	  "id 1 is that of an earlier symbol" },
	{ "mem_profile: 1\nrecords:\n- {alloc: [1, 2], pcs: []}\n",
	  PROF_CORRUPT, 3, "rate: must come" },
	{ "mem_profile: 1\nrate: 1\nrecords:\n- {alloc: [1], pcs: []}\n",
	  PROF_CORRUPT, 4, "a number of bytes" },
	{ "mem_profile: 1\nrate: 1\nrecords:\n- {alloc: [1, 2], pcs: [0]}\n",
	  PROF_CORRUPT, 4, "can not be 0" },
	{ "mem_profile: 1\nrate: 1\nrecords:\n- {alloc: [1, 2], pcs: [1, 2, 3, "
	  "4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, "
	  "8, "
	  "9, 1, 2, 3, 4, 5, 6]}\n",
	  PROF_CORRUPT, 4, "at most 32" },
	{ "block_profile: 1\nname: a\nrecords: []\n", PROF_CORRUPT, 3,
	  "come together" },
	{ "count_profile: 1\nname: a\nrecords:\n- {n: 1, pcs: [], tag: 1, "
	  "labels: {a: b}}\n",
	  PROF_CORRUPT, 4, "not both" },
	{ "recording: 1\nkinds: [disk]\n", PROF_CORRUPT, 2, "disk" },
	{ "recording: 1\nsections:\n- {cpu: [], mem: []}\n", PROF_CORRUPT, 3,
	  "one key" },
	{ "recording: 1\nsections:\n- {}\n", PROF_CORRUPT, 3, "empty section" },
	{ "recording: 1\nsections:\n- log:\n  - {n: 1, pcs: []}\n",
	  PROF_CORRUPT, 4, "section log" },
};

START_TEST(refused)
{
	const struct refusal *c = &refusals[_i];
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };
	enum prof_status status;

	status = yaml_rewrite(&out, c->text, strlen(c->text), &err);
	ck_assert_msg(status == c->status && err.status == status,
	              "status %d of\n%s\n%s", (int)status, c->text,
	              status ? err.message : (const char *)out.data);
	ck_assert_msg(strstr(err.message, c->message) != NULL,
	              "\"%s\" has no \"%s\"", err.message, c->message);
	ck_assert_msg(err.line == c->line, "line %d of\n%s\n%s",
	              (int)err.line, c->text, err.message);
	prof_buffer_release(&out);
}
END_TEST

/* A string in every spelling that is accepted, and how we spell it. */
static const struct spelling {
	const char *text, *written;
} spellings[] = {
	{ "plain", "plain" },
	{ "'single'", "single" },
	{ "\"double\"", "double" },
	{ "'it''s'", "\"it's\"" },
	{ "\"no\"", "\"no\"" },
	{ "two words", "\"two words\"" },
	{ "7zip", "\"7zip\"" },
	{ "-flag", "\"-flag\"" },
	{ "1.2.3-rc", "\"1.2.3-rc\"" },
	{ "main.(*T).run", "main.(*T).run" },
	{ "std::vector<int>", "\"std::vector<int>\"" },
	{ "/usr/bin/x", "/usr/bin/x" },
	{ "~T", "\"~T\"" },
	{ "\"yEs\"", "\"yEs\"" },
	{ "yesterday", "yesterday" },
	{ "nullable", "nullable" },
	{ "\"\\x41\\u00e9\\U0001F600\"", "\"A\xc3\xa9\xf0\x9f\x98\x80\"" },
	{ "\"\\x85\\L\\P\\uFEFF\\0\"", "\"\\x85\\u2028\\u2029\\uFEFF\\x00\"" },
	{ "!!binary YWI=", "ab" },
	{ "!!binary \"/w==\"", "!!binary \"/w==\"" },
	{ "!!binary \"\"", NULL }, /* empty: not written at all */
	{ "|\n  a\n  b", "\"a\\nb\\n\"" },
	{ ">\n  a\n  b", "\"a b\\n\"" },
};

START_TEST(accepted)
{
	const struct spelling *c = &spellings[_i];
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };
	char text[256], expected[256];

	snprintf(text, sizeof(text), "%sdefault: %s\n", P, c->text);
	snprintf(expected, sizeof(expected),
	         "%ssample_types: [samples/count]\n%s%s%ssamples: []\n", P,
	         c->written ? "default: " : "", c->written ? c->written : "",
	         c->written ? "\n" : "");
	ck_assert_msg(yaml_rewrite(&out, text, strlen(text), &err) == PROF_OK,
	              "%s\n%s", text, err.message);
	ck_assert_msg(out.size == strlen(expected) &&
	              memcmp(out.data, expected, out.size) == 0,
	              "%.*s", (int)out.size, (const char *)out.data);
	prof_buffer_release(&out);
}
END_TEST

/* What may stand before the first key when the format is not named. */
static const struct probe_case {
	const char *head;
	bool is_yaml, is_recording;
} probe_cases[] = {
	{ P, true, false },
	{ "profile: 9\n", true, false },
	{ "\xef\xbb\xbfprofile: 1\n", true, false },
	{ "# a comment\n\n%YAML 1.1\n---\ncpu_chunks: 1\n", true, true },
	{ "{recording: 1}\n", true, true },
	{ "count_profile:\n", true, true },
	{ "profiles: 1\n", false, false },
	{ "profile;main 1\n", false, false },
	{ "# profile: 1\n", false, false },
	{ "profile:", false, false },
	{ "", false, false },
};

START_TEST(probed)
{
	const struct probe_case *c = &probe_cases[_i];
	const unsigned char *head = (const unsigned char *)c->head;
	const size_t size = strlen(c->head);

	ck_assert_int_eq(yaml_format.probe(head, size) == 3, c->is_yaml);
	ck_assert_int_eq(yaml_format.holds_recording(head, size),
	                 c->is_recording);
}
END_TEST

/* `begin`, `n` times `again`, `end` must fail by a limit, and at once. */
static const struct bomb {
	const char *begin, *again;
	size_t n;
	const char *end, *message;
} bombs[] = {
	{ P "comments: ", "[", 40000, "", "single value" },
	{ P "comments: ", "{a: ", 40000, "", "must be a list" },
	{ P "comments: [", "{a: ", 40000, "", "single value" },
	{ P "default: \"", "aaaa", 600000, "", "max_string" },
	{ P "default: \"", "\\x41", 20000, "\"\n", "max_string" },
	{ P "default: ", "aaaa", 5000, "\n", "max_string" },
	{ P "locations:\n- {lines: [", "{fn: a}, ", 1100, "]}\n", "max_lines" },
	{ S "- {v: 1, labels: {a: [", "b, ", 1100, "", "max_labels" },
	{ C "- {n: 1, pcs: [", "1, ", 70000, "", "max_depth" },
	{ S "- {v: 1, stack: [", "f, ", 70000, "]}\n", "max_depth" },
	{ P "sample_types: [", "a/b, ", 70, "", "max_types" },
};

START_TEST(bounded)
{
	const struct bomb *c = &bombs[_i];
	const size_t begin = strlen(c->begin), again = strlen(c->again);
	const size_t size = begin + c->n * again + strlen(c->end);
	const clock_t from = clock();
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };
	char *text = malloc(size + 1);

	memcpy(text, c->begin, begin);
	for (size_t i = 0; i < c->n; i++)
		memcpy(text + begin + i * again, c->again, again);
	strcpy(text + begin + c->n * again, c->end);
	ck_assert_int_ne(yaml_rewrite(&out, text, size, &err), PROF_OK);
	ck_assert_msg(strstr(err.message, c->message) != NULL, "%s",
	              err.message);
	/* Unbounded, the nested ones take 5 s and more. */
	ck_assert_int_lt((clock() - from) / (CLOCKS_PER_SEC / 1000), 3000);
	prof_buffer_release(&out);
	free(text);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	const char text[] = S "- {v: 1, labels: {a: [b]}}\n";
	struct prof_read_options options = { .size = sizeof(options) };
	struct prof_profile *p;
	struct prof_error err = { 0 };

	options.limits.max_nesting = 5;
	ck_assert_int_eq(prof_read_mem(&p, text, strlen(text), &options, &err),
	                 PROF_OK);
	prof_profile_free(p);
	options.limits.max_nesting = 4;
	ck_assert_int_eq(prof_read_mem(&p, text, strlen(text), &options, &err),
	                 PROF_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.message, "max_nesting"));
	ck_assert_int_eq((int)err.line, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("yaml_read");
	TCase *t = tcase_create("reading");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, refused, 0, N_ELEMENTS(refusals));
	tcase_add_loop_test(t, accepted, 0, N_ELEMENTS(spellings));
	tcase_add_loop_test(t, probed, 0, N_ELEMENTS(probe_cases));
	tcase_add_loop_test(t, bounded, 0, N_ELEMENTS(bombs));
	tcase_add_test(t, nesting_is_bounded);
	suite_add_tcase(s, t);
	return run_suite(s);
}
