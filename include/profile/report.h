/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_REPORT_H
#define PROFILE_REPORT_H

/*
 * Reports: what people look at. All rest on one thing, the call graph: for
 * each function (or file, line, address) how much was counted in it (flat)
 * and in it and all it called (cum), and how much came over each call.
 *
 * The texts are those of `go tool pprof`, byte for byte; docs/profreport.md
 * lists where they are not, and why. Filters are transforms and come before:
 * a report shows the profile it is given.
 */

#include <profile/io.h>
#include <profile/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes one node of the graph. */
enum prof_granularity {
	PROF_FUNCTIONS,     /* function name */
	PROF_FILEFUNCTIONS, /* function name and file */
	PROF_FILES,         /* file */
	PROF_LINES,         /* function name, file and line */
	PROF_ADDRESSES      /* those and the address */
};

enum prof_order { PROF_BY_FLAT, PROF_BY_CUM };

/* ---- Binaries, for disasm ---- */

struct prof_instruction {
	uint64_t address; /* in the file */
	struct prof_str text, function, file; /* empty where not known */
	int64_t line;
};

typedef void (*prof_symbol_fn)(void *ctx, uint64_t address,
                               struct prof_str name);
typedef void (*prof_instruction_fn)(void *ctx,
                                    const struct prof_instruction *in);

/*
 * Who takes binaries apart: the library starts no program. What a function
 * returns but PROF_OK ends the report, except that mappings without a file
 * are left out.
 */
struct prof_disassembler {
	void *ctx;
	/* As prof_find_binary(). */
	enum prof_status (*find)(void *ctx, struct prof_binary *out,
	                         const struct prof_profile *p,
	                         uint32_t mapping, uint64_t address,
	                         struct prof_error *err);
	/* Calls put() for each symbol of a file, addresses rising. */
	enum prof_status (*symbols)(void *ctx, const char *path,
	                            prof_symbol_fn put, void *put_ctx,
	                            struct prof_error *err);
	/* The same for the instructions in [start, end). */
	enum prof_status (*instructions)(void *ctx, const char *path,
	                                 uint64_t start, uint64_t end,
	                                 prof_instruction_fn put,
	                                 void *put_ctx,
	                                 struct prof_error *err);
};

/* ---- Options ---- */

/*
 * Options of all reports; each looks at those that concern it. Zero is the
 * default throughout.
 */
struct prof_report_options {
	size_t size;
	const struct prof_allocator *allocator;
	const char *sample_type; /* as prof_find_sample_type(); NULL: "" */
	enum prof_granularity granularity;
	enum prof_order order;
	bool no_inlines;    /* only the outermost line of a location */
	bool mean;          /* values divided by those of the first column */
	bool call_tree;     /* dot, callgrind: a node for each path */
	bool drop_negative; /* leave out nodes whose flat (or cum) is < 0 */
	bool no_trim;       /* all nodes and edges */
	bool short_header;  /* top, tree: without file, time and duration */
	bool color;         /* flame, top: for a terminal */
	bool json;          /* tags, info: as JSON */
	/* Trimming: a node below node_fraction of the total goes, so does an
	   edge below edge_fraction; negative: none. Of the nodes left the
	   first node_count stay. */
	double node_fraction; /* 0: 0.005 */
	double edge_fraction; /* 0: 0.001 */
	int64_t node_count;   /* 0: 80, all for top; negative: all */
	double divide_by;     /* printed values are divided by it; 0: 1 */
	const char *unit;     /* printed values are in it; NULL: "minimum",
	                         which fits the smallest value shown */
	/* The sum of all values before the profile was filtered, by
	   prof_report_total(); with has_total false it is that of the profile
	   as given. Percentages are of this. */
	bool has_total;
	int64_t total;
	/* Lines for the header: "focus=main". */
	const char *const *active_filters;
	size_t n_active_filters;
	const char *symbol;      /* peek, list, disasm: a regular expression */
	const struct prof_disassembler *disassembler; /* disasm: needed */
	const char *source_path; /* list: directories, ':' between; NULL: "." */
	const char *trim_path;   /* list: prefixes taken off file names */
	const char *title;       /* html, svg; NULL: from the profile */
	uint32_t width;          /* flame: columns; svg: pixels; 0: 80, 1200 */
};

/* ---- Reports ---- */

struct prof_report_info {
	const char *name;  /* "top" */
	const char *about; /* one line */
	bool needs_symbol; /* .symbol must be set */
	bool has_json;     /* as JSON too: where .json is set, or as "json" */
};

/* The reports in the order of the list; NULL at its end. */
PROF_API const struct prof_report_info *prof_report_info(size_t i);

/*
 * Writes the named report. options NULL: all defaults. PROF_NOMEM,
 * PROF_SYSTEM (the sink), PROF_INVALID (no such report, an option, nothing
 * that matches .symbol), PROF_OVERFLOW (values whose sum is beyond 2^63 - 1, but
 * for info, comments, traces and the flame graphs), PROF_UNSUPPORTED (disasm:
 * there is no file of what matches).
 */
PROF_API enum prof_status
prof_report(const struct prof_profile *p, const char *name,
            struct prof_sink sink, const struct prof_report_options *options,
            struct prof_error *err);

/*
 * The total that percentages are of: the sum of the absolute values; with
 * .mean divided by that of the first column. Where samples have the label
 * pprof::base=true (of a difference), only those count.
 */
PROF_API enum prof_status
prof_report_total(int64_t *out, const struct prof_profile *p,
                  const struct prof_report_options *options,
                  struct prof_error *err);

/*
 * A profile with one sample for each node of the trimmed graph: columns cum
 * and flat. The caller frees *out. Statuses as prof_report().
 */
PROF_API enum prof_status
prof_top_profile(struct prof_profile **out, const struct prof_profile *p,
                 const struct prof_report_options *options,
                 struct prof_error *err);

/* ---- The call graph ---- */

struct prof_graph;

/* Strings are empty and numbers 0 where the granularity leaves them out. */
struct prof_node {
	struct prof_str name; /* as printed: "main main.c:12" */
	struct prof_str function, file, object;
	int64_t line;
	uint64_t address;
	int64_t flat, cum;
};

/* A call; from and to are numbers of nodes. */
struct prof_edge {
	uint32_t from, to;
	int64_t weight;
	bool is_inline;   /* each call over it was inlined */
	bool is_residual; /* nodes between the two were left out */
};

/*
 * Builds the call graph and trims it as options say. In each sample a node
 * counts once for cum however often it is on the stack, and so does an edge;
 * the leaf counts for flat. The stacks (root first, one sample each)
 *
 *	A   A;B   A;B;C   A;B;C   A;B;C   A;C
 *
 * give flat A 1, B 1, C 4; cum A 6, B 4, C 4; A -> B 4, B -> C 3, A -> C 1.
 *
 * The time is linear in the sizes of the samples and of the stacks. The
 * graph borrows nothing; the caller frees *out. PROF_NOMEM; PROF_INVALID (an
 * option).
 */
PROF_API enum prof_status
prof_graph_new(struct prof_graph **out, const struct prof_profile *p,
               const struct prof_report_options *options,
               struct prof_error *err);
PROF_API void prof_graph_free(struct prof_graph *g);

/* Nodes in the order of the options, edges by weight, heaviest first. */
PROF_API bool prof_get_node(const struct prof_graph *g, uint32_t i,
                            struct prof_node *out);
PROF_API bool prof_get_edge(const struct prof_graph *g, uint32_t i,
                            struct prof_edge *out);

/* ---- Two profiles ---- */

enum prof_diff_format { PROF_DIFF_TEXT, PROF_DIFF_JSON, PROF_DIFF_MARKDOWN };

struct prof_diff_options {
	size_t size;
	struct prof_report_options report; /* its node_count: rows; 0: 40 */
	enum prof_diff_format format;
	/* Conditions as "cum(REGEX)>+5%": what (flat, cum), of the functions
	   that match, compared (> or <) to a percentage of change. A change
	   within three times its own noise meets none. */
	const char *const *fail_if;
	size_t n_fail_if;
};

/*
 * Writes flat and cum of each function before and after, the change, and the
 * noise of each by the number of samples it rests on (Poisson: a value of n
 * equal samples has a standard deviation of value / sqrt(n)).
 * *n_failed is the number of functions that met a condition. PROF_NOMEM,
 * PROF_SYSTEM, PROF_INVALID, PROF_MISMATCH (units that do not fit).
 */
PROF_API enum prof_status
prof_report_diff(uint32_t *n_failed, const struct prof_profile *before,
                 const struct prof_profile *after, struct prof_sink sink,
                 const struct prof_diff_options *options,
                 struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
