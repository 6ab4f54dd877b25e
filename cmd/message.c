/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message is made in memory, cleaned and written at once, so that those of
 * several threads do not mix.
 */
#include "message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Two paths of PATH_MAX and words around them. */
#define MESSAGE_SIZE 12288

static bool is_c1(const unsigned char *p)
{
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

void message_clean(char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *to = text;

	while (*from != '\0') {
		const bool is_pair = is_c1(from);

		if (is_pair || *from < 0x20 || *from == 0x7f)
			*to++ = '?';
		else
			*to++ = (char)*from;
		from += is_pair ? 2 : 1;
	}
	*to = '\0';
}

void message_write(const char *tool, const char *format, va_list args)
{
	char text[MESSAGE_SIZE];
	const int n = vsnprintf(text, sizeof(text), format, args);

	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	message_clean(text);
	fprintf(stderr, "%s: %s\n", tool, text);
}
