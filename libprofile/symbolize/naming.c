/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/naming.h"

#include <stdio.h>
#include <string.h>

void naming_init(struct naming *n, struct profile_editor *e,
                 enum prof_demangle mode)
{
	*n = (struct naming){ .editor = e };
	demangle_init(&n->demangler, mode);
}

void naming_release(struct naming *n)
{
	demangle_release(&n->demangler);
	vec_release(&n->display, &mem_malloc);
	vec_release(&n->lines, &mem_malloc);
}

void set_names_release(struct set_names *s)
{
	vec_release(&s->system_names, &mem_malloc);
	vec_release(&s->files, &mem_malloc);
}

/* ---- Strings ---- */

static struct prof_str text_str(const char *text)
{
	return (struct prof_str){ text, text ? strlen(text) : 0 };
}

/* Zeroed elements up to `size`. */
#define grow_to(n, v, size)                                                   \
	((v)->n >= (size) ||                                                  \
	 (vec_reserve(v, (size) - (v)->n, &mem_malloc)                        \
	          ? (memset((v)->data + (v)->n, 0,                            \
	                    ((size) - (v)->n) * sizeof(*(v)->data)),          \
	             (v)->n = (size), true)                                   \
	          : ((n)->has_no_memory = true, false)))

/* The name for people of a system name. */
static uint32_t display_name(struct naming *n, uint32_t system_name)
{
	struct prof_profile *p = n->editor->profile;
	struct prof_str mangled, name;
	uint32_t *id;

	if (system_name == 0 ||
	    !grow_to(n, &n->display, byte_table_n(&p->strings)))
		return system_name;
	id = &n->display.data[system_name];
	if (*id == 0) {
		mangled = profile_string(p, system_name);
		name = demangle(&n->demangler, mangled);
		*id = name.ptr == mangled.ptr
		              ? system_name
		              : profile_editor_string(n->editor, name);
	}
	return *id;
}

static uint32_t symbol_name(struct naming *n, const struct symbol *s)
{
	char stub[512];
	struct prof_str name = s->name;

	if (s->is_plt && name.len + 4 < sizeof(stub)) {
		snprintf(stub, sizeof(stub), "%.*s@plt", (int)name.len,
		         name.ptr);
		return profile_editor_string(
			n->editor, (struct prof_str){ stub, strlen(stub) });
	}
	if (name.ptr != n->last_symbol.ptr || name.len != n->last_symbol.len) {
		n->last_symbol = name;
		n->last_system_name = profile_editor_string(n->editor, name);
	}
	return n->last_system_name;
}

static uint32_t set_system_name(struct naming *n, const struct frame_set *s,
                                struct set_names *names, uint32_t function)
{
	const struct frame_function *f = &s->functions.data[function];
	uint32_t *id;

	if (!grow_to(n, &names->system_names, s->functions.n))
		return 0;
	id = &names->system_names.data[function];
	if (*id == 0)
		*id = 1 + profile_editor_string(
				  n->editor,
				  text_str(f->system_name ? f->system_name
		                                          : f->name));
	return *id - 1;
}

static uint32_t set_file(struct naming *n, const struct frame_set *s,
                         struct set_names *names, uint32_t file)
{
	const struct frame_file *f = &s->files.data[file];
	uint32_t *id;

	if (!grow_to(n, &names->files, s->files.n))
		return 0;
	id = &names->files.data[file];
	if (*id == 0)
		*id = 1 + profile_editor_string(
				  n->editor,
				  (struct prof_str){ s->text.data + f->begin,
		                                     f->size });
	return *id - 1;
}

/* ---- Lines ---- */

static void put_line(struct naming *n, const struct row_function *row,
                     int64_t line, int64_t column)
{
	struct row_function named = *row;

	if (!vec_reserve(&n->lines, 1, &mem_malloc)) {
		n->has_no_memory = true;
		return;
	}
	named.name = display_name(n, row->system_name);
	vec_put(&n->lines,
	        (struct prof_line){ profile_editor_function(n->editor, &named),
	                            line, column });
}

void naming_lines(struct naming *n, const struct object *o, size_t i,
                  struct set_names *names)
{
	const struct symbol *symbol = &o->symbols.found[i];
	const struct frame_set *s;
	struct chain chain = object_chain(o, i, &s);
	bool is_go = s == &o->go;
	uint32_t first = n->no_inlines && chain.n ? chain.n - 1 : 0;

	n->lines.n = 0;
	for (uint32_t k = first; k < chain.n; k++) {
		const struct frame *f = &s->frames.data[chain.first + k];
		struct row_function row = {
			.filename = set_file(n, s, names, f->file),
			.start_line = s->functions.data[f->function].start_line
		};

		/* The linker's name is the truth about what is called; for
		   Go its own table is. */
		if (k + 1 == chain.n && symbol->name.ptr && !is_go)
			row.system_name = symbol_name(n, symbol);
		else
			row.system_name =
				set_system_name(n, s, names, f->function);
		put_line(n, &row, f->line, f->column);
	}
	if (chain.n == 0 && symbol->name.ptr) {
		struct row_function row = {
			.system_name = symbol_name(n, symbol)
		};

		put_line(n, &row, 0, 0);
	}
}

/* ---- What has names already ---- */

void naming_demangle(struct naming *n, enum prof_symbolize_mode mode)
{
	struct prof_profile *p = n->editor->profile;

	if (n->demangler.mode == PROF_DEMANGLE_NONE &&
	    mode != PROF_SYMBOLIZE_FORCE)
		return;
	for (uint32_t id = 1; id < p->functions.n; id++) {
		struct row_function *f = &p->functions.data[id];

		if (f->system_name == 0 ||
		    (f->name != 0 && f->name != f->system_name &&
		     mode != PROF_SYMBOLIZE_FORCE))
			continue;
		f->name = display_name(n, f->system_name);
	}
}
