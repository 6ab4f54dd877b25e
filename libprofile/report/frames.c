/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a profile. A profile has far fewer functions than locations, so
 * names and file names are cut, cleaned and interned once for each function,
 * and what is left for a line is a look for an equal struct frame.
 *
 * Names are not copied: a third of what a profile of many functions takes is
 * their names.
 */

#include "report/frames.h"

#include "base/output.h"
#include "report/labels.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What all lines in a function have in common. */
struct function_names {
	uint32_t name, file;
	int64_t start_line;
};

struct frames_maker {
	struct frames *to;
	const struct prof_profile *p;
	unsigned parts;
	struct interner strings;
	struct hash_index names; /* of the profile's strings */
	struct hash_index index;
	uint64_t seed;
	VEC(struct function_names) functions;
	VEC(uint32_t) objects; /* of each mapping: its file */
	VEC(char) path;
	const char *trim_path, *source_path;
	const struct prof_allocator *a;
};

unsigned frame_parts(enum prof_granularity granularity)
{
	switch (granularity) {
	case PROF_FUNCTIONS:
		return FRAME_NAME;
	case PROF_FILEFUNCTIONS:
		return FRAME_NAME | FRAME_FILE;
	case PROF_FILES:
		return FRAME_FILE;
	case PROF_LINES:
		return FRAME_NAME | FRAME_FILE | FRAME_LINE;
	case PROF_ADDRESSES:
		break;
	}
	return FRAME_NAME | FRAME_FILE | FRAME_LINE | FRAME_ADDRESS;
}

/* *out is the id of s, 0 for the empty string. */
static bool add_string(struct frames_maker *m, uint32_t *out,
                       struct prof_str s)
{
	*out = intern_bytes(&m->strings, s.ptr, s.len, m->a);
	return s.len == 0 || *out != 0;
}

/* *out is the first of the profile's strings that equals string id. */
static bool add_name(struct frames_maker *m, uint32_t *out, uint32_t id)
{
	struct prof_str s = profile_string(m->p, id);
	uint64_t hash;
	size_t slot;

	*out = 0;
	if (s.len == 0)
		return true;
	if (!hash_index_reserve(&m->names, 1, m->a))
		return false;
	hash = hash_bytes(s.ptr, s.len, m->seed);
	for (slot = hash_index_first(&m->names, hash);
	     (*out = m->names.slots[slot].id) != 0;
	     slot = hash_index_next(&m->names, slot))
		if (m->names.slots[slot].tag == hash_tag(hash) &&
		    str_compare(profile_string(m->p, *out), s) == 0)
			return true;
	hash_index_put(&m->names, slot, hash, id);
	*out = id;
	return true;
}

static bool add_path(struct frames_maker *m, uint32_t *out, struct prof_str s)
{
	*out = 0;
	if (s.len == 0)
		return true;
	s = path_trim(s, m->trim_path, m->source_path);
	m->path.n = 0;
	if (!vec_reserve(&m->path, s.len + 1, m->a))
		return false;
	s.len = path_clean(m->path.data, s);
	s.ptr = m->path.data;
	return add_string(m, out, s);
}

static bool make_functions(struct frames_maker *m)
{
	const struct prof_profile *p = m->p;

	if (!vec_reserve(&m->functions, p->functions.n, m->a))
		return false;
	for (size_t i = 0; i < p->functions.n; i++) {
		const struct row_function *row = &p->functions.data[i];
		struct function_names names = { 0 };

		names.start_line = row->start_line;
		if ((m->parts & FRAME_NAME) != 0 &&
		    !add_name(m, &names.name, row->name))
			return false;
		if ((m->parts & FRAME_FILE) != 0 &&
		    !add_path(m, &names.file, profile_string(p, row->filename)))
			return false;
		vec_put(&m->functions, names);
	}
	return true;
}

static bool make_objects(struct frames_maker *m)
{
	const struct prof_profile *p = m->p;

	if (!vec_reserve(&m->objects, p->mappings.n, m->a))
		return false;
	for (size_t i = 0; i < p->mappings.n; i++) {
		struct prof_str file = profile_string(p,
			p->mappings.data[i].file);
		uint32_t id;

		if ((m->parts & FRAME_ANY_OBJECT) != 0 && file.len > 0)
			file = path_base(file);
		if (!add_string(m, &id, file))
			return false;
		vec_put(&m->objects, id);
	}
	return true;
}

/* What tells a frame from others. */
static struct frame frame_key(const struct frames_maker *m, struct frame f)
{
	if ((m->parts & FRAME_ANY_FILE) != 0 && f.name != 0)
		f.file = 0, f.start_line = 0;
	if ((m->parts & FRAME_ANY_OBJECT) != 0 && f.name != 0)
		f.object = 0, f.start_line = 0;
	return f;
}

static bool is_same(const struct frames_maker *m, const struct frame *frame,
                    const struct frame *key)
{
	const struct frame other = frame_key(m, *frame);

	return !memcmp(&other, key, sizeof(other));
}

/* Appends the frame to the lines of the location at hand. */
static bool add_frame(struct frames_maker *m, const struct frame *frame)
{
	struct frames *f = m->to;
	const struct frame key = frame_key(m, *frame);
	uint64_t hash = hash_bytes(&key, sizeof(key), m->seed);
	uint32_t id;
	size_t slot;

	if (!hash_index_reserve(&m->index, 1, m->a) ||
	    !vec_reserve(&f->all, 1, m->a) || !vec_reserve(&f->lines, 1, m->a))
		return false;
	for (slot = hash_index_first(&m->index, hash);
	     (id = m->index.slots[slot].id) != 0;
	     slot = hash_index_next(&m->index, slot))
		if (m->index.slots[slot].tag == hash_tag(hash) &&
		    is_same(m, &f->all.data[id - 1], &key))
			break;
	if (id == 0) {
		vec_put(&f->all, *frame);
		id = (uint32_t)f->all.n;
		hash_index_put(&m->index, slot, hash, id);
	}
	vec_put(&f->lines, id - 1);
	return true;
}

static bool add_line(struct frames_maker *m, const struct row_location *l,
                     const struct prof_line *line)
{
	struct frame frame = { 0 };

	if ((m->parts & FRAME_ADDRESS) != 0)
		frame.address = l->address;
	if (line == NULL || line->function == 0) {
		frame.object = m->objects.data[l->mapping];
		return add_frame(m, &frame);
	}
	frame.name = m->functions.data[line->function].name;
	frame.file = m->functions.data[line->function].file;
	if ((m->parts & FRAME_LINE) != 0)
		frame.line = line->line;
	if ((m->parts & FRAME_OBJECT) != 0 || frame.name == 0) {
		frame.object = m->objects.data[l->mapping];
		frame.start_line =
			m->functions.data[line->function].start_line;
	}
	return add_frame(m, &frame);
}

static bool add_location(struct frames_maker *m, uint32_t id)
{
	const struct row_location *l = &m->p->locations.data[id];
	uint32_t n = location_n_lines(l), i = 0;
	const struct prof_line *lines = m->p->lines.data;

	if (n == 0)
		return add_line(m, l, NULL);
	lines += location_first_line(l);
	if ((m->parts & FRAME_INLINED) == 0)
		i = n - 1;
	for (; i < n; i++)
		if (!add_line(m, l, &lines[i]))
			return false;
	return true;
}

static bool make_locations(struct frames_maker *m)
{
	struct frames *f = m->to;
	uint32_t n = prof_n_locations(m->p);

	if (!vec_reserve(&f->first, (size_t)n + 2, m->a))
		return false;
	vec_put(&f->first, 0);
	for (uint32_t id = 1; id <= n; id++) {
		vec_put(&f->first, (uint32_t)f->lines.n);
		if (!add_location(m, id) || f->lines.n > UINT32_MAX / 2)
			return false;
	}
	vec_put(&f->first, (uint32_t)f->lines.n);
	return true;
}

bool frames_init(struct frames *f, const struct prof_profile *p,
                 unsigned parts, const char *trim_path,
                 const char *source_path, const struct prof_allocator *a)
{
	struct frames_maker m = { .to = f, .p = p, .parts = parts, .a = a,
		                  .trim_path = trim_path,
		                  .source_path = source_path };
	bool is_ok;

	*f = (struct frames){ .p = p, .allocator = a };
	m.seed = hash_seed();
	m.strings = (struct interner){ .table = &f->strings, .seed = m.seed };
	is_ok = byte_table_begin(&f->strings, a) && make_functions(&m) &&
	        make_objects(&m) && make_locations(&m);
	intern_release(&m.strings, a);
	hash_index_release(&m.names, a);
	hash_index_release(&m.index, a);
	vec_release(&m.functions, a);
	vec_release(&m.objects, a);
	vec_release(&m.path, a);
	return is_ok;
}

void frames_release(struct frames *f)
{
	byte_table_release(&f->strings, f->allocator);
	vec_release(&f->all, f->allocator);
	vec_release(&f->lines, f->allocator);
	vec_release(&f->first, f->allocator);
}

/* ---- Names ---- */

struct text {
	VEC(char) bytes;
	const struct prof_allocator *a;
	bool has_failed;
};

/* A part of a name, with a blank before it where it is not the first. */
static void text_part(struct text *t, struct prof_str s, const char *more)
{
	size_t n = strlen(more);

	if (!vec_reserve(&t->bytes, s.len + n + 1, t->a)) {
		t->has_failed = true;
		return;
	}
	if (t->bytes.n > 0)
		vec_put(&t->bytes, ' ');
	if (s.len > 0)
		memcpy(t->bytes.data + t->bytes.n, s.ptr, s.len);
	memcpy(t->bytes.data + t->bytes.n + s.len, more, n);
	t->bytes.n += s.len + n;
}

static void text_object(struct text *t, struct prof_str object)
{
	struct prof_str base = path_base(object);

	text_part(t, (struct prof_str){ "[", 1 }, "");
	if (!vec_reserve(&t->bytes, base.len + 1, t->a)) {
		t->has_failed = true;
		return;
	}
	memcpy(t->bytes.data + t->bytes.n, base.ptr, base.len);
	t->bytes.n += base.len;
	vec_put(&t->bytes, ']');
}

static void text_frame(struct text *t, const struct frames *f,
                       const struct frame *frame)
{
	struct prof_str none = { "", 0 };
	char number[32];

	if (frame->address != 0) {
		snprintf(number, sizeof(number), "%016" PRIx64, frame->address);
		text_part(t, none, number);
	}
	if (frame->name != 0)
		text_part(t, frames_name(f, frame), "");
	if (frame->line != 0) {
		snprintf(number, sizeof(number), ":%" PRId64, frame->line);
		text_part(t, frames_string(f, frame->file), number);
	} else if (frame->file != 0) {
		text_part(t, frames_string(f, frame->file), "");
	} else if (frame->name == 0 && frame->object != 0) {
		text_object(t, frames_string(f, frame->object));
	} else if (frame->name == 0) {
		text_part(t, none, "<unknown>");
	}
}

bool frames_names(struct byte_table *out, const struct frames *f,
                  const bool *keep)
{
	struct text t = { .a = f->allocator };

	t.has_failed = !byte_table_begin(out, f->allocator);
	for (size_t i = 0; i < f->all.n && !t.has_failed; i++) {
		t.bytes.n = 0;
		if (keep == NULL || keep[i])
			text_frame(&t, f, &f->all.data[i]);
		if (!t.has_failed &&
		    byte_table_append(out, t.bytes.data, t.bytes.n,
		                      f->allocator) == 0)
			t.has_failed = true;
	}
	vec_release(&t.bytes, f->allocator);
	return !t.has_failed;
}
