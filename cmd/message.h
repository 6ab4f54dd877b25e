/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_MESSAGE_H
#define CMD_MESSAGE_H

/*
 * All that the tools say on stderr. File names, arguments and names of
 * profiles are data: none may begin a line or speak to the terminal.
 */

#include <stdarg.h>

/* "tool: text", a line on stderr, control characters as '?'. */
void message_write(const char *tool, const char *format, va_list args);

/* Puts '?' for each control character of text: C0, DEL, and C1 of UTF-8. */
void message_clean(char *text);

#endif
