/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of all shapes that a C compiler makes: built once for each set of
 * flags, whose name is VICTIM.
 */
#include "stepper.h"

#include <alloca.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#define KEEP(p) __asm__ volatile("" ::"r"(p) : "memory")

static volatile unsigned sink;

static NOINLINE unsigned leaf(unsigned a, unsigned b)
{
	return a * 33 + (b >> 3);
}

static NOINLINE unsigned saves_all(unsigned a, unsigned b, unsigned c)
{
	unsigned d = leaf(a, b), e = leaf(b, c), f = leaf(c, a);
	unsigned g = leaf(d, e), h = leaf(e, f), i = leaf(f, g);

	return leaf(a + d, g) + leaf(b + e, h) + leaf(c + f, i) + d + g + h;
}

static NOINLINE unsigned has_alloca(unsigned n)
{
	char *p = alloca(n * 8 + 1);
	unsigned i, sum = 0;

	memset(p, (int)n, n * 8 + 1);
	KEEP(p);
	for (i = 0; i < n; i++)
		sum += saves_all((unsigned)p[i], i, n);
	return sum;
}

static NOINLINE unsigned has_vla(unsigned n)
{
	unsigned a[n + 1], i;

	for (i = 0; i <= n; i++)
		a[i] = leaf(i, n);
	KEEP(a);
	return a[n / 2] + (n > 0 ? has_vla(n - 1) : 0);
}

static NOINLINE unsigned is_realigned(unsigned n)
{
	_Alignas(64) unsigned block[32];
	unsigned i;

	for (i = 0; i < 32; i++)
		block[i] = leaf(i, n);
	KEEP(block);
	return block[n % 32] + (n > 0 ? is_realigned(n / 2) : 0);
}

static NOINLINE unsigned realigned_vla(unsigned n)
{
	_Alignas(32) unsigned block[8];
	unsigned a[n + 1], i;

	for (i = 0; i < 8; i++)
		block[i] = leaf(i, n);
	a[n] = saves_all(block[1], block[2], n);
	KEEP(block);
	KEEP(a);
	return a[n] + has_alloca(n);
}

struct big {
	char bytes[5000];
};

static NOINLINE struct big big_frame(unsigned n)
{
	struct big b;

	memset(&b, (int)n, sizeof(b));
	KEEP(&b);
	b.bytes[0] = (char)saves_all(n, n + 1, n + 2);
	return b;
}

static NOINLINE unsigned many_args(unsigned a, unsigned b, unsigned c,
                                   unsigned d, unsigned e, unsigned f,
                                   unsigned g, unsigned h, unsigned i)
{
	return leaf(a + b + c, d + e) + leaf(f + g, h + i);
}

static NOINLINE unsigned has_varargs(unsigned n, ...)
{
	unsigned sum = 0;
	va_list ap;

	va_start(ap, n);
	while (n-- > 0)
		sum += va_arg(ap, unsigned);
	va_end(ap);
	return sum;
}

static NOINLINE double floating(double x, unsigned n)
{
	return n == 0 ? x : floating(x * 1.5 + leaf(n, n), n - 1) / 2;
}

static NOINLINE unsigned jumps(unsigned n)
{
	/* A cold part, early returns and a jump table. */
	if (__builtin_expect(n > 1000, 0))
		abort();
	switch (n % 7) {
	case 0: return leaf(n, 1);
	case 1: return has_vla(1);
	case 2: return saves_all(n, 2, 3);
	case 3: return many_args(n, 1, 2, 3, 4, 5, 6, 7, 8);
	case 4: return has_varargs(3, n, n, n);
	case 5: return (unsigned)floating(n, 3);
	default: return n;
	}
}

static NOINLINE unsigned tail(unsigned n)
{
	return n == 0 ? 1 : leaf(n, n) & 1 ? tail(n - 1) : jumps(n);
}

static int by_value(const void *a, const void *b)
{
	const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	sink += leaf(x, y);
	return x < y ? -1 : x > y;
}

static NOINLINE unsigned through_libc(unsigned n)
{
	unsigned a[32], i;

	for (i = 0; i < n; i++)
		a[i] = leaf(i * 7919, 5) % 31;
	qsort(a, n, sizeof(a[0]), by_value);
	return *(unsigned *)bsearch(&a[n / 2], a, n, sizeof(a[0]), by_value);
}

void VICTIM(void);
void VICTIM(void)
{
	char text[64];
	unsigned i;

	for (i = 0; i < 14; i++)
		sink += jumps(i) + tail(i);
	sink += has_alloca(3) + has_alloca(9) + has_vla(4) + is_realigned(9);
	sink += realigned_vla(2) + realigned_vla(5);
	sink += (unsigned)big_frame(7).bytes[0];
	sink += through_libc(12);
	snprintf(text, sizeof(text), "%u %s", sink, "text");
	sink += (unsigned)strlen(text);
}
