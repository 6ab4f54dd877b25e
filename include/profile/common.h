/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_COMMON_H
#define PROFILE_COMMON_H

/*
 * What every part of libprofile shares: the version, strings, statuses,
 * errors and the allocator.
 *
 * Threads: the library keeps no hidden mutable state outside the sampler.
 * Functions that take a const object may run at the same time on it;
 * anything else needs one thread per object. The sampler is one per process
 * and locks for itself. Only functions marked [signal-safe] may run in a
 * signal handler.
 *
 * Failures: a function that can fail returns an enum prof_status and takes
 * an optional struct prof_error as its last argument, which the caller owns
 * and which is written on failure only. Results come first; on failure they
 * are left untouched. A comment lists the statuses that say something about
 * the call; any function that allocates can return PROF_NOMEM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PROF_API __attribute__((visibility("default")))
#else
#define PROF_API
#endif

/* The build reads the version from here. */
#define PROF_VERSION_MAJOR 0
#define PROF_VERSION_MINOR 1
#define PROF_VERSION_PATCH 0

/* The version of the library that is linked in: "0.1.0", static. */
PROF_API const char *prof_version(void);

/*
 * Bytes with a length, usually UTF-8 and never required to be. Borrowed from
 * the object that gave it out, and ptr[len] is '\0'. A caller who passes one
 * in need not end it with '\0'. {NULL, 0} means absent where that matters,
 * the empty string elsewhere.
 */
struct prof_str {
	const char *ptr;
	size_t len;
};

/* The statuses, with the words prof_status_string() has for them. */
#define PROF_STATUS_LIST(X)                                                   \
	X(OK, "success")                                                      \
	X(NOMEM, "out of memory")                                             \
	X(SYSTEM, "system call failed")                                       \
	X(UNKNOWN_FORMAT, "no known profile format")                          \
	X(CORRUPT, "malformed input")                                         \
	X(TRUNCATED, "input ends early")                                      \
	X(LIMIT, "input exceeds a limit")                                     \
	X(UNSUPPORTED, "cannot be expressed in this format")                  \
	X(MISMATCH, "profiles of different sample types")                     \
	X(OVERFLOW, "a value left the range of 64 bits")                      \
	X(INVALID, "invalid argument")                                        \
	X(BUSY, "already started")

#define PROF_STATUS_ENUM(name, text) PROF_##name,
enum prof_status { PROF_STATUS_LIST(PROF_STATUS_ENUM) };
#undef PROF_STATUS_ENUM

/* The words for a status: static, in lower case. */
PROF_API const char *prof_status_string(enum prof_status status);

/*
 * What went wrong and where. Filled on failure where the caller passed one;
 * never allocates, so it works when memory has run out.
 */
struct prof_error {
	enum prof_status status;
	int sys_errno;      /* of PROF_SYSTEM, else 0 */
	uint64_t offset;    /* byte in the uncompressed input; UINT64_MAX: none */
	uint64_t line;      /* line of a text input, from 1; 0: none */
	char message[208];  /* one line without a final newline, UTF-8 */
};

/* A file that was loaded, and where: address - base is what its tools show. */
struct prof_binary {
	char path[4096];
	uint64_t base;
};

/*
 * Where memory comes from. One function as realloc with sizes: ptr NULL
 * allocates, new_size 0 frees (and returns NULL), anything else resizes and
 * keeps the content. Returns NULL on failure and leaves ptr as it was.
 * Memory is aligned as malloc's. Calls come from the thread that uses the
 * object the allocator was given to. The struct is copied, ctx is not: it
 * must outlive all that was made with it. Where one is asked for, NULL is
 * malloc.
 */
struct prof_allocator {
	void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t new_size);
	void *ctx;
};

/*
 * An options struct begins with its size, so that it can grow, and zero in a
 * field means the default; NULL in its place is all defaults. (C++ has no
 * such literals: there, zero the struct and set .size.)
 *
 *	prof_read_mem(&p, data, n,
 *	              &PROF_OPTIONS(prof_read_options, .format = "raw"), &err);
 */
#define PROF_OPTIONS(type, ...)                                               \
	((struct type){ .size = sizeof(struct type), __VA_ARGS__ })

#ifdef __cplusplus
}
#endif

#endif
