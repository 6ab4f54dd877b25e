/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of all threads. /proc has the stack pointer and the program
 * counter of a thread that waits in a system call; its stack is copied by
 * process_vm_readv(), which fails where memory has gone, and unwound in the
 * copy. So nothing is interrupted and no call returns EINTR. When the thread
 * still is where it was after the copy, what was copied is one state.
 *
 * The frame pointer is not in /proc. glibc's system calls need none; where a
 * frame does, and where a thread runs, it is asked by a signal.
 */
#include "sampler/thread.h"

#include "sampler/cpu.h"
#include "sampler/futex_lock.h"
#include "sampler/machine.h"
#include "sampler/state.h"
#include "sampler/unwind.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DEPTH = 32, COPY_WORDS = 1 << 15, FIRST_WORDS = 1 << 10 };

static struct futex_lock thread_lock;
static uint64_t copy[COPY_WORDS];

struct place {
	uint64_t sp, pc;
};

/* What tells where a thread is: /proc/self/task/TID/syscall. -1: it is gone.
   Opening it is the most of the work, so it is read more than once. */
static int open_place(uint32_t tid)
{
	char name[48];

	snprintf(name, sizeof(name), "/proc/self/task/%" PRIu32 "/syscall",
	         tid);
	return (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
}

/* Where a waiting thread is; false: it runs, or is gone. */
static bool read_place(struct place *out, int fd)
{
	char text[256];
	const char *last, *before;
	const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	/* "nr args .. sp pc\n", "-1 sp pc\n" or "running\n". */
	last = strrchr(text, ' ');
	before = last ? memrchr(text, ' ', (size_t)(last - text)) : NULL;
	if (!before)
		return false;
	out->sp = strtoull(before + 1, NULL, 16);
	out->pc = strtoull(last + 1, NULL, 16);
	return true;
}

/* Unwinds a copy of that many words; false: look again, with more. */
static bool unwind_copy(struct prof_thread_record *r, const struct place *at,
                        size_t n_words)
{
	struct cfi_regs regs = { .known = UINT64_C(1) << MACHINE_PC |
		                          UINT64_C(1) << MACHINE_SP };
	const uint64_t lo = (at->sp - STACK_BELOW_SP) & ~UINT64_C(7);
	const struct iovec to = { copy, n_words * 8 };
	/* In pages, so that what is there of the range is read. */
	struct iovec from[9];
	struct memory_range stack;
	enum unwind_end end;
	unsigned n = 0;
	uint64_t p = lo;
	ssize_t got;

	while (n < 9 && p < lo + to.iov_len) {
		const uint64_t next = (p | (to.iov_len / 8 - 1)) + 1;

		from[n].iov_base = (void *)(uintptr_t)p;
		from[n++].iov_len = (size_t)((next < lo + to.iov_len
		                                      ? next : lo + to.iov_len) -
		                             p);
		p = next;
	}
	got = process_vm_readv(getpid(), &to, 1, from, n, 0);
	if (got <= 0)
		return true;
	stack.lo = lo;
	stack.hi = lo + (uint64_t)got;
	stack.copied_to = (uint64_t)(uintptr_t)copy - lo;
	regs.values[MACHINE_PC] = at->pc;
	regs.values[MACHINE_SP] = at->sp;
	n = (unsigned)unwind_in(r->stack, DEPTH, &regs, UNWIND_AT_INSTRUCTION,
	                        stack, &end);
	if (n < DEPTH)
		r->stack[n] = 0;
	r->is_complete = end != UNWIND_TRUNCATED;
	return r->is_complete || got < (ssize_t)to.iov_len;
}

/* The stack of a thread that waits. */
static bool read_waiting(struct prof_thread_record *r)
{
	const int fd = open_place(r->tid);
	struct place before, after;
	bool is_read = false;
	int tries;

	for (tries = 0; tries < 2 && !is_read; tries++) {
		if (!read_place(&before, fd))
			break;
		if (!unwind_copy(r, &before, FIRST_WORDS))
			unwind_copy(r, &before, COPY_WORDS);
		is_read = r->is_complete && read_place(&after, fd) &&
		          after.sp == before.sp && after.pc == before.pc;
	}
	if (fd >= 0)
		syscall(SYS_close, fd);
	return is_read;
}

bool thread_read_waiting(struct prof_thread_record *r)
{
	bool is_read;

	futex_lock_take(&thread_lock);
	is_read = read_waiting(r);
	futex_lock_give(&thread_lock);
	return is_read;
}

static void interrupt(struct prof_thread_record *r)
{
	enum unwind_end end = UNWIND_TRUNCATED;
	const size_t n = cpu_interrupt(r->tid, r->stack, DEPTH, &end);

	if (n == 0)
		return; /* keep what was read, if any */
	if (n < DEPTH)
		r->stack[n] = 0;
	r->is_complete = end != UNWIND_TRUNCATED;
}

struct list {
	struct prof_thread_record *recs;
	size_t n, size;
	uint32_t self;
};

static void take_thread(uint32_t tid, void *ctx)
{
	struct list *l = ctx;
	struct prof_thread_record *r;

	if (tid == l->self || threads_are_hidden(tid))
		return;
	if (l->n++ >= l->size)
		return;
	r = &l->recs[l->n - 1];
	memset(r, 0, sizeof(*r));
	r->tid = tid;
	if (!read_waiting(r))
		interrupt(r);
}

bool prof_thread_records(size_t *n, struct prof_thread_record *recs,
                         size_t size)
{
	struct list l = { recs, 1, size, threads_my_tid() };
	struct cfi_regs regs;
	enum unwind_end end;

	MACHINE_REGS_OF_CALLER(&regs);
	futex_lock_take(&thread_lock);
	if (size > 0) {
		memset(&recs[0], 0, sizeof(recs[0]));
		recs[0].tid = l.self;
		unwind(recs[0].stack, DEPTH, &regs, UNWIND_AT_CALL, &end);
		recs[0].is_complete = end != UNWIND_TRUNCATED;
	}
	threads_each_tid(take_thread, &l);
	futex_lock_give(&thread_lock);
	*n = l.n;
	return l.n <= size;
}

/* Who held the lock was another thread. */
void thread_after_fork(void)
{
	memset(&thread_lock, 0, sizeof(thread_lock));
}
