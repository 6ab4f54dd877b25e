/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does what breaks samplers: run under profrec at a high rate
 * it must still end with 0. Each row is done for a while.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static void spin_ms(int ms)
{
	struct timespec t;
	volatile unsigned i;
	long end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	do {
		for (i = 0; i < 1000; i++)
			;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	} while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < end);
}

static int fail(const char *what)
{
	fprintf(stderr, "torture: %s: %s\n", what, strerror(errno));
	return 1;
}

static void *spin_thread(void *ms)
{
	spin_ms((int)(long)ms);
	return NULL;
}

static int small_stacks(void)
{
	pthread_attr_t attr;
	pthread_t threads[8];
	int i;

	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, 16384) != 0)
		return fail("a stack of 16 KiB");
	for (i = 0; i < 8; i++)
		if (pthread_create(&threads[i], &attr, spin_thread,
		                   (void *)20) != 0)
			return fail("pthread_create");
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static int thread_churn(void)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 2000; i++) {
		if (pthread_create(&thread, NULL, spin_thread, NULL) != 0)
			return fail("pthread_create");
		pthread_join(thread, NULL);
	}
	return 0;
}

/* All that the sampler keeps in tables, at once and while others fork. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int is_over;

static void use_tables(void)
{
	void *block = malloc(5000);
	int fds[2];

	pthread_mutex_lock(&shared_lock);
	if (pipe(fds) == 0) {
		close(fds[0]);
		close(fds[1]);
	}
	pthread_mutex_unlock(&shared_lock);
	free(block);
}

static void *use_tables_for_long(void *unused)
{
	/* A mutex is not fair: who forks is to have it in time. */
	while (!is_over) {
		use_tables();
		usleep(50);
	}
	return unused;
}

static void lock_shared(void)
{
	pthread_mutex_lock(&shared_lock);
}

static void unlock_shared(void)
{
	pthread_mutex_unlock(&shared_lock);
}

static int forks_among_threads(void)
{
	pthread_t threads[4];
	int i, status;
	pid_t pid;

	pthread_atfork(lock_shared, unlock_shared, unlock_shared);
	for (i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, use_tables_for_long,
		                   NULL) != 0)
			return fail("pthread_create");
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (pid == 0) {
			pthread_t thread;

			use_tables();
			spin_ms(2);
			pthread_create(&thread, NULL, spin_thread, (void *)1);
			pthread_join(thread, NULL);
			if (i % 2)
				execlp("true", "true", (char *)NULL);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return fail("fork among threads");
	}
	is_over = 1;
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void *exit_thread(void *unused)
{
	(void)unused;
	spin_ms(1);
	pthread_exit((void *)7);
}

static void *wait_to_be_cancelled(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static int c11_thread(void *seven)
{
	spin_ms(1);
	return *(int *)seven;
}

static int odd_ends(void)
{
	int seven = 7, got = 0;
	pthread_t thread;
	thrd_t c11;
	void *value = NULL;

	if (thrd_create(&c11, c11_thread, &seven) != thrd_success ||
	    thrd_join(c11, &got) != thrd_success || got != 7)
		return fail("thrd_create");

	pthread_create(&thread, NULL, exit_thread, NULL);
	pthread_join(thread, &value);
	if (value != (void *)7)
		return fail("pthread_exit");
	pthread_create(&thread, NULL, wait_to_be_cancelled, NULL);
	pthread_cancel(thread);
	pthread_join(thread, &value);
	return value == PTHREAD_CANCELED ? 0 : fail("pthread_cancel");
}

static int processes(void)
{
	char *const argv[] = { "true", NULL };
	int i, status;
	pid_t pid;

	for (i = 0; i < 40; i++) {
		pid = i % 2 ? fork() : vfork();
		if (pid == 0) {
			execvp("true", argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return fail("fork and exec");
		spin_ms(2);
	}
	if (system("exit 3") != 3 << 8)
		return fail("system");
	errno = 0;
	execl("/absent", "absent", (char *)NULL);
	if (errno != ENOENT)
		return fail("exec of nothing");
	spin_ms(20);
	return 0;
}

static int libraries(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		void *m = dlopen("libm.so.6", RTLD_NOW);
		double (*f)(double);
		void *symbol = m ? dlsym(m, "cbrt") : NULL;

		if (!symbol)
			return fail("dlopen");
		memcpy(&f, &symbol, sizeof(f));
		if (f(27) < 2.9)
			return fail("cbrt");
		spin_ms(1);
		dlclose(m);
	}
	return 0;
}

static volatile sig_atomic_t n_own;

static void own_handler(int signal)
{
	(void)signal;
	n_own++;
}

static int signals(void)
{
	const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = own_handler }, old;
	sigset_t all;

	if (sigaction(SIGPROF, &action, NULL) != 0 ||
	    sigaction(SIGPROF, NULL, &old) != 0 ||
	    old.sa_handler != own_handler)
		return fail("sigaction");
	setitimer(ITIMER_PROF, &often, NULL);
	spin_ms(200);
	setitimer(ITIMER_PROF, &never, NULL);
	if (n_own == 0)
		return fail("the program's own SIGPROF");
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	spin_ms(20);
	pthread_sigmask(SIG_UNBLOCK, &all, NULL);
	return 0;
}

/* What a handler may call, amid the same in the thread that it interrupts;
   now and then it forks. */
static void calling_handler(int signal)
{
	const int saved_errno = errno;
	int fd = open("/dev/null", O_RDONLY), status;
	pid_t pid = 0;

	(void)signal;
	close(fd);
	if (n_own++ % 64 == 0) {
		pid = fork();
		if (pid == 0)
			_exit(0);
	}
	waitpid(pid > 0 ? pid : -1, &status, pid > 0 ? 0 : WNOHANG);
	errno = saved_errno;
}

static int calls_in_handlers(void)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	int i, fds[2];

	n_own = 0;
	signal(SIGALRM, calling_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < 20000; i++)
		if (pipe(fds) == 0) {
			close(fds[0]);
			close(fds[1]);
		}
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_DFL);
	return n_own > 0 ? 0 : fail("no signal came");
}

static ucontext_t main_context, coroutine;

static void coroutine_main(void)
{
	int i;

	for (i = 0; i < 50; i++) {
		spin_ms(1);
		swapcontext(&coroutine, &main_context);
	}
}

/* On stacks that end where memory ends. */
static int coroutines(void)
{
	char *memory = mmap(NULL, 131072, PROT_NONE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	if (memory == MAP_FAILED ||
	    mprotect(memory + 4096, 65536, PROT_READ | PROT_WRITE) != 0)
		return fail("mmap");
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = memory + 4096;
	coroutine.uc_stack.ss_size = 65536;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, coroutine_main, 0);
	for (i = 0; i < 50; i++)
		swapcontext(&main_context, &coroutine);
	return 0;
}

static int calls_are_not_interrupted(void)
{
	const struct timespec bit = { 0, 1000000 };
	int i, n = 0;

	for (i = 0; i < 100; i++) {
		spin_ms(1);
		n += nanosleep(&bit, NULL) != 0 && errno == EINTR;
	}
	return n <= 5 ? 0 : fail("EINTR");
}

static int wild_allocation(void)
{
	void *blocks[64] = { NULL };
	unsigned seed = 1, i;

	for (i = 0; i < 200000; i++) {
		const unsigned k = (seed = seed * 1103515245 + 12345) >> 26;

		blocks[k] = realloc(blocks[k], (seed >> 8) % 5000 + 1);
		if (!blocks[k])
			return fail("realloc");
	}
	for (i = 0; i < 64; i++)
		free(blocks[i]);
	return 0;
}

/* Becomes itself n times: a signal that is late must not end the new one. */
static void become_itself(char **argv, const char *n)
{
	char next[16];

	spin_ms(10);
	if (atoi(n) == 0)
		return;
	snprintf(next, sizeof(next), "%d", atoi(n) - 1);
	argv[1] = next;
	execv("/proc/self/exe", argv);
	abort();
}

int main(int argc, char **argv)
{
	char *again[] = { argv[0], NULL, NULL };

	if (argc > 1 && !strcmp(argv[1], "calls"))
		return calls_in_handlers();
	if (argc > 1 && !strcmp(argv[1], "forks"))
		return forks_among_threads();
	become_itself(again, argc > 1 ? argv[1] : "20");
	return small_stacks() || thread_churn() || forks_among_threads() ||
	       odd_ends() || processes() || libraries() || signals() ||
	       calls_in_handlers() || coroutines() || calls_are_not_interrupted() ||
	       wild_allocation();
}
