/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging: what becomes one, by tables; that order and grouping make no
 * difference, by random profiles; and failures.
 */
#include "testing.h"

#include <inttypes.h>
#include <profile/transform.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INPUTS 4
#define P "profile: 1\n"
#define COUNT "sample_types: [samples/count]\n"
#define ONE P COUNT "locations:\n- {lines: [{fn: f}]}\nsamples:\n"

static struct prof_profile *read_text(const char *text)
{
	return read_profile((struct bytes){ (unsigned char *)(uintptr_t)text,
	                                    strlen(text) },
	                    &PROF_OPTIONS(prof_read_options,
	                                  .format = "yaml"));
}

/* The profile in a format, with a NUL behind it. */
static struct bytes text_of(const struct prof_profile *p, const char *format)
{
	struct bytes b = write_profile(p, format, NULL);
	unsigned char *data = realloc(b.data, b.size + 1);

	ck_assert_ptr_nonnull(data);
	data[b.size] = '\0';
	return (struct bytes){ data, b.size };
}

/* ---- Two inputs in YAML, and what comes of them ---- */

struct merge_case {
	const char *name;
	const char *in[MAX_INPUTS];
	const char *out;     /* NULL: the status and its message */
	enum prof_status status;
	const char *message;
	int64_t weights[MAX_INPUTS]; /* 0: 1 */
	bool union_of_types;
	unsigned n_notes;
};

static const struct merge_case cases[] = {
	/* ---- The header ---- */
	{ "the earliest time, but 0",
	  { P "time_nanos: 5\n", P "time_nanos: 0\n", P "time_nanos: 3\n",
	    P "time_nanos: 9\n" },
	  .out = P COUNT "time_nanos: 3\n" "samples: []\n" },
	{ "durations add up, times the size of their weight",
	  { P "duration_nanos: 5\n", P "duration_nanos: 7\n",
	    P "duration_nanos: 1\n" },
	  .out = P COUNT "duration_nanos: 20\n" "samples: []\n",
	  .weights = { 1, 2, -1 } },
	{ "the longest period",
	  { P "period: {type: cpu/nanoseconds, value: 10}\n",
	    P "period: {type: cpu/nanoseconds, value: 30}\n",
	    P "period: {type: cpu/nanoseconds, value: 20}\n" },
	  .out = P COUNT "period: {type: cpu/nanoseconds, value: 30}\n"
	  "samples: []\n" },
	{ "a negative period is longer than none",
	  { P "period: {type: a/b, value: -7}\n", P },
	  .out = P COUNT "period: {type: a/b, value: -7}\n" "samples: []\n" },
	{ "a period without a type counts where none has one",
	  { P "period: {value: 5}\n", P "period: {value: 6}\n" },
	  .out = P COUNT "period: {value: 6}\n" "samples: []\n" },
	{ "and not beside one that has",
	  { P "period: {value: 50}\n",
	    P "period: {type: cpu/nanoseconds, value: 3}\n" },
	  .out = P COUNT "period: {type: cpu/nanoseconds, value: 3}\n"
	  "samples: []\n" },
	{ "periods in the finest unit",
	  { P "period: {type: cpu/milliseconds, value: 10}\n",
	    P "period: {type: cpu/us, value: 20000}\n",
	    P "period: {type: cpu/microseconds, value: 1}\n" },
	  .out = P COUNT "period: {type: cpu/microseconds, value: 20000}\n"
	  "samples: []\n" },
	{ "a period that leaves 64 bits in the finest unit",
	  { P "period: {type: cpu/s, value: 9223372036854775807}\n",
	    P "period: {type: cpu/ns, value: 1}\n" },
	  .status = PROF_OVERFLOW, .message = "the period in its finest unit leaves the "
	  "range of 64 bits" },
	{ "periods of different types",
	  { P "period: {type: cpu/nanoseconds, value: 10}\n",
	    P "period: {type: space/bytes, value: 10}\n" },
	  .status = PROF_MISMATCH, .message = "a period of space/bytes cannot be merged with "
	  "one of cpu/nanoseconds" },
	{ "periods of different kinds of units",
	  { P "period: {type: cpu/nanoseconds, value: 10}\n",
	    P "period: {type: cpu/count, value: 10}\n" },
	  .status = PROF_MISMATCH, .message = "a period of cpu/count cannot be merged with "
	  "one of cpu/nanoseconds" },
	{ "comments: each once, in byte order",
	  { P "comments:\n- b\n- a\n", P "comments:\n- c\n- b\n- \"\"\n- b\n" },
	  .out = P COUNT "comments:\n- \"\"\n- a\n- b\n- c\n"
	  "samples: []\n" },
	{ "the first in byte order of what is set",
	  { P "default: b\ndrop_frames: z\ndoc_url: u\n",
	    P "default: a\ndrop_frames: x\nkeep_frames: k\n", P },
	  .out = P COUNT "default: a\ndrop_frames: x\nkeep_frames: k\n"
	  "doc_url: u\nsamples: []\n" },

	/* ---- Samples ---- */
	{ "equal samples add up",
	  { ONE "- {v: [1], at: [1]}\n", ONE "- {v: [2], at: [1]}\n" },
	  .out = ONE "- {v: [3], at: [1]}\n" },
	{ "within an input, too",
	  { ONE "- {v: [1], at: [1]}\n- {v: [4], at: []}\n"
	    "- {v: [2], at: [1]}\n" },
	  .out = ONE "- {v: [4], at: []}\n- {v: [3], at: [1]}\n" },
	{ "weights",
	  { ONE "- {v: [1], at: [1]}\n", ONE "- {v: [2], at: [1]}\n" },
	  .out = ONE "- {v: [18], at: [1]}\n", .weights = { 10, 4 } },
	{ "negative weights take away",
	  { ONE "- {v: [1], at: [1]}\n- {v: [1], at: []}\n",
	    ONE "- {v: [2], at: [1]}\n- {v: [1], at: []}\n" },
	  .out = ONE "- {v: [-1], at: [1]}\n", .weights = { 1, -1 } },
	{ "what cancels takes its rows with it",
	  { ONE "- {v: [1], at: [1]}\n", ONE "- {v: [-1], at: [1]}\n" },
	  .out = P COUNT "samples: []\n" },
	{ "a 0 in one column is no zero sample",
	  { P "sample_types: [a/b, c/d]\nsamples:\n- {v: [0, 5], at: []}\n",
	    P "sample_types: [a/b, c/d]\nsamples:\n- {v: [0, 0], at: []}\n" },
	  .out = P "sample_types: [a/b, c/d]\nsamples:\n- {v: [0, 5], at: []}\n" },
	{ "zero samples, and what is theirs, go",
	  { P "mappings:\n- {file: /bin/x, start: 0x1000, limit: 0x2000, "
	    "has: []}\n"
	    "samples:\n- {v: 0, stack: [a, b]}\n"
	    "- {v: 1, stack: [c], labels: {k: v}}\n" },
	  .out = P COUNT "mappings:\n- {file: /bin/x, start: 0x1000, limit: 0x2000, "
	  "has: []}\nlocations:\n- {lines: [{fn: c}]}\nsamples:\n"
	  "- {v: [1], at: [1], labels: {k: [v]}}\n" },
	{ "sums that leave 64 bits",
	  { ONE "- {v: [9223372036854775807], at: [1]}\n",
	    ONE "- {v: [1], at: [1]}\n" },
	  .status = PROF_OVERFLOW, .message = "the sum of a sample's values leaves the range "
	  "of 64 bits" },
	{ "products that leave 64 bits",
	  { ONE "- {v: [4611686018427387904], at: [1]}\n" },
	  .status = PROF_OVERFLOW, .message = "the sum of a sample's values leaves the range "
	  "of 64 bits", .weights = { 2 } },
	{ "durations that leave 64 bits",
	  { P "duration_nanos: 9223372036854775807\n", P "duration_nanos: 1\n" },
	  .status = PROF_OVERFLOW, .message = "the sum of the durations leaves the range of "
	  "64 bits" },
	{ "the whole range of 64 bits",
	  { ONE "- {v: [9223372036854775806], at: [1]}\n"
	    "- {v: [-9223372036854775808], at: []}\n",
	    ONE "- {v: [1], at: [1]}\n" },
	  .out = ONE "- {v: [-9223372036854775808], at: []}\n"
	  "- {v: [9223372036854775807], at: [1]}\n" },

	/* ---- Labels ---- */
	{ "labels in any order of their keys",
	  { P "samples:\n- {v: 1, stack: [f], labels: {b: w, a: x}, "
	    "num: {a: 3 ms}}\n",
	    P "samples:\n- {v: 2, stack: [f], num: {a: 3 ms}, "
	    "labels: {a: x, b: w}}\n" },
	  .out = ONE "- {v: [3], at: [1], labels: [{a: x}, {a: [3, ms]}, "
	  "{b: w}]}\n" },
	{ "the values of a key have an order",
	  { P "samples:\n- {v: 1, stack: [f], labels: {a: [x, w]}}\n",
	    P "samples:\n- {v: 2, stack: [f], labels: {a: [w, x]}}\n" },
	  .out = ONE "- {v: [2], at: [1], labels: {a: [w, x]}}\n"
	  "- {v: [1], at: [1], labels: {a: [x, w]}}\n" },
	{ "units of labels count",
	  { P "samples:\n- {v: 1, stack: [f], num: {a: 1 s}}\n",
	    P "samples:\n- {v: 2, stack: [f], num: {a: 1 ms}}\n" },
	  .out = ONE "- {v: [2], at: [1], num: {a: [1 ms]}}\n"
	  "- {v: [1], at: [1], num: {a: [1 s]}}\n" },

	/* ---- Functions and locations ---- */
	{ "functions differ in any field",
	  { P "samples:\n- {v: 1, stack: [f]}\n",
	    P "locations:\n- {lines: [{fn: f, start: 3}]}\n"
	    "samples:\n- {v: 2, at: [1]}\n",
	    P "locations:\n- {lines: [{fn: f, file: a}]}\n"
	    "samples:\n- {v: 4, at: [1]}\n",
	    P "locations:\n- {lines: [{fn: f, sys: g}]}\n"
	    "samples:\n- {v: 8, at: [1]}\n" },
	  .out = P COUNT "locations:\n- {lines: [{fn: f}]}\n"
	  "- {lines: [{fn: f, start: 3}]}\n- {lines: [{fn: f, file: a}]}\n"
	  "- {lines: [{fn: f, sys: g}]}\nsamples:\n- {v: [1], at: [1]}\n"
	  "- {v: [2], at: [2]}\n- {v: [4], at: [3]}\n- {v: [8], at: [4]}\n" },
	{ "locations differ in columns of inner lines",
	  { P "locations:\n- {lines: [{fn: f, line: 1, col: 2}, {fn: g}]}\n"
	    "samples:\n- {v: 1, at: [1]}\n",
	    P "locations:\n- {lines: [{fn: f, line: 1, col: 3}, {fn: g}]}\n"
	    "samples:\n- {v: 2, at: [1]}\n" },
	  .out = P COUNT "locations:\n"
	  "- {lines: [{fn: f, line: 1, col: 2}, {fn: g}]}\n"
	  "- {lines: [{fn: f, line: 1, col: 3}, {fn: g}]}\n"
	  "samples:\n- {v: [1], at: [1]}\n- {v: [2], at: [2]}\n" },
	{ "and in being folded",
	  { P "locations:\n- {addr: 0x1, folded: true}\n"
	    "samples:\n- {v: 1, at: [1]}\n",
	    P "locations:\n- {addr: 0x1}\nsamples:\n- {v: 2, at: [1]}\n" },
	  .out = P COUNT "locations:\n- {addr: 0x1}\n- {addr: 0x1, folded: true}\n"
	  "samples:\n- {v: [2], at: [1]}\n- {v: [1], at: [2]}\n" },
	{ "equal rows of one input",
	  { P "functions:\n- {fn: f}\n- {fn: f}\n"
	    "locations:\n- {lines: [{f: 1}]}\n- {lines: [{f: 2}]}\n"
	    "samples:\n- {v: 1, at: [1]}\n- {v: 2, at: [2]}\n" },
	  .out = ONE "- {v: [3], at: [1]}\n" },

	/* ---- Mappings ---- */
	{ "copies at other addresses, by file",
	  { P "mappings:\n- {file: /x, start: 0x5000, limit: 0x7000, "
	    "offset: 0x1000, has: [functions, lines]}\n"
	    "locations:\n- {map: 1, addr: 0x5010}\nsamples:\n- {v: 1, at: [1]}\n",
	    P "mappings:\n- {file: /x, start: 0x3000, limit: 0x4800, "
	    "offset: 0x1000, has: [functions, filenames]}\n"
	    "locations:\n- {map: 1, addr: 0x3010}\n- {map: 1, addr: 0x3000}\n"
	    "samples:\n- {v: 2, at: [1]}\n- {v: 1, at: [2]}\n" },
	  .out = P COUNT "mappings:\n- {file: /x, start: 0x3000, limit: 0x5000, "
	  "offset: 0x1000, has: [functions]}\n"
	  "locations:\n- {map: 1, addr: 0x3000}\n- {map: 1, addr: 0x3010}\n"
	  "samples:\n- {v: [1], at: [1]}\n- {v: [3], at: [2]}\n" },
	{ "by build id, whatever the file is called",
	  { P "mappings:\n- {file: /z, build_id: b, start: 0x1000, "
	    "limit: 0x2000, has: []}\n",
	    P "mappings:\n- {build_id: b, start: 0x1000, "
	    "limit: 0x2000, has: []}\n",
	    P "mappings:\n- {file: /y, build_id: b, start: 0x3000, "
	    "limit: 0x4000, has: []}\n" },
	  .out = P COUNT "mappings:\n- {file: /y, build_id: b, start: 0x1000, "
	  "limit: 0x2000, has: []}\nsamples: []\n" },
	{ "not with another size, offset, or build id",
	  { P "mappings:\n- {file: /x, start: 0x1000, limit: 0x2000, "
	    "has: []}\n",
	    P "mappings:\n- {file: /x, start: 0x1000, limit: 0x2001, "
	    "has: []}\n",
	    P "mappings:\n- {file: /x, start: 0x1000, limit: 0x2000, "
	    "offset: 0x1, has: []}\n",
	    P "mappings:\n- {file: /x, build_id: \"/x\", start: 0x1000, "
	    "limit: 0x2000, has: []}\n" },
	  .out = P COUNT "mappings:\n"
	  "- {file: /x, build_id: /x, start: 0x1000, limit: 0x2000, has: []}\n"
	  "- {file: /x, start: 0x1000, limit: 0x2000, has: []}\n"
	  "- {file: /x, start: 0x1000, limit: 0x2001, has: []}\n"
	  "- {file: /x, start: 0x1000, limit: 0x2000, offset: 0x1, has: []}\n"
	  "samples: []\n" },
	{ "an address of 0 is none, wherever the mapping is",
	  { P "mappings:\n- {file: /x, start: 0x5000, limit: 0x6000, has: []}\n"
	    "locations:\n- {map: 1, lines: [{fn: f}]}\n"
	    "samples:\n- {v: 1, at: [1]}\n",
	    P "mappings:\n- {file: /x, start: 0x3000, limit: 0x4000, has: []}\n"
	    "locations:\n- {map: 1, lines: [{fn: f}]}\n"
	    "samples:\n- {v: 2, at: [1]}\n" },
	  .out = P COUNT "mappings:\n- {file: /x, start: 0x3000, limit: 0x4000, "
	  "has: []}\nlocations:\n- {map: 1, lines: [{fn: f}]}\n"
	  "samples:\n- {v: [3], at: [1]}\n" },
	{ "the main mapping is first, the others by file",
	  { P "mappings:\n- {file: /m, start: 0x1000, limit: 0x2000, has: []}\n"
	    "- {file: /c, start: 0x3000, limit: 0x4000, has: []}\n",
	    P "mappings:\n- {file: /m, start: 0x1000, limit: 0x2000, has: []}\n"
	    "- {file: /b, start: 0x5000, limit: 0x6000, has: []}\n",
	    P "mappings:\n- {file: /n, start: 0x1000, limit: 0x2000, has: []}\n",
	    P },
	  .out = P COUNT "mappings:\n"
	  "- {file: /m, start: 0x1000, limit: 0x2000, has: []}\n"
	  "- {file: /b, start: 0x5000, limit: 0x6000, has: []}\n"
	  "- {file: /c, start: 0x3000, limit: 0x4000, has: []}\n"
	  "- {file: /n, start: 0x1000, limit: 0x2000, has: []}\n"
	  "samples: []\n" },

	/* ---- Sample types ---- */
	{ "the order of equal types stays",
	  { P "sample_types: [b/x, a/y]\n", P "sample_types: [b/x, a/y]\n" },
	  .out = P "sample_types: [b/x, a/y]\nsamples: []\n" },
	{ "types in another order: by name",
	  { P "sample_types: [b/x, a/y]\nsamples:\n- {v: [1, 2], at: []}\n",
	    P "sample_types: [a/y, b/x]\nsamples:\n- {v: [10, 20], at: []}\n" },
	  .out = P "sample_types: [a/y, b/x]\nsamples:\n- {v: [12, 21], at: []}\n" },
	{ "the types that all have",
	  { P "sample_types: [b/x, a/y]\nsamples:\n- {v: [1, 2], at: []}\n",
	    P "sample_types: [c/z, a/y]\nsamples:\n- {v: [8, 4], at: []}\n" },
	  .out = P "sample_types: [a/y]\nsamples:\n- {v: [6], at: []}\n",
	  .n_notes = 1 },
	{ "samples that have none of them go",
	  { P "sample_types: [b/x, a/y]\nsamples:\n- {v: [1, 0], at: []}\n",
	    P "sample_types: [a/y]\n" },
	  .out = P "sample_types: [a/y]\nsamples: []\n", .n_notes = 1 },
	{ "the union of types",
	  { P "sample_types: [b/x, a/y]\nsamples:\n- {v: [1, 2], at: []}\n",
	    P "sample_types: [c/z, a/y]\nsamples:\n- {v: [8, 4], at: []}\n" },
	  .out = P "sample_types: [a/y, b/x, c/z]\nsamples:\n"
	  "- {v: [6, 1, 8], at: []}\n", .union_of_types = true },
	{ "no type in common",
	  { P "sample_types: [b/x]\n", P "sample_types: [a/y]\n" },
	  .status = PROF_MISMATCH, .message = "no sample type is common to all inputs" },
	{ "a type that one input has twice",
	  { P "sample_types: [a/x, a/x]\nsamples:\n- {v: [1, 2], at: []}\n" },
	  .out = P "sample_types: [a/x, a/x]\nsamples:\n- {v: [1, 2], at: []}\n" },
	{ "is common once where another has it once",
	  { P "sample_types: [a/x, a/x]\nsamples:\n- {v: [1, 2], at: []}\n",
	    P "sample_types: [a/x]\nsamples:\n- {v: [5], at: []}\n" },
	  .out = P "sample_types: [a/x]\nsamples:\n- {v: [6], at: []}\n",
	  .n_notes = 1 },

	/* ---- Units ---- */
	{ "units of time: the finest",
	  { P "sample_types: [b/count, a/ms]\nsamples:\n- {v: [1, 2], at: []}\n",
	    P "sample_types: [b/count, a/us]\nsamples:\n- {v: [1, 3], at: []}\n",
	    P "sample_types: [b/count, a/s]\nsamples:\n- {v: [1, -1], at: []}\n" },
	  .out = P "sample_types: [b/count, a/us]\nsamples:\n"
	  "- {v: [3, -997997], at: []}\n" },
	{ "units of memory",
	  { P "sample_types: [a/kB]\nsamples:\n- {v: 2, at: []}\n",
	    P "sample_types: [a/bytes]\nsamples:\n- {v: 3, at: []}\n",
	    P "sample_types: [a/megabytes]\nsamples:\n- {v: 1, at: []}\n" },
	  .out = P "sample_types: [a/bytes]\nsamples:\n- {v: [1050627], at: []}\n" },
	{ "names of one unit: the first in byte order",
	  { P "sample_types: [a/ns]\nsamples:\n- {v: 2, at: []}\n",
	    P "sample_types: [a/nanoseconds]\nsamples:\n- {v: 3, at: []}\n" },
	  .out = P "sample_types: [a/nanoseconds]\nsamples:\n- {v: [5], at: []}\n" },
	{ "a final s of a name",
	  { P "sample_types: [samples/count]\nsamples:\n- {v: 2, at: []}\n",
	    P "sample_types: [sample/count]\nsamples:\n- {v: 3, at: []}\n" },
	  .out = P "sample_types: [sample/count]\nsamples:\n- {v: [5], at: []}\n" },
	{ "units that are of no kind must be equal",
	  { P "sample_types: [a/count]\n", P "sample_types: [a/objects]\n" },
	  .status = PROF_MISMATCH, .message = "no sample type is common to all inputs" },
	{ "units of two kinds are two types",
	  { P "sample_types: [a/bytes, b/count]\n",
	    P "sample_types: [a/ns, b/count]\n" },
	  .out = P "sample_types: [b/count]\nsamples: []\n", .n_notes = 1 },
	{ "a value that leaves 64 bits in the finest unit",
	  { P "sample_types: [a/s]\nsamples:\n- {v: 9223372037, at: []}\n",
	    P "sample_types: [a/ns]\nsamples:\n- {v: 3, at: []}\n" },
	  .status = PROF_OVERFLOW, .message = "the sum of a sample's values leaves the range "
	  "of 64 bits" },
	{ "and one that just fits",
	  { P "sample_types: [a/s]\nsamples:\n- {v: 9223372036, at: []}\n",
	    P "sample_types: [a/ns]\nsamples:\n- {v: 854775807, at: []}\n" },
	  .out = P "sample_types: [a/ns]\nsamples:\n"
	  "- {v: [9223372036854775807], at: []}\n" },
	{ "a ratio that leaves 64 bits",
	  { P "sample_types: [a/petagcu]\nsamples:\n- {v: 1, at: []}\n",
	    P "sample_types: [a/nanogcu]\nsamples:\n- {v: 1, at: []}\n" },
	  .status = PROF_OVERFLOW, .message = "the sum of a sample's values leaves the range "
	  "of 64 bits" },
};

/* All profiles of a case; in[n] are the caller's to free. */
static size_t read_case(struct prof_profile **in, const struct merge_case *c)
{
	size_t n = 0;

	for (; n < MAX_INPUTS && c->in[n]; n++)
		in[n] = read_text(c->in[n]);
	return n;
}

/* first: which input comes first; the others follow round. */
static enum prof_status merge_case(struct prof_profile **out,
                                   const struct merge_case *c,
                                   const struct prof_merge_options *options,
                                   size_t first, struct prof_error *err)
{
	struct prof_merger *m = prof_merger_new(options);
	struct prof_profile *in[MAX_INPUTS];
	const size_t n = read_case(in, c);
	enum prof_status status = PROF_OK;

	ck_assert_ptr_nonnull(m);
	for (size_t k = 0; k < n; k++) {
		const size_t i = (k + first) % n;

		if (status == PROF_OK)
			status = prof_merger_add(
				m, in[i], c->weights[i] ? c->weights[i] : 1,
				err);
		prof_profile_free(in[i]);
	}
	if (status == PROF_OK)
		return prof_merger_finish(out, m, err);
	prof_merger_free(m);
	return status;
}

START_TEST(merged)
{
	const struct merge_case *c = &cases[_i];

	for (size_t first = 0; first < MAX_INPUTS && c->in[first]; first++) {
		struct test_notes notes;
		const struct prof_merge_options options = {
			.size = sizeof(options),
			.union_of_types = c->union_of_types,
			.notes = test_notes(&notes),
		};
		struct prof_profile *p = NULL;
		struct prof_error err = { 0 };
		const enum prof_status status =
			merge_case(&p, c, &options, first, &err);
		struct bytes text;

		ck_assert_msg(status == c->status, "%s: %s: %s", c->name,
		              prof_status_string(status), err.message);
		if (!c->out) {
			ck_assert_ptr_null(p);
			if (first == 0)
				ck_assert_str_eq(err.message, c->message);
			continue;
		}
		text = text_of(p, "yaml");
		assert_same_text((char *)text.data, c->out, c->name);
		ck_assert_uint_eq(notes.n, c->n_notes);
		free(text.data);
		prof_profile_free(p);
	}
}
END_TEST

/* ---- Any order, any grouping ---- */

struct rng {
	uint64_t state;
};

static uint32_t pick(struct rng *r, uint32_t n)
{
	r->state = r->state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t)((r->state >> 33) % n);
}

static const char *choose(struct rng *r, const char *const *words, uint32_t n)
{
	return words[pick(r, n)];
}
#define CHOOSE(r, ...)                                                        \
	choose(r, (const char *const[]){ __VA_ARGS__ },                       \
	       (uint32_t)N_ELEMENTS(((const char *const[]){ __VA_ARGS__ })))

struct text {
	char bytes[32768];
	size_t n;
};

__attribute__((format(printf, 2, 3)))
static void say(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->n += (size_t)vsnprintf(t->bytes + t->n, sizeof(t->bytes) - t->n,
	                          format, args);
	va_end(args);
	ck_assert_uint_lt(t->n, sizeof(t->bytes));
}

enum { N_MAPPINGS = 5, N_FUNCTIONS = 6, N_LOCATIONS = 14, N_SAMPLES = 20 };

/* Types of the samples; how many. All lists have one in common. */
static uint32_t say_types(struct text *t, struct rng *r, bool they_differ)
{
	static const char *const lists[] = {
		"samples/count, cpu/nanoseconds", "cpu/ms, samples/count",
		"sample/count, cpu/us", "alloc/kB, samples/count",
		"samples/count, alloc/B", "cpu/ns, samples/count",
	};

	say(t, "sample_types: [%s]\n", they_differ ?
	    choose(r, lists, N_ELEMENTS(lists)) : lists[0]);
	return 2;
}

static void say_header(struct text *t, struct rng *r)
{
	say(t, "time_nanos: %s\nduration_nanos: %u\n",
	    CHOOSE(r, "0", "1000", "2000", "-5"), pick(r, 1000));
	say(t, "period: %s\n",
	    CHOOSE(r, "{value: 70}", "{type: cpu/ns, value: 9000}",
	           "{type: cpu/us, value: 8}",
	           "{type: cpu/nanoseconds, value: -3}"));
	if (pick(r, 2))
		say(t, "comments:\n- %s\n- %s\n", CHOOSE(r, "c1", "c2", "c3"),
		    CHOOSE(r, "c1", "c2", "\"\""));
	if (pick(r, 2))
		say(t, "default: %s\n", CHOOSE(r, "samples", "cpu"));
	if (pick(r, 2))
		say(t, "drop_frames: %s\n", CHOOSE(r, "d1", "d2"));
	if (pick(r, 2))
		say(t, "keep_frames: %s\n", CHOOSE(r, "k1", "k2"));
	if (pick(r, 2))
		say(t, "doc_url: %s\n", CHOOSE(r, "u1", "u2"));
}

/* Few files at many addresses, of sizes that are often equal in pages. */
static void say_mappings(struct text *t, struct rng *r, unsigned *starts)
{
	say(t, "mappings:\n");
	for (int i = 0; i < N_MAPPINGS; i++) {
		starts[i] = 0x1000 * pick(r, 8);
		say(t, "- {file: %s, build_id: %s, start: 0x%x, limit: 0x%x, "
		    "offset: %u, has: %s}\n",
		    CHOOSE(r, "/a", "/b", "\"\""),
		    CHOOSE(r, "\"\"", "b1", "/a"), starts[i],
		    starts[i] + 0x2000 * (1 + pick(r, 2)) - pick(r, 3),
		    0x1000 * pick(r, 2),
		    CHOOSE(r, "[]", "[functions]", "[functions, lines]",
		           "[functions, filenames, lines, inlines]"));
	}
}

static void say_locations(struct text *t, struct rng *r, const unsigned *starts)
{
	say(t, "functions:\n");
	for (int i = 0; i < N_FUNCTIONS; i++)
		say(t, "- {fn: %s, sys: %s, file: %s, start: %u}\n",
		    CHOOSE(r, "f", "g", "h"), CHOOSE(r, "f", "_f"),
		    CHOOSE(r, "a.c", "\"\""), pick(r, 2));
	say(t, "locations:\n");
	for (int i = 0; i < N_LOCATIONS; i++) {
		const uint32_t map = pick(r, N_MAPPINGS + 1);
		const unsigned start = map ? starts[map - 1] : 0;
		const uint32_t n_lines = pick(r, 4);

		say(t, "- {addr: 0x%x, ", pick(r, 4) == 0 ? 0x800 * pick(r, 9) :
		    start + 8 * pick(r, 3));
		if (map)
			say(t, "map: %u, ", map);
		say(t, "folded: %s, lines: [", CHOOSE(r, "true", "false"));
		for (uint32_t k = 0; k < n_lines; k++)
			say(t, "%s{f: %u, line: %u, col: %u}", k ? ", " : "",
			    1 + pick(r, N_FUNCTIONS), pick(r, 2), pick(r, 2));
		say(t, "]}\n");
	}
}

static void say_samples(struct text *t, struct rng *r, uint32_t n_types)
{
	say(t, "samples:\n");
	for (int i = 0; i < N_SAMPLES; i++) {
		const uint32_t depth = pick(r, 4);

		say(t, "- {v: [");
		for (uint32_t k = 0; k < n_types; k++)
			say(t, "%s%d", k ? ", " : "", (int)pick(r, 5) - 2);
		say(t, "], at: [");
		for (uint32_t k = 0; k < depth; k++)
			say(t, "%s%u", k ? ", " : "", 1 + pick(r, N_LOCATIONS));
		say(t, "], labels: %s, num: %s}\n",
		    CHOOSE(r, "{}", "{}", "{a: x, b: w, c: z}",
		           "{b: w, c: z, a: x}", "{a: [x, w]}"),
		    CHOOSE(r, "{}", "{}", "{a: 1}", "{m: [1 ms, 2 s], a: 1}",
		           "{a: 1, m: [1 ms, 2 s]}"));
	}
}

static struct prof_profile *random_profile(struct rng *r, bool types_differ)
{
	struct text *t = calloc(1, sizeof(*t));
	struct prof_profile *p;
	unsigned starts[N_MAPPINGS];
	uint32_t n_types;

	ck_assert_ptr_nonnull(t);
	say(t, P);
	n_types = say_types(t, r, types_differ);
	say_header(t, r);
	say_mappings(t, r, starts);
	say_locations(t, r, starts);
	say_samples(t, r, n_types);
	p = read_text(t->bytes);
	free(t);
	return p;
}

static struct prof_profile *merge_all(struct prof_profile *const *in, size_t n,
                                      const struct prof_merge_options *options)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	ck_assert_msg(prof_merge(&p, in, n, options, &err) == PROF_OK, "%s",
	              err.message);
	return p;
}

/* Merges in[n] in random groups until one is left; frees them all. */
static struct prof_profile *
merge_in_groups(struct prof_profile **in, size_t n, struct rng *r,
                const struct prof_merge_options *options)
{
	do {
		const size_t k = 1 + pick(r, n < 4 ? (uint32_t)n : 4);
		struct prof_profile *p;

		for (size_t i = 0; i < k; i++) {
			const size_t j = i + pick(r, (uint32_t)(n - i));
			struct prof_profile *swap = in[i];

			in[i] = in[j];
			in[j] = swap;
		}
		p = merge_all(in, k, options);
		for (size_t i = 0; i < k; i++)
			prof_profile_free(in[i]);
		n -= k - 1;
		in[0] = p;
		memmove(in + 1, in + k, (n - 1) * sizeof(*in));
	} while (n > 1);
	return in[0];
}

/* The same bytes in every format that keeps all or a part. */
static void check_same_bytes(const struct prof_profile *got,
                             const struct prof_profile *expected)
{
	static const char *const formats[] = { "yaml", "pprof", "text",
	                                       "collapsed" };

	for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
		struct bytes a = text_of(got, formats[i]);
		struct bytes b = text_of(expected, formats[i]);

		if (i == 0)
			assert_same_text((char *)a.data, (char *)b.data,
			                 formats[i]);
		ck_assert_msg(a.size == b.size &&
		              memcmp(a.data, b.data, a.size) == 0, "%s",
		              formats[i]);
		free(a.data);
		free(b.data);
	}
}

enum { N_RANDOM = 8, N_ROUNDS = 300 };

/* As threads do it: each of three mergers has some, then they are joined. */
static struct prof_profile *
merge_by_join(struct prof_profile *const *in, size_t n, struct rng *r,
              const struct prof_merge_options *options)
{
	struct prof_merger *mergers[3];
	size_t n_added[3] = { 0 };
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	for (size_t i = 0; i < 3; i++)
		mergers[i] = prof_merger_new(options);
	for (size_t i = 0; i < n; i++) {
		const uint32_t k = i ? pick(r, 3) : 0;

		n_added[k]++;
		ck_assert_int_eq(prof_merger_add(mergers[k], in[i], 1, &err),
		                 PROF_OK);
	}
	for (size_t i = 1; i < 3; i++)
		ck_assert_int_eq(
			prof_merger_join(mergers[0], mergers[i], &err),
			n_added[i] ? PROF_OK : PROF_INVALID);
	ck_assert_int_eq(prof_merger_finish(&p, mergers[0], &err), PROF_OK);
	return p;
}

START_TEST(any_grouping)
{
	struct rng r = { (uint64_t)_i * 7919 + 1 };
	const bool they_differ = _i % 3 != 0;
	const struct prof_merge_options options = {
		.size = sizeof(options), .union_of_types = _i % 3 == 2 };
	struct prof_profile *in[N_RANDOM], *flat, *joined, *grouped;
	const size_t n = 2 + pick(&r, N_RANDOM - 1);

	for (size_t i = 0; i < n; i++)
		in[i] = random_profile(&r, they_differ);
	flat = merge_all(in, n, &options);
	joined = merge_by_join(in, n, &r, &options);
	check_same_bytes(joined, flat);
	prof_profile_free(joined);
	grouped = merge_in_groups(in, n, &r, &options);
	check_same_bytes(grouped, flat);
	prof_profile_free(flat);
	prof_profile_free(grouped);
}
END_TEST

/* ---- Merge of one ---- */

/* Sum of a profile's values over all its samples, column by column. */
static int64_t total(const struct prof_profile *p, uint32_t column)
{
	struct prof_sample s;
	int64_t sum = 0;

	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
		sum += s.values[column];
	return sum;
}

/* It keeps the totals and the types, and a second one changes nothing. */
START_TEST(one)
{
	struct rng r = { (uint64_t)_i + 77 };
	struct prof_profile *p = random_profile(&r, true);
	struct prof_profile *once = merge_all(&p, 1, NULL);
	struct prof_profile *twice = merge_all(&once, 1, NULL);

	ck_assert_uint_eq(prof_n_sample_types(once), 2);
	ck_assert_int_eq(total(p, 0), total(once, 0));
	ck_assert_int_eq(total(p, 1), total(once, 1));
	ck_assert_uint_le(prof_n_mappings(once), prof_n_mappings(p));
	check_same_bytes(twice, once);
	prof_profile_free(p);
	prof_profile_free(once);
	prof_profile_free(twice);
}
END_TEST

/* ---- Failures ---- */

static void check_failing(bool fails_on)
{
	struct rng r = { 5 };
	struct prof_profile *in[3];
	enum prof_status status = PROF_NOMEM;
	size_t n = 0;

	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		in[i] = random_profile(&r, true);
	while (status != PROF_OK) {
		struct failing_allocator f;
		struct prof_profile *p = NULL;
		struct prof_error err = { 0 };

		failing_allocator_init(&f);
		f.fail_at = ++n;
		f.fails_on = fails_on;
		status = prof_merge(&p, in, N_ELEMENTS(in),
		                    &PROF_OPTIONS(prof_merge_options,
		                                  .allocator = &f.allocator),
		                    &err);
		if (status != PROF_OK) {
			ck_assert_int_eq(status, PROF_NOMEM);
			ck_assert_int_eq(err.status, PROF_NOMEM);
			ck_assert_ptr_null(p);
		}
		prof_profile_free(p);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
	ck_assert_uint_gt(n, 50);
	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		prof_profile_free(in[i]);
}

START_TEST(failing_once)
{
	check_failing(false);
}
END_TEST

START_TEST(failing_for_good)
{
	check_failing(true);
}
END_TEST

START_TEST(after_a_failure)
{
	struct prof_profile *large = read_text(
		ONE "- {v: [9223372036854775807], at: [1]}\n");
	struct prof_profile *p = NULL;
	struct prof_merger *m = prof_merger_new(NULL);
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_merger_add(m, large, 1, &err), PROF_OK);
	ck_assert_int_eq(prof_merger_add(m, large, 2, &err), PROF_OVERFLOW);
	ck_assert_int_eq(prof_merger_add(m, large, 1, &err), PROF_INVALID);
	ck_assert_str_eq(err.message, "an earlier input made the merge fail");
	ck_assert_int_eq(prof_merger_finish(&p, m, &err), PROF_INVALID);
	ck_assert_ptr_null(p);
	prof_profile_free(large);
}
END_TEST

/* ---- Sums that leave 64 bits and come back ---- */

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"
#define LARGE(duration, a, b) P "sample_types: [x/s, y/count]\n" \
	"duration_nanos: " duration "\nlocations:\n- {lines: [{fn: f}]}\n" \
	"samples:\n- {v: [" a ", " b "], at: [1]}\n"

/* Whose sum is 4 s, or 4e9 ns, and 6. */
static const char *const large[] = {
	LARGE(MAX, "9000000000", MAX),
	LARGE(MAX, "9000000000", MAX),
	LARGE(MIN, "-9000000000", MIN),
	LARGE(MIN, "-9000000000", MIN),
	LARGE("9", "4", "8"),
};

/* In the order of the digits of `code`, over as many mergers as it says. */
static struct prof_profile *merge_large(struct prof_profile *const *in,
                                        unsigned code, unsigned n_mergers,
                                        const struct prof_allocator *a)
{
	const struct prof_merge_options options = {
		.size = sizeof(options), .allocator = a };
	unsigned left[N_ELEMENTS(large)] = { 0, 1, 2, 3, 4 };
	struct prof_merger *m[3] = { NULL, NULL, NULL };
	struct prof_profile *p = NULL;
	enum prof_status status = PROF_OK;

	for (unsigned i = 0; i < n_mergers; i++)
		m[i] = prof_merger_new(&options);
	for (unsigned n = N_ELEMENTS(large); n > 0 && status == PROF_OK; n--) {
		const unsigned i = code % n;
		struct prof_merger *to = m[n % n_mergers];

		code /= n;
		status = to ? prof_merger_add(to, in[left[i]], 1, NULL) :
			PROF_NOMEM;
		left[i] = left[n - 1];
	}
	for (unsigned i = 1; i < n_mergers; i++) {
		if (status == PROF_OK && m[i])
			status = prof_merger_join(m[0], m[i], NULL);
		else
			prof_merger_free(m[i]);
	}
	if (status == PROF_OK)
		status = prof_merger_finish(&p, m[0], NULL);
	else
		prof_merger_free(m[0]);
	ck_assert_int_eq(status, p ? PROF_OK : a ? PROF_NOMEM : PROF_OK);
	return p;
}

static void check_large(struct prof_profile *const *in, const char *expected)
{
	for (unsigned code = 0; code < 120; code++) {
		for (unsigned n = 1; n <= 3; n++) {
			struct prof_profile *p = merge_large(in, code, n,
			                                     NULL);
			struct bytes text = text_of(p, "yaml");

			assert_same_text((char *)text.data, expected,
			                 "large");
			free(text.data);
			prof_profile_free(p);
		}
	}
}

START_TEST(beyond_64_bits_and_back)
{
	struct prof_profile *in[N_ELEMENTS(large)];

	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		in[i] = read_text(large[i]);
	check_large(in, LARGE("7", "4", "6"));
	/* The finest unit takes all of them further out. */
	prof_profile_free(in[4]);
	in[4] = read_text(P "sample_types: [x/ns, y/count]\n"
	                  "duration_nanos: 9\nlocations:\n"
	                  "- {lines: [{fn: f}]}\n"
	                  "samples:\n- {v: [4000000000, 8], at: [1]}\n");
	check_large(in, P "sample_types: [x/ns, y/count]\n"
	            "duration_nanos: 7\nlocations:\n- {lines: [{fn: f}]}\n"
	            "samples:\n- {v: [4000000000, 6], at: [1]}\n");
	for (size_t n = 1, is_done = 0; !is_done; n++) {
		struct failing_allocator f;
		struct prof_profile *p;

		failing_allocator_init(&f);
		f.fail_at = n;
		p = merge_large(in, 0, 2, &f.allocator);
		is_done = p != NULL;
		prof_profile_free(p);
		ck_assert_uint_eq(f.n_bytes, 0);
		ck_assert(!f.was_misused);
	}
	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		prof_profile_free(in[i]);
}
END_TEST

/* What did not fit in was not added at all, and the merge goes on. */
START_TEST(after_a_mismatch)
{
	struct prof_profile *a = read_text(
		P "period: {type: a/b, value: 1}\nsamples:\n- {v: 1, at: []}\n");
	struct prof_profile *b = read_text(
		P "period: {type: c/d, value: 9}\ncomments:\n- x\n"
		"mappings:\n- {file: /x}\nsamples:\n- {v: 1, at: []}\n");
	struct prof_merger *m = prof_merger_new(NULL);
	struct prof_profile *p = NULL;
	struct bytes text;

	ck_assert_int_eq(prof_merger_add(m, a, 1, NULL), PROF_OK);
	ck_assert_int_eq(prof_merger_add(m, b, 1, NULL), PROF_MISMATCH);
	ck_assert_int_eq(prof_merger_add(m, a, 1, NULL), PROF_OK);
	ck_assert_int_eq(prof_merger_finish(&p, m, NULL), PROF_OK);
	text = text_of(p, "yaml");
	assert_same_text((char *)text.data,
	                 P COUNT "period: {type: a/b, value: 1}\n"
	                 "samples:\n- {v: [2], at: []}\n", "mismatch");
	free(text.data);
	prof_profile_free(p);
	prof_profile_free(a);
	prof_profile_free(b);
}
END_TEST

START_TEST(nothing_to_merge)
{
	struct prof_profile *p = NULL;
	struct prof_error err = { 0 };

	ck_assert_int_eq(prof_merge(&p, NULL, 0, NULL, &err), PROF_INVALID);
	ck_assert_str_eq(err.message, "there is nothing to merge");
	ck_assert_ptr_null(p);
	prof_merger_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *tcase = tcase_create("merge");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, merged, 0, N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, any_grouping, 0, N_ROUNDS);
	tcase_add_loop_test(tcase, one, 0, 50);
	tcase_add_test(tcase, failing_once);
	tcase_add_test(tcase, failing_for_good);
	tcase_add_test(tcase, beyond_64_bits_and_back);
	tcase_add_test(tcase, after_a_failure);
	tcase_add_test(tcase, after_a_mismatch);
	tcase_add_test(tcase, nothing_to_merge);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
