/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A treap (Seidel and Aragon, 1996): a search tree by start that is a heap by
 * random priorities, and so of logarithmic depth for every input. All is done
 * by splitting a tree at a start and by joining two. What a new range covers
 * is one split-off tree, and is dropped whole.
 */
#include "model/ranges.h"

static bool begin(struct address_ranges *r, const struct prof_allocator *a)
{
	if (r->nodes.n)
		return true;
	if (!vec_reserve(&r->nodes, 1, a))
		return false;
	vec_put(&r->nodes, (struct address_range){ 0 });
	return true;
}

static uint32_t next_random(struct address_ranges *r)
{
	r->random = r->random * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(r->random >> 32);
}

/* Two trees of the nodes of t: those that start before `start`, the rest. */
static void split(struct address_ranges *r, uint32_t t, uint64_t start,
                  uint32_t *before, uint32_t *rest)
{
	struct address_range *const nodes = r->nodes.data;

	/* Where the node that comes next is to hang. */
	while (t) {
		if (nodes[t].start < start) {
			*before = t;
			before = &nodes[t].right;
			t = *before;
		} else {
			*rest = t;
			rest = &nodes[t].left;
			t = *rest;
		}
	}
	*before = *rest = 0;
}

/* One tree of two, of which `before` has the smaller starts. */
static uint32_t join(struct address_ranges *r, uint32_t before, uint32_t rest)
{
	struct address_range *const nodes = r->nodes.data;
	uint32_t root, *to = &root;

	while (before && rest) {
		if (nodes[before].priority > nodes[rest].priority) {
			*to = before;
			to = &nodes[before].right;
			before = *to;
		} else {
			*to = rest;
			to = &nodes[rest].left;
			rest = *to;
		}
	}
	*to = before ? before : rest;
	return root;
}

static uint32_t last_of(const struct address_ranges *r, uint32_t t)
{
	while (t && r->nodes.data[t].right)
		t = r->nodes.data[t].right;
	return t;
}

bool address_ranges_add(struct address_ranges *r, uint64_t start,
                        uint64_t limit, uint32_t id,
                        const struct prof_allocator *a)
{
	uint32_t before, covered, rest, last;

	if (start >= limit)
		return true;
	if (!begin(r, a) || r->nodes.n > UINT32_MAX - 1 ||
	    !vec_reserve(&r->nodes, 1, a))
		return false;
	split(r, r->root, start, &before, &rest);
	split(r, rest, limit, &covered, &rest);
	last = last_of(r, before);
	if (last && r->nodes.data[last].limit > start)
		split(r, before, r->nodes.data[last].start, &before, &covered);
	vec_put(&r->nodes, (struct address_range){
		start, limit, id, next_random(r), 0, 0 });
	before = join(r, before, (uint32_t)(r->nodes.n - 1));
	r->root = join(r, before, rest);
	return true;
}

void address_ranges_remove(struct address_ranges *r, uint64_t start)
{
	uint32_t before, found, rest;

	if (!r->root)
		return;
	split(r, r->root, start, &before, &rest);
	found = rest;
	while (found && r->nodes.data[found].left)
		found = r->nodes.data[found].left;
	if (found && r->nodes.data[found].start == start)
		split(r, rest, start + 1, &found, &rest);
	r->root = join(r, before, rest);
}

uint32_t address_ranges_find(const struct address_ranges *r, uint64_t address)
{
	const struct address_range *n;

	for (uint32_t t = r->root; t; t = address < n->start ? n->left :
	                                  n->right) {
		n = &r->nodes.data[t];
		if (address >= n->start && address < n->limit)
			return n->id;
	}
	return 0;
}

void address_ranges_release(struct address_ranges *r,
                            const struct prof_allocator *a)
{
	vec_release(&r->nodes, a);
	r->root = 0;
}
