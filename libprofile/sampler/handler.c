/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signal handler. It takes no lock, allocates nothing, and calls no
 * stdio; tests/arch checks the closure of what it calls. Its stack is about
 * 3 KiB: programs have stacks of 16.
 */
#include "sampler/cpu.h"
#include "sampler/labels.h"
#include "sampler/machine.h"
#include "sampler/source.h"
#include "sampler/state.h"
#include "sampler/unwind.h"
#include "sampler/wall.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sigaction cpu_chained;

struct stack_request cpu_request;

enum tick { TICK_PERF, TICK_TIMER, TICK_REQUEST, TICK_FOREIGN };

static bool is_request(const void *cookie)
{
	const uintptr_t at = (uintptr_t)cookie;

	return cookie == &cpu_request ||
	       at - (uintptr_t)wall_requests < sizeof(wall_requests);
}

static enum tick tick_of(const siginfo_t *info)
{
	if (info->si_code == SI_TIMER && info->si_value.sival_ptr == &cpu_run)
		return TICK_TIMER;
	if (info->si_code == POLL_IN)
		return TICK_PERF;
	if (info->si_code == SI_QUEUE && is_request(info->si_value.sival_ptr))
		return TICK_REQUEST;
	return TICK_FOREIGN;
}

/* Somebody else's signal: to the handler that was there before us. */
static void pass_on(int signal, siginfo_t *info, void *ucontext)
{
	if (cpu_chained.sa_flags & SA_SIGINFO)
		cpu_chained.sa_sigaction(signal, info, ucontext);
	else if (cpu_chained.sa_handler != SIG_DFL &&
	         cpu_chained.sa_handler != SIG_IGN)
		cpu_chained.sa_handler(signal);
}

static uint64_t cpu_now(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/*
 * Perf signals that came while the thread was in a long system call were
 * merged into one. Where it is just leaving one, they belong there.
 */
static uint64_t merged(const struct thread *t, uint64_t pc, uint64_t cpu_ns)
{
	const int64_t behind =
		(int64_t)(cpu_ns - t->cpu_start_ns - t->first_ns) -
		atomic_load(&t->accounted_ns) +
		(int64_t)(cpu_run.period_ns / 2);

	if (cpu_run.source != PROF_CPU_PERF || behind < 0 ||
	    !machine_is_syscall(pc))
		return 0;
	return (uint64_t)behind / cpu_run.period_ns;
}

/*
 * Beside perf events in user mode, timers stand for the kernel. They come
 * with the tick, which may favour a phase of the program; but what the clock
 * says beyond the samples in user mode is the kernel's, and that is what a
 * sample in a system call weighs. Bounded, since page faults and the like are
 * in it too, which are nobody's system call.
 */
static uint64_t kernel_weight(const struct thread *t, const siginfo_t *info,
                              uint64_t cpu_ns)
{
	const int64_t owed = (int64_t)(cpu_ns - t->cpu_start_ns) -
	                     atomic_load(&t->accounted_ns) +
	                     (int64_t)(cpu_run.period_ns / 2);
	const uint64_t most =
		4 + 4 * (uint64_t)(info->si_overrun > 0 ? info->si_overrun : 0);
	uint64_t weight;

	if (owed < 0)
		return 0;
	weight = (uint64_t)owed / cpu_run.period_ns;
	return weight < most ? weight : most;
}

static uint64_t weight_of(struct thread *t, enum tick tick,
                          const siginfo_t *info, uint64_t pc, uint64_t cpu_ns)
{
	if (tick == TICK_PERF)
		return 1 + merged(t, pc, cpu_ns);
	if (cpu_run.source == PROF_CPU_PERF_USER && t->perf_fd >= 0)
		return machine_is_syscall(pc) ? kernel_weight(t, info, cpu_ns)
		                              : 0;
	return 1 + (uint64_t)(info->si_overrun > 0 ? info->si_overrun : 0);
}

static void sample(enum tick tick, const siginfo_t *info, void *ucontext)
{
	struct thread *t = threads_self();
	uint64_t pcs[STATE_MAX_DEPTH + 1], weight, cpu_ns, now;
	struct cfi_regs regs;
	enum unwind_end end;
	size_t n;

	atomic_fetch_add_explicit(&sampler_state->cpu.signals, 1,
	                          memory_order_relaxed);
	if (!t) {
		atomic_fetch_add(&sampler_state->cpu.ignored, 1);
		return;
	}
	if (atomic_load_explicit(&sampler_state->must_stop,
	                         memory_order_relaxed)) {
		cpu_silence(t);
		return;
	}
	now = sampler_now();
	cpu_ns = cpu_now();
	machine_regs_of_signal(&regs, ucontext);
	if (tick == TICK_PERF && !atomic_exchange(&t->period_is_set, 1))
		source_perf_set_period(t->perf_fd, cpu_run.period_ns);
	weight = weight_of(t, tick, info, regs.values[MACHINE_PC], cpu_ns);
	if (weight == 0) {
		atomic_fetch_add_explicit(&sampler_state->cpu.ignored, 1,
		                          memory_order_relaxed);
		return;
	}
	n = unwind(pcs, STATE_MAX_DEPTH, &regs, UNWIND_AT_INSTRUCTION, &end);
	if (end != UNWIND_COMPLETE) {
		pcs[n++] = PROF_PC_TRUNCATED;
		atomic_fetch_add_explicit(&sampler_state->cpu.truncated, 1,
		                          memory_order_relaxed);
	}
	atomic_fetch_add(&t->accounted_ns,
	                 (int64_t)(weight * cpu_run.period_ns));
	cpu_record(now, labels_tag(), weight, pcs, n);
	if (now >= atomic_load(&t->next_settle_ns)) {
		atomic_store(&t->next_settle_ns, now + 1000000000);
		cpu_settle(t, cpu_ns, CPU_LIVES);
	}
	cpu_scan_if_due(now);
}

/* Who asked may have given up: then the answer goes nowhere. */
static void answer(struct stack_request *r, const void *ucontext)
{
	uint32_t asked = REQUEST_ASKED;
	struct cfi_regs regs;

	if (!atomic_compare_exchange_strong(&r->state, &asked, REQUEST_TAKEN))
		return;
	machine_regs_of_signal(&regs, ucontext);
	r->n = unwind(r->pcs, r->max, &regs, UNWIND_AT_INSTRUCTION, &r->end);
	atomic_store(&r->state, REQUEST_DONE);
	if (r == &cpu_request) /* others look again anyway */
		syscall(SYS_futex, &r->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL,
		        0);
}

void cpu_on_signal(int signal, siginfo_t *info, void *ucontext)
{
	const int saved_errno = errno;
	const enum tick tick = tick_of(info);

	if (tick == TICK_FOREIGN) {
		pass_on(signal, info, ucontext);
	} else if (tick == TICK_REQUEST) {
		answer(info->si_value.sival_ptr, ucontext);
	} else {
		atomic_fetch_add(&cpu_run.in_handler, 1);
		if (atomic_load(&cpu_run.is_active))
			sample(tick, info, ucontext);
		atomic_fetch_sub(&cpu_run.in_handler, 1);
	}
	errno = saved_errno;
}
