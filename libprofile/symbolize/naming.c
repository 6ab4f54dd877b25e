/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/naming.h"

#include "symbolize/work.h"

#include <stdio.h>
#include <string.h>

/* A name for people is to be made of it. */
#define WANTED UINT32_MAX

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
	vec_release(&n->wanted, &mem_malloc);
	vec_release(&n->system_names, &mem_malloc);
	vec_release(&n->files, &mem_malloc);
}

/* ---- Strings ---- */

static struct prof_str text_str(const char *text)
{
	return (struct prof_str){ text,
		                  text ? strnlen(text, SPAN_TEXT_MAX) : 0 };
}

/* Zeroed elements up to `size`. */
#define grow_to(n, v, size)                                                   \
	((v)->n >= (size) ||                                                  \
	 (vec_reserve(v, (size) - (v)->n, &mem_malloc)                        \
	          ? (memset((v)->data + (v)->n, 0,                            \
	                    ((size) - (v)->n) * sizeof(*(v)->data)),          \
	             (v)->n = (size), true)                                   \
	          : ((n)->has_no_memory = true, false)))

static uint32_t symbol_name(struct naming *n, const struct frame_name *f)
{
	char stub[512];
	struct prof_str name = f->symbol.name;

	if (f->symbol.is_plt && name.len + 4 < sizeof(stub)) {
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
                                uint32_t function)
{
	const struct frame_function *f = &s->functions.data[function];
	uint32_t *id = &n->system_names.data[function];

	if (*id == 0)
		*id = 1 + profile_editor_string(
				  n->editor,
				  text_str(f->system_name ? f->system_name
		                                          : f->name));
	return *id - 1;
}

static uint32_t set_file(struct naming *n, const struct frame_set *s,
                         uint32_t file)
{
	const struct frame_file *f = &s->files.data[file];
	uint32_t *id = &n->files.data[file];

	if (*id == 0)
		*id = 1 + profile_editor_string(
				  n->editor,
				  (struct prof_str){ s->text.data + f->begin,
		                                     f->size });
	return *id - 1;
}

/* Notes that a system name is to be demangled. */
static bool want(struct naming *n, uint32_t system_name)
{
	if (system_name == 0)
		return true;
	if (!grow_to(n, &n->display,
	             byte_table_n(&n->editor->profile->strings)))
		return false;
	if (n->display.data[system_name] != 0)
		return true;
	if (!vec_reserve(&n->wanted, 1, &mem_malloc)) {
		n->has_no_memory = true;
		return false;
	}
	n->display.data[system_name] = WANTED;
	vec_put(&n->wanted, system_name);
	return true;
}

void naming_intern(struct naming *n, struct frame_set *s)
{
	n->system_names.n = n->files.n = 0;
	if (!grow_to(n, &n->system_names, s->functions.n) ||
	    !grow_to(n, &n->files, s->files.n))
		return;
	for (size_t i = 0; i < s->names.n; i++) {
		struct frame_name *f = &s->names.data[i];

		f->system_name = f->symbol.name.ptr
		                         ? symbol_name(n, f)
		                         : set_system_name(n, s, f->function);
		f->filename = set_file(n, s, f->file);
		if (!want(n, f->system_name))
			return;
	}
}

/* ---- Demangling, in parallel ---- */

#define NAMES_PER_TASK 128

/* Where the name for people is: in the text of a worker. */
struct decoded {
	size_t begin;
	uint32_t size, worker; /* size 0: it is the system name */
};

struct decoder {
	struct demangler demangler;
	VEC(char) text;
	bool has_no_memory;
};

struct decoding {
	const struct naming *naming;
	struct decoder *decoders;
	struct decoded *names; /* of each that is wanted */
};

static void decode_name(struct decoding *d, unsigned worker, size_t i)
{
	struct decoder *own = &d->decoders[worker];
	struct prof_str mangled = profile_string(d->naming->editor->profile,
	                                         d->naming->wanted.data[i]);
	struct prof_str name = demangle(&own->demangler, mangled);

	if (name.ptr == mangled.ptr)
		return;
	if (!vec_reserve(&own->text, name.len, &mem_malloc)) {
		own->has_no_memory = true;
		return;
	}
	d->names[i] = (struct decoded){ own->text.n, (uint32_t)name.len,
		                        worker };
	memcpy(own->text.data + own->text.n, name.ptr, name.len);
	own->text.n += name.len;
}

static void decode_names(void *ctx, unsigned worker, size_t task)
{
	struct decoding *d = ctx;
	size_t i = task * NAMES_PER_TASK, end = i + NAMES_PER_TASK;

	for (; i < end && i < d->naming->wanted.n; i++)
		decode_name(d, worker, i);
}

static void take_decoded(struct naming *n, const struct decoding *d)
{
	for (size_t i = 0; i < n->wanted.n; i++) {
		uint32_t system_name = n->wanted.data[i];
		struct decoded x = d->names[i];
		struct prof_str name = {
			d->decoders[x.worker].text.data + x.begin, x.size
		};

		n->display.data[system_name] =
			x.size ? profile_editor_string(n->editor, name)
			       : system_name;
	}
}

void naming_decode(struct naming *n, unsigned n_workers)
{
	struct decoding d = { .naming = n };
	struct work work = {
		.run = decode_names, .ctx = &d, .n_workers = n_workers,
		.n_tasks = (n->wanted.n + NAMES_PER_TASK - 1) / NAMES_PER_TASK
	};

	if (n->wanted.n == 0)
		return;
	d.decoders = mem_zeroed(&mem_malloc, n_workers, sizeof(*d.decoders));
	d.names = mem_zeroed(&mem_malloc, n->wanted.n, sizeof(*d.names));
	if (d.decoders && d.names) {
		for (unsigned i = 0; i < n_workers; i++)
			demangle_init(&d.decoders[i].demangler,
			              n->demangler.mode);
		work_run(&work);
		take_decoded(n, &d);
	} else {
		n->has_no_memory = true;
	}
	for (unsigned i = 0; d.decoders && i < n_workers; i++) {
		n->has_no_memory |= d.decoders[i].has_no_memory;
		demangle_release(&d.decoders[i].demangler);
		vec_release(&d.decoders[i].text, &mem_malloc);
	}
	mem_free(&mem_malloc, d.decoders, n_workers * sizeof(*d.decoders));
	mem_free(&mem_malloc, d.names, n->wanted.n * sizeof(*d.names));
	n->wanted.n = 0;
}

/* ---- Functions ---- */

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

void naming_functions(struct naming *n, struct frame_set *s)
{
	for (size_t i = 0; i < s->names.n && !n->has_no_memory; i++) {
		struct frame_name *f = &s->names.data[i];
		struct row_function row = {
			.name = display_name(n, f->system_name),
			.system_name = f->system_name,
			.filename = f->filename,
			.start_line = s->functions.data[f->function].start_line
		};

		f->id = profile_editor_function(n->editor, &row);
	}
}

/* ---- What has names already ---- */

void naming_demangle(struct naming *n, const struct prof_symbolize_options *o)
{
	struct prof_profile *p = n->editor->profile;
	bool is_forced = o->mode == PROF_SYMBOLIZE_FORCE;

	if (n->demangler.mode == PROF_DEMANGLE_NONE && !is_forced)
		return;
	n->demangler.keeps_plain = o->keep_plain;
	for (uint32_t id = 1; id < p->functions.n; id++) {
		struct row_function *f = &p->functions.data[id];

		if (f->system_name == 0 ||
		    (f->name != 0 && f->name != f->system_name && !is_forced))
			continue;
		f->name = display_name(n, f->system_name);
	}
}
