// SPDX-License-Identifier: Apache-2.0
// What is hard to symbolize: inlining, templates, lambdas, functions inside of
// functions, cold parts, clones, copies of one body under several names.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace shapes {
template <class T> struct Box {
	T value;
	explicit Box(T v) : value(v) {}
	__attribute__((noinline)) T twice() const { return value + value; }
	T thrice() const { return value + value + value; }
};

struct Base {
	virtual ~Base() {}
	virtual int area(int) = 0;
};

struct Derived : Base {
	int k;
	explicit Derived(int x) : k(x) {}
	int area(int a) override
	{
		return a * k + [&](int z) {
			struct Local {
				static int scale(int q) { return q * 7; }
			};
			return Local::scale(z) + k;
		}(a);
	}
};
} // namespace shapes

// One body under two names: folded into one by some linkers.
__attribute__((noinline)) int same_a(int x) { return x * 31 + 5; }
__attribute__((noinline)) int same_b(int x) { return x * 31 + 5; }

static int rare(int x)
{
	if (__builtin_expect(x < 0, 0)) {
		std::string s("negative ");
		s += std::to_string(x);
		std::puts(s.c_str());
		throw x;
	}
	return x * 3;
}

__attribute__((noinline)) int work(int n)
{
	std::vector<int> v;
	std::map<std::string, int> m;
	int sum = 0;

	for (int i = 0; i < n; i++)
		v.push_back(rare(i * 17 % 101));
	std::sort(v.begin(), v.end(),
	          [](int a, int b) { return a % 7 < b % 7; });
	for (int x : v)
		m[std::to_string(x)] += x;
	for (auto &entry : m)
		sum += entry.second;
	return sum;
}

int main(int argc, char **)
{
	shapes::Box<int> b(argc);
	shapes::Box<std::string> s("x");
	std::function<int(int)> f = [&](int q) { return q + b.thrice(); };
	shapes::Base *d = new shapes::Derived(argc);
	int r = work(argc * 100) + f(b.twice()) + d->area(3) + same_a(argc) +
	        same_b(argc);

	std::printf("%d %s\n", r, s.twice().c_str());
	delete d;
	return 0;
}
