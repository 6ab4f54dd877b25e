/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three languages, three expressions; the first that fits is taken. What
 * they cut off is what google/pprof cuts off, so that graphs look alike.
 */

#include "report/shorten.h"

#include <stdio.h>
#include <string.h>

#define GO "^(?:[\\w\\-\\.]+\\/)+(.+)"
#define JAVA                                                                  \
	"^(?:[a-z]\\w*\\.)*"                                                  \
	"([A-Z][\\w$]*\\.(?:<init>|[a-z][\\w$]*(?:\\$\\d+)?))(?:\\(|$)"
#define CPP                                                                   \
	"^(?:[_a-zA-Z]\\w*::)+"                                               \
	"(_*[A-Z]\\w*::~?[_a-zA-Z]\\w*(?:<.*>)?)"
#define GO_VERSION "^.*?(/v(?:[2-9]|[1-9][0-9]+))[./].*$"

enum prof_status shortener_init(struct shortener *s, struct prof_error *err)
{
	static const char *const patterns[] = { GO, JAVA, CPP };
	enum prof_status status = regex_new(&s->version, GO_VERSION, err);

	for (size_t i = 0; i < N_SHORTENINGS && status == PROF_OK; i++)
		status = regex_new(&s->language[i], patterns[i], err);
	return status;
}

void shortener_release(struct shortener *s)
{
	regex_free(s->version);
	for (size_t i = 0; i < N_SHORTENINGS; i++)
		regex_free(s->language[i]);
}

/* Takes the module version out of a Go name: "a/v2/b" is "a/b". */
static struct prof_str drop_version(struct shortener *s, struct prof_str name)
{
	struct prof_str version;
	size_t before;

	if (name.len >= sizeof(s->scratch) ||
	    !regex_group(s->version, name, 1, &version))
		return name;
	before = (size_t)(version.ptr - name.ptr);
	memcpy(s->scratch, name.ptr, before);
	memcpy(s->scratch + before, version.ptr + version.len,
	       name.len - before - version.len);
	return (struct prof_str){ s->scratch, name.len - version.len };
}

struct prof_str shorten(struct shortener *s, struct prof_str name)
{
	static const char anonymous[] = "(anonymous namespace)::";
	struct prof_str part;

	if (name.len >= sizeof(anonymous) - 1 &&
	    !memcmp(name.ptr, anonymous, sizeof(anonymous) - 1)) {
		name.ptr += sizeof(anonymous) - 1;
		name.len -= sizeof(anonymous) - 1;
	}
	name = drop_version(s, name);
	for (size_t i = 0; i < N_SHORTENINGS; i++)
		if (regex_group(s->language[i], name, 1, &part))
			return part;
	return name;
}
