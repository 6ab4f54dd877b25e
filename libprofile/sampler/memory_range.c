/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's list of mappings is the only source that is right for every
 * stack: pthread_getattr_np() allocates and takes a lock, and knows nothing
 * of coroutines and alternate stacks. It is read once for a thread. The
 * system calls are raw since open() and read() are cancellation points.
 */
#include "sampler/memory_range.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* ld.so's own note of where the main thread's stack began. */
extern void *__libc_stack_end __attribute__((weak));

static _Thread_local struct memory_range own_stack;

/* "7f00-7fff rw-p ...\n", byte by byte. */
struct maps_parser {
	struct memory_range range;
	uint64_t number;
	enum { IN_LO, IN_HI, IN_REST } where;
};

/* True once a line's range has been read. */
static bool parse(struct maps_parser *p, char c)
{
	switch (p->where) {
	case IN_REST:
		if (c == '\n')
			p->where = IN_LO;
		return false;
	case IN_LO:
		if (c == '-') {
			p->range.lo = p->number;
			p->number = 0;
			p->where = IN_HI;
			return false;
		}
		break;
	case IN_HI:
		if (c == ' ') {
			p->range.hi = p->number;
			p->number = 0;
			p->where = IN_REST;
			return true;
		}
		break;
	}
	p->number = p->number << 4 | (uint64_t)(c <= '9' ? c - '0'
	                                                 : c - 'a' + 10);
	return false;
}

static struct memory_range find_mapping(uint64_t at)
{
	struct maps_parser p = { { 0, 0, 0 }, 0, IN_LO };
	struct memory_range found = { 0, 0, 0 };
	char buf[512];
	long fd, n, i;

	fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps",
	             O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* The page of the stack pointer is there in any case. */
		return (struct memory_range){ at, (at | 4095) + 1, 0 };
	}
	while (found.hi == 0 && (n = syscall(SYS_read, fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < n && found.hi == 0; i++)
			if (parse(&p, buf[i]) && at >= p.range.lo &&
			    at < p.range.hi)
				found = p.range;
	syscall(SYS_close, fd);
	return found;
}

/*
 * A thread's own stack stays as long as the thread, so that its range may be
 * kept. glibc puts the thread's descriptor at its upper end; what is beyond
 * may be a neighbour that goes away.
 */
static bool is_own_stack(struct memory_range *range, uint64_t sp)
{
	const uint64_t self = (uint64_t)pthread_self();
	const uint64_t main_end =
		&__libc_stack_end ? (uint64_t)(uintptr_t)__libc_stack_end : 0;

	if (main_end >= sp && main_end < range->hi)
		return true;
	if (self < sp || self >= range->hi)
		return false;
	range->hi = self & ~UINT64_C(7);
	return true;
}

struct memory_range memory_of_stack(uint64_t sp)
{
	const uint64_t lo = (sp - STACK_BELOW_SP) & ~UINT64_C(7);
	struct memory_range range;

	if (sp >= own_stack.lo && sp < own_stack.hi) {
		range = own_stack;
	} else {
		range = find_mapping(sp);
		if (is_own_stack(&range, sp))
			own_stack = range;
	}
	if (range.lo < lo)
		range.lo = lo;
	return range;
}

/* The kernel reads the set before it looks at what is to be done with it,
   and here is nothing that it knows. NULL would be no set. */
static bool is_readable(uint64_t at)
{
	const uint64_t word = at & ~UINT64_C(7);

	return word != 0 &&
	       (syscall(SYS_rt_sigprocmask, -1, word, NULL, 8) == 0 ||
	        errno != EFAULT);
}

bool memory_copy(void *to, uint64_t from, size_t size)
{
	const struct iovec here = { to, size };
	const struct iovec there = { (void *)(uintptr_t)from, size };
	uint64_t page;

	if (syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0) ==
	    (long)size)
		return true;
	if (errno == EFAULT)
		return false;
	/* Forbidden (in containers), or unknown (to qemu). */
	if (from > UINT64_MAX - size)
		return false;
	for (page = from; page < from + size; page = (page | 4095) + 1)
		if (!is_readable(page))
			return false;
	memcpy(to, there.iov_base, size);
	return true;
}
