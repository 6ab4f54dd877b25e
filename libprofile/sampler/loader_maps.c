/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For a libc without _dl_find_object(). dl_iterate_phdr() takes a lock, so
 * that a signal handler may not call it, and to know of new objects in time
 * dlopen() would have to be interposed, whose meaning depends on who calls
 * it. The kernel's list of mappings has neither fault: it is read, with raw
 * system calls, when an address is in no object that is known, but not more
 * often than ten times a second.
 *
 * There are two snapshots, sorted as the list is. The current one is read
 * without a lock while the other is written; a reader looks afterwards
 * whether its own has become the one that is written.
 */
#include "sampler/loader.h"

#include "sampler/memory_range.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { OBJECTS_MAX = 2048, REFRESH_MS = 100, TRIES = 4 };

/* An executable mapping, and its object. */
struct object {
	_Atomic uint64_t code, code_end;
	_Atomic uint64_t start, end, eh_frame_hdr, bias;
};

struct snapshot {
	_Atomic uint32_t n;
	struct object objects[OBJECTS_MAX];
};

static struct snapshot snapshots[2];
/* How many there have been; the last is in snapshots[n % 2]. */
static _Atomic uint64_t generation;
static _Atomic int64_t next_ms; /* not to be read again before */
static atomic_flag is_written = ATOMIC_FLAG_INIT;

/* ---- The list of mappings ---- */

struct line {
	uint64_t lo, hi, offset, device, inode;
	bool is_executable, is_readable, is_vdso;
	const char *path; /* "" where it has none */
	size_t path_size;
};

struct lines {
	int fd;
	size_t at, n;
	char buf[512], path[512];
};

static int next_char(struct lines *l)
{
	if (l->at == l->n) {
		const long n = syscall(SYS_read, l->fd, l->buf, sizeof(l->buf));

		l->at = 0;
		l->n = n > 0 ? (size_t)n : 0;
	}
	return l->at < l->n ? l->buf[l->at++] : -1;
}

/* A number up to a character that is no digit of it. */
static uint64_t number(struct lines *l, unsigned base, int *last)
{
	uint64_t v = 0;
	unsigned digit;
	int c;

	while ((c = next_char(l)) >= 0) {
		digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
		        : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
		                               : 99;
		if (digit >= base)
			break;
		v = v * base + digit;
	}
	*last = c;
	return v;
}

/* "7f00-7fff r-xp 00000000 fe:00 332835    /path\n" */
static bool next_line(struct lines *l, struct line *out)
{
	int c, i;

	out->lo = number(l, 16, &c);
	out->hi = number(l, 16, &c);
	for (i = 0; i < 5; i++) {
		c = next_char(l);
		if (i == 0)
			out->is_readable = c == 'r';
		if (i == 2)
			out->is_executable = c == 'x';
	}
	out->offset = number(l, 16, &c);
	out->device = number(l, 16, &c) << 32;
	out->device |= number(l, 16, &c);
	out->inode = number(l, 10, &c);
	while (c == ' ')
		c = next_char(l);
	out->path_size = 0;
	for (; c >= 0 && c != '\n'; c = next_char(l))
		if (out->path_size < sizeof(l->path))
			l->path[out->path_size++] = (char)c;
	out->path = l->path;
	out->is_vdso = out->path_size == 6 && !memcmp(l->path, "[vdso]", 6);
	return c == '\n';
}

static bool open_lines(struct lines *l)
{
	l->at = l->n = 0;
	l->fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps",
	                     O_RDONLY | O_CLOEXEC);
	return l->fd >= 0;
}

/* ---- A snapshot ---- */

/* What the program headers say; false: this is no object. */
static bool read_object(struct object *o, uint64_t start)
{
	enum { HEADERS = 24 };
	ElfW(Phdr) headers[HEADERS];
	ElfW(Ehdr) elf;
	uint64_t bias = start, end = 0, eh_frame_hdr = 0;
	size_t i, n;

	if (!memory_copy(&elf, start, sizeof(elf)) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf.e_phentsize != sizeof(headers[0]))
		return false;
	n = elf.e_phnum < HEADERS ? elf.e_phnum : HEADERS;
	if (!memory_copy(headers, start + elf.e_phoff, n * sizeof(headers[0])))
		return false;
	for (i = 0; i < n; i++) {
		if (headers[i].p_type == PT_GNU_EH_FRAME)
			eh_frame_hdr = headers[i].p_vaddr;
		if (headers[i].p_type != PT_LOAD)
			continue;
		if (headers[i].p_offset == 0)
			bias = start - headers[i].p_vaddr;
		if (headers[i].p_vaddr + headers[i].p_memsz > end)
			end = headers[i].p_vaddr + headers[i].p_memsz;
	}
	atomic_store_explicit(&o->start, start, memory_order_relaxed);
	atomic_store_explicit(&o->end, bias + end, memory_order_relaxed);
	atomic_store_explicit(&o->bias, bias, memory_order_relaxed);
	atomic_store_explicit(&o->eh_frame_hdr,
	                      eh_frame_hdr != 0 && eh_frame_hdr < end
	                              ? bias + eh_frame_hdr : 0,
	                      memory_order_relaxed);
	return true;
}

static void fill(struct snapshot *s, struct lines *lines)
{
	/* The last mapping that began a file. */
	struct line line, first = { 0 };
	uint32_t n = 0;

	while (n < OBJECTS_MAX && next_line(lines, &line)) {
		struct object *o = &s->objects[n];

		if (line.offset == 0 && (line.inode != 0 || line.is_vdso))
			first = line;
		if (!line.is_executable || !first.is_readable ||
		    first.inode != line.inode || first.device != line.device ||
		    (line.inode == 0 && !line.is_vdso) ||
		    !read_object(o, first.lo))
			continue;
		atomic_store_explicit(&o->code, line.lo, memory_order_relaxed);
		atomic_store_explicit(&o->code_end, line.hi,
		                      memory_order_relaxed);
		n++;
	}
	atomic_store_explicit(&s->n, n, memory_order_relaxed);
}

static int64_t now_ms(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False where it is too early, or somebody else is at it. */
static bool refresh(void)
{
	const uint64_t next = atomic_load(&generation) + 1;
	struct lines lines;
	bool is_done = false;

	if (now_ms() < atomic_load(&next_ms) ||
	    atomic_flag_test_and_set(&is_written))
		return false;
	if (next == atomic_load(&generation) + 1 && open_lines(&lines)) {
		fill(&snapshots[next % 2], &lines);
		syscall(SYS_close, lines.fd);
		atomic_store(&next_ms, now_ms() + REFRESH_MS);
		atomic_store(&generation, next);
		is_done = true;
	}
	atomic_flag_clear(&is_written);
	return is_done;
}

static bool search(struct loaded *out, const struct snapshot *s, uint64_t pc)
{
	uint32_t lo = 0, hi, mid;
	const struct object *o;
	uint64_t start, end, hdr;

	hi = atomic_load_explicit(&s->n, memory_order_relaxed);
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		o = &s->objects[mid];
		if (pc >= atomic_load_explicit(&o->code_end,
		                               memory_order_relaxed))
			lo = mid + 1;
		else
			hi = mid;
	}
	o = &s->objects[lo % OBJECTS_MAX];
	if (lo == atomic_load_explicit(&s->n, memory_order_relaxed) ||
	    pc < atomic_load_explicit(&o->code, memory_order_relaxed))
		return false;
	start = atomic_load_explicit(&o->start, memory_order_relaxed);
	end = atomic_load_explicit(&o->end, memory_order_relaxed);
	hdr = atomic_load_explicit(&o->eh_frame_hdr, memory_order_relaxed);
	out->start = (const uint8_t *)(uintptr_t)start;
	out->end = (const uint8_t *)(uintptr_t)end;
	out->eh_frame_hdr = (const uint8_t *)(uintptr_t)hdr;
	out->bias = atomic_load_explicit(&o->bias, memory_order_relaxed);
	return true;
}

bool loader_find(struct loaded *out, uint64_t pc)
{
	uint64_t before;
	bool is_found;
	int i;

	for (i = 0; i < TRIES; i++) {
		before = atomic_load(&generation);
		is_found = before > 0 &&
		           search(out, &snapshots[before % 2], pc);
		atomic_thread_fence(memory_order_acquire);
		if (before != atomic_load(&generation))
			continue;
		if (is_found || !refresh())
			return is_found;
	}
	return false;
}

void loader_path(char *out, size_t size, uint64_t pc)
{
	struct lines lines;
	struct line line;

	out[0] = '\0';
	if (!open_lines(&lines))
		return;
	while (next_line(&lines, &line)) {
		if (pc < line.lo || pc >= line.hi)
			continue;
		if (line.path_size < size) {
			memcpy(out, line.path, line.path_size);
			out[line.path_size] = '\0';
		}
		break;
	}
	syscall(SYS_close, lines.fd);
}

/* Who was writing is another process's thread. What it wrote into is not
   the current snapshot. */
void loader_after_fork(void)
{
	atomic_flag_clear(&is_written);
}

/* The next look is at what is there then. */
void loader_changed(void)
{
	atomic_store(&next_ms, 0);
	refresh();
}
