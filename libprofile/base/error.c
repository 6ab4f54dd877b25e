/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are written into memory that the caller owns: nothing here can
 * fail. A message is cut at a character boundary where it is too long.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *prof_version(void)
{
	return STRING(PROF_VERSION_MAJOR) "." STRING(PROF_VERSION_MINOR)
		"." STRING(PROF_VERSION_PATCH);
}

const char *prof_status_string(enum prof_status status)
{
#define STATUS_TEXT(name, text) text,
	static const char *const texts[] = { PROF_STATUS_LIST(STATUS_TEXT) };
#undef STATUS_TEXT

	if ((size_t)status >= sizeof(texts) / sizeof(texts[0]))
		return "unknown status";
	return texts[status];
}

/* Cuts what a full buffer left of a UTF-8 sequence at its end. */
static void trim_partial_character(char *text, size_t len)
{
	size_t i = len;

	while (i > 0 && len - i < 3 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > 0 && ((unsigned char)text[i - 1] & 0xc0) == 0xc0)
		text[i - 1] = '\0';
}

/* Bytes of a file may stand in a message: none may reach a terminal raw. */
static void replace_control_bytes(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void fill(struct prof_error *err, enum prof_status status,
                 uint64_t offset, uint64_t line, const char *format,
                 va_list args)
{
	int saved_errno = errno;
	int n;

	if (!err)
		return;
	memset(err, 0, sizeof(*err));
	err->status = status;
	err->sys_errno = status == PROF_SYSTEM ? saved_errno : 0;
	err->offset = offset;
	err->line = line;
	n = vsnprintf(err->message, sizeof(err->message), format, args);
	if (n >= (int)sizeof(err->message))
		trim_partial_character(err->message, sizeof(err->message) - 1);
	replace_control_bytes(err->message);
	errno = saved_errno;
}

enum prof_status error_set(struct prof_error *err, enum prof_status status,
                           const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, status, UINT64_MAX, 0, format, args);
	va_end(args);
	return status;
}

enum prof_status error_at(struct prof_error *err, enum prof_status status,
                          uint64_t offset, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, status, offset, 0, format, args);
	va_end(args);
	return status;
}

enum prof_status error_at_line(struct prof_error *err, enum prof_status status,
                               uint64_t line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, status, UINT64_MAX, line, format, args);
	va_end(args);
	return status;
}

enum prof_status error_nomem(struct prof_error *err)
{
	return error_set(err, PROF_NOMEM, "out of memory");
}
