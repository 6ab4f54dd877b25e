/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher's side of a shared state. The program may have written
 * anything into it: all is read with the bounds of this side.
 */
#include "sampler/record.h"
#include "sampler/ring.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct prof_target {
	struct state *state;
	int fd;
	uint64_t kinds;
	struct prof_str command;
	struct ring ring;
	struct recording recording;
	uint64_t scratch_tags[STATE_RING_TAGS];
	uint64_t scratch[STATE_RING_WORDS];
};

static bool put_labels(struct state_options *o,
                       const struct prof_label_pair *labels, size_t n)
{
	size_t at = 0, i;

	for (i = 0; i < n; i++) {
		const size_t key = strlen(labels[i].key) + 1;
		const size_t value = strlen(labels[i].value) + 1;

		if (key + value >= sizeof(o->labels) - at)
			return false;
		memcpy(o->labels + at, labels[i].key, key);
		memcpy(o->labels + at + key, labels[i].value, value);
		at += key + value;
	}
	return true;
}

static void put_options(struct state *s, const struct prof_target_options *o)
{
	s->options.kinds = o->kinds;
	s->options.cpu_hz = o->cpu_hz ? o->cpu_hz : 100;
	s->options.cpu_source = o->cpu_source;
	s->options.mem_rate = o->mem_rate ? o->mem_rate : 524288;
	s->options.block_rate_ns = o->block_rate_ns ? o->block_rate_ns : 1;
	s->options.wall_hz = o->wall_hz ? o->wall_hz : 100;
	s->options.mutex_fraction = o->mutex_fraction ? o->mutex_fraction : 1;
}

enum prof_status prof_target_new(struct prof_target **out,
                                 const struct prof_target_options *o,
                                 struct prof_error *err)
{
	struct prof_target *t = mem_zeroed(&mem_malloc, 1, sizeof(*t));
	enum prof_status status = PROF_OK;
	void *memory = MAP_FAILED;

	if (!t)
		return error_nomem(err);
	t->fd = memfd_create("profrec", MFD_CLOEXEC);
	if (t->fd >= 0 && ftruncate(t->fd, sizeof(*t->state)) == 0)
		memory = mmap(NULL, sizeof(*t->state), PROT_READ | PROT_WRITE,
		              MAP_SHARED, t->fd, 0);
	if (memory == MAP_FAILED) {
		status = error_set(err, PROF_SYSTEM,
		                   "cannot make shared memory");
		prof_target_free(t);
		return status;
	}
	t->state = memory;
	t->kinds = o->kinds;
	t->command = o->command;
	t->recording.state = t->state;
	put_options(t->state, o);
	if (!put_labels(&t->state->options, o->labels, o->n_labels)) {
		status = error_set(err, PROF_INVALID, "too many labels");
		prof_target_free(t);
		return status;
	}
	ring_init(&t->ring, &t->state->ring, t->state->ring_words,
	          STATE_RING_WORDS, t->state->ring_tags, STATE_RING_TAGS, 1);
	*out = t;
	return PROF_OK;
}

void prof_target_free(struct prof_target *t)
{
	if (!t)
		return;
	if (t->state)
		munmap(t->state, sizeof(*t->state));
	if (t->fd >= 0)
		close(t->fd);
	mem_free(&mem_malloc, t, sizeof(*t));
}

int prof_target_fd(const struct prof_target *t)
{
	return t->fd;
}

uint64_t prof_target_pid(const struct prof_target *t)
{
	return atomic_load(&t->state->pid);
}

void prof_target_get_counts(const struct prof_target *t,
                            struct prof_cpu_counts *out)
{
	cpu_counts_of(out, t->state);
}

bool prof_target_take_threads(struct prof_target *t)
{
	struct thread_table *table = &t->state->threads;
	const uint32_t asked = atomic_fetch_add(&table->asked, 1) + 1;
	const uint64_t until = sampler_now() + UINT64_C(2000000000);
	uint32_t answered;

	if (!(t->kinds & PROF_TARGET_THREAD))
		return false;
	thread_table_wake(&table->asked);
	while ((answered = atomic_load(&table->answered)) != asked &&
	       sampler_now() < until)
		thread_table_wait(&table->answered, answered, 100);
	return answered == asked;
}

void prof_target_stop(struct prof_target *t)
{
	atomic_store(&t->state->must_stop, 1);
	t->state->options.kinds = 0;
}

static uint64_t record_kinds(const struct prof_target *t)
{
	uint64_t kinds = 0;

	if (t->kinds & PROF_TARGET_CPU)
		kinds |= PROF_RECORDS_CPU;
	if (t->kinds & PROF_TARGET_HEAP)
		kinds |= PROF_RECORDS_MEM;
	if (t->kinds & (PROF_TARGET_THREADCREATE | PROF_TARGET_FD |
	                PROF_TARGET_THREAD))
		kinds |= PROF_RECORDS_COUNT;
	if (t->kinds &
	    (PROF_TARGET_BLOCK | PROF_TARGET_MUTEX | PROF_TARGET_WALL))
		kinds |= PROF_RECORDS_BLOCK;
	return kinds;
}

/*
 * A copy that the program cannot change while the recorder looks at it, and
 * whose lengths still add up.
 */
static size_t copy_chunk(struct prof_target *t, const struct ring_chunk *c,
                         size_t *n_records)
{
	size_t at = 0, i;

	memcpy(t->scratch, c->words, c->n_words * sizeof(uint64_t));
	memcpy(t->scratch_tags, c->tags, c->n_tags * sizeof(uint64_t));
	for (i = 0; i < c->n_tags; i++) {
		const uint64_t n = at < c->n_words ? t->scratch[at] : 0;

		if (n < 3 || n > c->n_words - at)
			break;
		at += (size_t)n;
	}
	*n_records = i;
	return at;
}

enum prof_status prof_target_drain(struct prof_target *t,
                                   const struct prof_recorder *r,
                                   struct prof_error *err)
{
	enum prof_status status = PROF_OK;
	struct ring_chunk chunk;
	size_t n_words, n_records;

	if (prof_target_pid(t) == 0)
		return PROF_OK;
	t->recording.to = r;
	if (!t->recording.has_header)
		status = record_header(&t->recording, t->command,
		                       record_kinds(t), err);
	while (status == PROF_OK &&
	       ring_read(&t->ring, &chunk) == RING_DATA) {
		n_words = copy_chunk(t, &chunk, &n_records);
		status = record_chunk(&t->recording, t->scratch, n_words,
		                      t->scratch_tags, n_records, err);
	}
	return status;
}

enum prof_status prof_target_tables(const struct prof_target *t,
                                    const struct prof_recorder *r,
                                    struct prof_error *err)
{
	struct recording *all = mem_zeroed(&mem_malloc, 1, sizeof(*all));
	enum prof_status status;

	if (!all)
		return error_nomem(err);
	all->state = t->state;
	all->to = r;
	status = record_header(all, t->command, record_kinds(t), err);
	if (status == PROF_OK)
		status = record_end(all, err);
	mem_free(&mem_malloc, all, sizeof(*all));
	return status;
}

enum prof_status prof_target_end(struct prof_target *t,
                                 const struct prof_recorder *r,
                                 struct prof_error *err)
{
	uint64_t none = 0;
	enum prof_status status;

	t->ring.writers_are_dead = true;
	atomic_compare_exchange_strong(&t->state->end_ns, &none, sampler_now());
	status = prof_target_drain(t, r, err);
	t->recording.to = r;
	if (status == PROF_OK && !t->recording.has_header)
		status = record_header(&t->recording, t->command,
		                       record_kinds(t), err);
	t->recording.lost += t->ring.n_unfinished;
	if (status == PROF_OK)
		status = record_end(&t->recording, err);
	return status;
}
