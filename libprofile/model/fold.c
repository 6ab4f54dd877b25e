/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU records are grouped by the words of their stack first and become
 * locations only once per different stack: a record costs one lookup, done in
 * batches of 32 with all of them under way at once (5 to 6 million records a
 * second instead of 2).
 *
 * The order of samples is that of first appearance, as Go has it. In Go's
 * own form the key has the tag itself, and labels that are equal under two
 * tags stay two samples; else equal label sets are one.
 */
#include "model/fold.h"

#include "base/error.h"
#include "model/events.h"

#include <string.h>

#define STR(text) ((struct prof_str){ (text), sizeof(text) - 1 })

/* A stack with a tag, in order of first appearance. */
struct cpu_group {
	uint64_t tag;
	int64_t count;
	uint32_t stack;     /* of cpu.stacks */
	uint32_t label_set; /* of the builder, when the tag was met */
	bool is_overflow;   /* the stack is the frame of lost events */
};

struct tag_labels {
	uint64_t tag;
	uint32_t label_set;
};

struct cpu_fold {
	struct byte_table stacks; /* the words of stacks */
	struct interner interner;
	VEC(struct cpu_group) groups;
	struct hash_index group_index;
	VEC(uint32_t) group_of_stack; /* with tag 0; group number + 1 */
	struct hash_index tag_index;
	VEC(struct tag_labels) tags;
	uint64_t hz;
	bool expects_header;
};

struct fold {
	struct prof_builder *b;
	struct address_map addresses;
	bool is_exact;
	char *kind;              /* the caller's, NULL: choose */
	size_t kind_size;        /* with the '\0' */
	bool has_chosen;
	uint32_t chosen;         /* which one it is: a string of the builder */
	char seen[96];           /* kinds there were, for a message */
	struct prof_header header;
	struct prof_recording_header recording;
	struct cpu_fold cpu;
	struct count_groups counts;
	bool has_types;
	uint64_t lost;
};

static enum prof_status fold_status(struct fold *f, struct prof_error *err)
{
	return prof_builder_status(f->b, err);
}

static void fail_nomem(struct fold *f)
{
	builder_fail(f->b, PROF_NOMEM, "out of memory");
}

/* ---- Which profile ---- */

static bool str_equal(struct prof_str a, struct prof_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static void note_seen(struct fold *f, struct prof_str name)
{
	size_t used = strlen(f->seen);

	if (used + name.len + 2 > sizeof(f->seen) ||
	    (name.len && memmem(f->seen, used, name.ptr, name.len)))
		return;
	if (used)
		f->seen[used++] = ' ';
	if (name.len)
		memcpy(f->seen + used, name.ptr, name.len);
	f->seen[used + name.len] = '\0';
}

/* True where what comes is what the profile is to be made of. */
static bool is_wanted(struct fold *f, struct prof_str name,
                      struct prof_str other_name)
{
	uint32_t id;

	note_seen(f, name);
	if (f->kind) {
		const struct prof_str kind = { f->kind, f->kind_size - 1 };

		return str_equal(kind, name) ||
			(other_name.len && str_equal(kind, other_name));
	}
	if (f->recording.kinds & PROF_RECORDS_CPU)
		return str_equal(name, STR("cpu"));
	id = builder_string(f->b, name);
	if (!f->has_chosen) {
		f->has_chosen = true;
		f->chosen = id;
	}
	if (f->chosen == id)
		return true;
	builder_fail(f->b, PROF_INVALID, "the recording has several profiles "
	             "(%s ...): one must be chosen", f->seen);
	return false;
}

/* ---- Events ---- */

static enum prof_status on_header(void *ctx,
                                  const struct prof_recording_header *h,
                                  struct prof_error *err)
{
	struct fold *f = ctx;

	f->recording = *h;
	f->recording.command = (struct prof_str){ NULL, 0 };
	f->header.time_ns = h->time_ns;
	f->cpu.hz = h->hz;
	return fold_status(f, err);
}

static void cpu_end_epoch(struct fold *f);

static enum prof_status on_mapping(void *ctx, uint64_t time,
                                   const struct prof_mapping *m,
                                   struct prof_error *err)
{
	struct fold *f = ctx;

	(void)time;
	/* Stacks so far belong to the mappings so far. */
	if (f->cpu.groups.n && !f->is_exact)
		cpu_end_epoch(f);
	address_map_add(&f->addresses, m);
	return fold_status(f, err);
}

static uint64_t hash_u64(const struct fold *f, uint64_t n)
{
	return hash_bytes(&n, sizeof(n), f->cpu.interner.seed);
}

/* The entry of a tag; NULL where it was never told. */
static struct tag_labels *find_tag(const struct fold *f, uint64_t tag)
{
	const struct hash_index *h = &f->cpu.tag_index;
	uint32_t id;

	if (h->n == 0)
		return NULL;
	for (size_t i = hash_index_first(h, hash_u64(f, tag));
	     (id = h->slots[i].id) != 0; i = hash_index_next(h, i))
		if (f->cpu.tags.data[id - 1].tag == tag)
			return &f->cpu.tags.data[id - 1];
	return NULL;
}

static void add_tag(struct fold *f, uint64_t tag, uint32_t label_set)
{
	struct cpu_fold *c = &f->cpu;
	const uint64_t hash = hash_u64(f, tag);
	size_t i;

	if (!vec_reserve(&c->tags, 1, &f->b->allocator) ||
	    !hash_index_reserve(&c->tag_index, 1, &f->b->allocator)) {
		fail_nomem(f);
		return;
	}
	i = hash_index_first(&c->tag_index, hash);
	while (c->tag_index.slots[i].id)
		i = hash_index_next(&c->tag_index, i);
	vec_put(&c->tags, (struct tag_labels){ tag, label_set });
	hash_index_put(&c->tag_index, i, hash, (uint32_t)c->tags.n);
}

static enum prof_status on_label_set(void *ctx, uint64_t tag,
                                     const struct prof_label *labels, size_t n,
                                     struct prof_error *err)
{
	struct fold *f = ctx;
	const uint32_t label_set = prof_add_label_set(f->b, labels, n);
	struct tag_labels *known = find_tag(f, tag);

	if (known)
		known->label_set = label_set;
	else
		add_tag(f, tag, label_set);
	return fold_status(f, err);
}

/* ---- CPU records ---- */

static void add_count(struct fold *f, struct cpu_group *g, uint64_t count)
{
	int64_t sum;

	if (__builtin_add_overflow(g->count, (int64_t)count, &sum) &&
	    !f->is_exact)
		builder_fail(f->b, PROF_OVERFLOW,
		             "the count of a stack leaves the range of 64 bits");
	g->count = (int64_t)((uint64_t)g->count + count);
}

static struct cpu_group *new_group(struct fold *f, const struct cpu_group *g)
{
	if (!vec_reserve(&f->cpu.groups, 1, &f->b->allocator) ||
	    f->cpu.groups.n >= UINT32_MAX - 1) {
		fail_nomem(f);
		return NULL;
	}
	vec_put(&f->cpu.groups, *g);
	return &f->cpu.groups.data[f->cpu.groups.n - 1];
}

static struct cpu_group *group_without_tag(struct fold *f, uint32_t stack)
{
	struct cpu_fold *c = &f->cpu;
	struct cpu_group *g;

	while (c->group_of_stack.n <= stack) {
		if (!vec_reserve(&c->group_of_stack, 1, &f->b->allocator)) {
			fail_nomem(f);
			return NULL;
		}
		vec_put(&c->group_of_stack, 0);
	}
	if (c->group_of_stack.data[stack])
		return &c->groups.data[c->group_of_stack.data[stack] - 1];
	g = new_group(f, &(struct cpu_group){ .stack = stack });
	if (g)
		c->group_of_stack.data[stack] = (uint32_t)c->groups.n;
	return g;
}

static struct cpu_group *group_with_tag(struct fold *f, uint32_t stack,
                                        uint64_t tag, bool is_overflow)
{
	struct cpu_fold *c = &f->cpu;
	const struct tag_labels *labels = find_tag(f, tag);
	const uint32_t label_set = labels ? labels->label_set : 0;
	/* The label set too: a tag that is told again and again would put all
	   its groups into one chain. */
	const uint64_t key[4] = { tag, stack, is_overflow, label_set };
	const uint64_t hash = hash_bytes(key, sizeof(key), c->interner.seed);
	struct cpu_group *g;
	uint32_t id;
	size_t i;

	if (!hash_index_reserve(&c->group_index, 1, &f->b->allocator)) {
		fail_nomem(f);
		return NULL;
	}
	for (i = hash_index_first(&c->group_index, hash);
	     (id = c->group_index.slots[i].id) != 0;
	     i = hash_index_next(&c->group_index, i)) {
		g = &c->groups.data[id - 1];
		if (g->tag == tag && g->stack == stack &&
		    g->is_overflow == is_overflow &&
		    g->label_set == label_set)
			return g;
	}
	g = new_group(f, &(struct cpu_group){
		.tag = tag,
		.stack = stack,
		.label_set = label_set,
		.is_overflow = is_overflow,
	});
	if (g)
		hash_index_put(&c->group_index, i, hash,
		               (uint32_t)c->groups.n);
	return g;
}

/* Records that wait to be looked up together. */
struct record_batch {
	size_t n;
	struct prof_str stacks[INTERN_BATCH];
	uint64_t counts[INTERN_BATCH], tags[INTERN_BATCH];
	bool is_overflow[INTERN_BATCH];
};

/* The groups that stacks without a tag have by now. */
PREFETCHES prefetch_groups(const struct cpu_fold *c, const uint32_t *stacks,
                           size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (stacks[i] < c->group_of_stack.n &&
		    c->group_of_stack.data[stacks[i]])
			__builtin_prefetch(&c->groups.data[
				c->group_of_stack.data[stacks[i]] - 1]);
}

static void fold_batch(struct fold *f, struct record_batch *batch)
{
	uint32_t ids[INTERN_BATCH] = { 0 };

	if (!intern_batch(&f->cpu.interner, batch->stacks, ids, batch->n,
	                  &f->b->allocator))
		fail_nomem(f);
	prefetch_groups(&f->cpu, ids, batch->n);
	for (size_t i = 0; i < batch->n && f->b->status == PROF_OK; i++) {
		struct cpu_group *g =
			batch->tags[i] || batch->is_overflow[i] ?
			group_with_tag(f, ids[i], batch->tags[i],
			               batch->is_overflow[i]) :
			group_without_tag(f, ids[i]);

		if (g)
			add_count(f, g, batch->counts[i]);
	}
	batch->n = 0;
}

/* A record of nothing is a sample of 0 for Go, and nothing for others. */
static bool is_left_out(const struct fold *f, const struct prof_raw_record *r)
{
	return r->is_header || (r->count == 0 && !r->is_overflow && !f->is_exact);
}

static void batch_record(struct fold *f, struct record_batch *batch,
                         const struct prof_raw_record *r, uint64_t tag)
{
	const size_t i = batch->n++;

	batch->tags[i] = tag;
	batch->is_overflow[i] = r->is_overflow;
	batch->counts[i] = r->is_overflow ? r->pcs[0] : r->count;
	batch->stacks[i] = (struct prof_str){
		(const char *)r->pcs,
		r->is_overflow ? 0 : r->n_pcs * sizeof(*r->pcs) };
	if (batch->n == INTERN_BATCH)
		fold_batch(f, batch);
}

static enum prof_status on_words(void *ctx, const uint64_t *words,
                                 size_t n_words, const uint64_t *tags,
                                 size_t n_tags, struct prof_error *err)
{
	struct fold *f = ctx;
	struct prof_raw_iter iter = { .words = words, .n_words = n_words,
	                              .expects_header = f->cpu.expects_header };
	struct prof_raw_record r;
	struct record_batch batch;
	size_t i = 0;

	if (!is_wanted(f, STR("cpu"), STR("cpu")))
		return fold_status(f, err);
	batch.n = 0;
	for (; f->b->status == PROF_OK && prof_raw_next(&iter, &r); i++) {
		if (r.is_header)
			f->cpu.hz = r.count;
		if (!is_left_out(f, &r))
			batch_record(f, &batch, &r, i < n_tags ? tags[i] : 0);
	}
	f->cpu.expects_header = iter.expects_header;
	fold_batch(f, &batch);
	if (iter.status != PROF_OK)
		builder_fail(f->b, iter.status,
		             "malformed profile: a record of the chunk stream "
		             "is not what it should be");
	return fold_status(f, err);
}

static uint32_t lost_stack(struct fold *f)
{
	const struct prof_str name = f->is_exact ?
		STR("runtime/pprof.lostProfileEvent") : STR("[lost]");
	const struct prof_line line = {
		.function = prof_add_function(
			f->b, &(struct prof_function){ .name = name,
			                               .system_name = name }),
	};
	const uint32_t location = prof_add_location(
		f->b, &(struct prof_location){ .n_lines = 1, .lines = &line });

	return prof_add_stack(f->b, &location, 1);
}

static uint32_t words_stack(struct fold *f, uint32_t stack)
{
	const struct prof_str s = byte_table_get(&f->cpu.stacks, stack);
	const size_t n = s.len / sizeof(uint64_t);
	uint64_t pcs[64];
	uint64_t *all = pcs;
	uint32_t id;

	/* The bytes stand at any place; words must not. */
	if (n > 64)
		all = mem_resize(&f->b->allocator, NULL, 0, s.len);
	if (!all) {
		fail_nomem(f);
		return 0;
	}
	memcpy(all, s.ptr, s.len);
	id = address_map_stack(&f->addresses, all, n);
	if (all != pcs)
		mem_free(&f->b->allocator, all, s.len);
	return id;
}

static void add_cpu_sample(struct fold *f, const struct cpu_group *g,
                           uint64_t period)
{
	const uint32_t stack = g->is_overflow ? lost_stack(f) :
		words_stack(f, g->stack);
	int64_t values[2] = {
		g->count, (int64_t)((uint64_t)g->count * period)
	};

	if (f->is_exact) {
		prof_add_sample(f->b, stack, g->label_set, values);
		return;
	}
	if (__builtin_mul_overflow(g->count, (int64_t)period, &values[1]))
		builder_fail(f->b, PROF_OVERFLOW,
		             "a CPU time leaves the range of 64 bits");
	prof_count_sample(f->b, stack, g->label_set, values);
}

/* 1e9 / hz, cut, as Go has it: hz is signed there. */
static int64_t cpu_period(uint64_t hz)
{
	return hz ? INT64_C(1000000000) / (int64_t)hz : 0;
}

static void set_cpu_types(struct fold *f)
{
	const struct prof_value_type cpu = { STR("cpu"), STR("nanoseconds") };

	if (f->has_types)
		return;
	f->has_types = true;
	prof_add_sample_type(f->b, &(struct prof_value_type){ STR("samples"),
	                                                      STR("count") });
	prof_add_sample_type(f->b, &cpu);
	f->header.period_type = cpu;
	f->header.period = cpu_period(f->cpu.hz);
}

/* Puts the groups into the builder, and begins anew. */
static void cpu_end_epoch(struct fold *f)
{
	struct cpu_fold *c = &f->cpu;
	const struct prof_allocator *a = &f->b->allocator;

	set_cpu_types(f);
	for (size_t i = 0; i < c->groups.n && f->b->status == PROF_OK; i++)
		add_cpu_sample(f, &c->groups.data[i],
		               (uint64_t)cpu_period(c->hz));
	c->groups.n = 0;
	c->group_of_stack.n = 0;
	hash_index_release(&c->group_index, a);
	hash_index_release(&c->interner.index, a);
	byte_table_release(&c->stacks, a);
	if (!byte_table_begin(&c->stacks, a))
		fail_nomem(f);
}

/* ---- The other kinds ---- */

static enum prof_status on_mem(void *ctx, int64_t rate,
                               const struct prof_mem_record *recs, size_t n,
                               struct prof_error *err)
{
	struct fold *f = ctx;

	if (!is_wanted(f, STR("heap"), STR("allocs")))
		return fold_status(f, err);
	if (!f->has_types)
		mem_set_types(f->b, rate, &f->header);
	f->has_types = true;
	if (f->kind && strcmp(f->kind, "allocs") == 0)
		f->header.default_sample_type = STR("alloc_space");
	if (mem_check_records(f->b, PROF_CORRUPT, recs, n))
		mem_add_records(f->b, &f->addresses, recs, n, rate);
	return fold_status(f, err);
}

static enum prof_status on_block(void *ctx, struct prof_str name,
                                 int64_t cycles_per_second,
                                 const struct prof_block_record *recs,
                                 size_t n, struct prof_error *err)
{
	struct fold *f = ctx;

	if (!is_wanted(f, name, name))
		return fold_status(f, err);
	if (!f->has_types)
		block_set_types(f->b, name, &f->header);
	f->has_types = true;
	if (cycles_per_second <= 0)
		builder_fail(f->b, PROF_CORRUPT, "a clock of %lld cycles per "
		             "second", (long long)cycles_per_second);
	block_add_records(f->b, &f->addresses, recs, n, cycles_per_second);
	return fold_status(f, err);
}

static void add_count_record(struct fold *f, const struct prof_count_record *r)
{
	const struct tag_labels *tag = r->tag ? find_tag(f, r->tag) : NULL;
	const struct prof_profile *p = f->b->profile;
	struct prof_label labels[64];
	size_t n = 0;

	/* The builder's own strings would move while labels are added: the
	   set is there already, so nothing new is added. */
	if (tag)
		n = prof_get_label_set(p, tag->label_set, labels, 64);
	count_groups_add(&f->counts, &f->addresses, r->n, r->pcs, r->n_pcs,
	                 labels, n < 64 ? n : 64);
}

static enum prof_status on_count(void *ctx, struct prof_str name,
                                 const struct prof_count_record *recs,
                                 size_t n, struct prof_error *err)
{
	struct fold *f = ctx;

	if (!is_wanted(f, name, name))
		return fold_status(f, err);
	if (!f->has_types)
		count_set_types(f->b, name, &f->header);
	/* The name is only borrowed: fold_finish() sets the period type. */
	f->header.period_type = (struct prof_value_type){ { 0 }, { 0 } };
	f->has_types = true;
	for (size_t i = 0; i < n && f->b->status == PROF_OK; i++)
		add_count_record(f, &recs[i]);
	return fold_status(f, err);
}

static enum prof_status on_symbol(void *ctx, uint64_t pc,
                                  const struct prof_symbol *frames, size_t n,
                                  struct prof_error *err)
{
	struct fold *f = ctx;

	address_map_add_symbol(&f->addresses, pc, frames, n);
	return fold_status(f, err);
}

static enum prof_status on_end(void *ctx, int64_t duration_ns, uint64_t lost,
                               struct prof_error *err)
{
	struct fold *f = ctx;

	f->header.duration_ns = duration_ns;
	f->lost = lost;
	return fold_status(f, err);
}

/* ---- Beginning and end ---- */

enum prof_status fold_new(struct fold **out, struct prof_recorder *to,
                          struct prof_builder *b,
                          const struct prof_read_options *options,
                          struct prof_error *err)
{
	const struct prof_allocator *a = &b->allocator;
	struct fold *f = mem_zeroed(a, 1, sizeof(*f));

	if (!f)
		return error_nomem(err);
	f->b = b;
	f->is_exact = options->go_exact;
	address_map_init(&f->addresses, b,
	                 f->is_exact ? ADDRESS_GO_EXACT : ADDRESS_CLEAN);
	count_groups_init(&f->counts, b);
	f->cpu.interner = (struct interner){ &f->cpu.stacks,
	                                     .seed = hash_seed() };
	f->cpu.expects_header = true;
	if (!byte_table_begin(&f->cpu.stacks, a))
		fail_nomem(f);
	if (options->kind) {
		f->kind_size = strlen(options->kind) + 1;
		f->kind = mem_resize(a, NULL, 0, f->kind_size);
		if (f->kind)
			memcpy(f->kind, options->kind, f->kind_size);
		else
			fail_nomem(f);
	}
	*to = (struct prof_recorder){
		.header = on_header, .mapping = on_mapping,
		.label_set = on_label_set, .words = on_words, .mem = on_mem,
		.block = on_block, .count = on_count, .symbol = on_symbol,
		.end = on_end, .ctx = f,
	};
	*out = f;
	return PROF_OK;
}

enum prof_status fold_finish(struct fold *f, struct prof_error *err)
{
	struct prof_builder *b = f->b;

	if (!f->kind || strcmp(f->kind, "cpu") == 0) {
		if (!f->has_types || f->cpu.groups.n)
			cpu_end_epoch(f);
	} else if (!f->has_types) {
		builder_fail(b, PROF_INVALID, "the recording has no profile "
		             "\"%.40s\"; it has: %s", f->kind, f->seen);
	}
	count_groups_finish(&f->counts);
	prof_set_header(b, &f->header);
	if (f->counts.groups.n)
		b->profile->period_type = b->profile->sample_types.data[0];
	return fold_status(f, err);
}

const char *fold_left_out(const struct fold *f)
{
	return !f->kind && strchr(f->seen, ' ') ? f->seen : NULL;
}

void fold_free(struct fold *f)
{
	const struct prof_allocator *a = &f->b->allocator;
	struct cpu_fold *c = &f->cpu;

	address_map_release(&f->addresses);
	count_groups_release(&f->counts);
	byte_table_release(&c->stacks, a);
	intern_release(&c->interner, a);
	vec_release(&c->groups, a);
	hash_index_release(&c->group_index, a);
	vec_release(&c->group_of_stack, a);
	hash_index_release(&c->tag_index, a);
	vec_release(&c->tags, a);
	mem_free(a, f->kind, f->kind_size);
	mem_free(a, f, sizeof(*f));
}
