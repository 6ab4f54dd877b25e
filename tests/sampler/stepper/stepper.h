/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STEPPER_H
#define STEPPER_H

/*
 * What the victims need of the stepper, and the victims.
 */

#include <signal.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether steps are compared: off while the truth is being set up. */
extern volatile int step_is_on;

/* The start of a victim's signal handler: what the kernel pushed becomes
   part of the truth, and stepping, which the kernel ended, goes on. A macro,
   since it must be on again in the handler's own frame. */
#define STEP_IN_HANDLER(ucontext)                                             \
	do {                                                                  \
		const int was_on = step_is_on;                                \
                                                                              \
		step_is_on = 0;                                               \
		step_note_signal(ucontext);                                   \
		raise(SIGTRAP);                                               \
		step_is_on = was_on;                                          \
	} while (0)
void step_note_signal(const void *ucontext);

/* victim.c, once for each set of flags. */
void victim_O0(void);
void victim_O1_fp(void);
void victim_O2(void);
void victim_Os(void);
/* victim_throw.cc, likewise. */
void throw_O0(void);
void throw_O2(void);
/* In shared libraries: with and without .plt.sec. */
void victim_library(void);
void victim_library_ibt(void);
/* victim_system.c: signals, longjmp, the vDSO, libc, libcrypto. */
void victim_signals(void);
void victim_timer(void);
void victim_jumps(void);
void victim_libc(void);
void victim_crypto(void);

#ifdef __cplusplus
}
#endif

#endif
