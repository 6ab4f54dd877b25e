/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run under profrec --fd: each way to open something, to end it, and not to,
 * counts as it should in the profiles fd, file and child.
 */
#include <profile/sampler.h>

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[4];
static FILE *file;
static DIR *dir;
static pid_t child;
static char path[64];

/* As _FORTIFY_SOURCE makes of open(). */
int __open_2(const char *name, int flags);

/* ---- Ways to make: they fill fds, file or child ---- */

#define MAKE(name, call)                                                      \
	static void name(void)                                                \
	{                                                                     \
		fds[0] = call;                                                \
	}

static char *template(void)
{
	return strcpy(path, "/tmp/left-XXXXXX");
}

static int mine(int fd)
{
	unlink(path);
	return fd;
}

MAKE(by_open, open("/dev/null", O_RDONLY))
MAKE(by_open_2, __open_2("/dev/null", O_RDONLY))
MAKE(by_openat, openat(AT_FDCWD, "/dev/null", O_RDONLY))
MAKE(by_tmpfile, open("/tmp", O_TMPFILE | O_RDWR, 0600))
MAKE(by_mkstemp, mine(mkstemp(template())))
MAKE(by_mkostemp, mine(mkostemp(template(), O_CLOEXEC)))
MAKE(by_memfd, memfd_create("left", 0))
MAKE(by_openpt, posix_openpt(O_RDWR | O_NOCTTY))
MAKE(by_socket, socket(AF_UNIX, SOCK_STREAM, 0))
MAKE(by_epoll, epoll_create(1))
MAKE(by_epoll1, epoll_create1(0))
MAKE(by_eventfd, eventfd(0, 0))
MAKE(by_timerfd, timerfd_create(CLOCK_MONOTONIC, 0))
MAKE(by_inotify, inotify_init())
MAKE(by_inotify1, inotify_init1(0))
MAKE(by_dup, dup(1))
MAKE(by_dup2, dup2(1, 100))
MAKE(by_dup3, dup3(1, 101, O_CLOEXEC))
MAKE(by_fcntl, fcntl(1, F_DUPFD, 102))
MAKE(by_fcntl_cloexec, fcntl(1, F_DUPFD_CLOEXEC, 103))

static void by_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	fds[0] = signalfd(-1, &set, 0);
	signalfd(fds[0], &set, 0);
}

static void by_pipe(void)
{
	if (pipe(fds) != 0)
		abort();
}

static void by_pipe2(void)
{
	if (pipe2(fds, O_CLOEXEC) != 0)
		abort();
}

static void by_socketpair(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
}

static void by_openpty(void)
{
	if (openpty(&fds[0], &fds[1], NULL, NULL, NULL) != 0)
		abort();
}

static void by_accept(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address.sun_family); /* a name of its own */

	fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fds[0], (struct sockaddr *)&address, size) != 0 ||
	    listen(fds[0], 1) != 0)
		abort();
	size = sizeof(address);
	getsockname(fds[0], (struct sockaddr *)&address, &size);
	if (connect(fds[1], (struct sockaddr *)&address, size) != 0)
		abort();
	fds[2] = accept(fds[0], NULL, NULL);
}

/* A descriptor comes with a message. */
static void by_message(void)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { &byte, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1,
		            .msg_control = control,
		            .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	const int one = 1;

	by_socketpair();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &one, sizeof(one));
	if (sendmsg(fds[0], &m, 0) != 1 || recvmsg(fds[1], &m, 0) != 1)
		abort();
	memcpy(&fds[2], CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
}

static void by_opendir(void) { dir = opendir("/"); }
static void by_fopen(void) { file = fopen("/dev/null", "r"); }
static void by_tmpfile_stream(void) { file = tmpfile(); }
static void by_popen(void) { file = popen("true", "r"); }
static void by_fmemopen(void) { file = fmemopen(path, sizeof(path), "r"); }

static char *memory;
static size_t memory_size;

static void by_memstream(void)
{
	file = open_memstream(&memory, &memory_size);
}

/* The stream's now. */
static void by_fdopen(void)
{
	file = fdopen(open("/dev/null", O_RDONLY), "r");
}

static void by_freopen(void)
{
	file = freopen("/dev/zero", "r", fopen("/dev/null", "r"));
}

static void by_fork(void)
{
	child = fork();
	if (child == 0)
		_exit(0);
}

static void by_vfork(void)
{
	child = vfork();
	if (child == 0) {
		/* In our memory, and not of our profile. */
		close(dup(1));
		_exit(0);
	}
}

static void by_spawn(void)
{
	char *const argv[] = { "true", NULL };

	if (posix_spawnp(&child, "true", NULL, NULL, argv, NULL) != 0)
		abort();
}

static void by_forkpty(void)
{
	child = forkpty(&fds[0], NULL, NULL, NULL);
	if (child == 0)
		_exit(0);
}

/* ---- Ways to end ---- */

static void close_all(void)
{
	int i;

	for (i = 0; i < 4; i++)
		if (fds[i] > 0)
			close(fds[i]);
	memset(fds, 0, sizeof(fds));
}

static void end_range(void)
{
	int i;

	for (i = 0; i < 4; i++)
		if (fds[i] > 0)
			close_range((unsigned)fds[i], (unsigned)fds[i], 0);
	memset(fds, 0, sizeof(fds));
}

static void end_from(void)
{
	closefrom(fds[0]);
	memset(fds, 0, sizeof(fds));
}

static void end_dir(void) { closedir(dir); }
static void end_file(void) { fclose(file); }
static void end_popen(void) { pclose(file); }
static void end_wait(void) { wait(NULL); }
static void end_wait3(void) { wait3(NULL, 0, NULL); }
static void end_waitpid(void) { waitpid(child, NULL, 0); }

static void end_wait4(void)
{
	int status;

	wait4(child, &status, 0, NULL);
	close_all();
}

static void end_waitid(void)
{
	siginfo_t info;

	/* A look, and then the end. */
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	waitid(P_PID, (id_t)child, &info, WEXITED);
}

static const struct row {
	const char *name;
	void (*make)(void);
	size_t n_fds, n_files, n_children;
	void (*end)(void);
} rows[] = {
	{ "open", by_open, 1, 0, 0, close_all },
	{ "__open_2", by_open_2, 1, 0, 0, close_all },
	{ "openat", by_openat, 1, 0, 0, close_all },
	{ "O_TMPFILE", by_tmpfile, 1, 0, 0, close_all },
	{ "mkstemp", by_mkstemp, 1, 0, 0, close_all },
	{ "mkostemp", by_mkostemp, 1, 0, 0, close_all },
	{ "memfd_create", by_memfd, 1, 0, 0, close_all },
	{ "posix_openpt", by_openpt, 1, 0, 0, close_all },
	{ "openpty", by_openpty, 2, 0, 0, close_all },
	{ "socket", by_socket, 1, 0, 0, close_all },
	{ "socketpair", by_socketpair, 2, 0, 0, close_all },
	{ "accept", by_accept, 3, 0, 0, close_all },
	{ "recvmsg", by_message, 3, 0, 0, close_all },
	{ "pipe", by_pipe, 2, 0, 0, close_all },
	{ "pipe2", by_pipe2, 2, 0, 0, end_range },
	{ "epoll_create", by_epoll, 1, 0, 0, close_all },
	{ "epoll_create1", by_epoll1, 1, 0, 0, end_from },
	{ "eventfd", by_eventfd, 1, 0, 0, close_all },
	{ "timerfd_create", by_timerfd, 1, 0, 0, close_all },
	{ "signalfd", by_signalfd, 1, 0, 0, close_all },
	{ "inotify_init", by_inotify, 1, 0, 0, close_all },
	{ "inotify_init1", by_inotify1, 1, 0, 0, close_all },
	{ "dup", by_dup, 1, 0, 0, close_all },
	{ "dup2", by_dup2, 1, 0, 0, close_all },
	{ "dup3", by_dup3, 1, 0, 0, close_all },
	{ "F_DUPFD", by_fcntl, 1, 0, 0, close_all },
	{ "F_DUPFD_CLOEXEC", by_fcntl_cloexec, 1, 0, 0, close_all },
	{ "opendir", by_opendir, 1, 0, 0, end_dir },
	{ "fopen", by_fopen, 0, 1, 0, end_file },
	{ "tmpfile", by_tmpfile_stream, 0, 1, 0, end_file },
	{ "fdopen", by_fdopen, 0, 1, 0, end_file },
	{ "freopen", by_freopen, 0, 1, 0, end_file },
	{ "fmemopen", by_fmemopen, 0, 1, 0, end_file },
	{ "open_memstream", by_memstream, 0, 1, 0, end_file },
	{ "popen", by_popen, 0, 1, 0, end_popen },
	{ "fork, wait", by_fork, 0, 0, 1, end_wait },
	{ "fork, waitid", by_fork, 0, 0, 1, end_waitid },
	{ "vfork, waitpid", by_vfork, 0, 0, 1, end_waitpid },
	{ "posix_spawnp, wait3", by_spawn, 0, 0, 1, end_wait3 },
	{ "forkpty, wait4", by_forkpty, 1, 0, 1, end_wait4 },
};

static size_t count(const char *name)
{
	return prof_count(prof_lookup(name));
}

/* Whether there are so many of each; else tells. */
static int differs(const char *what, const struct row *r, size_t n_fds,
                   size_t n_files, size_t n_children)
{
	if (count("fd") == n_fds && count("file") == n_files &&
	    count("child") == n_children)
		return 0;
	fprintf(stderr, "%s: %s: %zu fds, %zu files, %zu children; "
	        "not %zu, %zu, %zu\n", r->name, what, count("fd"),
	        count("file"), count("child"), n_fds, n_files, n_children);
	return 1;
}

/* Nothing was made: nothing is noted. */
static int failures_count_for_nothing(void)
{
	static const struct row row = { "failures", NULL, 0, 0, 0, NULL };
	char *const argv[] = { "absent", NULL };

	if (open("/absent", O_RDONLY) >= 0 || dup(-1) >= 0 || close(999) == 0 ||
	    fopen("/absent", "r") || opendir("/absent") ||
	    waitpid(12345, NULL, 0) > 0 ||
	    posix_spawn(&child, "/absent", NULL, NULL, argv, NULL) == 0)
		return 1;
	if (dup2(1, 1) != 1 || system("exit 3") != 3 << 8)
		return 1;
	return differs("made nothing", &row, 0, 0, 0);
}

int main(void)
{
	const struct row *r;
	int failed = 0;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = &rows[i];
		r->make();
		failed |= differs("made", r, r->n_fds, r->n_files,
		                  r->n_children);
		r->end();
		failed |= differs("ended", r, 0, 0, 0);
	}
	failed |= failures_count_for_nothing();
	/* What is left is in the files that profrec writes. */
	by_pipe();
	by_fopen();
	by_vfork();
	return failed;
}
