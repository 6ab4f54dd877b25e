/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is put between the semicolons. Without escapes it has no ';' and no
 * control byte; with them it has any, escaped.
 */
#include "format/collapsed_texts.h"

#include "base/utf16.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_special(unsigned char c)
{
	return c < ' ' || c == 0x7f || c == ';' || c == '\\';
}

static bool has_special(struct prof_str s)
{
	bool found = false;

	/* No early end: the compiler makes it 16 bytes a step. */
	for (size_t i = 0; i < s.len; i++)
		found |= is_special((unsigned char)s.ptr[i]);
	return found;
}

static unsigned char *put_hex_escape(unsigned char *to, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = 'x';
	*to++ = (unsigned char)digits[c >> 4];
	*to++ = (unsigned char)digits[c & 15];
	return to;
}

#define ESCAPE_MAX 4 /* bytes that one becomes */

static unsigned char *put_escaped(unsigned char *to, unsigned char c)
{
	if (!is_special(c)) {
		*to++ = c;
		return to;
	}
	if (c != ';' && c != '\\' && c != '\n')
		return put_hex_escape(to, c);
	*to++ = '\\';
	*to++ = c == '\n' ? 'n' : c;
	return to;
}

static unsigned char replacement(unsigned char c)
{
	if (c == ';')
		return ':';
	return c < ' ' || c == 0x7f ? ' ' : c;
}

/* Puts a name into scratch. False: out of memory. */
static bool put_name(struct frame_texts *t, struct prof_str name)
{
	unsigned char *to;

	if (!vec_reserve(&t->scratch, name.len * ESCAPE_MAX + 1, t->a))
		return false;
	to = t->scratch.data + t->scratch.n;
	if (!has_special(name)) {
		if (name.len)
			memcpy(to, name.ptr, name.len);
		to += name.len;
	} else {
		bool is_changed = false;

		for (size_t i = 0; i < name.len; i++) {
			const unsigned char b = (unsigned char)name.ptr[i];

			if (t->options->escape) {
				to = put_escaped(to, b);
			} else {
				*to++ = replacement(b);
				is_changed |= replacement(b) != b;
			}
		}
		t->n_replaced += is_changed;
	}
	t->scratch.n = (size_t)(to - t->scratch.data);
	return true;
}

/* How a text can be misread: text[n] is without its ';'. */
static unsigned char guards_of(const unsigned char *text, size_t n)
{
	unsigned char guards = 0;

	if ((n >= 1 && *text == '#') ||
	    (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) ||
	    utf16_order_of(text, n) != UTF16_NONE)
		guards |= GUARD_ROOT;
	if (n >= 1 && text[n - 1] == ' ')
		guards |= GUARD_LEAF;
	return guards;
}

/* The text in scratch, with a ';' behind it. 0: out of memory. */
static uint32_t intern_text(struct frame_texts *t)
{
	const size_t n = t->scratch.n;
	uint32_t id;

	if (!vec_reserve(&t->scratch, 1, t->a))
		return 0;
	vec_put(&t->scratch, ';');
	id = intern_bytes(&t->interner, t->scratch.data, n + 1, t->a);
	if (id && id >= t->guards.n) { /* it is new: the next, or the first */
		const unsigned char guards = guards_of(t->scratch.data, n);

		if (!vec_reserve(&t->guards, id + 1 - t->guards.n, t->a))
			return 0;
		t->guards.n = id + 1;
		t->guards.data[id] = guards;
		t->has_guards |= guards != 0;
	}
	return id;
}

uint32_t frame_texts_guarded(struct frame_texts *t, uint32_t text,
                             unsigned guards)
{
	const struct prof_str s = byte_table_get(&t->bytes, text);
	const bool escape = t->options->escape;
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t n = s.len - 1;
	unsigned char *to;

	t->scratch.n = 0;
	if (!vec_reserve(&t->scratch, n + 2 * ESCAPE_MAX, t->a))
		return 0;
	to = t->scratch.data;
	if (guards & GUARD_ROOT && escape) {
		to = put_hex_escape(to, *p++);
		n--;
	} else if (guards & GUARD_ROOT) {
		*to++ = ' ';
	}
	memcpy(to, p, n);
	to += n;
	if (guards & GUARD_LEAF && escape)
		to = put_hex_escape(to - 1, ' ');
	else if (guards & GUARD_LEAF)
		while (to > t->scratch.data && to[-1] == ' ')
			to--;
	t->n_replaced += !escape;
	t->scratch.n = (size_t)(to - t->scratch.data);
	return intern_text(t);
}

/* What a location without a function of a name is called: its address. */
static bool put_address(struct frame_texts *t, uint64_t address)
{
	char text[24];
	const int n = snprintf(text, sizeof(text), "0x%" PRIx64, address);

	return put_name(t, (struct prof_str){ text, (size_t)n });
}

/* Renders what is in scratch with the mark of its kind. */
static uint32_t marked_text(struct frame_texts *t, enum frame_kind kind)
{
	const char *const mark = frame_marks[kind];

	if (!put_name(t, (struct prof_str){ mark, strlen(mark) }))
		return 0;
	return intern_text(t);
}

static uint32_t function_text(struct frame_texts *t, uint32_t function,
                              enum frame_kind kind)
{
	const struct row_function *f = &t->p->functions.data[function];
	uint32_t *known = &t->of_functions[function * (size_t)N_FRAME_KINDS +
	                                     kind];

	if (!*known) {
		t->scratch.n = 0;
		if (!put_name(t, profile_string(t->p, f->name ? f->name :
		                                f->system_name)))
			return 0;
		*known = marked_text(t, kind);
	}
	return *known;
}

static uint32_t address_text(struct frame_texts *t, uint64_t address,
                             enum frame_kind kind)
{
	t->scratch.n = 0;
	return put_address(t, address) ? marked_text(t, kind) : 0;
}

static bool has_name(const struct prof_profile *p, const struct prof_line *line)
{
	const struct row_function *f = &p->functions.data[line->function];

	return f->name || f->system_name;
}

/*
 * The frames of a location: its lines, outermost first. One without a name
 * is an address, unless there is none: then it is empty, as it was read.
 */
static bool expand(struct frame_texts *t, uint32_t location)
{
	const struct row_location *l = &t->p->locations.data[location];
	const struct prof_line *lines =
		t->p->lines.data + location_first_line(l);
	const uint32_t n = location_n_lines(l) ? location_n_lines(l) : 1;
	struct expansion *const e = &t->expansions[location];
	enum frame_kind kind = location_kind(t->p, l, t->options);
	uint32_t text = 0;

	if (t->expanded.n + n > UINT32_MAX || !vec_reserve(&t->expanded, n, t->a))
		return false;
	*e = (struct expansion){ (uint32_t)t->expanded.n, n };
	for (uint32_t i = n; i > 0; i--) {
		if (location_n_lines(l) &&
		    (has_name(t->p, &lines[i - 1]) || !l->address))
			text = function_text(t, lines[i - 1].function, kind);
		else
			text = address_text(t, l->address, kind);
		if (!text)
			return false;
		vec_put(&t->expanded, 2 * text);
		kind = t->options->annotate ? FRAME_INLINED : FRAME_PLAIN;
	}
	if (n == 1)
		t->single_forms[location] = 2 * text;
	return true;
}

const uint32_t *frame_forms(struct frame_texts *t, uint32_t location,
                            uint32_t *n)
{
	const struct expansion *const e = &t->expansions[location];

	if (e->n == 0 && !expand(t, location))
		return NULL;
	*n = e->n;
	return t->expanded.data + e->first;
}

bool frame_texts_init(struct frame_texts *t)
{
	const struct prof_profile *p = t->p;

	t->interner = (struct interner){ &t->bytes, .seed = hash_seed() };
	t->of_functions = mem_zeroed(t->a, p->functions.n, N_FRAME_KINDS *
	                             sizeof(*t->of_functions));
	t->expansions = mem_zeroed(t->a, p->locations.n,
	                           sizeof(*t->expansions));
	t->single_forms = mem_zeroed(t->a, p->locations.n,
	                             sizeof(*t->single_forms));
	return byte_table_begin(&t->bytes, t->a) && t->of_functions &&
		t->expansions && t->single_forms;
}

void frame_texts_release(struct frame_texts *t)
{
	const struct prof_profile *p = t->p;

	mem_free(t->a, t->of_functions, p->functions.n * N_FRAME_KINDS *
	         sizeof(*t->of_functions));
	mem_free(t->a, t->expansions, p->locations.n * sizeof(*t->expansions));
	mem_free(t->a, t->single_forms,
	         p->locations.n * sizeof(*t->single_forms));
	byte_table_release(&t->bytes, t->a);
	intern_release(&t->interner, t->a);
	vec_release(&t->guards, t->a);
	vec_release(&t->scratch, t->a);
	vec_release(&t->expanded, t->a);
}
