/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording is spooled to a file without a name while the program runs;
 * the files the user asked for are made from it at the end, outside the
 * program and when it no longer matters how long that takes.
 */
#include "profrec.h"

#include "formats.h"

#include <profile/symbolize.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Images ---- */

struct image *image_new(const struct wishes *w, pid_t pid)
{
	struct image *image = calloc(1, sizeof(*image));
	struct prof_error err = { .message = "out of memory" };

	if (image)
		image->spool = tmpfile();
	if (!image || !image->spool ||
	    prof_target_new(&image->target, &w->target, &err) != PROF_OK ||
	    prof_recorder_new(&image->recorder, "raw",
	                      prof_sink_fd(fileno(image->spool)), NULL,
	                      &err) != PROF_OK) {
		say("cannot record process %ld: %s", (long)pid, err.message);
		image_free(image);
		return NULL;
	}
	image->pid = pid;
	return image;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	if (image->recorder.ctx)
		prof_recorder_free(&image->recorder);
	prof_target_free(image->target);
	if (image->spool)
		fclose(image->spool);
	free(image);
}

bool image_drain(struct image *image)
{
	struct prof_error err;

	if (image->has_ended ||
	    prof_target_drain(image->target, &image->recorder, &err) == PROF_OK)
		return true;
	say("%s", err.message);
	return false;
}

/* ---- Names ---- */

/* Where the endings of a file name begin: ".pb.gz" of "a.b.pb.gz". */
static size_t suffix_at(const char *name)
{
	static const char *const known[] = { ".pb.gz", ".pb", ".pprof.gz",
		                             ".raw", ".prof", ".pprof" };
	const size_t n = strlen(name);
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const size_t k = strlen(known[i]);

		if (n > k && !strcmp(name + n - k, known[i]))
			return n - k;
	}
	return n;
}

static bool is_raw_name(const char *name)
{
	const char *end = name + suffix_at(name);

	return !strcmp(end, ".raw") || !strcmp(end, ".prof");
}

/* Replaces %p; false: there is none. */
static bool put_pid(char *out, size_t size, const char *name, pid_t pid)
{
	const char *at = strstr(name, "%p");

	if (!at) {
		snprintf(out, size, "%s", name);
		return false;
	}
	snprintf(out, size, "%.*s%ld%s", (int)(at - name), name, (long)pid,
	         at + 2);
	return true;
}

/* "out.pb.gz" for the command; else with the process and the kind. */
static void file_name(char *out, size_t size, const struct image *image,
                      const char *wish, const char *kind)
{
	char name[PATH_MAX], extra[96] = "";
	const bool has_pid = put_pid(name, sizeof(name), wish, image->pid);
	const size_t at = suffix_at(name);
	int n = 0;

	if (!has_pid && !image->is_command)
		n = snprintf(extra, sizeof(extra), ".%ld", (long)image->pid);
	if (image->nth_replaced)
		n += snprintf(extra + n, sizeof(extra) - (size_t)n,
		              ".before-exec");
	if (image->nth_replaced > 1)
		n += snprintf(extra + n, sizeof(extra) - (size_t)n, "%u",
		              image->nth_replaced);
	if (image->tables)
		n += snprintf(extra + n, sizeof(extra) - (size_t)n, ".dump%u",
		              image->n_dumps);
	if (kind)
		snprintf(extra + n, sizeof(extra) - (size_t)n, ".%s", kind);
	/* A dump is of profiles, whatever the recording will be. */
	snprintf(out, size, "%.*s%s%s", (int)at, name, extra,
	         image->tables && is_raw_name(name) ? ".pb.gz" : name + at);
}

/* ---- Before the start ---- */

static const struct kind {
	uint64_t target;
	const char *name;
} kinds[] = {
	{ PROF_TARGET_CPU, "cpu" },
	{ PROF_TARGET_HEAP, "heap" },
	{ PROF_TARGET_BLOCK, "block" },
	{ PROF_TARGET_MUTEX, "mutex" },
	{ PROF_TARGET_WALL, "wall" },
	{ PROF_TARGET_THREAD, "thread" },
	{ PROF_TARGET_THREADCREATE, "threadcreate" },
	{ PROF_TARGET_FD, "fd" },
	{ PROF_TARGET_FD, "file" },
	{ PROF_TARGET_FD, "child" },
};

static bool is_one_kind(const struct wishes *w)
{
	return (w->target.kinds & (w->target.kinds - 1)) == 0 &&
	       w->target.kinds != PROF_TARGET_FD;
}

/* Whether the file can be written: it, or one new in its directory. */
static bool may_write(const char *name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(name, '/');
	struct stat st;

	if (stat(name, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return faccessat(AT_FDCWD, name, W_OK, AT_EACCESS) == 0;
		errno = EISDIR;
		return false;
	}
	if (!slash)
		return faccessat(AT_FDCWD, ".", W_OK, AT_EACCESS) == 0;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name) + 1, name);
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Names of other formats are not given to what is pprof inside. */
static bool is_pprof_name(const char *name)
{
	const struct prof_format_info *f = format_by_suffix(name);

	if (is_raw_name(name) || !f || !strcmp(f->name, "pprof"))
		return true;
	say("%s: profrec writes pprof and recordings (.raw); profconv makes "
	    "%s of them", name, f->name);
	return false;
}

bool output_check(const struct wishes *w)
{
	const struct image command = { .is_command = true, .pid = 1 };
	const bool is_one = is_one_kind(w) || is_raw_name(w->output);
	char name[PATH_MAX + 128];
	size_t i;

	if (!is_pprof_name(w->output))
		return false;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!(w->target.kinds & kinds[i].target))
			continue;
		file_name(name, sizeof(name), &command, w->output,
		          is_one ? NULL : kinds[i].name);
		if (may_write(name))
			continue;
		say("cannot write %s: %s; %s was not started", name,
		    strerror(errno), w->command[0]);
		return false;
	}
	return true;
}

/* ---- Files ---- */

static bool copy_spool(const struct image *image, const char *name)
{
	char buf[1 << 16];
	size_t n;
	FILE *out = fopen(name, "wb");
	bool is_good = out != NULL;

	rewind(image->spool);
	while (is_good && (n = fread(buf, 1, sizeof(buf), image->spool)) > 0)
		is_good = fwrite(buf, 1, n, out) == n;
	if (out && fclose(out) != 0)
		is_good = false;
	if (!is_good)
		say("%s: %s", name, strerror(errno));
	return is_good;
}

enum reading { WHOLE, SO_FAR };

static struct prof_profile *read_kind(const struct image *image,
                                      const char *kind, enum reading what)
{
	FILE *from = image->tables && strcmp(kind, "cpu") != 0
	                     ? image->tables : image->spool;
	struct prof_profile *p = NULL;
	struct prof_error err;
	char name[64];
	int fd;

	/* With an offset of our own: the recorder may go on writing. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fileno(from));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (prof_read(&p, prof_source_fd(fd),
	              &PROF_OPTIONS(prof_read_options, .format = "raw",
	                            .kind = kind,
	                            .salvage = what == SO_FAR),
	              &err) != PROF_OK && what == WHOLE)
		say("the %s profile of process %ld: %s", kind,
		    (long)image->pid, err.message);
	close(fd);
	/* Now, while the files are those that ran. */
	if (p && prof_symbolize(p, &PROF_OPTIONS(prof_symbolize_options,
	                                         .pid = (uint64_t)image->pid),
	                        &err) != PROF_OK && what == WHOLE)
		say("no symbols for process %ld: %s", (long)image->pid,
		    err.message);
	return p;
}

static bool write_profile(const struct prof_profile *p, const char *name)
{
	struct prof_error err = { .message = "" };
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	                    0666);
	bool is_good = fd >= 0;

	if (!is_good)
		snprintf(err.message, sizeof(err.message), "%s",
		         strerror(errno));
	else if (prof_write(p, "pprof", prof_sink_fd(fd), NULL, &err) !=
	         PROF_OK)
		is_good = false;
	if (fd >= 0 && close(fd) != 0 && is_good) {
		is_good = false;
		snprintf(err.message, sizeof(err.message), "%s",
		         strerror(errno));
	}
	if (!is_good)
		say("%s: %s", name, err.message);
	return is_good;
}

/* ---- The end of an image ---- */

/*
 * A file for each kind, told of in lines to `to`; NULL: in none. first[size]
 * becomes the name of the first file with something in it.
 */
static bool write_kinds(const struct image *image, const struct wishes *w,
                        FILE *to, char *first, size_t size)
{
	char name[PATH_MAX + 128];
	bool is_good = true, is_hottest_told = false, is_written;
	struct prof_profile *p;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!(w->target.kinds & kinds[i].target))
			continue;
		p = read_kind(image, kinds[i].name,
		              image->tables ? SO_FAR : WHOLE);
		if (!p) {
			is_good = false;
			continue;
		}
		file_name(name, sizeof(name), image, w->output,
		          is_one_kind(w) ? NULL : kinds[i].name);
		if (*first == '\0' && prof_n_samples(p) > 0)
			snprintf(first, size, "%s", name);
		is_written = write_profile(p, name);
		is_good = is_written && is_good;
		if (is_written && to)
			fprintf(to, "profrec: %s profile in %s%s\n",
			        kinds[i].name, name,
			        prof_n_samples(p) ? "" : " (empty)");
		if (is_written && to && !is_hottest_told)
			summary_hottest(to, p);
		is_hottest_told = true;
		prof_profile_free(p);
	}
	return is_good;
}

bool image_dump(struct image *image, const struct wishes *w, FILE *to)
{
	char first[PATH_MAX + 128] = "";
	struct prof_recorder recorder;
	struct prof_error err;
	bool is_good = false;

	prof_target_take_threads(image->target);
	image->tables = tmpfile();
	image->n_dumps++;
	if (!image->tables ||
	    prof_recorder_new(&recorder, "raw",
	                      prof_sink_fd(fileno(image->tables)), NULL,
	                      &err) != PROF_OK) {
		say("cannot dump process %ld", (long)image->pid);
		goto done;
	}
	if (prof_target_tables(image->target, &recorder, &err) == PROF_OK)
		is_good = write_kinds(image, w, to, first, sizeof(first));
	else
		say("%s", err.message);
	prof_recorder_free(&recorder);
done:
	if (image->tables)
		fclose(image->tables);
	image->tables = NULL;
	return is_good;
}

void image_top(char *out, size_t size, const struct image *image)
{
	struct prof_profile *p = read_kind(image, "cpu", SO_FAR);

	*out = '\0';
	if (p)
		summary_top(out, size, p);
	prof_profile_free(p);
}

/* The recording as it is. */
static bool write_recording(const struct image *image, const struct wishes *w,
                            FILE *to, char *name, size_t size)
{
	struct prof_profile *p;

	file_name(name, size, image, w->output, NULL);
	if (!copy_spool(image, name))
		return false;
	if (!to)
		return true;
	fprintf(to, "profrec: recording in %s\n", name);
	p = w->target.kinds & PROF_TARGET_CPU ? read_kind(image, "cpu", WHOLE)
	                                      : NULL;
	if (p)
		summary_hottest(to, p);
	prof_profile_free(p);
	return true;
}

bool image_finish(struct image *image, const struct wishes *w)
{
	char name[PATH_MAX + 128] = "";
	FILE *to = w->is_quiet ? NULL : stderr;
	struct prof_cpu_counts c;
	struct prof_error err;
	bool is_good;

	if (image->has_ended)
		return true;
	image->has_ended = true;
	if (prof_target_end(image->target, &image->recorder, &err) != PROF_OK) {
		say("%s", err.message);
		return false;
	}
	prof_target_get_counts(image->target, &c);
	if (image->nth_replaced && c.records + c.lost + c.unsampled == 0)
		return true; /* the shell that ran exec, and the like */
	image->has_files = true;
	if (to && (w->target.kinds & PROF_TARGET_CPU))
		summary_counts(to, image->pid, &c);
	if (to && image->is_command && !w->follow_children &&
	    (w->target.kinds & PROF_TARGET_CPU) && c.records == 0)
		say("no CPU samples: it used next to no CPU time itself; "
		    "--follow-children records what it starts, too");
	if (is_raw_name(w->output))
		is_good = write_recording(image, w, to, name, sizeof(name));
	else
		is_good = write_kinds(image, w, to, name, sizeof(name));
	if (to && is_good && image->is_command && *name != '\0')
		fprintf(to, "profrec: next: profreport top %s\n", name);
	return is_good;
}
