/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_DWARF_H
#define SYMBOLIZE_DWARF_H

/*
 * DWARF 2 to 5, read for one purpose: many sorted addresses at once.
 *
 * A debugger asks about one address and builds trees and indexes for the
 * next. With all addresses known it is faster to read .debug_info once from
 * front to end: entries that are not code are stepped over by sizes that were
 * worked out once per abbreviation, the ranges of those that are code are
 * looked up in the addresses, and the line program is run once with its rows
 * merged against the addresses. Nothing is kept of what was read but the
 * answers.
 *
 * Subtrees are not pruned by their parent's range: the code of a lambda
 * stands inside a class inside an unrelated function. .debug_aranges is not
 * used: some compilers leave it out.
 *
 * Order of work: dwarf_open, dwarf_claim (which unit answers for which
 * address), then dwarf_look_up for each unit, on as many threads as there
 * are. Everything but the workers' own state is then read only.
 *
 * Source: the DWARF standard, versions 2 to 5, and the GNU extensions for
 * split and supplementary files in their DWARF 4 form.
 */

#include "symbolize/elf.h"
#include "symbolize/frames.h"

enum dwarf_section {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_STR,
	DWARF_LINE_STR,
	DWARF_STR_OFFSETS,
	DWARF_LINE,
	DWARF_ADDR,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_N_SECTIONS
};

#define DWARF_NONE UINT64_MAX

struct dwarf_file {
	/* Those of strings end with '\0'. */
	struct span sections[DWARF_N_SECTIONS];
	bool is_big;
	uint64_t code_begin; /* ranges below are code that was dropped */
	VEC(struct dwarf_unit) units; /* by offset */
	/* The supplementary file of dwz, or NULL. */
	const struct dwarf_file *alt;
};

enum dwarf_unit_type {
	DWARF_UT_COMPILE = 1,
	DWARF_UT_TYPE = 2,
	DWARF_UT_SKELETON = 4,
	DWARF_UT_SPLIT_COMPILE = 5,
	DWARF_UT_SPLIT_TYPE = 6
};

/* A unit: its header, and what its first entry says about the rest. */
struct dwarf_unit {
	const struct dwarf_file *file;
	/* Where .debug_addr is, and .debug_ranges of DWARF 4: for the units
	   of a .dwo the file of the skeleton. */
	const struct dwarf_file *skeleton_file;
	uint64_t offset, end, first_entry;
	uint64_t abbrevs_at, abbrevs_end; /* where the next table begins */
	uint16_t version;
	uint8_t type, address_size, offset_size;

	uint64_t low_pc;      /* 0 where there is none */
	uint64_t high_pc;     /* DWARF_NONE: none */
	uint64_t ranges_at;   /* of the unit's own list; DWARF_NONE: none */
	uint64_t lines_at;    /* in .debug_line; DWARF_NONE: none */
	uint64_t str_offsets_base, addresses_base, rnglists_base;
	uint64_t ranges_base; /* DWARF 4 of split units */
	const char *comp_dir, *dwo_name; /* NULL: none */
	uint64_t dwo_id;
};

/* ---- Attributes (dwarf_form.c) ---- */

enum dwarf_tag {
	DWARF_TAG_INLINED_SUBROUTINE = 0x1d,
	DWARF_TAG_SUBPROGRAM = 0x2e
};

enum dwarf_at {
	DWARF_AT_SIBLING = 0x01,
	DWARF_AT_NAME = 0x03,
	DWARF_AT_STMT_LIST = 0x10,
	DWARF_AT_LOW_PC = 0x11,
	DWARF_AT_HIGH_PC = 0x12,
	DWARF_AT_COMP_DIR = 0x1b,
	DWARF_AT_ABSTRACT_ORIGIN = 0x31,
	DWARF_AT_DECL_LINE = 0x3b,
	DWARF_AT_DECLARATION = 0x3c,
	DWARF_AT_SPECIFICATION = 0x47,
	DWARF_AT_RANGES = 0x55,
	DWARF_AT_CALL_COLUMN = 0x57,
	DWARF_AT_CALL_FILE = 0x58,
	DWARF_AT_CALL_LINE = 0x59,
	DWARF_AT_LINKAGE_NAME = 0x6e,
	DWARF_AT_STR_OFFSETS_BASE = 0x72,
	DWARF_AT_ADDR_BASE = 0x73,
	DWARF_AT_RNGLISTS_BASE = 0x74,
	DWARF_AT_DWO_NAME = 0x76,
	DWARF_AT_MIPS_LINKAGE_NAME = 0x2007,
	DWARF_AT_GNU_DWO_NAME = 0x2130,
	DWARF_AT_GNU_DWO_ID = 0x2131,
	DWARF_AT_GNU_RANGES_BASE = 0x2132,
	DWARF_AT_GNU_ADDR_BASE = 0x2133
};

enum dwarf_form {
	DWARF_FORM_ADDR = 0x01,
	DWARF_FORM_BLOCK2 = 0x03,
	DWARF_FORM_BLOCK4 = 0x04,
	DWARF_FORM_DATA2 = 0x05,
	DWARF_FORM_DATA4 = 0x06,
	DWARF_FORM_DATA8 = 0x07,
	DWARF_FORM_STRING = 0x08,
	DWARF_FORM_BLOCK = 0x09,
	DWARF_FORM_BLOCK1 = 0x0a,
	DWARF_FORM_DATA1 = 0x0b,
	DWARF_FORM_FLAG = 0x0c,
	DWARF_FORM_SDATA = 0x0d,
	DWARF_FORM_STRP = 0x0e,
	DWARF_FORM_UDATA = 0x0f,
	DWARF_FORM_REF_ADDR = 0x10,
	DWARF_FORM_REF1 = 0x11,
	DWARF_FORM_REF2 = 0x12,
	DWARF_FORM_REF4 = 0x13,
	DWARF_FORM_REF8 = 0x14,
	DWARF_FORM_REF_UDATA = 0x15,
	DWARF_FORM_INDIRECT = 0x16,
	DWARF_FORM_SEC_OFFSET = 0x17,
	DWARF_FORM_EXPRLOC = 0x18,
	DWARF_FORM_FLAG_PRESENT = 0x19,
	DWARF_FORM_STRX = 0x1a,
	DWARF_FORM_ADDRX = 0x1b,
	DWARF_FORM_REF_SUP4 = 0x1c,
	DWARF_FORM_STRP_SUP = 0x1d,
	DWARF_FORM_DATA16 = 0x1e,
	DWARF_FORM_LINE_STRP = 0x1f,
	DWARF_FORM_REF_SIG8 = 0x20,
	DWARF_FORM_IMPLICIT_CONST = 0x21,
	DWARF_FORM_LOCLISTX = 0x22,
	DWARF_FORM_RNGLISTX = 0x23,
	DWARF_FORM_REF_SUP8 = 0x24,
	DWARF_FORM_STRX1 = 0x25,
	DWARF_FORM_STRX2 = 0x26,
	DWARF_FORM_STRX3 = 0x27,
	DWARF_FORM_STRX4 = 0x28,
	DWARF_FORM_ADDRX1 = 0x29,
	DWARF_FORM_ADDRX2 = 0x2a,
	DWARF_FORM_ADDRX3 = 0x2b,
	DWARF_FORM_ADDRX4 = 0x2c,
	DWARF_FORM_GNU_ADDR_INDEX = 0x1f01,
	DWARF_FORM_GNU_STR_INDEX = 0x1f02,
	DWARF_FORM_GNU_REF_ALT = 0x1f20,
	DWARF_FORM_GNU_STRP_ALT = 0x1f21
};

/* How the bytes of a form end: after a fixed size, or by what is in them. */
enum dwarf_shape {
	DWARF_FIXED,
	DWARF_LEB,
	DWARF_TEXT,
	DWARF_SIZED_LEB, /* a block; its size is a LEB128, 1, 2 or 4 bytes */
	DWARF_SIZED_1,
	DWARF_SIZED_2,
	DWARF_SIZED_4,
	DWARF_NESTED, /* DWARF_FORM_INDIRECT */
	DWARF_UNKNOWN
};

/* What is wanted of an entry that is code, in the order of a table. */
enum dwarf_slot {
	DWARF_SLOT_LOW_PC,
	DWARF_SLOT_HIGH_PC,
	DWARF_SLOT_RANGES,
	DWARF_SLOT_ORIGIN,
	DWARF_SLOT_CALL_FILE,
	DWARF_SLOT_CALL_LINE,
	DWARF_SLOT_CALL_COLUMN,
	DWARF_N_SLOTS
};

/* An attribute of an abbreviation. */
struct dwarf_attribute {
	uint16_t name, form;
	uint8_t shape;    /* of the form, in the units it was compiled for */
	uint8_t size;     /* of a DWARF_FIXED one */
	bool is_name;     /* tells what an entry is called, or who knows */
	int64_t implicit; /* the value of DWARF_FORM_IMPLICIT_CONST */
};

/* An attribute's value as it stands in the bytes. */
struct dwarf_value {
	uint32_t form; /* never DWARF_FORM_INDIRECT; 0: absent */
	uint64_t n;    /* the number, offset or index */
	const char *text; /* of DWARF_FORM_STRING */
};

/* *size: the bytes of a DWARF_FIXED one. */
enum dwarf_shape dwarf_form_shape(const struct dwarf_unit *u, uint32_t form,
                                  unsigned *size);

/* Sets shape and size of an attribute by its form. */
void dwarf_attribute_shape(struct dwarf_attribute *a,
                           const struct dwarf_unit *u);

/*
 * Reads the next value of an attribute whose shape is set; one of an unknown
 * form fails the cursor.
 */
struct dwarf_value dwarf_read_value(struct cursor *c,
                                    const struct dwarf_unit *u,
                                    const struct dwarf_attribute *a);

/*
 * The same for an entry's attributes: most are of a fixed size. Into *v field
 * by field: a struct that is copied just after its parts were written waits
 * for them, which was a third of the time of the scan.
 */
static inline void dwarf_read(struct dwarf_value *v, struct cursor *c,
                              const struct dwarf_unit *u,
                              const struct dwarf_attribute *a)
{
	if (a->shape != DWARF_FIXED || a->size == 0 || a->size == 16) {
		*v = dwarf_read_value(c, u, a);
		return;
	}
	v->form = a->form;
	v->n = cursor_uint(c, a->size);
	v->text = NULL;
}

/* Steps over the value of an attribute whose shape is set. */
void dwarf_skip_value(struct cursor *c, const struct dwarf_unit *u,
                      uint32_t shape);

static inline void dwarf_skip(struct cursor *c, const struct dwarf_unit *u,
                              const struct dwarf_attribute *a)
{
	if (a->shape == DWARF_FIXED)
		cursor_skip(c, a->size);
	else
		dwarf_skip_value(c, u, a->shape);
}

/* What a value means. NULL and DWARF_NONE: absent, or outside its section. */
const char *dwarf_text(const struct dwarf_unit *u, const struct dwarf_value *v);
uint64_t dwarf_address(const struct dwarf_unit *u, const struct dwarf_value *v);
bool dwarf_is_address(const struct dwarf_value *v);

/*
 * The entry a value refers to: its offset in .debug_info of *file, which is
 * the unit's own or the supplementary one.
 */
uint64_t dwarf_reference(const struct dwarf_unit *u,
                         const struct dwarf_value *v,
                         const struct dwarf_file **file);

/* ---- Ranges (dwarf_range.c) ---- */

/* A walk over a range list. */
struct dwarf_ranges {
	const struct dwarf_unit *unit;
	struct cursor c;
	uint64_t base;
	uint64_t fuel; /* entries that may still be read */
};

/* Where the list begins that DW_AT_ranges speaks of; DWARF_NONE: nowhere. */
uint64_t dwarf_ranges_at(const struct dwarf_unit *u,
                         const struct dwarf_value *v);
struct dwarf_ranges dwarf_ranges_begin(const struct dwarf_unit *u, uint64_t at,
                                       uint64_t fuel);
/* The next [*begin, *end) that is not empty; false at the end. */
bool dwarf_ranges_next(struct dwarf_ranges *r, uint64_t *begin, uint64_t *end);

/* ---- Abbreviations (dwarf_abbrev.c) ---- */

/* A step over an entry's bytes: a fixed size, then something that varies. */
struct dwarf_step {
	uint32_t size;
	uint32_t then; /* enum dwarf_shape; DWARF_FIXED: the entry ends */
};

/* An attribute of an entry that is code, and the bytes before it. */
struct dwarf_place {
	struct dwarf_attribute attribute;
	uint32_t skip;
	uint8_t slot; /* enum dwarf_slot; DWARF_N_SLOTS: not wanted */
};

/* What the scan has to know of most entries, in a row as short as can be. */
struct dwarf_outline {
	uint32_t size;        /* bytes of the attributes up to `then` */
	uint8_t then;         /* enum dwarf_shape; DWARF_FIXED: the end */
	bool is_code;         /* a function, called or inlined, and where */
	bool has_children;
	uint8_t sibling_size; /* of a declaration; 0: to be walked through */
	uint16_t sibling_at;  /* where in the attributes the sibling is told */
};

struct dwarf_abbrev {
	uint64_t code;
	uint32_t tag;
	uint32_t first_step;
	uint32_t first_attribute, n_attributes;
	/* Of code: its places, and whether only its origin knows its name. */
	uint32_t first_place, n_places;
	bool is_nameless;
	uint32_t outline; /* its number */
};

struct dwarf_abbrevs {
	const struct dwarf_file *file; /* NULL: empty */
	uint64_t offset;
	uint16_t version; /* of the units it was compiled for */
	uint8_t address_size, offset_size;
	bool is_dense;    /* code n is row n - 1, for all of them */
	VEC(struct dwarf_abbrev) rows; /* by code */
	/* In the order of the file: where it is dense, of code n is n - 1. */
	VEC(struct dwarf_outline) outlines;
	VEC(struct dwarf_attribute) attributes;
	VEC(struct dwarf_place) places;
	VEC(struct dwarf_step) steps;
};

/* The tables a worker has at hand; units often share one. */
#define DWARF_ABBREV_SLOTS 16
struct dwarf_abbrev_cache {
	struct dwarf_abbrevs slots[DWARF_ABBREV_SLOTS];
};

/* The table of a unit, compiled; NULL: damaged, or out of memory. */
const struct dwarf_abbrevs *
dwarf_get_abbrevs(struct dwarf_abbrev_cache *cache, const struct dwarf_unit *u);
void dwarf_abbrev_cache_release(struct dwarf_abbrev_cache *cache);

const struct dwarf_abbrev *dwarf_search_abbrev(const struct dwarf_abbrevs *t,
                                               uint64_t code);

static inline const struct dwarf_abbrev *
dwarf_find_abbrev(const struct dwarf_abbrevs *t, uint64_t code)
{
	if (t->is_dense && code - 1 < t->rows.n)
		return &t->rows.data[code - 1];
	return dwarf_search_abbrev(t, code);
}

/* ---- Units (dwarf_unit.c) ---- */

/*
 * Takes the sections of an open ELF file, and lists the units. suffix: ""
 * or ".dwo". PROF_NOMEM; units behind a damaged header are left out. The ELF
 * file must outlive it.
 */
enum prof_status dwarf_open(struct dwarf_file *d, const struct elf *elf,
                            const char *suffix, struct prof_error *err);
void dwarf_close(struct dwarf_file *d);

/* Its two steps. False: there is no .debug_info. */
bool dwarf_open_sections(struct dwarf_file *d, const struct elf *elf,
                         const char *suffix);
enum prof_status dwarf_list_units(struct dwarf_file *d, struct prof_error *err);

/* The unit that has the byte at offset of .debug_info, or NULL. */
const struct dwarf_unit *dwarf_unit_at(const struct dwarf_file *d,
                                       uint64_t offset);

/*
 * For addresses[n], sorted: owners[i] = number of the unit that answers for
 * addresses[i], UINT32_MAX: none. Where several have it, the first.
 */
void dwarf_claim(const struct dwarf_file *d, const uint64_t *addresses,
                 size_t n, uint32_t *owners);

/*
 * Units that share long tables cost more than there are bytes. With the units
 * that are to be looked up, in their order: those that would be too much are
 * left without lines, or without anything.
 */
struct dwarf_budget {
	uint64_t lines, abbrevs; /* bytes that may still be read */
	uint64_t last_abbrevs;   /* the table that is at hand */
};

struct dwarf_budget dwarf_budget_of(const struct dwarf_file *d);
void dwarf_budget_take(struct dwarf_budget *b, struct dwarf_unit *u);

/* ---- Lines (dwarf_line.c) ---- */

struct dwarf_row {
	uint32_t file, line, column; /* line UINT32_MAX: no row */
};

struct dwarf_line_table {
	/* A copy: an assembler may write the table with 4-byte offsets where
	   the compiler wrote the unit with 8. */
	struct dwarf_unit unit;
	uint16_t version;
	VEC(const char *) directories;
	VEC(struct dwarf_line_file) files;
	struct cursor program;
	uint8_t min_instruction, max_operations, line_range, opcode_base;
	int8_t line_base;
	uint8_t operands[256]; /* of the standard opcodes */
};

struct dwarf_line_file {
	const char *name;
	uint64_t directory;
	uint32_t id; /* in the frame_set; 0: not there yet */
};

/* The bytes of a unit's line table; 0: none. */
uint64_t dwarf_line_size(const struct dwarf_unit *u);

/* Reads the header of a unit's line program. False: none, or damaged. */
bool dwarf_line_open(struct dwarf_line_table *t, const struct dwarf_unit *u);
void dwarf_line_release(struct dwarf_line_table *t);

/* Runs the program: rows[i] becomes that of addresses[i]. */
void dwarf_line_run(struct dwarf_line_table *t, const uint64_t *addresses,
                    size_t n, struct dwarf_row *rows);

/* The id in s of a file of the table; 0: unknown. */
uint32_t dwarf_line_file(struct dwarf_line_table *t, struct frame_set *s,
                         uint64_t number);

/* ---- Names (dwarf_name.c) ---- */

/* A function that was named already, by the entry that names it. */
struct dwarf_known {
	uint64_t entry;
	const struct dwarf_file *file;
	uint32_t id;
	uint32_t turn; /* of the names'; any other: free */
};

/* Zeroed: empty. */
struct dwarf_names {
	VEC(struct dwarf_known) known; /* capacity is a power of two */
	uint64_t fuel; /* bytes and attributes that may still be read */
	uint32_t turn; /* number of the unit: empties it at no cost */
};

/* Forgets the functions of the unit before. */
void dwarf_names_begin(struct dwarf_names *names, const struct dwarf_unit *u);
void dwarf_names_release(struct dwarf_names *names);

/*
 * The function of an entry of unit u, as a row of out. An abstract function
 * is shared by all its inlined copies, so that is looked up before it is
 * read. is_origin: the entry is one. 0: out of memory.
 */
uint32_t dwarf_function(struct dwarf_names *names,
                        struct dwarf_abbrev_cache *abbrevs,
                        const struct dwarf_unit *u, uint64_t entry,
                        bool is_origin, struct frame_set *out);

/* ---- Looking up (dwarf_info.c) ---- */

/* What a worker keeps from unit to unit: memory, no state. */
struct dwarf_worker;

struct dwarf_worker *dwarf_worker_new(void); /* NULL: out of memory */
void dwarf_worker_free(struct dwarf_worker *w);

/*
 * Answers for the sorted addresses[n], which belong to unit u (the skeleton,
 * where debugging information is split: split is then the unit of the .dwo,
 * else NULL). Sets out->chains[n]. PROF_NOMEM; damaged entries end the scan
 * and what was found stays.
 */
enum prof_status dwarf_look_up(struct dwarf_worker *w,
                               const struct dwarf_unit *u,
                               const struct dwarf_unit *split,
                               const uint64_t *addresses, size_t n,
                               struct frame_set *out);

#endif
