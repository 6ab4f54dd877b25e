/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a mapping, for who wants to read it with other tools.
 */
#include <profile/symbolize.h>

#include "base/error.h"
#include "symbolize/source.h"

#include <string.h>

static enum prof_status find_binary(struct prof_binary *out,
                                    const struct prof_profile *p,
                                    uint32_t mapping, uint64_t address,
                                    const struct source_options *options,
                                    struct prof_error *err)
{
	const struct row_mapping *m = &p->mappings.data[mapping];
	struct prof_str name = profile_string(p, m->file), path;
	struct found_files files = { .main_file = { .path = NULL } };
	struct source source;
	enum prof_status status = PROF_OK;

	source_of_mapping(&source, p, mapping, options);
	if (source.kind == SOURCE_FILE || source.kind == SOURCE_VMLINUX)
		source_open(&source, &files, options);
	path = source_path(&source, &files);
	if (source.result != FIND_OK || path.len >= sizeof(out->path))
		status = error_set(err, PROF_INVALID, "no file of this build "
		                   "for %.150s", name.len ? name.ptr
		                                          : "(no name)");
	else if (!source_base(&source, &files.main, m, address, &out->base))
		status = error_set(err, PROF_INVALID, "the mapping of %.150s "
		                   "does not fit the file", name.ptr);
	else
		memcpy(out->path, path.ptr, path.len + 1);
	source_release(&source);
	found_files_release(&files);
	return status;
}

enum prof_status prof_find_binary(struct prof_binary *out,
                                  const struct prof_profile *p,
                                  uint32_t mapping, uint64_t address,
                                  const struct prof_symbolize_options *options,
                                  struct prof_error *err)
{
	struct prof_symbolize_options o = { 0 };
	struct source_options s = { .perf_map = NULL };
	enum prof_status status;

	if (mapping == 0 || mapping >= p->mappings.n)
		return error_set(err, PROF_INVALID, "no such mapping");
	if (options != NULL)
		memcpy(&o, options, options->size < sizeof(o) ? options->size
		                                              : sizeof(o));
	status = source_options_init(&s, &o)
	         ? find_binary(out, p, mapping, address, &s, err)
	         : error_nomem(err);
	source_options_release(&s);
	return status;
}
