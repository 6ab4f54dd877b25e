/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_DEBUGINFOD_H
#define SYMBOLIZE_DEBUGINFOD_H

/*
 * debuginfod: files by build id from a server. The client library is loaded
 * only here and only when the user asked for it, since it brings half of
 * libcurl's world along and goes out to the network.
 */

#include <profile/common.h>

enum debuginfod_kind {
	DEBUGINFOD_EXECUTABLE,
	DEBUGINFOD_DEBUGINFO
};

/*
 * Fetches a file (build_id in hexadecimal) into the client's cache and writes
 * its path. False: no client library, no server, or no such file.
 */
bool debuginfod_fetch(struct prof_str build_id, enum debuginfod_kind kind,
                      char *path, size_t size);

#endif
