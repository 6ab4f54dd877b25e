/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets in functions are known where the dynamic linker knows the symbol;
 * else there is none, as prof_symbol has no address of the function.
 */
#include "runtime/frame_text.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INLINED = 32, TAB = 8 };

bool frame_text_note(struct frame_text *t, const uint64_t *pcs, size_t n)
{
	if (!vec_reserve(&t->pcs, n, &mem_malloc))
		return false;
	if (n > 0)
		memcpy(t->pcs.data + t->pcs.n, pcs, n * sizeof(*pcs));
	t->pcs.n += n;
	return true;
}

static int by_pc(const void *a_, const void *b_)
{
	const uint64_t a = *(const uint64_t *)a_;
	const uint64_t b = *(const uint64_t *)b_;

	return (a > b) - (a < b);
}

enum prof_status frame_text_resolve(struct frame_text *t,
                                    struct prof_error *err)
{
	size_t i, n = 0;

	if (t->pcs.n > 0)
		qsort(t->pcs.data, t->pcs.n, sizeof(*t->pcs.data), by_pc);
	for (i = 0; i < t->pcs.n; i++)
		if (n == 0 || t->pcs.data[i] != t->pcs.data[n - 1])
			t->pcs.data[n++] = t->pcs.data[i];
	t->pcs.n = n;
	return prof_frames(&t->frames, t->pcs.data, n, NULL, err);
}

void frame_text_release(struct frame_text *t)
{
	vec_release(&t->pcs, &mem_malloc);
	prof_frames_free(t->frames);
	t->frames = NULL;
}

/* The frames of a return address, innermost first; 0: unknown. */
static size_t look_up(const struct frame_text *t, uint64_t pc,
                      struct prof_symbol *frames)
{
	const uint64_t *at = t->pcs.n > 0
		? bsearch(&pc, t->pcs.data, t->pcs.n, sizeof(pc), by_pc)
		: NULL;
	size_t n = at ? prof_get_frames(t->frames, (size_t)(at - t->pcs.data),
	                                frames, MAX_INLINED)
	              : 0;

	if (n > MAX_INLINED)
		n = MAX_INLINED;
	return n > 0 && frames[0].name.len > 0 ? n : 0;
}

/* "+0x1e" into text[size]: from the outermost function's first address. */
static void put_offset(char *text, size_t size, uint64_t pc,
                       const struct prof_symbol *function)
{
	Dl_info info;

	*text = '\0';
	if (dladdr((void *)(uintptr_t)(pc - 1), &info) && info.dli_sname &&
	    function->system_name.len == strlen(info.dli_sname) &&
	    !memcmp(function->system_name.ptr, info.dli_sname,
	            function->system_name.len))
		snprintf(text, size, "+0x%llx",
		         (unsigned long long)(pc - 1 -
		                              (uintptr_t)info.dli_saddr));
}

/* ---- Columns ---- */

static size_t round_to_tab(size_t n)
{
	return (n + TAB) / TAB * TAB;
}

/* A cell of that many columns, filled up with tabs. */
static void end_cell(struct output *out, size_t used, size_t width)
{
	for (; used < width; used = used / TAB * TAB + TAB)
		output_char(out, '\t');
}

static size_t hex_size(uint64_t n)
{
	size_t size = 3;

	while (n >>= 4)
		size++;
	return size;
}

struct widths {
	size_t pc, name;
	bool is_any;
};

static void measure(struct widths *w, uint64_t pc,
                    const struct prof_symbol *frames, size_t n)
{
	char offset[24];
	size_t i, size;

	put_offset(offset, sizeof(offset), pc, &frames[n - 1]);
	size = round_to_tab(hex_size(pc - 1));
	w->pc = size > w->pc ? size : w->pc;
	for (i = 0; i < n; i++) {
		size = round_to_tab(frames[i].name.len + strlen(offset));
		w->name = size > w->name ? size : w->name;
	}
	w->is_any = true;
}

static void put_comment(struct output *out, const struct widths *w,
                        uint64_t pc, const struct prof_symbol *f,
                        const char *offset)
{
	output_text(out, "#\t");
	output_hex(out, pc - 1);
	end_cell(out, hex_size(pc - 1), w->pc);
	output_str(out, f->name);
	output_text(out, offset);
	end_cell(out, f->name.len + strlen(offset), w->name);
	output_str(out, f->filename);
	output_char(out, ':');
	output_i64(out, f->line);
	output_char(out, '\n');
}

void frame_text_comments(struct output *out, const struct frame_text *t,
                         const uint64_t *pcs, size_t n)
{
	struct prof_symbol frames[MAX_INLINED];
	struct widths w = { 0, 0, false };
	char offset[24];
	size_t i, k, n_frames;

	for (i = 0; i < n; i++)
		if ((n_frames = look_up(t, pcs[i], frames)) > 0)
			measure(&w, pcs[i], frames, n_frames);
	if (!w.is_any)
		output_text(out, "#\t0x0\n");
	for (i = 0; i < n; i++) {
		n_frames = look_up(t, pcs[i], frames);
		if (n_frames > 0)
			put_offset(offset, sizeof(offset), pcs[i],
			           &frames[n_frames - 1]);
		for (k = 0; k < n_frames; k++)
			put_comment(out, &w, pcs[i], &frames[k], offset);
	}
	output_char(out, '\n');
}

void frame_text_dump(struct output *out, const struct frame_text *t,
                     const uint64_t *pcs, size_t n)
{
	struct prof_symbol frames[MAX_INLINED];
	char offset[24];
	size_t i, k, n_frames;

	for (i = 0; i < n; i++) {
		n_frames = look_up(t, pcs[i], frames);
		if (n_frames == 0) {
			output_hex(out, pcs[i] - 1);
			output_char(out, '\n');
			continue;
		}
		put_offset(offset, sizeof(offset), pcs[i],
		           &frames[n_frames - 1]);
		for (k = 0; k < n_frames; k++) {
			output_str(out, frames[k].name);
			output_text(out, "(...)\n\t");
			if (frames[k].filename.len == 0)
				output_char(out, '?');
			output_str(out, frames[k].filename);
			output_char(out, ':');
			output_i64(out, frames[k].line);
			if (*offset)
				output_char(out, ' ');
			output_text(out, offset);
			output_char(out, '\n');
		}
	}
	output_char(out, '\n');
}
