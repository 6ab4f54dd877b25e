/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROFREC_H
#define CMD_PROFREC_H

/*
 * The parts of profrec: what the user wants (options), the program to run
 * (launch), and what comes out (output).
 */

#include <profile/io.h>
#include <profile/sampler.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

enum { PROFREC_MAX_LABELS = 32 };

struct wishes {
	struct prof_target_options target;
	struct prof_label_pair labels[PROFREC_MAX_LABELS];
	const char *output;
	double duration; /* seconds; 0: until the program ends */
	bool follow_children, is_quiet;
	pid_t dump; /* of that process, by the profrec that runs it; 0: none */
	char **command;
};

/* Reads the command line. -1: go on; else the code to exit with. */
int options_read(struct wishes *w, int argc, char **argv);

/* ---- Launching ---- */

/* Whether the command can be recorded; else says why not. path[size] becomes
   what execvp() would run. */
bool launch_check(const char *command, char *path, size_t size);

/* A listening socket; name[size] becomes its (abstract) name. -1: told. */
int launch_listen(char *name, size_t size);

/* Starts the command with our library in it. -1: told. */
pid_t launch_start(const struct wishes *w, const char *socket_name);

/* Asks the profrec that runs process pid for a dump. False: told. */
bool launch_ask_dump(pid_t pid);

/* ---- Output ---- */

/* One image of a program: a process until it ends or execs. */
struct image {
	struct image *next;
	struct prof_target *target;
	struct prof_recorder recorder;
	FILE *spool;  /* the recording; a file without a name */
	FILE *tables; /* while a dump is made: all but the CPU samples */
	unsigned n_dumps;
	pid_t pid;
	bool is_command; /* the process that was started */
	bool was_replaced; /* by exec */
	bool has_ended;
};

/* NULL: told. */
struct image *image_new(const struct wishes *w, pid_t pid);
void image_free(struct image *image);
/* Takes what is new. False: told. */
bool image_drain(struct image *image);
/* Writes the files and says what is in them. False: told. */
bool image_finish(struct image *image, const struct wishes *w);

/* Writes profiles of what there is so far; the program goes on. */
bool image_dump(struct image *image, const struct wishes *w);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
