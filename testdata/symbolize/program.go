// SPDX-License-Identifier: Apache-2.0

// Inlining, closures and methods, for Go's own line table.
package main

import (
	"fmt"
	"sort"
	"strings"
)

type pair struct{ a, b int }

func add(a, b int) int { return a%7 + b/3 }

func twice(x int) int { return add(x, x) }

//go:noinline
func work(n int) int {
	sum, v := 0, []pair{}
	for i := 0; i < n; i++ {
		v = append(v, pair{i * 7 % 13, i})
		sum += twice(i)
	}
	sort.Slice(v, func(i, j int) bool { return v[i].a < v[j].a })
	return sum + len(strings.Repeat("x", n)) + v[0].b
}

func main() { fmt.Println(work(1000)) }
