/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_CUT_H
#define TRANSFORM_CUT_H

/*
 * Stacks cut off at a frame. Where the frame is in the middle of inlined
 * ones, the location at the cut keeps only some of its lines: there it is
 * replaced by a copy with those, and everywhere else it stays as it is.
 * (google/pprof cuts the location itself, and so takes lines out of other
 * stacks too.)
 */

#include "transform/names.h"

struct cut {
	struct prof_profile *p;
	struct names names;
	/* By location that matches: what to put in its place at a cut, which
	   may be itself, or CUT_WHOLE for nothing; 0: it does not match. */
	uint32_t *at;
	size_t n;
};
#define CUT_WHOLE UINT32_MAX

/* Release in every case. */
enum prof_status cut_init(struct cut *c, struct prof_profile *p,
                          const char *regex, struct prof_error *err);
void cut_release(struct cut *c);

/*
 * At location id, only lines [first, first + n) are kept: sets at[id]. False:
 * failed, err says why.
 */
bool cut_location(struct cut *c, uint32_t id, uint32_t first, uint32_t n,
                  struct prof_error *err);

#endif
