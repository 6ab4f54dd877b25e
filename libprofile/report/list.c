/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list: the source of functions that match, with flat and cum at each line.
 * It is the only report that opens files: those that the profile names, or
 * what is left of their names below a directory of the source path or one
 * above it.
 */

#include "base/regex.h"
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARGIN 5 /* lines shown before and after those with samples */
#define MAX_SOURCE ((size_t)256 << 20)

struct source {
	VEC(char) text;
	char error[512];
};

struct list {
	struct reporting *r;
	const struct graph *g;
	struct source source;
	VEC(uint32_t) nodes; /* that match: by name, file, line */
	const char *path;    /* directories, ':' between */
	char current[4096];  /* the current directory */
};

/* ---- Files ---- */

static bool read_whole(struct list *l, int fd)
{
	struct source *s = &l->source;
	ptrdiff_t n;

	s->text.n = 0;
	do {
		if (s->text.n > MAX_SOURCE ||
		    !vec_reserve(&s->text, 65536, l->r->a))
			return false;
		n = read(fd, s->text.data + s->text.n, 65536);
		if (n > 0)
			s->text.n += (size_t)n;
	} while (n > 0);
	return n == 0;
}

/* A regular file's descriptor, or -1. */
static int open_file(const char *name)
{
	struct stat st;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EISDIR;
		return -1;
	}
	return fd;
}

/* Looks for name below dir[0 .. n) and below each directory above that. */
static int open_upwards(const char *dir, size_t n, const char *name)
{
	char full[4096];
	int fd = -1;

	for (;;) {
		int size = snprintf(full, sizeof(full), "%.*s/%s", (int)n, dir,
		                    name);

		if (size > 0 && (size_t)size < sizeof(full))
			fd = open_file(full);
		if (fd >= 0 || n == 0)
			return fd;
		while (n > 0 && dir[n - 1] != '/')
			n--;
		while (n > 0 && dir[n - 1] == '/')
			n--;
	}
}

static int open_source(struct list *l, struct prof_str file)
{
	const char *dir = l->path;
	char name[4096];
	int fd = -1;

	file = path_trim(file, l->r->o.trim_path, l->path);
	if (file.len >= sizeof(name) || memchr(file.ptr, '\0', file.len)) {
		snprintf(l->source.error, sizeof(l->source.error),
		         "file name too long");
		return -1;
	}
	memcpy(name, file.ptr, file.len);
	name[file.len] = '\0';
	if (name[0] == '/') {
		fd = open_file(name);
		if (fd < 0)
			snprintf(l->source.error, sizeof(l->source.error),
			         "open %.400s: %s", name,
			         errno == ENOENT ? "no such file or directory"
			                         : "cannot be read");
		return fd;
	}
	while (fd < 0 && *dir != '\0') {
		size_t n = strcspn(dir, ":");

		fd = open_upwards(dir, n, name);
		dir += n + (dir[n] == ':');
	}
	if (fd < 0)
		snprintf(l->source.error, sizeof(l->source.error),
		         "could not find file %.200s on path %.200s", name,
		         l->path);
	return fd;
}

static bool load_source(struct list *l, struct prof_str file)
{
	int fd = open_source(l, file);
	bool is_ok;

	if (fd < 0)
		return false;
	is_ok = read_whole(l, fd);
	close(fd);
	if (!is_ok)
		snprintf(l->source.error, sizeof(l->source.error),
		         "cannot be read");
	return is_ok;
}

/* ---- Which nodes ---- */

static int compare_nodes(const void *left, const void *right, void *graph)
{
	const struct graph *g = graph;
	const struct frame *a = graph_frame(g, *(const uint32_t *)left);
	const struct frame *b = graph_frame(g, *(const uint32_t *)right);
	int order = str_compare(frames_name(&g->frames, a),
	                        frames_name(&g->frames, b));

	if (order == 0)
		order = str_compare(frames_string(&g->frames, a->file),
		                    frames_string(&g->frames, b->file));
	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	return order;
}

static enum prof_status find_nodes(struct list *l, struct prof_error *err)
{
	const struct graph *g = l->g;
	struct regex *re = NULL;
	enum prof_status status = regex_new(&re, l->r->o.symbol, err);

	if (status != PROF_OK)
		return status;
	if (!vec_reserve(&l->nodes, g->shown.n, l->r->a))
		status = error_nomem(err);
	for (size_t i = 0; status == PROF_OK && i < g->shown.n; i++) {
		const struct frame *f = graph_frame(g, g->shown.data[i]);

		if (regex_matches(re, frames_name(&g->frames, f)))
			vec_put(&l->nodes, g->shown.data[i]);
	}
	if (status == PROF_OK)
		status = regex_status(re, err);
	regex_free(re);
	if (status == PROF_OK && l->nodes.n == 0)
		return error_set(err, PROF_INVALID,
		                 "no matches found for regexp: %s",
		                 l->r->o.symbol);
	if (l->nodes.n > 1)
		qsort_r(l->nodes.data, l->nodes.n, sizeof(uint32_t),
		        compare_nodes, (void *)(uintptr_t)g);
	return status;
}

/* ---- Printing ---- */

static struct measure_text value_or_dot(const struct reporting *r,
                                        int64_t value)
{
	struct measure_text dot = { "." };

	return value != 0 ? report_value(r, value) : dot;
}

/* Sums of nodes[n] at a line; 0: of all. */
static void sum_nodes(const struct list *l, const uint32_t *nodes, size_t n,
                      int64_t line, struct weight *flat, struct weight *cum)
{
	*flat = *cum = (struct weight){ 0, 0 };
	for (size_t i = 0; i < n; i++) {
		const struct graph_node *node = &l->g->nodes.data[nodes[i]];

		if (line != 0 && graph_frame(l->g, nodes[i])->line != line)
			continue;
		weight_add(flat, node->flat);
		weight_add(cum, node->cum);
	}
}

static void put_line(struct list *l, const uint32_t *nodes, size_t n,
                     int64_t number, struct prof_str text)
{
	struct weight flat, cum;
	struct measure_text f, c;

	sum_nodes(l, nodes, n, number, &flat, &cum);
	f = value_or_dot(l->r, flat.value);
	c = value_or_dot(l->r, cum.value);
	output_printf(l->r->out, "%10s %10s %6" PRId64 ":", f.text, c.text,
	              number);
	output_visible(l->r->out, text);
	output_char(l->r->out, '\n');
}

static void put_lines(struct list *l, const uint32_t *nodes, size_t n,
                      int64_t first, int64_t last)
{
	const char *p = l->source.text.data, *end = p + l->source.text.n;

	for (int64_t number = 1; p < end && number <= last; number++) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		struct prof_str text = { p, (size_t)((stop ? stop : end) - p) };

		if (number >= first)
			put_line(l, nodes, n, number, text);
		p = stop != NULL ? stop + 1 : end;
	}
}

/* Line numbers are a file's claim: sums stay in range. */
static int64_t clamp_line(int64_t line)
{
	return line < 0 ? 0 : line > INT32_MAX ? INT32_MAX : line;
}

/* nodes[n] are one function in one file. */
static void put_routine(struct list *l, const uint32_t *nodes, size_t n)
{
	struct output *out = l->r->out;
	const struct frames *frames = &l->g->frames;
	const struct frame *f = graph_frame(l->g, nodes[0]);
	struct prof_str file = frames_string(frames, f->file);
	int64_t first = INT64_MAX, last = 0;
	struct weight flat, cum;
	struct measure_text flat_text, cum_text, share;

	for (size_t i = 0; i < n; i++) {
		const struct frame *at = graph_frame(l->g, nodes[i]);
		int64_t line = clamp_line(at->line);
		int64_t start = at->start_line > 0 ? clamp_line(at->start_line)
		                                   : line - MARGIN;

		first = start < first ? start : first;
		last = line + MARGIN > last ? line + MARGIN : last;
	}
	sum_nodes(l, nodes, n, 0, &flat, &cum);
	flat_text = report_value(l->r, flat.value);
	cum_text = report_value(l->r, cum.value);
	share = measure_percentage(cum.value, l->r->total);
	output_text(out, "ROUTINE ======================== ");
	output_visible(out, frames_name(frames, f));
	output_text(out, " in ");
	output_visible(out, file);
	output_printf(out, "\n%10s %10s (flat, cum) %s of Total\n",
	              flat_text.text, cum_text.text, share.text);
	if (load_source(l, file))
		put_lines(l, nodes, n, first, last);
	else
		output_printf(out, " Error: %s\n", l->source.error);
}

static void put_routines(struct list *l)
{
	const struct graph *g = l->g;
	size_t i = 0;

	while (i < l->nodes.n) {
		const struct frame *f = graph_frame(g, l->nodes.data[i]);
		size_t end = i;

		while (end < l->nodes.n) {
			const struct frame *other =
				graph_frame(g, l->nodes.data[end]);

			if (other->name != f->name || other->file != f->file)
				break;
			end++;
		}
		if (f->file != 0) {
			put_routine(l, l->nodes.data + i, end - i);
		} else {
			output_text(l->r->out, "No source information for ");
			header_write_line(l->r, frames_name(&g->frames, f));
		}
		i = end;
	}
}

static enum prof_status write_list(struct reporting *r, struct prof_error *err)
{
	struct trimmed t = { 0 };
	struct list l = { .r = r, .g = &t.graph, .path = r->o.source_path };
	struct prof_str unit = r->output_unit;
	struct measure_text total;
	enum prof_status status = trimmed_init(&t, r, err);

	r->output_unit = unit; /* each value in what fits it */
	if (l.path == NULL)
		l.path = getcwd(l.current, sizeof(l.current)) != NULL
		         ? l.current : ".";
	if (status == PROF_OK)
		status = find_nodes(&l, err);
	if (status == PROF_OK) {
		total = report_value(r, r->total);
		output_printf(r->out, "Total: %s\n", total.text);
		put_routines(&l);
	}
	vec_release(&l.nodes, r->a);
	vec_release(&l.source.text, r->a);
	trimmed_release(&t);
	return status;
}

const struct report list_report = {
	.info = { "list", "the source of what matches REGEX, annotated",
	          true, false },
	.flags = REPORT_ALL_NODES | REPORT_OF_LINES | REPORT_OBJECTS |
	         REPORT_ANY_EDGES,
	.write = write_list,
};
