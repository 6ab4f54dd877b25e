/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FORMAT_YAML_WRITE_H
#define FORMAT_YAML_WRITE_H

/*
 * Our own YAML emitter: flow maps and lists on one line, and strings quoted
 * so that every YAML reader takes them for the same string.
 */

#include "base/output.h"

/* ---- Strings ---- */

/*
 * A string: plain where nobody could misread it, else in double quotes, or as
 * !!binary where it is not UTF-8.
 */
void yaml_put_string(struct output *out, struct prof_str s);

/* A string as the key of a flow map, with what separates it from the value. */
void yaml_put_key(struct output *out, struct prof_str s);

/* Two strings as one: a, the separator, b. Both must be UTF-8. */
void yaml_put_joined(struct output *out, struct prof_str a, char separator,
                     struct prof_str b);

bool yaml_is_utf8(struct prof_str s);

/* ---- Numbers ---- */

void yaml_put_u64(struct output *out, uint64_t n);
void yaml_put_i64(struct output *out, int64_t n);
void yaml_put_hex(struct output *out, uint64_t n);

/* 16, or "16 bytes". The unit must be UTF-8. */
void yaml_put_number_with_unit(struct output *out, int64_t n,
                               struct prof_str unit);

/* ---- Lists of numbers: [1, 2] ---- */

void yaml_put_ids(struct output *out, const uint32_t *ids, size_t n);
void yaml_put_values(struct output *out, const int64_t *values, size_t n);
void yaml_put_addresses(struct output *out, const uint64_t *pcs, size_t n);

/* ---- Flow maps: {key: value, key: value} ---- */

struct yaml_flow {
	struct output *out;
	bool has_fields;
};

struct yaml_flow yaml_open_flow(struct output *out);
void yaml_close_flow(struct yaml_flow *f);

/* ", name: ": the value is to follow. The name is one of the schema's. */
void yaml_field(struct yaml_flow *f, const char *name);

/* A field with its value. */
void yaml_field_u64(struct yaml_flow *f, const char *name, uint64_t n);
void yaml_field_i64(struct yaml_flow *f, const char *name, int64_t n);
void yaml_field_hex(struct yaml_flow *f, const char *name, uint64_t n);
void yaml_field_string(struct yaml_flow *f, const char *name,
                       struct prof_str s);

#endif
