/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps: the lines of executable mappings, by Go's rules (those of
 * runtime/pprof parseProcSelfMaps): " (deleted)" is cut off, mappings without
 * a file and a name are left out, [vdso] and [vsyscall] are kept. Lines that
 * belong to no maps file are passed over; a text of nothing else is an error.
 */
#include <profile/raw.h>

#include "base/error.h"

#include <string.h>

struct cursor {
	const char *p, *end;
	bool failed; /* sticky */
};

static uint64_t take_hex(struct cursor *c)
{
	const char *const begin = c->p;
	uint64_t n = 0;

	for (; c->p < c->end; c->p++) {
		const char ch = *c->p;
		unsigned digit;

		if (ch >= '0' && ch <= '9')
			digit = (unsigned)(ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			digit = (unsigned)(ch - 'a') + 10;
		else
			break;
		n = n << 4 | digit;
	}
	if (c->p == begin || c->p - begin > 16)
		c->failed = true;
	return n;
}

static void take_char(struct cursor *c, char ch)
{
	if (c->p < c->end && *c->p == ch)
		c->p++;
	else
		c->failed = true;
}

static void take_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

static struct prof_str take_word(struct cursor *c)
{
	struct prof_str word = { c->p, 0 };

	while (c->p < c->end && *c->p != ' ' && *c->p != '\t')
		c->p++;
	word.len = (size_t)(c->p - word.ptr);
	take_blanks(c);
	return word;
}

static struct prof_str without_deleted(struct prof_str file)
{
	static const char deleted[] = " (deleted)";
	const size_t n = sizeof(deleted) - 1;

	if (file.len >= n && memcmp(file.ptr + file.len - n, deleted, n) == 0)
		file.len -= n;
	return file;
}

/* One line. False: not an executable mapping that has a name. */
static bool parse_line(struct cursor *c, struct prof_mapping *m)
{
	struct prof_str perms, inode;

	memset(m, 0, sizeof(*m));
	m->start = take_hex(c);
	take_char(c, '-');
	m->limit = take_hex(c);
	take_blanks(c);
	perms = take_word(c);
	m->offset = take_hex(c);
	take_blanks(c);
	take_word(c); /* device */
	inode = take_word(c);
	while (c->end > c->p && (c->end[-1] == '\r'))
		c->end--;
	m->file = without_deleted((struct prof_str){
		c->p, (size_t)(c->end - c->p) });
	if (c->failed || perms.len < 3 || inode.len == 0) {
		c->failed = true;
		return false;
	}
	if (perms.ptr[2] != 'x')
		return false;
	return m->file.len || inode.len != 1 || inode.ptr[0] != '0';
}

enum prof_status prof_record_maps(const struct prof_recorder *r, uint64_t time,
                                  const char *text, size_t size,
                                  struct prof_error *err)
{
	const char *const end = text + size;
	uint64_t line = 1, first_bad = 0;
	bool has_good = false;

	for (; text < end; line++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct cursor c = { text, newline ? newline : end, false };
		struct prof_mapping m;
		enum prof_status status = PROF_OK;

		take_blanks(&c);
		if (c.p < c.end && parse_line(&c, &m))
			status = r->mapping(r->ctx, time, &m, err);
		if (status != PROF_OK)
			return status;
		if (c.failed && !first_bad)
			first_bad = line;
		has_good = has_good || !c.failed;
		text = newline ? newline + 1 : end;
	}
	if (first_bad && !has_good)
		return error_at_line(err, PROF_CORRUPT, first_bad,
		                     "this is no line of /proc/PID/maps");
	return PROF_OK;
}
