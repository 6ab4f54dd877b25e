/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tagshow, taghide: labels by their keys.
 */
#include "transform/names.h"
#include "transform/transform.h"

#include "model/edit.h"

static size_t keep_keys(void *ctx, struct row_label *labels, size_t n)
{
	struct names *names = ctx;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (names_match_string(names, labels[i].key))
			labels[kept++] = labels[i];
	return kept;
}

static size_t drop_keys(void *ctx, struct row_label *labels, size_t n)
{
	struct names *names = ctx;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!names_match_string(names, labels[i].key))
			labels[kept++] = labels[i];
	return kept;
}

/* Matches all keys, so that a failure is known before anything changes. */
static enum prof_status match_keys(struct names *names, struct prof_error *err)
{
	const uint32_t n = byte_table_n(&names->p->label_sets);

	for (uint32_t set = 1; set < n; set++) {
		const struct prof_str s =
			byte_table_get(&names->p->label_sets, set);
		const unsigned char *at = (const unsigned char *)s.ptr;
		const unsigned char *const end = at + s.len;
		struct row_label label;

		while (at < end) {
			at = label_unpack(at, &label);
			names_match_string(names, label.key);
		}
	}
	return names_status(names, err);
}

static enum prof_status change(struct prof_profile *p, const char *regex,
                               size_t (*keys)(void *ctx,
                                              struct row_label *labels,
                                              size_t n),
                               struct prof_error *err)
{
	struct names names;
	enum prof_status status;

	if (!*regex)
		return PROF_OK;
	status = names_init(&names, p, regex, err);
	if (status == PROF_OK)
		status = match_keys(&names, err);
	if (status == PROF_OK)
		status = edit_labels(p, &(struct label_change){
			.change = keys, .ctx = &names }, err);
	names_release(&names);
	return status;
}

enum prof_status prof_tagshow(struct prof_profile *p, const char *regex,
                              struct prof_error *err)
{
	return change(p, regex, keep_keys, err);
}

enum prof_status prof_taghide(struct prof_profile *p, const char *regex,
                              struct prof_error *err)
{
	return change(p, regex, drop_keys, err);
}

const struct transform tagshow_transform = {
	.info = { "tagshow", "REGEX", "drop the labels whose key does not "
	          "match" },
	.apply = prof_tagshow
};

const struct transform taghide_transform = {
	.info = { "taghide", "REGEX", "drop the labels whose key matches" },
	.apply = prof_taghide
};
