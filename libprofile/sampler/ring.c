/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go has one writer at a time, behind a spin lock that handlers take. Here a
 * writer reserves its words by a compare-and-swap of w, so that a thread that
 * loses its CPU in the middle of a record stops nobody but the reader. The
 * first word of a record tells its state: 0 is reserved only, n | BUSY is
 * being filled, n is complete, SKIP means that the rest up to the end of the
 * memory was left free since the record did not fit there. The reader gives
 * words back as zeros, for any of them may be a first word next time.
 *
 * Positions count up and wrap at 2^32 (words) and 2^30 (records); sizes are
 * powers of two, so a position modulo the size stays right.
 */
#include "sampler/ring.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define READER_SLEEPS (UINT64_C(1) << 32)
#define WRITER_EXTRA (UINT64_C(1) << 33)
#define TAG_SHIFT 34
#define TAG_MASK ((UINT32_C(1) << 30) - 1)
#define BUSY (UINT64_C(1) << 63)
#define SKIP (~UINT64_C(0))

static uint32_t data_count(uint64_t x)
{
	return (uint32_t)x;
}

static uint32_t tag_count(uint64_t x)
{
	return (uint32_t)(x >> TAG_SHIFT);
}

/* How far a is ahead of b. */
static uint32_t tags_between(uint64_t a, uint64_t b)
{
	return (tag_count(a) - tag_count(b)) & TAG_MASK;
}

/* x moved on, its flags cleared. */
static uint64_t advance(uint64_t x, uint32_t words, uint32_t tags)
{
	return (uint64_t)((tag_count(x) + tags) & TAG_MASK) << TAG_SHIFT |
	       (uint32_t)(data_count(x) + words);
}

static uint32_t round_up(uint32_t wish)
{
	uint32_t n = 1;

	while (n < wish && n < UINT32_C(1) << 31)
		n <<= 1;
	return n;
}

uint32_t ring_round_words(uint32_t wish, uint32_t header_size)
{
	const uint32_t least = 2 + header_size + 1;

	return round_up(wish < least ? least : wish);
}

uint32_t ring_round_tags(uint32_t wish)
{
	return round_up(wish);
}

void ring_init(struct ring *b, struct ring_shared *shared,
               _Atomic uint64_t *words, uint32_t n_words,
               _Atomic uint64_t *tags, uint32_t n_tags, uint32_t header_size)
{
	memset(b, 0, sizeof(*b));
	b->shared = shared;
	b->words = words;
	b->n_words = n_words;
	b->tags = tags;
	b->n_tags = n_tags;
	b->header_size = header_size;
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wake_reader(struct ring *b)
{
	atomic_fetch_add(&b->shared->wakeups, 1);
	futex_wake(&b->shared->wakeups);
}

/* Tells the reader of an overflow or the end, which are not in the words. */
static void announce_extra(struct ring *b)
{
	uint64_t old = atomic_load(&b->shared->w);

	while (!atomic_compare_exchange_weak(&b->shared->w, &old,
	                                     (old | WRITER_EXTRA) &
	                                             ~READER_SLEEPS))
		;
	if (old & READER_SLEEPS)
		wake_reader(b);
}

void ring_close(struct ring *b)
{
	atomic_store(&b->shared->eof, 1);
	announce_extra(b);
}

/* ---- Overflow ---- */

static bool has_overflow(const struct ring *b)
{
	return (uint32_t)atomic_load(&b->shared->overflow) != 0;
}

/* The first loss sets the time; the count sticks at its largest value. */
static void add_overflow(struct ring *b, uint32_t n, uint64_t time)
{
	struct ring_shared *s = b->shared;
	uint64_t old = atomic_load(&s->overflow), sum;

	do {
		if ((uint32_t)old == 0) {
			/* Nobody reads the time while the count is 0. */
			atomic_store(&s->overflow_time, time);
			sum = ((old >> 32) + 1) << 32 | n;
		} else {
			sum = (uint64_t)(uint32_t)old + n;
			if (sum > UINT32_MAX)
				sum = UINT32_MAX;
			sum |= old & ~(uint64_t)UINT32_MAX;
		}
	} while (!atomic_compare_exchange_weak(&s->overflow, &old, sum));
}

/* Takes the count; 0: somebody else did. */
static uint32_t take_overflow(struct ring *b, uint64_t *time)
{
	struct ring_shared *s = b->shared;
	uint64_t old = atomic_load(&s->overflow);

	do {
		if ((uint32_t)old == 0)
			return 0;
		*time = atomic_load(&s->overflow_time);
	} while (!atomic_compare_exchange_weak(
		&s->overflow, &old, ((old >> 32) + 1) << 32));
	return (uint32_t)old;
}

/* ---- Writing ---- */

/* Where records go that are reserved together: a walk from w. */
struct plan {
	uint32_t position; /* in the memory */
	uint32_t used;     /* words from w on, what was skipped included */
	uint32_t skip_at;  /* UINT32_MAX: nowhere */
};

/* Adds a record of `want` words to the plan; returns where it goes. */
static uint32_t plan_add(struct plan *p, uint32_t want, uint32_t n_words)
{
	uint32_t at = p->position;

	if (want > n_words - at) {
		if (at < n_words)
			p->skip_at = at;
		p->used += n_words - at;
		at = 0;
	}
	p->used += want;
	p->position = at + want;
	return at;
}

static bool plan_fits(const struct ring *b, const struct plan *p, uint64_t r,
                      uint64_t w, uint32_t n_records)
{
	const uint32_t words = data_count(w) - data_count(r);
	const uint32_t records = tags_between(w, r);

	return words <= b->n_words && p->used <= b->n_words - words &&
	       records <= b->n_tags && n_records <= b->n_tags - records;
}

static void put(struct ring *b, uint32_t at, uint64_t value)
{
	atomic_store_explicit(&b->words[at], value, memory_order_relaxed);
}

struct record {
	uint64_t time, tag;
	const uint64_t *header, *stack;
	uint32_t n_header, n;
};

static void fill(struct ring *b, uint32_t at, uint32_t tag_at,
                 const struct record *rec)
{
	const uint32_t n = 2 + b->header_size + rec->n;
	uint32_t i;

	put(b, at, n | BUSY);
	put(b, at + 1, rec->time);
	for (i = 0; i < b->header_size; i++)
		put(b, at + 2 + i, i < rec->n_header ? rec->header[i] : 0);
	for (i = 0; i < rec->n; i++)
		put(b, at + 2 + b->header_size + i, rec->stack[i]);
	atomic_store_explicit(&b->tags[tag_at & (b->n_tags - 1)], rec->tag,
	                      memory_order_relaxed);
	atomic_store_explicit(&b->words[at], n, memory_order_release);
}

/* Reserves and writes recs[n], 1 or 2 of them, or nothing. */
static bool write_records(struct ring *b, const struct record *recs, size_t n)
{
	uint64_t w = atomic_load(&b->shared->w);
	uint32_t at[2] = { 0, 0 };
	struct plan plan;
	size_t i;

	do {
		const uint64_t r = atomic_load(&b->shared->r);

		plan = (struct plan){ data_count(w) & (b->n_words - 1), 0,
			              UINT32_MAX };
		for (i = 0; i < n; i++)
			at[i] = plan_add(&plan, 2 + b->header_size + recs[i].n,
			                 b->n_words);
		if (!plan_fits(b, &plan, r, w, (uint32_t)n))
			return false;
	} while (!atomic_compare_exchange_weak(
		&b->shared->w, &w, advance(w, plan.used, (uint32_t)n)));
	if (plan.skip_at != UINT32_MAX)
		atomic_store_explicit(&b->words[plan.skip_at], SKIP,
		                      memory_order_release);
	for (i = 0; i < n; i++)
		fill(b, at[i], tag_count(w) + (uint32_t)i, &recs[i]);
	if (w & READER_SLEEPS)
		wake_reader(b);
	return true;
}

bool ring_write(struct ring *b, uint64_t time, uint64_t tag,
                const uint64_t *header, size_t n_header,
                const uint64_t *stack, size_t n)
{
	struct record recs[2] = { { 0 }, { 0 } };
	uint64_t lost[1], since = time;
	uint32_t n_lost = 0;

	/* Too large for any ring: lost, and its size not computed. */
	if (n < b->n_words && n_header <= b->header_size) {
		recs[1] = (struct record){ time, tag, header, stack,
			                   (uint32_t)n_header, (uint32_t)n };
		if (!has_overflow(b)) {
			if (write_records(b, &recs[1], 1))
				return true;
		} else if ((n_lost = take_overflow(b, &since)) == 0) {
			if (write_records(b, &recs[1], 1))
				return true;
			since = time;
		} else {
			lost[0] = n_lost;
			recs[0] = (struct record){ since, 0, NULL, lost, 0, 1 };
			if (write_records(b, recs, 2))
				return true;
		}
	}
	if (n_lost == UINT32_MAX)
		n_lost--;
	add_overflow(b, n_lost + 1, since);
	announce_extra(b);
	return false;
}

/* ---- Reading ---- */

/* Gives back what the last read returned. */
static void commit_read(struct ring *b)
{
	const uint64_t r = atomic_load(&b->shared->r);
	uint32_t i, n = data_count(b->next) - data_count(r);

	if (r == b->next)
		return;
	for (i = 0; i < n; i++)
		put(b, (data_count(r) + i) & (b->n_words - 1), 0);
	n = tags_between(b->next, r);
	for (i = 0; i < n; i++)
		atomic_store_explicit(
			&b->tags[(tag_count(r) + i) & (b->n_tags - 1)], 0,
			memory_order_relaxed);
	atomic_store(&b->shared->r, b->next);
}

/* The length of the complete record at a position; 0: none, or not yet. */
static uint32_t record_at(struct ring *b, uint32_t at, uint32_t room)
{
	const uint64_t n = atomic_load_explicit(&b->words[at],
	                                        memory_order_acquire);

	return n >= 2 + b->header_size && n <= room ? (uint32_t)n : 0;
}

static enum ring_got overflow_chunk(struct ring *b, struct ring_chunk *out)
{
	const uint32_t n = 2 + b->header_size + 1;
	uint64_t time = 0;
	const uint32_t count = take_overflow(b, &time);

	if (count == 0)
		return RING_EMPTY;
	memset(b->overflow_words, 0, sizeof(b->overflow_words));
	b->overflow_words[0] = n;
	b->overflow_words[1] = time;
	b->overflow_words[n - 1] = count;
	b->overflow_tag = 0;
	*out = (struct ring_chunk){ b->overflow_words, &b->overflow_tag, n, 1 };
	return RING_DATA;
}

/* A dead writer's unfinished record at the front, told by its BUSY bit. */
static bool skip_unfinished(struct ring *b, uint32_t skip, uint32_t at,
                            uint32_t room)
{
	const uint64_t word = atomic_load(&b->words[at]);
	const uint64_t n = word & ~BUSY;

	if (!b->writers_are_dead || word == SKIP || !(word & BUSY) ||
	    n < 2 + b->header_size || n > room)
		return false;
	b->next = advance(b->next, skip + (uint32_t)n, 1);
	b->n_unfinished++;
	return true;
}

enum ring_got ring_read(struct ring *b, struct ring_chunk *out)
{
	struct ring_shared *s = b->shared;
	uint32_t available, at, room, n_tags, skip, words, records, n;
	uint64_t w;

	*out = (struct ring_chunk){ 0 };
	commit_read(b);
again:
	w = atomic_load(&s->w);
	available = data_count(w) - data_count(b->next);
	if (available == 0) {
		if (overflow_chunk(b, out) == RING_DATA)
			return RING_DATA;
		if (data_count(atomic_load(&s->w)) != data_count(w) ||
		    has_overflow(b))
			goto again;
		return atomic_load(&s->eof) ? RING_EOF : RING_EMPTY;
	}
	if (available > b->n_words)
		return RING_EMPTY; /* no writer of ours did that */
	at = data_count(b->next) & (b->n_words - 1);
	room = b->n_words - at;
	skip = 0;
	if (available >= room && atomic_load(&b->words[at]) == SKIP) {
		skip = room;
		available -= room;
		at = 0;
		room = b->n_words;
	}
	if (room > available)
		room = available;
	n_tags = tags_between(w, b->next);
	n = b->n_tags - (tag_count(b->next) & (b->n_tags - 1));
	if (n_tags > n)
		n_tags = n;
	out->words = (const uint64_t *)&b->words[at];
	out->tags = (const uint64_t *)&b->tags[tag_count(b->next) &
	                                       (b->n_tags - 1)];
	for (words = records = 0; words < room && records < n_tags; records++) {
		n = record_at(b, at + words, room - words);
		if (n == 0)
			break;
		words += n;
	}
	if (records == 0 && skip_unfinished(b, skip, at, room))
		goto again;
	if (records == 0)
		return RING_EMPTY;
	b->next = advance(b->next, skip + words, records);
	out->n_words = words;
	out->n_tags = records;
	return RING_DATA;
}

enum ring_got ring_wait(struct ring *b, struct ring_chunk *out,
                        uint64_t timeout_ns)
{
	struct ring_shared *s = b->shared;
	const struct timespec timeout = {
		(time_t)(timeout_ns / 1000000000),
		(long)(timeout_ns % 1000000000)
	};
	const uint32_t seen = atomic_load(&s->wakeups);
	enum ring_got got = ring_read(b, out);
	uint64_t w;

	if (got != RING_EMPTY)
		return got;
	w = atomic_load(&s->w);
	/* Something came meanwhile, or is being written: do not sleep on it. */
	if (data_count(w) == data_count(b->next) && !(w & WRITER_EXTRA) &&
	    atomic_compare_exchange_strong(&s->w, &w, w | READER_SLEEPS))
		syscall(SYS_futex, &s->wakeups, FUTEX_WAIT, seen, &timeout,
		        NULL, 0);
	else if (w & WRITER_EXTRA)
		atomic_fetch_and(&s->w, ~WRITER_EXTRA);
	else
		nanosleep(&(struct timespec){ 0, 200000 }, NULL);
	return ring_read(b, out);
}
