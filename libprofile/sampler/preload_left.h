/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_PRELOAD_LEFT_H
#define SAMPLER_PRELOAD_LEFT_H

/*
 * What was opened and is not closed, forked and not waited for. These are
 * system calls or as dear, so nothing is sampled: every one is noted, with
 * its stack, and forgotten when it ends. errno stays as the call left it.
 */

#include "sampler/counts.h"
#include "sampler/machine.h"
#include "sampler/preload.h"

#include <profile/sampler.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define REGS_OF_CALLER(regs)                                                  \
	struct cfi_regs regs;                                                 \
	MACHINE_REGS_OF_CALLER(&(regs))

/* A vfork()ed child has our memory and its own descriptors. */
static inline bool left_is_watched(void)
{
	return preload_records(PROF_TARGET_FD) && preload_is_own_process();
}

static inline void left_note(enum counts_builtin profile, uint64_t key,
                             const struct cfi_regs *regs)
{
	const int saved_errno = errno;

	if (left_is_watched())
		counts_note(profile, key, regs);
	errno = saved_errno;
}

static inline void left_forget(enum counts_builtin profile, uint64_t key)
{
	const int saved_errno = errno;

	if (left_is_watched())
		counts_forget(profile, key);
	errno = saved_errno;
}

/* Each takes what a call returned, notes it, and returns it. */

static inline int left_fd(int fd, const struct cfi_regs *regs)
{
	if (fd >= 0)
		left_note(COUNTS_FD, (uint64_t)fd, regs);
	return fd;
}

static inline FILE *left_file(FILE *file, const struct cfi_regs *regs)
{
	if (file)
		left_note(COUNTS_FILE, (uint64_t)(uintptr_t)file, regs);
	return file;
}

static inline pid_t left_child(pid_t pid, const struct cfi_regs *regs)
{
	if (pid > 0)
		left_note(COUNTS_CHILD, (uint64_t)pid, regs);
	return pid;
}

#endif
