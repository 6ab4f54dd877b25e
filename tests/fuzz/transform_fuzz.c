/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transforms of any profile with any argument. The first byte chooses the
 * row, the bytes up to a newline are its argument, the rest is a profile. A
 * second transform and the writers then find what the first may have broken.
 */
#include <profile/io.h>
#include <profile/transform.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct prof_limits limits = {
	.max_bytes = 1 << 20, .max_memory = 64 << 20, .max_depth = 1000
};

static int drop(void *ctx, const void *bytes, size_t size)
{
	(void)ctx, (void)bytes, (void)size;
	return 0;
}

static void transform(struct prof_profile *p, unsigned char choice,
                      const char *arg)
{
	const struct prof_transform_info *info;
	size_t n = 0;

	while (prof_transform_info(n))
		n++;
	info = prof_transform_info(choice % n);
	/* What fails has left a profile that can still be written. */
	prof_transform(p, info->name, info->argument ? arg : NULL, NULL);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const struct prof_sink sink = { drop, NULL };
	const unsigned char *end = size ? memchr(data, '\n', size) : NULL;
	struct prof_profile *p = NULL;
	char arg[64];
	size_t n;

	if (!end || end == data || end - data > (ptrdiff_t)sizeof(arg))
		return 0;
	n = (size_t)(end - data) - 1;
	memcpy(arg, data + 1, n);
	arg[n] = '\0';
	if (prof_read_mem(&p, end + 1, size - n - 2,
	                  &PROF_OPTIONS(prof_read_options, .limits = limits),
	                  NULL) != PROF_OK)
		return 0;
	transform(p, data[0], arg);
	transform(p, (unsigned char)(data[0] / 7), arg);
	prof_write(p, "pprof", sink, NULL, NULL);
	prof_write(p, "text", sink, NULL, NULL);
	prof_profile_free(p);
	return 0;
}
