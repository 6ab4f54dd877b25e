/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hide, show: frames by their names.
 *
 * Each line of a location is a frame of its own. The name of a mapping stands
 * for all frames that are in it, and is all that a location without symbols
 * has: "show" goes by it, where google/pprof drops every such location and so
 * all of a profile that has no symbols.
 */
#include "transform/names.h"
#include "transform/transform.h"

#include "base/error.h"
#include "model/edit.h"
#include "model/search.h"

struct hiding {
	struct prof_profile *p;
	struct names names;
	bool *keep_lines;      /* [lines.n] */
	unsigned char *hidden; /* [locations.n]: those without a frame left */
	size_t n_lines, n_locations;
};

static enum prof_status hiding_init(struct hiding *h, struct prof_profile *p,
                                    const char *regex, struct prof_error *err)
{
	enum prof_status status;

	*h = (struct hiding){ .p = p, .n_lines = p->lines.n + 1,
	                      .n_locations = p->locations.n };
	status = names_init(&h->names, p, regex, err);
	if (status != PROF_OK)
		return status;
	h->keep_lines = mem_zeroed(&p->allocator, h->n_lines,
	                           sizeof(*h->keep_lines));
	h->hidden = mem_zeroed(&p->allocator, h->n_locations, 1);
	return h->keep_lines && h->hidden ? PROF_OK : error_nomem(err);
}

static void hiding_release(struct hiding *h)
{
	mem_free(&h->p->allocator, h->keep_lines,
	         h->n_lines * sizeof(*h->keep_lines));
	mem_free(&h->p->allocator, h->hidden, h->n_locations);
	names_release(&h->names);
}

/* How many lines of a location stay, by what hide makes of each. */
static uint32_t hide_lines(struct hiding *h, const struct row_location *l)
{
	const uint32_t first = location_first_line(l);
	const bool is_all = names_match_mapping(&h->names, l);
	uint32_t n = 0;

	for (uint32_t i = first; i < first + location_n_lines(l); i++) {
		h->keep_lines[i] = !is_all &&
			!names_match_line(&h->names, &h->p->lines.data[i]);
		n += h->keep_lines[i];
	}
	/* What has no lines counts as one that only the mapping names. */
	return location_n_lines(l) ? n : !is_all;
}

static uint32_t show_lines(struct hiding *h, const struct row_location *l)
{
	const uint32_t first = location_first_line(l);
	const bool is_all = names_match_mapping(&h->names, l);
	uint32_t n = 0;

	for (uint32_t i = first; i < first + location_n_lines(l); i++) {
		const struct prof_line *line = &h->p->lines.data[i];

		/* A line without a function has no name to be judged by. */
		h->keep_lines[i] = is_all || !line->function ||
			names_match_line(&h->names, line);
		n += h->keep_lines[i];
	}
	return location_n_lines(l) ? n : is_all;
}

static enum prof_status change_lines(struct prof_profile *p, const char *regex,
                                     uint32_t (*lines)(struct hiding *h,
                                             const struct row_location *l),
                                     struct prof_error *err)
{
	struct hiding h;
	enum prof_status status = hiding_init(&h, p, regex, err);
	bool hides_any = false;

	if (status == PROF_OK) {
		for (size_t id = 1; id + 1 < p->locations.n; id++) {
			h.hidden[id] = lines(&h, &p->locations.data[id]) == 0;
			hides_any = hides_any || h.hidden[id];
		}
		status = names_status(&h.names, err);
	}
	if (status == PROF_OK && hides_any)
		status = edit_drop_locations(p, h.hidden, err);
	if (status == PROF_OK)
		edit_keep_lines(p, h.keep_lines);
	hiding_release(&h);
	return status;
}

enum prof_status prof_hide(struct prof_profile *p, const char *regex,
                           struct prof_error *err)
{
	return *regex ? change_lines(p, regex, hide_lines, err) : PROF_OK;
}

enum prof_status prof_show(struct prof_profile *p, const char *regex,
                           struct prof_error *err)
{
	return *regex ? change_lines(p, regex, show_lines, err) : PROF_OK;
}

const struct transform hide_transform = {
	.info = { "hide", "REGEX", "take out the frames that match" },
	.apply = prof_hide
};

const struct transform show_transform = {
	.info = { "show", "REGEX", "take out the frames that do not match" },
	.apply = prof_show
};
