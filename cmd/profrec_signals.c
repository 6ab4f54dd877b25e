/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals and job control. The program is in our process group, so the
 * terminal's ^C, ^\ and ^Z reach it without us, and it may do with them what
 * it likes: we ignore them, end when it ends and stop when it stops. To the
 * shell we are the program.
 */
#include "profrec.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int ignored[] = { SIGINT,  SIGQUIT, SIGPIPE,
	                       SIGTSTP, SIGTTIN, SIGTTOU };
static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

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
	is_handling = true;
	sigemptyset(&none);
	ppoll(&p, 1, &t, &none);
}

void signals_pass_on(pid_t pid)
{
	unsigned i;

	for (i = 0; i < N_PASSED_ON; i++) {
		if (!has_come[i])
			continue;
		has_come[i] = 0;
		kill(pid, passed_on[i]);
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
