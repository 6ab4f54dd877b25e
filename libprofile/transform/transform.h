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
	prune_from_transform, drop_frames_transform, keep_frames_transform;

#endif
