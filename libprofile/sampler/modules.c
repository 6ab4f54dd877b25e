/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log grows by a counter; two threads that meet an object at the same
 * time may log it twice, which costs a row and harms nobody.
 */
#include "sampler/modules.h"

#include "sampler/loader.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SEEN_SIZE = 4096, SEEN_PROBES = 32, PAGE = 4096, PATH_SIZE = 512 };

static struct module_log *_Atomic module_log;
static char program[1024]; /* its path: ld.so has "" */
/* Start addresses of the objects in the log. */
static _Atomic uint64_t seen[SEEN_SIZE];

void modules_log_to(struct module_log *log)
{
	const ssize_t n = readlink("/proc/self/exe", program,
	                           sizeof(program) - 1);
	size_t i;

	program[n > 0 ? n : 0] = '\0';
	loader_changed();
	atomic_store(&module_log, log);
	for (i = 0; i < SEEN_SIZE; i++)
		atomic_store(&seen[i], 0);
}

/* True for the first who asks. A full neighbourhood is "seen". */
static bool is_new(uint64_t start)
{
	size_t at = (size_t)(start / PAGE * 0x9E3779B97F4A7C15u >> 52), i;

	for (i = 0; i < SEEN_PROBES; i++, at++) {
		uint64_t old = atomic_load_explicit(&seen[at % SEEN_SIZE],
		                                    memory_order_relaxed);

		if (old == 0 && atomic_compare_exchange_strong(
					&seen[at % SEEN_SIZE], &old, start))
			return true;
		if (old == start)
			return false;
	}
	return false;
}

static void find_build_id(struct module *m, const uint8_t *notes, size_t size)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)notes;
		const size_t name = (note->n_namesz + 3u) & ~(size_t)3;
		const size_t desc = (note->n_descsz + 3u) & ~(size_t)3;
		const size_t all = sizeof(*note) + name + desc;

		if (all > size)
			return;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    note->n_descsz <= MODULE_ID_SIZE &&
		    !memcmp(note + 1, "GNU", 4)) {
			m->build_id_size = note->n_descsz;
			memcpy(m->build_id, (const uint8_t *)(note + 1) + name,
			       note->n_descsz);
			return;
		}
		notes += all;
		size -= all;
	}
}

/* From the ELF header, which is at the start of the first segment. */
static bool read_headers(struct module *m, const uint8_t *image,
                         uint64_t bias, uint64_t pc)
{
	const ElfW(Ehdr) *header = (const void *)image;
	const ElfW(Phdr) *p;
	size_t i;

	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_phoff > PAGE ||
	    header->e_phentsize != sizeof(ElfW(Phdr)))
		return false;
	p = (const void *)(image + header->e_phoff);
	for (i = 0; i < header->e_phnum; i++) {
		const uint64_t start = bias + p[i].p_vaddr;

		if (p[i].p_type == PT_NOTE && m->build_id_size == 0)
			find_build_id(m, (const uint8_t *)(uintptr_t)start,
			              p[i].p_filesz);
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X) ||
		    pc < start || pc - start >= p[i].p_memsz)
			continue;
		m->start = start & ~(uint64_t)(PAGE - 1);
		m->limit = (start + p[i].p_memsz + PAGE - 1) &
		           ~(uint64_t)(PAGE - 1);
		m->offset = p[i].p_offset & ~(uint64_t)(PAGE - 1);
	}
	return m->limit != 0;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A row of the log, or NULL where it is full. */
static struct module *new_module(struct module_log *log)
{
	const uint32_t i = atomic_fetch_add(&log->n, 1);

	if (i < MODULES_MAX)
		return &log->modules[i];
	atomic_fetch_sub(&log->n, 1);
	atomic_fetch_add(&log->lost, 1);
	return NULL;
}

static void put_path(struct module_log *log, struct module *m,
                     const char *path)
{
	const size_t size = strlen(path);
	uint32_t at;

	if (size > MODULES_PATHS)
		return;
	at = atomic_fetch_add(&log->paths_size, (uint32_t)size);
	if (at > MODULES_PATHS - size) {
		atomic_fetch_sub(&log->paths_size, (uint32_t)size);
		return;
	}
	memcpy(log->paths + at, path, size);
	m->path = at;
	m->path_size = (uint32_t)size;
}

static void note_module(struct module_log *log, const struct loaded *o,
                        uint64_t pc)
{
	char name[PATH_SIZE];
	const char *path = name;
	struct module m = { .time = now() }, *row;

	if (!read_headers(&m, o->start, o->bias, pc))
		return;
	row = new_module(log);
	if (!row)
		return;
	loader_path(name, sizeof(name), pc);
	if (*path == '\0')
		path = program;
	else if (!strncmp(path, "linux-vdso", 10))
		path = "[vdso]";
	put_path(log, &m, path);
	memcpy((char *)row + offsetof(struct module, path),
	       (char *)&m + offsetof(struct module, path),
	       sizeof(m) - offsetof(struct module, path));
	atomic_store(&row->is_complete, 1);
}

bool modules_find(struct cfi_tables *out, uint64_t pc)
{
	struct module_log *log;
	struct loaded o;

	if (!loader_find(&o, pc))
		return false;
	log = atomic_load(&module_log);
	if (log && is_new((uint64_t)(uintptr_t)o.start))
		note_module(log, &o, pc);
	*out = (struct cfi_tables){ o.eh_frame_hdr, o.start, o.end };
	return o.eh_frame_hdr != NULL;
}

bool modules_contain(uint64_t pc)
{
	struct loaded o;

	return loader_find(&o, pc);
}

void modules_after_unload(void)
{
	struct module_log *log = atomic_load(&module_log);
	uint32_t i, n, k;

	loader_changed();
	if (!log)
		return;
	n = atomic_load(&log->n);
	for (i = 0; i < n; i++) {
		const struct module *m = &log->modules[i];
		struct module *gone;
		bool is_last = true;

		if (!atomic_load(&m->is_complete) || m->limit == 0 ||
		    modules_contain(m->start))
			continue;
		for (k = i + 1; k < n && is_last; k++)
			is_last = log->modules[k].start != m->start;
		gone = is_last ? new_module(log) : NULL;
		if (!gone)
			continue;
		gone->time = now();
		gone->start = m->start;
		atomic_store(&gone->is_complete, 1);
	}
	for (i = 0; i < SEEN_SIZE; i++)
		atomic_store(&seen[i], 0);
}

static int read_unloads(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	*(uint64_t *)ctx = info->dlpi_subs;
	return 1; /* each object says the same */
}

bool modules_have_gone(void)
{
	static _Atomic uint64_t known;
	uint64_t n = 0;

	dl_iterate_phdr(read_unloads, &n);
	return atomic_exchange(&known, n) != n;
}
