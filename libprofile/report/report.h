/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

/*
 * What a report is: one constant struct at the end of its file, and one row
 * in reports.c. Options' defaults, the sample type, the total and the output
 * are settled by prof_report() before.
 */

#include "base/error.h"
#include "base/output.h"
#include "report/graph.h"
#include "report/labels.h"
#include "base/measure.h"

struct reporting {
	const struct prof_profile *p;
	struct prof_report_options o; /* defaults filled in */
	uint32_t column;              /* of the values */
	struct prof_str type, unit;   /* of the values, as in the profile */
	struct prof_str output_unit;  /* that values are printed in */
	int64_t total;                /* that percentages are of */
	bool is_too_large;            /* sums of values can leave an int64_t */
	double ratio;                 /* 1 / divide_by */
	const struct report *report;
	struct output *out;
	const struct prof_allocator *a;
};

/* How a report differs from the usual one. */
enum report_flags {
	REPORT_ALL_NODES = 1,     /* never trims */
	REPORT_NO_LIMIT = 2,      /* no node_count but what the user sets */
	REPORT_OF_ADDRESSES = 4,  /* granularity is always addresses */
	REPORT_OF_LINES = 8,      /* granularity is always lines */
	REPORT_OBJECTS = 16,      /* nodes differ by their mapping's file */
	REPORT_VISUAL = 32,       /* a picture of the graph: other order, tags */
	REPORT_TREE = 64,         /* minds call_tree */
	REPORT_SMALL_UNIT = 128,  /* the unit is the smallest value's */
	REPORT_NO_INLINES = 256,  /* only the outermost line of a location */
	REPORT_INLINES = 512,     /* all lines, whatever options say */
	REPORT_ANY_EDGES = 1024   /* edges in any order: sorting them is dear */
};

struct report {
	struct prof_report_info info;
	unsigned flags; /* of enum report_flags */
	/* Failures of the output stick there. */
	enum prof_status (*write)(struct reporting *r, struct prof_error *err);
};

extern const struct report top_report, text_report, tree_report, peek_report,
	traces_report, tags_report, comments_report, dot_report,
	callgrind_report, html_report, svg_report, flame_report, json_report,
	info_report, list_report, disasm_report;

/* ---- Options ---- */

/* Fills r from options (NULL: defaults) for a report. */
enum prof_status reporting_begin(struct reporting *r,
                                 const struct prof_profile *p,
                                 const struct report *report,
                                 const struct prof_report_options *options,
                                 struct prof_error *err);

/* ---- Values ---- */

/*
 * PROF_OVERFLOW where values add up to more than sums can hold: for reports that
 * add in int64_t. Each sum is one of some of the values, so that it is enough
 * to look at the sum of them all.
 */
enum prof_status reporting_check_sums(const struct reporting *r,
                                      struct prof_error *err);

/* A value in the report's unit, divided by divide_by. */
struct measure_text report_value(const struct reporting *r, int64_t value);

/* ---- The trimmed graph ---- */

struct trimmed {
	struct graph graph;
	size_t n_before;      /* nodes, before node_count left only some */
	size_t dropped_nodes; /* by node_fraction */
	size_t dropped_edges;
};

/*
 * Builds and trims the graph, and chooses r->output_unit to fit. release in
 * any case. PROF_NOMEM.
 */
enum prof_status trimmed_init(struct trimmed *t, struct reporting *r,
                              struct prof_error *err);
void trimmed_release(struct trimmed *t);

/* What the graph of this report is made with. */
struct graph_options report_graph_options(const struct reporting *r);

/* ---- Headers ---- */

typedef void (*line_fn)(void *ctx, struct prof_str line);

/* The lines on the profile itself: file, build id, type, time, duration. */
void header_profile(struct reporting *r, line_fn put, void *ctx);

/* Those (where full), filters, and what of the total the graph shows. */
enum header_size { HEADER_SHORT, HEADER_FULL };
void header_graph(struct reporting *r, const struct trimmed *t,
                  enum header_size size, line_fn put, void *ctx);

/* A line_fn that writes lines to the struct reporting. */
void header_write_line(void *reporting, struct prof_str line);

#endif
