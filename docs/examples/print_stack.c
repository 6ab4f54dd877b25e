/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where am I? A warning that tells how it was reached, with the calls that the
 * compiler inlined: the addresses come from backtrace(), or from any other
 * unwinder; functions, files and lines from prof_frames().
 *
 *	print_stack
 */
#include <profile/symbolize.h>

#include <execinfo.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 32
#define MAX_INLINED 16 /* calls inlined at one address */

static void print_frame(const struct prof_symbol *frame, bool is_inlined)
{
	const char *slash = strrchr(frame->filename.ptr, '/');

	printf("  %s %s:%ld%s\n", frame->name.ptr,
	       slash ? slash + 1 : frame->filename.ptr, (long)frame->line,
	       is_inlined ? " (inlined)" : "");
}

/* Prints the frames of an address, up to main; false: that was it. */
static bool print_address(const struct prof_frames *frames, size_t i)
{
	struct prof_symbol f[MAX_INLINED];
	size_t n = prof_get_frames(frames, i, f, MAX_INLINED);

	if (n > MAX_INLINED)
		n = MAX_INLINED;
	for (size_t k = 0; k < n; k++) /* innermost first */
		print_frame(&f[k], k + 1 < n);
	return n > 0 && strcmp(f[n - 1].name.ptr, "main") != 0;
}

static __attribute__((noinline)) int warn(const char *what)
{
	void *stack[MAX_DEPTH];
	uint64_t pcs[MAX_DEPTH];
	struct prof_frames *frames;
	struct prof_error err;
	size_t n = (size_t)backtrace(stack, MAX_DEPTH) - 1;

	for (size_t i = 0; i < n; i++) /* 0 is this function */
		pcs[i] = (uint64_t)(uintptr_t)stack[i + 1];
	if (prof_frames(&frames, pcs, n, NULL, &err) != PROF_OK) {
		fprintf(stderr, "print_stack: %s\n", err.message);
		return 1;
	}
	printf("%s, at\n", what);
	for (size_t i = 0; i < n && print_address(frames, i); i++)
		;
	prof_frames_free(frames);
	return 0;
}

static inline __attribute__((always_inline)) int check_size(int size)
{
	int failures = 0;

	if (size > 100)
		failures += warn("more than 100");
	return failures;
}

static __attribute__((noinline)) int serve(int size)
{
	int failures = check_size(size);

	return failures + check_size(size / 2);
}

int main(int argc, char **argv)
{
	int failures = serve(149 + argc);

	(void)argv;
	return failures != 0;
}
