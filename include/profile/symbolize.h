/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_SYMBOLIZE_H
#define PROFILE_SYMBOLIZE_H

/*
 * Symbolization: functions, files, lines and inlined frames for addresses,
 * from the files of the programs that were profiled.
 */

#include <profile/common.h>
#include <profile/model.h>
#include <profile/raw.h>

#ifdef __cplusplus
extern "C" {
#endif

enum prof_symbolize_mode {
	PROF_SYMBOLIZE_AUTO,  /* what has no names yet, from local files */
	PROF_SYMBOLIZE_FORCE, /* everything anew */
	PROF_SYMBOLIZE_NONE   /* no file is opened: names are demangled only */
};

/* What of a C++ or Rust name is shown. Source: google/pprof. */
enum prof_demangle {
	PROF_DEMANGLE_DEFAULT,   /* no parameters, no template arguments */
	PROF_DEMANGLE_TEMPLATES, /* no parameters */
	PROF_DEMANGLE_FULL,      /* everything */
	PROF_DEMANGLE_NONE       /* as the linker has it */
};

/* Why addresses of a mapping have no names, or fewer than they could. */
#define PROF_SYMBOLIZE_REASONS(X)                                             \
	X(OK, "ok")                                                           \
	X(KNOWN, "had names already")                                         \
	X(NO_FILE, "no file")                                                 \
	X(NOT_ELF, "not an ELF file")                                         \
	X(MISMATCH, "build id mismatch")                                      \
	X(ADDRESSES, "mapping does not fit the file")                         \
	X(STRIPPED, "stripped")                                               \
	X(NO_DEBUG_INFO, "no debug info: symbols only")                       \
	X(HIDDEN, "the kernel hides its addresses")

#define PROF_REASON_ENUM(name, text) PROF_REASON_##name,
enum prof_symbolize_reason { PROF_SYMBOLIZE_REASONS(PROF_REASON_ENUM) };
#undef PROF_REASON_ENUM

/* What became of the locations of one mapping. */
struct prof_mapping_report {
	uint32_t mapping;      /* id; 0: locations without a mapping */
	struct prof_str file;  /* that was read; empty: none */
	uint32_t n_locations;
	uint32_t n_resolved;   /* have a name, from here or before */
	uint32_t n_inlined;    /* of those, with more than one frame */
	enum prof_symbolize_reason reason;
};

/* The words for a reason: static, as in the list. */
PROF_API const char *
prof_symbolize_reason_string(enum prof_symbolize_reason reason);

struct prof_symbolize_options {
	size_t size;
	enum prof_symbolize_mode mode;
	enum prof_demangle demangle;
	bool no_inlines;         /* the outermost frame only */
	/*
	 * Names that the profile has and that are not mangled stay, brackets
	 * and all; else what looks like C++ in them is shortened too, as
	 * google/pprof does where a function's name is its system name.
	 */
	bool keep_plain;
	/*
	 * As Go's builder leaves a profile: names from Go's own table alone,
	 * the addresses of inlined calls folded into one location, no frames
	 * of runtime.goexit, and of the flags of mappings has_functions alone.
	 */
	bool go_exact;
	bool debuginfod;         /* ask the servers of DEBUGINFOD_URLS */
	/*
	 * Directories to look for binaries in, split by ':', in the layouts
	 * of google/pprof. NULL: PROFILE_BINARY_PATH, PPROF_BINARY_PATH, or
	 * ~/pprof/binaries.
	 */
	const char *binary_path;
	const char *debug_path;  /* NULL: /usr/lib/debug */
	const char *kallsyms;    /* NULL: /proc/kallsyms */
	const char *vmlinux;     /* the kernel's file; NULL: kallsyms */
	/*
	 * Of the profiled process, for /tmp/perf-PID.map; 0: unknown. The
	 * map's own path may be given instead.
	 */
	uint64_t pid;
	const char *perf_map;
	uint32_t n_threads;      /* 0: as many as there are processors */
	/* Told once per mapping that is used, in the order of ids. */
	void (*report)(void *ctx, const struct prof_mapping_report *report);
	void *report_ctx;
};

/*
 * Names the locations of a profile in place: their lines are replaced, and
 * functions and strings are added. The has_... flags of mappings become what
 * is true afterwards. Files that are not there, are damaged or of another
 * build are no failure; the report says so. The result does not depend on
 * the number of threads.
 *
 * Addresses are taken as they are: a location inside of the call, not behind
 * it (see prof_from_count()). options NULL: all defaults.
 *
 * Memory for the work is malloc's, as it is done in several threads; what
 * stays in the profile is its allocator's. PROF_NOMEM, PROF_LIMIT (a table of
 * the profile is full): the profile is then as it was.
 */
PROF_API enum prof_status
prof_symbolize(struct prof_profile *p,
               const struct prof_symbolize_options *options,
               struct prof_error *err);

/*
 * The file of a mapping, and its base as the address in it tells; options as
 * above. PROF_INVALID: there is no file, it is of another build, or the
 * mapping does not fit it; PROF_NOMEM.
 */
PROF_API enum prof_status
prof_find_binary(struct prof_binary *out, const struct prof_profile *p,
                 uint32_t mapping, uint64_t address,
                 const struct prof_symbolize_options *options,
                 struct prof_error *err);

/* ---- The running process ---- */

/* The frames of some addresses of this process. */
struct prof_frames;

/*
 * Looks up return addresses pcs[n] as a signal handler or an unwinder gives
 * them, as Go's runtime.CallersFrames: each stands behind its call. The
 * caller frees *out. PROF_NOMEM, PROF_SYSTEM (/proc/self/maps).
 */
PROF_API enum prof_status
prof_frames(struct prof_frames **out, const uint64_t *pcs, size_t n,
            const struct prof_symbolize_options *options,
            struct prof_error *err);

/*
 * The frames of pcs[i], innermost first, into frames[0 .. size): those before
 * the last are inlined into the one behind them. Returns how many there are,
 * which may be more than size; 0: nothing is known of the address. Strings
 * are borrowed from f.
 */
PROF_API size_t prof_get_frames(const struct prof_frames *f, size_t i,
                                struct prof_symbol *frames, size_t size);

PROF_API void prof_frames_free(struct prof_frames *f);

#ifdef __cplusplus
}
#endif

#endif
