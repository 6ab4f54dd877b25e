/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Crafted ELF files: everything that is read of a file is read, for addresses
 * spread over its code. The first byte of the input chooses the reader; the
 * rest is the file (0), a perf map (1), kallsyms (2) or a mangled name (3).
 * Seeds: tests/fuzz/symbolize_seeds builds small programs.
 */
#include "symbolize/demangle.h"
#include "symbolize/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_ADDRESSES 64

/* What is handed out has to be there. */
static void check_chain(const struct object *o, size_t i)
{
	const struct frame_set *s;
	struct chain c = object_chain(o, i, &s);

	if (c.n && (c.first > s->frames.n || c.n > s->frames.n - c.first))
		__builtin_trap();
	for (uint32_t k = 0; k < c.n; k++)
		if (s->frames.data[c.first + k].function >= s->names.n)
			__builtin_trap();
}

static void fuzz_file(const uint8_t *data, size_t size)
{
	struct span image = { data, size };
	struct prof_str any = { NULL, 0 };
	uint64_t addresses[N_ADDRESSES];
	struct object o = { .n = 0 };
	struct dwarf_worker *w;
	uint64_t step;

	if (find_in_memory(&o.files, image, any) != FIND_OK)
		return;
	step = (o.files.main.code_end - o.files.main.code_begin) / N_ADDRESSES;
	for (size_t i = 0; i < N_ADDRESSES; i++)
		addresses[i] = o.files.main.code_begin + i * (step + 1);
	o.addresses = addresses;
	while (o.n < N_ADDRESSES &&
	       (o.n == 0 || addresses[o.n] > addresses[o.n - 1]))
		o.n++;
	w = dwarf_worker_new();
	if (w && object_plan(&o) == PROF_OK)
		for (size_t i = 0; i < o.units.n; i++)
			object_run(&o, i, w);
	(void)object_settle(&o);
	for (size_t i = 0; o.answers && i < o.n; i++)
		check_chain(&o, i);
	dwarf_worker_free(w);
	object_release(&o);
}

static void fuzz_text(const uint8_t *data, size_t size, uint8_t kind)
{
	static const uint64_t addresses[] = { 0x1000, 0x2000, 0xffffffff81000000,
		                              UINT64_MAX };
	struct symbol_search s;

	if (!symbol_search_begin(&s, addresses, 4))
		return;
	if (kind == 1)
		symbols_of_perf_map(&s, (const char *)data, size);
	else
		(void)symbols_of_kallsyms(&s, (const char *)data, size);
	symbol_search_settle(&s);
	symbol_search_release(&s);
}

static void fuzz_name(const uint8_t *data, size_t size)
{
	struct demangler d;

	for (int mode = 0; mode <= PROF_DEMANGLE_NONE; mode++) {
		demangle_init(&d, (enum prof_demangle)mode);
		(void)demangle(&d, (struct prof_str){ (const char *)data,
			                              size });
		demangle_release(&d);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 4 == 0)
		fuzz_file(data + 1, size - 1);
	else if (data[0] % 4 == 3)
		fuzz_name(data + 1, size - 1);
	else
		fuzz_text(data + 1, size - 1, data[0] % 4);
	return 0;
}
