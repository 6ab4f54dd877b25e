/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

__attribute__((format(printf, 4, 5)))
static enum prof_status fail(struct prof_error *err, enum prof_status status,
                             int sys_errno, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return status;
	*err = (struct prof_error){ .status = status, .sys_errno = sys_errno,
		                    .offset = UINT64_MAX };
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return status;
}

/* posix_spawnp's errno. */
static int start(pid_t *pid, const char *const *argv, int input, int output)
{
	posix_spawn_file_actions_t actions;
	int code = posix_spawn_file_actions_init(&actions);

	if (code != 0)
		return code;
	if (input >= 0)
		code = posix_spawn_file_actions_adddup2(&actions, input, 0);
	else
		code = posix_spawn_file_actions_addopen(&actions, 0,
		                                        "/dev/null",
		                                        O_RDONLY, 0);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(&actions, output, 1);
	/* It takes strings that it may not change, but not as const. */
	if (code == 0)
		code = posix_spawnp(pid, argv[0], &actions, NULL,
		                    (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static enum prof_status copy(const char *name, int from, struct prof_sink sink,
                             struct prof_error *err)
{
	char buffer[65536];
	ssize_t n;

	for (;;) {
		int code;

		n = read(from, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, PROF_SYSTEM, errno, "%s: %s", name,
			            strerror(errno));
		if (n == 0)
			return PROF_OK;
		code = sink.write(sink.ctx, buffer, (size_t)n);
		if (code != 0)
			return fail(err, PROF_SYSTEM, -code, "%s",
			            strerror(-code));
	}
}

enum prof_status child_run(const char *const *argv, int input,
                           struct prof_sink sink, struct prof_error *err)
{
	enum prof_status status;
	int ends[2], code, how = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail(err, PROF_SYSTEM, errno, "%s", strerror(errno));
	code = start(&pid, argv, input, ends[1]);
	close(ends[1]);
	if (code != 0) {
		close(ends[0]);
		return fail(err, PROF_SYSTEM, code, "%s: %s", argv[0],
		            strerror(code));
	}
	status = copy(argv[0], ends[0], sink, err);
	close(ends[0]);
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (status != PROF_OK || (WIFEXITED(how) && WEXITSTATUS(how) == 0))
		return status;
	return fail(err, PROF_INVALID, 0, "%s failed", argv[0]);
}

enum prof_status child_missing(struct prof_error *err, const char *message)
{
	return fail(err, PROF_UNSUPPORTED, 0, "%s", message);
}
