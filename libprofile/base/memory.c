/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays grow by half of their size through the allocator's resize: the
 * default one is realloc, which moves large blocks by remapping their pages
 * and copies nothing.
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *resize_malloc(void *ctx, void *ptr, size_t old_size,
                           size_t new_size)
{
	(void)ctx;
	(void)old_size;
	if (new_size == 0) {
		free(ptr);
		return NULL;
	}
	return realloc(ptr, new_size);
}

const struct prof_allocator mem_malloc = { resize_malloc, NULL };

void *mem_resize(const struct prof_allocator *a, void *ptr, size_t old_size,
                 size_t new_size)
{
	return a->resize(a->ctx, ptr, old_size, new_size);
}

void *mem_zeroed(const struct prof_allocator *a, size_t n, size_t size)
{
	void *ptr;

	if (n == 0 || size == 0 || n > SIZE_MAX / size)
		return NULL;
	ptr = mem_resize(a, NULL, 0, n * size);
	if (ptr)
		memset(ptr, 0, n * size);
	return ptr;
}

void mem_free(const struct prof_allocator *a, void *ptr, size_t size)
{
	if (ptr)
		a->resize(a->ctx, ptr, size, 0);
}

bool vec_grow(void **data, size_t *capacity, size_t n, size_t more,
              size_t size, const struct prof_allocator *a)
{
	const size_t max = (size_t)PTRDIFF_MAX / size;
	size_t wanted = *capacity + *capacity / 2;
	void *grown;

	if (n > max || more > max - n)
		return false;
	if (wanted < n + more)
		wanted = n + more;
	if (wanted * size < 64)
		wanted = (64 + size - 1) / size;
	if (wanted > max)
		wanted = max;
	grown = mem_resize(a, *data, *capacity * size, wanted * size);
	if (!grown)
		return false;
	*data = grown;
	*capacity = wanted;
	return true;
}

static void *resize_budget(void *ctx, void *ptr, size_t old_size,
                           size_t new_size)
{
	struct mem_budget *b = ctx;
	void *result;

	if (new_size > old_size && new_size - old_size > b->max - b->used) {
		b->was_exceeded = true;
		return NULL;
	}
	result = mem_resize(b->inner, ptr, old_size, new_size);
	if (result || new_size == 0)
		b->used = b->used - old_size + new_size;
	return result;
}

void mem_budget_init(struct mem_budget *b, const struct prof_allocator *inner,
                     uint64_t max)
{
	*b = (struct mem_budget){
		.allocator = { resize_budget, b },
		.inner = inner,
		.max = max,
	};
}

void mem_budget_raise(struct mem_budget *b, uint64_t more)
{
	if (!b->is_fixed)
		b->max = more > UINT64_MAX - b->max ? UINT64_MAX : b->max + more;
}
