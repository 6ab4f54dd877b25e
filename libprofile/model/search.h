/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_SEARCH_H
#define MODEL_SEARCH_H

/*
 * Questions about all stacks at once, that need no stack to be unpacked one
 * location after the other.
 */

#include "model/profile.h"

/*
 * Sets found[stack] to 1 where a stack has a location with marks[id] != 0,
 * else to 0.
 *
 * marks[locations.n], found[prof_n_stacks(p) + 1]. False: out of memory.
 */
bool stacks_find_any(const struct prof_profile *p, const unsigned char *marks,
                     unsigned char *found);

/* Sets used[id] to 1 for each location that some stack has. */
void stacks_mark_used(const struct prof_profile *p, unsigned char *used);

#endif
