/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form equals what google/pprof prints of the same profiles with
 * -raw: what Go wrote (testdata/go), and, where it is at hand, a corpus of
 * profiles that others wrote.
 */
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- One profile ---- */

static struct prof_str str(const char *s)
{
	return (struct prof_str){ s, strlen(s) };
}

static void assert_text(const struct prof_profile *p, const char *expected,
                        const char *name)
{
	struct bytes out = write_profile(p, "text", NULL);
	char *text = malloc(out.size + 1);

	ck_assert_ptr_nonnull(text);
	memcpy(text, out.data, out.size);
	text[out.size] = '\0';
	assert_same_text(text, expected, name);
	free(text);
	free(out.data);
}

static struct prof_profile *full_profile(void)
{
	struct prof_builder *b = prof_builder_new(NULL);
	const struct prof_label labels[] = {
		{ .key = str("z"), .str = str("last") },
		{ .key = str("a"), .str = str("1") },
		{ .key = str("z"), .str = str("first") },
		{ .key = str("bytes"), .num = 5 },
		{ .key = str("a"), .num = 7, .unit = str("kb") },
		{ .key = str("a"), .num = 0, .unit = str("s") },
		{ .key = str("a"), .num = -9 },
		{ .key = str("void"), .num = 0 },
		{ .key = str("void"), .str = str("") },
	};
	const int64_t values[] = { 1, -12345678901234 };
	struct prof_line lines[2] = { { .line = 3, .column = 9 }, { .line = 4 } };
	struct prof_profile *p = NULL;
	uint32_t stack[3], mapping;

	prof_add_sample_type(b, &(struct prof_value_type){ str("samples"),
	                                                   str("count") });
	prof_add_sample_type(b, &(struct prof_value_type){ str("cpu"),
	                                                   str("ns") });
	prof_set_header(b, &(struct prof_header){
		.period_type = { str("cpu"), str("ns") }, .period = -10,
		.default_sample_type = str("cpu"),
		.doc_url = str("http://x/y"), .drop_frames = str("f") });
	prof_add_comment(b, str("one"));
	prof_add_comment(b, str("#two"));
	mapping = prof_add_mapping(b, &(struct prof_mapping){
		.start = 0x1000, .limit = 0x2000, .offset = 0x10,
		.file = str("/bin/x"), .build_id = str("abc"),
		.has_functions = true, .has_filenames = true,
		.has_line_numbers = true, .has_inline_frames = true });
	prof_add_mapping(b, &(struct prof_mapping){ .limit = UINT64_MAX });
	lines[0].function = prof_add_function(b, &(struct prof_function){
		.name = str("f"), .system_name = str("_f"),
		.filename = str("f.c"), .start_line = 2 });
	lines[1].function = prof_add_function(b, &(struct prof_function){
		.name = str("g"), .system_name = str("g") });
	stack[0] = prof_add_location(b, &(struct prof_location){
		.address = 0x1234, .mapping = mapping, .n_lines = 2,
		.lines = lines, .is_folded = true });
	stack[1] = prof_add_location(b, &(struct prof_location){
		.address = UINT64_MAX });
	stack[2] = stack[0];
	prof_add_sample(b, prof_add_stack(b, stack, 3),
	                prof_add_label_set(b, labels, N_ELEMENTS(labels)),
	                values);
	prof_add_sample(b, 0, 0, values);
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	return p;
}

START_TEST(all_that_there_is)
{
	struct prof_profile *p = full_profile();

	assert_text(p,
	            "Comment: one\n"
	            "Comment: #two\n"
	            "Doc: http://x/y\n"
	            "PeriodType: cpu ns\n"
	            "Period: -10\n"
	            "Samples:\n"
	            "samples/count cpu/ns[dflt]\n"
	            "          1 -12345678901234: 1 2 1 \n"
	            "                a:[1] z:[last first]\n"
	            "                a:[7 kb 0 s -9 ] bytes:[5]\n"
	            "          1 -12345678901234: \n"
	            "Locations\n"
	            "     1: 0x1234 M=1 [F] f f.c:3:9 s=2(_f)\n"
	            "             g :4:0 s=0\n"
	            "     2: 0xffffffffffffffff \n"
	            "Mappings\n"
	            "1: 0x1000/0x2000/0x10 /bin/x abc [FN][FL][LN][IN]\n"
	            "2: 0x0/0xffffffffffffffff/0x0   \n", "full");
	prof_profile_free(p);
}
END_TEST

/* ---- Times ---- */

static const struct time_case {
	int64_t time_ns, duration_ns;
	const char *lines;
} time_cases[] = {
	{ 0, 0, "" },
	{ 0, 1, "Duration: 1ns\n" },
	{ 0, 999, "Duration: 999n\n" },
	{ 0, 2650, "Duration: 2.65\n" },
	{ 0, 1000, "Duration: 1\xc2\xb5s\n" },
	{ 0, 12000, "Duration: 12\xc2\xb5s\n" },
	{ 0, 123000, "Duration: 123\xc2\xb5\n" },
	{ 0, 500123456, "Duration: 500.\n" },
	{ 0, 1500000, "Duration: 1.5m\n" },
	{ 0, 1000000000, "Duration: 1s\n" },
	{ 0, 10000000000, "Duration: 10s\n" },
	{ 0, 30000000001, "Duration: 30.0\n" },
	{ 0, 60000000000, "Duration: 1m0s\n" },
	{ 0, 3600000000000, "Duration: 1h0m\n" },
	{ 0, 9540000000000000, "Duration: 2650\n" },
	{ 0, -1, "Duration: -1ns\n" },
	{ 0, -1500000000, "Duration: -1.5\n" },
	{ 0, INT64_MIN, "Duration: -256\n" },
	{ 1, 0, "Time: 1970-01-01 00:00:00.000000001 +0000 UTC\n" },
	{ -1, 0, "Time: 1969-12-31 23:59:59.999999999 +0000 UTC\n" },
	{ 1700000000000000000, 0, "Time: 2023-11-14 22:13:20 +0000 UTC\n" },
	{ 1610122232116825000, 0,
	  "Time: 2021-01-08 16:10:32.116825 +0000 UTC\n" },
	{ INT64_MAX, 0, "Time: 2262-04-11 23:47:16.854775807 +0000 UTC\n" },
	{ INT64_MIN, 0, "Time: 1677-09-21 00:12:43.145224192 +0000 UTC\n" },
};

START_TEST(times)
{
	const struct time_case *c = &time_cases[_i];
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_profile *p = NULL;
	char expected[256];

	prof_set_header(b, &(struct prof_header){
		.time_ns = c->time_ns, .duration_ns = c->duration_ns });
	ck_assert_int_eq(prof_builder_finish(&p, b, NULL), PROF_OK);
	snprintf(expected, sizeof(expected),
	         "PeriodType:  \nPeriod: 0\n%sSamples:\n\nLocations\n"
	         "Mappings\n", c->lines);
	assert_text(p, expected, "times");
	prof_profile_free(p);
}
END_TEST

/* ---- What google/pprof prints ---- */

static char *text_of_file(const char *path)
{
	struct bytes b = bytes_of_file(path);
	char *text = realloc(b.data, b.size + 1);

	ck_assert_ptr_nonnull(text);
	text[b.size] = '\0';
	return text;
}

/* x.string says what x.pb.gz is. */
static void check_go_file(const char *path, void *ctx)
{
	const size_t n = strlen(path), suffix = strlen(".string");
	struct prof_profile *p;
	char other[512], *expected;

	if (n < suffix || strcmp(path + n - suffix, ".string") != 0 ||
	    strstr(path, ".legacy."))
		return;
	snprintf(other, sizeof(other), "%.*s.pb.gz", (int)(n - suffix), path);
	if (!file_exists(other))
		return;
	++*(unsigned *)ctx;
	expected = text_of_file(path);
	p = read_profile_file(other, NULL);
	assert_text(p, expected, path);
	free(expected);
	prof_profile_free(p);
}

START_TEST(what_go_wrote)
{
	unsigned n = 0;

	ck_assert(for_each_file(TESTDATA "/go", check_go_file, &n));
	ck_assert_uint_gt(n, 30);
}
END_TEST

/* ---- SHA-256 (FIPS 180-4), for the digests of the long texts ---- */

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* The first 32 bits of the fractional part of n's square or cube root. */
static uint32_t root_fraction(uint32_t n, unsigned power)
{
	uint64_t low = 0, high = UINT64_C(1) << 40;

	/* The largest x with (x / 2^32)^power <= n. */
	while (high - low > 1) {
		const uint64_t x = (low + high) / 2;
		const long double root = (long double)x / 4294967296.0L;

		if ((power == 2 ? root * root : root * root * root) <= n)
			low = x;
		else
			high = x;
	}
	return (uint32_t)low;
}

struct sha256 {
	uint32_t state[8], constants[64];
};

static void sha256_init(struct sha256 *s)
{
	unsigned n_primes = 0;

	for (uint32_t n = 2; n_primes < 64; n++) {
		bool is_prime = true;

		for (uint32_t k = 2; k * k <= n; k++)
			is_prime &= n % k != 0;
		if (!is_prime)
			continue;
		if (n_primes < 8)
			s->state[n_primes] = root_fraction(n, 2);
		s->constants[n_primes++] = root_fraction(n, 3);
	}
}

static void sha256_block(struct sha256 *s, const unsigned char *p)
{
	uint32_t w[64], v[8];

	for (size_t i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
			(uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (size_t i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
			(rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^
			 w[i - 15] >> 3) +
			(rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^
			 w[i - 2] >> 10);
	memcpy(v, s->state, sizeof(v));
	for (size_t i = 0; i < 64; i++) {
		const uint32_t t1 = v[7] + s->constants[i] + w[i] +
			(rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
			((v[4] & v[5]) ^ (~v[4] & v[6]));
		const uint32_t t2 =
			(rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
			((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (size_t i = 0; i < 8; i++)
		s->state[i] += v[i];
}

/* to[65]: the digest in hexadecimal. */
static void sha256_text(char *to, const unsigned char *data, size_t size)
{
	struct sha256 s;
	unsigned char end[128] = { 0 };
	const size_t rest = size % 64, n_end = rest < 56 ? 64 : 128;
	const uint64_t bits = (uint64_t)size * 8;

	sha256_init(&s);
	for (size_t i = 0; i + 64 <= size; i += 64)
		sha256_block(&s, data + i);
	memcpy(end, data + size - rest, rest);
	end[rest] = 0x80;
	for (size_t i = 0; i < 8; i++)
		end[n_end - 1 - i] = (unsigned char)(bits >> (8 * i));
	for (size_t i = 0; i < n_end; i += 64)
		sha256_block(&s, end + i);
	for (size_t i = 0; i < 8; i++)
		snprintf(to + 8 * i, 9, "%08" PRIx32, s.state[i]);
}

START_TEST(digest_is_right)
{
	char text[65];

	sha256_text(text, (const unsigned char *)"abc", 3);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223"
	                 "b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* ---- The corpus ---- */

/*
 * Location ids of these are no positions in the table, and text prints
 * positions: 1000 there is 1 here.
 */
static const char *const other_ids[] = {
	"pprof-driver-cpu.pb.gz", "pprof-driver-heap.pb.gz",
	"pprof-driver-heap_tags.pb.gz",
};

static bool has_other_ids(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(other_ids); i++)
		if (strstr(path, other_ids[i]))
			return true;
	return false;
}

/* A line of ORACLE.tsv: file, digest and length of its text. */
static bool check_oracle(const char *folder, const char *line)
{
	const struct prof_read_options options =
		PROF_OPTIONS(prof_read_options, .format = "pprof");
	char file[256], digest[65], path[1024], got[65];
	struct prof_profile *p;
	struct bytes out;
	size_t size;

	ck_assert_int_eq(sscanf(line, "%255s %64s %zu", file, digest, &size),
	                 3);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (has_other_ids(path) || !file_exists(path))
		return false;
	p = read_profile_file(path, &options);
	out = write_profile(p, "text", NULL);
	sha256_text(got, out.data, out.size);
	ck_assert_msg(out.size == size && strcmp(got, digest) == 0,
	              "%s: %zu bytes, not %zu", file, out.size, size);
	free(out.data);
	prof_profile_free(p);
	return true;
}

START_TEST(corpus)
{
	const char *const folder = corpus_folder();
	char path[512], *text, *rest = NULL;
	unsigned n = 0;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/ORACLE.tsv", folder);
	text = text_of_file(path);
	strtok_r(text, "\n", &rest); /* names of the columns */
	for (const char *line; (line = strtok_r(NULL, "\n", &rest));)
		n += check_oracle(folder, line);
	ck_assert_uint_gt(n, 20);
	free(text);
}
END_TEST

/* ---- Memory ---- */

START_TEST(memory_runs_out)
{
	struct prof_profile *p = full_profile();
	enum prof_status status = PROF_NOMEM;

	for (size_t n = 1; status != PROF_OK; n++) {
		struct failing_allocator f;
		struct prof_buffer out = { NULL, 0, 0, NULL };

		ck_assert_uint_lt(n, 100);
		failing_allocator_init(&f);
		f.fail_at = n;
		status = prof_write(p, "text", prof_sink_buffer(&out),
		                    &PROF_OPTIONS(prof_write_options,
		                                  .allocator = &f.allocator),
		                    NULL);
		ck_assert(status == PROF_OK || status == PROF_NOMEM);
		prof_buffer_release(&out);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
	prof_profile_free(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *own = tcase_create("own");
	TCase *oracle = tcase_create("oracle");

	tcase_add_test(own, all_that_there_is);
	tcase_add_loop_test(own, times, 0, N_ELEMENTS(time_cases));
	tcase_add_test(own, memory_runs_out);
	suite_add_tcase(suite, own);
	tcase_set_timeout(oracle, 120);
	tcase_add_test(oracle, digest_is_right);
	tcase_add_test(oracle, what_go_wrote);
	tcase_add_test(oracle, corpus);
	suite_add_tcase(suite, oracle);
	return run_suite(suite);
}
