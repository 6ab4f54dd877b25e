/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for addresses: the program that the oracle test and the bench feed.
 *
 *	addresses FILE [NAME=VALUE ...] < ADDRESSES
 *
 * ADDRESSES are hexadecimal, one a line, and as the file has them, unless
 * start=, limit= and offset= tell a mapping. Output is that of
 * llvm-symbolizer: the address, then name and FILE:LINE:COLUMN of each frame,
 * innermost first, then an empty line. report=1 tells the reason instead.
 * names=system prints the linker's names.
 */
#include <profile/symbolize.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	struct prof_symbolize_options options;
	struct prof_mapping mapping;
	bool wants_report, wants_system_names, is_quiet;
};

static const char *const modes[] = { "auto", "force", "none", NULL };
static const char *const demangles[] = { "default", "templates", "full",
	                                 "none", NULL };

static unsigned choose(const char *const names[], const char *value)
{
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	fprintf(stderr, "no such choice: %s\n", value);
	exit(2);
}

static void take(struct arguments *a, const char *name, const char *value)
{
	uint64_t number = strtoull(value, NULL, 16);

	if (strcmp(name, "start") == 0)
		a->mapping.start = number;
	else if (strcmp(name, "limit") == 0)
		a->mapping.limit = number;
	else if (strcmp(name, "offset") == 0)
		a->mapping.offset = number;
	else if (strcmp(name, "build_id") == 0)
		a->mapping.build_id = (struct prof_str){ value, strlen(value) };
	else if (strcmp(name, "mode") == 0)
		a->options.mode =
			(enum prof_symbolize_mode)choose(modes, value);
	else if (strcmp(name, "demangle") == 0)
		a->options.demangle =
			(enum prof_demangle)choose(demangles, value);
	else if (strcmp(name, "threads") == 0)
		a->options.n_threads = (uint32_t)number;
	else if (strcmp(name, "inlines") == 0)
		a->options.no_inlines = number == 0;
	else if (strcmp(name, "debuginfod") == 0)
		a->options.debuginfod = number != 0;
	else if (strcmp(name, "binary_path") == 0)
		a->options.binary_path = value;
	else if (strcmp(name, "debug_path") == 0)
		a->options.debug_path = value;
	else if (strcmp(name, "perf_map") == 0)
		a->options.perf_map = value;
	else if (strcmp(name, "kallsyms") == 0)
		a->options.kallsyms = value;
	else if (strcmp(name, "report") == 0)
		a->wants_report = number != 0;
	else if (strcmp(name, "quiet") == 0)
		a->is_quiet = number != 0;
	else if (strcmp(name, "names") == 0)
		a->wants_system_names = strcmp(value, "system") == 0;
	else
		exit(2);
}

static void print_report(void *ctx, const struct prof_mapping_report *r)
{
	(void)ctx;
	printf("%u locations, %u resolved, %u inlined: %s\n", r->n_locations,
	       r->n_resolved, r->n_inlined,
	       prof_symbolize_reason_string(r->reason));
}

/* Reads a line of a hexadecimal number. */
static bool read_address(uint64_t *address)
{
	int c = getchar_unlocked();

	*address = 0;
	if (c == EOF)
		return false;
	for (; c != EOF && c != '\n'; c = getchar_unlocked()) {
		if (c >= '0' && c <= '9')
			*address = *address << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*address = *address << 4 | (uint64_t)(c - 'a' + 10);
	}
	return true;
}

static struct prof_profile *read_addresses(const struct prof_mapping *m)
{
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_location l = { 0 };
	struct prof_profile *p;
	struct prof_error err;

	l.mapping = prof_add_mapping(b, m);
	while (read_address(&l.address))
		prof_add_location(b, &l);
	if (prof_builder_finish(&p, b, &err) != PROF_OK) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return p;
}

static void put_text(const char *text, size_t size)
{
	fwrite_unlocked(text, 1, size, stdout);
}

static void put_number(uint64_t n, unsigned base, char end)
{
	char digits[24], *p = digits + sizeof(digits);

	*--p = end;
	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) > 0);
	put_text(p, (size_t)(digits + sizeof(digits) - p));
}

static void put_string(struct prof_str s)
{
	if (s.len)
		put_text(s.ptr, s.len);
	else
		put_text("??", 2);
}

static void print_location(const struct prof_profile *p,
                           const struct prof_location *l, bool is_system)
{
	put_text("0x", 2);
	put_number(l->address, 16, '\n');
	for (uint32_t i = 0; i < l->n_lines; i++) {
		struct prof_function f;

		prof_get_function(p, l->lines[i].function, &f);
		put_string(is_system ? f.system_name : f.name);
		put_text("\n", 1);
		put_string(f.filename);
		put_text(":", 1);
		put_number((uint64_t)l->lines[i].line, 10, ':');
		put_number((uint64_t)l->lines[i].column, 10, '\n');
	}
	if (l->n_lines == 0)
		put_text("??\n??:0:0\n", 10);
	put_text("\n", 1);
}

int main(int argc, char **argv)
{
	struct arguments a = {
		.options = PROF_OPTIONS(prof_symbolize_options, .pid = 0)
	};
	struct prof_location l;
	struct prof_profile *p;
	struct prof_error err;

	if (argc < 2)
		return 2;
	a.mapping.file = (struct prof_str){ argv[1], strlen(argv[1]) };
	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			return 2;
		*equals = '\0';
		take(&a, argv[i], equals + 1);
	}
	if (a.wants_report)
		a.options.report = print_report;
	p = read_addresses(&a.mapping);
	if (prof_symbolize(p, &a.options, &err) != PROF_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (uint32_t id = 1; !a.wants_report && !a.is_quiet &&
	                      prof_get_location(p, id, &l); id++)
		print_location(p, &l, a.wants_system_names);
	prof_profile_free(p);
	return 0;
}
