/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit is known by aliases, without regard to case and with or without a
 * final "s"; a kind of unit is a list of them from small to large, each with
 * its size in the kind's base unit. There are no minutes on purpose: pprof
 * has none, and its users read "90s".
 */

#include "base/measure.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	const char *aliases; /* each ends with a blank */
	double factor;
};

struct unit_kind {
	struct unit standard; /* where the wanted unit is of another kind */
	size_t n;
	struct unit units[MEASURE_MAX_UNITS];
};

static const struct unit_kind unit_kinds[] = {
	{ { "B", "", 1 }, 6, {
		{ "B", "b byte ", 1 },
		{ "kB", "kb kbyte kilobyte ", 0x1p10 },
		{ "MB", "mb mbyte megabyte ", 0x1p20 },
		{ "GB", "gb gbyte gigabyte ", 0x1p30 },
		{ "TB", "tb tbyte terabyte ", 0x1p40 },
		{ "PB", "pb pbyte petabyte ", 0x1p50 },
	} },
	{ { "s", "", 1e9 }, 5, {
		{ "ns", "ns nanosecond ", 1 },
		{ "us", "\xce\xbcs us microsecond ", 1e3 },
		{ "ms", "ms millisecond ", 1e6 },
		{ "s", "s sec second ", 1e9 },
		{ "hrs", "hour hr ", 3600e9 },
	} },
	{ { "GCU", "", 1 }, 9, {
		{ "n*GCU", "nanogcu ", 1e-9 },
		{ "u*GCU", "microgcu ", 1e-6 },
		{ "m*GCU", "milligcu ", 1e-3 },
		{ "GCU", "gcu ", 1 },
		{ "k*GCU", "kilogcu ", 1e3 },
		{ "M*GCU", "megagcu ", 1e6 },
		{ "G*GCU", "gigagcu ", 1e9 },
		{ "T*GCU", "teragcu ", 1e12 },
		{ "P*GCU", "petagcu ", 1e15 },
	} },
};
#define N_KINDS (sizeof(unit_kinds) / sizeof(unit_kinds[0]))

static bool str_is(struct prof_str s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.ptr, text, s.len);
}

static struct prof_str str_of(const char *text)
{
	return (struct prof_str){ text, strlen(text) };
}

static bool has_alias(const struct unit *u, const char *word, size_t size)
{
	const char *alias = u->aliases, *end;

	for (; *alias != '\0'; alias = end + 1) {
		end = strchr(alias, ' ');
		if ((size_t)(end - alias) == size &&
		    !memcmp(alias, word, size))
			return true;
	}
	return false;
}

static const struct unit *find_unit(const struct unit_kind *kind,
                                    struct prof_str name)
{
	char word[24];
	size_t size = name.len;

	if (size == 0 || size >= sizeof(word))
		return NULL;
	for (size_t i = 0; i < size; i++)
		word[i] = (char)tolower((unsigned char)name.ptr[i]);
	if (size > 2 && word[size - 1] == 's')
		size--;
	for (size_t i = 0; i < kind->n; i++)
		if (has_alias(&kind->units[i], word, size))
			return &kind->units[i];
	return NULL;
}

struct measure_unit measure_find_unit(struct prof_str name)
{
	for (uint32_t k = 0; k < N_KINDS; k++) {
		const struct unit *unit = find_unit(&unit_kinds[k], name);

		if (unit)
			return (struct measure_unit){
				k + 1, (uint32_t)(unit - unit_kinds[k].units) };
	}
	return (struct measure_unit){ 0 };
}

int64_t measure_ratio(struct measure_unit large, struct measure_unit small)
{
	const struct unit *const units = unit_kinds[small.kind - 1].units;
	const double ratio = units[large.rank].factor /
		units[small.rank].factor;

	return ratio < 0x1p53 ? (int64_t)llround(ratio) : 0;
}

static bool is_automatic(struct prof_str unit)
{
	return str_is(unit, "minimum") || str_is(unit, "auto");
}

/* The largest unit that leaves at least 1 of value. */
static const struct unit *fit_unit(const struct unit_kind *kind, double value)
{
	const struct unit *best = &kind->standard;

	for (size_t i = 0; i < kind->n; i++)
		if (value / kind->units[i].factor >= 1)
			best = &kind->units[i];
	return best;
}

static struct measured scale_positive(uint64_t value, struct prof_str from,
                                      struct prof_str to)
{
	static const char *const plain[] = { "count", "sample", "unit",
		                             "minimum", "auto" };

	for (size_t k = 0; k < N_KINDS; k++) {
		const struct unit_kind *kind = &unit_kinds[k];
		const struct unit *have = find_unit(kind, from);
		const struct unit *want;
		double base;

		if (have == NULL)
			continue;
		base = (double)value * have->factor;
		want = is_automatic(to) ? fit_unit(kind, base)
		                        : find_unit(kind, to);
		if (want == NULL)
			want = &kind->standard;
		return (struct measured){ base / want->factor,
			                  str_of(want->name) };
	}
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (str_is(to, plain[i]))
			to = str_of("");
	return (struct measured){ (double)value, to };
}

struct measured measure_scale(int64_t value, struct prof_str from,
                              struct prof_str to)
{
	struct measured m;

	if (value >= 0)
		return scale_positive((uint64_t)value, from, to);
	m = scale_positive(0 - (uint64_t)value, from, to);
	m.value = -m.value;
	return m;
}

struct measure_text measure_label(int64_t value, struct prof_str from,
                                  struct prof_str to)
{
	struct measured m = measure_scale(value, from, to);
	struct measure_text t;
	char number[48];
	int n = snprintf(number, sizeof(number), "%.2f", m.value);

	if (n > 3 && !strcmp(number + n - 3, ".00"))
		number[n - 3] = '\0';
	if (!strcmp(number, "0") || !strcmp(number, "-0"))
		snprintf(t.text, sizeof(t.text), "0");
	else
		snprintf(t.text, sizeof(t.text), "%s%.*s", number,
		         m.unit.len > 40 ? 40 : (int)m.unit.len, m.unit.ptr);
	return t;
}

struct measure_text measure_percentage(int64_t value, int64_t total)
{
	struct measure_text t;
	double ratio = 0;

	if (total != 0)
		ratio = fabs((double)value / (double)total) * 100;
	if (ratio >= 99.95 && ratio <= 100.05)
		snprintf(t.text, sizeof(t.text), "  100%%");
	else if (ratio >= 1)
		snprintf(t.text, sizeof(t.text), "%5.2f%%", ratio);
	else
		snprintf(t.text, sizeof(t.text), "%5.2g%%", ratio);
	return t;
}

const char *measure_trimmed(const struct measure_text *t)
{
	return t->text + strspn(t->text, " ");
}

int64_t measure_int(double value)
{
	if (value >= 0x1p63)
		return INT64_MAX;
	if (value < -0x1p63)
		return INT64_MIN;
	return isnan(value) ? 0 : (int64_t)value;
}

int64_t measure_abs(int64_t n)
{
	return n == INT64_MIN ? INT64_MAX : n < 0 ? -n : n;
}

int64_t measure_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}
