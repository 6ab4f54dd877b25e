/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats, and what is the same for all of them: opening the
 * input, finding its format, limits and memory, checking what was read.
 */
#include "format/format.h"

#include "base/error.h"
#include "model/check.h"
#include "model/fold.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* THE table. Where a probe is a tie, the first row wins. */
static const struct format *const formats[] = {
	&pprof_format,
	&raw_format,
	&yaml_format,
	&collapsed_format,
	&text_format,
	&speedscope_format,
	&callgrind_format,
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))
#define PROBE_SIZE 512
/* In canonical order this is a third smaller than others' level 6 is without,
   at a quarter of the time; our level 6 saves another 4 %. */
#define DEFAULT_GZIP_LEVEL 1
#define MEMORY_BASE (UINT64_C(64) << 20)

const struct prof_format_info *prof_format_info(size_t i)
{
	return i < N_FORMATS ? &formats[i]->info : NULL;
}

static const struct format *find_by_name(const char *name,
                                         struct prof_error *err)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (strcmp(formats[i]->info.name, name) == 0)
			return formats[i];
	error_set(err, PROF_UNKNOWN_FORMAT, "there is no format \"%.40s\"", name);
	return NULL;
}

static const struct format *find_by_content(const unsigned char *head,
                                            size_t size,
                                            struct prof_error *err)
{
	const struct format *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < N_FORMATS; i++) {
		const int score = formats[i]->probe ?
			formats[i]->probe(head, size) : 0;

		if (score > best_score) {
			best_score = score;
			best = formats[i];
		}
	}
	if (!best)
		error_set(err, PROF_UNKNOWN_FORMAT, size ?
		          "the input is in no format that is known here" :
		          "the input is empty");
	return best;
}

/* ---- Reading ---- */

/* What is in place while something is read. */
struct reading {
	struct prof_read_options options;
	struct prof_allocator inner; /* the caller's */
	struct mem_budget budget;
	struct input in;
	struct format_reading r;
	const struct format *format;
	bool holds_recording;
};

static void set_default(uint64_t *limit, uint64_t value)
{
	if (*limit == 0)
		*limit = value;
}

static void fill_limits(struct prof_limits *l)
{
	set_default(&l->max_string, limits_default.max_string);
	set_default(&l->max_depth, limits_default.max_depth);
	set_default(&l->max_lines, limits_default.max_lines);
	set_default(&l->max_labels, limits_default.max_labels);
	set_default(&l->max_types, limits_default.max_types);
	set_default(&l->max_nesting, limits_default.max_nesting);
	set_default(&l->max_line_bytes, limits_default.max_line_bytes);
}

/* Options of an older caller are shorter than ours: the rest is zero. */
static void take_options(void *to, size_t size, const void *from)
{
	size_t given = 0;

	if (from)
		memcpy(&given, from, sizeof(given));
	if (given < size)
		size = given;
	if (size)
		memcpy(to, from, size);
}

/* Memory that ran out because a limit was met is not the machine's lack. */
static enum prof_status explain_nomem(const struct reading *g,
                                      enum prof_status status,
                                      struct prof_error *err)
{
	if (status == PROF_NOMEM && g->budget.was_exceeded)
		return error_set(err, PROF_LIMIT,
		                 "the profile needs more memory than the limit "
		                 "max_memory (%" PRIu64 " bytes)", g->budget.max);
	return status;
}

static enum prof_status reading_open(struct reading *g,
                                     struct prof_source source,
                                     const struct prof_read_options *options,
                                     struct prof_error *err)
{
	const char *name;
	enum prof_status status;
	size_t size;

	memset(g, 0, sizeof(*g));
	take_options(&g->options, sizeof(g->options), options);
	fill_limits(&g->options.limits);
	g->inner = g->options.allocator ? *g->options.allocator : mem_malloc;
	mem_budget_init(&g->budget, &g->inner,
	                g->options.limits.max_memory ?
	                g->options.limits.max_memory : MEMORY_BASE);
	g->budget.is_fixed = g->options.limits.max_memory != 0;
	g->r = (struct format_reading){ &g->in, &g->options,
	                                &g->budget.allocator };
	status = input_open(&g->in, source, &g->options.limits,
	                    g->options.salvage ? INPUT_SALVAGE : 0,
	                    &g->budget.allocator, &g->budget, err);
	if (status != PROF_OK)
		return explain_nomem(g, status, err);
	size = input_need(&g->in, PROBE_SIZE);
	name = g->options.format;
	if (g->in.status != PROF_OK) {
		if (err)
			*err = g->in.error;
		return explain_nomem(g, g->in.status, err);
	}
	g->format = name && strcmp(name, "auto") != 0 ?
		find_by_name(name, err) : find_by_content(g->in.p, size, err);
	if (!g->format)
		return PROF_UNKNOWN_FORMAT;
	if (g->options.found_format)
		*g->options.found_format = g->format->info.name;
	g->holds_recording = g->format->read_recording &&
		(!g->format->read ||
		 g->format->holds_recording(g->in.p, size));
	if (g->options.found_recording)
		*g->options.found_recording = g->holds_recording;
	return PROF_OK;
}

static void reading_close(struct reading *g)
{
	input_close(&g->in);
}

/* Says what --salvage had to leave out of damaged compressed data. */
static enum prof_status note_cut(struct reading *g, struct prof_error *err)
{
	uint64_t at, dropped;

	if (!input_cut(&g->in, &at, &dropped))
		return PROF_OK;
	if (dropped == 0)
		return reading_note(&g->r, PROF_TRUNCATED, err,
		                    "the compressed data are cut off at byte "
		                    "%" PRIu64, at);
	return reading_note(&g->r, PROF_TRUNCATED, err,
	                    "the compressed data are damaged at byte %" PRIu64
	                    ": the %" PRIu64 " bytes from there on were dropped",
	                    at, dropped);
}

/* Where no more bytes could be had, that is why a format found them short. */
static enum prof_status prefer_input_error(const struct reading *g,
                                           enum prof_status status,
                                           struct prof_error *err)
{
	if (g->in.status == PROF_OK || status == PROF_NOMEM)
		return status;
	if (err)
		*err = g->in.error;
	return g->in.status;
}

/* A recording becomes a profile on its way. */
static enum prof_status read_folded(struct reading *g, struct prof_builder *b,
                                    struct prof_error *err)
{
	struct fold *fold;
	struct prof_recorder to;
	enum prof_status status;

	status = fold_new(&fold, &to, b, &g->options, err);
	if (status != PROF_OK)
		return status;
	status = g->format->read_recording(&g->r, &to, err);
	if (status == PROF_OK)
		status = fold_finish(fold, err);
	if (status == PROF_OK && fold_left_out(fold))
		status = reading_note(&g->r, PROF_UNSUPPORTED, err,
		                      "of the recording's profiles (%s) only "
		                      "cpu was taken", fold_left_out(fold));
	fold_free(fold);
	return status;
}

/* All values times `scale`. */
static enum prof_status scale_values(struct prof_profile *p, uint64_t scale,
                                     struct prof_error *err)
{
	for (size_t i = 0; i < p->values.n; i++)
		if (__builtin_mul_overflow(p->values.data[i], scale,
		                           &p->values.data[i]))
			return error_set(err, PROF_OVERFLOW, "a value times "
			                 "the scale %" PRIu64 " leaves the "
			                 "range of 64 bits", scale);
	return PROF_OK;
}

static enum prof_status read_profile(struct reading *g,
                                     struct prof_profile **out,
                                     struct prof_error *err)
{
	struct prof_builder *b;
	struct prof_profile *p = NULL;
	enum prof_status status;

	if (!g->holds_recording && !g->format->read)
		return error_set(err, PROF_UNSUPPORTED,
		                 "the format %s can be written, not read",
		                 g->format->info.name);
	b = prof_builder_new(&g->budget.allocator);
	if (!b)
		return error_nomem(err);
	b->limits = g->options.limits;
	status = g->holds_recording ? read_folded(g, b, err) :
		g->format->read(&g->r, b, err);
	if (status == PROF_OK)
		status = note_cut(g, err);
	status = prefer_input_error(g, status, err);
	if (status != PROF_OK) {
		prof_builder_free(b);
		return status;
	}
	status = prof_builder_finish(&p, b, err);
	if (status != PROF_OK)
		return status;
	if (g->options.scale > 1 && !g->format->scales)
		status = scale_values(p, g->options.scale, err);
	p->allocator = g->inner;
	if (status != PROF_OK) {
		prof_profile_free(p);
		return status;
	}
	*out = p;
	return PROF_OK;
}

enum prof_status prof_read(struct prof_profile **out,
                           struct prof_source source,
                           const struct prof_read_options *options,
                           struct prof_error *err)
{
	struct reading g;
	enum prof_status status = reading_open(&g, source, options, err);

	if (status == PROF_OK)
		status = explain_nomem(&g, read_profile(&g, out, err), err);
	reading_close(&g);
	return status;
}

enum prof_status prof_read_mem(struct prof_profile **out, const void *data,
                               size_t size,
                               const struct prof_read_options *options,
                               struct prof_error *err)
{
	struct memory_source memory = { .data = data, .size = size };

	return prof_read(out, source_memory(&memory), options, err);
}

enum prof_status prof_read_recording(const struct prof_recorder *recorder,
                                     struct prof_source source,
                                     const struct prof_read_options *options,
                                     struct prof_error *err)
{
	struct reading g;
	enum prof_status status = reading_open(&g, source, options, err);

	if (status == PROF_OK && !g.holds_recording)
		status = error_set(err, PROF_UNSUPPORTED,
		                   "the input is a profile and no recording");
	else if (status == PROF_OK)
		status = g.format->read_recording(&g.r, recorder, err);
	if (status == PROF_OK)
		status = note_cut(&g, err);
	status = prefer_input_error(&g, status, err);
	status = explain_nomem(&g, status, err);
	reading_close(&g);
	return status;
}

/* ---- Writing ---- */

static struct format_writing *writing_new(const struct format *format,
                                          struct prof_sink sink,
                                          const struct prof_write_options *o)
{
	const struct prof_allocator *a =
		o && o->allocator ? o->allocator : &mem_malloc;
	struct format_writing *w = mem_zeroed(a, 1, sizeof(*w));
	uint32_t level;

	if (!w)
		return NULL;
	take_options(&w->options, sizeof(w->options), o);
	w->allocator = *a;
	level = w->options.level ? w->options.level : DEFAULT_GZIP_LEVEL;
	if (w->options.uncompressed || !(format->is_gzipped || w->options.gzip))
		level = 0;
	output_open(&w->out, sink, level, &w->allocator);
	return w;
}

void writing_free(struct format_writing *w)
{
	const struct prof_allocator a = w->allocator;

	output_abandon(&w->out);
	mem_free(&a, w, sizeof(*w));
}

enum prof_status prof_write(const struct prof_profile *p, const char *format,
                            struct prof_sink sink,
                            const struct prof_write_options *options,
                            struct prof_error *err)
{
	const struct format *f = find_by_name(format, err);
	struct format_writing *w;
	enum prof_status status;

	if (!f)
		return PROF_UNKNOWN_FORMAT;
	if (!f->write)
		return error_set(err, PROF_UNSUPPORTED,
		                 "the format %s cannot hold a profile", format);
	w = writing_new(f, sink, options);
	if (!w)
		return error_nomem(err);
	status = f->write(p, w, err);
	if (status == PROF_OK)
		status = output_close(&w->out, err);
	writing_free(w);
	return status;
}

enum prof_status prof_recorder_new(struct prof_recorder *out,
                                   const char *format, struct prof_sink sink,
                                   const struct prof_write_options *options,
                                   struct prof_error *err)
{
	const struct format *f = find_by_name(format, err);
	struct format_writing *w;
	enum prof_status status;

	if (!f)
		return PROF_UNKNOWN_FORMAT;
	if (!f->record)
		return error_set(err, PROF_UNSUPPORTED,
		                 "the format %s cannot hold a recording", format);
	w = writing_new(f, sink, options);
	if (!w)
		return error_nomem(err);
	status = f->record(out, w, err);
	if (status != PROF_OK)
		writing_free(w);
	return status;
}

void prof_recorder_free(struct prof_recorder *recorder)
{
	if (recorder && recorder->free)
		recorder->free(recorder->ctx);
}

/* ---- Notes ---- */

/* Hands a line to the user's function; err is only filled where strict. */
static enum prof_status note(const struct prof_notes *notes, bool strict,
                             enum prof_status status, struct prof_error *err,
                             const char *format, va_list args)
{
	char message[512]; /* a list of what was lost may be long */

	vsnprintf(message, sizeof(message), format, args);
	if (strict)
		return error_set(err, status, "%s", message);
	if (notes->note)
		notes->note(notes->ctx, message);
	return PROF_OK;
}

enum prof_status reading_note(struct format_reading *r, enum prof_status status,
                              struct prof_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	status = note(&r->options->notes, r->options->strict, status, err,
	              format, args);
	va_end(args);
	return status;
}

enum prof_status writing_note(struct format_writing *w, struct prof_error *err,
                              const char *format, ...)
{
	enum prof_status status;
	va_list args;

	va_start(args, format);
	status = note(&w->options.notes, w->options.strict, PROF_UNSUPPORTED,
	              err, format, args);
	va_end(args);
	return status;
}
