/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server with something to see in each of its profiles: threads take
 * jobs from a queue and name them by a label, one kind of job computes, one
 * keeps what it allocates, and one holds a lock for long and forgets to close
 * a file. Without profrec it just runs.
 *
 *	profrec --cpu --heap --block --mutex --fd -o jobs.pb.gz -- jobs
 */
#include <profile/sampler.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

enum { N_WORKERS = 3, N_JOBS = 120, N_SLOTS = 1 << 16 };

/* ---- Jobs ---- */

static NOINLINE unsigned sieve(unsigned limit)
{
	char *is_composite = calloc(limit, 1);
	unsigned n = 0, i, k;

	for (i = 2; is_composite && i < limit; i++) {
		n += !is_composite[i];
		for (k = i; !is_composite[i] && k < limit; k += i)
			is_composite[k] |= k > i;
	}
	free(is_composite);
	return n;
}

static void count_primes(unsigned job)
{
	if (sieve(1500000 + job) == 0)
		fputs("no memory\n", stderr);
}

/* Words by their hash, and how often each came. */
struct word {
	struct word *next;
	unsigned count;
	char text[32];
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct word *table[N_SLOTS];

static NOINLINE struct word *new_word(const char *text, struct word *next)
{
	struct word *w = malloc(sizeof(*w));

	if (w) {
		snprintf(w->text, sizeof(w->text), "%s", text);
		w->count = 0;
		w->next = next;
	}
	return w;
}

static NOINLINE void add_word(const char *text)
{
	unsigned slot = 5381;
	struct word *w;
	const char *p;

	for (p = text; *p; p++)
		slot = slot * 33 + (unsigned char)*p;
	pthread_mutex_lock(&table_lock);
	for (w = table[slot % N_SLOTS]; w && strcmp(w->text, text) != 0;)
		w = w->next;
	if (!w)
		w = table[slot % N_SLOTS] =
			new_word(text, table[slot % N_SLOTS]);
	if (w)
		w->count++;
	pthread_mutex_unlock(&table_lock);
}

static void index_words(unsigned job)
{
	unsigned seed = job, i;
	char text[32];

	for (i = 0; i < 30000; i++) {
		seed = seed * 1664525 + 1013904223;
		snprintf(text, sizeof(text), "word%u", seed >> 15);
		add_word(text);
	}
}

static NOINLINE int open_report(void)
{
	return open("/dev/null", O_WRONLY);
}

/* Nobody can add a word as long as this takes; and the file stays open. */
static void write_report(unsigned job)
{
	const int fd = open_report();
	const struct word *w;
	char line[64];
	size_t i;

	(void)job;
	pthread_mutex_lock(&table_lock);
	for (i = 0; i < N_SLOTS; i++)
		for (w = table[i]; w; w = w->next)
			snprintf(line, sizeof(line), "%d %s %u\n", fd, w->text,
			         w->count);
	pthread_mutex_unlock(&table_lock);
}

static const struct kind {
	const char *name;
	void (*run)(unsigned job);
} kinds[] = {
	{ "primes", count_primes },
	{ "index", index_words },
	{ "report", write_report },
};

/* ---- Workers ---- */

static const struct kind *next_job(unsigned *job)
{
	static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
	static unsigned taken;

	pthread_mutex_lock(&queue_lock);
	*job = taken++;
	pthread_mutex_unlock(&queue_lock);
	return *job < N_JOBS ? &kinds[*job % 10 == 9 ? 2 : *job % 2] : NULL;
}

static void *work(void *unused)
{
	const struct kind *kind;
	unsigned job;

	(void)unused;
	while ((kind = next_job(&job))) {
		const struct prof_label_pair label = { "job", kind->name };

		prof_labels_set(prof_labels_with(NULL, &label, 1, NULL));
		kind->run(job);
		prof_labels_set(NULL);
	}
	return NULL;
}

int main(void)
{
	pthread_t workers[N_WORKERS];
	size_t i;

	for (i = 0; i < N_WORKERS; i++)
		if (pthread_create(&workers[i], NULL, work, NULL) != 0)
			return 1;
	for (i = 0; i < N_WORKERS; i++)
		pthread_join(workers[i], NULL);
	return 0;
}
