/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our reader and writer of profile.proto against the code that protoc-c makes
 * of proto/profile.proto: row by row, on files of others, on our own, and on
 * damaged ones.
 */
#include "testing.h"

#include "base/input.h"
#include "format/pprof.h"
#include "profile.pb-c.h"

#include <stdlib.h>
#include <string.h>

typedef Perftools__Profiles__Profile Message;
typedef Perftools__Profiles__ValueType ValueTypeMessage;
typedef Perftools__Profiles__Mapping MappingMessage;
typedef Perftools__Profiles__Location LocationMessage;
typedef Perftools__Profiles__Function FunctionMessage;
typedef Perftools__Profiles__Line LineMessage;
typedef Perftools__Profiles__Sample SampleMessage;
typedef Perftools__Profiles__Label LabelMessage;

/* ---- Field numbers ---- */

#define PROFILE perftools__profiles__profile__descriptor
#define VALUE_TYPE perftools__profiles__value_type__descriptor
#define SAMPLE perftools__profiles__sample__descriptor
#define LABEL perftools__profiles__label__descriptor
#define MAPPING perftools__profiles__mapping__descriptor
#define LOCATION perftools__profiles__location__descriptor
#define LINE perftools__profiles__line__descriptor
#define FUNCTION perftools__profiles__function__descriptor

static const struct number_case {
	const ProtobufCMessageDescriptor *message;
	const char *field;
	uint32_t number;
} number_cases[] = {
	{ &PROFILE, "sample_type", PROFILE_SAMPLE_TYPE },
	{ &PROFILE, "sample", PROFILE_SAMPLE },
	{ &PROFILE, "mapping", PROFILE_MAPPING },
	{ &PROFILE, "location", PROFILE_LOCATION },
	{ &PROFILE, "function", PROFILE_FUNCTION },
	{ &PROFILE, "string_table", PROFILE_STRING_TABLE },
	{ &PROFILE, "drop_frames", PROFILE_DROP_FRAMES },
	{ &PROFILE, "keep_frames", PROFILE_KEEP_FRAMES },
	{ &PROFILE, "time_nanos", PROFILE_TIME_NANOS },
	{ &PROFILE, "duration_nanos", PROFILE_DURATION_NANOS },
	{ &PROFILE, "period_type", PROFILE_PERIOD_TYPE },
	{ &PROFILE, "period", PROFILE_PERIOD },
	{ &PROFILE, "comment", PROFILE_COMMENT },
	{ &PROFILE, "default_sample_type", PROFILE_DEFAULT_SAMPLE_TYPE },
	{ &PROFILE, "doc_url", PROFILE_DOC_URL },
	{ &VALUE_TYPE, "type", VALUE_TYPE_TYPE },
	{ &VALUE_TYPE, "unit", VALUE_TYPE_UNIT },
	{ &SAMPLE, "location_id", SAMPLE_LOCATION_ID },
	{ &SAMPLE, "value", SAMPLE_VALUE },
	{ &SAMPLE, "label", SAMPLE_LABEL },
	{ &LABEL, "key", LABEL_KEY },
	{ &LABEL, "str", LABEL_STR },
	{ &LABEL, "num", LABEL_NUM },
	{ &LABEL, "num_unit", LABEL_NUM_UNIT },
	{ &MAPPING, "id", MAPPING_ID },
	{ &MAPPING, "memory_start", MAPPING_MEMORY_START },
	{ &MAPPING, "memory_limit", MAPPING_MEMORY_LIMIT },
	{ &MAPPING, "file_offset", MAPPING_FILE_OFFSET },
	{ &MAPPING, "filename", MAPPING_FILENAME },
	{ &MAPPING, "build_id", MAPPING_BUILD_ID },
	{ &MAPPING, "has_functions", MAPPING_FIELD_HAS_FUNCTIONS },
	{ &MAPPING, "has_filenames", MAPPING_FIELD_HAS_FILENAMES },
	{ &MAPPING, "has_line_numbers", MAPPING_FIELD_HAS_LINE_NUMBERS },
	{ &MAPPING, "has_inline_frames", MAPPING_FIELD_HAS_INLINE_FRAMES },
	{ &LOCATION, "id", LOCATION_ID },
	{ &LOCATION, "mapping_id", LOCATION_MAPPING_ID },
	{ &LOCATION, "address", LOCATION_ADDRESS },
	{ &LOCATION, "line", LOCATION_LINE },
	{ &LOCATION, "is_folded", LOCATION_IS_FOLDED },
	{ &LINE, "function_id", LINE_FUNCTION_ID },
	{ &LINE, "line", LINE_LINE },
	{ &LINE, "column", LINE_COLUMN },
	{ &FUNCTION, "id", FUNCTION_ID },
	{ &FUNCTION, "name", FUNCTION_NAME },
	{ &FUNCTION, "system_name", FUNCTION_SYSTEM_NAME },
	{ &FUNCTION, "filename", FUNCTION_FILENAME },
	{ &FUNCTION, "start_line", FUNCTION_START_LINE },
};

START_TEST(field_numbers)
{
	unsigned n_fields = PROFILE.n_fields + VALUE_TYPE.n_fields +
		SAMPLE.n_fields + LABEL.n_fields + MAPPING.n_fields +
		LOCATION.n_fields + LINE.n_fields + FUNCTION.n_fields;

	for (size_t i = 0; i < N_ELEMENTS(number_cases); i++) {
		const struct number_case *c = &number_cases[i];
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(
				c->message, c->field);

		ck_assert_msg(field != NULL, "%s", c->field);
		ck_assert_msg(field->id == c->number, "%s is %u, not %u",
		              c->field, field->id, c->number);
	}
	ck_assert_uint_eq(n_fields, N_ELEMENTS(number_cases));
}
END_TEST

/* ---- Row by row ---- */

/* A string as protobuf-c has it, which ends at the first '\0'. */
static void compare_str(struct prof_str got, const Message *m, int64_t index)
{
	ck_assert_int_ge(index, 0);
	ck_assert_uint_lt((uint64_t)index, m->n_string_table);
	ck_assert_str_eq(got.ptr, m->string_table[index]);
}

/* A message that is absent is one of zeros. */
static void compare_type(struct prof_value_type got, const Message *m,
                         const ValueTypeMessage *type)
{
	if (!type) {
		ck_assert_uint_eq(got.type.len + got.unit.len, 0);
		return;
	}
	compare_str(got.type, m, type->type);
	compare_str(got.unit, m, type->unit);
}

static void compare_header(const struct prof_profile *p, const Message *m)
{
	struct prof_header h;
	struct prof_value_type type;
	struct prof_str comment;

	prof_get_header(p, &h);
	compare_type(h.period_type, m, m->period_type);
	ck_assert_int_eq(h.period, m->period);
	ck_assert_int_eq(h.time_ns, m->time_nanos);
	ck_assert_int_eq(h.duration_ns, m->duration_nanos);
	compare_str(h.default_sample_type, m, m->default_sample_type);
	compare_str(h.drop_frames, m, m->drop_frames);
	compare_str(h.keep_frames, m, m->keep_frames);
	compare_str(h.doc_url, m, m->doc_url);
	ck_assert_uint_eq(prof_n_sample_types(p), m->n_sample_type);
	for (uint32_t i = 0; prof_get_sample_type(p, i, &type); i++)
		compare_type(type, m, m->sample_type[i]);
	ck_assert_uint_eq(prof_n_comments(p), m->n_comment);
	for (uint32_t i = 0; prof_get_comment(p, i, &comment); i++)
		compare_str(comment, m, m->comment[i]);
}

static void compare_mappings(const struct prof_profile *p, const Message *m)
{
	struct prof_mapping got;

	ck_assert_uint_eq(prof_n_mappings(p), m->n_mapping);
	for (uint32_t id = 1; prof_get_mapping(p, id, &got); id++) {
		const MappingMessage *row = m->mapping[id - 1];

		ck_assert_uint_eq(got.start, row->memory_start);
		ck_assert_uint_eq(got.limit, row->memory_limit);
		ck_assert_uint_eq(got.offset, row->file_offset);
		compare_str(got.file, m, row->filename);
		compare_str(got.build_id, m, row->build_id);
		ck_assert_int_eq(got.has_functions, row->has_functions);
		ck_assert_int_eq(got.has_filenames, row->has_filenames);
		ck_assert_int_eq(got.has_line_numbers, row->has_line_numbers);
		ck_assert_int_eq(got.has_inline_frames,
		                 row->has_inline_frames);
	}
}

static void compare_functions(const struct prof_profile *p, const Message *m)
{
	struct prof_function got;

	ck_assert_uint_eq(prof_n_functions(p), m->n_function);
	for (uint32_t id = 1; prof_get_function(p, id, &got); id++) {
		const FunctionMessage *row = m->function[id - 1];

		compare_str(got.name, m, row->name);
		compare_str(got.system_name, m, row->system_name);
		compare_str(got.filename, m, row->filename);
		ck_assert_int_eq(got.start_line, row->start_line);
	}
}

/* The row of an id: that of a table's row i is i + 1 for us. */
static bool has_mapping(const Message *m, uint32_t row, uint64_t id)
{
	if (row)
		return m->mapping[row - 1]->id == id;
	/* None: it is not there. */
	for (size_t i = 0; i < m->n_mapping; i++)
		if (id && m->mapping[i]->id == id)
			return false;
	return true;
}

static void compare_locations(const struct prof_profile *p, const Message *m)
{
	struct prof_location got;

	ck_assert_uint_eq(prof_n_locations(p), m->n_location);
	for (uint32_t id = 1; prof_get_location(p, id, &got); id++) {
		const LocationMessage *row = m->location[id - 1];

		ck_assert_uint_eq(got.address, row->address);
		ck_assert_int_eq(got.is_folded, row->is_folded);
		ck_assert(has_mapping(m, got.mapping, row->mapping_id));
		ck_assert_uint_eq(got.n_lines, row->n_line);
		for (uint32_t i = 0; i < got.n_lines; i++) {
			const LineMessage *line = row->line[i];

			ck_assert_uint_eq(
				m->function[got.lines[i].function - 1]->id,
				line->function_id);
			ck_assert_int_eq(got.lines[i].line, line->line);
			ck_assert_int_eq(got.lines[i].column, line->column);
		}
	}
}

static void compare_labels(const struct prof_profile *p, uint32_t set,
                           const Message *m, const SampleMessage *row,
                           struct prof_label *labels, size_t max)
{
	const size_t n = prof_get_label_set(p, set, labels, max);

	ck_assert_uint_eq(n, row->n_label);
	for (size_t i = 0; i < n; i++) {
		const LabelMessage *label = row->label[i];

		compare_str(labels[i].key, m, label->key);
		ck_assert_int_eq(labels[i].str.ptr != NULL, label->str != 0);
		if (label->str) {
			compare_str(labels[i].str, m, label->str);
			continue;
		}
		ck_assert_int_eq(labels[i].num, label->num);
		compare_str(labels[i].unit, m, label->num_unit);
	}
}

static void compare_samples(const struct prof_profile *p, const Message *m)
{
	const size_t max_depth = prof_max_stack_depth(p);
	const size_t max_labels = prof_max_label_set_size(p);
	uint32_t *stack = calloc(max_depth + 1, sizeof(*stack));
	struct prof_label *labels = calloc(max_labels + 1, sizeof(*labels));
	struct prof_sample got;

	ck_assert_uint_eq(prof_n_samples(p), m->n_sample);
	for (uint32_t i = 0; prof_get_sample(p, i, &got); i++) {
		const SampleMessage *row = m->sample[i];
		const size_t n = prof_get_stack(p, got.stack, stack, max_depth);

		ck_assert_uint_eq(n, row->n_location_id);
		for (size_t k = 0; k < n; k++)
			ck_assert_uint_eq(m->location[stack[k] - 1]->id,
			                  row->location_id[k]);
		ck_assert_uint_eq(row->n_value, m->n_sample_type);
		for (size_t k = 0; k < row->n_value; k++)
			ck_assert_int_eq(got.values[k], row->value[k]);
		compare_labels(p, got.label_set, m, row, labels, max_labels);
	}
	free(stack);
	free(labels);
}

static void compare_rows(const struct prof_profile *p, const Message *m)
{
	compare_header(p, m);
	compare_mappings(p, m);
	compare_functions(p, m);
	compare_locations(p, m);
	compare_samples(p, m);
}

/* ---- Files ---- */

/* What the file holds after decompression. */
static struct bytes plain_bytes(struct bytes file)
{
	struct memory_source memory = { .data = file.data, .size = file.size };
	struct bytes plain = { 0 };
	struct input in;
	size_t n;

	ck_assert_int_eq(input_open(&in, source_memory(&memory), NULL, 0,
	                            &mem_malloc, NULL, NULL), PROF_OK);
	while ((n = input_need(&in, 1)) > 0) {
		plain.data = realloc(plain.data, plain.size + n);
		memcpy(plain.data + plain.size, in.p, n);
		plain.size += n;
		in.p += n;
	}
	ck_assert_int_eq(in.status, PROF_OK);
	input_close(&in);
	return plain;
}

static Message *unpack(struct bytes plain)
{
	return perftools__profiles__profile__unpack(NULL, plain.size,
	                                            plain.data);
}

/* Reads and compares; and what is written of it, too. */
static void compare_file(const char *path, void *ctx)
{
	struct prof_profile *p;
	struct bytes file, plain, written;
	Message *m;
	unsigned *n = ctx;

	/* Not what is text, or what others call by that name. */
	if (!strstr(path, ".pb") && !strstr(path, ".pprof") &&
	    !strstr(path, "/pprof/"))
		return;
	file = bytes_of_file(path);
	plain = plain_bytes(file);
	m = unpack(plain);
	if (m && m->n_string_table) {
		p = read_profile_file(path, &PROF_OPTIONS(
			prof_read_options, .format = "pprof"));
		compare_rows(p, m);
		written = write_profile(p, "pprof", &PROF_OPTIONS(
			prof_write_options, .uncompressed = true,
			.keep_order = true));
		perftools__profiles__profile__free_unpacked(m, NULL);
		m = unpack(written);
		ck_assert_msg(m != NULL, "%s: what we wrote", path);
		compare_rows(p, m);
		free(written.data);
		prof_profile_free(p);
		++*n;
	}
	if (m)
		perftools__profiles__profile__free_unpacked(m, NULL);
	free(file.data);
	free(plain.data);
}

START_TEST(our_files)
{
	unsigned n = 0;

	ck_assert(for_each_file(TESTDATA "/pprof", compare_file, &n));
	ck_assert(for_each_file(TESTDATA "/go", compare_file, &n));
	ck_assert_uint_ge(n, 60);
}
END_TEST

START_TEST(files_of_others)
{
	const char *corpus = corpus_folder();
	unsigned n = 0;

	if (!corpus)
		return;
	ck_assert(for_each_file(corpus, compare_file, &n));
	ck_assert_uint_ge(n, 20);
}
END_TEST

/* What protobuf-c packs of what it read is read the same by us. */
START_TEST(repacked_files)
{
	struct bytes file = bytes_of_file(TESTDATA "/pprof/all-fields.pb");
	Message *m = unpack(file);
	struct prof_profile *p;
	struct bytes packed;

	ck_assert_ptr_nonnull(m);
	packed.size = perftools__profiles__profile__get_packed_size(m);
	packed.data = malloc(packed.size);
	perftools__profiles__profile__pack(m, packed.data);
	p = read_profile(packed, NULL);
	compare_rows(p, m);
	prof_profile_free(p);
	perftools__profiles__profile__free_unpacked(m, NULL);
	free(packed.data);
	free(file.data);
}
END_TEST

/* ---- Damaged files ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Changes, drops or doubles some bytes. */
static void damage(struct bytes *b, uint64_t *random)
{
	const unsigned n = 1 + (unsigned)(next_random(random) % 3);

	for (unsigned i = 0; i < n; i++) {
		const size_t at = next_random(random) % b->size;
		const size_t size = next_random(random) % 8 % (b->size - at);

		switch (next_random(random) % 4) {
		case 0:
			b->data[at] ^= (unsigned char)(
				1u << next_random(random) % 8);
			break;
		case 1:
			b->data[at] = (unsigned char)next_random(random);
			break;
		case 2:
			memmove(b->data + at, b->data + at + size,
			        b->size - at - size);
			b->size -= size;
			break;
		default:
			memmove(b->data + at,
			        b->data + next_random(random) %
			        (b->size - size), size);
		}
	}
}

static const char *const damaged_files[] = {
	TESTDATA "/pprof/all-fields.pb",
	TESTDATA "/pprof/sparse-ids.pb",
	TESTDATA "/pprof/go-cpu.pb.gz",
	TESTDATA "/pprof/go-heap.pb.gz",
};

/* What we read of a damaged file, protobuf-c reads too, and the same. */
START_TEST(fuzzed_files)
{
	struct bytes file = bytes_of_file(damaged_files[_i]);
	struct bytes plain = plain_bytes(file);
	struct bytes copy = { malloc(plain.size + 64), 0 };
	uint64_t random = 88172645463325252u + (uint64_t)_i;
	unsigned n_read = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct prof_profile *p = NULL;
		Message *m;

		memcpy(copy.data, plain.data, plain.size);
		copy.size = plain.size;
		damage(&copy, &random);
		if (prof_read_mem(&p, copy.data, copy.size, &PROF_OPTIONS(
				prof_read_options, .format = "pprof"),
				NULL) != PROF_OK)
			continue;
		m = unpack(copy);
		ck_assert_msg(m != NULL, "round %u", i);
		compare_rows(p, m);
		n_read++;
		perftools__profiles__profile__free_unpacked(m, NULL);
		prof_profile_free(p);
	}
	ck_assert_uint_gt(n_read, 1000);
	free(copy.data);
	free(plain.data);
	free(file.data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proto");
	TCase *tc = tcase_create("protobuf-c");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, field_numbers);
	tcase_add_test(tc, our_files);
	tcase_add_test(tc, files_of_others);
	tcase_add_test(tc, repacked_files);
	tcase_add_loop_test(tc, fuzzed_files, 0, N_ELEMENTS(damaged_files));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
