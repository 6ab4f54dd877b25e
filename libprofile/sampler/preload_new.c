/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++'s operators. libstdc++'s call malloc and free, which are seen there;
 * allocators that replace malloc (jemalloc, tcmalloc) have operators of their
 * own that do not. Only for these do ours count.
 */
#include "sampler/preload.h"

#include "sampler/heap.h"
#include "sampler/machine.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define SLOW __attribute__((noinline))

/* Whether the operators behind ours are the allocator's. */
static bool allocates_itself;

/*
 * A library that was loaded by dlopen() finds our operators, but is not among
 * those behind us; its C++ library has them, or is a part of it.
 */
static void *find_next(const char *name)
{
	static const char *const libraries[] = { "libstdc++.so.6",
		                                 "libc++.so.1" };
	void *found = dlsym(RTLD_NEXT, name), *library;
	size_t i;

	for (i = 0; !found && i < 2; i++) {
		library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
		found = library ? dlsym(library, name) : NULL;
	}
	return found;
}

/* False: there is none. */
static bool get_next(void *next, const char *name)
{
	void *found = find_next(name), *allocator = dlsym(RTLD_NEXT, "malloc");
	Dl_info ours, its;

	if (!found)
		return false;
	allocates_itself = dladdr(found, &ours) && dladdr(allocator, &its) &&
	                   ours.dli_fbase == its.dli_fbase;
	memcpy(next, &found, sizeof(found));
	return true;
}

static void *or_abort(void *block)
{
	if (!block)
		abort(); /* there is nothing that could be thrown */
	return block;
}

/* `plain` is what it does where there is no C++ library. */
#define NEW(name, parameters, arguments, plain)                               \
	HOOK void *name parameters;                                           \
	static void *first_##name parameters;                                 \
	static __typeof__(&(name)) next_##name = first_##name;                \
                                                                              \
	static void *plain_##name parameters                                  \
	{                                                                     \
		return plain;                                                 \
	}                                                                     \
                                                                              \
	static void *first_##name parameters                                  \
	{                                                                     \
		if (!get_next(&next_##name, #name))                           \
			next_##name = plain_##name;                           \
		return name arguments;                                        \
	}                                                                     \
                                                                              \
	static SLOW void *sampled_##name parameters                           \
	{                                                                     \
		struct cfi_regs regs;                                         \
		void *block = next_##name arguments;                          \
                                                                              \
		MACHINE_REGS_OF_CALLER(&regs);                                \
		if (heap_draw(size))                                          \
			heap_note(block, size, &regs);                        \
		return block;                                                 \
	}                                                                     \
                                                                              \
	HOOK void *name parameters                                            \
	{                                                                     \
		if (LIKELY(!allocates_itself) || LIKELY(!heap_is_due(size)))  \
			return next_##name arguments;                         \
		return sampled_##name arguments;                              \
	}

#define DELETE(name, parameters, arguments)                                   \
	HOOK void name parameters;                                            \
	static void first_##name parameters;                                  \
	static __typeof__(&(name)) next_##name = first_##name;                \
                                                                              \
	static void plain_##name parameters                                   \
	{                                                                     \
		free(block);                                                  \
	}                                                                     \
                                                                              \
	static void first_##name parameters                                   \
	{                                                                     \
		if (!get_next(&next_##name, #name))                           \
			next_##name = plain_##name;                           \
		name arguments;                                               \
	}                                                                     \
                                                                              \
	HOOK void name parameters                                             \
	{                                                                     \
		if (!LIKELY(!allocates_itself) && heap_may_hold(block))       \
			heap_count_free(heap_take(block));                    \
		next_##name arguments;                                        \
	}

/* An object of no bytes has an address. */
#define PLAIN malloc(size ? size : 1)
#define PLAIN_ALIGNED memalign(alignment, size ? size : 1)

/* What parameters are no use of the plain ones. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* new, new[]; those that do not throw; of over-aligned types. */
NEW(_Znwm, (size_t size), (size), or_abort(PLAIN))
NEW(_Znam, (size_t size), (size), or_abort(PLAIN))
NEW(_ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), PLAIN)
NEW(_ZnamRKSt9nothrow_t, (size_t size, const void *tag), (size, tag), PLAIN)
NEW(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment),
    or_abort(PLAIN_ALIGNED))
NEW(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment),
    or_abort(PLAIN_ALIGNED))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t,
    (size_t size, size_t alignment, const void *tag), (size, alignment, tag),
    PLAIN_ALIGNED)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t,
    (size_t size, size_t alignment, const void *tag), (size, alignment, tag),
    PLAIN_ALIGNED)

/* delete, delete[]; the same with the size. */
DELETE(_ZdlPv, (void *block), (block))
DELETE(_ZdaPv, (void *block), (block))
DELETE(_ZdlPvm, (void *block, size_t size), (block, size))
DELETE(_ZdaPvm, (void *block, size_t size), (block, size))
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const void *tag), (block, tag))
DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment),
       (block, alignment))
DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment),
       (block, alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment),
       (block, size, alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment),
       (block, size, alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t,
       (void *block, size_t alignment, const void *tag),
       (block, alignment, tag))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t,
       (void *block, size_t alignment, const void *tag),
       (block, alignment, tag))
