/* SPDX-License-Identifier: Apache-2.0 */
/*
 * granularity, noinlines: what a frame is told apart by. What does not count
 * is blanked, and what is equal then is added up.
 * Source: google/pprof, Profile.Aggregate.
 */
#include "base/error.h"
#include "model/edit.h"
#include "transform/transform.h"

#include <string.h>

/* What frames keep. */
enum keeps {
	KEEPS_FUNCTION = 1,
	KEEPS_FILE = 2,
	KEEPS_LINE = 4,
	KEEPS_ADDRESS = 8
};

static const struct granularity {
	const char *name;
	unsigned keeps;
} granularities[] = {
	{ "functions", KEEPS_FUNCTION },
	{ "filefunctions", KEEPS_FUNCTION | KEEPS_FILE },
	{ "files", KEEPS_FILE },
	{ "lines", KEEPS_FUNCTION | KEEPS_FILE | KEEPS_LINE },
	{ "addresses", KEEPS_FUNCTION | KEEPS_FILE | KEEPS_LINE |
	               KEEPS_ADDRESS },
};

static void blank_functions(struct prof_profile *p, unsigned keeps)
{
	for (size_t i = 1; i < p->functions.n; i++) {
		struct row_function *f = &p->functions.data[i];

		if (!(keeps & KEEPS_FUNCTION))
			f->name = f->system_name = 0;
		if (!(keeps & KEEPS_FILE))
			f->filename = 0;
		if (!(keeps & KEEPS_LINE))
			f->start_line = 0;
	}
}

static void blank_locations(struct prof_profile *p, unsigned keeps)
{
	if (!(keeps & KEEPS_LINE))
		for (size_t i = 0; i < p->lines.n; i++)
			p->lines.data[i].line = p->lines.data[i].column = 0;
	if (keeps & KEEPS_ADDRESS)
		return;
	for (size_t i = 1; i + 1 < p->locations.n; i++) {
		p->locations.data[i].address = 0;
		p->locations.data[i].first_line &= LOCATION_MAX_LINES;
	}
}

static void blank_mappings(struct prof_profile *p, unsigned keeps)
{
	uint32_t gone = 0;

	if (!(keeps & KEEPS_FUNCTION))
		gone |= MAPPING_HAS_FUNCTIONS;
	if (!(keeps & KEEPS_FILE))
		gone |= MAPPING_HAS_FILENAMES;
	if (!(keeps & KEEPS_LINE))
		gone |= MAPPING_HAS_LINE_NUMBERS;
	for (size_t i = 1; i < p->mappings.n; i++)
		p->mappings.data[i].has &= ~gone;
}

enum prof_status prof_granularity(struct prof_profile *p, const char *name,
                                  struct prof_error *err)
{
	for (size_t i = 0;
	     i < sizeof(granularities) / sizeof(*granularities); i++) {
		const struct granularity *g = &granularities[i];

		if (strcmp(g->name, name) != 0)
			continue;
		blank_functions(p, g->keeps);
		blank_locations(p, g->keeps);
		blank_mappings(p, g->keeps);
		p->is_canonical = false;
		return prof_compact(p, err);
	}
	return error_set(err, PROF_INVALID, "'%.40s' is none of: functions "
	                 "filefunctions files lines addresses", name);
}

enum prof_status prof_noinlines(struct prof_profile *p, struct prof_error *err)
{
	bool *keep = mem_zeroed(&p->allocator, p->lines.n + 1, sizeof(*keep));
	const size_t n_lines = p->lines.n + 1;

	if (!keep)
		return error_nomem(err);
	for (size_t i = 1; i + 1 < p->locations.n; i++) {
		const struct row_location *l = &p->locations.data[i];

		if (location_n_lines(l))
			keep[location_first_line(l + 1) - 1] = true;
	}
	edit_keep_lines(p, keep);
	for (size_t i = 1; i < p->mappings.n; i++)
		p->mappings.data[i].has &=
			~(uint32_t)MAPPING_HAS_INLINE_FRAMES;
	mem_free(&p->allocator, keep, n_lines * sizeof(*keep));
	return prof_compact(p, err);
}

static enum prof_status noinlines(struct prof_profile *p, const char *arg,
                                  struct prof_error *err)
{
	(void)arg;
	return prof_noinlines(p, err);
}

const struct transform granularity_transform = {
	.info = { "granularity", "functions|filefunctions|files|lines|"
	          "addresses", "tell frames apart by no more than that" },
	.apply = prof_granularity
};

const struct transform noinlines_transform = {
	.info = { "noinlines", NULL, "count inlined functions for those that "
	          "they are inlined into" },
	.apply = noinlines
};
