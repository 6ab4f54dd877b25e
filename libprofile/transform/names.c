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

/* functions[functions.n]: those that match. */
static void mark_functions(struct names *n, unsigned char *functions)
{
	for (uint32_t id = 1; id < n->p->functions.n; id++)
		functions[id] = names_match_line(
			n, &(struct prof_line){ .function = id });
}

static unsigned char any_function(const unsigned char *functions,
                                  const struct prof_line *lines, uint32_t n)
{
	unsigned char any = 0;

	for (uint32_t i = 0; i < n; i++)
		any |= functions[lines[i].function];
	return any;
}

bool names_mark_locations(struct names *n, unsigned char *marks)
{
	const struct prof_profile *p = n->p;
	const size_t size = p->functions.n;
	unsigned char *functions = mem_zeroed(&n->a, size, 1);

	if (!functions)
		return false;
	mark_functions(n, functions);
	for (uint32_t id = 1; id + 1 < p->locations.n; id++) {
		const struct row_location *l = &p->locations.data[id];

		marks[id] = any_function(functions, p->lines.data +
		                         location_first_line(l),
		                         location_n_lines(l)) ||
			names_match_mapping(n, l);
	}
	mem_free(&n->a, functions, size);
	return true;
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
