/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler reads one thread-local pointer. Sets are interned in canonical
 * form (sorted by key), so that equal labels are one tag however they came
 * to be; what is never freed can be read at any time, by any process.
 */
#include "sampler/labels.h"

#include <string.h>

static struct label_table *label_table;
static _Thread_local const struct prof_label_set *my_labels;

void labels_keep_in(struct label_table *table)
{
	uint32_t none = 0;

	label_table = table;
	/* Tag 0 is none, so the first set is not at the beginning. */
	atomic_compare_exchange_strong(&table->used, &none, 8);
}

void prof_labels_set(const struct prof_label_set *labels)
{
	my_labels = labels;
}

const struct prof_label_set *prof_labels_get(void)
{
	return my_labels;
}

uint64_t labels_tag(void)
{
	const struct prof_label_set *set = my_labels;

	if (!set || !label_table)
		return 0;
	return (uint64_t)((const unsigned char *)set - label_table->bytes);
}

void prof_do(const struct prof_label_set *labels, void (*f)(void *ctx),
             void *ctx)
{
	const struct prof_label_set *old = prof_labels_get();

	prof_labels_set(labels);
	f(ctx);
	prof_labels_set(old);
}

/* ---- Coding ---- */

/* A length and its bytes, up to end; false: cut. */
static bool take_str(struct prof_str *out, const unsigned char **at,
                     const unsigned char *end)
{
	uint32_t len;

	if (end - *at < 5)
		return false;
	memcpy(&len, *at, 4);
	*at += 4;
	if (len >= (size_t)(end - *at) || (*at)[len] != '\0')
		return false;
	*out = (struct prof_str){ (const char *)*at, len };
	*at += len + 1;
	return true;
}

size_t labels_decode(struct prof_label *labels,
                     const struct label_table *table, uint64_t tag)
{
	const unsigned char *at, *end;
	struct prof_label_set head;
	size_t n;

	if (tag < 8 || tag > LABELS_BYTES - sizeof(head))
		return 0;
	memcpy(&head, table->bytes + tag, sizeof(head));
	if (head.size > LABELS_BYTES - tag || head.size < sizeof(head))
		return 0;
	at = table->bytes + tag + sizeof(head);
	end = table->bytes + tag + head.size;
	for (n = 0; n < head.n && n < LABELS_MAX; n++) {
		labels[n] = (struct prof_label){ 0 };
		if (!take_str(&labels[n].key, &at, end) ||
		    !take_str(&labels[n].str, &at, end))
			break;
	}
	return n;
}

size_t labels_decode_own(struct prof_label *labels,
                         const struct prof_label_set *set)
{
	if (!set)
		return 0;
	return labels_decode(labels, label_table,
	                     (uint64_t)((const unsigned char *)set -
	                                label_table->bytes));
}

const char *prof_labels_value(const struct prof_label_set *labels,
                              const char *key)
{
	struct prof_label all[LABELS_MAX];
	size_t n = labels_decode_own(all, labels), i;

	for (i = 0; i < n; i++)
		if (!strcmp(all[i].key.ptr, key))
			return all[i].str.ptr;
	return NULL;
}
