/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comments: those in the profile, a line each.
 */

#include "report/report.h"

static enum prof_status write_comments(struct reporting *r,
                                       struct prof_error *err)
{
	(void)err;
	for (size_t i = 0; i < r->p->comments.n; i++)
		header_write_line(r, profile_string(r->p,
		                                    r->p->comments.data[i]));
	return PROF_OK;
}

const struct report comments_report = {
	.info = { "comments", "the comments in the profile", false, false },
	.write = write_comments,
};
