/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FRAMES_H
#define REPORT_FRAMES_H

/*
 * Frames: what each line of each location is called at a granularity. Two
 * lines that look the same at that granularity are one frame, which is what
 * becomes a node of the call graph or a box of a flame graph.
 */

#include "model/profile.h"

#include <profile/report.h>

/*
 * What a frame stands for. name is the id of a string of the profile, the
 * first one with these bytes; file and object are ids in frames.strings.
 */
struct frame {
	uint64_t address;
	int64_t line, start_line;
	uint32_t name, file, object;
	uint32_t zero; /* no padding, so that equal frames are equal bytes */
};

enum frame_parts {
	FRAME_NAME = 1,
	FRAME_FILE = 2,
	FRAME_LINE = 4,
	FRAME_ADDRESS = 8,
	FRAME_INLINED = 16, /* all lines of a location, not the outermost */
	FRAME_OBJECT = 32,  /* the mapping's file even where there is a name */
	/* Do not tell frames apart: a frame has the first one's. Of objects
	   without a name their last elements do. */
	FRAME_ANY_FILE = 64,
	FRAME_ANY_OBJECT = 128
};

struct frames {
	const struct prof_profile *p;
	struct byte_table strings; /* files, as they are shown */
	VEC(struct frame) all;
	/* Those of location id are lines[first[id] .. first[id + 1]),
	   innermost first and never none; ids of `all`. */
	VEC(uint32_t) lines;
	VEC(uint32_t) first;
	const struct prof_allocator *allocator;
};

/* The parts that a granularity keeps. */
unsigned frame_parts(enum prof_granularity granularity);

/* p must outlive f. False: out of memory; release in any case. */
bool frames_init(struct frames *f, const struct prof_profile *p,
                 unsigned parts, const char *trim_path,
                 const char *source_path, const struct prof_allocator *a);
void frames_release(struct frames *f);

static inline struct prof_str frames_string(const struct frames *f,
                                            uint32_t id)
{
	return byte_table_get(&f->strings, id);
}

static inline struct prof_str frames_name(const struct frames *f,
                                          const struct frame *frame)
{
	return profile_string(f->p, frame->name);
}

/*
 * The frames' names as pprof prints them: "<address> name file:line", "name",
 * "[object]" or "<unknown>". The name of frame i is string i + 1 of *out, which
 * the caller releases in any case; it is empty where !keep[i] (NULL: all are
 * kept). False: out of memory.
 */
bool frames_names(struct byte_table *out, const struct frames *f,
                  const bool *keep);

/* ---- Paths ---- */

/* The last element of a path, as "b.c" of "a/b.c"; "/" where it has none. */
struct prof_str path_base(struct prof_str path);

/*
 * The shortest path that means the same ("a/./b//c/../d" is "a/b/d"), into
 * to, which has room for path.len + 1. Returns its length.
 */
size_t path_clean(char *to, struct prof_str path);

/*
 * A file name without the first of the prefixes (':' between them) it has;
 * where trim_path is NULL, from behind the name of the last directory of a
 * source_path that is in it.
 */
struct prof_str path_trim(struct prof_str path, const char *trim_path,
                          const char *source_path);

#endif
