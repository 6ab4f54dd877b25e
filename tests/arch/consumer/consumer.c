/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds a small profile and writes it as pprof, compressed, so that the
 * libraries that the library needs must be there too. Has a function of a name that the
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

static struct prof_str str(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

static enum prof_status build(struct prof_profile **out,
                              struct prof_error *err)
{
	struct prof_builder *b = prof_builder_new(NULL);
	const struct prof_value_type type = { str("samples"), str("count") };
	const struct prof_function function = { .name = str("main") };
	struct prof_line line = { 0 };
	struct prof_location location = { .n_lines = 1, .lines = &line };
	const int64_t value = 1;
	uint32_t id;

	prof_add_sample_type(b, &type);
	line.function = prof_add_function(b, &function);
	id = prof_add_location(b, &location);
	prof_add_sample(b, prof_add_stack(b, &id, 1), 0, &value);
	return prof_builder_finish(out, b, err);
}

int main(void)
{
	struct prof_profile *p = NULL;
	struct prof_buffer out = { 0 };
	struct prof_error err;

	error_set();
	if (build(&p, &err) != PROF_OK ||
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
