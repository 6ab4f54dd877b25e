/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <isa-l/igzip_lib.h>
#include <limits.h>

static void *gzip_new(const struct prof_allocator *a)
{
	struct inflate_state *state = mem_resize(a, NULL, 0, sizeof(*state));

	if (state) {
		isal_inflate_init(state);
		state->crc_flag = ISAL_GZIP;
	}
	return state;
}

static uint32_t at_most_32_bits(ptrdiff_t n)
{
	return n > INT_MAX ? INT_MAX : (uint32_t)n;
}

static enum decoder_result gzip_step(void *state_, struct decoder_io *io)
{
	struct inflate_state *state = state_;
	int result;

	state->next_in = (uint8_t *)(uintptr_t)io->in;
	state->avail_in = at_most_32_bits(io->in_end - io->in);
	state->next_out = io->out;
	state->avail_out = at_most_32_bits(io->out_end - io->out);
	result = isal_inflate(state);
	io->in = state->next_in;
	io->out = state->next_out;
	if (result < 0)
		return DECODER_CORRUPT;
	if (state->block_state == ISAL_BLOCK_FINISH)
		return DECODER_ENDED;
	return DECODER_GOES_ON;
}

static void gzip_reset(void *state_)
{
	struct inflate_state *state = state_;

	isal_inflate_reset(state);
	state->crc_flag = ISAL_GZIP;
}

static void gzip_free(void *state, const struct prof_allocator *a)
{
	mem_free(a, state, sizeof(struct inflate_state));
}

const struct decoder decoder_gzip = {
	.name = "gzip",
	.new = gzip_new,
	.step = gzip_step,
	.reset = gzip_reset,
	.free = gzip_free,
};
