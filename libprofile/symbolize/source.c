/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/source.h"

#include "base/intern.h"
#include "symbolize/address.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

/* kallsyms has some ten million bytes; more than this is none. */
#define TEXT_MAX ((size_t)1 << 30)

/* ---- Options ---- */

static char *format_path(const char *format, const char *dir,
                         unsigned long long number)
{
	char text[4096];
	int n = dir ? snprintf(text, sizeof(text), format, dir)
	            : snprintf(text, sizeof(text), format, number);
	char *copy;

	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0;
	text[n] = '\0';
	copy = mem_resize(&mem_malloc, NULL, 0, (size_t)n + 1);
	return copy ? memcpy(copy, text, (size_t)n + 1) : NULL;
}

static void free_text(char *text)
{
	if (text)
		mem_free(&mem_malloc, text, strlen(text) + 1);
}

static const char *first_of(const char *a, const char *b)
{
	return a && *a ? a : b;
}

bool source_options_init(struct source_options *s,
                         const struct prof_symbolize_options *o)
{
	const char *path = o->binary_path, *home = getenv("HOME");

	path = first_of(path, getenv("PROFILE_BINARY_PATH"));
	path = first_of(path, getenv("PPROF_BINARY_PATH"));
	if (!(path && *path) && home && *home)
		path = s->home_path = format_path("%s/pprof/binaries", home, 0);
	s->find.binary_path = path;
	s->find.debug_path = first_of(o->debug_path, "/usr/lib/debug");
	s->find.use_debuginfod = o->debuginfod;
	s->kallsyms = first_of(o->kallsyms, "/proc/kallsyms");
	s->vmlinux = o->vmlinux;
	if (o->perf_map)
		s->perf_map = format_path("%s", o->perf_map, 0);
	else if (o->pid)
		s->perf_map = format_path("/tmp/perf-%llu.map", NULL, o->pid);
	else
		return true;
	return s->perf_map != NULL;
}

void source_options_release(struct source_options *s)
{
	free_text(s->home_path);
	free_text(s->perf_map);
}

/* ---- Kinds ---- */

static bool is_text(struct prof_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static bool has_prefix(struct prof_str s, const char *prefix)
{
	return s.len >= strlen(prefix) &&
	       memcmp(s.ptr, prefix, strlen(prefix)) == 0;
}

/* Memory without a file is where JIT compilers put their code. */
static bool is_anonymous(struct prof_str name)
{
	return name.len == 0 || has_prefix(name, "//anon") ||
	       has_prefix(name, "[anon") || has_prefix(name, "anon_inode:") ||
	       has_prefix(name, "/memfd:") || is_text(name, "[heap]") ||
	       has_prefix(name, "[stack");
}

/* The kernel by its name, or by addresses only it can have. */
static bool is_kernel(const struct row_mapping *m, struct prof_str name)
{
	return has_prefix(name, "[kernel") ||
	       has_prefix(name, "[guest.kernel") ||
	       (m->start >= UINT64_C(1) << 63 && !has_prefix(name, "/") &&
	        !is_text(name, "[vsyscall]"));
}

void source_of_mapping(struct source *s, const struct prof_profile *p,
                       uint32_t mapping, const struct source_options *o)
{
	const struct row_mapping *m = &p->mappings.data[mapping];

	*s = (struct source){ .kind = SOURCE_JIT, .result = FIND_NO_FILE };
	if (mapping == 0)
		return;
	s->name = profile_string(p, m->file);
	s->build_id = profile_string(p, m->build_id);
	if (is_text(s->name, "[vdso]") || is_text(s->name, "linux-vdso.so.1"))
		s->kind = SOURCE_VDSO;
	else if (is_kernel(m, s->name))
		s->kind = o->vmlinux ? SOURCE_VMLINUX : SOURCE_KERNEL;
	else if (!is_anonymous(s->name) || s->build_id.len)
		s->kind = SOURCE_FILE;
}

static bool is_equal(struct prof_str a, struct prof_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool source_is_equal(const struct source *a, const struct source *b)
{
	return a->kind == b->kind &&
	       (a->kind == SOURCE_JIT || (is_equal(a->name, b->name) &&
	                                  is_equal(a->build_id, b->build_id)));
}

uint64_t source_hash(const struct source *s, uint64_t seed)
{
	const uint64_t hash = seed + s->kind;

	if (s->kind == SOURCE_JIT)
		return hash_bytes(NULL, 0, hash);
	return hash_bytes(s->name.ptr, s->name.len,
	                  hash_bytes(s->build_id.ptr, s->build_id.len, hash));
}

/* ---- Opening ---- */

/* Files of /proc have no size: read until the end. */
static enum find_result read_text(struct source *s, const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	enum find_result result = FIND_OK;
	ssize_t n = 1;

	if (fd < 0)
		return FIND_NO_FILE;
	while (n > 0 && s->text.n < TEXT_MAX && result == FIND_OK) {
		if (!vec_reserve(&s->text, 1 << 16, &mem_malloc)) {
			result = FIND_NO_MEMORY;
			break;
		}
		n = read(fd, s->text.data + s->text.n, 1 << 16);
		if (n > 0)
			s->text.n += (size_t)n;
	}
	close(fd);
	s->text_path = path;
	return result == FIND_OK && s->text.n == 0 ? FIND_NO_FILE : result;
}

/* How many bytes of memory the segments and sections of an image take. */
static struct span vdso_image(void)
{
	const unsigned char *p = (const unsigned char *)getauxval(
		AT_SYSINFO_EHDR);
	struct span head = { p, 4096 };
	struct elf elf;
	uint64_t end = 0;

	if (!p || elf_open(&elf, head, NULL) != PROF_OK)
		return (struct span){ NULL, 0 };
	for (size_t i = 0; i < elf.segments.n; i++) {
		const struct elf_segment *s = &elf.segments.data[i];

		if (s->type == ELF_PT_LOAD && s->offset + s->file_size > end)
			end = s->offset + s->file_size;
	}
	elf_close(&elf);
	/* The kernel maps whole pages; the section table is behind. */
	return (struct span){ p, (size_t)((end + 4095) / 4096 * 4096) };
}

static enum find_result open_vmlinux(struct source *s, struct found_files *f,
                                     const struct source_options *o)
{
	struct prof_str name = { o->vmlinux, strlen(o->vmlinux) };

	return find_files(f, name, s->build_id, &o->find);
}

void source_open(struct source *s, struct found_files *f,
                 const struct source_options *o)
{
	struct span image;

	switch (s->kind) {
	case SOURCE_FILE:
		s->result = find_files(f, s->name, s->build_id, &o->find);
		break;
	case SOURCE_VDSO:
		image = vdso_image();
		s->result = image.data ? find_in_memory(f, image, s->build_id)
		                       : FIND_NO_FILE;
		break;
	case SOURCE_VMLINUX:
		s->result = open_vmlinux(s, f, o);
		if (s->result == FIND_OK)
			s->has_stext = symbol_address(found_debug(f), "_stext",
			                              &s->stext);
		break;
	case SOURCE_KERNEL:
		s->result = read_text(s, o->kallsyms);
		break;
	case SOURCE_JIT:
		s->result = read_text(s, o->perf_map);
		break;
	}
}

bool source_base(const struct source *s, const struct elf *elf,
                 const struct row_mapping *m, uint64_t address, uint64_t *base)
{
	struct address_mapping a = { m->start, m->limit, m->offset,
		                     false, s->has_stext, s->stext };

	if (s->result != FIND_OK)
		return false;
	if (s->kind == SOURCE_KERNEL || s->kind == SOURCE_JIT) {
		*base = 0; /* the lists have the addresses as they are */
		return true;
	}
	a.is_kernel = s->kind == SOURCE_VMLINUX ||
	              (s->kind == SOURCE_FILE &&
	               address_is_kernel(&a, s->name));
	return address_base(elf, &a, address, base);
}

/* ---- Symbols ---- */

enum prof_status source_plan(struct source *s, struct object *o)
{
	if (s->kind != SOURCE_KERNEL && s->kind != SOURCE_JIT)
		return object_plan(o);
	if (!object_begin(o))
		return PROF_NOMEM;
	if (s->kind == SOURCE_JIT) {
		symbols_of_perf_map(&o->symbols, s->text.data, s->text.n);
	} else if (symbols_of_kallsyms(&o->symbols, s->text.data,
	                               s->text.n) == 0) {
		s->is_hidden = true;
		s->result = FIND_NO_FILE;
	}
	symbol_search_settle(&o->symbols);
	o->has_symbols = true;
	return PROF_OK;
}

struct prof_str source_path(const struct source *s,
                            const struct found_files *files)
{
	const char *path = s->text_path ? s->text_path : files->main_file.path;

	return (struct prof_str){ path ? path : "", path ? strlen(path) : 0 };
}

void source_release(struct source *s)
{
	vec_release(&s->text, &mem_malloc);
}
