/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.proto as others may write it: any order, any coding, damaged in
 * any way. The notation is that of wire_text.h.
 */
#include "wire_text.h"

#include "format/pprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One type, "cpu" of "ns"; strings 3 and on are the case's own. */
#define TYPE "1{1:1 2:2} "
#define STRINGS " 6'' 6'cpu' 6'ns' "

static const char *samples_in(const char *text)
{
	const char *samples = strstr(text, "\nsample ");

	while (samples && strncmp(samples, "\nsample type", 12) == 0)
		samples = strstr(samples + 1, "\nsample ");
	return samples ? samples + 1 : "";
}

/* ---- What is read ---- */

static const struct accept_case {
	const char *name, *wire, *samples;
} accept_cases[] = {
	{ "plain", TYPE "2{1[1 2] 2[7]} 4{1:1 3:256} 4{1:2 3:512}" STRINGS,
	  "sample 7: 0x100 0x200\n" },
	{ "strings first, samples last",
	  STRINGS TYPE "4{1:2 3:512} 4{1:1 3:256} 2{1[1 2] 2[7]}",
	  "sample 7: 0x100 0x200\n" },
	{ "types last", "2{1:1 2:7} 4{1:1 3:256}" STRINGS TYPE,
	  "sample 7: 0x100\n" },
	{ "fields of a sample in any order",
	  TYPE "2{3{4:2 3:9 1:1} 2[7] 1[1]} 4{3:256 1:1}" STRINGS,
	  "sample 7 {\"cpu\"=9\"ns\"}: 0x100\n" },
	{ "unpacked", TYPE "2{1:1 1:2 2:7} 4{1:1 3:256} 4{1:2 3:512}" STRINGS,
	  "sample 7: 0x100 0x200\n" },
	{ "mixed packed and not",
	  TYPE "2{1:1 1[2 1] 1:2 2:7} 4{1:1 3:256} 4{1:2 3:512}" STRINGS,
	  "sample 7: 0x100 0x200 0x100 0x200\n" },
	{ "packed in two pieces",
	  "1{1:1 2:2} 1{1:2 2:1} 2{2[7] 1[1] 2[8] 1[1]} 4{1:1 3:256}" STRINGS,
	  "sample 7 8: 0x100 0x100\n" },
	{ "an empty piece", TYPE "2{1[] 1[1] 1[] 2[] 2[7]} 4{1:1 3:256}"
	  STRINGS, "sample 7: 0x100\n" },
	{ "no stack", TYPE "2{2:7} 2{1[] 2:8}" STRINGS,
	  "sample 7:\nsample 8:\n" },
	{ "unknown fields", TYPE "99:1 98'abc' 97# 96% 2{9:1 8'x' 7# 6% 1:1 "
	  "2:7} 4{1:1 3:256 11'deep'} 536870911:3" STRINGS,
	  "sample 7: 0x100\n" },
	{ "overlong varints", TYPE "2{1[~1 ~2] 2[~7]} 4{1~1 3~256} 4{1~2 3~512}"
	  STRINGS, "sample 7: 0x100 0x200\n" },
	{ "overlong varints unpacked", TYPE "2{1~1 2~7} 4{1~1 3~256}" STRINGS,
	  "sample 7: 0x100\n" },
	{ "negative and extreme values",
	  TYPE "2{1:1 2:-1} 2{1:1 2:0x7fffffffffffffff} "
	  "2{1:1 2:-0x8000000000000000} 4{1:1 3:0xffffffffffffffff}" STRINGS,
	  "sample -1: 0xffffffffffffffff\n"
	  "sample 9223372036854775807: 0xffffffffffffffff\n"
	  "sample -9223372036854775808: 0xffffffffffffffff\n" },
	{ "sparse ids", TYPE "2{1[30 10] 2:7} 4{1:10 3:256} 4{1:30 3:512}"
	  STRINGS, "sample 7: 0x200 0x100\n" },
	{ "ids in another order", TYPE "2{1[2 1] 2:7} 4{1:2 3:512} 4{1:1 3:256}"
	  STRINGS, "sample 7: 0x200 0x100\n" },
	{ "in order, and then not",
	  TYPE "2{1[1 2 9] 2:7} 4{1:1 3:1} 4{1:2 3:2} 4{1:9 3:9}" STRINGS,
	  "sample 7: 0x1 0x2 0x9\n" },
	{ "ids of 64 bits",
	  TYPE "2{1[0xffffffffffffffff 0x80000000] 2:7} 2{1:0x100000001 2:8} "
	  "2{1:0x7fffffff 2:9} 4{1:0xffffffffffffffff 3:1} 4{1:0x80000000 3:2} "
	  "4{1:0x100000001 3:3} 4{1:0x7fffffff 3:4}" STRINGS,
	  "sample 7: 0x1 0x2\nsample 8: 0x3\nsample 9: 0x4\n" },
	{ "functions and mappings with large ids",
	  TYPE "2{1:1 2:7} 4{1:1 2:0xffffffffffffffff 3:256 "
	  "4{1:0xfffffffffffffffe 2:5 3:6}} "
	  "3{1:0xffffffffffffffff 2:16 3:4096 4:32 5:3 6:4 7:1 8:1 9:1 10:1} "
	  "5{1:0xfffffffffffffffe 2:3 3:4 4:5 5:9}"
	  STRINGS "6'a' 6'b' 6'c'",
	  "sample 7: 0x100@0x10-0x1000+0x20\"a\"\"b\"FNLI"
	  " in \"a\"\"b\"\"c\"9:5:6\n" },
	{ "a mapping that is not there is none",
	  TYPE "2{1:1 2:7} 4{1:1 2:5 3:256}" STRINGS, "sample 7: 0x100\n" },
	{ "the same with sparse mappings",
	  TYPE "2{1:1 2:7} 4{1:1 2:5 3:256} 3{1:9 2:0 3:4096}" STRINGS,
	  "sample 7: 0x100\n" },
	{ "the last of a field that is told twice",
	  TYPE "2{1:1 2:7} 4{1:1 3:1 3:256 5:1 5:0}" STRINGS,
	  "sample 7: 0x100\n" },
	{ "folded", TYPE "2{1:1 2:7} 4{1:1 3:256 5:1}" STRINGS,
	  "sample 7: 0x100*\n" },
	{ "labels",
	  TYPE "2{2:1 3{1:3 2:4}} 2{2:2 3{1:3 3:5}} 2{2:3 3{1:3 3:5 4:4}} "
	  "2{2:4 3{1:3 2:4 3:5 4:4}} 2{2:5 3{1:3 3:-5}} 2{2:6 3{1:3 4:4}}"
	  STRINGS "6'key' 6'str'",
	  "sample 1 {\"key\"=\"str\"}:\nsample 2 {\"key\"=5\"\"}:\n"
	  "sample 3 {\"key\"=5\"str\"}:\nsample 4 {\"key\"=\"str\"}:\n"
	  "sample 5 {\"key\"=-5\"\"}:\nsample 6 {\"key\"=0\"str\"}:\n" },
	{ "a key twice", TYPE "2{2:1 3{1:3 2:4} 3{1:3 2:3} 3{1:3 3:1}}" STRINGS
	  "6'key' 6'str'",
	  "sample 1 {\"key\"=\"str\", \"key\"=\"key\", \"key\"=1\"\"}:\n" },
	{ "bytes that are no UTF-8", TYPE "2{2:1 3{1:3 2:3}}" STRINGS
	  "|32 03 ff 00 c0|",
	  "sample 1 {\"\\xff\\x00\\xc0\"=\"\\xff\\x00\\xc0\"}:\n" },
	{ "equal strings in the table", TYPE "2{2:1 3{1:3 2:4}} 2{2:1 3{1:4 2:3}}"
	  STRINGS "6'a' 6'a' 6''",
	  "sample 1 {\"a\"=\"a\"}:\nsample 1 {\"a\"=\"a\"}:\n" },
	{ "comments packed and not", TYPE "13:3 13[3 4] 2{2:1}" STRINGS
	  "6'one' 6'two'", "sample 1:\n" },
	{ "nothing but strings", STRINGS, "" },
	{ "no samples", TYPE STRINGS, "" },
};

START_TEST(accepted)
{
	const struct accept_case *c = &accept_cases[_i];
	struct bytes wire = wire_from_text(c->wire);
	struct prof_profile *p = read_profile(wire, &PROF_OPTIONS(
		prof_read_options, .format = "pprof"));
	char *text = profile_text(p, 0);

	assert_same_text(samples_in(text), c->samples, c->name);
	free(text);
	prof_profile_free(p);
	free(wire.data);
}
END_TEST

/* Every field of the header. */
START_TEST(header_fields)
{
	struct bytes wire = wire_from_text(
		TYPE "7:3 8:4 9:1700000000000000000 10:-5 11{1:1 2:2} 12:-7 "
		"13[3 0] 14:1 15:5 2{2:1}" STRINGS "6'drop' 6'keep' 6'url'");
	struct prof_profile *p = read_profile(wire, NULL);
	char *text = profile_text(p, 0);

	assert_same_text(text,
	                 "period type \"cpu\"\"ns\"\nperiod -7\n"
	                 "time 1700000000000000000 duration -5\n"
	                 "default sample type \"cpu\"\ndrop frames \"drop\"\n"
	                 "keep frames \"keep\"\ndoc url \"url\"\n"
	                 "sample type \"cpu\"\"ns\"\ncomment \"drop\"\n"
	                 "comment \"\"\nsample 1:\n", "header");
	free(text);
	prof_profile_free(p);
	free(wire.data);
}
END_TEST

/* ---- What is refused ---- */

static const struct refuse_case {
	const char *name, *wire;
	enum prof_status status;
	const char *message;
} refuse_cases[] = {
	{ "location twice", TYPE "2{1:1 2:7} 4{1:1} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location with the id of another" },
	{ "sparse location twice", TYPE "4{1:5} 4{1:5}" STRINGS, PROF_CORRUPT,
	  "location with the id of another" },
	{ "large location twice",
	  TYPE "4{1:0x8000000000000000} 4{1:0x8000000000000000}" STRINGS,
	  PROF_CORRUPT, "location with the id of another" },
	{ "function twice", "5{1:1} 5{1:1}" STRINGS, PROF_CORRUPT,
	  "function with the id of another" },
	{ "mapping twice", "3{1:7} 3{1:7}" STRINGS, PROF_CORRUPT,
	  "mapping with the id of another" },
	{ "location 0", TYPE "4{1:0}" STRINGS, PROF_CORRUPT,
	  "location without an id" },
	{ "function 0", "5{2:1}" STRINGS, PROF_CORRUPT,
	  "function without an id" },
	{ "mapping 0", "3{2:1}" STRINGS, PROF_CORRUPT,
	  "mapping without an id" },
	{ "a location that is not there", TYPE "2{1:2 2:7} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location 2" },
	{ "of 64 bits", TYPE "2{1:0xffffffffffffffff 2:7} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location 18446744073709551615" },
	{ "of three bytes", TYPE "2{1:16385 2:7} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location 16385" },
	{ "no locations at all", TYPE "2{1:1 2:7}" STRINGS, PROF_CORRUPT,
	  "location 1" },
	{ "a sample of location 0", TYPE "2{1[1 0] 2:7} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location 0" },
	{ "sparse and not there", TYPE "2{1:6 2:7} 4{1:5}" STRINGS,
	  PROF_CORRUPT, "location 6" },
	{ "line without function", TYPE "2{1:1 2:7} 4{1:1 4{2:5}}" STRINGS,
	  PROF_CORRUPT, "function 0" },
	{ "line of no function", TYPE "4{1:1 4{1:2}} 5{1:1}" STRINGS,
	  PROF_CORRUPT, "function 2" },
	{ "line of no function, sparse", TYPE "4{1:1 4{1:2}} 5{1:9}" STRINGS,
	  PROF_CORRUPT, "function 2" },
	{ "string beyond the table", TYPE "5{1:1 2:3}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "negative string", TYPE "5{1:1 2:-1}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of a mapping", TYPE "3{1:1 5:3}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of a build id", TYPE "3{1:1 6:3}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of a label", TYPE "2{2:1 3{1:3 2:1}}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of a unit", TYPE "2{2:1 3{1:1 3:1 4:3}}" STRINGS,
	  PROF_CORRUPT, "string" },
	{ "string of a type", "1{1:3 2:2}" STRINGS, PROF_CORRUPT, "string" },
	{ "string of a period type", TYPE "11{2:3}" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of a comment", TYPE "13[3]" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of drop_frames", TYPE "7:3" STRINGS, PROF_CORRUPT,
	  "string" },
	{ "string of doc_url", TYPE "15:3" STRINGS, PROF_CORRUPT, "string" },
	{ "no strings at all", TYPE "2{2:1}", PROF_CORRUPT, "string" },
	{ "first string not empty", TYPE "2{2:1} 6'a' 6'b' 6'c'",
	  PROF_CORRUPT, "first string is not empty" },
	{ "too few values", "1{1:1} 1{1:2} 2{2[1 2]} 2{2[3]}" STRINGS,
	  PROF_CORRUPT, "sample 1 has 1 values, not 2" },
	{ "too many values", TYPE "2{2[1 2]}" STRINGS, PROF_CORRUPT,
	  "2 values" },
	{ "no values", TYPE "2{1:1} 4{1:1}" STRINGS, PROF_CORRUPT,
	  "sample 0 has no values" },
	{ "no types", "2{2:1}" STRINGS, PROF_CORRUPT, "no sample types" },
	{ "two profiles", TYPE "9:5 2{2:1}" STRINGS TYPE "9:6 2{2:1}" STRINGS,
	  PROF_CORRUPT, "second profile" },
	{ "two profiles without times", TYPE "4{1:1} " STRINGS TYPE "4{1:1} "
	  STRINGS, PROF_CORRUPT, "two profiles in one" },
	{ "sample as a number", TYPE "2:1" STRINGS, PROF_CORRUPT,
	  "wrong type" },
	{ "string as a number", TYPE "6:1" STRINGS, PROF_CORRUPT,
	  "wrong type" },
	{ "period as bytes", TYPE "12'a'" STRINGS, PROF_CORRUPT,
	  "wrong type" },
	{ "time as fixed", TYPE "9#" STRINGS, PROF_CORRUPT, "wrong type" },
	{ "location ids as fixed", TYPE "2{1# 2:7}" STRINGS, PROF_CORRUPT,
	  "wrong type in a sample" },
	{ "values as fixed", TYPE "2{2%}" STRINGS, PROF_CORRUPT,
	  "wrong type in a sample" },
	{ "label as number", TYPE "2{2:1 3:1}" STRINGS, PROF_CORRUPT,
	  "wrong type in a sample" },
	{ "label key as bytes", TYPE "2{2:1 3{1'a'}}" STRINGS, PROF_CORRUPT,
	  "wrong type in a label" },
	{ "label number as bytes", TYPE "2{2:1 3{3'a'}}" STRINGS, PROF_CORRUPT,
	  "wrong type in a label" },
	{ "line as number", TYPE "4{1:1 4:1}" STRINGS, PROF_CORRUPT,
	  "wrong type in a location" },
	{ "line number as bytes", TYPE "4{1:1 4{1:1 2'a'}}" STRINGS,
	  PROF_CORRUPT, "wrong type in a line" },
	{ "address as bytes", TYPE "4{1:1 3'a'}" STRINGS, PROF_CORRUPT,
	  "wrong type in a location" },
	{ "function name as bytes", TYPE "5{1:1 2'a'}" STRINGS, PROF_CORRUPT,
	  "wrong type in a function" },
	{ "mapping start as bytes", TYPE "3{1:1 2'a'}" STRINGS, PROF_CORRUPT,
	  "wrong type in a mapping" },
	{ "flag as bytes", TYPE "3{1:1 7'a'}" STRINGS, PROF_CORRUPT,
	  "wrong type in a mapping" },
	{ "type as bytes", "1{1'a'}" STRINGS, PROF_CORRUPT,
	  "wrong type in a sample type" },
	{ "group of the profile", TYPE "|13 14|" STRINGS, PROF_CORRUPT,
	  "wire type" },
	{ "wire type 6", TYPE "|16 00|" STRINGS, PROF_CORRUPT, "wire type" },
	{ "wire type 7", TYPE "|17 00|" STRINGS, PROF_CORRUPT, "wire type" },
	{ "group in a sample", TYPE "2{|1b 1c| 2:1}" STRINGS, PROF_CORRUPT,
	  "malformed field in a sample" },
	{ "field 0", TYPE "|00 01|" STRINGS, PROF_CORRUPT, "no profile.proto" },
	{ "tag of 11 bytes", TYPE "|ff ff ff ff ff ff ff ff ff ff 01 00|" STRINGS,
	  PROF_CORRUPT, "" },
	{ "value of 11 bytes", TYPE "2{|10 ff ff ff ff ff ff ff ff ff ff 01|}"
	  STRINGS, PROF_CORRUPT, "malformed" },
	{ "10th byte above 1", TYPE "2{|10 ff ff ff ff ff ff ff ff ff 02|}"
	  STRINGS, PROF_CORRUPT, "malformed" },
	{ "packed values cut", TYPE "2{|12 02 01 81|}" STRINGS, PROF_CORRUPT,
	  "malformed value" },
	{ "packed location ids cut", TYPE "2{|0a 01 81| 2:1} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location id" },
	{ "packed location ids cut, two pieces",
	  TYPE "2{|0a 01 81 0a 01 01| 2:1} 4{1:1} 4{1:129}" STRINGS,
	  PROF_CORRUPT, "location id" },
	{ "packed location ids of 11 bytes",
	  TYPE "2{|0a 0b ff ff ff ff ff ff ff ff ff ff 01| 2:1} 4{1:1}" STRINGS,
	  PROF_CORRUPT, "location id" },
	{ "length beyond the message", TYPE "2{|1a 05 08|}" STRINGS,
	  PROF_CORRUPT, "malformed field in a sample" },
	{ "length beyond the file", TYPE STRINGS "|12 05 10 01|",
	  PROF_TRUNCATED, "cut off" },
	{ "length of 2^63", TYPE STRINGS "|12 80 80 80 80 80 80 80 80 80 01|",
	  PROF_LIMIT, "1 GiB" },
	{ "cut in a length", TYPE STRINGS "|12 80|", PROF_TRUNCATED,
	  "cut off" },
	{ "cut in a number", TYPE STRINGS "|48 80|", PROF_TRUNCATED,
	  "cut off" },
	{ "cut in a tag", TYPE STRINGS "|80|", PROF_TRUNCATED, "cut off" },
};

START_TEST(refused)
{
	const struct refuse_case *c = &refuse_cases[_i];
	struct bytes wire = wire_from_text(c->wire);
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };
	const enum prof_status status = prof_read_mem(
		&p, wire.data, wire.size, &PROF_OPTIONS(
			prof_read_options, .format = "pprof"), &err);

	ck_assert_msg(status == c->status, "%s: %s, \"%s\"", c->name,
	              prof_status_string(status), err.message);
	ck_assert_int_eq(err.status, c->status);
	ck_assert_msg(strstr(err.message, c->message) != NULL, "%s: \"%s\"",
	              c->name, err.message);
	ck_assert(err.offset <= wire.size || err.offset == UINT64_MAX);
	ck_assert_ptr_null(p);
	free(wire.data);
}
END_TEST

/* ---- Salvage ---- */

/* A profile of n samples, each of a stack of its own. */
static struct prof_profile *sample_profile(uint32_t n)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_profile *p = NULL;
	struct prof_value_type type = { { "cpu", 3 }, { "ns", 2 } };

	prof_add_sample_type(b, &type);
	for (uint32_t i = 0; i < n; i++) {
		char name[32];
		const int len = snprintf(name, sizeof(name), "function %u", i);
		const struct prof_line line = {
			.function = prof_add_function(b, &(struct prof_function){
				.name = { name, (size_t)len } }),
			.line = i,
		};
		const uint32_t location = prof_add_location(
			b, &(struct prof_location){ .address = 4096 + i,
			                            .n_lines = 1,
			                            .lines = &line });

		prof_add_sample(b, prof_add_stack(b, &location, 1), 0,
		                &(int64_t){ i });
	}
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

static const struct salvage_case {
	bool uncompressed;
	uint32_t n;
} salvage_cases[] = { { true, 20 }, { false, 20 }, { false, 3000 } };

/*
 * Cut anywhere, and with salvage, a file gives the samples that were whole:
 * the more of it, the more samples, and all of the values are right.
 */
START_TEST(salvage_of_a_cut)
{
	const struct salvage_case *c = &salvage_cases[_i];
	struct prof_profile *whole = sample_profile(c->n);
	struct bytes file = write_profile(whole, "pprof", &PROF_OPTIONS(
		prof_write_options, .uncompressed = c->uncompressed,
		.keep_order = true));
	const size_t step = file.size / 300 + 1;
	uint32_t last = 0;

	for (size_t size = 20; size < file.size; size += step) {
		struct test_notes notes;
		struct prof_read_options options = PROF_OPTIONS(
			prof_read_options, .format = "pprof", .salvage = true,
			.notes = test_notes(&notes));
		struct prof_profile *p =
			read_profile((struct bytes){ file.data, size },
			             &options);
		struct prof_sample s;

		for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
			ck_assert_int_eq(s.values[0], i);
		ck_assert_uint_ge(prof_n_samples(p), last);
		ck_assert_uint_ge(notes.n, prof_n_samples(p) < c->n);
		last = prof_n_samples(p);
		prof_profile_free(p);

		p = NULL;
		options.strict = true;
		if (notes.n)
			ck_assert_int_ne(prof_read_mem(&p, file.data, size,
			                               &options, NULL), PROF_OK);
		ck_assert(notes.n == 0 || p == NULL);
		prof_profile_free(p);
	}
	ck_assert_uint_gt(last, c->n / 2);
	prof_profile_free(whole);
	free(file.data);
}
END_TEST

/* ---- What is written ---- */

/* Equal content gives equal bytes, whatever the order it came in. */
START_TEST(canonical_order)
{
	static const char *const wires[] = {
		TYPE "2{1[1 2] 2:7} 2{1[2] 2:8 3{1:1 2:2}} 4{1:1 3:1} 4{1:2 3:2}"
		STRINGS,
		STRINGS "4{1:5 3:2} 4{1:4 3:1} 2{1[5] 2:8 3{1:1 2:2}} "
		"2{1[4 5] 2:7}" TYPE,
	};
	struct bytes files[2];

	for (int i = 0; i < 2; i++) {
		struct bytes wire = wire_from_text(wires[i]);
		struct prof_profile *p = read_profile(wire, NULL);

		files[i] = write_profile(p, "pprof", NULL);
		prof_profile_free(p);
		free(wire.data);
	}
	ck_assert_uint_eq(files[0].size, files[1].size);
	ck_assert_mem_eq(files[0].data, files[1].data, files[0].size);
	free(files[0].data);
	free(files[1].data);
}
END_TEST

/* With keep_order, every id and every row comes back as it was. */
START_TEST(kept_order)
{
	const struct accept_case *c = &accept_cases[_i];
	struct bytes wire = wire_from_text(c->wire);
	struct prof_profile *p = read_profile(wire, &PROF_OPTIONS(
		prof_read_options, .format = "pprof"));
	struct bytes file = write_profile(p, "pprof", &PROF_OPTIONS(
		prof_write_options, .keep_order = true, .uncompressed = true));
	struct prof_profile *back = read_profile(file, &PROF_OPTIONS(
		prof_read_options, .format = "pprof"));

	assert_same_profile(back, p, TEXT_TABLES, c->name);
	prof_profile_free(p);
	prof_profile_free(back);
	free(wire.data);
	free(file.data);
}
END_TEST

/* ---- Finding the format ---- */

/* Fields in the notation of wire_text.h, and how sure they make the probe. */
static const struct probe_case {
	const char *wire;
	int score;
} probe_cases[] = {
	{ "1{1:1 2:2} 1{1:3 2:4}", 3 },
	{ "1{1:1 2:2} 2{1[1 2] 2[1 2]}", 3 },
	{ "1{1:1} 99:1", 1 },
	{ "6'' 6'cpu'", 1 },
	{ "2{1:1 2:1 3{1:1 2:2}}", 1 },
	{ "3{1:1 2:4096 3:8192 5:1} 4{1:1 2:1 3:5000}", 1 },
	{ "4{1:1 4{1:1 2:7}} 5{1:1 2:3}", 1 },
	{ "9:1700000000000000000", 1 },
	{ "13[1 2 3] 9:1", 1 },
	{ "|22 80 20 08 01|", 1 }, /* a location that goes on */
	{ "", 0 },
	{ "16:1", 0 },
	{ "1:5", 0 },            /* a sample type is a message */
	{ "9'time'", 0 },
	{ "1{1'cpu' 2'ns'}", 0 },  /* of strings: another schema */
	{ "1{1{1{1:1}}}", 0 },
	{ "4{1:1 4:7}", 0 },
	{ "|0a 80 20 08 01|", 0 }, /* no sample type is 4 KiB */
	{ "1{1:1 2:2} |0a 02 10 ff|", 0 },
};

START_TEST(probed)
{
	const struct probe_case *c = &probe_cases[_i];
	const struct bytes head = wire_from_text(c->wire);
	unsigned char padded[512] = { 0 };

	memcpy(padded, head.data, head.size);
	ck_assert_msg(pprof_probe(padded, head.size) == c->score, "%s: %d",
	              c->wire, pprof_probe(padded, head.size));
	free(head.data);
}
END_TEST

/* Whatever a text begins with: half of all letters are tags of fields. */
START_TEST(text_is_no_profile)
{
	static const char *const texts[] = {
		"\n\nmain;foo 5\n", "\n;main;foo 5\n", "2;3 4\n",
		"\x1b[1mmain\x1b[0m;foo 5\n", "H1;P2 3\n", "\"a\";*b 5\n",
		"\r\n\r\na;b 1\r\n", "j a;b 5\n", "22 a;b 5\n",
	};
	uint32_t state = 1;

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		unsigned char padded[64] = { 0 };

		memcpy(padded, texts[i], strlen(texts[i]));
		ck_assert_msg(pprof_probe(padded, strlen(texts[i])) == 0,
		              "%s", texts[i]);
	}
	for (int i = 0; i < 20000; i++) {
		unsigned char text[64 + 16] = { 0 };

		for (size_t k = 0; k < 64; k++) {
			state = state * 1664525u + 1013904223u;
			text[k] = (unsigned char)(state >> 24) % 0x60 + 0x1f;
			if (text[k] == 0x1f)
				text[k] = '\n';
		}
		ck_assert_int_eq(pprof_probe(text, 64), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pprof");
	TCase *reading = tcase_create("reading");
	TCase *writing = tcase_create("writing");

	tcase_set_timeout(reading, 60);
	tcase_add_loop_test(reading, accepted, 0, N_ELEMENTS(accept_cases));
	tcase_add_test(reading, header_fields);
	tcase_add_loop_test(reading, refused, 0, N_ELEMENTS(refuse_cases));
	tcase_add_loop_test(reading, salvage_of_a_cut, 0,
	                    N_ELEMENTS(salvage_cases));
	tcase_add_loop_test(reading, probed, 0, N_ELEMENTS(probe_cases));
	tcase_add_test(reading, text_is_no_profile);
	suite_add_tcase(suite, reading);
	tcase_add_test(writing, canonical_order);
	tcase_add_loop_test(writing, kept_order, 0, N_ELEMENTS(accept_cases));
	suite_add_tcase(suite, writing);
	return run_suite(suite);
}
