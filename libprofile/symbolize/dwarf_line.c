/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/dwarf.h"

/*
 * Line programs. The rows are not kept: within a sequence they ascend, and so
 * do the addresses, so both are merged while the program runs. Most rows lie
 * before the next address, and cost one comparison.
 */

#define MAX_FILES ((size_t)1 << 20)
#define MAX_FORMATS 255

enum line_content {
	CONTENT_PATH = 1,
	CONTENT_DIRECTORY = 2
};

enum line_opcode {
	LINE_EXTENDED = 0,
	LINE_COPY = 1,
	LINE_ADVANCE_PC = 2,
	LINE_ADVANCE_LINE = 3,
	LINE_SET_FILE = 4,
	LINE_SET_COLUMN = 5,
	LINE_NEGATE_STATEMENT = 6,
	LINE_SET_BASIC_BLOCK = 7,
	LINE_ADD_PC = 8,
	LINE_FIXED_ADVANCE_PC = 9,
	LINE_EXT_END_SEQUENCE = 1,
	LINE_EXT_SET_ADDRESS = 2,
	LINE_EXT_DEFINE_FILE = 3
};

/* ---- Header ---- */

static bool add_directory(struct dwarf_line_table *t, const char *name)
{
	if (t->directories.n >= MAX_FILES ||
	    !vec_reserve(&t->directories, 1, &mem_malloc))
		return false;
	vec_put(&t->directories, name);
	return true;
}

static bool add_file(struct dwarf_line_table *t, const char *name,
                     uint64_t directory)
{
	if (t->files.n >= MAX_FILES ||
	    !vec_reserve(&t->files, 1, &mem_malloc))
		return false;
	vec_put(&t->files, (struct dwarf_line_file){ name, directory, 0 });
	return true;
}

/* Up to DWARF 4: strings, ended by an empty one; number 0 is the unit's. */
static bool read_old_names(struct dwarf_line_table *t, struct cursor *c)
{
	const char *name;

	if (!add_directory(t, t->unit.comp_dir) || !add_file(t, NULL, 0))
		return false;
	while ((name = cursor_string(c)) != NULL && *name)
		if (!add_directory(t, name))
			return false;
	while ((name = cursor_string(c)) != NULL && *name) {
		uint64_t directory = cursor_uleb(c);

		(void)cursor_uleb(c); /* time */
		(void)cursor_uleb(c); /* size */
		if (!add_file(t, name, directory))
			return false;
	}
	return !c->has_failed;
}

struct name_format {
	uint64_t content[MAX_FORMATS];
	struct dwarf_attribute attribute[MAX_FORMATS];
	unsigned n;
};

static void read_format(struct name_format *f, struct cursor *c,
                        const struct dwarf_unit *u)
{
	f->n = cursor_u8(c);
	for (unsigned i = 0; i < f->n; i++) {
		uint64_t form;

		f->content[i] = cursor_uleb(c);
		form = cursor_uleb(c);
		f->attribute[i] = (struct dwarf_attribute){
			.form = form <= UINT16_MAX ? (uint16_t)form : 0
		};
		dwarf_attribute_shape(&f->attribute[i], u);
	}
}

static void read_name(const struct dwarf_line_table *t,
                      const struct name_format *f, struct cursor *c,
                      struct dwarf_line_file *out)
{
	*out = (struct dwarf_line_file){ NULL, 0, 0 };
	for (unsigned i = 0; i < f->n; i++) {
		struct dwarf_value v =
			dwarf_read_value(c, &t->unit, &f->attribute[i]);

		if (f->content[i] == CONTENT_PATH)
			out->name = dwarf_text(&t->unit, &v);
		else if (f->content[i] == CONTENT_DIRECTORY)
			out->directory = v.n;
	}
}

/* A count of names of which each takes a byte at least. */
static uint64_t read_count(struct cursor *c, const struct name_format *f)
{
	uint64_t n = cursor_uleb(c);

	if (n > cursor_left(c) || (f->n == 0 && n > 0))
		cursor_fail(c);
	return c->has_failed ? 0 : n;
}

static bool read_names(struct dwarf_line_table *t, struct cursor *c)
{
	struct name_format format;
	struct dwarf_line_file f;
	uint64_t n;

	read_format(&format, c, &t->unit);
	n = read_count(c, &format);
	for (uint64_t i = 0; i < n && !c->has_failed; i++) {
		read_name(t, &format, c, &f);
		if (!add_directory(t, f.name))
			return false;
	}
	read_format(&format, c, &t->unit);
	n = read_count(c, &format);
	for (uint64_t i = 0; i < n && !c->has_failed; i++) {
		read_name(t, &format, c, &f);
		if (!add_file(t, f.name, f.directory))
			return false;
	}
	return !c->has_failed;
}

/* Sets where the program is; c is left at the names. */
static bool read_line_header(struct dwarf_line_table *t, struct cursor *c)
{
	uint64_t size = cursor_u32(c), header_size;
	unsigned offset_size = 4;

	if (size == 0xffffffff) {
		size = cursor_u64(c);
		offset_size = 8;
	}
	if (c->has_failed || size > cursor_left(c))
		return false;
	c->end = c->p + size;
	t->version = cursor_u16(c);
	if (t->version >= 5)
		cursor_skip(c, 2); /* address and selector sizes */
	header_size = cursor_uint(c, offset_size);
	if (c->has_failed || header_size > cursor_left(c) ||
	    t->version < 2 || t->version > 5)
		return false;
	t->program = *c;
	t->program.p += header_size;
	c->end = t->program.p;
	t->unit.offset_size = (uint8_t)offset_size;
	t->min_instruction = cursor_u8(c);
	t->max_operations = t->version >= 4 ? cursor_u8(c) : 1;
	cursor_skip(c, 1); /* is_stmt at the beginning */
	t->line_base = (int8_t)cursor_u8(c);
	t->line_range = cursor_u8(c);
	t->opcode_base = cursor_u8(c);
	for (unsigned i = 1; i < t->opcode_base; i++)
		t->operands[i] = cursor_u8(c);
	return !c->has_failed && t->line_range > 0;
}

uint64_t dwarf_line_size(const struct dwarf_unit *u)
{
	struct span s = u->file->sections[DWARF_LINE];
	struct cursor c = cursor_at(s.data, s.size, u->lines_at,
	                            u->file->is_big);
	uint64_t size = cursor_u32(&c);

	if (size == 0xffffffff)
		size = cursor_u64(&c);
	return size < cursor_left(&c) ? size : cursor_left(&c);
}

bool dwarf_line_open(struct dwarf_line_table *t, const struct dwarf_unit *u)
{
	struct span s = u->file->sections[DWARF_LINE];
	struct cursor c = cursor_at(s.data, s.size, u->lines_at,
	                            u->file->is_big);

	t->unit = *u;
	t->directories.n = t->files.n = 0;
	if (c.has_failed || !read_line_header(t, &c))
		return false;
	return t->version >= 5 ? read_names(t, &c) : read_old_names(t, &c);
}

void dwarf_line_release(struct dwarf_line_table *t)
{
	vec_release(&t->directories, &mem_malloc);
	vec_release(&t->files, &mem_malloc);
}

/* ---- Program ---- */

#define NO_ROW UINT64_MAX

/*
 * The state machine, and the merge: `row` holds from `address` on, and
 * `next` is the first of the addresses that no row of this sequence has
 * passed yet; `limit` is that address.
 */
struct line_state {
	uint64_t address, operation;
	struct dwarf_row row;

	struct dwarf_row last;
	uint64_t last_address; /* NO_ROW: no sequence has begun */

	const uint64_t *addresses;
	size_t n, next;
	uint64_t limit;
	struct dwarf_row *rows;
	uint64_t code_begin;
};

static void set_next(struct line_state *s, size_t next)
{
	s->next = next;
	s->limit = next < s->n ? s->addresses[next] : UINT64_MAX;
}

/* The last row holds for all addresses before `end`. First rows win. */
static void assign(struct line_state *s, uint64_t end)
{
	size_t i = s->next;

	for (; i < s->n && s->addresses[i] < end; i++)
		if (s->rows[i].line == UINT32_MAX)
			s->rows[i] = s->last;
	set_next(s, i);
}

static void begin_rows(struct line_state *s)
{
	set_next(s, first_at(s->addresses, s->n, s->address));
	if (s->address < s->code_begin)
		set_next(s, s->n); /* code that the linker dropped */
}

static inline void put_row(struct line_state *s)
{
	if (s->address < s->last_address)
		begin_rows(s);
	else if (s->address > s->limit)
		assign(s, s->address);
	s->last = s->row;
	s->last_address = s->address;
}

static void end_sequence(struct line_state *s)
{
	if (s->last_address != NO_ROW && s->address > s->limit)
		assign(s, s->address);
	s->last_address = NO_ROW;
	s->address = s->operation = 0;
	s->row = (struct dwarf_row){ 1, 1, 0 };
}

static inline void advance(struct line_state *s,
                           const struct dwarf_line_table *t, uint64_t n)
{
	if (t->max_operations <= 1) {
		s->address += n * t->min_instruction;
		return;
	}
	n += s->operation;
	s->address += n / t->max_operations * t->min_instruction;
	s->operation = n % t->max_operations;
}

static void run_extended(struct line_state *s, struct dwarf_line_table *t,
                         struct cursor *c)
{
	uint64_t size = cursor_uleb(c);
	const unsigned char *p = cursor_bytes(c, size);
	struct cursor in = { p, p ? p + size : p, c->is_big, p == NULL };
	const char *name;

	switch (size ? cursor_u8(&in) : 0) {
	case LINE_EXT_END_SEQUENCE:
		end_sequence(s);
		break;
	case LINE_EXT_SET_ADDRESS:
		s->address = cursor_uint(&in, (unsigned)cursor_left(&in));
		s->operation = 0;
		break;
	case LINE_EXT_DEFINE_FILE:
		name = cursor_string(&in);
		if (name)
			(void)add_file(t, name, cursor_uleb(&in));
		break;
	default:
		break;
	}
}

static void run_standard(struct line_state *s, struct dwarf_line_table *t,
                         struct cursor *c, unsigned opcode)
{
	switch (opcode) {
	case LINE_COPY:
		put_row(s);
		break;
	case LINE_ADVANCE_PC:
		advance(s, t, cursor_uleb(c));
		break;
	case LINE_ADVANCE_LINE:
		s->row.line += (uint32_t)cursor_sleb(c);
		break;
	case LINE_SET_FILE:
		s->row.file = (uint32_t)cursor_uleb(c);
		break;
	case LINE_SET_COLUMN:
		s->row.column = (uint32_t)cursor_uleb(c);
		break;
	case LINE_NEGATE_STATEMENT:
	case LINE_SET_BASIC_BLOCK:
		break;
	case LINE_ADD_PC:
		advance(s, t, (255u - t->opcode_base) / t->line_range);
		break;
	case LINE_FIXED_ADVANCE_PC:
		s->address += cursor_u16(c);
		s->operation = 0;
		break;
	default:
		for (unsigned i = 0; i < t->operands[opcode]; i++)
			(void)cursor_uleb(c);
	}
}

/* What the special opcodes do: most rows are made by one, and a division for
   each of them would be a third of the time of the program. */
struct special {
	uint32_t operations, line;
};

static void list_specials(const struct dwarf_line_table *t,
                          struct special specials[256])
{
	for (unsigned i = t->opcode_base; i < 256; i++) {
		unsigned n = i - t->opcode_base;

		specials[i].operations = n / t->line_range;
		specials[i].line = (uint32_t)(t->line_base +
		                              (int)(n % t->line_range));
	}
}

void dwarf_line_run(struct dwarf_line_table *t, const uint64_t *addresses,
                    size_t n, struct dwarf_row *rows)
{
	struct line_state s = { .row = { 1, 1, 0 }, .last_address = NO_ROW,
		                .addresses = addresses, .n = n, .rows = rows,
		                .code_begin = t->unit.file->code_begin };
	struct cursor c = t->program;
	struct special specials[256];

	list_specials(t, specials);
	set_next(&s, n);
	while (c.p < c.end) {
		unsigned opcode = *c.p++;

		if (opcode >= t->opcode_base) {
			advance(&s, t, specials[opcode].operations);
			s.row.line += specials[opcode].line;
			put_row(&s);
		} else if (opcode == LINE_EXTENDED) {
			run_extended(&s, t, &c);
		} else {
			run_standard(&s, t, &c, opcode);
		}
	}
}

/* ---- Names ---- */

uint32_t dwarf_line_file(struct dwarf_line_table *t, struct frame_set *s,
                         uint64_t number)
{
	const char *parts[3] = { t->unit.comp_dir, NULL, NULL };
	struct dwarf_line_file *f;

	if (number >= t->files.n)
		return 0;
	f = &t->files.data[number];
	if (f->id || !f->name)
		return f->id;
	if (f->directory < t->directories.n)
		parts[1] = t->directories.data[f->directory];
	parts[2] = f->name;
	/* Up to DWARF 4 directory 0 is the first part already. */
	if (f->directory == 0 && t->version < 5)
		parts[1] = NULL;
	f->id = frame_set_add_file(s, parts);
	return f->id;
}
