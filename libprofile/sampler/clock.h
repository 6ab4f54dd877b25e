/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SAMPLER_CLOCK_H
#define SAMPLER_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. [signal-safe] */
uint64_t sampler_now(void);

/* Nanoseconds since the epoch. */
int64_t sampler_epoch(void);

/* A random number of 64 bits. [signal-safe] */
uint64_t sampler_random(void);

#endif
