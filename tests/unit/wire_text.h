/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WIRE_TEXT_H
#define TESTS_WIRE_TEXT_H

/*
 * Messages of protocol buffers in a notation that a table can hold. A field
 * is its number and what it has:
 *
 *	1:5      a varint, also negative
 *	1~5      the same in ten bytes
 *	1{ ... } a message of fields
 *	1[1 2]   packed varints; [~1] in ten bytes
 *	1'abc'   bytes
 *	1#       a fixed64, 1% a fixed32
 *	|ff 0a|  bytes as they are, in hexadecimal
 */

#include "testing.h"

/* The caller frees it. */
struct bytes wire_from_text(const char *text);

#endif
