/* SPDX-License-Identifier: Apache-2.0 */
/*
 * focus, ignore: samples by the names in their stacks.
 *
 * Measured against the naive way (unpack every stack, look up each location)
 * in docs/performance.md: the search of model/search.h is what it is about.
 */
#include "transform/names.h"
#include "transform/transform.h"

#include "base/error.h"
#include "model/edit.h"
#include "model/search.h"

/* Keeps samples with a match, or those without where `inverted` is 1. */
static enum prof_status keep_matching(struct prof_profile *p,
                                      const char *regex,
                                      unsigned char inverted,
                                      struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t n_marks = p->locations.n;
	const size_t n_stacks = byte_table_n(&p->stacks);
	unsigned char *marks = mem_zeroed(&a, n_marks, 1);
	unsigned char *found = mem_zeroed(&a, n_stacks, 1);
	struct names names;
	enum prof_status status = names_init(&names, p, regex, err);

	if (status == PROF_OK &&
	    (!marks || !found || !names_mark_locations(&names, marks)))
		status = error_nomem(err);
	if (status == PROF_OK)
		status = names_status(&names, err);
	if (status == PROF_OK && !stacks_find_any(p, marks, found))
		status = error_nomem(err);
	if (status == PROF_OK && found) {
		for (size_t i = 0; i < n_stacks; i++)
			found[i] ^= inverted;
		edit_keep_by_stack(p, found);
	}
	names_release(&names);
	mem_free(&a, marks, n_marks);
	mem_free(&a, found, n_stacks);
	return status;
}

enum prof_status prof_focus(struct prof_profile *p, const char *regex,
                            struct prof_error *err)
{
	return *regex ? keep_matching(p, regex, 0, err) : PROF_OK;
}

enum prof_status prof_ignore(struct prof_profile *p, const char *regex,
                             struct prof_error *err)
{
	return *regex ? keep_matching(p, regex, 1, err) : PROF_OK;
}

const struct transform focus_transform = {
	.info = { "focus", "REGEX",
	          "keep the samples with a frame that matches" },
	.apply = prof_focus
};

const struct transform ignore_transform = {
	.info = { "ignore", "REGEX",
	          "drop the samples with a frame that matches" },
	.apply = prof_ignore
};
