/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/names.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum known_match { NOT_KNOWN, NO_MATCH, MATCH };

enum prof_status names_init(struct names *n, const struct prof_profile *p,
                            const char *pattern, struct prof_error *err)
{
	*n = (struct names){ .p = p, .a = p->allocator,
	                     .n_known = byte_table_n(&p->strings) };
	n->known = mem_zeroed(&n->a, n->n_known, 1);
	if (!n->known)
		return error_nomem(err);
	return regex_new(&n->regex, pattern, err);
}

void names_release(struct names *n)
{
	regex_free(n->regex);
	mem_free(&n->a, n->known, n->n_known);
}

enum prof_status names_status(const struct names *n, struct prof_error *err)
{
	return regex_status(n->regex, err);
}

bool names_match_string(struct names *n, uint32_t string)
{
	unsigned char *known = &n->known[string];

	if (*known == NOT_KNOWN) {
		struct prof_str s = profile_string(n->p, string);

		if (n->part)
			s = n->part(s);
		*known = regex_matches(n->regex, s) ? MATCH : NO_MATCH;
	}
	return *known == MATCH;
}

bool names_match_line(struct names *n, const struct prof_line *line)
{
	const struct row_function *f = &n->p->functions.data[line->function];

	return line->function && (names_match_string(n, f->name) ||
	                          names_match_string(n, f->filename));
}

bool names_match_mapping(struct names *n, const struct row_location *l)
{
	return l->mapping &&
		names_match_string(n, n->p->mappings.data[l->mapping].file);
}

bool names_match_location(struct names *n, uint32_t id)
{
	const struct row_location *l = &n->p->locations.data[id];
	const struct prof_line *line =
		n->p->lines.data + location_first_line(l);

	for (uint32_t left = location_n_lines(l); left > 0; left--, line++)
		if (names_match_line(n, line))
			return true;
	return names_match_mapping(n, l);
}

/* ---- Names as they are pruned by ---- */

static size_t starts_with(const char *text, size_t len, const char *what)
{
	const size_t n = strlen(what);

	return len >= n && !memcmp(text, what, n) ? n : 0;
}

struct prof_str name_simplified(struct prof_str name)
{
	size_t i = 0;

	if (name.len && *name.ptr == '.') {
		name.ptr++;
		name.len--;
	}
	/* These two have a parenthesis that begins no list of arguments. */
	while (i < name.len) {
		const char *at = name.ptr + i;
		const size_t left = name.len - i;
		size_t n = starts_with(at, left, "(anonymous namespace)");

		if (!n)
			n = starts_with(at, left, "operator()");
		if (!n && *at == '(') {
			name.len = i;
			break;
		}
		i += n ? n : 1;
	}
	return name;
}

struct prof_str name_simplified_and_trimmed(struct prof_str name)
{
	static const char blanks[] = " \t\n\v\f\r";

	name = name_simplified(name);
	while (name.len && strchr(blanks, *name.ptr) && *name.ptr) {
		name.ptr++;
		name.len--;
	}
	while (name.len && name.ptr[name.len - 1] &&
	       strchr(blanks, name.ptr[name.len - 1]))
		name.len--;
	return name;
}
