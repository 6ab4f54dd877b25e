/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/state.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/unwind.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

struct state *sampler_state;
static struct futex_lock state_lock;

void sampler_adopt(struct state *s)
{
	struct cfi_tables tables;

	s->magic = STATE_MAGIC;
	s->size = sizeof(*s);
	atomic_store(&s->pid, (uint64_t)getpid());
	atomic_store(&s->time_ns, sampler_epoch());
	atomic_store(&s->clock_ns, sampler_now());
	labels_keep_in(&s->labels);
	stacks_keep_in(&s->stacks);
	heap_keep_in(&s->mem);
	counts_keep_in(&s->counts);
	locks_keep_in(&s->block, &s->mutex);
	modules_log_to(&s->modules);
	/* Rules that are cached would keep modules out of the new log. */
	unwind_flush();
	modules_find(&tables, getauxval(AT_ENTRY));
	sampler_state = s;
}

bool sampler_init(struct prof_error *err)
{
	void *memory = NULL;

	sampler_watch_forks();
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

/* A state that was not yet there is made anew. */
void sampler_after_fork(void)
{
	memset(&state_lock, 0, sizeof(state_lock));
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
