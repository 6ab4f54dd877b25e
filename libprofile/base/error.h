/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * Filling in a struct prof_error. Each returns the status it was given, so
 * that a failure is one line: return error_set(err, PROF_LIMIT, "...").
 */

#include <profile/common.h>

#define ERROR_FORMAT(f, a) __attribute__((format(printf, f, a)))

/* Without a place. err may be NULL. errno is noted for PROF_SYSTEM. */
enum prof_status error_set(struct prof_error *err, enum prof_status status,
                           const char *format, ...) ERROR_FORMAT(3, 4);

/* At a byte of the uncompressed input. */
enum prof_status error_at(struct prof_error *err, enum prof_status status,
                          uint64_t offset, const char *format, ...)
	ERROR_FORMAT(4, 5);

/* At a line of the input, from 1. */
enum prof_status error_at_line(struct prof_error *err, enum prof_status status,
                               uint64_t line, const char *format, ...)
	ERROR_FORMAT(4, 5);

/* PROF_NOMEM with its own words. */
enum prof_status error_nomem(struct prof_error *err);

#endif
