/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_STATE_H
#define SAMPLER_STATE_H

/*
 * All that the sampler records, in one piece of memory. Under profrec it is
 * a memfd that the launcher has mapped too, so that nothing is lost when the
 * program ends by _exit(), abort(), exec or SIGKILL; else it is private.
 *
 * It is large and mostly never touched: a page costs memory when it is first
 * written. The launcher trusts no length and no index in it.
 */

#include "sampler/clock.h"
#include "sampler/counts.h"
#include "sampler/heap.h"
#include "sampler/labels.h"
#include "sampler/lock.h"
#include "sampler/modules.h"
#include "sampler/ring.h"
#include "sampler/stacks.h"
#include "sampler/thread_table.h"

#include <profile/sampler.h>

enum {
	STATE_RING_WORDS = 1 << 17, /* 1 MiB, as Go's */
	STATE_RING_TAGS = 1 << 14,
	STATE_MAX_DEPTH = 128       /* frames of a CPU sample */
};

#define STATE_MAGIC UINT64_C(0x31656c69666f7270) /* "profile1" */

/* What is wished of a target: struct prof_target_options, and labels as
   "key\0value\0" up to an empty key. */
struct state_options {
	uint64_t kinds; /* of enum prof_target_kind */
	uint32_t cpu_hz, cpu_source;
	int64_t mem_rate, block_rate_ns;
	int32_t mutex_fraction;
	uint32_t wall_hz;
	char labels[1024];
};

struct state_cpu {
	_Atomic uint32_t source; /* of enum prof_cpu_source; 0: not started */
	_Atomic uint64_t hz;
	_Atomic uint64_t signals, records, lost, ignored, truncated;
	_Atomic uint64_t unsampled, threads, unarmed;
};

struct state {
	uint64_t magic, size;
	struct state_options options; /* the launcher's */
	_Atomic uint64_t pid;
	_Atomic int64_t time_ns;   /* since the epoch, when it began */
	_Atomic uint64_t clock_ns; /* the same on CLOCK_MONOTONIC */
	_Atomic uint64_t end_ns;   /* on that clock; 0: it goes on */
	_Atomic uint32_t must_stop; /* the launcher has what it wants */
	struct state_cpu cpu;
	struct ring_shared ring;
	struct module_log modules;
	struct label_table labels;
	struct stack_table stacks;
	struct mem_table mem;
	struct count_table counts;
	struct thread_table threads;
	struct wait_table block, mutex, wall; /* rate of wall: ns, while on */
	_Alignas(4096) _Atomic uint64_t ring_words[STATE_RING_WORDS];
	_Atomic uint64_t ring_tags[STATE_RING_TAGS];
};

/* The process's own; NULL before sampler_init(). */
extern struct state *sampler_state;

/* Makes a private state where there is none yet. False: out of memory. */
bool sampler_init(struct prof_error *err);

/* Makes forks harmless from now on, the first time it is called. */
void sampler_watch_forks(void);
void sampler_after_fork(void);

/* Uses this one, which is zero but for the options. Before any init. */
void sampler_adopt(struct state *s);

/* The records of a state that is not trusted, up to size of them; returns how
   many there are. */
size_t heap_records(struct prof_mem_record *recs, size_t size,
                    const struct state *s);

size_t lock_records(struct prof_block_record *recs, size_t size,
                    const struct wait_table *t,
                    const struct stack_table *stacks);
void cpu_counts_of(struct prof_cpu_counts *out, const struct state *s);

#endif
