/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text of a line to frames with locations. `text` is the frames of
 * the last line as they stood there, `frames` where each of them ends and what
 * it is; a new line keeps the first of them and replaces the rest.
 */
#include "format/collapsed_reader.h"

#include "model/builder.h"

#include <endian.h>
#include <string.h>

/* ---- Escapes ---- */

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the escapes of p[n]; others than we know stay as they are. */
static size_t unescape(unsigned char *to, const unsigned char *p, size_t n)
{
	unsigned char *const begin = to;

	for (const unsigned char *const end = p + n; p < end; p++) {
		if (*p != '\\' || end - p < 2) {
			*to++ = *p;
		} else if (p[1] == ';' || p[1] == '\\') {
			*to++ = *++p;
		} else if (p[1] == 'n') {
			*to++ = '\n';
			p++;
		} else if (p[1] == 'x' && end - p >= 4 &&
		           hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
			*to++ = (unsigned char)(hex_digit(p[2]) << 4 |
			                        hex_digit(p[3]));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	return (size_t)(to - begin);
}

/* The semicolon that ends the frame which begins at p; end: none does. */
static const unsigned char *frame_end(const struct collapsed_reader *c,
                                      const unsigned char *p,
                                      const unsigned char *end)
{
	const unsigned char *const begin = p;

	for (;; p++) {
		const unsigned char *before;

		p = memchr(p, ';', (size_t)(end - p));
		if (!p)
			return end;
		if (!c->r->options->escape)
			return p;
		for (before = p; before > begin && before[-1] == '\\';)
			before--;
		if ((p - before) % 2 == 0)
			return p;
	}
}

/* The name that text[n] stands for. */
static struct prof_str frame_name(struct collapsed_reader *c,
                                  const unsigned char *text, size_t n)
{
	unsigned char *to;

	if (!c->r->options->escape || !memchr(text, '\\', n))
		return (struct prof_str){ (const char *)text, n };
	to = c->unescaped.data + c->unescaped.n;
	n = unescape(to, text, n);
	c->unescaped.n += n;
	return (struct prof_str){ (const char *)to, n };
}

/* ---- Frames ---- */

/* The bits in which the next 8 bytes differ, the first byte's lowest. */
static inline uint64_t difference(const unsigned char *a,
                                  const unsigned char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return le64toh(x ^ y);
}

/* In steps of 32 bytes: twice as fast as of 8 on what sorted lines share. */
static size_t common_prefix(const unsigned char *a, const unsigned char *b,
                            size_t n)
{
	size_t i = 0;

	for (; i + 32 <= n; i += 32)
		if (difference(a + i, b + i) |
		    difference(a + i + 8, b + i + 8) |
		    difference(a + i + 16, b + i + 16) |
		    difference(a + i + 24, b + i + 24))
			break;
	for (; i + 8 <= n; i += 8) {
		const uint64_t bits = difference(a + i, b + i);

		if (bits)
			return i + (size_t)__builtin_ctzll(bits) / 8;
	}
	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/*
 * Keeps of the frames at hand those that text[size] begins with, and puts
 * the rest of the text into their place. Returns where the first new frame
 * begins.
 */
static size_t keep_frames(struct collapsed_reader *c, const unsigned char *text,
                          size_t size)
{
	const size_t n = size < c->text_size ? size : c->text_size;
	const size_t same = common_prefix(c->text, text, n);
	size_t kept = c->frames.n;

	while (kept && c->frames.data[kept - 1].end >= same)
		kept--;
	c->text = text;
	c->text_size = size;
	c->frames.n = kept;
	return kept ? c->frames.data[kept - 1].end + 1u : 0;
}

/*
 * Finds the frames from `begin` on, as names yet, up to one more than a stack
 * may have. False: out of memory.
 */
static bool split_frames(struct collapsed_reader *c, size_t begin)
{
	const unsigned char *const end = c->text + c->text_size;
	const unsigned char *p = c->text + begin, *semicolon;

	do {
		struct frame f = { .kind = FRAME_PLAIN };
		struct prof_str name;

		semicolon = frame_end(c, p, end);
		f.end = (uint32_t)(semicolon - c->text);
		name = frame_name(c, p, (size_t)(semicolon - p));
		if (c->r->options->annotations)
			f.kind = frame_kind_of((const unsigned char *)name.ptr,
			                       name.len);
		if (f.kind == FRAME_INLINED && c->frames.n == 0)
			f.kind = FRAME_PLAIN; /* into what? */
		if (f.kind != FRAME_PLAIN)
			name.len -= FRAME_MARK_SIZE;
		if (!vec_reserve(&c->frames, 1, c->a) ||
		    !vec_reserve(&c->names, 1, c->a))
			return false;
		vec_put(&c->frames, f);
		vec_put(&c->names, name);
		p = semicolon + 1;
	} while (semicolon != end &&
	         c->frames.n <= c->r->options->limits.max_depth);
	return true;
}

/* The function of a name. 0: failed, and it sticks. */
static uint32_t function_of(struct collapsed_reader *c, uint32_t name)
{
	struct name_ids *const ids = &c->by_name.data[name];

	if (!ids->function)
		ids->function = builder_append_function(
			c->b, &(struct row_function){ name, name, 0, 0 });
	return ids->function;
}

/* The location of a name that stands for itself. */
static uint32_t location_of(struct collapsed_reader *c, uint32_t name)
{
	struct name_ids *const ids = &c->by_name.data[name];

	if (!ids->location)
		ids->location = builder_append_location(
			c->b, &(struct row_location){ 0 },
			&(struct prof_line){ function_of(c, name), 0, 0 }, 1);
	return ids->location;
}

/* Interns the names of the new frames, the last ones of the line. */
static bool intern_names(struct collapsed_reader *c)
{
	const size_t n = c->names.n;
	struct frame *frames;
	uint32_t max = 0;

	if (n == 0)
		return true;
	frames = c->frames.data + c->frames.n - n;
	if (!vec_reserve(&c->name_ids, n, c->a) ||
	    !builder_strings(c->b, c->names.data, c->name_ids.data, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		frames[i].name = c->name_ids.data[i];
		if (frames[i].name > max)
			max = frames[i].name;
	}
	if (!vec_fill(&c->by_name, max, c->a))
		return false;
	if (!c->r->options->annotations)
		for (size_t i = 0; i < n; i++)
			frames[i].location = location_of(c, frames[i].name);
	return true;
}

/* ---- Annotations ---- */

static uint32_t mapping_of(struct collapsed_reader *c, enum frame_kind kind)
{
	const char *const file = kind == FRAME_KERNEL ? KERNEL_FILE : JIT_FILE;

	if (kind == FRAME_PLAIN)
		return 0;
	if (!c->mappings[kind])
		c->mappings[kind] = prof_add_mapping(
			c->b, &(struct prof_mapping){
				.file = { file, strlen(file) },
				.has_functions = true });
	return c->mappings[kind];
}

/* The location of frames[n], where all but the first are inlined. */
static uint32_t new_group(struct collapsed_reader *c,
                          const struct frame *frames, size_t n)
{
	c->group_lines.n = 0;
	if (!vec_reserve(&c->group_lines, n, c->a))
		return 0;
	for (size_t i = n; i > 0; i--)
		vec_put(&c->group_lines, (struct prof_line){
			function_of(c, frames[i - 1].name), 0, 0 });
	return builder_append_location(
		c->b, &(struct row_location){
			.mapping = mapping_of(c, (enum frame_kind)frames->kind),
		}, c->group_lines.data, n);
}

/* The same, which may be known. 0: out of memory, or the builder failed. */
static uint32_t group_location(struct collapsed_reader *c,
                               const struct frame *frames, size_t n)
{
	unsigned char *to;
	uint32_t group;

	if (n == 1 && frames->kind == FRAME_PLAIN)
		return location_of(c, frames->name);
	if (!vec_reserve(&c->packed, (n + 1) * VARINT_MAX, c->a))
		return 0;
	to = varint_put(c->packed.data + c->packed.n, frames->kind);
	for (size_t i = 0; i < n; i++)
		to = varint_put(to, frames[i].name);
	group = intern_bytes(&c->groups, c->packed.data + c->packed.n,
	                     (size_t)(to - c->packed.data) - c->packed.n, c->a);
	if (!group || !vec_fill(&c->group_locations, group, c->a))
		return 0;
	if (!c->group_locations.data[group])
		c->group_locations.data[group] = new_group(c, frames, n);
	return c->group_locations.data[group];
}

/* Joins inlined frames with their callers. */
static bool group_frames(struct collapsed_reader *c)
{
	struct frame *const frames = c->frames.data;
	const size_t n = c->frames.n;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n; end++) {
			if (frames[end].kind != FRAME_INLINED)
				break;
			frames[end].location = 0;
		}
		frames[i].location = group_location(c, frames + i, end - i);
		if (!frames[i].location)
			return false;
	}
	return true;
}

bool collapsed_split(struct collapsed_reader *c, const unsigned char *text,
                     size_t size)
{
	size_t begin;

	c->names.n = c->unescaped.n = 0;
	if (c->r->options->escape && !vec_reserve(&c->unescaped, size, c->a))
		return false;
	begin = keep_frames(c, text, size);
	return size == 0 || split_frames(c, begin);
}

bool collapsed_locate(struct collapsed_reader *c)
{
	return intern_names(c) &&
		(!c->r->options->annotations || group_frames(c)) &&
		c->b->status == PROF_OK;
}
