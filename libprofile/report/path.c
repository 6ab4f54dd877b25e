/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File names as text: nothing here looks at the file system, because a
 * profile mostly comes from another machine.
 */

#include "report/frames.h"

#include <string.h>

struct prof_str path_base(struct prof_str path)
{
	size_t end = path.len, begin;

	while (end > 1 && path.ptr[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path.ptr[begin - 1] != '/')
		begin--;
	if (begin == end && end > 0)
		begin--; /* nothing but slashes */
	return (struct prof_str){ path.ptr + begin, end - begin };
}

/* Takes off the last element of to[0 .. n) where one may go. */
static size_t path_up(char *to, size_t n, size_t floor)
{
	while (n > floor && to[n - 1] != '/')
		n--;
	return n > floor ? n - 1 : n;
}

size_t path_clean(char *to, struct prof_str path)
{
	bool is_rooted = path.len > 0 && path.ptr[0] == '/';
	size_t n = 0, floor, i = 0;

	if (is_rooted)
		to[n++] = '/';
	floor = n; /* what ".." cannot go above */
	while (i < path.len) {
		size_t begin = i, size;

		while (i < path.len && path.ptr[i] != '/')
			i++;
		size = i - begin;
		i++;
		if (size == 0 || (size == 1 && path.ptr[begin] == '.'))
			continue;
		if (size == 2 && !memcmp(path.ptr + begin, "..", 2)) {
			if (n > floor) {
				n = path_up(to, n, floor);
				continue;
			}
			if (is_rooted)
				continue;
		}
		if (n > 0 && to[n - 1] != '/')
			to[n++] = '/';
		memmove(to + n, path.ptr + begin, size);
		n += size;
		if (size == 2 && !memcmp(path.ptr + begin, "..", 2))
			floor = n;
	}
	if (n == 0)
		to[n++] = '.';
	return n;
}

static struct prof_str str_from(struct prof_str s, size_t begin)
{
	return (struct prof_str){ s.ptr + begin, s.len - begin };
}

/* The element of a ':' list that begins at list; *next is what follows. */
static struct prof_str list_element(const char *list, const char **next)
{
	const char *end = strchrnul(list, ':');

	*next = *end == ':' ? end + 1 : end;
	return (struct prof_str){ list, (size_t)(end - list) };
}

/* Whether path begins with the directory; *size is what to take off. */
static bool has_directory(struct prof_str path, struct prof_str directory,
                          size_t *size)
{
	if (directory.len == 0 || path.len < directory.len ||
	    memcmp(path.ptr, directory.ptr, directory.len) != 0)
		return false;
	*size = directory.len;
	if (directory.ptr[directory.len - 1] == '/')
		return true;
	*size += 1;
	return path.len > directory.len && path.ptr[directory.len] == '/';
}

static bool trim_list(struct prof_str *path, const char *list)
{
	size_t size;

	while (*list != '\0')
		if (has_directory(*path, list_element(list, &list), &size)) {
			*path = str_from(*path, size);
			return true;
		}
	return false;
}

/* Looks for "/name/" with the name of each source directory. */
static bool trim_to_source(struct prof_str *path, const char *list)
{
	while (*list != '\0') {
		struct prof_str name = path_base(list_element(list, &list));

		for (size_t i = 0; i + name.len + 2 <= path->len; i++) {
			const char *at = path->ptr + i;

			if (at[0] != '/' || at[name.len + 1] != '/' ||
			    memcmp(at + 1, name.ptr, name.len) != 0)
				continue;
			*path = str_from(*path, i + name.len + 2);
			return true;
		}
	}
	return false;
}

struct prof_str path_trim(struct prof_str path, const char *trim_path,
                          const char *source_path)
{
	if (trim_path == NULL && source_path != NULL &&
	    trim_to_source(&path, source_path))
		return path;
	if (trim_path != NULL && trim_list(&path, trim_path))
		return path;
	/* What the builds of Bazel leave in debug information. */
	trim_list(&path, "/proc/self/cwd/./:/proc/self/cwd/");
	return path;
}
