/* SPDX-License-Identifier: Apache-2.0 */
/* Making label sets: in canonical form, each once. */
#include "sampler/labels.h"

#include "base/error.h"
#include "sampler/futex_lock.h"
#include "sampler/state.h"

#include <string.h>

static struct futex_lock label_lock;

static unsigned char *put_str(unsigned char *at, struct prof_str s)
{
	const uint32_t len = (uint32_t)s.len;

	memcpy(at, &len, 4);
	memcpy(at + 4, s.ptr, s.len);
	at[4 + s.len] = '\0';
	return at + 5 + s.len;
}

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
	struct label_table *t = &sampler_state->labels;
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

/* A set that is half written is behind the used bytes. */
void labels_after_fork(void)
{
	memset(&label_lock, 0, sizeof(label_lock));
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
	n_all = labels_decode_own(all, base);
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
