/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/state.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/unwind.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct state *sampler_state;
static struct futex_lock state_lock;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = { 0, 0 };

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t sampler_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* splitmix64 over a shared counter. */
uint64_t sampler_random(void)
{
	static _Atomic uint64_t counter;
	uint64_t x = atomic_load(&counter);

	if (x == 0) {
		uint64_t seed = 0;

		syscall(SYS_getrandom, &seed, sizeof(seed), 1 /* no wait */);
		atomic_store(&counter, (seed ^ sampler_now()) | 1);
	}
	x = atomic_fetch_add(&counter, UINT64_C(0x9e3779b97f4a7c15));
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void sampler_adopt(struct state *s)
{
	s->magic = STATE_MAGIC;
	s->size = sizeof(*s);
	atomic_store(&s->pid, (uint64_t)getpid());
	atomic_store(&s->time_ns, (int64_t)clock_ns(CLOCK_REALTIME));
	atomic_store(&s->clock_ns, sampler_now());
	labels_keep_in(&s->labels);
	stacks_keep_in(&s->stacks);
	heap_keep_in(&s->mem);
	counts_keep_in(&s->counts);
	locks_keep_in(&s->block, &s->mutex);
	modules_log_to(&s->modules);
	/* Rules that are cached would keep modules out of the new log. */
	unwind_flush();
	modules_find(getauxval(AT_ENTRY));
	sampler_state = s;
}

bool sampler_init(struct prof_error *err)
{
	void *memory = NULL;

	futex_lock_take(&state_lock);
	if (!sampler_state) {
		memory = mmap(NULL, sizeof(*sampler_state),
		              PROT_READ | PROT_WRITE,
		              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		              0);
		if (memory != MAP_FAILED)
			sampler_adopt(memory);
	}
	futex_lock_give(&state_lock);
	if (!sampler_state)
		error_nomem(err);
	return sampler_state != NULL;
}

void cpu_counts_of(struct prof_cpu_counts *out, const struct state *s)
{
	const struct state_cpu *c = &s->cpu;

	*out = (struct prof_cpu_counts){
		.source = (enum prof_cpu_source)atomic_load(&c->source),
		.signals = atomic_load(&c->signals),
		.records = atomic_load(&c->records),
		.lost = atomic_load(&c->lost),
		.ignored = atomic_load(&c->ignored),
		.truncated = atomic_load(&c->truncated),
		.unsampled = atomic_load(&c->unsampled),
		.threads = atomic_load(&c->threads),
		.unarmed = atomic_load(&c->unarmed),
	};
}
