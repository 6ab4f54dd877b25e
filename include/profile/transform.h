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
 *               are one, at the lowest start, with addresses moved along (0,
 *               which is none, stays)
 *   functions   equal names, file and start line
 *   locations   equal mapping, address within it, is_folded and all lines
 *               with their columns
 *   samples     equal stack and equal labels, in any order of the keys
 *
 * The header: the earliest time that is not 0, the sum of the durations, the
 * longest period (of those that have a type, where any has), all comments
 * (each once, in byte order), and of drop_frames, keep_frames,
 * default_sample_type and doc_url the first in byte order of those that are
 * set. All mappings stay; their has_... flags hold where they held in every
 * input that has the mapping, their file is the first in byte order. The
 * first mapping (the main binary) is, of the inputs' first mappings, the
 * first by build id, or else file. Samples whose values are all 0 are left
 * out, and so are locations, functions and label sets that no sample refers
 * to.
 *
 * Where sample types differ, those that all inputs have remain, or all of
 * them with zeros where the options say so, in byte order of their names. A
 * final "s" of a name makes no difference, and units of one kind (of time,
 * of memory) are converted to the finest of them. The same holds for the
 * period.
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
 * Adds p, with values times weight (1: as it is; -1: taken away) and its
 * duration times the size of the weight: what is taken away was recorded too.
 * p is only read. PROF_NOMEM, PROF_LIMIT, PROF_OVERFLOW (a value times
 * the weight leaves 64 bits): the merger cannot be used further. PROF_MISMATCH
 * (another period type): nothing was added, and the merger can go on.
 */
PROF_API enum prof_status prof_merger_add(struct prof_merger *m,
                                          const struct prof_profile *p,
                                          int64_t weight,
                                          struct prof_error *err);

/*
 * The sum of all that was added, which the caller frees; the merger is freed
 * in every case. PROF_NOMEM, PROF_LIMIT; PROF_OVERFLOW (a sum, in the finest
 * unit, leaves 64 bits); PROF_MISMATCH where no sample type is common to all;
 * PROF_INVALID where nothing was added.
 *
 * A sum may leave 64 bits on the way and come back: whether it overflows is
 * the same for any order of the inputs, and for any way to spread them over
 * mergers that are joined. A merge of merges is different only where a part's
 * own sum leaves 64 bits, because a profile cannot hold it.
 */
PROF_API enum prof_status prof_merger_finish(struct prof_profile **out,
                                             struct prof_merger *m,
                                             struct prof_error *err);
PROF_API void prof_merger_free(struct prof_merger *m);

/*
 * Adds all that was added to other, which is freed in every case, as if it
 * were finished first, but faster: for mergers that threads have filled. What
 * prof_merger_add() and prof_merger_finish() return.
 */
PROF_API enum prof_status prof_merger_join(struct prof_merger *m,
                                           struct prof_merger *other,
                                           struct prof_error *err);

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

/*
 * Adds the values of labels to the stacks as frames: at the root, the first
 * key outermost, or at the leaf, the last key innermost. keys: "a,b". Several
 * values are joined by commas; without the label the frame has no name. Its
 * file is the key. Source: google/pprof, addLabelNodes.
 */
PROF_API enum prof_status prof_tagroot(struct prof_profile *p,
                                       const char *keys,
                                       struct prof_error *err);
PROF_API enum prof_status prof_tagleaf(struct prof_profile *p,
                                       const char *keys,
                                       struct prof_error *err);

/*
 * Keeps, or drops, the samples with a label that matches filter, which is
 * "[key=]value". A value of the form N[unit], N[unit]:, :N[unit] or
 * N[unit]:N[unit] is a range of numeric labels (ends included, units are
 * converted); anything else is expressions with commas between them, for
 * labels that are strings: with a key any of them must match a value, without
 * one each must match some "key:value". PROF_INVALID for a range with units
 * that cannot be compared. Source: google/pprof, -tagfocus.
 */
PROF_API enum prof_status prof_tagfocus(struct prof_profile *p,
                                        const char *filter,
                                        struct prof_error *err);
PROF_API enum prof_status prof_tagignore(struct prof_profile *p,
                                         const char *filter,
                                         struct prof_error *err);

/* Drops the labels whose keys do not match, or match. */
PROF_API enum prof_status prof_tagshow(struct prof_profile *p,
                                       const char *regex,
                                       struct prof_error *err);
PROF_API enum prof_status prof_taghide(struct prof_profile *p,
                                       const char *regex,
                                       struct prof_error *err);

/*
 * Labels of all samples: set gives each sample the label, in the place of
 * all others of that key; rename gives the labels of a key another one.
 */
PROF_API enum prof_status prof_set_label(struct prof_profile *p,
                                         struct prof_str key,
                                         struct prof_str value,
                                         struct prof_error *err);
PROF_API enum prof_status prof_remove_label(struct prof_profile *p,
                                            struct prof_str key,
                                            struct prof_error *err);
PROF_API enum prof_status prof_rename_label(struct prof_profile *p,
                                            struct prof_str key,
                                            struct prof_str name,
                                            struct prof_error *err);

/* Adds a comment behind those that there are. */
PROF_API enum prof_status prof_append_comment(struct prof_profile *p,
                                              struct prof_str text,
                                              struct prof_error *err);

/*
 * Keeps only the sample types in a list "a,b", in its order, or drops these;
 * each as prof_find_sample_type() knows it. PROF_INVALID: there is no such
 * type, or none would be left.
 */
PROF_API enum prof_status prof_choose_types(struct prof_profile *p,
                                            const char *types,
                                            struct prof_error *err);
PROF_API enum prof_status prof_drop_types(struct prof_profile *p,
                                          const char *types,
                                          struct prof_error *err);

/* Gives a sample type a name, and a unit where name->unit.ptr is set. */
PROF_API enum prof_status prof_rename_type(struct prof_profile *p,
                                           const char *type,
                                           const struct prof_value_type *name,
                                           struct prof_error *err);

/*
 * Multiplies all values, or each sample type by factors[i]; rounded to the
 * nearest integer, halves away from zero. Samples that become 0 stay.
 * PROF_OVERFLOW; PROF_INVALID for a factor that is not finite.
 */
PROF_API enum prof_status prof_scale(struct prof_profile *p, double factor,
                                     struct prof_error *err);
PROF_API enum prof_status prof_scale_each(struct prof_profile *p,
                                          const double *factors,
                                          struct prof_error *err);

/*
 * Scales each sample type so that its values add up to what those of base
 * do; one whose sum is 0 becomes 0. PROF_MISMATCH: not the same types.
 */
PROF_API enum prof_status prof_normalize(struct prof_profile *p,
                                         const struct prof_profile *base,
                                         struct prof_error *err);

/*
 * The same with one sum for all sample types. PROF_OVERFLOW; PROF_INVALID for
 * a total that is not finite.
 */
PROF_API enum prof_status prof_normalize_to(struct prof_profile *p,
                                            double total,
                                            struct prof_error *err);

/*
 * Tells frames apart by no more than that: "functions", "filefunctions",
 * "files", "lines" or "addresses". The rest is blanked, and the profile is
 * compacted. PROF_INVALID: none of these. After PROF_NOMEM what was to be
 * blanked is.
 */
PROF_API enum prof_status prof_granularity(struct prof_profile *p,
                                           const char *name,
                                           struct prof_error *err);

/* Keeps the outermost line of each location, and compacts. As above. */
PROF_API enum prof_status prof_noinlines(struct prof_profile *p,
                                         struct prof_error *err);

/*
 * Keeps the samples of the n stacks with the largest absolute values, or of
 * those with an absolute value of least and more, or of that share (of 1) of
 * all such values and more; in the default column. PROF_INVALID for a share
 * that is negative or no number.
 */
PROF_API enum prof_status prof_top_stacks(struct prof_profile *p, uint64_t n,
                                          struct prof_error *err);
PROF_API enum prof_status prof_min_value(struct prof_profile *p, int64_t least,
                                         struct prof_error *err);
PROF_API enum prof_status prof_min_share(struct prof_profile *p, double share,
                                         struct prof_error *err);

/*
 * The merge of p alone: adds up samples with equal stacks and labels, unifies
 * what is equal, and leaves out samples of 0 and what no sample refers to.
 * PROF_OVERFLOW, PROF_LIMIT as prof_merger_add().
 */
PROF_API enum prof_status prof_compact(struct prof_profile *p,
                                       struct prof_error *err);

/*
 * Reduces a profile to what a Go build with -pgo reads in it (Go 1.21 and
 * later), and no more: for each call that a sample has between
 * its two innermost locations, inlined calls among them, a sample of two
 * frames, the function that is called and its caller with the line. Values
 * are those of samples/count or cpu/nanoseconds, whichever comes first.
 * Functions keep their name and start line; everything else goes.
 * Reducing and merging may be done in any order.
 *
 * PROF_INVALID: there is no such sample type, or no function has a start
 * line (Go writes them since 1.20). PROF_OVERFLOW. On failure the profile is
 * as it was. Source: Go, cmd/internal/pgo and internal/profile.
 */
PROF_API enum prof_status prof_go_pgo(struct prof_profile *p,
                                      struct prof_error *err);

/*
 * Hashes strings under a key (any text; long and random is good): the names
 * of functions (drop_frames and keep_frames go); or paths of files and build
 * ids; or the texts of labels (their keys and numbers stay). Comments and the
 * URL of the documentation go with each, as anything may be in them.
 * PROF_INVALID: the key is empty.
 */
PROF_API enum prof_status prof_redact_names(struct prof_profile *p,
                                            const char *key,
                                            struct prof_error *err);
PROF_API enum prof_status prof_redact_files(struct prof_profile *p,
                                            const char *key,
                                            struct prof_error *err);
PROF_API enum prof_status prof_redact_labels(struct prof_profile *p,
                                             const char *key,
                                             struct prof_error *err);

/* ---- One into many ---- */

/* Takes a part, which is its to free; what is not PROF_OK ends the split. */
struct prof_part_taker {
	enum prof_status (*take)(void *ctx, struct prof_str value,
	                         struct prof_profile *part,
	                         struct prof_error *err);
	void *ctx;
};

/*
 * Splits a profile by the value of a label: a compacted part for each, in
 * byte order of the values, first (with an empty value) what has no such
 * label. A number is its digits with its unit behind. p is only read.
 */
PROF_API enum prof_status prof_split(const struct prof_profile *p,
                                     struct prof_str key,
                                     const struct prof_part_taker *taker,
                                     struct prof_error *err);

/* ---- Differences ---- */

/*
 * Takes base away from *p, which the difference replaces. What a merge does
 * to differing sample types is done here too. On failure *p is as it was.
 */
PROF_API enum prof_status prof_subtract(struct prof_profile **p,
                                        const struct prof_profile *base,
                                        struct prof_error *err);

/*
 * Marks a base with the label pprof::base=true: subtracted then, its samples
 * stay apart, and reports know what the percentages are of (pprof's
 * -diff_base).
 */
PROF_API enum prof_status prof_mark_base(struct prof_profile *base,
                                         struct prof_error *err);

/* ---- Recordings ---- */

struct prof_time_options {
	size_t size;
	uint64_t from_ns, to_ns; /* since the beginning, [from, to); to 0: all */
	uint64_t bucket_ns;      /* 0: none */
	const struct prof_allocator *allocator;
};

/*
 * A recorder that passes on to the next one the CPU samples of a stretch of
 * time. With bucket_ns, each of them gets the numeric label "time" in
 * nanoseconds: when, since the beginning, its bucket begins. Everything else
 * (memory, blocking, counts) has no time and is passed on as it is.
 *
 * next must outlive *out and is not freed with it: prof_recorder_free() both.
 * PROF_INVALID for an empty range; PROF_NOMEM.
 */
PROF_API enum prof_status
prof_time_filter_new(struct prof_recorder *out,
                     const struct prof_recorder *next,
                     const struct prof_time_options *options,
                     struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
