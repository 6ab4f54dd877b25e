/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_LABELS_H
#define REPORT_LABELS_H

/*
 * Labels for people: what unit numbers are in, and label sets in the order
 * of their keys. (Labels are tags in the words of pprof's users.)
 */

#include "model/profile.h"

/* Order of the bytes; a prefix comes first. */
int str_compare(struct prof_str a, struct prof_str b);

bool str_equals(struct prof_str a, const char *b);

struct label_set {
	VEC(struct row_label) labels; /* by key's text, strings first; labels
	                                 of one key in the order given */
};

/* Reads a set over what was there. False: out of memory. */
bool label_set_read(struct label_set *to, const struct prof_profile *p,
                    uint32_t set, const struct prof_allocator *a);

/* The key of the label that marks what a difference was taken from. */
#define BASE_KEY "pprof::base"

/* Without that label, which is no user's. */
void label_set_drop_base(struct label_set *set, const struct prof_profile *p);
void label_set_release(struct label_set *to, const struct prof_allocator *a);

/*
 * The unit of each key of numeric labels: units[key's string id], the first
 * that a sample has with it. Without any it is "bytes" for "alignment" and
 * "request", else the key itself.
 */
struct label_units {
	VEC(uint32_t) units; /* string id + 1; 0: none has been seen */
};
bool label_units_init(struct label_units *to, const struct prof_profile *p,
                      const struct prof_allocator *a);
void label_units_release(struct label_units *to,
                         const struct prof_allocator *a);
struct prof_str label_unit(const struct label_units *units,
                           const struct prof_profile *p, uint32_t key);

#endif
