/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profrec: runs a program and records its profiles.
 *
 * The program's sampler writes into memory that it shares with us; we drain
 * it every 50 ms and do everything else. The program's input, output, exit
 * code, signals and place in the session are its own: it is a child in our
 * process group, we ignore what the terminal sends to both, stop when it is
 * stopped, and end as it did.
 */
#include "profrec.h"

#include "message.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	message_write("profrec", format, ap);
	va_end(ap);
}

struct session {
	const struct wishes *w;
	struct image *images; /* the newest first */
	int listener;
	pid_t command;
	int status;           /* of the command, once has_exited */
	bool has_exited, has_failed, is_stopped;
	double started, shown, top_due;
	bool shows_progress;
	char top[200];
};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- Programs that come ---- */

static bool send_state(int fd, int state_fd)
{
	char byte = 'S', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec io = { &byte, 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1,
		                  .msg_control = control,
		                  .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &state_fd, sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

/*
 * A process that comes again has exec'ed: what it was has ended. Its files
 * have names that none of the process has had. Returns its number of dumps.
 */
static unsigned finish_former(struct session *s, pid_t pid)
{
	unsigned nth = 1, n_dumps = 0;
	struct image *i;

	for (i = s->images; i; i = i->next) {
		if (i->pid != pid)
			continue;
		nth += i->nth_replaced != 0 && i->has_files;
		n_dumps = i->n_dumps > n_dumps ? i->n_dumps : n_dumps;
	}
	for (i = s->images; i; i = i->next) {
		if (i->pid != pid || i->has_ended)
			continue;
		i->nth_replaced = nth;
		s->has_failed |= !image_finish(i, s->w);
	}
	return n_dumps;
}

/* What is left unread when a socket is closed takes the answer with it. */
static char read_hello(int fd)
{
	const struct timeval patience = { 1, 0 };
	char byte = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return recv(fd, &byte, 1, 0) == 1 ? byte : 0;
}

/* Another profrec wants files of what there is so far. It gets a letter,
   and lines of what was written. */
static void dump(struct session *s, int fd)
{
	struct image *i = NULL;
	char *lines = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&lines, &size);
	bool is_done = false;
	pid_t pid;

	if (!to)
		return;
	if (recv(fd, &pid, sizeof(pid), 0) == (ssize_t)sizeof(pid))
		for (i = s->images; i && (i->pid != pid || i->has_ended);)
			i = i->next;
	if (i && image_drain(i))
		is_done = image_dump(i, s->w, to);
	if (fclose(to) == 0 &&
	    send(fd, is_done ? "K" : "N", 1, MSG_NOSIGNAL) == 1)
		send(fd, lines, size, MSG_NOSIGNAL);
	free(lines);
}

/* The effective user of a process, by /proc/PID/status, as the owner of the
   folder is root where a program has changed its user. False: none. */
static bool get_user(pid_t pid, uid_t *uid)
{
	char name[48], line[128];
	unsigned real, effective;
	bool is_found = false;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/status", (long)pid);
	f = fopen(name, "re");
	if (!f)
		return false;
	while (!is_found && fgets(line, sizeof(line), f))
		is_found = sscanf(line, "Uid: %u %u", &real, &effective) == 2;
	fclose(f);
	if (is_found)
		*uid = effective;
	return is_found;
}

/* Everybody can read the socket's name: no strangers, least of all where we
   are root. */
static bool is_trusted(const struct session *s, const struct ucred *peer)
{
	uid_t uid;

	return peer->uid == geteuid() || peer->uid == 0 ||
	       peer->pid == s->command ||
	       (get_user(s->command, &uid) && peer->uid == uid);
}

static void welcome(struct session *s, int fd)
{
	struct ucred peer = { 0, 0, 0 };
	socklen_t size = sizeof(peer);
	struct image *image;
	unsigned n_dumps;
	char hello;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    !is_trusted(s, &peer))
		return;
	hello = read_hello(fd);
	if (hello == 'D')
		dump(s, fd);
	if (hello != 'B' || s->is_stopped ||
	    (peer.pid != s->command && !s->w->follow_children))
		return;
	image = image_new(s->w, peer.pid);
	s->has_failed |= !image;
	if (image && !send_state(fd, prof_target_fd(image->target))) {
		image_free(image);
		image = NULL;
	}
	/* To write what it was takes its time, and the program waits for us no
	   longer than five seconds. */
	n_dumps = finish_former(s, peer.pid);
	if (!image)
		return;
	image->n_dumps = n_dumps;
	image->is_command = peer.pid == s->command;
	image->next = s->images;
	s->images = image;
}

static void accept_all(struct session *s)
{
	int fd;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		welcome(s, fd);
		close(fd);
	}
}

/* ---- While it runs ---- */

static void drain_all(struct session *s)
{
	struct image *i;

	for (i = s->images; i; i = i->next) {
		s->has_failed |= !image_drain(i);
		if (!i->is_command && !i->has_ended && kill(i->pid, 0) != 0 &&
		    errno == ESRCH)
			s->has_failed |= !image_finish(i, s->w);
	}
}

/*
 * The top function is found by a whole profile, so it is looked for the less
 * often the longer that takes: in a twentieth of the time.
 */
static void find_top(struct session *s, double now)
{
	const struct image *i = s->images;

	if (!i || i->has_ended || now < s->top_due ||
	    !(s->w->target.kinds & PROF_TARGET_CPU))
		return;
	image_top(s->top, sizeof(s->top), i);
	s->top_due = now + 1 + 20 * (seconds_now() - now);
}

static void show_progress(struct session *s)
{
	const double now = seconds_now();
	struct live live = { .seconds = now - s->started, .top = s->top };
	struct prof_cpu_counts c;
	struct image *i;

	if (!s->shows_progress || now < s->shown + 0.5 ||
	    tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	s->shown = now;
	find_top(s, now);
	for (i = s->images; i; i = i->next) {
		prof_target_get_counts(i->target, &c);
		live.samples += c.records;
		live.lost += c.lost;
	}
	summary_live(&live);
}

static void clear_progress(struct session *s)
{
	if (s->shown > 0)
		fputs("\r\033[K", stderr);
	s->shown = 0;
}

static void stop_if_due(struct session *s)
{
	struct image *i;

	if (s->is_stopped || s->w->duration == 0 ||
	    seconds_now() - s->started < s->w->duration)
		return;
	s->is_stopped = true;
	for (i = s->images; i; i = i->next) {
		if (!i->has_ended)
			prof_target_take_threads(i->target);
		prof_target_stop(i->target);
		s->has_failed |= !image_finish(i, s->w);
	}
}

static void look_at_command(struct session *s)
{
	const pid_t pid = waitpid(s->command, &s->status, WNOHANG | WUNTRACED);

	if (pid == s->command && WIFSTOPPED(s->status)) {
		clear_progress(s);
		signals_stop_with(pid, WSTOPSIG(s->status));
	} else if (pid != 0) {
		s->has_exited = true;
	}
}

static void run(struct session *s)
{
	while (!s->has_exited) {
		signals_wait(s->listener, s->is_stopped ? 500 : 50);
		accept_all(s);
		drain_all(s);
		stop_if_due(s);
		show_progress(s);
		signals_pass_on(s->command);
		look_at_command(s);
	}
	accept_all(s);
	clear_progress(s);
}

/* Ends as the program did. */
static int exit_like(int status)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t none;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static bool finish(struct session *s)
{
	struct image *i, *next;
	bool was_any = false;

	for (i = s->images; i; i = i->next) {
		was_any = true;
		s->has_failed |= !image_finish(i, s->w);
	}
	if (!was_any)
		say("%s never loaded libprofile-preload: nothing was recorded",
		    s->w->command[0]);
	for (i = s->images; i; i = next) {
		next = i->next;
		image_free(i);
	}
	return was_any && !s->has_failed;
}

int main(int argc, char **argv)
{
	static struct wishes w;
	struct session s = { .w = &w };
	char name[64], path[PATH_MAX];
	int code = options_read(&w, argc, argv);

	if (code >= 0)
		return code;
	if (w.dump != 0)
		return launch_ask_dump(w.dump, w.is_quiet ? NULL : stderr) ? 0 : 1;
	if (!launch_check(w.command[0], path, sizeof(path)))
		return errno == ENOENT ? 127 : 126;
	if (!output_check(&w))
		return 1;
	s.listener = launch_listen(name, sizeof(name));
	if (s.listener < 0)
		return 1;
	signals_take();
	s.command = launch_start(&w, name);
	if (s.command < 0)
		return 1;
	s.started = seconds_now();
	s.shows_progress = !w.is_quiet && isatty(STDERR_FILENO);
	run(&s);
	signals_end();
	code = finish(&s) ? 0 : 1;
	fflush(stderr);
	return s.status == 0 ? code : exit_like(s.status);
}
