/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that no C compiler makes: the kernel's, the vDSO's, longjmp's, those
 * of assembly.
 */
#include "stepper.h"

#include <dlfcn.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <wchar.h>

static volatile unsigned sink;

static void on_signal(int signal, siginfo_t *info, void *ucontext)
{
	STEP_IN_HANDLER(ucontext);
	(void)info;
	sink++;
	if (signal == SIGUSR1)
		raise(SIGUSR2); /* one in the other */
}

static void install(int signal, int flags)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | flags,
		                    .sa_sigaction = on_signal };

	sigaction(signal, &action, NULL);
}

void victim_signals(void)
{
	install(SIGUSR1, 0);
	install(SIGUSR2, 0);
	raise(SIGUSR1);
	install(SIGUSR1, SA_ONSTACK);
	raise(SIGUSR1);
	install(SIGUSR2, SA_ONSTACK);
	raise(SIGUSR2);
}

/* Signals wherever they come, prologues and epilogues included. */
void victim_timer(void)
{
	const struct itimerval on = { { 0, 1000 }, { 0, 1000 } };
	const struct itimerval off = { { 0, 0 }, { 0, 0 } };

	install(SIGALRM, 0);
	setitimer(ITIMER_REAL, &on, NULL);
	victim_O2();
	setitimer(ITIMER_REAL, &off, NULL);
}

static jmp_buf place;

static __attribute__((noinline)) void jumper(int n)
{
	if (n > 0)
		jumper(n - 1);
	else
		longjmp(place, 1);
	sink++;
}

void victim_jumps(void)
{
	sigjmp_buf with_mask;

	if (setjmp(place) == 0)
		jumper(4);
	if (sigsetjmp(with_mask, 1) == 0)
		siglongjmp(with_mask, 2);
}

void victim_libc(void)
{
	char text[256];
	wchar_t wide[32];
	struct timespec t;
	regex_t regex;
	double x = 0.7;
	time_t now = 1000000000;
	struct tm tm;
	FILE *f;

	clock_gettime(CLOCK_MONOTONIC, &t);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	snprintf(text, sizeof(text), "%d %s %.3f %Lg %p", 7, "text", 2.5,
	         1.25L, (void *)text);
	sink += (unsigned)strtoul(text, NULL, 10);
	sink += (unsigned)strtod("12.75e3", NULL);
	sink += (unsigned)mbstowcs(wide, "wide text", 32);
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%c", &tm);
	if (regcomp(&regex, "a(b|c)*d", REG_EXTENDED) == 0) {
		sink += (unsigned)regexec(&regex, "xxabcbcd", 0, NULL, 0);
		regfree(&regex);
	}
	sink += (unsigned)(sin(x) + exp(x) + pow(x, 1.5) + log(x));
	free(realloc(malloc(100), 200000));
	f = fmemopen(text, sizeof(text), "w");
	if (f) {
		fprintf(f, "%5.1f", x);
		fclose(f);
	}
}

/* Hand-written assembly, where OpenSSL's is there. */
static void *crypto;

void victim_crypto(void)
{
	static const char *const names[] = { "SHA1", "SHA256", "SHA512" };
	unsigned char input[300] = { 1 }, output[64];
	unsigned char *(*hash)(const unsigned char *, size_t, unsigned char *);
	size_t i;

	for (i = 0; crypto && i < 3; i++) {
		*(void **)&hash = dlsym(crypto, names[i]);
		if (hash)
			sink += hash(input, sizeof(input), output)[0];
	}
}

/* Opened and set up when nobody looks: libunwind, in the trap's handler,
   takes ld.so's lock. */
__attribute__((constructor)) static void open_crypto(void)
{
	crypto = dlopen("libcrypto.so.3", RTLD_LAZY);
	victim_crypto();
}
