/* SPDX-License-Identifier: Apache-2.0 */
/* Ready-made sources and sinks: file descriptors and memory. */
#include <profile/io.h>

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A descriptor travels in the context pointer. */
static void *ctx_of_fd(int fd)
{
	return (void *)(intptr_t)fd;
}

static int fd_of_ctx(void *ctx)
{
	return (int)(intptr_t)ctx;
}

static ptrdiff_t read_fd(void *ctx, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(fd_of_ctx(ctx), buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int write_fd(void *ctx, const void *buf, size_t size)
{
	const char *at = buf;

	while (size) {
		const ssize_t n = write(fd_of_ctx(ctx), at, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

struct prof_source prof_source_fd(int fd)
{
	return (struct prof_source){ read_fd, ctx_of_fd(fd) };
}

struct prof_sink prof_sink_fd(int fd)
{
	return (struct prof_sink){ write_fd, ctx_of_fd(fd) };
}

static const struct prof_allocator *buffer_allocator(const struct prof_buffer *b)
{
	return b->allocator ? b->allocator : &mem_malloc;
}

static int write_buffer(void *ctx, const void *buf, size_t size)
{
	struct prof_buffer *b = ctx;
	void *data = b->data;

	if (b->capacity - b->size < size) {
		if (!vec_grow(&data, &b->capacity, b->size, size, 1,
		              buffer_allocator(b)))
			return -ENOMEM;
		b->data = data;
	}
	if (size)
		memcpy(b->data + b->size, buf, size);
	b->size += size;
	return 0;
}

struct prof_sink prof_sink_buffer(struct prof_buffer *buffer)
{
	return (struct prof_sink){ write_buffer, buffer };
}

void prof_buffer_release(struct prof_buffer *b)
{
	mem_free(buffer_allocator(b), b->data, b->capacity);
	b->data = NULL;
	b->size = b->capacity = 0;
}
