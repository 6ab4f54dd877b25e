/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symbol.h"

/*
 * Symbol tables that are text: /proc/kallsyms and the perf maps of JIT
 * compilers. A line that is not of the form is passed over.
 */

struct text_line {
	const char *p, *end;
};

/* Takes the next line off the text; false at its end. */
static bool next_line(struct text_line *text, struct text_line *line)
{
	const char *newline;

	if (text->p >= text->end)
		return false;
	newline = memchr(text->p, '\n', (size_t)(text->end - text->p));
	*line = (struct text_line){ text->p, newline ? newline : text->end };
	text->p = newline ? newline + 1 : text->end;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A hexadecimal number, and the blanks behind it. */
static bool take_hex(struct text_line *l, uint64_t *out)
{
	const char *begin = l->p;

	if (l->end - l->p > 2 && l->p[0] == '0' &&
	    (l->p[1] == 'x' || l->p[1] == 'X'))
		begin = l->p += 2;
	*out = 0;
	for (; l->p < l->end && hex_digit(*l->p) >= 0; l->p++)
		*out = *out << 4 | (uint64_t)hex_digit(*l->p);
	if (l->p == begin || l->p - begin > 16)
		return false;
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
	return true;
}

void symbols_of_perf_map(struct symbol_search *s, const char *text, size_t size)
{
	struct text_line rest = { text, text + size }, line;

	while (next_line(&rest, &line)) {
		struct symbol symbol = { 0, 0, { NULL, 0 }, false };

		if (!take_hex(&line, &symbol.address) ||
		    !take_hex(&line, &symbol.size) || line.p >= line.end)
			continue;
		symbol.name = (struct prof_str){ line.p,
			                         (size_t)(line.end - line.p) };
		symbol_search_add(s, &symbol, 0);
	}
}

size_t symbols_of_kallsyms(struct symbol_search *s, const char *text,
                           size_t size)
{
	struct text_line rest = { text, text + size }, line;
	size_t n = 0;

	while (next_line(&rest, &line)) {
		struct symbol symbol = { 0, 0, { NULL, 0 }, false };
		const char *tab;
		char type;

		if (!take_hex(&line, &symbol.address) || line.end - line.p < 3)
			continue;
		type = *line.p;
		if ((type != 't' && type != 'T' && type != 'w' &&
		     type != 'W') || symbol.address == 0)
			continue;
		line.p += 2;
		tab = memchr(line.p, '\t', (size_t)(line.end - line.p));
		symbol.name = (struct prof_str){
			line.p, (size_t)((tab ? tab : line.end) - line.p)
		};
		n++;
		symbol_search_add(s, &symbol, UINT64_C(1) << 24);
	}
	return n;
}
