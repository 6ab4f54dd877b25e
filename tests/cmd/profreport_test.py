#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profreport as its users meet it, and beside pprof.

    profreport_test.py PROFREPORT [unittest's own arguments]

The texts of pprof are in the corpus (PROFILE_CORPUS, or ../shared/corpus
beside the source tree); without it those tests are skipped.
"""
import base64
import gzip
import json
import os
import pathlib
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROFREPORT = ""
SOURCE = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("PROFILE_CORPUS",
                                     SOURCE.parent / "shared" / "corpus"))

# The example of the docs: flat A 1, B 1, C 4; cum A 6, B 4, C 4.
SEED = "A 1\nA;B 1\nA;B;C 3\nA;C 1\n"
TWICE = """profile: 1
sample_types: [n/count]
functions:
- {fn: a}
locations:
- {addr: 1, lines: [{f: 1}]}
samples:
- {v: [2], at: [1]}
- {v: [3], at: [1]}
"""
# More than an int64_t can hold.
BEYOND = "A 9223372036854775807\nB 9223372036854775807\n"
HOSTILE = ('main;</script><b> 3\nmain;"q\'&<![CDATA[ 2\nmain;a\x01b 1\n'
           'main;\xff\xfe 1\n')


def run(args, stdin=b"", code=0):
    env = dict(os.environ, TZ="UTC")
    if isinstance(stdin, str):
        stdin = stdin.encode("latin-1")
    done = subprocess.run([PROFREPORT, *args], input=stdin, env=env,
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == code, (args, done.returncode, done.stderr)
    return done.stdout


def page_frames(page):
    """The names of the frames of an html page, sorted."""
    text = page.split(b'type="text/plain">')[1].split(b"<")[0]
    data = iter(gzip.decompress(base64.b64decode(text)))

    def number():
        byte, n, shift = 128, 0, 0
        while byte > 127:
            byte = next(data)
            n |= (byte & 127) << shift
            shift += 7
        return n

    strings = [bytes(next(data) for _ in range(number())).decode()
               for _ in range(number())]
    number() # the title
    for _ in range(number()): # the header
        number()
    for _ in range(2 * number() + 2): # types, the first, is_diff
        number()
    return sorted(strings[[number() for _ in range(4)][0]]
                  for _ in range(number()))


def on_terminal(args, variables):
    """What a terminal gets."""
    ours, theirs = pty.openpty()
    subprocess.run([PROFREPORT, *args], input=SEED.encode(), stdout=theirs,
                   stderr=subprocess.PIPE, check=True, timeout=60,
                   env=dict({"PATH": os.environ["PATH"]}, **variables))
    os.close(theirs)
    text = b""
    try:
        while True:
            text += os.read(ours, 65536)
    except OSError: # the end of a terminal
        pass
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


# Report, input, and what must be a line of the output.
LINES = [
    (["top"], SEED,
     "         4 66.67% 66.67%          4 66.67%  C"),
    (["top", "--cum", "--nodecount=1"], SEED,
     "         1 16.67% 16.67%          6   100%  A"),
    (["-top", "-nodecount=1"], SEED, "Showing top 1 nodes out of 3"),
    (["-nodecount=1", "-top", "-cum"], SEED,
     "Showing nodes accounting for 1, 16.67% of 6 total"),
    (["-peek=^B$"], SEED,
     "                                                 4   100% |   A"),
    (["tree", "--divide-by=0.5"], SEED,
     "                                                 8   100% |   A"),
    (["traces"], "A;B 2\n", "         2   B"),
    # Equal stacks are one, by first appearance; what is 0 is left out.
    (["traces", "--symbolize=none"], TWICE, "         5   a"),
    (["flame", "--width=12"], SEED, "|A         |"),
    (["top", "-unit=kB", "--sample-types=x/bytes"], "A 2048\n",
     "       2kB   100%   100%        2kB   100%  A"),
    (["-trim=false", "-top"], "A 9999\nA;B 1\n",
     "         1  0.01%   100%          1  0.01%  B"),
    (["top", "--focus=B"], SEED,
     "Showing nodes accounting for 4, 66.67% of 6 total"),
    (["top", "-focus=B"], SEED, "Active filters:"),
    (["top", "-focus=B", "-relative_percentages"], SEED,
     "Showing nodes accounting for 4, 100% of 4 total"),
    # The order is pprof's: what is hidden is found all the same.
    (["top", "--hide=B", "--focus=B"], SEED,
     "         3 50.00% 50.00%          3 50.00%  C"),
    (["top", "-show_from=B"], SEED, "   show_from=B"),
    (["top", "-focus=true"], "true 1\nB 2\n", "   focus=true"),
    (["top", "--scale-by=2"], SEED,
     "Showing nodes accounting for 12, 100% of 12 total"),
    (["comments", "-add_comment=here"], SEED, "here"),
    (["top", "-symbolize=none:demangle=none"], "_Z1av 1\n",
     "         1   100%   100%          1   100%  _Z1av"),
    (["top", "-symbolize=none", "--demangle=full"], "_Z1av 1\n",
     "         1   100%   100%          1   100%  a()"),
    (["info"], SEED, "Type: samples/count, total 6 (shown by default)"),
    # Names are data: none begins a line or speaks to the terminal.
    (["top", "--from=collapsed"], "a\x1b[31m\xc2\x9b0m\x7f 2\n",
     "         2   100%   100%          2   100%  a\\x1b[31m\\x9b0m\\x7f"),
    (["traces", "--from=collapsed"], "a\x07 2\n", "         2   a\\x07"),
    (["callgrind", "--from=collapsed", "--sample-types=n/x\nfn=evil"],
     "A 1\n", "events: n(x\\nfn=evil)"),
    # What leaves an int64_t stops at its end.
    (["top", "--divide-by=1e-12"], "A 10000000\n",
     "9223372036854775808   100%   100% 9223372036854775808   100%  A"),
    (["comments", "-add_comment=two\nlines\x1b[1m"], SEED, "lines\\x1b[1m"),
    (["info", "--from=collapsed"], BEYOND,
     "Type: samples/count, total beyond 9223372036854775808"
     " (shown by default)"),
    (["top", "--scale-by=0.25", "--from=collapsed"], BEYOND,
     "Showing nodes accounting for 4611686018427387904, 100%"
     " of 4611686018427387904 total"),
]

# Command lines that are wrong.
USAGE = [[], ["nothing"], ["diff", "one"], ["top", "--nodecount=x"],
         ["top", "--symbolize=some"], ["top", "--demangle=some"],
         ["top", "--focus=("], ["top", "--normalize"],
         ["top", "--base=a", "--diff-base=a"], ["diff", "a", "b", "--base=c"],
         ["top", "--divide-by=inf"], ["top", "--divide-by=0x10"],
         ["top", "--nodefraction=-1"], ["top", "--divide-by=0"],
         ["flame", "--json"], ["peek", "A", "--json"], ["raw", "--json"],
         ["traces", "--json"], ["list", "A", "--json"],
         ["peek", __file__]]

# One function in each of two folders.
BUILT = """profile: 1
sample_types: [n/count]
mappings:
- {file: /FOLDER/tp, start: 4096, limit: 8192}
functions:
- {fn: main, file: /FOLDER/tp.c, start: 1}
- {fn: work, file: /FOLDER/tp.c, start: 9}
locations:
- {addr: 4096, map: 1, lines: [{f: 1, line: 2}]}
- {addr: 5000, map: 1, lines: [{f: 2, line: 10}]}
- {addr: 6000, map: 1}
samples:
- {v: [N], at: [2, 1]}
- {v: [N], at: [3, 1]}
"""

# Old, new, condition, and the code to exit with.
GATES = [
    ("f 1000\n", "f 2000\n", "cum(f)>+5%", 3),
    ("f 1000\n", "f 2000\n", "flat(^f$)>99%", 3),
    ("f 1000\n", "f 2000\n", "cum(f)>+150%", 0),
    ("f 1000\n", "f 2000\n", "cum(g)>+5%", 0),
    ("f 2000\n", "f 1000\n", "cum(f)<-5%", 3),
    ("f 1000\n", "f 1050\n", "cum(f)>+4%", 0),  # noise
    ("f 1000\n", "f 1000\ng 500\n", "flat(g)>+5%", 3),  # new
    ("f 1000\n", "f 2000\n", "cum(f)>+5", 2),
    ("f 1000\n", "f 2000\n", "most(f)>+5%", 2),
]


class Reports(unittest.TestCase):
    def test_lines(self):
        for args, stdin, line in LINES:
            with self.subTest(args=args):
                lines = run(args, stdin).decode().split("\n")
                self.assertIn(line, lines)

    def test_usage(self):
        for args in USAGE:
            with self.subTest(args=args):
                run(args, SEED, code=2)

    def test_too_large(self):
        for report in ("top", "tree", "dot", "tags", "peek=.", "topproto"):
            with self.subTest(report=report):
                run(["-" + report], BEYOND, code=1)
        for report in ("svg", "html", "flame", "traces"):
            with self.subTest(report=report):
                run([report], BEYOND)

    def test_no_match(self):
        for report in ("peek", "list", "disasm"):
            with self.subTest(report=report):
                self.assertEqual(run([report, "nowhere"], SEED, code=2), b"")

    def test_terminal(self):
        for report, colored in (("top", "\x1b[1;31m         4 66.67%"),
                                ("flame", "\x1b[48;5;")):
            with self.subTest(report=report):
                self.assertIn(colored, on_terminal([report], {}))
                self.assertNotIn("\x1b",
                                 on_terminal([report], {"NO_COLOR": "1"}))

    def test_json(self):
        graph = json.loads(run(["top", "--json"], SEED))
        nodes = {n["name"]: (n["flat"], n["cum"]) for n in graph["nodes"]}
        self.assertEqual(nodes, {"A": (1, 6), "B": (1, 4), "C": (4, 4)})
        names = [n["name"] for n in graph["nodes"]]
        edges = {(names[e["from"]], names[e["to"]]): e["weight"]
                 for e in graph["edges"]}
        self.assertEqual(edges, {("A", "B"): 4, ("B", "C"): 3,
                                 ("A", "C"): 1})

    def test_json_info(self):
        info = json.loads(run(["info", "--json"], SEED))
        self.assertEqual(info["samples"], 4)
        self.assertEqual(info["labels"], [])
        self.assertIn("only 4 samples, shares are rough",
                      info["warnings"])
        self.assertEqual(info["sample_types"],
                         [{"type": "samples", "unit": "count", "total": 6}])
        tags = json.loads(run(["tags", "--json"], SEED))
        self.assertEqual((tags["total"], tags["tags"]), (6, {}))

    def test_hostile_names(self):
        json.loads(run(["json", "--from=collapsed"], HOSTILE))
        svg = run(["svg", "--from=collapsed"], HOSTILE)
        xml.etree.ElementTree.fromstring(svg)
        page = run(["html", "--from=collapsed"], HOSTILE)
        self.assertEqual(page.count(b"</script>"), 2)

    def test_shown_names(self):
        """Names of collapsed stacks keep all, unless one asks."""
        stacks = b"f<x>;g(int);_ZN1a1bEi 1\n"
        self.assertRegex(run(["top", "-"], stacks).decode(),
                         "(?s) a::b\n.* f<x>\n.* g\\(int\\)\n")
        self.assertRegex(run(["top", "--demangle=default", "-"],
                             stacks).decode(), " f\n")

    def test_wrong_regex_of_the_profile(self):
        """It is the input that is wrong, and not the command line."""
        done = subprocess.run(
            [PROFREPORT, "top"], check=False, capture_output=True, timeout=60,
            input=TWICE.replace("functions:", "drop_frames: 'a('\nfunctions:"
                                ).encode())
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"-: the profile's drop_frames", done.stderr)

    def test_messages_are_one_line(self):
        """File names and arguments do not speak to the terminal."""
        for args, said in ((["top", "a\x1b[31m\n\x7f\u009bb"], b"a?[31m???b"),
                           (["top", "--foc\x1bs"], b"--foc?s")):
            with self.subTest(args=args):
                done = subprocess.run([PROFREPORT, *args], check=False,
                                      capture_output=True, timeout=60)
                self.assertIn(said, done.stderr.split(b"\n")[0])

    def test_diff_names(self):
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name, "a")
            path.write_text("A\x1b[31m\x7f 2\n")
            text = run(["diff", "--from=collapsed", path, path])
            page = run(["diff", "--from=collapsed",
                        "--diff-format=markdown", path, path])
        self.assertIn(b" A\\x1b[31m\\x7f\n", text)
        self.assertIn(b"| `A [31m ` |", page)

    def test_deep_picture(self):
        """A picture has an end; what is below it is told."""
        stack = ";".join("f%d" % i for i in range(3000))
        svg = run(["svg", "--from=collapsed"], stack + " 1\n")
        self.assertEqual(svg.count(b"<rect"), 1000)
        self.assertIn(b"2000 deeper rows are not shown", svg)

    def test_page_size(self):
        self.assertLess(len(run(["html"], "A 1\n")), 40000)

    def test_deterministic(self):
        for report in ("html", "dot", "callgrind", "svg"):
            with self.subTest(report=report):
                self.assertEqual(run([report], SEED), run([report], SEED))

    def test_merges(self):
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name, "a.txt")
            path.write_text(SEED)
            self.assertIn(b"of 12 total", run(["top", path, path]))
            self.assertIn(b"of 0 total", run(["top", "--base", path, path]))

    def test_bases(self):
        with tempfile.TemporaryDirectory() as name:
            old, new = (pathlib.Path(name, f) for f in ("old", "new"))
            old.write_text("f 100\n")
            new.write_text("f 150\ng 30\n")
            for args, line in (
                    (["--base", old],
                     "        50 62.50% 62.50%         50 62.50%  f"),
                    (["-diff_base", old],
                     "        50 50.00% 50.00%         50 50.00%  f"),
                    (["--base", old, "--normalize"],
                     "       -17 50.00% 50.00%        -17 50.00%  f"),
            ):
                with self.subTest(args=args[:1] + args[2:]):
                    self.assertIn(line, run(["top", *args, new]).decode()
                                  .split("\n"))

    def test_folders(self):
        with tempfile.TemporaryDirectory() as name:
            old, new = (pathlib.Path(name, f) for f in ("old", "new"))
            for path, n in ((old, "2"), (new, "5")):
                path.write_text(BUILT.replace("FOLDER", path.name)
                                .replace("N", n))
            for args in ([new], ["--base", old, new],
                         ["--diff-base", old, new]):
                with self.subTest(args=args):
                    self.assertEqual(page_frames(run(
                        ["html", "--symbolize=none", *args])),
                        ["[tp]", "main", "work"])

    def test_empty_filter(self):
        done = subprocess.run([PROFREPORT, "top", "--focus=zzz"],
                              input=SEED.encode(), capture_output=True,
                              check=True, timeout=60)
        self.assertIn(b"note: --focus=zzz: no sample is left", done.stderr)
        run(["top", "--focus=zzz", "--strict"], SEED, code=1)

    def test_gates(self):
        for old, new, condition, code in GATES:
            with self.subTest(condition=condition), \
                    tempfile.TemporaryDirectory() as name:
                a, b = (pathlib.Path(name, f) for f in ("a", "b"))
                a.write_text(old)
                b.write_text(new)
                run(["diff", "--fail-if=" + condition, a, b], code=code)

    def test_diff_json(self):
        with tempfile.TemporaryDirectory() as name:
            a, b = (pathlib.Path(name, f) for f in ("a", "b"))
            a.write_text("f 100\n")
            b.write_text("f 400\n")
            diff = json.loads(run(["diff", "--json", a, b]))
        side = diff["functions"][0]["flat"]
        self.assertEqual((side["before"], side["after"], side["change"]),
                         (100, 400, 300))
        self.assertAlmostEqual(side["noise"], 500 ** 0.5, places=3)


# A program, and a profile of it: three samples at the first instruction of
# work(), one in the middle of the second.
SOURCE_TEXT = "int work(int n) { return n * 3 + 1; }\n" \
              "int main(void) { return work(0) == 2; }\n"
PROFILE_TEXT = """profile: 1
sample_types: [samples/count]
mappings:
- {{file: {binary}, start: {start:#x}, limit: {limit:#x}, offset: {offset:#x}}}
functions:
- {{fn: work, file: a.c}}
- {{fn: "ns::work(int)", file: a.c}}
locations:
- {{map: 1, addr: {first:#x}, lines: [{{f: 1, line: 1}}]}}
- {{map: 1, addr: {second:#x}, lines: [{{f: 2, line: 1}}]}}
samples:
- {{v: [3], at: [1]}}
- {{v: [1], at: [2]}}
"""


def read(args):
    return subprocess.run(args, check=True, capture_output=True,
                          text=True).stdout


@unittest.skipUnless(all(map(shutil.which, ("gcc", "nm", "objdump",
                                            "readelf"))),
                     "no gcc or binutils")
class Disasm(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        source = pathlib.Path(self.folder.name, "a.c")
        self.binary = pathlib.Path(self.folder.name, "a.out")
        source.write_text(SOURCE_TEXT)
        subprocess.run(["gcc", "-g", "-O0", "-o", self.binary, source],
                       check=True)
        symbols = {line.split()[2]: int(line.split()[0], 16)
                   for line in read(["nm", self.binary]).split("\n")
                   if len(line.split()) == 3}
        self.start = symbols["work"]
        text = [line.split() for line in
                read(["readelf", "-lW", self.binary]).split("\n")
                if " R E " in line][0]
        offset, address = int(text[1], 16), int(text[2], 16)
        moved = 0x7000000 - address
        self.profile = PROFILE_TEXT.format(
            binary=self.binary, start=0x7000000, limit=0x7001000,
            offset=offset, first=self.start + moved,
            second=self.start + moved + 2)

    def test_instructions(self):
        for symbol in ("^work$", "ns::work", hex(0x7000000 + 2)):
            with self.subTest(symbol=symbol):
                if symbol.startswith("0x"):
                    symbol = hex(self.start + 0x7000000 - 0x1000)
                lines = run(["disasm", symbol], self.profile).decode()
                lines = lines.split("\n")
                self.assertEqual(lines[:3], [
                    "Total: 4", "ROUTINE ======================== work",
                    "         4          4 (flat, cum)   100% of Total"])
                self.assertRegex(
                    lines[3], rf"^ {{9}}3 {{10}}3 +{self.start:x}: \w.*;"
                    r"(ns::)?work.* a\.c:1$")
                counted = [line for line in lines[3:] if line[9:10] != "."]
                self.assertEqual(sum(int(line.split()[0])
                                     for line in counted if line), 4)
                self.assertIn("ret", lines[-2])

    def test_missing(self):
        run(["disasm", "nothing"], self.profile, code=2)
        self.binary.unlink()
        run(["disasm", "work"], self.profile, code=1)
        run(["disasm", "work"], SEED, code=2)


class Pictures(unittest.TestCase):
    @unittest.skipUnless(shutil.which("dot"), "no graphviz")
    def test_graph(self):
        for args in (["dot", "--svg"], ["-dot", "-svg"]):
            svg = xml.etree.ElementTree.fromstring(run(args, SEED))
            self.assertTrue(svg.tag.endswith("svg"))
        run(["top", "--svg"], SEED, code=1)

    @unittest.skipUnless(shutil.which("dot"), "no graphviz")
    def test_names_of_graph(self):
        """Whatever they are, Graphviz reads them."""
        for name in ('"' * 20000, "a\0\x01b", "a." * 20000,
                     "\u00e9" * 9000):
            with self.subTest(name=name[:9]):
                name = json.dumps(name)
                text = TWICE.replace("{fn: a}", "{fn: %s}" % name).replace(
                    "{v: [2], at: [1]}",
                    "{v: [2], at: [1], labels: {k: %s}}" % name)
                subprocess.run(["dot"], input=run(["dot"], text.encode()),
                               check=True, capture_output=True, timeout=60)

    def test_no_graphviz(self):
        with tempfile.TemporaryDirectory() as name:
            done = subprocess.run([PROFREPORT, "dot", "--svg"], check=False,
                                  input=SEED.encode(), capture_output=True,
                                  env={"PATH": name}, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"graphviz is not installed", done.stderr)

    def test_diff(self):
        with tempfile.TemporaryDirectory() as name:
            old, new = (pathlib.Path(name, f) for f in ("old", "new"))
            old.write_text("f;a 100\nf;gone 20\n")
            new.write_text("f;a 150\nf;here 30\n")
            svg = run(["svg", "--diff", old, new]).decode()
            self.assertIn(">gone: 20 before, 0 after (vanished)<", svg)
            self.assertIn(">here: 0 before, 30 after (new)<", svg)
            self.assertIn(">a: 100 before, 150 after<", svg)
            self.assertEqual(run(["top", "--diff", old, new]),
                             run(["top", "--base", old, new]))
            run(["svg", "--diff", old, new, new], code=2)


def golden_cases():
    folder = CORPUS / "visible" / "pprof-golden"
    if not (folder / "cmds.tsv").exists():
        return
    for line in (folder / "cmds.tsv").read_text().split("\n"):
        if line and not line.startswith("#"):
            name, source, args = line.split("\t")
            yield folder / "expected" / name, folder / source, args


class Golden(unittest.TestCase):
    def test_goldens(self):
        n_cases = 0
        for expected, source, args in golden_cases():
            n_cases += 1
            words = shlex.split(args)
            with self.subTest(golden=expected.name):
                self.assertEqual(run([*words, source]).decode(),
                                 expected.read_text())
        if n_cases == 0:
            self.skipTest("no corpus")


if __name__ == "__main__":
    PROFREPORT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
