/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_ITEMS_H
#define FORMAT_YAML_ITEMS_H

/*
 * The items of a recording's records: the document's reader sets the section
 * that they stand in, and they are told to the recorder.
 */

#include "format/yaml.h"
#include "model/profile.h"

/* What the records of a section are. */
enum yaml_section { YAML_CPU, YAML_MEM, YAML_COUNT, YAML_BLOCK, YAML_LOG };

/* Their names, as keys of sections:, in the order of enum yaml_section. */
extern const struct yaml_keys yaml_section_keys;

/* Begin with reader, recorder, allocator and section, the rest zero. */
struct yaml_items {
	struct yaml_reader *r;
	const struct prof_recorder *to;
	const struct prof_allocator *allocator;
	enum yaml_section section; /* that the items stand in */

	/* Words that are not told yet, and a tag for each record. */
	VEC(uint64_t) words, tags;
	bool has_tags;

	/* The call that is not told yet: what it is of, and its records. */
	bool is_call_open, has_rate, has_name;
	bool is_call_of_document; /* keys at its top began it */
	int64_t rate, cycles_per_second;
	VEC(char) name;
	VEC(struct prof_mem_record) mem;
	VEC(struct prof_block_record) block;
	VEC(struct prof_count_record) count; /* pcs: NULL until it is told */
	VEC(uint64_t) count_pcs;             /* of all of count */

	/* The item at hand. */
	uint64_t t, n, tag, lost, hz, pc;
	bool is_n_negative;
	int64_t alloc_objects, alloc_bytes, free_objects, free_bytes, cycles;
	VEC(uint64_t) pcs;
	struct yaml_labels labels;
	struct yaml_mapping mapping;
	VEC(struct yaml_frame) frames;
	VEC(struct prof_symbol) symbol;

	/* Labels that stand where a tag would: each set gets the next tag. */
	bool has_numbered_tags;
	struct byte_table label_sets;
	struct interner label_set_index;
	VEC(unsigned char) packed;
};

/* The list of items that is to come, and the end of the call that is open. */
void yaml_read_items(struct yaml_items *p);

/* rate:, name: or cycles_per_second:, at the top or in an item: what came
   before them is told. */
enum yaml_call_field { YAML_RATE, YAML_NAME, YAML_CYCLES_PER_SECOND };
void yaml_read_call_field(struct yaml_items *p, enum yaml_call_field field);

/* Words [n_pcs + 3, t, count, pcs ...] at the time p->t. */
void yaml_add_words(struct yaml_items *p, uint64_t tag, uint64_t count,
                    const uint64_t *pcs, size_t n_pcs);
/* Tells what was added and is not told yet. */
void yaml_tell_pending(struct yaml_items *p);

/* Reads a mapping, or the frames of the address p->pc, and tells it. */
void yaml_pass_mapping(struct yaml_items *p);
void yaml_pass_symbol(struct yaml_items *p);

void yaml_items_release(struct yaml_items *p);

#endif
