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
	uint32_t id;

	while (at[-1] & 0x80)
		at--;
	varint_get_known(at, &id);
	return marks[id] != 0;
}

/* Of 8 bytes that end a pair each, the sum of their entries. */
static unsigned sum_of_pairs(const unsigned char *at,
                             const unsigned char *pairs)
{
	uint64_t word;
	unsigned sum;

	/* The pairs that end with the second byte and those behind it. */
	memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	sum = pairs[pair_at(at)];
	for (unsigned shift = 0; shift < 56; shift += 8)
		sum += pairs[word >> shift & 0xffff];
	return sum;
}

static bool has_marked_in(const unsigned char *at, const unsigned char *end,
                          const unsigned char *marks,
                          const unsigned char *pairs)
{
	for (; at < end; at++)
		if (pairs[pair_at(at)] && is_marked_at(at, marks))
			return true;
	return false;
}

static bool has_marked(const unsigned char *at, const unsigned char *end,
                       const unsigned char *marks, const unsigned char *pairs)
{
	for (; end - at >= 8; at += 8)
		if (sum_of_pairs(at, pairs) &&
		    has_marked_in(at, at + 8, marks, pairs))
			return true;
	return has_marked_in(at, end, marks, pairs);
}

bool stacks_find_any(const struct prof_profile *p, const unsigned char *marks,
                     unsigned char *found)
{
	const uint32_t n = byte_table_n(&p->stacks);
	unsigned char *pairs = mem_zeroed(&p->allocator, N_PAIRS, 1);

	if (!pairs)
		return false;
	mark_pairs(p, marks, pairs);
	for (uint32_t i = 0; i < n; i++) {
		const struct prof_str s = byte_table_get(&p->stacks, i);
		const unsigned char *at = (const unsigned char *)s.ptr;

		found[i] = has_marked(at, at + s.len, marks, pairs);
	}
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
