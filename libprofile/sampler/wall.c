/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each look adds the time since the last one to the stack that each thread
 * has. A thread whose CPU clock has not moved is where it was: that costs one
 * system call. One that waits is read from outside (thread.c). One that runs
 * is asked by a signal, and nobody waits for its answer, as it may come when
 * the thread gets a CPU again: until then its time is put aside.
 *
 * A thread that came between two looks gets the whole time and one that went
 * gets none, which is right on the average.
 */
#include "sampler/wall.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/source.h"
#include "sampler/stacks.h"
#include "sampler/state.h"
#include "sampler/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A thread, as of a look. */
struct seen {
	uint32_t tid;
	uint32_t stack;   /* where it was; 0: unknown */
	uint64_t cpu_ns;  /* its clock then */
	uint32_t request; /* its number + 1; 0: none is open */
	uint32_t n_aside; /* what the answer will get */
	uint64_t ns_aside;
};

enum { INDEX = 2 * THREADS_MAX };

/* This look and the last one. */
struct looks {
	struct seen rows[2][THREADS_MAX];
	uint32_t index[INDEX]; /* of the last one's rows, by tid: number + 1 */
	uint32_t n[2];
	unsigned now; /* 0 or 1 */
	uint64_t time, ns;
	uint32_t next_request;
};

enum wall_state { WALL_OFF, WALL_STARTS, WALL_ON, WALL_ENDS };

struct stack_request wall_requests[WALL_REQUESTS];
_Thread_local bool wall_makes_thread;

static uint64_t answers[WALL_REQUESTS][WALL_DEPTH];
static struct futex_lock wall_lock;
static struct looks *looks;
static uint64_t wall_period_ns;
static struct {
	_Atomic uint32_t state; /* a futex */
	_Atomic uint32_t n_pauses, is_looking;
} wall;

/* ---- Stacks ---- */

static uint32_t intern(const uint64_t *stack, size_t n, bool is_complete)
{
	uint64_t pcs[WALL_DEPTH];

	memcpy(pcs, stack, n * sizeof(*pcs));
	if (!is_complete)
		pcs[n < WALL_DEPTH ? n++ : n - 1] = PROF_PC_TRUNCATED;
	return stacks_intern(pcs, n);
}

static uint32_t unknown_stack(void)
{
	static const uint64_t truncated = PROF_PC_TRUNCATED;

	return stacks_intern(&truncated, 1);
}

static void add(uint32_t stack, uint32_t n, uint64_t ns)
{
	locks_add(&sampler_state->wall, stack ? stack : unknown_stack(),
	          (double)n, (double)ns);
}

/* ---- Questions ---- */

static bool ask(struct seen *s)
{
	siginfo_t info;
	uint32_t i, k;

	for (i = 0; i < WALL_REQUESTS; i++) {
		k = looks->next_request++ % WALL_REQUESTS;
		if (atomic_load(&wall_requests[k].state) == REQUEST_NONE)
			break;
	}
	if (i == WALL_REQUESTS)
		return false;
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_value.sival_ptr = &wall_requests[k];
	wall_requests[k].pcs = answers[k];
	wall_requests[k].max = WALL_DEPTH;
	atomic_store(&wall_requests[k].state, request_asked(s->tid));
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), s->tid, CPU_SIGNAL,
	            &info) != 0) {
		atomic_store(&wall_requests[k].state, REQUEST_NONE);
		return false;
	}
	s->request = k + 1;
	return true;
}

/* True where it had an answer, or has no question. */
static bool take_answer(struct seen *s)
{
	struct stack_request *r;

	if (s->request == 0)
		return true;
	r = &wall_requests[s->request - 1];
	if (atomic_load(&r->state) != REQUEST_DONE)
		return false;
	s->stack = intern(r->pcs, r->n, r->end != UNWIND_TRUNCATED);
	add(s->stack, s->n_aside, s->ns_aside);
	atomic_store(&r->state, REQUEST_NONE);
	s->request = s->n_aside = 0;
	s->ns_aside = 0;
	return true;
}

/* Of a thread that has gone, or will not be looked at again. */
static void give_up(struct seen *s)
{
	while (!take_answer(s)) {
		_Atomic uint32_t *state = &wall_requests[s->request - 1].state;
		uint32_t asked = request_asked(s->tid);
		uint32_t taken = REQUEST_TAKEN;

		if (atomic_compare_exchange_strong(state, &asked,
		                                   REQUEST_NONE) ||
		    atomic_compare_exchange_strong(state, &taken,
		                                   REQUEST_ABANDONED))
			break;
	}
	if (s->request == 0)
		return;
	add(s->stack, s->n_aside, s->ns_aside);
	s->request = 0;
}

/* ---- Looks ---- */

static uint32_t home(uint32_t tid)
{
	return tid * 2654435761u % INDEX;
}

static struct seen *find_last(uint32_t tid)
{
	struct seen *rows = looks->rows[!looks->now];
	uint32_t i;

	for (i = home(tid); looks->index[i] != 0; i = (i + 1) % INDEX)
		if (rows[looks->index[i] - 1].tid == tid)
			return &rows[looks->index[i] - 1];
	return NULL;
}

/* What was now becomes the last look. */
static void turn(void)
{
	const struct seen *rows = looks->rows[looks->now];
	uint32_t i, k;

	memset(looks->index, 0, sizeof(looks->index));
	for (k = 0; k < looks->n[looks->now]; k++) {
		i = home(rows[k].tid);
		while (looks->index[i] != 0)
			i = (i + 1) % INDEX;
		looks->index[i] = k + 1;
	}
	looks->now = !looks->now;
	looks->n[looks->now] = 0;
}

static uint64_t cpu_clock(uint32_t tid)
{
	struct timespec t = { 0, 0 };

	clock_gettime(source_cpu_clock((int)tid), &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void observe(struct seen *s)
{
	struct prof_thread_record r = { .tid = s->tid };
	size_t n = 0;

	if (thread_read_waiting(&r)) {
		while (n < WALL_DEPTH && r.stack[n])
			n++;
		s->stack = intern(r.stack, n, r.is_complete);
		add(s->stack, 1, looks->ns);
	} else if (ask(s)) {
		s->n_aside = 1;
		s->ns_aside = looks->ns;
	} else {
		add(s->stack, 1, looks->ns);
	}
}

static void look_at(uint32_t tid, void *unused)
{
	const uint64_t cpu_ns = cpu_clock(tid);
	struct seen *last = find_last(tid), *s;

	(void)unused;
	if (threads_are_hidden(tid) || looks->n[looks->now] == THREADS_MAX)
		return;
	s = &looks->rows[looks->now][looks->n[looks->now]++];
	*s = (struct seen){ .tid = tid };
	if (last) {
		*s = *last;
		last->tid = 0; /* it goes on */
	}
	if (!take_answer(s)) {
		s->n_aside++;
		s->ns_aside += looks->ns;
	} else if (last && s->stack != 0 && cpu_ns == s->cpu_ns) {
		add(s->stack, 1, looks->ns);
	} else {
		observe(s);
	}
	s->cpu_ns = cpu_ns;
}

static void give_up_all(void)
{
	struct seen *rows = looks->rows[!looks->now];
	uint32_t i;

	for (i = 0; i < looks->n[!looks->now]; i++)
		if (rows[i].tid != 0)
			give_up(&rows[i]);
}

static void look(void)
{
	const uint64_t now = sampler_now();

	looks->ns = now - looks->time;
	looks->time = now;
	threads_each_tid(look_at, NULL);
	give_up_all();
	turn();
}

/* ---- The thread ---- */

static void sleep_or_end(uint64_t ns)
{
	const struct timespec t = { (time_t)(ns / 1000000000),
		                    (long)(ns % 1000000000) };

	syscall(SYS_futex, &wall.state, FUTEX_WAIT_PRIVATE, WALL_ON, &t, NULL,
	        0);
}

static void set_state(enum wall_state state)
{
	atomic_store(&wall.state, state);
	syscall(SYS_futex, &wall.state, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL,
	        NULL, 0);
}

static void wait_while(enum wall_state state)
{
	while (atomic_load(&wall.state) == state)
		syscall(SYS_futex, &wall.state, FUTEX_WAIT_PRIVATE, state,
		        NULL, NULL, 0);
}

static void *wall_main(void *unused)
{
	uint64_t next, now;

	threads_hide(threads_my_tid());
	/* A scan may have taken us for one of the program's. */
	cpu_thread_end();
	looks->time = next = sampler_now();
	set_state(WALL_ON);
	while (atomic_load(&wall.state) == WALL_ON &&
	       !atomic_load(&sampler_state->must_stop)) {
		next += wall_period_ns;
		now = sampler_now();
		if (next > now)
			sleep_or_end(next - now);
		else
			next = now;
		atomic_store(&wall.is_looking, 1);
		if (atomic_load(&wall.n_pauses) == 0)
			look();
		atomic_store(&wall.is_looking, 0);
	}
	/* Who runs may still answer. */
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	give_up_all();
	threads_show(threads_my_tid());
	set_state(WALL_OFF);
	return unused;
}

/* With no signal of the program's ever delivered to it. */
static bool make_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	bool is_made;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	wall_makes_thread = true;
	is_made = pthread_create(&thread, &attr, wall_main, NULL) == 0;
	wall_makes_thread = false;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
	pthread_attr_destroy(&attr);
	return is_made;
}

static bool make_looks(void)
{
	void *memory;

	if (!looks) {
		memory = mmap(NULL, sizeof(*looks), PROT_READ | PROT_WRITE,
		              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		              0);
		if (memory == MAP_FAILED)
			return false;
		looks = memory;
	}
	looks->n[0] = looks->n[1] = 0;
	turn();
	return true;
}

enum prof_status prof_wall_start(const struct prof_wall_options *options,
                                 struct prof_error *err)
{
	struct prof_wall_options o = { .size = sizeof(o) };
	enum prof_status status = PROF_OK;
	uint32_t hz;

	if (options)
		memcpy(&o, options,
		       options->size < sizeof(o) ? options->size : sizeof(o));
	hz = o.hz ? o.hz : 100;
	if (hz > 1000)
		return error_set(err, PROF_INVALID,
		                 "a wall-clock rate of more than 1000 Hz");
	if (!sampler_init(err))
		return PROF_NOMEM;
	futex_lock_take(&wall_lock);
	if (atomic_load(&wall.state) != WALL_OFF) {
		status = error_set(err, PROF_BUSY,
		                   "the wall-clock profile is running");
	} else if (!make_looks()) {
		status = error_nomem(err);
	} else if (access("/proc/self/task", R_OK) != 0 ||
	           !cpu_set_handler(err)) {
		status = error_set(err, PROF_SYSTEM,
		                   "threads cannot be looked at");
	} else {
		wall_period_ns = 1000000000 / hz;
		atomic_store(&sampler_state->wall.rate,
		             (int64_t)wall_period_ns);
		atomic_store(&wall.state, WALL_STARTS);
		if (make_thread()) {
			wait_while(WALL_STARTS);
		} else {
			atomic_store(&wall.state, WALL_OFF);
			status = error_set(err, PROF_SYSTEM,
			                   "cannot make a thread");
		}
	}
	futex_lock_give(&wall_lock);
	return status;
}

void prof_wall_stop(void)
{
	uint32_t on = WALL_ON;

	futex_lock_take(&wall_lock);
	if (atomic_compare_exchange_strong(&wall.state, &on, WALL_ENDS))
		syscall(SYS_futex, &wall.state, FUTEX_WAKE_PRIVATE, 1, NULL,
		        NULL, 0);
	wait_while(WALL_ENDS);
	futex_lock_give(&wall_lock);
}

/* ---- Exec and fork ---- */

/*
 * A look may wait for what the calling thread has: exec may be called by a
 * signal handler that interrupted anything. So this does not wait for ever.
 */
void wall_pause(void)
{
	const uint64_t end = sampler_now() + 1000000000;

	atomic_fetch_add(&wall.n_pauses, 1);
	while (atomic_load(&wall.is_looking) && sampler_now() < end)
		sched_yield();
}

void wall_resume(void)
{
	atomic_fetch_sub(&wall.n_pauses, 1);
}

void wall_after_fork(void)
{
	memset(&wall, 0, sizeof(wall));
	memset(&wall_lock, 0, sizeof(wall_lock));
	memset(wall_requests, 0, sizeof(wall_requests));
}
