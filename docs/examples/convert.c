/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile from any format to any other, with a word about what the other
 * could not hold.
 *
 *	convert FORMAT [SAMPLE_TYPE] < IN > OUT
 */
#include <profile/io.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void print_note(void *ctx, const char *message)
{
	unsigned *n_notes = ctx;

	fprintf(stderr, "note %u: %s\n", ++*n_notes, message);
}

static int fail(const struct prof_error *err)
{
	fprintf(stderr, "convert: %s", err->message);
	if (err->line != 0)
		fprintf(stderr, ", line %" PRIu64, err->line);
	else if (err->offset != UINT64_MAX)
		fprintf(stderr, ", byte %" PRIu64, err->offset);
	fprintf(stderr, "\n");
	return 1;
}

int main(int argc, char **argv)
{
	unsigned n_notes = 0;
	const struct prof_notes notes = { print_note, &n_notes };
	struct prof_profile *p = NULL;
	struct prof_error err;
	enum prof_status status;

	if (argc < 2) {
		fprintf(stderr, "formats:");
		for (size_t i = 0; prof_format_info(i); i++)
			if (prof_format_info(i)->can & PROF_CAN_WRITE)
				fprintf(stderr, " %s",
				        prof_format_info(i)->name);
		fprintf(stderr, "\n");
		return 2;
	}

	/* Input that nobody vouches for: a limit of our own. */
	status = prof_read(&p, prof_source_fd(STDIN_FILENO),
	                   &PROF_OPTIONS(prof_read_options, .notes = notes,
	                                 .limits.max_bytes = 256 << 20),
	                   &err);
	if (status == PROF_OK)
		status = prof_write(p, argv[1], prof_sink_fd(STDOUT_FILENO),
		                    &PROF_OPTIONS(prof_write_options,
		                                  .notes = notes,
		                                  .sample_type = argv[2]),
		                    &err);
	prof_profile_free(p);
	return status == PROF_OK ? 0 : fail(&err);
}
