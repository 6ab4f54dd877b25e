/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_RING_H
#define SAMPLER_RING_H

/*
 * The log between signal handlers and the one who reads samples: Go's
 * runtime.profBuf, for many writers.
 *
 * Records are [n, time, header .., stack ..], with one tag each. Where there
 * is no room a record is counted and the time of the first loss kept; the
 * next record that has room for both goes in behind an overflow record
 * [3 + header, time, 0 .., lost]. So what was written is what is read plus
 * what is reported lost, always.
 *
 * The words may lie in memory that is shared with another process. What is
 * in there is then not trusted: sizes are kept on the private side, and no
 * length found in the words is used before it was compared with the room.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What writers and the reader share. Zero is an empty ring. */
struct ring_shared {
	/* Words (low 32 bits) and records (bits 34 to 63) that were read. */
	_Alignas(64) _Atomic uint64_t r;
	/* The same of what was reserved, with two flags at bits 32 and 33. */
	_Alignas(64) _Atomic uint64_t w;
	/* Lost records (low 32 bits) and a generation against ABA. */
	_Atomic uint64_t overflow;
	_Atomic uint64_t overflow_time;
	_Atomic uint32_t eof;
	_Atomic uint32_t wakeups; /* the reader's futex */
};

/* One side's handle. Only the reader uses the fields from `next` on. */
struct ring {
	struct ring_shared *shared;
	_Atomic uint64_t *words;
	_Atomic uint64_t *tags;
	uint32_t n_words, n_tags; /* powers of two */
	uint32_t header_size;     /* at most RING_MAX_HEADER */

	uint64_t next;            /* r as the next read will set it */
	bool writers_are_dead;    /* unfinished records are skipped */
	uint64_t n_unfinished;    /* so many were */
	uint64_t overflow_words[8], overflow_tag;
};

enum { RING_MAX_HEADER = 4 };

struct ring_chunk {
	const uint64_t *words, *tags;
	size_t n_words, n_tags;
};

enum ring_got { RING_DATA, RING_EMPTY, RING_EOF };

/* The size of Go's tables for a wish: a power of two with room for one. */
uint32_t ring_round_words(uint32_t wish, uint32_t header_size);
uint32_t ring_round_tags(uint32_t wish);

/* Memory is the caller's and all zero; sizes are powers of two. */
void ring_init(struct ring *b, struct ring_shared *shared,
               _Atomic uint64_t *words, uint32_t n_words,
               _Atomic uint64_t *tags, uint32_t n_tags, uint32_t header_size);

/*
 * Adds a record: header[n_header], padded with zeros, then stack[n].
 * False where it was counted as lost instead. [signal-safe]
 */
bool ring_write(struct ring *b, uint64_t time, uint64_t tag,
                const uint64_t *header, size_t n_header,
                const uint64_t *stack, size_t n);

/* No more will be written: the reader gets the rest and then RING_EOF. */
void ring_close(struct ring *b);

/*
 * Whole records in order, valid until the next read. RING_EMPTY where there
 * is nothing now. Only one thread reads.
 */
enum ring_got ring_read(struct ring *b, struct ring_chunk *out);

/* As ring_read, but sleeps rather than return RING_EMPTY; it wakes up at
   least every timeout_ns and then may. */
enum ring_got ring_wait(struct ring *b, struct ring_chunk *out,
                        uint64_t timeout_ns);

#endif
