/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes. system() and popen() wait for theirs themselves.
 */
#include "sampler/preload_left.h"

#include <pty.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

HOOK pid_t fork(void)
{
	REGS_OF_CALLER(regs);
	NEXT(fork);
	return left_child(next(), &regs);
}

HOOK int forkpty(int *master, char *name, const struct termios *terminal,
                 const struct winsize *size)
{
	pid_t pid;
	REGS_OF_CALLER(regs);

	NEXT(forkpty);
	pid = next(master, name, terminal, size);
	if (pid > 0)
		left_fd(*master, &regs);
	return left_child(pid, &regs);
}

#define SPAWNS(name)                                                          \
	HOOK int name(pid_t *pid, const char *file,                           \
	              const posix_spawn_file_actions_t *actions,              \
	              const posix_spawnattr_t *attr, char *const argv[],      \
	              char *const envp[])                                     \
	{                                                                     \
		pid_t child = 0;                                              \
		int result;                                                   \
		REGS_OF_CALLER(regs);                                         \
                                                                              \
		NEXT(name);                                                   \
		result = next(&child, file, actions, attr, argv, envp);       \
		if (result == 0)                                              \
			left_child(child, &regs);                             \
		if (result == 0 && pid)                                       \
			*pid = child;                                         \
		return result;                                                \
	}

SPAWNS(posix_spawn)
SPAWNS(posix_spawnp)

/* Stopped is not gone. */
static pid_t waited_for(pid_t pid, int status)
{
	if (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)))
		left_forget(COUNTS_CHILD, (uint64_t)pid);
	return pid;
}

/* A function that waits, and looks at the status though the program may not
   want it. */
#define WAITS(name, parameters, arguments)                                    \
	HOOK pid_t name parameters                                            \
	{                                                                     \
		int ours = 0;                                                 \
		pid_t pid;                                                    \
                                                                              \
		NEXT(name);                                                   \
		if (!status)                                                  \
			status = &ours;                                       \
		pid = next arguments;                                         \
		return waited_for(pid, *status);                              \
	}

WAITS(wait, (int *status), (status))
WAITS(waitpid, (pid_t which, int *status, int options),
      (which, status, options))
WAITS(wait3, (int *status, int options, struct rusage *usage),
      (status, options, usage))
WAITS(wait4, (pid_t which, int *status, int options, struct rusage *usage),
      (which, status, options, usage))

HOOK int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t ours = { .si_pid = 0 };
	int result;

	NEXT(waitid);
	if (!info)
		info = &ours;
	result = next(type, id, info, options);
	if (result == 0 && info->si_pid > 0 && !(options & WNOWAIT) &&
	    (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	     info->si_code == CLD_DUMPED))
		left_forget(COUNTS_CHILD, (uint64_t)info->si_pid);
	return result;
}

/* ---- vfork ---- */

/*
 * It returns twice on one stack, so no function can stand around it: the call
 * is made as glibc makes it, and in the parent goes on in vfork_made().
 */
__attribute__((visibility("hidden"))) pid_t vfork_made(long pid);

pid_t vfork_made(long pid)
{
	REGS_OF_CALLER(regs);

	if (pid >= 0)
		return left_child((pid_t)pid, &regs);
	errno = (int)-pid;
	return -1;
}

#ifdef MACHINE_VFORK
MACHINE_VFORK("vfork_made");
#endif
