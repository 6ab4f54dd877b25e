/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_MACHINE_H
#define SAMPLER_MACHINE_H

/*
 * What the unwinder must know of the processor, one file each: registers by
 * their DWARF numbers, where a signal left them, and which unwind rules are
 * so common that they fit in a 31-bit word. Another processor is another
 * file and a line here.
 */

#if defined(__x86_64__)
#include "sampler/machine_x86_64.h"
#else
#error "the sampler knows x86-64 only"
#endif

#endif
