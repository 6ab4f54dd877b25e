/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals and job control. The program is in our process group, so what is
 * sent to the group (the terminal's ^C, ^\ and ^Z, a shell's `kill %1`)
 * reaches it without us, and it may do with it what it likes: we end when it
 * ends and stop when it stops. To the shell we are the program.
 *
 * What is sent to us alone is to be passed on, and what is sent to the group
 * is not, or the program gets it twice. A signal does not tell: kill(PID) and
 * kill(-GROUP) look the same. So there is a witness, a process that does
 * nothing in our group: what is pending there was sent to all.
 */
#include "profrec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int ignored[] = { SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
static const int passed_on[] = { SIGINT, SIGQUIT, SIGTERM,
	                         SIGHUP, SIGUSR1, SIGUSR2 };

enum {
	N_IGNORED = sizeof(ignored) / sizeof(ignored[0]),
	N_PASSED_ON = sizeof(passed_on) / sizeof(passed_on[0])
};

static sigset_t old_mask;
static struct sigaction old_actions[N_IGNORED], old_child_action;
static volatile sig_atomic_t has_come[N_PASSED_ON];

static void on_signal(int signal)
{
	unsigned i;

	for (i = 0; i < N_PASSED_ON; i++)
		if (passed_on[i] == signal)
			has_come[i] = 1;
}

/* ---- The witness ---- */

static pid_t witness = -1;

/* Who kills by name, as `pkill -f profrec`, means us and not the witness. */
static void be_called(const char *name)
{
	char line[4096];
	const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char *to = program_invocation_name;
	ssize_t n;

	prctl(PR_SET_NAME, name);
	/* The arguments lie one behind the other, from the name on. */
	while (fd >= 0 && (n = read(fd, line, sizeof(line))) > 0)
		to += n;
	memset(program_invocation_name, 0,
	       (size_t)(to - program_invocation_name));
}

static void start_witness(void)
{
	const pid_t parent = getpid();
	sigset_t all;

	witness = fork();
	if (witness != 0)
		return;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_called("signal-witness");
	/* Who waits for the end of our output shall not wait for this one. */
	close_range(0, ~0u, 0);
	while (getppid() == parent)
		pause();
	_exit(0);
}

static void end_witness(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The signals the witness got, bit 0 for signal 1. */
static unsigned long long seen_by_witness(void)
{
	static const char key[] = "ShdPnd:";
	unsigned long long seen = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)witness);
	f = witness > 0 ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, sizeof(key) - 1))
			seen = strtoull(line + sizeof(key) - 1, NULL, 16);
	if (f)
		fclose(f);
	return seen;
}

/* ---- What comes ---- */

void signals_take(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	/* exec resets these, and not what is ignored. */
	const struct sigaction handle = { .sa_handler = on_signal };
	sigset_t ours;
	unsigned i;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	for (i = 0; i < N_PASSED_ON; i++)
		sigaddset(&ours, passed_on[i]);
	sigprocmask(SIG_BLOCK, &ours, &old_mask);
	for (i = 0; i < N_IGNORED; i++)
		sigaction(ignored[i], &ignore, &old_actions[i]);
	sigaction(SIGCHLD, &handle, &old_child_action);
}

void signals_end(void)
{
	end_witness(witness);
	witness = -1;
}

void signals_give_back(void)
{
	unsigned i;

	for (i = 0; i < N_IGNORED; i++)
		sigaction(ignored[i], &old_actions[i], NULL);
	sigaction(SIGCHLD, &old_child_action, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
}

void signals_wait(int fd, int ms)
{
	static bool is_handling;
	const struct sigaction handle = { .sa_handler = on_signal };
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t none;
	unsigned i;

	/* Not before the start: what nohup ignores the program shall too. */
	for (i = 0; !is_handling && i < N_PASSED_ON; i++)
		sigaction(passed_on[i], &handle, NULL);
	/* Nor the witness: our first child is the program. */
	if (!is_handling)
		start_witness();
	is_handling = true;
	sigemptyset(&none);
	ppoll(&p, 1, &t, &none);
}

/* Whether the program has a signal that came to us. */
static bool has_gone_to_all(int signal, unsigned long long seen)
{
	/* Who sends these to one process is rarer than the terminal. */
	if (witness <= 0)
		return signal == SIGINT || signal == SIGQUIT;
	return seen >> (signal - 1) & 1;
}

void signals_pass_on(pid_t pid)
{
	/* kill(-1) comes to each at a time of its own. */
	const struct timespec soon = { 0, 2000000 };
	const pid_t old = witness;
	unsigned long long seen = 0;
	bool was_looked = false;
	unsigned i;

	for (i = 0; i < N_PASSED_ON; i++) {
		if (!has_come[i])
			continue;
		has_come[i] = 0;
		if (!was_looked) {
			nanosleep(&soon, NULL);
			seen = seen_by_witness();
			was_looked = true;
		}
		if (!has_gone_to_all(passed_on[i], seen))
			kill(pid, passed_on[i]);
	}
	/* What was seen stays so: the next needs another who has not. */
	if (seen != 0) {
		start_witness();
		end_witness(old);
	}
}

/* Whether a shell with job control waits for this group. */
static bool is_in_foreground(void)
{
	return tcgetpgrp(STDERR_FILENO) == getpgrp() ||
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void signals_stop_with(pid_t pid, int signal_number)
{
	siginfo_t info = { .si_pid = 0 };
	sigset_t set, old;

	/* Who stops the program alone, a debugger say, will go on alone. */
	if (signal_number == SIGSTOP && !is_in_foreground())
		return;
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, &old);
	if (signal_number != SIGSTOP)
		signal(signal_number, SIG_DFL);
	raise(signal_number);
	if (signal_number != SIGSTOP)
		signal(signal_number, SIG_IGN);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* A shell continues the whole group; another may have only us. */
	if (waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOHANG) == 0 &&
	    info.si_pid == 0)
		kill(pid, SIGCONT);
}
