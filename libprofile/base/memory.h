/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * The only place that calls the allocator, growing arrays, and a budget.
 * malloc and its kin are used nowhere else in the library.
 */

#include <profile/common.h>

/* malloc as a prof_allocator. */
extern const struct prof_allocator mem_malloc;

/* See prof_allocator.resize; a may not be NULL. */
void *mem_resize(const struct prof_allocator *a, void *ptr, size_t old_size,
                 size_t new_size);

/* Zeroed memory for n things of size; NULL where the product overflows. */
void *mem_zeroed(const struct prof_allocator *a, size_t n, size_t size);

void mem_free(const struct prof_allocator *a, void *ptr, size_t size);

/*
 * For a function that does nothing but prefetch: gcc 12 takes it for one
 * without an effect, and drops the calls, unless it is inlined at once.
 */
#define PREFETCHES static inline __attribute__((always_inline)) void

/*
 * An array that grows: VEC(struct x) xs = { 0 }. data[0 .. n) is in use.
 * Elements beyond n are not touched, so reserved memory costs no page until
 * it is written.
 */
#define VEC(type) struct { type *data; size_t n, capacity; }

/* clang's analyzer does not know that what has capacity has memory. */
#ifdef __clang_analyzer__
#define VEC_HAS_DATA(v) ((v)->data != NULL)
#else
#define VEC_HAS_DATA(v) true
#endif

/* Room for `more` elements behind n. False: out of memory, v unchanged. */
#define vec_reserve(v, more, a)                                               \
	(((v)->capacity - (v)->n >= (size_t)(more) ||                         \
	  vec_grow((void **)&(v)->data, &(v)->capacity, (v)->n,               \
	           (size_t)(more), sizeof(*(v)->data), (a))) &&               \
	 VEC_HAS_DATA(v))

/* Appends one element, room for which was reserved. */
#define vec_put(v, ...) ((void)((v)->data[(v)->n++] = __VA_ARGS__))

#define vec_release(v, a)                                                     \
	(mem_free((a), (v)->data, (v)->capacity * sizeof(*(v)->data)),        \
	 (v)->data = NULL, (v)->n = (v)->capacity = 0)

bool vec_grow(void **data, size_t *capacity, size_t n, size_t more,
              size_t size, const struct prof_allocator *a);

/*
 * An allocator that refuses to hand out more than max bytes at a time: how
 * the memory of a reader is bounded. `was_exceeded` tells a refusal from an
 * inner allocator that has nothing left.
 */
struct mem_budget {
	struct prof_allocator allocator; /* pass &budget.allocator on */
	const struct prof_allocator *inner;
	uint64_t used, max;
	bool is_fixed; /* not raised */
	bool was_exceeded;
};

void mem_budget_init(struct mem_budget *b, const struct prof_allocator *inner,
                     uint64_t max);

/* Allows `more` bytes on top; a fixed budget stays as it is. */
void mem_budget_raise(struct mem_budget *b, uint64_t more);

#endif
