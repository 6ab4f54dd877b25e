/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_LEGACY_TEXT_H
#define RUNTIME_LEGACY_TEXT_H

/*
 * Profiles as the text that Go's runtime/pprof writes with debug=1, which
 * google/pprof reads too. Of addresses in this process the functions and
 * lines stand beside them, as comments. Source: Go runtime/pprof,
 * printCountProfile, writeHeapInternal, printCountCycleProfile.
 *
 * PROF_SYSTEM (the sink); PROF_NOMEM; PROF_OVERFLOW.
 */
#include <profile/io.h>

enum prof_status legacy_text_count(struct prof_sink sink,
                                   const struct prof_count_profile *c,
                                   struct prof_error *err);

/* rate: as prof_from_mem(). */
enum prof_status legacy_text_mem(struct prof_sink sink,
                                 const struct prof_mem_record *recs, size_t n,
                                 int64_t rate, struct prof_error *err);

/* first_lines: what tells one kind of waiting from another, with newlines. */
enum prof_status legacy_text_block(struct prof_sink sink,
                                   const char *first_lines,
                                   const struct prof_block_record *recs,
                                   size_t n, struct prof_error *err);

#endif
