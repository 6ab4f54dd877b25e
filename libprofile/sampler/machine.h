/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MACHINE_H
#define SAMPLER_MACHINE_H

/*
 * What the unwinder must know of the processor, one file each: where a signal
 * left the registers (registers.h), and which unwind rules are so common that
 * they fit in half a 64-bit word. Another processor is another file and a
 * line here.
 */

#if defined(__x86_64__)
#include "sampler/machine_x86_64.h"
#elif defined(__aarch64__)
#include "sampler/machine_aarch64.h"
#endif

#endif
