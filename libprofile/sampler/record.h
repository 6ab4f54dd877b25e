/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_RECORD_H
#define SAMPLER_RECORD_H

/*
 * From a state, which need not be trusted, to a recorder.
 */

#include "sampler/state.h"

#include <profile/sampler.h>

struct recording {
	const struct state *state;
	const struct prof_recorder *to;
	uint32_t n_modules; /* that were told */
	uint64_t lost;      /* by the words that were told */
	bool has_header;
	bool tells_empty; /* profiles too that have nothing */
	/* A bit for each tag that was told: tags are multiples of 8. */
	uint8_t told[LABELS_BYTES / 64 + 1];
};

/* Each returns PROF_OK or what the recorder did. */
enum prof_status record_header(struct recording *r, struct prof_str command,
                               uint64_t kinds, struct prof_error *err);
enum prof_status record_modules(struct recording *r, struct prof_error *err);
/* A chunk of whole records, label sets first. */
enum prof_status record_chunk(struct recording *r, const uint64_t *words,
                              size_t n_words, const uint64_t *tags,
                              size_t n_tags, struct prof_error *err);
/* All but the CPU samples, and the end. */
enum prof_status record_end(struct recording *r, struct prof_error *err);

#endif
