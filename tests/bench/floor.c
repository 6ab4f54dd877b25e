/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the libraries below us cost alone, so that a goal can say "three times
 * the bare inflate". Each job prints one line of key=value pairs; cpu and
 * wall are those of the best repetition, with warm buffers.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <libdeflate.h>
#include <yaml.h>

struct input {
	unsigned char *p;
	size_t n;
};

struct timing {
	double cpu, wall;
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "floor: %s: %s\n", what, why);
	exit(1);
}

static void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		die("malloc", strerror(errno));
	return p;
}

static struct input read_file(const char *path)
{
	struct input in = { NULL, 0 };
	FILE *f = fopen(path, "rb");
	long n;

	if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0)
		die(path, strerror(errno));
	rewind(f);
	in.n = (size_t)n;
	in.p = xmalloc(in.n);
	if (fread(in.p, 1, in.n, f) != in.n)
		die(path, "short read");
	fclose(f);
	return in;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct timing now(void)
{
	struct timing t = { seconds(CLOCK_PROCESS_CPUTIME_ID),
		seconds(CLOCK_MONOTONIC) };

	return t;
}

static void keep_best(struct timing *best, struct timing from)
{
	struct timing to = now();

	if (best->cpu <= 0 || to.cpu - from.cpu < best->cpu)
		best->cpu = to.cpu - from.cpu;
	if (best->wall <= 0 || to.wall - from.wall < best->wall)
		best->wall = to.wall - from.wall;
}

static void report(const char *job, struct timing best, size_t n_bytes)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	printf("job=%s cpu=%.6f wall=%.6f rss_kb=%ld bytes=%zu "
	    "mb_per_s=%.1f\n", job, best.cpu, best.wall, ru.ru_maxrss,
	    n_bytes, (double)n_bytes / best.cpu / 1e6);
}

/* One member: the generator and Go's writer make no other. */
static void floor_inflate(const char *path, int reps)
{
	struct input in = read_file(path);
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	struct timing best = { 0, 0 };
	size_t size, n = 0;
	unsigned char *out;

	if (in.n < 18 || !d)
		die(path, "not gzip");
	/* ISIZE, the last four bytes; ample for files below 4 GB */
	size = in.p[in.n - 4] | (size_t)in.p[in.n - 3] << 8 |
	    (size_t)in.p[in.n - 2] << 16 | (size_t)in.p[in.n - 1] << 24;
	out = xmalloc(size);
	for (int i = 0; i <= reps; i++) {
		struct timing from = now();

		if (libdeflate_gzip_decompress(d, in.p, in.n, out, size, &n))
			die(path, "bad gzip");
		if (i > 0) /* the first one touches the pages */
			keep_best(&best, from);
	}
	report("inflate", best, n);
	libdeflate_free_decompressor(d);
	free(out);
	free(in.p);
}

static size_t count_events(const struct input *in, const char *path)
{
	yaml_parser_t parser;
	yaml_event_t event;
	size_t n = 0;
	int is_end = 0;

	if (!yaml_parser_initialize(&parser))
		die("libyaml", "out of memory");
	yaml_parser_set_input_string(&parser, in->p, in->n);
	while (!is_end) {
		if (!yaml_parser_parse(&parser, &event))
			die(path, parser.problem);
		is_end = event.type == YAML_STREAM_END_EVENT;
		n++;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return n;
}

static void floor_yaml(const char *path, int reps)
{
	struct input in = read_file(path);
	struct timing best = { 0, 0 };
	size_t n_events = 0;

	for (int i = 0; i < reps; i++) {
		struct timing from = now();

		n_events = count_events(&in, path);
		keep_best(&best, from);
	}
	report("yaml", best, in.n);
	fprintf(stderr, "floor: %zu events\n", n_events);
	free(in.p);
}

static void floor_memcpy(size_t size, int reps)
{
	unsigned char *from_p = xmalloc(size), *to_p = xmalloc(size);
	struct timing best = { 0, 0 };

	memset(from_p, 1, size);
	for (int i = 0; i <= reps; i++) {
		struct timing from = now();

		from_p[0] = (unsigned char)i;
		memcpy(to_p, from_p, size);
		if (to_p[0] != (unsigned char)i) /* it must be done */
			die("memcpy", "lost a byte");
		if (i > 0)
			keep_best(&best, from);
	}
	report("memcpy", best, size);
	free(from_p);
	free(to_p);
}

int main(int argc, char **argv)
{
	int reps = argc > 3 ? atoi(argv[3]) : 5;

	if (argc > 2 && !strcmp(argv[1], "inflate"))
		floor_inflate(argv[2], reps > 0 ? reps : 1);
	else if (argc > 2 && !strcmp(argv[1], "yaml"))
		floor_yaml(argv[2], reps > 0 ? reps : 1);
	else if (argc > 1 && !strcmp(argv[1], "memcpy"))
		floor_memcpy((argc > 2 ? strtoul(argv[2], NULL, 10) : 150) *
		    (size_t)1000000, reps > 0 ? reps : 1);
	else {
		fputs("usage: floor inflate|yaml FILE [REPS]\n"
		    "       floor memcpy [MB [REPS]]\n", stderr);
		return 2;
	}
	return 0;
}
