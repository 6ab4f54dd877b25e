/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2 with its compiler to machine code: 4 to 10 times as fast as its
 * interpreter on names. Where there is none for a processor, the interpreter
 * does the same.
 *
 * A backtracking engine can take forever on (a+)+$ and a name made for it, so
 * it has limits. What they cut off is neither a match nor no match, and is
 * told as the failure it is.
 *
 * Names need not be UTF-8: a byte that is not matches nothing, and is no
 * failure.
 */
#include "base/regex.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT 1000000 /* some 10 ms */
#define HEAP_LIMIT_KIB 16384
#define STACK_MIN (32 << 10)
#define STACK_MAX (1 << 20)

struct regex {
	char *pattern; /* for messages */
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	bool is_compiled; /* to machine code */
	int failure; /* of PCRE2; 0: none. Sticks */
};

/* The characters before a byte of the pattern. */
static size_t column_of(const char *pattern, size_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < at && pattern[i]; i++)
		n += (pattern[i] & 0xc0) != 0x80;
	return n;
}

static enum prof_status bad_pattern(const char *pattern, int code, size_t at,
                                    struct prof_error *err)
{
	unsigned char why[100];

	pcre2_get_error_message(code, why, sizeof(why));
	return error_set(err, PROF_INVALID,
	                 "regular expression '%.60s', column %zu: %s",
	                 pattern, column_of(pattern, at) + 1,
	                 (const char *)why);
}

static enum prof_status compile(struct regex *re, const char *pattern,
                                pcre2_compile_context *context,
                                struct prof_error *err)
{
	int code;
	PCRE2_SIZE at;

	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	re->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	                         PCRE2_MATCH_INVALID_UTF |
	                         PCRE2_NEVER_BACKSLASH_C |
	                         PCRE2_DOLLAR_ENDONLY,
	                         &code, &at, context);
	if (!re->code)
		return bad_pattern(pattern, code, at, err);
	/* Fails where the processor is not known, and is not needed then. */
	re->is_compiled = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
	return PROF_OK;
}

static enum prof_status prepare(struct regex *re, struct prof_error *err)
{
	re->match = pcre2_match_data_create_from_pattern(re->code, NULL);
	re->context = pcre2_match_context_create(NULL);
	re->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
	if (!re->match || !re->context || !re->stack)
		return error_nomem(err);
	pcre2_set_match_limit(re->context, MATCH_LIMIT);
	pcre2_set_heap_limit(re->context, HEAP_LIMIT_KIB);
	pcre2_jit_stack_assign(re->context, NULL, re->stack);
	return PROF_OK;
}

enum prof_status regex_new(struct regex **out, const char *pattern,
                           struct prof_error *err)
{
	const size_t size = strlen(pattern) + 1;
	struct regex *re = mem_zeroed(&mem_malloc, 1, sizeof(*re));
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	enum prof_status status = PROF_NOMEM;

	if (re)
		re->pattern = mem_resize(&mem_malloc, NULL, 0, size);
	if (re && re->pattern && context) {
		memcpy(re->pattern, pattern, size);
		status = compile(re, pattern, context, err);
		if (status == PROF_OK)
			status = prepare(re, err);
	} else {
		error_nomem(err);
	}
	pcre2_compile_context_free(context);
	if (status == PROF_OK)
		*out = re;
	else
		regex_free(re);
	return status;
}

void regex_free(struct regex *re)
{
	if (!re)
		return;
	pcre2_code_free(re->code);
	pcre2_match_data_free(re->match);
	pcre2_match_context_free(re->context);
	pcre2_jit_stack_free(re->stack);
	if (re->pattern)
		mem_free(&mem_malloc, re->pattern, strlen(re->pattern) + 1);
	mem_free(&mem_malloc, re, sizeof(*re));
}

/* The number of groups that took part, at least 1; 0: no match, or failed. */
static unsigned match(struct regex *re, struct prof_str s)
{
	const char *ptr = s.ptr ? s.ptr : "";
	int n;

	if (re->failure)
		return 0;
	/* Called at once, it does without pcre2_match()'s checks, which
	   take as long as a short name (340 instructions a name, now 210). */
	n = (re->is_compiled ? pcre2_jit_match : pcre2_match)(
		re->code, (PCRE2_SPTR)ptr, s.len, 0, 0, re->match, re->context);
	if (n > 0)
		return (unsigned)n;
	if (n != PCRE2_ERROR_NOMATCH)
		re->failure = n;
	return 0;
}

bool regex_matches(struct regex *re, struct prof_str s)
{
	return match(re, s) != 0;
}

bool regex_group(struct regex *re, struct prof_str s, unsigned i,
                 struct prof_str *out)
{
	const unsigned n = match(re, s);
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(re->match);

	if (n == 0)
		return false;
	*out = (struct prof_str){ NULL, 0 };
	if (i < n && ends[2 * i] != PCRE2_UNSET)
		*out = (struct prof_str){ s.ptr + ends[2 * i],
			                  ends[2 * i + 1] - ends[2 * i] };
	return true;
}

enum prof_status regex_status(const struct regex *re, struct prof_error *err)
{
	if (!re->failure)
		return PROF_OK;
	if (re->failure == PCRE2_ERROR_NOMEMORY)
		return error_nomem(err);
	return error_set(err, PROF_LIMIT,
	                 "regular expression '%.60s' takes too long on a name "
	                 "of this profile", re->pattern);
}
