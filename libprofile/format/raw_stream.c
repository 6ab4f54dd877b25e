/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's plain stream of words: what readProfile gave, all chunks in one file,
 * in either byte order. Records are handed on in runs as long as the window,
 * from where they lie. Reasons to stop, and their words, are those of Go's
 * addCPUData.
 */
#include "format/raw.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

struct stream_reader {
	struct format_reading *r;
	struct input *in;
	const struct prof_recorder *to;
	struct raw_tags tags;
	bool has_tags, is_swapped;
	bool expects_header;
	struct prof_error *err;
};

static uint64_t word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* The first record of a stream is [3, time, hz]. */
bool raw_is_stream(const unsigned char *head, size_t size)
{
	return size >= 24 && (word_at(head) == 3 ||
	                      word_at(head) == __builtin_bswap64(3)) &&
		word_at(head + 16) != 0;
}

static enum prof_status fail_at(struct stream_reader *g,
                                enum prof_status status, size_t word,
                                const char *what)
{
	return error_at(g->err, status, input_offset(g->in) + 8 * word, "%s",
	                what);
}

/* The words at hand, in the byte order of this machine. */
static uint64_t *words_at_hand(struct stream_reader *g, size_t *swapped,
                               size_t *n)
{
	/* The window is aligned, and only whole words are taken from it. */
	uint64_t *words = (uint64_t *)(uintptr_t)g->in->p;

	*n = (size_t)(g->in->end - g->in->p) / 8;
	if (g->is_swapped)
		for (size_t i = *swapped; i < *n; i++)
			words[i] = __builtin_bswap64(words[i]);
	*swapped = *n;
	return words;
}

/* How many whole records words[n] begin with, and how many words they are. */
static enum prof_status count_records(struct stream_reader *g,
                                      const uint64_t *words, size_t n,
                                      size_t *n_words, size_t *n_records)
{
	struct prof_raw_iter iter = { .words = words, .n_words = n,
	                              .expects_header = g->expects_header };
	struct prof_raw_record record;

	*n_records = 0;
	while (prof_raw_next(&iter, &record))
		++*n_records;
	*n_words = iter.position;
	g->expects_header = iter.expects_header;
	return iter.status;
}

static enum prof_status hand_on(struct stream_reader *g, const uint64_t *words,
                                size_t n_words, size_t n_records)
{
	const uint64_t *tags = NULL;

	if (g->has_tags) {
		if (g->tags.tags.n - g->tags.next < n_records)
			return fail_at(g, PROF_CORRUPT, 0, "malformed profile: "
			               "there are more records than tags");
		tags = g->tags.tags.data + g->tags.next;
		g->tags.next += n_records;
	}
	if (n_records == 0)
		return PROF_OK;
	return g->to->words(g->to->ctx, words, n_words, tags,
	                    tags ? n_records : 0, g->err);
}

/* Damage, which ends the recording where it is to be salvaged. */
static enum prof_status damage(struct stream_reader *g, enum prof_status status,
                               const char *what)
{
	const uint64_t at = input_offset(g->in);
	uint64_t dropped = 0;

	if (!g->r->options->salvage)
		return fail_at(g, status, 0, what);
	while (input_need(g->in, 1)) {
		dropped += (uint64_t)(g->in->end - g->in->p);
		g->in->p = g->in->end;
	}
	return reading_note(g->r, status, g->err, "%s at byte %" PRIu64 ": the "
	                    "%" PRIu64 " bytes from there on were dropped", what,
	                    at, dropped);
}

/* One window full; *more: there is another. */
static enum prof_status read_run(struct stream_reader *g, bool *more)
{
	size_t swapped = 0, n = 0, n_words = 0, n_records = 0, at_hand;
	enum prof_status status = PROF_TRUNCATED, result;
	uint64_t *words = NULL;
	size_t wanted = 24;

	/* A record larger than the window makes the window grow. */
	while (n_records == 0 && status == PROF_TRUNCATED) {
		const bool header = g->expects_header;

		at_hand = input_need(g->in, wanted);
		words = words_at_hand(g, &swapped, &n);
		g->expects_header = header;
		status = count_records(g, words, n, &n_words, &n_records);
		if (at_hand < wanted)
			break;
		wanted = at_hand + 8;
	}
	*more = n_records && status != PROF_CORRUPT;
	result = hand_on(g, words, n_words, n_records);
	if (result != PROF_OK)
		return result;
	/* What is not handed on comes back in the file's own order. */
	if (g->is_swapped)
		for (size_t i = n_words; i < n; i++)
			words[i] = __builtin_bswap64(words[i]);
	g->in->p += 8 * n_words;
	if (status == PROF_CORRUPT)
		return damage(g, status, "malformed profile");
	if (!*more && g->in->p < g->in->end)
		return damage(g, PROF_TRUNCATED, "truncated profile");
	return PROF_OK;
}

static enum prof_status read_maps(struct stream_reader *g)
{
	struct input in;
	enum prof_status status = input_open(
		&in, g->r->options->maps, &g->r->options->limits, 0,
		g->r->allocator, g->in->budget, g->err);
	const size_t max = (size_t)64 << 20;
	size_t size;

	if (status != PROF_OK)
		return status;
	size = input_need(&in, max);
	if (in.status != PROF_OK) {
		status = in.status;
		if (g->err)
			*g->err = in.error;
	} else {
		status = prof_record_maps(g->to, 0, (const char *)in.p, size,
		                          g->err);
	}
	input_close(&in);
	return status;
}

static enum prof_status read_stream(struct stream_reader *g)
{
	struct prof_recording_header header = { .kinds = PROF_RECORDS_CPU,
	                                        .is_stream = true };
	const size_t at_hand = input_need(g->in, 24);
	bool more = true;
	enum prof_status status;

	if (at_hand < 24)
		return fail_at(g, PROF_TRUNCATED, 0, "truncated profile");
	if (!raw_is_stream(g->in->p, at_hand))
		return fail_at(g, PROF_CORRUPT, 0, "malformed profile");
	g->is_swapped = word_at(g->in->p) == __builtin_bswap64(3);
	header.hz = word_at(g->in->p + 16);
	if (g->is_swapped)
		header.hz = __builtin_bswap64(header.hz);
	status = g->to->header(g->to->ctx, &header, g->err);
	if (status == PROF_OK && g->r->options->maps.read)
		status = read_maps(g);
	g->has_tags = g->r->options->tags.read != NULL;
	if (status == PROF_OK && g->has_tags)
		status = raw_read_tags(&g->tags, g->r, g->to, g->err);
	while (status == PROF_OK && more)
		status = read_run(g, &more);
	if (status == PROF_OK && g->tags.next < g->tags.tags.n)
		status = fail_at(g, PROF_CORRUPT, 0,
		                 "mismatched profile records and tags: there "
		                 "are more tags than records");
	if (status == PROF_OK)
		status = g->to->end(g->to->ctx, 0, 0, g->err);
	return status;
}

enum prof_status raw_read_stream(struct format_reading *r,
                                 const struct prof_recorder *to,
                                 struct prof_error *err)
{
	struct stream_reader g = { .r = r, .in = r->in, .to = to,
	                           .expects_header = true, .err = err };
	const enum prof_status status = read_stream(&g);

	vec_release(&g.tags.tags, r->allocator);
	return status;
}
