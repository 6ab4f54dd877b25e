/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that profiles itself: CPU samples with labels, and a collection
 * of its own, into a recording.
 *
 *	profile_self FILE
 */
#include <profile/io.h>
#include <profile/sampler.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct output {
	struct prof_recorder recorder;
	struct prof_error err;
	enum prof_status status;
};

/* Samples are taken out while they come. */
static void *record(void *arg)
{
	struct output *out = arg;

	out->status = prof_record(&out->recorder, &out->err);
	return NULL;
}

static void compute(void *unused)
{
	const clock_t end = clock() + CLOCKS_PER_SEC / 5;
	volatile double sum = 1;
	int i;

	(void)unused;
	while (clock() < end)
		for (i = 1; i < 10000; i++)
			sum = sum / 2 + i;
}

static int fail(const struct prof_error *err)
{
	fprintf(stderr, "profile_self: %s\n", err->message);
	return 1;
}

int main(int argc, char **argv)
{
	const struct prof_label_pair request = { "request", "squares" };
	struct prof_collection *connections;
	struct output out = { .status = PROF_OK };
	pthread_t thread;
	int fd, one;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (prof_recorder_new(&out.recorder, "raw", prof_sink_fd(fd), NULL,
	                      &out.err) != PROF_OK ||
	    prof_new(&connections, "connections", &out.err) != PROF_OK ||
	    prof_add(connections, &one, 0, &out.err) != PROF_OK ||
	    prof_cpu_start(&PROF_OPTIONS(prof_cpu_options, .hz = 500),
	                   &out.err) != PROF_OK)
		return fail(&out.err);
	pthread_create(&thread, NULL, record, &out);
	prof_do(prof_labels_with(NULL, &request, 1, NULL), compute, NULL);
	prof_cpu_stop();
	pthread_join(thread, NULL);
	prof_recorder_free(&out.recorder);
	return out.status == PROF_OK && close(fd) == 0 ? 0 : fail(&out.err);
}
