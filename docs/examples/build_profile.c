/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile made by hand: time spent in requests, by path and by user. Written
 * to standard output as YAML, or in the format that is named.
 *
 *	build_profile [FORMAT]
 */
#include <profile/io.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct prof_str str(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

/* A location that is nothing but the name of a function. */
static uint32_t add_frame(struct prof_builder *b, const char *name)
{
	const struct prof_function function = { .name = str(name),
		                                .system_name = str(name) };
	const struct prof_line line = {
		.function = prof_add_function(b, &function)
	};
	const struct prof_location location = { .n_lines = 1, .lines = &line };

	return prof_add_location(b, &location);
}

static void add_request(struct prof_builder *b, const char *handler,
                        const char *user, int64_t time_ns)
{
	/* Leaf first. Equal functions, locations and stacks get equal ids. */
	const uint32_t frames[] = { add_frame(b, handler),
		                    add_frame(b, "serve"),
		                    add_frame(b, "main") };
	const struct prof_label label = { .key = str("user"),
		                          .str = str(user) };
	const int64_t values[] = { 1, time_ns };

	/* "count": adds to the sample of this stack and these labels. */
	prof_count_sample(b, prof_add_stack(b, frames, 3),
	                  prof_add_label_set(b, &label, 1), values);
}

int main(int argc, char **argv)
{
	const struct prof_value_type requests = { str("requests"),
		                                  str("count") };
	const struct prof_value_type wall = { str("wall"),
		                              str("nanoseconds") };
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_profile *p = NULL;
	struct prof_error err;
	enum prof_status status;

	if (!b)
		return 1;
	/* No call here needs a look at its result: a failure sticks, and
	   prof_builder_finish() tells it. */
	prof_add_sample_type(b, &requests);
	prof_add_sample_type(b, &wall);
	add_request(b, "GET /index", "ann", 1500000);
	add_request(b, "GET /index", "bob", 1250000);
	add_request(b, "POST /order", "ann", 9000000);
	add_request(b, "GET /index", "ann", 1000000);
	prof_add_comment(b, str("four requests"));

	status = prof_builder_finish(&p, b, &err); /* b is gone */
	if (status == PROF_OK)
		status = prof_write(p, argc > 1 ? argv[1] : "yaml",
		                    prof_sink_fd(STDOUT_FILENO), NULL, &err);
	if (status != PROF_OK)
		fprintf(stderr, "build_profile: %s\n", err.message);
	prof_profile_free(p);
	return status != PROF_OK;
}
