/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a profile by what was counted in them (flat), beside what
 * was counted in them and all they called (cum).
 *
 *	read_and_print FILE
 *
 * The call graph of <profile/report.h> gives the same with all of pprof's
 * options; this shows how the tables of a profile are walked.
 */
#include <profile/io.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct sum {
	int64_t flat, cum;
	uint32_t function;
	uint32_t seen_in; /* sample + 1: recursion counts once for cum */
};

/* Adds a sample to the sums, which have a row for each function id. */
static void add_sample(struct sum *sums, const struct prof_profile *p,
                       uint32_t sample, uint32_t column, uint32_t *stack,
                       size_t max_depth)
{
	struct prof_sample s;
	struct prof_location l;

	prof_get_sample(p, sample, &s);
	const size_t depth = prof_get_stack(p, s.stack, stack, max_depth);

	for (size_t i = 0; i < depth; i++) {
		prof_get_location(p, stack[i], &l);
		for (uint32_t j = 0; j < l.n_lines; j++) {
			struct sum *sum = &sums[l.lines[j].function];

			if (i == 0 && j == 0) /* the innermost of the leaf */
				sum->flat += s.values[column];
			if (sum->seen_in != sample + 1)
				sum->cum += s.values[column];
			sum->seen_in = sample + 1;
		}
	}
}

static int by_flat(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;

	if (x->flat != y->flat)
		return x->flat < y->flat ? 1 : -1;
	if (x->cum != y->cum)
		return x->cum < y->cum ? 1 : -1;
	return x->function < y->function ? -1 : 1;
}

static void print(const struct prof_profile *p, const struct sum *sums,
                  uint32_t n, uint32_t column)
{
	struct prof_value_type type;
	struct prof_function f;

	prof_get_sample_type(p, column, &type);
	printf("%14s %14s  %s/%s\n", "flat", "cum", type.type.ptr,
	       type.unit.ptr);
	for (uint32_t i = 0; i < n && sums[i].cum != 0; i++)
		if (prof_get_function(p, sums[i].function, &f))
			printf("%14" PRId64 " %14" PRId64 "  %s\n",
			       sums[i].flat, sums[i].cum, f.name.ptr);
}

int main(int argc, char **argv)
{
	struct prof_profile *p = NULL;
	struct prof_error err;
	uint32_t column;
	const int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: read_and_print FILE\n");
		return 2;
	}
	if (prof_read(&p, prof_source_fd(fd), NULL, &err) != PROF_OK ||
	    prof_find_sample_type(&column, p, "", &err) != PROF_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], err.message);
		prof_profile_free(p);
		return 1;
	}
	close(fd);

	/* Ids start at 1; row 0 takes the lines that have no function. */
	const uint32_t n_rows = prof_n_functions(p) + 1;
	const size_t max_depth = prof_max_stack_depth(p);
	struct sum *sums = calloc(n_rows, sizeof(*sums));
	uint32_t *stack = calloc(max_depth + 1, sizeof(*stack));

	if (!sums || !stack)
		abort();
	for (uint32_t id = 0; id < n_rows; id++)
		sums[id].function = id;
	for (uint32_t i = 0; i < prof_n_samples(p); i++)
		add_sample(sums, p, i, column, stack, max_depth);
	qsort(sums, n_rows, sizeof(*sums), by_flat);
	print(p, sums, n_rows, column);

	free(stack);
	free(sums);
	prof_profile_free(p);
	return 0;
}
