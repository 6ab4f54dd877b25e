/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PROFREC_H
#define CMD_PROFREC_H

/*
 * The parts of profrec: what the user wants (options), the program to run
 * (launch, signals), and what comes out (output, summary).
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

/* Starts the command with our library in it, and with the signals that we
   were started with. -1: told. */
pid_t launch_start(const struct wishes *w, const char *socket_name);

/* Asks the profrec that runs process pid for a dump, and tells what it
   wrote. False: told. */
bool launch_ask_dump(pid_t pid, FILE *to);

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
	unsigned nth_replaced; /* by exec, of its process; 0: it was not */
	bool is_command; /* the process that was started */
	bool has_ended, has_files;
};

/* NULL: told. */
struct image *image_new(const struct wishes *w, pid_t pid);
void image_free(struct image *image);
/* Takes what is new. False: told. */
bool image_drain(struct image *image);
/* Writes the files and says what is in them. False: told. */
bool image_finish(struct image *image, const struct wishes *w);

/* Writes profiles of what there is so far, and lines of which to `to`; the
   program goes on. */
bool image_dump(struct image *image, const struct wishes *w, FILE *to);
/* The hottest function so far, "" where that is not known. */
void image_top(char *out, size_t size, const struct image *image);

/* Whether the wished files can be written; else says why not. */
bool output_check(const struct wishes *w);

/* ---- Signals ---- */

/*
 * What is sent to the process group, by the terminal say, goes to the program
 * as well, so it is not for us; what is sent to us alone is passed on. Signals
 * wait until signals_wait(). Before the program is started.
 */
void signals_take(void);
/* After the program's end: nothing is passed on any more. */
void signals_end(void);
/* In the child: as they were. */
void signals_give_back(void);
/* Waits for input on fd, a signal, or ms milliseconds. */
void signals_wait(int fd, int ms);
void signals_pass_on(pid_t pid);
/* The program was stopped by that signal: so are we, if a shell waits for it
   to happen. Returns when both go on. */
void signals_stop_with(pid_t pid, int signal);

/* ---- Telling ---- */

/* The five functions with the most in them. */
void summary_hottest(FILE *to, const struct prof_profile *p);
/* The first of them: "42 % main". */
void summary_top(char *out, size_t size, const struct prof_profile *p);
void summary_counts(FILE *to, pid_t pid, const struct prof_cpu_counts *c);

struct live {
	double seconds;
	uint64_t samples, lost;
	const char *top; /* of summary_top() */
};
void summary_live(const struct live *l);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
