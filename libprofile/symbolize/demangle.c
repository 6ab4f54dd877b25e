/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libiberty does the decoding (C++, Rust legacy and v0), through its callback
 * functions, which use no heap: so a crafted name whose text would grow
 * without bound can be left in the middle by longjmp().
 */
#include "symbolize/demangle.h"

#include <libiberty/demangle.h>

#include <setjmp.h>
#include <string.h>

#define MAX_MANGLED ((size_t)1 << 16)
#define MAX_TEXT ((size_t)1 << 20)

void demangle_init(struct demangler *d, enum prof_demangle mode)
{
	*d = (struct demangler){ .mode = mode };
}

void demangle_release(struct demangler *d)
{
	vec_release(&d->text, &mem_malloc);
}

struct decoding {
	struct demangler *d;
	jmp_buf too_long;
};

static void take_piece(const char *piece, size_t size, void *ctx)
{
	struct decoding *x = ctx;

	if (size > MAX_TEXT - x->d->text.n ||
	    !vec_reserve(&x->d->text, size, &mem_malloc))
		longjmp(x->too_long, 1);
	memcpy(x->d->text.data + x->d->text.n, piece, size);
	x->d->text.n += size;
}

/* _ZN ... 17h and 16 hexadecimal digits E: what Rust wrote before v0. */
static bool is_rust_legacy(const char *name, size_t size)
{
	const char *hash = size > 24 ? name + size - 20 : NULL;

	if (!hash || strncmp(name, "_ZN", 3) != 0 || name[size - 1] != 'E' ||
	    strncmp(hash, "17h", 3) != 0)
		return false;
	for (int i = 3; i < 19; i++)
		if (!strchr("0123456789abcdef", hash[i]))
			return false;
	return true;
}

static int options_of(enum prof_demangle mode)
{
	return mode == PROF_DEMANGLE_FULL ? DMGL_PARAMS | DMGL_ANSI : DMGL_ANSI;
}

/* Decodes a name that ends with '\0' into d->text. */
static bool decode(struct demangler *d, const char *name, size_t size,
                   int options)
{
	struct decoding x = { .d = d };

	d->text.n = 0;
	if (setjmp(x.too_long))
		return false;
	if (strncmp(name, "_R", 2) == 0 || is_rust_legacy(name, size))
		return rust_demangle_callback(name, options, take_piece, &x);
	return strncmp(name, "_Z", 2) == 0 &&
	       cplus_demangle_v3_callback(name, options, take_piece, &x);
}

/* ---- Leaving out parts ---- */

static bool has_prefix(const char *p, const char *end, const char *prefix)
{
	size_t n = strlen(prefix);

	return (size_t)(end - p) >= n && memcmp(p, prefix, n) == 0;
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

/* Behind "operator": the end of its symbol, which may hold brackets. */
static const char *skip_operator(const char *p, const char *end)
{
	static const char *const symbols[] = { "()", "<=>", "<<=", ">>=", "->*",
		                               "<<", ">>", "<=",  ">=",  "->",
		                               "<",  ">" };

	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
		if (has_prefix(p, end, symbols[i]))
			return p + strlen(symbols[i]);
	return p;
}

/*
 * The bracket that closes the one at p; NULL: none. Each that is left open
 * costs a walk to the end, so after some of them no more is looked for.
 */
#define MAX_OPEN 16

static const char *closing(const char *p, const char *end, unsigned *n_open)
{
	int depth = 0;

	if (*n_open >= MAX_OPEN)
		return NULL;
	for (; p < end; p++) {
		if (*p == '(' || *p == '<' || *p == '[' || *p == '{')
			depth++;
		else if (*p == '>' && p[-1] == '-')
			continue;
		else if (*p == ')' || *p == '>' || *p == ']' || *p == '}')
			depth--;
		if (depth == 0)
			return p;
	}
	++*n_open;
	return NULL;
}

/* A '(' that is part of a name. */
static bool opens_name(const char *p, const char *end)
{
	return has_prefix(p, end, "(anonymous namespace)") ||
	       has_prefix(p, end, "(anonymous class)");
}

/*
 * Takes parameters of enclosing functions out of a name, and with
 * `templates` false template arguments too; {lambda(int)#1} keeps its.
 */
static void strip(struct demangler *d, bool templates)
{
	const char *begin = d->text.data, *p = begin, *end = begin + d->text.n;
	char *to = d->text.data;
	unsigned n_open = 0;

	while (p < end) {
		const char *next = p + 1, *close = NULL;
		bool keep = true;

		if (*p != 'o' && *p != '{' && *p != '(' && *p != '<') {
			*to++ = *p++;
			continue;
		}
		if (has_prefix(p, end, "operator") &&
		    (p == begin || !is_name_char(p[-1])))
			next = skip_operator(p + strlen("operator"), end);
		else if (*p == '{' && (close = closing(p, end, &n_open)) != NULL)
			next = close + 1;
		else if (*p == '(' && (close = closing(p, end, &n_open)) != NULL) {
			keep = opens_name(p, end);
			next = close + 1;
		} else if (*p == '<' && p > begin && !templates &&
		           (close = closing(p, end, &n_open)) != NULL) {
			/* <T as Trait>::f of Rust begins a name. */
			keep = !is_name_char(p[-1]) && p[-1] != '>' &&
			       p[-1] != ':' && p[-1] != ')' && p[-1] != ' ';
			next = close + 1;
		}
		if (keep) {
			memmove(to, p, (size_t)(next - p));
			to += next - p;
		}
		p = next;
	}
	d->text.n = (size_t)(to - begin);
}

/* ---- Clones ---- */

/*
 * What compilers put behind the names of the copies they make of functions:
 * .part.0, .constprop.1, .cold and so on.
 */
static size_t without_clone_suffix(struct prof_str name)
{
	static const char *const words[] = { "part", "constprop", "isra",
		                             "cold", "lto_priv", "localalias",
		                             "llvm" };
	size_t n = name.len;

	if (!memchr(name.ptr, '.', n))
		return n;
	for (;;) {
		size_t end = n, dot;

		while (end > 0 && name.ptr[end - 1] >= '0' &&
		       name.ptr[end - 1] <= '9')
			end--;
		/* A number, and the '.' before it. */
		end = end < n && end > 0 && name.ptr[end - 1] == '.' ? end - 1
		                                                     : n;
		for (dot = end; dot > 0 && name.ptr[dot - 1] != '.'; dot--)
			;
		if (dot < 2)
			return n;
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (end - dot == strlen(words[i]) &&
			    memcmp(name.ptr + dot, words[i], end - dot) == 0)
				end = 0;
		if (end != 0)
			return n;
		n = dot - 1;
	}
}

/* ---- The whole ---- */

static bool is_mangled(struct prof_str name)
{
	return name.len > 2 && name.ptr[0] == '_' &&
	       (name.ptr[1] == 'Z' || name.ptr[1] == 'R' ||
	        (name.ptr[1] == '_' && name.ptr[2] == 'Z'));
}

/* Decodes a name that is mangled; false: it is not, after all. */
static bool decode_copy(struct demangler *d, struct prof_str name)
{
	char room[512], *copy = room;
	bool ok;

	if (name.len > MAX_MANGLED)
		return false;
	if (name.len >= sizeof(room))
		copy = mem_resize(&mem_malloc, NULL, 0, name.len + 1);
	if (!copy)
		return false;
	memcpy(copy, name.ptr, name.len);
	copy[name.len] = '\0';
	/* Some platforms put one more '_' before all names. */
	ok = decode(d, copy + (copy[1] == '_'), name.len - (copy[1] == '_'),
	            options_of(d->mode));
	if (copy != room)
		mem_free(&mem_malloc, copy, name.len + 1);
	return ok && d->text.n > 0;
}

/* Takes the first `size` bytes of a name that is not mangled. */
static bool take_plain(struct demangler *d, struct prof_str name, size_t size)
{
	d->text.n = 0;
	if (!vec_reserve(&d->text, size, &mem_malloc))
		return false;
	memcpy(d->text.data, name.ptr, size);
	d->text.n = size;
	return true;
}

/* Stubs keep their mark behind the name: size of "@plt", or 0. */
static size_t stub_suffix(struct prof_str name)
{
	return name.len > 4 && memcmp(name.ptr + name.len - 4, "@plt", 4) == 0
	               ? 4
	               : 0;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(struct prof_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter(s.ptr[i]) &&
		    !memchr("0123456789.$-", s.ptr[i], 13))
			return false;
	return s.len > 0;
}

/*
 * A .symtab may tell the version of a symbol: NAME@VERSION, and @@ where it is
 * the default one. Returns the size of NAME. Only what a linker's version
 * script may call so: other languages have '@' in names.
 */
static size_t without_version(struct prof_str name)
{
	const char *at = memchr(name.ptr, '@', name.len);
	struct prof_str before, version;

	if (!at)
		return name.len;
	before = (struct prof_str){ name.ptr, (size_t)(at - name.ptr) };
	version = (struct prof_str){ at + 1, name.len - before.len - 1 };
	if (version.len > 0 && *version.ptr == '@')
		version = (struct prof_str){ at + 2, version.len - 1 };
	return is_word(before) && is_word(version) && is_letter(*version.ptr)
	               ? before.len
	               : name.len;
}

struct prof_str demangle(struct demangler *d, struct prof_str name)
{
	struct prof_str base = { name.ptr, name.len - stub_suffix(name) };
	size_t suffix = name.len - base.len;

	if (d->mode == PROF_DEMANGLE_NONE || name.len == 0)
		return name;
	base.len = without_version(base);
	base.len = without_clone_suffix(base);
	/* DWARF has names with template arguments that are not mangled. */
	if (!(is_mangled(base) && decode_copy(d, base)) &&
	    (d->keeps_plain || (base.len + suffix == name.len &&
	      !memchr(base.ptr, '<', base.len)) ||
	     !take_plain(d, base, base.len)))
		return name;
	if (d->mode != PROF_DEMANGLE_FULL)
		strip(d, d->mode == PROF_DEMANGLE_TEMPLATES);
	if (suffix && vec_reserve(&d->text, suffix, &mem_malloc)) {
		memcpy(d->text.data + d->text.n, name.ptr + name.len - suffix,
		       suffix);
		d->text.n += suffix;
	}
	return (struct prof_str){ d->text.data, d->text.n };
}
