/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles of this process. The sampler tells what it has to a recorder, as
 * it does for a file, and the recorder is a fold: so no table is made twice,
 * and a profile taken here is what one gets from the recording.
 */
#include <profile/sampler.h>
#include <profile/symbolize.h>

#include "base/error.h"
#include "model/fold.h"

#include <string.h>
#include <unistd.h>

/* What tells a recorder a kind of profile. */
typedef enum prof_status (*teller)(const struct prof_recorder *to,
                                   const char *kind, struct prof_error *err);

static enum prof_status fold_told(struct prof_profile **out, teller tell,
                                  const char *kind, struct prof_error *err)
{
	const struct prof_read_options options = { .size = sizeof(options),
		                                   .kind = kind };
	struct prof_builder *b = prof_builder_new(NULL);
	struct prof_recorder to;
	enum prof_status status;
	struct fold *fold;

	if (!b)
		return error_nomem(err);
	status = fold_new(&fold, &to, b, &options, err);
	if (status == PROF_OK) {
		status = tell(&to, kind, err);
		if (status == PROF_OK)
			status = fold_finish(fold, err);
		fold_free(fold);
	}
	if (status == PROF_OK)
		return prof_builder_finish(out, b, err);
	prof_builder_free(b);
	return status;
}

enum prof_status prof_snapshot(struct prof_profile **out, const char *name,
                               struct prof_error *err)
{
	return fold_told(out, prof_record_profile, name, err);
}

/* ---- CPU ---- */

static enum prof_status tell_all(const struct prof_recorder *to,
                                 const char *kind, struct prof_error *err)
{
	(void)kind;
	return prof_record(to, err);
}

static enum prof_status write_recording(struct prof_sink sink,
                                        const char *format,
                                        struct prof_error *err)
{
	struct prof_recorder recorder;
	enum prof_status status = prof_recorder_new(&recorder, format, sink,
	                                            NULL, err);

	if (status != PROF_OK)
		return status;
	status = prof_record(&recorder, err);
	prof_recorder_free(&recorder);
	return status;
}

static const struct prof_format_info *find_format(const char *name)
{
	const struct prof_format_info *f;
	size_t i;

	for (i = 0; (f = prof_format_info(i)); i++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

enum prof_status prof_cpu_write(struct prof_sink sink, const char *format,
                                struct prof_error *err)
{
	const char *name = format ? format : "pprof";
	const struct prof_format_info *f = find_format(name);
	struct prof_profile *p;
	enum prof_status status;

	if (!f || !(f->can & PROF_CAN_WRITE))
		return error_set(err, f ? PROF_UNSUPPORTED : PROF_UNKNOWN_FORMAT,
		                 "no profile can be written as \"%.64s\"",
		                 name);
	if (f->can & PROF_CAN_WRITE_RECORDING)
		return write_recording(sink, name, err);
	status = fold_told(&p, tell_all, "cpu", err);
	if (status != PROF_OK)
		return status;
	status = prof_symbolize(p, &PROF_OPTIONS(prof_symbolize_options,
	                                         .pid = (uint64_t)getpid()),
	                        err);
	if (status == PROF_OK)
		status = prof_write(p, name, sink, NULL, err);
	prof_profile_free(p);
	return status;
}
