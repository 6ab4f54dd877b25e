// SPDX-License-Identifier: Apache-2.0

// Capture profiles itself. It writes the words as the runtime delivers them
// and the profile that runtime/pprof's own builder makes of the same words:
//
//	capture WORDS MAPS PROFILE
package main

import (
	"encoding/binary"
	"io"
	"os"
	"runtime"
	_ "runtime/pprof"
	"time"
	"unsafe"
)

//go:linkname readProfile runtime/pprof.readProfile
func readProfile() ([]uint64, []unsafe.Pointer, bool)

//go:linkname newBuilder runtime/pprof.newProfileBuilder
func newBuilder(w io.Writer) unsafe.Pointer

//go:linkname addData runtime/pprof.(*profileBuilder).addCPUData
func addData(b unsafe.Pointer, data []uint64, tags []unsafe.Pointer) error

//go:linkname build runtime/pprof.(*profileBuilder).build
func build(b unsafe.Pointer)

var sink uint64

func mix(x uint64) uint64 {
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	return x * 2685821657736338717
}

func round(x uint64, n int) uint64 {
	for i := 0; i < n; i++ {
		x = mix(x) + mix(x+1)
	}
	return x
}

func twice(x uint64) uint64 { return round(x, 50) + round(x+1, 70) }

//go:noinline
func work(x uint64) uint64 { return twice(x) ^ twice(x+3) }

// Deeper than the stack of a sample can be: the last frame of some is step,
// which is inlined into what was cut off.
func down(depth int, x uint64) uint64 {
	if depth > 0 {
		return step(depth, x) + 1
	}
	for i := 0; i < 2000; i++ {
		x += work(x)
	}
	return x
}

func step(depth int, x uint64) uint64 { return again(depth-1, x+1) }

var again func(depth int, x uint64) uint64

func run(stop <-chan struct{}) {
	for depth := 0; ; depth++ {
		select {
		case <-stop:
			return
		default:
		}
		sink += down(depth%150, sink) + work(sink)
		_ = append([]byte(nil), make([]byte, 4096)...)
	}
}

func main() {
	words, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	os.WriteFile(os.Args[2], maps, 0o666)
	out, err := os.Create(os.Args[3])
	if err != nil {
		panic(err)
	}
	again = down
	b := newBuilder(out)
	stop := make(chan struct{})
	go run(stop)
	go func() {
		time.Sleep(1500 * time.Millisecond)
		close(stop)
		runtime.SetCPUProfileRate(0)
	}()
	runtime.SetCPUProfileRate(500)
	for {
		time.Sleep(50 * time.Millisecond)
		data, tags, eof := readProfile()
		binary.Write(words, binary.LittleEndian, data)
		if err := addData(b, data, tags); err != nil {
			panic(err)
		}
		if eof {
			break
		}
	}
	build(b)
	words.Close()
	out.Close()
}
