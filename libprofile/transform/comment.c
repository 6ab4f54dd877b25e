/* SPDX-License-Identifier: Apache-2.0 */
/*
 * add-comment: a line for people that goes along with the profile.
 */
#include "transform/transform.h"

#include "base/error.h"
#include "model/edit.h"

#include <string.h>

enum prof_status prof_append_comment(struct prof_profile *p,
                                     struct prof_str text,
                                     struct prof_error *err)
{
	const uint32_t id = edit_add_string(p, text, err);

	if (id == UINT32_MAX)
		return PROF_NOMEM;
	if (!vec_reserve(&p->comments, 1, &p->allocator))
		return error_nomem(err);
	vec_put(&p->comments, id);
	p->is_canonical = false;
	return PROF_OK;
}

static enum prof_status apply(struct prof_profile *p, const char *arg,
                              struct prof_error *err)
{
	return prof_append_comment(p, (struct prof_str){ arg, strlen(arg) },
	                           err);
}

const struct transform add_comment_transform = {
	.info = { "add-comment", "TEXT", "add a comment behind those that "
	          "there are" },
	.apply = apply
};
