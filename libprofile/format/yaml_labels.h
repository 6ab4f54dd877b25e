/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_LABELS_H
#define FORMAT_YAML_LABELS_H

/*
 * Sets of labels, both ways.
 *
 *	labels: {thread: [main, "2"]}, num: {bytes: [4096 bytes, 16]}
 *
 * Strings first, then numbers, each key with its values in order. A set whose
 * order this cannot tell, or whose units are not UTF-8, is a list instead:
 *
 *	labels: [{bytes: [4096, bytes]}, {thread: main}, {bytes: 16}]
 */

#include "format/yaml_read.h"
#include "format/yaml_write.h"

struct yaml_label {
	struct yaml_text key, str, unit;
	int64_t num;
	bool is_number;
};

/* The labels of one record; begin with all zero. */
struct yaml_labels {
	VEC(struct yaml_label) rows;
	VEC(struct prof_label) views;
};

/* The value of the key labels:, which is to come; adds to l. */
void yaml_read_labels(struct yaml_reader *r, struct yaml_labels *l);
/* The value of the key num:. */
void yaml_read_num_labels(struct yaml_reader *r, struct yaml_labels *l);

/*
 * The labels read since rows was empty, as views of what r has kept: they
 * hold until the next yaml_keep(). NULL where there are none, or on failure.
 */
const struct prof_label *yaml_label_views(struct yaml_reader *r,
                                          struct yaml_labels *l);
void yaml_labels_release(struct yaml_labels *l,
                         const struct prof_allocator *a);

/* The fields labels: and num: of a record, where there are any. */
void yaml_put_labels(struct yaml_flow *f, const struct prof_label *labels,
                     size_t n);

#endif
