/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_LABELS_H
#define SAMPLER_LABELS_H

/*
 * Label sets as they lie in memory that may be shared: a tag is the offset
 * of a set in bytes[], 0 is none.
 */

#include <profile/sampler.h>

#include <stdatomic.h>

enum { LABELS_BYTES = 1 << 20, LABELS_INDEX = 1 << 12, LABELS_MAX = 64 };

/* keys and values follow, each with its length before and 0 behind. */
struct prof_label_set {
	uint32_t n;    /* labels */
	uint32_t size; /* bytes of all, this head included */
};

struct label_table {
	_Atomic uint32_t used; /* of bytes[] */
	_Atomic uint32_t index[LABELS_INDEX]; /* tags by hash */
	_Alignas(8) unsigned char bytes[LABELS_BYTES];
};

/* Where sets are kept from now on: once per process. */
void labels_keep_in(struct label_table *table);

/* The calling thread's tag. [signal-safe] */
uint64_t labels_tag(void);

/*
 * Decodes a set of a table that is not trusted: fills labels[LABELS_MAX] with
 * views of the table. Returns how many; 0 for a tag that is none.
 */
size_t labels_decode(struct prof_label *labels,
                     const struct label_table *table, uint64_t tag);

/* The same of a set of this process; NULL has none. */
size_t labels_decode_own(struct prof_label *labels,
                         const struct prof_label_set *set);

/* In a forked child: nobody makes a set there. */
void labels_after_fork(void);

#endif
