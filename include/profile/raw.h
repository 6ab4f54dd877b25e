/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROFILE_RAW_H
#define PROFILE_RAW_H

/*
 * Raw recordings: what a sampler saw, before it becomes a profile.
 *
 * The chunk stream is that of Go's runtime/pprof readProfile: records of
 * 64-bit words, each [n, time, count, pcs ...], where n counts all words of
 * the record. The first record of a stream is [3, time, hz]. A record
 * [4, time, 0, lost] says that `lost` samples were dropped from `time` on.
 * Beside the words goes one tag for each record (the header too), which
 * stands for a set of labels; tag 0 is none.
 *
 * A recording adds the mappings, label sets, memory records and so on;
 * docs/raw-format.md has its bytes.
 */

#include <profile/common.h>
#include <profile/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Words ---- */

struct prof_raw_record {
	uint64_t time;       /* nanoseconds of the sampler's clock */
	uint64_t count;      /* 0: an overflow, or a record of nothing */
	const uint64_t *pcs; /* return addresses, leaf first */
	size_t n_pcs;
	bool is_header;      /* count is the rate in hz */
	bool is_overflow;    /* count is 0, and pcs[0] samples were lost */
};

/*
 * A walk over words[n_words], which are borrowed. Set these two, set
 * expects_header where the words are the beginning of a stream, and zero the
 * rest.
 */
struct prof_raw_iter {
	const uint64_t *words;
	size_t n_words;
	size_t position;           /* words that were consumed */
	bool expects_header;       /* the next record begins a stream */
	enum prof_status status;   /* PROF_OK, or why the walk stopped */
};

/*
 * The next record; false at the end, or where iter->status is not PROF_OK:
 * PROF_TRUNCATED for a record that is longer than the words left,
 * PROF_CORRUPT for one that cannot be. position is then where it begins.
 * [signal-safe]
 */
PROF_API bool prof_raw_next(struct prof_raw_iter *iter,
                            struct prof_raw_record *out);

/*
 * Puts a record into words[size] and returns how many words it takes: n + 3.
 * Nothing is written where that is more than size. [signal-safe]
 */
PROF_API size_t prof_raw_put(uint64_t *words, size_t size, uint64_t time,
                             uint64_t count, const uint64_t *pcs, size_t n);

/* ---- Recordings ---- */

/* What a recording may hold; the sum of these. */
enum prof_recording_kind {
	PROF_RECORDS_CPU = 1,
	PROF_RECORDS_MEM = 2,
	PROF_RECORDS_COUNT = 4,
	PROF_RECORDS_BLOCK = 8
};

struct prof_recording_header {
	uint64_t kinds;       /* of enum prof_recording_kind */
	int64_t time_ns;      /* when it began, since the epoch; 0: unknown */
	uint64_t clock_ns;    /* the same instant on the clock of the records */
	uint64_t hz;          /* of the CPU samples; 0: none */
	uint64_t pid;         /* 0: unknown */
	struct prof_str command; /* what ran */
	bool is_stream;       /* plain words: the above was not recorded */
};

/*
 * A frame at an address, as symbolization found it: what prof_function and
 * prof_line have of it. Strings are empty and numbers 0 where unknown.
 */
struct prof_symbol {
	struct prof_str name, system_name, filename;
	int64_t line, column, start_line;
};

/* A record of a count profile: n events with one stack and label set. */
struct prof_count_record {
	int64_t n;
	const uint64_t *pcs; /* return addresses, leaf first */
	size_t n_pcs;
	uint64_t tag;        /* its labels; 0: none */
};

/*
 * Takes a recording piece by piece, in its order. All that is passed in is
 * borrowed for the call. Each function returns PROF_OK, or a status that
 * stops the giver; err (which may be NULL) then says why. None but free() may
 * be NULL. The header comes first and the end last, each once, unless the
 * giver fails before.
 *
 * A tag is told by label_set() before it is used; telling it again replaces
 * its labels from there on. Words are whole records. Times are on the clock
 * of the records.
 */
struct prof_recorder {
	enum prof_status (*header)(void *ctx,
	                           const struct prof_recording_header *h,
	                           struct prof_error *err);
	/* A mapping that came at that time; limit 0: what began at start is
	   gone. */
	enum prof_status (*mapping)(void *ctx, uint64_t time,
	                            const struct prof_mapping *m,
	                            struct prof_error *err);
	enum prof_status (*label_set)(void *ctx, uint64_t tag,
	                              const struct prof_label *labels, size_t n,
	                              struct prof_error *err);
	/* n_tags is the number of records, or 0 where none has a tag. */
	enum prof_status (*words)(void *ctx, const uint64_t *words,
	                          size_t n_words, const uint64_t *tags,
	                          size_t n_tags, struct prof_error *err);
	/* rate: as prof_from_mem(). */
	enum prof_status (*mem)(void *ctx, int64_t rate,
	                        const struct prof_mem_record *recs, size_t n,
	                        struct prof_error *err);
	/* name: "block", "mutex", "wall"; clock rate: as prof_from_block(). */
	enum prof_status (*block)(void *ctx, struct prof_str name,
	                          int64_t cycles_per_second,
	                          const struct prof_block_record *recs,
	                          size_t n, struct prof_error *err);
	/* name: "threadcreate", or any other. */
	enum prof_status (*count)(void *ctx, struct prof_str name,
	                          const struct prof_count_record *recs,
	                          size_t n, struct prof_error *err);
	/* The frames of a return address, innermost first. */
	enum prof_status (*symbol)(void *ctx, uint64_t pc,
	                           const struct prof_symbol *frames, size_t n,
	                           struct prof_error *err);
	/* The recording is complete. lost: samples that were dropped. */
	enum prof_status (*end)(void *ctx, int64_t duration_ns, uint64_t lost,
	                        struct prof_error *err);
	/* Gives back ctx, see prof_recorder_free(); may be NULL. */
	void (*free)(void *ctx);
	void *ctx;
};

/*
 * Tells a recorder the /proc/PID/maps text[size], executable mappings only.
 * Lines that are none are passed over, as Go does; PROF_CORRUPT where all
 * are.
 */
PROF_API enum prof_status prof_record_maps(const struct prof_recorder *r,
                                           uint64_t time, const char *text,
                                           size_t size,
                                           struct prof_error *err);

#ifdef __cplusplus
}
#endif

#endif
