/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show-from: stacks as seen from a frame. What is above (nearer the root
 * than) the match that is nearest to the root goes, and so do samples without
 * a match.
 */
#include "transform/cut.h"
#include "transform/transform.h"

#include "model/edit.h"

/* Up to and with the outermost line that matches; all by the mapping. */
static bool find_cut(struct cut *c, uint32_t id, struct prof_error *err)
{
	const struct row_location *l = &c->p->locations.data[id];
	uint32_t n = location_n_lines(l);

	if (names_match_mapping(&c->names, l)) {
		c->at[id] = id;
		return true;
	}
	while (n && !names_match_line(&c->names, c->p->lines.data +
	                              location_first_line(l) + n - 1))
		n--;
	return n ? cut_location(c, id, 0, n, err) : true;
}

static size_t cut_above(void *ctx, uint32_t *ids, size_t n, size_t *first)
{
	const struct cut *c = ctx;

	*first = 0;
	while (n && !c->at[ids[n - 1]])
		n--;
	if (n)
		ids[n - 1] = c->at[ids[n - 1]];
	return n;
}

enum prof_status prof_show_from(struct prof_profile *p, const char *regex,
                                struct prof_error *err)
{
	struct cut c;
	enum prof_status status;

	if (!*regex)
		return PROF_OK;
	status = cut_init(&c, p, regex, err);
	/* c.n: cutting adds locations, which are not looked at. */
	for (uint32_t id = 1; id + 1 < c.n && status == PROF_OK; id++)
		if (!find_cut(&c, id, err))
			status = PROF_NOMEM;
	if (status == PROF_OK)
		status = names_status(&c.names, err);
	if (status == PROF_OK)
		status = edit_stacks(p, &(struct stack_change){
			.change = cut_above, .ctx = &c,
			.flags = EDIT_DROP_EMPTIED | EDIT_DROP_EMPTY
		}, err);
	cut_release(&c);
	return status;
}

const struct transform show_from_transform = {
	.info = { "show-from", "REGEX",
	          "cut stacks above the outermost frame that matches; drop "
	          "samples without one" },
	.apply = prof_show_from
};
