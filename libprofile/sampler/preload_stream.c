/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams. The descriptor of one is its own: there is a row for the stream
 * and none for the descriptor.
 */
#include "sampler/preload_left.h"

#include <wchar.h>

typedef FILE *stream;

/* A function that opens a stream, or NULL. */
#define MAKES_FILE(name, parameters, arguments)                               \
	HOOK stream name parameters                                           \
	{                                                                     \
		REGS_OF_CALLER(regs);                                         \
		NEXT(name);                                                   \
		return left_file(next arguments, &regs);                      \
	}

MAKES_FILE(fopen, (const char *path, const char *mode), (path, mode))
MAKES_FILE(fopen64, (const char *path, const char *mode), (path, mode))
MAKES_FILE(tmpfile, (void), ())
MAKES_FILE(tmpfile64, (void), ())
MAKES_FILE(fmemopen, (void *memory, size_t size, const char *mode),
           (memory, size, mode))
MAKES_FILE(open_memstream, (char **memory, size_t *size), (memory, size))
MAKES_FILE(open_wmemstream, (wchar_t **memory, size_t *size), (memory, size))
MAKES_FILE(fopencookie,
           (void *cookie, const char *mode, cookie_io_functions_t functions),
           (cookie, mode, functions))
MAKES_FILE(popen, (const char *command, const char *mode), (command, mode))

HOOK FILE *fdopen(int fd, const char *mode)
{
	FILE *file;
	REGS_OF_CALLER(regs);

	NEXT(fdopen);
	file = left_file(next(fd, mode), &regs);
	/* The stream closes it now. */
	if (file)
		left_forget(COUNTS_FD, (uint64_t)fd);
	return file;
}

/* The old stream is closed whatever becomes of the new one. */
#define REOPENS(name)                                                         \
	HOOK FILE *name(const char *path, const char *mode, FILE *file)       \
	{                                                                     \
		REGS_OF_CALLER(regs);                                         \
		NEXT(name);                                                   \
		left_forget(COUNTS_FILE, (uint64_t)(uintptr_t)file);          \
		file = next(path, mode, file);                                \
		/* A row for stdout would be of no leak. */                   \
		return file == stdin || file == stdout || file == stderr      \
		               ? file : left_file(file, &regs);               \
	}

REOPENS(freopen)
REOPENS(freopen64)

HOOK int fclose(FILE *file)
{
	NEXT(fclose);
	left_forget(COUNTS_FILE, (uint64_t)(uintptr_t)file);
	return next(file);
}

HOOK int pclose(FILE *file)
{
	NEXT(pclose);
	left_forget(COUNTS_FILE, (uint64_t)(uintptr_t)file);
	return next(file);
}
