/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

/*
 * Interned byte strings: equal bytes, equal id. One structure serves the
 * names, the stacks (packed location ids) and the label sets of a profile.
 *
 * `bytes` holds the strings one after the other, each with a '\0' behind it;
 * string i is bytes[offsets[i] .. offsets[i + 1] - 1). String 0 is the empty
 * one; with seven more zeros before it, so that a loop may look at the seven
 * bytes before any, it takes the first BYTE_TABLE_FRONT bytes. The hash index
 * is separate, because a finished profile needs none.
 */
#define BYTE_TABLE_FRONT 8
/* Bytes that can be read (not more than that) behind the last string. */
#define BYTE_TABLE_BACK 8

#include "base/memory.h"

struct byte_table {
	VEC(unsigned char) bytes;
	VEC(uint32_t) offsets; /* n + 1 of them, once the table has begun */
};

/* Slots of an open-addressing table; place = top bits of the hash. */
struct hash_slot {
	uint32_t tag; /* top half of the hash */
	uint32_t id;  /* 0: free */
};
struct hash_index {
	struct hash_slot *slots;
	uint32_t n;    /* slots in use */
	unsigned bits; /* 1 << bits slots; 0: none yet */
};

/* ---- Tables ---- */

static inline uint32_t byte_table_n(const struct byte_table *t)
{
	return t->offsets.n ? (uint32_t)(t->offsets.n - 1) : 0;
}

/* i < byte_table_n(t). */
static inline struct prof_str byte_table_get(const struct byte_table *t,
                                             uint32_t i)
{
	uint32_t begin = t->offsets.data[i];

	return (struct prof_str){ (const char *)t->bytes.data + begin,
	                          t->offsets.data[i + 1] - begin - 1 };
}

/* Puts the empty string at 0. False: out of memory. */
bool byte_table_begin(struct byte_table *t, const struct prof_allocator *a);

/*
 * Appends a string without looking for an equal one; its id, or 0 where
 * memory or the 32-bit offsets have run out.
 */
uint32_t byte_table_append(struct byte_table *t, const void *bytes,
                           size_t size, const struct prof_allocator *a);

void byte_table_release(struct byte_table *t, const struct prof_allocator *a);

/* ---- Hashing ---- */

/*
 * A number that differs from process to process, so that no input can be
 * made to collide. Never let output depend on it.
 */
uint64_t hash_seed(void);

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed);

/* Room for `more` ids. False: out of memory. */
bool hash_index_reserve(struct hash_index *h, size_t more,
                        const struct prof_allocator *a);
void hash_index_release(struct hash_index *h, const struct prof_allocator *a);

/*
 * A walk over the slots that may hold a hash:
 *
 *	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
 *	     i = hash_index_next(h, i))
 *		if (h->slots[i].tag == hash_tag(hash) && is_equal(id))
 *			return id;
 *	hash_index_put(h, i, hash, new_id);
 *
 * One slot must be free: reserve before the walk.
 */
static inline uint32_t hash_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static inline size_t hash_index_first(const struct hash_index *h,
                                      uint64_t hash)
{
	return (size_t)(hash_tag(hash) >> (32 - h->bits));
}

static inline size_t hash_index_next(const struct hash_index *h, size_t i)
{
	return (i + 1) & (((size_t)1 << h->bits) - 1);
}

static inline void hash_index_put(struct hash_index *h, size_t i,
                                  uint64_t hash, uint32_t id)
{
	h->slots[i] = (struct hash_slot){ hash_tag(hash), id };
	h->n++;
}

/* ---- Interning ---- */

struct interner {
	struct byte_table *table;
	struct hash_index index;
	uint64_t seed;
};

/*
 * The id of the string, added where it is new. The empty string is 0; else 0
 * means that memory or the 32-bit offsets have run out.
 */
uint32_t intern_bytes(struct interner *in, const void *bytes, size_t size,
                      const struct prof_allocator *a);

/*
 * The same for n strings at once, which is 2 to 5 times as fast on tables
 * that are larger than the cache: all slots are fetched before the first is
 * looked at, all candidates before the first is compared. ids[i] is set for
 * strings[i]. False where memory or offsets have run out.
 */
#define INTERN_BATCH 32
bool intern_batch(struct interner *in, const struct prof_str *strings,
                  uint32_t *ids, size_t n, const struct prof_allocator *a);

void intern_release(struct interner *in, const struct prof_allocator *a);

#endif
