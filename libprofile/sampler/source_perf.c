/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf_event_open(2) with the software event cpu-clock: a high-resolution
 * timer that runs while the thread does. It needs no PMU, and unlike CPU
 * timers it is not bound to the kernel's tick, so no phase of a program is
 * favoured.
 *
 * The event has no ring buffer: a wake-up for each overflow becomes a signal
 * by O_ASYNC. It is enabled once; PERF_EVENT_IOC_REFRESH with cpu-clock hangs
 * Linux 6.16 and 6.17. close() and fcntl() may be hooks of ours, which no
 * handler may run, and which would call the events the program's: they are
 * raw.
 */
#include "sampler/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Out of the way of programs that expect the lowest numbers. */
enum { HIGH_FD = 800, MIN_FIRST_NS = 100000 };

static int deliver_to(int fd, int tid, int signal)
{
	struct f_owner_ex owner = { F_OWNER_TID, tid };

	if (syscall(SYS_fcntl, fd, F_SETSIG, signal) < 0 ||
	    syscall(SYS_fcntl, fd, F_SETOWN_EX, &owner) < 0 ||
	    syscall(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return 0;
}

int source_perf_open(const struct source_wish *w, enum source_scope scope)
{
	struct perf_event_attr attr;
	int fd, high, failure;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	/* A first period below the floor would come again before its handler
	   has set the real one. */
	attr.sample_period = w->first_ns < MIN_FIRST_NS ? MIN_FIRST_NS
	                                                : w->first_ns;
	if (attr.sample_period > w->period_ns)
		attr.sample_period = w->period_ns;
	attr.wakeup_events = 1;
	attr.disabled = 1;
	attr.exclude_hv = 1;
	attr.exclude_kernel = scope == SOURCE_USER;
	fd = (int)syscall(SYS_perf_event_open, &attr, w->tid, -1, -1,
	                  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (high >= 0) {
		syscall(SYS_close, fd);
		fd = high;
	}
	failure = deliver_to(fd, w->tid, w->signal);
	if (failure == 0)
		return fd;
	syscall(SYS_close, fd);
	return failure;
}

void source_perf_set_period(int fd, uint64_t period_ns)
{
	ioctl(fd, PERF_EVENT_IOC_PERIOD, &period_ns);
}

void source_perf_close(int fd)
{
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	syscall(SYS_close, fd);
}
