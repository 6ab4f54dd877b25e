/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set-label, remove-label, rename-label: labels of all samples.
 */
#include "transform/list.h"
#include "transform/transform.h"

#include "base/error.h"
#include "model/edit.h"

struct labelling {
	uint32_t key, value; /* string ids */
};

/* One label of that key, behind the others. */
static size_t set_label(void *ctx, struct row_label *labels, size_t n)
{
	const struct labelling *l = ctx;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (labels[i].key != l->key)
			labels[kept++] = labels[i];
	labels[kept++] = (struct row_label){ .key = l->key, .str = l->value };
	return kept;
}

static size_t remove_label(void *ctx, struct row_label *labels, size_t n)
{
	const struct labelling *l = ctx;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (labels[i].key != l->key)
			labels[kept++] = labels[i];
	return kept;
}

static size_t rename_label(void *ctx, struct row_label *labels, size_t n)
{
	const struct labelling *l = ctx;

	for (size_t i = 0; i < n; i++)
		if (labels[i].key == l->key)
			labels[i].key = l->value;
	return n;
}

/* Two strings that labels are to be made of. */
static enum prof_status add_strings(struct labelling *l,
                                    struct prof_profile *p,
                                    struct prof_str key, struct prof_str value,
                                    struct prof_error *err)
{
	l->key = edit_add_string(p, key, err);
	if (l->key != UINT32_MAX)
		l->value = edit_add_string(p, value, err);
	return l->key == UINT32_MAX || l->value == UINT32_MAX ? PROF_NOMEM :
	                                                        PROF_OK;
}

enum prof_status prof_set_label(struct prof_profile *p, struct prof_str key,
                                struct prof_str value, struct prof_error *err)
{
	struct labelling l = { 0 };
	enum prof_status status = add_strings(&l, p, key, value, err);

	if (status != PROF_OK)
		return status;
	return edit_labels(p, &(struct label_change){
		.change = set_label, .ctx = &l, .extra = 1 }, err);
}

enum prof_status prof_remove_label(struct prof_profile *p, struct prof_str key,
                                   struct prof_error *err)
{
	struct labelling l = { .key = edit_find_string(p, key) };

	return edit_labels(p, &(struct label_change){
		.change = remove_label, .ctx = &l }, err);
}

enum prof_status prof_rename_label(struct prof_profile *p, struct prof_str key,
                                   struct prof_str name,
                                   struct prof_error *err)
{
	struct labelling l = { 0 };
	enum prof_status status = add_strings(&l, p, key, name, err);

	if (status != PROF_OK)
		return status;
	return edit_labels(p, &(struct label_change){
		.change = rename_label, .ctx = &l }, err);
}

/* ---- As text ---- */

static enum prof_status split(const char *arg, struct prof_str *key,
                              struct prof_str *value, struct prof_error *err)
{
	if (pair_split(arg, key, value) && key->len)
		return PROF_OK;
	return error_set(err, PROF_INVALID, "'%.80s' is not of the form "
	                 "KEY=VALUE", arg);
}

static enum prof_status set(struct prof_profile *p, const char *arg,
                            struct prof_error *err)
{
	struct prof_str key, value;
	const enum prof_status status = split(arg, &key, &value, err);

	return status == PROF_OK ? prof_set_label(p, key, value, err) : status;
}

static enum prof_status rename_it(struct prof_profile *p, const char *arg,
                                  struct prof_error *err)
{
	struct prof_str key, value;
	const enum prof_status status = split(arg, &key, &value, err);

	return status == PROF_OK ? prof_rename_label(p, key, value, err) :
	                           status;
}

static enum prof_status remove_it(struct prof_profile *p, const char *arg,
                                  struct prof_error *err)
{
	return prof_remove_label(p, str_of(arg), err);
}

const struct transform set_label_transform = {
	.info = { "set-label", "KEY=VALUE", "give all samples a label; it "
	          "takes the place of others of that key" },
	.apply = set
};

const struct transform remove_label_transform = {
	.info = { "remove-label", "KEY", "drop the labels of that key" },
	.apply = remove_it
};

const struct transform rename_label_transform = {
	.info = { "rename-label", "KEY=NEW", "give the labels of a key "
	          "another one" },
	.apply = rename_it
};
