/* SPDX-License-Identifier: Apache-2.0 */
#include "profrec.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: profrec [OPTION]... [--] COMMAND [ARG]...\n"
	"\n"
	"Runs a command and records where it spends its time, with no change\n"
	"to it. What it recorded is safe whatever becomes of the command.\n"
	"\n"
	"What to record (CPU time where nothing is named):\n"
	"  --cpu[=HZ]           CPU time, HZ samples a second (100)\n"
	"  --heap[=BYTES]       allocations, one in BYTES on average (524288)\n"
	"  --block[=NS]         waiting, of NS nanoseconds or more (1)\n"
	"  --mutex[=N]          who lets others wait, one in N unlocks (1)\n"
	"  --thread             the stacks of all threads, when it exits, at\n"
	"                       --duration and at --dump\n"
	"  --wall[=HZ]          where threads are, running or not, HZ looks a\n"
	"                       second (100)\n"
	"  --threadcreate       where threads are made\n"
	"  --fd                 descriptors, streams and children that are\n"
	"                       left over\n"
	"  --source=NAME        of CPU samples: auto, perf, perf-user, timer\n"
	"  --label KEY=VALUE    a label for all CPU samples; may be repeated\n"
	"  --follow-children    child processes too\n"
	"  --dump=PID           write profiles of a process that runs under\n"
	"                       profrec, now; takes no command\n"
	"  --duration=SECONDS   stop recording then; the command goes on\n"
	"\n"
	"Output:\n"
	"  -o, --output=FILE    \"profrec.pb.gz\"; a name that ends in .raw or\n"
	"                       .prof is a raw recording of all kinds, else it\n"
	"                       is pprof. %p stands for the process id. More\n"
	"                       than one kind or process: one file for each\n"
	"  -q, --quiet          say nothing but errors\n"
	"      --help, --version\n"
	"\n"
	"The exit code is the command's.\n";

enum {
	OPT_CPU = 256, OPT_HEAP, OPT_BLOCK, OPT_MUTEX, OPT_WALL, OPT_THREAD,
	OPT_THREADCREATE,
	OPT_FD, OPT_SOURCE, OPT_LABEL, OPT_FOLLOW, OPT_DUMP, OPT_DURATION,
	OPT_HELP, OPT_VERSION
};

static const struct option rows[] = {
	{ "cpu", optional_argument, NULL, OPT_CPU },
	{ "heap", optional_argument, NULL, OPT_HEAP },
	{ "block", optional_argument, NULL, OPT_BLOCK },
	{ "mutex", optional_argument, NULL, OPT_MUTEX },
	{ "thread", no_argument, NULL, OPT_THREAD },
	{ "wall", optional_argument, NULL, OPT_WALL },
	{ "threadcreate", no_argument, NULL, OPT_THREADCREATE },
	{ "fd", no_argument, NULL, OPT_FD },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ "label", required_argument, NULL, OPT_LABEL },
	{ "follow-children", no_argument, NULL, OPT_FOLLOW },
	{ "dump", required_argument, NULL, OPT_DUMP },
	{ "duration", required_argument, NULL, OPT_DURATION },
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* A whole number from 1 to max; text NULL leaves *out alone. */
static bool number(int64_t *out, const char *text, int64_t max,
                   const char *what)
{
	char *end;
	long long v;

	if (!text)
		return true;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < 1 || v > max) {
		say("%s: \"%s\" is not a number from 1 to %lld", what, text,
		    (long long)max);
		return false;
	}
	*out = v;
	return true;
}

static bool seconds(double *out, const char *text)
{
	char *end;

	*out = strtod(text, &end);
	if (end == text || *end != '\0' || !(*out > 0 && *out < 1e9)) {
		say("--duration: \"%s\" is not a number of seconds", text);
		return false;
	}
	return true;
}

static bool source(enum prof_cpu_source *out, const char *text)
{
	static const char names[][12] = { "auto", "perf", "perf-user",
		                          "timer" };
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], text)) {
			*out = (enum prof_cpu_source)i;
			return true;
		}
	}
	say("--source: \"%s\" is not auto, perf, perf-user or timer", text);
	return false;
}

/* Splits "KEY=VALUE" in place. */
static bool label(struct wishes *w, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		say("--label: \"%s\" is not KEY=VALUE", text);
		return false;
	}
	if (w->target.n_labels == PROFREC_MAX_LABELS) {
		say("more than %d labels", PROFREC_MAX_LABELS);
		return false;
	}
	*equals = '\0';
	w->labels[w->target.n_labels++] =
		(struct prof_label_pair){ text, equals + 1 };
	return true;
}

/* What was printed is on its way: 0, or 1 and a message. */
static int finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	say("stdout: cannot write: %s", strerror(errno));
	return 1;
}

/* -1: go on; 2: told what is wrong; 0: done. */
static int take(struct wishes *w, int option)
{
	int64_t hz = 100, fraction = 1, pid = 0;
	bool is_good = true;

	switch (option) {
	case OPT_CPU:
		w->target.kinds |= PROF_TARGET_CPU;
		is_good = number(&hz, optarg, 1000000, "--cpu");
		w->target.cpu_hz = (uint32_t)hz;
		break;
	case OPT_HEAP:
		w->target.kinds |= PROF_TARGET_HEAP;
		is_good = number(&w->target.mem_rate, optarg, INT64_MAX,
		                 "--heap");
		break;
	case OPT_BLOCK:
		w->target.kinds |= PROF_TARGET_BLOCK;
		is_good = number(&w->target.block_rate_ns, optarg, INT64_MAX,
		                 "--block");
		break;
	case OPT_MUTEX:
		w->target.kinds |= PROF_TARGET_MUTEX;
		is_good = number(&fraction, optarg, INT32_MAX, "--mutex");
		w->target.mutex_fraction = (int32_t)fraction;
		break;
	case OPT_THREAD:
		w->target.kinds |= PROF_TARGET_THREAD;
		break;
	case OPT_WALL:
		w->target.kinds |= PROF_TARGET_WALL;
		is_good = number(&hz, optarg, 1000, "--wall");
		w->target.wall_hz = (uint32_t)hz;
		break;
	case OPT_THREADCREATE:
		w->target.kinds |= PROF_TARGET_THREADCREATE;
		break;
	case OPT_FD:
		w->target.kinds |= PROF_TARGET_FD;
		break;
	case OPT_SOURCE:
		is_good = source(&w->target.cpu_source, optarg);
		break;
	case OPT_LABEL:
		is_good = label(w, optarg);
		break;
	case OPT_FOLLOW:
		w->follow_children = true;
		break;
	case OPT_DUMP:
		is_good = number(&pid, optarg, INT32_MAX, "--dump");
		w->dump = (pid_t)pid;
		break;
	case OPT_DURATION:
		is_good = seconds(&w->duration, optarg);
		break;
	case 'o':
		w->output = optarg;
		break;
	case 'q':
		w->is_quiet = true;
		break;
	case OPT_HELP:
		fputs(help, stdout);
		return finish_output();
	case OPT_VERSION:
		printf("profrec %s\n", prof_version());
		return finish_output();
	default:
		return 2;
	}
	return is_good ? -1 : 2;
}

int options_read(struct wishes *w, int argc, char **argv)
{
	int option, code;

	w->output = "profrec.pb.gz";
	while ((option = getopt_long(argc, argv, "+o:q", rows, NULL)) != -1) {
		code = take(w, option);
		if (code >= 0)
			return code;
	}
	if (w->dump != 0 && optind == argc)
		return -1;
	if (optind == argc) {
		fputs("usage: profrec [OPTION]... [--] COMMAND [ARG]...\n"
		      "Try profrec --help.\n", stderr);
		return 2;
	}
	w->command = argv + optind;
	w->target.size = sizeof(w->target);
	w->target.labels = w->labels;
	w->target.command.ptr = w->command[0];
	w->target.command.len = strlen(w->command[0]);
	if (w->target.kinds == 0)
		w->target.kinds = PROF_TARGET_CPU;
	return -1;
}
