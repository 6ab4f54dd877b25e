/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator for one profile after another. Touching fresh memory costs
 * about as much as decoding into it, so large blocks are kept, by size class,
 * instead of going back to the system. Small ones are malloc's business.
 */
#include "base/memory.h"

#include <profile/io.h>

#define MIN_KEPT_BITS 15 /* 32 KiB */
#define N_CLASSES 40

struct kept_block {
	struct kept_block *next;
};

struct recycler {
	struct prof_allocator allocator; /* what the caller holds */
	struct kept_block *kept[N_CLASSES];
};

static unsigned class_of(size_t size)
{
	return 64 - (unsigned)__builtin_clzll((unsigned long long)size - 1);
}

static bool is_kept(size_t size)
{
	return size > ((size_t)1 << MIN_KEPT_BITS) &&
		size <= ((size_t)1 << (N_CLASSES - 1));
}

static void *take(struct recycler *r, size_t size)
{
	const unsigned class = class_of(size);
	struct kept_block *block = r->kept[class];

	if (block) {
		r->kept[class] = block->next;
		return block;
	}
	return mem_resize(&mem_malloc, NULL, 0, (size_t)1 << class);
}

static void give_back(struct recycler *r, void *ptr, size_t size)
{
	struct kept_block *block = ptr;
	const unsigned class = class_of(size);

	block->next = r->kept[class];
	r->kept[class] = block;
}

static void copy_and_free(struct recycler *r, void *to, void *from,
                          size_t old_size, size_t new_size)
{
	const size_t size = old_size < new_size ? old_size : new_size;

	if (!from)
		return;
	__builtin_memcpy(to, from, size);
	if (is_kept(old_size))
		give_back(r, from, old_size);
	else
		mem_free(&mem_malloc, from, old_size);
}

static void *resize_recycled(void *ctx, void *ptr, size_t old_size,
                             size_t new_size)
{
	struct recycler *r = ctx;
	void *to;

	if (new_size == 0) {
		if (ptr && is_kept(old_size))
			give_back(r, ptr, old_size);
		else
			mem_free(&mem_malloc, ptr, old_size);
		return NULL;
	}
	if (!is_kept(new_size) && (!ptr || !is_kept(old_size)))
		return mem_resize(&mem_malloc, ptr, old_size, new_size);
	if (ptr && is_kept(old_size) && is_kept(new_size) &&
	    class_of(old_size) == class_of(new_size))
		return ptr;
	to = is_kept(new_size) ? take(r, new_size) :
		mem_resize(&mem_malloc, NULL, 0, new_size);
	if (to)
		copy_and_free(r, to, ptr, old_size, new_size);
	return to;
}

struct prof_allocator *prof_recycler_new(void)
{
	struct recycler *r = mem_zeroed(&mem_malloc, 1, sizeof(*r));

	if (!r)
		return NULL;
	r->allocator = (struct prof_allocator){ resize_recycled, r };
	return &r->allocator;
}

void prof_recycler_free(struct prof_allocator *recycler)
{
	struct recycler *r;

	if (!recycler)
		return;
	r = recycler->ctx;
	for (size_t i = 0; i < N_CLASSES; i++) {
		while (r->kept[i]) {
			struct kept_block *block = r->kept[i];

			r->kept[i] = block->next;
			mem_free(&mem_malloc, block, (size_t)1 << i);
		}
	}
	mem_free(&mem_malloc, r, sizeof(*r));
}
