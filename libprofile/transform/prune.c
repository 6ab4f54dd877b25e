/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prune-from, drop-frames, keep-frames: stacks cut below a function.
 *
 * Here an expression is shown names of functions as a person would write
 * them: without arguments. Files and mappings do not count.
 * Source: google/pprof, prune.go.
 */
#include "transform/cut.h"
#include "transform/transform.h"

#include "base/error.h"
#include "model/edit.h"

#include <stdio.h>
#include <string.h>

/* Whether a line's function has a name that matches. */
static bool matches(struct names *names, const struct prof_line *line)
{
	const uint32_t name = names->p->functions.data[line->function].name;

	return name && names_match_string(names, name);
}

/* ---- prune-from ---- */

/* From the innermost line that matches on. */
static bool find_cut_from(struct cut *c, uint32_t id, struct prof_error *err)
{
	const struct row_location *l = &c->p->locations.data[id];
	const struct prof_line *lines =
		c->p->lines.data + location_first_line(l);
	const uint32_t n = location_n_lines(l);
	uint32_t i = 0;

	while (i < n && !matches(&c->names, &lines[i]))
		i++;
	return i < n ? cut_location(c, id, i, n - i, err) : true;
}

/* Cuts below the innermost match, which stays. */
static size_t cut_from(void *ctx, uint32_t *ids, size_t n, size_t *first)
{
	const struct cut *c = ctx;
	size_t i = 0;

	while (i < n && !c->at[ids[i]])
		i++;
	if (i == n)
		i = 0;
	else
		ids[i] = c->at[ids[i]];
	*first = i;
	return n - i;
}

enum prof_status prof_prune_from(struct prof_profile *p, const char *regex,
                                 struct prof_error *err)
{
	struct cut c;
	enum prof_status status;

	if (!*regex)
		return PROF_OK;
	status = cut_init(&c, p, regex, err);
	c.names.part = name_simplified_and_trimmed;
	for (uint32_t id = 1; id + 1 < c.n && status == PROF_OK; id++)
		if (!find_cut_from(&c, id, err))
			status = PROF_NOMEM;
	if (status == PROF_OK)
		status = names_status(&c.names, err);
	if (status == PROF_OK)
		status = edit_stacks(p, &(struct stack_change){
			.change = cut_from, .ctx = &c }, err);
	cut_release(&c);
	return status;
}

const struct transform prune_from_transform = {
	.info = { "prune-from", "REGEX",
	          "take out the frames that the innermost one that matches "
	          "has called" },
	.apply = prof_prune_from
};

/* ---- drop-frames ---- */

struct dropping {
	struct cut cut;
	struct names keep; /* .p is NULL where nothing is kept */
};

/* The outermost line that is to go, and those inside it. */
static bool find_drop(struct dropping *d, uint32_t id, struct prof_error *err)
{
	const struct row_location *l = &d->cut.p->locations.data[id];
	const struct prof_line *lines =
		d->cut.p->lines.data + location_first_line(l);
	const uint32_t n = location_n_lines(l);
	uint32_t i = n;

	while (i > 0 && !(matches(&d->cut.names, &lines[i - 1]) &&
	                  !(d->keep.p && matches(&d->keep, &lines[i - 1]))))
		i--;
	return i ? cut_location(&d->cut, id, i, n - i, err) : true;
}

/*
 * Cuts the outermost match and what it has called, but not before a frame
 * that does not match: nothing would be left. Up to there, matches go only
 * where they are inlined into something that stays.
 */
static size_t cut_drop(void *ctx, uint32_t *ids, size_t n, size_t *first)
{
	const struct cut *c = ctx;
	size_t i = n;

	*first = 0;
	for (; i > 0 && c->at[ids[i - 1]]; i--)
		if (c->at[ids[i - 1]] != CUT_WHOLE)
			ids[i - 1] = c->at[ids[i - 1]];
	while (i > 0 && !c->at[ids[i - 1]])
		i--;
	if (i == 0)
		return n;
	if (c->at[ids[i - 1]] == CUT_WHOLE) {
		*first = i;
	} else {
		ids[i - 1] = c->at[ids[i - 1]];
		*first = i - 1;
	}
	return n - *first;
}

static enum prof_status drop(struct dropping *d, struct prof_error *err)
{
	struct cut *c = &d->cut;
	enum prof_status status = PROF_OK;

	c->names.part = d->keep.part = name_simplified;
	for (uint32_t id = 1; id + 1 < c->n && status == PROF_OK; id++)
		if (!find_drop(d, id, err))
			status = PROF_NOMEM;
	if (status == PROF_OK)
		status = names_status(&c->names, err);
	if (status == PROF_OK && d->keep.p)
		status = names_status(&d->keep, err);
	if (status == PROF_OK)
		status = edit_stacks(c->p, &(struct stack_change){
			.change = cut_drop, .ctx = c }, err);
	return status;
}

/* "^(regex)$", which the caller frees with its size; NULL: out of memory. */
static char *anchored(const struct prof_allocator *a, const char *regex,
                      size_t *size)
{
	char *text;

	*size = strlen(regex) + sizeof("^()$");
	text = mem_zeroed(a, *size, 1);
	if (text)
		snprintf(text, *size, "^(%s)$", regex);
	return text;
}

enum prof_status prof_drop_frames(struct prof_profile *p, const char *regex,
                                  const char *keep_regex,
                                  struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	struct dropping d = { .keep.p = NULL };
	size_t size, keep_size;
	char *whole = anchored(&a, regex, &size);
	char *keep = anchored(&a, keep_regex ? keep_regex : "", &keep_size);
	enum prof_status status = PROF_OK;

	if (!whole || !keep)
		status = error_nomem(err);
	else if (*regex)
		status = cut_init(&d.cut, p, whole, err);
	if (status == PROF_OK && *regex && keep_regex && *keep_regex)
		status = names_init(&d.keep, p, keep, err);
	if (status == PROF_OK && *regex)
		status = drop(&d, err);
	if (d.keep.p)
		names_release(&d.keep);
	if (d.cut.p)
		cut_release(&d.cut);
	mem_free(&a, whole, size);
	mem_free(&a, keep, keep_size);
	return status;
}

/*
 * The profile's own expressions where none is given: what is wrong with them
 * is wrong with the input.
 */
static enum prof_status drop_frames(struct prof_profile *p, const char *arg,
                                    struct prof_error *err)
{
	const char *keep = profile_string(p, p->keep_frames).ptr;
	struct prof_error own = { .status = PROF_OK };
	enum prof_status status;

	if (*arg)
		return prof_drop_frames(p, arg, keep, err);
	status = prof_drop_frames(p, profile_string(p, p->drop_frames).ptr,
	                          keep, &own);
	if (status == PROF_INVALID)
		return error_set(err, PROF_CORRUPT, "the profile's drop_frames "
		                 "or keep_frames: %.180s", own.message);
	if (status != PROF_OK && err)
		*err = own;
	return status;
}

const struct transform drop_frames_transform = {
	.info = { "drop-frames", "REGEX",
	          "take out functions of that name and what they have called, "
	          "but for those of keep-frames; '': those that the profile "
	          "says" },
	.apply = drop_frames
};

/* ---- keep-frames ---- */

static enum prof_status keep_frames(struct prof_profile *p, const char *arg,
                                    struct prof_error *err)
{
	const uint32_t id = edit_add_string(
		p, (struct prof_str){ arg, strlen(arg) }, err);

	if (id == UINT32_MAX)
		return PROF_NOMEM;
	p->keep_frames = id;
	p->is_canonical = false;
	return PROF_OK;
}

const struct transform keep_frames_transform = {
	.info = { "keep-frames", "REGEX",
	          "functions that a drop-frames behind it leaves alone" },
	.apply = keep_frames
};
