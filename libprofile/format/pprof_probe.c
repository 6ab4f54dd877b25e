/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile.proto has no magic number, and much text begins with what could be
 * a field: '2' is the tag of a string, '\n' that of a sample type. So the
 * fields that the head has whole must be right down to the fields of their
 * messages, and no text is one: a profile that anything can be said of has a
 * message with a number in it, and with that bytes that text has not.
 */
#include "format/pprof_fields.h"

#include <stdbool.h>
#include <string.h>

#define V (1u << WIRE_VARINT)
#define B (1u << WIRE_BYTES)
#define MAX_FIELD 10 /* of a message that is known here */
#define HEAD_SIZE 512
#define VALUE_TYPE_MAX 64 /* bytes, with what newer ones may have */

/* Which wire types each field of the profile may have, and each field of its
   messages. */
static const struct {
	unsigned types, fields[MAX_FIELD + 1];
} allowed[PROFILE_DOC_URL + 1] = {
	[PROFILE_SAMPLE_TYPE] = { B, { 0, V, V } },
	[PROFILE_SAMPLE] = { B, { 0, V | B, V | B, B } },
	[PROFILE_MAPPING] = { B, { 0, V, V, V, V, V, V, V, V, V, V } },
	[PROFILE_LOCATION] = { B, { 0, V, V, V, B, V } },
	[PROFILE_FUNCTION] = { B, { 0, V, V, V, V, V } },
	[PROFILE_STRING_TABLE] = { B, { 0 } },
	[PROFILE_DROP_FRAMES] = { V, { 0 } },
	[PROFILE_KEEP_FRAMES] = { V, { 0 } },
	[PROFILE_TIME_NANOS] = { V, { 0 } },
	[PROFILE_DURATION_NANOS] = { V, { 0 } },
	[PROFILE_PERIOD_TYPE] = { B, { 0, V, V } },
	[PROFILE_PERIOD] = { V, { 0 } },
	[PROFILE_COMMENT] = { V | B, { 0 } },
	[PROFILE_DEFAULT_SAMPLE_TYPE] = { V, { 0 } },
	[PROFILE_DOC_URL] = { V, { 0 } },
};

static bool is_text(const unsigned char *p, size_t size)
{
	static const char blanks[] = { '\t', '\n', '\r', '\f', '\033' };

	for (size_t i = 0; i < size; i++)
		if (p[i] < ' ' && !memchr(blanks, p[i], sizeof(blanks)))
			return false;
	return true;
}

/* Whether all of a message is fields that it may have. */
static bool is_message(const struct field *message)
{
	const unsigned *const types = allowed[message->number].fields;
	const unsigned char *p = message->bytes;
	const unsigned char *const end = p + message->value;
	struct field f;

	while (p < end) {
		p = next_field(p, end, &f);
		if (!p)
			return false;
		if (f.number <= MAX_FIELD && types[f.number] &&
		    !(types[f.number] & 1u << f.type))
			return false;
	}
	return true;
}

static bool is_right(const struct field *f)
{
	if (!(allowed[f->number].types & 1u << f->type))
		return false;
	return !allowed[f->number].fields[1] || is_message(f);
}

/* Whether the first field is one that goes on behind the head. */
static bool begins_long(const unsigned char *p, const unsigned char *end)
{
	uint64_t tag, size;

	p = varint_get(p, end, &tag);
	if (!p || tag >> 3 == 0 || tag >> 3 > PROFILE_STRING_TABLE ||
	    (tag & 7) != WIRE_BYTES)
		return false;
	p = varint_get(p, end, &size);
	return p && size > (uint64_t)(end - p) &&
		(tag >> 3 != PROFILE_SAMPLE_TYPE || size <= VALUE_TYPE_MAX);
}

/* A sample type of 2 to 12 bytes is what nearly all profiles begin with. */
int pprof_probe(const unsigned char *head, size_t size)
{
	const unsigned char *p = head;
	const unsigned char *const end =
		head + (size < HEAD_SIZE ? size : HEAD_SIZE);
	int n_fields = 0;

	if (is_text(head, (size_t)(end - head)))
		return 0;
	while (p < end) {
		struct field f;
		const unsigned char *const next = next_field(p, end, &f);

		if (!next || f.number > PROFILE_DOC_URL)
			break;
		if (!is_right(&f))
			return 0;
		n_fields++;
		p = next;
	}
	if (n_fields == 0)
		return begins_long(head, end) ? 1 : 0;
	return head[0] == PPROF_TAG(PROFILE_SAMPLE_TYPE, WIRE_BYTES) &&
		n_fields >= 2 ? 3 : 1;
}
