/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MODULES_H
#define SAMPLER_MODULES_H

/*
 * The loaded objects: where their unwind tables are, and a log of those that
 * appeared in a stack, so that addresses keep their names when an object is
 * unloaded or the process is gone.
 */

#include "sampler/machine.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MODULES_MAX = 2048, MODULES_PATHS = 1 << 18, MODULE_ID_SIZE = 32 };

/* The executable segment of an object. */
struct module {
	_Atomic uint32_t is_complete; /* the rest may be read */
	uint32_t path, path_size;     /* in paths[] */
	uint32_t build_id_size;
	uint64_t time;                /* of the first stack it was in */
	uint64_t start, limit;        /* limit 0: what began there is gone */
	uint64_t offset;
	uint8_t build_id[MODULE_ID_SIZE];
};

/* In the state that may be shared: written by the target, never changed. */
struct module_log {
	_Atomic uint32_t n, paths_size;
	_Atomic uint32_t lost; /* there was no room for so many */
	struct module modules[MODULES_MAX];
	char paths[MODULES_PATHS];
};

/* Where to log from now on; NULL: nowhere. */
void modules_log_to(struct module_log *log);

/* The unwind tables of the object with that address; false: it is in none,
   or it has none. Logs an object that is met for the first time.
   [signal-safe] */
bool modules_find(struct cfi_tables *out, uint64_t pc);

/* Whether the address is in a loaded object. [signal-safe] */
bool modules_contain(uint64_t pc);

/* An object may have gone: logs which. Call after dlclose(). */
void modules_after_unload(void);

/* Whether objects have gone since the last call, for where dlclose() is not
   ours to hook. Takes ld.so's lock: not for handlers. */
bool modules_have_gone(void);

#endif
