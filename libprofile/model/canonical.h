/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_CANONICAL_H
#define MODEL_CANONICAL_H

/*
 * A profile whose tables are in canonical order: samples, stacks and label
 * sets as in model/order.h, locations by rank, functions and strings in order
 * of first use. What no sample refers to is gone; mappings stay as they are.
 *
 * Two profiles of equal content are equal in every table then, so that every
 * format writes the same bytes for them.
 */

#include "model/profile.h"

/* Changes p in place. PROF_NOMEM, PROF_LIMIT: p can only be freed then. */
enum prof_status profile_make_canonical(struct prof_profile *p,
                                        struct prof_error *err);

#endif
