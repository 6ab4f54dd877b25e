/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_child [-n REPS] COMMAND...: what a whole process costs. Runs it REPS
 * times (1) with stdout to /dev/null and prints for each run one line
 * cpu= wall= rss_kb=, from wait4: seconds, seconds, kilobytes.
 *
 * vfork, not fork: the peak of a forked child would begin at ours.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double wall_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double timeval_seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static int run(char **command, int null_fd)
{
	struct rusage ru;
	double from = wall_seconds(), wall;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(null_fd, 1);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &ru) != pid)
		return 126;
	wall = wall_seconds() - from;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "run_child: %s failed\n", command[0]);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
	}
	printf("cpu=%.6f wall=%.6f rss_kb=%ld\n",
	    timeval_seconds(ru.ru_utime) + timeval_seconds(ru.ru_stime), wall,
	    ru.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	int first = 1, reps = 1, rc = 0;
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		reps = atoi(argv[2]);
		first = 3;
	}
	if (argc <= first || null_fd < 0) {
		fputs("usage: run_child [-n REPS] COMMAND...\n", stderr);
		return 2;
	}
	for (int i = 0; i < reps && !rc; i++)
		rc = run(argv + first, null_fd);
	close(null_fd);
	return rc;
}
