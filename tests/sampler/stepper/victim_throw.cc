/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++: exceptions on their way through frames with and without something to
 * clean up, iostreams, virtual calls.
 */
#include "stepper.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

volatile int sink;

struct guard {
	~guard() { sink = sink + 1; }
};

struct shape {
	virtual ~shape() {}
	virtual int area(int n) const { return n; }
};

struct square : shape {
	int area(int n) const override
	{
		if (n > 3)
			throw n;
		return n * n;
	}
};

__attribute__((noinline)) int thrower(int n)
{
	guard g;

	if (n == 0)
		throw std::runtime_error("at the end");
	return thrower(n - 1) + 1;
}

__attribute__((noinline)) int rethrower(int n)
{
	try {
		return thrower(n);
	} catch (const std::exception &e) {
		sink = sink + e.what()[0];
		throw;
	}
}

__attribute__((noinline)) int unguarded(int n)
{
	return rethrower(n) + 2;
}

__attribute__((noinline)) int virtually(int n)
{
	square s;
	const shape &base = s;

	try {
		return base.area(n);
	} catch (int value) {
		return value;
	}
}

} /* namespace */

extern "C" void VICTIM(void);
extern "C" void VICTIM(void)
{
	std::map<std::string, int> names;
	std::vector<int> numbers{ 5, 2, 8, 1 };
	std::ostringstream out;

	try {
		unguarded(3);
	} catch (const std::runtime_error &e) {
		names[e.what()]++;
	}
	std::sort(numbers.begin(), numbers.end(),
	          [](int a, int b) { return a > b; });
	sink = sink + virtually(2) + virtually(5);
	out << names.size() << ' ' << 2.5 << ' ' << numbers[0];
	sink = sink + static_cast<int>(out.str().size());
}
