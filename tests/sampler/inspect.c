/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect FILE [KIND]: what tests ask of a profile, one fact a line:
 *
 *	total TYPE/UNIT SUM
 *	samples N
 *	label KEY=VALUE N       samples with it
 *	mapping FILE ID         id: whether it has a build id
 *	unmapped N              locations in no mapping, but for pseudo frames
 */
#include <profile/io.h>
#include <profile/sampler.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_totals(const struct prof_profile *p)
{
	struct prof_value_type type;
	struct prof_sample s;
	uint32_t column, i;
	int64_t sum;

	for (column = 0; prof_get_sample_type(p, column, &type); column++) {
		sum = 0;
		for (i = 0; prof_get_sample(p, i, &s); i++)
			sum += s.values[column];
		printf("total %s/%s %" PRId64 "\n", type.type.ptr,
		       type.unit.ptr, sum);
	}
	printf("samples %" PRIu32 "\n", prof_n_samples(p));
}

static void print_labels(const struct prof_profile *p)
{
	const size_t max = prof_max_label_set_size(p);
	struct prof_label *labels = calloc(max + 1, sizeof(*labels));
	struct prof_sample s;
	size_t n, k;
	uint32_t i;

	for (i = 0; labels && prof_get_sample(p, i, &s); i++) {
		n = prof_get_label_set(p, s.label_set, labels, max);
		for (k = 0; k < n; k++)
			if (labels[k].str.ptr)
				printf("label %s=%s %" PRId64 "\n",
				       labels[k].key.ptr, labels[k].str.ptr,
				       s.values[0]);
	}
	free(labels);
}

static void print_mappings(const struct prof_profile *p)
{
	struct prof_location l;
	struct prof_mapping m;
	uint32_t id, n_unmapped = 0;

	for (id = 1; prof_get_mapping(p, id, &m); id++)
		printf("mapping %s %s\n", m.file.ptr,
		       m.build_id.len > 0 ? "id" : "-");
	for (id = 1; prof_get_location(p, id, &l); id++)
		n_unmapped += l.mapping == 0 && l.address > 0x1000;
	printf("unmapped %" PRIu32 "\n", n_unmapped);
}

int main(int argc, char **argv)
{
	struct prof_profile *p;
	struct prof_error err;
	const int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0)
		return 2;
	if (prof_read(&p, prof_source_fd(fd),
	              &PROF_OPTIONS(prof_read_options,
	                            .kind = argc > 2 ? argv[2] : NULL),
	              &err) != PROF_OK) {
		fprintf(stderr, "inspect: %s\n", err.message);
		return 1;
	}
	print_totals(p);
	print_labels(p);
	print_mappings(p);
	prof_profile_free(p);
	return 0;
}
