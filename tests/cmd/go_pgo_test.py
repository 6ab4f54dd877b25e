#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Go build with -pgo uses what profmerge --for=go-pgo wrote.

    go_pgo_test.py PROFMERGE

Exits with 77 where there is no Go of 1.21 or later.
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROFMERGE = GO = ""


def new_go():
    """The newest Go that knows -pgo (1.21): of the path, or beside it as
    Debian's packages of one version are. None: there is none."""
    best, newest = (1, 20), None
    for go in ["go", *glob.glob("/usr/lib/go-1.*/bin/go")]:
        try:
            words = subprocess.run([go, "version"], check=True,
                                   stdout=subprocess.PIPE).stdout.decode()
        except (OSError, subprocess.CalledProcessError):
            continue
        found = re.search(r"go(\d+)\.(\d+)", words)
        version = tuple(map(int, found.groups())) if found else (0, 0)
        if version > best:
            best, newest = version, go
    return newest


# twist() is too large to be inlined, unless it is known to be hot.
GO_PROGRAM = """package main

import ("os"; "runtime/pprof"; "time")

func twist(n int) int {
	s := n
	for i := 0; i < 64; i++ {
		s = s*31 + i; s ^= s >> 7; s += s << 3; s ^= s >> 11
		s = s*17 + i; s ^= s >> 5; s += s << 9; s ^= s >> 13
		s = s*13 + i; s ^= s >> 3; s += s << 5; s ^= s >> 17
	}
	return s
}

//go:noinline
func turn(n int) int {
	s := 0
	for i := 0; i < n; i++ { s += twist(i) }
	return s
}

func main() {
	f, _ := os.Create(os.Args[1])
	pprof.StartCPUProfile(f)
	s := 0
	for t := time.Now(); time.Since(t) < time.Second; { s += turn(1000) }
	pprof.StopCPUProfile()
	f.Close()
	if s == 42 { println(s) }
}
"""


class Go(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="go-pgo-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def go(self, *args):
        # No network is asked: no other Go, no module.
        env = dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local",
                   GOPROXY="off", GOCACHE=str(self.folder / "cache"))
        return subprocess.run([GO, *map(str, args)], cwd=self.folder,
                              env=env, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT).stdout.decode()

    def build(self, profile):
        """What the compiler says of inlining, and of hot calls."""
        return self.go("build", "-pgo=" + profile, "-o", "built",
                       "-gcflags=-m -d=pgodebug=1", ".")

    def test_builds(self):
        """A Go build uses our profile, as it uses all of Go's."""
        inlined = r"main\.go:\d+:\d+: inlining call to twist"
        (self.folder / "main.go").write_text(GO_PROGRAM)
        (self.folder / "go.mod").write_text("module x\n\ngo 1.21\n")
        plain = self.build("off")
        for name in ("cpu.pb.gz", "again.pb.gz"):
            subprocess.run(["./built", name], cwd=self.folder, check=True)
        for args in (["--for=go-pgo", "-o", "ours.pb.gz"],
                     ["-o", "twice.pb.gz"]):
            subprocess.run([PROFMERGE, *args, "cpu.pb.gz", "again.pb.gz"],
                           cwd=self.folder, check=True)
        ours, whole = self.build("ours.pb.gz"), self.build("twice.pb.gz")
        self.assertNotRegex(plain, inlined)
        self.assertRegex(ours, inlined)
        self.assertEqual(ours, whole)
        self.assertLess((self.folder / "ours.pb.gz").stat().st_size,
                        (self.folder / "twice.pb.gz").stat().st_size)


if __name__ == "__main__":
    PROFMERGE = os.path.abspath(sys.argv.pop(1))
    GO = new_go()
    if not GO:
        print("there is no Go 1.21 or later")
        sys.exit(77)
    unittest.main()
