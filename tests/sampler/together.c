/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libprofile-preload in front of libprofile.so: what the hooks of the first
 * record is what the second writes.
 */
#include <profile/io.h>
#include <profile/sampler.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *kept[10];

static int fail(const char *what)
{
	fprintf(stderr, "failed: %s\n", what);
	return 1;
}

/* alloc_objects, in the order of sample types. */
static int64_t sum_of_first(const char *name)
{
	struct prof_profile *p;
	struct prof_sample s;
	struct prof_error err;
	int64_t sum = 0;
	uint32_t i;

	if (prof_snapshot(&p, name, &err) != PROF_OK)
		return -1;
	for (i = 0; prof_get_sample(p, i, &s); i++)
		sum += s.values[0];
	prof_profile_free(p);
	return sum;
}

int main(void)
{
	struct prof_buffer raw = { NULL, 0, 0, NULL };
	struct prof_profile *p;
	struct prof_error err;
	volatile uint64_t n = 0;
	int i;

	prof_set_mem_rate(1);
	for (i = 0; i < 10; i++)
		kept[i] = malloc(1000);
	prof_set_mem_rate(0);
	if (sum_of_first("heap") < 10)
		return fail("the heap that the hooks saw");
	if (prof_cpu_start(NULL, &err) != PROF_OK)
		return fail(err.message);
	while (n < 200000000)
		n++;
	prof_cpu_stop();
	if (prof_cpu_write(prof_sink_buffer(&raw), "raw", &err) != PROF_OK ||
	    prof_read_mem(&p, raw.data, raw.size,
	                  &PROF_OPTIONS(prof_read_options, .kind = "cpu"),
	                  &err) != PROF_OK)
		return fail(err.message);
	if (prof_n_samples(p) == 0)
		return fail("CPU samples");
	prof_profile_free(p);
	prof_buffer_release(&raw);
	for (i = 0; i < 10; i++)
		free(kept[i]);
	return 0;
}
