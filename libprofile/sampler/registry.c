/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry of profiles, with Go's rules. A prof_collection is no object
 * of its own but a place in the list of names, which is in the state.
 */
#include "sampler/counts.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/machine.h"
#include "sampler/stacks.h"
#include "sampler/state.h"
#include "sampler/unwind.h"

#include <string.h>

struct prof_collection {
	char name[COUNTS_NAME];
};

/* In the order of enum counts_builtin. */
static const char builtin_names[COUNTS_BUILTINS][16] = {
	"threadcreate", "fd",     "file",  "child", "thread",
	"heap",         "allocs", "block", "mutex", "wall",
};

static struct count_table *count_table;
static struct table_lock count_lock;

void counts_lock(void)
{
	table_lock_take(&count_lock);
}

void counts_unlock(void)
{
	table_lock_give(&count_lock);
}

void counts_keep_in(struct count_table *table)
{
	size_t i;

	for (i = 0; i < COUNTS_BUILTINS; i++)
		memcpy(table->names[i], builtin_names[i],
		       sizeof(builtin_names[i]));
	atomic_store(&table->n_profiles, COUNTS_BUILTINS);
	count_table = table;
}

/* ---- Entries; all with the lock held ---- */

#define WAS_USED UINT32_MAX

static uint32_t home(uint32_t profile, uint64_t key)
{
	return (uint32_t)((key + profile) * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

static struct count_entry *find_entry(uint32_t profile, uint64_t key)
{
	uint32_t i = home(profile, key), probes;

	for (probes = 0; probes < COUNTS_ENTRIES; probes++, i++) {
		struct count_entry *e =
			&count_table->entries[i % COUNTS_ENTRIES];

		if (e->profile == profile && e->key == key)
			return e;
		if (e->profile == 0)
			return NULL;
	}
	return NULL;
}

/* One more, with that stack. */
static bool add_entry(uint32_t profile, uint64_t key, uint32_t stack)
{
	uint32_t i = home(profile, key), probes;

	for (probes = 0; probes < COUNTS_ENTRIES; probes++, i++) {
		struct count_entry *e =
			&count_table->entries[i % COUNTS_ENTRIES];

		if (e->profile != 0 && e->profile != WAS_USED)
			continue;
		e->key = key;
		e->stack = stack;
		e->n = 1;
		e->profile = profile;
		atomic_fetch_add(&count_table->n[profile - 1], 1);
		return true;
	}
	atomic_fetch_add(&count_table->lost, 1);
	return false;
}

static void remove_entry(struct count_entry *e)
{
	const uint32_t next =
		(uint32_t)(e - count_table->entries + 1) % COUNTS_ENTRIES;

	atomic_fetch_sub(&count_table->n[e->profile - 1], 1);
	/* At the end of a run nothing is searched beyond it. */
	e->profile = count_table->entries[next].profile == 0 ? 0 : WAS_USED;
}

/* ---- Builtins ---- */

static uint32_t stack_of(const struct cfi_regs *regs)
{
	uint64_t pcs[STACKS_DEPTH];
	enum unwind_end end;
	size_t n = unwind(pcs, STACKS_DEPTH - 1, regs, UNWIND_AT_CALL, &end);

	if (end == UNWIND_TRUNCATED)
		pcs[n++] = PROF_PC_TRUNCATED;
	return stacks_intern(pcs, n);
}

void counts_note(enum counts_builtin profile, uint64_t key,
                 const struct cfi_regs *regs)
{
	struct count_entry *e;
	uint32_t stack;

	if (!count_table)
		return;
	stack = stack_of(regs);
	counts_lock();
	e = find_entry(profile + 1u, key);
	if (e)
		e->stack = stack;
	else
		add_entry(profile + 1u, key, stack);
	counts_unlock();
}

void counts_event(enum counts_builtin profile, const struct cfi_regs *regs)
{
	struct count_entry *e;
	uint32_t stack;

	if (!count_table)
		return;
	stack = stack_of(regs);
	counts_lock();
	e = find_entry(profile + 1u, stack);
	if (e) {
		e->n++;
		atomic_fetch_add(&count_table->n[profile], 1);
	} else {
		add_entry(profile + 1u, stack, stack);
	}
	counts_unlock();
}

void counts_after_fork(void)
{
	count_table = NULL;
}

void counts_forget(enum counts_builtin profile, uint64_t key)
{
	struct count_entry *e;

	if (!count_table || atomic_load(&count_table->n[profile]) == 0)
		return;
	counts_lock();
	e = find_entry(profile + 1u, key);
	if (e)
		remove_entry(e);
	counts_unlock();
}

/* ---- The program's ---- */

static struct prof_collection *at(uint32_t i)
{
	return (struct prof_collection *)(void *)count_table->names[i];
}

uint32_t counts_index(const struct prof_collection *p)
{
	return (uint32_t)((p->name - count_table->names[0]) / COUNTS_NAME);
}

static struct prof_collection *lookup(const char *name)
{
	const uint32_t n = atomic_load(&count_table->n_profiles);
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(count_table->names[i], name))
			return at(i);
	return NULL;
}

struct prof_collection *prof_lookup(const char *name)
{
	return sampler_init(NULL) ? lookup(name) : NULL;
}

enum prof_status prof_new(struct prof_collection **out, const char *name,
                          struct prof_error *err)
{
	enum prof_status status = PROF_OK;
	uint32_t n;

	if (!name || *name == '\0' || strlen(name) >= COUNTS_NAME)
		return error_set(err, PROF_INVALID,
		                 "a profile's name has 1 to %d bytes",
		                 COUNTS_NAME - 1);
	if (!sampler_init(err))
		return PROF_NOMEM;
	counts_lock();
	n = atomic_load(&count_table->n_profiles);
	if (!strcmp(name, "cpu") || lookup(name)) {
		status = error_set(err, PROF_INVALID,
		                   "there is a profile \"%s\" already", name);
	} else if (n == COUNTS_PROFILES) {
		status = error_set(err, PROF_LIMIT, "more than %d profiles",
		                   COUNTS_PROFILES);
	} else {
		memcpy(count_table->names[n], name, strlen(name) + 1);
		atomic_store(&count_table->n_profiles, n + 1);
		*out = at(n);
	}
	counts_unlock();
	return status;
}

const char *prof_name(const struct prof_collection *p)
{
	return p->name;
}

size_t prof_profiles(struct prof_collection **out, size_t size)
{
	struct prof_collection *all[COUNTS_PROFILES], *p;
	size_t n, i, k;

	if (!sampler_init(NULL))
		return 0;
	n = atomic_load(&count_table->n_profiles);
	for (i = 0; i < n; i++) {
		p = at((uint32_t)i);
		for (k = i; k > 0 && strcmp(all[k - 1]->name, p->name) > 0; k--)
			all[k] = all[k - 1];
		all[k] = p;
	}
	for (i = 0; i < n && i < size; i++)
		out[i] = all[i];
	return n;
}

/* The stack from the caller of the public function on, less skip frames. */
static uint32_t stack_after(const struct cfi_regs *regs, size_t skip)
{
	uint64_t pcs[STACKS_DEPTH];
	enum unwind_end end;
	size_t n = unwind(pcs, STACKS_DEPTH - 1, regs, UNWIND_AT_CALL, &end);

	if (end == UNWIND_TRUNCATED)
		pcs[n++] = PROF_PC_TRUNCATED;
	if (skip >= n) { /* nothing is left of it */
		pcs[0] = PROF_PC_TRUNCATED;
		return stacks_intern(pcs, 1);
	}
	return stacks_intern(pcs + skip, n - skip);
}

enum prof_status prof_add(struct prof_collection *p, const void *value,
                          size_t skip, struct prof_error *err)
{
	const uint64_t key = (uint64_t)(uintptr_t)value;
	enum prof_status status = PROF_OK;
	struct cfi_regs regs;
	uint32_t stack, profile = counts_index(p) + 1;

	MACHINE_REGS_OF_CALLER(&regs);
	if (profile <= COUNTS_BUILTINS)
		return error_set(err, PROF_INVALID,
		                 "\"%s\" is not the program's to add to",
		                 p->name);
	stack = stack_after(&regs, skip > STACKS_DEPTH ? STACKS_DEPTH : skip);
	counts_lock();
	if (find_entry(profile, key))
		status = error_set(err, PROF_INVALID,
		                   "that value is in \"%s\" already", p->name);
	else if (stack == 0 || !add_entry(profile, key, stack))
		status = error_set(err, PROF_LIMIT,
		                   "no more room in the profiles");
	counts_unlock();
	return status;
}

void prof_remove(struct prof_collection *p, const void *value)
{
	struct count_entry *e;

	counts_lock();
	e = find_entry(counts_index(p) + 1, (uint64_t)(uintptr_t)value);
	if (e && counts_index(p) >= COUNTS_BUILTINS)
		remove_entry(e);
	counts_unlock();
}
