/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nm and objdump print, line by line:
 *
 *	0000000000001139 T main                 of nm -n
 *
 *	main():                                 of objdump: from here on
 *	/src/main.c:12 (discriminator 3)        these are function and line
 *	    113d:	mov    %edi,-0x14(%rbp)
 */
#include "disassembler.h"

#include "child.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Runs a program and keeps its output, which the caller releases. */
static enum prof_status run(struct prof_buffer *out, const char *const *argv,
                            struct prof_error *err)
{
	enum prof_status status =
		child_run(argv, -1, prof_sink_buffer(out), err);

	if (status == PROF_SYSTEM && err->sys_errno == ENOENT)
		status = child_missing(err, "binutils are not installed: their "
		                       "programs nm and objdump are needed");
	return status;
}

/* The next line of p[0 .. end), without blanks around it. */
static struct prof_str next_line(const char **p, const char *end)
{
	const char *begin = *p;
	const char *stop = memchr(begin, '\n', (size_t)(end - begin));

	*p = stop != NULL ? stop + 1 : end;
	if (stop == NULL)
		stop = end;
	while (begin < stop && (*begin == ' ' || *begin == '\t'))
		begin++;
	while (stop > begin && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	return (struct prof_str){ begin, (size_t)(stop - begin) };
}

/* How many hexadecimal digits s begins with, and their number. */
static size_t take_hex(uint64_t *out, struct prof_str s)
{
	size_t i = 0;

	for (*out = 0; i < s.len && i < 16; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = memchr(digits, s.ptr[i], 16);

		if (digit == NULL)
			break;
		*out = *out << 4 | (uint64_t)(digit - digits);
	}
	return i;
}

/* ---- Symbols ---- */

static enum prof_status list_symbols(void *ctx, const char *path,
                                     prof_symbol_fn put, void *put_ctx,
                                     struct prof_error *err)
{
	const char *const argv[] = { "nm", "-n", path, NULL };
	struct prof_buffer text = { 0 };
	enum prof_status status = run(&text, argv, err);
	const char *p = (const char *)text.data, *end = p + text.size;

	(void)ctx;
	while (status == PROF_OK && p < end) {
		struct prof_str line = next_line(&p, end);
		uint64_t address;
		size_t n = take_hex(&address, line);

		/* "ADDRESS T name" */
		if (n > 0 && n + 3 < line.len && line.ptr[n] == ' ' &&
		    line.ptr[n + 2] == ' ')
			put(put_ctx, address,
			    (struct prof_str){ line.ptr + n + 3,
			                       line.len - n - 3 });
	}
	prof_buffer_release(&text);
	return status;
}

/* ---- Instructions ---- */

/* "113d:<tab>mov ..." */
static bool take_instruction(struct prof_instruction *in, struct prof_str line)
{
	size_t n = take_hex(&in->address, line);

	if (n == 0 || n + 1 >= line.len || line.ptr[n] != ':' ||
	    (line.ptr[n + 1] != '\t' && line.ptr[n + 1] != ' '))
		return false;
	for (n++; n < line.len && (line.ptr[n] == '\t' || line.ptr[n] == ' ');)
		n++;
	in->text = (struct prof_str){ line.ptr + n, line.len - n };
	return true;
}

/* "/src/main.c:12", whatever follows; the last colon with a digit counts. */
static bool take_place(struct prof_instruction *in, struct prof_str line)
{
	for (size_t i = line.len; i-- > 1;) {
		int64_t number = 0;
		size_t k = i + 1;

		if (line.ptr[i] != ':')
			continue;
		for (; k < line.len && line.ptr[k] >= '0' &&
		     line.ptr[k] <= '9' && number < INT32_MAX; k++)
			number = 10 * number + (line.ptr[k] - '0');
		if (k == i + 1)
			continue;
		in->file = (struct prof_str){ line.ptr, i };
		in->line = number;
		return true;
	}
	return false;
}

/* "main():", or "0000000000001139 <main>:" and "main:" of others. */
static bool take_function(struct prof_instruction *in, struct prof_str line)
{
	uint64_t address;
	size_t n;

	if (line.len < 2 || line.ptr[line.len - 1] != ':')
		return false;
	line.len--;
	if (line.len > 2 && !memcmp(line.ptr + line.len - 2, "()", 2)) {
		line.len -= 2;
	} else {
		n = take_hex(&address, line);
		if (n > 0 && n < line.len && line.ptr[n] == ' ') {
			line.ptr += n + 1;
			line.len -= n + 1;
		}
	}
	in->function = line;
	return true;
}

static void put_instructions(const struct prof_buffer *text,
                             prof_instruction_fn put, void *put_ctx)
{
	const struct prof_str none = { "", 0 };
	struct prof_instruction in = { .function = none, .file = none };
	const char *p = (const char *)text->data, *end = p + text->size;

	while (p < end) {
		struct prof_str line = next_line(&p, end);

		if (take_instruction(&in, line)) {
			put(put_ctx, &in);
		} else if (!take_place(&in, line) &&
		           !take_function(&in, line)) {
			in.function = in.file = none;
			in.line = 0;
		}
	}
}

static enum prof_status list_instructions(void *ctx, const char *path,
                                          uint64_t start, uint64_t end,
                                          prof_instruction_fn put,
                                          void *put_ctx,
                                          struct prof_error *err)
{
	char from[48], to[48];
	const char *const argv[] = {
		"objdump", "--disassemble", "--demangle", "--no-show-raw-insn",
		"--line-numbers", from, to, path, NULL
	};
	struct prof_buffer text = { 0 };
	enum prof_status status;

	(void)ctx;
	snprintf(from, sizeof(from), "--start-address=0x%" PRIx64, start);
	snprintf(to, sizeof(to), "--stop-address=0x%" PRIx64, end);
	status = run(&text, argv, err);
	if (status == PROF_OK)
		put_instructions(&text, put, put_ctx);
	prof_buffer_release(&text);
	return status;
}

/* ---- Files ---- */

static enum prof_status find_file(void *ctx, struct prof_binary *out,
                                  const struct prof_profile *p,
                                  uint32_t mapping, uint64_t address,
                                  struct prof_error *err)
{
	return prof_find_binary(out, p, mapping, address, ctx, err);
}

struct prof_disassembler
disassembler(const struct prof_symbolize_options *options)
{
	return (struct prof_disassembler){
		.ctx = (void *)(uintptr_t)options,
		.find = find_file,
		.symbols = list_symbols,
		.instructions = list_instructions
	};
}
