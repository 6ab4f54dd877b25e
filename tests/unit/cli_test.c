/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool whose options are ordered transforms, as proffilter's, and whose
 * operands stand between them, as profmerge's. What its users read is tested
 * in cmd/.
 */
#include "cli.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 8

struct filter {
	char log[200]; /* what came by, in its turn */
	bool is_quiet, is_quiet_too;
	uint64_t size, count;
	uint32_t level;
	unsigned when;
	const char *text;
};

static int note(struct filter *f, const char *what, const char *arg)
{
	size_t n = strlen(f->log);

	snprintf(f->log + n, sizeof(f->log) - n, "%s%s%s ", what,
	         arg ? "=" : "", arg ? arg : "");
	return CLI_CONTINUE;
}

static int take_step(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	(void)tool;
	return note(field, option->name, arg);
}

static int take_stop(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	(void)tool, (void)field, (void)option, (void)arg;
	return CLI_OK;
}

static int take_operand(const struct cli_tool *tool, void *data,
                        const char *operand)
{
	(void)tool;
	return note(data, operand, NULL);
}

static const struct cli_option steps[] = {
	{ .name = "focus", .arg = "REGEX", .letter = 'x', .type = CLI_CALL,
	  .take = take_step },
	{ .name = "compact", .type = CLI_CALL, .take = take_step },
	{ .name = "stop", .type = CLI_CALL, .take = take_stop },
	{ 0 }
};
static const struct cli_option fields[] = {
	{ .name = "quiet", .letter = 'q', .type = CLI_FLAG,
	  .offset = offsetof(struct filter, is_quiet) },
	{ .name = "size", .arg = "SIZE", .type = CLI_SIZE,
	  .offset = offsetof(struct filter, size) },
	{ .name = "count", .arg = "N", .type = CLI_COUNT,
	  .offset = offsetof(struct filter, count) },
	{ .name = "level", .arg = "N", .type = CLI_COUNT32, .max = 12,
	  .offset = offsetof(struct filter, level) },
	{ .name = "when", .arg = "WHEN", .type = CLI_CHOICE,
	  .choices = "auto always never",
	  .offset = offsetof(struct filter, when) },
	{ .name = "text", .arg = "TEXT", .type = CLI_TEXT,
	  .offset = offsetof(struct filter, text) },
	{ 0 }
};
static const struct cli_option again[] = {
	{ .name = "quiet", .type = CLI_FLAG,
	  .offset = offsetof(struct filter, is_quiet_too) },
	{ 0 }
};
static const struct cli_group groups[] = {
	{ "Transforms", steps, 0 },
	{ "Fields", fields, 0 },
	{ "Again", again, 0 },
	{ 0 }
};
static const struct cli_tool tool = {
	.name = "filter", .groups = groups, .operand = take_operand
};

/* Parses words that blanks separate; they live as long as `line`. */
static int parse(struct filter *f, char *line)
{
	char *argv[MAX_WORDS + 2] = { (char *)"filter" };
	int argc = 1;

	*f = (struct filter){ 0 };
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " ")) {
		ck_assert_int_le(argc, MAX_WORDS);
		argv[argc++] = word;
	}
	return cli_parse(&tool, f, argc, argv);
}

static const struct order_case {
	const char *line, *log;
	int code;
} order_cases[] = {
	{ "", "", CLI_CONTINUE },
	{ "a b", "a b ", CLI_CONTINUE },
	{ "--focus=x --compact --focus=y", "focus=x compact focus=y ",
	  CLI_CONTINUE },
	{ "--compact --focus y --focus=x", "compact focus=y focus=x ",
	  CLI_CONTINUE },
	{ "a --focus=x b -xy c", "a focus=x b focus=y c ", CLI_CONTINUE },
	{ "--foc=x a -- --compact", "focus=x a --compact ", CLI_CONTINUE },
	{ "a - b", "a - b ", CLI_CONTINUE },
	{ "-qxy a", "focus=y a ", CLI_CONTINUE },
	{ "--focus= a", "focus= a ", CLI_CONTINUE },
	{ "a --stop b", "a ", CLI_OK },
	{ "a --nothing b", "a ", CLI_USAGE },
	{ "a -x", "a ", CLI_USAGE },
};

START_TEST(test_order)
{
	const struct order_case *c = &order_cases[_i];
	struct filter f;
	char line[100];

	snprintf(line, sizeof(line), "%s", c->line);
	ck_assert_int_eq(parse(&f, line), c->code);
	ck_assert_str_eq(f.log, c->log);
}
END_TEST

static const struct field_case {
	const char *line;
	int code;
	struct filter f;
} field_cases[] = {
	{ "--quiet", CLI_CONTINUE, { .is_quiet = true, .is_quiet_too = true } },
	{ "-q", CLI_CONTINUE, { .is_quiet = true, .is_quiet_too = true } },
	{ "--size=1", CLI_CONTINUE, { .size = 1 } },
	{ "--size=64K", CLI_CONTINUE, { .size = 65536 } },
	{ "--size=2m", CLI_CONTINUE, { .size = 2097152 } },
	{ "--size=3G", CLI_CONTINUE, { .size = UINT64_C(3) << 30 } },
	{ "--size=16777215T", CLI_CONTINUE,
	  { .size = UINT64_C(16777215) << 40 } },
	{ "--size=16777216T", CLI_USAGE, { .size = 0 } },
	{ "--size=18446744073709551615", CLI_CONTINUE,
	  { .size = UINT64_MAX } },
	{ "--size=18446744073709551616", CLI_USAGE, { .size = 0 } },
	{ "--size=1KB", CLI_USAGE, { .size = 0 } },
	{ "--size=K", CLI_USAGE, { .size = 0 } },
	{ "--size=0", CLI_USAGE, { .size = 0 } },
	{ "--size=1`", CLI_USAGE, { .size = 0 } },
	{ "--size=-1", CLI_USAGE, { .size = 0 } },
	{ "--size=", CLI_USAGE, { .size = 0 } },
	{ "--count=1K", CLI_USAGE, { .size = 0 } },
	{ "--count=+1", CLI_USAGE, { .size = 0 } },
	{ "--count=007", CLI_CONTINUE, { .count = 7 } },
	{ "--level=12", CLI_CONTINUE, { .level = 12 } },
	{ "--level=13", CLI_USAGE, { .size = 0 } },
	{ "--level=4294967297", CLI_USAGE, { .size = 0 } },
	{ "--when=auto", CLI_CONTINUE, { .when = 0 } },
	{ "--when=never", CLI_CONTINUE, { .when = 2 } },
	{ "--when=al", CLI_USAGE, { .size = 0 } },
	{ "--when=", CLI_USAGE, { .size = 0 } },
	{ "--size=1 --size=2", CLI_CONTINUE, { .size = 2 } },
};

START_TEST(test_fields)
{
	const struct field_case *c = &field_cases[_i];
	struct filter f;
	char line[100];

	snprintf(line, sizeof(line), "%s", c->line);
	ck_assert_int_eq(parse(&f, line), c->code);
	ck_assert_uint_eq(f.is_quiet, c->f.is_quiet);
	ck_assert_uint_eq(f.is_quiet_too, c->f.is_quiet_too);
	ck_assert_uint_eq(f.size, c->f.size);
	ck_assert_uint_eq(f.count, c->f.count);
	ck_assert_uint_eq(f.level, c->f.level);
	ck_assert_uint_eq(f.when, c->f.when);
}
END_TEST

START_TEST(test_text)
{
	char line[] = "--text=a=b";
	struct filter f;

	ck_assert_int_eq(parse(&f, line), CLI_CONTINUE);
	ck_assert_str_eq(f.text, "a=b");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli");
	TCase *tcase = tcase_create("cli");
	SRunner *runner = srunner_create(suite);
	int n_failed;

	tcase_add_loop_test(tcase, test_order, 0,
	                    sizeof(order_cases) / sizeof(*order_cases));
	tcase_add_loop_test(tcase, test_fields, 0,
	                    sizeof(field_cases) / sizeof(*field_cases));
	tcase_add_test(tcase, test_text);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
