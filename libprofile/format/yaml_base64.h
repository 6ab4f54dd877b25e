/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_BASE64_H
#define FORMAT_YAML_BASE64_H

/* Base64 as !!binary has it: RFC 4648, padded; blanks and newlines between. */

#include <stdbool.h>
#include <stddef.h>

/* Bytes that n bytes take when encoded. n is less than SIZE_MAX / 2. */
static inline size_t base64_size(size_t n)
{
	return (n + 2) / 3 * 4;
}

/* Writes base64_size(size) bytes at `to`, and returns their end. */
unsigned char *base64_encode(unsigned char *to, const void *bytes,
                             size_t size);

/*
 * Decodes text[size] to `to`, which has room for size / 4 * 3 + 3 bytes. Sets
 * *n to how many came out; false for text that is not base64.
 */
bool base64_decode(void *to, size_t *n, const char *text, size_t size);

#endif
