/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_CHILD_H
#define CMD_CHILD_H

#include <profile/io.h>

/*
 * Runs argv[0], found on PATH, and hands its standard output to sink. input:
 * what it reads, a descriptor; -1: nothing. Its errors are ours.
 *
 * PROF_SYSTEM: it could not be started (ENOENT: it is not installed), or the
 * sink failed; PROF_INVALID: it ended with another code than 0.
 */
enum prof_status child_run(const char *const *argv, int input,
                           struct prof_sink sink, struct prof_error *err);

/* The error of a program that is not there: PROF_UNSUPPORTED. */
enum prof_status child_missing(struct prof_error *err, const char *message);

#endif
