/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/cut.h"

#include "base/error.h"
#include "model/edit.h"

enum prof_status cut_init(struct cut *c, struct prof_profile *p,
                          const char *regex, struct prof_error *err)
{
	*c = (struct cut){ .p = p, .n = p->locations.n };
	c->at = mem_zeroed(&p->allocator, c->n, sizeof(*c->at));
	if (!c->at)
		return error_nomem(err);
	return names_init(&c->names, p, regex, err);
}

void cut_release(struct cut *c)
{
	mem_free(&c->p->allocator, c->at, c->n * sizeof(*c->at));
	if (c->names.p)
		names_release(&c->names);
}

bool cut_location(struct cut *c, uint32_t id, uint32_t first, uint32_t n,
                  struct prof_error *err)
{
	const uint32_t n_lines =
		location_n_lines(&c->p->locations.data[id]);

	if (n == 0)
		c->at[id] = CUT_WHOLE;
	else if (n == n_lines)
		c->at[id] = id;
	else
		c->at[id] = edit_cut_location(c->p, id, first, n, err);
	return c->at[id] != 0;
}
