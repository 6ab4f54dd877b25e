/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: lines are sorted by their text, but comparing texts of
 * a thousand bytes that begin alike would take longer than all else. So the
 * few frames are rendered and sorted once, and stacks are compared as
 * sequences of their ranks.
 *
 * That gives the order of the texts because a frame that is followed by
 * others is ranked with its ';', and the last one without: "a b" comes
 * before "a;c" though "a" comes before "a b". No rendered frame has a ';' of
 * its own that is not escaped, so none is the beginning of another, and the
 * first one that differs decides.
 *
 * The state: `texts` are the rendered frames, each with its ';'. A frame in a
 * sequence is a form, 2 * text + FORM_LEAF where it is the last, and once
 * all are known, the rank of that form. Only locations of stacks that some
 * sample has are rendered.
 *
 * A line is put together from what it has in common with the one before it,
 * and the rest: in sorted order a memcpy() and a few frames.
 */
#include "format/collapsed.h"

#include "base/error.h"
#include "base/sort.h"
#include "base/utf16.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORM_LEAF 1u
/* So that ranks can be taken two at a time: see stack_key(). */
#define SEQUENCE_END 2

/* Where a text would be read as something else. */
enum text_guard {
	GUARD_ROOT = 1, /* as a comment, or a byte order mark */
	GUARD_LEAF = 2  /* as one without the blanks at its end */
};

/* The forms of a location, outermost first. */
struct expansion {
	uint32_t first; /* n 1: the form itself; else index of the first */
	uint32_t n;     /* 0: not rendered yet */
};

struct writer {
	const struct prof_profile *p;
	struct format_writing *w;
	struct prof_error *err;
	const struct prof_allocator *a;

	uint32_t columns[2], n_columns;
	int64_t *sums; /* n_columns for each stack id */
	bool *is_used; /* by stack id */

	struct byte_table text_bytes;
	struct interner texts;
	VEC(unsigned char) guards; /* by text: of enum text_guard */
	bool has_guards;
	VEC(unsigned char) scratch; /* a text being rendered */
	uint32_t *function_texts;   /* N_FRAME_KINDS for each; 0: none yet */
	struct expansion *expansions; /* by location */
	VEC(uint32_t) inlined;      /* forms of expansions of several */
	uint64_t n_replaced;        /* names that were changed */

	/* For each stack its id, its sequence, and SEQUENCE_END zeros. */
	VEC(uint32_t) sequences;
	/* The stacks: where their sequences begin. In order once sorted. */
	VEC(struct sort_item) stacks;
	uint32_t *form_of_rank;

	VEC(unsigned char) line;
	VEC(size_t) ends; /* of the frames in the line, by position */
};

/* ---- Values ---- */

static bool is_type(const struct writer *c, uint32_t column, const char *type)
{
	const struct prof_str s = profile_string(
		c->p, c->p->sample_types.data[column].type);

	return s.len == strlen(type) && memcmp(s.ptr, type, s.len) == 0;
}

/* A difference is written whole, anything else one column of. */
static enum prof_status choose_columns(struct writer *c)
{
	const char *name = c->w->options.sample_type;

	c->n_columns = 1;
	if (c->p->sample_types.n == 0) {
		c->n_columns = 0;
		return PROF_OK;
	}
	if (!name && c->p->sample_types.n == 2 && is_type(c, 0, "before") &&
	    is_type(c, 1, "after")) {
		c->columns[1] = 1;
		c->n_columns = 2;
		return PROF_OK;
	}
	return prof_find_sample_type(&c->columns[0], c->p, name ? name : "",
	                             c->err);
}

static enum prof_status add_to_sum(const struct writer *c, int64_t *sum,
                                   int64_t value)
{
	const int64_t before = *sum;

	if (__builtin_add_overflow(before, value, sum))
		return error_set(c->err, PROF_OVERFLOW, "the sum of the values "
		                 "%" PRId64 " and %" PRId64 " of equal stacks "
		                 "leaves the range of 64 bits", before, value);
	return PROF_OK;
}

/* Adds up the samples of each stack, whatever their labels. */
static enum prof_status sum_samples(struct writer *c)
{
	const struct prof_profile *p = c->p;
	const size_t n_stacks = (size_t)prof_n_stacks(p) + 1;
	const size_t width = p->sample_types.n;

	c->is_used = mem_zeroed(c->a, n_stacks, sizeof(*c->is_used));
	c->sums = mem_zeroed(c->a, n_stacks, 2 * sizeof(*c->sums));
	if (!c->is_used || !c->sums)
		return error_nomem(c->err);
	for (size_t i = 0; i < p->samples.n; i++) {
		const uint32_t stack = p->samples.data[i].stack;

		c->is_used[stack] = true;
		for (uint32_t k = 0; k < c->n_columns; k++) {
			const enum prof_status status = add_to_sum(
				c, &c->sums[2 * (size_t)stack + k],
				p->values.data[i * width + c->columns[k]]);

			if (status != PROF_OK)
				return status;
		}
	}
	return PROF_OK;
}

/* ---- Frames ---- */

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
static bool put_name(struct writer *c, struct prof_str name)
{
	unsigned char *to;

	if (!vec_reserve(&c->scratch, name.len * ESCAPE_MAX, c->a))
		return false;
	to = c->scratch.data + c->scratch.n;
	if (!has_special(name)) {
		if (name.len)
			memcpy(to, name.ptr, name.len);
		to += name.len;
	} else {
		bool is_changed = false;

		for (size_t i = 0; i < name.len; i++) {
			const unsigned char b = (unsigned char)name.ptr[i];

			if (c->w->options.escape) {
				to = put_escaped(to, b);
			} else {
				*to++ = replacement(b);
				is_changed |= replacement(b) != b;
			}
		}
		c->n_replaced += is_changed;
	}
	c->scratch.n = (size_t)(to - c->scratch.data);
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
static uint32_t intern_text(struct writer *c)
{
	const size_t n = c->scratch.n;
	uint32_t id;

	if (!vec_reserve(&c->scratch, 1, c->a))
		return 0;
	vec_put(&c->scratch, ';');
	id = intern_bytes(&c->texts, c->scratch.data, n + 1, c->a);
	if (id && id >= c->guards.n) { /* it is new: the next, or the first */
		const unsigned char guards = guards_of(c->scratch.data, n);

		if (!vec_reserve(&c->guards, id + 1 - c->guards.n, c->a))
			return 0;
		c->guards.n = id + 1;
		c->guards.data[id] = guards;
		c->has_guards |= guards != 0;
	}
	return id;
}

/*
 * A text of the same frame that is read as it is written: escaped, or with a
 * blank before it, or without those behind it. 0: out of memory.
 */
static uint32_t guarded_text(struct writer *c, uint32_t text, unsigned guards)
{
	const struct prof_str s = byte_table_get(&c->text_bytes, text);
	const bool escape = c->w->options.escape;
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t n = s.len - 1;
	unsigned char *to;

	c->scratch.n = 0;
	if (!vec_reserve(&c->scratch, n + 2 * ESCAPE_MAX, c->a))
		return 0;
	to = c->scratch.data;
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
		while (to > c->scratch.data && to[-1] == ' ')
			to--;
	c->n_replaced += !escape;
	c->scratch.n = (size_t)(to - c->scratch.data);
	return intern_text(c);
}

/* What a location without a function of a name is called: its address. */
static bool put_address(struct writer *c, uint64_t address)
{
	char text[24];
	const int n = snprintf(text, sizeof(text), "0x%" PRIx64, address);

	return put_name(c, (struct prof_str){ text, (size_t)n });
}

/* Renders what is in scratch with the mark of its kind. */
static uint32_t marked_text(struct writer *c, enum frame_kind kind)
{
	const char *const mark = frame_marks[kind];

	if (!put_name(c, (struct prof_str){ mark, strlen(mark) }))
		return 0;
	return intern_text(c);
}

static uint32_t function_text(struct writer *c, uint32_t function,
                              enum frame_kind kind)
{
	const struct row_function *f = &c->p->functions.data[function];
	uint32_t *known = &c->function_texts[function * (size_t)N_FRAME_KINDS +
	                                     kind];

	if (!*known) {
		c->scratch.n = 0;
		if (!put_name(c, profile_string(c->p, f->name ? f->name :
		                                f->system_name)))
			return 0;
		*known = marked_text(c, kind);
	}
	return *known;
}

static uint32_t address_text(struct writer *c, uint64_t address,
                             enum frame_kind kind)
{
	c->scratch.n = 0;
	return put_address(c, address) ? marked_text(c, kind) : 0;
}

static bool has_name(const struct prof_profile *p, const struct prof_line *line)
{
	const struct row_function *f = &p->functions.data[line->function];

	return f->name || f->system_name;
}

static bool begins_with(struct prof_str s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.ptr, with, strlen(with)) == 0;
}

/* What the mapping of a location says of its code. */
static enum frame_kind location_kind(const struct writer *c,
                                     const struct row_location *l)
{
	struct prof_str file;

	if (!c->w->options.annotate || !l->mapping)
		return FRAME_PLAIN;
	file = profile_string(c->p, c->p->mappings.data[l->mapping].file);
	if (begins_with(file, "[kernel"))
		return FRAME_KERNEL;
	if (begins_with(file, JIT_FILE) || begins_with(file, "/tmp/perf-"))
		return FRAME_JIT;
	return FRAME_PLAIN;
}

/*
 * The frames of a location: its lines, outermost first. One without a name
 * is an address, unless there is none: then it is empty, as it was read.
 */
static bool expand(struct writer *c, uint32_t location)
{
	const struct row_location *l = &c->p->locations.data[location];
	const struct prof_line *lines =
		c->p->lines.data + location_first_line(l);
	const uint32_t n = location_n_lines(l) ? location_n_lines(l) : 1;
	struct expansion *const e = &c->expansions[location];
	enum frame_kind kind = location_kind(c, l);
	uint32_t text = 0;

	if (c->inlined.n + n > UINT32_MAX || !vec_reserve(&c->inlined, n, c->a))
		return false;
	*e = (struct expansion){ (uint32_t)c->inlined.n, n };
	for (uint32_t i = n; i > 0; i--) {
		if (location_n_lines(l) &&
		    (has_name(c->p, &lines[i - 1]) || !l->address))
			text = function_text(c, lines[i - 1].function, kind);
		else
			text = address_text(c, l->address, kind);
		if (!text)
			return false;
		vec_put(&c->inlined, 2 * text);
		kind = c->w->options.annotate ? FRAME_INLINED : FRAME_PLAIN;
	}
	if (n == 1) {
		c->inlined.n--;
		e->first = 2 * text;
	}
	return true;
}

/* ---- Sequences ---- */

/* The id that ends at `end`, which is moved to its begin. */
static uint32_t last_location(const unsigned char *begin,
                              const unsigned char **end)
{
	const unsigned char *p = *end - 1;
	uint32_t id = *p;

	while (p > begin && p[-1] & 0x80)
		id = id << 7 | (*--p & 0x7f);
	*end = p;
	return id;
}

static bool put_expansion(struct writer *c, uint32_t location)
{
	const struct expansion *const e = &c->expansions[location];

	if (e->n == 0 && !expand(c, location))
		return false;
	if (!vec_reserve(&c->sequences, e->n, c->a))
		return false;
	if (e->n == 1) {
		vec_put(&c->sequences, e->first);
		return true;
	}
	memcpy(c->sequences.data + c->sequences.n,
	       c->inlined.data + e->first, e->n * sizeof(*c->inlined.data));
	c->sequences.n += e->n;
	return true;
}

/* Replaces what would be misread at the ends of a sequence of n forms. */
static bool guard_ends(struct writer *c, uint32_t *forms, size_t n)
{
	for (size_t i = 0; i < n; i += n > 1 ? n - 1 : 1) {
		const unsigned where = (i == 0 ? GUARD_ROOT : 0u) |
			(i + 1 == n ? GUARD_LEAF : 0u);
		const unsigned guards = c->guards.data[forms[i] / 2] & where;

		if (!guards)
			continue;
		forms[i] = 2 * guarded_text(c, forms[i] / 2, guards);
		if (!forms[i])
			return false;
	}
	return true;
}

static bool is_empty_text(const struct writer *c, uint32_t form)
{
	return byte_table_get(&c->text_bytes, form / 2).len == 1;
}

/* Makes the sequence of a stack, root first. False: out of memory. */
static bool put_stack(struct writer *c, uint32_t id)
{
	const struct prof_str s = byte_table_get(&c->p->stacks, id);
	const unsigned char *const begin = (const unsigned char *)s.ptr;
	const unsigned char *end = begin + s.len;
	const size_t first = c->sequences.n + 1;
	uint32_t *forms;
	size_t n;

	if (!vec_reserve(&c->sequences, 1, c->a))
		return false;
	vec_put(&c->sequences, id);
	while (end > begin)
		if (!put_expansion(c, last_location(begin, &end)))
			return false;
	if (!vec_reserve(&c->sequences, SEQUENCE_END, c->a))
		return false;
	forms = c->sequences.data + first;
	n = c->sequences.n - first;
	if (c->has_guards && !guard_ends(c, forms, n))
		return false;
	/* An empty name alone is an empty line, as no frame at all. */
	if (n == 1 && is_empty_text(c, forms[0]))
		n = 0;
	if (n)
		forms[n - 1] |= FORM_LEAF;
	memset(forms + n, 0, SEQUENCE_END * sizeof(*forms));
	c->sequences.n = first + n + SEQUENCE_END;
	vec_put(&c->stacks, (struct sort_item){ .id = (uint32_t)first });
	return c->sequences.n <= UINT32_MAX;
}

static enum prof_status put_stacks(struct writer *c)
{
	const struct prof_profile *p = c->p;
	const uint32_t n_stacks = prof_n_stacks(p) + 1;
	size_t n = 0;

	for (uint32_t i = 0; i < n_stacks; i++)
		n += c->is_used[i];
	c->function_texts = mem_zeroed(c->a, p->functions.n, N_FRAME_KINDS *
	                               sizeof(*c->function_texts));
	c->expansions = mem_zeroed(c->a, p->locations.n,
	                           sizeof(*c->expansions));
	if (!c->function_texts || !c->expansions ||
	    !vec_reserve(&c->stacks, n, c->a))
		return error_nomem(c->err);
	for (uint32_t i = 0; i < n_stacks; i++)
		if (c->is_used[i] && !put_stack(c, i))
			return error_nomem(c->err);
	return PROF_OK;
}

/* ---- Order ---- */

/* The bytes of a form, eight at a time. */
static uint64_t form_key(const void *ctx, uint32_t form, size_t depth)
{
	const struct writer *const c = ctx;
	const struct prof_str s = byte_table_get(&c->text_bytes, form / 2);
	const size_t size = s.len - (form & FORM_LEAF);
	const size_t at = depth * sizeof(uint64_t);
	uint64_t key = 0;

	if (at + sizeof(key) <= size)
		memcpy(&key, s.ptr + at, sizeof(key));
	else if (at < size)
		memcpy(&key, s.ptr + at, size - at);
	return be64toh(key);
}

/* The ranks of a stack's frames, two at a time. */
static uint64_t stack_key(const void *ctx, uint32_t stack, size_t depth)
{
	const struct writer *const c = ctx;
	const uint32_t *const ranks = c->sequences.data + stack + depth * 2;

	return ranks[0] ? (uint64_t)ranks[0] << 32 | ranks[1] : 0;
}

/* Puts the ranks of forms in place of the forms in all sequences. */
static void replace_forms(struct writer *c, const uint32_t *ranks)
{
	for (size_t i = 0; i < c->stacks.n; i++) {
		uint32_t *form = c->sequences.data + c->stacks.data[i].id;

		for (; *form; form++)
			*form = ranks[*form];
	}
}

static enum prof_status rank_forms(struct writer *c)
{
	const uint32_t n = 2 * byte_table_n(&c->text_bytes);
	const struct sort_sequence by_text = { .key = form_key, .ctx = c };
	struct sort_item *forms;
	uint32_t *ranks;

	forms = mem_zeroed(c->a, n, sizeof(*forms));
	ranks = mem_zeroed(c->a, n, sizeof(*ranks));
	c->form_of_rank = mem_zeroed(c->a, n, sizeof(*c->form_of_rank));
	if (forms && ranks && c->form_of_rank) {
		/* Text 0 is none, and so is rank 0. */
		for (uint32_t i = 2; i < n; i++)
			forms[i - 2].id = i;
		sort_by_sequence(forms, n - 2, &by_text);
		for (uint32_t i = 0; i < n - 2; i++) {
			ranks[forms[i].id] = i + 1;
			c->form_of_rank[i + 1] = forms[i].id;
		}
		replace_forms(c, ranks);
	}
	mem_free(c->a, forms, n * sizeof(*forms));
	mem_free(c->a, ranks, n * sizeof(*ranks));
	return forms && ranks && c->form_of_rank ? PROF_OK :
		error_nomem(c->err);
}

/* ---- Lines ---- */

/*
 * Makes c->line the text of ranks, of which the first n_same frames are there
 * already.
 */
static bool put_line(struct writer *c, const uint32_t *ranks, size_t n_same)
{
	size_t size = n_same ? c->ends.data[n_same - 1] : 0;

	c->ends.n = n_same;
	for (ranks += n_same; *ranks; ranks++) {
		const uint32_t form = c->form_of_rank[*ranks];
		const struct prof_str text =
			byte_table_get(&c->text_bytes, form / 2);

		c->line.n = size;
		if (!vec_reserve(&c->line, text.len, c->a) ||
		    !vec_reserve(&c->ends, 1, c->a))
			return false;
		memcpy(c->line.data + size, text.ptr, text.len);
		size += text.len - (form & FORM_LEAF);
		vec_put(&c->ends, size);
	}
	c->line.n = size;
	return true;
}

/* How many frames two sequences begin with alike. */
static size_t common_frames(const uint32_t *a, const uint32_t *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	return i;
}

static const uint32_t *sequence_of(const struct writer *c, size_t i)
{
	return c->sequences.data + c->stacks.data[i].id;
}

/* The values of stack i, whose id stands before its sequence. */
static const int64_t *sums_of(const struct writer *c, size_t i)
{
	return c->sums + 2 * (size_t)sequence_of(c, i)[-1];
}

/*
 * Adds up the values of stack i and of those behind it that have the same
 * text. *end becomes the first that has another, n_same how many frames that
 * begins with alike.
 */
static enum prof_status sum_equal(struct writer *c, size_t i, size_t *end,
                                  size_t *n_same, int64_t sums[2])
{
	const uint32_t *const first = sequence_of(c, i);
	enum prof_status status = PROF_OK;

	*n_same = 0;
	memcpy(sums, sums_of(c, i), 2 * sizeof(*sums));
	for (*end = i + 1; *end < c->stacks.n; ++*end) {
		const uint32_t *const next = sequence_of(c, *end);

		*n_same = common_frames(first, next);
		if (first[*n_same] != next[*n_same])
			break;
		status = add_to_sum(c, &sums[0], sums_of(c, *end)[0]);
		if (status == PROF_OK)
			status = add_to_sum(c, &sums[1], sums_of(c, *end)[1]);
		if (status != PROF_OK)
			break;
	}
	return status;
}

static enum prof_status put_lines(struct writer *c)
{
	struct output *const out = &c->w->out;
	size_t end, n_same = 0, n_same_next;
	enum prof_status status;
	int64_t sums[2];

	for (size_t i = 0; i < c->stacks.n; i = end, n_same = n_same_next) {
		status = sum_equal(c, i, &end, &n_same_next, sums);
		if (status != PROF_OK)
			return status;
		if (!put_line(c, sequence_of(c, i), n_same))
			return error_nomem(c->err);
		output_bytes(out, c->line.data, c->line.n);
		for (uint32_t k = 0; k < c->n_columns; k++) {
			output_char(out, ' ');
			output_i64(out, sums[k]);
		}
		output_char(out, '\n');
	}
	return PROF_OK;
}

/* ---- What is lost ---- */

/* A list of words in a fixed place, cut off where it is full. */
struct list {
	char text[512];
	size_t n;
};

static void list_put(struct list *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void list_put(struct list *l, const char *format, ...)
{
	va_list args;
	int n;

	if (l->n && l->n + 3 < sizeof(l->text)) {
		memcpy(l->text + l->n, ", ", 3);
		l->n += 2;
	}
	va_start(args, format);
	n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
	va_end(args);
	l->n += n < 0 ? 0 : (size_t)n;
	if (l->n >= sizeof(l->text))
		l->n = sizeof(l->text) - 1;
}

static void list_count(struct list *l, size_t n, const char *one,
                       const char *several)
{
	if (n)
		list_put(l, "%zu %s", n, n == 1 ? one : several);
}

static void list_lost_samples(const struct writer *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_labelled = 0;

	if (p->sample_types.n > c->n_columns)
		list_count(l, p->sample_types.n - c->n_columns,
		           "other sample type", "other sample types");
	for (size_t i = 0; i < p->samples.n; i++)
		n_labelled += p->samples.data[i].label_set != 0;
	list_count(l, n_labelled, "sample's labels", "samples' labels");
}

static void list_lost_locations(const struct writer *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_addresses = 0, n_mapped = 0, n_lines = 0;

	for (size_t i = 1; i + 1 < p->locations.n; i++) {
		const struct row_location *row = &p->locations.data[i];

		n_addresses += row->address && location_n_lines(row);
		n_mapped += row->mapping &&
			location_kind(c, row) == FRAME_PLAIN;
	}
	for (size_t i = 0; i < p->lines.n; i++)
		n_lines += p->lines.data[i].line || p->lines.data[i].column;
	list_count(l, n_addresses, "address", "addresses");
	list_count(l, n_mapped, "location's mapping", "locations' mappings");
	list_count(l, n_lines, "line number", "line numbers");
}

static void list_lost_functions(const struct writer *c, struct list *l)
{
	const struct prof_profile *p = c->p;
	size_t n_files = 0, n_system_names = 0;

	for (size_t i = 1; i < p->functions.n; i++) {
		const struct row_function *f = &p->functions.data[i];

		n_files += f->filename || f->start_line;
		n_system_names += f->name && f->system_name &&
			f->system_name != f->name;
	}
	list_count(l, n_files, "function's file", "functions' files");
	list_count(l, n_system_names, "system name", "system names");
}

/* The name of the one sample type, unless it is what reading assumes. */
static void list_lost_type(const struct writer *c, struct list *l)
{
	const struct row_value_type *t;
	struct prof_str type, unit;

	if (c->n_columns == 0)
		return;
	t = &c->p->sample_types.data[c->columns[0]];
	type = profile_string(c->p, t->type);
	unit = profile_string(c->p, t->unit);
	if (strcmp(unit.ptr, "count") != 0 ||
	    (c->n_columns == 1 && strcmp(type.ptr, "samples") != 0))
		list_put(l, "the sample type's name (%.40s/%.40s)", type.ptr,
		         unit.ptr);
}

static void list_lost_header(const struct writer *c, struct list *l)
{
	const struct prof_profile *p = c->p;

	if (p->time_ns || p->duration_ns)
		list_put(l, "time and duration");
	if (p->period || p->period_type.type || p->period_type.unit)
		list_put(l, "the period");
	list_count(l, p->comments.n, "comment", "comments");
	if (p->drop_frames || p->keep_frames || p->doc_url ||
	    p->default_sample_type)
		list_put(l, "other fields of the header");
}

static enum prof_status report_lost(const struct writer *c)
{
	struct list l = { .n = 0 };
	enum prof_status status = PROF_OK;

	if (c->n_replaced)
		status = writing_note(c->w, c->err, "%" PRIu64 " names that "
		                      "would be misread were changed",
		                      c->n_replaced);
	list_lost_samples(c, &l);
	list_lost_locations(c, &l);
	list_lost_functions(c, &l);
	list_lost_type(c, &l);
	list_lost_header(c, &l);
	if (l.n && status == PROF_OK)
		status = writing_note(c->w, c->err, "collapsed stacks cannot "
		                      "hold: %s", l.text);
	return status;
}

/* ---- All of it ---- */

static void writer_release(struct writer *c)
{
	const struct prof_profile *p = c->p;
	const size_t n_stacks = (size_t)prof_n_stacks(p) + 1;

	mem_free(c->a, c->is_used, n_stacks * sizeof(*c->is_used));
	mem_free(c->a, c->sums, n_stacks * 2 * sizeof(*c->sums));
	mem_free(c->a, c->function_texts, p->functions.n * N_FRAME_KINDS *
	         sizeof(*c->function_texts));
	mem_free(c->a, c->expansions, p->locations.n * sizeof(*c->expansions));
	mem_free(c->a, c->form_of_rank, 2 * byte_table_n(&c->text_bytes) *
	         sizeof(*c->form_of_rank));
	byte_table_release(&c->text_bytes, c->a);
	intern_release(&c->texts, c->a);
	vec_release(&c->guards, c->a);
	vec_release(&c->scratch, c->a);
	vec_release(&c->inlined, c->a);
	vec_release(&c->stacks, c->a);
	vec_release(&c->sequences, c->a);
	vec_release(&c->line, c->a);
	vec_release(&c->ends, c->a);
}

enum prof_status collapsed_write(const struct prof_profile *p,
                                 struct format_writing *w,
                                 struct prof_error *err)
{
	struct writer c = { .p = p, .w = w, .err = err, .a = &w->allocator };
	enum prof_status status;

	c.texts = (struct interner){ &c.text_bytes, .seed = hash_seed() };
	status = byte_table_begin(&c.text_bytes, c.a) ? choose_columns(&c) :
		error_nomem(err);
	if (status == PROF_OK)
		status = sum_samples(&c);
	if (status == PROF_OK)
		status = put_stacks(&c);
	if (status == PROF_OK)
		status = report_lost(&c);
	if (status == PROF_OK)
		status = rank_forms(&c);
	if (status == PROF_OK) {
		sort_by_sequence(c.stacks.data, c.stacks.n,
		                 &(struct sort_sequence){ stack_key, &c });
		status = put_lines(&c);
	}
	writer_release(&c);
	return status;
}
