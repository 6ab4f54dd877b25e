/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEASURE_H
#define BASE_MEASURE_H

/*
 * Values as text: units of memory, time and work, and percentages.
 * The rules are those of google/pprof's measurement package.
 */

#include <profile/common.h>

/* Room for the longest value with its unit; longer units are cut. */
#define MEASURE_SIZE 96

/* The greatest number that text of this size can be: see measure_label(). */
struct measure_text {
	char text[MEASURE_SIZE];
};

/* A value and the unit it is in, "" for a plain count. */
struct measured {
	double value;
	struct prof_str unit; /* borrowed from the caller or static */
};

/*
 * Converts value from one unit to another. to "minimum" or "auto": the
 * largest unit in which it is at least 1. Between units of different kinds
 * there is no conversion: from a known unit it ends in that kind's own, else
 * the value stays and takes the name `to`.
 */
struct measured measure_scale(int64_t value, struct prof_str from,
                              struct prof_str to);

/* A unit's place in its kind: of memory, of time, of work. */
struct measure_unit {
	uint32_t kind; /* 0: no unit that is known */
	uint32_t rank; /* from small to large, below MEASURE_MAX_UNITS */
};
#define MEASURE_MAX_UNITS 9

struct measure_unit measure_find_unit(struct prof_str name);

/*
 * How many of the small unit a large one of its kind is; 0 where that does
 * not fit.
 */
int64_t measure_ratio(struct measure_unit large, struct measure_unit small);

/* measure_scale() as text: "1.25MB", at most two decimals, "0" without a unit. */
struct measure_text measure_label(int64_t value, struct prof_str from,
                                  struct prof_str to);

/* value / total: "  100%", "12.34%", " 0.12%", at least 6 wide. */
struct measure_text measure_percentage(int64_t value, int64_t total);

/* A percentage without the blanks before it. */
const char *measure_trimmed(const struct measure_text *t);

/* A double as an int64_t, towards 0; saturating; 0 for a NaN. */
int64_t measure_int(double value);

/* |n|; that of INT64_MIN is INT64_MAX. */
int64_t measure_abs(int64_t n);

/* a + b, modulo 2^64. */
int64_t measure_add(int64_t a, int64_t b);

#endif
