/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain output goes to the sink a buffer at a time. Compressed output is kept
 * until it is closed, because the compressor takes all of it at once. Unless
 * it should be fast (level 1) and is large: from STREAM_FROM bytes on it goes
 * through the encoder of streams, where there is one. That takes less than
 * half of the time, and no memory for all of it; but what is small would
 * become larger than other programs have it.
 *
 * Either way it is one member, for programs that stop at the first.
 */
#include "base/output.h"

#include "base/codec.h"
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_SIZE ((size_t)256 << 10)
#define PACKED_SIZE ((size_t)64 << 10)
#define STREAM_FROM ((size_t)2 << 20)

void output_open(struct output *out, struct prof_sink sink,
                 uint32_t gzip_level, const struct prof_allocator *a)
{
	*out = (struct output){
		.sink = sink,
		.gzip_level = gzip_level,
		.allocator = a,
	};
}

static void send(struct output *out, const unsigned char *bytes, size_t size)
{
	int result;

	if (out->status != PROF_OK || size == 0)
		return;
	result = out->sink.write(out->sink.ctx, bytes, size);
	if (result < 0) {
		errno = -result;
		out->status = error_set(&out->error, PROF_SYSTEM,
		                        "cannot write: %s", strerror(errno));
	}
}

static size_t buffered(const struct output *out)
{
	return (size_t)(out->p - out->buffer);
}

/* Makes the buffer at least `size` bytes, keeping what is in it. */
static bool grow(struct output *out, size_t size)
{
	const size_t used = buffered(out);
	unsigned char *grown;

	size = size < BUFFER_SIZE ? BUFFER_SIZE : size;
	grown = mem_resize(out->allocator, out->buffer, out->buffer_size, size);
	if (!grown) {
		if (out->status == PROF_OK)
			out->status = error_nomem(&out->error);
		return false;
	}
	out->buffer = grown;
	out->buffer_size = size;
	out->p = grown + used;
	out->end = grown + size;
	return true;
}

/* ---- Compression of a stream ---- */

static bool is_streamed(const struct output *out)
{
	return out->encoder || (out->gzip_level == 1 && encoder_gzip &&
	                        buffered(out) >= STREAM_FROM);
}

static bool encoder_open(struct output *out)
{
	if (out->encoder)
		return true;
	out->packed = mem_resize(out->allocator, NULL, 0, PACKED_SIZE);
	out->encoder = out->packed ? encoder_gzip->new(out->allocator) : NULL;
	if (!out->encoder && out->status == PROF_OK)
		out->status = error_nomem(&out->error);
	return out->encoder;
}

/* Takes all that is in the buffer. From now on that stays in the cache. */
static void encode(struct output *out, enum encoder_input input)
{
	struct encoder_io io = { .in = out->buffer, .in_end = out->p };
	enum encoder_result result;

	if (!encoder_open(out))
		return;
	do {
		io.out = out->packed;
		io.out_end = out->packed + PACKED_SIZE;
		result = encoder_gzip->step(out->encoder, &io, input);
		send(out, out->packed, (size_t)(io.out - out->packed));
	} while (input == ENCODER_LAST ? result != ENCODER_ENDED :
	         io.in < io.in_end || io.out == io.out_end);
	out->flushed += buffered(out);
	out->p = out->buffer;
	out->end = out->buffer + BUFFER_SIZE;
}

static void encoder_close(struct output *out)
{
	if (out->encoder)
		encoder_gzip->free(out->encoder, out->allocator);
	mem_free(out->allocator, out->packed, PACKED_SIZE);
	out->encoder = NULL;
	out->packed = NULL;
}

/* ---- Room ---- */

static void empty_buffer(struct output *out)
{
	if (is_streamed(out))
		encode(out, ENCODER_MORE);
	else
		output_flush(out);
}

bool output_room(struct output *out, size_t n)
{
	if ((size_t)(out->end - out->p) >= n)
		return true;
	if (out->status == PROF_NOMEM)
		return false;
	empty_buffer(out);
	if ((size_t)(out->end - out->p) >= n)
		return true;
	if (out->status == PROF_NOMEM)
		return false;
	if (n > SIZE_MAX / 4 || out->buffer_size > SIZE_MAX / 4)
		return grow(out, SIZE_MAX);
	if (out->gzip_level && !out->encoder)
		return grow(out, out->buffer_size + out->buffer_size / 2 + n);
	return grow(out, n);
}

void output_flush(struct output *out)
{
	if (out->gzip_level || !out->buffer)
		return;
	send(out, out->buffer, buffered(out));
	out->flushed += buffered(out);
	out->p = out->buffer;
}

/* ---- The end ---- */

static enum prof_status send_compressed(struct output *out)
{
	unsigned char *packed;
	size_t size, capacity;

	if (gzip_compress(&packed, &size, &capacity, out->buffer, buffered(out),
	                  out->gzip_level, out->allocator) != PROF_OK)
		return out->status = error_nomem(&out->error);
	send(out, packed, size);
	mem_free(out->allocator, packed, capacity);
	return out->status;
}

static void send_rest(struct output *out)
{
	if (is_streamed(out))
		encode(out, ENCODER_LAST);
	else if (out->gzip_level)
		send_compressed(out);
	else
		send(out, out->buffer, buffered(out));
}

enum prof_status output_close(struct output *out, struct prof_error *err)
{
	if (!out->is_closed && out->status == PROF_OK)
		send_rest(out);
	out->is_closed = true;
	output_abandon(out);
	if (out->status != PROF_OK && err)
		*err = out->error;
	return out->status;
}

void output_abandon(struct output *out)
{
	encoder_close(out);
	mem_free(out->allocator, out->buffer, out->buffer_size);
	out->p = out->end = out->buffer = NULL;
	out->buffer_size = 0;
}

/* ---- Pieces ---- */

void output_bytes(struct output *out, const void *bytes, size_t size)
{
	if (size && output_room(out, size)) {
		memcpy(out->p, bytes, size);
		out->p += size;
	}
}

void output_text(struct output *out, const char *text)
{
	output_bytes(out, text, strlen(text));
}

/* C0, DEL, and C1 as UTF-8 has them: c2 80 to c2 9f. */
static bool is_control(const unsigned char *s, size_t n)
{
	return (s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f ||
	       (s[0] == 0xc2 && n > 1 && s[1] >= 0x80 && s[1] <= 0x9f);
}

void output_visible(struct output *out, struct prof_str s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t begin = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_control(p + i, s.len - i))
			continue;
		output_bytes(out, p + begin, i - begin);
		if (p[i] == '\n')
			output_text(out, "\\n");
		else
			output_printf(out, "\\x%02x",
			              p[i] == 0xc2 ? p[i + 1] : p[i]);
		i += p[i] == 0xc2;
		begin = i + 1;
	}
	if (begin < s.len)
		output_bytes(out, p + begin, s.len - begin);
}

void output_str(struct output *out, struct prof_str s)
{
	output_bytes(out, s.ptr, s.len);
}

void output_char(struct output *out, char c)
{
	if (output_room(out, 1))
		*out->p++ = (unsigned char)c;
}

void output_u64(struct output *out, uint64_t n)
{
	unsigned char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (unsigned char)('0' + n % 10);
		n /= 10;
	} while (n);
	output_bytes(out, digits + i, sizeof(digits) - i);
}

void output_i64(struct output *out, int64_t n)
{
	if (n < 0)
		output_char(out, '-');
	output_u64(out, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void output_hex(struct output *out, uint64_t n)
{
	unsigned char digits[18];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (unsigned char)"0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	digits[--i] = 'x';
	digits[--i] = '0';
	output_bytes(out, digits + i, sizeof(digits) - i);
}

void output_printf(struct output *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n <= 0 || !output_room(out, (size_t)n + 1))
		return;
	va_start(args, format);
	vsnprintf((char *)out->p, (size_t)n + 1, format, args);
	va_end(args);
	out->p += n;
}

uint64_t output_size(const struct output *out)
{
	return out->flushed + (out->buffer ? buffered(out) : 0);
}
