/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/frames.h"

#include <limits.h>
#include <string.h>

bool frame_set_begin(struct frame_set *s)
{
	*s = (struct frame_set){ .frames = { NULL, 0, 0 } };
	if (!vec_reserve(&s->functions, 16, &mem_malloc) ||
	    !vec_reserve(&s->files, 16, &mem_malloc)) {
		frame_set_release(s);
		return false;
	}
	vec_put(&s->functions, (struct frame_function){ NULL, NULL, 0 });
	vec_put(&s->files, (struct frame_file){ 0, 0 });
	return true;
}

void frame_set_release(struct frame_set *s)
{
	vec_release(&s->frames, &mem_malloc);
	vec_release(&s->functions, &mem_malloc);
	vec_release(&s->files, &mem_malloc);
	vec_release(&s->text, &mem_malloc);
	vec_release(&s->chains, &mem_malloc);
	vec_release(&s->names, &mem_malloc);
	vec_release(&s->last_names, &mem_malloc);
}

uint32_t frame_set_add_function(struct frame_set *s,
                                const struct frame_function *f)
{
	if (s->functions.n >= UINT32_MAX ||
	    !vec_reserve(&s->functions, 1, &mem_malloc))
		return 0;
	vec_put(&s->functions, *f);
	return (uint32_t)(s->functions.n - 1);
}

static void append(struct frame_set *s, const char *part, size_t size)
{
	memcpy(s->text.data + s->text.n, part, size);
	s->text.n += size;
}

uint32_t frame_set_add_file(struct frame_set *s, const char *const parts[3])
{
	struct frame_file file = { s->text.n, 0 };
	int first = 0;

	for (int i = 1; i < 3; i++)
		if (parts[i] && parts[i][0] == '/')
			first = i;
	for (int i = first; i < 3; i++) {
		size_t size = parts[i] ? strnlen(parts[i], PATH_MAX) : 0;

		if (size == 0 || size == PATH_MAX)
			continue; /* there is no such path */
		if (!vec_reserve(&s->text, size + 1, &mem_malloc))
			return 0;
		if (s->text.n > file.begin &&
		    s->text.data[s->text.n - 1] != '/')
			append(s, "/", 1);
		append(s, parts[i], size);
	}
	file.size = s->text.n - file.begin;
	if (file.size == 0 || s->files.n >= UINT32_MAX ||
	    !vec_reserve(&s->files, 1, &mem_malloc))
		return 0;
	vec_put(&s->files, file);
	return (uint32_t)(s->files.n - 1);
}

/* ---- Names ---- */

static bool is_name_of(const struct frame_name *n, const struct frame *f,
                       struct frame_symbol symbol)
{
	return n->file == f->file && n->symbol.name.ptr == symbol.name.ptr;
}

/*
 * Frames of a function mostly come one behind the other and are alike, so
 * only its last name is compared. One that is there twice is found equal
 * where it becomes a function of the profile.
 */
static bool settle_frame(struct frame_set *s, struct frame *f,
                         struct frame_symbol symbol)
{
	uint32_t *last = &s->last_names.data[f->function];

	if (*last == 0 ||
	    !is_name_of(&s->names.data[*last - 1], f, symbol)) {
		if (s->names.n >= UINT32_MAX - 1 ||
		    !vec_reserve(&s->names, 1, &mem_malloc))
			return false;
		vec_put(&s->names, (struct frame_name){
					   .function = f->function,
					   .file = f->file,
					   .symbol = symbol });
		*last = (uint32_t)s->names.n;
	}
	f->function = *last - 1;
	return true;
}

bool frame_set_settle(struct frame_set *s, struct chain chain,
                      struct frame_symbol symbol)
{
	const struct frame_symbol none = { { NULL, 0 }, false };
	size_t more = s->functions.n - s->last_names.n;

	if (!vec_reserve(&s->last_names, more, &mem_malloc))
		return false;
	for (; more > 0; more--)
		vec_put(&s->last_names, 0);
	for (uint32_t i = 0; i < chain.n; i++)
		if (!settle_frame(s, &s->frames.data[chain.first + i],
		                  i + 1 == chain.n ? symbol : none))
			return false;
	return true;
}
