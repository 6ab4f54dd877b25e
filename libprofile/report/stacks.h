/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_STACKS_H
#define REPORT_STACKS_H

/*
 * All stacks of a profile as one tree of frames, for pictures: a node for
 * each path from the root, in preorder, the children of a node by name.
 */

#include "report/report.h"

struct stack_node {
	uint32_t frame;
	uint32_t depth;  /* 0: a root */
	uint32_t end;    /* the subtree is nodes [this one, end) */
	uint32_t parent; /* GRAPH_NONE: a root */
};

struct stack_tree {
	struct graph graph;          /* its frames and their names */
	VEC(struct stack_node) nodes;
	VEC(uint32_t) leaves;        /* of each stack: its node; GRAPH_NONE */
	uint32_t max_depth;          /* nodes on the longest path */
};

/* What was positive and what was negative, as of a difference. */
struct stack_value {
	double before, after; /* both 0 or more */
};

/* False: out of memory; release in any case. */
bool stack_tree_init(struct stack_tree *t, const struct reporting *r,
                     unsigned parts);
void stack_tree_release(struct stack_tree *t, const struct reporting *r);

/*
 * self[i] and total[i] for each node: sums of r->column. Any negative value
 * makes *is_diff true.
 */
void stack_tree_sum(const struct stack_tree *t, const struct reporting *r,
                    struct stack_value *self, struct stack_value *total,
                    bool *is_diff);

static inline struct prof_str stack_name(const struct stack_tree *t,
                                         uint32_t node)
{
	return byte_table_get(&t->graph.names,
	                      t->nodes.data[node].frame + 1);
}

#endif
