/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_TAG_RANGE_H
#define TRANSFORM_TAG_RANGE_H

/*
 * Ranges of numeric labels: "32kb" is that value, "32kb:" from it on, ":32kb"
 * up to it, and "1kb:32kb" between the two, ends included.
 * Source: google/pprof, parseTagFilterRange.
 */

#include <profile/common.h>

struct tag_range {
	double min, max;
	struct prof_str unit; /* of both; "" for plain numbers */
};

/*
 * Sets *is_range to whether text is one. PROF_INVALID where it is, but with a
 * number past 64 bits or with units that cannot be converted.
 */
enum prof_status tag_range_parse(struct tag_range *out, bool *is_range,
                                 struct prof_str text,
                                 struct prof_error *err);

bool tag_range_has(const struct tag_range *r, int64_t value,
                   struct prof_str unit);

#endif
