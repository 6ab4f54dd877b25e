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

const struct format raw_format = {
	.info = {
		.name = "raw",
		.about = "recording of a sampler, or Go's plain chunk words",
		.suffixes = ".raw .words",
		.can = PROF_CAN_READ | PROF_CAN_READ_RECORDING |
			PROF_CAN_WRITE_RECORDING,
		.is_binary = true,
	},
	.probe = probe,
	.read_recording = read_recording,
	.record = raw_record,
};
