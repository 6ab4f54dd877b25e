/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_NEAREST_H
#define CMD_NEAREST_H

/*
 * "Did you mean ...?": of the words that would have been right, the one that
 * a mistyped word is nearest to.
 */

#include <stddef.h>

struct nearest {
	const char *word; /* as it was typed; not ended by '\0' */
	size_t size;
	const char *best; /* NULL: none is near enough */
	size_t distance;  /* of best */
};

/* The typed word is text[0 .. size). */
struct nearest nearest_to(const char *text, size_t size);

void nearest_consider(struct nearest *n, const char *candidate);

/*
 * The edits (a byte put in, left out, changed, or two swapped) between
 * a[0 .. a_size) and b; words of 64 bytes and more are never near.
 */
size_t edit_distance(const char *a, size_t a_size, const char *b);

#endif
