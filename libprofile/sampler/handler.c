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

/* What the clock says beyond the weights so far; negative: they are ahead. */
static int64_t owed_ns(const struct thread *t, uint64_t cpu_ns)
{
	return (int64_t)(cpu_ns - t->cpu_start_ns) -
	       atomic_load(&t->accounted_ns);
}

static bool has_few_calls(const struct thread *t)
{
	return atomic_load(&t->call_share) < CALL_SHARE_ALL / 16;
}

/* A mean over some 64 ticks. */
static void note_tick(struct thread *t, bool is_call)
{
	const uint32_t old = atomic_load(&t->call_share);

	atomic_store(&t->call_share,
	             old - old / 64 + (is_call ? CALL_SHARE_ALL / 64 : 0));
}

/*
 * Whole periods that a perf sample stands for beside its own.
 *
 * Where perf sees the kernel: signals that came while the thread was in a
 * long system call were merged into one. Where it is just leaving one, they
 * belong there.
 *
 * In user mode: what the clock says beyond the samples was in system calls,
 * and the timer's samples answer for those, or in page faults and interrupts.
 * Where there are few system calls it was the latter, and that belongs where
 * it came from: to this code, or code nearby.
 */
static uint64_t merged(const struct thread *t, uint64_t pc, uint64_t cpu_ns)
{
	const int64_t behind = owed_ns(t, cpu_ns) - (int64_t)t->first_ns +
	                       (int64_t)t->round_ns;

	if (cpu_run.source == PROF_CPU_PERF ? !machine_is_syscall(pc)
	                                    : !has_few_calls(t))
		return 0;
	return behind > 0 ? (uint64_t)behind / cpu_run.period_ns : 0;
}

/*
 * Beside perf events in user mode, timers stand for the kernel. Where there
 * are few system calls, or this is the first that is seen, a sample in one
 * weighs what the timer says: its periods that went by, at most 4 (a thread
 * that others crowd out may be passed over by many ticks), and none while the
 * account is ahead. Else it weighs what the clock says beyond all samples:
 * timers come with the tick, which may favour a phase of the program, and
 * clocks do not. Half of a usual weight is taken in advance, so that the
 * account is as often ahead as behind when the thread ends. Bounded, since
 * page faults are in it too.
 */
static uint64_t kernel_weight(struct thread *t, const siginfo_t *info,
                              uint64_t cpu_ns)
{
	const uint64_t ticks =
		1 + (uint64_t)(info->si_overrun > 0 ? info->si_overrun : 0);
	const uint32_t mean_8 = atomic_load(&t->mean_claim_8);
	const bool is_first = mean_8 == 0, is_by_clock = !has_few_calls(t);
	int64_t owed = owed_ns(t, cpu_ns) + (int64_t)(cpu_run.period_ns / 2);
	uint64_t weight = ticks < 4 ? ticks : 4;

	if (is_by_clock)
		owed += (int64_t)(cpu_run.period_ns * mean_8 / 16);
	if (!is_first && owed <= 0)
		weight = 0;
	else if (!is_first && is_by_clock)
		weight = (uint64_t)owed / cpu_run.period_ns;
	if (weight > 4 * ticks)
		weight = 4 * ticks;
	if (ticks <= 1 << 20) /* else the thread has slept through years */
		atomic_store(&t->mean_claim_8,
		             mean_8 > 0 ? mean_8 - mean_8 / 8 + (uint32_t)weight
		                        : 8 * (uint32_t)weight);
	return weight;
}

static uint64_t weight_of(struct thread *t, enum tick tick,
                          const siginfo_t *info, uint64_t pc, uint64_t cpu_ns)
{
	if (tick == TICK_PERF)
		return 1 + merged(t, pc, cpu_ns);
	if (cpu_run.source == PROF_CPU_PERF_USER && t->perf_fd >= 0) {
		note_tick(t, machine_is_syscall(pc));
		return machine_is_syscall(pc) ? kernel_weight(t, info, cpu_ns)
		                              : 0;
	}
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
	cpu_settle(t, cpu_ns, now);
	cpu_scan_if_due(now);
}

/* Who asked may have given up: then there is no answer, or it goes nowhere. */
static void answer(struct stack_request *r, const void *ucontext)
{
	uint32_t asked = request_asked(threads_my_tid());
	uint32_t taken = REQUEST_TAKEN;
	struct cfi_regs regs;

	if (!atomic_compare_exchange_strong(&r->state, &asked, REQUEST_TAKEN))
		return;
	machine_regs_of_signal(&regs, ucontext);
	r->n = unwind(r->pcs, r->max, &regs, UNWIND_AT_INSTRUCTION, &r->end);
	if (!atomic_compare_exchange_strong(&r->state, &taken, REQUEST_DONE))
		atomic_store(&r->state, REQUEST_NONE);
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
