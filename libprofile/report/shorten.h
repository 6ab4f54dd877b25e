/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SHORTEN_H
#define REPORT_SHORTEN_H

/*
 * Function names short enough for a box: "net/http.serve" is "http.serve",
 * "a.b.Foo.run(int)" is "Foo.run", "ns::Class::method" is "Class::method".
 */

#include "base/regex.h"

#define N_SHORTENINGS 3

struct shortener {
	struct regex *version;                 /* of a Go module */
	struct regex *language[N_SHORTENINGS]; /* Go, Java, C++ */
	char scratch[1024];
};

/* PROF_NOMEM. Release in any case. */
enum prof_status shortener_init(struct shortener *s, struct prof_error *err);
void shortener_release(struct shortener *s);

/* Holds until the next call. */
struct prof_str shorten(struct shortener *s, struct prof_str name);

#endif
