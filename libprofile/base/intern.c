/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why it is as it is: a lookup in a table larger than the cache costs two
 * memory loads, the slot and the bytes to compare. Done one after the other
 * they are what a merge or a parse spends its time on; intern_batch() has 32
 * of each under way at once.
 *
 * Hashes come from XXH3 with a seed of this process. A slot keeps the top 32
 * bits, and its place is the top bits of those, so that growing the table
 * needs no hash again.
 */
#include "base/intern.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

bool byte_table_begin(struct byte_table *t, const struct prof_allocator *a)
{
	if (!vec_reserve(&t->bytes, BYTE_TABLE_FRONT + BYTE_TABLE_BACK, a) ||
	    !vec_reserve(&t->offsets, 2, a))
		return false;
	memset(t->bytes.data, 0, BYTE_TABLE_FRONT);
	t->bytes.n = BYTE_TABLE_FRONT;
	vec_put(&t->offsets, BYTE_TABLE_FRONT - 1);
	vec_put(&t->offsets, BYTE_TABLE_FRONT);
	return true;
}

uint32_t byte_table_append(struct byte_table *t, const void *bytes,
                           size_t size, const struct prof_allocator *a)
{
	unsigned char *to;

	if (size >= UINT32_MAX - t->bytes.n || t->offsets.n >= UINT32_MAX)
		return 0;
	if (!vec_reserve(&t->bytes, size + 1 + BYTE_TABLE_BACK, a) ||
	    !vec_reserve(&t->offsets, 1, a))
		return 0;
	/* What is read there is not used, but it shall not be indefinite. */
	to = t->bytes.data + t->bytes.n;
	memset(to + size, 0, 1 + BYTE_TABLE_BACK);
	if (size)
		memcpy(to, bytes, size);
	t->bytes.n += size + 1;
	vec_put(&t->offsets, (uint32_t)t->bytes.n);
	return (uint32_t)(t->offsets.n - 2);
}

void byte_table_release(struct byte_table *t, const struct prof_allocator *a)
{
	vec_release(&t->bytes, a);
	vec_release(&t->offsets, a);
}

uint64_t hash_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^
			(uint64_t)getpid();
	}
	return seed;
}

/*
 * XXH3 has a quick way up to 240 bytes, and for more makes a secret of the
 * seed each time: of two or three such pieces it is better to take one after
 * the other, each with the hash of those before it for a seed.
 */
#define PIECE_SIZE 240
#define MAX_PIECES 4

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed)
{
	const unsigned char *p = bytes;

	if (size <= MAX_PIECES * PIECE_SIZE)
		for (; size > PIECE_SIZE; size -= PIECE_SIZE, p += PIECE_SIZE)
			seed = XXH3_64bits_withSeed(p, PIECE_SIZE, seed);
	return XXH3_64bits_withSeed(p, size, seed);
}

bool hash_index_reserve(struct hash_index *h, size_t more,
                        const struct prof_allocator *a)
{
	struct hash_index grown = { .n = h->n, .bits = h->bits };
	const size_t old_slots = h->bits ? (size_t)1 << h->bits : 0;

	if (more > UINT32_MAX / 2 - h->n)
		return false;
	/* Filled to 13/16 at most. */
	if ((h->n + more) * 16 <= old_slots * 13)
		return true;
	do {
		grown.bits = grown.bits ? grown.bits + 1 : 6;
	} while ((h->n + more) * 16 > ((size_t)13 << grown.bits));
	if (grown.bits > 31)
		return false;
	grown.slots = mem_zeroed(a, (size_t)1 << grown.bits,
	                         sizeof(*grown.slots));
	if (!grown.slots)
		return false;
	for (size_t i = 0; i < old_slots; i++) {
		size_t j;

		if (!h->slots[i].id)
			continue;
		j = h->slots[i].tag >> (32 - grown.bits);
		while (grown.slots[j].id)
			j = hash_index_next(&grown, j);
		grown.slots[j] = h->slots[i];
	}
	hash_index_release(h, a);
	*h = grown;
	return true;
}

void hash_index_release(struct hash_index *h, const struct prof_allocator *a)
{
	assert(h->bits < 32);
	if (h->bits)
		mem_free(a, h->slots, sizeof(*h->slots) << h->bits);
	*h = (struct hash_index){ 0 };
}

/* Looks a hashed string up, and adds it where it is new. */
static uint32_t find_or_append(struct interner *in, uint64_t hash,
                               const void *bytes, size_t size,
                               const struct prof_allocator *a)
{
	struct hash_index *h = &in->index;
	uint32_t id;
	size_t i;

	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i)) {
		struct prof_str s;

		if (h->slots[i].tag != hash_tag(hash))
			continue;
		s = byte_table_get(in->table, id);
		if (s.len == size && memcmp(s.ptr, bytes, size) == 0)
			return id;
	}
	id = byte_table_append(in->table, bytes, size, a);
	if (id)
		hash_index_put(h, i, hash, id);
	return id;
}

uint32_t intern_bytes(struct interner *in, const void *bytes, size_t size,
                      const struct prof_allocator *a)
{
	if (size == 0 || !hash_index_reserve(&in->index, 1, a))
		return 0;
	return find_or_append(in, hash_bytes(bytes, size, in->seed), bytes,
	                      size, a);
}

PREFETCHES prefetch_bytes(const unsigned char *bytes, size_t size)
{
	const size_t line = 64, max = 4 * line;

	for (size_t i = 0; i < size && i < max; i += line)
		__builtin_prefetch(bytes + i);
}

/* The candidates of a batch, fetched before they are compared. */
PREFETCHES prefetch_candidates(const struct interner *in,
                               const uint64_t *hashes,
                               const struct prof_str *strings, size_t n)
{
	const struct byte_table *t = in->table;
	uint32_t ids[INTERN_BATCH];

	for (size_t i = 0; i < n; i++) {
		const struct hash_slot *slot =
			&in->index.slots[hash_index_first(&in->index, hashes[i])];

		ids[i] = slot->tag == hash_tag(hashes[i]) ? slot->id : 0;
		__builtin_prefetch(&t->offsets.data[ids[i]]);
	}
	for (size_t i = 0; i < n; i++)
		if (ids[i])
			prefetch_bytes(t->bytes.data +
			               t->offsets.data[ids[i]],
			               strings[i].len);
}

bool intern_batch(struct interner *in, const struct prof_str *strings,
                  uint32_t *ids, size_t n, const struct prof_allocator *a)
{
	uint64_t hashes[INTERN_BATCH];

	for (; n > INTERN_BATCH; n -= INTERN_BATCH) {
		if (!intern_batch(in, strings, ids, INTERN_BATCH, a))
			return false;
		strings += INTERN_BATCH;
		ids += INTERN_BATCH;
	}
	if (!hash_index_reserve(&in->index, n, a))
		return false;
	for (size_t i = 0; i < n; i++) {
		hashes[i] = hash_bytes(strings[i].ptr, strings[i].len, in->seed);
		__builtin_prefetch(
			&in->index.slots[hash_index_first(&in->index, hashes[i])]);
	}
	prefetch_candidates(in, hashes, strings, n);
	for (size_t i = 0; i < n; i++) {
		ids[i] = 0;
		if (strings[i].len == 0)
			continue;
		ids[i] = find_or_append(in, hashes[i], strings[i].ptr,
		                        strings[i].len, a);
		if (!ids[i])
			return false;
	}
	return true;
}

void intern_release(struct interner *in, const struct prof_allocator *a)
{
	hash_index_release(&in->index, a);
}
