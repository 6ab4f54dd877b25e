/* SPDX-License-Identifier: Apache-2.0 */
#include "model/addresses.h"

#include <string.h>

void address_map_init(struct address_map *m, struct prof_builder *b,
                      enum address_rule rule)
{
	memset(m, 0, sizeof(*m));
	m->b = b;
	m->rule = rule;
	m->ranges.random = hash_seed();
}

void address_map_release(struct address_map *m)
{
	const struct prof_allocator *a = &m->b->allocator;

	address_ranges_release(&m->ranges, a);
	hash_index_release(&m->index, a);
	vec_release(&m->pcs, a);
	vec_release(&m->locations, a);
	hash_index_release(&m->symbol_index, a);
	vec_release(&m->symbol_pcs, a);
	vec_release(&m->symbols, a);
	vec_release(&m->lines, a);
	vec_release(&m->scratch, a);
}

static void fail_nomem(struct address_map *m)
{
	builder_fail(m->b, PROF_NOMEM, "out of memory");
}

/* What was found for addresses so far may be wrong from now on. */
static void forget_locations(struct address_map *m)
{
	hash_index_release(&m->index, &m->b->allocator);
	m->pcs.n = 0;
	m->locations.n = 0;
}

void address_map_add(struct address_map *m, const struct prof_mapping *mapping)
{
	uint32_t id;

	forget_locations(m);
	if (mapping->limit == 0) {
		address_ranges_remove(&m->ranges, mapping->start);
		return;
	}
	id = prof_add_mapping(m->b, mapping);
	if (id && !address_ranges_add(&m->ranges, mapping->start,
	                              mapping->limit, id, &m->b->allocator))
		fail_nomem(m);
}

static uint64_t hash_pc(const struct address_map *m, uint64_t pc)
{
	return hash_bytes(&pc, sizeof(pc), m->b->strings.seed);
}

/* ---- Symbols ---- */

void address_map_add_symbol(struct address_map *m, uint64_t pc,
                            const struct prof_symbol *frames, size_t n)
{
	const struct prof_allocator *a = &m->b->allocator;
	const uint64_t hash = hash_pc(m, pc);
	struct hash_index *h = &m->symbol_index;
	uint32_t id;
	size_t i;

	forget_locations(m);
	if (n > LOCATION_MAX_LINES || !hash_index_reserve(h, 1, a) ||
	    !vec_reserve(&m->symbol_pcs, 1, a) ||
	    !vec_reserve(&m->symbols, 1, a) || !vec_reserve(&m->lines, n, a)) {
		fail_nomem(m);
		return;
	}
	i = hash_index_first(h, hash);
	while ((id = h->slots[i].id) != 0 && m->symbol_pcs.data[id - 1] != pc)
		i = hash_index_next(h, i);
	if (!id) {
		vec_put(&m->symbol_pcs, pc);
		vec_put(&m->symbols, (struct address_symbol){ 0 });
		id = (uint32_t)m->symbols.n;
		hash_index_put(h, i, hash, id);
	}
	m->symbols.data[id - 1] = (struct address_symbol){
		(uint32_t)m->lines.n, (uint32_t)n };
	for (size_t k = 0; k < n; k++)
		vec_put(&m->lines, (struct prof_line){
			.function = prof_add_function(
				m->b, &(struct prof_function){
					frames[k].name, frames[k].system_name,
					frames[k].filename,
					frames[k].start_line }),
			.line = frames[k].line,
			.column = frames[k].column,
		});
}

static struct address_symbol find_symbol(const struct address_map *m,
                                         uint64_t pc)
{
	const struct hash_index *h = &m->symbol_index;
	uint32_t id;

	if (h->n == 0)
		return (struct address_symbol){ 0 };
	for (size_t i = hash_index_first(h, hash_pc(m, pc));
	     (id = h->slots[i].id) != 0; i = hash_index_next(h, i))
		if (m->symbol_pcs.data[id - 1] == pc)
			return m->symbols.data[id - 1];
	return (struct address_symbol){ 0 };
}

/* ---- Locations ---- */

static uint32_t mapping_of(struct address_map *m, uint64_t address)
{
	const uint32_t id = address_ranges_find(&m->ranges, address);

	if (id || m->rule == ADDRESS_CLEAN || m->ranges.root)
		return id;
	if (!m->fake_mapping)
		m->fake_mapping =
			prof_add_mapping(m->b, &(struct prof_mapping){ 0 });
	return m->fake_mapping;
}

static uint32_t nameless_function(struct address_map *m)
{
	if (!m->no_function)
		m->no_function =
			prof_add_function(m->b, &(struct prof_function){ 0 });
	return m->no_function;
}

static uint32_t make_location(struct address_map *m, uint64_t pc)
{
	const bool is_exact = m->rule == ADDRESS_GO_EXACT;
	const uint64_t address = pc || is_exact ? pc - 1 : 0;
	const struct address_symbol symbol = find_symbol(m, pc);
	struct prof_line unknown = { 0 };
	struct prof_location l = {
		.address = address,
		.mapping = mapping_of(m, is_exact ? pc : address),
		.n_lines = symbol.n_lines,
		.lines = m->lines.data + symbol.first_line,
	};

	if (is_exact && !l.n_lines) {
		unknown.function = nameless_function(m);
		l.n_lines = 1;
		l.lines = &unknown;
	}
	return prof_add_location(m->b, &l);
}

static uint32_t location_of(struct address_map *m, uint64_t pc)
{
	const struct prof_allocator *a = &m->b->allocator;
	const uint64_t hash = hash_pc(m, pc);
	struct hash_index *h = &m->index;
	uint32_t id;
	size_t i;

	if (!hash_index_reserve(h, 1, a) || !vec_reserve(&m->pcs, 1, a) ||
	    !vec_reserve(&m->locations, 1, a)) {
		fail_nomem(m);
		return 0;
	}
	for (i = hash_index_first(h, hash); (id = h->slots[i].id) != 0;
	     i = hash_index_next(h, i))
		if (m->pcs.data[id - 1] == pc)
			return m->locations.data[id - 1];
	id = make_location(m, pc);
	vec_put(&m->pcs, pc);
	vec_put(&m->locations, id);
	hash_index_put(h, i, hash, (uint32_t)m->pcs.n);
	return id;
}

uint32_t address_map_stack(struct address_map *m, const uint64_t *pcs,
                           size_t n)
{
	m->scratch.n = 0;
	if (!vec_reserve(&m->scratch, n, &m->b->allocator)) {
		fail_nomem(m);
		return 0;
	}
	for (size_t i = 0; i < n && m->b->status == PROF_OK; i++)
		vec_put(&m->scratch, location_of(m, pcs[i]));
	return prof_add_stack(m->b, m->scratch.data, m->scratch.n);
}
