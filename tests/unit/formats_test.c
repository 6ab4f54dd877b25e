/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds for every format: the tests iterate the table of formats, so
 * that a new row is tested from its first day. The cases of a format are the
 * files of testdata/NAME, and what it writes of a profile that has
 * everything.
 */
#include "testing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CASES 256
#define SMALL_SIZE 4096
#define EVERYTHING TESTDATA "/pprof/all-fields.pb"

struct format_case {
	const struct prof_format_info *format;
	char name[128];
	struct bytes file;
	bool is_recording; /* it can be read event by event */
	bool is_cut;       /* it is meant not to be whole */
};

static struct format_case cases[MAX_CASES];
static int n_cases;

static bool can(const struct prof_format_info *format, unsigned what)
{
	return (format->can & what) == what;
}

/* ---- The cases ---- */

static enum prof_status ignore_header(void *ctx,
                                      const struct prof_recording_header *h,
                                      struct prof_error *err)
{
	(void)ctx;
	(void)h;
	(void)err;
	return PROF_BUSY;
}

/* The first thing a recording tells is its header. */
static bool is_recording(const struct format_case *c)
{
	const struct prof_recorder r = { .header = ignore_header };
	struct test_source source = { .data = c->file.data,
	                              .size = c->file.size };

	return can(c->format, PROF_CAN_READ_RECORDING) &&
		prof_read_recording(&r, test_source(&source), &PROF_OPTIONS(
			prof_read_options, .format = c->format->name),
			NULL) == PROF_BUSY;
}

static void add_case(const struct prof_format_info *format, const char *name,
                     struct bytes file)
{
	struct format_case *c = &cases[n_cases++];

	if (n_cases == MAX_CASES)
		abort();
	c->format = format;
	c->file = file;
	c->is_recording = is_recording(c);
	c->is_cut = strstr(name, "cut") != NULL;
	snprintf(c->name, sizeof(c->name), "%s", name);
}

static bool has_suffix(const char *path, const char *suffix)
{
	const size_t n = strlen(path), k = strlen(suffix);

	return n >= k && strcmp(path + n - k, suffix) == 0;
}

static void add_file(const char *path, void *ctx)
{
	/* What stands beside the cases. */
	if (has_suffix(path, ".golden") || has_suffix(path, ".md"))
		return;
	add_case(ctx, path + strlen(TESTDATA) + 1, bytes_of_file(path));
}

static void add_written(const struct prof_format_info *format)
{
	struct prof_profile *p = read_profile_file(EVERYTHING, NULL);
	char name[64];

	snprintf(name, sizeof(name), "everything in %s", format->name);
	add_case(format, name, write_profile(p, format->name, &PROF_OPTIONS(
		prof_write_options, .uncompressed = true)));
	prof_profile_free(p);
}

/* Returns the formats that are read and have no case. */
static unsigned make_cases(void)
{
	const struct prof_format_info *format;
	unsigned n_bare = 0;

	for (size_t i = 0; (format = prof_format_info(i)) != NULL; i++) {
		const int before = n_cases;
		char folder[256];

		if (!can(format, PROF_CAN_READ))
			continue;
		snprintf(folder, sizeof(folder), TESTDATA "/%s", format->name);
		for_each_file(folder, add_file, (void *)(uintptr_t)format);
		if (can(format, PROF_CAN_WRITE))
			add_written(format);
		n_bare += n_cases == before;
	}
	return n_bare;
}

static bool same_bytes(struct bytes a, struct bytes b)
{
	return a.size == b.size &&
		(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static struct prof_read_options options_of(const struct format_case *c)
{
	return PROF_OPTIONS(prof_read_options, .format = c->format->name);
}

/* ---- Damage ---- */

/* Looks at all of a profile, so that what is out of range is found out. */
static void touch(const struct prof_profile *p)
{
	free(profile_text(p, TEXT_TABLES));
	free(profile_text(p, 0));
}

/*
 * Reads what may be damaged: a profile, or an error that says what and
 * where.
 */
static void read_damaged(struct bytes in, const struct prof_read_options *o,
                         const char *name)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { .status = PROF_BUSY };
	/* A piece of its own, so that reading beyond it is found out. */
	unsigned char *copy = malloc(in.size ? in.size : 1);
	enum prof_status status;

	memcpy(copy, in.data, in.size);
	status = prof_read_mem(&p, copy, in.size, o, &err);
	free(copy);
	if (status == PROF_OK) {
		ck_assert_ptr_nonnull(p);
		touch(p);
	} else {
		ck_assert_msg(p == NULL, "%s: *out was touched", name);
		ck_assert_msg(err.status == status, "%s: two statuses", name);
		ck_assert_msg(status != PROF_NOMEM && status != PROF_BUSY,
		              "%s: %s", name, err.message);
		ck_assert_msg(err.message[0] != '\0' &&
		              strlen(err.message) < sizeof(err.message),
		              "%s: no message", name);
	}
	prof_profile_free(p);
}

START_TEST(cut_everywhere)
{
	const struct format_case *c = &cases[_i];
	struct prof_read_options options = options_of(c);

	for (size_t size = 0; size < c->file.size && size < SMALL_SIZE; size++) {
		const struct bytes cut = { c->file.data, size };

		options.salvage = false;
		read_damaged(cut, &options, c->name);
		options.salvage = true;
		read_damaged(cut, &options, c->name);
	}
}
END_TEST

START_TEST(changed_everywhere)
{
	static const unsigned char flips[] = { 0x01, 0x20, 0x80, 0xff };
	const struct format_case *c = &cases[_i];
	struct bytes file = { malloc(c->file.size + 1), c->file.size };
	struct prof_read_options options = options_of(c);

	memcpy(file.data, c->file.data, file.size);
	for (size_t at = 0; at < file.size && at < SMALL_SIZE; at++) {
		for (size_t i = 0; i < N_ELEMENTS(flips); i++) {
			file.data[at] ^= flips[i];
			options.salvage = i % 2 == 0;
			read_damaged(file, &options, c->name);
			file.data[at] = c->file.data[at];
		}
		file.data[at] = 0;
		read_damaged(file, &options, c->name);
		file.data[at] = c->file.data[at];
	}
	free(file.data);
}
END_TEST

/* ---- Memory that fails ---- */

/* Reads with the allocator and frees what came of it. */
static enum prof_status read_with(const struct format_case *c,
                                  struct failing_allocator *f)
{
	struct prof_read_options options = options_of(c);
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	enum prof_status status;

	options.allocator = &f->allocator;
	status = prof_read_mem(&p, c->file.data, c->file.size, &options, &err);
	ck_assert_int_eq(err.status, status);
	ck_assert((p != NULL) == (status == PROF_OK));
	prof_profile_free(p);
	return status;
}

/* Writes the case in each format with the allocator; the worst status. */
static enum prof_status write_with(const struct format_case *c,
                                   struct failing_allocator *f)
{
	const struct prof_read_options options = options_of(c);
	struct prof_profile *p = read_profile(c->file, &options);
	const struct prof_format_info *to;
	enum prof_status worst = PROF_OK;

	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		struct prof_buffer buffer = { 0 };
		struct prof_error err = { 0 };
		enum prof_status status;

		if (!can(to, PROF_CAN_WRITE))
			continue;
		status = prof_write(p, to->name, prof_sink_buffer(&buffer),
		                    &PROF_OPTIONS(prof_write_options,
		                                  .allocator = &f->allocator),
		                    &err);
		ck_assert_int_eq(err.status, status);
		ck_assert_msg(f->n_bytes == 0, "%s in %s, allocation %zu: %zu "
		              "bytes leak", c->name, to->name, f->fail_at,
		              f->n_bytes);
		worst = status != PROF_OK ? status : worst;
		prof_buffer_release(&buffer);
	}
	prof_profile_free(p);
	return worst;
}

/* From one recording to another, both with the allocator. */
static enum prof_status record_with(const struct format_case *c,
                                    struct failing_allocator *f)
{
	struct prof_read_options options = options_of(c);
	const struct prof_format_info *to;
	enum prof_status worst = PROF_OK;

	options.allocator = &f->allocator;
	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		struct test_source source = { .data = c->file.data,
		                              .size = c->file.size };
		struct prof_buffer buffer = { 0 };
		struct prof_recorder r;
		enum prof_status status;

		if (!can(to, PROF_CAN_WRITE_RECORDING))
			continue;
		status = prof_recorder_new(
			&r, to->name, prof_sink_buffer(&buffer), &PROF_OPTIONS(
				prof_write_options, .allocator =
				&f->allocator), NULL);
		if (status == PROF_OK) {
			status = prof_read_recording(
				&r, test_source(&source), &options, NULL);
			prof_recorder_free(&r);
		}
		worst = status != PROF_OK ? status : worst;
		prof_buffer_release(&buffer);
	}
	return worst;
}

typedef enum prof_status try(const struct format_case *c,
                             struct failing_allocator *f);

/*
 * Fails each allocation, alone and with all after it: PROF_NOMEM or success,
 * and all memory given back with its right size.
 */
static void fail_each(const struct format_case *c, try *tried,
                      const char *what)
{
	struct failing_allocator f;
	size_t n_calls;

	failing_allocator_init(&f);
	ck_assert_msg(tried(c, &f) == PROF_OK, "%s", c->name);
	ck_assert_msg(f.n_bytes == 0, "%s, %s: a leak", c->name, what);
	n_calls = f.n_calls;
	for (size_t n = 1; n <= n_calls; n++)
		for (int on = 0; on < 2; on++) {
			enum prof_status status;

			failing_allocator_init(&f);
			f.fail_at = n;
			f.fails_on = on;
			status = tried(c, &f);
			ck_assert_msg(status == PROF_NOMEM ||
			              status == PROF_OK,
			              "%s, %s, allocation %zu: %s", c->name,
			              what, n, prof_status_string(status));
			ck_assert_msg(status == PROF_NOMEM || !on,
			              "%s, %s, allocation %zu: nothing failed",
			              c->name, what, n);
			ck_assert_msg(f.n_bytes == 0,
			              "%s, %s, allocation %zu: %zu bytes leak",
			              c->name, what, n, f.n_bytes);
			ck_assert_msg(!f.was_misused,
			              "%s, %s, allocation %zu: a wrong size",
			              c->name, what, n);
		}
}

START_TEST(each_allocation_fails)
{
	const struct format_case *c = &cases[_i];

	fail_each(c, read_with, "reading");
	fail_each(c, write_with, "writing");
	if (c->is_recording)
		fail_each(c, record_with, "recording");
}
END_TEST

/* ---- Sources and sinks that fail ---- */

START_TEST(source_fails_everywhere)
{
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);

	for (size_t size = 0; size <= c->file.size && size < SMALL_SIZE;
	     size++) {
		struct test_source source = { .data = c->file.data,
		                              .size = size,
		                              .fail_errno = EIO };
		struct prof_profile *p = NULL;
		struct prof_error err = { 0 };

		ck_assert_msg(prof_read(&p, test_source(&source), &options,
		                        &err) != PROF_OK,
		              "%s: a failure at %zu was not seen", c->name,
		              size);
		ck_assert_ptr_null(p);
		ck_assert_msg(err.status == PROF_SYSTEM &&
		              err.sys_errno == EIO,
		              "%s, at %zu: %s", c->name, size, err.message);
	}
}
END_TEST

struct failing_sink {
	size_t left;
};

static int write_failing(void *ctx, const void *buf, size_t size)
{
	struct failing_sink *s = ctx;

	(void)buf;
	if (size > s->left)
		return -ENOSPC;
	s->left -= size;
	return 0;
}

START_TEST(sink_fails)
{
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);
	struct prof_profile *p = read_profile(c->file, &options);
	const struct prof_format_info *to;

	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		struct failing_sink s = { 0 };
		struct prof_error err = { 0 };
		struct bytes whole;

		if (!can(to, PROF_CAN_WRITE))
			continue;
		whole = write_profile(p, to->name, NULL);
		free(whole.data);
		if (whole.size == 0)
			continue;
		ck_assert_int_eq(prof_write(p, to->name, (struct prof_sink){
				write_failing, &s }, NULL, &err), PROF_SYSTEM);
		ck_assert_int_eq(err.sys_errno, ENOSPC);
	}
	prof_profile_free(p);
}
END_TEST

/* ---- Any pieces, any time ---- */

START_TEST(in_small_pieces)
{
	static const size_t steps[] = { 1, 3, 4095 };
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);
	struct prof_profile *expected = read_profile(c->file, &options);

	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		struct test_source source = { .data = c->file.data,
		                              .size = c->file.size,
		                              .step = steps[i] };
		struct prof_profile *p = NULL;
		struct prof_error err = { 0 };

		ck_assert_msg(prof_read(&p, test_source(&source), &options,
		                        &err) == PROF_OK, "%s: %s", c->name,
		              err.message);
		assert_same_profile(p, expected, TEXT_TABLES, c->name);
		prof_profile_free(p);
	}
	prof_profile_free(expected);
}
END_TEST

/* Hashes are seeded anew for each reading: no order may depend on them. */
START_TEST(same_bytes_again)
{
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);
	const struct prof_format_info *to;

	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		struct bytes files[2];

		if (!can(to, PROF_CAN_WRITE))
			continue;
		for (int k = 0; k < 2; k++) {
			struct prof_profile *p =
				read_profile(c->file, &options);

			files[k] = write_profile(p, to->name, NULL);
			prof_profile_free(p);
		}
		ck_assert_msg(same_bytes(files[0], files[1]),
		              "%s in %s: other bytes", c->name, to->name);
		free(files[0].data);
		free(files[1].data);
	}
}
END_TEST

/* The content alone says what it is, and the name of the format is not
   needed. */
START_TEST(found_by_content)
{
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);
	struct prof_profile *named = read_profile(c->file, &options);
	struct prof_profile *found = read_profile(c->file, NULL);

	assert_same_profile(found, named, TEXT_TABLES, c->name);
	prof_profile_free(named);
	prof_profile_free(found);
}
END_TEST

/* ---- Round trips ---- */

/*
 * Through each format that is written and read: what the writer does not
 * note as dropped comes back, and written again it is the same bytes.
 */
static void round_trip(const struct format_case *c, struct prof_profile *p,
                       const struct prof_format_info *to)
{
	struct test_notes notes;
	struct prof_write_options options = PROF_OPTIONS(
		prof_write_options, .notes = test_notes(&notes));
	struct prof_read_options read_options =
		PROF_OPTIONS(prof_read_options, .format = to->name);
	struct bytes file = write_profile(p, to->name, &options);
	const bool is_lossy = notes.n > 0;
	struct prof_profile *back;
	struct bytes again;
	char name[256];

	snprintf(name, sizeof(name), "%s through %s", c->name, to->name);
	/* Formats of fewer sample types are asked for those they have. */
	back = read_profile(file, &read_options);
	if (!is_lossy)
		assert_same_profile(back, p, TEXT_SORT_SAMPLES, name);
	again = write_profile(back, to->name, &options);
	ck_assert_msg(same_bytes(again, file),
	              "%s: other bytes the second time", name);
	prof_profile_free(back);
	free(file.data);
	free(again.data);
}

START_TEST(round_trips)
{
	const struct format_case *c = &cases[_i];
	const struct prof_read_options options = options_of(c);
	struct prof_profile *p = read_profile(c->file, &options);
	const struct prof_format_info *to;

	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++)
		if (can(to, PROF_CAN_WRITE | PROF_CAN_READ))
			round_trip(c, p, to);
	prof_profile_free(p);
}
END_TEST

static struct bytes record_again(struct bytes file, const char *from,
                                 const char *to, const char *name)
{
	struct test_source source = { .data = file.data, .size = file.size };
	struct prof_buffer buffer = { 0 };
	struct prof_recorder r;
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_recorder_new(&r, to, prof_sink_buffer(&buffer),
	                                   NULL, NULL), PROF_OK);
	ck_assert_msg(prof_read_recording(&r, test_source(&source),
	                                  &PROF_OPTIONS(prof_read_options,
	                                                .format = from),
	                                  &err) == PROF_OK,
	              "%s, from %s to %s: %s at %llu, line %llu", name, from,
	              to, err.message, (unsigned long long)err.offset,
	              (unsigned long long)err.line);
	prof_recorder_free(&r);
	return (struct bytes){ buffer.data, buffer.size };
}

/* Nothing that came in is lost on the way through another format. */
START_TEST(recordings_round_trip)
{
	const struct format_case *c = &cases[_i];
	const struct prof_format_info *to;
	struct bytes raw;

	if (!c->is_recording)
		return;
	raw = record_again(c->file, c->format->name, "raw", c->name);
	for (size_t i = 0; (to = prof_format_info(i)) != NULL; i++) {
		struct bytes there, back;

		if (!can(to, PROF_CAN_WRITE_RECORDING |
		         PROF_CAN_READ_RECORDING))
			continue;
		there = record_again(raw, "raw", to->name, c->name);
		back = record_again(there, to->name, "raw", c->name);
		ck_assert_msg(same_bytes(back, raw),
		              "%s through %s: another recording", c->name,
		              to->name);
		free(there.data);
		free(back.data);
	}
	free(raw.data);
}
END_TEST

/* ---- The table ---- */

START_TEST(unknown_names)
{
	struct prof_profile *p = read_profile_file(EVERYTHING, NULL);
	struct prof_profile *out = NULL;
	struct prof_buffer buffer = { 0 };
	struct prof_recorder r;
	struct prof_error err;

	ck_assert_int_eq(prof_read_mem(&out, "a", 1, &PROF_OPTIONS(
		prof_read_options, .format = "nonsense"), &err),
		PROF_UNKNOWN_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.message, "nonsense"));
	ck_assert_int_eq(prof_write(p, "nonsense", prof_sink_buffer(&buffer),
	                            NULL, &err), PROF_UNKNOWN_FORMAT);
	ck_assert_int_eq(prof_recorder_new(&r, "nonsense",
	                                   prof_sink_buffer(&buffer), NULL,
	                                   &err), PROF_UNKNOWN_FORMAT);
	ck_assert_int_eq(prof_recorder_new(&r, "pprof",
	                                   prof_sink_buffer(&buffer), NULL,
	                                   &err), PROF_UNSUPPORTED);
	ck_assert_uint_eq(buffer.size, 0);
	ck_assert_int_eq(prof_read_mem(&out, "", 0, NULL, &err),
	                 PROF_UNKNOWN_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.message, "empty"));
	ck_assert_ptr_null(out);
	prof_profile_free(p);
}
END_TEST

static unsigned n_bare_formats;

START_TEST(every_format_has_cases)
{
	ck_assert_uint_eq(n_bare_formats, 0);
	ck_assert_int_gt(n_cases, 20);
	for (size_t i = 0; prof_format_info(i); i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(prof_format_info(i)->name,
			                 prof_format_info(k)->name);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		cut_everywhere, changed_everywhere, each_allocation_fails,
		source_fails_everywhere, sink_fails, in_small_pieces,
		same_bytes_again, found_by_content, round_trips,
		recordings_round_trip,
	};
	Suite *suite = suite_create("formats");
	TCase *table = tcase_create("table");
	TCase *each = tcase_create("each");

	n_bare_formats = make_cases();
	tcase_add_test(table, unknown_names);
	tcase_add_test(table, every_format_has_cases);
	suite_add_tcase(suite, table);
	tcase_set_timeout(each, 300);
	for (size_t i = 0; i < N_ELEMENTS(tests); i++)
		tcase_add_loop_test(each, tests[i], 0, n_cases);
	suite_add_tcase(suite, each);
	return run_suite(suite);
}
