/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors. One that is made again without a close that we saw takes the
 * new stack, so the profile is of what is open, and not of what was missed.
 */
#include "sampler/preload_left.h"

#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pty.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The highest that was noted: how far close_range() has to look. */
static _Atomic int last_fd;

static int made_fd(int fd, const struct cfi_regs *regs)
{
	int last = atomic_load(&last_fd);

	while (fd > last &&
	       !atomic_compare_exchange_weak(&last_fd, &last, fd))
		;
	return left_fd(fd, regs);
}

static int made_pair(int result, const int fds[2], const struct cfi_regs *regs)
{
	if (result == 0) {
		made_fd(fds[0], regs);
		made_fd(fds[1], regs);
	}
	return result;
}

/* A function that makes a descriptor, or -1. */
#define MAKES_FD(name, parameters, arguments)                                 \
	HOOK int name parameters                                              \
	{                                                                     \
		REGS_OF_CALLER(regs);                                         \
		NEXT(name);                                                   \
		return made_fd(next arguments, &regs);                        \
	}

/* ---- Files ---- */

/* The mode is there only where a file may be made. */
static inline bool has_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define TAKE_MODE(mode, flags)                                                \
	do {                                                                  \
		va_list ap;                                                   \
		va_start(ap, flags);                                          \
		if (has_mode(flags))                                          \
			(mode) = va_arg(ap, mode_t);                          \
		va_end(ap);                                                   \
	} while (0)

#define OPENS(name, parameters, arguments)                                    \
	HOOK int name parameters                                              \
	{                                                                     \
		mode_t mode = 0;                                              \
		REGS_OF_CALLER(regs);                                         \
                                                                              \
		NEXT(name);                                                   \
		TAKE_MODE(mode, flags);                                       \
		return made_fd(next arguments, &regs);                        \
	}

OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int dir, const char *path, int flags, ...),
      (dir, path, flags, mode))
OPENS(openat64, (int dir, const char *path, int flags, ...),
      (dir, path, flags, mode))

/* What _FORTIFY_SOURCE makes of them; no header declares these. */
HOOK int __open_2(const char *path, int flags);
HOOK int __open64_2(const char *path, int flags);
HOOK int __openat_2(int dir, const char *path, int flags);
HOOK int __openat64_2(int dir, const char *path, int flags);
MAKES_FD(__open_2, (const char *path, int flags), (path, flags))
MAKES_FD(__open64_2, (const char *path, int flags), (path, flags))
MAKES_FD(__openat_2, (int dir, const char *path, int flags),
         (dir, path, flags))
MAKES_FD(__openat64_2, (int dir, const char *path, int flags),
         (dir, path, flags))

MAKES_FD(creat, (const char *path, mode_t mode), (path, mode))
MAKES_FD(creat64, (const char *path, mode_t mode), (path, mode))
MAKES_FD(open_by_handle_at, (int dir, struct file_handle *handle, int flags),
         (dir, handle, flags))
MAKES_FD(mkstemp, (char *path), (path))
MAKES_FD(mkstemp64, (char *path), (path))
MAKES_FD(mkstemps, (char *path, int size), (path, size))
MAKES_FD(mkstemps64, (char *path, int size), (path, size))
MAKES_FD(mkostemp, (char *path, int flags), (path, flags))
MAKES_FD(mkostemp64, (char *path, int flags), (path, flags))
MAKES_FD(mkostemps, (char *path, int size, int flags), (path, size, flags))
MAKES_FD(mkostemps64, (char *path, int size, int flags), (path, size, flags))
MAKES_FD(shm_open, (const char *name, int flags, mode_t mode),
         (name, flags, mode))
MAKES_FD(memfd_create, (const char *name, unsigned flags), (name, flags))
MAKES_FD(posix_openpt, (int flags), (flags))

HOOK int openpty(int *master, int *slave, char *name,
                 const struct termios *terminal, const struct winsize *size)
{
	int fds[2], result;
	REGS_OF_CALLER(regs);

	NEXT(openpty);
	result = next(&fds[0], &fds[1], name, terminal, size);
	if (result == 0) {
		*master = fds[0];
		*slave = fds[1];
	}
	return made_pair(result, fds, &regs);
}

/* ---- Sockets and pipes ---- */

MAKES_FD(socket, (int domain, int type, int protocol),
         (domain, type, protocol))
MAKES_FD(accept, (int fd, __SOCKADDR_ARG address, socklen_t *size),
         (fd, address, size))
MAKES_FD(accept4,
         (int fd, __SOCKADDR_ARG address, socklen_t *size, int flags),
         (fd, address, size, flags))

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

/* Descriptors that came with a message. */
static void made_fds_in(struct msghdr *message, const struct cfi_regs *regs)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			made_fd(fd, regs);
		}
	}
}

HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t result;
	REGS_OF_CALLER(regs);

	NEXT(recvmsg);
	result = next(fd, message, flags);
	if (result >= 0 && message->msg_controllen > 0 &&
	    !(flags & MSG_PEEK) && left_is_watched())
		made_fds_in(message, &regs);
	return result;
}

/* ---- Events ---- */

MAKES_FD(epoll_create, (int size), (size))
MAKES_FD(epoll_create1, (int flags), (flags))
MAKES_FD(eventfd, (unsigned value, int flags), (value, flags))
MAKES_FD(timerfd_create, (clockid_t clock, int flags), (clock, flags))
MAKES_FD(inotify_init, (void), ())
MAKES_FD(inotify_init1, (int flags), (flags))
MAKES_FD(fanotify_init, (unsigned flags, unsigned event_flags),
         (flags, event_flags))

/* With fd it changes that one. */
MAKES_FD(signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))

/* ---- Duplicates ---- */

MAKES_FD(dup, (int fd), (fd))

HOOK int dup2(int fd, int to)
{
	REGS_OF_CALLER(regs);
	NEXT(dup2);
	/* Where they are the same nothing is made. */
	return fd == to ? next(fd, to) : made_fd(next(fd, to), &regs);
}

MAKES_FD(dup3, (int fd, int to, int flags), (fd, to, flags))

/* The argument is an int or a pointer, or is not there: all can be passed as
   a pointer, as glibc does. */
#define CONTROLS(name)                                                        \
	HOOK int name(int fd, int command, ...)                               \
	{                                                                     \
		va_list ap;                                                   \
		void *argument;                                               \
		int result;                                                   \
		REGS_OF_CALLER(regs);                                         \
                                                                              \
		NEXT(name);                                                   \
		va_start(ap, command);                                        \
		argument = va_arg(ap, void *);                                \
		va_end(ap);                                                   \
		result = next(fd, command, argument);                         \
		if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)         \
			made_fd(result, &regs);                               \
		return result;                                                \
	}

CONTROLS(fcntl)
CONTROLS(fcntl64)

/* ---- Directories ---- */

static DIR *made_dir(DIR *dir, const struct cfi_regs *regs)
{
	if (dir)
		made_fd(dirfd(dir), regs);
	return dir;
}

HOOK DIR *opendir(const char *path)
{
	REGS_OF_CALLER(regs);
	NEXT(opendir);
	return made_dir(next(path), &regs);
}

HOOK int closedir(DIR *dir)
{
	NEXT(closedir);
	left_forget(COUNTS_FD, (uint64_t)dirfd(dir));
	return next(dir);
}

/* ---- Ends ---- */

/* Forgotten first: another thread may get the same number at once. */
HOOK int close(int fd)
{
	NEXT(close);
	left_forget(COUNTS_FD, (uint64_t)fd);
	return next(fd);
}

static void forget_range(unsigned first, unsigned last)
{
	const int end = atomic_load(&last_fd);

	for (; first <= last && first <= (unsigned)end; first++)
		left_forget(COUNTS_FD, first);
}

HOOK int close_range(unsigned first, unsigned last, int flags)
{
	NEXT(close_range);
	if (!(flags & (int)CLOSE_RANGE_CLOEXEC))
		forget_range(first, last);
	return next(first, last, flags);
}

HOOK void closefrom(int first)
{
	NEXT(closefrom);
	forget_range(first < 0 ? 0 : (unsigned)first, UINT32_MAX);
	next(first);
}
