/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolize/demangle.h"

#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct demangle_case {
	const char *name, *plain, *templates, *full;
} cases[] = {
	{ "main", "main", "main", "main" },
	{ "_start", "_start", "_start", "_start" },
	{ "_Z3foov", "foo", "foo", "foo()" },
	{ "_ZN2ns3BarIiE3getEi", "ns::Bar::get", "ns::Bar<int>::get",
	  "ns::Bar<int>::get(int)" },
	/* Clones: the copy is told by the system name alone. */
	{ "_Z3fooi.part.0", "foo", "foo", "foo(int)" },
	{ "_Z3fooi.constprop.0.isra.1", "foo", "foo", "foo(int)" },
	{ "_Z3fooi.cold", "foo", "foo", "foo(int)" },
	{ "helper.part.12", "helper", "helper", "helper" },
	{ "helper.llvm.1234567", "helper", "helper", "helper" },
	/* Dots of other languages stay. */
	{ "main.work.func1", "main.work.func1", "main.work.func1",
	  "main.work.func1" },
	{ ".cold", ".cold", ".cold", ".cold" },
	/* Operators hold brackets of their own. */
	{ "_ZlsRSoRK1A", "operator<<", "operator<<",
	  "operator<<(std::ostream&, A const&)" },
	{ "_ZN1AclEi", "A::operator()", "A::operator()", "A::operator()(int)" },
	{ "_ZNK1AltERKS_", "A::operator<", "A::operator<",
	  "A::operator<(A const&) const" },
	{ "_ZN1AptEv", "A::operator->", "A::operator->", "A::operator->()" },
	{ "_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo",
	  "(anonymous namespace)::foo", "(anonymous namespace)::foo()" },
	{ "_ZZ4workiENKUliiE_clEii", "work::{lambda(int, int)#1}::operator()",
	  "work::{lambda(int, int)#1}::operator()",
	  "work(int)::{lambda(int, int)#1}::operator()(int, int) const" },
	/* Rust: legacy, with its hash; and v0. */
	{ "_ZN4core3fmt5Write9write_str17h0123456789abcdefE",
	  "core::fmt::Write::write_str", "core::fmt::Write::write_str",
	  "core::fmt::Write::write_str" },
	{ "_RNvC7mycrate3foo", "mycrate::foo", "mycrate::foo", "mycrate::foo" },
	/* Not mangled after all. */
	{ "_Zebra", "_Zebra", "_Zebra", "_Zebra" },
	{ "_Z", "_Z", "_Z", "_Z" },
	/* Names of DWARF, and stubs. */
	{ "std::max<int>", "std::max", "std::max<int>", "std::max<int>" },
	{ "_Znwm@plt", "operator new@plt", "operator new@plt",
	  "operator new(unsigned long)@plt" },
	{ "puts@plt", "puts@plt", "puts@plt", "puts@plt" },
	/* The version of a symbol; and '@' that is none. */
	{ "clock_nanosleep@@GLIBC_2.17", "clock_nanosleep", "clock_nanosleep",
	  "clock_nanosleep" },
	{ "memcpy@GLIBC_2.2.5", "memcpy", "memcpy", "memcpy" },
	{ "memcpy@GLIBC_2.14@plt", "memcpy@plt", "memcpy@plt", "memcpy@plt" },
	{ "_ZNSt9exceptionD1Ev@@GLIBCXX_3.4", "std::exception::~exception",
	  "std::exception::~exception", "std::exception::~exception()" },
	{ "a@", "a@", "a@", "a@" },
	{ "a@@", "a@@", "a@@", "a@@" },
	{ "@GLIBC_2.17", "@GLIBC_2.17", "@GLIBC_2.17", "@GLIBC_2.17" },
	{ "user@12", "user@12", "user@12", "user@12" },
	{ "at@scope/pkg", "at@scope/pkg", "at@scope/pkg", "at@scope/pkg" },
	{ "a@b@c", "a@b@c", "a@b@c", "a@b@c" },
	{ "", "", "", "" },
};

static void check_mode(enum prof_demangle mode, const char *name,
                       const char *expected)
{
	struct demangler d;
	struct prof_str got;

	demangle_init(&d, mode);
	got = demangle(&d, (struct prof_str){ name, strlen(name) });
	ck_assert_msg(got.len == strlen(expected) &&
	                      memcmp(got.ptr, expected, got.len) == 0,
	              "%s, mode %d: got %.*s, expected %s", name, (int)mode,
	              (int)got.len, got.ptr, expected);
	demangle_release(&d);
}

START_TEST(modes)
{
	const struct demangle_case *c = &cases[_i];

	check_mode(PROF_DEMANGLE_DEFAULT, c->name, c->plain);
	check_mode(PROF_DEMANGLE_TEMPLATES, c->name, c->templates);
	check_mode(PROF_DEMANGLE_FULL, c->name, c->full);
	check_mode(PROF_DEMANGLE_NONE, c->name, c->name);
}
END_TEST

/* A name of 200 bytes whose text would have 2^60: it ends, and early. */
START_TEST(growth_is_bounded)
{
	char name[512] = "_Z1fI1aE";
	struct demangler d;
	struct prof_str got;

	strcpy(name, "_Z1f1AIiiE");
	for (int i = 0; i < 30; i++)
		sprintf(name + strlen(name), "1AIS%c_S%c_E",
		        i < 10 ? '0' + i : 'A' + i - 10,
		        i < 10 ? '0' + i : 'A' + i - 10);
	demangle_init(&d, PROF_DEMANGLE_FULL);
	got = demangle(&d, (struct prof_str){ name, strlen(name) });
	ck_assert_uint_le(got.len, 1 << 20);
	demangle_release(&d);
}
END_TEST

/* Half a million brackets that nobody closes: found by fuzzing. */
START_TEST(open_brackets_are_linear)
{
	enum { SIZE = 500000 };
	char *name = malloc(SIZE);
	struct demangler d;
	struct prof_str got;

	ck_assert_ptr_nonnull(name);
	memset(name, '<', SIZE);
	demangle_init(&d, PROF_DEMANGLE_DEFAULT);
	got = demangle(&d, (struct prof_str){ name, SIZE });
	ck_assert_uint_eq(got.len, SIZE);
	demangle_release(&d);
	free(name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("demangle");
	TCase *tc = tcase_create("demangle");

	tcase_add_loop_test(tc, modes, 0, N_ELEMENTS(cases));
	tcase_add_test(tc, growth_is_bounded);
	tcase_add_test(tc, open_brackets_are_linear);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
