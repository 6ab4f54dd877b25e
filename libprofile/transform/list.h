/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_LIST_H
#define TRANSFORM_LIST_H

/*
 * Arguments of transforms: lists ("a,b,c") and pairs ("key=value").
 */

#include <profile/common.h>

/*
 * The next word of a list that is separated by commas: false at its end.
 * *at begins as the list, and is NULL behind the last word. An empty list has
 * one word, which is empty.
 */
bool list_next(const char **at, struct prof_str *word);
size_t list_length(const char *list);

/* Splits at the first '='. False where there is none: both are untouched. */
bool pair_split(const char *text, struct prof_str *key, struct prof_str *value);

struct prof_str str_of(const char *text);
bool str_equal(struct prof_str a, struct prof_str b);

#endif
