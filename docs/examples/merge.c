/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds up profiles, one after the other: what is kept in memory grows with
 * what is different in them, not with their number.
 *
 *	merge IN... > OUT
 */
#include <profile/io.h>
#include <profile/transform.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Adds a file to the sum. */
static enum prof_status add_file(struct prof_merger *m, const char *path,
                                 struct prof_error *err)
{
	struct prof_profile *p = NULL;
	const int fd = open(path, O_RDONLY);
	enum prof_status status;

	if (fd < 0) {
		snprintf(err->message, sizeof(err->message), "%s",
		         strerror(errno));
		return PROF_SYSTEM;
	}
	status = prof_read(&p, prof_source_fd(fd), NULL, err);
	if (status == PROF_OK)
		status = prof_merger_add(m, p, 1, err);
	prof_profile_free(p);
	close(fd);
	return status;
}

int main(int argc, char **argv)
{
	struct prof_merger *m = prof_merger_new(NULL);
	struct prof_profile *sum = NULL;
	struct prof_error err;
	enum prof_status status = m ? PROF_OK : PROF_NOMEM;

	for (int i = 1; i < argc && status == PROF_OK; i++) {
		status = add_file(m, argv[i], &err);
		if (status != PROF_OK)
			fprintf(stderr, "merge: %s: %s\n", argv[i],
			        err.message);
	}
	if (status != PROF_OK) {
		prof_merger_free(m);
		return 1;
	}

	status = prof_merger_finish(&sum, m, &err); /* m is gone */
	if (status == PROF_OK)
		status = prof_write(sum, "pprof", prof_sink_fd(STDOUT_FILENO),
		                    NULL, &err);
	if (status != PROF_OK)
		fprintf(stderr, "merge: %s\n", err.message);
	prof_profile_free(sum);
	return status != PROF_OK;
}
