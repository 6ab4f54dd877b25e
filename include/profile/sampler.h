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
	/* Words of the log between handlers and the reader: a power of two
	   from 512 to 131072; 0: 131072, which is Go's megabyte. */
	uint32_t log_words;
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

/*
 * Drains the CPU profile into a sink until it ends, as Go's StartCPUProfile
 * does behind the scenes: blocks until another thread calls prof_cpu_stop().
 * Call it in place of prof_cpu_read(). format NULL is "pprof", with names;
 * "raw" (or another format that holds recordings) goes to the sink as it
 * comes, with all that prof_record() tells. PROF_UNKNOWN_FORMAT;
 * PROF_UNSUPPORTED; PROF_SYSTEM (the sink); PROF_NOMEM; PROF_LIMIT.
 */
PROF_API enum prof_status prof_cpu_write(struct prof_sink sink,
                                         const char *format,
                                         struct prof_error *err);

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

/* ---- Profiles by name ---- */

/*
 * A collection of stacks that led to something, by name: Go's pprof.Profile.
 * The sampler's own are
 *
 *	thread        all threads now: Go's goroutine
 *	threadcreate  where threads were made (under profrec --threadcreate)
 *	heap, allocs  sampled allocations: two views of one table
 *	block, mutex  who waited, and who let others wait
 *	wall          where threads are, running or not: prof_wall_start()
 *	fd, file      what was opened and is not closed (profrec --fd)
 *	child         what was forked and not waited for (profrec --fd)
 *
 * The CPU profile is none of them, as in Go: it is a stream.
 */
struct prof_collection;

/*
 * A new collection, for ever. PROF_INVALID for a name that is empty, longer
 * than 47 bytes, or taken ("cpu" is); PROF_LIMIT: 64 in all; PROF_NOMEM.
 * Source of the rules: Go's NewProfile, which panics where this fails.
 */
PROF_API enum prof_status prof_new(struct prof_collection **out,
                                   const char *name, struct prof_error *err);
/* NULL: there is none of that name. */
PROF_API struct prof_collection *prof_lookup(const char *name);
/* All, sorted by name, up to size of them; returns how many there are. */
PROF_API size_t prof_profiles(struct prof_collection **out, size_t size);
PROF_API const char *prof_name(const struct prof_collection *p);

/*
 * Adds the calling stack under a value, of which only the pointer matters.
 * skip 0: the caller of prof_add() is the leaf. PROF_INVALID where the value
 * is in there already or the collection is one of the sampler's own;
 * PROF_LIMIT: 65536 values in all, or no room for a new stack.
 */
PROF_API enum prof_status prof_add(struct prof_collection *p, const void *value,
                                   size_t skip, struct prof_error *err);
/* Does nothing where the value is not in there, or p is the sampler's own. */
PROF_API void prof_remove(struct prof_collection *p, const void *value);
/*
 * How many there are: values, threads, events of threadcreate, or records of
 * heap, allocs, block, mutex and wall.
 */
PROF_API size_t prof_count(const struct prof_collection *p);

/*
 * The stacks of a collection that is fed by prof_add() and its like, one
 * record for each value (with n 1), for threadcreate one for each stack. As
 * Go's ThreadCreateProfile: *n is how many there are; true where they were
 * put in recs[size]. The stacks they borrow, of up to 64 frames, stay for
 * ever. Of the others, which have record types of their own, *n is 0.
 */
PROF_API bool prof_count_records(const struct prof_collection *p, size_t *n,
                                 struct prof_count_record *recs, size_t size);
/* The same of "threadcreate". */
PROF_API bool prof_threadcreate_records(size_t *n,
                                        struct prof_count_record *recs,
                                        size_t size);

/* ---- Threads ---- */

struct prof_thread_record {
	uint32_t tid;
	bool is_complete;   /* to the thread's first frame */
	uint64_t stack[32]; /* return addresses, leaf first; ends at the first 0 */
};

/*
 * The stacks of all threads now, the calling thread's first: Go's goroutine
 * profile. Threads that wait in a system call are read from outside and
 * never notice; those that run are interrupted by a signal. As Go's
 * GoroutineProfile: *n is how many there are; true where they fit.
 */
PROF_API bool prof_thread_records(size_t *n, struct prof_thread_record *recs,
                                  size_t size);

/* ---- Wall-clock time ---- */

struct prof_wall_options {
	size_t size;
	uint32_t hz; /* how often all threads are looked at, to 1000; 0: 100 */
};

/*
 * Begins to look at all threads, hz times a second, from a thread of our own
 * (which is in no profile). The time since the last look is added to the
 * stack that a thread has, so a thread's stacks add up to the time that it
 * was there. A thread that did not run since costs no walk; one that waits is
 * read from outside and never notices; one that runs is interrupted. Stacks
 * add up until the process ends, over starts and stops; they have up to 32
 * frames. PROF_BUSY where it runs; PROF_INVALID (hz); PROF_SYSTEM: no thread,
 * or no /proc; PROF_NOMEM.
 */
PROF_API enum prof_status
prof_wall_start(const struct prof_wall_options *options,
                struct prof_error *err);
PROF_API void prof_wall_stop(void);

/*
 * As prof_mem_records(): for each stack how often it was seen (count) and the
 * nanoseconds (cycles) that threads were there.
 */
PROF_API bool prof_wall_records(size_t *n, struct prof_block_record *recs,
                                size_t size);

/* ---- Memory ---- */

/*
 * One allocation is sampled in every rate bytes on the average; 1 samples
 * all, 0 none. Off until it is set (524288 is Go's rate), but for programs
 * under profrec --heap. Returns the rate there was; a negative one changes
 * nothing, as with Go's SetMutexProfileFraction. Needs libprofile-preload.
 */
PROF_API int64_t prof_set_mem_rate(int64_t rate);

/*
 * One record for each stack and block size that was sampled, as they were
 * counted: prof_from_mem() scales them. As Go's MemProfile: *n is how many
 * there are; true where they were put in recs[size].
 */
PROF_API bool prof_mem_records(size_t *n, struct prof_mem_record *recs,
                               size_t size);

/* ---- Waiting ---- */

/*
 * The block profile: stacks that waited for mutexes, read-write locks,
 * condition variables, semaphores, barriers and threads. A wait of ns or
 * more is always recorded, a shorter one in proportion; 1 records all, 0
 * none. Needs libprofile-preload. Returns the rate there was; a negative one
 * changes nothing.
 */
PROF_API int64_t prof_set_block_rate(int64_t ns);

/*
 * The mutex profile: stacks that unlocked what others waited for, with the
 * time these had waited. One of fraction unlocks is recorded and counts for
 * all; 1 records all, 0 none. Needs libprofile-preload. Returns the fraction
 * there was; a negative one changes nothing.
 */
PROF_API int32_t prof_set_mutex_fraction(int32_t fraction);

/* As prof_mem_records(). Cycles are nanoseconds, already scaled. */
PROF_API bool prof_block_records(size_t *n, struct prof_block_record *recs,
                                 size_t size);
PROF_API bool prof_mutex_records(size_t *n, struct prof_block_record *recs,
                                 size_t size);

/* ---- Profiles now ---- */

/*
 * The profile of that name as it is now: what prof_lookup() finds. "allocs"
 * is "heap" with alloc_space as its default sample type; "wall" has
 * samples/count and wall/nanoseconds. PROF_INVALID where there is none of the
 * name; PROF_NOMEM; PROF_LIMIT. The caller frees *out.
 */
PROF_API enum prof_status prof_snapshot(struct prof_profile **out,
                                        const char *name,
                                        struct prof_error *err);

/*
 * Writes a profile as it is now, as Go's Profile.WriteTo.
 *
 * debug 0  pprof, compressed, with names
 * debug 1  the legacy text that pprof reads too, with names as comments:
 *          "NAME profile: total N", "heap profile: ...", "--- contention:",
 *          "--- mutex:"; wall as contention
 * debug 2  of "thread", the stacks of all threads for people, as Go prints
 *          goroutines when a program crashes; of the others as 1
 *
 * PROF_INVALID (debug); PROF_SYSTEM (the sink, /proc); PROF_NOMEM; PROF_LIMIT.
 */
PROF_API enum prof_status prof_write_to(const struct prof_collection *p,
                                        struct prof_sink sink, int debug,
                                        struct prof_error *err);

/* ---- Recordings ---- */

/*
 * Tells a recorder all that the sampler of this process has: blocks until
 * the CPU profile ends, where one runs, and then adds the rest and the end.
 * Another thread stops it, or it never ran.
 */
PROF_API enum prof_status prof_record(const struct prof_recorder *recorder,
                                      struct prof_error *err);

/*
 * Tells a recorder one profile as it is now, from header to end: what
 * prof_lookup() finds of that name. PROF_INVALID where there is none.
 */
PROF_API enum prof_status
prof_record_profile(const struct prof_recorder *recorder, const char *name,
                    struct prof_error *err);

/* ---- Another process ---- */

/* What a program under profrec records; the sum of these. */
enum prof_target_kind {
	PROF_TARGET_CPU = 1,
	PROF_TARGET_HEAP = 2,
	PROF_TARGET_THREADCREATE = 4,
	PROF_TARGET_FD = 8, /* "fd", "file" and "child" */
	PROF_TARGET_BLOCK = 16,
	PROF_TARGET_MUTEX = 32,
	PROF_TARGET_WALL = 64,
	PROF_TARGET_THREAD = 128 /* see prof_target_take_threads() */
};

struct prof_target_options {
	size_t size;
	uint64_t kinds;      /* of enum prof_target_kind */
	uint32_t cpu_hz;     /* 0: 100 */
	enum prof_cpu_source cpu_source;
	int64_t mem_rate;    /* 0: 524288 */
	int64_t block_rate_ns;  /* 0: 1 */
	int32_t mutex_fraction; /* 0: 1 */
	uint32_t wall_hz;       /* 0: 100 */
	const struct prof_label_pair *labels; /* of its CPU samples */
	size_t n_labels;
	struct prof_str command; /* for the recording's header; borrowed */
};

/*
 * The launcher's side of a program that runs with libprofile-preload: memory
 * that both have, so that whatever happens to the program, what it recorded
 * is here. One thread uses it.
 */
struct prof_target;

/* PROF_INVALID: too many labels; PROF_NOMEM; PROF_SYSTEM. */
PROF_API enum prof_status
prof_target_new(struct prof_target **out,
                const struct prof_target_options *options,
                struct prof_error *err);
PROF_API void prof_target_free(struct prof_target *t);

/* The descriptor that goes to the program; it stays t's. */
PROF_API int prof_target_fd(const struct prof_target *t);

/* Its process, 0 before it has begun, and what it does. */
PROF_API uint64_t prof_target_pid(const struct prof_target *t);
PROF_API void prof_target_get_counts(const struct prof_target *t,
                                     struct prof_cpu_counts *out);

/*
 * Where PROF_TARGET_THREAD is wished: has the program put down the stacks of
 * its threads as they are now, in the place of those it had; waits for it up
 * to 2 seconds. False: it did not answer. At its exit it does so unasked.
 */
PROF_API bool prof_target_take_threads(struct prof_target *t);

/* Asks the program to record no more: threads stop at their next sample. */
PROF_API void prof_target_stop(struct prof_target *t);

/*
 * Tells the recorder what is new since the last call, the header first. Call
 * it several times a second: the log holds some seconds of samples.
 */
PROF_API enum prof_status prof_target_drain(struct prof_target *t,
                                            const struct prof_recorder *r,
                                            struct prof_error *err);

/*
 * Tells another recorder, while the program runs, all but CPU samples: a
 * recording of its own from header to end.
 */
PROF_API enum prof_status prof_target_tables(const struct prof_target *t,
                                             const struct prof_recorder *r,
                                             struct prof_error *err);

/*
 * The program is gone: the same for the last time, and what it had of other
 * kinds, and the end. Where it never began there is a header and an end.
 */
PROF_API enum prof_status prof_target_end(struct prof_target *t,
                                          const struct prof_recorder *r,
                                          struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
