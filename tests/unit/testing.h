/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

/*
 * What unit tests share: files, sources of a certain kind, an allocator that
 * fails, profiles compared. Each function fails the test that calls it where
 * it cannot do its work.
 */

#include "profile_text.h"

#include <check.h>
#include <profile/io.h>

/* ---- Files ---- */

struct bytes {
	unsigned char *data; /* the caller frees it */
	size_t size;
};

struct bytes bytes_of_file(const char *path);
bool file_exists(const char *path);

/* Each file below the folder, in order of names; false: no such folder. */
typedef void each_file(const char *path, void *ctx);
bool for_each_file(const char *folder, each_file *each, void *ctx);

/*
 * The corpus of profiles that others wrote, beside the source tree or where
 * PROFILE_CORPUS says; NULL where it is absent.
 */
const char *corpus_folder(void);

/* ---- Sources ---- */

/* Memory that gives `step` bytes at a time (0: all), and then fails with
   -fail_errno where that is set. */
struct test_source {
	const unsigned char *data;
	size_t size, position, step;
	int fail_errno;
};
struct prof_source test_source(struct test_source *s);

/* ---- Memory ---- */

/*
 * malloc that counts and fails: the calls that ask for memory are numbered
 * from 1; number `fail_at` fails, and those after it too where fails_on is
 * set. n_bytes is what was not given back.
 */
struct failing_allocator {
	struct prof_allocator allocator;
	size_t n_calls, fail_at;
	bool fails_on;
	size_t n_bytes, max_bytes;
	bool was_misused; /* a size was not the one that was asked for */
};
void failing_allocator_init(struct failing_allocator *f);

/* ---- Notes ---- */

/* Keeps all notes, one a line. */
struct test_notes {
	char text[2048];
	unsigned n;
};
struct prof_notes test_notes(struct test_notes *n);

/* ---- Profiles ---- */

/* Reads; fails the test with the message where that fails. */
struct prof_profile *read_profile(struct bytes in,
                                  const struct prof_read_options *options);
struct prof_profile *read_profile_file(const char *path,
                                       const struct prof_read_options *options);
/* What prof_write() makes of it. */
struct bytes write_profile(const struct prof_profile *p, const char *format,
                           const struct prof_write_options *options);

/* Fails with the first line that differs; name says of what it is. */
void assert_same_text(const char *got, const char *expected, const char *name);
void assert_same_profile(const struct prof_profile *got,
                         const struct prof_profile *expected, unsigned options,
                         const char *name);

/* Runs the one case of a main(): a runner's result as an exit status. */
int run_suite(Suite *suite);

/* The suite of a test file: its name and its tests. */
#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#endif
