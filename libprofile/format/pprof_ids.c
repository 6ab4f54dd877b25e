/* SPDX-License-Identifier: Apache-2.0 */
#include "format/pprof_ids.h"

#include <string.h>

uint32_t id_32(struct large_ids *l, uint64_t id, const struct prof_allocator *a)
{
	uint32_t k;

	if (id < LARGE_ID_FIRST)
		return (uint32_t)id;
	if (!l->interner.table) {
		if (!byte_table_begin(&l->table, a))
			return 0;
		l->interner = (struct interner){ &l->table, .seed = hash_seed() };
	}
	k = intern_bytes(&l->interner, &id, sizeof(id), a);
	return k && k < LARGE_ID_FIRST ? LARGE_ID_FIRST + k - 1 : 0;
}

uint64_t id_64(const struct large_ids *l, uint32_t id)
{
	uint64_t large;

	if (id < LARGE_ID_FIRST)
		return id;
	memcpy(&large, byte_table_get(&l->table, id - LARGE_ID_FIRST + 1).ptr,
	       sizeof(large));
	return large;
}

void large_ids_release(struct large_ids *l, const struct prof_allocator *a)
{
	byte_table_release(&l->table, a);
	intern_release(&l->interner, a);
}

static uint64_t hash_id(const struct id_map *m, uint32_t id)
{
	return hash_bytes(&id, sizeof(id), m->seed);
}

/* Row m->n + 1 gets the id, which is known to be new. */
static bool add_sparse(struct id_map *m, uint32_t id,
                       const struct prof_allocator *a)
{
	const uint64_t hash = hash_id(m, id);
	size_t i;

	if (!hash_index_reserve(&m->index, 1, a) || !vec_reserve(&m->ids, 1, a))
		return false;
	i = hash_index_first(&m->index, hash);
	while (m->index.slots[i].id)
		i = hash_index_next(&m->index, i);
	hash_index_put(&m->index, i, hash, ++m->n);
	vec_put(&m->ids, id);
	return true;
}

/* Enters the rows that needed no entry while ids were in order. */
static bool become_sparse(struct id_map *m, const struct prof_allocator *a)
{
	const uint32_t n = m->n;

	m->is_sparse = true;
	m->seed = hash_seed();
	m->n = 0;
	if (!vec_reserve(&m->ids, n, a))
		return false;
	for (uint32_t id = 1; id <= n; id++)
		if (!add_sparse(m, id, a))
			return false;
	return true;
}

enum id_map_result id_map_add(struct id_map *m, uint32_t id,
                              const struct prof_allocator *a)
{
	if (!m->is_sparse && id == m->n + 1) {
		m->n++;
		return ID_MAP_OK;
	}
	if (!m->is_sparse && !become_sparse(m, a))
		return ID_MAP_NOMEM;
	if (id_map_find(m, id))
		return ID_MAP_DUPLICATE;
	return add_sparse(m, id, a) ? ID_MAP_OK : ID_MAP_NOMEM;
}

uint32_t id_map_find(const struct id_map *m, uint32_t id)
{
	uint64_t hash;
	uint32_t row;

	if (!m->is_sparse)
		return id <= m->n ? id : 0;
	if (m->n == 0)
		return 0;
	hash = hash_id(m, id);
	for (size_t i = hash_index_first(&m->index, hash);
	     (row = m->index.slots[i].id) != 0;
	     i = hash_index_next(&m->index, i))
		if (m->ids.data[row - 1] == id)
			return row;
	return 0;
}

void id_map_release(struct id_map *m, const struct prof_allocator *a)
{
	hash_index_release(&m->index, a);
	vec_release(&m->ids, a);
}
