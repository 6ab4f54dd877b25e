/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator's entry points. The fast paths are a few instructions and a
 * jump: no frame, no call of ours in between. The slow paths are functions
 * of their own that are jumped to, so their caller is the program.
 *
 * The allocator behind is found by dlsym(), which may itself allocate: until
 * it has answered, blocks come from a small pool that is never freed.
 */
#include "sampler/preload.h"

#include "sampler/heap.h"
#include "sampler/machine.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define SLOW __attribute__((noinline))

static void *first_malloc(size_t size);
static void *first_calloc(size_t n, size_t size);
static void *first_realloc(void *block, size_t size);
static void first_free(void *block);
static void *first_memalign(size_t alignment, size_t size);

/* The allocator behind ours. */
static void *(*next_malloc)(size_t) = first_malloc;
static void *(*next_calloc)(size_t, size_t) = first_calloc;
static void *(*next_realloc)(void *, size_t) = first_realloc;
static void (*next_free)(void *) = first_free;
static void *(*next_memalign)(size_t, size_t) = first_memalign;

/* ---- Before there is one ---- */

static _Alignas(16) char pool[65536];
static _Atomic size_t pool_used;
static _Thread_local bool is_resolving
	__attribute__((tls_model("initial-exec")));

static bool is_in_pool(const void *block)
{
	return (const char *)block >= pool &&
	       (const char *)block < pool + sizeof(pool);
}

/* A block and its size in front of it. */
static void *pool_take(size_t size)
{
	const size_t need = (size + 16 + 15) & ~(size_t)15;
	size_t at;

	if (size > sizeof(pool))
		return NULL;
	at = atomic_fetch_add(&pool_used, need);
	if (at > sizeof(pool) - need)
		return NULL;
	memcpy(pool + at, &size, sizeof(size));
	/* Frees of it take the slow path, for ever: 255 sticks. */
	heap_filter[heap_hash(pool + at + 16)] = UINT8_MAX;
	return pool + at + 16;
}

static void resolve(void)
{
	if (is_resolving)
		return;
	is_resolving = true;
	preload_get_next(&next_calloc, "calloc");
	preload_get_next(&next_realloc, "realloc");
	preload_get_next(&next_free, "free");
	preload_get_next(&next_memalign, "memalign");
	preload_get_next(&next_malloc, "malloc");
	is_resolving = false;
}

static void *first_malloc(size_t size)
{
	if (is_resolving)
		return pool_take(size);
	resolve();
	return next_malloc(size);
}

static void *first_calloc(size_t n, size_t size)
{
	if (is_resolving)
		return size && n > sizeof(pool) / size ? NULL
		                                       : pool_take(n * size);
	resolve();
	return next_calloc(n, size);
}

static void *first_realloc(void *block, size_t size)
{
	resolve();
	return is_resolving ? NULL : next_realloc(block, size);
}

static void first_free(void *block)
{
	resolve();
	if (!is_resolving)
		next_free(block);
}

static void *first_memalign(size_t alignment, size_t size)
{
	resolve();
	return is_resolving ? NULL : next_memalign(alignment, size);
}

/* ---- Slow paths ---- */

static SLOW void *sampled_malloc(size_t size)
{
	struct cfi_regs regs;
	void *block = next_malloc(size);

	MACHINE_REGS_OF_CALLER(&regs);
	if (heap_draw(size))
		heap_note(block, size, &regs);
	return block;
}

static SLOW void *sampled_calloc(size_t n, size_t size)
{
	struct cfi_regs regs;
	void *block = next_calloc(n, size);

	MACHINE_REGS_OF_CALLER(&regs);
	if (heap_draw(n * size))
		heap_note(block, n * size, &regs);
	return block;
}

static SLOW void *sampled_memalign(size_t alignment, size_t size)
{
	struct cfi_regs regs;
	void *block = next_memalign(alignment, size);

	MACHINE_REGS_OF_CALLER(&regs);
	if (heap_draw(size))
		heap_note(block, size, &regs);
	return block;
}

/*
 * Out of the table before the block is given back: another thread may get
 * the same address at once.
 */
static SLOW void known_free(void *block)
{
	if (is_in_pool(block))
		return;
	heap_count_free(heap_take(block));
	next_free(block);
}

static void *realloc_from_pool(void *block, size_t size)
{
	void *moved = next_malloc(size);
	size_t old;

	memcpy(&old, (char *)block - 16, sizeof(old));
	if (moved)
		memcpy(moved, block, old < size ? old : size);
	return moved;
}

static SLOW void *known_realloc(void *block, size_t size)
{
	struct cfi_regs regs;
	uint32_t bucket;
	void *moved;

	if (is_in_pool(block))
		return realloc_from_pool(block, size);
	bucket = heap_take(block);
	moved = next_realloc(block, size);
	if (!moved && size != 0) {
		heap_put_back(block, bucket);
		return NULL;
	}
	heap_count_free(bucket);
	MACHINE_REGS_OF_CALLER(&regs);
	if (moved && heap_is_due(size) && heap_draw(size))
		heap_note(moved, size, &regs);
	return moved;
}

static SLOW void *sampled_realloc(void *block, size_t size)
{
	void *moved = next_realloc(block, size);
	struct cfi_regs regs;

	MACHINE_REGS_OF_CALLER(&regs);
	if (heap_draw(size) && size != 0)
		heap_note(moved, size, &regs);
	return moved;
}

/* ---- Hooks ---- */

HOOK void *malloc(size_t size)
{
	if (LIKELY(!heap_is_due(size)))
		return next_malloc(size);
	return sampled_malloc(size);
}

HOOK void free(void *block)
{
	if (LIKELY(!heap_may_hold(block)))
		next_free(block);
	else
		known_free(block);
}

HOOK void *calloc(size_t n, size_t size)
{
	size_t all;

	/* What overflows fails by itself. */
	if (__builtin_mul_overflow(n, size, &all) ||
	    LIKELY(!heap_is_due(all)))
		return next_calloc(n, size);
	return sampled_calloc(n, size);
}

HOOK void *realloc(void *block, size_t size)
{
	if (block && heap_may_hold(block))
		return known_realloc(block, size);
	if (LIKELY(!heap_is_due(size)))
		return next_realloc(block, size);
	return sampled_realloc(block, size);
}

HOOK void *reallocarray(void *block, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, all);
}

HOOK void *memalign(size_t alignment, size_t size)
{
	if (LIKELY(!heap_is_due(size)))
		return next_memalign(alignment, size);
	return sampled_memalign(alignment, size);
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

HOOK int posix_memalign(void **out, size_t alignment, size_t size)
{
	const int saved_errno = errno;
	void *block;

	if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
		return EINVAL;
	block = memalign(alignment, size);
	errno = saved_errno;
	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

/* C23's, which are free() where the size is right. */
HOOK void free_sized(void *block, size_t size);
HOOK void free_aligned_sized(void *block, size_t alignment, size_t size);

HOOK void free_sized(void *block, size_t size)
{
	(void)size;
	free(block);
}

HOOK void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(block);
}

HOOK void *valloc(size_t size)
{
	return memalign((size_t)getpagesize(), size);
}

HOOK void *pvalloc(size_t size)
{
	const size_t page = (size_t)getpagesize();

	if (size > SIZE_MAX - page) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(page, (size + page - 1) & ~(page - 1));
}
