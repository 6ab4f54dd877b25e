/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2, with its own limits on backtracking: an expression that runs into
 * them counts as no match, so that a name from a file cannot hang a tool.
 */

#include "base/regex.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT 1000000

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *context;
};

static enum prof_status compile(struct regex *re, const char *pattern,
                                struct prof_error *err)
{
	int code;
	PCRE2_SIZE at;
	unsigned char why[120];

	re->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	                         PCRE2_MATCH_INVALID_UTF |
	                         PCRE2_NEVER_BACKSLASH_C |
	                         PCRE2_DOLLAR_ENDONLY,
	                         &code, &at, NULL);
	if (re->code == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		return error_set(err, PROF_INVALID,
		                 "regular expression: %s at character %zu",
		                 (const char *)why, (size_t)at + 1);
	}
	re->match = pcre2_match_data_create_from_pattern(re->code, NULL);
	re->context = pcre2_match_context_create(NULL);
	if (re->match == NULL || re->context == NULL)
		return error_nomem(err);
	pcre2_set_match_limit(re->context, MATCH_LIMIT);
	return PROF_OK;
}

enum prof_status regex_new(struct regex **out, const char *pattern,
                           struct prof_error *err)
{
	struct regex *re = mem_zeroed(&mem_malloc, 1, sizeof(*re));
	enum prof_status status;

	if (re == NULL)
		return error_nomem(err);
	status = compile(re, pattern, err);
	if (status != PROF_OK) {
		regex_free(re);
		return status;
	}
	*out = re;
	return PROF_OK;
}

void regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_code_free(re->code);
	pcre2_match_data_free(re->match);
	pcre2_match_context_free(re->context);
	mem_free(&mem_malloc, re, sizeof(*re));
}

static int match(struct regex *re, struct prof_str s)
{
	const char *ptr = s.ptr != NULL ? s.ptr : "";

	return pcre2_match(re->code, (PCRE2_SPTR)ptr, s.len, 0, 0, re->match,
	                   re->context);
}

bool regex_matches(struct regex *re, struct prof_str s)
{
	return match(re, s) >= 0;
}

bool regex_group(struct regex *re, struct prof_str s, unsigned i,
                 struct prof_str *out)
{
	int n = match(re, s);
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(re->match);

	if (n < 0)
		return false;
	*out = (struct prof_str){ NULL, 0 };
	if (i < (unsigned)n && ends[2 * i] != PCRE2_UNSET)
		*out = (struct prof_str){ s.ptr + ends[2 * i],
			                  ends[2 * i + 1] - ends[2 * i] };
	return true;
}
