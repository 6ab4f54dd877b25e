/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_SPAN_H
#define SYMBOLIZE_SPAN_H

/* Bytes of a file. */

#include <stddef.h>
#include <string.h>

struct span {
	const unsigned char *data; /* NULL: absent */
	size_t size;
};

/* A name longer than this is cut: it is damage. */
#define SPAN_TEXT_MAX ((size_t)1 << 16)

/*
 * The part of a table of strings that ends with '\0': every offset in it is
 * a string then, and none needs to be looked for its end before it is used.
 */
static inline struct span span_of_strings(struct span s)
{
	const unsigned char *last =
		s.data ? memrchr(s.data, 0, s.size) : NULL;

	return last ? (struct span){ s.data, (size_t)(last + 1 - s.data) }
	            : (struct span){ NULL, 0 };
}

#endif
