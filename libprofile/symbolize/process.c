/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the running process: its own maps and addresses as a little
 * profile, symbolized like any other.
 */
#include <profile/symbolize.h>

#include "base/error.h"
#include "model/profile.h"

#include <fcntl.h>
#include <unistd.h>

struct prof_frames {
	struct prof_profile *profile;
	VEC(uint32_t) locations; /* of each pc; 0: pc 0 */
};

struct range {
	uint64_t start, limit;
	uint32_t id;
};

struct process_maps {
	struct prof_builder *builder;
	VEC(struct range) ranges; /* in ascending order, as the kernel has it */
};

static enum prof_status take_mapping(void *ctx, uint64_t time,
                                     const struct prof_mapping *m,
                                     struct prof_error *err)
{
	struct process_maps *maps = ctx;

	(void)time;
	if (!vec_reserve(&maps->ranges, 1, &mem_malloc))
		return error_nomem(err);
	vec_put(&maps->ranges,
	        (struct range){ m->start, m->limit,
	                        prof_add_mapping(maps->builder, m) });
	return PROF_OK;
}

static enum prof_status read_maps(struct process_maps *maps,
                                  struct prof_error *err)
{
	struct prof_recorder recorder = { .mapping = take_mapping,
		                          .ctx = maps };
	VEC(char) text = { NULL, 0, 0 };
	enum prof_status status = PROF_OK;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return error_set(err, PROF_SYSTEM, "/proc/self/maps");
	while (n > 0 && status == PROF_OK) {
		if (!vec_reserve(&text, 1 << 14, &mem_malloc)) {
			status = error_nomem(err);
			break;
		}
		n = read(fd, text.data + text.n, 1 << 14);
		if (n < 0)
			status = error_set(err, PROF_SYSTEM, "/proc/self/maps");
		else
			text.n += (size_t)n;
	}
	close(fd);
	if (status == PROF_OK)
		status = prof_record_maps(&recorder, 0, text.data, text.n, err);
	vec_release(&text, &mem_malloc);
	return status;
}

/* The location of a return address: inside of the call before it. */
static uint32_t add_pc(struct process_maps *maps, uint64_t pc)
{
	struct prof_location l = { .address = pc - 1 };
	size_t low = 0, high = maps->ranges.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct range *r = &maps->ranges.data[middle];

		if (l.address < r->start) {
			high = middle;
		} else if (l.address >= r->limit) {
			low = middle + 1;
		} else {
			l.mapping = r->id;
			break;
		}
	}
	return pc ? prof_add_location(maps->builder, &l) : 0;
}

static enum prof_status fill(struct prof_frames *f, const uint64_t *pcs,
                             size_t n, struct prof_error *err)
{
	struct process_maps maps = { prof_builder_new(NULL), { NULL, 0, 0 } };
	enum prof_status status = PROF_NOMEM;

	if (maps.builder && vec_reserve(&f->locations, n, &mem_malloc))
		status = read_maps(&maps, err);
	else
		error_nomem(err);
	for (size_t i = 0; i < n && status == PROF_OK; i++)
		vec_put(&f->locations, add_pc(&maps, pcs[i]));
	if (status == PROF_OK)
		status = prof_builder_finish(&f->profile, maps.builder, err);
	else
		prof_builder_free(maps.builder);
	vec_release(&maps.ranges, &mem_malloc);
	return status;
}

enum prof_status prof_frames(struct prof_frames **out, const uint64_t *pcs,
                             size_t n,
                             const struct prof_symbolize_options *options,
                             struct prof_error *err)
{
	struct prof_frames *f = mem_zeroed(&mem_malloc, 1, sizeof(*f));
	enum prof_status status;

	if (!f)
		return error_nomem(err);
	status = fill(f, pcs, n, err);
	if (status == PROF_OK)
		status = prof_symbolize(f->profile, options, err);
	if (status == PROF_OK)
		*out = f;
	else
		prof_frames_free(f);
	return status;
}

size_t prof_get_frames(const struct prof_frames *f, size_t i,
                       struct prof_symbol *frames, size_t size)
{
	struct prof_location l;
	struct prof_function fn = { 0 };

	if (i >= f->locations.n ||
	    !prof_get_location(f->profile, f->locations.data[i], &l))
		return 0;
	for (size_t k = 0; k < l.n_lines && k < size; k++) {
		if (!prof_get_function(f->profile, l.lines[k].function, &fn))
			fn = (struct prof_function){ .start_line = 0 };
		frames[k] = (struct prof_symbol){ fn.name, fn.system_name,
			                          fn.filename, l.lines[k].line,
			                          l.lines[k].column,
			                          fn.start_line };
	}
	return l.n_lines;
}

void prof_frames_free(struct prof_frames *f)
{
	if (!f)
		return;
	prof_profile_free(f->profile);
	vec_release(&f->locations, &mem_malloc);
	mem_free(&mem_malloc, f, sizeof(*f));
}
