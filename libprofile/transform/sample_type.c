/* SPDX-License-Identifier: Apache-2.0 */
/*
 * choose-types, drop-types, rename-type: the columns of values.
 */
#include "base/error.h"
#include "model/edit.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <string.h>

/* Rows of columns[n] only, in that order. row[] is scratch for an old one. */
static void take_columns(struct prof_profile *p, const uint32_t *columns,
                         size_t n, int64_t *row)
{
	const size_t width = p->sample_types.n;

	for (size_t i = 0; i < p->samples.n; i++) {
		memcpy(row, p->values.data + i * width,
		       width * sizeof(*row));
		for (size_t k = 0; k < n; k++)
			p->values.data[i * n + k] = row[columns[k]];
	}
	p->values.n = p->samples.n * n;
}

static bool has_type(const struct prof_profile *p, uint32_t type)
{
	for (size_t i = 0; i < p->sample_types.n; i++)
		if (p->sample_types.data[i].type == type)
			return true;
	return false;
}

/* columns[n], each of them once at most. */
static enum prof_status choose_columns(struct prof_profile *p,
                                       const uint32_t *columns, size_t n,
                                       struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t width = p->sample_types.n;
	int64_t *row = mem_zeroed(&a, width + 1, sizeof(*row));
	struct row_value_type *types = mem_zeroed(&a, n + 1, sizeof(*types));

	if (row && types) {
		for (size_t i = 0; i < n; i++)
			types[i] = p->sample_types.data[columns[i]];
		take_columns(p, columns, n, row);
		memcpy(p->sample_types.data, types, n * sizeof(*types));
		p->sample_types.n = n;
		if (!has_type(p, p->default_sample_type))
			p->default_sample_type = 0;
		p->is_canonical = false;
	}
	mem_free(&a, row, (width + 1) * sizeof(*row));
	mem_free(&a, types, (n + 1) * sizeof(*types));
	return row && types ? PROF_OK : error_nomem(err);
}

/* The column that a word of a list names. */
static enum prof_status find_column(uint32_t *out,
                                    const struct prof_profile *p,
                                    struct prof_str word,
                                    struct prof_error *err)
{
	char name[128];

	if (!word.len || word.len >= sizeof(name))
		return error_set(err, PROF_INVALID,
		                 "'%.*s' is no sample type of the profile",
		                 word.len < 80 ? (int)word.len : 80, word.ptr);
	memcpy(name, word.ptr, word.len);
	name[word.len] = '\0';
	return prof_find_sample_type(out, p, name, err);
}

/* Which columns a list names: named[width] in its order; how many in *n. */
static enum prof_status find_columns(const struct prof_profile *p,
                                     const char *list, uint32_t *named,
                                     size_t *n, struct prof_error *err)
{
	struct prof_str word;
	uint32_t column = 0;

	*n = 0;
	while (list_next(&list, &word)) {
		const enum prof_status status =
			find_column(&column, p, word, err);
		size_t i = 0;

		if (status != PROF_OK)
			return status;
		while (i < *n && named[i] != column)
			i++;
		if (i == *n)
			named[(*n)++] = column;
	}
	return PROF_OK;
}

/* Turns named[n] into the others, in the order of the profile. */
static size_t others(uint32_t *named, size_t n, size_t width,
                     uint32_t *scratch)
{
	size_t n_others = 0;

	for (uint32_t column = 0; column < width; column++) {
		size_t i = 0;

		while (i < n && named[i] != column)
			i++;
		if (i == n)
			scratch[n_others++] = column;
	}
	memcpy(named, scratch, n_others * sizeof(*named));
	return n_others;
}

enum columns_wanted { THE_NAMED, THE_OTHERS };

static enum prof_status change_columns(struct prof_profile *p,
                                       const char *list,
                                       enum columns_wanted wanted,
                                       struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	const size_t width = p->sample_types.n;
	uint32_t *named = mem_zeroed(&a, 2 * width + 1, sizeof(*named));
	enum prof_status status;
	size_t n = 0;

	if (!named)
		return error_nomem(err);
	status = find_columns(p, list, named, &n, err);
	if (status == PROF_OK && wanted == THE_OTHERS)
		n = others(named, n, width, named + width);
	if (status == PROF_OK && n == 0)
		status = error_set(err, PROF_INVALID,
		                   "no sample type would be left");
	if (status == PROF_OK)
		status = choose_columns(p, named, n, err);
	mem_free(&a, named, (2 * width + 1) * sizeof(*named));
	return status;
}

enum prof_status prof_choose_types(struct prof_profile *p, const char *types,
                                   struct prof_error *err)
{
	return change_columns(p, types, THE_NAMED, err);
}

enum prof_status prof_drop_types(struct prof_profile *p, const char *types,
                                 struct prof_error *err)
{
	return change_columns(p, types, THE_OTHERS, err);
}

enum prof_status prof_rename_type(struct prof_profile *p, const char *type,
                                  const struct prof_value_type *name,
                                  struct prof_error *err)
{
	struct row_value_type row;
	uint32_t column = 0, old;
	const enum prof_status status =
		find_column(&column, p, str_of(type), err);

	if (status != PROF_OK)
		return status;
	old = p->sample_types.data[column].type;
	row = p->sample_types.data[column];
	row.type = edit_add_string(p, name->type, err);
	if (row.type != UINT32_MAX && name->unit.ptr)
		row.unit = edit_add_string(p, name->unit, err);
	if (row.type == UINT32_MAX || row.unit == UINT32_MAX)
		return PROF_NOMEM;
	p->sample_types.data[column] = row;
	if (p->default_sample_type == old && !has_type(p, old))
		p->default_sample_type = row.type;
	p->is_canonical = false;
	return PROF_OK;
}

/* "old=new" or "old=new/unit" */
static enum prof_status rename_type(struct prof_profile *p, const char *arg,
                                    struct prof_error *err)
{
	struct prof_value_type name = { .unit = { NULL, 0 } };
	struct prof_str old;
	const char *slash;
	char type[128];

	if (!pair_split(arg, &old, &name.type) || !old.len ||
	    old.len >= sizeof(type))
		return error_set(err, PROF_INVALID, "'%.80s' is not of the "
		                 "form TYPE=NEW or TYPE=NEW/UNIT", arg);
	memcpy(type, old.ptr, old.len);
	type[old.len] = '\0';
	slash = strchr(name.type.ptr, '/');
	if (slash) {
		name.unit = str_of(slash + 1);
		name.type.len = (size_t)(slash - name.type.ptr);
	}
	return prof_rename_type(p, type, &name, err);
}

const struct transform choose_types_transform = {
	.info = { "choose-types", "TYPE,...",
	          "keep only these sample types, in this order" },
	.apply = prof_choose_types
};

const struct transform drop_types_transform = {
	.info = { "drop-types", "TYPE,...", "drop these sample types" },
	.apply = prof_drop_types
};

const struct transform rename_type_transform = {
	.info = { "rename-type", "TYPE=NEW[/UNIT]",
	          "rename a sample type, and its unit" },
	.apply = rename_type
};
