/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small program with something to see in each of its profiles: threads
 * that compute, one that allocates and keeps, a lock that is held for long,
 * and a file that is never closed. Nothing in it knows of profiles:
 *
 *	profrec --cpu --heap --block --mutex --fd -o busy.pb.gz -- busy
 *
 * busy [END [SECONDS]]: END is how it ends: return, exit, _exit, abort, kill,
 * exec, or fork (a child computes as well).
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds = 0.2;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static char *kept[256];

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double compute(double until)
{
	volatile double sum = 0;
	int i;

	while (cpu_time() < until)
		for (i = 1; i < 10000; i++)
			sum += 1.0 / i;
	return sum;
}

static void *compute_squares(void *unused)
{
	(void)unused;
	compute(seconds);
	return NULL;
}

static void *fill_table(void *unused)
{
	size_t i;

	(void)unused;
	pthread_mutex_lock(&table_lock);
	for (i = 0; i < 256; i++) {
		kept[i] = malloc(8192);
		if (kept[i])
			memset(kept[i], 1, 8192);
	}
	compute(seconds / 4);
	pthread_mutex_unlock(&table_lock);
	return NULL;
}

static void *read_table(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&table_lock);
	compute(seconds / 8);
	pthread_mutex_unlock(&table_lock);
	return NULL;
}

static int open_log(void)
{
	return open("/dev/null", O_WRONLY);
}

static void end(const char *how)
{
	if (!strcmp(how, "exit"))
		exit(3);
	if (!strcmp(how, "_exit"))
		_exit(4);
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		raise(SIGKILL);
	if (!strcmp(how, "exec"))
		execl("/bin/echo", "echo", "replaced", (char *)NULL);
}

int main(int argc, char **argv)
{
	void *(*const work[])(void *) = { fill_table, read_table,
		                          compute_squares, compute_squares };
	pthread_t threads[4];
	const char *how = argc > 1 ? argv[1] : "return";
	int i, status = 0;
	pid_t child = -1;

	if (argc > 2)
		seconds = atof(argv[2]);
	if (!strcmp(how, "fork")) {
		child = fork();
		if (child == 0)
			how = "child";
	}
	for (i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, work[i], NULL) != 0)
			return 1;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	if (open_log() < 0)
		return 1;
	if (child > 0)
		waitpid(child, &status, 0);
	end(how);
	return status != 0;
}
