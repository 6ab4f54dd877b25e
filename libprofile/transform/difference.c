/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences: a base that is taken away (base), or that stays beside as the
 * measure of percentages (diff base).
 * Source: google/pprof, -base and -diff_base.
 */
#include "base/error.h"
#include "transform/list.h"
#include "transform/transform.h"

enum prof_status prof_mark_base(struct prof_profile *base,
                                struct prof_error *err)
{
	return prof_set_label(base, str_of("pprof::base"), str_of("true"), err);
}

enum prof_status prof_subtract(struct prof_profile **p,
                               const struct prof_profile *base,
                               struct prof_error *err)
{
	struct prof_profile *difference = NULL;
	struct prof_merger *m = prof_merger_new(NULL);
	enum prof_status status;

	if (!m)
		return error_nomem(err);
	status = prof_merger_add(m, *p, 1, err);
	if (status == PROF_OK)
		status = prof_merger_add(m, base, -1, err);
	if (status != PROF_OK) {
		prof_merger_free(m);
		return status;
	}
	status = prof_merger_finish(&difference, m, err);
	if (status == PROF_OK) {
		prof_profile_free(*p);
		*p = difference;
	}
	return status;
}
