/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four layouts of one idea, told apart by the magic number: a table of
 * functions by entry, for each of them programs of (value, pc) deltas that
 * give file, line and inlined call for a pc, and a tree of inlined calls.
 *
 * Source: Go, debug/gosym and runtime/symtab.go of 1.2, 1.16, 1.18 and 1.20.
 */
#include "symbolize/gopclntab.h"

#include "symbolize/symbol.h"

#define MAX_INLINED 256
#define NO_DATA UINT32_MAX

/* Steps of (value, pc) programs: what a crafted table may cost. */
#define PROGRAM_FUEL (UINT64_C(1) << 29)

enum go_version { GO_1_2, GO_1_16, GO_1_18, GO_1_20 };

enum {
	PCDATA_INLINED_CALL = 2,
	FUNCDATA_INLINED_TREE = 3,
	/* Where moduledata has `gofunc`, in words. */
	GOFUNC_WORD_1_18 = 38,
	GOFUNC_WORD_1_20 = 40
};

/* Names and files that were added to the set lately, by their place. */
#define RECENT 1024
struct recent {
	uint64_t key; /* 0: none */
	uint32_t id;
};

struct pclntab {
	const struct elf *elf;
	struct span table;
	uint64_t address; /* of the table */
	enum go_version version;
	bool is_big;
	unsigned word, quantum;
	uint64_t n_functions, n_files, text;
	/* Offsets in the table. */
	uint64_t names, units, files, programs, functions;
	uint64_t gofunc; /* address; 0: not known */
	uint64_t fuel;
	struct frame_set *out;
	struct recent recent_functions[RECENT], recent_files[RECENT];
};

/* A function, as its record has it. */
struct go_function {
	uint64_t entry, end;
	uint32_t name, file_program, line_program, unit, start_line;
	uint32_t inlined_program; /* NO_DATA: nothing is inlined */
	struct span tree;
};

static struct cursor at(const struct pclntab *t, uint64_t offset)
{
	return cursor_at(t->table.data, t->table.size, offset, t->is_big);
}

/* ---- Header ---- */

static bool read_version(struct pclntab *t, uint32_t magic)
{
	switch (magic) {
	case 0xfffffffb:
		t->version = GO_1_2;
		return true;
	case 0xfffffffa:
		t->version = GO_1_16;
		return true;
	case 0xfffffff0:
		t->version = GO_1_18;
		return true;
	case 0xfffffff1:
		t->version = GO_1_20;
		return true;
	default:
		return false;
	}
}

/* Up to 1.15 the functions follow, and behind them the place of the files. */
static void read_old_places(struct pclntab *t, struct cursor *c)
{
	struct cursor files;

	t->functions = (uint64_t)(c->p - t->table.data);
	if (t->n_functions > t->table.size) {
		cursor_fail(c);
		return;
	}
	files = at(t, t->functions + (2 * t->n_functions + 1) * t->word);
	t->files = cursor_u32(&files);
	files = at(t, t->files);
	t->n_files = cursor_u32(&files);
	c->has_failed |= files.has_failed;
}

static bool read_header(struct pclntab *t)
{
	struct cursor c = at(t, 0);

	if (!read_version(t, cursor_u32(&c)))
		return false;
	cursor_skip(&c, 2);
	t->quantum = cursor_u8(&c);
	t->word = cursor_u8(&c);
	if (t->word != 4 && t->word != 8)
		return false;
	t->n_functions = cursor_uint(&c, t->word);
	if (t->version == GO_1_2) {
		read_old_places(t, &c);
		return !c.has_failed;
	}
	t->n_files = cursor_uint(&c, t->word);
	if (t->version >= GO_1_18)
		t->text = cursor_uint(&c, t->word);
	t->names = cursor_uint(&c, t->word);
	t->units = cursor_uint(&c, t->word);
	t->files = cursor_uint(&c, t->word);
	t->programs = cursor_uint(&c, t->word);
	t->functions = cursor_uint(&c, t->word);
	return !c.has_failed && t->n_functions <= t->table.size &&
	       t->names < t->table.size && t->units < t->table.size &&
	       t->files < t->table.size && t->programs < t->table.size &&
	       t->functions < t->table.size;
}

static bool open_section(struct pclntab *t, const struct elf *elf)
{
	static const char *const names[] = { ".gopclntab",
		                             ".data.rel.ro.gopclntab" };

	for (int i = 0; i < 2; i++) {
		struct elf_section *s = elf_find(elf, names[i]);

		if (!s)
			continue;
		t->table = elf_content(elf, s);
		t->address = s->address;
		t->is_big = elf->is_big;
		t->elf = elf;
		return t->table.data != NULL;
	}
	return false;
}

/* ---- Where inlined trees are counted from ---- */

/*
 * The word at an address, or what a relocation will put there: the files of
 * position-independent programs have their pointers in RELA entries alone.
 */
static uint64_t read_pointer(const struct pclntab *t, uint64_t address)
{
	struct span b = elf_memory(t->elf, address, t->word);
	struct cursor c = elf_cursor(t->elf, b);
	uint64_t value = b.data ? cursor_uint(&c, t->word) : 0;

	for (size_t i = 0; value == 0 && i < t->elf->sections.n; i++) {
		struct elf_section *s = &t->elf->sections.data[i];

		if (s->type != ELF_SHT_RELA)
			continue;
		c = elf_cursor(t->elf, elf_content(t->elf, s));
		while (cursor_left(&c) >= 3 * t->word && value == 0) {
			uint64_t where = cursor_uint(&c, t->word);

			(void)cursor_uint(&c, t->word);
			value = cursor_uint(&c, t->word);
			value = where == address ? value : 0;
		}
	}
	return value;
}

/* moduledata begins with a pointer to the table, then one to its names. */
static bool is_moduledata(const struct pclntab *t, uint64_t address)
{
	return read_pointer(t, address) == t->address &&
	       read_pointer(t, address + t->word) == t->address + t->names;
}

static uint64_t find_moduledata_in(const struct pclntab *t,
                                   struct elf_section *s)
{
	struct cursor c = elf_cursor(t->elf, elf_content(t->elf, s));
	uint64_t address = s->address;

	for (; cursor_left(&c) >= t->word; address += t->word)
		if (cursor_uint(&c, t->word) == t->address &&
		    is_moduledata(t, address))
			return address;
	return 0;
}

static uint64_t find_moduledata_by_relocation(const struct pclntab *t,
                                              struct elf_section *s)
{
	struct cursor c = elf_cursor(t->elf, elf_content(t->elf, s));

	while (cursor_left(&c) >= 3 * t->word) {
		uint64_t where = cursor_uint(&c, t->word);

		(void)cursor_uint(&c, t->word);
		if (cursor_uint(&c, t->word) == t->address &&
		    is_moduledata(t, where))
			return where;
	}
	return 0;
}

static uint64_t find_moduledata(const struct pclntab *t)
{
	uint64_t found = 0;

	for (size_t i = 0; i < t->elf->sections.n && !found; i++) {
		struct elf_section *s = &t->elf->sections.data[i];

		if (s->type == ELF_SHT_RELA)
			found = find_moduledata_by_relocation(t, s);
		else if (s->flags & ELF_SHF_ALLOC &&
		         !(s->flags & ELF_SHF_EXECINSTR) &&
		         s->type != ELF_SHT_NOBITS)
			found = find_moduledata_in(t, s);
	}
	return found;
}

static void find_gofunc(struct pclntab *t)
{
	uint64_t moduledata;

	if (t->version < GO_1_18 ||
	    symbol_address(t->elf, "go:func.*", &t->gofunc) ||
	    symbol_address(t->elf, "go.func.*", &t->gofunc))
		return;
	moduledata = find_moduledata(t);
	if (moduledata)
		t->gofunc = read_pointer(
			t, moduledata + (uint64_t)t->word *
		                   (t->version == GO_1_18 ? GOFUNC_WORD_1_18
		                                          : GOFUNC_WORD_1_20));
}

/* A header without the address of the text leaves it to a relocation. */
static void find_text(struct pclntab *t)
{
	const struct elf_section *s;

	if (t->version < GO_1_18)
		return;
	if (t->text == 0)
		t->text = read_pointer(t, t->address + 8 + 2 * t->word);
	if (t->text || symbol_address(t->elf, "runtime.text", &t->text))
		return;
	s = elf_find(t->elf, ".text");
	t->text = s ? s->address : 0;
}

/* ---- Functions ---- */

/* Entry address and place of function i; the last one has only an address. */
static uint64_t function_row(const struct pclntab *t, uint64_t i,
                             uint64_t *record)
{
	unsigned size = t->version >= GO_1_18 ? 4 : t->word;
	struct cursor c = at(t, t->functions + 2 * i * size);
	uint64_t entry = cursor_uint(&c, size);

	*record = i < t->n_functions ? cursor_uint(&c, size) : 0;
	return c.has_failed ? UINT64_MAX : entry + t->text;
}

/* The number of the last function that begins at or before the address. */
static bool find_function(const struct pclntab *t, uint64_t address,
                          uint64_t *number)
{
	uint64_t low = 0, high = t->n_functions, record;

	if (t->n_functions == 0 || address < function_row(t, 0, &record) ||
	    address >= function_row(t, t->n_functions, &record))
		return false;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (function_row(t, middle, &record) <= address)
			low = middle;
		else
			high = middle;
	}
	*number = low;
	return true;
}

/* Where the tree of inlined calls is, from the last part of the record. */
static struct span inlined_tree(const struct pclntab *t, struct cursor *c)
{
	bool is_offset = t->version >= GO_1_18;
	uint64_t where, size = 4096;
	struct span b = { NULL, 0 };

	if (!is_offset && t->word == 8 &&
	    (uint64_t)(c->p - t->table.data) % 8 != 0)
		cursor_skip(c, 4);
	cursor_skip(c, (uint64_t)FUNCDATA_INLINED_TREE *
	                       (is_offset ? 4 : t->word));
	where = cursor_uint(c, is_offset ? 4 : t->word);
	if (c->has_failed || where == 0 || where == NO_DATA ||
	    (is_offset && t->gofunc == 0))
		return b;
	if (is_offset)
		where += t->gofunc;
	/* How long it is, nobody says: as much of it as there is. */
	for (; size > 0 && !b.data; size /= 2)
		b = elf_memory(t->elf, where, size * 64);
	return b;
}

static bool read_function(const struct pclntab *t, uint64_t number,
                          struct go_function *f)
{
	uint64_t record, ignored;
	uint32_t n_pcdata;
	uint8_t n_funcdata;
	struct cursor c;

	*f = (struct go_function){ .inlined_program = NO_DATA };
	f->entry = function_row(t, number, &record);
	f->end = function_row(t, number + 1, &ignored);
	c = at(t, t->version == GO_1_2 ? record : t->functions + record);
	cursor_skip(&c, t->version >= GO_1_18 ? 4 : t->word); /* entry */
	f->name = cursor_u32(&c);
	cursor_skip(&c, 4 + 4 + 4); /* args, deferreturn, pcsp */
	f->file_program = cursor_u32(&c);
	f->line_program = cursor_u32(&c);
	n_pcdata = cursor_u32(&c);
	if (t->version >= GO_1_16)
		f->unit = cursor_u32(&c);
	if (t->version >= GO_1_20)
		f->start_line = cursor_u32(&c);
	cursor_skip(&c, 3);
	n_funcdata = cursor_u8(&c);
	if (c.has_failed || n_pcdata > 64)
		return !c.has_failed;
	for (uint32_t i = 0; i < n_pcdata; i++) {
		uint32_t program = cursor_u32(&c);

		if (i == PCDATA_INLINED_CALL && program != 0)
			f->inlined_program = program;
	}
	if (n_funcdata > FUNCDATA_INLINED_TREE &&
	    f->inlined_program != NO_DATA)
		f->tree = inlined_tree(t, &c);
	return true;
}

/* The value of a (value, pc) program at an address; -1: none. */
static int32_t program_value(struct pclntab *t, uint32_t program,
                             uint64_t entry, uint64_t address)
{
	struct cursor c = at(t, t->programs + program);
	uint64_t pc = entry;
	uint32_t value = UINT32_MAX;

	while (t->fuel > 0) {
		uint32_t delta = (uint32_t)cursor_uleb(&c);

		t->fuel--;
		if (c.has_failed || (delta == 0 && pc != entry))
			break;
		value += delta & 1 ? ~(delta >> 1) : delta >> 1;
		pc += (uint32_t)cursor_uleb(&c) * (uint64_t)t->quantum;
		if (address < pc)
			return (int32_t)value;
	}
	return -1;
}

/* ---- Names ---- */

static const char *string_at(const struct pclntab *t, uint64_t offset)
{
	struct cursor c = at(t, offset);

	return cursor_string(&c);
}

static uint32_t function_id(struct pclntab *t, uint32_t name,
                            uint32_t start_line)
{
	uint64_t key = (uint64_t)start_line << 32 | name;
	struct recent *r = &t->recent_functions[(name ^ start_line) % RECENT];
	struct frame_function f = { .start_line = start_line };

	if (r->key == key + 1)
		return r->id;
	f.name = string_at(t, t->names + name);
	r->key = key + 1;
	r->id = f.name ? frame_set_add_function(t->out, &f) : 0;
	return r->id;
}

static uint32_t file_id(struct pclntab *t, uint32_t unit, int32_t number)
{
	const char *parts[3] = { NULL, NULL, NULL };
	uint64_t place, offset;
	struct recent *r;
	struct cursor c;

	if (number < 0)
		return 0;
	if (t->version == GO_1_2)
		place = t->files + 4 * (uint64_t)number;
	else
		place = t->units + 4 * ((uint64_t)unit + (uint64_t)number);
	c = at(t, place);
	offset = cursor_u32(&c);
	if (c.has_failed || offset == NO_DATA)
		return 0;
	if (t->version != GO_1_2)
		offset += t->files;
	r = &t->recent_files[offset % RECENT];
	if (r->key == offset + 1)
		return r->id;
	parts[2] = string_at(t, offset);
	r->key = offset + 1;
	r->id = frame_set_add_file(t->out, parts);
	return r->id;
}

/* ---- Frames ---- */

/* A row of the tree: who was inlined, and the pc of the call in the parent. */
struct inlined_call {
	uint32_t name, start_line, parent_pc;
};

static bool read_call(const struct pclntab *t, const struct go_function *f,
                      int32_t number, struct inlined_call *call)
{
	bool is_new = t->version >= GO_1_20;
	uint64_t size = is_new ? 16 : 20;
	struct cursor c = cursor_at(f->tree.data, f->tree.size,
	                            (uint64_t)(uint32_t)number * size,
	                            t->is_big);

	if (number < 0 || !f->tree.data)
		return false;
	cursor_skip(&c, is_new ? 4 : 12);
	call->name = cursor_u32(&c);
	call->parent_pc = cursor_u32(&c);
	call->start_line = is_new ? cursor_u32(&c) : 0;
	return !c.has_failed;
}

static struct frame place_of(struct pclntab *t, const struct go_function *f,
                             uint64_t pc)
{
	int32_t line = program_value(t, f->line_program, f->entry, pc);
	int32_t file = program_value(t, f->file_program, f->entry, pc);

	return (struct frame){ .file = file_id(t, f->unit, file),
		               .line = line > 0 ? (uint32_t)line : 0 };
}

static bool put_frame(struct pclntab *t, struct frame f, uint32_t function)
{
	struct frame_set *out = t->out;

	f.function = function;
	if (out->frames.n >= UINT32_MAX ||
	    !vec_reserve(&out->frames, 1, &mem_malloc))
		return false;
	vec_put(&out->frames, f);
	return true;
}

/* False: out of memory. */
static bool put_frames(struct pclntab *t, const struct go_function *f,
                       uint64_t pc)
{
	for (int depth = 0; depth < MAX_INLINED; depth++) {
		struct inlined_call call;
		int32_t number = -1;

		if (f->inlined_program != NO_DATA)
			number = program_value(t, f->inlined_program, f->entry,
			                       pc);
		if (!read_call(t, f, number, &call))
			break;
		if (!put_frame(t, place_of(t, f, pc),
		               function_id(t, call.name, call.start_line)))
			return false;
		pc = f->entry + call.parent_pc;
	}
	return put_frame(t, place_of(t, f, pc),
	                 function_id(t, f->name, f->start_line));
}

static bool put_chains(struct pclntab *t, const uint64_t *addresses, size_t n)
{
	struct go_function f = { .end = 0 };
	uint64_t number;

	for (size_t i = 0; i < n; i++) {
		struct chain chain = { (uint32_t)t->out->frames.n, 0 };

		if (addresses[i] >= f.end || addresses[i] < f.entry) {
			f = (struct go_function){ .end = 0 };
			if (!find_function(t, addresses[i], &number) ||
			    !read_function(t, number, &f))
				f = (struct go_function){ .end = 0 };
		}
		if (f.end && !put_frames(t, &f, addresses[i]))
			return false;
		chain.n = (uint32_t)t->out->frames.n - chain.first;
		vec_put(&t->out->chains, chain);
	}
	return true;
}

static bool open_table(struct pclntab *t, const struct elf *elf)
{
	t->fuel = PROGRAM_FUEL;
	if (!open_section(t, elf) || !read_header(t))
		return false;
	find_text(t);
	find_gofunc(t);
	return true;
}

enum prof_status gopclntab_look_up(const struct elf *elf,
                                   const uint64_t *addresses, size_t n,
                                   struct frame_set *out)
{
	struct pclntab *t = mem_zeroed(&mem_malloc, 1, sizeof(*t));
	enum prof_status status = PROF_NOMEM;

	if (!t)
		return PROF_NOMEM;
	t->out = out;
	if (!open_table(t, elf))
		status = PROF_UNKNOWN_FORMAT;
	else if (frame_set_begin(out) &&
	         vec_reserve(&out->chains, n, &mem_malloc) &&
	         put_chains(t, addresses, n))
		status = PROF_OK;
	mem_free(&mem_malloc, t, sizeof(*t));
	return status;
}
