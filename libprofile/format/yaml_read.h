/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_READ_H
#define FORMAT_YAML_READ_H

/*
 * Pulling typed values out of a YAML text, event by event: no tree is built.
 *
 * A reader of a document asks for what may come next: a map's keys one after
 * the other, a list's items, a number, a string. What does not fit, and all
 * that the schema leaves out of YAML (anchors, aliases, tags but !!binary,
 * duplicate and unknown keys, a second document), is an error that names the
 * line. Failures stick: every call after one does nothing, ends the loop it
 * stands in, and returns 0 or "". Look at reader.status once at the end.
 */

#include "base/error.h"
#include "format/format.h"

#include <yaml.h>

struct yaml_reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool was_taken;      /* event was used: the next one is to be fetched */
	uint64_t line;       /* where the event begins, from 1 */
	uint64_t depth;      /* of maps and lists that are open */
	uint64_t n_newlines; /* in the bytes that the parser was handed */
	uint64_t n_handed;   /* bytes the parser was handed since an event */
	bool was_too_long;   /* n_handed passed what a scalar may take */
	VEC(char) text;      /* see yaml_keep() */
	VEC(char) decoded;   /* of the last !!binary */
	struct input *in;
	const struct prof_limits *limits;
	const struct prof_allocator *allocator;
	enum prof_status status; /* sticky */
	struct prof_error *err;
};

/*
 * Opens the reader. It borrows all of `from` until yaml_reader_close(), which
 * is to be called in any case. PROF_NOMEM.
 */
enum prof_status yaml_reader_open(struct yaml_reader *r,
                                  struct format_reading *from,
                                  struct prof_error *err);
void yaml_reader_close(struct yaml_reader *r);

/* The sticky failure, at the line of the last event; the first is kept. */
void yaml_fail(struct yaml_reader *r, enum prof_status status,
               const char *format, ...) ERROR_FORMAT(3, 4);

/*
 * Where a call failed that has filled r->err itself: keeps its status, and
 * adds the line, if it is about what was read. PROF_OK is no failure.
 */
void yaml_fail_nested(struct yaml_reader *r, enum prof_status status);

/* ---- Events ---- */

/* The next event, which stays; YAML_NO_EVENT after a failure. */
yaml_event_type_t yaml_peek(struct yaml_reader *r);

/* Takes the next event, which is still in r->event; fails where it is of
   another type, naming `what`. */
bool yaml_take(struct yaml_reader *r, yaml_event_type_t type,
               const char *what);

enum yaml_shape { YAML_SHAPE_NONE, YAML_SHAPE_SCALAR, YAML_SHAPE_LIST,
	          YAML_SHAPE_MAP };
enum yaml_shape yaml_next_shape(struct yaml_reader *r);

/* ---- Maps and lists ---- */

/* The keys that a kind of map may have, at most 32. */
struct yaml_keys {
	const char *what; /* "a sample", for messages */
	unsigned n;
	const char *names[20];
};
#define YAML_END (-1)

/* The start of a document that is a map. */
bool yaml_begin_document(struct yaml_reader *r);
/* Fails where more follows. */
void yaml_end_document(struct yaml_reader *r);

/* `what` names the thing in messages: "samples". False: it is none. */
bool yaml_begin_map(struct yaml_reader *r, const char *what);
bool yaml_begin_list(struct yaml_reader *r, const char *what);

/*
 * The next key of a map as its place in keys->names; YAML_END, which takes the
 * end of the map. *seen (0 at first) collects 1 << place.
 */
int yaml_key(struct yaml_reader *r, const struct yaml_keys *keys,
             uint32_t *seen);

/* False at the end of the map or list, which it takes. */
bool yaml_more(struct yaml_reader *r);

/* ---- Scalars; `what` names the field in messages ---- */

/*
 * A string, borrowed until the next call. A plain scalar that some YAML reader
 * takes for something else (no, 010, 1:30, ~) is an error.
 */
struct prof_str yaml_string(struct yaml_reader *r, const char *what);

int64_t yaml_i64(struct yaml_reader *r, const char *what);
uint64_t yaml_u64(struct yaml_reader *r, const char *what);
bool yaml_bool(struct yaml_reader *r, const char *what);

/*
 * Whether the next scalar is plain and begins as a number does: for places
 * where a string or a number may stand.
 */
bool yaml_next_is_number(struct yaml_reader *r);

/*
 * A number with or without a unit: 16, or a string as "16 bytes". *unit is
 * borrowed until the next call, {"", 0} where there is none.
 */
int64_t yaml_number_with_unit(struct yaml_reader *r, const char *what,
                              struct prof_str *unit);

/* ---- Strings that are needed until a record is complete ---- */

struct yaml_text {
	size_t at, size; /* in reader.text */
};

/* Keeps a copy of s until yaml_forget(). */
struct yaml_text yaml_keep(struct yaml_reader *r, struct prof_str s);

/* Holds until the next yaml_keep(). */
static inline struct prof_str yaml_kept(const struct yaml_reader *r,
                                        struct yaml_text t)
{
	return (struct prof_str){ t.size ? r->text.data + t.at : "", t.size };
}

/* Drops what was kept since reader.text.n was `mark`. */
static inline void yaml_forget(struct yaml_reader *r, size_t mark)
{
	r->text.n = mark;
}

/* ---- Ids by which rows are named ---- */

/*
 * Rows are named 1, 2, ... in their order, until one says id: then it is
 * named that. The index is empty as long as names are places.
 */
struct yaml_ids {
	uint32_t n;               /* rows so far */
	bool is_indexed;
	VEC(uint64_t) names;      /* of row i + 1, once it is indexed */
	struct hash_index index;
	uint64_t seed;
};

/*
 * Names the next row: `has_name` is whether it says id. Fails for 0 and for
 * a name that was given before.
 */
void yaml_ids_add(struct yaml_ids *ids, struct yaml_reader *r,
                  const uint64_t *name, const char *what);
/* The row of a name; 0, and a failure, where there is none. */
uint32_t yaml_ids_find(const struct yaml_ids *ids, struct yaml_reader *r,
                       uint64_t name, const char *what);
void yaml_ids_release(struct yaml_ids *ids, const struct prof_allocator *a);

#endif
