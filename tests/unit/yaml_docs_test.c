/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The examples of docs/yaml-format.md: fenced blocks that begin with
 *
 *	```yaml             written exactly like this
 *	```yaml hand        accepted; what is written is a fixed point
 *	```yaml error N: T  refused at line N of the block, with text T
 */
#include "testing.h"
#include "yaml_rewrite.h"


#define FENCE "```yaml"

static void check_exact(const char *text, size_t size)
{
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };

	ck_assert_msg(yaml_rewrite(&out, text, size, &err) == PROF_OK,
	              "line %d: %s\n%.*s", (int)err.line, err.message,
	              (int)size, text);
	ck_assert_msg(out.size == size && memcmp(out.data, text, size) == 0,
	              "%.*s\nbecame\n%.*s", (int)size, text, (int)out.size,
	              (const char *)out.data);
	prof_buffer_release(&out);
}

static void check_hand(const char *text, size_t size)
{
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };

	ck_assert_msg(yaml_rewrite(&out, text, size, &err) == PROF_OK,
	              "line %d: %s\n%.*s", (int)err.line, err.message,
	              (int)size, text);
	ck_assert(out.size != size || memcmp(out.data, text, size) != 0);
	check_exact((const char *)out.data, out.size);
	prof_buffer_release(&out);
}

/* expected: "3: what the message has\n..." */
static void check_error(const char *text, size_t size, const char *expected)
{
	struct prof_buffer out = { 0 };
	struct prof_error err = { 0 };
	char *words;
	const long line = strtol(expected, &words, 10);
	char message[256];

	snprintf(message, sizeof(message), "%.*s",
	         (int)strcspn(words + 2, "\n"), words + 2);
	ck_assert_msg(yaml_rewrite(&out, text, size, &err) != PROF_OK,
	              "accepted:\n%.*s", (int)size, text);
	ck_assert_int_eq((long)err.line, line);
	ck_assert_msg(strstr(err.message, message), "\"%s\" has no \"%s\"",
	              err.message, message);
	prof_buffer_release(&out);
}

START_TEST(examples)
{
	const struct bytes file = bytes_of_file(SOURCE_DIR
	                                        "/docs/yaml-format.md");
	char *page = strndup((char *)file.data, file.size);
	char *at;
	int n = 0;

	for (at = page; (at = strstr(at, "\n" FENCE)) != NULL; n++) {
		const char *kind = at + strlen("\n" FENCE);
		char *begin = strchr(kind, '\n') + 1;
		char *end = strstr(begin, "```\n");

		ck_assert_ptr_nonnull(end);
		if (*kind == '\n')
			check_exact(begin, (size_t)(end - begin));
		else if (strncmp(kind, " hand\n", 6) == 0)
			check_hand(begin, (size_t)(end - begin));
		else if (strncmp(kind, " error ", 7) == 0)
			check_error(begin, (size_t)(end - begin), kind + 7);
		else
			ck_abort_msg("an example of no kind: %.40s", kind);
		at = end;
	}
	ck_assert_int_ge(n, 15);
	free(page);
	free(file.data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("yaml_docs");
	TCase *t = tcase_create("examples");

	tcase_add_test(t, examples);
	suite_add_tcase(s, t);
	return run_suite(s);
}
