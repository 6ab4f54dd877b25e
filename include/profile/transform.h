/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_TRANSFORM_H
#define PROFILE_TRANSFORM_H

/*
 * What can be done to profiles: merging, and changes to one by name.
 */

#include <profile/common.h>
#include <profile/io.h>
#include <profile/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Merging ---- */

/*
 * A merger adds up profiles one at a time. What it keeps grows with what is
 * different in them, not with their number. The result is the same, to the
 * byte once written, for any order of the inputs and for any grouping of them
 * into merges of merges: it can be the combiner of any map-reduce.
 *
 * What is one:
 *   mappings    equal size (in pages of 4 KiB), file offset, and build id or
 *               else file; so copies of one file at different load addresses
 *               are one, at the lowest start, with addresses moved along
 *   functions   equal names, file and start line
 *   locations   equal mapping, address within it, is_folded and all lines
 *               with their columns
 *   samples     equal stack and equal labels, in any order of the keys
 *
 * The header: the earliest time that is not 0, the sum of the durations, the
 * longest period, all comments (each once, in byte order), and of drop_frames,
 * keep_frames, default_sample_type and doc_url the first in byte order of
 * those that are set. All mappings stay; their has_... flags hold where they
 * held in every input that has the mapping. The first mapping is the first in
 * byte order of the inputs' first mappings (the main binary). Samples whose
 * values are all 0 are left out, and so are locations, functions and label
 * sets that no sample refers to.
 *
 * Where sample types differ, those that all inputs have remain (in byte order
 * of their names), converted to the finest unit of each; or all of them with
 * zeros, where the options say so.
 *
 * Source: google/pprof's profile.Merge and measurement.ScaleProfiles;
 * docs/differences-from-pprof.md lists what is different.
 */
struct prof_merger;

struct prof_merge_options {
	size_t size;
	const struct prof_allocator *allocator;
	bool union_of_types; /* keep the sample types that only some have */
	struct prof_notes notes;
};

/* options NULL: defaults. Returns NULL when out of memory. */
PROF_API struct prof_merger *
prof_merger_new(const struct prof_merge_options *options);

/*
 * Adds p, with values and duration times weight (1: as it is; -1: taken
 * away). p is only read. PROF_NOMEM, PROF_LIMIT, PROF_OVERFLOW (a sum left 64
 * bits): the merger cannot be used further. PROF_MISMATCH (another period
 * type): nothing was added, and the merger can go on.
 */
PROF_API enum prof_status prof_merger_add(struct prof_merger *m,
                                          const struct prof_profile *p,
                                          int64_t weight,
                                          struct prof_error *err);

/*
 * The sum of all that was added, which the caller frees; the merger is freed
 * in every case. PROF_NOMEM, PROF_LIMIT; PROF_MISMATCH where no sample type
 * is common to all; PROF_INVALID where nothing was added.
 */
PROF_API enum prof_status prof_merger_finish(struct prof_profile **out,
                                             struct prof_merger *m,
                                             struct prof_error *err);
PROF_API void prof_merger_free(struct prof_merger *m);

/* The merge of in[n], all with weight 1. See above. */
PROF_API enum prof_status prof_merge(struct prof_profile **out,
                                     struct prof_profile *const *in, size_t n,
                                     const struct prof_merge_options *options,
                                     struct prof_error *err);

/* ---- Changes by name ---- */

/*
 * Each transform changes a profile in place. On failure the profile is as it
 * was, unless that is said otherwise; PROF_NOMEM may come from all of them.
 *
 * Nothing is added up: samples that have become equal stay two until a
 * profile is compacted or merged.
 */
struct prof_transform_info {
	const char *name;     /* "focus" */
	const char *argument; /* what it is called; NULL: there is none */
	const char *about;    /* a phrase */
};

/* The transforms in the order of the list; NULL at its end. */
PROF_API const struct prof_transform_info *prof_transform_info(size_t i);

/*
 * Does the named transform; '_' in a name is as good as '-'. arg is text in
 * its own syntax, NULL where it takes none. What the typed function below
 * returns; PROF_INVALID where there is no such transform, or for an argument
 * that is wrong.
 */
PROF_API enum prof_status prof_transform(struct prof_profile *p,
                                         const char *name, const char *arg,
                                         struct prof_error *err);

/*
 * Expressions have the syntax of Perl, of which RE2's (google/pprof's) is a
 * part. They are unanchored and case-sensitive, and an empty one changes
 * nothing. PROF_INVALID: it is none, the message tells the column.
 * PROF_LIMIT: it takes too long on some name; the profile is as it was.
 *
 * What is matched, where nothing else is said: a frame by the name of its
 * function, the name of its file, or the file of its mapping.
 */

/* Keeps the samples with a frame that matches. */
PROF_API enum prof_status prof_focus(struct prof_profile *p, const char *regex,
                                     struct prof_error *err);

/* Drops the samples with a frame that matches. */
PROF_API enum prof_status prof_ignore(struct prof_profile *p,
                                      const char *regex,
                                      struct prof_error *err);

/*
 * Takes out the frames that match, and samples of which nothing is left.
 * Samples that had no stack before stay.
 */
PROF_API enum prof_status prof_hide(struct prof_profile *p, const char *regex,
                                    struct prof_error *err);

/*
 * Takes out the frames that do not match, and samples of which nothing is
 * left. Where there is no symbol, the file of the mapping decides.
 */
PROF_API enum prof_status prof_show(struct prof_profile *p, const char *regex,
                                    struct prof_error *err);

/*
 * Cuts stacks above the match that is nearest to the root, which stays; drops
 * samples without a match.
 */
PROF_API enum prof_status prof_show_from(struct prof_profile *p,
                                         const char *regex,
                                         struct prof_error *err);

/*
 * Takes out all frames below (called by) the match that is nearest to the
 * leaf, which stays. Only names of functions count, without arguments.
 */
PROF_API enum prof_status prof_prune_from(struct prof_profile *p,
                                          const char *regex,
                                          struct prof_error *err);

/*
 * Takes out the match that is nearest to the root, and all below it; but
 * never before the first frame (from the root) that does not match. Here the
 * whole name of the function must match, without arguments; what keep_regex
 * (may be NULL) matches stays. Source: google/pprof, RemoveUninteresting.
 */
PROF_API enum prof_status prof_drop_frames(struct prof_profile *p,
                                           const char *regex,
                                           const char *keep_regex,
                                           struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
