/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap checker of gperftools, and scripts, feed `pprof --symbols` with the
 * maps of a process and addresses in it, and read back a line for each. The
 * same input and the same output, so that this takes its place.
 */
#include "address_names.h"

#include <profile/raw.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mapping with its id in the profile. */
struct range {
	uint64_t start, limit;
	uint32_t mapping;
};

struct lookup {
	struct prof_builder *builder;
	struct range *ranges;  /* sorted by start */
	size_t n_ranges, ranges_size;
	uint32_t *locations;   /* of each address, in its turn */
	size_t n, size;
};

static enum prof_status fail(struct prof_error *err, enum prof_status status,
                             const char *message)
{
	*err = (struct prof_error){ .status = status, .offset = UINT64_MAX };
	snprintf(err->message, sizeof(err->message), "%s", message);
	return status;
}

static enum prof_status read_all(struct prof_source source,
                                 struct prof_buffer *text,
                                 struct prof_error *err)
{
	const struct prof_sink sink = prof_sink_buffer(text);
	char block[1 << 14];
	ptrdiff_t n;

	while ((n = source.read(source.ctx, block, sizeof(block))) > 0) {
		if (text->size + (size_t)n > ADDRESS_NAMES_MAX)
			return fail(err, PROF_LIMIT, "more than 1 GiB");
		if (sink.write(sink.ctx, block, (size_t)n) != 0)
			return fail(err, PROF_NOMEM, "out of memory");
	}
	if (n == 0)
		return PROF_OK;
	fail(err, PROF_SYSTEM, "cannot read");
	err->sys_errno = (int)-n;
	return PROF_SYSTEM;
}

/* Room for one more of items[n]; false: out of memory. */
static bool reserve(void **items, size_t n, size_t *size, size_t item_size)
{
	const size_t wanted = 2 * n + 64;
	void *grown;

	if (n < *size)
		return true;
	grown = realloc(*items, wanted * item_size);
	if (!grown)
		return false;
	*items = grown;
	*size = wanted;
	return true;
}

/* ---- The maps ---- */

static enum prof_status take_mapping(void *ctx, uint64_t time,
                                     const struct prof_mapping *m,
                                     struct prof_error *err)
{
	struct lookup *l = ctx;
	void *ranges = l->ranges;

	(void)time;
	if (!reserve(&ranges, l->n_ranges, &l->ranges_size,
	             sizeof(*l->ranges)))
		return fail(err, PROF_NOMEM, "out of memory");
	l->ranges = ranges;
	l->ranges[l->n_ranges++] = (struct range){
		m->start, m->limit, prof_add_mapping(l->builder, m)
	};
	return PROF_OK;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static enum prof_status take_maps(struct lookup *l, const char *text,
                                  size_t size, struct prof_error *err)
{
	const struct prof_recorder recorder = { .mapping = take_mapping,
		                                .ctx = l };
	const enum prof_status status = prof_record_maps(&recorder, 0, text,
	                                                 size, err);

	if (l->n_ranges)
		qsort(l->ranges, l->n_ranges, sizeof(*l->ranges), by_start);
	/* No line of maps: then no address has a name. */
	return status == PROF_CORRUPT ? PROF_OK : status;
}

/* The id of the mapping that has an address, or 0. */
static uint32_t find_mapping(const struct lookup *l, uint64_t address)
{
	size_t from = 0, to = l->n_ranges;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;

		if (l->ranges[mid].start <= address)
			from = mid + 1;
		else
			to = mid;
	}
	return from > 0 && address < l->ranges[from - 1].limit
	       ? l->ranges[from - 1].mapping : 0;
}

/* ---- The addresses ---- */

/* A line of one number, with 0x or without, and blanks around it. */
static bool parse_address(const char *p, const char *end, uint64_t *address)
{
	const char *digits;

	while (end > p && (end[-1] == ' ' || end[-1] == '\t' ||
	                   end[-1] == '\r'))
		end--;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		p += 2;
	*address = 0;
	for (digits = p; p < end; p++) {
		static const char hex[] = "0123456789abcdef";
		const char *digit = *p ? strchr(hex, *p >= 'A' ? *p | 0x20
		                                               : *p) : NULL;

		if (!digit || *address >> 60)
			return false;
		*address = *address << 4 | (uint64_t)(digit - hex);
	}
	return p > digits;
}

/* False: a line that is neither of maps nor empty. */
static bool is_expected(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r", *p))
		p++;
	if (p == end)
		return true;
	while (p < end && *p && strchr("0123456789abcdef", *p))
		p++;
	return p < end && *p == '-';
}

static bool take_address(struct lookup *l, uint64_t address)
{
	const struct prof_location location = {
		.address = address, .mapping = find_mapping(l, address)
	};
	void *locations = l->locations;

	if (!reserve(&locations, l->n, &l->size, sizeof(*l->locations)))
		return false;
	l->locations = locations;
	l->locations[l->n++] = prof_add_location(l->builder, &location);
	return true;
}

static enum prof_status take_addresses(struct lookup *l, const char *text,
                                       size_t size,
                                       const struct teller *teller,
                                       struct prof_error *err)
{
	const char *const end = text + size;
	unsigned long n_junk = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;
		uint64_t address;

		if (!parse_address(text, line_end, &address))
			n_junk += !is_expected(text, line_end);
		else if (!take_address(l, address))
			return fail(err, PROF_NOMEM, "out of memory");
		text = newline ? newline + 1 : end;
	}
	if (n_junk)
		tell_verbose(teller, "passed over: %lu line%s neither of maps "
		             "nor an address", n_junk, n_junk > 1 ? "s" : "");
	return PROF_OK;
}

/* ---- The names ---- */

static void put(struct prof_sink sink, const char *text, size_t n, int *failed)
{
	if (*failed == 0 && n > 0)
		*failed = sink.write(sink.ctx, text, n);
}

static void put_names(const struct prof_profile *p, uint32_t id,
                      struct prof_sink sink, int *failed)
{
	struct prof_location l = { .n_lines = 0 };
	struct prof_function f;

	prof_get_location(p, id, &l);
	for (uint32_t i = 0; i < l.n_lines; i++) {
		put(sink, "--", i ? 2 : 0, failed);
		if (prof_get_function(p, l.lines[i].function, &f) &&
		    f.name.len)
			put(sink, f.name.ptr, f.name.len, failed);
		else
			put(sink, "??", 2, failed);
	}
	put(sink, "??", l.n_lines ? 0 : 2, failed);
	put(sink, "\n", 1, failed);
}

static enum prof_status write_names(const struct lookup *l,
                                    const struct prof_profile *p,
                                    struct prof_sink sink,
                                    struct prof_error *err)
{
	struct prof_buffer text = { 0 };
	const struct prof_sink buffer = prof_sink_buffer(&text);
	int failed = 0;
	enum prof_status status = PROF_OK;

	for (size_t i = 0; i < l->n; i++)
		put_names(p, l->locations[i], buffer, &failed);
	if (failed == 0) {
		put(sink, (const char *)text.data, text.size, &failed);
		status = failed ? PROF_SYSTEM : PROF_OK;
	} else {
		status = PROF_NOMEM;
	}
	if (status != PROF_OK)
		fail(err, status, status == PROF_NOMEM ? "out of memory"
		                                       : "cannot write");
	err->sys_errno = status == PROF_SYSTEM ? -failed : 0;
	prof_buffer_release(&text);
	return status;
}

/* The maps, where they come apart, and then the input. */
static enum prof_status read_both(struct prof_source maps,
                                  struct prof_source source,
                                  struct prof_buffer *text,
                                  struct prof_error *err)
{
	const struct prof_sink sink = prof_sink_buffer(text);
	enum prof_status status = PROF_OK;

	if (maps.read)
		status = read_all(maps, text, err);
	if (status == PROF_OK && text->size &&
	    sink.write(sink.ctx, "\n", 1) != 0)
		status = fail(err, PROF_NOMEM, "out of memory");
	return status == PROF_OK ? read_all(source, text, err) : status;
}

enum prof_status address_names(const struct symbols *s,
                               struct prof_source maps,
                               struct prof_source source,
                               struct prof_sink sink,
                               const struct teller *teller, int *code,
                               struct prof_error *err)
{
	struct lookup l = { .builder = prof_builder_new(NULL) };
	struct prof_buffer text = { 0 };
	struct prof_profile *p = NULL;
	enum prof_status status;

	*code = CLI_CONTINUE;
	if (!l.builder)
		return fail(err, PROF_NOMEM, "out of memory");
	status = read_both(maps, source, &text, err);
	if (status == PROF_OK && text.size)
		status = take_maps(&l, (char *)text.data, text.size, err);
	if (status == PROF_OK && text.size)
		status = take_addresses(&l, (char *)text.data, text.size,
		                        teller, err);
	if (status == PROF_OK)
		status = prof_builder_finish(&p, l.builder, err);
	else
		prof_builder_free(l.builder);
	if (status == PROF_OK)
		*code = symbols_apply(s, SYMBOLS_AUTO, p, teller);
	if (status == PROF_OK && *code == CLI_CONTINUE)
		status = write_names(&l, p, sink, err);
	prof_profile_free(p);
	prof_buffer_release(&text);
	free(l.ranges);
	free(l.locations);
	return status;
}
