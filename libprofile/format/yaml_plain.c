/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: measured with PyYAML, 010 is 8, 1:30 is 90, 1_000 is
 * 1000, 2021-01-01 a date and 1e3 a string, but in YAML 1.2 it is 1000. So
 * anything that begins as a number and has only characters that numbers and
 * dates are made of is ambiguous: a few strings too many are asked to be
 * quoted, and none is misread.
 * Source: the resolvers of the YAML 1.1 type repository, PyYAML's resolver.py
 * and the core schema of YAML 1.2.
 */
#include "format/yaml_plain.h"

#include <string.h>
#include <strings.h>

bool yaml_is_reserved_word(const char *s, size_t size)
{
	static const char *const words[] = {
		"y", "n", "no", "on", "yes", "off", "true", "null", "false",
	};

	if (size > 5)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncasecmp(s, words[i], size) == 0 &&
		    words[i][size] == '\0')
			return true;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* s follows the sign, if there is one. */
static bool looks_like_number(const char *s, size_t size)
{
	static const char in_numbers[] =
		"0123456789abcdefABCDEFxXoO_:.+-tTzZ \t";

	if (size == 4 && (strncasecmp(s, ".inf", 4) == 0 ||
	                  strncasecmp(s, ".nan", 4) == 0))
		return true;
	if (size == 0 ||
	    !(is_digit(s[0]) || (s[0] == '.' && size > 1 && is_digit(s[1]))))
		return false;
	for (size_t i = 0; i < size; i++)
		if (s[i] == '\0' || !strchr(in_numbers, s[i]))
			return false;
	return true;
}

bool yaml_is_ambiguous(const char *s, size_t size)
{
	if (size == 0)
		return true;
	if (size == 1 && (s[0] == '~' || s[0] == '='))
		return true;
	if (size == 2 && s[0] == '<' && s[1] == '<')
		return true;
	if (s[0] == '-' || s[0] == '+')
		return looks_like_number(s + 1, size - 1);
	return looks_like_number(s, size) || yaml_is_reserved_word(s, size);
}

/* ---- Numbers ---- */

static bool parse_decimal(const char *s, size_t size, uint64_t *out)
{
	uint64_t n = 0;

	if (size == 0 || (s[0] == '0' && size > 1))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(s[i]) ||
		    __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s[i] - '0'), &n))
			return false;
	}
	*out = n;
	return true;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *s, size_t size, uint64_t *out)
{
	uint64_t n = 0;

	if (size == 0)
		return false;
	for (size_t i = 0; i < size; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0 || n >> 60)
			return false;
		n = n << 4 | (uint64_t)digit;
	}
	*out = n;
	return true;
}

bool yaml_parse_number(const char *s, size_t size, bool *is_negative,
                       uint64_t *magnitude)
{
	*is_negative = size > 0 && s[0] == '-';
	if (*is_negative) {
		s++;
		size--;
	}
	if (size > 2 && s[0] == '0' && s[1] == 'x')
		return parse_hex(s + 2, size - 2, magnitude);
	return parse_decimal(s, size, magnitude);
}
