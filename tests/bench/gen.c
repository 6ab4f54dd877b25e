/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the inputs of the benchmarks: pprof profiles, Go's raw words and
 * collapsed stacks, the same bytes for the same seed.
 *
 * It uses libc and zlib only. What is measured must not make what it is
 * measured on: a mistake in our writer would otherwise suit our reader.
 *
 * All inputs come from one growing call tree. A new stack takes a stack that
 * exists, leaves it at some ancestor and goes on with a few new frames, so
 * stacks share their roots and not their leaves, as real ones do. The next
 * frame is mostly a known callee of the call site, now and then a new one.
 * Sizes are those of the table `specs`; how they were chosen is in README.md.
 *
 * State: struct world holds the tree (nodes), the call sites (locs), the
 * functions and one pool of strings; struct layout gives addresses to one
 * build of it; struct out is one file being written, with the ids that this
 * file gave out so far.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define NONE UINT32_MAX
#define MAX_DEPTH 128
#define MAX_MAPS 32
#define MAX_VALUES 4
#define MAX_LABELS 6
#define FLUSH_SIZE (1u << 20)

enum lang { LANG_GO, LANG_CPP, LANG_CPP_LONG, LANG_C };
enum traits { LABELS_NONE, LABELS_SERVICE, LABELS_TRACE, LABELS_ENDPOINT };

struct spec {
	const char *name;
	uint32_t n_stacks, n_locs, n_funcs;
	uint32_t n_nodes;      /* of the tree, root not counted */
	uint32_t n_trunks;     /* first stacks, split near the root: */
	uint32_t split;        /* above this depth */
	uint32_t depth, depth_spread, depth_max; /* in locations */
	uint32_t near_pct;     /* stacks that end near the one they copy */
	uint32_t follow_pct;   /* frames that are a known callee */
	uint32_t id_mix_pct;   /* location ids not in order of creation */
	uint32_t n_maps;
	uint32_t inline_pct;   /* locations with more than one line */
	enum lang lang;        /* of the main binary */
	enum traits labels;
	const char *types[2 * MAX_VALUES]; /* type, unit, ... */
};

#define CPU_TYPES { "samples", "count", "cpu", "nanoseconds" }

static const struct spec specs[] = {
	{ .name = "small", .n_stacks = 5000, .n_locs = 4283, .n_funcs = 1475,
	  .n_nodes = 14000, .n_trunks = 60, .split = 8,
	  .depth = 24, .depth_spread = 12, .depth_max = 40,
	  .near_pct = 50, .follow_pct = 95, .id_mix_pct = 80,
	  .n_maps = 5, .lang = LANG_CPP_LONG, .labels = LABELS_NONE,
	  .types = { "alloc_objects", "count", "alloc_space", "bytes",
	             "inuse_objects", "count", "inuse_space", "bytes" } },
	{ .name = "medium", .n_stacks = 100000, .n_locs = 23182,
	  .n_funcs = 4995, .n_nodes = 290000, .n_trunks = 160, .split = 8,
	  .depth = 43, .depth_spread = 16, .depth_max = 60,
	  .near_pct = 50, .follow_pct = 95, .id_mix_pct = 70,
	  .n_maps = 8, .lang = LANG_CPP, .labels = LABELS_SERVICE,
	  .types = CPU_TYPES },
	{ .name = "large", .n_stacks = 2000000, .n_locs = 175471,
	  .n_funcs = 29998, .n_nodes = 5800000, .n_trunks = 2000,
	  .split = 8, .depth = 43, .depth_spread = 16, .depth_max = 60,
	  .near_pct = 50, .follow_pct = 95, .id_mix_pct = 15,
	  .n_maps = 24, .inline_pct = 25, .lang = LANG_CPP,
	  .labels = LABELS_TRACE,
	  .types = { "cpu-samples", "count", "cpu-time", "nanoseconds",
	             "wall-time", "nanoseconds" } },
	{ .name = "fleet", .n_stacks = 400000, .n_locs = 15874,
	  .n_funcs = 4000, .n_nodes = 1300000, .n_trunks = 700, .split = 8,
	  .depth = 38, .depth_spread = 16, .depth_max = 55,
	  .near_pct = 50, .follow_pct = 20, .id_mix_pct = 0,
	  .n_maps = 9, .lang = LANG_CPP_LONG, .labels = LABELS_ENDPOINT,
	  .types = CPU_TYPES },
	{ .name = "chunks", .n_stacks = 60000, .n_locs = 12000,
	  .n_funcs = 4000, .n_nodes = 180000, .n_trunks = 100, .split = 8,
	  .depth = 28, .depth_spread = 12, .depth_max = 60,
	  .near_pct = 50, .follow_pct = 85, .n_maps = 3, .lang = LANG_GO,
	  .types = CPU_TYPES },
	{ .name = "collapsed", .n_stacks = 60000, .n_locs = 5000,
	  .n_funcs = 5000, .n_nodes = 175000, .n_trunks = 100, .split = 8,
	  .depth = 30, .depth_spread = 14, .depth_max = 50,
	  .near_pct = 50, .follow_pct = 85, .n_maps = 6,
	  .lang = LANG_CPP_LONG, .types = CPU_TYPES },
};

/* Memory and errors: a generator stops at the first. */

static _Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("gen: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

/* Room for one more element, doubling. */
static void *xgrow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 16;
	p = realloc(p, *cap * size);
	if (!p)
		die("out of memory");
	return p;
}

/* Random numbers: splitmix64, integers only, so any libc gives the same. */

struct rng {
	uint64_t state;
};

static uint64_t mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t rng_next(struct rng *r)
{
	r->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(r->state);
}

/* Uniform in [0, n), n < 2^32. */
static uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

static int rng_pct(struct rng *r, uint32_t pct)
{
	return rng_below(r, 100) < pct;
}

/* In [0, n), product of `power` uniform numbers: small ones are likely. */
static uint32_t rng_skewed(struct rng *r, uint32_t n, int power)
{
	uint64_t x = (uint64_t)n << 16; /* n < 2^26: the product fits */

	for (int i = 0; i < power; i++)
		x = (x * (rng_next(r) >> 44)) >> 20;
	return (uint32_t)(x >> 16);
}

/* At least 1; halves `halvings` of a range of 2^bits at random. */
static int64_t rng_count(struct rng *r, int bits)
{
	int shift = 1;

	while (shift < bits && (rng_next(r) & 3) != 0)
		shift++;
	return 1 + (int64_t)(rng_next(r) >> 16 & ((UINT64_C(1) << (bits -
	    shift)) - 1));
}

/* Strings, each once; id 0 is the empty one. */

struct pool {
	char *bytes;
	size_t n_bytes, bytes_cap;
	uint64_t *at;         /* at[id]: offset in bytes, NUL-terminated */
	size_t n, at_cap;
	uint32_t *slots;      /* id + 1 */
	size_t n_slots;       /* a power of two */
};

static uint64_t hash_string(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	while (*s)
		h = (h ^ (unsigned char)*s++) * UINT64_C(1099511628211);
	return mix64(h);
}

static const char *pool_string(const struct pool *p, uint32_t id)
{
	return p->bytes + p->at[id];
}

/* The slot that has s, or the free one where it belongs. */
static uint32_t *pool_slot(const struct pool *p, const char *s)
{
	size_t i = (size_t)hash_string(s) & (p->n_slots - 1);

	while (p->slots[i] && strcmp(pool_string(p, p->slots[i] - 1), s) != 0)
		i = (i + 1) & (p->n_slots - 1);
	return &p->slots[i];
}

static int pool_has(const struct pool *p, const char *s)
{
	return *pool_slot(p, s) != 0;
}

static uint32_t pool_add(struct pool *p, const char *s)
{
	uint32_t *slot = pool_slot(p, s);
	size_t size = strlen(s) + 1;

	if (*slot)
		return *slot - 1;
	if (p->n >= p->n_slots / 4 * 3)
		die("string pool is full");
	while (p->bytes_cap < p->n_bytes + size)
		p->bytes = xgrow(p->bytes, p->bytes_cap, &p->bytes_cap, 1);
	memcpy(p->bytes + p->n_bytes, s, size);
	p->at = xgrow(p->at, p->n, &p->at_cap, sizeof(*p->at));
	p->at[p->n] = p->n_bytes;
	p->n_bytes += size;
	*slot = (uint32_t)++p->n;
	return *slot - 1;
}

static void pool_init(struct pool *p, size_t n_slots)
{
	memset(p, 0, sizeof(*p));
	p->n_slots = n_slots;
	p->slots = xcalloc(n_slots, sizeof(*p->slots));
	pool_add(p, "");
}

static void pool_release(struct pool *p)
{
	free(p->bytes);
	free(p->at);
	free(p->slots);
}

/* The world: functions, call sites and the tree of stacks. */

struct func {
	uint32_t name, system_name, file; /* strings of the pool */
	uint32_t map;
	uint32_t line;
};

struct loc {
	uint32_t func;
	uint32_t line;        /* from the function's first */
	uint32_t inlined[2];  /* functions inlined here, innermost first */
	uint32_t n_inlined;
	uint32_t *callees;    /* locations; one may be there twice */
	size_t n_callees, callees_cap;
};

struct node {
	uint32_t parent, loc;
	uint16_t depth;       /* the root has 0 and no location */
	uint16_t is_stack;
};

struct world {
	const struct spec *spec;
	struct rng rng;
	struct pool pool;
	struct func *funcs;
	struct loc *locs;
	struct node *nodes;
	size_t nodes_cap;
	uint32_t *stacks;     /* leaf node of each */
	uint32_t n_funcs, n_locs, n_nodes, n_stacks;
	uint64_t *children;   /* set of node << 32 | loc, 0 is free */
	size_t n_slots;       /* a power of two */
	uint32_t endpoints[64];
	uint32_t *traces, *spans;
	uint32_t n_traces, n_spans;
};

static const char *const words[] = {
	"alloc", "batch", "buffer", "cache", "channel", "client", "codec",
	"cluster", "column", "commit", "config", "context", "cursor",
	"decode", "deliver", "digest", "dispatch", "encode", "engine",
	"event", "execute", "factory", "fetch", "filter", "flush", "format",
	"frame", "gather", "handler", "header", "index", "insert", "iterator",
	"journal", "kernel", "layout", "ledger", "loader", "lookup", "manager",
	"mapper", "marshal", "merge", "message", "metric", "mutex", "network",
	"node", "object", "observe", "packet", "parse", "partition",
	"payload", "pipeline", "planner", "policy", "process", "provider",
	"query", "queue", "random", "reader", "record", "reduce", "registry",
	"release", "render", "request", "resolve", "response", "retry",
	"router", "runner", "sample", "scan", "schedule", "schema", "search",
	"segment", "serialize", "server", "service", "session", "shard",
	"signal", "socket", "storage", "stream", "string", "submit", "table",
	"task", "thread", "token", "trace", "tree", "update", "validate",
	"value", "vector", "verify", "version", "visitor", "worker", "writer",
};

struct text {
	char s[1024];
	size_t n;
};

static void text_add(struct text *t, const char *s)
{
	size_t size = strlen(s);

	if (t->n + size >= sizeof(t->s))
		die("name too long");
	memcpy(t->s + t->n, s, size + 1);
	t->n += size;
}

static const char *any_word(struct rng *r)
{
	return words[rng_below(r, sizeof(words) / sizeof(words[0]))];
}

/* A word with a capital, as types and Go's methods have. */
static void text_add_capital(struct text *t, const char *word)
{
	size_t at = t->n;

	text_add(t, word);
	t->s[at] = (char)(t->s[at] - 'a' + 'A');
}

static void add_go_name(struct text *t, struct rng *r)
{
	text_add(t, rng_pct(r, 70) ? "github.com/acme/" : "internal/");
	text_add(t, any_word(r));
	text_add(t, "/");
	text_add(t, any_word(r));
	if (rng_pct(r, 75)) {
		text_add(t, ".(*");
		text_add_capital(t, any_word(r));
		text_add_capital(t, any_word(r));
		text_add(t, ")");
	}
	text_add(t, ".");
	if (rng_pct(r, 50))
		text_add_capital(t, any_word(r));
	else
		text_add(t, any_word(r));
	text_add_capital(t, any_word(r));
	if (rng_pct(r, 15))
		text_add(t, ".func1");
}

static void add_c_name(struct text *t, struct rng *r)
{
	text_add(t, rng_pct(r, 30) ? "__" : "");
	text_add(t, any_word(r));
	text_add(t, "_");
	text_add(t, any_word(r));
	text_add(t, "_");
	text_add(t, any_word(r));
}

static void add_mangled(struct text *mangled, const char *part)
{
	char size[24];

	snprintf(size, sizeof(size), "%zu", strlen(part));
	text_add(mangled, size);
	text_add(mangled, part);
}

/* The readable name, and in `mangled` roughly what the linker has. */
static void add_cpp_name(struct text *t, struct text *mangled,
    struct rng *r, enum lang lang)
{
	struct text part;
	int n_spaces = rng_pct(r, 40) ? 2 : 1;

	text_add(mangled, "_ZN");
	for (int i = 0; i < n_spaces; i++) {
		const char *word = any_word(r);

		text_add(t, word);
		text_add(t, "::");
		add_mangled(mangled, word);
	}
	part.n = 0;
	text_add_capital(&part, any_word(r));
	text_add_capital(&part, any_word(r));
	text_add(t, part.s);
	add_mangled(mangled, part.s);
	if (lang == LANG_CPP_LONG) {
		text_add(t, "<std::");
		text_add(t, any_word(r));
		text_add(t, "<char> >");
	}
	part.n = 0;
	text_add(&part, any_word(r));
	text_add_capital(&part, any_word(r));
	text_add(t, "::");
	text_add(t, part.s);
	add_mangled(mangled, part.s);
	text_add(t, "(");
	if (lang == LANG_CPP_LONG || rng_pct(r, 30)) {
		text_add_capital(t, any_word(r));
		text_add(t, " const&");
	}
	if (lang == LANG_CPP_LONG && rng_pct(r, 50))
		text_add(t, ", unsigned long");
	text_add(t, ")");
	text_add(mangled, "Ev");
}

static uint32_t make_file(struct world *w, enum lang lang)
{
	struct text t = { .n = 0 };

	text_add(&t, lang == LANG_GO ? "/build/go/src/github.com/acme/" :
	    "/build/src/server/");
	text_add(&t, any_word(&w->rng));
	text_add(&t, "/");
	text_add(&t, any_word(&w->rng));
	text_add(&t, rng_pct(&w->rng, 50) ? "_" : "/");
	text_add(&t, any_word(&w->rng));
	text_add(&t, lang == LANG_GO ? ".go" : lang == LANG_C ? ".c" : ".cc");
	return pool_add(&w->pool, t.s);
}

static void make_names(struct world *w, struct func *f, enum lang lang)
{
	struct text name, mangled;

	do {
		name.n = mangled.n = 0;
		if (lang == LANG_GO)
			add_go_name(&name, &w->rng);
		else if (lang == LANG_C)
			add_c_name(&name, &w->rng);
		else
			add_cpp_name(&name, &mangled, &w->rng, lang);
	} while (pool_has(&w->pool, name.s));
	f->name = pool_add(&w->pool, name.s);
	f->system_name = mangled.n ? pool_add(&w->pool, mangled.s) : f->name;
}

static void add_func(struct world *w)
{
	struct func *f = &w->funcs[w->n_funcs];
	struct rng *r = &w->rng;
	enum lang lang = w->spec->lang;

	f->map = rng_pct(r, 70) ? 0 : rng_below(r, w->spec->n_maps);
	if (f->map > 0 && lang != LANG_CPP_LONG)
		lang = f->map % 2 ? LANG_C : LANG_CPP;
	make_names(w, f, lang);
	/* Functions of one file come one after the other. */
	if (w->n_funcs > 0 && f[-1].map == f->map && rng_pct(r, 70))
		f->file = f[-1].file;
	else
		f->file = make_file(w, lang);
	f->line = 10 + rng_below(r, 1500);
	w->n_funcs++;
}

/* Chance `left` in `of`; certain when they are the same. */
static int rng_share(struct rng *r, uint32_t left, uint32_t of)
{
	return left >= of || rng_below(r, of) < left;
}

static uint32_t add_loc(struct world *w)
{
	const struct spec *spec = w->spec;
	struct loc *l = &w->locs[w->n_locs];
	struct rng *r = &w->rng;

	l->func = w->n_locs < spec->n_funcs ? w->n_locs :
	    rng_below(r, spec->n_funcs);
	l->line = 1 + rng_skewed(r, 200, 2);
	while (l->n_inlined < 2 && rng_pct(r, spec->inline_pct))
		l->inlined[l->n_inlined++] = rng_below(r, w->n_funcs);
	return w->n_locs++;
}

static uint64_t *child_slot(const struct world *w, uint64_t key)
{
	size_t i = (size_t)mix64(key) & (w->n_slots - 1);

	while (w->children[i] && w->children[i] != key)
		i = (i + 1) & (w->n_slots - 1);
	return &w->children[i];
}

/* Which call site comes below `node`: see the file's head. */
static uint32_t pick_loc(struct world *w, uint32_t node)
{
	const struct spec *spec = w->spec;
	struct rng *r = &w->rng;
	struct loc *caller = node ? &w->locs[w->nodes[node].loc] : NULL;
	uint32_t nodes_left = spec->n_nodes > w->n_nodes ?
	    spec->n_nodes - w->n_nodes : 1;
	uint32_t loc;

	if (w->n_locs == 0 ||
	    (w->n_locs < spec->n_locs &&
	    rng_share(r, spec->n_locs - w->n_locs, nodes_left)))
		loc = add_loc(w);
	else if (caller && caller->n_callees && rng_pct(r, spec->follow_pct))
		return caller->callees[rng_below(r,
		    (uint32_t)caller->n_callees)];
	else
		loc = rng_below(r, w->n_locs);
	if (caller) {
		caller->callees = xgrow(caller->callees, caller->n_callees,
		    &caller->callees_cap, sizeof(*caller->callees));
		caller->callees[caller->n_callees++] = loc;
	}
	return loc;
}

static uint32_t add_node(struct world *w, uint32_t parent)
{
	struct node *n;
	uint64_t *slot;
	uint32_t loc;

	do {
		loc = pick_loc(w, parent);
		/* + 1: zero marks a free slot */
		slot = child_slot(w, (uint64_t)parent << 32 | (loc + 1));
	} while (*slot);
	*slot = (uint64_t)parent << 32 | (loc + 1);
	w->nodes = xgrow(w->nodes, w->n_nodes, &w->nodes_cap,
	    sizeof(*w->nodes));
	n = &w->nodes[w->n_nodes];
	n->parent = parent;
	n->loc = loc;
	n->depth = (uint16_t)(w->nodes[parent].depth + 1);
	n->is_stack = 0;
	return w->n_nodes++;
}

static void add_stack(struct world *w, uint32_t node, uint32_t n_new)
{
	while (n_new-- > 0)
		node = add_node(w, node);
	w->nodes[node].is_stack = 1;
	w->stacks[w->n_stacks++] = node;
}

static uint32_t ancestor(const struct world *w, uint32_t node, uint32_t depth)
{
	while (w->nodes[node].depth > depth)
		node = w->nodes[node].parent;
	return node;
}

static uint32_t any_stack(struct world *w)
{
	return w->stacks[rng_below(&w->rng, w->n_stacks)];
}

static uint32_t pick_depth(struct world *w, uint32_t model)
{
	const struct spec *spec = w->spec;
	struct rng *r = &w->rng;
	uint32_t depth;

	if (rng_pct(r, spec->near_pct))
		depth = w->nodes[model].depth + rng_below(r, 3) - 1;
	else
		depth = spec->depth - spec->depth_spread +
		    rng_below(r, spec->depth_spread + 1) +
		    rng_below(r, spec->depth_spread + 1);
	return depth > spec->depth_max ? spec->depth_max : depth;
}

static void add_trunk(struct world *w)
{
	uint32_t from = 0, depth = pick_depth(w, 0);
	uint32_t split = rng_below(&w->rng, w->spec->split);

	if (depth < w->spec->split)
		depth = w->spec->depth;
	if (w->n_stacks > 0)
		from = ancestor(w, any_stack(w), split);
	add_stack(w, from, depth - w->nodes[from].depth);
}

/* A stack that ends inside the tree: time in a function that also calls. */
static int add_inner_stack(struct world *w)
{
	uint32_t node = any_stack(w);

	node = w->nodes[node].parent;
	if (w->nodes[node].depth < 2 || w->nodes[node].is_stack)
		return 0;
	add_stack(w, node, 0);
	return 1;
}

static void add_branch(struct world *w)
{
	const struct spec *spec = w->spec;
	uint32_t mean, n_new = 1, depth, model;

	mean = w->n_nodes < spec->n_nodes ? (spec->n_nodes - w->n_nodes) /
	    (spec->n_stacks - w->n_stacks) : 1;
	/* Geometric with mean + 0.5: the integer division lost a half. */
	while (n_new < 24 && rng_below(&w->rng, 2 * mean + 1) >= 2)
		n_new++;
	model = any_stack(w);
	depth = pick_depth(w, model);
	for (int i = 0; i < 8 && w->nodes[model].depth + n_new < depth; i++)
		model = any_stack(w);
	if (depth > w->nodes[model].depth + n_new)
		depth = w->nodes[model].depth + n_new;
	if (depth <= n_new)
		depth = n_new + 1;
	add_stack(w, ancestor(w, model, depth - n_new), n_new);
}

static void add_hex_strings(struct world *w, uint32_t *ids, uint32_t n,
    int n_digits)
{
	char hex[40];

	for (uint32_t i = 0; i < n; i++) {
		uint64_t high = rng_next(&w->rng), low = rng_next(&w->rng);

		snprintf(hex, sizeof(hex), "%016" PRIx64 "%016" PRIx64,
		    high, low);
		hex[n_digits] = '\0';
		ids[i] = pool_add(&w->pool, hex);
	}
}

static void add_label_strings(struct world *w)
{
	struct text t;

	for (size_t i = 0; i < 64; i++) {
		t.n = 0;
		text_add(&t, i % 3 ? "GET /api/v1/" : "POST /api/v1/");
		text_add(&t, any_word(&w->rng));
		text_add(&t, "/");
		text_add(&t, any_word(&w->rng));
		w->endpoints[i] = pool_add(&w->pool, t.s);
	}
	if (w->spec->labels != LABELS_TRACE)
		return;
	w->n_traces = w->spec->n_stacks / 16;
	w->n_spans = w->n_traces * 3;
	w->traces = xcalloc(w->n_traces, sizeof(*w->traces));
	w->spans = xcalloc(w->n_spans, sizeof(*w->spans));
	add_hex_strings(w, w->traces, w->n_traces, 32);
	add_hex_strings(w, w->spans, w->n_spans, 16);
}

static void world_init(struct world *w, const struct spec *spec,
    uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->spec = spec;
	w->rng.state = mix64(seed) ^ hash_string(spec->name);
	pool_init(&w->pool, spec->labels == LABELS_TRACE ? 1 << 20 : 1 << 17);
	w->funcs = xcalloc(spec->n_funcs, sizeof(*w->funcs));
	while (w->n_funcs < spec->n_funcs)
		add_func(w);
	w->locs = xcalloc(spec->n_locs, sizeof(*w->locs));
	w->stacks = xcalloc(spec->n_stacks, sizeof(*w->stacks));
	w->nodes = xgrow(w->nodes, 0, &w->nodes_cap, sizeof(*w->nodes));
	memset(&w->nodes[0], 0, sizeof(w->nodes[0]));
	w->n_nodes = 1;
	for (w->n_slots = 1024; w->n_slots < spec->n_nodes * (size_t)2;)
		w->n_slots *= 2;
	w->children = xcalloc(w->n_slots, sizeof(*w->children));
	while (w->n_stacks < spec->n_stacks) {
		if (w->n_stacks < spec->n_trunks)
			add_trunk(w);
		else if (!rng_pct(&w->rng, 12) || !add_inner_stack(w))
			add_branch(w);
	}
	add_label_strings(w);
}

static void world_release(struct world *w)
{
	for (uint32_t i = 0; i < w->n_locs; i++)
		free(w->locs[i].callees);
	free(w->funcs);
	free(w->locs);
	free(w->nodes);
	free(w->stacks);
	free(w->children);
	free(w->traces);
	free(w->spans);
	pool_release(&w->pool);
}

/* 0..n-1, of which about pct per cent changed places. */
static uint32_t *permutation(struct rng *r, uint32_t n, uint32_t pct)
{
	uint32_t *p = xcalloc(n, sizeof(*p));

	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = rng_pct(r, pct) ? rng_below(r, i + 1) : i;

		p[i] = p[j];
		p[j] = i;
	}
	return p;
}

/* One build: where its code is and what it is called. */

struct layout {
	uint64_t *offset;     /* of each location in its mapping */
	uint32_t *shift;      /* of the lines in each function */
	uint64_t map_size[MAX_MAPS];
	uint32_t map_file[MAX_MAPS], map_build[MAX_MAPS]; /* pool strings */
};

static void name_maps(struct world *w, struct layout *a, struct rng *r)
{
	struct text t;
	char id[48];

	for (uint32_t i = 0; i < w->spec->n_maps; i++) {
		uint64_t high = rng_next(r), low = rng_next(r);

		t.n = 0;
		text_add(&t, i ? "/usr/lib/x86_64-linux-gnu/lib" :
		    "/opt/acme/bin/");
		text_add(&t, i ? words[i * 4] : "frontend-server");
		text_add(&t, i ? ".so.1" : "");
		a->map_file[i] = pool_add(&w->pool, t.s);
		snprintf(id, sizeof(id), "%016" PRIx64 "%016" PRIx64 "%08x",
		    high, low, rng_below(r, NONE));
		a->map_build[i] = pool_add(&w->pool, id);
	}
}

/* Functions lie in random order; the call sites of one lie together. */
static void layout_init(struct layout *a, struct world *w, uint64_t seed)
{
	struct rng r = { mix64(seed + 1) };
	uint32_t *order = permutation(&r, w->n_funcs, 100);
	uint32_t *first = xcalloc((size_t)w->n_funcs, sizeof(*first));
	uint32_t *next = xcalloc((size_t)w->n_locs, sizeof(*next));

	a->offset = xcalloc(w->n_locs, sizeof(*a->offset));
	a->shift = xcalloc(w->n_funcs, sizeof(*a->shift));
	for (uint32_t i = w->n_locs; i-- > 0;) {
		next[i] = first[w->locs[i].func];
		first[w->locs[i].func] = i + 1;
	}
	for (uint32_t i = 0; i < MAX_MAPS; i++)
		a->map_size[i] = 0x1000;
	for (uint32_t i = 0; i < w->n_funcs; i++) {
		uint64_t *at = &a->map_size[w->funcs[order[i]].map];

		a->shift[i] = rng_pct(&r, 50) ? 0 : rng_below(&r, 20);
		*at = (*at + 64 + rng_below(&r, 512)) & ~UINT64_C(15);
		for (uint32_t l = first[order[i]]; l; l = next[l - 1]) {
			*at += 4 + rng_below(&r, 120);
			a->offset[l - 1] = *at;
		}
	}
	for (uint32_t i = 0; i < MAX_MAPS; i++)
		a->map_size[i] = (a->map_size[i] + 0xfff) & ~UINT64_C(0xfff);
	name_maps(w, a, &r);
	free(order);
	free(first);
	free(next);
}

static void layout_release(struct layout *a)
{
	free(a->offset);
	free(a->shift);
}

/* One pprof file. */

struct bytes {
	unsigned char *p;
	size_t n, cap;
};

/* Ids of one kind in order of first use; 0 is none. */
struct ids {
	uint32_t *id, *order;
	uint32_t n;
};

struct label {
	uint32_t key, str, unit; /* pool strings */
	int64_t num;
};

struct sample {
	uint32_t stack;
	int64_t values[MAX_VALUES];
	struct label labels[MAX_LABELS];
	uint32_t n_labels;
};

struct out {
	struct world *w;
	const struct layout *a;
	uint64_t map_start[MAX_MAPS];
	FILE *file;
	z_stream z;
	struct bytes top, message, inner; /* top-level field and its parts */
	struct ids locs, funcs, strings;
	uint32_t n_values;
	uint64_t raw_size, n_samples, n_frames, n_labels;
	uint64_t n_trie_nodes;
	unsigned char *seen;  /* nodes of the tree counted in n_trie_nodes */
	uint32_t depth_max;
	struct rng rng;
};

static void bytes_room(struct bytes *b, size_t size)
{
	if (b->cap - b->n >= size)
		return;
	b->cap = (b->n + size) * 2;
	b->p = realloc(b->p, b->cap);
	if (!b->p)
		die("out of memory");
}

static void put_varint(struct bytes *b, uint64_t x)
{
	bytes_room(b, 10);
	for (; x >= 128; x >>= 7)
		b->p[b->n++] = (unsigned char)(x | 128);
	b->p[b->n++] = (unsigned char)x;
}

static void put_number(struct bytes *b, uint32_t field, uint64_t x)
{
	put_varint(b, field << 3);
	put_varint(b, x);
}

/* As proto3 and Go do: zero is not written. */
static void put_nonzero(struct bytes *b, uint32_t field, uint64_t x)
{
	if (x)
		put_number(b, field, x);
}

static void put_bytes(struct bytes *b, uint32_t field, const void *p,
    size_t size)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, size);
	bytes_room(b, size);
	if (size)
		memcpy(b->p + b->n, p, size);
	b->n += size;
}

/* Move `part` into b as one message, and empty it. */
static void put_message(struct bytes *b, uint32_t field, struct bytes *part)
{
	put_bytes(b, field, part->p, part->n);
	part->n = 0;
}

static void ids_init(struct ids *t, size_t n)
{
	t->id = xcalloc(n, sizeof(*t->id));
	t->order = xcalloc(n, sizeof(*t->order));
	t->n = 0;
}

static void ids_release(struct ids *t)
{
	free(t->id);
	free(t->order);
}

static uint32_t ids_use(struct ids *t, uint32_t x)
{
	if (!t->id[x]) {
		t->order[t->n] = x;
		t->id[x] = ++t->n;
	}
	return t->id[x];
}

/* Indexes of strings begin at 0, which is the empty one. */
static uint32_t use_string(struct out *o, uint32_t s)
{
	return ids_use(&o->strings, s) - 1;
}

static uint32_t use_text(struct out *o, const char *s)
{
	return use_string(o, pool_add(&o->w->pool, s));
}

static void out_deflate(struct out *o, int flush)
{
	static unsigned char buf[1 << 16];
	int rc;

	o->raw_size += o->top.n;
	o->z.next_in = o->top.p;
	o->z.avail_in = (uInt)o->top.n;
	do {
		o->z.next_out = buf;
		o->z.avail_out = sizeof(buf);
		rc = deflate(&o->z, flush);
		if (rc == Z_STREAM_ERROR)
			die("deflate failed");
		fwrite(buf, 1, sizeof(buf) - o->z.avail_out, o->file);
	} while (o->z.avail_out == 0);
	o->top.n = 0;
}

static void flush_when_full(struct out *o)
{
	if (o->top.n >= FLUSH_SIZE)
		out_deflate(o, Z_NO_FLUSH);
}

static void out_open(struct out *o, struct world *w, const struct layout *a,
    const char *path, uint64_t seed)
{
	memset(o, 0, sizeof(*o));
	o->w = w;
	o->a = a;
	o->rng.state = mix64(seed + 77);
	o->file = fopen(path, "wb");
	if (!o->file)
		die("%s: %s", path, strerror(errno));
	if (deflateInit2(&o->z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY))
		die("deflateInit2 failed");
	ids_init(&o->locs, w->n_locs);
	ids_init(&o->funcs, w->n_funcs);
	ids_init(&o->strings, w->pool.n + 256);
	use_string(o, 0);
	o->seen = xcalloc(w->n_nodes, 1);
	o->seen[0] = 1;
	while (o->n_values < MAX_VALUES && w->spec->types[2 * o->n_values])
		o->n_values++;
}

/* Load addresses: random pages, as the kernel picks them. */
static void place_maps(struct out *o)
{
	uint64_t at = UINT64_C(0x7f0000000000) +
	    ((rng_next(&o->rng) & 0xfffffff) << 12);

	o->map_start[0] = UINT64_C(0x550000000000) +
	    ((rng_next(&o->rng) & 0xfffffff) << 12);
	for (uint32_t i = 1; i < o->w->spec->n_maps; i++) {
		o->map_start[i] = at;
		at += o->a->map_size[i] + 0x200000;
	}
}

static void put_sample_types(struct out *o)
{
	const char *const *t = o->w->spec->types;

	for (uint32_t i = 0; i < o->n_values; i++) {
		put_number(&o->message, 1, use_text(o, t[2 * i]));
		put_number(&o->message, 2, use_text(o, t[2 * i + 1]));
		put_message(&o->top, 1, &o->message);
	}
}

/*
 * Ids as tools hand them out that do not count samples: not in order of
 * first use, though what was met early, and is hot, tends to have a low one.
 */
static void number_locations(struct out *o)
{
	uint32_t n = o->w->n_locs;
	uint32_t *order = permutation(&o->rng, n, o->w->spec->id_mix_pct);

	for (uint32_t i = 0; i < n; i++)
		ids_use(&o->locs, order[i]);
	free(order);
}

static void put_path(struct out *o, uint32_t node)
{
	const struct node *nodes = o->w->nodes;
	uint32_t depth = nodes[node].depth;

	if (depth > o->depth_max)
		o->depth_max = depth;
	o->n_frames += depth;
	for (; node; node = nodes[node].parent) {
		uint32_t id = ids_use(&o->locs, nodes[node].loc);

		if (depth > 2)
			put_varint(&o->inner, id);
		else
			put_number(&o->message, 1, id);
		if (!o->seen[node]) {
			o->seen[node] = 1;
			o->n_trie_nodes++;
		}
	}
	if (depth > 2)
		put_message(&o->message, 1, &o->inner);
}

static void put_values(struct out *o, const int64_t *values)
{
	for (uint32_t i = 0; i < o->n_values; i++) {
		if (o->n_values > 2)
			put_varint(&o->inner, (uint64_t)values[i]);
		else
			put_number(&o->message, 2, (uint64_t)values[i]);
	}
	if (o->n_values > 2)
		put_message(&o->message, 2, &o->inner);
}

static void put_sample(struct out *o, const struct sample *s)
{
	put_path(o, o->w->stacks[s->stack]);
	put_values(o, s->values);
	for (uint32_t i = 0; i < s->n_labels; i++) {
		const struct label *l = &s->labels[i];

		put_nonzero(&o->inner, 1, use_string(o, l->key));
		put_nonzero(&o->inner, 2, use_string(o, l->str));
		put_nonzero(&o->inner, 3, (uint64_t)l->num);
		put_nonzero(&o->inner, 4, use_string(o, l->unit));
		put_message(&o->message, 3, &o->inner);
	}
	put_message(&o->top, 2, &o->message);
	o->n_samples++;
	o->n_labels += s->n_labels;
	flush_when_full(o);
}

static void put_mappings(struct out *o)
{
	for (uint32_t i = 0; i < o->w->spec->n_maps; i++) {
		struct bytes *m = &o->message;

		put_nonzero(m, 1, i + 1);
		put_nonzero(m, 2, o->map_start[i]);
		put_nonzero(m, 3, o->map_start[i] + o->a->map_size[i]);
		put_nonzero(m, 4, i ? 0 : 0x1000);
		put_nonzero(m, 5, use_string(o, o->a->map_file[i]));
		put_nonzero(m, 6, use_string(o, o->a->map_build[i]));
		for (uint32_t flag = 7; flag <= 10; flag++)
			put_number(m, flag, 1);
		put_message(&o->top, 3, m);
	}
}

static void put_line(struct out *o, uint32_t func, uint32_t line)
{
	put_nonzero(&o->inner, 1, ids_use(&o->funcs, func));
	put_nonzero(&o->inner, 2, o->w->funcs[func].line + line +
	    o->a->shift[func]);
	put_message(&o->message, 4, &o->inner);
}

static void put_locations(struct out *o)
{
	for (uint32_t i = 0; i < o->locs.n; i++) {
		uint32_t id = o->locs.order[i];
		const struct loc *l = &o->w->locs[id];
		uint32_t map = o->w->funcs[l->func].map;

		put_nonzero(&o->message, 1, i + 1);
		put_nonzero(&o->message, 2, map + 1);
		put_nonzero(&o->message, 3, o->map_start[map] +
		    o->a->offset[id]);
		for (uint32_t k = 0; k < l->n_inlined; k++)
			put_line(o, l->inlined[k], l->line % 50 + k);
		put_line(o, l->func, l->line);
		put_message(&o->top, 4, &o->message);
		flush_when_full(o);
	}
}

static void put_functions(struct out *o)
{
	for (uint32_t i = 0; i < o->funcs.n; i++) {
		uint32_t id = o->funcs.order[i];
		const struct func *f = &o->w->funcs[id];

		put_nonzero(&o->message, 1, i + 1);
		put_nonzero(&o->message, 2, use_string(o, f->name));
		put_nonzero(&o->message, 3, use_string(o, f->system_name));
		put_nonzero(&o->message, 4, use_string(o, f->file));
		put_nonzero(&o->message, 5, f->line);
		put_message(&o->top, 5, &o->message);
		flush_when_full(o);
	}
}

static void put_rest(struct out *o)
{
	int is_cpu = o->n_values != 4;
	uint32_t type = use_text(o, is_cpu ? "cpu" : "space");
	uint32_t unit = use_text(o, is_cpu ? "nanoseconds" : "bytes");

	for (uint32_t i = 0; i < o->strings.n; i++) {
		const char *s = pool_string(&o->w->pool,
		    o->strings.order[i]);

		put_bytes(&o->top, 6, s, strlen(s));
		flush_when_full(o);
	}
	put_number(&o->top, 9, UINT64_C(1700000000000000000) +
	    rng_next(&o->rng) % UINT64_C(3600000000000));
	put_number(&o->top, 10, UINT64_C(30000000000));
	put_number(&o->message, 1, type);
	put_number(&o->message, 2, unit);
	put_message(&o->top, 11, &o->message);
	put_number(&o->top, 12, is_cpu ? 10000000 : 524288);
	put_number(&o->top, 14, 0); /* Go always writes this one */
}

/* What the file came to, so that README.md's table can be checked. */
static void out_report(const struct out *o, const char *path)
{
	double n = (double)o->n_samples;

	printf("file=%s samples=%" PRIu64 " locs=%u funcs=%u strings=%u "
	    "depth=%.1f depth_max=%u labels=%.2f raw=%" PRIu64 " gz=%lu "
	    "ratio=%.3f nodes_per_sample=%.2f\n", path, o->n_samples,
	    o->locs.n, o->funcs.n, o->strings.n, (double)o->n_frames / n,
	    o->depth_max, (double)o->n_labels / n, o->raw_size,
	    o->z.total_out, (double)o->z.total_out / (double)o->raw_size,
	    (double)o->n_trie_nodes / n);
}

static void out_close(struct out *o, const char *path)
{
	put_mappings(o);
	put_locations(o);
	put_functions(o);
	put_rest(o);
	out_deflate(o, Z_FINISH);
	out_report(o, path);
	if (ferror(o->file) || fclose(o->file))
		die("%s: %s", path, strerror(errno));
	deflateEnd(&o->z);
	free(o->top.p);
	free(o->message.p);
	free(o->inner.p);
	ids_release(&o->locs);
	ids_release(&o->funcs);
	ids_release(&o->strings);
	free(o->seen);
}

/* What a sample holds besides its stack. */

static void fill_heap(struct rng *r, int64_t *values)
{
	int64_t size = 16 << rng_below(r, 8);
	int64_t total = rng_count(r, 12);
	int64_t live = rng_pct(r, 70) ? 0 : rng_count(r, 6);

	values[0] = total + live;
	values[1] = (total + live) * size;
	values[2] = live;
	values[3] = live * size;
}

static void fill_cpu(struct rng *r, int64_t *values)
{
	values[0] = rng_count(r, 10);
	values[1] = values[0] * 10000000;
	values[2] = values[1] + (int64_t)(rng_next(r) & 0x7ffffff);
}

static void add_label(struct out *o, struct sample *s, const char *key,
    uint32_t str)
{
	struct label *l = &s->labels[s->n_labels++];

	memset(l, 0, sizeof(*l));
	l->key = pool_add(&o->w->pool, key);
	l->str = str;
}

static void add_num_label(struct out *o, struct sample *s, const char *key,
    int64_t num, const char *unit)
{
	add_label(o, s, key, 0);
	s->labels[s->n_labels - 1].num = num;
	s->labels[s->n_labels - 1].unit = pool_add(&o->w->pool, unit);
}

/* A request's code has its own subtree: the endpoint follows from that. */
static uint32_t stack_endpoint(const struct world *w, uint32_t stack,
    uint32_t variant)
{
	uint32_t node = ancestor(w, w->stacks[stack], 9);

	return w->endpoints[(mix64(node) + variant) % 64];
}

/* In the order Go writes labels: strings by key, then numbers by key. */
static void fill_labels(struct out *o, struct sample *s)
{
	struct world *w = o->w;
	struct rng *r = &o->rng;
	char thread[32];
	uint32_t span;

	if (w->spec->labels == LABELS_SERVICE) {
		snprintf(thread, sizeof(thread), "worker-%u",
		    rng_below(r, 32));
		add_label(o, s, "endpoint", stack_endpoint(w, s->stack, 0));
		add_label(o, s, "thread", pool_add(&w->pool, thread));
		if (rng_pct(r, 50))
			add_num_label(o, s, "bytes", 16 << rng_below(r, 12),
			    "bytes");
	} else if (w->spec->labels == LABELS_TRACE) {
		span = rng_below(r, w->n_spans);
		add_label(o, s, "endpoint", stack_endpoint(w, s->stack, 0));
		add_label(o, s, "span_id", w->spans[span]);
		add_label(o, s, "trace_id", w->traces[span / 3]);
		add_num_label(o, s, "alloc_size", rng_count(r, 22), "bytes");
		add_num_label(o, s, "queue_time", rng_count(r, 28),
		    "nanoseconds");
		add_num_label(o, s, "thread_id", 4000 + rng_below(r, 256),
		    "");
	}
}

static void fill_sample(struct out *o, struct sample *s, uint32_t stack)
{
	s->stack = stack;
	s->n_labels = 0;
	if (o->n_values == 4)
		fill_heap(&o->rng, s->values);
	else
		fill_cpu(&o->rng, s->values);
	fill_labels(o, s);
}

struct options {
	uint64_t seed;
	uint32_t n_lines;     /* 0: as the table says */
	uint32_t n_samples;   /* of a file of the fleet */
	int with_tags;
	const char *out;
	uint32_t n_files;
};

static void make_profile(const struct spec *spec, const struct options *opt)
{
	struct world w;
	struct layout a;
	struct out o;
	struct sample s;
	uint32_t *order;

	world_init(&w, spec, opt->seed);
	layout_init(&a, &w, opt->seed);
	order = permutation(&w.rng, w.n_stacks, 100);
	out_open(&o, &w, &a, opt->out, opt->seed);
	place_maps(&o);
	number_locations(&o);
	put_sample_types(&o);
	for (uint32_t i = 0; i < w.n_stacks; i++) {
		fill_sample(&o, &s, order[i]);
		put_sample(&o, &s);
	}
	out_close(&o, opt->out);
	free(order);
	layout_release(&a);
	world_release(&w);
}

/*
 * Some stacks are in many profiles and most in few: a quarter of the draws is
 * even and the rest prefers some strongly. Fitted to how the number of stacks
 * in a merge grows with the files (README.md). One stack in three is met under
 * a second endpoint too.
 */
static uint32_t pick_fleet_stack(const struct world *w, struct rng *r,
    uint32_t *variant)
{
	uint32_t stack = rng_pct(r, 27) ? rng_below(r, w->n_stacks) :
	    rng_skewed(r, w->n_stacks, 3);

	*variant = mix64(stack) % 3 == 0 && rng_pct(r, 40);
	return stack;
}

static void make_fleet_file(struct world *w, const struct layout *a,
    const uint32_t *order, uint32_t *last, const struct options *opt,
    uint32_t number)
{
	char path[4096];
	struct out o;
	struct sample s;

	snprintf(path, sizeof(path), "%s/%04u.pb.gz", opt->out, number);
	out_open(&o, w, a, path, opt->seed * 100003 + number);
	place_maps(&o);
	put_sample_types(&o);
	while (o.n_samples < opt->n_samples) {
		uint32_t variant;
		uint32_t stack = order[pick_fleet_stack(w, &o.rng, &variant)];

		if (last[2 * stack + variant] == number + 1)
			continue;
		last[2 * stack + variant] = number + 1;
		fill_sample(&o, &s, stack);
		add_label(&o, &s, "endpoint",
		    stack_endpoint(w, stack, variant));
		put_sample(&o, &s);
	}
	out_close(&o, path);
}

static void make_fleet(const struct spec *spec, const struct options *opt)
{
	struct world w;
	struct layout builds[2];
	uint32_t *order, *last;

	world_init(&w, spec, opt->seed);
	for (uint32_t i = 0; i < 2; i++)
		layout_init(&builds[i], &w, opt->seed * 2 + i);
	order = permutation(&w.rng, w.n_stacks, 100);
	last = xcalloc(2 * (size_t)w.n_stacks, sizeof(*last));
	for (uint32_t i = 0; i < opt->n_files; i++)
		make_fleet_file(&w, &builds[i % 2], order, last, opt, i);
	for (uint32_t i = 0; i < 2; i++)
		layout_release(&builds[i]);
	free(order);
	free(last);
	world_release(&w);
}

static void put_word(struct bytes *b, uint64_t x)
{
	bytes_room(b, 8);
	for (int i = 0; i < 8; i++)
		b->p[b->n++] = (unsigned char)(x >> (8 * i));
}

static void flush_to(struct bytes *b, FILE *f)
{
	fwrite(b->p, 1, b->n, f);
	b->n = 0;
}

static FILE *open_or_die(const char *path, const char *suffix)
{
	char name[4096];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "wb");
	if (!f)
		die("%s: %s", name, strerror(errno));
	return f;
}

static void close_or_die(FILE *f, const char *path)
{
	if (ferror(f) || fclose(f))
		die("%s: %s", path, strerror(errno));
}

/* Words of runtime/pprof's readProfile: length, time, count, return pcs. */
static void make_chunks(const struct spec *spec, const struct options *opt)
{
	struct world w;
	struct layout a;
	struct bytes b = { 0 };
	FILE *f = open_or_die(opt->out, "");
	FILE *tags = opt->with_tags ? open_or_die(opt->out, ".tags") : NULL;
	uint32_t n = opt->n_lines ? opt->n_lines : 1000000, *order;
	uint64_t now = UINT64_C(1000000000000), n_words = 3;

	world_init(&w, spec, opt->seed);
	layout_init(&a, &w, opt->seed);
	order = permutation(&w.rng, w.n_stacks, 100);
	put_word(&b, 3);
	put_word(&b, now);
	put_word(&b, 100);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t node = w.stacks[order[rng_skewed(&w.rng, w.n_stacks,
		    2)]];

		now += 10000000 / 64 + rng_below(&w.rng, 4096);
		put_word(&b, 3u + w.nodes[node].depth);
		put_word(&b, now);
		put_word(&b, 1);
		n_words += 3u + w.nodes[node].depth;
		for (; node; node = w.nodes[node].parent)
			put_word(&b, 0x400000 + 1 +
			    a.offset[w.nodes[node].loc] + 0x4000000 *
			    (uint64_t)w.funcs[w.locs[w.nodes[node].loc].func]
			    .map);
		if (b.n >= FLUSH_SIZE)
			flush_to(&b, f);
	}
	flush_to(&b, f);
	for (uint32_t i = 0; tags && i <= n; i++) /* the header has one too */
		fputs("0x0\n", tags);
	printf("file=%s records=%u words_per_record=%.1f bytes=%" PRIu64 "\n",
	    opt->out, n, (double)n_words / n, n_words * 8);
	close_or_die(f, opt->out);
	if (tags)
		close_or_die(tags, opt->out);
	free(order);
	free(b.p);
	layout_release(&a);
	world_release(&w);
}

static void put_collapsed(struct bytes *b, const struct world *w,
    uint32_t node)
{
	const char *frames[MAX_DEPTH];
	uint32_t n = 0;

	for (; node; node = w->nodes[node].parent)
		frames[n++] = pool_string(&w->pool,
		    w->funcs[w->locs[w->nodes[node].loc].func].name);
	while (n-- > 0) {
		size_t size = strlen(frames[n]);

		bytes_room(b, size + 1);
		memcpy(b->p + b->n, frames[n], size);
		b->n += size;
		b->p[b->n++] = n ? ';' : '\0';
	}
}

static const unsigned char *sort_text; /* qsort passes no context */

static int compare_lines(const void *a, const void *b)
{
	return strcmp((const char *)sort_text + *(const size_t *)a,
	    (const char *)sort_text + *(const size_t *)b);
}

/* Each location is its own function here, so each stack is one line. */
static void make_collapsed(const struct spec *spec, const struct options *opt,
    int (*compare)(const void *, const void *))
{
	struct spec s = *spec;
	struct world w;
	struct bytes b = { 0 };
	FILE *f = open_or_die(opt->out, "");
	uint32_t *order;
	size_t *lines;

	if (opt->n_lines) {
		s.n_nodes = (uint32_t)((uint64_t)s.n_nodes * opt->n_lines /
		    s.n_stacks) + s.n_trunks * 40;
		s.n_stacks = opt->n_lines;
	}
	world_init(&w, &s, opt->seed);
	order = permutation(&w.rng, w.n_stacks, 100);
	lines = xcalloc(w.n_stacks, sizeof(*lines));
	for (uint32_t i = 0; i < w.n_stacks; i++) {
		lines[i] = b.n;
		put_collapsed(&b, &w, w.stacks[order[i]]);
	}
	sort_text = b.p;
	if (compare)
		qsort(lines, w.n_stacks, sizeof(*lines), compare);
	for (uint32_t i = 0; i < w.n_stacks; i++)
		fprintf(f, "%s %" PRId64 "\n", (const char *)b.p + lines[i],
		    rng_count(&w.rng, 12));
	printf("file=%s lines=%u bytes=%ld depth_nodes=%u\n", opt->out,
	    w.n_stacks, ftell(f), w.n_nodes - 1);
	close_or_die(f, opt->out);
	free(order);
	free(lines);
	free(b.p);
	world_release(&w);
}

static _Noreturn void usage(void)
{
	fputs("usage: gen small|medium|large OUT [--seed N]\n"
	    "       gen fleet DIR N [--samples N] [--seed N]\n"
	    "       gen chunks OUT [--tags] [--lines N] [--seed N]\n"
	    "       gen collapsed|collapsed-sorted OUT [--lines N] "
	    "[--seed N]\n", stderr);
	exit(2);
}

static uint64_t number_or_die(const char *s)
{
	char *end;
	unsigned long long x;

	if (!s || *s < '0' || *s > '9')
		usage();
	errno = 0;
	x = strtoull(s, &end, 10);
	if (*end || errno)
		usage();
	return x;
}

static void parse_options(struct options *opt, int argc, char **argv)
{
	int n_plain = 0;

	opt->seed = 1;
	opt->n_samples = 5000;
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--tags"))
			opt->with_tags = 1;
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			opt->seed = number_or_die(argv[++i]);
		else if (!strcmp(argv[i], "--samples") && i + 1 < argc)
			opt->n_samples = (uint32_t)number_or_die(argv[++i]);
		else if (!strcmp(argv[i], "--lines") && i + 1 < argc)
			opt->n_lines = (uint32_t)number_or_die(argv[++i]);
		else if (argv[i][0] == '-')
			usage();
		else if (n_plain++ == 0)
			opt->out = argv[i];
		else
			opt->n_files = (uint32_t)number_or_die(argv[i]);
	}
	if (!opt->out)
		usage();
}

static const struct spec *find_spec(const char *name)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (!strcmp(specs[i].name, name))
			return &specs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct options opt = { 0 };
	int is_sorted = argc > 1 && !strcmp(argv[1], "collapsed-sorted");
	const struct spec *spec = argc > 2 ?
	    find_spec(is_sorted ? "collapsed" : argv[1]) : NULL;

	if (!spec)
		usage();
	parse_options(&opt, argc, argv);
	if (!strcmp(spec->name, "fleet"))
		make_fleet(spec, &opt);
	else if (!strcmp(spec->name, "chunks"))
		make_chunks(spec, &opt);
	else if (!strcmp(spec->name, "collapsed"))
		make_collapsed(spec, &opt, is_sorted ? compare_lines : NULL);
	else
		make_profile(spec, &opt);
	return 0;
}
