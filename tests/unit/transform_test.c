/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transforms: what each does to small profiles, as tables of YAML in and
 * collapsed stacks out; that filters and merging commute; and that memory may
 * run out anywhere.
 */
#include "testing.h"

#include <profile/transform.h>

#include <stdlib.h>
#include <string.h>

struct transform_case {
	const char *steps; /* "name arg; name arg" */
	const char *in;    /* collapsed, or YAML where it begins so */
	const char *out;   /* collapsed */
};

#define LABELLED \
	"profile: 1\n" \
	"sample_types: [samples/count]\n" \
	"samples:\n" \
	"- {v: [1], stack: [a], labels: {k: x}, " \
	"num: {size: 2048 bytes}}\n" \
	"- {v: [2], stack: [b], labels: {k: w, m: z}}\n" \
	"- {v: [4], stack: [c], num: {size: 3}}\n" \
	"- {v: [8], stack: [d]}\n"

/*
 * Location 1 is "in" inlined into "out", 2 is main; 3 has no symbols and 4 has
 * none and no mapping. Stacks: in and out called by main; in and out called
 * by themselves; without symbols; empty.
 */
#define INLINED \
	"profile: 1\n" \
	"sample_types: [samples/count, cpu/nanoseconds]\n" \
	"mappings:\n" \
	"- {file: /lib/libx.so, start: 0x1000, limit: 0x2000}\n" \
	"locations:\n" \
	"- {addr: 1, lines: [{fn: in}, {fn: out}]}\n" \
	"- {addr: 2, lines: [{fn: main}]}\n" \
	"- {map: 1, addr: 0x1010}\n" \
	"- {addr: 0x20}\n" \
	"samples:\n" \
	"- {v: [0, 1], at: [1, 2]}\n" \
	"- {v: [0, 2], at: [1, 2, 1]}\n" \
	"- {v: [0, 4], at: [3, 4]}\n" \
	"- {v: [5, 8], at: []}\n"

static const struct transform_case cases[] = {
	/* What google/pprof loses: see docs/differences-from-pprof.md. */
	{ "hide nothing", INLINED,
	  " 8\n0x20;0x1010 4\nmain;out;in 1\n"
	  "out;in;main;out;in 2\n" },
	{ "show libx", INLINED,
	  " 8\n0x1010 4\n" },
	{ "show-from ^in", INLINED,
	  "in 1\nin;main;out;in 2\n" },
	{ "show-from in|main", INLINED,
	  "in;main;out;in 2\nmain;out;in 1\n" },
	{ "prune-from out|main", INLINED,
	  " 8\n0x20;0x1010 4\nmain;out 1\nout;in;main;out 2\n" },
	{ "ignore main", INLINED,
	  " 8\n0x20;0x1010 4\n" },
	{ "scale-by 2; choose-types 0", INLINED,
	  " 10\n0x20;0x1010 0\nmain;out;in 0\n"
	  "out;in;main;out;in 0\n" },
	{ "noinlines", INLINED,
	  " 8\n0x20;0x1010 4\nmain;out 1\nout;main;out 2\n" },
	{ "drop-frames in", INLINED,
	  " 8\n0x20;0x1010 4\nmain;out 1\nout;main;out 2\n" },
	{ "granularity functions", INLINED,
	  " 8\n0x0;0x0 4\nmain;out;in 1\n"
	  "out;in;main;out;in 2\n" },

	/* Names; source: google/pprof, with its "ABCBD" (leaf first). */
	{ "focus B", "D;B;C 1\nD;E 2\n", "D;B;C 1\n" },
	{ "focus b", "D;B;C 1\nD;E 2\n", "" },
	{ "focus (?i)b", "D;B;C 1\nD;E 2\n", "D;B;C 1\n" },
	{ "focus ^$", "D;B;C 1\n", "D;B;C 1\n" }, /* no file: "" */
	{ "ignore B", "D;B;C 1\nD;E 2\n", "D;E 2\n" },
	{ "hide B", "D;B;C 1\nB 2\n", "D;C 1\n" },
	{ "show B|C", "D;B;C 1\nD 2\n", "B;C 1\n" },
	{ "show-from B", "D;B;C;B;A 1\nD 2\n", "B;C;B;A 1\n" },
	{ "show_from ^D", "D;B;C;B;A 1\nE;D 2\n", "D 2\nD;B;C;B;A 1\n" },
	{ "prune-from B", "D;B;C;B;A 1\nD 2\n", "D 2\nD;B;C;B 1\n" },
	{ "drop-frames B", "D;B;C;B;A 1\n", "D 1\n" },
	{ "drop-frames B", "B;A 1\nB;D;B 2\n", "B;A 1\nB;D 2\n" },
	{ "drop-frames B", "D;BB 1\n", "D;BB 1\n" }, /* anchored */
	{ "drop-frames x::B", "D;.x::B(int);C 1\n", "D 1\n" },
	{ "keep-frames B; drop-frames B|C", "D;B;C 1\n", "D;B 1\n" },
	{ "drop-frames", "D;B 1\n", "D;B 1\n" },
	{ "focus", "D;B 1\n", "D;B 1\n" },
	{ "ignore", "D;B 1\n", "D;B 1\n" },

	/* Labels. */
	{ "tagfocus x", LABELLED, "a 1\n" },
	{ "tagfocus k:.", LABELLED, "a 1\nb 2\n" },
	{ "tagfocus k:w,m:z", LABELLED, "b 2\n" },
	{ "tagfocus k:w,m:q", LABELLED, "" },
	{ "tagfocus k=q,x", LABELLED, "a 1\n" },
	{ "tagfocus m=w", LABELLED, "" },
	{ "tagfocus size=2kb", LABELLED, "a 1\n" },
	{ "tagfocus size=1kb:", LABELLED, "a 1\n" },
	{ "tagfocus :4kb", LABELLED, "a 1\nc 4\n" },
	{ "tagfocus size=1kb:2047b", LABELLED, "" },
	{ "tagignore k=x|w", LABELLED, "c 4\nd 8\n" },
	{ "taghide k; tagfocus x", LABELLED, "" },
	{ "tagshow ^m; tagfocus z", LABELLED, "b 2\n" },
	{ "tagshow ^m; tagfocus x", LABELLED, "" },
	{ "tagroot k,m", LABELLED, ";;c 4\n;;d 8\nw;z;b 2\nx;;a 1\n" },
	{ "tagleaf k", LABELLED, "a;x 1\nb;w 2\nc; 4\nd; 8\n" },
	{ "tagroot size", LABELLED, "2kB;a 1\n3;c 4\n;b 2\n;d 8\n" },
	{ "set-label k=q; tagfocus k=q", LABELLED, "a 1\nb 2\nc 4\nd 8\n" },
	{ "set-label k=q; tagfocus k=x", LABELLED, "" },
	{ "remove-label k; tagfocus x", LABELLED, "" },
	{ "rename-label k=m; tagfocus m=x", LABELLED, "a 1\n" },

	/* Values. */
	{ "scale-by 0.5", "a 3\nb -3\nc 1\n", "a 2\nb -2\nc 1\n" },
	{ "scale-by -2", "a 3\n", "a -6\n" },
	{ "normalize-to 100", "a 1\nb 3\n", "a 25\nb 75\n" },
	{ "top-stacks 2", "a 1\nb 3\nc -9\n", "b 3\nc -9\n" },
	{ "top-stacks 0", "a 1\n", "" },
	{ "min-value 3", "a 1\nb 3\nc 9\n", "b 3\nc 9\n" },
	{ "min-value 50%", "a 1\nb 3\nc 9\n", "c 9\n" },

	/* In the order given. */
	{ "hide B; focus B", "D;B 1\n", "" },
	{ "focus B; hide B", "D;B 1\n", "D 1\n" },
	{ "hide B; compact", "D;B 1\nD 2\n", "D 3\n" },
};

static struct prof_profile *profile_of(const char *text)
{
	const bool is_yaml = !strncmp(text, "profile:", strlen("profile:"));

	return read_profile((struct bytes){ (unsigned char *)(uintptr_t)text,
	                                    strlen(text) },
	                    &PROF_OPTIONS(prof_read_options,
	                        .format = is_yaml ? "yaml" : "collapsed"));
}

/* Does "name arg; name arg". */
static enum prof_status do_steps(struct prof_profile *p, const char *steps,
                                 struct prof_error *err)
{
	char text[256], *rest = text;
	enum prof_status status = PROF_OK;

	ck_assert_uint_lt(strlen(steps), sizeof(text));
	strcpy(text, steps);
	while (rest && status == PROF_OK) {
		char *const step = rest + strspn(rest, " ");
		const struct prof_transform_info *info;
		char *arg;

		rest = strstr(step, "; ");
		if (rest) {
			*rest = '\0';
			rest += 2;
		}
		arg = strchr(step, ' ');
		if (arg)
			*arg++ = '\0';
		for (size_t i = 0; (info = prof_transform_info(i)); i++)
			if (!strcmp(info->name, step) && !info->argument)
				break;
		status = prof_transform(p, step, arg ? arg :
		                        info ? NULL : "", err);
	}
	return status;
}

static void assert_stacks(const struct prof_profile *p, const char *expected,
                          const char *name)
{
	struct bytes out = write_profile(p, "collapsed", NULL);
	char *text = malloc(out.size + 1);

	ck_assert_ptr_nonnull(text);
	if (out.size)
		memcpy(text, out.data, out.size);
	text[out.size] = '\0';
	assert_same_text(text, expected, name);
	free(text);
	free(out.data);
}

START_TEST(test_cases)
{
	const struct transform_case *c = &cases[_i];
	struct prof_profile *p = profile_of(c->in);
	struct prof_error err = { .message = "" };

	ck_assert_msg(do_steps(p, c->steps, &err) == PROF_OK, "%s: %s",
	              c->steps, err.message);
	assert_stacks(p, c->out, c->steps);
	prof_profile_free(p);
}
END_TEST

/* ---- Failures ---- */

static const struct failure_case {
	const char *steps;
	enum prof_status status;
	const char *message; /* part of it */
} failures[] = {
	{ "focus a(b", PROF_INVALID, "'a(b', column 4: missing" },
	{ "tagfocus k=a,b(", PROF_INVALID, "'b(', column 3" },
	{ "tagfocus 1kb:5s", PROF_INVALID, "cannot be compared" },
	{ "tagfocus 99999999999999999999", PROF_INVALID, "64 bits" },
	{ "granularity x", PROF_INVALID, "'x' is none of" },
	{ "nothing x", PROF_INVALID, "no transform 'nothing'" },
	{ "compact x", PROF_INVALID, "compact takes no argument" },
	{ "scale-by inf", PROF_INVALID, "'inf' is not a number" },
	{ "scale-by 1e19", PROF_OVERFLOW, "64 bits" },
	{ "drop-types samples", PROF_INVALID, "no sample type would be left" },
	{ "choose-types x", PROF_INVALID, "there are: samples" },
	{ "set-label k", PROF_INVALID, "KEY=VALUE" },
	{ "rename-type a", PROF_INVALID, "TYPE=NEW" },
	{ "top-stacks -1", PROF_INVALID, "'-1' is not a number" },
	{ "min-value nan", PROF_INVALID, "'nan' is neither" },
	{ "redact-names", PROF_INVALID, "a key is needed" },
};

START_TEST(test_failures)
{
	const struct failure_case *c = &failures[_i];
	struct prof_profile *p = profile_of("main 1\nmain;run 2\n");
	struct prof_error err = { .message = "" };

	ck_assert_int_eq(do_steps(p, c->steps, &err), c->status);
	ck_assert_msg(strstr(err.message, c->message) != NULL, "%s: %s",
	              c->steps, err.message);
	assert_stacks(p, "main 1\nmain;run 2\n", c->steps);
	prof_profile_free(p);
}
END_TEST

/* A limit on matching is no "no match", and the profile stays. */
START_TEST(test_regex_limit)
{
	static const char stack[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab 1\n";
	struct prof_profile *p = profile_of(stack);
	struct prof_error err;

	ck_assert_int_eq(prof_ignore(p, "^(a+)+$", &err), PROF_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.message, "'^(a+)+$'"));
	assert_stacks(p, stack, "as it was");
	prof_profile_free(p);
}
END_TEST

/* ---- Laws ---- */

static const char one[] = "a;b;c 1\na;b 2\na;d;e 3\nf;d 4\n";
static const char two[] = "a;b;c 5\nf;d 6\ng;b;h 7\ni 8\n";

/* For these it does not matter whether samples come together before. */
static const char *const sample_wise[] = {
	"focus b", "ignore d", "hide b", "show a|b|f", "show-from b|d",
	"prune-from b", "drop-frames b", "scale-by 3", "set-label k=v",
	"granularity functions"
};

static struct prof_profile *merge_of(struct prof_profile *a,
                                     struct prof_profile *b)
{
	struct prof_profile *const in[] = { a, b };
	struct prof_profile *out = NULL;

	ck_assert_int_eq(prof_merge(&out, in, 2, NULL, NULL), PROF_OK);
	prof_profile_free(a);
	prof_profile_free(b);
	return out;
}

START_TEST(test_filter_and_merge_commute)
{
	const char *steps = sample_wise[_i];
	struct prof_profile *a = profile_of(one), *b = profile_of(two);
	struct prof_profile *after = merge_of(profile_of(one),
	                                      profile_of(two));
	struct prof_profile *before;

	ck_assert_int_eq(do_steps(a, steps, NULL), PROF_OK);
	ck_assert_int_eq(do_steps(b, steps, NULL), PROF_OK);
	before = merge_of(a, b);
	ck_assert_int_eq(do_steps(after, steps, NULL), PROF_OK);
	ck_assert_int_eq(prof_compact(after, NULL), PROF_OK);
	assert_same_profile(before, after, TEXT_SORT_SAMPLES, steps);
	prof_profile_free(before);
	prof_profile_free(after);
}
END_TEST

START_TEST(test_scale_is_copies)
{
	struct prof_profile *twice = merge_of(profile_of(one),
	                                      profile_of(one));
	struct prof_profile *scaled = profile_of(one);

	ck_assert_int_eq(prof_scale(scaled, 2, NULL), PROF_OK);
	ck_assert_int_eq(prof_compact(scaled, NULL), PROF_OK);
	assert_same_profile(scaled, twice, TEXT_SORT_SAMPLES, "scaled");
	prof_profile_free(twice);
	prof_profile_free(scaled);
}
END_TEST

/* A profile minus itself is nothing, and marked it is nothing but apart. */
START_TEST(test_subtract)
{
	struct prof_profile *p = profile_of(one), *base = profile_of(one);

	ck_assert_int_eq(prof_subtract(&p, base, NULL), PROF_OK);
	ck_assert_uint_eq(prof_n_samples(p), 0);
	prof_profile_free(p);
	p = profile_of(one);
	ck_assert_int_eq(prof_mark_base(base, NULL), PROF_OK);
	ck_assert_int_eq(prof_subtract(&p, base, NULL), PROF_OK);
	ck_assert_uint_eq(prof_n_samples(p), 8);
	ck_assert_int_eq(prof_tagfocus(p, "pprof::base=true", NULL), PROF_OK);
	assert_stacks(p, "a;b -2\na;b;c -1\na;d;e -3\nf;d -4\n", "base");
	prof_profile_free(base);
	prof_profile_free(p);
}
END_TEST

/* ---- Memory ---- */

/* Arguments that do something, for the rows that need one. */
static const char *argument_of(const struct prof_transform_info *info)
{
	if (!info->argument)
		return NULL;
	if (!strcmp(info->name, "granularity"))
		return "functions";
	if (strstr(info->argument, "NUMBER") || strstr(info->argument, "TOTAL"))
		return "7";
	if (!strcmp(info->argument, "N") || strstr(info->argument, "VALUE["))
		return "2";
	if (!strcmp(info->name, "rename-type"))
		return "samples=x/y";
	if (strstr(info->name, "types"))
		return info->name[0] == 'd' ? "0" : "1,0";
	if (strstr(info->argument, "KEY="))
		return "k=v";
	return "a";
}

static const char two_types[] =
	"profile: 1\n"
	"sample_types: [samples/count, cpu/nanoseconds]\n"
	"locations:\n"
	"- {lines: [{fn: a, line: 2, start: 1}]}\n"
	"- {lines: [{fn: b, line: 5, start: 4}]}\n"
	"- {lines: [{fn: c, line: 8, start: 7}]}\n"
	"samples:\n"
	"- {v: [1, 10], at: [1, 2], labels: {k: x}, num: {size: 5}}\n"
	"- {v: [2, 20], at: [1, 3], labels: {a: w}}\n"
	"- {v: [2, 20], at: [3]}\n"
	"- {v: [2, 20], at: [3]}\n";

/* Every allocation of every transform fails once: no leak, no crash. */
START_TEST(test_failing_memory)
{
	const struct prof_transform_info *info = prof_transform_info((size_t)_i);
	enum prof_status status = PROF_NOMEM;
	struct failing_allocator f;
	size_t n_read, fail = 0;

	for (; status == PROF_NOMEM; fail++) {
		struct prof_profile *p = NULL;

		failing_allocator_init(&f);
		ck_assert_int_eq(
			prof_read_mem(&p, two_types, strlen(two_types),
			              &PROF_OPTIONS(prof_read_options,
			                            .format = "yaml",
			                            .allocator = &f.allocator),
			              NULL), PROF_OK);
		n_read = f.n_calls;
		f.fail_at = n_read + 1 + fail;
		status = prof_transform(p, info->name, argument_of(info),
		                        NULL);
		prof_profile_free(p);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
		ck_assert_uint_lt(fail, 1000);
	}
	ck_assert_msg(status == PROF_OK, "%s: %s", info->name,
	              prof_status_string(status));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transform");
	TCase *tcase = tcase_create("transform");
	int n_transforms = 0;

	while (prof_transform_info((size_t)n_transforms))
		n_transforms++;
	tcase_add_loop_test(tcase, test_cases, 0, (int)N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, test_failures, 0,
	                    (int)N_ELEMENTS(failures));
	tcase_add_test(tcase, test_regex_limit);
	tcase_add_loop_test(tcase, test_filter_and_merge_commute, 0,
	                    (int)N_ELEMENTS(sample_wise));
	tcase_add_test(tcase, test_scale_is_copies);
	tcase_add_test(tcase, test_subtract);
	tcase_add_loop_test(tcase, test_failing_memory, 0, n_transforms);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
