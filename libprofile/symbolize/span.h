/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_SPAN_H
#define SYMBOLIZE_SPAN_H

/* Bytes of a file. */

#include <stddef.h>

struct span {
	const unsigned char *data; /* NULL: absent */
	size_t size;
};

#endif
