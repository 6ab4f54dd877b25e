/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tagroot, tagleaf: labels become frames, so that a graph is split by them.
 *
 * A frame is named after the values of the label, several joined by commas,
 * and its file is the key; without such a label its name is empty. Samples
 * with the same label set get the same frames, so these are made once a set.
 * Source: google/pprof, addLabelNodes.
 */
#include "base/error.h"
#include "base/measure.h"
#include "model/edit.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <string.h>

enum tag_end { TAG_ROOT, TAG_LEAF };

struct tag_frames {
	struct prof_profile *p;
	const struct prof_allocator *a;
	struct prof_error *err;
	enum tag_end end;
	VEC(uint32_t) keys;      /* string ids, last first */
	uint32_t *frames;        /* [sets][keys.n]: locations; 0: not yet */
	size_t n_frames;
	/* Locations that are there already, by "file\0name". */
	struct byte_table names;
	struct interner interner;
	VEC(uint32_t) locations; /* by id of a name */
	VEC(char) text;
	struct row_label *labels;
	struct stack_edit stacks;
};

static bool no_memory(struct tag_frames *t)
{
	error_nomem(t->err);
	return false;
}

static bool put_text(struct tag_frames *t, struct prof_str s)
{
	if (!vec_reserve(&t->text, s.len, t->a))
		return no_memory(t);
	if (s.len)
		memcpy(t->text.data + t->text.n, s.ptr, s.len);
	t->text.n += s.len;
	return true;
}

/* The values of a key in labels[n], joined, behind what is in the text. */
static bool put_values(struct tag_frames *t, uint32_t key, size_t n)
{
	size_t n_values = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row_label *l = &t->labels[i];
		const struct prof_str s = profile_string(t->p, l->str);
		struct measure_text number;

		if (l->key != key)
			continue;
		if (n_values++ && !put_text(t, str_of(",")))
			return false;
		if (l->is_number) {
			number = measure_label(l->num, s, str_of(s.len ?
			                       "minimum" : ""));
			if (!put_text(t, str_of(number.text)))
				return false;
		} else if (!put_text(t, s)) {
			return false;
		}
	}
	return true;
}

/* A new location of a new function: 0 is a failure. */
static uint32_t add_frame(struct tag_frames *t, uint32_t key,
                          struct prof_str name)
{
	struct row_function row = { .filename = key };
	uint32_t function;

	row.name = edit_add_string(t->p, name, t->err);
	if (row.name == UINT32_MAX)
		return 0;
	function = edit_add_function(t->p, &row, t->err);
	return function ? edit_add_location(t->p, function, t->err) : 0;
}

/* The location for the text "key\0name", whose name begins at `name`. */
static uint32_t find_frame(struct tag_frames *t, uint32_t key, size_t name)
{
	const uint32_t id = intern_bytes(&t->interner, t->text.data, t->text.n,
	                                 t->a);
	uint32_t location;

	if (!id || !vec_reserve(&t->locations, 1, t->a))
		return no_memory(t);
	if (id - 1 < t->locations.n)
		return t->locations.data[id - 1];
	location = add_frame(t, key, (struct prof_str){
		t->text.data + name, t->text.n - name });
	if (location)
		vec_put(&t->locations, location);
	return location;
}

/* The frames of a label set, one for each key. */
static bool make_frames(struct tag_frames *t, uint32_t set, uint32_t *frames)
{
	const struct prof_str s = byte_table_get(&t->p->label_sets, set);
	const unsigned char *at = (const unsigned char *)s.ptr;
	const unsigned char *const end = at + s.len;
	size_t n = 0;

	while (at < end)
		at = label_unpack(at, &t->labels[n++]);
	for (size_t i = 0; i < t->keys.n; i++) {
		size_t name;

		t->text.n = 0;
		if (!put_text(t, profile_string(t->p, t->keys.data[i])) ||
		    !put_text(t, (struct prof_str){ "", 1 }))
			return false;
		name = t->text.n;
		if (!put_values(t, t->keys.data[i], n))
			return false;
		frames[i] = find_frame(t, t->keys.data[i], name);
		if (!frames[i])
			return false;
	}
	return true;
}

static bool add_frames(struct tag_frames *t, struct row_sample *s)
{
	struct stack_edit *e = &t->stacks;
	const size_t n_keys = t->keys.n;
	uint32_t *frames = t->frames + s->label_set * n_keys;
	const size_t n = stack_edit_get(e, s->stack);

	if (n_keys && !frames[0] && !make_frames(t, s->label_set, frames))
		return false;
	if (t->end == TAG_LEAF)
		memmove(e->ids + n_keys, e->ids, n * sizeof(*e->ids));
	memcpy(e->ids + (t->end == TAG_LEAF ? 0 : n), frames,
	       n_keys * sizeof(*frames));
	return stack_edit_put(e, e->ids, n + n_keys, &s->stack, t->err);
}

/* Keys of the list, last first. */
static bool take_keys(struct tag_frames *t, const char *list)
{
	const size_t n = list_length(list);
	struct prof_str key;

	if (!vec_reserve(&t->keys, n, t->a))
		return no_memory(t);
	t->keys.n = n;
	for (size_t i = n; list_next(&list, &key);) {
		t->keys.data[--i] = edit_add_string(t->p, key, t->err);
		if (t->keys.data[i] == UINT32_MAX)
			return false;
	}
	return true;
}

static bool prepare(struct tag_frames *t)
{
	const size_t n_labels = (size_t)t->p->max_labels + 1;

	t->n_frames = byte_table_n(&t->p->label_sets) * t->keys.n;
	t->frames = mem_zeroed(t->a, t->n_frames, sizeof(*t->frames));
	t->labels = mem_zeroed(t->a, n_labels, sizeof(*t->labels));
	t->interner = (struct interner){ &t->names, .seed = hash_seed() };
	return (t->frames && t->labels && byte_table_begin(&t->names, t->a)) ||
		no_memory(t);
}

/* The samples' new stacks, beside the old ones until all is done. */
static enum prof_status change_samples(struct tag_frames *t)
{
	struct prof_profile *p = t->p;
	const size_t n = p->samples.n;
	struct row_sample *rows = mem_zeroed(t->a, n + 1, sizeof(*rows));
	bool ok = rows && stack_edit_begin(&t->stacks, p, t->keys.n);

	if (!ok)
		no_memory(t);
	for (size_t i = 0; i < n && ok; i++) {
		rows[i] = p->samples.data[i];
		ok = add_frames(t, &rows[i]);
	}
	if (ok) {
		if (n)
			memcpy(p->samples.data, rows, n * sizeof(*rows));
		stack_edit_commit(&t->stacks);
	}
	if (t->stacks.p)
		stack_edit_release(&t->stacks);
	mem_free(t->a, rows, (n + 1) * sizeof(*rows));
	return ok ? PROF_OK : PROF_NOMEM;
}

static enum prof_status add_tag_frames(struct prof_profile *p,
                                       const char *keys, enum tag_end end,
                                       struct prof_error *err)
{
	struct tag_frames t = { .p = p, .a = &p->allocator, .end = end,
	                        .err = err };
	enum prof_status status = PROF_NOMEM;

	if (!*keys)
		return PROF_OK;
	if (take_keys(&t, keys) && prepare(&t))
		status = change_samples(&t);
	mem_free(t.a, t.frames, t.n_frames * sizeof(*t.frames));
	mem_free(t.a, t.labels,
	         ((size_t)p->max_labels + 1) * sizeof(*t.labels));
	byte_table_release(&t.names, t.a);
	intern_release(&t.interner, t.a);
	vec_release(&t.keys, t.a);
	vec_release(&t.locations, t.a);
	vec_release(&t.text, t.a);
	return status;
}

enum prof_status prof_tagroot(struct prof_profile *p, const char *keys,
                              struct prof_error *err)
{
	return add_tag_frames(p, keys, TAG_ROOT, err);
}

enum prof_status prof_tagleaf(struct prof_profile *p, const char *keys,
                              struct prof_error *err)
{
	return add_tag_frames(p, keys, TAG_LEAF, err);
}

const struct transform tagroot_transform = {
	.info = { "tagroot", "KEY,...", "add the values of labels as frames "
	          "at the root, the first key outermost" },
	.apply = prof_tagroot
};

const struct transform tagleaf_transform = {
	.info = { "tagleaf", "KEY,...", "add the values of labels as frames "
	          "at the leaf, the last key innermost" },
	.apply = prof_tagleaf
};
