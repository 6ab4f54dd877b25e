/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "message.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
#define QUIET_NS SECOND_NS
#define EVERY_NS (SECOND_NS / 10)

static uint64_t now_ns(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

void progress_start(struct progress *p, enum progress_when when)
{
	*p = (struct progress){
		.what = "",
		.is_on = when == PROGRESS_AUTO && isatty(STDERR_FILENO)
	};
}

void progress_phase(struct progress *p, const char *what)
{
	progress_wipe(p);
	p->what = what;
	p->start_ns = now_ns();
	p->next_ns = p->start_ns + QUIET_NS;
}

/* Bytes with three digits or so: "1.2 GB"; or "12 files". */
static void format_amount(char *text, size_t size, enum progress_unit of,
                          double n)
{
	static const char units[][3] = { "B", "kB", "MB", "GB", "TB", "PB" };
	size_t unit = 0;

	if (of == PROGRESS_FILES) {
		snprintf(text, size, "%.*f files", n < 9.95 && n != (int)n, n);
		return;
	}
	while (n >= 999.5 && unit < sizeof(units) / sizeof(*units) - 1) {
		n /= 1000;
		unit++;
	}
	snprintf(text, size, unit && n < 9.95 ? "%.1f %s" : "%.0f %s",
	                n, units[unit]);
}

void progress_format(char *text, size_t size, enum progress_unit unit,
                     uint64_t done, uint64_t total, uint64_t elapsed_ns)
{
	char some[32], all[32], speed[32];
	double seconds = (double)elapsed_ns / (double)SECOND_NS;
	double rate = seconds > 0 ? (double)done / seconds : 0;
	uint64_t left;

	format_amount(some, sizeof(some), unit, (double)done);
	format_amount(speed, sizeof(speed), unit, rate);
	if (total == 0 || done > total || rate <= 0) {
		snprintf(text, size, "%s, %s/s", some, speed);
		return;
	}
	format_amount(all, sizeof(all), unit, (double)total);
	left = (uint64_t)((double)(total - done) / rate + 0.5);
	snprintf(text, size, "%u%% of %s, %s/s, %llu:%02u left",
	         (unsigned)((double)done / (double)total * 100), all, speed,
	         (unsigned long long)(left / 60), (unsigned)(left % 60));
}

void progress_step(struct progress *p, uint64_t done, uint64_t total)
{
	char text[96], what[41];
	uint64_t now;

	if (!p->is_on || (now = now_ns()) < p->next_ns)
		return;
	progress_format(text, sizeof(text), p->unit, done, total,
	                now - p->start_ns);
	/* To the first column; the rest of the line is wiped behind. */
	snprintf(what, sizeof(what), "%s", p->what);
	message_clean(what);
	fprintf(stderr, "\r%s: %s\033[K", what, text);
	p->next_ns = now + EVERY_NS;
	p->is_shown = true;
}

void progress_wipe(struct progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
}
