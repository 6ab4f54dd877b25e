/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window is one block: what is not yet taken moves to its front when it
 * is filled again, so that a reader always finds n contiguous bytes. It only
 * grows where one thing is larger than it, and a reader checks that against
 * its own limits before it asks.
 *
 * The amount that may come out is bounded by what went in so far: a small
 * file cannot fill the memory, however well it is packed.
 */
#include "base/input.h"

#include "base/codec.h"
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define WINDOW_SIZE ((size_t)256 << 10)
#define SOURCE_SIZE ((size_t)128 << 10)
#define PADDING 16

#define MAX_BYTES_ABSOLUTE (UINT64_C(4) << 30)
#define MAX_BYTES_BASE (UINT64_C(64) << 20)
#define MAX_BYTES_RATIO 1000
#define MAX_ITEMS_BASE (UINT64_C(1) << 20)
#define MAX_ITEMS_RATIO 8 /* real profiles stay below 2 */

/* Memory that a byte of input may cost: real profiles stay below a third. */
#define MEMORY_PER_BYTE 16
#define MEMORY_PER_PACKED_BYTE 64

struct input_state {
	struct prof_source source;
	const struct prof_allocator *allocator;
	uint64_t max_bytes, max_items; /* 0: by what the source gave */
	uint64_t n_items;
	enum input_flags flags;
	const struct decoder *decoder; /* NULL: plain bytes */
	void *decoder_state;
	bool is_between_members;
	bool has_more; /* the decoder stopped for want of room, not of input */

	unsigned char *source_buffer; /* [SOURCE_SIZE] */
	unsigned char *source_p, *source_end;
	uint64_t source_bytes;
	bool source_ended;

	unsigned char *window;        /* [window_size + PADDING] */
	size_t window_size;
	uint64_t window_offset;       /* of window[0] in the plain bytes */

	bool was_cut;
	uint64_t cut_at, cut_bytes;
};

static enum prof_status input_fail(struct input *in, enum prof_status status)
{
	in->status = status;
	return status;
}

/* What may be held in memory grows with what the source gave. */
static void count_source(struct input *in, size_t n)
{
	struct input_state *s = in->state;

	s->source_bytes += n;
	if (in->budget)
		mem_budget_raise(in->budget, (uint64_t)n *
		                 (s->decoder ? MEMORY_PER_PACKED_BYTE :
		                  MEMORY_PER_BYTE));
}

/* Fills the source buffer where it is empty; false: nothing more comes. */
static bool read_source(struct input *in)
{
	struct input_state *s = in->state;
	ptrdiff_t n;

	if (s->source_p < s->source_end)
		return true;
	if (s->source_ended)
		return false;
	n = s->source.read(s->source.ctx, s->source_buffer, SOURCE_SIZE);
	if (n <= 0) {
		s->source_ended = true;
		if (n < 0) {
			errno = (int)-n;
			input_fail(in, error_set(&in->error, PROF_SYSTEM,
			                         "cannot read: %s",
			                         strerror(errno)));
		}
		return false;
	}
	s->source_p = s->source_buffer;
	s->source_end = s->source_buffer + n;
	count_source(in, (size_t)n);
	return true;
}

static uint64_t max_bytes_now(const struct input_state *s)
{
	uint64_t max;

	if (s->max_bytes)
		return s->max_bytes;
	if (!s->decoder)
		return MAX_BYTES_ABSOLUTE;
	if (s->source_bytes > MAX_BYTES_ABSOLUTE / MAX_BYTES_RATIO)
		return MAX_BYTES_ABSOLUTE;
	max = s->source_bytes * MAX_BYTES_RATIO + MAX_BYTES_BASE;
	return max < MAX_BYTES_ABSOLUTE ? max : MAX_BYTES_ABSOLUTE;
}

/* Where in the compressed bytes the decoder stands. */
static uint64_t compressed_offset(const struct input_state *s)
{
	return s->source_bytes - (uint64_t)(s->source_end - s->source_p);
}

/* Compressed data that cannot be used: the end of the input, or an error. */
static void compressed_damage(struct input *in, enum prof_status status,
                              const char *what)
{
	struct input_state *s = in->state;
	const uint64_t at = compressed_offset(s);

	if (!(s->flags & INPUT_SALVAGE)) {
		input_fail(in, error_at(&in->error, status,
		                        s->window_offset +
		                        (uint64_t)(in->end - s->window),
		                        "%s: %s at compressed byte %" PRIu64,
		                        s->decoder->name, what, at));
		return;
	}
	s->was_cut = true;
	s->cut_at = at;
	s->source_p = s->source_end;
	while (read_source(in))
		s->source_p = s->source_end;
	s->cut_bytes = s->source_bytes - at;
}

static bool is_gzip(const unsigned char *p, size_t n)
{
	return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

static bool is_zstd(const unsigned char *p, size_t n)
{
	return n >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f &&
		p[3] == 0xfd;
}

/*
 * Between two members: goes on with the next one. Zeros may follow the last
 * (tapes and block devices pad with them); anything else is a damage. False:
 * the input is at its end.
 */
static bool next_member(struct input *in)
{
	struct input_state *s = in->state;

	while (read_source(in) && *s->source_p == 0)
		s->source_p++;
	if (!read_source(in))
		return false;
	/* A magic number cut by the buffer's end shows as damage later. */
	if (*s->source_p != 0x1f && *s->source_p != 0x28) {
		compressed_damage(in, PROF_CORRUPT, "garbage after the end");
		return false;
	}
	s->decoder->reset(s->decoder_state);
	s->is_between_members = false;
	return true;
}

/* Decodes into the window behind in->end; false: no more bytes come. */
static bool decode_some(struct input *in, size_t room)
{
	struct input_state *s = in->state;
	unsigned char *const to = s->window + (in->end - s->window);
	struct decoder_io io = { .out = to, .out_end = to + room };

	if (s->is_between_members && !next_member(in))
		return false;
	if (!s->has_more && !read_source(in)) {
		if (in->status == PROF_OK && !s->was_cut)
			compressed_damage(in, PROF_TRUNCATED, "ends early");
		return false;
	}
	io.in = s->source_p;
	io.in_end = s->source_end;
	switch (s->decoder->step(s->decoder_state, &io)) {
	case DECODER_GOES_ON:
		break;
	case DECODER_ENDED:
		s->is_between_members = true;
		break;
	case DECODER_NOMEM:
		input_fail(in, error_nomem(&in->error));
		return false;
	case DECODER_CORRUPT:
		s->source_p += io.in - s->source_p;
		in->end = io.out;
		compressed_damage(in, PROF_CORRUPT, "damaged");
		return false;
	}
	s->source_p += io.in - s->source_p;
	s->has_more = io.out == io.out_end && !s->is_between_members;
	in->end = io.out;
	return true;
}

/* The same for bytes that are plain: straight from the source. */
static bool read_some(struct input *in, size_t room)
{
	struct input_state *s = in->state;
	unsigned char *const to = s->window + (in->end - s->window);
	size_t at_hand = (size_t)(s->source_end - s->source_p);
	ptrdiff_t n;

	if (at_hand) {
		if (at_hand > room)
			at_hand = room;
		memcpy(to, s->source_p, at_hand);
		s->source_p += at_hand;
		in->end += at_hand;
		return true;
	}
	if (s->source_ended)
		return false;
	n = s->source.read(s->source.ctx, to, room);
	if (n <= 0) {
		s->source_ended = true;
		if (n < 0) {
			errno = (int)-n;
			input_fail(in, error_set(&in->error, PROF_SYSTEM,
			                         "cannot read: %s",
			                         strerror(errno)));
		}
		return false;
	}
	count_source(in, (size_t)n);
	in->end += n;
	return true;
}

/* Moves what is left to the front of the window. */
static void move_to_front(struct input *in)
{
	struct input_state *s = in->state;
	const size_t left = (size_t)(in->end - in->p);
	const size_t taken = (size_t)(in->p - s->window);

	if (left && taken)
		memmove(s->window, s->window + taken, left);
	s->window_offset += taken;
	in->p = s->window;
	in->end = s->window + left;
}

/*
 * A larger window for something of n bytes. It doubles as bytes arrive, so
 * that a length which the input does not live up to costs nothing.
 */
static bool grow_window(struct input *in, size_t n)
{
	struct input_state *s = in->state;
	const size_t left = (size_t)(in->end - in->p);
	const size_t size = n / 2 < s->window_size ? n + n / 4 :
		s->window_size * 2;
	unsigned char *grown = mem_resize(s->allocator, s->window,
	                                  s->window_size + PADDING,
	                                  size + PADDING);

	if (!grown) {
		input_fail(in, error_nomem(&in->error));
		return false;
	}
	s->window = grown;
	s->window_size = size;
	in->p = grown;
	in->end = grown + left;
	return true;
}

static void check_size(struct input *in)
{
	const struct input_state *s = in->state;
	const uint64_t size = s->window_offset + (uint64_t)(in->end - s->window);
	const uint64_t max = max_bytes_now(s);

	if (size > max)
		input_fail(in, error_at(&in->error, PROF_LIMIT, max,
		                        "uncompressed input is larger than the "
		                        "limit max_bytes (%" PRIu64 ")", max));
}

bool input_count(struct input *in, uint64_t n)
{
	struct input_state *s = in->state;
	uint64_t max = s->max_items;

	s->n_items += n;
	/* What is not packed costs its sender as much as us. */
	if (!max && !s->decoder)
		return true;
	if (!max)
		max = s->source_bytes * MAX_ITEMS_RATIO + MAX_ITEMS_BASE;
	if (s->n_items <= max || in->status != PROF_OK)
		return in->status == PROF_OK;
	input_fail(in, error_at(&in->error, PROF_LIMIT, input_offset(in),
	                        "more fields, lines or events than the limit "
	                        "max_items (%" PRIu64 ")", max));
	return false;
}

size_t input_need(struct input *in, size_t n)
{
	struct input_state *s = in->state;

	if ((size_t)(in->end - in->p) >= n)
		return (size_t)(in->end - in->p);
	if (in->status != PROF_OK)
		return (size_t)(in->end - in->p);
	move_to_front(in);
	while ((size_t)(in->end - in->p) < n && in->status == PROF_OK) {
		const size_t room =
			s->window_size - (size_t)(in->end - s->window);

		if (room == 0) {
			if (!grow_window(in, n))
				break;
			continue;
		}
		if (s->decoder ? !decode_some(in, room) : !read_some(in, room))
			break;
		check_size(in);
	}
	memset(s->window + (in->end - s->window), 0, PADDING);
	return (size_t)(in->end - in->p);
}

bool input_line(struct input *in, uint64_t max, const unsigned char **line,
                size_t *size)
{
	size_t searched = 0;
	size_t at_hand = input_need(in, 1);

	while (at_hand > searched) {
		const unsigned char *newline =
			memchr(in->p + searched, '\n', at_hand - searched);

		if (newline || at_hand > max) {
			*size = newline ? (size_t)(newline + 1 - in->p) : at_hand;
			break;
		}
		searched = at_hand;
		at_hand = input_need(in, at_hand + 1);
		*size = at_hand;
	}
	if (at_hand == 0 || in->status != PROF_OK)
		return false;
	if (*size > max) {
		input_fail(in, error_at(&in->error, PROF_LIMIT, input_offset(in),
		                        "a line is longer than the limit "
		                        "max_line_bytes (%" PRIu64 ")", max));
		return false;
	}
	*line = in->p;
	in->p += *size;
	return true;
}

uint64_t input_offset(const struct input *in)
{
	return in->state->window_offset +
		(uint64_t)(in->p - in->state->window);
}

uint64_t input_source_bytes(const struct input *in)
{
	return in->state->source_bytes;
}

bool input_cut(const struct input *in, uint64_t *at, uint64_t *bytes_dropped)
{
	*at = in->state->cut_at;
	*bytes_dropped = in->state->cut_bytes;
	return in->state->was_cut;
}

/* Looks at the first bytes, and starts the decoder that they ask for. */
static enum prof_status find_decoder(struct input *in)
{
	struct input_state *s = in->state;
	size_t n;

	if (!read_source(in))
		return in->status;
	n = (size_t)(s->source_end - s->source_p);
	while (n < 4) {
		/* A pipe may give the first bytes one by one. */
		ptrdiff_t more = s->source.read(s->source.ctx, s->source_end,
		                                SOURCE_SIZE - n);

		if (more <= 0)
			break;
		s->source_end += more;
		count_source(in, (size_t)more);
		n += (size_t)more;
	}
	if (is_gzip(s->source_p, n))
		s->decoder = &decoder_gzip;
	else if (is_zstd(s->source_p, n))
		s->decoder = &decoder_zstd;
	else
		return PROF_OK;
	/* The first bytes were counted as plain ones. */
	if (in->budget)
		mem_budget_raise(in->budget, s->source_bytes *
		                 (MEMORY_PER_PACKED_BYTE - MEMORY_PER_BYTE));
	if (!s->decoder->new)
		return input_fail(in, error_set(&in->error, PROF_UNSUPPORTED,
		                                "input is compressed with %s, "
		                                "which this build cannot read",
		                                s->decoder->name));
	s->decoder_state = s->decoder->new(s->allocator);
	if (!s->decoder_state)
		return input_fail(in, error_nomem(&in->error));
	return PROF_OK;
}

enum prof_status input_open(struct input *in, struct prof_source source,
                            const struct prof_limits *limits,
                            enum input_flags flags,
                            const struct prof_allocator *a,
                            struct mem_budget *budget,
                            struct prof_error *err)
{
	struct input_state *s;

	memset(in, 0, sizeof(*in));
	s = mem_zeroed(a, 1, sizeof(*s));
	if (!s)
		return error_nomem(err);
	in->state = s;
	in->budget = budget;
	s->source = source;
	s->allocator = a;
	s->max_bytes = limits ? limits->max_bytes : 0;
	s->max_items = limits ? limits->max_items : 0;
	s->flags = flags;
	s->window_size = WINDOW_SIZE;
	s->window = mem_resize(a, NULL, 0, WINDOW_SIZE + PADDING);
	s->source_buffer = mem_resize(a, NULL, 0, SOURCE_SIZE);
	if (!s->window || !s->source_buffer) {
		input_close(in);
		return error_nomem(err);
	}
	s->source_p = s->source_end = s->source_buffer;
	in->p = in->end = s->window;
	if (find_decoder(in) != PROF_OK) {
		const enum prof_status status = in->status;

		if (err)
			*err = in->error;
		input_close(in);
		return status;
	}
	return PROF_OK;
}

void input_close(struct input *in)
{
	struct input_state *s = in->state;

	if (!s)
		return;
	if (s->decoder_state)
		s->decoder->free(s->decoder_state, s->allocator);
	mem_free(s->allocator, s->window, s->window_size + PADDING);
	mem_free(s->allocator, s->source_buffer, SOURCE_SIZE);
	mem_free(s->allocator, s, sizeof(*s));
	in->state = NULL;
}

static ptrdiff_t read_memory(void *ctx, void *buf, size_t size)
{
	struct memory_source *m = ctx;
	const size_t left = m->size - m->position;

	if (size > left)
		size = left;
	if (size)
		memcpy(buf, m->data + m->position, size);
	m->position += size;
	return (ptrdiff_t)size;
}

struct prof_source source_memory(struct memory_source *m)
{
	return (struct prof_source){ read_memory, m };
}
