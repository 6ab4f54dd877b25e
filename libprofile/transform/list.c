/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/list.h"

#include <string.h>

bool list_next(const char **at, struct prof_str *word)
{
	const char *comma;

	if (!*at)
		return false;
	comma = strchr(*at, ',');
	*word = (struct prof_str){ *at, comma ? (size_t)(comma - *at) :
	                                        strlen(*at) };
	*at = comma ? comma + 1 : NULL;
	return true;
}

size_t list_length(const char *list)
{
	struct prof_str word;
	size_t n = 0;

	while (list_next(&list, &word))
		n++;
	return n;
}

bool pair_split(const char *text, struct prof_str *key, struct prof_str *value)
{
	const char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*key = (struct prof_str){ text, (size_t)(equals - text) };
	*value = str_of(equals + 1);
	return true;
}

struct prof_str str_of(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

bool str_equal(struct prof_str a, struct prof_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}
