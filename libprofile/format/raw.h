/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_RAW_H
#define FORMAT_RAW_H

/*
 * Raw recordings: our container (docs/raw-format.md has its bytes) and plain
 * streams of words as Go's readProfile gives them.
 */

#include "format/format.h"

#include <profile/raw.h>

#define RAW_MAGIC "\x89PRAW\r\n\x1a"
#define RAW_MAGIC_SIZE 8
#define RAW_VERSION 1
#define RAW_BYTE_ORDER UINT32_C(0x01020304)

/* The head of the file. */
struct raw_head {
	char magic[RAW_MAGIC_SIZE];
	uint32_t byte_order, version;
};

/* The head of a section; size bytes follow, a multiple of 8. */
struct raw_section {
	uint32_t type; /* of enum raw_section_type */
	uint32_t crc;  /* CRC-32 of type, size and content */
	uint64_t size;
};

#define RAW_TYPE(a, b, c, d)                                                  \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 |           \
	 (uint32_t)(d) << 24)

enum raw_section_type {
	RAW_HEADER = RAW_TYPE('H', 'E', 'A', 'D'),
	RAW_MAPPINGS = RAW_TYPE('M', 'A', 'P', 'S'),
	RAW_LABELS = RAW_TYPE('L', 'A', 'B', 'L'),
	RAW_WORDS = RAW_TYPE('W', 'O', 'R', 'D'),
	RAW_MEMORY = RAW_TYPE('M', 'E', 'M', 'R'),
	RAW_BLOCK = RAW_TYPE('B', 'L', 'C', 'K'),
	RAW_COUNT = RAW_TYPE('C', 'N', 'T', 'R'),
	RAW_SYMBOLS = RAW_TYPE('S', 'Y', 'M', 'B'),
	RAW_END = RAW_TYPE('E', 'N', 'D', ' ')
};

enum raw_mapping_flag {
	RAW_HAS_FUNCTIONS = 1,
	RAW_HAS_FILENAMES = 2,
	RAW_HAS_LINE_NUMBERS = 4,
	RAW_HAS_INLINE_FRAMES = 8
};

/*
 * CRC-32 (that of gzip) of a section: of its head, a struct raw_section in
 * the file's byte order, without the checksum itself, and of content[size].
 */
uint32_t raw_crc(const void *head, const void *content, size_t size);

/* Go's plain words, with the side files of the options. */
enum prof_status raw_read_stream(struct format_reading *r,
                                 const struct prof_recorder *to,
                                 struct prof_error *err);
bool raw_is_stream(const unsigned char *head, size_t size);

/* The container. */
enum prof_status raw_read_container(struct format_reading *r,
                                    const struct prof_recorder *to,
                                    struct prof_error *err);
enum prof_status raw_record(struct prof_recorder *out, struct format_writing *w,
                            struct prof_error *err);
/* Frees what raw_record() made, and leaves w to its owner. */
void raw_record_release(struct prof_recorder *recorder);

/*
 * Tells a recorder a profile: as CPU words, or as counts of one column. What
 * is left out is said in a note.
 */
enum prof_status raw_write_profile(const struct prof_profile *p,
                                   const struct prof_recorder *to,
                                   struct format_writing *w,
                                   struct prof_error *err);

/*
 * A side file of tags, one line for each record: "0x0", or a number, a tab
 * and a JSON object of strings. Tells the recorder each label set when it is
 * first met.
 */
struct raw_tags {
	VEC(uint64_t) tags; /* of all records */
	size_t next;        /* the first that was not used yet */
};
enum prof_status raw_read_tags(struct raw_tags *out, struct format_reading *r,
                               const struct prof_recorder *to,
                               struct prof_error *err);

#endif
