/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_GO_EXACT_H
#define SYMBOLIZE_GO_EXACT_H

/* What Go's builder makes of a profile whose locations have their frames. */

#include "model/profile.h"

/*
 * Folds inlined calls, drops the frames of runtime.goexit, and takes the flags
 * of mappings away that Go does not set. PROF_NOMEM, PROF_LIMIT.
 */
enum prof_status go_exact_apply(struct prof_profile *p, struct prof_error *err);

#endif
