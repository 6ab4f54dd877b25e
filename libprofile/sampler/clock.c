/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler/clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = { 0, 0 };

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t sampler_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t sampler_epoch(void)
{
	return (int64_t)clock_ns(CLOCK_REALTIME);
}

/* splitmix64 over a shared counter. */
uint64_t sampler_random(void)
{
	static _Atomic uint64_t counter;
	uint64_t x = atomic_load(&counter);

	if (x == 0) {
		uint64_t seed = 0;

		syscall(SYS_getrandom, &seed, sizeof(seed), 1 /* no wait */);
		atomic_store(&counter, (seed ^ sampler_now()) | 1);
	}
	x = atomic_fetch_add(&counter, UINT64_C(0x9e3779b97f4a7c15));
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}
