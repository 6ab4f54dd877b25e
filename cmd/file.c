/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_MAX ((size_t)1 << 20)
#define MAX_LINKS 40 /* in a row; as Linux has it */

static enum prof_status fail(struct prof_error *err, enum prof_status status,
                             const char *message)
{
	*err = (struct prof_error){
		.status = status,
		.sys_errno = status == PROF_SYSTEM ? errno : 0,
		.offset = UINT64_MAX
	};
	snprintf(err->message, sizeof(err->message), "%s", message);
	return status;
}

static bool is_dash(const char *name)
{
	return !strcmp(name, "-");
}

/* ---- Inputs ---- */

/* Remembers what a pipe gave, up to KEEP_MAX; out of memory: no more. */
static void keep(struct file_input *in, const void *bytes, size_t size)
{
	unsigned char *grown;

	if (in->start >= 0 || in->n_read > in->n_kept ||
	    in->n_kept + size > KEEP_MAX)
		return;
	grown = realloc(in->kept, in->n_kept + size);
	if (!grown)
		return;
	in->kept = grown;
	memcpy(in->kept + in->n_kept, bytes, size);
	in->n_kept += size;
	in->position = in->n_kept;
}

static ptrdiff_t read_kept(struct file_input *in, void *buf, size_t size)
{
	size_t n = in->n_kept - in->position;

	if (n > size)
		n = size;
	memcpy(buf, in->kept + in->position, n);
	in->position += n;
	in->n_read += n;
	return (ptrdiff_t)n;
}

static ptrdiff_t input_read(void *ctx, void *buf, size_t size)
{
	struct file_input *in = ctx;
	struct prof_source fd = prof_source_fd(in->fd);
	ptrdiff_t n;

	if (in->position < in->n_kept)
		return read_kept(in, buf, size);
	n = fd.read(fd.ctx, buf, size);
	if (n > 0) {
		keep(in, buf, (size_t)n);
		in->n_read += (uint64_t)n;
		if (in->progress)
			progress_step(in->progress, in->n_read, in->size);
	}
	return n;
}

enum prof_status file_input_open(struct file_input *in, const char *name,
                                 struct progress *progress,
                                 struct prof_error *err)
{
	struct stat st;

	*in = (struct file_input){
		.name = is_dash(name) ? "stdin" : name,
		.progress = progress
	};
	in->source = (struct prof_source){ input_read, in };
	in->fd = is_dash(name) ? STDIN_FILENO :
	                         open(name, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0)
		return fail(err, PROF_SYSTEM, "cannot open");
	if (fstat(in->fd, &st) < 0)
		return fail(err, PROF_SYSTEM, "cannot read");
	if (S_ISDIR(st.st_mode)) {
		errno = 0;
		return fail(err, PROF_SYSTEM, "is a directory");
	}
	in->start = lseek(in->fd, 0, SEEK_CUR);
	if (S_ISREG(st.st_mode) && st.st_size > in->start)
		in->size = (uint64_t)(st.st_size - in->start);
	return PROF_OK;
}

enum prof_status file_input_rewind(struct file_input *in,
                                   struct prof_error *err)
{
	if (in->start >= 0) {
		if (lseek(in->fd, in->start, SEEK_SET) < 0)
			return fail(err, PROF_SYSTEM, "cannot read again");
	} else if (in->n_read > in->n_kept) {
		errno = ESPIPE;
		return fail(err, PROF_SYSTEM, "cannot read again");
	}
	in->n_read = 0;
	in->position = 0;
	return PROF_OK;
}

void file_input_close(struct file_input *in)
{
	if (in->source.ctx && in->fd > STDIN_FILENO)
		close(in->fd);
	free(in->kept);
	*in = (struct file_input){ 0 };
}

/* ---- The unfinished file and signals ---- */

/*
 * The temporary file that a deadly signal removes. The one mutable global of
 * the tools: a handler can be told of it in no other way.
 */
static char *volatile unfinished;

/* Whatever ends a program from outside: SIGPIPE may come of a note on stderr,
   SIGXFSZ and SIGXCPU of ulimit -f and -t. */
static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM,
	                      SIGTERM, SIGXCPU, SIGXFSZ };
#define N_DEADLY (sizeof(deadly) / sizeof(*deadly))

/* Runs once (SA_RESETHAND); the raised signal comes when it returns. */
static void remove_unfinished(int number)
{
	if (unfinished)
		unlink(unfinished);
	raise(number);
}

static void catch_deadly(void)
{
	struct sigaction ours = { .sa_flags = (int)SA_RESETHAND }, old;

	ours.sa_handler = remove_unfinished;
	for (size_t i = 0; i < N_DEADLY; i++)
		/* nohup has it ignored: leave that. */
		if (sigaction(deadly[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &ours, NULL);
}

static void block_deadly(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < N_DEADLY; i++)
		sigaddset(&set, deadly[i]);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

/* ---- Outputs ---- */

static int output_write(void *ctx, const void *buf, size_t size)
{
	struct file_output *out = ctx;
	struct prof_sink fd = prof_sink_fd(out->fd);
	int result = fd.write(fd.ctx, buf, size);

	if (result < 0) {
		out->has_failed = true;
		return result;
	}
	out->n_written += size;
	if (out->progress)
		progress_step(out->progress, out->n_written, 0);
	return 0;
}

/* What a link that stands at name points to: malloced, or NULL. */
static char *read_link(const char *name)
{
	const char *slash = strrchr(name, '/');
	const size_t folder = slash ? (size_t)(slash - name) + 1 : 0;
	char to[PATH_MAX];
	const ssize_t n = readlink(name, to, sizeof(to));
	char *result;

	if (n < 0)
		return NULL;
	if ((size_t)n == sizeof(to)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	result = malloc(folder + (size_t)n + 1);
	if (!result)
		return NULL;
	sprintf(result, "%.*s%.*s", *to == '/' ? 0 : (int)folder, name, (int)n,
	        to);
	return result;
}

static bool is_link(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Where a file that is not there yet would be made: malloced, or NULL. */
static char *follow_dangling(const char *name)
{
	char *at = strdup(name);

	for (int i = 0; at && is_link(at); i++) {
		char *next = NULL;

		if (i < MAX_LINKS)
			next = read_link(at);
		else
			errno = ELOOP; /* someone turns them round meanwhile */
		free(at);
		at = next;
	}
	return at;
}

/* The name behind all symbolic links: malloced, or NULL. */
static char *resolve(const char *name, bool exists)
{
	return exists ? realpath(name, NULL) : follow_dangling(name);
}

/* "dir/.libprofile-XXXXXX" for "dir/name": malloced, or NULL. */
static char *temporary_name(const char *target)
{
	static const char name[] = ".libprofile-XXXXXX";
	const char *slash = strrchr(target, '/');
	size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
	char *result = malloc(folder + sizeof(name));

	if (result) {
		memcpy(result, target, folder);
		memcpy(result + folder, name, sizeof(name));
	}
	return result;
}

/* Mode and owner: of the file that is replaced, else by umask. */
static int copy_mode(int fd, const struct stat *old)
{
	mode_t mode;

	if (!old) {
		mode_t mask = umask(0);

		umask(mask);
		return fchmod(fd, 0666 & ~mask);
	}
	mode = old->st_mode & 0777;
	/* Only root may give a file away; others may not even try. */
	(void)!fchown(fd, old->st_uid, (gid_t)-1);
	/* What its group could do is nothing for another group. */
	if (fchown(fd, (uid_t)-1, old->st_gid) < 0)
		mode &= ~(mode_t)070;
	return fchmod(fd, mode);
}

/* A temporary file that a signal removes, from its first moment. */
static enum prof_status create_temporary(struct file_output *out,
                                         struct prof_error *err)
{
	enum prof_status status = PROF_OK;
	sigset_t old;

	block_deadly(&old);
	catch_deadly();
	out->fd = mkostemp(out->temporary, O_CLOEXEC);
	if (out->fd >= 0)
		unfinished = out->temporary;
	else
		status = fail(err, PROF_SYSTEM,
		              "cannot create a file in its folder");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status;
}

/* old: what is there now, or NULL. */
static enum prof_status open_replacing(struct file_output *out,
                                       const char *name,
                                       const struct stat *old,
                                       struct prof_error *err)
{
	enum prof_status status;

	/* The folder may allow what the file itself does not. */
	if (old && faccessat(AT_FDCWD, name, W_OK, AT_EACCESS) < 0)
		return fail(err, PROF_SYSTEM, "cannot write");
	out->target = resolve(name, old != NULL);
	if (!out->target && errno != ENOMEM)
		return fail(err, PROF_SYSTEM, "cannot write");
	if (out->target)
		out->temporary = temporary_name(out->target);
	if (!out->temporary)
		return fail(err, PROF_NOMEM, "out of memory");
	status = create_temporary(out, err);
	if (status == PROF_OK && copy_mode(out->fd, old) < 0)
		status = fail(err, PROF_SYSTEM, "cannot set its mode");
	return status;
}

static bool is_stdout(const struct stat *st)
{
	struct stat other;

	return fstat(STDOUT_FILENO, &other) == 0 &&
	       other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

static enum prof_status open_straight(struct file_output *out,
                                      const char *name,
                                      struct prof_error *err)
{
	out->fd = open(name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return out->fd < 0 ? fail(err, PROF_SYSTEM, "cannot write") : PROF_OK;
}

static enum prof_status open_named(struct file_output *out, const char *name,
                                   struct prof_error *err)
{
	struct stat st;

	if (stat(name, &st) < 0) {
		if (errno != ENOENT)
			return fail(err, PROF_SYSTEM, "cannot write");
		return open_replacing(out, name, NULL, err);
	}
	if (S_ISDIR(st.st_mode)) {
		errno = 0;
		return fail(err, PROF_SYSTEM, "is a directory");
	}
	if (is_stdout(&st)) {
		out->fd = STDOUT_FILENO;
		return PROF_OK;
	}
	return S_ISREG(st.st_mode) ? open_replacing(out, name, &st, err) :
	                             open_straight(out, name, err);
}

enum prof_status file_output_open(struct file_output *out, const char *name,
                                  unsigned flags, struct progress *progress,
                                  struct prof_error *err)
{
	enum prof_status status = PROF_OK;

	*out = (struct file_output){
		.name = is_dash(name) ? "stdout" : name, .flags = flags,
		.fd = STDOUT_FILENO, .progress = progress
	};
	out->sink = (struct prof_sink){ output_write, out };
	if (!is_dash(name))
		status = open_named(out, name, err);
	if (status == PROF_OK && (flags & FILE_IS_BINARY) &&
	    !(flags & FILE_FORCE) && isatty(out->fd))
		status = fail(err, PROF_INVALID,
		              "is a terminal, and this format is binary; "
		              "name a file, or force it with -f");
	return status;
}

static enum prof_status sync_folder(const char *target,
                                    struct prof_error *err)
{
	const char *slash = strrchr(target, '/');
	enum prof_status status = PROF_OK;
	char folder[PATH_MAX] = ".";
	int fd;

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s",
		         (int)(slash - target) + 1, target);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		status = fail(err, PROF_SYSTEM, "cannot sync its folder");
	if (fd >= 0)
		close(fd);
	return status;
}

/* Frees what names it; the temporary file is gone or has its name. */
static void forget(struct file_output *out)
{
	unfinished = NULL;
	free(out->temporary);
	free(out->target);
	*out = (struct file_output){ .name = out->name,
	                             .n_written = out->n_written };
}

enum prof_status file_output_commit(struct file_output *out,
                                    struct prof_error *err)
{
	enum prof_status status = PROF_OK;
	bool syncs = out->flags & FILE_SYNC;

	/* EINVAL: a pipe, where there is nothing to sync. */
	if (syncs && fsync(out->fd) < 0 && errno != EINVAL)
		status = fail(err, PROF_SYSTEM, "cannot sync");
	/* The last moment that a full disk may be told of. */
	if (close(out->fd) < 0 && status == PROF_OK)
		status = fail(err, PROF_SYSTEM, "cannot write");
	out->fd = -1;
	if (status == PROF_OK && out->temporary &&
	    rename(out->temporary, out->target) < 0)
		status = fail(err, PROF_SYSTEM, "cannot give it its name");
	if (status != PROF_OK) {
		file_output_abandon(out);
		return status;
	}
	if (syncs && out->temporary)
		status = sync_folder(out->target, err);
	forget(out);
	return status;
}

void file_output_abandon(struct file_output *out)
{
	if (!out->sink.ctx)
		return;
	if (out->fd > STDOUT_FILENO)
		close(out->fd);
	if (unfinished)
		unlink(unfinished);
	forget(out);
}
