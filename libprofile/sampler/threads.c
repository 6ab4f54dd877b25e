/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/threads.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct thread threads[THREADS_MAX];
/* A bit for each row in use: most of the table is never touched. */
static _Atomic uint64_t in_use[THREADS_MAX / 64];
static _Thread_local uint32_t my_tid;

static uint32_t home(uint32_t tid)
{
	return tid * 2654435761u >> 18;
}

struct thread *threads_next(uint32_t *i)
{
	while (*i < THREADS_MAX) {
		const uint64_t bits = atomic_load(&in_use[*i / 64]) >> *i % 64;

		if (bits != 0) {
			*i += (uint32_t)__builtin_ctzll(bits);
			return &threads[(*i)++];
		}
		*i = (*i | 63) + 1;
	}
	return NULL;
}

struct thread *threads_find(uint32_t tid)
{
	uint32_t i, at = home(tid);

	for (i = 0; i < THREADS_PROBES; i++, at++) {
		struct thread *t = &threads[at % THREADS_MAX];

		if (atomic_load_explicit(&t->tid, memory_order_acquire) == tid)
			return t;
	}
	return NULL;
}

struct thread *threads_claim(uint32_t tid, bool *is_known)
{
	uint32_t i, at = home(tid);

	*is_known = threads_find(tid) != NULL;
	for (i = 0; !*is_known && i < THREADS_PROBES; i++, at++) {
		struct thread *t = &threads[at % THREADS_MAX];
		uint32_t none = THREAD_FREE;

		if (!atomic_compare_exchange_strong(&t->phase, &none,
		                                    THREAD_CLAIMED))
			continue;
		atomic_store(&t->tid, tid);
		atomic_fetch_or(&in_use[at % THREADS_MAX / 64],
		                UINT64_C(1) << at % 64);
		/* Another may have claimed for the same thread: the first row
		   in the order of the search is the one that stays. */
		if (threads_find(tid) == t)
			return t;
		threads_free(t);
		*is_known = true;
	}
	return NULL;
}

uint32_t threads_my_tid(void)
{
	if (my_tid == 0)
		my_tid = (uint32_t)syscall(SYS_gettid);
	return my_tid;
}

struct thread *threads_self(void)
{
	return threads_find(threads_my_tid());
}

bool threads_begin_end(struct thread *t)
{
	uint32_t armed = THREAD_ARMED;

	return atomic_compare_exchange_strong(&t->phase, &armed,
	                                      THREAD_ENDING);
}

void threads_free(struct thread *t)
{
	const size_t i = (size_t)(t - threads);

	atomic_fetch_and(&in_use[i / 64], ~(UINT64_C(1) << i % 64));
	atomic_store(&t->tid, 0);
	t->start_routine = 0;
	atomic_store(&t->accounted_ns, 0);
	atomic_store(&t->phase, THREAD_FREE);
}

/* ---- Our own ---- */

static _Atomic uint32_t hidden[4];

static void replace_hidden(uint32_t from, uint32_t to)
{
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		uint32_t old = from;

		if (atomic_compare_exchange_strong(&hidden[i], &old, to))
			return;
	}
}

void threads_hide(uint32_t tid)
{
	replace_hidden(0, tid);
}

void threads_show(uint32_t tid)
{
	replace_hidden(tid, 0);
}

bool threads_are_hidden(uint32_t tid)
{
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (atomic_load(&hidden[i]) == tid)
			return true;
	return false;
}

void threads_after_fork(void)
{
	uint32_t i = 0;
	struct thread *t;

	my_tid = 0;
	memset(hidden, 0, sizeof(hidden));
	while ((t = threads_next(&i)))
		threads_free(t);
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

bool threads_each_tid(void (*f)(uint32_t tid, void *ctx), void *ctx)
{
	_Alignas(8) char buf[1024];
	long n, at;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task",
	                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n;) {
			const struct linux_dirent64 *d =
				(const void *)(buf + at);
			const char *p = d->d_name;
			uint32_t tid = 0;

			while (*p >= '0' && *p <= '9')
				tid = tid * 10 + (uint32_t)(*p++ - '0');
			if (tid != 0 && *p == '\0')
				f(tid, ctx);
			at += d->d_reclen;
		}
	}
	syscall(SYS_close, fd);
	return true;
}
