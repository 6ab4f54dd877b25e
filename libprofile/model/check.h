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

/*
 * Checks that every id is one of its table, that there are as many values as
 * there are samples and sample types, and that no row is larger than limits
 * allow. Sets max_depth and max_labels of the profile. PROF_CORRUPT and
 * PROF_LIMIT name the row.
 */
enum prof_status profile_check(struct prof_profile *p,
                               const struct prof_limits *limits,
                               struct prof_error *err);

#endif
