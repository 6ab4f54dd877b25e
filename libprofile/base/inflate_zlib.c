/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

/* zlib's callbacks are not told sizes on free: they are kept in front. */
struct zlib_block {
	size_t size;
	max_align_t data[];
};

static void *zlib_alloc(void *ctx, unsigned n, unsigned size)
{
	const size_t bytes = sizeof(struct zlib_block) + (size_t)n * size;
	struct zlib_block *block = mem_resize(ctx, NULL, 0, bytes);

	if (!block)
		return NULL;
	block->size = bytes;
	return block->data;
}

static void zlib_free(void *ctx, void *ptr)
{
	struct zlib_block *block = (struct zlib_block *)(void *)
		((char *)ptr - offsetof(struct zlib_block, data));

	mem_free(ctx, block, block->size);
}

static void *gzip_new(const struct prof_allocator *a)
{
	z_stream *state = mem_zeroed(a, 1, sizeof(*state));

	if (!state)
		return NULL;
	state->zalloc = zlib_alloc;
	state->zfree = zlib_free;
	state->opaque = (void *)(uintptr_t)a;
	if (inflateInit2(state, 15 + 16) != Z_OK) {
		mem_free(a, state, sizeof(*state));
		return NULL;
	}
	return state;
}

static unsigned at_most_32_bits(ptrdiff_t n)
{
	return n > INT_MAX ? INT_MAX : (unsigned)n;
}

static enum decoder_result gzip_step(void *state_, struct decoder_io *io)
{
	z_stream *state = state_;
	int result;

	state->next_in = (unsigned char *)(uintptr_t)io->in;
	state->avail_in = at_most_32_bits(io->in_end - io->in);
	state->next_out = io->out;
	state->avail_out = at_most_32_bits(io->out_end - io->out);
	result = inflate(state, Z_NO_FLUSH);
	io->in = state->next_in;
	io->out = state->next_out;
	switch (result) {
	case Z_OK:
	case Z_BUF_ERROR:
		return DECODER_GOES_ON;
	case Z_STREAM_END:
		return DECODER_ENDED;
	case Z_MEM_ERROR:
		return DECODER_NOMEM;
	default:
		return DECODER_CORRUPT;
	}
}

static void gzip_reset(void *state)
{
	inflateReset(state);
}

static void gzip_free(void *state, const struct prof_allocator *a)
{
	inflateEnd(state);
	mem_free(a, state, sizeof(z_stream));
}

const struct decoder decoder_gzip = {
	.name = "gzip",
	.new = gzip_new,
	.step = gzip_step,
	.reset = gzip_reset,
	.free = gzip_free,
};
