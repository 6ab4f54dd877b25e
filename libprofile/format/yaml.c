/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML format: profiles and recordings as text that a person can read,
 * write and edit. docs/yaml-format.md is its manual.
 *
 * The schema is the document's first key, so that who looks at the first
 * bytes knows what is to come, and no document is guessed at.
 */
#include "format/yaml.h"

#include "base/error.h"

#include <string.h>

#define SCHEMA_VERSION 1

static const char *const schema_keys[] = {
	[YAML_PROFILE] = "profile",
	[YAML_CPU_CHUNKS] = "cpu_chunks",
	[YAML_MEM_PROFILE] = "mem_profile",
	[YAML_COUNT_PROFILE] = "count_profile",
	[YAML_BLOCK_PROFILE] = "block_profile",
	[YAML_RECORDING] = "recording",
};
#define N_SCHEMAS (sizeof(schema_keys) / sizeof(schema_keys[0]))

const char *yaml_schema_key(enum yaml_schema schema)
{
	return schema_keys[schema];
}

/* ---- Probing ---- */

/* Skips what may stand before the first key of a document: a byte order mark,
   blank lines, comments, directives, "---" and "{". */
static const unsigned char *skip_to_key(const unsigned char *p,
                                        const unsigned char *end)
{
	if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (;;) {
		if (end - p >= 3 && memcmp(p, "---", 3) == 0) {
			p += 3;
		} else if (p < end && (*p == '#' || *p == '%')) {
			p = memchr(p, '\n', (size_t)(end - p));
			if (!p)
				return end;
		} else if (p < end && *p != '\0' && strchr(" \t\r\n{", *p)) {
			p++;
		} else {
			return p;
		}
	}
}

static enum yaml_schema find_schema(const unsigned char *head, size_t size)
{
	const unsigned char *const end = head + size;
	const unsigned char *p = skip_to_key(head, end);

	for (unsigned i = YAML_PROFILE; i < N_SCHEMAS; i++) {
		const size_t n = strlen(schema_keys[i]);

		if ((size_t)(end - p) > n + 1 &&
		    memcmp(p, schema_keys[i], n) == 0 && p[n] == ':' &&
		    strchr(" \t\r\n", p[n + 1]))
			return (enum yaml_schema)i;
	}
	return YAML_NO_SCHEMA;
}

static int probe(const unsigned char *head, size_t size)
{
	return find_schema(head, size) == YAML_NO_SCHEMA ? 0 : 3;
}

static bool holds_recording(const unsigned char *head, size_t size)
{
	return find_schema(head, size) > YAML_PROFILE;
}

/* ---- Reading ---- */

static enum yaml_schema take_schema_key(struct yaml_reader *r)
{
	const struct prof_str s = yaml_string(r, "the first key");

	for (unsigned i = YAML_PROFILE; !r->status && i < N_SCHEMAS; i++)
		if (strcmp(schema_keys[i], s.ptr) == 0)
			return (enum yaml_schema)i;
	yaml_fail(r, PROF_CORRUPT, "the first key must be profile, "
	          "cpu_chunks, mem_profile, count_profile, block_profile or "
	          "recording: %.60s", s.ptr);
	return YAML_NO_SCHEMA;
}

/* The first key and its value. */
static enum yaml_schema read_schema(struct yaml_reader *r)
{
	enum yaml_schema schema;
	int64_t version;

	if (!yaml_begin_document(r))
		return YAML_NO_SCHEMA;
	if (!yaml_more(r))
		yaml_fail(r, PROF_CORRUPT, "the document is empty");
	schema = take_schema_key(r);
	version = yaml_i64(r, "the version");
	if (version != SCHEMA_VERSION)
		yaml_fail(r, PROF_UNSUPPORTED, "version %lld of the schema: "
		          "this reads version %d", (long long)version,
		          SCHEMA_VERSION);
	return r->status ? YAML_NO_SCHEMA : schema;
}

static enum prof_status read_profile(struct format_reading *from,
                                     struct prof_builder *b,
                                     struct prof_error *err)
{
	struct yaml_reader r;
	enum yaml_schema schema;

	if (yaml_reader_open(&r, from, err) == PROF_OK) {
		schema = read_schema(&r);
		if (schema == YAML_PROFILE)
			yaml_read_profile(&r, b);
		else
			yaml_fail(&r, PROF_UNSUPPORTED, "this is a recording: "
			          "its first key must stand within the first "
			          "512 bytes");
	}
	yaml_reader_close(&r);
	return r.status;
}

static enum prof_status read_recording(struct format_reading *from,
                                       const struct prof_recorder *to,
                                       struct prof_error *err)
{
	struct yaml_reader r;
	enum yaml_schema schema;

	if (yaml_reader_open(&r, from, err) == PROF_OK) {
		schema = read_schema(&r);
		if (schema == YAML_PROFILE)
			yaml_fail(&r, PROF_UNSUPPORTED, "this is a profile, "
			          "not a recording");
		else if (schema != YAML_NO_SCHEMA)
			yaml_read_recording(&r, schema, to);
	}
	yaml_reader_close(&r);
	return r.status;
}

const struct format yaml_format = {
	.info = {
		.name = "yaml",
		.about = "text of a profile or a recording, to read and edit",
		.suffixes = ".yaml .yml",
		.can = PROF_CAN_READ | PROF_CAN_WRITE |
			PROF_CAN_READ_RECORDING | PROF_CAN_WRITE_RECORDING,
	},
	.probe = probe,
	.read = read_profile,
	.write = yaml_write_profile,
	.read_recording = read_recording,
	.holds_recording = holds_recording,
	.record = yaml_record,
};
