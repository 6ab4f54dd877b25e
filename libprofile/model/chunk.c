/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the chunk stream. The rules for what a record may be are those
 * of Go's addCPUData, and so are the reasons to stop.
 */
#include <profile/raw.h>

#include <string.h>

enum { RECORD_MIN = 3 }; /* length, time, count */

static bool stop(struct prof_raw_iter *iter, enum prof_status status)
{
	iter->status = status;
	return false;
}

bool prof_raw_next(struct prof_raw_iter *iter, struct prof_raw_record *out)
{
	const uint64_t *const at = iter->words + iter->position;
	const size_t left = iter->n_words - iter->position;
	const bool is_header = iter->expects_header;

	if (iter->status != PROF_OK || left == 0)
		return false;
	if (left < RECORD_MIN)
		return stop(iter, PROF_TRUNCATED);
	if (is_header && (at[0] != RECORD_MIN || at[2] == 0))
		return stop(iter, PROF_CORRUPT);
	if (at[0] > left)
		return stop(iter, PROF_TRUNCATED);
	if (at[0] < RECORD_MIN)
		return stop(iter, PROF_CORRUPT);
	*out = (struct prof_raw_record){
		.time = at[1],
		.count = at[2],
		.pcs = at + RECORD_MIN,
		.n_pcs = (size_t)at[0] - RECORD_MIN,
		.is_header = is_header,
		.is_overflow = at[0] == RECORD_MIN + 1 && at[2] == 0,
	};
	iter->position += (size_t)at[0];
	iter->expects_header = false;
	return true;
}

size_t prof_raw_put(uint64_t *words, size_t size, uint64_t time,
                    uint64_t count, const uint64_t *pcs, size_t n)
{
	if (n + RECORD_MIN > size)
		return n + RECORD_MIN;
	words[0] = n + RECORD_MIN;
	words[1] = time;
	words[2] = count;
	if (n)
		memcpy(words + RECORD_MIN, pcs, n * sizeof(*pcs));
	return n + RECORD_MIN;
}
