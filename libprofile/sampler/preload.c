/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning and the end of a program under profrec: it connects to the
 * launcher's socket, named in its environment, and gets the descriptor of
 * the state that both share. No descriptor stays open, so there is none that
 * the program could close, and a program that execs or forks just comes
 * again. Where there is no launcher the hooks serve what the program itself
 * asks for by <profile/sampler.h>.
 */
#include "sampler/preload.h"

#include "sampler/counts.h"
#include "sampler/cpu.h"
#include "sampler/heap.h"
#include "sampler/lock.h"
#include "sampler/state.h"
#include "sampler/wall.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static bool has_launcher; /* the state is shared with it */

/* ---- For hooks ---- */

void *preload_next(const char *name)
{
	static const char text[] = "libprofile-preload: missing function ";
	void *next = dlsym(RTLD_NEXT, name);

	if (!next) {
		syscall(SYS_write, 2, text, sizeof(text) - 1);
		syscall(SYS_write, 2, name, strlen(name));
		syscall(SYS_write, 2, "\n", 1);
		abort();
	}
	return next;
}

void preload_get_next(void *next, const char *name)
{
	void *found = preload_next(name);

	/* ISO C has no conversion between the two kinds of pointers. */
	memcpy(next, &found, sizeof(found));
}

bool preload_is_own_process(void)
{
	return sampler_state &&
	       atomic_load(&sampler_state->pid) == (uint64_t)getpid();
}

bool preload_records(uint64_t kind)
{
	return sampler_state && (sampler_state->options.kinds & kind);
}

/* ---- Getting the state ---- */

/* One byte comes, with a descriptor where we are wanted; -1: none. */
static int receive_fd(int socket_fd)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1,
		                  .msg_control = control,
		                  .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int ask_launcher(const char *name)
{
	const struct timeval patience = { 5, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t size = strlen(name);
	int fd = -1, s;

	if (size == 0 || size >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path + 1, name, size);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -1;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(s, (struct sockaddr *)&address,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                        size)) == 0 &&
	    send(s, "B", 1, MSG_NOSIGNAL) == 1)
		fd = receive_fd(s);
	syscall(SYS_close, s);
	return fd;
}

static struct state *map_state(int fd)
{
	struct stat st;
	void *memory = MAP_FAILED;

	if (fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(struct state))
		memory = mmap(NULL, sizeof(struct state),
		              PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, sizeof(struct state), MADV_DONTDUMP);
	return memory;
}

/* ---- Begin and end ---- */

static void set_labels(const char *text)
{
	struct prof_label_pair pairs[LABELS_MAX];
	size_t n = 0;

	while (*text && n < LABELS_MAX) {
		pairs[n].key = text;
		pairs[n].value = text + strlen(text) + 1;
		text = pairs[n].value + strlen(pairs[n].value) + 1;
		n++;
	}
	if (n > 0)
		prof_labels_set(prof_labels_with(NULL, pairs, n, NULL));
}

static void begin(void)
{
	const char *name = getenv("PROFREC_SOCKET");
	struct state *s;
	int fd;

	if (!name || sampler_state)
		return;
	fd = ask_launcher(name);
	s = fd >= 0 ? map_state(fd) : NULL;
	if (!s)
		return;
	sampler_adopt(s);
	has_launcher = true;
	set_labels(s->options.labels);
	if (s->options.kinds & PROF_TARGET_HEAP)
		prof_set_mem_rate(s->options.mem_rate);
	if (s->options.kinds & PROF_TARGET_BLOCK)
		prof_set_block_rate(s->options.block_rate_ns);
	if (s->options.kinds & PROF_TARGET_MUTEX)
		prof_set_mutex_fraction(s->options.mutex_fraction);
	if (s->options.kinds & PROF_TARGET_WALL)
		prof_wall_start(&PROF_OPTIONS(prof_wall_options,
			.hz = s->options.wall_hz), NULL);
	if (s->options.kinds & PROF_TARGET_CPU)
		prof_cpu_start(&PROF_OPTIONS(prof_cpu_options,
			.hz = s->options.cpu_hz,
			.source = (enum prof_cpu_source)s->options.cpu_source),
			NULL);
	if (s->options.kinds & PROF_TARGET_THREAD) {
		/* Now, so that threads do not block the signal. */
		cpu_set_handler(NULL);
		preload_watch();
	}
}

void preload_finish(void)
{
	if (!preload_is_own_process())
		return;
	if (preload_records(PROF_TARGET_THREAD))
		thread_table_take(&sampler_state->threads);
	cpu_finish();
}

/* ---- Fork ---- */

/* The child is another process: what a launcher sees is its parent's. */
static void after_fork_in_child(void)
{
	preload_threads_after_fork();
	if (!sampler_state)
		return;
	if (!has_launcher) {
		atomic_store(&sampler_state->pid, (uint64_t)getpid());
		return;
	}
	has_launcher = false;
	heap_after_fork();
	counts_after_fork();
	locks_after_fork();
	modules_log_to(NULL);
	prof_labels_set(NULL);
	sampler_state = NULL;
	if (getenv("PROFREC_FOLLOW"))
		begin();
}

__attribute__((constructor)) static void preload_init(void)
{
	const int saved_errno = errno;

	/* In this order: the child's tables are whole when they are left. */
	sampler_watch_forks();
	pthread_atfork(NULL, NULL, after_fork_in_child);
	begin();
	errno = saved_errno;
}

__attribute__((destructor)) static void preload_exit(void)
{
	preload_finish();
}
