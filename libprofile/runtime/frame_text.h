/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_FRAME_TEXT_H
#define RUNTIME_FRAME_TEXT_H

/*
 * The frames of stacks of this process, for people. All stacks are noted
 * first, since symbols are cheapest when they are looked up together.
 */
#include "base/output.h"

#include <profile/symbolize.h>

struct frame_text {
	VEC(uint64_t) pcs; /* sorted, each once, after frame_text_resolve() */
	struct prof_frames *frames;
};

/* False: out of memory. Zero a frame_text to begin. */
bool frame_text_note(struct frame_text *t, const uint64_t *pcs, size_t n);
enum prof_status frame_text_resolve(struct frame_text *t,
                                    struct prof_error *err);
void frame_text_release(struct frame_text *t);

/*
 * "#\tPC\tNAME+OFFSET\tFILE:LINE", in columns, a line for each frame that has
 * a name; "#\t0x0" where none has. And an empty line.
 */
void frame_text_comments(struct output *out, const struct frame_text *t,
                         const uint64_t *pcs, size_t n);

/* "NAME(...)\n\tFILE:LINE +OFFSET", of all frames, as a Go program that
   crashes tells its stacks. */
void frame_text_dump(struct output *out, const struct frame_text *t,
                     const uint64_t *pcs, size_t n);

#endif
