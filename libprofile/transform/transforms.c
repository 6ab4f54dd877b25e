/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE table of transforms: the only place that knows which there are.
 */
#include "transform/transform.h"

#include "base/error.h"

#include <string.h>

static const struct transform *const transforms[] = {
	&focus_transform,
	&ignore_transform,
	&hide_transform,
	&show_transform,
	&show_from_transform,
	&prune_from_transform,
	&drop_frames_transform,
	&keep_frames_transform,
	&tagroot_transform,
	&tagleaf_transform,
	&tagfocus_transform,
	&tagignore_transform,
	&tagshow_transform,
	&taghide_transform,
	&set_label_transform,
	&remove_label_transform,
	&rename_label_transform,
	&add_comment_transform,
	&choose_types_transform,
	&drop_types_transform,
	&rename_type_transform,
	&scale_by_transform,
	&normalize_to_transform,
	&granularity_transform,
	&noinlines_transform,
	&top_stacks_transform,
	&min_value_transform,
	&compact_transform,
	&go_pgo_transform,
	&redact_names_transform,
	&redact_files_transform,
	&redact_labels_transform,
};
#define N_TRANSFORMS (sizeof(transforms) / sizeof(*transforms))

const struct prof_transform_info *prof_transform_info(size_t i)
{
	return i < N_TRANSFORMS ? &transforms[i]->info : NULL;
}

/* pprof's users write show_from. */
static bool is_name(const char *name, const char *text)
{
	while (*name && (*name == *text || (*name == '-' && *text == '_'))) {
		name++;
		text++;
	}
	return *name == *text;
}

static const struct transform *find(const char *name)
{
	for (size_t i = 0; i < N_TRANSFORMS; i++)
		if (is_name(transforms[i]->info.name, name))
			return transforms[i];
	return NULL;
}

enum prof_status prof_transform(struct prof_profile *p, const char *name,
                                const char *arg, struct prof_error *err)
{
	const struct transform *t = find(name);

	if (!t)
		return error_set(err, PROF_INVALID,
		                 "there is no transform '%.60s'", name);
	if (t->info.argument && !arg)
		return error_set(err, PROF_INVALID,
		                 "%s needs an argument: %s", t->info.name,
		                 t->info.argument);
	if (!t->info.argument && arg && *arg)
		return error_set(err, PROF_INVALID, "%s takes no argument",
		                 t->info.name);
	return t->apply(p, arg ? arg : "", err);
}
