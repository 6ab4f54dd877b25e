#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profmerge as its users meet it.

    profmerge_test.py PROFMERGE [unittest's own arguments]

Most tests are rows of CASES: a command line, and what must come of it.
"""
import dataclasses
import gzip
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

PROFMERGE = ""

A = "main;run 3\nmain;wait 5\n"
B = "main;run 4\nmain;read 1\n"
AB = "main;read 1\nmain;run 7\nmain;wait 5\n"
TO = " --to=collapsed "
TRY = "Try 'profmerge --help'.\n"


def yaml(types, *samples):
    rows = "".join("\n- {%s}" % s for s in samples) or " []"
    return "profile: 1\nsample_types: [%s]\nsamples:%s\n" % (types, rows)


CPU = yaml("samples/count, cpu/ms", "v: [3, 30], stack: [run, main]")
WALL = yaml("samples/count, wall/ns", "v: [1, 8], stack: [run, main]")
PERIOD = ("profile: 1\nperiod: {type: %s, value: 5}\n"
          "samples:\n- {v: 1, at: []}\n")
BIG = "f 9223372036854775807\n"
PGO = """profile: 1
locations:
- {addr: 0x1, lines: [{fn: f, file: f.go, line: 12, start: 10}]}
- {addr: 0x2, lines: [{fn: g, file: g.go, line: 23, start: 20}]}
samples:
- {v: 2, at: [1, 2, 1]}
"""


@dataclasses.dataclass
class Case:
    """Words of a command line, and what comes of it; "~" begins a regular
    expression that must be found. Files are in the folder it runs in: there
    are always a and b."""
    args: str
    code: int = 0
    out: str = ""
    err: str = ""
    stdin: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    after: dict = dataclasses.field(default_factory=dict)


def wrong(args, message):
    """A wrong command line."""
    return Case(args, 2, "", "profmerge: %s\n%s" % (message, TRY))


CASES = [
    Case("--version", out="~^profmerge \\(libprofile\\) [0-9.]+\nLicence"),
    Case("--help", out="~^Usage: profmerge "),

    # Wrong command lines.
    wrong("", "what is to be merged?"),
    wrong("--weight=x a", "--weight: 'x' is no whole number"),
    wrong("--weight=1x a", "--weight: '1x' is no whole number"),
    wrong("--weight=9223372036854775808 a",
          "--weight: '9223372036854775808' is no whole number"),
    wrong("-j 0 a", "--threads: '0' is not a number from 1"),
    wrong("-j 257 a", "--threads: 257 is more than 256"),
    wrong("--for=rust a", "--for: 'rust' is none of: any go-pgo"),
    wrong("--normalize a",
          "--normalize needs an input and a --base or --diff-base"),
    wrong("--normalize --base=a",
          "--normalize needs an input and a --base or --diff-base"),
    wrong("--to=speedscop a", "unknown format 'speedscop'; did you mean "
          "'speedscope'?"),
    Case("--files-from=missing", 1, "", "profmerge: missing: cannot open: "
         "No such file or directory\n"),

    # Where from.
    Case("a b" + TO, out=AB),
    Case("b a" + TO, out=AB),
    Case("-" + TO, stdin=A, out=A),
    Case("a -" + TO, stdin=B, out=AB),
    Case("--from=collapsed a b -o out.folded", after={"out.folded": AB}),
    Case("a a" + TO, out="main;run 6\nmain;wait 10\n"),
    # Each value is multiplied, whatever the format; of text even fractions.
    Case("--scale=10 a cpu.yaml --sample-type=samples" + TO,
         out="main;run 60\nmain;wait 50\n",
         files={"cpu.yaml": yaml("samples/count",
                                 "v: [3], stack: [run, main]")}),
    Case("--scale=10 half" + TO, out="f 5\n", files={"half": "f 0.5\n"}),
    Case("--scale=2 big.yaml" + TO, 1,
         err="~big.yaml: a value times the scale 2 leaves the range of 64",
         files={"big.yaml": yaml("samples/count",
                                 "v: [9223372036854775807], stack: [f]")}),
    Case("a b -o a" + TO, after={"a": AB}),
    Case("--files-from=list" + TO, out=AB, files={"list": "a\nb\n"}),
    Case("--files-from=list" + TO, out=AB, files={"list": "\na\n\nb"}),
    Case("--files-from=-" + TO, out=AB, stdin="a\nb\n"),
    Case("a --files-from=list" + TO, out=AB, files={"list": "b\n"}),
    Case("--files0-from=-" + TO, out=A, stdin="new\nline\0",
         files={"new\nline": A}),
    Case("--files0-from=list" + TO, out=AB, files={"list": "a\0b\0"}),
    Case("--files-from=list", 2, "",
         "profmerge: what is to be merged?\n" + TRY, files={"list": ""}),

    # Inputs of different formats.
    Case("a y" + TO, out="main;run 33\nmain;wait 5\n",
         files={"y": yaml("samples/count", "v: [30], stack: [run, main]")}),

    # Weights and bases.
    Case("--weight=10 a --weight=2 b" + TO,
         out="main;read 2\nmain;run 38\nmain;wait 50\n"),
    Case("--weight=-1 a --weight=1 a b" + TO, 
         out="main;read 1\nmain;run 4\n"),
    Case("a a --base=a" + TO, out=A),
    Case("a b --base=a --base=b --to=yaml",
         out="profile: 1\nsample_types: [samples/count]\nsamples: []\n"),
    Case("b --diff-base=y --to=yaml",
         files={"y": yaml("samples/count", "v: [2], stack: [run, main]")},
         out="profile: 1\nsample_types: [samples/count]\nlocations:\n"
         "- {lines: [{fn: main}]}\n- {lines: [{fn: read}]}\n"
         "- {lines: [{fn: run}]}\nsamples:\n- {v: [1], at: [2, 1]}\n"
         "- {v: [4], at: [3, 1]}\n"
         "- {v: [-2], at: [3, 1], labels: {\"pprof::base\": [\"true\"]}}\n"),
    # 7 and 1 of 8, scaled to 80; less 80 of one.
    Case("--normalize x --base=y" + TO, out="main;run -10\nmain;wait 10\n",
         files={"x": "main;run 7\nmain;wait 1\n", "y": "main;run 80\n"}),
    Case("a --scale-by=2 --focus=run" + TO, out="main;run 6\n"),
    Case("a --base=b --strict" + TO + "--drop-types=x", 1, "",
         "~^profmerge: stdout: "),

    # Sample types.
    Case("cpu wall --to=yaml", files={"cpu": CPU, "wall": WALL},
         out="~(?s)\\[samples/count\\].*v: \\[4\\]",
         err="profmerge: the inputs: note: the inputs have different sample "
         "types: those that all of them have were kept: cpu has "
         "samples/count, cpu/ms; wall has samples/count, wall/ns\n"),
    Case("cpu wall --to=yaml --union", files={"cpu": CPU, "wall": WALL},
         out="~(?s)\\[cpu/ms, samples/count, wall/ns\\].*v: \\[30, 4, 8\\]"),
    Case("cpu us --to=yaml",
         files={"cpu": CPU, "us": CPU.replace("cpu/ms", "cpu/us")},
         out="~(?s)\\[samples/count, cpu/us\\].*v: \\[6, 30030\\]"),
    Case("x y", 1, "", "profmerge: the inputs: no sample type is common to "
         "all inputs: x has a/b; y has c/d\n",
         files={"x": yaml("a/b"), "y": yaml("c/d")}),
    Case("x y -j2", 1, "", "profmerge: the inputs: no sample type is common "
         "to all inputs: x has a/b; y has c/d\n",
         files={"x": yaml("a/b"), "y": yaml("c/d")}),
    Case("a x y b -o out.yaml", 1, "", "profmerge: y: a period of wall/ns "
         "cannot be merged with one of cpu/ms, which x has\n",
         files={"x": PERIOD % "cpu/ms", "y": PERIOD % "wall/ns"}),
    Case("x y -j2 -o out.yaml", 1, "",
         "~^profmerge: (x|y): a period of \\S+ cannot be merged with one of "
         "\\S+, which (x|y) has\n$",
         files={"x": PERIOD % "cpu/ms", "y": PERIOD % "wall/ns"}),

    Case("cpu wall --strict -o out.yaml", 1, "", "profmerge: the inputs: "
         "the inputs have different sample types: those that all of them "
         "have were kept: cpu has samples/count, cpu/ms; wall has "
         "samples/count, wall/ns\n", files={"cpu": CPU, "wall": WALL}),

    # Go.
    Case("--for=go-pgo x x --to=yaml", files={"x": PGO},
         out="profile: 1\nsample_types: [samples/count]\nlocations:\n"
         "- {lines: [{fn: f, sys: \"\", start: 10}]}\n"
         "- {lines: [{fn: g, sys: \"\", line: 23, start: 20}]}\n"
         "samples:\n- {v: [4], at: [1, 2]}\n"),
    Case("--for=go-pgo a x --to=yaml", 1, "~v: \\[2\\]",
         "profmerge: a: no function has a start line, which Go's -pgo needs "
         "(Go 1.20 and later write them)\n", files={"x": PGO}),

    # What cannot be read.
    Case("a missing b" + TO, 1, AB, "profmerge: missing: cannot open: No "
         "such file or directory\n"),
    Case("a bad b" + TO, 1, AB, "~^profmerge: bad: .*format",
         files={"bad": "\x01\x02"}),
    Case("--files-from=list", 1, "", "profmerge: list: a name is longer than "
         "4095 bytes\n", files={"list": "a" * 5000}),
    Case("missing", 1, "", "profmerge: missing: cannot open: No such file or "
         "directory\n"),
    Case("a missing b --strict -o out.folded", 1, "",
         "profmerge: missing: cannot open: No such file or directory\n"),
    Case("missing -o old.folded", 1, "",
         "profmerge: missing: cannot open: No such file or directory\n",
         files={"old.folded": "x 1\n"}, after={"old.folded": "x 1\n"}),
    Case("a b -o none/out.folded", 1, "", "~^profmerge: none/out.folded: "),
    Case("big big -o out.folded", 1, "", "profmerge: the inputs: the sum of a "
         "sample's values leaves the range of 64 bits\n",
         files={"big": "f 9223372036854775807\n"}),
    Case("big big --weight=-1 big --to=collapsed", out=BIG,
         files={"big": BIG}),
    Case("--weight=2 big --weight=-1 big --to=collapsed", 1, "",
         "profmerge: big: the sum of a sample's values leaves the range of "
         "64 bits\n", files={"big": BIG}),
]


def profmerge(*args, **more):
    return subprocess.run([PROFMERGE, *map(str, args)], check=False,
                          stdout=more.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, **more)


class InFolder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="profmerge-"))
        self.addCleanup(shutil.rmtree, self.folder)


class CommandLines(unittest.TestCase):
    def expect(self, expected, got):
        if expected.startswith("~"):
            self.assertRegex(got, expected[1:])
        else:
            self.assertEqual(got, expected)

    def run_case(self, case):
        files = {"a": A, "b": B, **case.files}
        with tempfile.TemporaryDirectory(prefix="profmerge-") as folder:
            for name, content in files.items():
                pathlib.Path(folder, name).write_text(content)
            # One thread: which input is told of first is fixed then.
            result = profmerge("-j1", *case.args.split(), cwd=folder,
                               input=case.stdin.encode())
            self.expect(case.out, result.stdout.decode())
            self.expect(case.err, result.stderr.decode())
            self.assertEqual(result.returncode, case.code)
            for name, content in case.after.items():
                self.assertEqual(pathlib.Path(folder, name).read_text(),
                                 content)
            # Nothing else: no output, no temporary file is left.
            self.assertEqual(set(os.listdir(folder)),
                             set(files) | set(case.after))

    def test_cases(self):
        for case in CASES:
            with self.subTest("profmerge " + case.args):
                self.run_case(case)


class Many(InFolder):
    """More files than fit in a batch, by any number of threads."""

    def setUp(self):
        super().setUp()
        rng = random.Random(5)
        self.names = []
        for i in range(120):
            name = self.folder / ("%03d.pb.gz" % i)
            lines = "".join("- {v: [%d], stack: [%s]}\n" % (
                rng.randint(1, 9), ", ".join(
                    "f%d" % rng.randint(0, 30)
                    for _ in range(rng.randint(1, 6)))) for _ in range(40))
            name.write_bytes(gzip.compress(
                b"profile: 1\nsample_types: [samples/count]\nsamples:\n" +
                lines.encode()))
            self.names.append(name)

    def merge(self, *args, **more):
        result = profmerge(*args, **more)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def test_notes(self):
        """A note comes once, however many threads there are."""
        odd = self.folder / "odd"
        odd.write_text(yaml("samples/count, x/y"))
        for n in (1, 2, 7):
            result = profmerge("-j%d" % n, odd, *self.names, odd)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stderr, rb"\A[^\n]*sample types[^\n]*\n\Z")

    def test_threads(self):
        """Their number changes nothing, nor does the order of inputs."""
        one = self.merge("-j1", *self.names)
        for n in (2, 3, 16, 256):
            with self.subTest(threads=n):
                self.assertEqual(self.merge("-j%d" % n, *self.names), one)
        self.assertEqual(self.merge(*reversed(self.names)), one)

    def test_by_list(self):
        one = self.merge("-j1", *self.names)
        listed = b"\0".join(os.fsencode(n) for n in self.names)
        self.assertEqual(self.merge("--files0-from=-", input=listed), one)

    def test_for_go_in_any_grouping(self):
        names = []
        for i in range(4):
            names.append(self.folder / ("pgo%d" % i))
            names[i].write_text(PGO.replace("start: 10", "start: %d" % (8 + i))
                                .replace("line: 12", "line: %d" % (10 + i)))
        flat = self.merge("--for=go-pgo", *names)
        parts = [self.folder / "x", self.folder / "y"]
        self.merge("--for=go-pgo", "-o", parts[0], *names[2:])
        self.merge("--for=go-pgo", "-o", parts[1], *names[:2])
        self.assertEqual(self.merge("--for=go-pgo", *parts), flat)

    def test_failure_of_one(self):
        """It is told of by whichever thread had it, once."""
        self.names[60].write_bytes(b"\x1f\x8b nothing")
        result = profmerge("-j4", *self.names)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count(b"\n"), 1)
        self.assertRegex(result.stderr, b"^profmerge: .*060.pb.gz:")
        rest = self.names[:60] + self.names[61:]
        self.assertEqual(result.stdout, self.merge(*rest))


if __name__ == "__main__":
    PROFMERGE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
