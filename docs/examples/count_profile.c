/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile of what is there now: the open files of this program, by the
 * place that opened them. The program's own table is read where it is, by
 * three functions.
 *
 *	count_profile
 */
#include <profile/io.h>

#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 16
#define MAX_DEPTH 32

static struct open_file {
	int fd;
	struct prof_label path;
	uint64_t pcs[MAX_DEPTH]; /* return addresses, leaf first */
	size_t n_pcs;
} files[MAX_FILES];
static size_t n_files;

/* As open(), and remembers who called. */
static __attribute__((noinline)) int open_known(const char *path)
{
	struct open_file *f = &files[n_files];
	void *pcs[MAX_DEPTH];
	int n;

	if (n_files == MAX_FILES)
		return -1;
	f->fd = open(path, O_RDONLY);
	if (f->fd < 0)
		return -1;
	f->path.key = (struct prof_str){ "path", 4 };
	f->path.str = (struct prof_str){ path, strlen(path) };
	n = backtrace(pcs, MAX_DEPTH);
	for (int i = 1; i < n; i++) /* 0 is this function */
		f->pcs[f->n_pcs++] = (uint64_t)(uintptr_t)pcs[i];
	n_files++;
	return f->fd;
}

static size_t files_len(void *ctx)
{
	(void)ctx;
	return n_files;
}

static size_t files_stack(void *ctx, size_t i, const uint64_t **pcs)
{
	(void)ctx;
	*pcs = files[i].pcs;
	return files[i].n_pcs;
}

static size_t files_labels(void *ctx, size_t i,
                           const struct prof_label **labels)
{
	(void)ctx;
	*labels = &files[i].path;
	return 1;
}

int main(void)
{
	const struct prof_count_profile open_files = {
		.name = "open_files",
		.len = files_len,
		.stack = files_stack,
		.labels = files_labels,
	};
	struct prof_profile *p = NULL;
	struct prof_error err;

	while (n_files < 3)
		if (open_known("/dev/null") < 0)
			return 1;
	if (open_known("/dev/zero") < 0)
		return 1;

	if (prof_from_count(&p, &open_files, NULL, &err) != PROF_OK ||
	    prof_write(p, "yaml", prof_sink_fd(STDOUT_FILENO), NULL,
	               &err) != PROF_OK) {
		fprintf(stderr, "count_profile: %s\n", err.message);
		prof_profile_free(p);
		return 1;
	}
	prof_profile_free(p);
	while (n_files > 0)
		close(files[--n_files].fd);
	return 0;
}
