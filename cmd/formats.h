/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_FORMATS_H
#define CMD_FORMATS_H

/*
 * Formats by the names that people type: of a format, and of a file.
 */

#include <profile/io.h>

#include "nearest.h"

/* The format text[0 .. size), or NULL. */
const struct prof_format_info *format_by_name(const char *text, size_t size);

/*
 * The format that the end of a file's name stands for, or NULL; a ".gz" behind
 * that of another format is no part of it.
 */
const struct prof_format_info *format_by_suffix(const char *file_name);

/* Whether a file's name asks for gzip. */
bool is_gzip_name(const char *file_name);

/* A format that can do one of `can` at least. */
static inline bool format_can(const struct prof_format_info *f, unsigned can)
{
	return f && (f->can & can);
}

/* To read and to write, profiles or recordings. */
enum {
	FORMAT_READABLE = PROF_CAN_READ | PROF_CAN_READ_RECORDING,
	FORMAT_WRITABLE = PROF_CAN_WRITE | PROF_CAN_WRITE_RECORDING
};

/* Considers the names of all formats that can do one of `can`. */
void formats_consider(struct nearest *n, unsigned can);

/* Prints the list of all formats, one a line. */
void formats_print(void);

#endif
