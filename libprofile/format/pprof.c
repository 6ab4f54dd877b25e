/* SPDX-License-Identifier: Apache-2.0 */
#include "format/pprof.h"

const struct format pprof_format = {
	.info = {
		.name = "pprof",
		.about = "profile.proto of google/pprof, compressed or not",
		.suffixes = ".pb.gz .pprof .pb .prof",
		.can = PROF_CAN_READ | PROF_CAN_WRITE,
		.is_binary = true,
	},
	.is_gzipped = true,
	.probe = pprof_probe,
	.read = pprof_read,
	.write = pprof_write,
};
