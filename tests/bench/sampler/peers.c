/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads for peers.py, which runs each with no profiler, with ours and with
 * others. What is measured is measured from inside: the launcher's work on
 * another core is not the program's.
 *
 *	peers malloc N      N blocks from 8 sites: CPU ns for each
 *	peers start         CPU us and KiB of memory at main()
 *	peers threads N     wall us to make and join a thread
 *	peers contend N     three threads take a lock N times: ms they waited
 *	peers eintr N       N sleeps between bits of work: how many were cut short
 *	peers exec N        works and becomes itself N times: ends with 0
 *	peers end HOW       works for 0.3 s and ends: return, _exit, abort, kill
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void work(double cpu_seconds)
{
	const double end = seconds(CLOCK_THREAD_CPUTIME_ID) + cpu_seconds;
	volatile unsigned i;

	while (seconds(CLOCK_THREAD_CPUTIME_ID) < end)
		for (i = 0; i < 20000; i++)
			;
}

/* ---- Blocks ---- */

enum { SLOTS = 4096 };
static void *slots[SLOTS];
static uint64_t state = 88172645463325252;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

#define SITE(n)                                                               \
	static __attribute__((noinline)) void *site_##n(size_t size)          \
	{                                                                     \
		void *p = malloc(size + n);                                   \
		memset(p, n, size < 64 ? size : 64);                          \
		return p;                                                     \
	}
SITE(0) SITE(1) SITE(2) SITE(3) SITE(4) SITE(5) SITE(6) SITE(7)

static void *(*const sites[])(size_t) = { site_0, site_1, site_2, site_3,
	                                  site_4, site_5, site_6, site_7 };

/* Sizes of 16 to 4096 bytes, the small ones the most. */
static void allocate(long n)
{
	double begin = seconds(CLOCK_PROCESS_CPUTIME_ID);
	long i;

	for (i = 0; i < n; i++) {
		const uint64_t r = next_random();
		void **slot = &slots[r % SLOTS];

		free(*slot);
		*slot = sites[r >> 32 & 7]((size_t)16 << (r >> 40 & 7) *
		                                        (r >> 48 & 7) / 6);
	}
	printf("%.3f\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e9 /
	                         (double)n);
}

/* ---- Threads ---- */

static void *nothing(void *unused)
{
	return unused;
}

static void make_threads(long n)
{
	const double begin = seconds(CLOCK_MONOTONIC);
	pthread_t thread;
	long i;

	for (i = 0; i < n; i++) {
		if (pthread_create(&thread, NULL, nothing, NULL) != 0)
			abort();
		pthread_join(thread, NULL);
	}
	printf("%.2f\n", (seconds(CLOCK_MONOTONIC) - begin) * 1e6 / (double)n);
}

/* ---- A lock ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic long rounds_left;
static _Atomic uint64_t waited_ns;

static void *contend(void *unused)
{
	double begin;

	while (--rounds_left >= 0) {
		begin = seconds(CLOCK_MONOTONIC);
		pthread_mutex_lock(&lock);
		waited_ns += (uint64_t)((seconds(CLOCK_MONOTONIC) - begin) *
		                        1e9);
		work(0.0003);
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

/* Nobody joins, which would be a wait of another kind. */
static void contend_all(long n)
{
	const struct timespec bit = { 0, 5000000 };
	pthread_t thread;
	int i;

	rounds_left = 3 * n;
	for (i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, contend, NULL) != 0)
			abort();
	while (rounds_left > -3)
		nanosleep(&bit, NULL);
	printf("%.3f\n", (double)waited_ns * 1e-6);
}

/* ---- Calls that are cut short ---- */

static void sleep_often(long n)
{
	const struct timespec bit = { 0, 1000000 };
	long i, cut = 0;

	for (i = 0; i < n; i++) {
		work(0.0005);
		cut += nanosleep(&bit, NULL) != 0 && errno == EINTR;
	}
	printf("%ld\n", cut);
}

static void become_itself(char **argv, long n)
{
	char count[24];

	work(0.02);
	if (n == 0)
		return;
	snprintf(count, sizeof(count), "%ld", n - 1);
	argv[2] = count;
	execv("/proc/self/exe", argv);
	abort();
}

static void end(const char *how)
{
	work(0.3);
	if (!strcmp(how, "_exit"))
		_exit(0);
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "kill"))
		raise(SIGKILL);
}

/* ru_maxrss would be that of the launcher that forked. */
static long memory_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		abort();
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const long n = argc > 2 ? atol(argv[2]) : 0;

	if (!strcmp(what, "start")) {
		const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

		printf("%.0f %ld\n", cpu * 1e6, memory_kib());
	} else if (!strcmp(what, "malloc")) {
		allocate(n);
	} else if (!strcmp(what, "threads")) {
		make_threads(n);
	} else if (!strcmp(what, "contend")) {
		contend_all(n);
	} else if (!strcmp(what, "eintr")) {
		sleep_often(n);
	} else if (!strcmp(what, "exec")) {
		become_itself(argv, n);
	} else if (!strcmp(what, "end") && argc > 2) {
		end(argv[2]);
	} else {
		return 2;
	}
	return 0;
}
