/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF16_H
#define BASE_UTF16_H

/*
 * UTF-16 text as a source of UTF-8, for the readers of text formats: some
 * editors and profilers of Windows write it.
 */

#include "base/input.h"

/* Begin with from and is_big_endian, and all else zero. */
struct utf16_source {
	struct input *from; /* borrowed; its p is behind the byte order mark */
	bool is_big_endian;
	unsigned char bytes[4]; /* the character under way */
	size_t n_bytes, n_taken;
};

/*
 * The source lives no longer than *s. What is no UTF-16 (half a surrogate
 * pair, half a unit at the end) becomes U+FFFD. A failure of s->from shows as
 * the end of the source: look at from->status then.
 */
struct prof_source source_utf16(struct utf16_source *s);

enum utf16_order { UTF16_NONE, UTF16_LITTLE_ENDIAN, UTF16_BIG_ENDIAN };

/* What the byte order mark at p[size] says. */
enum utf16_order utf16_order_of(const unsigned char *p, size_t size);

#endif
