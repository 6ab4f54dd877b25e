/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/thread_table.h"

#include "sampler/futex_lock.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct futex_lock table_lock;

void thread_table_wait(_Atomic uint32_t *word, uint32_t what, long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	/* Not FUTEX_WAIT_PRIVATE: the other side is another process. */
	syscall(SYS_futex, word, FUTEX_WAIT, what, ms ? &t : NULL, NULL, 0);
}

void thread_table_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Where this library is; by the linker. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

/* The frames above the program's, which called us to exit. */
static void cut_own_frames(struct prof_thread_record *r)
{
	const size_t depth = sizeof(r->stack) / sizeof(r->stack[0]);
	size_t n = 0;

	while (n < depth && r->stack[n] > (uintptr_t)__ehdr_start &&
	       r->stack[n] <= (uintptr_t)etext)
		n++;
	memmove(r->stack, r->stack + n, (depth - n) * sizeof(r->stack[0]));
	memset(r->stack + depth - n, 0, n * sizeof(r->stack[0]));
}

void thread_table_take(struct thread_table *t)
{
	const uint32_t watcher = atomic_load(&t->watcher);
	size_t all, n, i;

	futex_lock_take(&table_lock);
	atomic_store(&t->n, 0);
	prof_thread_records(&all, t->recs, THREAD_TABLE_MAX);
	n = all < THREAD_TABLE_MAX ? all : THREAD_TABLE_MAX;
	if (n > 0) /* the thread that we are in */
		cut_own_frames(&t->recs[0]);
	for (i = 0; i < n; i++) {
		if (t->recs[i].tid != watcher)
			continue;
		n--;
		memmove(&t->recs[i], &t->recs[i + 1],
		        (n - i) * sizeof(t->recs[0]));
		break;
	}
	atomic_store(&t->lost, (uint32_t)(all > THREAD_TABLE_MAX
	                                          ? all - THREAD_TABLE_MAX : 0));
	atomic_store(&t->n, (uint32_t)n);
	futex_lock_give(&table_lock);
}

void thread_table_after_fork(void)
{
	memset(&table_lock, 0, sizeof(table_lock));
}

uint32_t thread_table_n(const struct thread_table *t)
{
	const uint32_t n = atomic_load(&t->n);

	return n < THREAD_TABLE_MAX ? n : THREAD_TABLE_MAX;
}
