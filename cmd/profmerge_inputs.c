/* SPDX-License-Identifier: Apache-2.0 */
#include "profmerge_inputs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

int inputs_add(const struct cli_tool *tool, struct inputs *in,
               const char *name, size_t size, enum input_role role)
{
	const int64_t weight = role == ROLE_SOURCE ? in->weight : -1;

	if (in->n == in->capacity) {
		const size_t more = in->capacity + in->capacity / 2 + 16;
		struct input *grown = realloc(in->rows, more * sizeof(*grown));

		if (!grown) {
			cli_error(tool, "out of memory");
			return CLI_FAILED;
		}
		in->rows = grown;
		in->capacity = more;
	}
	in->rows[in->n] = (struct input){ strndup(name, size), weight, role };
	if (!in->rows[in->n].name) {
		cli_error(tool, "out of memory");
		return CLI_FAILED;
	}
	in->n++;
	in->n_sources += role == ROLE_SOURCE;
	return CLI_CONTINUE;
}

/*
 * The next name, of n bytes without its delimiter; false: the end, or longer
 * than a path can be (n is PATH_MAX then), as in a file that is no list.
 */
static bool next_name(FILE *f, int delimiter, char name[PATH_MAX], size_t *n)
{
	int c;

	for (*n = 0; (c = getc(f)) != EOF && c != delimiter; name[(*n)++] = (char)c)
		if (*n == PATH_MAX - 1) {
			*n = PATH_MAX;
			return false;
		}
	return c != EOF || *n > 0;
}

int inputs_add_listed(const struct cli_tool *tool, struct inputs *in,
                      const char *list, int delimiter)
{
	const bool is_stdin = !strcmp(list, "-");
	FILE *f = is_stdin ? stdin : fopen(list, "r");
	char name[PATH_MAX];
	size_t n = 0;
	int code = CLI_CONTINUE;

	if (!f) {
		cli_error(tool, "%s: cannot open: %s", list, strerror(errno));
		return CLI_FAILED;
	}
	while (code == CLI_CONTINUE && next_name(f, delimiter, name, &n))
		if (n > 0)
			code = inputs_add(tool, in, name, n, ROLE_SOURCE);
	if (n == PATH_MAX) {
		cli_error(tool, "%s: a name is longer than %d bytes", list,
		          PATH_MAX - 1);
		code = CLI_FAILED;
	}
	if (ferror(f)) {
		cli_error(tool, "%s: cannot read: %s", list, strerror(errno));
		code = CLI_FAILED;
	}
	if (!is_stdin)
		fclose(f);
	return code;
}

static int compare_roles(const void *a, const void *b)
{
	const struct input *x = a, *y = b;

	return (x->role != ROLE_SOURCE) - (y->role != ROLE_SOURCE);
}

void inputs_sort_by_role(struct inputs *in)
{
	qsort(in->rows, in->n, sizeof(*in->rows), compare_roles);
}

void inputs_release(struct inputs *in)
{
	for (size_t i = 0; i < in->n; i++)
		free(in->rows[i].name);
	free(in->rows);
}

/* ---- Sample types ---- */

/* All types of p in one text, which the caller frees. NULL: no memory. */
static char *list_types(const struct prof_profile *p)
{
	struct prof_value_type t;
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (uint32_t i = 0; prof_get_sample_type(p, i, &t); i++)
		fprintf(f, "%s%s/%s", i ? ", " : "", t.type.ptr, t.unit.ptr);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void types_seen_add(struct types_seen *s, const struct prof_profile *p,
                    const char *file, size_t number)
{
	char *types = list_types(p);
	size_t i = 0;

	while (types && i < s->n && strcmp(s->rows[i].types, types) != 0)
		i++;
	if (!types || i == TYPES_SEEN_MAX) {
		free(types);
		return;
	}
	if (i < s->n) {
		free(types);
		if (s->rows[i].number <= number)
			return;
	} else {
		s->rows[s->n++].types = types;
	}
	s->rows[i].file = file;
	s->rows[i].number = number;
}

/* The row with the least number above `than`, all where it is SIZE_MAX. */
static size_t next_row(const struct types_seen *s, size_t than)
{
	size_t best = s->n;

	for (size_t i = 0; i < s->n; i++)
		if ((than == SIZE_MAX || s->rows[i].number > than) &&
		    (best == s->n || s->rows[i].number < s->rows[best].number))
			best = i;
	return best;
}

void types_seen_tell(const struct types_seen *s, char *text, size_t size)
{
	size_t a, b;

	*text = '\0';
	if (s->n < 2)
		return;
	a = next_row(s, SIZE_MAX);
	b = next_row(s, s->rows[a].number);
	snprintf(text, size, "%s has %s; %s has %s%s", s->rows[a].file,
	         s->rows[a].types, s->rows[b].file, s->rows[b].types,
	         s->n > 2 ? "; and there are others" : "");
}

void types_seen_release(struct types_seen *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->rows[i].types);
	s->n = 0;
}
