/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a profile of one line and writes it as pprof, so that the libraries
 * that the library needs are there too. Has a function of a name that the
 * library uses inside: that one must not be in its way.
 */
#include <profile/io.h>

#include <stdio.h>
#include <string.h>

void error_set(void);
void error_set(void)
{
	puts("this is the program's own");
}

int main(void)
{
	static const char yaml[] = "profile: 1\n"
	                           "sample_types: [samples/count]\n"
	                           "samples:\n"
	                           "- {v: [1], stack: [leaf, root]}\n";
	struct prof_profile *p = NULL;
	struct prof_buffer out = { 0 };
	struct prof_error err;

	error_set();
	if (prof_read_mem(&p, yaml, strlen(yaml), NULL, &err) != PROF_OK ||
	    prof_write(p, "pprof", prof_sink_buffer(&out), NULL, &err) !=
	    PROF_OK) {
		puts(err.message);
		return 1;
	}
	printf("%s: %u sample, %zu bytes\n", prof_version(),
	       (unsigned)prof_n_samples(p), out.size);
	prof_buffer_release(&out);
	prof_profile_free(p);
	return 0;
}
