/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact-names, redact-files, redact-labels: for profiles that leave the
 * house. A string becomes 16 hexadecimal digits of HMAC-SHA-256 under a key:
 * the same string is the same text in all profiles with that key, so they can
 * still be merged and compared, and without the key nobody can try names out.
 *
 * 64 bits: among a million names two are the same text with a chance of 1 in
 * 37 million. A key of a few letters can be guessed like a password.
 */
#include "base/error.h"
#include "model/restring.h"
#include "transform/list.h"
#include "transform/transform.h"

#include <nettle/hmac.h>
#include <stdio.h>

#define N_BYTES 8

struct redaction {
	struct hmac_sha256_ctx hmac;
	unsigned hashed, erased; /* 1 << role of what becomes a hash, or "" */
	char text[2 * N_BYTES + 1];
};

static struct prof_str redact(void *ctx, enum string_role role,
                              struct prof_str s)
{
	struct redaction *r = ctx;
	uint8_t digest[N_BYTES];

	if (r->erased >> role & 1)
		return (struct prof_str){ "", 0 };
	if (!(r->hashed >> role & 1) || !s.len)
		return s;
	hmac_sha256_update(&r->hmac, s.len, (const uint8_t *)s.ptr);
	hmac_sha256_digest(&r->hmac, sizeof(digest), digest);
	for (size_t i = 0; i < N_BYTES; i++)
		snprintf(r->text + 2 * i, 3, "%02x", digest[i]);
	return (struct prof_str){ r->text, 2 * N_BYTES };
}

/* An empty comment is none. */
static void drop_empty_comments(struct prof_profile *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->comments.n; i++)
		if (p->comments.data[i])
			p->comments.data[n++] = p->comments.data[i];
	p->comments.n = n;
}

static enum prof_status redact_roles(struct prof_profile *p, const char *key,
                                     struct redaction r,
                                     struct prof_error *err)
{
	const struct prof_str k = str_of(key);
	enum prof_status status;

	if (!k.len)
		return error_set(err, PROF_INVALID, "a key is needed");
	hmac_sha256_set_key(&r.hmac, k.len, (const uint8_t *)k.ptr);
	status = profile_restring(p, &(struct restring){
		.change = redact, .ctx = &r }, err);
	if (status == PROF_OK)
		drop_empty_comments(p);
	return status;
}

enum prof_status prof_redact_names(struct prof_profile *p, const char *key,
                                   struct prof_error *err)
{
	return redact_roles(p, key, (struct redaction){
		.hashed = 1u << STRING_FUNCTION,
		.erased = 1u << STRING_EXPRESSION | 1u << STRING_COMMENT
	}, err);
}

enum prof_status prof_redact_files(struct prof_profile *p, const char *key,
                                   struct prof_error *err)
{
	return redact_roles(p, key, (struct redaction){
		.hashed = 1u << STRING_FILE | 1u << STRING_BUILD_ID,
		.erased = 1u << STRING_COMMENT
	}, err);
}

enum prof_status prof_redact_labels(struct prof_profile *p, const char *key,
                                    struct prof_error *err)
{
	return redact_roles(p, key, (struct redaction){
		.hashed = 1u << STRING_LABEL_VALUE,
		.erased = 1u << STRING_COMMENT
	}, err);
}

const struct transform redact_names_transform = {
	.info = { "redact-names", "KEY", "hash the names of functions; drop "
	          "comments" },
	.apply = prof_redact_names
};

const struct transform redact_files_transform = {
	.info = { "redact-files", "KEY", "hash paths and build ids; drop "
	          "comments" },
	.apply = prof_redact_files
};

const struct transform redact_labels_transform = {
	.info = { "redact-labels", "KEY", "hash the texts of labels; drop "
	          "comments" },
	.apply = prof_redact_labels
};
