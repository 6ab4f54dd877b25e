/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec, exit, dlclose, and the signal that is ours.
 *
 * A signal that is pending when the program is replaced finds no handler in
 * the new one and ends it, so exec takes ours back first. The signal is kept
 * out of the masks that the program sets, and a handler the program sets for
 * it becomes the one that gets what is not ours.
 */
#include "sampler/preload.h"

#include "sampler/cpu.h"
#include "sampler/modules.h"
#include "sampler/unwind.h"
#include "sampler/wall.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Exec ---- */

static void before_exec(void)
{
	if (preload_is_own_process()) {
		wall_pause();
		cpu_before_exec();
	}
}

static int after_exec(int result)
{
	const int saved_errno = errno;

	if (preload_is_own_process()) {
		cpu_after_failed_exec();
		wall_resume();
	}
	errno = saved_errno;
	return result;
}

HOOK int execve(const char *path, char *const argv[], char *const envp[])
{
	NEXT(execve);
	before_exec();
	return after_exec(next(path, argv, envp));
}

HOOK int execvpe(const char *file, char *const argv[], char *const envp[])
{
	NEXT(execvpe);
	before_exec();
	return after_exec(next(file, argv, envp));
}

HOOK int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

HOOK int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

HOOK int fexecve(int fd, char *const argv[], char *const envp[])
{
	NEXT(fexecve);
	before_exec();
	return after_exec(next(fd, argv, envp));
}

HOOK int execveat(int fd, const char *path, char *const argv[],
                  char *const envp[], int flags)
{
	NEXT(execveat);
	before_exec();
	return after_exec(next(fd, path, argv, envp, flags));
}

/*
 * The argument list of execl() and its kin as an array on pages of its own;
 * envp, where it is asked for, is what follows the list.
 */
static char **gather(const char *arg, va_list ap, char *const **envp)
{
	enum { MAX = 1 << 16 };
	char **argv = mmap(NULL, MAX * sizeof(*argv), PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t n = 0;

	if (argv == MAP_FAILED)
		return NULL;
	for (; arg && n < MAX - 1; arg = va_arg(ap, const char *))
		memcpy(&argv[n++], &arg, sizeof(arg)); /* drops const */
	if (arg) {
		munmap(argv, MAX * sizeof(*argv));
		return NULL;
	}
	if (envp)
		*envp = va_arg(ap, char *const *);
	return argv;
}

static int no_room(void)
{
	errno = E2BIG;
	return -1;
}

HOOK int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	argv = gather(arg, ap, NULL);
	va_end(ap);
	return argv ? execve(path, argv, environ) : no_room();
}

HOOK int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	va_start(ap, arg);
	argv = gather(arg, ap, NULL);
	va_end(ap);
	return argv ? execvpe(file, argv, environ) : no_room();
}

HOOK int execle(const char *path, const char *arg, ...)
{
	char *const *envp = environ;
	char **argv;
	va_list ap;

	va_start(ap, arg);
	argv = gather(arg, ap, &envp);
	va_end(ap);
	return argv ? execve(path, argv, envp) : no_room();
}

/* ---- Exit ---- */

HOOK _Noreturn void _exit(int status)
{
	preload_finish();
	for (;;)
		syscall(SYS_exit_group, status);
}

HOOK _Noreturn void _Exit(int status)
{
	_exit(status);
}

/* ---- Unloading ---- */

HOOK int dlclose(void *handle)
{
	int result;

	NEXT(dlclose);
	result = next(handle);
	unwind_flush();
	modules_after_unload();
	return result;
}

/* ---- Our signal ---- */

static bool is_ours(int signal)
{
	return signal == CPU_SIGNAL && cpu_signal_is_used();
}

HOOK int sigaction(int signal, const struct sigaction *action,
                   struct sigaction *old)
{
	struct sigaction before;

	NEXT(sigaction);
	if (!is_ours(signal) ||
	    (action && action->sa_sigaction == cpu_on_signal))
		return next(signal, action, old);
	before = cpu_chained;
	if (action)
		cpu_chained = *action;
	if (old)
		*old = before;
	return 0;
}

HOOK sighandler_t signal(int signal_number, sighandler_t handler)
{
	struct sigaction action, old;

	NEXT(signal);
	if (!is_ours(signal_number))
		return next(signal_number, handler);
	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	sigaction(signal_number, &action, &old);
	return old.sa_flags & SA_SIGINFO ? SIG_DFL : old.sa_handler;
}

/* The set without our signal, where it would be blocked. */
static const sigset_t *spare(sigset_t *copy, int how, const sigset_t *set)
{
	if (!set || how == SIG_UNBLOCK || !is_ours(CPU_SIGNAL))
		return set;
	*copy = *set;
	sigdelset(copy, CPU_SIGNAL);
	return copy;
}

HOOK int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t copy;

	NEXT(sigprocmask);
	return next(how, spare(&copy, how, set), old);
}

HOOK int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t copy;

	NEXT(pthread_sigmask);
	return next(how, spare(&copy, how, set), old);
}
