/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are put in order by insertion: a set has a handful of labels, and the
 * order of those with the same key must stay.
 */

#include "report/labels.h"

#include <string.h>

int str_compare(struct prof_str a, struct prof_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool str_equals(struct prof_str a, const char *b)
{
	return a.len == strlen(b) && (a.len == 0 || !memcmp(a.ptr, b, a.len));
}

static bool is_before(const struct prof_profile *p, const struct row_label *a,
                      const struct row_label *b)
{
	if (a->is_number != b->is_number)
		return b->is_number;
	return a->key != b->key && str_compare(profile_string(p, a->key),
	                                       profile_string(p, b->key)) < 0;
}

bool label_set_read(struct label_set *to, const struct prof_profile *p,
                    uint32_t set, const struct prof_allocator *a)
{
	struct prof_str packed = byte_table_get(&p->label_sets, set);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;

	to->labels.n = 0;
	while (at < end) {
		struct row_label label;
		size_t i;

		at = label_unpack(at, &label);
		if (!vec_reserve(&to->labels, 1, a))
			return false;
		for (i = to->labels.n; i > 0; i--) {
			if (!is_before(p, &label, &to->labels.data[i - 1]))
				break;
			to->labels.data[i] = to->labels.data[i - 1];
		}
		to->labels.data[i] = label;
		to->labels.n++;
	}
	return true;
}

void label_set_drop_base(struct label_set *set, const struct prof_profile *p)
{
	size_t n = 0;

	for (size_t i = 0; i < set->labels.n; i++) {
		const struct row_label *l = &set->labels.data[i];

		if (!str_equals(profile_string(p, l->key), BASE_KEY))
			set->labels.data[n++] = *l;
	}
	set->labels.n = n;
}

void label_set_release(struct label_set *to, const struct prof_allocator *a)
{
	vec_release(&to->labels, a);
}

static void note_units(struct label_units *to, const struct prof_profile *p,
                       uint32_t set)
{
	struct prof_str packed = byte_table_get(&p->label_sets, set);
	const unsigned char *at = (const unsigned char *)packed.ptr;
	const unsigned char *end = at + packed.len;

	while (at < end) {
		struct row_label label;

		at = label_unpack(at, &label);
		if (label.is_number && label.str != 0 &&
		    to->units.data[label.key] == 0)
			to->units.data[label.key] = label.str + 1;
	}
}

bool label_units_init(struct label_units *to, const struct prof_profile *p,
                      const struct prof_allocator *a)
{
	uint32_t n = byte_table_n(&p->strings), last = 0;

	*to = (struct label_units){ 0 };
	if (!vec_reserve(&to->units, (size_t)n + 1, a))
		return false;
	to->units.n = n;
	memset(to->units.data, 0, n * sizeof(*to->units.data));
	for (size_t i = 0; i < p->samples.n; i++) {
		uint32_t set = p->samples.data[i].label_set;

		if (set != last && set != 0)
			note_units(to, p, set);
		last = set;
	}
	return true;
}

void label_units_release(struct label_units *to,
                         const struct prof_allocator *a)
{
	vec_release(&to->units, a);
}

struct prof_str label_unit(const struct label_units *units,
                           const struct prof_profile *p, uint32_t key)
{
	struct prof_str name = profile_string(p, key);

	if (units->units.data[key] != 0)
		return profile_string(p, units->units.data[key] - 1);
	if (str_equals(name, "alignment") || str_equals(name, "request"))
		return (struct prof_str){ "bytes", 5 };
	return name;
}
