/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _dl_find_object() is documented to be safe in signal handlers and sees
 * objects as soon as they are mapped, so there is no list of our own to keep
 * and no need to interpose dlopen(), whose meaning depends on who calls it.
 */
#include "sampler/loader.h"

#include <dlfcn.h>
#include <link.h>

bool loader_find(struct loaded *out, uint64_t pc)
{
	struct dl_find_object o;

	if (_dl_find_object((void *)(uintptr_t)pc, &o) != 0)
		return false;
	*out = (struct loaded){ o.dlfo_map_start, o.dlfo_map_end,
		                o.dlfo_eh_frame, o.dlfo_link_map->l_addr };
	return true;
}

void loader_path(char *out, size_t size, uint64_t pc)
{
	struct dl_find_object o;
	const char *path = NULL;
	size_t n = 0;

	if (_dl_find_object((void *)(uintptr_t)pc, &o) == 0)
		path = o.dlfo_link_map->l_name;
	while (path && n < size - 1 && path[n] != '\0') {
		out[n] = path[n];
		n++;
	}
	out[n] = '\0';
}

void loader_changed(void)
{
}

void loader_after_fork(void)
{
}
