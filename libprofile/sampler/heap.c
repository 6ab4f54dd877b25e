/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks are sampled with probability 1 - exp(-(size + 1) / rate): a thread
 * counts bytes down from a gap drawn from the exponential distribution,
 * -rate * ln(u), which has no memory, so a new gap may start at each sample.
 *
 * The addresses of sampled blocks are in an open-address table of this
 * process, and their number by hash in heap_filter[].
 */
#include "sampler/heap.h"

#include "sampler/clock.h"
#include "sampler/futex_lock.h"
#include "sampler/stacks.h"
#include "sampler/unwind.h"

#include <profile/sampler.h>

#include <math.h>
#include <string.h>
#include <sys/mman.h>

/* While it is off a thread looks at the rate again after so many bytes. */
enum { OFF_GAP = 1 << 20, LIVE_MIN = 1 << 10 };

_Thread_local uint64_t heap_counter
	__attribute__((tls_model("initial-exec"))) = UINT64_MAX;
uint8_t heap_filter[1 << 16];

static _Thread_local bool has_gap;
static _Thread_local uint64_t random_state;

static struct mem_table *mem_table;
static struct table_lock heap_table_lock;

/* Address and bucket of sampled blocks; address 0 is free, 1 was. */
struct live_block {
	uintptr_t address;
	uint32_t bucket;
};
static struct {
	struct live_block *blocks;
	size_t size, used; /* used: those that are not 0 */
	size_t n;
} live;

void heap_keep_in(struct mem_table *table)
{
	mem_table = table;
}

void heap_lock(void)
{
	table_lock_take(&heap_table_lock);
}

void heap_unlock(void)
{
	table_lock_give(&heap_table_lock);
}

/* ---- Gaps ---- */

/* Uniform in (0, 1], 53 bits; xorshift64*. */
static double random_unit(void)
{
	uint64_t x = random_state ? random_state : sampler_random() | 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return ((double)(x * UINT64_C(0x2545f4914f6cdd1d) >> 11) + 1) *
	       0x1p-53;
}

/*
 * -ln(x) for x in (0, 1], to 1e-9: libm would be loaded into every program
 * for this. x = m * 2^e; ln m = 2 artanh((m - 1) / (m + 1)).
 */
static double minus_log(double x)
{
	int exponent;
	/* frexp() is in libc; its fraction is in [0.5, 1). */
	const double m = frexp(x, &exponent);
	const double s = (m - 1) / (m + 1), s2 = s * s;
	double sum = 0, power = s;
	int i;

	for (i = 1; i < 21; i += 2, power *= s2)
		sum += power / i;
	return -(2 * sum + exponent * 0.69314718055994530942);
}

static int64_t draw_gap(int64_t rate)
{
	const double gap = minus_log(random_unit()) * (double)rate;

	return gap < 0x1p61 ? (int64_t)gap + 1 : INT64_C(1) << 61;
}

static void wait_for(int64_t gap)
{
	heap_counter = 0 - (uint64_t)gap;
}

bool heap_draw(size_t size)
{
	const int64_t rate = mem_table ? atomic_load(&mem_table->rate) : 0;
	const bool had_gap = has_gap;

	if (rate <= 0) {
		wait_for(OFF_GAP);
		has_gap = false;
		return false;
	}
	if (rate == 1) {
		wait_for(1); /* every block comes here */
		return true;
	}
	wait_for(draw_gap(rate));
	has_gap = true;
	if (had_gap)
		return true;
	/* The first block of a thread is no more likely than any other. */
	if (!heap_is_due(size))
		return false;
	wait_for(draw_gap(rate));
	return true;
}

/* ---- Buckets ---- */

/* With the lock held. Returns 0 where there is no room. */
static uint32_t find_bucket(struct mem_table *t, uint32_t stack, uint64_t size)
{
	uint64_t h = (stack ^ size << 22) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t slot = (uint32_t)(h >> 40), probes, i;

	for (probes = 0; probes < MEM_INDEX; probes++, slot++) {
		i = atomic_load(&t->index[slot % MEM_INDEX]);
		if (i == 0)
			break;
		if (t->buckets[i].stack == stack && t->buckets[i].size == size)
			return i;
	}
	i = atomic_load(&t->n) + 1;
	if (i == MEM_BUCKETS)
		return 0;
	t->buckets[i].stack = stack;
	t->buckets[i].size = size;
	atomic_store(&t->n, i);
	atomic_store(&t->index[slot % MEM_INDEX], i);
	return i;
}

/* ---- Live blocks; all with the lock held ---- */

static size_t live_home(uintptr_t address)
{
	return (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 20);
}

static struct live_block *live_find(uintptr_t address)
{
	size_t i, probes;

	for (i = live_home(address), probes = 0; probes < live.size;
	     i++, probes++) {
		struct live_block *b = &live.blocks[i & (live.size - 1)];

		if (b->address == address)
			return b;
		if (b->address == 0)
			return NULL;
	}
	return NULL;
}

static void live_put(uintptr_t address, uint32_t bucket)
{
	size_t i = live_home(address);

	while (live.blocks[i & (live.size - 1)].address > 1)
		i++;
	i &= live.size - 1;
	live.used += live.blocks[i].address == 0;
	live.blocks[i] = (struct live_block){ address, bucket };
	live.n++;
}

/* Keeps a quarter free; false: out of memory. */
static bool live_make_room(void)
{
	struct live_block *old = live.blocks;
	const size_t old_size = live.size;
	size_t size = LIVE_MIN, i;
	void *memory;

	if (live.used + 1 <= live.size - live.size / 4)
		return true;
	while (size < live.n * 2 + LIVE_MIN)
		size *= 2;
	memory = mmap(NULL, size * sizeof(*old), PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	live.blocks = memory;
	live.size = size;
	live.n = live.used = 0;
	for (i = 0; i < old_size; i++)
		if (old[i].address > 1)
			live_put(old[i].address, old[i].bucket);
	if (old)
		munmap(old, old_size * sizeof(*old));
	return true;
}

static void filter_add(const void *block)
{
	uint8_t *byte = &heap_filter[heap_hash(block)];

	if (*byte != UINT8_MAX)
		++*byte;
}

static void filter_remove(const void *block)
{
	uint8_t *byte = &heap_filter[heap_hash(block)];

	if (*byte != UINT8_MAX)
		--*byte;
}

/* ---- What hooks call ---- */

void heap_note(void *block, size_t size, const struct cfi_regs *regs)
{
	uint64_t pcs[MEM_DEPTH];
	enum unwind_end end;
	size_t n;
	uint32_t stack, bucket = 0;

	if (!block || !mem_table)
		return;
	n = unwind(pcs, MEM_DEPTH - 1, regs, UNWIND_AT_CALL, &end);
	if (end == UNWIND_TRUNCATED)
		pcs[n++] = PROF_PC_TRUNCATED;
	stack = stacks_intern(pcs, n);
	heap_lock();
	if (stack != 0 && live_make_room())
		bucket = find_bucket(mem_table, stack, size);
	if (bucket != 0) {
		atomic_fetch_add(&mem_table->buckets[bucket].allocs, 1);
		live_put((uintptr_t)block, bucket);
		filter_add(block);
	} else {
		atomic_fetch_add(&mem_table->lost, 1);
	}
	heap_unlock();
}

uint32_t heap_take(const void *block)
{
	struct live_block *b;
	uint32_t bucket = 0;

	heap_lock();
	b = live_find((uintptr_t)block);
	if (b) {
		bucket = b->bucket;
		b->address = 1;
		live.n--;
		filter_remove(block);
	}
	heap_unlock();
	return bucket;
}

void heap_put_back(const void *block, uint32_t bucket)
{
	heap_lock();
	if (bucket != 0 && live_make_room()) {
		live_put((uintptr_t)block, bucket);
		filter_add(block);
	}
	heap_unlock();
}

void heap_count_free(uint32_t bucket)
{
	if (bucket != 0)
		atomic_fetch_add(&mem_table->buckets[bucket].frees, 1);
}

void heap_after_fork(void)
{
	size_t i;

	mem_table = NULL;
	for (i = 0; i < sizeof(heap_filter); i++)
		if (heap_filter[i] != UINT8_MAX)
			heap_filter[i] = 0;
	if (live.blocks)
		munmap(live.blocks, live.size * sizeof(*live.blocks));
	memset(&live, 0, sizeof(live));
	has_gap = false;
	wait_for(1);
}
