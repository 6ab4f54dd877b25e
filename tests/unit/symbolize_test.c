/* SPDX-License-Identifier: Apache-2.0 */
/* Editing profiles, demangling those that have names, and this process. */
#include <profile/symbolize.h>

#include "base/cursor.h"
#include "base/input.h"
#include "model/editor.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct prof_str str(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

/* ---- Cursor ---- */

static const struct cursor_case {
	const char *bytes;
	size_t size;
	bool is_big;
	char what; /* 1 2 3 4 8: a number; u s: LEB128; z: a string's length */
	uint64_t value;
	size_t left;
	bool fails;
} cursor_cases[] = {
	{ "\x12", 1, false, '1', 0x12, 0, false },
	{ "\x12\x34", 2, false, '2', 0x3412, 0, false },
	{ "\x12\x34", 2, true, '2', 0x1234, 0, false },
	{ "\x12\x34\x56\x78", 4, false, '3', 0x563412, 1, false },
	{ "\x12\x34\x56\x78", 4, true, '3', 0x123456, 1, false },
	{ "\x12\x34\x56\x78", 4, true, '4', 0x12345678, 0, false },
	{ "\1\2\3\4\5\6\7\x8", 8, false, '8', 0x0807060504030201, 0, false },
	{ "\1\2\3\4\5\6\7\x8", 8, true, '8', 0x0102030405060708, 0, false },
	{ "\1\2\3\4\5\6\7", 7, true, '8', 0, 0, true },
	{ "", 0, true, '1', 0, 0, true },
	{ "\xe5\x8e\x26", 3, false, 'u', 624485, 0, false },
	{ "\xe5\x8e", 2, false, 'u', 0, 0, true },
	{ "\x7f", 1, false, 's', UINT64_MAX, 0, false },
	{ "\x80\x7f", 2, false, 's', (uint64_t)-128, 0, false },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, false, 'u',
	  UINT64_MAX, 0, false },
	{ "abc\0d", 5, false, 'z', 3, 1, false },
	{ "abc", 3, false, 'z', 0, 0, true },
};

START_TEST(cursor_reads)
{
	const struct cursor_case *c = &cursor_cases[_i];
	struct cursor in = cursor_at((const unsigned char *)c->bytes, c->size,
	                             0, c->is_big);
	const char *text;
	uint64_t got;

	switch (c->what) {
	case 'u':
		got = cursor_uleb(&in);
		break;
	case 's':
		got = (uint64_t)cursor_sleb(&in);
		break;
	case 'z':
		text = cursor_string(&in);
		got = text ? strlen(text) : 0;
		break;
	default:
		got = cursor_uint(&in, (unsigned)(c->what - '0'));
	}
	ck_assert_uint_eq(got, c->value);
	ck_assert_uint_eq(cursor_left(&in), c->left);
	ck_assert_int_eq(in.has_failed, c->fails);
}
END_TEST

START_TEST(cursor_starts_inside)
{
	struct cursor in = cursor_at((const unsigned char *)"ab", 2, 3, false);

	ck_assert(in.has_failed);
	ck_assert_uint_eq(cursor_u8(&in), 0);
	ck_assert(!cursor_bytes(&in, UINT64_MAX));
}
END_TEST

/* ---- Editor ---- */

/* Two locations, of which the first has a line of "old". */
static struct prof_profile *small_profile(const struct prof_allocator *a)
{
	struct prof_builder *b = prof_builder_new(a);
	struct prof_line line = { .line = 7 };
	struct prof_profile *p;

	line.function = prof_add_function(
		b, &(struct prof_function){ .name = str("_Z3oldv"),
	                                    .system_name = str("_Z3oldv") });
	prof_add_location(b, &(struct prof_location){ .address = 16,
	                                              .n_lines = 1,
	                                              .lines = &line });
	prof_add_location(b, &(struct prof_location){ .address = 32 });
	if (prof_builder_finish(&p, b, NULL) != PROF_OK)
		return NULL;
	return p;
}

static enum prof_status edit(struct prof_profile *p)
{
	struct profile_editor e;
	struct prof_line lines[2] = { { .line = 1 }, { .line = 2 } };
	struct row_function row = { .start_line = 3 };

	profile_editor_begin(&e, p);
	row.name = profile_editor_string(&e, str("new"));
	row.system_name = profile_editor_string(&e, str("_Z3oldv"));
	lines[0].function = profile_editor_function(&e, &row);
	lines[1].function = profile_editor_function(&e, &row);
	profile_editor_lines(&e, lines, 2);
	profile_editor_lines(&e, lines, 1);
	return profile_editor_finish(&e, NULL);
}

START_TEST(editor_replaces_lines)
{
	struct prof_profile *p = small_profile(NULL);
	struct prof_location l;
	struct prof_function f;

	ck_assert_int_eq(edit(p), PROF_OK);
	ck_assert(prof_get_location(p, 1, &l));
	ck_assert_uint_eq(l.n_lines, 2);
	ck_assert_int_eq(l.lines[1].line, 2);
	ck_assert_uint_eq(l.lines[0].function, l.lines[1].function);
	ck_assert(prof_get_function(p, l.lines[0].function, &f));
	ck_assert_str_eq(f.name.ptr, "new");
	ck_assert_str_eq(f.system_name.ptr, "_Z3oldv");
	ck_assert(prof_get_location(p, 2, &l));
	ck_assert_uint_eq(l.n_lines, 1);
	ck_assert(!prof_get_location(p, 3, &l));
	ck_assert_uint_eq(prof_n_functions(p), 2);
	prof_profile_free(p);
}
END_TEST

/* Whichever allocation fails, the profile is what it was. */
START_TEST(editor_failures_change_nothing)
{
	struct failing_allocator f;
	enum prof_status status = PROF_NOMEM;

	for (size_t i = 1; status != PROF_OK; i++) {
		struct prof_profile *p;
		char *before, *after;

		failing_allocator_init(&f);
		p = small_profile(&f.allocator);
		before = profile_text(p, TEXT_TABLES);
		f.fail_at = f.n_calls + i;
		f.fails_on = true;
		status = edit(p);
		after = profile_text(p, TEXT_TABLES);
		if (status != PROF_OK)
			assert_same_text(after, before, "after a failure");
		free(before);
		free(after);
		prof_profile_free(p);
		ck_assert_uint_eq(f.n_bytes, 0);
	}
}
END_TEST

START_TEST(goexit_is_dropped)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_line line = { .line = 1 };
	const int64_t one = 1;
	struct prof_profile *p;
	struct prof_sample s;
	uint32_t ids[2], got[4];

	prof_add_sample_type(b, &(struct prof_value_type){ str("n"), str("") });
	line.function = prof_add_function(
		b, &(struct prof_function){ .name = str("main.main") });
	ids[0] = prof_add_location(b, &(struct prof_location){
					      .address = 16, .n_lines = 1,
					      .lines = &line });
	line.function = prof_add_function(
		b, &(struct prof_function){ .name = str("runtime.goexit") });
	ids[1] = prof_add_location(b, &(struct prof_location){
					      .address = 32, .n_lines = 1,
					      .lines = &line });
	prof_add_sample(b, prof_add_stack(b, ids, 2), 0, &one);
	prof_add_sample(b, prof_add_stack(b, ids + 1, 1), 0, &one);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	ck_assert_int_eq(
		prof_symbolize(p,
	                       &PROF_OPTIONS(prof_symbolize_options,
	                                     .go_exact = true),
	                       NULL),
		PROF_OK);
	ck_assert(prof_get_sample(p, 0, &s));
	ck_assert_uint_eq(prof_get_stack(p, s.stack, got, 4), 1);
	ck_assert_uint_eq(got[0], ids[0]);
	ck_assert(prof_get_sample(p, 1, &s));
	ck_assert_uint_eq(s.stack, 0);
	prof_profile_free(p);
}
END_TEST

/* ---- Whole ---- */

/* Live captures of Go programs give what Go's own builder made of them. */
START_TEST(go_live_capture)
{
	static const char name[] = "raw/live-plain-noinline";
	struct prof_profile *got, *expected;
	struct memory_source parts[2];
	struct bytes words, tags, maps;
	char go[2048], path[4096];

	if (!corpus_folder())
		return;
	snprintf(go, sizeof(go), "%s/../oracle/go", corpus_folder());
	snprintf(path, sizeof(path), "%s/%s.pb.gz", go, name);
	if (!file_exists(path))
		return;
	expected = read_profile_file(path, NULL);
	snprintf(path, sizeof(path), "%s/%s.words", go, name);
	words = bytes_of_file(path);
	snprintf(path, sizeof(path), "%s/%s.tags", go, name);
	tags = bytes_of_file(path);
	snprintf(path, sizeof(path), "%s/%s.maps", go, name);
	maps = bytes_of_file(path);
	parts[0] = (struct memory_source){ tags.data, tags.size, 0 };
	parts[1] = (struct memory_source){ maps.data, maps.size, 0 };
	got = read_profile(words,
	                   &PROF_OPTIONS(prof_read_options, .format = "raw",
	                                 .go_exact = true,
	                                 .tags = source_memory(&parts[0]),
	                                 .maps = source_memory(&parts[1])));
	ck_assert_int_eq(
		prof_symbolize(got,
	                       &PROF_OPTIONS(prof_symbolize_options,
	                                     .go_exact = true,
	                                     .binary_path = go),
	                       NULL),
		PROF_OK);
	assert_same_profile(got, expected, TEXT_NO_TIMES, name);
	prof_profile_free(got);
	prof_profile_free(expected);
	free(words.data);
	free(tags.data);
	free(maps.data);
}
END_TEST

START_TEST(names_that_are_there)
{
	static const struct {
		enum prof_symbolize_mode mode;
		enum prof_demangle demangle;
		const char *name;
	} modes[] = {
		{ PROF_SYMBOLIZE_AUTO, PROF_DEMANGLE_DEFAULT, "old" },
		{ PROF_SYMBOLIZE_NONE, PROF_DEMANGLE_FULL, "old()" },
		{ PROF_SYMBOLIZE_NONE, PROF_DEMANGLE_NONE, "_Z3oldv" },
		{ PROF_SYMBOLIZE_FORCE, PROF_DEMANGLE_DEFAULT, "old" },
	};

	for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
		struct prof_profile *p = small_profile(NULL);
		struct prof_function f;

		ck_assert_int_eq(
			prof_symbolize(p,
		                       &PROF_OPTIONS(prof_symbolize_options,
		                                     .mode = modes[i].mode,
		                                     .demangle =
		                                             modes[i].demangle),
		                       NULL),
			PROF_OK);
		ck_assert(prof_get_function(p, 1, &f));
		ck_assert_str_eq(f.name.ptr, modes[i].name);
		ck_assert_str_eq(f.system_name.ptr, "_Z3oldv");
		prof_profile_free(p);
	}
}
END_TEST

static uint64_t pcs[2];

__attribute__((noinline)) static void callee(void)
{
	pcs[0] = (uint64_t)(uintptr_t)__builtin_return_address(0);
}

__attribute__((noinline)) static void symbolize_test_caller(void)
{
	callee();
	pcs[1] = 1; /* nowhere; and no tail call above */
}

START_TEST(frames_of_this_process)
{
	struct prof_symbol frames[16];
	struct prof_frames *f;
	size_t n;

	symbolize_test_caller();
	ck_assert_int_eq(prof_frames(&f, pcs, 2, NULL, NULL), PROF_OK);
	n = prof_get_frames(f, 0, frames, 16);
	ck_assert_uint_ge(n, 1);
	ck_assert_str_eq(frames[n - 1].name.ptr, "symbolize_test_caller");
	ck_assert_uint_eq(prof_get_frames(f, 1, frames, 16), 0);
	ck_assert_uint_eq(prof_get_frames(f, 2, frames, 16), 0);
	prof_frames_free(f);
}
END_TEST

/* Each on lines of its own; the lines are told by what calls. */
static int lines[3];

__attribute__((always_inline)) static inline void innermost(void)
{
	lines[0] = __LINE__ + 1;
	callee();
	pcs[1] = 1;
}

__attribute__((always_inline)) static inline void between(void)
{
	lines[1] = __LINE__ + 1;
	innermost();
	pcs[1] = 1;
}

__attribute__((noinline)) static void symbolize_test_inlining(void)
{
	lines[2] = __LINE__ + 1;
	between();
	pcs[1] = 1;
}

/* Innermost first, and what is too many for the array is only counted. */
START_TEST(inlined_frames_of_this_process)
{
	static const char *const names[] = { "innermost", "between",
		                             "symbolize_test_inlining" };
	struct prof_symbol frames[3];
	struct prof_frames *f;

	symbolize_test_inlining();
	ck_assert_int_eq(prof_frames(&f, pcs, 1, NULL, NULL), PROF_OK);
	ck_assert_uint_eq(prof_get_frames(f, 0, frames, 3), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(frames[i].name.ptr, names[i]);
		ck_assert_int_eq(frames[i].line, lines[i]);
		ck_assert_ptr_nonnull(strstr(frames[i].filename.ptr,
		                             "unit/symbolize_test.c"));
	}
	frames[1].line = -1;
	ck_assert_uint_eq(prof_get_frames(f, 0, frames, 1), 3);
	ck_assert_int_eq(frames[1].line, -1);
	prof_frames_free(f);
	ck_assert_int_eq(
		prof_frames(&f, pcs, 1,
	                    &PROF_OPTIONS(prof_symbolize_options,
	                                  .no_inlines = true), NULL),
		PROF_OK);
	ck_assert_uint_eq(prof_get_frames(f, 0, frames, 3), 1);
	ck_assert_str_eq(frames[0].name.ptr, names[2]);
	prof_frames_free(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("symbolize");
	TCase *tc = tcase_create("symbolize");

	tcase_add_loop_test(tc, cursor_reads, 0, N_ELEMENTS(cursor_cases));
	tcase_add_test(tc, cursor_starts_inside);
	tcase_add_test(tc, editor_replaces_lines);
	tcase_add_test(tc, editor_failures_change_nothing);
	tcase_add_test(tc, goexit_is_dropped);
	tcase_add_test(tc, go_live_capture);
	tcase_add_test(tc, names_that_are_there);
	tcase_add_test(tc, frames_of_this_process);
	tcase_add_test(tc, inlined_frames_of_this_process);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
