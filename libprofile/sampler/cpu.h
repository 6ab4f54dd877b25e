/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_CPU_H
#define SAMPLER_CPU_H

/*
 * The CPU profile: arming threads, and the accounts that make the profile's
 * total the CPU time used.
 */

#include "sampler/ring.h"
#include "sampler/threads.h"
#include "sampler/unwind.h"

#include <profile/sampler.h>

#include <signal.h>

enum { CPU_SIGNAL = SIGPROF };

/* The run, in this process. The handler reads it while is_active. */
struct cpu_run {
	_Atomic uint32_t is_active, in_handler;
	enum prof_cpu_source source;
	uint64_t period_ns;
	struct ring ring;
	/* CPU time of threads that ended, less their weights: carried over,
	   so that many short threads add up. */
	_Atomic int64_t balance_ns;
	_Atomic uint64_t next_scan_ns;
	/* Of the thread that ended last, for those that live too shortly to
	   find out: see struct thread. */
	_Atomic uint32_t call_share;
};

extern struct cpu_run cpu_run;

/* ---- For the handler; all [signal-safe] ---- */

/* Writes a sample and counts it. */
void cpu_record(uint64_t time, uint64_t tag, uint64_t weight,
                const uint64_t *pcs, size_t n);

/*
 * After a sample: compares the thread's CPU clock, read as cpu_ns, with its
 * account. Once a second, what was owed all the time is settled: a thread is
 * always somewhere within a period, and samples to come may weigh more.
 */
void cpu_settle(struct thread *t, uint64_t cpu_ns, uint64_t now);

/* No more signals for this thread, which is the calling one. */
void cpu_silence(struct thread *t);

/* Arms new threads and frees rows of gone ones, at most twice a second. */
void cpu_scan_if_due(uint64_t now);

/* The handler itself, and who else wants the signal. */
void cpu_on_signal(int signal, siginfo_t *info, void *ucontext);
extern struct sigaction cpu_chained;

/*
 * A question for a thread's stack: cpu_request is cpu_interrupt()'s, the wall
 * clock's are in wall.h. Whose question was given up may have its signal
 * still to come, so the state names the thread that is asked: another will
 * not answer.
 */
struct stack_request {
	_Atomic uint32_t state; /* of enum request_state: a futex */
	uint64_t *pcs;
	size_t max, n;
	enum unwind_end end;
};
enum request_state {
	REQUEST_NONE,
	REQUEST_TAKEN,     /* the thread is at it */
	REQUEST_ABANDONED, /* it is, and nobody waits for it */
	REQUEST_DONE,
	REQUEST_STATES
};
extern struct stack_request cpu_request;

/* The state of a question that a thread has not taken yet. */
static inline uint32_t request_asked(uint32_t tid)
{
	return tid * REQUEST_STATES + REQUEST_NONE;
}

/*
 * Interrupts a thread and gets its stack; 0: it did not answer in time. One
 * caller at a time.
 */
size_t cpu_interrupt(uint32_t tid, uint64_t *pcs, size_t max,
                     enum unwind_end *end);

/* The handler is set, and stays: from then on the signal is ours. */
bool cpu_set_handler(struct prof_error *err);

/* ---- For hooks ---- */

/* Signals of ours may come: they are not to be blocked or handled by others,
   nor to be pending when the program is replaced. */
bool cpu_signal_is_used(void);

/* In a new thread; start_routine is a return address in it. */
void cpu_thread_begin(uint64_t start_routine);
void cpu_thread_end(void);

/* Around exec: no signal of ours may be pending when the program's handlers
   are gone. */
void cpu_before_exec(void);
void cpu_after_failed_exec(void);

/* The process ends: settles what can be settled without waiting for anybody,
   since _exit() may be called in any state. */
void cpu_finish(void);

/* In a forked child, where nothing is sampled until it is started anew. */
void cpu_after_fork(void);

#endif
