/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict where loaders are lenient: bytes that do not belong, padding in the
 * middle and bits that would be thrown away are refused, so that one text has
 * one meaning.
 */
#include "format/yaml_base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

unsigned char *base64_encode(unsigned char *to, const void *bytes,
                             size_t size)
{
	const unsigned char *from = bytes;

	for (; size >= 3; size -= 3, from += 3, to += 4) {
		uint32_t n = (uint32_t)from[0] << 16 |
			(uint32_t)from[1] << 8 | from[2];

		to[0] = (unsigned char)alphabet[n >> 18];
		to[1] = (unsigned char)alphabet[n >> 12 & 63];
		to[2] = (unsigned char)alphabet[n >> 6 & 63];
		to[3] = (unsigned char)alphabet[n & 63];
	}
	if (size) {
		uint32_t n = (uint32_t)from[0] << 16 |
			(size == 2 ? (uint32_t)from[1] << 8 : 0);

		*to++ = (unsigned char)alphabet[n >> 18];
		*to++ = (unsigned char)alphabet[n >> 12 & 63];
		*to++ = size == 2 ? (unsigned char)alphabet[n >> 6 & 63] : '=';
		*to++ = '=';
	}
	return to;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The last characters of a text: `bits` holds n_bits of them, and then came
   n_padding times '='. Bits beyond whole bytes must be 0. */
static bool is_whole(uint32_t bits, unsigned n_bits, unsigned n_padding)
{
	return (n_bits == 0 && n_padding == 0) ||
		(n_bits == 2 && n_padding == 1 && (bits & 3) == 0) ||
		(n_bits == 4 && n_padding == 2 && (bits & 15) == 0);
}

bool base64_decode(void *to, size_t *n, const char *text, size_t size)
{
	unsigned char *out = to;
	uint32_t bits = 0;
	unsigned n_bits = 0, n_padding = 0;

	for (size_t i = 0; i < size; i++) {
		const char *place;

		if (is_blank(text[i]))
			continue;
		if (text[i] == '=') {
			if (++n_padding > 2)
				return false;
			continue;
		}
		place = memchr(alphabet, text[i], sizeof(alphabet) - 1);
		if (!place || n_padding)
			return false;
		bits = bits << 6 | (uint32_t)(place - alphabet);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*out++ = (unsigned char)(bits >> n_bits);
		}
	}
	*n = (size_t)(out - (unsigned char *)to);
	return is_whole(bits, n_bits, n_padding);
}
