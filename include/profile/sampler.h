/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_SAMPLER_H
#define PROFILE_SAMPLER_H

/*
 * The sampler: profiles of the running program, on Linux. It is shaped on
 * Go's runtime/pprof; where a rule is not told here, it is Go's.
 *
 * There is one sampler per process. It locks for itself: every function may
 * be called from any thread, and none from a signal handler unless it is
 * marked [signal-safe].
 *
 * Linked in (libprofile), it samples CPU time of all threads and keeps
 * profiles that the program feeds. Heap, lock and file profiles need the
 * program's calls to be seen: link libprofile-preload in front of libc, or
 * run the program under profrec, which needs no change to it.
 */

#include <profile/common.h>
#include <profile/io.h>
#include <profile/model.h>
#include <profile/raw.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Frames that are no code. A stack has these in place of a return address;
 * recordings name them "[truncated]" and "[unsampled]".
 */
enum prof_pseudo_pc {
	PROF_PC_TRUNCATED = 0x10, /* the stack goes on, but not for us */
	PROF_PC_UNSAMPLED = 0x20  /* CPU time that gave no sample */
};

/* ---- CPU ---- */

/* What makes the kernel interrupt a thread. */
enum prof_cpu_source {
	PROF_CPU_AUTO,      /* the first of the others that works */
	PROF_CPU_PERF,      /* perf events that see the kernel */
	PROF_CPU_PERF_USER, /* perf events in user mode; timers in system calls */
	PROF_CPU_TIMER      /* CPU timers: bound to the kernel's tick */
};

struct prof_cpu_options {
	size_t size;
	uint32_t hz; /* samples per second of CPU time, to 1000000; 0: 100 */
	enum prof_cpu_source source;
};

/*
 * Begins to sample all threads. options NULL: all defaults. PROF_BUSY where
 * it runs already or what was recorded has not been read to its end;
 * PROF_UNSUPPORTED where the named source is not to be had; PROF_INVALID;
 * PROF_NOMEM.
 */
PROF_API enum prof_status prof_cpu_start(const struct prof_cpu_options *options,
                                         struct prof_error *err);

/*
 * Ends it. CPU time for which there was no sample (threads that block the
 * signal, and the like) is put in as records of PROF_PC_UNSAMPLED, so that
 * the weights of all records times the period are the CPU time used. The
 * reader gets the rest and then the end.
 */
PROF_API void prof_cpu_stop(void);

/* Whole records and a tag for each; see <profile/raw.h>. */
struct prof_chunk {
	const uint64_t *words;
	size_t n_words;
	const uint64_t *tags;
	size_t n_tags;
};

enum prof_got {
	PROF_GOT_CHUNK,
	PROF_GOT_NOTHING, /* yet */
	PROF_GOT_END
};

/*
 * What was recorded, as Go's readProfile: prof_cpu_read() blocks until there
 * is something and never returns PROF_GOT_NOTHING. A chunk is valid until
 * the next call. One thread reads. After the end, and where nothing was
 * started, it is PROF_GOT_END.
 */
PROF_API enum prof_got prof_cpu_read(struct prof_chunk *out);
PROF_API enum prof_got prof_cpu_poll(struct prof_chunk *out);

/* What the sampler did since prof_cpu_start(). */
struct prof_cpu_counts {
	enum prof_cpu_source source; /* never PROF_CPU_AUTO while it runs */
	uint64_t signals;   /* that were ours and came while it ran */
	uint64_t records;   /* samples that were written */
	uint64_t lost;      /* samples that found the log full */
	uint64_t ignored;   /* of a timer, which perf answers for */
	uint64_t truncated; /* samples whose stack has PROF_PC_TRUNCATED */
	uint64_t unsampled; /* weight of the records of that name */
	uint64_t threads;   /* that were armed */
	uint64_t unarmed;   /* threads that could not be */
};

PROF_API void prof_cpu_get_counts(struct prof_cpu_counts *out);

/* ---- Labels ---- */

/*
 * A set of labels, key to value, each key once. Sets never change and are
 * never freed: a set with more labels is a new one, and equal sets are the
 * same pointer. NULL is the empty set.
 */
struct prof_label_set;

struct prof_label_pair {
	const char *key, *value;
};

/*
 * The set of base with pairs[n] set, those of the same key replaced; a value
 * NULL takes the key away. NULL with *err filled where there is no more room
 * (a megabyte in all) or a key is empty; base NULL is allowed.
 */
PROF_API const struct prof_label_set *
prof_labels_with(const struct prof_label_set *base,
                 const struct prof_label_pair *pairs, size_t n,
                 struct prof_error *err);

/*
 * The calling thread's set, which its CPU samples carry. Threads inherit it
 * where their creation is seen (libprofile-preload). [signal-safe]
 */
PROF_API void prof_labels_set(const struct prof_label_set *labels);
PROF_API const struct prof_label_set *prof_labels_get(void);

/* The value of a key in a set; NULL: it has none. */
PROF_API const char *prof_labels_value(const struct prof_label_set *labels,
                                       const char *key);

/* Calls f with the labels set, and puts the old ones back. As Go's Do. */
PROF_API void prof_do(const struct prof_label_set *labels,
                      void (*f)(void *ctx), void *ctx);

#ifdef __cplusplus
}
#endif

#endif
