/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking varints one after the other is a chain: where the next one begins
 * is known only when this one has been read, 12 cycles a location. Nothing
 * here waits for that.
 *
 * stacks_find_any() looks at all pairs of neighbouring bytes instead. A table
 * of 64 Ki says which pairs a marked location may begin with: the two bytes
 * of it, or for one of a single byte that byte behind the end of another. All
 * lookups are independent of each other. A pair that is there is then read as
 * a varint to be sure: three bytes and more can hold the pair of another.
 *
 * stacks_mark_used() walks through four stacks at a time.
 */
#include "model/search.h"

#include <string.h>

#define N_PAIRS 65536

static uint32_t pair_at(const unsigned char *second)
{
	return second[-1] | (uint32_t)second[0] << 8;
}

static void mark_pairs(const struct prof_profile *p,
                       const unsigned char *marks, unsigned char *pairs)
{
	const uint32_t n = (uint32_t)(p->locations.n - 1);

	for (uint32_t id = 1; id < n; id++) {
		if (!marks[id])
			continue;
		if (id >= 0x80) {
			const uint32_t second =
				(id >> 7 & 0x7f) | (id >= 0x4000 ? 0x80 : 0);

			pairs[(id & 0x7f) | 0x80 | second << 8] = 1;
			continue;
		}
		for (uint32_t before = 0; before < 0x80; before++)
			pairs[before | id << 8] = 1;
	}
}

/* Whether the varint that the byte at `at` belongs to is marked. */
static bool is_marked_at(const unsigned char *at, const unsigned char *marks)
{
	/* Its bytes before `at`, 4 at most: those that go on. */
	unsigned goes_on = at[-1] >> 7, n_before = goes_on;
	uint32_t id;

	for (int i = 2; i <= 4; i++) {
		goes_on &= at[-i] >> 7;
		n_before += goes_on;
	}
	varint_get_known(at - n_before, &id);
	return marks[id] != 0;
}

/*
 * Of the 8 bytes at `at`, each the second of a pair: byte i of the result is
 * the entry of pair i.
 */
static inline uint64_t look_up_8(const unsigned char *at,
                                 const unsigned char *pairs)
{
	uint64_t hits = 0;

	for (unsigned i = 0; i < 8; i++)
		hits |= (uint64_t)pairs[pair_at(at + i)] << 8 * i;
	return hits;
}

/* Whether any is set. */
static inline unsigned has_any_of_8(const unsigned char *at,
                                    const unsigned char *pairs)
{
	uint64_t word;
	unsigned any = pairs[pair_at(at + 7)];

	memcpy(&word, at - 1, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	for (unsigned shift = 0; shift < 56; shift += 8)
		any |= pairs[word >> shift & 0xffff];
	return any;
}

/*
 * The second byte of a marked location in [at, end), or the only one; end
 * where none is. Up to BYTE_TABLE_BACK bytes behind end are looked at.
 */
static const unsigned char *find_marked(const unsigned char *at,
                                        const unsigned char *end,
                                        const unsigned char *marks,
                                        const unsigned char *pairs)
{
	for (; at < end; at += 8) {
		uint64_t hits;

		unsigned any = 0;

		while (end - at >= 16 && !((any = has_any_of_8(at, pairs)) |
		                           has_any_of_8(at + 8, pairs)))
			at += 16;
		if (end - at >= 16)
			at += any ? 0 : 8;
		for (hits = look_up_8(at, pairs); hits; hits &= hits - 1) {
			const unsigned char *hit =
				at + (__builtin_ctzll(hits) >> 3);

			if (is_marked_at(hit, marks))
				return hit;
		}
	}
	return end;
}

/*
 * The table is searched as one string: what stands between two stacks is a
 * zero, which no location is. After a hit, the rest of its stack is left out.
 */
static void find_in_table(const struct byte_table *t,
                          const unsigned char *marks,
                          const unsigned char *pairs, unsigned char *found)
{
	const unsigned char *const bytes = t->bytes.data;
	const uint32_t *const offsets = t->offsets.data;
	const unsigned char *const end = bytes + t->bytes.n;
	const unsigned char *at = bytes + BYTE_TABLE_FRONT;
	uint32_t i = 0;

	while ((at = find_marked(at, end, marks, pairs)) < end) {
		while (bytes + offsets[i + 1] <= at)
			i++;
		found[i] = 1;
		at = bytes + offsets[i + 1];
	}
}

static bool is_any_marked(const unsigned char *marks, size_t n)
{
	return n && (marks[0] || memcmp(marks, marks + 1, n - 1) != 0);
}

bool stacks_find_any(const struct prof_profile *p, const unsigned char *marks,
                     unsigned char *found)
{
	unsigned char *pairs;

	memset(found, 0, byte_table_n(&p->stacks));
	if (!is_any_marked(marks, p->locations.n))
		return true;
	pairs = mem_zeroed(&p->allocator, N_PAIRS, 1);
	if (!pairs)
		return false;
	mark_pairs(p, marks, pairs);
	find_in_table(&p->stacks, marks, pairs, found);
	mem_free(&p->allocator, pairs, N_PAIRS);
	return true;
}

/* ---- Used locations ---- */

#define N_WALKS 4

struct walk {
	const unsigned char *at, *end;
};

static void mark_rest(struct walk w, unsigned char *used)
{
	uint32_t id;

	while (w.at < w.end) {
		w.at = varint_get_known(w.at, &id);
		used[id] = 1;
	}
}

/*
 * All of them as far as the shortest goes in any case: a location takes 5
 * bytes at most.
 */
static void mark_together(struct walk w[N_WALKS], unsigned char *used)
{
	for (;;) {
		ptrdiff_t n = w[0].end - w[0].at;
		uint32_t id;

		for (unsigned i = 1; i < N_WALKS; i++)
			n = w[i].end - w[i].at < n ? w[i].end - w[i].at : n;
		if (n < 5)
			return;
		for (n /= 5; n > 0; n--) {
			for (unsigned i = 0; i < N_WALKS; i++) {
				w[i].at = varint_get_known(w[i].at, &id);
				used[id] = 1;
			}
		}
	}
}

void stacks_mark_used(const struct prof_profile *p, unsigned char *used)
{
	const uint32_t n = byte_table_n(&p->stacks);
	struct walk w[N_WALKS];
	uint32_t i = 1;

	for (; i + N_WALKS <= n; i += N_WALKS) {
		for (uint32_t k = 0; k < N_WALKS; k++) {
			const struct prof_str s =
				byte_table_get(&p->stacks, i + k);

			w[k].at = (const unsigned char *)s.ptr;
			w[k].end = w[k].at + s.len;
		}
		mark_together(w, used);
		for (unsigned k = 0; k < N_WALKS; k++)
			mark_rest(w[k], used);
	}
	for (; i < n; i++) {
		const struct prof_str s = byte_table_get(&p->stacks, i);
		const unsigned char *at = (const unsigned char *)s.ptr;

		mark_rest((struct walk){ at, at + s.len }, used);
	}
}
