/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_YAML_REWRITE_H
#define UNIT_YAML_REWRITE_H

/* What the tests of the YAML format share: text in, text out. */

#include <profile/io.h>

#include "base/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a profile or a recording and writes it as YAML again. */
static inline enum prof_status yaml_rewrite(struct prof_buffer *out,
                                            const char *text, size_t size,
                                            struct prof_error *err)
{
	struct memory_source memory = { .data = (const unsigned char *)text,
	                                .size = size };
	/* A string of more than 16 KiB is as good as one of 16 MiB. */
	const struct prof_read_options *options =
		&PROF_OPTIONS(prof_read_options, .format = "yaml",
		              .limits.max_string = 16 << 10);
	struct prof_profile *p;
	struct prof_recorder to;
	enum prof_status status;

	status = prof_recorder_new(&to, "yaml", prof_sink_buffer(out), NULL,
	                           err);
	if (status != PROF_OK)
		return status;
	status = prof_read_recording(&to, source_memory(&memory), options, err);
	prof_recorder_free(&to);
	if (status != PROF_UNSUPPORTED)
		return status;
	status = prof_read_mem(&p, text, size, options, err);
	if (status != PROF_OK)
		return status;
	status = prof_write(p, "yaml", prof_sink_buffer(out), NULL, err);
	prof_profile_free(p);
	return status;
}

#endif
