/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_FOLD_H
#define MODEL_FOLD_H

/*
 * A recording folded into a profile: a recorder whose end is a builder.
 */

#include "model/builder.h"

#include <profile/raw.h>

struct fold;

/*
 * A recorder *to that adds one kind of what it is told to the builder: the
 * one options->kind names, else the one there is, else the CPU samples.
 * options is only read here: kind, go_exact, and allocator is not used.
 * PROF_NOMEM.
 */
enum prof_status fold_new(struct fold **out, struct prof_recorder *to,
                          struct prof_builder *b,
                          const struct prof_read_options *options,
                          struct prof_error *err);

/*
 * After all was told: writes header and samples to the builder. PROF_INVALID
 * where the recording has no such kind; the message names those it has.
 */
enum prof_status fold_finish(struct fold *f, struct prof_error *err);

/*
 * Where the caller chose no kind and the recording has several: their names,
 * else NULL. Borrowed from the fold.
 */
const char *fold_left_out(const struct fold *f);

void fold_free(struct fold *f);

#endif
