/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU profile against the clocks of the threads it samples. Nothing here
 * depends on how fast the machine is: threads run until their CPU clock says
 * so, and what is compared is CPU time.
 */
#include "sampler/cpu.h"
#include "sampler/state.h"

#include <profile/io.h>
#include <profile/sampler.h>

#include <check.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN(section_name) __attribute__((noinline, section(section_name)))
#define SECTION(name)                                                         \
	extern const char __start_##name[], __stop_##name[];
SECTION(spin_text)
SECTION(call_text)

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static IN("spin_text") void spin_a_bit(void)
{
	volatile unsigned i;

	for (i = 0; i < 50000; i++)
		;
}

/* Until the thread has used so much CPU time; returns how much. */
static IN("spin_text") uint64_t spin(uint64_t ns)
{
	const uint64_t start = cpu_ns();

	while (cpu_ns() - start < ns)
		spin_a_bit();
	return cpu_ns() - start;
}

static IN("call_text") uint64_t call(uint64_t (*f)(uint64_t), uint64_t ns)
{
	const uint64_t used = f(ns);

	__asm__ volatile("" ::: "memory");
	return used;
}

static uint64_t call_kernel(uint64_t ns)
{
	static char buf[1 << 16];
	const uint64_t start = cpu_ns();
	int zero = (int)syscall(SYS_openat, -100, "/dev/zero", 0);

	while (cpu_ns() - start < ns)
		if (read(zero, buf, sizeof(buf)) < 0)
			break;
	close(zero);
	return cpu_ns() - start;
}

/* ---- What came ---- */

struct seen {
	uint64_t hz, n_headers, n_records, weight, lost, unsampled, in_call;
	uint64_t by_tag[2]; /* weights of records without and with a tag */
	uint64_t last_time;
};

static bool is_in(uint64_t pc, const char *start, const char *stop)
{
	return pc > (uint64_t)(uintptr_t)start &&
	       pc <= (uint64_t)(uintptr_t)stop;
}

static void take(struct seen *s, const struct prof_chunk *c)
{
	const uint64_t *w = c->words;
	size_t i, k;

	for (i = 0; i < c->n_tags; i++, w += w[0]) {
		ck_assert(w + w[0] <= c->words + c->n_words);
		ck_assert_uint_ge(w[0], 3);
		if (s->n_headers == 0) {
			s->n_headers++;
			s->hz = w[2];
			ck_assert_uint_eq(w[0], 3);
			continue;
		}
		if (w[2] == 0) {
			ck_assert_uint_eq(w[0], 4);
			s->lost += w[3];
			continue;
		}
		s->n_records++;
		s->weight += w[2];
		s->by_tag[c->tags[i] != 0] += w[2];
		if (w[3] == PROF_PC_UNSAMPLED) {
			s->unsampled += w[2];
			continue;
		}
		for (k = 3; k < w[0]; k++)
			if (is_in(w[k], __start_call_text, __stop_call_text))
				break;
		if (k < w[0])
			s->in_call += w[2];
	}
}

static void drain(struct seen *s)
{
	struct prof_chunk chunk;

	while (prof_cpu_read(&chunk) == PROF_GOT_CHUNK)
		take(s, &chunk);
	ck_assert_int_eq(prof_cpu_read(&chunk), PROF_GOT_END);
}

static void *read_all(void *seen)
{
	drain(seen);
	return NULL;
}

static bool start(enum prof_cpu_source source, uint32_t hz)
{
	struct prof_error err;
	const enum prof_status status = prof_cpu_start(
		&PROF_OPTIONS(prof_cpu_options, .hz = hz, .source = source),
		&err);

	/* Containers may forbid perf events. */
	ck_assert_msg(status == PROF_OK || (status == PROF_UNSUPPORTED &&
	                                    source != PROF_CPU_AUTO &&
	                                    source != PROF_CPU_TIMER),
	              "%s", err.message);
	return status == PROF_OK;
}

/* n_fed records were written by the test itself. */
static void check_counts(const struct seen *s, uint64_t n_fed)
{
	struct prof_cpu_counts c;
	uint64_t settled;

	prof_cpu_get_counts(&c);
	ck_assert_uint_eq(c.lost, s->lost);
	ck_assert_uint_eq(c.records, s->n_records);
	if (c.lost == 0)
		ck_assert_uint_eq(c.unsampled, s->unsampled);
	/* Every signal is a record, lost, or ignored; the other records were
	   settled. */
	settled = c.records + c.lost + c.ignored - c.signals - n_fed;
	ck_assert_uint_le(settled, c.unsampled);
}

/* ---- Weights are CPU time ---- */

static const struct weight_case {
	enum prof_cpu_source source;
	uint32_t hz;
	int n_threads;
	uint64_t (*work)(uint64_t ns);
	uint64_t ns;
} weight_cases[] = {
	{ PROF_CPU_AUTO, 100, 1, spin, 400000000 },
	{ PROF_CPU_PERF, 1000, 2, spin, 200000000 },
	{ PROF_CPU_PERF, 1000, 1, call_kernel, 200000000 },
	{ PROF_CPU_PERF_USER, 1000, 2, spin, 200000000 },
	{ PROF_CPU_PERF_USER, 1000, 1, call_kernel, 200000000 },
	{ PROF_CPU_TIMER, 1000, 2, spin, 200000000 },
	{ PROF_CPU_TIMER, 1000, 1, call_kernel, 200000000 },
	{ PROF_CPU_TIMER, 100, 20, spin, 4000000 },
	{ PROF_CPU_AUTO, 100, 60, spin, 4000000 },
};

struct worker {
	pthread_t thread;
	const struct weight_case *c;
	const struct prof_label_set *labels;
	uint64_t used;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	cpu_thread_begin((uint64_t)(uintptr_t)work + 1);
	prof_labels_set(w->labels);
	w->used = call(w->c->work, w->c->ns);
	prof_labels_set(NULL);
	cpu_thread_end();
	return NULL;
}

START_TEST(weights_are_cpu_time)
{
	const struct weight_case *c = &weight_cases[_i];
	const struct prof_label_pair pair = { "worker", "yes" };
	struct worker workers[64] = { { .c = c } };
	struct seen seen = { 0 };
	pthread_t reader;
	uint64_t used = 0, period, weight_ns;
	int i;

	if (!start(c->source, c->hz))
		return;
	period = 1000000000 / c->hz;
	pthread_create(&reader, NULL, read_all, &seen);
	for (i = 0; i < c->n_threads; i++) {
		workers[i].c = c;
		workers[i].labels = prof_labels_with(NULL, &pair, 1, NULL);
		ck_assert_ptr_nonnull(workers[i].labels);
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		/* Short threads one by one, as a churn of them is. */
		if (c->ns < 10000000)
			pthread_join(workers[i].thread, NULL);
	}
	for (i = 0; i < c->n_threads; i++) {
		if (c->ns >= 10000000)
			pthread_join(workers[i].thread, NULL);
		used += workers[i].used;
	}
	prof_cpu_stop();
	pthread_join(reader, NULL);
	ck_assert_uint_eq(seen.n_headers, 1);
	ck_assert_uint_eq(seen.hz, c->hz);
	check_counts(&seen, 0);
	/* All threads, this one and the reader too, used a little more than
	   the workers say. Random first periods of n threads are within
	   sqrt(n / 4) periods of what they should be; 4 sigma. */
	weight_ns = seen.weight * period;
	ck_assert_msg(weight_ns + 2 * period + used / 100 >= used,
	              "%.3f of the CPU time", (double)weight_ns / (double)used);
	ck_assert_msg((double)weight_ns <=
	                      (double)used * 1.05 + 30e6 +
	                              (double)period *
	                                      (4 + 2 * c->n_threads / 8),
	              "%.3f of the CPU time", (double)weight_ns / (double)used);
	/* Where samples are possible they are what we get. */
	if (c->ns >= 10000000) {
		ck_assert_msg((double)seen.in_call >
		                      0.85 * (double)used / (double)period - 3,
		              "%lu of %lu ms under call()",
		              (unsigned long)(seen.in_call * period / 1000000),
		              (unsigned long)(used / 1000000));
		ck_assert_uint_ge(seen.by_tag[1] + 3, seen.in_call);
	}
}
END_TEST

/* ---- Losses ---- */

START_TEST(blocked_signals_are_unsampled)
{
	struct seen seen = { 0 };
	uint64_t used;
	sigset_t set;

	if (!start(_i == 0 ? PROF_CPU_AUTO : PROF_CPU_TIMER, 1000))
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	used = call(spin, 200000000);
	prof_cpu_stop();
	drain(&seen);
	check_counts(&seen, 0);
	ck_assert_msg(seen.unsampled + 5 >= used / 1000000,
	              "%lu ms of %lu are told as unsampled",
	              (unsigned long)seen.unsampled,
	              (unsigned long)(used / 1000000));
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
END_TEST

START_TEST(a_full_log_loses_nothing_silently)
{
	struct seen seen = { 0 };
	const uint64_t pcs[40] = { 1, 2, 3 };
	uint64_t i;
	struct prof_cpu_counts c;

	if (!start(PROF_CPU_TIMER, 10000))
		return;
	for (i = 0; i < 5000; i++)
		cpu_record(i + 1, 0, 1, pcs, 40);
	call(spin, 50000000);
	prof_cpu_stop();
	drain(&seen);
	prof_cpu_get_counts(&c);
	ck_assert_uint_ge(seen.lost, 5000 - (131072 - 3) / 43);
	ck_assert_uint_ge(c.signals - c.ignored, 1);
	check_counts(&seen, 5000);
}
END_TEST

/* 10000 signals a second into 64 KiB that nobody reads. */
START_TEST(a_small_log_tells_what_it_lost)
{
	struct seen seen = { 0 };
	struct prof_cpu_counts c;
	struct prof_error err;
	enum prof_status status;

	status = prof_cpu_start(
		&PROF_OPTIONS(prof_cpu_options, .hz = 10000,
	                      .source = PROF_CPU_PERF_USER,
	                      .log_words = 8192), &err);
	if (status == PROF_UNSUPPORTED)
		return;
	ck_assert_int_eq(status, PROF_OK);
	call(spin, 300000000);
	prof_cpu_stop();
	drain(&seen);
	prof_cpu_get_counts(&c);
	ck_assert_uint_eq(seen.hz, 10000);
	ck_assert_uint_gt(seen.lost, 0);
	ck_assert_uint_lt(seen.n_records, 8192 / 4);
	check_counts(&seen, 0);
	/* Signals are records, lost, or ignored: all but what was settled. */
	ck_assert_uint_ge(c.records + c.lost + c.ignored, c.signals);
}
END_TEST

/* ---- Writing ---- */

struct writing {
	const char *format;
	struct prof_buffer out;
	enum prof_status status;
	struct prof_error err;
};

static void *write_all(void *arg)
{
	struct writing *w = arg;

	w->status = prof_cpu_write(prof_sink_buffer(&w->out), w->format,
	                           &w->err);
	return NULL;
}

static const char *const formats[] = { NULL, "raw", "yaml" };

START_TEST(writes_itself)
{
	struct writing w = { .format = formats[_i] };
	struct prof_profile *p = NULL;
	struct prof_function f;
	struct prof_header h;
	struct prof_sample s;
	pthread_t writer;
	int64_t sum = 0;
	uint64_t used;
	bool has_name = false;
	uint32_t i;

	ck_assert(start(PROF_CPU_AUTO, 500));
	pthread_create(&writer, NULL, write_all, &w);
	used = call(spin, 200000000);
	prof_cpu_stop();
	pthread_join(writer, NULL);
	ck_assert_msg(w.status == PROF_OK, "%s", w.err.message);
	ck_assert_int_eq(prof_read_mem(&p, w.out.data, w.out.size, NULL, NULL),
	                 PROF_OK);
	prof_get_header(p, &h);
	ck_assert_int_eq(h.period, 2000000);
	ck_assert_str_eq(h.period_type.type.ptr, "cpu");
	for (i = 0; prof_get_sample(p, i, &s); i++)
		sum += s.values[1];
	ck_assert_int_ge(sum + 4000000, (int64_t)used);
	for (i = 1; prof_get_function(p, i, &f); i++)
		has_name |= !strcmp(f.name.ptr, "spin_a_bit");
	ck_assert_int_eq(has_name, _i == 0);
	prof_profile_free(p);
	prof_buffer_release(&w.out);
}
END_TEST

START_TEST(knows_what_it_can_write)
{
	struct prof_buffer out = { NULL, 0, 0, NULL };
	struct prof_error err;

	ck_assert_int_eq(prof_cpu_write(prof_sink_buffer(&out), "absent",
	                                &err), PROF_UNKNOWN_FORMAT);
	ck_assert_int_eq(prof_cpu_write(prof_sink_buffer(&out), "speedscope",
	                                &err), PROF_OK); /* nothing ran */
	prof_buffer_release(&out);
}
END_TEST

/* ---- Manners ---- */

START_TEST(one_at_a_time)
{
	struct prof_chunk chunk;
	struct prof_error err;
	struct seen seen = { 0 };

	ck_assert_int_eq(prof_cpu_read(&chunk), PROF_GOT_END);
	ck_assert_int_eq(prof_cpu_poll(&chunk), PROF_GOT_END);
	ck_assert_int_eq(prof_cpu_start(NULL, &err), PROF_OK);
	ck_assert_int_eq(prof_cpu_start(NULL, &err), PROF_BUSY);
	ck_assert_str_eq(err.message, "CPU profiling is already in use");
	prof_cpu_stop();
	ck_assert_int_eq(prof_cpu_start(NULL, NULL), PROF_BUSY); /* unread */
	drain(&seen);
	ck_assert_uint_eq(seen.hz, 100);
	ck_assert_int_eq(prof_cpu_start(&PROF_OPTIONS(prof_cpu_options,
	                                              .hz = 1000001), &err),
	                 PROF_INVALID);
	ck_assert_int_eq(prof_cpu_start(&PROF_OPTIONS(prof_cpu_options,
	                                              .log_words = 1000), &err),
	                 PROF_INVALID);
	prof_cpu_stop(); /* nothing runs */
	memset(&seen, 0, sizeof(seen));
	ck_assert(start(PROF_CPU_TIMER, 250));
	ck_assert_int_eq(prof_cpu_poll(&chunk), PROF_GOT_CHUNK);
	take(&seen, &chunk);
	ck_assert_uint_eq(seen.hz, 250);
	prof_cpu_stop();
	drain(&seen);
}
END_TEST

static volatile int n_own;

static void own_handler(int signal)
{
	(void)signal;
	n_own++;
}

START_TEST(own_handler_still_works)
{
	struct seen seen = { 0 };

	signal(SIGPROF, own_handler);
	ck_assert(start(PROF_CPU_TIMER, 1000));
	raise(SIGPROF);
	call(spin, 20000000);
	prof_cpu_stop();
	raise(SIGPROF);
	drain(&seen);
	ck_assert_int_eq(n_own, 2);
}
END_TEST

START_TEST(threads_that_were_there_and_raw_ones)
{
	static const struct weight_case c = { PROF_CPU_AUTO, 1000, 1, spin,
		                              300000000 };
	struct worker w = { .c = &c };
	struct seen seen = { 0 };
	pthread_t reader;

	/* work() tells the sampler of the thread only if it runs. */
	pthread_create(&w.thread, NULL, work, &w);
	nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	ck_assert(start(PROF_CPU_AUTO, 1000));
	pthread_create(&reader, NULL, read_all, &seen);
	pthread_join(w.thread, NULL);
	prof_cpu_stop();
	pthread_join(reader, NULL);
	ck_assert_uint_gt(seen.in_call, 100);
	check_counts(&seen, 0);
}
END_TEST

/* A forked child is not sampled, and may sample itself. */
START_TEST(forks)
{
	struct seen seen = { 0 };
	int status;
	pid_t child;

	ck_assert(start(PROF_CPU_AUTO, 1000));
	child = fork();
	if (child == 0) {
		cpu_after_fork();
		call(spin, 50000000);
		if (prof_cpu_start(NULL, NULL) != PROF_OK)
			_exit(2);
		call(spin, 50000000);
		prof_cpu_stop();
		drain(&seen);
		_exit(seen.in_call >= 3 ? 0 : 3);
	}
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	call(spin, 50000000);
	prof_cpu_stop();
	drain(&seen);
	ck_assert_uint_ge(seen.in_call, 40);
	ck_assert_uint_lt(seen.weight, 95);
}
END_TEST

/* Who reads the log sees what is unloaded; the addresses may be another's. */
START_TEST(tells_what_was_unloaded)
{
	const struct module_log *log;
	struct prof_chunk chunk;
	struct cfi_tables tables;
	uint32_t i, n_gone = 0;
	void *library;

	ck_assert_int_eq(prof_cpu_start(NULL, NULL), PROF_OK);
	prof_cpu_poll(&chunk);
	library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
	if (library) {
		modules_find(&tables, (uint64_t)(uintptr_t)dlsym(
					      library, "__ctype_get_mb_cur_max"));
		dlclose(library);
		prof_cpu_poll(&chunk);
		log = &sampler_state->modules;
		for (i = 0; i < log->n; i++)
			n_gone += log->modules[i].limit == 0;
		ck_assert_uint_eq(n_gone, 1);
	}
	prof_cpu_stop();
	while (prof_cpu_read(&chunk) != PROF_GOT_END)
		;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cpu");
	TCase *tc = tcase_create("cpu");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, weights_are_cpu_time, 0,
	                    sizeof(weight_cases) / sizeof(weight_cases[0]));
	tcase_add_loop_test(tc, blocked_signals_are_unsampled, 0, 2);
	tcase_add_test(tc, a_full_log_loses_nothing_silently);
	tcase_add_test(tc, a_small_log_tells_what_it_lost);
	tcase_add_loop_test(tc, writes_itself, 0,
	                    sizeof(formats) / sizeof(formats[0]));
	tcase_add_test(tc, knows_what_it_can_write);
	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, own_handler_still_works);
	tcase_add_test(tc, threads_that_were_there_and_raw_ones);
	tcase_add_test(tc, tells_what_was_unloaded);
	tcase_add_test(tc, forks);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
