/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_TRANSFORM_H
#define TRANSFORM_TRANSFORM_H

/*
 * What a transform is: one constant struct at the end of its file, and one
 * row in transforms.c. The struct adapts an argument that is text to the
 * typed function.
 */

#include <profile/transform.h>

struct transform {
	struct prof_transform_info info;
	/* arg is never NULL; "" where the row has no argument. */
	enum prof_status (*apply)(struct prof_profile *p, const char *arg,
	                          struct prof_error *err);
};

extern const struct transform focus_transform, ignore_transform,
	hide_transform, show_transform, show_from_transform,
	prune_from_transform, drop_frames_transform, keep_frames_transform,
	tagroot_transform, tagleaf_transform, tagfocus_transform,
	tagignore_transform, tagshow_transform, taghide_transform,
	set_label_transform, remove_label_transform, rename_label_transform,
	add_comment_transform, choose_types_transform, drop_types_transform,
	rename_type_transform, scale_by_transform, normalize_to_transform,
	granularity_transform, noinlines_transform, top_stacks_transform,
	min_value_transform, compact_transform, go_pgo_transform,
	redact_names_transform, redact_files_transform, redact_labels_transform;

#endif
