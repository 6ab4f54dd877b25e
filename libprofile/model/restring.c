/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes over all references: the first makes the new strings, which can
 * fail, the second puts their ids in place, which cannot.
 */
#include "model/restring.h"

#include "base/error.h"
#include "model/edit.h"

#include <string.h>

struct restringing {
	struct prof_profile *p;
	const struct restring *r;
	struct byte_table strings;
	struct interner interner;
	uint32_t *ids; /* [N_STRING_ROLES][n]: new ids + 1; 0: not yet */
	size_t n;
	bool has_failed;
};

static void renew(struct restringing *g, uint32_t *id, enum string_role role)
{
	uint32_t *known = &g->ids[role * g->n + *id];
	struct prof_str s;

	if (*known || g->has_failed || !*id)
		return;
	s = g->r->change(g->r->ctx, role, profile_string(g->p, *id));
	*known = intern_bytes(&g->interner, s.ptr, s.len, &g->p->allocator) + 1;
	if (*known == 1 && s.len)
		g->has_failed = true;
}

static void put_new(struct restringing *g, uint32_t *id, enum string_role role)
{
	if (*id)
		*id = g->ids[role * g->n + *id] - 1; /* NOLINT: not NULL */
}

typedef void visit_string(struct restringing *g, uint32_t *id,
                          enum string_role role);

static void visit_type(struct restringing *g, struct row_value_type *t,
                       visit_string *visit)
{
	visit(g, &t->type, STRING_UNIT);
	visit(g, &t->unit, STRING_UNIT);
}

static void visit_header(struct restringing *g, visit_string *visit)
{
	struct prof_profile *p = g->p;

	visit_type(g, &p->period_type, visit);
	for (size_t i = 0; i < p->sample_types.n; i++)
		visit_type(g, &p->sample_types.data[i], visit);
	for (size_t i = 0; i < p->comments.n; i++)
		visit(g, &p->comments.data[i], STRING_COMMENT);
	visit(g, &p->default_sample_type, STRING_UNIT);
	visit(g, &p->drop_frames, STRING_EXPRESSION);
	visit(g, &p->keep_frames, STRING_EXPRESSION);
	visit(g, &p->doc_url, STRING_COMMENT);
}

static void visit_tables(struct restringing *g, visit_string *visit)
{
	struct prof_profile *p = g->p;

	for (size_t i = 1; i < p->functions.n; i++) {
		struct row_function *f = &p->functions.data[i];

		visit(g, &f->name, STRING_FUNCTION);
		visit(g, &f->system_name, STRING_FUNCTION);
		visit(g, &f->filename, STRING_FILE);
	}
	for (size_t i = 1; i < p->mappings.n; i++) {
		struct row_mapping *m = &p->mappings.data[i];

		visit(g, &m->file, STRING_FILE);
		visit(g, &m->build_id, STRING_BUILD_ID);
	}
}

static void visit_label(struct restringing *g, struct row_label *l,
                        visit_string *visit)
{
	visit(g, &l->key, STRING_LABEL_KEY);
	visit(g, &l->str, l->is_number ? STRING_UNIT : STRING_LABEL_VALUE);
}

static size_t renew_labels(void *ctx, struct row_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		visit_label(ctx, &labels[i], renew);
	return n;
}

static size_t put_labels(void *ctx, struct row_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++)
		visit_label(ctx, &labels[i], put_new);
	return n;
}

static enum prof_status renew_all(struct restringing *g,
                                  struct prof_error *err)
{
	enum prof_status status;

	visit_header(g, renew);
	visit_tables(g, renew);
	/* This changes no label, and leaves only sets that samples have. */
	status = edit_labels(g->p, &(struct label_change){
		.change = renew_labels, .ctx = g }, err);
	if (status == PROF_OK && g->has_failed)
		status = error_nomem(err);
	if (status == PROF_OK)
		status = edit_labels(g->p, &(struct label_change){
			.change = put_labels, .ctx = g }, err);
	return status;
}

enum prof_status profile_restring(struct prof_profile *p,
                                  const struct restring *r,
                                  struct prof_error *err)
{
	const struct prof_allocator a = p->allocator;
	struct restringing g = { .p = p, .r = r,
	                         .n = byte_table_n(&p->strings) };
	enum prof_status status;

	g.interner = (struct interner){ &g.strings, .seed = hash_seed() };
	g.ids = mem_zeroed(&a, N_STRING_ROLES * g.n, sizeof(*g.ids));
	if (!g.ids || !byte_table_begin(&g.strings, &a))
		status = error_nomem(err);
	else
		status = renew_all(&g, err);
	if (status == PROF_OK) {
		visit_header(&g, put_new);
		visit_tables(&g, put_new);
		byte_table_release(&p->strings, &a);
		p->strings = g.strings;
		g.strings = (struct byte_table){ 0 };
		p->is_canonical = false;
	}
	mem_free(&a, g.ids, N_STRING_ROLES * g.n * sizeof(*g.ids));
	byte_table_release(&g.strings, &a);
	intern_release(&g.interner, &a);
	return status;
}
