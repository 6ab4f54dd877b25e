/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap profile from sampled allocations, as an allocator with a sampling
 * hook has them. One in 512 KiB was looked at, so what is known is scaled up
 * to what there must have been.
 *
 *	heap_records
 */
#include <profile/io.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RATE (512 * 1024)

int main(void)
{
	static const struct prof_mem_record records[] = {
		/* 100 blocks of 1 KiB seen, 40 of them freed again. */
		{ .alloc_bytes = 100 << 10, .alloc_objects = 100,
		  .free_bytes = 40 << 10, .free_objects = 40,
		  .stack = { 0x401235, 0x401106 } },
		/* Two blocks of 8 MiB, kept: so large that hardly any is missed. */
		{ .alloc_bytes = 16 << 20, .alloc_objects = 2,
		  .stack = { 0x401307, 0x401106 } },
	};
	static const char path[] = "/usr/bin/server";
	const struct prof_mapping program = {
		.start = 0x400000,
		.limit = 0x402000,
		.file = { path, strlen(path) },
	};
	struct prof_profile *p = NULL;
	struct prof_error err;

	if (prof_from_mem(&p, records, 2, RATE,
	                  &PROF_OPTIONS(prof_from_options,
	                                .mappings = &program,
	                                .n_mappings = 1),
	                  &err) != PROF_OK ||
	    prof_write(p, "yaml", prof_sink_fd(STDOUT_FILENO), NULL,
	               &err) != PROF_OK) {
		fprintf(stderr, "heap_records: %s\n", err.message);
		prof_profile_free(p);
		return 1;
	}
	prof_profile_free(p);
	return 0;
}
