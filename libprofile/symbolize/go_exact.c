/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack of Go has an address for each inlined call too: the mark that the
 * compiler left in the code of the function it was inlined into. Go's builder
 * looks at the innermost frame of each address, and puts the addresses of one
 * real function together to one location, whose lines they become. The same
 * address may also be a frame of its own, where a signal met the mark. So what
 * is put together depends on the stack, and is found again by its first
 * address, as Go does.
 *
 * Source: Go 1.19, runtime/pprof: profileBuilder.appendLocsForStack, pcDeck,
 * allFrames; runtime: expandFinalInlineFrame.
 */
#include "symbolize/go_exact.h"

#include "base/error.h"
#include "model/editor.h"

/* What became of a location as the first of those put together. */
struct folded {
	uint32_t first_line, n_lines; /* in `lines` */
	uint32_t n_locations;         /* 0: it was not first yet */
};

struct exact {
	const struct prof_profile *p;
	struct folded *folded; /* of each location */
	VEC(struct prof_line) lines;
	/* The deck: locations that are being put together. */
	uint32_t deck[2]; /* the first and the last of them */
	uint32_t n_deck;
	bool has_no_memory;
};

static const struct prof_line *lines_of(const struct prof_profile *p,
                                        uint32_t location, uint32_t *n)
{
	const struct row_location *l = &p->locations.data[location];

	*n = location_n_lines(l);
	return *n ? &p->lines.data[location_first_line(l)] : NULL;
}

static uint32_t name_of(const struct prof_profile *p,
                        const struct prof_line *line)
{
	return p->functions.data[line->function].name;
}

static bool is_goexit(const struct prof_profile *p, uint32_t location)
{
	static const char goexit[] = "runtime.goexit";
	struct prof_str name;
	uint32_t n;
	const struct prof_line *line = lines_of(p, location, &n);

	if (n != 1)
		return false;
	name = profile_string(p, name_of(p, line));
	return name.len == sizeof(goexit) - 1 &&
	       memcmp(name.ptr, goexit, name.len) == 0;
}

/* Whether `next` is where the function of `last` was inlined. */
static bool belongs(const struct prof_profile *p, uint32_t last, uint32_t next)
{
	uint32_t n, m;
	const struct prof_line *a = lines_of(p, last, &n);
	const struct prof_line *b = lines_of(p, next, &m);

	return n > 1 && m > 0 && /* the outermost is the real function */
	       name_of(p, &a[n - 1]) == name_of(p, &b[m - 1]) &&
	       name_of(p, &a[0]) != name_of(p, &b[0]);
}

static bool try_add(struct exact *x, uint32_t location)
{
	if (x->n_deck && !belongs(x->p, x->deck[1], location))
		return false;
	if (x->n_deck == 0)
		x->deck[0] = location;
	x->deck[1] = location;
	x->n_deck++;
	return true;
}

static void put_lines(struct exact *x, const struct prof_line *lines,
                      uint32_t n)
{
	if (x->has_no_memory || !vec_reserve(&x->lines, n, &mem_malloc)) {
		x->has_no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		vec_put(&x->lines, lines[i]);
}

/*
 * Ends the deck, which holds ids[0 .. n_deck); is_final: the stack ends with
 * it, and what the last address is inlined into is known though cut off.
 * Returns the location that stands for it.
 */
static uint32_t emit(struct exact *x, const uint32_t *ids, bool is_final)
{
	struct folded *f = &x->folded[x->deck[0]];
	uint32_t n;

	f->first_line = (uint32_t)x->lines.n;
	f->n_locations = x->n_deck;
	for (uint32_t i = 0; i < x->n_deck; i++) {
		const struct prof_line *lines = lines_of(x->p, ids[i], &n);

		if (n > 1 && !(is_final && i + 1 == x->n_deck))
			n = 1;
		put_lines(x, lines, n);
	}
	f->n_lines = (uint32_t)x->lines.n - f->first_line;
	x->n_deck = 0;
	return x->deck[0];
}

/* Puts the locations of a stack together in place; returns how many stay. */
static size_t fold_stack(void *ctx, uint32_t *ids, size_t n)
{
	struct exact *x = ctx;
	size_t n_out = 0, i = 0;

	x->n_deck = 0;
	while (i < n) {
		const struct folded *f = &x->folded[ids[i]];
		bool is_end = is_goexit(x->p, ids[i]);

		if (!is_end && (x->n_deck || f->n_locations == 0) &&
		    try_add(x, ids[i])) {
			i++;
			continue;
		}
		if (x->n_deck) {
			/* n_out is never ahead of what is still to be read. */
			uint32_t id = emit(x, ids + i - x->n_deck, false);

			ids[n_out++] = id;
			continue;
		}
		if (is_end) {
			i++;
			continue;
		}
		ids[n_out++] = ids[i];
		i += f->n_locations;
	}
	if (x->n_deck) {
		uint32_t id = emit(x, ids + n - x->n_deck, true);

		ids[n_out++] = id;
	}
	return n_out;
}

static enum prof_status write_lines(struct exact *x, struct prof_profile *p,
                                    struct prof_error *err)
{
	struct profile_editor e;
	uint32_t n_locations = prof_n_locations(p), n;

	profile_editor_begin(&e, p);
	for (uint32_t id = 1; id <= n_locations; id++) {
		const struct folded *f = &x->folded[id];
		const struct prof_line *lines = lines_of(p, id, &n);

		if (f->n_locations)
			profile_editor_lines(&e, x->lines.data + f->first_line,
			                     f->n_lines);
		else
			profile_editor_lines(&e, lines, n);
	}
	return profile_editor_finish(&e, err);
}

enum prof_status go_exact_apply(struct prof_profile *p, struct prof_error *err)
{
	struct exact x = { .p = p };
	enum prof_status status = PROF_NOMEM;

	x.folded = mem_zeroed(&mem_malloc, p->locations.n, sizeof(*x.folded));
	if (x.folded)
		status = profile_change_stacks(p, fold_stack, &x, err);
	if (x.has_no_memory)
		status = PROF_NOMEM;
	if (status == PROF_OK)
		status = write_lines(&x, p, err);
	else
		error_nomem(err);
	for (size_t id = 1; id < p->mappings.n; id++)
		p->mappings.data[id].has &= MAPPING_HAS_FUNCTIONS;
	mem_free(&mem_malloc, x.folded, p->locations.n * sizeof(*x.folded));
	vec_release(&x.lines, &mem_malloc);
	return status;
}
