# SPDX-License-Identifier: Apache-2.0
"""Symbolization compared with llvm-symbolizer, addr2line of binutils, and go
tool addr2line.

Programs are built here, by each compiler that is installed and with the flags
that change what the debugging information looks like; every address of .text
is asked. Usage: oracle_test.py ADDRESSES TESTDATA PROFCONV PROFMERGE
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ADDRESSES, TESTDATA, PROFCONV, PROFMERGE = map(os.path.abspath, sys.argv[1:5])

# Name, compiler, flags. {dir} is the folder of the case.
CASES = [
    ("gcc-O0-dwarf5", "g++", "-O0 -gdwarf-5"),
    ("gcc-O2-dwarf5", "g++", "-O2 -gdwarf-5"),
    ("gcc-O2-dwarf4-no-pie", "g++", "-O2 -gdwarf-4 -no-pie"),
    ("gcc-O3-dwarf3", "g++", "-O3 -gdwarf-3"),
    ("gcc-O2-dwarf2", "g++", "-O2 -gdwarf-2"),
    ("gcc-O2-dwarf64", "g++", "-O2 -gdwarf64 -g"),
    ("gcc-O2-gz", "g++", "-O2 -g -gz"),
    ("gcc-O2-gz-gnu", "g++", "-O2 -g -gz=zlib-gnu"),
    ("gcc-O2-lto", "g++", "-O2 -g -flto"),
    ("gcc-O2-icf", "g++", "-O2 -g -ffunction-sections -Wl,--gc-sections "
     "-fuse-ld=gold -Wl,--icf=all"),
    ("gcc-O2-split5", "g++", "-O2 -gdwarf-5 -gsplit-dwarf"),
    ("gcc-O2-split4", "g++", "-O2 -gdwarf-4 -gsplit-dwarf"),
    ("gcc-O2-m32", "g++", "-O2 -g -m32"),
    ("clang-O0-dwarf4", "clang++", "-O0 -gdwarf-4"),
    ("clang-O2-dwarf5", "clang++", "-O2 -gdwarf-5"),
    ("clang-O2-gz", "clang++", "-O2 -gdwarf-4 -gz=zlib"),
    ("clang-O2-split5", "clang++", "-O2 -gdwarf-5 -gsplit-dwarf"),
    ("clang-O2-split4", "clang++", "-O2 -gdwarf-4 -gsplit-dwarf"),
    ("clang-O2-types", "clang++", "-O2 -g -fdebug-types-section"),
]

# What binutils 2.40 reads whole. It knows neither .dwo files nor .zdebug, and
# loses inlined calls where DWARF 5 of clang has its lists of ranges.
BINUTILS = {"gcc-O0-dwarf5", "gcc-O2-dwarf5", "gcc-O2-dwarf4-no-pie",
            "gcc-O3-dwarf3", "gcc-O2-dwarf2", "gcc-O2-gz", "gcc-O2-lto",
            "gcc-O2-icf", "clang-O0-dwarf4", "clang-O2-gz"}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True,
                          errors="surrogateescape", **more)


def section(path, name=".text"):
    """Address, offset and size of a section."""
    for line in run("readelf", "-SW", path).stdout.splitlines():
        m = re.match(r"\s*\[\s*\d+\] (\S+)\s+\S+\s+([0-9a-f]+) ([0-9a-f]+) "
                     r"([0-9a-f]+)", line)
        if m and m.group(1) == name:
            return tuple(int(x, 16) for x in m.groups()[1:])
    raise AssertionError(f"no {name} in {path}")


def addresses_of(path, step=1):
    begin, _, size = section(path)
    return range(begin, begin + size, step)


def as_input(addresses):
    return "".join(f"{a:#x}\n" for a in addresses)


def parse(text):
    """{address: [(name, place), ...]} of llvm-symbolizer's form."""
    answers = {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if lines[0]:
            answers[lines[0]] = list(zip(lines[1::2], lines[2::2]))
    return answers


def ours(path, addresses, *options):
    got = run(ADDRESSES, path, *options, input=as_input(addresses))
    assert got.returncode == 0, got.stderr
    return got.stdout


def llvm(path, addresses):
    got = run("llvm-symbolizer", f"--obj={path}", "--no-demangle",
              "--functions=linkage", "--inlines", "--addresses",
              input=as_input(addresses))
    return got.stdout


def binutils(path, addresses):
    """The same of addr2line, which has no columns."""
    lines = run("addr2line", "-e", path, "-a", "-f", "-i",
                input=as_input(addresses)).stdout.splitlines()
    answers = {}
    while lines:
        if lines[0].startswith("0x"):
            frames = answers[f"{int(lines.pop(0), 16):#x}"] = []
        place = re.sub(r" \(discriminator \d+\)$", "", lines[1])
        frames.append((lines[0], re.sub(r":\?$", ":0", place)))
        del lines[:2]
    return answers


def places(frames):
    """FILE:LINE of each, without columns and '..'."""
    return [os.path.normpath(re.sub(r"^(.*:\d+):\d+$", r"\1", place))
            for _, place in frames]


def has(tool):
    return shutil.which(tool) is not None


class Oracle(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def build(self, compiler, flags, name="program"):
        if not has(compiler):
            self.skipTest(f"no {compiler}")
        path = os.path.join(self.dir, name)
        got = run(compiler, *flags.split(), "-o", path,
                  os.path.join(TESTDATA, "symbolize/program.cc"), cwd=self.dir)
        if got.returncode:
            self.skipTest(f"{compiler} {flags}: {got.stderr.splitlines()[:1]}")
        return path

    def assert_agrees(self, got, expected):
        """Places of all frames and names of all of them, where llvm has a
        line: at least 99.99 %."""
        covered = [a for a, frames in expected.items()
                   if not all(p.endswith(":0:0") for _, p in frames)]
        self.assertGreater(len(covered), 1000)
        wrong = [a for a in covered if got.get(a) != expected[a]]
        self.assertLessEqual(
            len(wrong), len(covered) // 10000,
            "".join(f"\n{a}\n ours {got.get(a)}\n llvm {expected[a]}"
                    for a in wrong[:3]))

    def assert_agrees_with_binutils(self, path):
        """Places and names of all frames, wherever addr2line has a line.
        Where its places differ, in less than 1 %, llvm-symbolizer has to say
        what we say. The outermost name is the ELF symbol here and DWARF's
        there: the whole of a part (.cold), another name of the same code, or
        without what it is in. Where the innermost has no name for linkers,
        addr2line takes the ELF symbol instead."""
        addresses = addresses_of(path, 11)
        got = parse(ours(path, addresses, "names=system"))
        expected = {a: frames
                    for a, frames in binutils(path, addresses).items()
                    if not all(p.endswith(":0") for _, p in frames)}
        self.assertGreater(len(expected), 300)
        differ = [a for a in expected
                  if places(got[a]) != places(expected[a])]
        self.assertLess(len(differ), len(expected) / 100)
        self.assertEqual([got[a] for a in differ], list(parse(llvm(
            path, (int(a, 16) for a in differ))).values()) if differ else [])
        values = {f[2]: f[0] for f in map(str.split, run(
            "nm", path).stdout.splitlines()) if len(f) == 3}

        def is_same(name, other):
            return (name == "??" or # behind a function, in its line table
                    name.split(".")[0] == other.split(".")[0] or
                    values.get(name) == values.get(other, "") or
                    re.search(r"\d" + re.escape(other.split("<")[0]), name))

        for a in expected.keys() - differ:
            names, others = ([n for n, _ in x] for x in (got[a], expected[a]))
            self.assertTrue(is_same(names[-1], others[-1]) or
                            len(names) == 1 and others[0] == names[0],
                            (a, names, others))
            if len(names) > 1 and is_same(names[-1], others[0]):
                del names[0], others[0]
            self.assertEqual(names[:-1], others[:-1], a)

    def test_rust(self):
        """With the standard library, that is built by others."""
        if not has("rustc") or not has("llvm-symbolizer"):
            self.skipTest("no rustc or no llvm-symbolizer")
        for level in ("0", "2"):
            with self.subTest(level=level):
                path = os.path.join(self.dir, "rust" + level)
                got = run("rustc", "-g", f"-Copt-level={level}", "-o", path,
                          os.path.join(TESTDATA, "symbolize/program.rs"))
                if got.returncode:
                    self.skipTest(got.stderr)
                addresses = addresses_of(path, 29)
                expected = parse(llvm(path, addresses))
                self.assertGreater(max(map(len, expected.values())), 5)
                self.assert_agrees(
                    parse(ours(path, addresses, "names=system")), expected)

    def test_packed(self):
        """A .dwp in place of the .dwo files."""
        for version, tool in (("5", "llvm-dwp"), ("4", "dwp")):
            if not has(tool):
                continue
            with self.subTest(version=version):
                path = self.build("clang++", f"-O2 -gdwarf-{version} "
                                  "-gsplit-dwarf", f"packed{version}")
                addresses = addresses_of(path)
                loose = ours(path, addresses)
                packed = run(tool, "-e", path, "-o", path + ".dwp",
                             cwd=self.dir)
                if packed.returncode:
                    continue # this dwp does not know that version
                for name in os.listdir(self.dir):
                    if name.endswith(".dwo"):
                        os.remove(os.path.join(self.dir, name))
                self.assertEqual(ours(path, addresses), loose)
                os.remove(path + ".dwp")
                self.assertNotEqual(ours(path, addresses), loose)

    def test_debuglink(self):
        """Stripped, with the rest beside it, by name and checksum."""
        path = self.build("g++", "-O2 -g -Wl,--build-id=none")
        whole = ours(path, addresses_of(path, 7))
        addresses = addresses_of(path, 7)
        debug = path + ".debug"
        for command in (("--only-keep-debug", path, debug),
                        ("--strip-all", f"--add-gnu-debuglink={debug}", path)):
            self.assertEqual(run("objcopy", *command).returncode, 0)
        self.assertEqual(ours(path, addresses), whole)
        with open(debug, "ab") as f:
            f.write(b"x") # another checksum: not to be used
        self.assertNotEqual(ours(path, addresses), whole)

    def test_build_id(self):
        """By build id, in the layouts of a search path; and not another."""
        path = self.build("g++", "-O2 -g -Wl,--build-id=0xab12cd34ef")
        addresses = addresses_of(path, 7)
        whole = ours(path, addresses)
        gone = os.path.join(self.dir, "gone/program")
        for place in ("ab12cd34ef/program", "ab12cd34ef/any", "ab/12cd34ef.debug",
                      "program", "gone/program/ab12cd34ef"):
            with self.subTest(place=place):
                root = os.path.join(self.dir, "P")
                full = os.path.join(root, place.replace("gone/", gone[1:-7]))
                os.makedirs(os.path.dirname(full))
                shutil.copy(path, full)
                self.assertEqual(ours(gone, addresses, f"binary_path={root}",
                                      "build_id=ab12cd34ef"), whole)
                self.assertIn("mismatch", ours(
                    path, addresses, "build_id=ab12cd34ee", "report=1"))
                shutil.rmtree(root)

    def test_reasons(self):
        path = self.build("g++", "-O2 -g")
        addresses = addresses_of(path, 97)
        text = os.path.join(self.dir, "text")
        with open(text, "w", encoding="ascii") as f:
            f.write("no program")
        stripped = os.path.join(self.dir, "stripped")
        shutil.copy(path, stripped)
        symbols = os.path.join(self.dir, "symbols")
        shutil.copy(path, symbols)
        run("strip", "--strip-debug", symbols)
        run("strip", "--strip-all", "-R", ".dynsym", stripped)
        for file, reason in ((path, "ok"), (path + "-gone", "no file"),
                             (text, "not an ELF file"),
                             (symbols, "no debug info: symbols only")):
            with self.subTest(reason=reason):
                self.assertIn(f": {reason}\n",
                              ours(file, addresses, "report=1"))
        self.assertIn("mapping does not fit the file", ours(
            path, addresses, "report=1", "start=1000", "limit=100000",
            "offset=7fff0000"))

    def test_moved(self):
        """A position-independent file at the base where it was loaded."""
        path = self.build("g++", "-O2 -g -pie -fPIE")
        address, offset, size = section(path)
        begin, low = 0x7f1234560000, offset & ~4095
        limit = begin + (size + offset - low + 4095 & ~4095)
        addresses = list(addresses_of(path, 7))
        shift = begin - low + offset - address
        expected = parse(ours(path, addresses))
        got = parse(ours(path, [a + shift for a in addresses],
                         f"start={begin:x}", f"limit={limit:x}",
                         f"offset={low:x}"))
        self.assertEqual([got[f"{a + shift:#x}"] for a in addresses],
                         [expected[f"{a:#x}"] for a in addresses])

    def sections_of_code(self, path):
        """{number: address} of an object file's code, laid out as a module."""
        at, placed = 0, {}
        for line in run("readelf", "-SW", path).stdout.splitlines():
            m = re.match(r"\s*\[\s*(\d+)\] (\S+) .* ([0-9a-f]{6,})"
                         r" [0-9a-f]+ +AXG? +\d+ +\d+ +(\d+)$", line)
            if m:
                align = max(1, int(m.group(4)))
                at = (at + align - 1) // align * align
                placed[int(m.group(1))] = at
                at += int(m.group(3), 16)
        return placed

    def functions_of(self, path):
        """{name: (value, size, section)}"""
        found = {}
        for line in run("readelf", "-sW", path).stdout.splitlines():
            f = line.split()
            if len(f) > 7 and f[3] == "FUNC" and f[6].isdigit():
                found[f[7]] = (int(f[1], 16), int(f[2], 0), int(f[6]))
        return found

    def test_object_file(self):
        """Each byte of each function says in the object file, and in a
        module loaded somewhere, what it says once it is linked."""
        start = 0x7f0000000000
        for compiler, flags in (
                ("g++", "-O2 -gdwarf-5"), ("g++", "-O2 -gdwarf-4 -gz"),
                ("g++", "-O2 -g -ffunction-sections"),
                ("clang++", "-O2 -gdwarf-5"), ("clang++", "-O0 -gdwarf-4")):
            with self.subTest(compiler=compiler, flags=flags):
                part = self.build(compiler, flags + " -c", "part.o")
                linked = os.path.join(self.dir, "linked")
                run(compiler, "-o", linked, part)
                code = self.sections_of_code(part)
                places = self.functions_of(linked)
                pairs = [(code[section] + value + i, places[name][0] + i)
                         for name, (value, size, section)
                         in self.functions_of(part).items()
                         if section in code and name in places and
                         places[name][1] == size
                         for i in range(1, size, 3)] # 0 is no address
                self.assertGreater(len(pairs), 1000)
                self.assertGreater(max(code.values()), 0)
                expected = parse(ours(linked, [b for _, b in pairs]))
                expected = [expected[f"{b:#x}"] for _, b in pairs]
                self.assertTrue(any(len(frames) > 1 for frames in expected)
                                or "-O0" in flags)
                got = parse(ours(part, [a for a, _ in pairs]))
                self.assertEqual([got[f"{a:#x}"] for a, _ in pairs], expected)
                got = parse(ours(part, [a + start for a, _ in pairs],
                                 f"start={start:x}",
                                 f"limit={start + 0x100000:x}"))
                self.assertEqual([got[f"{a + start:#x}"] for a, _ in pairs],
                                 expected)

    def test_foreign_object(self):
        """Relocations of other processors, and of the other byte order."""
        if not has("llvm-symbolizer"):
            self.skipTest("no llvm-symbolizer")
        source = os.path.join(self.dir, "f.c")
        with open(source, "w", encoding="ascii") as f:
            f.write("volatile int v;\n")
            for i in range(40):
                f.write(f"static inline int in{i}(int x) {{\n"
                        "\tfor (int i = 0; i < x; i++)\n\t\tv += i * v;\n"
                        f"\treturn x * {i} + v;\n}}\n"
                        f"int out{i}(int x) {{\n\tv = x;\n"
                        f"\treturn in{i}(x) + in{i}(v);\n}}\n")
        for target in ("x86_64", "i386", "aarch64", "aarch64_be"):
            for version in (4, 5):
                with self.subTest(target=target, version=version):
                    path = os.path.join(self.dir, f"{target}.o")
                    got = run("clang", f"--target={target}-linux-gnu", "-O2",
                              f"-gdwarf-{version}", "-c", "-o", path, source)
                    if not has("clang") or got.returncode:
                        self.skipTest("no clang for it")
                    addresses = range(4, section(path)[2], 2)
                    self.assert_agrees(
                        parse(ours(path, addresses, "names=system")),
                        parse(llvm(path, addresses)))

    def test_threads(self):
        """The same bytes for any number of threads."""
        path = self.build("clang++", "-O2 -g")
        addresses = addresses_of(path)
        answers = {ours(path, addresses, f"threads={n}") for n in (1, 2, 7)}
        self.assertEqual(len(answers), 1)

    def test_no_inlines(self):
        path = self.build("g++", "-O2 -g")
        addresses = addresses_of(path, 7)
        whole = parse(ours(path, addresses))
        outer = parse(ours(path, addresses, "inlines=0"))
        self.assertTrue(any(len(f) > 1 for f in whole.values()))
        self.assertEqual(outer, {a: f[-1:] for a, f in whole.items()})

    def test_plt(self):
        path = self.build("g++", "-O2 -g")
        names = set()
        for name in (".plt", ".plt.sec", ".plt.got"):
            try:
                begin, _, size = section(path, name)
            except AssertionError:
                continue
            names |= {f[0][0] for f in parse(
                ours(path, range(begin, begin + size, 8))).values()}
        self.assertIn("printf@plt", names)
        self.assertIn("operator new@plt", names)

    def test_text_maps(self):
        """perf maps (later lines win) and the kernel's list."""
        perf = os.path.join(self.dir, "perf.map")
        with open(perf, "w", encoding="ascii") as f:
            f.write("1000 100 old code\nbroken\n1080 20 new code\n")
        got = parse(ours("//anon", (0x1000, 0x1090, 0x10a0, 0x2000),
                         f"perf_map={perf}", "start=1000", "limit=3000"))
        self.assertEqual([f[0][0] for f in got.values()],
                         ["old code", "new code", "old code", "??"])
        kernel = os.path.join(self.dir, "kallsyms")
        with open(kernel, "w", encoding="ascii") as f:
            f.write("ffffffff81000000 T startup_64\n"
                    "ffffffff81000100 D data\n"
                    "ffffffff81000200 t do_work\t[module]\n")
        got = parse(ours("[kernel.kallsyms]",
                         (0xffffffff81000010, 0xffffffff81000210),
                         f"kallsyms={kernel}", "start=ffffffff81000000",
                         "limit=ffffffffff000000"))
        self.assertEqual([f[0][0] for f in got.values()],
                         ["startup_64", "do_work"])


def add_case(name, compiler, flags):
    def test(self):
        if not has("llvm-symbolizer"):
            self.skipTest("no llvm-symbolizer")
        path = self.build(compiler, flags)
        addresses = addresses_of(path)
        self.assert_agrees(parse(ours(path, addresses, "names=system")),
                           parse(llvm(path, addresses)))
        if name in BINUTILS and has("addr2line"):
            self.assert_agrees_with_binutils(path)
    setattr(Oracle, "test_" + name.replace("-", "_"), test)


for case in CASES:
    add_case(*case)


@unittest.skipUnless(has("go"), "no go")
class GoOracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.environment = dict(os.environ, GOCACHE=cls.dir + "/cache",
                               GO111MODULE="off", CGO_ENABLED="0")

    def build(self, name, *flags):
        path = os.path.join(self.dir, name)
        got = run("go", "build", *flags, "-o", path,
                  os.path.join(TESTDATA, "symbolize/program.go"),
                  env=self.environment)
        if got.returncode:
            self.skipTest(got.stderr)
        return path

    def test_addr2line(self):
        """Outermost function and innermost line, as Go's tool has them."""
        path = self.build("whole")
        addresses = list(addresses_of(path, 41))
        got = parse(ours(path, addresses))
        lines = run("go", "tool", "addr2line", path,
                    input=as_input(addresses),
                    env=self.environment).stdout.split("\n")
        n_inlined = 0
        for address, name, place in zip(addresses, lines[::2], lines[1::2]):
            frames = got[f"{address:#x}"]
            if place.endswith(":-1"):
                continue # padding between functions
            n_inlined += len(frames) > 1
            self.assertEqual((frames[-1][0], frames[0][1]),
                             (name, place + ":0"), f"{address:#x}")
        self.assertGreater(n_inlined, 100)

    def test_inlined(self):
        path = self.build("whole")
        chains = {tuple(n for n, _ in frames) for frames in
                  parse(ours(path, addresses_of(path))).values()}
        self.assertIn(("main.add", "main.twice", "main.work"), chains)

    def as_text(self, *profile):
        """A profile as text, without what nothing refers to."""
        merged = os.path.join(self.dir, "merged.yaml")
        got = run(PROFMERGE, "-o", merged, *profile)
        self.assertEqual(got.returncode, 0, got.stderr)
        with open(merged, encoding="utf-8") as f:
            return [line for line in f if "_nanos:" not in line]

    def test_capture(self):
        """A program that records itself: its recording becomes, with names
        and folded inlined calls, what Go's builder makes of it."""
        source = os.path.join(self.dir, "capture")
        shutil.copytree(os.path.join(TESTDATA, "symbolize/capture"), source)
        # Functions without a body are allowed beside assembly.
        with open(os.path.join(source, "stub.s"), "w", encoding="ascii"):
            pass
        got = run("go", "build", "-o", "capture", ".", cwd=source,
                  env=self.environment)
        if got.returncode:
            self.skipTest(got.stderr) # a Go that forbids to link to this
        got = run("./capture", "words", "maps", "go.pb.gz", cwd=source)
        self.assertEqual(got.returncode, 0, got.stderr)
        got = run(PROFCONV, "raw-to-pprof", "--go-exact", "--maps=maps",
                  "words", "ours.pb.gz", cwd=source)
        self.assertEqual((got.returncode, got.stderr), (0, ""))
        named, go = (self.as_text(os.path.join(source, name))
                     for name in ("ours.pb.gz", "go.pb.gz"))
        self.assertEqual([line for line in named if line not in go], [])
        self.assertTrue(named == go)
        for name in ("main.mix", "main.step"): # inlined, and cut off
            self.assertTrue(any(f"lines: [{{fn: {name}, " in line and
                                line.count("fn:") > 1 for line in go), name)

    def test_stripped(self):
        """-s -w leaves neither symbols nor DWARF: nothing is lost but the
        names of what is not Go's."""
        for mode in ("exe", "pie"):
            with self.subTest(mode=mode):
                flag = f"-buildmode={mode}"
                whole = self.build("whole" + mode, flag)
                bare = self.build("bare" + mode, flag, "-ldflags=-s -w")
                addresses = list(addresses_of(whole, 41))
                a, b = parse(ours(whole, addresses)), parse(
                    ours(bare, addresses))
                differ = [x for x in a if a[x] != b[x] and
                          not a[x][0][1].startswith("??")]
                self.assertEqual(differ, [])
                self.assertTrue(any(len(f) > 1 for f in b.values()))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2)
