/* SPDX-License-Identifier: Apache-2.0 */
#include "format/raw.h"

#include <string.h>

static bool is_container(const unsigned char *head, size_t size)
{
	return size >= RAW_MAGIC_SIZE &&
		memcmp(head, RAW_MAGIC, RAW_MAGIC_SIZE) == 0;
}

static int probe(const unsigned char *head, size_t size)
{
	return is_container(head, size) || raw_is_stream(head, size) ? 3 : 0;
}

static enum prof_status read_recording(struct format_reading *r,
                                       const struct prof_recorder *to,
                                       struct prof_error *err)
{
	const size_t size = input_need(r->in, RAW_MAGIC_SIZE);

	return is_container(r->in->p, size) ? raw_read_container(r, to, err) :
		raw_read_stream(r, to, err);
}

static enum prof_status write_profile(const struct prof_profile *p,
                                      struct format_writing *w,
                                      struct prof_error *err)
{
	struct prof_recorder to;
	enum prof_status status = raw_record(&to, w, err);

	if (status != PROF_OK)
		return status;
	status = raw_write_profile(p, &to, w, err);
	raw_record_release(&to);
	return status;
}

const struct format raw_format = {
	.info = {
		.name = "raw",
		.about = "recording of a sampler, or Go's plain chunk words",
		.suffixes = ".raw .words",
		.can = PROF_CAN_READ | PROF_CAN_WRITE |
			PROF_CAN_READ_RECORDING | PROF_CAN_WRITE_RECORDING,
		.is_binary = true,
	},
	.probe = probe,
	.write = write_profile,
	.read_recording = read_recording,
	.record = raw_record,
};
