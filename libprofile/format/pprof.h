/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_PPROF_H
#define FORMAT_PPROF_H

/*
 * profile.proto on the wire: the numbers of its fields, for our own reader
 * and writer. A test compares them with the compiled proto/profile.proto.
 */

#include "format/format.h"

enum pprof_wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5
};

#define PPROF_TAG(field, type) ((unsigned)(field) << 3 | (unsigned)(type))

enum pprof_profile_field {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE,
	PROFILE_MAPPING,
	PROFILE_LOCATION,
	PROFILE_FUNCTION,
	PROFILE_STRING_TABLE,
	PROFILE_DROP_FRAMES,
	PROFILE_KEEP_FRAMES,
	PROFILE_TIME_NANOS,
	PROFILE_DURATION_NANOS,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_COMMENT,
	PROFILE_DEFAULT_SAMPLE_TYPE,
	PROFILE_DOC_URL
};

enum pprof_value_type_field { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT };

enum pprof_sample_field { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE, SAMPLE_LABEL };

enum pprof_label_field { LABEL_KEY = 1, LABEL_STR, LABEL_NUM, LABEL_NUM_UNIT };

enum pprof_mapping_field {
	MAPPING_ID = 1,
	MAPPING_MEMORY_START,
	MAPPING_MEMORY_LIMIT,
	MAPPING_FILE_OFFSET,
	MAPPING_FILENAME,
	MAPPING_BUILD_ID,
	MAPPING_FIELD_HAS_FUNCTIONS,
	MAPPING_FIELD_HAS_FILENAMES,
	MAPPING_FIELD_HAS_LINE_NUMBERS,
	MAPPING_FIELD_HAS_INLINE_FRAMES
};

enum pprof_location_field {
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID,
	LOCATION_ADDRESS,
	LOCATION_LINE,
	LOCATION_IS_FOLDED
};

enum pprof_line_field { LINE_FUNCTION_ID = 1, LINE_LINE, LINE_COLUMN };

enum pprof_function_field {
	FUNCTION_ID = 1,
	FUNCTION_NAME,
	FUNCTION_SYSTEM_NAME,
	FUNCTION_FILENAME,
	FUNCTION_START_LINE
};

int pprof_probe(const unsigned char *head, size_t size);
enum prof_status pprof_read(struct format_reading *r, struct prof_builder *b,
                            struct prof_error *err);
enum prof_status pprof_write(const struct prof_profile *p,
                             struct format_writing *w, struct prof_error *err);

#endif
