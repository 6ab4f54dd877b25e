/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_text.h"

#include <stdlib.h>
#include <string.h>

struct assembler {
	const char *p;
	struct bytes out;
};

static void put(struct bytes *out, const void *bytes, size_t n)
{
	out->data = realloc(out->data, out->size + n + 1);
	ck_assert_ptr_nonnull(out->data);
	if (n)
		memcpy(out->data + out->size, bytes, n);
	out->size += n;
}

/* min_size: more bytes than the number needs. */
static void put_varint(struct bytes *out, uint64_t n, size_t min_size)
{
	for (size_t i = 1; n >= 0x80 || i < min_size; i++, n >>= 7)
		put(out, &(unsigned char){ (unsigned char)(n | 0x80) }, 1);
	put(out, &(unsigned char){ (unsigned char)n }, 1);
}

static uint64_t take_number(struct assembler *a)
{
	char *end;
	const uint64_t n = *a->p == '-' ?
		(uint64_t)strtoll(a->p, &end, 0) : strtoull(a->p, &end, 0);

	ck_assert_msg(end != a->p, "no number at \"%.20s\"", a->p);
	a->p = end;
	return n;
}

static void take_blanks(struct assembler *a)
{
	a->p += strspn(a->p, " \n\t");
}

static void take_fields(struct assembler *a, char end);

/* The size of what was put from `begin` on goes before it. */
static void close_bytes(struct assembler *a, struct bytes before)
{
	struct bytes content = a->out;

	a->out = before;
	put_varint(&a->out, content.size, 1);
	put(&a->out, content.data, content.size);
	free(content.data);
}

static void take_packed(struct assembler *a)
{
	for (take_blanks(a); *a->p != ']'; take_blanks(a)) {
		const bool is_long = *a->p == '~';

		a->p += is_long;
		put_varint(&a->out, take_number(a), is_long ? 10 : 1);
	}
	a->p++;
}

static void take_quoted(struct assembler *a)
{
	const size_t n = strcspn(a->p, "'");

	put(&a->out, a->p, n);
	a->p += n + 1;
}

static void take_hex(struct assembler *a)
{
	for (take_blanks(a); *a->p != '|'; take_blanks(a)) {
		char *end;
		const unsigned char byte =
			(unsigned char)strtoul(a->p, &end, 16);

		ck_assert_ptr_ne(end, a->p);
		put(&a->out, &byte, 1);
		a->p = end;
	}
	a->p++;
}

static void take_field(struct assembler *a)
{
	static const char kinds[] = ":~{['#%";
	static const unsigned char types[] = { 0, 0, 2, 2, 2, 1, 5 };
	static const unsigned char zeros[8] = { 0 };
	const uint64_t number = take_number(a);
	const char kind = *a->p++;
	const char *at = strchr(kinds, kind);
	struct bytes before;

	ck_assert_msg(kind && at, "no kind of field: '%c'", kind);
	put_varint(&a->out, number << 3 | types[at - kinds], 1);
	if (kind == ':' || kind == '~') {
		put_varint(&a->out, take_number(a), kind == '~' ? 10 : 1);
		return;
	}
	if (kind == '#' || kind == '%') {
		put(&a->out, zeros, kind == '#' ? 8 : 4);
		return;
	}
	before = a->out;
	a->out = (struct bytes){ 0 };
	if (kind == '{')
		take_fields(a, '}');
	else if (kind == '[')
		take_packed(a);
	else
		take_quoted(a);
	close_bytes(a, before);
}

static void take_fields(struct assembler *a, char end)
{
	for (take_blanks(a); *a->p != end; take_blanks(a)) {
		ck_assert_int_ne(*a->p, '\0');
		if (*a->p == '|') {
			a->p++;
			take_hex(a);
		} else {
			take_field(a);
		}
	}
	if (end)
		a->p++;
}

struct bytes wire_from_text(const char *text)
{
	struct assembler a = { .p = text };

	take_fields(&a, '\0');
	put(&a.out, NULL, 0);
	return a.out;
}
