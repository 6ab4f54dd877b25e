/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed stacks both ways: each rule of docs/collapsed-format.md as rows
 * of a table, and what it promises of round trips on random profiles.
 */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that may hold a '\0'. */
#define TEXT(literal) { literal, sizeof(literal) - 1 }

static struct bytes bytes_of(struct prof_str s)
{
	return (struct bytes){ (unsigned char *)s.ptr, s.len };
}

/* ---- One conversion ---- */

struct conversion {
	struct prof_str in, out; /* out.ptr NULL: it fails */
	struct prof_read_options read;
	struct prof_write_options write;
	const char *note;        /* what the notes or the error have; NULL: none */
	enum prof_status status;
	uint64_t line;           /* of the error */
};

static void convert(const struct conversion *c)
{
	struct prof_read_options read = c->read;
	struct prof_write_options write = c->write;
	struct test_notes notes = { .n = 0 };
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_error err = { 0 };
	struct prof_profile *p = NULL;
	enum prof_status status;

	read.size = sizeof(read);
	write.size = sizeof(write);
	read.format = "collapsed";
	read.notes = write.notes = test_notes(&notes);
	status = prof_read_mem(&p, c->in.ptr, c->in.len, &read, &err);
	if (status == PROF_OK)
		status = prof_write(p, "collapsed", prof_sink_buffer(&out),
		                    &write, &err);
	ck_assert_msg(status == c->status, "status %d: %s", (int)status,
	              err.message);
	if (status == PROF_OK)
		ck_assert_msg(out.size == c->out.len &&
		              (out.size == 0 ||
		               memcmp(out.data, c->out.ptr, out.size) == 0),
		              "got \"%.*s\", not \"%s\"", (int)out.size,
		              (char *)out.data, c->out.ptr);
	if (status == PROF_OK && !c->note)
		ck_assert_str_eq(notes.text, "");
	else if (c->note)
		ck_assert_msg(strstr(status == PROF_OK ? notes.text :
		                     err.message, c->note) != NULL,
		              "\"%s%s\" lacks \"%s\"", notes.text,
		              err.message, c->note);
	ck_assert_uint_eq(err.line, c->line);
	prof_profile_free(p);
	prof_buffer_release(&out);
}

/* Text in, and what it is written as; options and outcome as fields. */
#define CASE(text_in, text_out, ...)                                          \
	{ .in = TEXT(text_in), .out = TEXT(text_out), __VA_ARGS__ }
/* The same without options, notes and failures. */
#define MEANS(text_in, text_out) CASE(text_in, text_out, .note = NULL)

/* ---- What lines mean ---- */

static const struct conversion line_cases[] = {
	/* R1: the end of a line */
	MEANS("main;foo 5\n", "main;foo 5\n"),
	MEANS("main;foo 5", "main;foo 5\n"),
	MEANS("main;foo bar 5\n", "main;foo bar 5\n"),
	MEANS("main;foo\t5\n", "main;foo 5\n"),
	MEANS("main;foo \t  5\n", "main;foo 5\n"),
	MEANS("main;foo 5 \n", "main;foo 5\n"),
	MEANS("main;foo 5\t \n", "main;foo 5\n"),
	MEANS("main;foo 5\r\n", "main;foo 5\n"),
	MEANS("\n\r\n  \nmain;foo 5\n\n", "main;foo 5\n"),
	MEANS("", ""),
	MEANS("\n", ""),
	MEANS("\xef\xbb\xbfmain;foo 5\n", "main;foo 5\n"),
	MEANS("\xff\xfem\0;\0f\0 \0" "5\0\n\0", "m;f 5\n"),
	MEANS("\xfe\xff\0m\0;\0f\0 \0" "5\0\n", "m;f 5\n"),
	MEANS("\xff\xfe\xe5\x65\x3d\xd8\x00\xde \0" "5\0",
	  "\xe6\x97\xa5\xf0\x9f\x98\x80 5\n"),
	CASE("\xff\xfe\x3d\xd8 \0" "5\0\n", "",
	  .note = "no line", .status = PROF_CORRUPT, .line = 1),
	MEANS("\xff\xfe\x3d\xd8 \0" "5\0", "\xef\xbf\xbd 5\n"),
	/* R1: names are opaque */
	MEANS("main;gr\xc3\xb6\xc3\x9f" "e;\xe6\x97\xa5 5\n",
	  "main;gr\xc3\xb6\xc3\x9f" "e;\xe6\x97\xa5 5\n"),
	MEANS("main;f\xff 5\n", "main;f\xff 5\n"),
	CASE("main;f\0x 5\n", "main;f x 5\n", .note = "1 names"),
	MEANS("main;foo_[k];bar_[i];baz_[j] 5\n",
	  "main;foo_[k];bar_[i];baz_[j] 5\n"),
	MEANS("a;b;--;c;d 5\n", "a;b;--;c;d 5\n"),
	MEANS(" main;foo 5\n", " main;foo 5\n"),
	/* R1: comments stay, out of the way of collapsed stacks */
	CASE("# comment 5\nmain 1\n", "main 1\n",
	  .note = "1 comment"),
	CASE("main 1\n#a\n#b\n", "main 1\n", .note = "2 comments"),
	/* R2: values */
	MEANS("main;foo -5\n", "main;foo -5\n"),
	MEANS("main;foo +5\n", "main;foo 5\n"),
	MEANS("main;foo 0\n", "main;foo 0\n"),
	MEANS("main;foo -0\n", "main;foo 0\n"),
	MEANS("main;foo 007\n", "main;foo 7\n"),
	MEANS("main;foo 9223372036854775807\n",
	  "main;foo 9223372036854775807\n"),
	MEANS("main;foo -9223372036854775808\n",
	  "main;foo -9223372036854775808\n"),
	CASE("a 1\nmain;foo 9223372036854775808\n", "",
	  .note = "9223372036854775808", .status = PROF_OVERFLOW, .line = 2),
	CASE("main;foo -9223372036854775809\n", "",
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("main;foo 18446744073709551615\n", "",
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("main;foo 18446744073709551616\n", "",
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("main;foo 100000000000000000000000005\n", "",
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("a 1\nmain;foo 5.7\n", "", .note = "5.7 is a fraction",
	  .status = PROF_CORRUPT, .line = 2),
	/* R3: no guess at a second value */
	MEANS("main;foo 12 5\n", "main;foo 12 5\n"),
	/* R4: empty names, empty stacks, malformed lines */
	MEANS("main;;foo 5\n", "main;;foo 5\n"),
	MEANS(";foo 5\n", ";foo 5\n"),
	MEANS("main;foo; 5\n", "main;foo; 5\n"),
	MEANS("; 5\n", "; 5\n"),
	MEANS(" 5\n", " 5\n"),
	MEANS("\t5\n", " 5\n"),
	CASE("a 1\n5\n", "a 1\n",
	  .note = "1 of 2 lines are no stack and count and were skipped, the "
	  "first is line 2"),
	CASE("a 1\nmain;foo\nb\n", "a 1\n", .note = "2 of 3"),
	CASE("a 1\nmain;foo 1e3\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo 5.\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo .5\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo 5.7.1\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo -\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo 0x10\n", "a 1\n", .note = "1 of 2"),
	CASE("a 1\nmain;foo\n", "", .read.strict = true,
	  .note = "no stack and count", .status = PROF_CORRUPT, .line = 2),
	CASE("main\nfoo\n", "", .note = "no line",
	  .status = PROF_CORRUPT, .line = 1),
	/* R5: equal stacks are one */
	MEANS("a;b 1\nc 1\na;b 2\n", "a;b 3\nc 1\n"),
	MEANS("a 1\n 2\n 3\n", " 5\na 1\n"),
	CASE("a 9223372036854775807\nb 1\na 1\n", "",
	  .note = "leaves the range", .status = PROF_OVERFLOW, .line = 3),
	CASE("a -9223372036854775808\na -1\n", "",
	  .note = "leaves the range", .status = PROF_OVERFLOW, .line = 2),
	/* R6: bytewise order of stacks */
	MEANS("b 1\na;c 1\na b 1\na 1\naa 1\n\xff 1\nB 1\na; 1\n",
	  "B 1\na 1\na b 1\na; 1\na;c 1\naa 1\nb 1\n\xff 1\n"),
	MEANS("a;b 1 2\na;b 3\na;b;c 1\n",
	  "a;b 3\na;b 1 2\na;b;c 1\n"),
	/* R7: what would be misread */
	CASE("a\x01\x7f" "b 5\n", "a  b 5\n", .note = "1 names"),
	CASE("a\tb;c\td 5\n", "a b;c d 5\n", .note = "2 names"),
	CASE("a\x02 5\na\x03 5\n", "a 10\n", .note = "names"),
	MEANS("a\\;b\\n 5\n", "a\\;b\\n 5\n"),
};

START_TEST(meaning_of_lines)
{
	convert(&line_cases[_i]);
}
END_TEST

/* ---- Options ---- */

static const struct conversion option_cases[] = {
	/* columns */
	CASE("a;b 1 2\n", "a;b 2\n", .read.columns = 2,
	  .note = "1 other sample type, the sample type's name "
	  "(column2/count)"),
	CASE("a;b 1 2\n", "a;b 1\n", .read.columns = 2,
	  .write.sample_type = "column1", .note = "column1/count"),
	CASE("a;b 1 2 3\n", "a;b 1 3\n", .read.columns = 2,
	  .note = "other sample type"),
	CASE("a;b 1 2\na;b 5\n", "a;b 2\n", .read.columns = 2,
	  .note = "1 of 2 lines"),
	CASE("a 1\n", "", .read.columns = 2, .note = "no line",
	  .status = PROF_CORRUPT, .line = 1),
	CASE("a 1 2\n", "", .read.columns = 65,
	  .note = "max_types", .status = PROF_LIMIT, .line = 1),
	/* names of columns */
	CASE("a 1\n", "a 1\n", .read.sample_types = "samples/count"),
	CASE("a 1\n", "a 1\n",
	  .read.sample_types = " cpu/nanoseconds ",
	  .note = "(cpu/nanoseconds)"),
	CASE("a 1 2\n", "a 1\n",
	  .read.sample_types = "samples/count cpu/nanoseconds",
	  .write.sample_type = "samples", .note = "1 other sample type"),
	CASE("a 1 2\n", "", .read.sample_types = "cpu",
	  .note = "type/unit", .status = PROF_INVALID),
	CASE("a 1 2\n", "", .read.sample_types = "a/b /",
	  .note = "type/unit", .status = PROF_INVALID),
	CASE("a 1 2\n", "", .read.sample_types = "a/b c/d",
	  .read.columns = 3, .note = "2 sample types are named for 3 columns",
	  .status = PROF_INVALID, .line = 1),
	/* a header */
	CASE("samples/count cpu/nanoseconds\na;b 5 50\na 1 10\n",
	  "a 10\na;b 50\n", .note = "(cpu/nanoseconds)"),
	MEANS("samples/count\na;b 5\n", "a;b 5\n"),
	CASE("# c\n\nsamples/count cpu/ns\na;b 5 6\n", "a;b 6\n",
	  .note = "1 comment"),
	CASE("a/b c/d\na 5 6\n", "a 5\n", .write.sample_type = "a",
	  .note = "(a/b)"),
	CASE("a/b c/d\na 5 6\n", "", .read.columns = 3,
	  .note = "2 sample types are named for 3 columns",
	  .status = PROF_INVALID, .line = 1),
	CASE("a/b c/d\na 5 6\n", "a 6\n",
	  .read.sample_types = "e/f samples/count",
	  .note = "1 other sample type"),
	CASE("a 1\nsamples/count\n", "a 1\n", .note = "1 of 2"),
	MEANS("a/b 7\n", "a/b 7\n"),
	CASE("a/b;c\na 1\n", "a 1\n", .note = "1 of 2"),
	CASE("a//b\na 1\n", "a 1\n", .note = "1 of 2"),
	/* differences */
	CASE("a;b 1 2\na 0 3\na;b 4 5\n", "a 0 3\na;b 5 7\n",
	  .read.diff = true),
	CASE("a;b 1 2\n", "a;b 2\n", .read.diff = true,
	  .write.sample_type = "after", .note = "1 other sample type"),
	CASE("a;b 1 2\n", "a;b 1\n", .read.diff = true,
	  .write.sample_type = "before", .note = "1 other sample type"),
	CASE("a 1 2\n", "a 1 2\n", .read.diff = true,
	  .read.columns = 2),
	CASE("a 1 2\n", "", .read.diff = true, .read.columns = 3,
	  .note = "2 values", .status = PROF_INVALID),
	CASE("a 1 9223372036854775807\nb 1 1\na 1 1\n", "",
	  .read.diff = true, .note = "leaves the range",
	  .status = PROF_OVERFLOW, .line = 3),
	/* scale */
	CASE("a 5.7\nb 1\nc -0.25\nd 2.50\n",
	  "a 570\nb 100\nc -25\nd 250\n", .read.scale = 100),
	CASE("a 0.5\n", "a 1\n", .read.scale = 2),
	CASE("a 0.00000095367431640625\n", "",
	  .read.scale = UINT64_C(1) << 20, .note = "no integer",
	  .status = PROF_CORRUPT, .line = 1),
	CASE("a 0.0009765625\n", "a 1\n", .read.scale = 1024),
	CASE("a 5.0\n", "a 5\n", .read.scale = 1),
	CASE("a 1.1\nb 5.7\n", "", .read.scale = 5,
	  .note = "1.1 times the scale 5 is no integer",
	  .status = PROF_CORRUPT, .line = 1),
	CASE("a 9223372036854775807.0\n", "", .read.scale = 2,
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("a 9223372036854775807.5\n", "", .read.scale = 2,
	  .note = "range", .status = PROF_OVERFLOW, .line = 1),
	CASE("a -4611686018427387904\n",
	  "a -9223372036854775808\n", .read.scale = 2),
	CASE("a x.5\n", "", .read.scale = 10, .note = "no line",
	  .status = PROF_CORRUPT, .line = 1),
	/* escapes */
	CASE("a\\;b;c\\\\;d\\ne\\x41\\x09 5\n",
	  "a:b;c\\;d eA 5\n", .read.escape = true,
	  .note = "names"),
	CASE("a\\;b;c\\\\;d\\ne\\x41\\x09 5\n",
	  "a\\;b;c\\\\;d\\neA\\x09 5\n", .read.escape = true,
	  .write.escape = true),
	CASE("a;b\\c\\x4;d\\ 5\n", "a;b\\\\c\\\\x4;d\\\\ 5\n",
	  .read.escape = true, .write.escape = true),
	CASE("a\\\\\\;b;c 1\na\\\\\\;b;d 1\n",
	  "a\\\\\\;b;c 1\na\\\\\\;b;d 1\n",
	  .read.escape = true, .write.escape = true),
	CASE("\\x23a;b\\x20 5\n", " #a;b 5\n", .read.escape = true,
	  .note = "2 names"),
	CASE("\\x23a;b\\x20 5\n", "\\x23a;b\\x20 5\n",
	  .read.escape = true, .write.escape = true),
	CASE("\\xef\\xbb\\xbfx 5\n", "\\xef\xbb\xbfx 5\n",
	  .read.escape = true, .write.escape = true),
	CASE("\\x20 5\n", "\\x20 5\n", .read.escape = true,
	  .write.escape = true),
	CASE("\\x20 5\n 1\n", " 6\n", .read.escape = true,
	  .note = "1 names"),
	MEANS("b;#a 5\n", "b;#a 5\n"),
	MEANS("b ;#a 5\n", "b ;#a 5\n"),
	CASE("\\x3b 1\n\\; 1\n", "\\; 2\n", .read.escape = true,
	  .write.escape = true),
	/* annotations */
	CASE("a;b_[i];c_[k];d_[j];e_[i];f_[i];g_[0] 5\n",
	  "a;b;c;d;e;f;g_[0] 5\n", .read.annotations = true,
	  .note = "2 locations' mappings"),
	CASE("a;b_[i];c_[k];d_[j];e_[i];f_[i];g_[0] 5\n",
	  "a;b_[i];c_[k];d_[j];e_[i];f_[i];g_[0] 5\n",
	  .read.annotations = true, .write.annotate = true),
	CASE("a_[i];b_[i] 5\na_[i] 1\n_[k];_[i] 2\n",
	  "_[k];_[i] 2\na_[i] 1\na_[i];b_[i] 5\n",
	  .read.annotations = true, .write.annotate = true),
	CASE("a;b_[i] 1\na;b 2\na 3\n", "a 3\na;b 2\na;b_[i] 1\n",
	  .read.annotations = true, .write.annotate = true),
	CASE("a;b_[i] 1\na;b 2\n", "a;b 3\n",
	  .read.annotations = true),
	CASE("a;b\\x5f[i];c_[i] 1\n", "a;b_[i];c_[i] 1\n",
	  .read.annotations = true, .read.escape = true,
	  .write.annotate = true, .write.escape = true),
	/* limits */
	CASE("a 1\na;b;c 1\n", "", .read.limits.max_depth = 2,
	  .note = "max_depth", .status = PROF_LIMIT, .line = 2),
	CASE("a 1\nlongernames 1\n", "", .read.limits.max_string = 8,
	  .note = "max_string", .status = PROF_LIMIT, .line = 2),
	CASE("a 1\nabcdef;b;c;d 1\n", "",
	  .read.limits.max_line_bytes = 8,
	  .note = "max_line_bytes", .status = PROF_LIMIT),
	CASE("a;b_[i];c_[i] 1\n", "", .read.annotations = true,
	  .read.limits.max_lines = 2,
	  .note = "max_lines", .status = PROF_LIMIT, .line = 1),
};

START_TEST(meaning_of_options)
{
	convert(&option_cases[_i]);
}
END_TEST

/* ---- Writing other profiles ---- */

static struct prof_str str(const char *s)
{
	return (struct prof_str){ s, strlen(s) };
}

/* A location of lines[n] at an address, with the mapping of a file. */
struct frame {
	uint64_t address;
	const char *file; /* NULL: no mapping */
	const char *names[3]; /* innermost first */
};

static const struct frame_case {
	struct frame frame;
	const char *plain, *annotated;
} frame_cases[] = {
	{ { 0x4010, NULL, { NULL } }, "0x4010", "0x4010" },
	{ { 0x4010, "/lib/libc.so.6", { NULL } }, "0x4010", "0x4010" },
	{ { 0, NULL, { NULL } }, "0x0", "0x0" },
	{ { 0xffffffff81000000, "[kernel.kallsyms]_text", { NULL } },
	  "0xffffffff81000000", "0xffffffff81000000_[k]" },
	{ { 0x4010, "/bin/x", { "f" } }, "f", "f" },
	{ { 0x4010, "/bin/x", { "" } }, "0x4010", "0x4010" },
	{ { 0x4010, "/bin/x", { "in", "", "out" } }, "out;0x4010;in",
	  "out;0x4010_[i];in_[i]" },
	{ { 0, "/bin/x", { "in", "", "out" } }, "out;;in",
	  "out;_[i];in_[i]" },
	{ { 0x4010, "[kernel]", { "in", "out" } }, "out;in",
	  "out_[k];in_[i]" },
	{ { 0x4010, "/tmp/perf-12.map", { "f" } }, "f", "f_[j]" },
	{ { 0x4010, "[jit]", { "f" } }, "f", "f_[j]" },
	{ { 0x4010, "/bin/x", { "std::map<int;int>", "x\ny" } },
	  "x y;std::map<int:int>", "x y;std::map<int:int>_[i]" },
};

static struct prof_profile *profile_of_frame(const struct frame *f)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_line lines[3] = { { 0 } };
	struct prof_location l = { .address = f->address, .lines = lines };
	struct prof_profile *p = NULL;
	const int64_t value = 7;
	uint32_t id;

	prof_add_sample_type(b, &(struct prof_value_type){ str("samples"),
	                                                   str("count") });
	if (f->file)
		l.mapping = prof_add_mapping(b, &(struct prof_mapping){
			.file = str(f->file) });
	for (; l.n_lines < 3 && f->names[l.n_lines]; l.n_lines++)
		lines[l.n_lines].function = prof_add_function(
			b, &(struct prof_function){
				.name = str(f->names[l.n_lines]) });
	id = prof_add_location(b, &l);
	prof_add_sample(b, prof_add_stack(b, &id, 1), 0, &value);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

static void assert_written(const struct prof_profile *p, const char *stack,
                           bool annotate)
{
	struct bytes out = write_profile(
		p, "collapsed", &PROF_OPTIONS(prof_write_options,
		                              .annotate = annotate));
	char expected[128];

	snprintf(expected, sizeof(expected), "%s 7\n", stack);
	ck_assert_uint_eq(out.size, strlen(expected));
	ck_assert_mem_eq(out.data, expected, out.size);
	free(out.data);
}

START_TEST(frames)
{
	const struct frame_case *c = &frame_cases[_i];
	struct prof_profile *p = profile_of_frame(&c->frame);

	assert_written(p, c->plain, false);
	assert_written(p, c->annotated, true);
	prof_profile_free(p);
}
END_TEST

/* A heap profile with all that collapsed stacks have no place for. */
static struct prof_profile *rich_profile(void)
{
	struct prof_builder *b = prof_builder_new(NULL);
	const struct prof_label labels[2] = {
		{ .key = str("thread"), .str = str("a") },
		{ .key = str("thread"), .str = str("b") },
	};
	const int64_t values[3][2] = { { 1, 10 }, { 2, 20 }, { 4, 40 } };
	struct prof_line line = { .line = 3 };
	struct prof_location l = { .n_lines = 1, .lines = &line };
	struct prof_profile *p = NULL;
	uint32_t stacks[3];

	prof_add_sample_type(b, &(struct prof_value_type){ str("objects"),
	                                                   str("count") });
	prof_add_sample_type(b, &(struct prof_value_type){ str("space"),
	                                                   str("bytes") });
	prof_set_header(b, &(struct prof_header){
		.period_type = { str("space"), str("bytes") }, .period = 512,
		.time_ns = 1, .default_sample_type = str("objects") });
	prof_add_comment(b, str("by hand"));
	l.mapping = prof_add_mapping(b, &(struct prof_mapping){
		.file = str("/bin/x") });
	line.function = prof_add_function(b, &(struct prof_function){
		.name = str("f()"), .system_name = str("_Z1fv"),
		.filename = str("f.c") });
	/* Two addresses of one function: one line of text. */
	for (size_t i = 0; i < 2; i++) {
		uint32_t id;

		l.address = 0x1000 + i;
		id = prof_add_location(b, &l);
		stacks[i] = prof_add_stack(b, &id, 1);
	}
	prof_add_sample(b, stacks[0], prof_add_label_set(b, &labels[0], 1),
	                values[0]);
	prof_add_sample(b, stacks[0], prof_add_label_set(b, &labels[1], 1),
	                values[1]);
	prof_add_sample(b, stacks[1], 0, values[2]);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

static const struct rich_case {
	const char *sample_type, *out;
} rich_cases[] = {
	{ NULL, "f() 7\n" }, /* the default sample type */
	{ "", "f() 7\n" },
	{ "space", "f() 70\n" },
	{ "1", "f() 70\n" },
};

START_TEST(samples_of_one_text_are_summed)
{
	const struct rich_case *c = &rich_cases[_i];
	struct prof_profile *p = rich_profile();
	struct bytes out = write_profile(
		p, "collapsed", &PROF_OPTIONS(prof_write_options,
		                              .sample_type = c->sample_type));

	ck_assert_uint_eq(out.size, strlen(c->out));
	ck_assert_mem_eq(out.data, c->out, out.size);
	free(out.data);
	prof_profile_free(p);
}
END_TEST

START_TEST(losses_are_counted)
{
	struct prof_profile *p = rich_profile();
	struct test_notes notes = { .n = 0 };
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_write_options options = PROF_OPTIONS(prof_write_options,
		.notes = test_notes(&notes));
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_write(p, "collapsed", prof_sink_buffer(&out),
	                            &options, &err), PROF_OK);
	ck_assert_str_eq(notes.text, "collapsed stacks cannot hold: "
	                 "1 other sample type, 2 samples' labels, "
	                 "2 addresses, 2 locations' mappings, "
	                 "2 line numbers, 1 function's file, 1 system name, "
	                 "the sample type's name (objects/count), "
	                 "time and duration, the period, 1 comment, "
	                 "other fields of the header\n");
	prof_buffer_release(&out);
	options.strict = true;
	ck_assert_int_eq(prof_write(p, "collapsed", prof_sink_buffer(&out),
	                            &options, &err), PROF_UNSUPPORTED);
	ck_assert_uint_eq(out.size, 0);
	options.sample_type = "nothing";
	ck_assert_int_eq(prof_write(p, "collapsed", prof_sink_buffer(&out),
	                            &options, &err), PROF_INVALID);
	prof_buffer_release(&out);
	prof_profile_free(p);
}
END_TEST

START_TEST(sums_do_not_wrap)
{
	struct prof_builder *b = prof_builder_new(NULL);
	const struct prof_label label = { .key = str("k"), .num = 1 };
	const int64_t big = INT64_MAX, one = 1;
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_error err = { 0 };
	struct prof_profile *p = NULL;

	prof_add_sample_type(b, &(struct prof_value_type){ str("samples"),
	                                                   str("count") });
	prof_add_sample(b, 0, 0, &big);
	prof_add_sample(b, 0, prof_add_label_set(b, &label, 1), &one);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	ck_assert_int_eq(prof_write(p, "collapsed", prof_sink_buffer(&out),
	                            NULL, &err), PROF_OVERFLOW);
	prof_buffer_release(&out);
	prof_profile_free(p);
}
END_TEST

/* ---- Reading makes as little as can be ---- */

START_TEST(tables_hold_what_is_distinct)
{
	const char text[] = "a;b;a;c 1\na;b 1\nb;b;b 1\na;b 2\n 1\n";
	struct prof_profile *p = read_profile(
		bytes_of((struct prof_str){ text, strlen(text) }),
		&PROF_OPTIONS(prof_read_options, .format = "collapsed"));
	struct prof_function f;
	struct prof_sample s;
	uint32_t stack[8];

	ck_assert_uint_eq(prof_n_functions(p), 3);
	ck_assert_uint_eq(prof_n_locations(p), 3);
	ck_assert_uint_eq(prof_n_stacks(p), 3);
	ck_assert_uint_eq(prof_n_samples(p), 4);
	ck_assert_uint_eq(prof_n_mappings(p), 0);
	ck_assert(prof_get_function(p, 3, &f));
	ck_assert_str_eq(f.name.ptr, "c");
	ck_assert_str_eq(f.system_name.ptr, "c");
	ck_assert(prof_get_sample(p, 0, &s));
	ck_assert_uint_eq(prof_get_stack(p, s.stack, stack, 8), 4);
	/* The leaf comes first. */
	ck_assert(stack[0] == 3 && stack[1] == 1 && stack[2] == 2 &&
	          stack[3] == 1);
	prof_profile_free(p);
}
END_TEST

START_TEST(annotations_become_structure)
{
	const char text[] = "a;b_[i];c_[k] 1\n";
	struct prof_profile *p = read_profile(
		bytes_of((struct prof_str){ text, strlen(text) }),
		&PROF_OPTIONS(prof_read_options, .format = "collapsed",
		              .annotations = true));
	struct prof_location l;
	struct prof_mapping m;
	struct prof_function f;

	ck_assert_uint_eq(prof_n_locations(p), 2);
	ck_assert(prof_get_location(p, 1, &l));
	ck_assert_uint_eq(l.n_lines, 2);
	ck_assert(prof_get_function(p, l.lines[0].function, &f));
	ck_assert_str_eq(f.name.ptr, "b");
	ck_assert(prof_get_function(p, l.lines[1].function, &f));
	ck_assert_str_eq(f.name.ptr, "a");
	ck_assert(prof_get_location(p, 2, &l));
	ck_assert(prof_get_mapping(p, l.mapping, &m));
	ck_assert_str_eq(m.file.ptr, "[kernel]");
	prof_profile_free(p);
}
END_TEST

/* ---- Random profiles ---- */

struct random {
	uint64_t state;
};

static uint32_t random_below(struct random *r, uint32_t n)
{
	r->state = r->state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(r->state >> 33) % n;
}

/* Text with a length, growing. */
struct text {
	char *data;
	size_t n, capacity;
};

static void text_put(struct text *t, const char *bytes, size_t n)
{
	while (t->capacity - t->n < n) {
		t->capacity = t->capacity ? t->capacity * 2 : 256;
		t->data = realloc(t->data, t->capacity);
		ck_assert_ptr_nonnull(t->data);
	}
	if (n)
		memcpy(t->data + t->n, bytes, n);
	t->n += n;
}

/* The pieces that names are made of: all that a reader might stumble on. */
static const struct prof_str hostile_pieces[] = {
	TEXT("a"), TEXT("b"), TEXT("ab"), TEXT(" "), TEXT("\t"), TEXT(";"),
	TEXT("\\"), TEXT("\n"), TEXT("\r"), TEXT("#"), TEXT("\0"),
	TEXT("\xef\xbb\xbf"), TEXT("\xff\xfe"), TEXT("\xfe\xff"), TEXT("5"),
	TEXT("-5"), TEXT("n"), TEXT("x41"), TEXT("_[k]"), TEXT("_[i]"),
	TEXT("/"), TEXT("\x7f"), TEXT("abcdefghijklmnopqrstuvwxyz012345"),
};

static const struct prof_str clean_pieces[] = {
	TEXT("a"), TEXT("b"), TEXT("ab"), TEXT("\\"), TEXT("5"), TEXT("-5"),
	TEXT("n"), TEXT("x41"), TEXT("_[k]"), TEXT("_[i]"), TEXT("/"),
	TEXT("(x y)"), TEXT("\xc3\xb6"), TEXT("operator() const"),
	TEXT("abcdefghijklmnopqrstuvwxyz012345"),
};

static void random_name(struct random *r, struct text *t,
                        const struct prof_str *pieces, size_t n_pieces)
{
	for (uint32_t n = random_below(r, 4); n > 0; n--) {
		const struct prof_str s =
			pieces[random_below(r, (uint32_t)n_pieces)];

		text_put(t, s.ptr, s.len);
	}
}

/* Samples of random stacks of functions with random names. */
static struct prof_profile *random_profile(struct random *r,
                                           const struct prof_str *pieces,
                                           size_t n_pieces)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_profile *p = NULL;
	uint32_t stack[6], locations[20];
	struct text name = { NULL, 0, 0 };

	prof_add_sample_type(b, &(struct prof_value_type){ str("samples"),
	                                                   str("count") });
	for (size_t i = 0; i < N_ELEMENTS(locations); i++) {
		struct prof_line line = { 0 };

		name.n = 0;
		random_name(r, &name, pieces, n_pieces);
		line.function = prof_add_function(b, &(struct prof_function){
			.name = { name.data, name.n },
			.system_name = { name.data, name.n } });
		locations[i] = prof_add_location(b, &(struct prof_location){
			.n_lines = 1, .lines = &line });
	}
	for (size_t i = 0; i < 60; i++) {
		const uint32_t n = random_below(r, N_ELEMENTS(stack));
		const int64_t value = (int64_t)random_below(r, 100) - 50;

		for (uint32_t k = 0; k < n; k++)
			stack[k] = locations[random_below(
				r, N_ELEMENTS(locations))];
		prof_count_sample(b, prof_add_stack(b, stack, n), 0, &value);
	}
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	free(name.data);
	return p;
}

static struct bytes write_collapsed(const struct prof_profile *p, bool escape)
{
	return write_profile(p, "collapsed",
	                     &PROF_OPTIONS(prof_write_options,
	                                   .escape = escape));
}

static struct prof_profile *read_collapsed(struct bytes text, bool escape)
{
	return read_profile(text, &PROF_OPTIONS(prof_read_options,
	                                        .format = "collapsed",
	                                        .strict = true,
	                                        .escape = escape));
}

/*
 * Names with their lengths, a way to say a stack that needs no escape; a
 * stack of one empty name is the same as an empty one.
 */
static void put_stack_key(struct text *t, const struct prof_profile *p,
                          uint32_t stack)
{
	uint32_t ids[16];
	const size_t n = prof_get_stack(p, stack, ids, N_ELEMENTS(ids));

	for (size_t i = n; i > 0; i--) {
		struct prof_location l;
		struct prof_function f = { .name = { "lost", 4 } };
		char size[24];

		/* Asserting here, each a write to a file, takes long. */
		if (prof_get_location(p, ids[i - 1], &l))
			prof_get_function(p, l.lines->function, &f);
		if (n == 1 && f.name.len == 0)
			return;
		snprintf(size, sizeof(size), "%zu:", f.name.len);
		text_put(t, size, strlen(size));
		text_put(t, f.name.ptr, f.name.len);
	}
}

/* The value of a stack, however many samples have it. */
static int64_t value_of(const struct prof_profile *p, const struct text *key,
                        bool *is_known)
{
	struct text other = { NULL, 0, 0 };
	struct prof_sample s;
	int64_t sum = 0;

	*is_known = false;
	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++) {
		other.n = 0;
		put_stack_key(&other, p, s.stack);
		if (other.n != key->n ||
		    (key->n && memcmp(other.data, key->data, key->n) != 0))
			continue;
		*is_known = true;
		sum += s.values[0];
	}
	free(other.data);
	return sum;
}

/* All stacks of p are in q, with the same values. */
static void assert_stacks_in(const struct prof_profile *p,
                             const struct prof_profile *q)
{
	struct text key = { NULL, 0, 0 };
	struct prof_sample s;
	bool is_known;

	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++) {
		int64_t value;

		key.n = 0;
		put_stack_key(&key, p, s.stack);
		value = value_of(q, &key, &is_known);
		ck_assert_msg(is_known, "\"%.*s\" is lost", (int)key.n,
		              key.data);
		ck_assert_int_eq(value, value_of(p, &key, &is_known));
	}
	free(key.data);
}

/* R9: a profile is the same after a way through collapsed stacks. */
static void assert_kept(const struct prof_profile *p, bool escape)
{
	struct bytes text = write_collapsed(p, escape), again;
	struct prof_profile *q = read_collapsed(text, escape);

	assert_stacks_in(p, q);
	assert_stacks_in(q, p);
	again = write_collapsed(q, escape);
	ck_assert_uint_eq(text.size, again.size);
	ck_assert_mem_eq(text.data, again.data, text.size);
	free(again.data);
	free(text.data);
	prof_profile_free(q);
}

#define N_RANDOM 100

START_TEST(escaped_names_are_kept)
{
	struct random r = { (uint64_t)_i };
	struct prof_profile *p = random_profile(
		&r, hostile_pieces, N_ELEMENTS(hostile_pieces));

	assert_kept(p, true);
	prof_profile_free(p);
}
END_TEST

START_TEST(clean_names_are_kept)
{
	struct random r = { (uint64_t)_i };
	struct prof_profile *p = random_profile(
		&r, clean_pieces, N_ELEMENTS(clean_pieces));

	assert_kept(p, false);
	prof_profile_free(p);
}
END_TEST

/* Whatever the names, what is written is read, and is written again alike. */
START_TEST(changed_names_are_stable)
{
	struct random r = { (uint64_t)_i };
	struct prof_profile *p = random_profile(
		&r, hostile_pieces, N_ELEMENTS(hostile_pieces));
	struct bytes text = write_collapsed(p, false), again;
	struct prof_profile *q = read_collapsed(text, false);

	again = write_collapsed(q, false);
	ck_assert_uint_eq(text.size, again.size);
	ck_assert_mem_eq(text.data, again.data, text.size);
	free(again.data);
	free(text.data);
	prof_profile_free(q);
	prof_profile_free(p);
}
END_TEST

static int compare_lines(const void *a, const void *b)
{
	const struct text *const x = a, *const y = b;
	const size_t shorter = x->n < y->n ? x->n : y->n;
	const int order = shorter ? memcmp(x->data, y->data, shorter) : 0;

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Sorted, distinct stacks of clean names, each with a count. */
static struct text random_text(struct random *r)
{
	struct text stacks[40] = { { NULL, 0, 0 } }, all = { NULL, 0, 0 };
	char count[24];

	for (size_t i = 0; i < N_ELEMENTS(stacks); i++) {
		for (uint32_t n = random_below(r, 6); n > 0; n--) {
			random_name(r, &stacks[i], clean_pieces,
			            N_ELEMENTS(clean_pieces));
			text_put(&stacks[i], ";", n > 1);
		}
	}
	qsort(stacks, N_ELEMENTS(stacks), sizeof(stacks[0]), compare_lines);
	for (size_t i = 0; i < N_ELEMENTS(stacks); i++) {
		if (i && compare_lines(&stacks[i], &stacks[i - 1]) == 0)
			continue;
		text_put(&all, stacks[i].data, stacks[i].n);
		snprintf(count, sizeof(count), " %u\n", random_below(r, 999));
		text_put(&all, count, strlen(count));
	}
	for (size_t i = 0; i < N_ELEMENTS(stacks); i++)
		free(stacks[i].data);
	return all;
}

/* R9: collapsed -> pprof -> collapsed gives back the same bytes. */
static void assert_text_is_kept(struct text t,
                                const struct prof_read_options *read,
                                const struct prof_write_options *write)
{
	struct prof_profile *p = read_profile(
		(struct bytes){ (unsigned char *)t.data, t.n }, read);
	struct bytes pprof = write_profile(p, "pprof", NULL), out;
	struct prof_profile *q = read_profile(pprof, NULL);

	out = write_profile(q, "collapsed", write);
	ck_assert_msg(out.size == t.n &&
	              memcmp(out.data, t.data, out.size) == 0,
	              "got:\n%.*snot:\n%.*s", (int)out.size,
	              (char *)out.data, (int)t.n, t.data);
	free(out.data);
	free(pprof.data);
	prof_profile_free(q);
	prof_profile_free(p);
}

START_TEST(sorted_text_is_kept)
{
	struct random r = { (uint64_t)_i };
	struct text t = random_text(&r);

	assert_text_is_kept(t, &PROF_OPTIONS(prof_read_options,
	                                     .format = "collapsed"),
	                    &PROF_OPTIONS(prof_write_options, .level = 1));
	/* With marks read and written, too. */
	assert_text_is_kept(t, &PROF_OPTIONS(prof_read_options,
	                                     .format = "collapsed",
	                                     .annotations = true),
	                    &PROF_OPTIONS(prof_write_options,
	                                  .annotate = true));
	free(t.data);
}
END_TEST

/* ---- Hostile input ---- */

static const char *const hostile_texts[] = {
	"a/b c/d\n# c\na;b\\;c_[k];d_[i] 1 2\n\xffx;y_[j] 3.5 4\nbad\n",
	"\xff\xfe" "a\0;\0b\0 \0" "1\0\n\0",
};

static const struct prof_read_options all_options = {
	.size = sizeof(struct prof_read_options), .format = "collapsed",
	.scale = 10, .escape = true, .annotations = true,
};

START_TEST(pieces_of_any_size)
{
	const char *const text = hostile_texts[0];
	struct bytes expected = { NULL, 0 };

	for (size_t step = 0; step < 9; step++) {
		struct test_source source = {
			.data = (const unsigned char *)text,
			.size = strlen(text), .step = step,
		};
		struct prof_profile *p = NULL;
		struct bytes out;

		ck_assert_int_eq(prof_read(&p, test_source(&source),
		                           &all_options, NULL), PROF_OK);
		out = write_collapsed(p, true);
		if (step == 0)
			expected = out;
		ck_assert_uint_eq(out.size, expected.size);
		ck_assert_mem_eq(out.data, expected.data, out.size);
		if (step)
			free(out.data);
		prof_profile_free(p);
	}
	free(expected.data);
}
END_TEST

START_TEST(failures_to_read_are_told)
{
	const char *const text = hostile_texts[_i];
	const size_t size = _i ? 14 : strlen(text);
	struct test_source source = {
		.data = (const unsigned char *)text, .size = size,
		.fail_errno = 5,
	};
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_read(&p, test_source(&source), &all_options,
	                           &err), PROF_SYSTEM);
	ck_assert_int_eq(err.sys_errno, 5);
	ck_assert_ptr_null(p);
}
END_TEST

/* Reads and writes with the n-th request for memory failing, for every n. */
START_TEST(memory_runs_out)
{
	const char *const text = hostile_texts[_i];
	const size_t size = _i ? 14 : strlen(text);
	enum prof_status status = PROF_NOMEM;

	for (size_t n = 1; status != PROF_OK; n++) {
		struct failing_allocator f;
		struct prof_read_options read = all_options;
		struct prof_write_options write = PROF_OPTIONS(
			prof_write_options, .annotate = true);
		struct prof_buffer out = { NULL, 0, 0, NULL };
		struct prof_profile *p = NULL;

		ck_assert_uint_lt(n, 10000);
		failing_allocator_init(&f);
		f.fail_at = n;
		read.allocator = write.allocator = &f.allocator;
		status = prof_read_mem(&p, text, size, &read, NULL);
		if (status == PROF_OK)
			status = prof_write(p, "collapsed",
			                    prof_sink_buffer(&out), &write,
			                    NULL);
		ck_assert(status == PROF_OK || status == PROF_NOMEM);
		prof_profile_free(p);
		prof_buffer_release(&out);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
}
END_TEST

/* 64 Ki frames in a line, and two lines that have all but the last alike. */
START_TEST(deep_stacks)
{
	struct text t = { NULL, 0, 0 };

	for (size_t line = 0; line < 2; line++) {
		for (size_t i = 0; i < 65535; i++)
			text_put(&t, "f;", 2);
		text_put(&t, line ? "y 2\n" : "x 1\n", 4);
	}
	assert_text_is_kept(t, &PROF_OPTIONS(prof_read_options,
	                                     .format = "collapsed"),
	                    &PROF_OPTIONS(prof_write_options, .level = 1));
	free(t.data);
}
END_TEST

/* ---- Finding the format ---- */

static const struct probe_case {
	struct prof_str text;
	bool is_found;
} probe_cases[] = {
	{ TEXT("main;foo 5\n"), true },
	{ TEXT("main 5"), true },
	{ TEXT("# note\nmain;foo 5\n"), true },
	{ TEXT("samples/count\nmain;foo 5\n"), true },
	{ TEXT("\xff\xfem\0 \0" "5\0"), true },
	{ TEXT("\xef\xbb\xbfmain;foo 5\n"), true },
	{ TEXT("a;b 1\nno stack\n"), true },
	{ TEXT("a;b 1\na;\0c 2\na;d 3\n"), true },
	{ TEXT("\n\na;b 1\n"), true },
	{ TEXT("\n;2;b 1\n"), true },
	{ TEXT("2;Hb 1\n"), true },
	{ TEXT("a;\1 1\n\0\3;b 2\na;\2 1\na;b 3\n"), false },
	{ TEXT("hello\n"), false },
	{ TEXT("int main(void)\n{\n"), false },
	{ TEXT("a;b\0 5\n"), false },
	{ TEXT("a;b\x01 5\n"), false },
};

START_TEST(found_by_content)
{
	const struct probe_case *c = &probe_cases[_i];
	struct prof_profile *p = NULL;
	const enum prof_status status = prof_read_mem(&p, c->text.ptr,
	                                              c->text.len, NULL, NULL);

	ck_assert_int_eq(status == PROF_OK, c->is_found);
	prof_profile_free(p);
}
END_TEST

START_TEST(long_first_line_is_found)
{
	struct text t = { NULL, 0, 0 };
	struct prof_profile *p = NULL;

	for (size_t i = 0; i < 300; i++)
		text_put(&t, "frame;", 6);
	text_put(&t, "leaf 5\n", 7);
	ck_assert_int_eq(prof_read_mem(&p, t.data, t.n, NULL, NULL), PROF_OK);
	prof_profile_free(p);
	free(t.data);
}
END_TEST

/* ---- Files ---- */

/* testdata/collapsed/NAME.txt becomes NAME.out. */
static const char *const golden_names[] = { "java", "kernel", "bom" };

START_TEST(golden_files)
{
	char path[512];
	struct bytes in, expected, out;
	struct prof_profile *p;

	snprintf(path, sizeof(path), TESTDATA "/collapsed/%s.txt",
	         golden_names[_i]);
	in = bytes_of_file(path);
	snprintf(path, sizeof(path), TESTDATA "/collapsed/%s.out",
	         golden_names[_i]);
	expected = bytes_of_file(path);
	p = read_profile(in, NULL);
	out = write_collapsed(p, false);
	ck_assert_uint_eq(out.size, expected.size);
	ck_assert_mem_eq(out.data, expected.data, out.size);
	prof_profile_free(p);
	free(out.data);
	free(expected.data);
	free(in.data);
}
END_TEST

/* What others wrote is the same after it was read and written twice. */
static void check_corpus_file(const char *path, void *ctx)
{
	struct prof_read_options options =
		PROF_OPTIONS(prof_read_options, .format = "collapsed");
	struct bytes in, once, twice;
	struct prof_profile *p, *q;

	/* Fractions and numbers beyond 64 bits; values in brackets. */
	if (strstr(path, "edge-lines") || strstr(path, "bracket"))
		return;
	++*(unsigned *)ctx;
	in = bytes_of_file(path);
	p = read_profile(in, &options);
	ck_assert_uint_gt(prof_n_samples(p), 0);
	once = write_collapsed(p, false);
	q = read_profile(once, &options);
	twice = write_collapsed(q, false);
	ck_assert_uint_eq(once.size, twice.size);
	ck_assert_mem_eq(once.data, twice.data, once.size);
	prof_profile_free(p);
	prof_profile_free(q);
	free(in.data);
	free(once.data);
	free(twice.data);
}

START_TEST(corpus)
{
	const char *const folder = corpus_folder();
	char path[512];
	unsigned n = 0;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/visible/collapsed", folder);
	ck_assert(for_each_file(path, check_corpus_file, &n));
	ck_assert_uint_gt(n, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("collapsed");
	TCase *lines_case = tcase_create("lines");
	TCase *writing = tcase_create("writing");
	TCase *trips = tcase_create("round trips");
	TCase *hostile = tcase_create("hostile");

	tcase_add_loop_test(lines_case, meaning_of_lines, 0, N_ELEMENTS(line_cases));
	tcase_add_loop_test(lines_case, meaning_of_options, 0, N_ELEMENTS(option_cases));
	tcase_add_test(lines_case, tables_hold_what_is_distinct);
	tcase_add_test(lines_case, annotations_become_structure);
	tcase_add_loop_test(lines_case, found_by_content, 0,
	                    N_ELEMENTS(probe_cases));
	tcase_add_test(lines_case, long_first_line_is_found);
	suite_add_tcase(suite, lines_case);
	tcase_add_loop_test(writing, frames, 0, N_ELEMENTS(frame_cases));
	tcase_add_loop_test(writing, samples_of_one_text_are_summed, 0,
	                    N_ELEMENTS(rich_cases));
	tcase_add_test(writing, losses_are_counted);
	tcase_add_test(writing, sums_do_not_wrap);
	suite_add_tcase(suite, writing);
	tcase_set_timeout(trips, 60);
	tcase_add_loop_test(trips, escaped_names_are_kept, 0, N_RANDOM);
	tcase_add_loop_test(trips, clean_names_are_kept, 0, N_RANDOM);
	tcase_add_loop_test(trips, changed_names_are_stable, 0, N_RANDOM);
	tcase_add_loop_test(trips, sorted_text_is_kept, 0, N_RANDOM);
	tcase_add_test(trips, deep_stacks);
	tcase_add_loop_test(trips, golden_files, 0, N_ELEMENTS(golden_names));
	tcase_add_test(trips, corpus);
	suite_add_tcase(suite, trips);
	tcase_add_test(hostile, pieces_of_any_size);
	tcase_add_loop_test(hostile, failures_to_read_are_told, 0,
	                    N_ELEMENTS(hostile_texts));
	tcase_add_loop_test(hostile, memory_runs_out, 0,
	                    N_ELEMENTS(hostile_texts));
	suite_add_tcase(suite, hostile);
	return run_suite(suite);
}
