/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_RESTRING_H
#define MODEL_RESTRING_H

/*
 * All strings of a profile built anew, each changed by what it stands for. A
 * string that nothing refers to is gone after that.
 */

#include "model/profile.h"

enum string_role {
	STRING_FUNCTION,    /* names and system names */
	STRING_FILE,        /* of functions and mappings */
	STRING_BUILD_ID,
	STRING_LABEL_KEY,
	STRING_LABEL_VALUE,
	STRING_EXPRESSION,  /* drop_frames and keep_frames */
	STRING_COMMENT,     /* and the URL of the documentation */
	STRING_UNIT,        /* units and types of values */
	N_STRING_ROLES
};

struct restring {
	/* What takes the place of s; borrowed until the next call. */
	struct prof_str (*change)(void *ctx, enum string_role role,
	                          struct prof_str s);
	void *ctx;
};

/* PROF_NOMEM: p is as it was, or has lost label sets that no sample has. */
enum prof_status profile_restring(struct prof_profile *p,
                                  const struct restring *r,
                                  struct prof_error *err);

#endif
