/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/stacks.h"

#include "sampler/futex_lock.h"

#include <string.h>

static struct stack_table *stack_table;
static struct table_lock stack_lock;

void stacks_keep_in(struct stack_table *table)
{
	uint32_t none = 0;

	stack_table = table;
	/* Id 0 is no stack, so none begins there. */
	atomic_compare_exchange_strong(&table->used, &none, 1);
}

void stacks_lock(void)
{
	table_lock_take(&stack_lock);
}

void stacks_unlock(void)
{
	table_lock_give(&stack_lock);
}

static uint32_t hash_stack(const uint64_t *pcs, size_t n)
{
	uint64_t h = n;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ pcs[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return (uint32_t)(h >> 32);
}

size_t stacks_get(const struct stack_table *table, uint32_t id,
                  const uint64_t **pcs)
{
	uint64_t n;

	if (id == 0 || id >= STACKS_WORDS)
		return 0;
	n = (uint32_t)table->words[id];
	if (n > STACKS_DEPTH || n > STACKS_WORDS - 1 - id)
		return 0;
	*pcs = &table->words[id + 1];
	return n;
}

static uint32_t append(struct stack_table *t, const uint64_t *pcs, size_t n,
                       uint64_t head)
{
	const uint32_t id = atomic_load(&t->used);

	if (n + 1 > STACKS_WORDS - id)
		return 0;
	memcpy(&t->words[id + 1], pcs, n * sizeof(*pcs));
	t->words[id] = head;
	atomic_store(&t->used, id + 1 + (uint32_t)n);
	return id;
}

/* With the lock held. */
static uint32_t intern(struct stack_table *t, const uint64_t *pcs, size_t n)
{
	const uint32_t hash = hash_stack(pcs, n);
	const uint64_t head = (uint64_t)hash << 32 | n;
	uint32_t probes, slot = hash, id;

	for (probes = 0; probes < STACKS_INDEX; probes++, slot++) {
		id = atomic_load(&t->index[slot % STACKS_INDEX]);
		if (id == 0)
			break;
		if (t->words[id] == head &&
		    !memcmp(&t->words[id + 1], pcs, n * sizeof(*pcs)))
			return id;
	}
	if (probes == STACKS_INDEX)
		return 0;
	id = append(t, pcs, n, head);
	atomic_store(&t->index[slot % STACKS_INDEX], id);
	return id;
}

uint32_t stacks_intern(const uint64_t *pcs, size_t n)
{
	uint32_t id;

	if (n == 0 || !stack_table)
		return 0;
	if (n > STACKS_DEPTH)
		n = STACKS_DEPTH;
	table_lock_take(&stack_lock);
	id = intern(stack_table, pcs, n);
	table_lock_give(&stack_lock);
	return id;
}
