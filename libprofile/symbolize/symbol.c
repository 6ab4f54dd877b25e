/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/symbol.h"

#include "symbolize/frames.h"

#include <stdlib.h>

/* Overlaps beyond this are no symbol table's. */
#define SEARCH_FUEL (UINT64_C(1) << 28)

bool symbol_search_begin(struct symbol_search *s, const uint64_t *addresses,
                         size_t n)
{
	*s = (struct symbol_search){ .addresses = addresses, .n = n,
		                     .fuel = SEARCH_FUEL };
	s->found = mem_zeroed(&mem_malloc, n, sizeof(*s->found));
	s->ended = mem_zeroed(&mem_malloc, n, sizeof(*s->ended));
	return (s->found && s->ended) || n == 0;
}

void symbol_search_release(struct symbol_search *s)
{
	mem_free(&mem_malloc, s->found, s->n * sizeof(*s->found));
	mem_free(&mem_malloc, s->ended, s->n * sizeof(*s->ended));
	vec_release(&s->unsized, &mem_malloc);
	s->found = NULL;
	s->ended = NULL;
}

static bool is_better(const struct symbol *a, const struct symbol *than)
{
	if (!than->name.ptr || a->address != than->address)
		return !than->name.ptr || a->address > than->address;
	return a->size >= than->size;
}

void symbol_search_add(struct symbol_search *s, const struct symbol *symbol,
                       uint64_t reach)
{
	uint64_t last = symbol->address + symbol->size - 1;
	size_t i;

	if (s->n == 0 || symbol->address > s->addresses[s->n - 1])
		return;
	if (symbol->size == 0) {
		struct symbol open = *symbol;

		open.size = reach;
		if (reach && vec_reserve(&s->unsized, 1, &mem_malloc))
			vec_put(&s->unsized, open);
		return;
	}
	if (last < symbol->address)
		last = UINT64_MAX;
	i = first_at(s->addresses, s->n, symbol->address);
	for (; i < s->n && s->addresses[i] <= last && s->fuel > 0; i++) {
		s->fuel--;
		if (is_better(symbol, &s->found[i]))
			s->found[i] = *symbol;
	}
	if (i < s->n && s->ended[i] < symbol->address)
		s->ended[i] = symbol->address;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* Any order will do that is the same every time. */
	return (x->name.ptr > y->name.ptr) - (x->name.ptr < y->name.ptr);
}

/* Measures the names of those that were found. */
static void close_names(struct symbol_search *s)
{
	struct prof_str last = { NULL, 0 };

	for (size_t i = 0; i < s->n; i++) {
		struct prof_str *name = &s->found[i].name;

		if (!name->ptr || name->len != SYMBOL_NAME_OPEN)
			continue;
		if (name->ptr != last.ptr)
			last = (struct prof_str){
				name->ptr, strnlen(name->ptr, SPAN_TEXT_MAX)
			};
		name->len = last.len;
	}
}

static void add_unsized(struct symbol_search *s)
{
	size_t next = 0;
	uint64_t ended = 0;

	qsort(s->unsized.data, s->unsized.n, sizeof(*s->unsized.data),
	      compare_addresses);
	for (size_t i = 0; i < s->n; i++) {
		const struct symbol *u;

		if (s->ended[i] > ended)
			ended = s->ended[i];
		while (next < s->unsized.n &&
		       s->unsized.data[next].address <= s->addresses[i])
			next++;
		if (next == 0 || s->found[i].name.ptr)
			continue;
		u = &s->unsized.data[next - 1];
		if (u->address >= ended && s->addresses[i] - u->address < u->size)
			s->found[i] = *u;
	}
	s->unsized.n = 0;
}

void symbol_search_settle(struct symbol_search *s)
{
	if (s->unsized.n > 0)
		add_unsized(s);
	close_names(s);
}
