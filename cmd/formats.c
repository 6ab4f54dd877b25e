/* SPDX-License-Identifier: Apache-2.0 */
#include "formats.h"

#include <stdio.h>
#include <string.h>

const struct prof_format_info *format_by_name(const char *text, size_t size)
{
	const struct prof_format_info *f;

	for (size_t i = 0; (f = prof_format_info(i)) != NULL; i++)
		if (strlen(f->name) == size && !memcmp(f->name, text, size))
			return f;
	return NULL;
}

/* Whether the name without its folder begins so. */
static bool begins(const char *name, size_t size, const char *with, size_t n)
{
	const char *slash = memrchr(name, '/', size);
	size_t folder = slash ? (size_t)(slash - name) + 1 : 0;

	return size - folder > n && !memcmp(name + folder, with, n);
}

/* The longest word of `suffixes` that fits the name, or 0. */
static size_t suffix_match(const char *suffixes, const char *name, size_t size)
{
	size_t best = 0;

	while (*suffixes) {
		size_t n = strcspn(suffixes, " ");

		if (n > best && n < size &&
		    (suffixes[n - 1] == '*' ?
		     begins(name, size, suffixes, n - 1) :
		     !memcmp(name + size - n, suffixes, n)))
			best = n;
		suffixes += n;
		suffixes += strspn(suffixes, " ");
	}
	return best;
}

static const struct prof_format_info *by_suffix(const char *name, size_t size)
{
	const struct prof_format_info *f, *best = NULL;
	size_t best_size = 0;

	for (size_t i = 0; (f = prof_format_info(i)) != NULL; i++) {
		size_t n = suffix_match(f->suffixes, name, size);

		if (n > best_size) {
			best_size = n;
			best = f;
		}
	}
	return best;
}

bool is_gzip_name(const char *file_name)
{
	return suffix_match(".gz", file_name, strlen(file_name)) > 0;
}

const struct prof_format_info *format_by_suffix(const char *file_name)
{
	size_t size = strlen(file_name);
	const struct prof_format_info *f = by_suffix(file_name, size);

	if (!f && is_gzip_name(file_name))
		f = by_suffix(file_name, size - strlen(".gz"));
	return f;
}

void formats_consider(struct nearest *n, unsigned can)
{
	const struct prof_format_info *f;

	for (size_t i = 0; (f = prof_format_info(i)) != NULL; i++)
		if (format_can(f, can))
			nearest_consider(n, f->name);
}

void formats_print(void)
{
	const struct prof_format_info *f;

	for (size_t i = 0; (f = prof_format_info(i)) != NULL; i++)
		printf("%-10s %-10s %s (%s)\n", f->name,
		       !format_can(f, FORMAT_WRITABLE) ? "read" :
		       !format_can(f, FORMAT_READABLE) ? "write" :
		       "read/write",
		       f->about, f->suffixes);
}
