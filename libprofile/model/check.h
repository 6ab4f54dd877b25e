/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_CHECK_H
#define MODEL_CHECK_H

/*
 * What a valid profile is, in one place. Every profile passes through here
 * before anyone sees it.
 */

#include "model/profile.h"

#include <profile/io.h>

/* The limits that hold where none are given. max_bytes and max_memory are 0:
   they depend on the input. */
extern const struct prof_limits limits_default;

/* The largest location id that a stack refers to; UINT32_MAX where the packed
   ids are not all in their shortest form, from 1 on. */
uint32_t stacks_max_location(const struct byte_table *stacks);

/* What is checked, and what was noted while it was built. */
struct checking {
	const struct prof_profile *p;
	const struct prof_limits *limits; /* of one row */
	/* The largest ids that stacks and label sets refer to. */
	uint32_t max_location, max_label_string;
	struct prof_error *err; /* may be NULL */
};

/*
 * Checks that every id of the profile is one of its table, that there are as
 * many values as there are samples and sample types, and that no row is
 * larger than the limits allow. PROF_CORRUPT and PROF_LIMIT name the row.
 */
enum prof_status profile_check(const struct checking *c);

#endif
