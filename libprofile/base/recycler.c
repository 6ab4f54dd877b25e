/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator for one profile after another. Touching fresh memory costs
 * about as much as decoding into it, and so does moving a table each time it
 * grows. So every large block gets a range of addresses that no table can
 * outgrow, grows in its place, and keeps its pages when it is freed, for the
 * next one. Small blocks are malloc's business.
 *
 * The ranges are reserved at once and cost nothing until they are used: a
 * page is asked for when a block grows into it, and is in memory when it is
 * written. (Medium profile read again and again: 42 ms CPU, and 53 with
 * malloc.)
 */
#include "base/memory.h"

#include <profile/io.h>

#include <string.h>
#include <sys/mman.h>

#define RANGE_SIZE ((size_t)4 << 30) /* no table is larger: 32-bit offsets */
#define N_RANGES 48
#define MIN_SIZE ((size_t)32 << 10)  /* smaller blocks are malloc's */
#define STEP ((size_t)1 << 20)       /* of asking for pages */

struct range {
	size_t usable; /* bytes from its start that were asked for */
	bool is_taken;
};

struct recycler {
	struct prof_allocator allocator; /* what the caller holds */
	unsigned char *base;             /* of N_RANGES ranges */
	struct range ranges[N_RANGES];
};

/* The range of a block, or NULL where it is malloc's. */
static struct range *range_of(struct recycler *r, const void *ptr)
{
	const uintptr_t offset = (uintptr_t)ptr - (uintptr_t)r->base;

	return ptr && offset < RANGE_SIZE * N_RANGES ?
		&r->ranges[offset / RANGE_SIZE] : NULL;
}

static unsigned char *range_start(const struct recycler *r,
                                  const struct range *range)
{
	return r->base + (size_t)(range - r->ranges) * RANGE_SIZE;
}

/* Makes size bytes of a range usable; false: the system has none. */
static bool make_usable(struct recycler *r, struct range *range, size_t size)
{
	size_t wanted;

	if (size <= range->usable)
		return true;
	if (size > RANGE_SIZE)
		return false;
	wanted = (size + STEP - 1) / STEP * STEP;
	if (mprotect(range_start(r, range) + range->usable,
	             wanted - range->usable, PROT_READ | PROT_WRITE) != 0)
		return false;
	range->usable = wanted;
	return true;
}

/*
 * The first free range. What comes again and again in the same order gets the
 * same ranges again then, whose pages are there; taking the one whose size
 * fits best had tables go round until every range had been large.
 */
static struct range *free_range(struct recycler *r)
{
	for (size_t i = 0; i < N_RANGES; i++)
		if (!r->ranges[i].is_taken)
			return &r->ranges[i];
	return NULL;
}

/* A block of that size: of a range, or where all are taken of malloc. */
static void *take(struct recycler *r, size_t size)
{
	struct range *range = size < MIN_SIZE ? NULL : free_range(r);

	if (!range || !make_usable(r, range, size))
		return mem_resize(&mem_malloc, NULL, 0, size);
	range->is_taken = true;
	return range_start(r, range);
}

static void give_back(struct recycler *r, void *ptr, size_t size)
{
	struct range *range = range_of(r, ptr);

	if (range)
		range->is_taken = false;
	else
		mem_free(&mem_malloc, ptr, size);
}

static void *resize_recycled(void *ctx, void *ptr, size_t old_size,
                             size_t new_size)
{
	struct recycler *r = ctx;
	struct range *range = range_of(r, ptr);
	void *to;

	if (new_size == 0) {
		give_back(r, ptr, old_size);
		return NULL;
	}
	if (range && make_usable(r, range, new_size))
		return ptr;
	if (!range && ptr && new_size < MIN_SIZE)
		return mem_resize(&mem_malloc, ptr, old_size, new_size);
	to = take(r, new_size);
	if (to && ptr) {
		memcpy(to, ptr, old_size < new_size ? old_size : new_size);
		give_back(r, ptr, old_size);
	}
	return to;
}

struct prof_allocator *prof_recycler_new(void)
{
	struct recycler *r = mem_zeroed(&mem_malloc, 1, sizeof(*r));
	void *base;

	if (!r)
		return NULL;
	base = mmap(NULL, RANGE_SIZE * N_RANGES, PROT_NONE,
	            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED) {
		mem_free(&mem_malloc, r, sizeof(*r));
		return NULL;
	}
	r->base = base;
	r->allocator = (struct prof_allocator){ resize_recycled, r };
	return &r->allocator;
}

void prof_recycler_free(struct prof_allocator *recycler)
{
	struct recycler *r;

	if (!recycler)
		return;
	r = recycler->ctx;
	munmap(r->base, RANGE_SIZE * N_RANGES);
	mem_free(&mem_malloc, r, sizeof(*r));
}
