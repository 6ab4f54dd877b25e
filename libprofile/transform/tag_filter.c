/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tagfocus, tagignore: samples by their labels.
 *
 * What is asked is asked once of each label set, and an expression is shown
 * each text once, however many sets have it.
 * Source: google/pprof, compileTagFilter. The unit of a number is its own
 * where it has one; google/pprof takes the first unit that any label of that
 * key has for all of them.
 */
#include "base/error.h"
#include "base/regex.h"
#include "model/edit.h"
#include "transform/list.h"
#include "transform/tag_range.h"
#include "transform/transform.h"

#include <string.h>

struct tag_filter {
	struct prof_profile *p;
	const struct prof_allocator *a;
	struct prof_str key; /* has_key: only labels of that key count */
	bool has_key, is_range;
	struct tag_range range;
	uint32_t *key_units; /* [n_strings]: the unit of a key, 0: none */
	size_t n_strings;

	VEC(struct regex *) regexes;
	/* The texts that were matched; known[n_regexes * id + i] says what
	   expression i makes of them. */
	struct byte_table texts;
	struct interner interner;
	VEC(unsigned char) known;
	VEC(char) text;
	struct prof_error *err;
	enum prof_status status; /* sticky */
};

/* ---- What is asked for ---- */

static enum prof_status add_regex(struct tag_filter *f, struct prof_str word)
{
	struct regex *re = NULL;
	char *pattern = mem_zeroed(f->a, word.len + 1, 1);
	enum prof_status status;

	if (!pattern || !vec_reserve(&f->regexes, 1, f->a)) {
		status = error_nomem(f->err);
	} else {
		memcpy(pattern, word.ptr, word.len);
		status = regex_new(&re, pattern, f->err);
		if (status == PROF_OK)
			vec_put(&f->regexes, re);
	}
	mem_free(f->a, pattern, word.len + 1);
	return status;
}

static enum prof_status parse(struct tag_filter *f, const char *arg)
{
	struct prof_str value = str_of(arg), word;
	enum prof_status status;

	f->has_key = pair_split(arg, &f->key, &value);
	status = tag_range_parse(&f->range, &f->is_range, value, f->err);
	if (status != PROF_OK || f->is_range)
		return status;
	for (const char *at = value.ptr;
	     status == PROF_OK && list_next(&at, &word);)
		status = add_regex(f, word);
	return status;
}

/* ---- Units ---- */

static void note_unit(struct tag_filter *f, const struct row_label *label)
{
	if (label->is_number && !f->key_units[label->key])
		f->key_units[label->key] = label->str;
}

/* The first unit that a label of each key has. */
static bool find_units(struct tag_filter *f)
{
	const uint32_t n = byte_table_n(&f->p->label_sets);

	f->n_strings = byte_table_n(&f->p->strings);
	f->key_units = mem_zeroed(f->a, f->n_strings, sizeof(uint32_t));
	if (!f->key_units)
		return false;
	for (uint32_t set = 1; set < n; set++) {
		const struct prof_str s =
			byte_table_get(&f->p->label_sets, set);
		const unsigned char *at = (const unsigned char *)s.ptr;
		const unsigned char *const end = at + s.len;
		struct row_label label;

		while (at < end) {
			at = label_unpack(at, &label);
			note_unit(f, &label);
		}
	}
	return true;
}

static struct prof_str unit_of(const struct tag_filter *f,
                               const struct row_label *label)
{
	const uint32_t unit = label->str ? label->str :
		f->key_units[label->key];
	const struct prof_str key = profile_string(f->p, label->key);

	if (unit)
		return profile_string(f->p, unit);
	if (str_equal(key, str_of("alignment")) ||
	    str_equal(key, str_of("request")))
		return str_of("bytes");
	return key;
}

/* ---- Matching ---- */

static bool fail(struct tag_filter *f)
{
	f->status = error_nomem(f->err);
	return false;
}

/* "key:value", or the value alone where the key is settled. */
static bool make_text(struct tag_filter *f, const struct row_label *label)
{
	const struct prof_str key = profile_string(f->p, label->key);
	const struct prof_str value = profile_string(f->p, label->str);

	f->text.n = 0;
	if (!vec_reserve(&f->text, key.len + value.len + 2, f->a))
		return fail(f);
	if (!f->has_key) {
		memcpy(f->text.data, key.ptr, key.len);
		f->text.n = key.len;
		vec_put(&f->text, ':');
	}
	memcpy(f->text.data + f->text.n, value.ptr, value.len);
	f->text.n += value.len;
	return true;
}

/* Matches a new text against all expressions. */
static bool match_text(struct tag_filter *f, struct prof_str text)
{
	if (!vec_reserve(&f->known, f->regexes.n, f->a))
		return fail(f);
	for (size_t i = 0; i < f->regexes.n; i++)
		vec_put(&f->known, regex_matches(f->regexes.data[i], text));
	return true;
}

/* What the expressions make of a label: [regexes.n]; NULL: failed. */
static const unsigned char *matches_of(struct tag_filter *f,
                                       const struct row_label *label)
{
	uint32_t id;

	if (!make_text(f, label))
		return NULL;
	id = intern_bytes(&f->interner, f->text.data, f->text.n, f->a);
	if (!id && f->text.n) {
		fail(f);
		return NULL;
	}
	while (f->known.n <= id * f->regexes.n)
		if (!match_text(f, byte_table_get(
		            &f->texts,
		            (uint32_t)(f->known.n / f->regexes.n))))
			return NULL;
	return f->known.data + id * f->regexes.n;
}

static bool counts(const struct tag_filter *f, const struct row_label *label)
{
	return label->is_number == f->is_range &&
		(!f->has_key ||
		 str_equal(f->key, profile_string(f->p, label->key)));
}

/* With a key any expression will do, without one all must match. */
static bool has_enough(const struct tag_filter *f, const unsigned char *matched)
{
	size_t n = 0;

	for (size_t i = 0; i < f->regexes.n; i++)
		n += matched[i];
	return f->has_key ? n > 0 : n == f->regexes.n;
}

/* matched[regexes.n] is scratch. */
static bool matches_set(struct tag_filter *f, uint32_t set,
                        unsigned char *matched)
{
	const struct prof_str s = byte_table_get(&f->p->label_sets, set);
	const unsigned char *at = (const unsigned char *)s.ptr;
	const unsigned char *const end = at + s.len;
	struct row_label label;

	memset(matched, 0, f->regexes.n);
	while (at < end && f->status == PROF_OK) {
		const unsigned char *m;

		at = label_unpack(at, &label);
		if (!counts(f, &label))
			continue;
		if (f->is_range) {
			if (tag_range_has(&f->range, label.num,
			                  unit_of(f, &label)))
				return true;
			continue;
		}
		m = matches_of(f, &label);
		for (size_t i = 0; m && i < f->regexes.n; i++)
			matched[i] |= m[i];
	}
	return !f->is_range && has_enough(f, matched);
}

/* ---- Samples ---- */

/* found[label sets]: those that match. */
static void match_sets(struct tag_filter *f, unsigned char *found)
{
	const uint32_t n = byte_table_n(&f->p->label_sets);
	unsigned char *matched = mem_zeroed(f->a, f->regexes.n + 1, 1);

	if (!matched) {
		fail(f);
		return;
	}
	for (uint32_t set = 0; set < n && f->status == PROF_OK; set++)
		found[set] = matches_set(f, set, matched);
	mem_free(f->a, matched, f->regexes.n + 1);
	for (size_t i = 0; i < f->regexes.n && f->status == PROF_OK; i++)
		f->status = regex_status(f->regexes.data[i], f->err);
}

static bool keep_by_label_set(struct prof_profile *p,
                              const unsigned char *found, bool wanted)
{
	const size_t n = p->samples.n;
	bool *keep = mem_zeroed(&p->allocator, n + 1, sizeof(*keep));

	if (!keep)
		return false;
	for (size_t i = 0; i < n; i++)
		keep[i] = (found[p->samples.data[i].label_set] != 0) == wanted;
	edit_keep_samples(p, keep);
	mem_free(&p->allocator, keep, (n + 1) * sizeof(*keep));
	return true;
}

static void tag_filter_release(struct tag_filter *f)
{
	for (size_t i = 0; i < f->regexes.n; i++)
		regex_free(f->regexes.data[i]);
	vec_release(&f->regexes, f->a);
	vec_release(&f->known, f->a);
	vec_release(&f->text, f->a);
	intern_release(&f->interner, f->a);
	byte_table_release(&f->texts, f->a);
	mem_free(f->a, f->key_units, f->n_strings * sizeof(uint32_t));
}

enum wanted_samples { WITH_MATCH, WITHOUT_MATCH };

static enum prof_status filter(struct prof_profile *p, const char *arg,
                               enum wanted_samples wanted,
                               struct prof_error *err)
{
	const size_t n_sets = byte_table_n(&p->label_sets);
	struct tag_filter f = { .p = p, .a = &p->allocator, .err = err,
	                        .interner = { .seed = hash_seed() } };
	unsigned char *found;

	if (!*arg)
		return PROF_OK;
	f.interner.table = &f.texts;
	found = mem_zeroed(f.a, n_sets, 1);
	f.status = parse(&f, arg);
	if (f.status == PROF_OK && (!found || !byte_table_begin(&f.texts, f.a) ||
	                            !find_units(&f)))
		fail(&f);
	if (f.status == PROF_OK)
		match_sets(&f, found);
	if (f.status == PROF_OK &&
	    !keep_by_label_set(p, found, wanted == WITH_MATCH))
		fail(&f);
	mem_free(f.a, found, n_sets);
	tag_filter_release(&f);
	return f.status;
}

enum prof_status prof_tagfocus(struct prof_profile *p, const char *filter_text,
                               struct prof_error *err)
{
	return filter(p, filter_text, WITH_MATCH, err);
}

enum prof_status prof_tagignore(struct prof_profile *p,
                                const char *filter_text,
                                struct prof_error *err)
{
	return filter(p, filter_text, WITHOUT_MATCH, err);
}

const struct transform tagfocus_transform = {
	.info = { "tagfocus", "[KEY=]VALUE",
	          "keep the samples with a label that matches: expressions "
	          "a,b or a range as 10kb:1mb, :5s, 3:" },
	.apply = prof_tagfocus
};

const struct transform tagignore_transform = {
	.info = { "tagignore", "[KEY=]VALUE",
	          "drop the samples with a label that matches" },
	.apply = prof_tagignore
};
