/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings that YAML readers are known to misread, through our own reader and
 * through PyYAML (where python3-yaml is installed); and the orders of labels.
 */
#include "testing.h"
#include "yaml_rewrite.h"

#include <sys/wait.h>
#include <unistd.h>

#define STR(text) { (text), sizeof(text) - 1 }

static const struct prof_str hostile[] = {
	STR(""),
	STR(" "),
	STR("  x"),
	STR("x  "),
	STR("\t"),
	STR("a\tb"),
	/* Booleans and null. */
	STR("y"),
	STR("n"),
	STR("Y"),
	STR("no"),
	STR("No"),
	STR("NO"),
	STR("yes"),
	STR("on"),
	STR("Off"),
	STR("true"),
	STR("FALSE"),
	STR("null"),
	STR("Null"),
	STR("~"),
	STR("nO"),
	STR("yEs"),
	STR("none"),
	STR("nil"),
	/* Numbers. */
	STR("0"),
	STR("1"),
	STR("-1"),
	STR("+1"),
	STR("010"),
	STR("0o10"),
	STR("08"),
	STR("0x1f"),
	STR("0b11"),
	STR("1_000"),
	STR("1:30"),
	STR("190:20:30.15"),
	STR("1.5"),
	STR(".5"),
	STR("5."),
	STR("1e3"),
	STR("1.0e+3"),
	STR(".inf"),
	STR("-.Inf"),
	STR(".nan"),
	STR("inf"),
	STR("NaN"),
	STR("infinity"),
	STR("99999999999999999999"),
	/* Dates. */
	STR("2021-01-01"),
	STR("2001-12-14t21:59:43.10-05:00"),
	STR("2001-12-14 21:59:43"),
	STR("2021-1-1"),
	/* What YAML has a meaning for. */
	STR("-"),
	STR("- a"),
	STR("?"),
	STR("? a"),
	STR(":"),
	STR("a: b"),
	STR("a:"),
	STR(":a"),
	STR("a:b"),
	STR("a #b"),
	STR("#a"),
	STR("a#b"),
	STR("&a"),
	STR("*a"),
	STR("!a"),
	STR("!!int 5"),
	STR("|"),
	STR(">"),
	STR("%a"),
	STR("@a"),
	STR("`a`"),
	STR("{}"),
	STR("[]"),
	STR("{a: b}"),
	STR("[a, b]"),
	STR(","),
	STR("a, b"),
	STR("---"),
	STR("..."),
	STR("--- a"),
	STR("<<"),
	STR("="),
	STR("=a"),
	STR("'"),
	STR("''"),
	STR("\""),
	STR("\\"),
	STR("\\n"),
	STR("a'b\"c\\d"),
	STR("\"quoted\""),
	STR("'quoted'"),
	/* Names of functions. */
	STR("main.(*T).run"),
	STR("main.F[...]"),
	STR("operator<<(int)"),
	STR("std::map<int, x>::operator[]"),
	STR("a.out"),
	STR("_start"),
	STR("/usr/lib/x.so"),
	STR("[kernel.kallsyms]"),
	STR("[vdso]"),
	STR("C:\\a b\\c.dll"),
	STR("//anon"),
	STR("foo 12"),
	STR("a;b"),
	/* Characters. */
	STR("\n"),
	STR("a\nb"),
	STR("a\n\n b\n"),
	STR("\r\n"),
	STR("a\rb"),
	STR("\0"),
	STR("a\0b"),
	STR("\x01\x02\x1b[31m"),
	STR("\x7f"),
	STR("\xc2\x80"),
	STR("a\xc2\x85"
	    "b"),
	STR("\xc2\x9f"),
	STR("\xc2\xa0"),
	STR("gr\xc3\xb6\xc3\x9f"
	    "er"),
	STR("\xe2\x80\xa8"),
	STR("a\xe2\x80\xa9"
	    "b"),
	STR("\xef\xbb\xbf"),
	STR("a\xef\xbb\xbf"
	    "b"),
	STR("\xef\xbf\xbe"),
	STR("\xef\xbf\xbf"),
	STR("\xef\xbf\xbd"),
	STR("\xf0\x9f\x94\xa5"),
	STR("\xf4\x8f\xbf\xbf"),
	STR("\xed\x9f\xbf"),
	STR("\xee\x80\x80"),
	/* No UTF-8. */
	STR("\x80"),
	STR("\xff"),
	STR("a\xff"),
	STR("\xc3"),
	STR("\xc3("),
	STR("\xc0\x80"),
	STR("\xe0\x80\x80"),
	STR("\xed\xa0\x80"),
	STR("\xed\xa0\xbd\xed\xb4\xa5"),
	STR("\xf4\x90\x80\x80"),
	STR("\xf8\x88\x80\x80\x80"),
	STR("\xf0\x9f\x94"),
	STR("\xe2\x80"),
};
#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))
/* After those, some that are long: of one byte each, this many times. */
static const struct long_string {
	char byte;
	size_t n;
} long_strings[] = {
	{ 'a', 199 }, { 'a', 200 }, { 'a', 250 }, { 'a', 251 }, { 'b', 1023 },
	{ 'b', 1025 }, { ' ', 3000 }, { '\n', 300 }, { '\x01', 250 },
	{ '\xff', 250 }, { '\xff', 5000 }, { '"', 5000 }, { 'c', 15000 },
};
#define N_LONG (sizeof(long_strings) / sizeof(long_strings[0]))
#define N_STRINGS (N_HOSTILE + N_LONG)

static struct prof_str strings[N_STRINGS];

static void make_strings(void)
{
	for (size_t i = 0; i < N_HOSTILE; i++)
		strings[i] = hostile[i];
	for (size_t i = 0; i < N_LONG; i++) {
		char *text = malloc(long_strings[i].n);

		memset(text, long_strings[i].byte, long_strings[i].n);
		strings[N_HOSTILE + i] =
			(struct prof_str){ text, long_strings[i].n };
	}
}

/* Whether s is UTF-8, asked of the platform and not of the code under test. */
static bool is_utf8(struct prof_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	const unsigned char *end = p + s.len;

	while (p < end) {
		const unsigned n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 :
			*p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

		if (n == 0 || (size_t)(end - p) < n ||
		    (p[0] == 0xe0 && p[1] < 0xa0) ||
		    (p[0] == 0xed && p[1] > 0x9f) ||
		    (p[0] == 0xf0 && p[1] < 0x90) ||
		    (p[0] == 0xf4 && p[1] > 0x8f))
			return false;
		for (unsigned i = 1; i < n; i++)
			if (p[i] >> 6 != 2)
				return false;
		p += n;
	}
	return true;
}

static struct prof_profile *hostile_profile(void)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_label labels[N_STRINGS], numbers[N_STRINGS];
	struct prof_profile *p = NULL;
	char units[N_STRINGS][64];
	size_t n_numbers = 0;
	int64_t value = -1;

	prof_set_header(b, &(struct prof_header){
		.time_ns = INT64_MIN, .duration_ns = INT64_MAX });
	prof_add_sample_type(b,
	                     &(struct prof_value_type){ STR("a"), STR("b") });
	prof_add_mapping(b, &(struct prof_mapping){ .limit = UINT64_MAX });
	for (size_t i = 0; i < N_STRINGS; i++) {
		const uint32_t f = prof_add_function(b, &(struct prof_function){
			strings[i], strings[i], strings[i], 0 });

		prof_add_comment(b, strings[i]);
		prof_add_location(b, &(struct prof_location){
			.lines = &(struct prof_line){ .function = f },
			.n_lines = 1 });
		labels[i] = (struct prof_label){ .key = strings[i],
		                                 .str = strings[i] };
		if (!is_utf8(strings[i]))
			continue;
		numbers[n_numbers] = (struct prof_label){
			.key = { units[i], 0 }, .num = INT64_MIN };
		numbers[n_numbers].key.len = (size_t)snprintf(
			units[i], sizeof(units[i]), "%zu", i);
		n_numbers++;
	}
	prof_add_sample(b, 0, prof_add_label_set(b, labels, N_STRINGS), &value);
	/* A unit is the string behind its number, which is its key too. */
	for (size_t i = 0, k = 0; i < N_STRINGS; i++) {
		char *unit;

		if (!is_utf8(strings[i]))
			continue;
		unit = malloc(numbers[k].key.len + strings[i].len);
		memcpy(unit, numbers[k].key.ptr, numbers[k].key.len);
		memcpy(unit + numbers[k].key.len, strings[i].ptr,
		       strings[i].len);
		numbers[k].unit = (struct prof_str){
			unit, numbers[k].key.len + strings[i].len };
		k++;
	}
	prof_add_sample(b, 0, prof_add_label_set(b, numbers, n_numbers),
	                &value);
	for (size_t k = 0; k < n_numbers; k++)
		free((char *)(uintptr_t)numbers[k].unit.ptr);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

static void check_str(struct prof_str found, struct prof_str expected)
{
	ck_assert_uint_eq(found.len, expected.len);
	ck_assert(memcmp(found.ptr, expected.ptr, found.len) == 0);
}

START_TEST(our_reader)
{
	struct prof_profile *p = hostile_profile(), *read = NULL;
	struct prof_buffer out = { 0 };
	struct prof_label labels[N_STRINGS];
	struct prof_error err = { 0 };
	struct prof_function f;
	struct prof_str comment;
	struct prof_sample s;

	ck_assert_int_eq(prof_write(p, "yaml", prof_sink_buffer(&out), NULL,
	                            &err), PROF_OK);
	ck_assert_msg(prof_read_mem(&read, out.data, out.size, NULL, &err) ==
	              PROF_OK, "line %d: %s", (int)err.line, err.message);
	ck_assert(prof_get_sample(read, 0, &s));
	ck_assert_uint_eq(prof_get_label_set(read, s.label_set, labels,
	                                     N_STRINGS), N_STRINGS);
	for (size_t i = 0; i < N_STRINGS; i++) {
		ck_assert(prof_get_function(read, (uint32_t)i + 1, &f));
		check_str(f.name, strings[i]);
		check_str(f.system_name, strings[i]);
		check_str(f.filename, strings[i]);
		ck_assert(prof_get_comment(read, (uint32_t)i, &comment));
		check_str(comment, strings[i]);
		check_str(labels[i].key, strings[i]);
		ck_assert_ptr_nonnull(labels[i].str.ptr);
		check_str(labels[i].str, strings[i]);
	}
	prof_profile_free(p);
	prof_profile_free(read);
	prof_buffer_release(&out);
}
END_TEST

static void make_file(char *path, const void *bytes, size_t size)
{
	const int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* PyYAML in Python, and PyYAML over libyaml. */
static const char *const loaders[] = { "SafeLoader", "CSafeLoader" };

START_TEST(pyyaml)
{
	char yaml_path[] = "/tmp/yaml_write_test.XXXXXX";
	char expected_path[] = "/tmp/yaml_write_test.XXXXXX";
	struct prof_profile *p = hostile_profile();
	struct prof_buffer out = { 0 };
	char *hex = NULL, command[512];
	size_t hex_size = 0;
	FILE *f = open_memstream(&hex, &hex_size);
	int status;

	ck_assert_int_eq(prof_write(p, "yaml", prof_sink_buffer(&out), NULL,
	                            NULL), PROF_OK);
	for (size_t i = 0; i < N_STRINGS; i++) {
		for (size_t k = 0; k < strings[i].len; k++)
			fprintf(f, "%02x", (unsigned char)strings[i].ptr[k]);
		fputc('\n', f);
	}
	fclose(f);
	make_file(yaml_path, out.data, out.size);
	make_file(expected_path, hex, hex_size);
	snprintf(command, sizeof(command), "python3 '%s' %s %s %s",
	         SOURCE_DIR "/tests/unit/yaml_pyyaml.py", yaml_path,
	         expected_path, loaders[_i]);
	status = system(command);
	ck_assert_msg(status == 0, "%s: %d", command, status);
	unlink(yaml_path);
	unlink(expected_path);
	free(hex);
	prof_profile_free(p);
	prof_buffer_release(&out);
}
END_TEST

/* Sets of labels: "k=v" strings, "k#5 unit" numbers; and their YAML. */
static const struct label_case {
	const char *set;
	const char *yaml;
} label_cases[] = {
	{ "", "" },
	{ "a=x", ", labels: {a: [x]}" },
	{ "a=x a=v b=x", ", labels: {a: [x, v], b: [x]}" },
	{ "a#1 a#2", ", num: {a: [1, 2]}" },
	{ "a=x a#1/s b#0", ", labels: {a: [x]}, num: {a: [1 s], b: [0]}" },
	{ "a=", ", labels: {a: [\"\"]}" },
	{ "a=x b=v a=z", ", labels: [{a: x}, {b: v}, {a: z}]" },
	{ "a#1 b#2 a#3", ", labels: [{a: 1}, {b: 2}, {a: 3}]" },
	{ "a#1 a=x", ", labels: [{a: 1}, {a: x}]" },
	{ "a#1/s a=1", ", labels: [{a: [1, s]}, {a: \"1\"}]" },
	{ "a#1/\xff", ", labels: [{a: [1, !!binary \"/w==\"]}]" },
	{ "a#1/1", ", num: {a: [\"1 1\"]}" },
	{ "a#1/no", ", num: {a: [\"1 no\"]}" },
	{ "a#1/\n", ", num: {a: [\"1 \\n\"]}" },
};

static size_t parse_labels(struct prof_label *labels, const char *text)
{
	size_t n = 0;

	for (; *text; text += strspn(text, " ")) {
		const size_t key = strcspn(text, "=#");
		const char *value = text + key + 1;
		const size_t size = strcspn(value, " ");
		struct prof_label *l = &labels[n++];
		char *end;

		*l = (struct prof_label){ .key = { text, key } };
		if (text[key] == '=') {
			l->str = (struct prof_str){ value, size };
		} else {
			l->num = strtoll(value, &end, 10);
			if (*end == '/')
				l->unit = (struct prof_str){
					end + 1,
					(size_t)(value + size - end) - 1
				};
		}
		text = value + size;
	}
	return n;
}

START_TEST(labels_keep_their_order)
{
	const struct label_case *c = &label_cases[_i];
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_label labels[8];
	const size_t n = parse_labels(labels, c->set);
	struct prof_buffer out = { 0 }, again = { 0 };
	struct prof_error err = { 0 };
	struct prof_profile *p = NULL;
	char expected[256];
	int64_t value = 1;

	prof_add_sample_type(b,
	                     &(struct prof_value_type){ STR("a"), STR("b") });
	prof_add_sample(b, 0, prof_add_label_set(b, labels, n), &value);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	ck_assert_int_eq(prof_write(p, "yaml", prof_sink_buffer(&out), NULL,
	                            NULL), PROF_OK);
	snprintf(expected, sizeof(expected), "profile: 1\nsample_types: [a/b]\n"
	         "samples:\n- {v: [1], at: []%s}\n", c->yaml);
	ck_assert_msg(out.size == strlen(expected) &&
	              memcmp(out.data, expected, out.size) == 0, "%.*s",
	              (int)out.size, (char *)out.data);
	ck_assert_msg(yaml_rewrite(&again, expected, out.size, &err) == PROF_OK,
	              "%s", err.message);
	ck_assert(again.size == out.size &&
	          memcmp(again.data, expected, out.size) == 0);
	prof_profile_free(p);
	prof_buffer_release(&out);
	prof_buffer_release(&again);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("yaml_write");
	TCase *t = tcase_create("writing");
	int failed;

	make_strings();
	tcase_set_timeout(t, 60);
	tcase_add_test(t, our_reader);
	tcase_add_loop_test(t, labels_keep_their_order, 0, N_ELEMENTS(label_cases));
	if (system("python3 -c 'import yaml; yaml.CSafeLoader' 2>/dev/null") ==
	    0)
		tcase_add_loop_test(t, pyyaml, 0, N_ELEMENTS(loaders));
	else
		printf("python3-yaml is not installed: skipped\n");
	suite_add_tcase(s, t);
	failed = run_suite(s);
	for (size_t i = N_HOSTILE; i < N_STRINGS; i++)
		free((char *)(uintptr_t)strings[i].ptr);
	return failed;
}
