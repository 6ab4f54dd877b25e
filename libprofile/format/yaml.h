/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_H
#define FORMAT_YAML_H

/*
 * The YAML format: which of its schemas a document has, and the parts that
 * read and write each. docs/yaml-format.md is its manual.
 */

#include "format/yaml_labels.h"

/* The first key of a document. */
enum yaml_schema {
	YAML_NO_SCHEMA,
	YAML_PROFILE,       /* a profile */
	YAML_CPU_CHUNKS,    /* a recording with CPU samples only */
	YAML_MEM_PROFILE,   /* ... with memory records only */
	YAML_COUNT_PROFILE, /* ... with counted stacks only */
	YAML_BLOCK_PROFILE, /* ... with stacks that waited only */
	YAML_RECORDING,     /* ... with several of these */
};

/* The key of a schema, such as "cpu_chunks". */
const char *yaml_schema_key(enum yaml_schema schema);

/* The rest of a document after its first key. */
void yaml_read_profile(struct yaml_reader *r, struct prof_builder *b);
void yaml_read_recording(struct yaml_reader *r, enum yaml_schema schema,
                         const struct prof_recorder *to);

enum prof_status yaml_write_profile(const struct prof_profile *p,
                                    struct format_writing *w,
                                    struct prof_error *err);
/* As format.record. */
enum prof_status yaml_record(struct prof_recorder *out,
                             struct format_writing *w,
                             struct prof_error *err);

/* ---- Mappings: in profiles and recordings alike ---- */

enum yaml_mapping_key {
	YAML_MAPPING_ID,
	YAML_MAPPING_TIME,
	YAML_MAPPING_FILE,
	YAML_MAPPING_BUILD_ID,
	YAML_MAPPING_START,
	YAML_MAPPING_LIMIT,
	YAML_MAPPING_OFFSET,
	YAML_MAPPING_HAS
};

struct yaml_mapping {
	uint64_t id, time;
	uint64_t start, limit, offset;
	struct yaml_text file, build_id;
	uint32_t has;  /* of enum mapping_has */
	uint32_t seen; /* 1 << enum yaml_mapping_key */
};

/* Reads one; false on failure. Its strings are kept. */
bool yaml_read_mapping(struct yaml_reader *r, struct yaml_mapping *out);

/* The fields of a mapping but has:, and has: even where it is empty. */
void yaml_put_mapping(struct yaml_flow *f, const struct prof_mapping *m);
void yaml_put_mapping_has(struct yaml_flow *f, const struct prof_mapping *m);

/* ---- Frames: lines of a location and of a symbol ---- */

enum yaml_frame_key {
	YAML_FRAME_FUNCTION_ID,
	YAML_FRAME_NAME,
	YAML_FRAME_SYSTEM_NAME,
	YAML_FRAME_FILE,
	YAML_FRAME_LINE,
	YAML_FRAME_COLUMN,
	YAML_FRAME_START
};

struct yaml_frame {
	uint64_t function; /* f: */
	struct yaml_text name, system_name, file;
	int64_t line, column, start;
	uint32_t seen; /* 1 << enum yaml_frame_key */
};

/* Reads one; false on failure. Its strings are kept. Without sys:, the system
   name is the name. */
bool yaml_read_frame(struct yaml_reader *r, struct yaml_frame *out);

/* The fields fn:, sys:, file: of a function, which start: ends; and line:,
   col: of a line. Those that are 0 are left out. */
void yaml_put_function(struct yaml_flow *f, struct prof_str name,
                       struct prof_str system_name, struct prof_str file);
void yaml_put_place(struct yaml_flow *f, int64_t line, int64_t column);
void yaml_put_start(struct yaml_flow *f, int64_t start_line);

#endif
