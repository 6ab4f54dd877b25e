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
#include "format/collapsed_texts.h"

#include "base/error.h"
#include "base/sort.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

/* At most, and so many zeros end a sequence: the next key is 0 then. */
#define MAX_RANKS_PER_KEY 4
#define SEQUENCE_END MAX_RANKS_PER_KEY
#define AHEAD 8 /* stacks that are asked for before they are read */

struct writer {
	const struct prof_profile *p;
	struct format_writing *w;
	struct prof_error *err;
	const struct prof_allocator *a;

	uint32_t columns[2], n_columns;
	int64_t *sums; /* n_columns for each stack id */
	bool *is_used; /* by stack id */

	struct frame_texts texts;
	/* For each stack its id, its sequence, and SEQUENCE_END zeros. */
	VEC(uint32_t) sequences;
	/* The stacks: where their sequences begin. In order once sorted. */
	VEC(struct sort_item) stacks;
	uint32_t *form_of_rank;
	unsigned rank_bits;
	size_t ranks_per_key; /* see load_stacks() */

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

/* ---- Sequences ---- */

/*
 * The id that ends at `end`, which is moved to its begin. Before the first id
 * of a stack there is the '\0' of the string before it.
 */
static inline uint32_t last_location(const unsigned char **end)
{
	const unsigned char *p = *end - 1;
	uint32_t id = *p;

	while (p[-1] & 0x80)
		id = id << 7 | (*--p & 0x7f);
	*end = p;
	return id;
}

/*
 * Puts the forms of a stack, root first, with room for SEQUENCE_END more.
 * Nearly all locations have one form, and that is known.
 */
static bool put_forms(struct writer *c, struct prof_str packed)
{
	const unsigned char *const begin = (const unsigned char *)packed.ptr;
	const unsigned char *end = begin + packed.len;
	const uint32_t *forms;
	uint32_t *to, n;

	if (!vec_reserve(&c->sequences, packed.len + SEQUENCE_END, c->a))
		return false;
	to = c->sequences.data + c->sequences.n;
	while (end > begin) {
		const uint32_t location = last_location(&end);

		*to = c->texts.single_forms[location];
		if (*to++)
			continue;
		forms = frame_forms(&c->texts, location, &n);
		c->sequences.n = (size_t)(to - 1 - c->sequences.data);
		if (!forms ||
		    !vec_reserve(&c->sequences, n + (size_t)(end - begin) +
		                 SEQUENCE_END, c->a))
			return false;
		to = c->sequences.data + c->sequences.n;
		memcpy(to, forms, n * sizeof(*to));
		to += n;
	}
	c->sequences.n = (size_t)(to - c->sequences.data);
	return true;
}

/* Replaces what would be misread at the ends of a sequence of n forms. */
static bool guard_ends(struct writer *c, uint32_t *forms, size_t n)
{
	for (size_t i = 0; i < n; i += n > 1 ? n - 1 : 1) {
		const unsigned where = (i == 0 ? GUARD_ROOT : 0u) |
			(i + 1 == n ? GUARD_LEAF : 0u);
		const unsigned guards = c->texts.guards.data[forms[i] / 2] & where;

		if (!guards)
			continue;
		forms[i] = 2 * frame_texts_guarded(
			&c->texts, forms[i] / 2, guards);
		if (!forms[i])
			return false;
	}
	return true;
}

static bool is_empty_text(const struct writer *c, uint32_t form)
{
	return frame_text(&c->texts, form / 2).len == 1;
}

/* Makes the sequence of a stack, root first. False: out of memory. */
static bool put_stack(struct writer *c, uint32_t id)
{
	const size_t first = c->sequences.n + 1;
	uint32_t *forms;
	size_t n;

	if (!vec_reserve(&c->sequences, 1, c->a))
		return false;
	vec_put(&c->sequences, id);
	if (!put_forms(c, byte_table_get(&c->p->stacks, id)))
		return false;
	forms = c->sequences.data + first;
	n = c->sequences.n - first;
	if (c->texts.has_guards && !guard_ends(c, forms, n))
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
	if (!vec_reserve(&c->stacks, n, c->a))
		return error_nomem(c->err);
	for (uint32_t i = 0; i < n_stacks; i++)
		if (c->is_used[i] && !put_stack(c, i))
			return error_nomem(c->err);
	return PROF_OK;
}

/* ---- Order ---- */

/* The bytes of forms, eight at a time. */
static void load_forms(const void *ctx, struct sort_item *items, size_t n,
                       size_t depth)
{
	const struct writer *const c = ctx;
	const size_t at = depth * sizeof(uint64_t);

	for (size_t i = 0; i < n; i++) {
		const uint32_t form = items[i].id;
		const struct prof_str s = frame_text(&c->texts, form / 2);
		const size_t size = s.len - (form & FORM_LEAF);
		uint64_t key = 0;

		if (at + sizeof(key) <= size)
			memcpy(&key, s.ptr + at, sizeof(key));
		else if (at < size)
			memcpy(&key, s.ptr + at, size - at);
		items[i].key = be64toh(key);
	}
}

/* The ranks of stacks' frames, as many at a time as 64 bits hold. */
static void load_stacks(const void *ctx, struct sort_item *items, size_t n,
                        size_t depth)
{
	const struct writer *const c = ctx;
	const size_t n_ranks = c->ranks_per_key;
	const uint32_t *const sequences = c->sequences.data + depth * n_ranks;

	for (size_t i = 0; i < n; i++) {
		const uint32_t *ranks = sequences + items[i].id;
		uint64_t key = 0;

		if (i + AHEAD < n)
			__builtin_prefetch(sequences + items[i + AHEAD].id);
		for (size_t k = 0; k < n_ranks; k++) {
			key = key << c->rank_bits | *ranks;
			ranks += *ranks != 0;
		}
		items[i].key = key;
	}
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
	const uint32_t n = 2 * byte_table_n(&c->texts.bytes);
	const struct sort_sequence by_text = { load_forms, c };
	struct sort_item *forms;
	uint32_t *ranks;

	c->rank_bits = 32 - (unsigned)__builtin_clz(n);
	c->ranks_per_key = 64 / c->rank_bits;
	if (c->ranks_per_key > MAX_RANKS_PER_KEY)
		c->ranks_per_key = MAX_RANKS_PER_KEY;
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
			frame_text(&c->texts, form / 2);

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
 * Asks for what stacks further on need. They lie in the order they came in;
 * without this the waiting is half of the time to put lines in random order.
 */
PREFETCHES prefetch_stacks(const struct writer *c, size_t i)
{
	const size_t far = 16, near = 8, line = 64 / sizeof(uint32_t);

	if (i + far >= c->stacks.n)
		return;
	__builtin_prefetch(sequence_of(c, i + far) - 1);
	__builtin_prefetch(sequence_of(c, i + far) + line - 1);
	__builtin_prefetch(sequence_of(c, i + far) + 2 * line - 1);
	__builtin_prefetch(sums_of(c, i + near));
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
		prefetch_stacks(c, i);
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

/* ---- All of it ---- */

static void writer_release(struct writer *c)
{
	const struct prof_profile *p = c->p;
	const size_t n_stacks = (size_t)prof_n_stacks(p) + 1;

	mem_free(c->a, c->is_used, n_stacks * sizeof(*c->is_used));
	mem_free(c->a, c->sums, n_stacks * 2 * sizeof(*c->sums));
	mem_free(c->a, c->form_of_rank, 2 * byte_table_n(&c->texts.bytes) *
	         sizeof(*c->form_of_rank));
	frame_texts_release(&c->texts);
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

	c.texts = (struct frame_texts){ .p = p, .options = &w->options,
	                                .a = c.a };
	status = frame_texts_init(&c.texts) ? choose_columns(&c) :
		error_nomem(err);
	if (status == PROF_OK)
		status = sum_samples(&c);
	if (status == PROF_OK)
		status = put_stacks(&c);
	if (status == PROF_OK)
		status = report_losses(&(struct losses){
			.p = p, .w = w, .column = c.columns[0],
			.n_columns = c.n_columns,
			.n_replaced = c.texts.n_replaced }, err);
	if (status == PROF_OK)
		status = rank_forms(&c);
	if (status == PROF_OK) {
		sort_by_sequence(c.stacks.data, c.stacks.n,
		                 &(struct sort_sequence){ load_stacks, &c });
		status = put_lines(&c);
	}
	writer_release(&c);
	return status;
}
