/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_SOURCE_H
#define SYMBOLIZE_SOURCE_H

/*
 * Where the symbols of a mapping come from: a file, the vDSO, the running
 * kernel's list, or the map that a JIT compiler wrote.
 */

#include "model/profile.h"
#include "symbolize/object.h"

#include <profile/symbolize.h>

enum source_kind {
	SOURCE_FILE,
	SOURCE_VDSO,
	SOURCE_KERNEL,  /* /proc/kallsyms */
	SOURCE_VMLINUX, /* the kernel's file */
	SOURCE_JIT
};

/* The options with their defaults filled in. */
struct source_options {
	struct find_options find;
	const char *kallsyms, *vmlinux;
	char *perf_map, *home_path; /* owned */
};

struct source {
	enum source_kind kind;
	struct prof_str name, build_id; /* borrowed from the profile */
	enum find_result result;
	bool is_hidden;          /* a list of addresses that are all 0 */
	VEC(char) text;          /* of kallsyms or a perf map */
	const char *text_path;
	bool has_stext;          /* of SOURCE_VMLINUX */
	uint64_t stext;
};

bool source_options_init(struct source_options *s,
                         const struct prof_symbolize_options *options);
void source_options_release(struct source_options *s);

/* mapping: id; 0 is for locations without one. */
void source_of_mapping(struct source *s, const struct prof_profile *p,
                       uint32_t mapping, const struct source_options *o);
bool source_is_equal(const struct source *a, const struct source *b);
uint64_t source_hash(const struct source *s, uint64_t seed);

/* Opens what there is; sets s->result. */
void source_open(struct source *s, struct found_files *files,
                 const struct source_options *o);

/* address_base() for this kind of source. */
bool source_base(const struct source *s, const struct elf *elf,
                 const struct row_mapping *m, uint64_t address,
                 uint64_t *base);

/* Finds symbols and plans what is to be done; object_plan() for files. */
enum prof_status source_plan(struct source *s, struct object *o);

/* The file that was read; empty: none. */
struct prof_str source_path(const struct source *s,
                            const struct found_files *files);

void source_release(struct source *s);

#endif
