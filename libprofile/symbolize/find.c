/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/find.h"

#include "symbolize/debuginfod.h"
#include "symbolize/unpack.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

/* ---- Files ---- */

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = mem_resize(&mem_malloc, NULL, 0, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

static bool map_descriptor(struct mapped_file *f, int fd)
{
	struct stat st;
	void *image;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uintmax_t)st.st_size > SIZE_MAX)
		return false;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return false;
	f->image = (struct span){ image, (size_t)st.st_size };
	return true;
}

static void release_image(struct mapped_file *f)
{
	void *image = (void *)(uintptr_t)f->image.data;

	if (f->is_unpacked)
		mem_free(&mem_malloc, image, f->image.size);
	else if (image && !f->is_borrowed)
		munmap(image, f->image.size);
}

/* By their names, as the kernel's own tools: nothing else is unpacked. */
static bool is_packed_module(const char *path)
{
	static const char *const ends[] = { ".ko.xz", ".ko.zst", ".ko.gz" };
	size_t size = strlen(path);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (size > n && strcmp(path + size - n, ends[i]) == 0)
			return true;
	}
	return false;
}

/* What is damaged stays packed, and is no ELF file. */
static void unpack_module(struct mapped_file *f)
{
	struct span image = unpack_file(f->image);

	if (!image.data)
		return;
	release_image(f);
	f->image = image;
	f->is_unpacked = true;
}

bool map_file(struct mapped_file *f, const char *path)
{
	int fd;

	*f = (struct mapped_file){ .path = copy_text(path) };
	if (!f->path)
		return false;
	/* A mapping may name a device or a FIFO: do not wait for one. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		if (!map_descriptor(f, fd))
			unmap_file(f);
		else if (is_packed_module(path))
			unpack_module(f);
		close(fd);
	} else {
		unmap_file(f);
	}
	return f->image.data != NULL;
}

void unmap_file(struct mapped_file *f)
{
	release_image(f);
	if (f->path)
		mem_free(&mem_malloc, f->path, strlen(f->path) + 1);
	*f = (struct mapped_file){ .path = NULL };
}

static void close_elf(struct elf *elf, struct mapped_file *f)
{
	elf_close(elf);
	unmap_file(f);
	*elf = (struct elf){ .image = { NULL, 0 } };
}

void found_files_release(struct found_files *f)
{
	close_elf(&f->main, &f->main_file);
	close_elf(&f->debug, &f->debug_file);
	close_elf(&f->alt, &f->alt_file);
}

/* ---- Build ids ---- */

#define BUILD_ID_MAX 64

/* Writes an id in hexadecimal; "" where it is too long to be one. */
static void build_id_text(struct span id, char text[2 * BUILD_ID_MAX + 1])
{
	size_t n = id.size <= BUILD_ID_MAX ? id.size : 0;

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", id.data[i]);
	text[2 * n] = '\0';
}

/* True where both have an id and they differ. */
static bool is_other_build(const struct elf *elf, struct prof_str build_id)
{
	char text[2 * BUILD_ID_MAX + 1];

	build_id_text(elf_build_id(elf), text);
	return build_id.len > 0 && text[0] &&
	       (strlen(text) != build_id.len ||
	        memcmp(text, build_id.ptr, build_id.len) != 0);
}

/* ---- Candidates ---- */

/* What is looked for, and the best that was found. */
struct search {
	struct prof_str build_id;
	struct elf *elf;
	struct mapped_file *file;
	enum find_result result;
	bool needs_crc; /* the file has to have this checksum */
	uint32_t crc;
	bool (*suits)(const struct elf *elf); /* what it has; NULL: any does */
};

static void worsen(struct search *s, enum find_result result)
{
	if (result > s->result)
		s->result = result;
}

static uint32_t checksum(struct span b)
{
	uLong crc = crc32(0, NULL, 0);

	for (size_t done = 0; done < b.size;) {
		size_t n = b.size - done < (1u << 30) ? b.size - done
		                                      : 1u << 30;

		crc = crc32(crc, b.data + done, (uInt)n);
		done += n;
	}
	return (uint32_t)crc;
}

/* Opens a candidate; true: it is the one. */
static bool try_path(struct search *s, const char *path)
{
	if (!map_file(s->file, path))
		return false;
	if (elf_open(s->elf, s->file->image, NULL) != PROF_OK) {
		unmap_file(s->file);
		worsen(s, FIND_NOT_ELF);
		return false;
	}
	if (is_other_build(s->elf, s->build_id) ||
	    (s->needs_crc && checksum(s->file->image) != s->crc)) {
		close_elf(s->elf, s->file);
		worsen(s, FIND_MISMATCH);
		return false;
	}
	if (s->suits && !s->suits(s->elf)) {
		close_elf(s->elf, s->file);
		return false;
	}
	s->result = FIND_OK;
	return true;
}

__attribute__((format(printf, 2, 3))) static bool
try_format(struct search *s, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return n > 0 && (size_t)n < sizeof(path) && try_path(s, path);
}

/* The files of P/BUILD_ID/, whatever their names. */
static bool try_directory(struct search *s, const char *dir)
{
	char pattern[PATH_MAX];
	glob_t files;
	bool found = false;
	int n = snprintf(pattern, sizeof(pattern), "%s/%.*s/*", dir,
	                 (int)s->build_id.len, s->build_id.ptr);

	/* Sorted: the choice may not depend on the file system. */
	if (n < 0 || (size_t)n >= sizeof(pattern) ||
	    glob(pattern, 0, NULL, &files) != 0)
		return false;
	for (size_t i = 0; i < files.gl_pathc && !found; i++)
		found = try_path(s, files.gl_pathv[i]);
	globfree(&files);
	return found;
}

/* Only hexadecimal digits may become part of a path. */
static bool is_hex(struct prof_str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!strchr("0123456789abcdefABCDEF", id.ptr[i]))
			return false;
	return id.len > 2 && id.len <= 2 * BUILD_ID_MAX;
}

static bool try_by_build_id(struct search *s, const char *dir, const char *base,
                            const char *name)
{
	struct prof_str id = s->build_id;
	int n = (int)id.len;

	if (!is_hex(id))
		return false;
	return (base[0] &&
	        try_format(s, "%s/%.*s/%s", dir, n, id.ptr, base)) ||
	       try_directory(s, dir) ||
	       (name[0] &&
	        try_format(s, "%s/%s/%.*s", dir, name, n, id.ptr)) ||
	       try_format(s, "%s/%.2s/%.*s.debug", dir, id.ptr, n - 2,
	                  id.ptr + 2) ||
	       try_format(s, "%s/.build-id/%.2s/%.*s.debug", dir, id.ptr,
	                  n - 2, id.ptr + 2);
}

static bool try_by_name(struct search *s, const char *dir, const char *base,
                        const char *name)
{
	int dir_size = (int)(base - name);

	return base[0] &&
	       (try_format(s, "%s/%s", dir, base) ||
	        try_format(s, "%s/%s", dir, name) ||
	        try_format(s, "%s/%s.debug", dir, name) ||
	        try_format(s, "%s/%.*s.debug/%s.debug", dir, dir_size, name,
	                   base) ||
	        try_format(s, "%s/usr/lib/debug/%.*s%s.debug", dir, dir_size,
	                   name, base));
}

/* Takes the next directory off a list split by ':'. */
static bool next_directory(const char **list, char dir[PATH_MAX])
{
	while (*list && **list) {
		size_t n = strcspn(*list, ":");
		const char *begin = *list;

		*list += n + (begin[n] == ':');
		if (n == 0 || n >= PATH_MAX)
			continue;
		memcpy(dir, begin, n);
		dir[n] = '\0';
		return true;
	}
	return false;
}

static bool try_binary(struct search *s, const char *name,
                       const struct find_options *o)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	const char *list = o->binary_path;
	char dir[PATH_MAX];

	while (next_directory(&list, dir))
		if (try_by_build_id(s, dir, base, name) ||
		    try_by_name(s, dir, base, name))
			return true;
	if (name[0] && try_path(s, name))
		return true;
	list = o->debug_path;
	while (s->build_id.len && next_directory(&list, dir))
		if (try_by_build_id(s, dir, "", ""))
			return true;
	return o->use_debuginfod &&
	       debuginfod_fetch(s->build_id, DEBUGINFOD_EXECUTABLE, dir,
	                        sizeof(dir)) &&
	       try_path(s, dir);
}

/* ---- Debugging information beside the binary ---- */

static bool has_debug_info(const struct elf *elf)
{
	const struct elf_section *s = elf_find(elf, ".debug_info");

	if (!s)
		s = elf_find(elf, ".zdebug_info");
	return s && s->type != ELF_SHT_NOBITS;
}

static bool has_symbols(const struct elf *elf)
{
	const struct elf_section *s = elf_find(elf, ".symtab");

	return s && s->type != ELF_SHT_NOBITS;
}

/* DIR of a path, with the '/'; "" for a name alone. */
static int directory_size(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? (int)(slash - path + 1) : 0;
}

/* The three places where a .gnu_debuglink is looked for. */
static bool try_debuglink(struct search *s, const struct found_files *f,
                          const struct find_options *o)
{
	struct span link = elf_content_of(&f->main, ".gnu_debuglink");
	struct cursor c = elf_cursor(&f->main, link);
	const char *name = cursor_string(&c);
	const char *path = f->main_file.path, *list = o->debug_path;
	int n = directory_size(path);
	char dir[PATH_MAX];

	if (!name || strchr(name, '/') || !path)
		return false;
	cursor_skip(&c, (uint64_t)(link.data - c.p) & 3);
	s->crc = cursor_u32(&c);
	if (c.has_failed)
		return false;
	s->needs_crc = true;
	if (try_format(s, "%.*s%s", n, path, name) ||
	    try_format(s, "%.*s.debug/%s", n, path, name))
		return true;
	while (next_directory(&list, dir))
		if (try_format(s, "%s/%.*s%s", dir, n, path, name))
			return true;
	s->needs_crc = false;
	return false;
}

static bool try_debug(struct search *s, const struct found_files *f,
                      const struct find_options *o)
{
	const char *lists[2] = { o->binary_path, o->debug_path };
	char dir[PATH_MAX];

	for (int i = 0; i < 2; i++)
		while (next_directory(&lists[i], dir))
			if (try_by_build_id(s, dir, "", ""))
				return true;
	return try_debuglink(s, f, o);
}

/*
 * What these directories have by a build id may be the binary once more, as
 * stripped as before: only a file that has what is missing ends the search.
 */
static void find_debug(struct found_files *f, const struct find_options *o)
{
	char id[2 * BUILD_ID_MAX + 1], path[PATH_MAX];
	struct search s = { .elf = &f->debug, .file = &f->debug_file,
		            .suits = has_debug_info };

	build_id_text(elf_build_id(&f->main), id);
	s.build_id = (struct prof_str){ id, strlen(id) };
	if (try_debug(&s, f, o) ||
	    (o->use_debuginfod &&
	     debuginfod_fetch(s.build_id, DEBUGINFOD_DEBUGINFO, path,
	                      sizeof(path)) &&
	     try_path(&s, path)) ||
	    has_symbols(&f->main))
		return;
	s.suits = has_symbols;
	(void)try_debug(&s, f, o);
}

/* The file dwz moved what several had in common to. */
static void find_alt(struct found_files *f, const struct find_options *o)
{
	const struct elf *elf = found_debug(f);
	const struct mapped_file *at =
		elf == &f->main ? &f->main_file : &f->debug_file;
	struct cursor c =
		elf_cursor(elf, elf_content_of(elf, ".gnu_debugaltlink"));
	const char *name = cursor_string(&c), *list = o->debug_path;
	struct span wanted = { c.p, cursor_left(&c) };
	char id[2 * BUILD_ID_MAX + 1], dir[PATH_MAX];
	struct search s = { .elf = &f->alt, .file = &f->alt_file };

	if (!name || !at->path)
		return;
	build_id_text(wanted, id);
	s.build_id = (struct prof_str){ id, strlen(id) };
	if (name[0] == '/' ? try_path(&s, name)
	                   : try_format(&s, "%.*s%s", directory_size(at->path),
	                                at->path, name))
		return;
	while (next_directory(&list, dir))
		if (try_by_build_id(&s, dir, "", ""))
			return;
}

/* ---- The whole ---- */

enum find_result find_files(struct found_files *out, struct prof_str name,
                            struct prof_str build_id,
                            const struct find_options *options)
{
	struct search s = { .build_id = build_id, .elf = &out->main,
		            .file = &out->main_file, .result = FIND_NO_FILE };
	char path[PATH_MAX];

	*out = (struct found_files){ .main_file = { .path = NULL } };
	if (name.len >= sizeof(path))
		return FIND_NO_FILE;
	if (name.len)
		memcpy(path, name.ptr, name.len);
	path[name.len] = '\0';
	if (!try_binary(&s, path, options))
		return s.result;
	if (!has_debug_info(&out->main))
		find_debug(out, options);
	find_alt(out, options);
	return FIND_OK;
}

enum find_result find_in_memory(struct found_files *out, struct span image,
                                struct prof_str build_id)
{
	*out = (struct found_files){
		.main_file = { .image = image, .is_borrowed = true }
	};
	if (elf_open(&out->main, image, NULL) != PROF_OK)
		return FIND_NOT_ELF;
	if (is_other_build(&out->main, build_id)) {
		found_files_release(out);
		return FIND_MISMATCH;
	}
	return FIND_OK;
}

const struct elf *found_debug(const struct found_files *f)
{
	return f->debug.image.data ? &f->debug : &f->main;
}
