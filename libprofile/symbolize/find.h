/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_FIND_H
#define SYMBOLIZE_FIND_H

/*
 * Finding and opening the files that have the symbols: the binary in the
 * layouts google/pprof knows, its separate debugging information by build id
 * and by .gnu_debuglink, and what dwz shared out. A file with another build
 * id than the one asked for is never used.
 *
 * libdwfl can find files too, but it asks debuginfod servers whenever the
 * environment names some, reads files that may be hostile with its own
 * reader, and is not to be used by several threads: see docs/symbolize.md.
 */

#include "symbolize/elf.h"

/* A file that is mapped read-only. Zeroed: none. */
struct mapped_file {
	struct span image;
	char *path; /* owned */
	bool is_borrowed; /* the image is not ours to unmap */
	bool is_unpacked; /* it is memory of mem_malloc */
};

struct find_options {
	const char *binary_path; /* directories, split by ':' */
	const char *debug_path;  /* the same, of separate debug files */
	bool use_debuginfod;
};

/* Why there is nothing, from least to most telling. */
enum find_result {
	FIND_OK,
	FIND_NO_FILE,
	FIND_NOT_ELF,
	FIND_MISMATCH,
	FIND_NO_MEMORY
};

/* The binary and what goes with it; only read once it is found. */
struct found_files {
	struct mapped_file main_file, debug_file, alt_file;
	struct elf main, debug, alt; /* debug, alt: empty where absent */
};

/*
 * Maps a file whole; a packed kernel module is unpacked. False: it cannot be,
 * or is no regular file.
 */
bool map_file(struct mapped_file *f, const char *path);
void unmap_file(struct mapped_file *f);

/*
 * Opens the binary that a mapping names, or the one of that build id (in
 * hexadecimal; empty: any), and the files with its debugging information.
 */
enum find_result find_files(struct found_files *out, struct prof_str name,
                            struct prof_str build_id,
                            const struct find_options *options);

/* The same for an image in memory, as the vDSO, which stays the caller's. */
enum find_result find_in_memory(struct found_files *out, struct span image,
                                struct prof_str build_id);

void found_files_release(struct found_files *f);

/* The file that has .debug_info or else .symtab. */
const struct elf *found_debug(const struct found_files *f);

#endif
