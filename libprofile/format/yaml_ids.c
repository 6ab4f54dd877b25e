/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of rows. What we write ourselves has none, so the usual case is two
 * comparisons; the first id: that is not the row's place builds the index.
 */
#include "format/yaml_read.h"

#include "base/error.h"

static uint64_t hash_name(const struct yaml_ids *ids, uint64_t name)
{
	return hash_bytes(&name, sizeof(name), ids->seed);
}

/* The row of a name, 0: none. *place is where it is or would be. */
static uint32_t find_indexed(const struct yaml_ids *ids, uint64_t name,
                             size_t *place)
{
	const uint64_t hash = hash_name(ids, name);
	size_t i = hash_index_first(&ids->index, hash);
	uint32_t row;

	for (; (row = ids->index.slots[i].id) != 0;
	     i = hash_index_next(&ids->index, i))
		if (ids->index.slots[i].tag == hash_tag(hash) &&
		    ids->names.data[row - 1] == name)
			break;
	*place = i;
	return row;
}

/* Adds a name for row names.n + 1. */
static void put_indexed(struct yaml_ids *ids, struct yaml_reader *r,
                        uint64_t name, const char *what)
{
	size_t place;

	if (!vec_reserve(&ids->names, 1, r->allocator) ||
	    !hash_index_reserve(&ids->index, 1, r->allocator)) {
		yaml_fail_nested(r, error_nomem(r->err));
		return;
	}
	if (find_indexed(ids, name, &place)) {
		yaml_fail(r, PROF_CORRUPT, "id %llu is that of an earlier %s",
		          (unsigned long long)name, what);
		return;
	}
	vec_put(&ids->names, name);
	hash_index_put(&ids->index, place, hash_name(ids, name),
	               (uint32_t)ids->names.n);
}

static void build_index(struct yaml_ids *ids, struct yaml_reader *r,
                        const char *what)
{
	ids->is_indexed = true;
	ids->seed = hash_seed();
	for (uint32_t row = 1; row <= ids->n && !r->status; row++)
		put_indexed(ids, r, row, what);
}

void yaml_ids_add(struct yaml_ids *ids, struct yaml_reader *r,
                  const uint64_t *name, const char *what)
{
	const uint64_t place = (uint64_t)ids->n + 1;

	if (r->status)
		return;
	if (name && *name == 0) {
		yaml_fail(r, PROF_CORRUPT, "id 0 can not name a %s: it means "
		          "none", what);
		return;
	}
	if (ids->n == UINT32_MAX - 1) {
		yaml_fail(r, PROF_LIMIT, "more than 2^32 rows");
		return;
	}
	if (name && *name != place && !ids->is_indexed)
		build_index(ids, r, what);
	if (ids->is_indexed)
		put_indexed(ids, r, name ? *name : place, what);
	ids->n++;
}

uint32_t yaml_ids_find(const struct yaml_ids *ids, struct yaml_reader *r,
                       uint64_t name, const char *what)
{
	uint32_t row = 0;
	size_t place;

	if (r->status)
		return 0;
	if (!ids->is_indexed)
		row = name <= ids->n ? (uint32_t)name : 0;
	else if (ids->n)
		row = find_indexed(ids, name, &place);
	if (!row)
		yaml_fail(r, PROF_CORRUPT, "there is no %s %llu", what,
		          (unsigned long long)name);
	return row;
}

void yaml_ids_release(struct yaml_ids *ids, const struct prof_allocator *a)
{
	vec_release(&ids->names, a);
	hash_index_release(&ids->index, a);
}
