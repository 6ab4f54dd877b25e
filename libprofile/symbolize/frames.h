/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_FRAMES_H
#define SYMBOLIZE_FRAMES_H

/*
 * What a decoder (DWARF, Go's pclntab) answers: for each of the sorted
 * addresses of a file a chain of frames, innermost first.
 *
 * A frame_set is what one worker found; its names point into the mapped file
 * and its file names into `text`. Frames hold 32-bit ids only, since there
 * are several for each address and memory is what the peers waste.
 *
 * frame_set_settle() then puts frames of one name together, still in the
 * worker: what is left for the one thread that writes the profile is a few
 * names and not some hundred thousand frames.
 */

#include "base/memory.h"

struct frame {
	/* Of a settled set: number of its name. Else 0: unknown. */
	uint32_t function;
	uint32_t file;         /* 0: unknown */
	uint32_t line, column; /* 0: unknown */
};

/* The linker's name of a function, which comes before DWARF's. */
struct frame_symbol {
	struct prof_str name; /* ptr NULL: none */
	bool is_plt;          /* shown as NAME@plt */
};

/* What the profile will have a function for. */
struct frame_name {
	uint32_t function, file; /* in the set */
	struct frame_symbol symbol;
	/* Of the profile, set by naming. */
	uint32_t system_name, filename, id;
};

struct frame_function {
	const char *name;        /* NULL: unknown */
	const char *system_name; /* mangled; NULL: as name */
	uint32_t start_line;
};

struct frame_file {
	size_t begin, size; /* in text */
};

/* The frames of an address: frames[first .. first + n) of its set. */
struct chain {
	uint32_t first, n;
};

struct frame_set {
	VEC(struct frame) frames;
	VEC(struct frame_function) functions; /* row 0 is unknown */
	VEC(struct frame_file) files;         /* row 0 is unknown */
	VEC(char) text;
	VEC(struct chain) chains;
	/* Of a settled set; of each function the last one added, and 1. */
	VEC(struct frame_name) names;
	VEC(uint32_t) last_names;
};

/* Row 0 of each table. False: out of memory. */
bool frame_set_begin(struct frame_set *s);
void frame_set_release(struct frame_set *s);

/* 0: out of memory. */
uint32_t frame_set_add_function(struct frame_set *s,
                                const struct frame_function *f);

/*
 * A file name of up to three parts, joined by '/': a part that is absolute
 * replaces what stands before it; empty and NULL parts are left out. 0: no
 * name, or out of memory.
 */
uint32_t frame_set_add_file(struct frame_set *s, const char *const parts[3]);

/*
 * Settles a chain: frames get names, the outermost one the symbol's. False:
 * out of memory.
 */
bool frame_set_settle(struct frame_set *s, struct chain chain,
                      struct frame_symbol symbol);

/* The first i with addresses[i] >= address; n where there is none. */
static inline size_t first_at(const uint64_t *addresses, size_t n,
                              uint64_t address)
{
	const uint64_t *base = addresses;

	if (n == 0)
		return 0;
	for (; n > 1; n -= n / 2)
		base = base[n / 2 - 1] < address ? base + n / 2 : base;
	return (size_t)(base - addresses) + (*base < address);
}

#endif
