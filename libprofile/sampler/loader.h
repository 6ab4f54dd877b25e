/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_LOADER_H
#define SAMPLER_LOADER_H

/*
 * What is loaded where, found in a signal handler. Two files, of which CMake
 * takes one: loader_glibc.c where there is _dl_find_object() (glibc 2.35),
 * else loader_maps.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loaded {
	const uint8_t *start, *end;  /* the ELF header is at start */
	const uint8_t *eh_frame_hdr; /* NULL: none */
	uint64_t bias;               /* to be added to addresses of the file */
};

/* The object with that address. [signal-safe] */
bool loader_find(struct loaded *out, uint64_t pc);

/* Its path, "" for the program (or where there is none). [signal-safe] */
void loader_path(char *out, size_t size, uint64_t pc);

/* Objects may have gone. */
void loader_changed(void);

/* In a forked child. */
void loader_after_fork(void);

#endif
