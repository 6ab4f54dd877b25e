/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of the benchmarks: one job through the public API, one line of
 * key=value pairs. Times are in seconds; cpu and wall are those of the best
 * repetition, cpu_mean is the mean of all but the first (of one, that one).
 * Repetitions use their memory again, as a program that reads one profile
 * after another does.
 */
#include <profile/io.h>
#include <profile/transform.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_profile: %s: %s\n", what, why);
	exit(1);
}

/* ---- Time ---- */

struct stopwatch {
	double cpu, wall; /* at the start */
};

struct timing {
	double cpu, wall;          /* the best of each */
	double cpu_first, cpu_sum; /* the sum of all */
	int n;
};

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct stopwatch start(void)
{
	return (struct stopwatch){ seconds(CLOCK_PROCESS_CPUTIME_ID),
	                           seconds(CLOCK_MONOTONIC) };
}

static void stop(struct timing *t, struct stopwatch s)
{
	const double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - s.cpu;
	const double wall = seconds(CLOCK_MONOTONIC) - s.wall;

	if (t->n == 0 || cpu < t->cpu)
		t->cpu = cpu;
	if (t->n == 0 || wall < t->wall)
		t->wall = wall;
	if (t->n == 0)
		t->cpu_first = cpu;
	t->cpu_sum += cpu;
	t->n++;
}

static double cpu_mean(const struct timing *t)
{
	return t->n == 1 ? t->cpu_first :
		(t->cpu_sum - t->cpu_first) / (t->n - 1);
}

static void print(const char *job, const struct timing *t, const char *extra)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("job=%s cpu=%.6f wall=%.6f rss_kb=%ld cpu_mean=%.6f%s\n", job,
	       t->cpu, t->wall, u.ru_maxrss, cpu_mean(t), extra);
}

/* ---- Files ---- */

struct bytes {
	unsigned char *data;
	size_t size;
};

static struct bytes load(const char *name)
{
	struct bytes b = { NULL, 0 };
	struct stat st;
	const int fd = open(name, O_RDONLY);
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(name, strerror(errno));
	b.data = malloc((size_t)st.st_size + 1);
	if (!b.data)
		die(name, "out of memory");
	while (n > 0) {
		n = read(fd, b.data + b.size, (size_t)st.st_size - b.size);
		if (n > 0)
			b.size += (size_t)n;
	}
	close(fd);
	return b;
}

static int discard(void *ctx, const void *buf, size_t size)
{
	(void)buf;
	*(size_t *)ctx += size;
	return 0;
}

static struct prof_profile *parse(struct bytes b, const char *format,
                                  const struct prof_allocator *a)
{
	struct prof_profile *p;
	struct prof_error err;

	if (prof_read_mem(&p, b.data, b.size,
	                  &PROF_OPTIONS(prof_read_options, .format = format,
	                                .allocator = a), &err) != PROF_OK)
		die("read", err.message);
	return p;
}

static struct prof_profile *parse_file(const char *name,
                                       const struct prof_allocator *a)
{
	const int fd = open(name, O_RDONLY);
	struct prof_profile *p;
	struct prof_error err;

	if (fd < 0)
		die(name, strerror(errno));
	if (prof_read(&p, prof_source_fd(fd),
	              &PROF_OPTIONS(prof_read_options, .allocator = a),
	              &err) != PROF_OK)
		die(name, err.message);
	close(fd);
	return p;
}

/* ---- Jobs ---- */

struct job {
	struct prof_allocator *recycler;
	const char *name;
	char **args;
	int n_args, reps;
};

/* args: FILE. One repetition reads the file as a new process would. */
static void read_job(struct job *j, const char *format)
{
	struct timing t = { 0 };
	struct bytes b = { NULL, 0 };
	char extra[64];

	if (j->reps > 1)
		b = load(j->args[0]);
	for (int i = 0; i < j->reps; i++) {
		const struct stopwatch s = start();
		struct prof_profile *p = b.data ?
			parse(b, format, j->recycler) :
			parse_file(j->args[0], NULL);

		snprintf(extra, sizeof(extra), " samples=%u",
		         (unsigned)prof_n_samples(p));
		prof_profile_free(p);
		stop(&t, s);
	}
	print(j->name, &t, extra);
	free(b.data);
}

/* args: FILE, of any format. */
static void write_job(struct job *j, const char *format)
{
	struct prof_profile *p = parse_file(j->args[0], NULL);
	struct timing t = { 0 };
	struct prof_error err;
	char extra[64];

	for (int i = 0; i < j->reps; i++) {
		size_t size = 0;
		const struct prof_sink sink = { discard, &size };
		const struct stopwatch s = start();

		if (prof_write(p, format, sink,
		               &PROF_OPTIONS(prof_write_options,
		                             .allocator = j->recycler),
		               &err) != PROF_OK)
			die("write", err.message);
		stop(&t, s);
		snprintf(extra, sizeof(extra), " size=%zu", size);
	}
	print(j->name, &t, extra);
	prof_profile_free(p);
}

/* args: WORDS. From the words to a compressed profile. */
static void raw_job(struct job *j)
{
	struct bytes b = load(j->args[0]);
	struct timing t = { 0 };
	struct prof_error err;
	char extra[64];

	for (int i = 0; i < j->reps; i++) {
		size_t size = 0;
		const struct prof_sink sink = { discard, &size };
		const struct stopwatch s = start();
		struct prof_profile *p = parse(b, "raw", j->recycler);

		if (prof_write(p, "pprof", sink,
		               &PROF_OPTIONS(prof_write_options,
		                             .allocator = j->recycler),
		               &err) != PROF_OK)
			die("write", err.message);
		snprintf(extra, sizeof(extra), " samples=%u size=%zu",
		         (unsigned)prof_n_samples(p), size);
		prof_profile_free(p);
		stop(&t, s);
	}
	print(j->name, &t, extra);
	free(b.data);
}

/* args: OUT FILES... */
static void merge_job(struct job *j)
{
	const int fd = open(j->args[0], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct prof_merger *m = prof_merger_new(NULL);
	struct timing t = { 0 };
	const struct stopwatch s = start();
	struct prof_profile *sum;
	struct prof_error err;
	char extra[64];

	if (!m || fd < 0)
		die(j->args[0], strerror(errno));
	for (int i = 1; i < j->n_args; i++) {
		struct prof_profile *p = parse_file(j->args[i], j->recycler);

		if (prof_merger_add(m, p, 1, &err) != PROF_OK)
			die(j->args[i], err.message);
		prof_profile_free(p);
	}
	if (prof_merger_finish(&sum, m, &err) != PROF_OK ||
	    prof_write(sum, "pprof", prof_sink_fd(fd), NULL, &err) != PROF_OK)
		die("merge", err.message);
	stop(&t, s);
	snprintf(extra, sizeof(extra), " samples=%u locs=%u funcs=%u",
	         (unsigned)prof_n_samples(sum),
	         (unsigned)prof_n_locations(sum),
	         (unsigned)prof_n_functions(sum));
	print(j->name, &t, extra);
	prof_profile_free(sum);
	close(fd);
}

/* args: FILE [REGEX]. The change alone, on a profile that was loaded. */
static void change_job(struct job *j, const char *transform)
{
	struct bytes b = load(j->args[0]);
	struct timing t = { 0 };
	struct prof_error err;
	char extra[64];

	for (int i = 0; i < j->reps; i++) {
		struct prof_profile *p = parse(b, NULL, j->recycler);
		const struct stopwatch s = start();

		if (prof_transform(p, transform, j->n_args > 1 ? j->args[1] :
		                   NULL, &err) != PROF_OK)
			die(transform, err.message);
		stop(&t, s);
		snprintf(extra, sizeof(extra), " samples=%u",
		         (unsigned)prof_n_samples(p));
		prof_profile_free(p);
	}
	print(j->name, &t, extra);
	free(b.data);
}

static void run(struct job *j)
{
	const struct {
		const char *name;
		int n_args; /* before the repetitions; -1: all are */
	} jobs[] = {
		{ "parse", 1 },         { "write", 1 },
		{ "raw2pprof", 1 },     { "collapsed-read", 1 },
		{ "collapsed-write", 1 }, { "yaml-read", 1 },
		{ "yaml-write", 1 },    { "merge", -1 },
		{ "filter", 2 },        { "compact", 1 },
	};
	size_t i = 0;

	while (i < sizeof(jobs) / sizeof(*jobs) &&
	       strcmp(jobs[i].name, j->name) != 0)
		i++;
	if (i == sizeof(jobs) / sizeof(*jobs) || j->n_args < jobs[i].n_args ||
	    j->n_args < 1)
		die(j->name, "no such job, or too few arguments");
	j->reps = 3;
	if (jobs[i].n_args >= 0 && j->n_args > jobs[i].n_args)
		j->reps = atoi(j->args[jobs[i].n_args]);
	if (jobs[i].n_args >= 0)
		j->n_args = jobs[i].n_args;
	switch (i) {
	case 0: read_job(j, "pprof"); break;
	case 1: write_job(j, "pprof"); break;
	case 2: raw_job(j); break;
	case 3: read_job(j, "collapsed"); break;
	case 4: write_job(j, "collapsed"); break;
	case 5: read_job(j, "yaml"); break;
	case 6: write_job(j, "yaml"); break;
	case 7: merge_job(j); break;
	case 8: change_job(j, "focus"); break;
	default: change_job(j, "compact"); break;
	}
}

int main(int argc, char **argv)
{
	struct job j = { .args = argv + 2, .n_args = argc - 2 };

	if (argc < 3)
		die("usage", "bench_profile JOB FILE... [REPETITIONS]");
	j.name = argv[1];
	j.recycler = prof_recycler_new();
	run(&j);
	prof_recycler_free(j.recycler);
	return 0;
}
