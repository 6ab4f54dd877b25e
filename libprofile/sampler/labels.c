/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handler reads one thread-local pointer. Sets are interned in canonical
 * form (sorted by key), so that equal labels are one tag however they came
 * to be; what is never freed can be read at any time, by any process.
 */
#include "sampler/labels.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/state.h"

#include <string.h>

static struct label_table *label_table;
static struct futex_lock label_lock;
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

static unsigned char *put_str(unsigned char *at, struct prof_str s)
{
	const uint32_t len = (uint32_t)s.len;

	memcpy(at, &len, 4);
	memcpy(at + 4, s.ptr, s.len);
	at[4 + s.len] = '\0';
	return at + 5 + s.len;
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

static size_t decode(struct prof_label *labels,
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
	size_t n = decode(all, labels), i;

	for (i = 0; i < n; i++)
		if (!strcmp(all[i].key.ptr, key))
			return all[i].str.ptr;
	return NULL;
}

/* ---- Making a set ---- */

/* Puts a pair in its place among labels[*n], sorted by key. */
static bool set_label(struct prof_label *labels, size_t *n,
                      const struct prof_label_pair *pair)
{
	struct prof_label new_label = { 0 };
	size_t i = 0;
	int order = 1;

	while (i < *n && (order = strcmp(labels[i].key.ptr, pair->key)) < 0)
		i++;
	if (i < *n && order == 0) {
		(*n)--;
		memmove(&labels[i], &labels[i + 1],
		        (*n - i) * sizeof(labels[0]));
	}
	if (!pair->value)
		return true;
	if (*n == LABELS_MAX)
		return false;
	memmove(&labels[i + 1], &labels[i], (*n - i) * sizeof(labels[0]));
	new_label.key = (struct prof_str){ pair->key, strlen(pair->key) };
	new_label.str = (struct prof_str){ pair->value, strlen(pair->value) };
	labels[i] = new_label;
	(*n)++;
	return true;
}

static size_t set_size(const struct prof_label *labels, size_t n)
{
	size_t size = sizeof(struct prof_label_set), i;

	for (i = 0; i < n; i++) {
		if (labels[i].key.len > LABELS_BYTES ||
		    labels[i].str.len > LABELS_BYTES)
			return SIZE_MAX;
		size += labels[i].key.len + labels[i].str.len + 10;
	}
	return size;
}

static uint32_t hash_bytes(const unsigned char *p, size_t n)
{
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h ^ h >> 15;
}

/* Writes a set behind the used bytes and returns it, or its elder twin. */
static const struct prof_label_set *
intern_set(const struct prof_label *labels, size_t n, size_t size)
{
	struct label_table *t = label_table;
	const uint32_t tag = atomic_load(&t->used);
	const struct prof_label_set head = { (uint32_t)n, (uint32_t)size };
	unsigned char *at = t->bytes + tag;
	uint32_t slot, other, probes;
	size_t i;

	if (size > LABELS_BYTES - tag)
		return NULL;
	memcpy(at, &head, sizeof(head));
	for (i = 0, at += sizeof(head); i < n; i++) {
		at = put_str(at, labels[i].key);
		at = put_str(at, labels[i].str);
	}
	slot = hash_bytes(t->bytes + tag, size);
	for (probes = 0; probes < LABELS_INDEX; probes++, slot++) {
		other = atomic_load(&t->index[slot % LABELS_INDEX]);
		if (other == 0)
			break;
		if (!memcmp(t->bytes + other, t->bytes + tag, size))
			return (const void *)(t->bytes + other);
	}
	if (probes == LABELS_INDEX)
		return NULL;
	atomic_store(&t->used, tag + (uint32_t)((size + 7) & ~(size_t)7));
	atomic_store(&t->index[slot % LABELS_INDEX], tag);
	return (const void *)(t->bytes + tag);
}

const struct prof_label_set *prof_labels_with(const struct prof_label_set *base,
                                              const struct prof_label_pair *pairs,
                                              size_t n, struct prof_error *err)
{
	struct prof_label all[LABELS_MAX + 1];
	const struct prof_label_set *set = NULL;
	size_t n_all, size, i;

	if (!sampler_init(err))
		return NULL;
	n_all = decode(all, base);
	for (i = 0; i < n; i++) {
		if (!pairs[i].key || *pairs[i].key == '\0') {
			error_set(err, PROF_INVALID, "a label has no key");
			return NULL;
		}
		if (!set_label(all, &n_all, &pairs[i])) {
			error_set(err, PROF_LIMIT, "more than %d labels",
			          LABELS_MAX);
			return NULL;
		}
	}
	if (n_all == 0)
		return NULL;
	size = set_size(all, n_all);
	futex_lock_take(&label_lock);
	if (size <= LABELS_BYTES)
		set = intern_set(all, n_all, size);
	futex_lock_give(&label_lock);
	if (!set)
		error_set(err, PROF_LIMIT, "no more room for label sets");
	return set;
}
