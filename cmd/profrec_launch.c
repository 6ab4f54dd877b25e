/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program with our library in it. What the dynamic loader would
 * ignore in silence (static and setuid programs, those of another word size)
 * is refused here with the reason.
 */
#include "profrec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- The program ---- */

/* As execvp(): a name without a slash is looked up in PATH. */
static bool find_program(const char *command, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;
	const size_t name_size = strlen(command) + 1;

	if (strchr(command, '/')) {
		if (name_size > size)
			return false;
		memcpy(path, command, name_size);
		return access(path, F_OK) == 0;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs = end) {
		const size_t dir_size = strcspn(dirs, ":");

		end = dirs + dir_size;
		end += *end == ':';
		if (dir_size + 1 + name_size > size)
			continue;
		memcpy(path, dirs, dir_size);
		path[dir_size] = '/';
		/* An empty directory is the one we are in. */
		memcpy(path + (dir_size ? dir_size + 1 : 0), command,
		       name_size);
		if (access(path, X_OK) == 0)
			return true;
	}
	errno = ENOENT;
	return false;
}

static bool has_interpreter(int fd, const Elf64_Ehdr *h)
{
	Elf64_Phdr p;
	unsigned i;

	for (i = 0; i < h->e_phnum; i++) {
		const off_t at = (off_t)(h->e_phoff + i * sizeof(p));

		if (pread(fd, &p, sizeof(p), at) != (ssize_t)sizeof(p))
			return false;
		if (p.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static const char *why_not_elf(int fd, const Elf64_Ehdr *h)
{
	if (h->e_ident[EI_CLASS] != ELFCLASS64)
		return "is a 32-bit program";
	if (h->e_machine != EM_X86_64)
		return "is a program for another processor";
	if (!has_interpreter(fd, h))
		return "is statically linked, so no library can be loaded "
		       "into it; link it with libprofile instead";
	return NULL;
}

static bool gains_privileges(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	     ((st.st_mode & S_ISGID) && st.st_gid != getgid())))
		return true;
	return getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* "#!/bin/sh -e": the interpreter in path[size]. */
static bool script_interpreter(const char *head, char *path, size_t size)
{
	if (strncmp(head, "#!", 2) != 0)
		return false;
	head += 2 + strspn(head + 2, " \t");
	snprintf(path, size, "%.*s", (int)strcspn(head, " \t\r\n"), head);
	return *path != '\0';
}

static bool check_file(const char *command, const char *path, int depth)
{
	union {
		Elf64_Ehdr elf;
		char text[256];
	} head = { .text = "" };
	char interpreter[256];
	const char *why = NULL;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == EACCES && access(path, X_OK) == 0)
		return true; /* may be run, not read: let it come */
	if (fd < 0) {
		say("%s: %s", path, strerror(errno));
		return false;
	}
	n = read(fd, head.text, sizeof(head.text) - 1);
	if (n >= (ssize_t)sizeof(head.elf) &&
	    !memcmp(head.elf.e_ident, ELFMAG, SELFMAG))
		why = why_not_elf(fd, &head.elf);
	else if (n > 2 && depth < 4 &&
	         script_interpreter(head.text, interpreter,
	                            sizeof(interpreter))) {
		close(fd);
		return check_file(command, interpreter, depth + 1);
	}
	if (!why && gains_privileges(fd))
		why = "runs with the rights of another user, so no library "
		      "can be loaded into it";
	close(fd);
	if (why)
		say("cannot record %s: %s %s", command, path, why);
	return !why;
}

bool launch_check(const char *command, char *path, size_t size)
{
	if (!find_program(command, path, size)) {
		say("%s: %s", command, strerror(errno));
		return false;
	}
	return check_file(command, path, 0);
}

/* ---- The socket ---- */

int launch_listen(char *name, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uint64_t random[2];
	int fd, n;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		say("no random numbers: %s", strerror(errno));
		return -1;
	}
	n = snprintf(name, size, "profrec-%016llx%016llx",
	             (unsigned long long)random[0],
	             (unsigned long long)random[1]);
	memcpy(address.sun_path + 1, name, (size_t)n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address,
	         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                     (size_t)n)) != 0 ||
	    listen(fd, 128) != 0) {
		say("cannot listen for the program: %s", strerror(errno));
		return -1;
	}
	return fd;
}

/* ---- Asking another profrec ---- */

/* The value of NAME= in /proc/PID/environ. */
static bool read_environment(char *value, size_t size, pid_t pid,
                             const char *name)
{
	char path[64], *text = NULL;
	size_t room = 0, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
	f = fopen(path, "r");
	while (f && !found && getdelim(&text, &room, '\0', f) > 0)
		if (!strncmp(text, name, strlen(name)))
			found = (size_t)snprintf(value, size, "%s",
			                         text + strlen(name));
	free(text);
	if (f)
		fclose(f);
	return found > 0 && found < size;
}

static void copy_rest(FILE *to, int fd)
{
	char text[1024];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		if (to)
			fwrite(text, 1, (size_t)n, to);
}

bool launch_ask_dump(pid_t pid, FILE *to)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[sizeof(address.sun_path) - 1], answer = 'N';
	char question[1 + sizeof(pid)] = "D";
	int fd;

	if (!read_environment(name, sizeof(name), pid, "PROFREC_SOCKET=")) {
		say("process %ld does not run under profrec", (long)pid);
		return false;
	}
	memcpy(address.sun_path + 1, name, strlen(name));
	memcpy(question + 1, &pid, sizeof(pid));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	                        strlen(name))) != 0 ||
	    send(fd, question, sizeof(question), MSG_NOSIGNAL) < 0 ||
	    recv(fd, &answer, 1, 0) < 0)
		say("no answer from the profrec of process %ld: %s", (long)pid,
		    strerror(errno));
	else if (answer != 'K')
		say("process %ld is not recorded", (long)pid);
	else
		copy_rest(to, fd);
	if (fd >= 0)
		close(fd);
	return answer == 'K';
}

/* ---- Starting ---- */

/* Beside this program as it was built, or as it was installed. */
static bool find_library(char *path, size_t size)
{
	static const char *const places[] = {
		"/../libprofile/libprofile-preload.so",
		"/../" PROFILE_LIBDIR "/libprofile-preload.so",
		"/libprofile-preload.so",
	};
	const char *named = getenv("PROFREC_PRELOAD");
	char self[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (named) {
		snprintf(path, size, "%s", named);
		return access(path, R_OK) == 0;
	}
	self[n > 0 ? n : 0] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s%s", self, places[i]);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static bool set_environment(const struct wishes *w, const char *socket_name)
{
	const char *others = getenv("LD_PRELOAD");
	char library[PATH_MAX], value[2 * PATH_MAX], real[PATH_MAX];

	if (!find_library(library, sizeof(library)) ||
	    !realpath(library, real)) {
		say("libprofile-preload.so is not where it should be; "
		    "PROFREC_PRELOAD may name it");
		return false;
	}
	snprintf(value, sizeof(value), "%s%s%s", real, others ? ":" : "",
	         others ? others : "");
	if (w->follow_children)
		setenv("PROFREC_FOLLOW", "1", 1);
	else
		unsetenv("PROFREC_FOLLOW");
	return setenv("LD_PRELOAD", value, 1) == 0 &&
	       setenv("PROFREC_SOCKET", socket_name, 1) == 0;
}

pid_t launch_start(const struct wishes *w, const char *socket_name)
{
	int failure[2], code = 0;
	pid_t pid;

	if (pipe2(failure, O_CLOEXEC) != 0) {
		say("cannot make a pipe: %s", strerror(errno));
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		close(failure[0]);
		signals_give_back();
		if (!set_environment(w, socket_name))
			_exit(127);
		execvp(w->command[0], w->command);
		code = errno;
		if (write(failure[1], &code, sizeof(code)) < 0)
			_exit(126);
		_exit(code == ENOENT ? 127 : 126);
	}
	close(failure[1]);
	if (pid < 0)
		say("cannot fork: %s", strerror(errno));
	else if (read(failure[0], &code, sizeof(code)) ==
	         (ssize_t)sizeof(code))
		say("%s: %s", w->command[0], strerror(code));
	close(failure[0]);
	return pid;
}
