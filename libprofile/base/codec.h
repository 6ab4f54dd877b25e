/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

/*
 * Compression, a file per library that does it: zlib always works, ISA-L
 * inflates 1.7 to 2.5 times as fast in a stream, libdeflate deflates 2 to 5
 * times as fast at the same size, and ISA-L deflates once more 2.3 times as
 * fast as that, to 2 to 6 % more. The build picks one file each.
 */

#include "base/memory.h"

enum decoder_result {
	DECODER_GOES_ON, /* wants more input, or more room */
	DECODER_ENDED,   /* the member or frame is complete and checked */
	DECODER_CORRUPT,
	DECODER_NOMEM
};

struct decoder_io {
	const unsigned char *in, *in_end;
	unsigned char *out, *out_end;
};

struct decoder {
	const char *name; /* of the compression */
	/* A decoder at the begin of a member; NULL: out of memory. */
	void *(*new)(const struct prof_allocator *a);
	/* Goes on as far as input and room allow, moving io->in and ->out. */
	enum decoder_result (*step)(void *state, struct decoder_io *io);
	/* Begins the next member. */
	void (*reset)(void *state);
	void (*free)(void *state, const struct prof_allocator *a);
};

extern const struct decoder decoder_gzip;
extern const struct decoder decoder_zstd;

/*
 * Compresses in[n] to one gzip member in memory that the caller frees with
 * mem_free(a, *out, *capacity). level 1 to 12. PROF_NOMEM.
 */
enum prof_status gzip_compress(unsigned char **out, size_t *size,
                               size_t *capacity, const unsigned char *in,
                               size_t n, uint32_t level,
                               const struct prof_allocator *a);

/* ---- A stream ---- */

struct encoder_io {
	const unsigned char *in, *in_end;
	unsigned char *out, *out_end;
};

enum encoder_input {
	ENCODER_MORE, /* there will be more behind io->in_end */
	ENCODER_LAST
};

enum encoder_result {
	ENCODER_GOES_ON, /* wants more input, or more room */
	ENCODER_ENDED    /* the member is whole */
};

struct encoder {
	/* An encoder at the begin of a member; NULL: out of memory. */
	void *(*new)(const struct prof_allocator *a);
	/* Goes on as far as input and room allow, moving io->in and ->out. */
	enum encoder_result (*step)(void *state, struct encoder_io *io,
	                            enum encoder_input input);
	void (*free)(void *state, const struct prof_allocator *a); /* or NULL */
};

/* The fastest that the build has; NULL: only gzip_compress(). */
extern const struct encoder *const encoder_gzip;

/* CRC-32 as gzip has it; crc 0 to begin with. */
uint32_t crc32_bytes(uint32_t crc, const void *bytes, size_t size);

#endif
