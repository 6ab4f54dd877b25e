/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording on its way from one recorder to the next: only the CPU samples
 * of a stretch of time, and each with the time it is from as a label.
 *
 * Samples of foreign threads have no time of their own in Go's stream (0);
 * they count as of the last time that was seen, which is at most a tenth of a
 * second off.
 *
 * The labels of a sample stand behind its tag, so a tag that is met in two
 * buckets becomes two; tags are numbered anew for that.
 */
#include "base/error.h"
#include "base/intern.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <stdlib.h>
#include <string.h>

struct kept_label {
	uint32_t key, str, unit; /* string ids */
	bool is_number;
	int64_t num;
};

/* A tag as it was told last. */
struct kept_tag {
	uint64_t tag;
	size_t first, n; /* labels */
};

/* A tag in a bucket. tag: row of it + 1; 0: none. */
struct bucket_tag {
	uint64_t tag, bucket;
};

struct time_filter {
	struct prof_recorder next;
	struct prof_time_options o;
	struct prof_allocator a;
	uint64_t start;       /* on the clock of the records */
	bool has_start, is_stream;
	bool expects_header;  /* of the words */
	uint64_t last;        /* time of a record */
	VEC(uint64_t) words, tags;

	struct byte_table strings;
	struct interner interner;
	VEC(struct kept_label) labels;
	VEC(struct kept_tag) kept_tags;
	VEC(struct bucket_tag) bucket_tags; /* new tag i + 1 */
	struct hash_index tag_index, bucket_index;
	uint64_t seed;
	VEC(struct prof_label) told; /* scratch */
};

/* ---- Tags and their labels ---- */

static uint32_t keep_string(struct time_filter *f, struct prof_str s, bool *ok)
{
	const uint32_t id = s.len ? intern_bytes(&f->interner, s.ptr, s.len,
	                                         &f->a) : 0;

	*ok = *ok && (id || !s.len);
	return id;
}

/* The row of a tag, told before or not (UINT32_MAX). */
static uint32_t find_tag(const struct time_filter *f, uint64_t tag,
                         uint64_t hash, size_t *slot)
{
	uint32_t id;

	for (*slot = hash_index_first(&f->tag_index, hash);
	     (id = f->tag_index.slots[*slot].id) != 0;
	     *slot = hash_index_next(&f->tag_index, *slot))
		if (f->kept_tags.data[id - 1].tag == tag)
			return id - 1;
	return UINT32_MAX;
}

static enum prof_status keep_tag(struct time_filter *f, uint64_t tag,
                                 const struct prof_label *labels, size_t n,
                                 struct prof_error *err)
{
	const uint64_t hash = hash_bytes(&tag, sizeof(tag), f->seed);
	bool ok = true;
	uint32_t row;
	size_t slot;

	if (!hash_index_reserve(&f->tag_index, 1, &f->a) ||
	    !vec_reserve(&f->kept_tags, 1, &f->a) ||
	    !vec_reserve(&f->labels, n, &f->a))
		return error_nomem(err);
	row = find_tag(f, tag, hash, &slot);
	/* A new row for new labels: buckets of the old ones stay theirs. */
	if (row != UINT32_MAX)
		f->tag_index.slots[slot].id = (uint32_t)f->kept_tags.n + 1;
	else
		hash_index_put(&f->tag_index, slot, hash,
		               (uint32_t)f->kept_tags.n + 1);
	vec_put(&f->kept_tags, (struct kept_tag){ tag, f->labels.n, n });
	for (size_t i = 0; i < n; i++)
		vec_put(&f->labels, (struct kept_label){
			.key = keep_string(f, labels[i].key, &ok),
			.str = keep_string(f, labels[i].str, &ok),
			.unit = keep_string(f, labels[i].unit, &ok),
			.is_number = !labels[i].str.ptr,
			.num = labels[i].num });
	return ok ? PROF_OK : error_nomem(err);
}

/* Tells the next recorder what a new tag stands for. */
static enum prof_status tell_bucket(struct time_filter *f, uint64_t new_tag,
                                    const struct bucket_tag *b,
                                    struct prof_error *err)
{
	const struct kept_tag none = { 0 };
	const struct kept_tag *tag =
		b->tag ? &f->kept_tags.data[b->tag - 1] : &none;

	f->told.n = 0;
	if (!vec_reserve(&f->told, tag->n + 1, &f->a))
		return error_nomem(err);
	for (size_t i = 0; i < tag->n; i++) {
		const struct kept_label *l = &f->labels.data[tag->first + i];
		struct prof_label label = {
			.key = byte_table_get(&f->strings, l->key),
			.num = l->num,
			.unit = byte_table_get(&f->strings, l->unit)
		};

		if (!l->is_number)
			label.str = byte_table_get(&f->strings, l->str);
		vec_put(&f->told, label);
	}
	vec_put(&f->told, (struct prof_label){
		.key = str_of("time"), .unit = str_of("nanoseconds"),
		.num = (int64_t)(b->bucket * f->o.bucket_ns) });
	return f->next.label_set(f->next.ctx, new_tag, f->told.data, f->told.n,
	                         err);
}

/* The new tag of a tag in a bucket, told where it is new. */
static enum prof_status bucket_tag(struct time_filter *f, uint64_t tag,
                                   uint64_t bucket, uint64_t *out,
                                   struct prof_error *err)
{
	struct bucket_tag key = { 0, bucket };
	uint64_t hash;
	size_t slot;
	uint32_t id;

	if (tag && f->tag_index.bits) {
		const uint32_t row = find_tag(
			f, tag, hash_bytes(&tag, sizeof(tag), f->seed), &slot);

		key.tag = row == UINT32_MAX ? 0 : (uint64_t)row + 1;
	}
	if (!hash_index_reserve(&f->bucket_index, 1, &f->a) ||
	    !vec_reserve(&f->bucket_tags, 1, &f->a))
		return error_nomem(err);
	hash = hash_bytes(&key, sizeof(key), f->seed);
	for (slot = hash_index_first(&f->bucket_index, hash);
	     (id = f->bucket_index.slots[slot].id) != 0;
	     slot = hash_index_next(&f->bucket_index, slot)) {
		*out = id;
		if (f->bucket_tags.data[id - 1].tag == key.tag &&
		    f->bucket_tags.data[id - 1].bucket == bucket)
			return PROF_OK;
	}
	vec_put(&f->bucket_tags, key);
	*out = f->bucket_tags.n;
	hash_index_put(&f->bucket_index, slot, hash, (uint32_t)*out);
	return tell_bucket(f, *out, &key, err);
}

/* ---- Records ---- */

/* Nanoseconds since the beginning. */
static uint64_t time_since_start(struct time_filter *f,
                                 const struct prof_raw_record *r)
{
	if (!f->has_start) {
		f->start = r->time;
		f->has_start = true;
	}
	if (r->time)
		f->last = r->time;
	return f->last > f->start ? f->last - f->start : 0;
}

/* A record that is wanted, with its new tag. */
static enum prof_status put_record(struct time_filter *f,
                                   const uint64_t *words, size_t n,
                                   uint64_t tag, struct prof_error *err)
{
	if (!vec_reserve(&f->words, n, &f->a) ||
	    !vec_reserve(&f->tags, 1, &f->a))
		return error_nomem(err);
	memcpy(f->words.data + f->words.n, words, n * sizeof(*words));
	f->words.n += n;
	vec_put(&f->tags, tag);
	return PROF_OK;
}

static enum prof_status take_record(struct time_filter *f,
                                    const struct prof_raw_record *r,
                                    const uint64_t *words, size_t n,
                                    uint64_t tag, struct prof_error *err)
{
	const uint64_t since = time_since_start(f, r);
	enum prof_status status = PROF_OK;

	if (!r->is_header && (since < f->o.from_ns ||
	                      (f->o.to_ns && since >= f->o.to_ns)))
		return PROF_OK;
	if (f->o.bucket_ns && !r->is_header)
		status = bucket_tag(f, tag, since / f->o.bucket_ns, &tag, err);
	return status == PROF_OK ? put_record(f, words, n, tag, err) : status;
}

static enum prof_status on_words(void *ctx, const uint64_t *words,
                                 size_t n_words, const uint64_t *tags,
                                 size_t n_tags, struct prof_error *err)
{
	struct time_filter *f = ctx;
	struct prof_raw_iter iter = { .words = words, .n_words = n_words,
	                              .expects_header = f->expects_header };
	struct prof_raw_record r;
	enum prof_status status = PROF_OK;
	size_t from = 0, i = 0;

	f->words.n = f->tags.n = 0;
	while (status == PROF_OK && prof_raw_next(&iter, &r)) {
		const uint64_t tag = i < n_tags ? tags[i] : 0;

		status = take_record(f, &r, words + from,
		                     iter.position - from, tag, err);
		from = iter.position;
		i++;
	}
	f->expects_header = iter.expects_header;
	if (status == PROF_OK && iter.status != PROF_OK)
		status = error_set(err, iter.status, "record %zu is %s", i,
		                   prof_status_string(iter.status));
	if (status != PROF_OK || f->words.n == 0)
		return status;
	return f->next.words(f->next.ctx, f->words.data, f->words.n,
	                     f->tags.data,
	                     n_tags || f->o.bucket_ns ? f->tags.n : 0, err);
}

/* ---- Passed on ---- */

static enum prof_status on_header(void *ctx,
                                  const struct prof_recording_header *h,
                                  struct prof_error *err)
{
	struct time_filter *f = ctx;
	struct prof_recording_header header = *h;

	f->is_stream = h->is_stream;
	f->has_start = !h->is_stream;
	f->start = f->last = h->clock_ns;
	if (!h->is_stream && f->o.from_ns <= INT64_MAX) {
		header.clock_ns += f->o.from_ns;
		if (h->time_ns && __builtin_add_overflow(
		            h->time_ns, (int64_t)f->o.from_ns, &header.time_ns))
			header.time_ns = 0;
	}
	return f->next.header(f->next.ctx, &header, err);
}

static enum prof_status on_label_set(void *ctx, uint64_t tag,
                                     const struct prof_label *labels, size_t n,
                                     struct prof_error *err)
{
	struct time_filter *f = ctx;

	return f->o.bucket_ns ? keep_tag(f, tag, labels, n, err) :
	                        f->next.label_set(f->next.ctx, tag, labels, n,
	                                          err);
}

static enum prof_status on_mapping(void *ctx, uint64_t time,
                                   const struct prof_mapping *m,
                                   struct prof_error *err)
{
	const struct time_filter *f = ctx;

	return f->next.mapping(f->next.ctx, time, m, err);
}

static enum prof_status on_mem(void *ctx, int64_t rate,
                               const struct prof_mem_record *recs, size_t n,
                               struct prof_error *err)
{
	const struct time_filter *f = ctx;

	return f->next.mem(f->next.ctx, rate, recs, n, err);
}

static enum prof_status on_block(void *ctx, struct prof_str name,
                                 int64_t cycles_per_second,
                                 const struct prof_block_record *recs,
                                 size_t n, struct prof_error *err)
{
	const struct time_filter *f = ctx;

	return f->next.block(f->next.ctx, name, cycles_per_second, recs, n,
	                     err);
}

/* Its tags mean labels too: they belong to no time. */
static enum prof_status on_count(void *ctx, struct prof_str name,
                                 const struct prof_count_record *recs,
                                 size_t n, struct prof_error *err)
{
	struct time_filter *f = ctx;

	if (f->o.bucket_ns)
		for (size_t i = 0; i < n; i++)
			if (recs[i].tag)
				return error_set(err, PROF_UNSUPPORTED,
				                 "counted stacks with labels "
				                 "have no time to put in a "
				                 "bucket");
	return f->next.count(f->next.ctx, name, recs, n, err);
}

static enum prof_status on_symbol(void *ctx, uint64_t pc,
                                  const struct prof_symbol *frames, size_t n,
                                  struct prof_error *err)
{
	const struct time_filter *f = ctx;

	return f->next.symbol(f->next.ctx, pc, frames, n, err);
}

static enum prof_status on_end(void *ctx, int64_t duration_ns, uint64_t lost,
                               struct prof_error *err)
{
	const struct time_filter *f = ctx;
	uint64_t end = duration_ns > 0 ? (uint64_t)duration_ns : 0;

	if (f->o.to_ns && f->o.to_ns < end)
		end = f->o.to_ns;
	end = end > f->o.from_ns ? end - f->o.from_ns : 0;
	return f->next.end(f->next.ctx, (int64_t)end, lost, err);
}

static void on_free(void *ctx)
{
	struct time_filter *f = ctx;
	const struct prof_allocator a = f->a;

	vec_release(&f->words, &a);
	vec_release(&f->tags, &a);
	vec_release(&f->labels, &a);
	vec_release(&f->kept_tags, &a);
	vec_release(&f->bucket_tags, &a);
	vec_release(&f->told, &a);
	hash_index_release(&f->tag_index, &a);
	hash_index_release(&f->bucket_index, &a);
	intern_release(&f->interner, &a);
	byte_table_release(&f->strings, &a);
	mem_free(&a, f, sizeof(*f));
}

enum prof_status prof_time_filter_new(struct prof_recorder *out,
                                      const struct prof_recorder *next,
                                      const struct prof_time_options *options,
                                      struct prof_error *err)
{
	struct prof_time_options o = { 0 };
	struct prof_allocator a;
	struct time_filter *f;

	memcpy(&o, options, options->size < sizeof(o) ? options->size :
	       sizeof(o));
	if (o.to_ns && o.to_ns <= o.from_ns)
		return error_set(err, PROF_INVALID,
		                 "the time range ends before it begins");
	a = o.allocator ? *o.allocator : mem_malloc;
	f = mem_zeroed(&a, 1, sizeof(*f));
	if (!f)
		return error_nomem(err);
	*f = (struct time_filter){ .next = *next, .o = o, .a = a,
	                           .expects_header = true,
	                           .seed = hash_seed() };
	f->interner = (struct interner){ &f->strings, .seed = f->seed };
	if (!byte_table_begin(&f->strings, &a)) {
		on_free(f);
		return error_nomem(err);
	}
	*out = (struct prof_recorder){
		.header = on_header, .mapping = on_mapping,
		.label_set = on_label_set, .words = on_words, .mem = on_mem,
		.block = on_block, .count = on_count, .symbol = on_symbol,
		.end = on_end, .free = on_free, .ctx = f
	};
	return PROF_OK;
}
