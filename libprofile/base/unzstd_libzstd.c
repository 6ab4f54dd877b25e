/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <zstd.h>

/* A frame may ask for a window of this many bits at most: 128 MiB. */
#define MAX_WINDOW_BITS 27

static void *zstd_new(const struct prof_allocator *a)
{
	ZSTD_DStream *state = ZSTD_createDStream();

	(void)a;
	if (state)
		ZSTD_DCtx_setParameter(state, ZSTD_d_windowLogMax,
		                       MAX_WINDOW_BITS);
	return state;
}

static enum decoder_result zstd_step(void *state, struct decoder_io *io)
{
	ZSTD_inBuffer in = { io->in, (size_t)(io->in_end - io->in), 0 };
	ZSTD_outBuffer out = { io->out, (size_t)(io->out_end - io->out), 0 };
	const size_t result = ZSTD_decompressStream(state, &out, &in);

	io->in += in.pos;
	io->out += out.pos;
	if (ZSTD_isError(result))
		return DECODER_CORRUPT;
	return result == 0 ? DECODER_ENDED : DECODER_GOES_ON;
}

static void zstd_reset(void *state)
{
	ZSTD_DCtx_reset(state, ZSTD_reset_session_only);
}

static void zstd_free(void *state, const struct prof_allocator *a)
{
	(void)a;
	ZSTD_freeDStream(state);
}

const struct decoder decoder_zstd = {
	.name = "zstd",
	.new = zstd_new,
	.step = zstd_step,
	.reset = zstd_reset,
	.free = zstd_free,
};
