/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON by hand: strings and commas are all there is to it.
 */

#include "base/json.h"

/* Bytes of the UTF-8 character at p, or 0 where there is none. */
static size_t character_size(const unsigned char *p, size_t left)
{
	size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2
	           : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

void json_string(struct output *out, struct prof_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;

	output_char(out, '"');
	for (size_t i = 0; i < s.len;) {
		size_t n = character_size(p + i, s.len - i);

		if (n == 0)
			output_text(out, "\\ufffd");
		else if (p[i] == '"' || p[i] == '\\')
			output_printf(out, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			output_printf(out, "\\u%04x", p[i]);
		else
			output_bytes(out, p + i, n);
		i += n > 0 ? n : 1;
	}
	output_char(out, '"');
}

void json_key(struct output *out, const char *key, size_t *n)
{
	output_printf(out, "%s\"%s\":", (*n)++ > 0 ? "," : "", key);
}
