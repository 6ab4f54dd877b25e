/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user wants to know at once: while the program runs, one line that
 * is written over; at its end what was got and where most of it was.
 */
#include "profrec.h"

#include "message.h"

#include <profile/report.h>

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The heaviest functions, at most n; NULL: there is nothing. */
static struct prof_graph *find_hottest(const struct prof_profile *p, int64_t n,
                                       int64_t *total)
{
	const struct prof_report_options options = {
		.size = sizeof(options), .node_count = n, .node_fraction = -1,
	};
	struct prof_graph *g = NULL;

	if (prof_report_total(total, p, &options, NULL) != PROF_OK ||
	    *total == 0 || prof_graph_new(&g, p, &options, NULL) != PROF_OK)
		return NULL;
	return g;
}

static double percent(int64_t part, int64_t total)
{
	return 100.0 * (double)part / (double)total;
}

void summary_hottest(FILE *to, const struct prof_profile *p)
{
	struct prof_node node;
	int64_t total = 0;
	uint32_t i;
	struct prof_graph *g = find_hottest(p, 5, &total);

	for (i = 0; g && prof_get_node(g, i, &node) && node.flat != 0; i++)
		fprintf(to, "  %5.1f %%  %.*s\n", percent(node.flat, total),
		        (int)node.name.len, node.name.ptr);
	prof_graph_free(g);
}

void summary_top(char *out, size_t size, const struct prof_profile *p)
{
	struct prof_node node;
	int64_t total = 0;
	struct prof_graph *g = find_hottest(p, 1, &total);

	*out = '\0';
	if (g && prof_get_node(g, 0, &node))
		snprintf(out, size, "%.0f %% %.*s", percent(node.flat, total),
		         (int)node.name.len, node.name.ptr);
	prof_graph_free(g);
}

void summary_counts(FILE *to, pid_t pid, const struct prof_cpu_counts *c)
{
	fprintf(to, "profrec: process %ld: %llu samples of %llu threads, "
	        "%llu lost, %llu periods unsampled", (long)pid,
	        (unsigned long long)c->records, (unsigned long long)c->threads,
	        (unsigned long long)c->lost, (unsigned long long)c->unsampled);
	if (c->source == PROF_CPU_TIMER)
		fputs(" (perf events are forbidden: timers, bound to the tick)",
		      to);
	fputc('\n', to);
}

/* Cut to the terminal's width: a line that wraps cannot be written over. */
void summary_live(const struct live *l)
{
	struct winsize w;
	char text[512];
	int n = snprintf(text, sizeof(text),
	                 "profrec: %.1f s, %llu samples, %llu lost%s%s",
	                 l->seconds, (unsigned long long)l->samples,
	                 (unsigned long long)l->lost, *l->top ? ", top: " : "",
	                 l->top);

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 &&
	    n >= w.ws_col)
		text[w.ws_col - 1] = '\0';
	message_clean(text);
	fprintf(stderr, "\r%s\033[K", text);
}
