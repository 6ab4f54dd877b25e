/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was opened and is not closed, forked and not waited for. These are
 * system calls or as dear, so nothing is sampled: every one is noted, with
 * its stack, and forgotten when it ends.
 *
 * A descriptor that is made again without a close that we saw (by the kernel
 * after close_range(), say) takes the new stack, so the profile is of what is
 * open, and not of what was missed.
 */
#include "sampler/preload.h"

#include "sampler/counts.h"
#include "sampler/machine.h"

#include <profile/sampler.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGS_OF_CALLER(regs)                                                  \
	struct cfi_regs regs;                                                \
	MACHINE_REGS_OF_CALLER(&(regs))

/* A vfork()ed child has our memory and its own descriptors. */
static bool is_watched(void)
{
	return preload_records(PROF_TARGET_FD) && preload_is_own_process();
}

/* Notes what a call returned, and returns it. */
static int made_fd(int fd, const struct cfi_regs *regs)
{
	const int saved_errno = errno;

	if (fd >= 0 && is_watched())
		counts_note(COUNTS_FD, (uint64_t)fd, regs);
	errno = saved_errno;
	return fd;
}

static int made_pair(int result, const int fds[2], const struct cfi_regs *regs)
{
	if (result == 0) {
		made_fd(fds[0], regs);
		made_fd(fds[1], regs);
	}
	return result;
}

static FILE *made_file(FILE *file, const struct cfi_regs *regs)
{
	const int saved_errno = errno;

	if (file && is_watched())
		counts_note(COUNTS_FILE, (uint64_t)(uintptr_t)file, regs);
	errno = saved_errno;
	return file;
}

static pid_t made_child(pid_t pid, const struct cfi_regs *regs)
{
	const int saved_errno = errno;

	if (pid > 0 && is_watched())
		counts_note(COUNTS_CHILD, (uint64_t)pid, regs);
	errno = saved_errno;
	return pid;
}

static pid_t waited_for(pid_t pid)
{
	const int saved_errno = errno;

	if (pid > 0 && is_watched())
		counts_forget(COUNTS_CHILD, (uint64_t)pid);
	errno = saved_errno;
	return pid;
}

/* ---- Descriptors ---- */

/* The mode is there only where a file may be made. */
#define TAKE_MODE(mode, flags)                                                \
	do {                                                                  \
		va_list ap;                                                   \
		va_start(ap, flags);                                          \
		if ((flags) & (O_CREAT | O_TMPFILE))                          \
			(mode) = va_arg(ap, mode_t);                          \
		va_end(ap);                                                   \
	} while (0)

HOOK int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	REGS_OF_CALLER(regs);

	NEXT(open);
	TAKE_MODE(mode, flags);
	return made_fd(next(path, flags, mode), &regs);
}

HOOK int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	REGS_OF_CALLER(regs);

	NEXT(open64);
	TAKE_MODE(mode, flags);
	return made_fd(next(path, flags, mode), &regs);
}

HOOK int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	REGS_OF_CALLER(regs);

	NEXT(openat);
	TAKE_MODE(mode, flags);
	return made_fd(next(dir, path, flags, mode), &regs);
}

HOOK int openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	REGS_OF_CALLER(regs);

	NEXT(openat64);
	TAKE_MODE(mode, flags);
	return made_fd(next(dir, path, flags, mode), &regs);
}

HOOK int creat(const char *path, mode_t mode)
{
	REGS_OF_CALLER(regs);
	NEXT(creat);
	return made_fd(next(path, mode), &regs);
}

HOOK int socket(int domain, int type, int protocol)
{
	REGS_OF_CALLER(regs);
	NEXT(socket);
	return made_fd(next(domain, type, protocol), &regs);
}

HOOK int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(accept4);
	return made_fd(next(fd, address, size, flags), &regs);
}

HOOK int accept(int fd, __SOCKADDR_ARG address, socklen_t *size)
{
	REGS_OF_CALLER(regs);
	NEXT(accept);
	return made_fd(next(fd, address, size), &regs);
}

HOOK int socketpair(int domain, int type, int protocol, int fds[2])
{
	REGS_OF_CALLER(regs);
	NEXT(socketpair);
	return made_pair(next(domain, type, protocol, fds), fds, &regs);
}

HOOK int pipe(int fds[2])
{
	REGS_OF_CALLER(regs);
	NEXT(pipe);
	return made_pair(next(fds), fds, &regs);
}

HOOK int pipe2(int fds[2], int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(pipe2);
	return made_pair(next(fds, flags), fds, &regs);
}

HOOK int dup(int fd)
{
	REGS_OF_CALLER(regs);
	NEXT(dup);
	return made_fd(next(fd), &regs);
}

HOOK int dup2(int fd, int to)
{
	REGS_OF_CALLER(regs);
	NEXT(dup2);
	return made_fd(next(fd, to), &regs);
}

HOOK int dup3(int fd, int to, int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(dup3);
	return made_fd(next(fd, to, flags), &regs);
}

HOOK int epoll_create(int size)
{
	REGS_OF_CALLER(regs);
	NEXT(epoll_create);
	return made_fd(next(size), &regs);
}

HOOK int epoll_create1(int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(epoll_create1);
	return made_fd(next(flags), &regs);
}

HOOK int eventfd(unsigned value, int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(eventfd);
	return made_fd(next(value, flags), &regs);
}

HOOK int timerfd_create(clockid_t clock, int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(timerfd_create);
	return made_fd(next(clock, flags), &regs);
}

HOOK int memfd_create(const char *name, unsigned flags)
{
	REGS_OF_CALLER(regs);
	NEXT(memfd_create);
	return made_fd(next(name, flags), &regs);
}

HOOK int inotify_init1(int flags)
{
	REGS_OF_CALLER(regs);
	NEXT(inotify_init1);
	return made_fd(next(flags), &regs);
}

HOOK int close(int fd)
{
	NEXT(close);
	if (is_watched())
		counts_forget(COUNTS_FD, (uint64_t)fd);
	return next(fd);
}

/* ---- Streams ---- */

HOOK FILE *fopen(const char *path, const char *mode)
{
	REGS_OF_CALLER(regs);
	NEXT(fopen);
	return made_file(next(path, mode), &regs);
}

HOOK FILE *fopen64(const char *path, const char *mode)
{
	REGS_OF_CALLER(regs);
	NEXT(fopen64);
	return made_file(next(path, mode), &regs);
}

HOOK FILE *fdopen(int fd, const char *mode)
{
	FILE *file;
	REGS_OF_CALLER(regs);

	NEXT(fdopen);
	file = made_file(next(fd, mode), &regs);
	/* The stream closes it now. */
	if (file && is_watched())
		counts_forget(COUNTS_FD, (uint64_t)fd);
	return file;
}

HOOK FILE *tmpfile(void)
{
	REGS_OF_CALLER(regs);
	NEXT(tmpfile);
	return made_file(next(), &regs);
}

HOOK int fclose(FILE *file)
{
	NEXT(fclose);
	if (is_watched())
		counts_forget(COUNTS_FILE, (uint64_t)(uintptr_t)file);
	return next(file);
}

/* ---- Children ---- */

HOOK pid_t fork(void)
{
	REGS_OF_CALLER(regs);
	NEXT(fork);
	return made_child(next(), &regs);
}

HOOK int posix_spawn(pid_t *pid, const char *path,
                     const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attr, char *const argv[],
                     char *const envp[])
{
	pid_t child = 0;
	int result;
	REGS_OF_CALLER(regs);

	NEXT(posix_spawn);
	result = next(&child, path, actions, attr, argv, envp);
	if (result == 0)
		made_child(child, &regs);
	if (result == 0 && pid)
		*pid = child;
	return result;
}

HOOK int posix_spawnp(pid_t *pid, const char *file,
                      const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attr, char *const argv[],
                      char *const envp[])
{
	pid_t child = 0;
	int result;
	REGS_OF_CALLER(regs);

	NEXT(posix_spawnp);
	result = next(&child, file, actions, attr, argv, envp);
	if (result == 0)
		made_child(child, &regs);
	if (result == 0 && pid)
		*pid = child;
	return result;
}

HOOK pid_t wait(int *status)
{
	NEXT(wait);
	return waited_for(next(status));
}

HOOK pid_t waitpid(pid_t pid, int *status, int options)
{
	pid_t ended;

	NEXT(waitpid);
	ended = next(pid, status, options);
	/* Stopped is not gone. */
	if (ended > 0 && status && !WIFEXITED(*status) && !WIFSIGNALED(*status))
		return ended;
	return waited_for(ended);
}

HOOK pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	pid_t ended;

	NEXT(wait4);
	ended = next(pid, status, options, usage);
	if (ended > 0 && status && !WIFEXITED(*status) && !WIFSIGNALED(*status))
		return ended;
	return waited_for(ended);
}

HOOK int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int result;

	NEXT(waitid);
	result = next(type, id, info, options);
	if (result == 0 && info && info->si_pid > 0 && !(options & WNOWAIT) &&
	    (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	     info->si_code == CLD_DUMPED))
		waited_for(info->si_pid);
	return result;
}
