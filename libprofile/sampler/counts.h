/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_COUNTS_H
#define SAMPLER_COUNTS_H

/*
 * Things that are there now and the stacks that made them: the program's own
 * profiles, and those of open files, threads made and children.
 */

#include "sampler/machine.h"

#include <profile/sampler.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	COUNTS_PROFILES = 64,
	COUNTS_ENTRIES = 1 << 16,
	COUNTS_NAME = 48
};

/* The profiles that are always there, by their place in the list. */
enum counts_builtin {
	COUNTS_THREADCREATE,
	COUNTS_FD,
	COUNTS_FILE,
	COUNTS_CHILD,
	COUNTS_KEPT_ELSEWHERE, /* from here on: names, without entries */
	COUNTS_THREAD = COUNTS_KEPT_ELSEWHERE,
	COUNTS_HEAP,
	COUNTS_ALLOCS,
	COUNTS_BLOCK,
	COUNTS_MUTEX,
	COUNTS_WALL,
	COUNTS_BUILTINS
};

struct count_entry {
	uint64_t key;
	uint32_t stack;
	uint32_t profile; /* its place + 1; 0: free; UINT32_MAX: was used */
	uint64_t n;       /* 1, but where the stack is the key */
};

/* In the state that may be shared. */
struct count_table {
	_Atomic uint32_t n_profiles;
	_Atomic uint64_t lost;  /* adds without room */
	_Atomic uint32_t n[COUNTS_PROFILES]; /* sums of entries' n */
	char names[COUNTS_PROFILES][COUNTS_NAME];
	struct count_entry entries[COUNTS_ENTRIES];
};

void counts_keep_in(struct count_table *table);

/* The place of a collection in the list. */
uint32_t counts_index(const struct prof_collection *p);

/*
 * Adds a key to a builtin profile with the stack of the caller with regs; a
 * key that is there already gets the new stack.
 */
void counts_note(enum counts_builtin profile, uint64_t key,
                 const struct cfi_regs *regs);
/* An event that is never taken back: the key is the stack. */
void counts_event(enum counts_builtin profile, const struct cfi_regs *regs);
void counts_forget(enum counts_builtin profile, uint64_t key);

void counts_lock(void);
void counts_unlock(void);
/* In a forked child: the table is the parent's. */
void counts_after_fork(void);

#endif
