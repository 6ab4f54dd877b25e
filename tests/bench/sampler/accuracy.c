/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How true CPU samples are: accuracy SOURCE HZ, SOURCE as in profrec
 * --source. Rows of "what  expected  got  ratio", where 1.000 is the truth:
 *
 *	phase N    eight phases of a program that works 1 ms in every 4
 *	user       time in user mode, kernel: in system calls
 *	thread N   each of four threads at the same time
 *	short      threads that live for 4 ms
 */
#include <profile/sampler.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PHASES = 8, THREADS = 4, KINDS = 32 };

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- What was used, and what was sampled, by label ---- */

static uint64_t used[KINDS], sampled[KINDS], unsampled;
static const struct prof_label_set *sets[KINDS];
static uint64_t tags[KINDS];
static pthread_mutex_t used_lock = PTHREAD_MUTEX_INITIALIZER;

static void begin(unsigned kind, uint64_t *start)
{
	prof_labels_set(sets[kind]);
	*start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void end(unsigned kind, uint64_t start)
{
	const uint64_t ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;

	prof_labels_set(NULL);
	pthread_mutex_lock(&used_lock);
	used[kind] += ns;
	pthread_mutex_unlock(&used_lock);
}

static void spin(uint64_t ns)
{
	const uint64_t stop = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
	volatile unsigned i;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < stop)
		/* Long enough that reading the clock is next to nothing. */
		for (i = 0; i < 30000; i++)
			;
}

/* Tags are told by their order of appearance: each kind spins once. */
static void *read_samples(void *unused)
{
	struct prof_chunk c;
	const uint64_t *w;
	size_t i, k;

	while (prof_cpu_read(&c) == PROF_GOT_CHUNK) {
		for (i = 0, w = c.words; i < c.n_tags; i++, w += w[0]) {
			if (w[0] > 3 && w[3] == PROF_PC_UNSAMPLED)
				unsampled += w[2];
			for (k = 0; c.tags[i] && k < KINDS; k++)
				if (tags[k] == c.tags[i])
					sampled[k] += w[2];
		}
	}
	return unused;
}

/* ---- The programs ---- */

static void phases(void)
{
	const uint64_t stop = clock_ns(CLOCK_MONOTONIC) + 8000000000u;
	uint64_t now, start, step = 4000000 / PHASES;
	struct timespec until;
	unsigned phase;

	/* A millisecond's work at the same place of the 4 ms tick, for one
	   phase after the other. */
	while ((now = clock_ns(CLOCK_MONOTONIC)) < stop) {
		phase = (unsigned)(now / 1000000000 % PHASES);
		now = now / 4000000 * 4000000 + 4000000 + phase * step;
		until.tv_sec = (time_t)(now / 1000000000);
		until.tv_nsec = (long)(now % 1000000000);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		begin(phase, &start);
		spin(1000000);
		end(phase, start);
	}
}

static void user_and_kernel(void)
{
	static char buf[1 << 14];
	const int zero = open("/dev/zero", O_RDONLY);
	uint64_t start, stop = clock_ns(CLOCK_MONOTONIC) + 2000000000;
	int i;

	while (clock_ns(CLOCK_MONOTONIC) < stop) {
		begin(PHASES, &start);
		spin(1000000);
		end(PHASES, start);
		begin(PHASES + 1, &start);
		for (i = 0; i < 1000; i++)
			if (read(zero, buf, sizeof(buf)) < 0)
				break;
		end(PHASES + 1, start);
	}
	close(zero);
}

static void *thread_main(void *kind)
{
	const unsigned k = (unsigned)(uintptr_t)kind;
	uint64_t start;

	begin(k, &start);
	spin(k == 20 ? 4000000 : 1000000000);
	end(k, start);
	return NULL;
}

static void threads(void)
{
	pthread_t all[THREADS];
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&all[i], NULL, thread_main, (void *)(i + 16));
	for (i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
}

static void short_threads(void)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 500; i++) {
		pthread_create(&thread, NULL, thread_main, (void *)20);
		pthread_join(thread, NULL);
	}
}

static void print_row(const char *what, unsigned from, unsigned n, double hz)
{
	unsigned i;

	for (i = from; i < from + n; i++) {
		const double wanted = (double)used[i] * 1e-9 * hz;

		printf("%-8s %2u %9.1f %7lu %7.3f\n", what, i - from, wanted,
		       (unsigned long)sampled[i],
		       wanted > 0 ? (double)sampled[i] / wanted : 0);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "auto", "perf", "perf-user",
		                             "timer" };
	struct prof_cpu_options o = PROF_OPTIONS(prof_cpu_options, .hz = 0);
	struct prof_cpu_counts counts;
	struct prof_error err;
	char value[8];
	pthread_t reader;
	unsigned i;

	if (argc != 3)
		return 2;
	for (i = 0; i < 4; i++)
		if (!strcmp(names[i], argv[1]))
			o.source = (enum prof_cpu_source)i;
	o.hz = (uint32_t)atoi(argv[2]);
	for (i = 0; i < KINDS; i++) {
		const struct prof_label_pair pair = { "kind", value };

		snprintf(value, sizeof(value), "%u", i);
		sets[i] = prof_labels_with(NULL, &pair, 1, &err);
		/* The tag is where the set is; the first is at 8. */
		tags[i] = (uint64_t)((const char *)sets[i] -
		                     (const char *)sets[0]) + 8;
	}
	if (prof_cpu_start(&o, &err) != PROF_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	pthread_create(&reader, NULL, read_samples, NULL);
	phases();
	user_and_kernel();
	threads();
	short_threads();
	prof_cpu_get_counts(&counts);
	prof_cpu_stop();
	pthread_join(reader, NULL);
	printf("source %s, %u Hz\n", names[counts.source], o.hz);
	print_row("phase", 0, PHASES, o.hz);
	print_row("user", PHASES, 1, o.hz);
	print_row("kernel", PHASES + 1, 1, o.hz);
	print_row("thread", 16, THREADS, o.hz);
	print_row("short", 20, 1, o.hz);
	printf("unsampled %lu, lost %lu\n", (unsigned long)unsampled,
	       (unsigned long)counts.lost);
	return 0;
}
