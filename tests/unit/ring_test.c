/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring against Go's own: each file of testdata/profbuf is what a real
 * runtime.profBuf did with a sequence of writes, reads and a close, and must
 * replay word for word. Then many writers: nothing lost that is not counted.
 */
#include "sampler/ring.h"

#include <check.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TESTDATA
#define TESTDATA "testdata"
#endif

/* ---- Replay ---- */

static struct ring_shared shared;
static _Atomic uint64_t words[1 << 12], tags[1 << 10];
static struct ring ring;

static size_t numbers(char *text, uint64_t *out)
{
	size_t n = 0;
	char *save = NULL, *token = strtok_r(text, " ", &save);

	for (; token; token = strtok_r(NULL, " ", &save))
		out[n++] = strcmp(token, "-") ? strtoull(token, NULL, 10) : 0;
	return n;
}

static void replay_new(char *args)
{
	uint64_t v[3];

	ck_assert_uint_eq(numbers(args, v), 3);
	memset(&shared, 0, sizeof(shared));
	memset((void *)words, 0, sizeof(words));
	memset((void *)tags, 0, sizeof(tags));
	ring_init(&ring, &shared, words,
	          ring_round_words((uint32_t)v[1], (uint32_t)v[0]), tags,
	          ring_round_tags((uint32_t)v[2]), (uint32_t)v[0]);
}

static void replay_write(char *args)
{
	char *bar = strchr(args, '|');
	uint64_t head[16], stack[64], tag;
	size_t n, n_head;

	*bar = '\0';
	/* A tag is a pointer there: nil ("-") is our 0, and 0 is our 1. */
	tag = args[strcspn(args, " ") + 1] == '-' ? 0 : 1;
	n_head = numbers(args, head);
	n = numbers(bar + 1, stack);
	tag += tag ? head[1] : 0;
	ring_write(&ring, head[0], tag, head + 2, n_head - 2, stack, n);
}

static void replay_read(const char *args, const char *where)
{
	char got[8192] = " ";
	struct ring_chunk chunk;
	enum ring_got result = ring_read(&ring, &chunk);
	size_t at = 1, i;

	for (i = 0; i < chunk.n_words; i++)
		at += (size_t)sprintf(got + at, "%llu ",
		                      (unsigned long long)chunk.words[i]);
	at += (size_t)sprintf(got + at, "| ");
	for (i = 0; i < chunk.n_tags; i++)
		at += (size_t)sprintf(got + at, chunk.tags[i] ? "%llu " : "- ",
		                      (unsigned long long)chunk.tags[i] - 1);
	sprintf(got + at, "| %s", result == RING_EOF ? "true" : "false");
	ck_assert_msg(!strcmp(got, args), "%s\n got:%s\nwant:%s", where, got,
	              args);
}

START_TEST(replays_go)
{
	glob_t files;
	size_t i;

	ck_assert_int_eq(
		glob(TESTDATA "/profbuf/trace-*.txt", 0, NULL, &files), 0);
	ck_assert_uint_ge(files.gl_pathc, 30);
	for (i = 0; i < files.gl_pathc; i++) {
		FILE *f = fopen(files.gl_pathv[i], "r");
		char line[8192], where[512];
		int n = 0;

		ck_assert_ptr_nonnull(f);
		while (fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = '\0';
			sprintf(where, "%.400s:%d", files.gl_pathv[i], ++n);
			switch (line[0]) {
			case 'N':
				replay_new(line + 2);
				break;
			case 'W':
				replay_write(line + 2);
				break;
			case 'R':
				replay_read(line + 4, where);
				break;
			case 'C':
				ring_close(&ring);
				break;
			default:
				ck_abort_msg("%s: unknown", where);
			}
		}
		fclose(f);
	}
	globfree(&files);
}
END_TEST

/* ---- Many writers ---- */

enum { WRITERS = 4, RECORDS = 20000 };

static void *write_many(void *arg)
{
	const uint64_t who = (uint64_t)(uintptr_t)arg;
	uint64_t stack[12], one = 1;
	uint64_t i, k;

	for (i = 0; i < RECORDS; i++) {
		const uint64_t n = i % 12;

		for (k = 0; k < n; k++)
			stack[k] = who << 32 | i;
		ring_write(&ring, i + 1, who, &one, 1, stack, n);
	}
	return NULL;
}

struct tally {
	uint64_t read, lost, last[WRITERS + 1];
};

static void take_chunk(struct tally *t, const struct ring_chunk *c)
{
	const uint64_t *w = c->words;
	size_t i, k;

	for (i = 0; i < c->n_tags; i++, w += w[0]) {
		const uint64_t who = c->tags[i];

		ck_assert(w + w[0] <= c->words + c->n_words);
		if (w[2] == 0) {
			ck_assert_uint_eq(w[0], 4);
			t->lost += w[3];
			continue;
		}
		ck_assert(who >= 1 && who <= WRITERS);
		ck_assert_uint_gt(w[1], t->last[who]); /* in order */
		t->last[who] = w[1];
		ck_assert_uint_eq(w[0] - 3, (w[1] - 1) % 12);
		for (k = 3; k < w[0]; k++)
			ck_assert_uint_eq(w[k], who << 32 | (w[1] - 1));
		t->read++;
	}
	ck_assert_ptr_eq(w, c->words + c->n_words);
}

static void *join_all(void *arg)
{
	pthread_t *threads = arg;
	int i;

	for (i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	ring_close(&ring);
	return NULL;
}

START_TEST(many_writers)
{
	/* A roomy ring, and one that must overflow. */
	static const uint32_t sizes[] = { 1 << 12, 64 };
	struct tally t = { 0 };
	struct ring_chunk chunk;
	enum ring_got got;
	pthread_t threads[WRITERS + 1];
	char args[32];
	uintptr_t i;

	sprintf(args, "1 %u 256", sizes[_i]);
	replay_new(args);
	for (i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_many, (void *)(i + 1));
	pthread_create(&threads[WRITERS], NULL, join_all, threads);
	while ((got = ring_wait(&ring, &chunk, 10000000)) != RING_EOF)
		take_chunk(&t, &chunk);
	pthread_join(threads[WRITERS], NULL);
	ck_assert_uint_eq(t.read + t.lost, WRITERS * RECORDS);
	ck_assert_uint_gt(t.read, 0);
	if (sizes[_i] == 64)
		ck_assert_uint_gt(t.lost, 0);
}
END_TEST

/* ---- Words that no writer of ours wrote ---- */

START_TEST(distrusts_memory)
{
	static const uint64_t firsts[] = {
		1, 2, 63, 64, 65, UINT64_MAX - 1, UINT64_C(1) << 32,
		UINT64_C(1) << 63, UINT64_MAX,
	};
	struct ring_chunk chunk;
	char args[] = "1 64 16";
	const uint64_t one = 1;

	replay_new(args);
	ring_write(&ring, 1, 0, &one, 1, &one, 1);
	atomic_store(&words[0], firsts[_i]);
	ck_assert_int_eq(ring_read(&ring, &chunk), RING_EMPTY);
	ring.writers_are_dead = true;
	ck_assert_int_ne(ring_read(&ring, &chunk), RING_DATA);
	ring.writers_are_dead = false;
	atomic_store(&shared.w, UINT64_MAX >> 34 << 34 | UINT32_MAX);
	ck_assert_int_eq(ring_read(&ring, &chunk), RING_EMPTY);
}
END_TEST

START_TEST(skips_what_a_dead_writer_left)
{
	struct ring_chunk chunk;
	char args[] = "1 64 16";
	const uint64_t one = 1;
	uint64_t n;

	replay_new(args);
	ring_write(&ring, 1, 0, &one, 1, &one, 1);
	ring_write(&ring, 2, 0, &one, 1, &one, 1);
	n = atomic_load(&words[0]);
	atomic_store(&words[0], n | UINT64_C(1) << 63);
	ck_assert_int_eq(ring_read(&ring, &chunk), RING_EMPTY);
	ring.writers_are_dead = true;
	ck_assert_int_eq(ring_read(&ring, &chunk), RING_DATA);
	ck_assert_uint_eq(chunk.n_tags, 1);
	ck_assert_uint_eq(chunk.words[1], 2);
	ck_assert_uint_eq(ring.n_unfinished, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tc = tcase_create("ring");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, replays_go);
	tcase_add_loop_test(tc, many_writers, 0, 2);
	tcase_add_loop_test(tc, distrusts_memory, 0, 9);
	tcase_add_test(tc, skips_what_a_dead_writer_left);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
