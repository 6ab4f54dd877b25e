// SPDX-License-Identifier: Apache-2.0

// The peer of the benchmarks: the same jobs done with github.com/google/pprof's
// profile package. Build it against the distribution's source package:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer peer.go
//
// Each job prints one line of key=value pairs. cpu and wall are seconds of
// the best repetition; cpu is user and system time of the whole process, so
// it holds what Go's collector does meanwhile on other threads.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
)

type stopwatch struct {
	cpu  float64
	wall time.Time
}

func rusage() (cpu float64, rssKB int64) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		die(err)
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9, ru.Maxrss
}

func start() stopwatch {
	cpu, _ := rusage()
	return stopwatch{cpu, time.Now()}
}

// best keeps the least of each, over repetitions, and for the mean the sum:
// the best repetition of Go may be one that the collector left alone.
type best struct {
	cpu, wall, sum float64
	n              int
}

func (b *best) keep(s stopwatch) {
	wall := time.Since(s.wall).Seconds()
	cpu, _ := rusage()
	cpu -= s.cpu
	b.sum += cpu
	b.n++
	if b.cpu == 0 || cpu < b.cpu {
		b.cpu = cpu
	}
	if b.wall == 0 || wall < b.wall {
		b.wall = wall
	}
}

func (b *best) report(job, more string, args ...interface{}) {
	_, rss := rusage()
	fmt.Printf("job=%s cpu=%.6f wall=%.6f rss_kb=%d cpu_mean=%.6f %s\n",
		job, b.cpu, b.wall, rss, b.sum/float64(b.n),
		fmt.Sprintf(more, args...))
}

func die(err error) {
	fmt.Fprintln(os.Stderr, "peer:", err)
	os.Exit(1)
}

func load(path string) *profile.Profile {
	data, err := os.ReadFile(path)
	if err != nil {
		die(err)
	}
	p, err := profile.ParseData(data)
	if err != nil {
		die(fmt.Errorf("%s: %v", path, err))
	}
	return p
}

// repeat times job; the first of several is a warm-up and not counted.
func repeat(reps int, job func()) best {
	var b best
	for i := 0; i < reps; i++ {
		s := start()
		job()
		if i > 0 || reps == 1 {
			b.keep(s)
		}
	}
	return b
}

func parse(path string, reps int) {
	data, err := os.ReadFile(path)
	if err != nil {
		die(err)
	}
	var p *profile.Profile
	b := repeat(reps, func() {
		if p, err = profile.ParseData(data); err != nil {
			die(err)
		}
	})
	b.report("parse", "samples=%d locs=%d funcs=%d", len(p.Sample),
		len(p.Location), len(p.Function))
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func write(path string, reps int) {
	p := load(path)
	var size counter
	b := repeat(reps, func() {
		size = 0
		if err := p.Write(&size); err != nil {
			die(err)
		}
	})
	b.report("write", "size=%d", size)
}

// merge works in chunks of 128 as the pprof command does, so that it need not
// hold all inputs at once; it loads one after the other.
func merge(out string, paths []string) {
	const chunkSize = 128
	var sum *profile.Profile
	s := start()
	for len(paths) > 0 {
		n := len(paths)
		if n > chunkSize {
			n = chunkSize
		}
		var chunk []*profile.Profile
		for _, path := range paths[:n] {
			chunk = append(chunk, load(path))
		}
		paths = paths[n:]
		p, err := profile.Merge(chunk)
		if err == nil && sum != nil {
			p, err = profile.Merge([]*profile.Profile{sum, p})
		}
		if err != nil {
			die(err)
		}
		sum = p
	}
	f, err := os.Create(out)
	if err != nil {
		die(err)
	}
	if err := sum.Write(f); err != nil {
		die(err)
	}
	if err := f.Close(); err != nil {
		die(err)
	}
	var b best
	b.keep(s)
	b.report("merge", "samples=%d locs=%d funcs=%d mappings=%d",
		len(sum.Sample), len(sum.Location), len(sum.Function),
		len(sum.Mapping))
}

func filter(path, expr string, reps int) {
	focus := regexp.MustCompile(expr)
	p := load(path)
	var b best
	kept := 0
	for i := 0; i < reps; i++ {
		c := p.Copy() // the filter changes its profile
		runtime.GC()  // the copy's garbage is not the filter's
		s := start()
		c.FilterSamplesByName(focus, nil, nil, nil)
		b.keep(s)
		kept = len(c.Sample)
	}
	b.report("filter", "samples=%d kept=%d", len(p.Sample), kept)
}

func compact(path string, reps int) {
	p := load(path)
	n := 0
	b := repeat(reps, func() { n = len(p.Compact().Sample) })
	b.report("compact", "samples=%d", n)
}

// contents is a profile by content: a key of stack and labels, no ids.
type contents map[string][]int64

func locationText(l *profile.Location) string {
	var t strings.Builder
	if m := l.Mapping; m != nil {
		fmt.Fprintf(&t, "%q %q %x", m.File, m.BuildID,
			l.Address-m.Start+m.Offset)
	} else {
		fmt.Fprintf(&t, "- %x", l.Address)
	}
	fmt.Fprintf(&t, " %v", l.IsFolded)
	for _, line := range l.Line {
		f := line.Function
		if f == nil {
			f = &profile.Function{}
		}
		fmt.Fprintf(&t, " %q %q %q %d:%d", f.Name, f.SystemName,
			f.Filename, f.StartLine, line.Line)
	}
	return t.String()
}

func labelText(s *profile.Sample) string {
	var all []string
	for key, values := range s.Label {
		all = append(all, fmt.Sprintf("s %q %q", key, values))
	}
	for key, values := range s.NumLabel {
		all = append(all, fmt.Sprintf("n %q %v %q", key, values,
			s.NumUnit[key]))
	}
	sort.Strings(all)
	return strings.Join(all, "\n")
}

// read sums samples with the same key. Both profiles share texts: equal
// locations get the same number in both.
func read(p *profile.Profile, texts map[string]uint32) contents {
	number := make(map[*profile.Location]uint32)
	for _, l := range p.Location {
		t := locationText(l)
		if _, ok := texts[t]; !ok {
			texts[t] = uint32(len(texts))
		}
		number[l] = texts[t]
	}
	c := make(contents)
	var key bytes.Buffer
	for _, s := range p.Sample {
		key.Reset()
		var word [4]byte
		for _, l := range s.Location {
			binary.LittleEndian.PutUint32(word[:], number[l])
			key.Write(word[:])
		}
		binary.LittleEndian.PutUint32(word[:], ^uint32(0))
		key.Write(word[:])
		key.WriteString(labelText(s))
		sum := c[key.String()]
		if sum == nil {
			sum = make([]int64, len(s.Value))
			c[key.String()] = sum
		}
		for i, v := range s.Value {
			sum[i] += v
		}
	}
	return c
}

// missing counts keys of a that b lacks or has with other values.
func missing(a, b contents, example *string) (onlyA, values int) {
	for key, v := range a {
		w, ok := b[key]
		if !ok {
			onlyA++
		} else if fmt.Sprint(v) != fmt.Sprint(w) {
			values++
		} else {
			continue
		}
		if *example == "" {
			labels := key[strings.Index(key, "\xff\xff\xff\xff")+4:]
			*example = fmt.Sprintf("%v and %v, labels %q", v, w,
				labels)
		}
	}
	return
}

func header(p *profile.Profile) string {
	var t strings.Builder
	for _, v := range append(p.SampleType, p.PeriodType) {
		if v != nil {
			fmt.Fprintf(&t, "%s/%s ", v.Type, v.Unit)
		}
	}
	fmt.Fprintf(&t, "period %d time %d duration %d drop %q keep %q "+
		"comments %q default %q", p.Period, p.TimeNanos,
		p.DurationNanos, p.DropFrames, p.KeepFrames, p.Comments,
		p.DefaultSampleType)
	return t.String()
}

// equal exits with 1 if the profiles differ, so a script can ask.
func equal(pathA, pathB string) {
	texts := make(map[string]uint32)
	pa, pb := load(pathA), load(pathB)
	a, b := read(pa, texts), read(pb, texts)
	example := ""
	onlyA, values := missing(a, b, &example)
	onlyB, _ := missing(b, a, &example)
	headers := 0
	if ha, hb := header(pa), header(pb); ha != hb {
		headers = 1
		fmt.Fprintf(os.Stderr, "peer: header: %s\npeer: other:  %s\n",
			ha, hb)
	}
	if example != "" {
		fmt.Fprintln(os.Stderr, "peer: first difference:", example)
	}
	differ := onlyA + onlyB + values
	fmt.Printf("job=equal samples_a=%d samples_b=%d keys_a=%d keys_b=%d "+
		"only_a=%d only_b=%d values=%d headers=%d differ=%d\n",
		len(pa.Sample), len(pb.Sample), len(a), len(b), onlyA, onlyB,
		values, headers, differ)
	if differ+headers > 0 {
		os.Exit(1)
	}
}

// profMap counts stacks as runtime/pprof does while a profile runs: a Go map
// from a hash of the words to a chain of entries that own their stacks, with
// the entries and the words cut from larger blocks.
type profMap struct {
	chains  map[uint64]*entry
	entries []entry
	words   []uint64
	n       int
}

type entry struct {
	next  *entry
	stack []uint64
	count int64
}

func hashStack(stack []uint64) uint64 {
	h := uint64(len(stack))
	for _, pc := range stack {
		h = (h<<9 | h>>55) + pc*0x9e3779b97f4a7c15
	}
	return h
}

func sameStack(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i, pc := range a {
		if b[i] != pc {
			return false
		}
	}
	return true
}

func (m *profMap) add(stack []uint64, count int64) {
	h := hashStack(stack)
	for e := m.chains[h]; e != nil; e = e.next {
		if sameStack(e.stack, stack) {
			e.count += count
			return
		}
	}
	if len(m.entries) == 0 {
		m.entries = make([]entry, 128)
	}
	if len(m.words) < len(stack) {
		m.words = make([]uint64, 1024+len(stack))
	}
	e := &m.entries[0]
	m.entries = m.entries[1:]
	e.stack = m.words[:len(stack):len(stack)]
	m.words = m.words[len(stack):]
	copy(e.stack, stack)
	e.count = count
	e.next = m.chains[h]
	m.chains[h] = e
	m.n++
}

func readWords(path string) []uint64 {
	data, err := os.ReadFile(path)
	if err != nil {
		die(err)
	}
	words := make([]uint64, len(data)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return words
}

func dedupe(path string, reps int) {
	words := readWords(path)
	var m profMap
	records := 0
	b := repeat(reps, func() {
		m = profMap{chains: make(map[uint64]*entry)}
		records = 0
		for rest := words[3:]; len(rest) >= 3; records++ {
			size := rest[0]
			if size < 3 || size > uint64(len(rest)) {
				die(fmt.Errorf("%s: bad record", path))
			}
			m.add(rest[3:size], int64(rest[2]))
			rest = rest[size:]
		}
	})
	b.report("dedupe", "records=%d stacks=%d records_per_s=%.0f", records,
		m.n, float64(records)/b.cpu)
}

func usage() {
	fmt.Fprint(os.Stderr, `usage: peer parse|write|compact FILE [REPS]
       peer filter FILE REGEX [REPS]
       peer merge OUT FILES...
       peer equal A B
       peer dedupe WORDS [REPS]
`)
	os.Exit(2)
}

// reps is the count in args[i], or fallback.
func reps(args []string, i, fallback int) int {
	if len(args) <= i {
		return fallback
	}
	n, err := strconv.Atoi(args[i])
	if err != nil || n < 1 {
		usage()
	}
	return n
}

func main() {
	if len(os.Args) < 3 {
		usage()
	}
	args := os.Args[2:]
	switch job := os.Args[1]; {
	case job == "parse":
		parse(args[0], reps(args, 1, 1))
	case job == "write":
		write(args[0], reps(args, 1, 1))
	case job == "compact":
		compact(args[0], reps(args, 1, 1))
	case job == "dedupe":
		dedupe(args[0], reps(args, 1, 4))
	case job == "filter" && len(args) >= 2:
		filter(args[0], args[1], reps(args, 2, 1))
	case job == "merge" && len(args) >= 2:
		merge(args[0], args[1:])
	case job == "equal" && len(args) == 2:
		equal(args[0], args[1])
	default:
		usage()
	}
}
