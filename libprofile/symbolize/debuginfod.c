/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/debuginfod.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Source: debuginfod_find_debuginfo(3), of elfutils. */
struct client_api {
	void *(*begin)(void);
	void (*end)(void *client);
	/* Returns a descriptor of the file, or -errno. */
	int (*find)(void *client, const unsigned char *build_id, int size,
	            char **path);
};

/* dlsym() for a function: POSIX lets the pointer be copied as bytes. */
static bool load(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

/* The path of an open file. */
static bool path_of(int fd, char *path, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size);
	if (n <= 0 || (size_t)n >= size)
		return false;
	path[n] = '\0';
	return true;
}

static bool fetch(const struct client_api *api, const char *id, char *path,
                  size_t size)
{
	void *client = api->begin();
	bool has_path = false;
	int fd;

	if (!client)
		return false;
	/* A size of 0 says that the id is hexadecimal text. */
	fd = api->find(client, (const unsigned char *)id, 0, NULL);
	if (fd >= 0) {
		has_path = path_of(fd, path, size);
		close(fd);
	}
	api->end(client);
	return has_path;
}

bool debuginfod_fetch(struct prof_str build_id, enum debuginfod_kind kind,
                      char *path, size_t size)
{
	const char *find = kind == DEBUGINFOD_EXECUTABLE
	                           ? "debuginfod_find_executable"
	                           : "debuginfod_find_debuginfo";
	struct client_api api;
	char id[129];
	void *library;
	bool ok;

	if (build_id.len == 0 || build_id.len >= sizeof(id))
		return false;
	memcpy(id, build_id.ptr, build_id.len);
	id[build_id.len] = '\0';
	library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return false;
	ok = load(library, "debuginfod_begin", &api.begin) &&
	     load(library, "debuginfod_end", &api.end) &&
	     load(library, find, &api.find) && fetch(&api, id, path, size);
	dlclose(library);
	return ok;
}
