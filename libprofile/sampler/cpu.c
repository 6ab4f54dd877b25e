/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts: a thread owes one period of weight for each period of its CPU
 * clock. Sources with a random first period are right on the average, so a
 * thread that ends hands its balance, of either sign, to the process; what
 * adds up there to a period or more was sampled by nobody and becomes a
 * record of PROF_PC_UNSAMPLED.
 */
#include "sampler/cpu.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/source.h"
#include "sampler/state.h"
#include "sampler/unwind.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cpu_run cpu_run;

static struct futex_lock cpu_lock;
static struct ring reader;     /* of who calls prof_cpu_read() */
static bool reader_is_at_end = true;
static _Atomic uint32_t handler_is_set;

/* Who interrupts others, and who is about to exec, keep clear of each other
   by these. */
static _Atomic uint32_t is_interrupting, n_execs;

/* ---- Records ---- */

void cpu_record(uint64_t time, uint64_t tag, uint64_t weight,
                const uint64_t *pcs, size_t n)
{
	struct state_cpu *c = &sampler_state->cpu;

	if (ring_write(&cpu_run.ring, time, tag, &weight, 1, pcs, n))
		atomic_fetch_add_explicit(&c->records, 1, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&c->lost, 1, memory_order_relaxed);
}

/* ---- Accounts ---- */

static void record_unsampled(const struct thread *t, uint64_t weight)
{
	uint64_t pcs[2] = { PROF_PC_UNSAMPLED, t->start_routine };

	atomic_fetch_add(&sampler_state->cpu.unsampled, weight);
	cpu_record(sampler_now(), 0, weight, pcs, t->start_routine ? 2 : 1);
}

/* Takes whole periods from the balance. */
static uint64_t take_owed(void)
{
	const int64_t period = (int64_t)cpu_run.period_ns;
	int64_t old = atomic_load(&cpu_run.balance_ns);

	do {
		if (old < period)
			return 0;
	} while (!atomic_compare_exchange_weak(&cpu_run.balance_ns, &old,
	                                       old % period));
	return (uint64_t)(old / period);
}

static int64_t owed_ns(const struct thread *t, uint64_t cpu_ns)
{
	return (int64_t)(cpu_ns - t->cpu_start_ns) -
	       atomic_load(&t->accounted_ns);
}

/* To the balance of the process. */
static void hand_over(struct thread *t, int64_t owed)
{
	uint64_t weight;

	atomic_fetch_add(&t->accounted_ns, owed);
	atomic_fetch_add(&cpu_run.balance_ns, owed);
	weight = take_owed();
	if (weight > 0)
		record_unsampled(t, weight);
}

void cpu_settle(struct thread *t, uint64_t cpu_ns, uint64_t now)
{
	const int64_t owed = owed_ns(t, cpu_ns);
	int64_t least = atomic_load(&t->least_owed_ns);

	if (owed < least) {
		least = owed;
		atomic_store(&t->least_owed_ns, least);
	}
	if (now < atomic_load(&t->next_settle_ns))
		return;
	atomic_store(&t->next_settle_ns, now + 1000000000);
	atomic_store(&t->least_owed_ns, INT64_MAX);
	if (least >= 2 * (int64_t)cpu_run.period_ns)
		hand_over(t, least);
}

/* ---- Arming ---- */

static uint64_t clock_of(uint32_t tid, uint64_t otherwise)
{
	struct timespec t;

	if (clock_gettime(source_cpu_clock((int)tid), &t) != 0)
		return otherwise;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool open_sources(struct thread *t, const struct source_wish *w,
                         enum prof_cpu_source source)
{
	t->perf_fd = t->timer = -1;
	if (source != PROF_CPU_TIMER)
		t->perf_fd = source_perf_open(w, source == PROF_CPU_PERF
		                                         ? SOURCE_ALL
		                                         : SOURCE_USER);
	if (source != PROF_CPU_PERF)
		t->timer = source_ctimer_open(w, &cpu_run);
	return (source == PROF_CPU_TIMER || t->perf_fd >= 0) &&
	       (source == PROF_CPU_PERF || t->timer >= 0);
}

static void close_sources(struct thread *t)
{
	if (t->perf_fd >= 0)
		source_perf_close(t->perf_fd);
	if (t->timer >= 0)
		source_ctimer_close(t->timer);
	t->perf_fd = t->timer = -1;
}

void cpu_silence(struct thread *t)
{
	close_sources(t);
}

/* Where perf runs out of descriptors, a timer serves that thread. */
static bool open_any_source(struct thread *t, uint32_t tid)
{
	struct source_wish w = { (int)tid, CPU_SIGNAL, cpu_run.period_ns, 0 };

	w.first_ns = t->first_ns = 1 + sampler_random() % w.period_ns;
	if (open_sources(t, &w, cpu_run.source))
		return true;
	close_sources(t);
	return cpu_run.source != PROF_CPU_TIMER &&
	       open_sources(t, &w, PROF_CPU_TIMER);
}

/* The row must be in phase ENDING and the caller's. */
static void disarm(struct thread *t)
{
	const uint64_t nothing = t->cpu_start_ns +
	                         (uint64_t)atomic_load(&t->accounted_ns);

	close_sources(t);
	hand_over(t, owed_ns(t, clock_of(atomic_load(&t->tid), nothing)));
	atomic_store(&cpu_run.call_share, atomic_load(&t->call_share));
	threads_free(t);
}

/* What of a thread's CPU time is ours to account for. */
enum arming { FROM_NOW, FROM_ITS_START };

static void arm(uint32_t tid, uint64_t start_routine, enum arming from)
{
	struct state_cpu *c = &sampler_state->cpu;
	bool is_known;
	struct thread *t;

	if (threads_are_hidden(tid))
		return;
	t = threads_claim(tid, &is_known);
	if (is_known)
		return;
	if (!t) {
		atomic_fetch_add(&c->unarmed, 1);
		return;
	}
	t->start_routine = start_routine;
	t->cpu_start_ns = from == FROM_NOW ? clock_of(tid, 0) : 0;
	atomic_store(&t->accounted_ns, 0);
	atomic_store(&t->period_is_set, 0);
	atomic_store(&t->least_owed_ns, INT64_MAX);
	atomic_store(&t->call_share, atomic_load(&cpu_run.call_share));
	atomic_store(&t->mean_claim_8, 0);
	t->round_ns = sampler_random() % cpu_run.period_ns;
	atomic_store(&t->next_settle_ns, sampler_now() + 1000000000);
	atomic_fetch_add(open_any_source(t, tid) ? &c->threads : &c->unarmed,
	                 1);
	atomic_store(&t->phase, THREAD_ARMED);
	/* The run may have ended while we armed: nobody else will see it. */
	if (!atomic_load(&cpu_run.is_active) && threads_begin_end(t))
		disarm(t);
}

/* Waits out somebody else's arming; false: the row is gone. */
static bool end_when_armed(struct thread *t, uint32_t tid)
{
	while (atomic_load(&t->tid) == tid) {
		if (threads_begin_end(t))
			return true;
		if (atomic_load(&t->phase) == THREAD_ENDING)
			return false;
		sched_yield();
	}
	return false;
}

void cpu_thread_begin(uint64_t start_routine)
{
	if (atomic_load(&cpu_run.is_active))
		arm(threads_my_tid(), start_routine, FROM_ITS_START);
}

void cpu_thread_end(void)
{
	struct thread *t = threads_self();

	if (t && end_when_armed(t, threads_my_tid()))
		disarm(t);
}

/* ---- Scanning ---- */

static void arm_found(uint32_t tid, void *ctx)
{
	arm(tid, 0, *(const enum arming *)ctx);
}

static void free_gone(void)
{
	const pid_t pid = getpid();
	uint32_t i = 0;
	struct thread *t;

	while ((t = threads_next(&i))) {
		const uint32_t tid = atomic_load(&t->tid);

		if (atomic_load(&t->phase) != THREAD_ARMED || tid == 0 ||
		    syscall(SYS_tgkill, pid, tid, 0) == 0 || errno != ESRCH)
			continue;
		if (threads_begin_end(t))
			disarm(t);
	}
}

void cpu_scan_if_due(uint64_t now)
{
	uint64_t due = atomic_load(&cpu_run.next_scan_ns);
	enum arming from = FROM_ITS_START;

	if (now < due || !atomic_compare_exchange_strong(
				 &cpu_run.next_scan_ns, &due, now + 500000000))
		return;
	free_gone();
	threads_each_tid(arm_found, &from);
}

/* ---- Start and stop ---- */

/* The first source that can be opened for the calling thread. */
static enum prof_cpu_source probe(enum prof_cpu_source wish)
{
	enum prof_cpu_source source = PROF_CPU_PERF;
	/* So long a period that it never comes. */
	struct source_wish w = { (int)threads_my_tid(), CPU_SIGNAL,
		                 UINT64_C(1) << 60, UINT64_C(1) << 60 };
	struct thread t;

	if (wish != PROF_CPU_AUTO)
		source = wish;
	for (; source <= PROF_CPU_TIMER; source++) {
		const bool works = open_sources(&t, &w, source);

		close_sources(&t);
		if (works)
			return source;
		if (wish != PROF_CPU_AUTO)
			break;
	}
	return PROF_CPU_AUTO;
}

static bool set_handler(struct prof_error *err)
{
	struct sigaction action;

	if (atomic_load(&handler_is_set))
		return true;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = cpu_on_signal;
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	sigemptyset(&action.sa_mask);
	if (sigaction(CPU_SIGNAL, &action, &cpu_chained) != 0) {
		error_set(err, PROF_SYSTEM, "cannot set a signal handler");
		return false;
	}
	atomic_store(&handler_is_set, 1);
	return true;
}

bool cpu_set_handler(struct prof_error *err)
{
	bool is_set;

	futex_lock_take(&cpu_lock);
	is_set = set_handler(err);
	futex_lock_give(&cpu_lock);
	return is_set;
}

bool cpu_signal_is_used(void)
{
	return atomic_load(&handler_is_set);
}

/* Asks and waits; fills the request. */
static void interrupt(struct stack_request *r, uint32_t tid)
{
	const struct timespec patience = { 0, 200000000 };
	uint32_t asked = request_asked(tid);
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_value.sival_ptr = r;
	atomic_store(&r->state, asked);
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, CPU_SIGNAL, &info) == 0)
		syscall(SYS_futex, &r->state, FUTEX_WAIT_PRIVATE, asked,
		        &patience, NULL, 0);
	/* Who has taken the request by now will be done soon. */
	if (!atomic_compare_exchange_strong(&r->state, &asked, REQUEST_NONE))
		while (atomic_load(&r->state) == REQUEST_TAKEN)
			sched_yield();
}

size_t cpu_interrupt(uint32_t tid, uint64_t *pcs, size_t max,
                     enum unwind_end *end)
{
	struct stack_request *r = &cpu_request;

	r->pcs = pcs;
	r->max = max;
	r->n = 0;
	if (!cpu_set_handler(NULL))
		return 0;
	atomic_store(&is_interrupting, 1);
	if (atomic_load(&n_execs) == 0)
		interrupt(r, tid);
	atomic_store(&is_interrupting, 0);
	*end = r->end;
	return r->n;
}

static void init_ring(struct ring *ring, uint32_t n_words)
{
	struct state *s = sampler_state;

	ring_init(ring, &s->ring, s->ring_words, n_words, s->ring_tags,
	          STATE_RING_TAGS, 1);
}

static void reset(const struct prof_cpu_options *o)
{
	struct state *s = sampler_state;
	const uint64_t hz = o->hz ? o->hz : 100;
	const uint32_t n_words = o->log_words ? o->log_words
	                                      : STATE_RING_WORDS;

	memset(&s->cpu, 0, sizeof(s->cpu));
	if (atomic_load(&s->ring.w) != 0) {
		memset((void *)s->ring_words, 0, sizeof(s->ring_words));
		memset((void *)s->ring_tags, 0, sizeof(s->ring_tags));
	}
	memset(&s->ring, 0, sizeof(s->ring));
	init_ring(&cpu_run.ring, n_words);
	init_ring(&reader, n_words);
	atomic_store(&s->cpu.hz, hz);
	atomic_store(&s->cpu.source, cpu_run.source);
	cpu_run.period_ns = 1000000000 / hz;
	atomic_store(&cpu_run.balance_ns, 0);
	atomic_store(&cpu_run.call_share, 0);
	atomic_store(&cpu_run.next_scan_ns, sampler_now() + 500000000);
	ring_write(&cpu_run.ring, sampler_now(), 0, &hz, 1, NULL, 0);
}

static bool is_valid(const struct prof_cpu_options *o)
{
	const uint32_t n = o->log_words ? o->log_words : STATE_RING_WORDS;

	return o->hz <= 1000000 && o->source <= PROF_CPU_TIMER && n >= 512 &&
	       n <= STATE_RING_WORDS && (n & (n - 1)) == 0;
}

enum prof_status prof_cpu_start(const struct prof_cpu_options *options,
                                struct prof_error *err)
{
	struct prof_cpu_options o = { .size = sizeof(o) };
	enum prof_status status = PROF_OK;
	enum arming from = FROM_NOW;

	if (options)
		memcpy(&o, options,
		       options->size < sizeof(o) ? options->size : sizeof(o));
	if (!is_valid(&o))
		return error_set(err, PROF_INVALID,
		                 "CPU rate, source or log out of range");
	if (!sampler_init(err))
		return PROF_NOMEM;
	futex_lock_take(&cpu_lock);
	if (atomic_load(&cpu_run.is_active) || !reader_is_at_end) {
		status = error_set(err, PROF_BUSY,
		                   "CPU profiling is already in use");
		goto done;
	}
	if (!set_handler(err)) {
		status = PROF_SYSTEM;
		goto done;
	}
	cpu_run.source = probe(o.source);
	if (cpu_run.source == PROF_CPU_AUTO) {
		status = error_set(err, PROF_UNSUPPORTED,
		                   "the kernel offers no such CPU clock");
		goto done;
	}
	reset(&o);
	reader_is_at_end = false;
	atomic_store(&cpu_run.is_active, 1);
	if (!threads_each_tid(arm_found, &from))
		arm(threads_my_tid(), 0, FROM_NOW);
done:
	futex_lock_give(&cpu_lock);
	return status;
}

void prof_cpu_stop(void)
{
	uint32_t i = 0;
	struct thread *t;

	futex_lock_take(&cpu_lock);
	/* Handlers that come from here on do nothing: what they miss is
	   settled. */
	if (!atomic_exchange(&cpu_run.is_active, 0))
		goto done;
	while ((t = threads_next(&i))) {
		const uint32_t tid = atomic_load(&t->tid);

		if (tid != 0 && end_when_armed(t, tid))
			disarm(t);
	}
	while (atomic_load(&cpu_run.in_handler) != 0)
		sched_yield();
	atomic_store(&sampler_state->end_ns, sampler_now());
	ring_close(&cpu_run.ring);
done:
	futex_lock_give(&cpu_lock);
}

/* ---- Reading ---- */

static enum prof_got got(enum ring_got result, const struct ring_chunk *chunk,
                         struct prof_chunk *out)
{
	*out = (struct prof_chunk){ chunk->words, chunk->n_words, chunk->tags,
		                    chunk->n_tags };
	if (result == RING_EOF)
		reader_is_at_end = true;
	return result == RING_DATA  ? PROF_GOT_CHUNK
	       : result == RING_EOF ? PROF_GOT_END
	                            : PROF_GOT_NOTHING;
}

/* What has to be looked at now and then, by who reads. */
static void look_around(void)
{
	if (!atomic_load(&cpu_run.is_active))
		return;
	cpu_scan_if_due(sampler_now());
	if (modules_have_gone()) {
		unwind_flush();
		modules_after_unload();
	}
}

enum prof_got prof_cpu_poll(struct prof_chunk *out)
{
	struct ring_chunk chunk = { 0 };

	if (reader_is_at_end)
		return got(RING_EOF, &chunk, out);
	look_around();
	return got(ring_read(&reader, &chunk), &chunk, out);
}

enum prof_got prof_cpu_read(struct prof_chunk *out)
{
	struct ring_chunk chunk = { 0 };
	enum ring_got result = reader_is_at_end ? RING_EOF : RING_EMPTY;

	while (result == RING_EMPTY) {
		look_around();
		result = ring_wait(&reader, &chunk, 250000000);
	}
	return got(result, &chunk, out);
}

void prof_cpu_get_counts(struct prof_cpu_counts *out)
{
	memset(out, 0, sizeof(*out));
	if (sampler_state)
		cpu_counts_of(out, sampler_state);
}

/* ---- Exec, exit and fork ---- */

void cpu_finish(void)
{
	uint32_t i = 0;
	struct thread *t;

	if (!atomic_exchange(&cpu_run.is_active, 0))
		return;
	while ((t = threads_next(&i)))
		if (threads_begin_end(t))
			disarm(t);
	atomic_store(&sampler_state->end_ns, sampler_now());
}

void cpu_before_exec(void)
{
	struct thread *t = threads_self();
	const struct timespec no_wait = { 0, 0 };
	const uint64_t end = sampler_now() + 1000000000;
	sigset_t ours, old;

	atomic_fetch_add(&n_execs, 1);
	if (!cpu_signal_is_used())
		return;
	/* Not for ever: a handler that interrupted who asks may be here. */
	while (atomic_load(&is_interrupting) && sampler_now() < end)
		sched_yield();
	sigemptyset(&ours);
	sigaddset(&ours, CPU_SIGNAL);
	/* Raw, as sigprocmask() may be a hook that spares our signal. */
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &ours, &old, 8);
	if (t && end_when_armed(t, threads_my_tid()))
		disarm(t);
	/* Raw: sigtimedwait() is a cancellation point. */
	while (syscall(SYS_rt_sigtimedwait, &ours, NULL, &no_wait, 8) > 0)
		;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
}

void cpu_after_failed_exec(void)
{
	atomic_fetch_sub(&n_execs, 1);
	if (atomic_load(&cpu_run.is_active))
		arm(threads_my_tid(), 0, FROM_NOW);
}

void cpu_after_fork(void)
{
	uint32_t i = 0;
	struct thread *t;

	while ((t = threads_next(&i))) {
		/* The event is the parent's: close it, leave it enabled. */
		if (atomic_load(&t->tid) != 0 && t->perf_fd >= 0)
			syscall(SYS_close, t->perf_fd);
	}
	threads_after_fork();
	memset(&cpu_lock, 0, sizeof(cpu_lock));
	memset(&cpu_run, 0, sizeof(cpu_run));
	memset(&cpu_request, 0, sizeof(cpu_request));
	atomic_store(&is_interrupting, 0);
	atomic_store(&n_execs, 0);
	reader_is_at_end = true;
}
