/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX timers on the CPU clock of a thread, which any thread can make for
 * any other. They expire at the kernel's tick: si_overrun tells how many
 * periods went by, which is the weight of the sample. The calls are raw,
 * since glibc's timer_create() allocates and keeps a table of its own.
 */
#include "sampler/source.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

clockid_t source_cpu_clock(int tid)
{
	enum { PER_THREAD = 4, SCHED = 2 };

	return (clockid_t)(~(unsigned)tid << 3 | PER_THREAD | SCHED);
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000),
		                  (long)(ns % 1000000000) };
}

int source_ctimer_open(const struct source_wish *w, void *cookie)
{
	struct sigevent event;
	struct itimerspec when;
	int id = 0;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = w->signal;
	event.sigev_value.sival_ptr = cookie;
	event.sigev_notify_thread_id = w->tid;
	if (syscall(SYS_timer_create, source_cpu_clock(w->tid), &event, &id) < 0)
		return -errno;
	when.it_interval = to_timespec(w->period_ns);
	when.it_value = to_timespec(w->first_ns);
	if (syscall(SYS_timer_settime, id, 0, &when, NULL) < 0) {
		const int failure = -errno;

		syscall(SYS_timer_delete, id);
		return failure;
	}
	return id;
}

void source_ctimer_close(int id)
{
	syscall(SYS_timer_delete, id);
}
