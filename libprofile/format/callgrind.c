/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output format of callgrind, for kcachegrind and callgrind_annotate,
 * written only: an event for each sample type. Positions are addresses and
 * lines; inlined frames are functions that are called like any other.
 *
 * The format holds a call graph and no stacks: what each line of a function
 * spent, and what each of its calls spent below. A call counts once for each
 * sample, however often recursion takes it. How often a function was called
 * is not in a profile: calls=1, as callgrind_annotate takes what comes after a
 * 0 for the caller's own. The format has no place for labels, and its costs
 * are unsigned: notes say what was left out.
 *
 * Names are numbered, as the format allows, with the ids of the profile's
 * strings.
 *
 * Source: Valgrind's manual, "Callgrind Format Specification".
 */
#include "format/format.h"

#include "base/error.h"
#include "base/measure.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * A position: a line of a location, in the order of those, then one for each
 * location that has none.
 */
struct position {
	uint32_t location, first_call; /* call + 1 */
	bool is_used;
};

struct call {
	uint32_t from, to; /* positions */
	uint32_t next;     /* call + 1 of the same position */
	size_t stamp;      /* the last sample that counted, from 1 */
};

enum name_kind { OBJECT, FILE_NAME, FUNCTION, N_NAME_KINDS };

struct callgrind {
	const struct prof_profile *p;
	struct output *out;
	size_t n_types;
	size_t n_positions;
	struct position *positions;
	int64_t *spent;           /* by position and type */
	VEC(struct call) calls;
	VEC(int64_t) spent_below; /* by call and type */
	struct hash_index index;  /* (from, to) to call + 1 */
	uint64_t seed;
	unsigned char *is_written; /* of strings: a bit for each kind */
	size_t n_strings;
	uint64_t n_negative;
	const struct prof_allocator *a;
};

/* ---- Counting ---- */

static bool number_positions(struct callgrind *c)
{
	const struct prof_profile *p = c->p;
	uint32_t n = prof_n_locations(p);

	c->n_positions = p->lines.n + n + 1;
	c->positions = mem_zeroed(c->a, c->n_positions,
	                          sizeof(*c->positions));
	c->spent = mem_zeroed(c->a, c->n_positions * c->n_types + 1,
	                      sizeof(*c->spent));
	c->n_strings = (size_t)byte_table_n(&p->strings) + 1;
	c->is_written = mem_zeroed(c->a, c->n_strings, 1);
	if (!c->positions || !c->spent || !c->is_written ||
	    c->n_positions >= UINT32_MAX)
		return false;
	for (uint32_t id = 1; id <= n; id++) {
		const struct row_location *l = &p->locations.data[id];

		for (uint32_t i = 0; i < location_n_lines(l); i++)
			c->positions[location_first_line(l) + i].location = id;
		c->positions[p->lines.n + id].location = id;
	}
	return true;
}

static uint64_t hash_call(uint32_t from, uint32_t to, uint64_t seed)
{
	uint64_t hash = ((uint64_t)from << 32 | to) ^ seed;

	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* The call, from 1; 0: out of memory. */
static uint32_t find_call(struct callgrind *c, uint32_t from, uint32_t to)
{
	uint64_t hash = hash_call(from, to, c->seed);
	uint32_t id;
	size_t slot;

	if (!hash_index_reserve(&c->index, 1, c->a) ||
	    !vec_reserve(&c->calls, 1, c->a) ||
	    !vec_reserve(&c->spent_below, c->n_types, c->a))
		return 0;
	for (slot = hash_index_first(&c->index, hash);
	     (id = c->index.slots[slot].id) != 0;
	     slot = hash_index_next(&c->index, slot))
		if (c->calls.data[id - 1].from == from &&
		    c->calls.data[id - 1].to == to)
			return id;
	vec_put(&c->calls, (struct call){ .from = from, .to = to,
	                   .next = c->positions[from].first_call });
	for (size_t i = 0; i < c->n_types; i++)
		vec_put(&c->spent_below, 0);
	id = (uint32_t)c->calls.n;
	hash_index_put(&c->index, slot, hash, id);
	c->positions[from].first_call = id;
	return id;
}

static void add_values(const struct callgrind *c, int64_t *to,
                       const int64_t *values)
{
	for (size_t i = 0; i < c->n_types; i++)
		if (values[i] > 0)
			to[i] = measure_add(to[i], values[i]);
}

/* The caller `from` of the position below it; UINT32_MAX `below`: a leaf. */
static bool count_position(struct callgrind *c, uint32_t from, uint32_t below,
                           size_t stamp, const int64_t *values)
{
	uint32_t id;

	c->positions[from].is_used = true;
	if (below == UINT32_MAX) {
		add_values(c, c->spent + from * c->n_types, values);
		return true;
	}
	id = find_call(c, from, below);
	if (id == 0)
		return false;
	if (c->calls.data[id - 1].stamp == stamp)
		return true;
	c->calls.data[id - 1].stamp = stamp;
	add_values(c, c->spent_below.data + (id - 1) * c->n_types, values);
	return true;
}

static bool count_sample(struct callgrind *c, size_t sample,
                         const int64_t *values)
{
	const struct prof_profile *p = c->p;
	struct prof_str packed =
		byte_table_get(&p->stacks, p->samples.data[sample].stack);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;
	uint32_t below = UINT32_MAX;

	while (at < end) {
		const struct row_location *l;
		uint32_t id, first, n;

		at = varint_get_known(at, &id);
		l = &p->locations.data[id];
		n = location_n_lines(l);
		first = n > 0 ? location_first_line(l)
		              : (uint32_t)p->lines.n + id;
		for (uint32_t i = 0; i < (n > 0 ? n : 1); i++) {
			if (!count_position(c, first + i, below, sample + 1,
			                    values))
				return false;
			below = first + i;
		}
	}
	return true;
}

static bool count_samples(struct callgrind *c)
{
	const struct prof_profile *p = c->p;
	const int64_t *values = p->values.data;

	c->seed = hash_seed();
	if (!number_positions(c))
		return false;
	for (size_t i = 0; i < p->samples.n; i++, values += c->n_types) {
		for (size_t k = 0; k < c->n_types; k++)
			c->n_negative += values[k] < 0;
		if (!count_sample(c, i, values))
			return false;
	}
	return true;
}

/* ---- Writing ---- */

/* "fn=(3)", or "fn=(3) main" where it is new; "fn=???" is unknown. */
static void put_name(struct callgrind *c, const char *key, uint32_t string,
                     enum name_kind kind)
{
	struct prof_str name = profile_string(c->p, string);

	output_text(c->out, key);
	if (name.len == 0) {
		output_text(c->out, "???\n");
		return;
	}
	output_printf(c->out, "(%" PRIu32 ")", string);
	if (!(c->is_written[string] & 1u << kind)) {
		c->is_written[string] |= (unsigned char)(1u << kind);
		output_char(c->out, ' ');
		output_visible(c->out, name);
	}
	output_char(c->out, '\n');
}

/* The keys of a function, and of one that is called. */
static const char *const keys[][N_NAME_KINDS] = {
	{ "ob=", "fl=", "fn=" }, { "cob=", "cfi=", "cfn=" }
};

static const struct row_function *function_at(const struct callgrind *c,
                                              uint32_t position)
{
	return position < c->p->lines.n
	       ? &c->p->functions.data[c->p->lines.data[position].function]
	       : NULL;
}

static uint64_t address_at(const struct callgrind *c, uint32_t position)
{
	return c->p->locations.data[c->positions[position].location].address;
}

/* A function that nobody knows is its address. */
static void put_function(struct callgrind *c, uint32_t position,
                         const char *const key[N_NAME_KINDS])
{
	const struct prof_profile *p = c->p;
	const struct row_location *l =
		&p->locations.data[c->positions[position].location];
	const struct row_function *f = function_at(c, position);

	put_name(c, key[OBJECT], p->mappings.data[l->mapping].file, OBJECT);
	put_name(c, key[FILE_NAME], f ? f->filename : 0, FILE_NAME);
	if (f != NULL && profile_string(p, f->name).len > 0)
		put_name(c, key[FUNCTION], f->name, FUNCTION);
	else
		output_printf(c->out, "%s0x%" PRIx64 "\n", key[FUNCTION],
		              l->address);
}

/* "0x401000 12": lines start at 1, 0 is an unknown one. */
static void put_place(struct callgrind *c, uint32_t position)
{
	int64_t line = position < c->p->lines.n
	               ? c->p->lines.data[position].line : 0;

	output_printf(c->out, "0x%" PRIx64 " %" PRId64,
	              address_at(c, position), line > 0 ? line : 0);
}

static void put_costs(struct callgrind *c, const int64_t *costs)
{
	for (size_t i = 0; i < c->n_types; i++) {
		output_char(c->out, ' ');
		output_i64(c->out, costs[i]);
	}
	output_char(c->out, '\n');
}

static void put_call(struct callgrind *c, uint32_t id)
{
	const struct call *call = &c->calls.data[id - 1];

	put_function(c, call->to, keys[1]);
	output_text(c->out, "calls=1 ");
	put_place(c, call->to);
	output_char(c->out, '\n');
	put_place(c, call->from);
	put_costs(c, c->spent_below.data + (id - 1) * c->n_types);
}

static bool is_same_function(const struct callgrind *c, uint32_t a,
                             uint32_t b)
{
	const struct row_location *rows = c->p->locations.data;

	return function_at(c, a) != NULL &&
	       function_at(c, a) == function_at(c, b) &&
	       rows[c->positions[a].location].mapping ==
	       rows[c->positions[b].location].mapping;
}

static void put_positions(struct callgrind *c)
{
	uint32_t last = UINT32_MAX;

	for (uint32_t i = 0; i < c->n_positions; i++) {
		if (!c->positions[i].is_used)
			continue;
		if (last == UINT32_MAX || !is_same_function(c, last, i)) {
			output_char(c->out, '\n');
			put_function(c, i, keys[0]);
		}
		put_place(c, i);
		put_costs(c, c->spent + i * c->n_types);
		for (uint32_t id = c->positions[i].first_call; id != 0;
		     id = c->calls.data[id - 1].next)
			put_call(c, id);
		last = i;
	}
}

/* An event's name is one word: "cpu_nanoseconds". */
static void put_word(struct callgrind *c, struct prof_str name)
{
	for (size_t i = 0; i < name.len; i++)
		output_char(c->out, isalnum((unsigned char)name.ptr[i])
		                    ? name.ptr[i] : '_');
}

static void put_event(struct callgrind *c, size_t type)
{
	const struct row_value_type *t = &c->p->sample_types.data[type];

	put_word(c, profile_string(c->p, t->type));
	output_char(c->out, '_');
	put_word(c, profile_string(c->p, t->unit));
}

static void put_header(struct callgrind *c)
{
	const struct row_value_type *types = c->p->sample_types.data;

	output_text(c->out, "# callgrind format\nversion: 1\n"
	            "creator: libprofile\npositions: instr line\n");
	for (size_t i = 0; i < c->n_types; i++) {
		output_text(c->out, "event: ");
		put_event(c, i);
		output_text(c->out, " : ");
		output_visible(c->out, profile_string(c->p, types[i].type));
		output_text(c->out, " (");
		output_visible(c->out, profile_string(c->p, types[i].unit));
		output_text(c->out, ")\n");
	}
	output_text(c->out, "events:");
	for (size_t i = 0; i < c->n_types; i++) {
		output_char(c->out, ' ');
		put_event(c, i);
	}
	output_char(c->out, '\n');
}

static void put_totals(struct callgrind *c)
{
	output_text(c->out, "\ntotals:");
	for (size_t k = 0; k < c->n_types; k++) {
		int64_t sum = 0;

		for (size_t i = 0; i < c->n_positions; i++)
			sum = measure_add(sum, c->spent[i * c->n_types + k]);
		output_char(c->out, ' ');
		output_i64(c->out, sum);
	}
	output_char(c->out, '\n');
}

/* ---- The whole ---- */

static enum prof_status tell_losses(const struct callgrind *c,
                                    struct format_writing *w,
                                    struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	if (prof_n_label_sets(c->p) > 0)
		status = writing_note(w, err, "labels are left out: "
		                      "callgrind has no place for them");
	if (status == PROF_OK && c->n_negative > 0)
		status = writing_note(w, err, "%" PRIu64 " values below 0 "
		                      "are left out", c->n_negative);
	return status;
}

static enum prof_status callgrind_write(const struct prof_profile *p,
                                        struct format_writing *w,
                                        struct prof_error *err)
{
	struct callgrind c = { .p = p, .out = &w->out, .a = &w->allocator,
		               .n_types = p->sample_types.n };
	enum prof_status status = PROF_OK;

	if (count_samples(&c)) {
		put_header(&c);
		put_positions(&c);
		put_totals(&c);
	} else {
		status = error_nomem(err);
	}
	mem_free(c.a, c.positions, c.n_positions * sizeof(*c.positions));
	mem_free(c.a, c.spent,
	         (c.n_positions * c.n_types + 1) * sizeof(*c.spent));
	mem_free(c.a, c.is_written, c.n_strings);
	vec_release(&c.calls, c.a);
	vec_release(&c.spent_below, c.a);
	hash_index_release(&c.index, c.a);
	return status == PROF_OK ? tell_losses(&c, w, err) : status;
}

const struct format callgrind_format = {
	.info = {
		.name = "callgrind",
		.about = "for kcachegrind: a call graph of all sample types, "
		         "no stacks or labels",
		.suffixes = ".callgrind callgrind.out.*",
		.can = PROF_CAN_WRITE,
	},
	.write = callgrind_write,
};
