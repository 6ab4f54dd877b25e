/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes the samples themselves, or adds frames that a filter may ask
 * for, comes before the total; what leaves samples out comes behind it.
 * Hashed names are no filter's, so they come last, with all that this list
 * does not know.
 */
#include "filters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_BEFORE 13

static const char *const order[] = {
	"keep-frames", "drop-frames", "add-comment", "choose-types",
	"drop-types", "rename-type", "scale-by", "normalize-to", "set-label",
	"remove-label", "rename-label", "tagroot", "tagleaf",
	[N_BEFORE] = "focus", "ignore", "hide", "show", "show-from",
	"tagfocus", "tagignore", "tagshow", "taghide", "prune-from", NULL
};

/* Those that pprof names in the header of a report. */
static const char *const announced[] = {
	"focus", "ignore", "hide", "show", "show-from", "tagfocus",
	"tagignore", "tagshow", "taghide", NULL
};

#define FILTER(field) .offset = offsetof(struct filters, field)

const struct cli_option filters_options[] = {
	{ .name = "all-frames", .type = CLI_FLAG, FILTER(all_frames),
	  .help = "keep the frames that the profile says to drop" },
	{ .name = "relative-percentages", .type = CLI_FLAG,
	  FILTER(relative_percentages),
	  .help = "percentages of what the filters leave" },
	{ 0 }
};

bool filters_init(struct filters *f)
{
	*f = (struct filters){ 0 };
	if (!transforms_init(&f->transforms))
		return false;
	/* Reports do these on the graph, where they cost nothing. */
	transforms_leave_out(&f->transforms, "granularity");
	transforms_leave_out(&f->transforms, "noinlines");
	return true;
}

void filters_release(struct filters *f)
{
	for (size_t i = 0; i < f->n_active; i++)
		free(f->active[i]);
	free(f->active);
	transforms_release(&f->transforms);
}

static bool is_announced(const struct transform_step *step)
{
	for (size_t i = 0; announced[i]; i++)
		if (!strcmp(announced[i], step->name))
			return step->arg && *step->arg;
	return false;
}

/* "show_from=main", as pprof spells it; the caller frees it. */
static char *announce(const struct transform_step *step)
{
	const size_t n = strlen(step->name) + strlen(step->arg) + 2;
	char *text = malloc(n);

	if (!text)
		return NULL;
	snprintf(text, n, "%s=%s", step->name, step->arg);
	for (size_t i = 0; step->name[i]; i++)
		if (text[i] == '-')
			text[i] = '_';
	return text;
}

bool filters_settle(struct filters *f)
{
	struct transforms *t = &f->transforms;

	/* '': by the expressions of the profile. */
	if (!f->all_frames && !transforms_add(t, "drop-frames", ""))
		return false;
	f->n_before = transforms_sort(t, order, N_BEFORE);
	f->active = calloc(t->n + 1, sizeof(*f->active));
	if (!f->active)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		if (!is_announced(&t->steps[i]))
			continue;
		f->active[f->n_active] = announce(&t->steps[i]);
		if (!f->active[f->n_active])
			return false;
		f->n_active++;
	}
	return true;
}

int filters_apply(const struct filters *f, struct prof_profile *p,
                  struct prof_report_options *options,
                  const struct teller *teller)
{
	const struct transforms *t = &f->transforms;
	struct prof_error err = { .offset = UINT64_MAX };
	int code = transforms_apply_some(t, 0, f->n_before, p, teller);

	if (code != CLI_CONTINUE)
		return code;
	options->has_total = false;
	if (prof_report_total(&options->total, p, options, &err) != PROF_OK)
		return tell_error(teller, &err);
	options->has_total = !f->relative_percentages;
	options->active_filters = (const char *const *)f->active;
	options->n_active_filters = f->n_active;
	return transforms_apply_some(t, f->n_before, t->n - f->n_before, p,
	                             teller);
}
