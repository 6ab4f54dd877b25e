/* SPDX-License-Identifier: Apache-2.0 */
#include "nearest.h"

#include <stdint.h>
#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment; three rows of the table are enough. */
size_t edit_distance(const char *a, size_t a_size, const char *b)
{
	size_t rows[3][LONGEST + 1];
	size_t b_size = strlen(b), i, j;

	if (a_size >= LONGEST || b_size >= LONGEST)
		return SIZE_MAX;
	for (j = 0; j <= b_size; j++)
		rows[0][j] = j;
	for (i = 1; i <= a_size; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= b_size; j++) {
			size_t change = a[i - 1] != b[j - 1];

			row[j] = least(above[j - 1] + change,
			               least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

struct nearest nearest_to(const char *text, size_t size)
{
	/* One edit for every three letters is a slip; more is another word. */
	return (struct nearest){ text, size, NULL, size / 3 + 1 };
}

void nearest_consider(struct nearest *n, const char *candidate)
{
	size_t distance = edit_distance(n->word, n->size, candidate);

	if (distance < n->distance) {
		n->best = candidate;
		n->distance = distance;
	}
}
