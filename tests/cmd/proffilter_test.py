#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proffilter as its users meet it, and beside google/pprof.

    proffilter_test.py PROFFILTER [unittest's own arguments]

CASES are command lines and what comes of them; the semantics of each
transform are tables of tests/unit/transform_test.c. PPROF are options that
google/pprof has too: on each file of the corpus both must come to the same
profile. That part is skipped where there is no Go or no corpus.
"""
import collections
import dataclasses
import hmac
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROFFILTER = ""
SOURCE = pathlib.Path(__file__).resolve().parents[2]

STACKS = "main;run 3\nmain;run;read 2\nmain;wait 5\n"
YAML = """profile: 1
sample_types: [samples/count, cpu/nanoseconds]
samples:
- {v: [3, 30], stack: [run, main], labels: {thread: a/b}}
- {v: [1, 10], stack: [wait, main], labels: {thread: c}}
- {v: [1, 10], stack: [idle, main]}
"""


@dataclasses.dataclass
class Case:
    """A command line, and what comes of it: each text of err must be in
    standard error. Files are in the folder it runs in."""
    args: list
    code: int = 0
    out: str = ""
    err: list = dataclasses.field(default_factory=list)
    stdin: str = STACKS
    files: list = dataclasses.field(default_factory=list)


def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


CASES = [
    # The format of the output is that of the input.
    Case([], out="main;run 3\nmain;run;read 2\nmain;wait 5\n"),
    Case(["--from=collapsed", "--focus=read"], out="main;run;read 2\n"),

    # In the order of the command line.
    Case(["--hide=read", "--focus=read"], out="",
         err=["--focus=read: no sample is left"]),
    Case(["--focus=read", "--hide=read"], out="main;run 2\n"),
    Case(["--ignore=wait", "--scale-by=10", "--top-stacks=1"],
         out="main;run 30\n"),
    Case(["--show_from=run"], 2, err=["unknown option '--show_from'"]),
    Case(["--show-from=run"], out="run 3\nrun;read 2\n"),
    Case(["--hide=read", "--compact"], out="main;run 5\nmain;wait 5\n"),

    # What steps have left.
    Case(["-v", "--focus=run", "--ignore=read"], out="main;run 3\n",
         err=["focus=run: 2 of 3 samples, 5 of 10 samples/count",
              "ignore=read: 1 of 2 samples, 3 of 5 samples/count"]),
    Case(["-v", "--redact-names=secret"],
         out="{main};{run} 3\n{main};{run};{read} 2\n{main};{wait} 5\n",
         err=["redact-names: 3 of 3"]),

    # What matches nothing is told, once.
    Case(["--focus=nomatch", "--hide=x"], out="",
         err=["note: --focus=nomatch: no sample is left"]),
    Case(["--tagfocus=foo=bar"], out="",
         err=["note: --tagfocus=foo=bar: no sample is left"]),
    Case(["--focus=nomatch", "--strict"], 1,
         err=["stdin: --focus=nomatch: no sample is left"]),
    Case(["--split=thread", "-o", "cpu-{}.txt"], files=["cpu-.txt: main;run 3\nmain;run;read 2\nmain;wait 5\n"],
         err=["note: no sample has a label 'thread'"]),

    # What is wrong is told with the option.
    Case(["--focus=a(b"], 2,
         err=["--focus: regular expression 'a(b', column 4: missing"]),
    Case(["--hide=\u00e9\u00e9[z-a]"], 2, err=["column 6: range out of"]),
    Case(["--focus=^(a+)+$"], 1, stdin="a" * 40 + "b 1\n",
         err=["--focus: regular expression '^(a+)+$' takes too long"]),
    Case(["--granularity=word"], 2, err=["'word' is none of: functions"]),
    Case(["--scale-by=1e300"], 1, err=["leaves the range of 64 bits"]),
    Case(["--scale-by=x"], 2, err=["'x' is not a number"]),
    Case(["--choose-types=cpu"], 2,
         err=["no sample type \"cpu\"; there are: samples"]),
    Case(["--foucs=a"], 2, err=["did you mean '--focus'?"]),
    Case(["--focus"], 2, err=["needs an argument: REGEX"]),
    Case(["--bucket=0"], 2, err=["'0' is not a time"]),
    Case(["--from-time=1"], 1, err=["is a profile and no recording"]),

    # Splitting.
    Case(["--split=thread", "-o", "x.yaml"], 2, err=["needs a {}"]),
    Case(["-q", "--split=thread", "-o", "p-{}.collapsed"], stdin=YAML,
         files=["p-.collapsed: main;idle 10\n",
                "p-a%2Fb.collapsed: main;run 30\n",
                "p-c.collapsed: main;wait 10\n"]),
    # A value too long for a file's name is cut, and stays apart.
    Case(["-q", "--split=thread", "-o", "p-{}.collapsed"],
         stdin=YAML.replace("a/b", "a" * 300),
         files=["p-.collapsed: main;idle 10\n",
                "p-" + "a" * 158 + "~%016x.collapsed: main;run 30\n"
                % fnv(b"a" * 300),
                "p-c.collapsed: main;wait 10\n"]),
]


def hashed(text):
    """The text with {name} as HMAC-SHA-256 of the name."""
    def digest(found):
        return hmac.new(b"secret", found[1].encode(),
                        "sha256").hexdigest()[:16]
    return re.sub(r"{(\w+)}", digest, text)


class Cases(unittest.TestCase):
    def test_cases(self):
        for case in CASES:
            with self.subTest(case.args), \
                    tempfile.TemporaryDirectory() as folder:
                self.check(case, folder)

    def check(self, case, folder):
        done = subprocess.run([PROFFILTER] + case.args, cwd=folder,
                              input=case.stdin.encode(), timeout=60,
                              capture_output=True, check=False)
        err = done.stderr.decode()
        self.assertEqual(done.returncode, case.code, err)
        for text in case.err:
            self.assertIn(text, err)
        if not case.err:
            self.assertEqual(err, "")
        if not case.files:
            self.assertEqual(done.stdout.decode(), hashed(case.out))
        for line in case.files:
            name, content = line.split(": ", 1)
            path = pathlib.Path(folder, name)
            self.assertEqual(path.read_text(), content)
        self.assertEqual(sorted(os.listdir(folder)),
                         sorted(f.split(": ")[0] for f in case.files))

    def test_recording(self):
        """A stretch of time, and buckets that add up to the whole."""
        words = SOURCE / "testdata/go/raw/live-plain-noinline.words"
        whole = subprocess.run([PROFFILTER, "--to=collapsed", words],
                               capture_output=True, check=True).stdout
        total = sum(int(line.rsplit(b" ", 1)[1])
                    for line in whole.splitlines())
        parts = []
        for times in (["--to-time=100ms"], ["--from-time=100ms"]):
            part = subprocess.run(
                [PROFFILTER, "--to=collapsed", words] + times,
                capture_output=True, check=True).stdout
            parts.append(sum(int(line.rsplit(b" ", 1)[1])
                             for line in part.splitlines()))
        self.assertGreater(parts[0], 0)
        self.assertGreater(parts[1], 0)
        self.assertEqual(sum(parts), total)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([PROFFILTER, "--bucket=50ms", "--split=time",
                            "-o", folder + "/{}.collapsed", words],
                           capture_output=True, check=True)
            files = sorted(os.listdir(folder))
            self.assertGreater(len(files), 1)
            split = sum(int(line.rsplit(" ", 1)[1]) for name in files
                        for line in pathlib.Path(folder, name)
                        .read_text().splitlines())
        self.assertEqual(split, total)


# ---- Beside google/pprof ----

# Its option, ours. Where ours are several, pprof does them in this order.
PPROF = [
    ("-focus=a", ["--focus=a"]),
    ("-focus=^[[:alpha:]]+\\.(?i)M", ["--focus=^[[:alpha:]]+\\.(?i)M"]),
    ("-focus=\\pL{6,}?e\\z", ["--focus=\\pL{6,}?e\\z"]),
    ("-focus=(?P<x>lib)|main", ["--focus=(?P<x>lib)|main"]),
    ("-ignore=e[ts]", ["--ignore=e[ts]"]),
    ("-hide=^runtime|std::", ["--hide=^runtime|std::"]),
    ("-hide=a", ["--hide=a"]),
    ("-show=a", ["--show=a"]),
    ("-prune_from=[mM]", ["--prune-from=[mM]"]),
    ("-show_from=[mM]a", ["--show-from=[mM]a"]),
    ("-tagfocus=a", ["--tagfocus=a"]),
    ("-tagfocus=a,e", ["--tagfocus=a,e"]),
    ("-tagfocus=bytes=1kb:", ["--tagfocus=bytes=1kb:"]),
    ("-tagfocus=bytes=:1mb", ["--tagfocus=bytes=:1mb"]),
    ("-tagfocus=2kb:64kb", ["--tagfocus=2kb:64kb"]),
    ("-tagignore=bytes=512:", ["--tagignore=bytes=512:"]),
    ("-tagignore=bytes=512", ["--tagignore=bytes=512"]),
    ("-tagignore=.", ["--tagignore=."]),
    ("-tagshow=a", ["--tagshow=a"]),
    ("-taghide=a", ["--taghide=a"]),
    ("-tagroot=bytes,key1", ["--tagroot=bytes,key1"]),
    ("-tagleaf=bytes,key1", ["--tagleaf=bytes,key1"]),
]

def corpus():
    folder = os.environ.get("PROFILE_CORPUS")
    for at in [folder, SOURCE.parent / "shared/corpus",
               SOURCE.parent.parent / "shared/corpus"]:
        if at and pathlib.Path(at).is_dir():
            return pathlib.Path(at)
    return None


def pprof_files(folder):
    """Files in profile.proto's format that are small enough."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < 200000 and \
                path.suffix in (".gz", ".pprof", ".prof", ".cpu") and \
                path.parent.name != "many":
            done = subprocess.run(
                [PROFFILTER, "-q", "--from=pprof", "--to=text", path],
                capture_output=True, check=False)
            if done.returncode == 0:
                yield path


def content(text):
    """The text of a profile without ids, and without mappings that no
    location has: header lines, then samples with their frames, in order."""
    head, _, rest = text.partition("Samples:\n")
    samples, _, rest = rest.partition("Locations\n")
    locations, _, mappings = rest.partition("Mappings\n")
    # pprof gives one of nothing to a profile without mappings.
    mapping = {line.split(":")[0]: line.split(":", 1)[1]
               .replace(" 0x0/0x0/0x0   ", "")
               for line in mappings.splitlines()}
    frames = {}
    for line in locations.splitlines():
        found = re.match(r" *(\d+): ", line)
        if found:
            ident = found[1]
            line = re.sub(r" M=(\d+)", lambda m: mapping[m[1]],
                          line[found.end():])
        frames[ident] = frames.get(ident, "") + line + "\n"
    lines = samples.splitlines()
    out = []
    for line in lines[1:]:
        found = re.match(r"([- 0-9]+):([ 0-9]*)$", line)
        if found:
            out.append(found[1] + "\n" +
                       "".join(frames[i] for i in found[2].split()))
        else:
            out[-1] += line + "\n"
    return head + lines[0] + "\n" + "\n".join(sorted(out))


def without_inlined(text):
    """Of a content(): the sums of the first value by stacks of addresses."""
    sums = collections.Counter()
    stack, value = [], 0
    for line in text.splitlines() + ["0"]:
        if re.fullmatch(r"[- ]*\d[- 0-9]*", line):
            sums[tuple(stack)] += value
            stack, value = [], int(line.split()[0])
        elif line.startswith("0x"):
            stack.append(line.split()[0])
    return sums


class BesidePprof(unittest.TestCase):
    def setUp(self):
        if not shutil.which("go"):
            self.skipTest("there is no Go")
        if not corpus():
            self.skipTest("there is no corpus")
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def pprof(self, option, path):
        """What pprof makes of a file; None where it fails."""
        out = pathlib.Path(self.folder.name, "out.pb.gz")
        done = subprocess.run(
            ["go", "tool", "pprof", "-symbolize=none", "-proto", option,
             "-output=%s" % out, path], capture_output=True, check=False,
            env=dict(os.environ, HOME=self.folder.name,
                     PPROF_TMPDIR=self.folder.name))
        return self.text([out], out) if done.returncode == 0 else None

    def text(self, args, path):
        done = subprocess.run(
            [PROFFILTER, "-q"] + args[:-1] +
            ["--compact", "--from=pprof", "--to=text", path],
            capture_output=True, check=True)
        return content(done.stdout.decode(errors="replace"))

    def test_beside_pprof(self):
        n_compared = n_changed = 0
        for path in pprof_files(corpus()):
            plain = self.text([path], path)
            for theirs, ours in PPROF:
                with self.subTest(theirs, file=path.name):
                    expected = self.pprof(theirs, path)
                    if expected is None:
                        continue
                    got = self.text(["--drop-frames="] + ours + [path], path)
                    n_compared += 1
                    n_changed += got != plain
                    if theirs.startswith(("-show_from", "-prune_from")):
                        # It cuts inlined frames in other stacks, too.
                        got, expected = without_inlined(got), \
                            without_inlined(expected)
                    self.assertEqual(got, expected)
        self.assertGreater(n_compared, 100)
        self.assertGreater(n_changed, 20)


if __name__ == "__main__":
    PROFFILTER = os.path.abspath(sys.argv.pop(1))
    unittest.main()
