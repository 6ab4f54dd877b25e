/* SPDX-License-Identifier: Apache-2.0 */
#include "transforms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Options ---- */

bool transforms_add(struct transforms *t, const char *name, const char *arg)
{
	struct transform_step *steps = t->steps;

	if (t->n == t->capacity) {
		const size_t capacity = 2 * t->capacity + 8;

		steps = realloc(t->steps, capacity * sizeof(*steps));
		if (!steps)
			return false;
		t->steps = steps;
		t->capacity = capacity;
	}
	steps[t->n++] = (struct transform_step){ name, arg };
	return true;
}

static int take_step(const struct cli_tool *tool, void *field,
                     const struct cli_option *option, const char *arg)
{
	if (transforms_add(field, option->name, arg))
		return CLI_CONTINUE;
	cli_error(tool, "out of memory");
	return CLI_FAILED;
}

bool transforms_init(struct transforms *t)
{
	const struct prof_transform_info *info;
	size_t n = 0;

	while (prof_transform_info(n))
		n++;
	*t = (struct transforms){ .options = calloc(n + 1,
	                                            sizeof(*t->options)) };
	for (size_t i = 0; t->options && (info = prof_transform_info(i)); i++)
		t->options[i] = (struct cli_option){
			.name = info->name, .arg = info->argument,
			.help = info->about, .type = CLI_CALL,
			.take = take_step
		};
	return t->options != NULL;
}

void transforms_leave_out(struct transforms *t, const char *name)
{
	struct cli_option *to = t->options;

	for (const struct cli_option *o = t->options; o->name; o++)
		if (strcmp(o->name, name) != 0)
			*to++ = *o;
	*to = (struct cli_option){ 0 };
}

void transforms_release(struct transforms *t)
{
	free(t->options);
	free(t->steps);
}

/* ---- Order ---- */

static size_t rank(const char *const *names, const char *name)
{
	size_t i = 0;

	while (names[i] && strcmp(names[i], name) != 0)
		i++;
	return i;
}

size_t transforms_sort(struct transforms *t, const char *const *names,
                       size_t n)
{
	size_t n_before = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct transform_step step = t->steps[i];
		const size_t own = rank(names, step.name);
		size_t to = i;

		for (; to > 0 && rank(names, t->steps[to - 1].name) > own; to--)
			t->steps[to] = t->steps[to - 1];
		t->steps[to] = step;
		n_before += own < n;
	}
	return n_before;
}

/* ---- What steps have left ---- */

struct count {
	uint32_t samples;
	double value;        /* sums past 64 bits are no failure here */
	char what[64];       /* "cpu/nanoseconds" */
};

/* The samples, and the sum of the column that is meant by default. */
static struct count count_samples(const struct prof_profile *p)
{
	struct count c = { .samples = prof_n_samples(p) };
	struct prof_value_type type;
	struct prof_sample s;
	uint32_t column;

	if (prof_find_sample_type(&column, p, "", NULL) != PROF_OK)
		return c;
	for (uint32_t i = 0; prof_get_sample(p, i, &s); i++)
		c.value += (double)s.values[column];
	prof_get_sample_type(p, column, &type);
	snprintf(c.what, sizeof(c.what), "%.30s/%.30s", type.type.ptr,
	         type.unit.ptr);
	return c;
}

static void tell_step(const struct teller *teller,
                      const struct transform_step *step,
                      const struct count *before, const struct count *after)
{
	tell_verbose(teller, "%s%s%.80s: %lu of %lu samples, "
	             "%.0f of %.0f %s", step->name, step->arg ? "=" : "",
	             step->arg ? step->arg : "",
	             (unsigned long)after->samples,
	             (unsigned long)before->samples, after->value,
	             before->value, after->what);
}

/* A key is nobody's business. */
static struct transform_step shown(struct transform_step step)
{
	if (!strncmp(step.name, "redact-", strlen("redact-")))
		step.arg = NULL;
	return step;
}

int transforms_apply(const struct transforms *t, struct prof_profile *p,
                     const struct teller *teller)
{
	return transforms_apply_some(t, 0, t->n, p, teller);
}

/* A filter that nothing passes is a typing error, most of the time. */
static int tell_empty(const struct teller *teller,
                      const struct transform_step *step)
{
	return tell_note(teller, "--%s%s%.80s: no sample is left", step->name,
	                 step->arg ? "=" : "", step->arg ? step->arg : "");
}

int transforms_apply_some(const struct transforms *t, size_t first, size_t n,
                          struct prof_profile *p, const struct teller *teller)
{
	const bool tells = teller->settings->is_verbose;
	struct count before = { 0 }, after = { 0 };

	if (tells)
		before = count_samples(p);
	for (size_t i = first; i < first + n; i++) {
		const struct transform_step step = shown(t->steps[i]);
		struct prof_error err = { .offset = UINT64_MAX };
		const uint32_t n_before = prof_n_samples(p);

		if (prof_transform(p, step.name, t->steps[i].arg, &err) !=
		    PROF_OK) {
			char message[sizeof(err.message)];

			/* What nobody gave is not blamed. */
			if (!step.arg || !*step.arg)
				return tell_error(teller, &err);
			memcpy(message, err.message, sizeof(message));
			snprintf(err.message, sizeof(err.message),
			         "--%s: %.180s", step.name, message);
			return tell_error(teller, &err);
		}
		if (n_before && !prof_n_samples(p) &&
		    tell_empty(teller, &step) != CLI_CONTINUE)
			return CLI_FAILED;
		if (!tells)
			continue;
		after = count_samples(p);
		tell_step(teller, &step, &before, &after);
		before = after;
	}
	return CLI_CONTINUE;
}
