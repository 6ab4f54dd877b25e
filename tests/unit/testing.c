/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Unlike ck_assert it can be used before the tests run. */
#define require(condition, ...)                                               \
	do {                                                                  \
		if (!(condition))                                             \
			ck_abort_msg(__VA_ARGS__);                            \
	} while (0)

/* ---- Files ---- */

struct bytes bytes_of_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct bytes b = { 0 };
	struct stat st;

	require(f != NULL, "%s: %s", path, strerror(errno));
	require(fstat(fileno(f), &st) == 0, "%s", path);
	b.size = (size_t)st.st_size;
	/* A piece of its own size: reading beyond it is found out. */
	b.data = malloc(b.size ? b.size : 1);
	require(b.data && fread(b.data, 1, b.size, f) == b.size, "%s", path);
	fclose(f);
	return b;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool for_each_file(const char *folder, each_file *each, void *ctx)
{
	struct dirent **entries;
	const int n = scandir(folder, &entries, NULL, alphasort);

	if (n < 0)
		return false;
	for (int i = 0; i < n; i++) {
		char path[1024];
		struct stat st;

		if (entries[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder,
			         entries[i]->d_name);
			require(stat(path, &st) == 0, "%s", path);
			if (S_ISDIR(st.st_mode))
				for_each_file(path, each, ctx);
			else
				each(path, ctx);
		}
		free(entries[i]);
	}
	free(entries);
	return true;
}

const char *corpus_folder(void)
{
	const char *beside = SOURCE_DIR "/../shared/corpus";
	const char *told = getenv("PROFILE_CORPUS");

	if (told && file_exists(told))
		return told;
	return file_exists(beside) ? beside : NULL;
}

/* ---- Sources ---- */

static ptrdiff_t read_test_source(void *ctx, void *buf, size_t size)
{
	struct test_source *s = ctx;
	const size_t left = s->size - s->position;
	size_t n = s->step ? s->step : size;

	n = n < size ? n : size;
	n = n < left ? n : left;
	if (n == 0)
		return -s->fail_errno;
	memcpy(buf, s->data + s->position, n);
	s->position += n;
	return (ptrdiff_t)n;
}

struct prof_source test_source(struct test_source *s)
{
	return (struct prof_source){ read_test_source, s };
}

/* ---- Memory ---- */

static bool is_to_fail(struct failing_allocator *f)
{
	f->n_calls++;
	return f->fail_at && (f->fails_on ? f->n_calls >= f->fail_at :
	                      f->n_calls == f->fail_at);
}

/* The size stands before each piece, to see that it is told right. */
static void *resize_failing(void *ctx, void *ptr, size_t old_size,
                            size_t new_size)
{
	struct failing_allocator *f = ctx;
	const size_t head = 16;
	char *piece = ptr ? (char *)ptr - head : NULL;
	size_t known = 0;

	if (piece)
		memcpy(&known, piece, sizeof(known));
	if (known != old_size)
		f->was_misused = true;
	if (new_size == 0) {
		f->n_bytes -= known;
		free(piece);
		return NULL;
	}
	if (is_to_fail(f) || new_size > SIZE_MAX / 2)
		return NULL;
	piece = realloc(piece, head + new_size);
	require(piece != NULL, "out of memory");
	memcpy(piece, &new_size, sizeof(new_size));
	f->n_bytes = f->n_bytes - known + new_size;
	if (f->n_bytes > f->max_bytes)
		f->max_bytes = f->n_bytes;
	return piece + head;
}

void failing_allocator_init(struct failing_allocator *f)
{
	memset(f, 0, sizeof(*f));
	f->allocator = (struct prof_allocator){ resize_failing, f };
}

/* ---- Notes ---- */

static void keep_note(void *ctx, const char *message)
{
	struct test_notes *n = ctx;
	const size_t used = strlen(n->text);

	snprintf(n->text + used, sizeof(n->text) - used, "%s\n", message);
	n->n++;
}

struct prof_notes test_notes(struct test_notes *n)
{
	n->text[0] = '\0';
	n->n = 0;
	return (struct prof_notes){ keep_note, n };
}

/* ---- Profiles ---- */

struct prof_profile *read_profile(struct bytes in,
                                  const struct prof_read_options *options)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	const enum prof_status status =
		prof_read_mem(&p, in.data, in.size, options, &err);

	require(status == PROF_OK, "%s: %s at %llu",
	              prof_status_string(status), err.message,
	              (unsigned long long)err.offset);
	return p;
}

struct prof_profile *read_profile_file(const char *path,
                                       const struct prof_read_options *options)
{
	struct bytes in = bytes_of_file(path);
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	const enum prof_status status =
		prof_read_mem(&p, in.data, in.size, options, &err);

	free(in.data);
	require(status == PROF_OK, "%s: %s", path, err.message);
	return p;
}

struct bytes write_profile(const struct prof_profile *p, const char *format,
                           const struct prof_write_options *options)
{
	struct prof_buffer buffer = { 0 };
	struct prof_error err = { 0 };
	const enum prof_status status = prof_write(
		p, format, prof_sink_buffer(&buffer), options, &err);

	require(status == PROF_OK, "%s: %s", format, err.message);
	return (struct bytes){ buffer.data, buffer.size };
}

void assert_same_text(const char *got, const char *expected, const char *name)
{
	struct prof_str a, b;
	unsigned line;

	ck_assert_msg(!text_differs(got, expected, &line, &a, &b),
	              "%s, line %u:\n     got %.*s\nexpected %.*s", name, line,
	              (int)a.len, a.ptr, (int)b.len, b.ptr);
}

void assert_same_profile(const struct prof_profile *got,
                         const struct prof_profile *expected, unsigned options,
                         const char *name)
{
	char *a = profile_text(got, options);
	char *b = profile_text(expected, options);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	assert_same_text(a, b, name);
	free(a);
	free(b);
}

int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
