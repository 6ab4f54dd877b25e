# SPDX-License-Identifier: Apache-2.0
"""Where debugging information is found: build ids, debug links, dwz, packed
symbols, compressed sections, packed modules, debuginfod.

A program is built and answers; then what it knows is moved away, and it has
to answer the same. All is in a private folder. Usage: find_test.py ADDRESSES
TESTDATA
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ADDRESSES, TESTDATA = map(os.path.abspath, sys.argv[1:3])
ID = "ab12cd34ef"
SHF_COMPRESSED, ZLIB, ZSTD = 0x800, 1, 2
NAMES = [f"f{i}" for i in range(20)]
SOURCE = "#include <stdio.h>\nvolatile int v;\n" + "".join(
    f"static inline int in_{n}(int x) {{ v += x; return x * v; }}\n"
    f"__attribute__((noinline)) static int {n}(int x)\n"
    f"{{\n\tv = x * 1{n[1:]};\n\treturn in_{n}(x) + in_{n}(v);\n}}\n"
    for n in NAMES) + "int main(void)\n{\n\tint sum = 0;\n" + "".join(
        f"\tsum += {n}(sum);\n" for n in NAMES) + "\treturn sum;\n}\n"

# In place of elfutils': tells that it was asked, and gives $MOCK_FILE.
MOCK = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
static int give(const char *what, const unsigned char *id, int size)
{
	FILE *f = fopen(getenv("MOCK_LOG"), "a");
	fprintf(f, "%s %s %d\n", what, (const char *)id, size);
	fclose(f);
	return open(getenv("MOCK_FILE"), O_RDONLY);
}
void *debuginfod_begin(void) { return stdout; }
void debuginfod_end(void *client) { (void)client; }
int debuginfod_find_debuginfo(void *c, const unsigned char *id, int size,
                              char **path)
{
	(void)c; (void)path;
	return give("debuginfo", id, size);
}
int debuginfod_find_executable(void *c, const unsigned char *id, int size,
                               char **path)
{
	(void)c; (void)path;
	return give("executable", id, size);
}
"""


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


def must(*command, **more):
    got = run(*command, **more)
    assert got.returncode == 0, (command, got.stderr)
    return got.stdout


def put(path, text, mode="w"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as f:
        f.write(text)


def move(path, to):
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.move(path, to)


def sections(path):
    """{name: (number, offset, size)}"""
    found = {}
    for line in must("readelf", "-SW", path).splitlines():
        m = re.match(r"\s*\[\s*(\d+)\] (\S+)\s+\S+\s+[0-9a-f]+ ([0-9a-f]+) "
                     r"([0-9a-f]+)", line)
        if m:
            found[m.group(2)] = (int(m.group(1)),
                                 *(int(x, 16) for x in m.groups()[2:]))
    return found


def compress(path, kind, pack):
    """Makes the .debug_ sections those of SHF_COMPRESSED, as a linker that
    knows the kind would."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    rows = struct.unpack_from("<Q", data, 0x28)[0]
    for name, (number, offset, size) in sections(path).items():
        if not name.startswith(".debug_"):
            continue
        row = rows + 64 * number
        packed = (struct.pack("<IIQQ", kind, 0, size, 1) +
                  pack(bytes(data[offset:offset + size])))
        flags = struct.unpack_from("<Q", data, row + 8)[0]
        struct.pack_into("<Q", data, row + 8, flags | SHF_COMPRESSED)
        struct.pack_into("<QQ", data, row + 24, len(data), len(packed))
        data[offset:offset + size] = bytes(size)
        data += packed
    with open(path, "wb") as f:
        f.write(data)


class Find(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.built = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.built)
        source = os.path.join(cls.built, "program.c")
        put(source, SOURCE)
        cls.original = os.path.join(cls.built, "program")
        must("gcc", "-O2", "-g", f"-Wl,--build-id=0x{ID}", "-o", cls.original,
             source)
        text = must("readelf", "-SW", cls.original)
        begin, size = re.search(r" \.text +PROGBITS +(\S+) \S+ (\S+)",
                                text).groups()
        cls.addresses = range(int(begin, 16), int(begin, 16) + int(size, 16))
        cls.whole = cls.ask(cls, cls.original)
        assert "\nin_f7\n" in cls.whole and "program.c:" in cls.whole

    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        self.program = self.at("bin/program")
        os.makedirs(self.at("bin"))
        shutil.copy(self.original, self.program)

    def at(self, name):
        return os.path.join(self.dir, name)

    def ask(self, path, *options, env=None, addresses=None):
        return must(ADDRESSES, path, *options, env=env, input="".join(
            f"{a:#x}\n" for a in addresses or self.addresses))

    def split(self, *link):
        """The program stripped; its debugging information in a file."""
        debug = self.at("program.debug")
        must("objcopy", "--only-keep-debug", self.program, debug)
        must("objcopy", "--strip-all", *link, self.program)
        return debug

    def assert_whole(self, *options, **more):
        self.assertEqual(self.ask(self.program, *options, **more), self.whole)

    def assert_bare(self, *options, **more):
        self.assertNotIn("program.c:",
                         self.ask(self.program, *options, **more))

    def test_build_id(self):
        """As distributions install it, below any directory of either list."""
        debug = self.split()
        root = f"{self.at('empty')}:{self.at('root')}"
        name = self.at(f"root/.build-id/{ID[:2]}/{ID[2:]}.debug")
        self.assert_bare(f"debug_path={root}")
        move(debug, name)
        self.assert_whole(f"debug_path={root}")
        self.assert_whole(f"binary_path={root}")
        must("objcopy", "--strip-debug", name) # better than nothing
        self.assertIn("\nf7\n", self.ask(self.program, f"debug_path={root}"))
        os.remove(name) # the same program with another id
        must("gcc", "-O2", "-g", "-Wl,--build-id=0xab12cd34ee", "-o", name,
             os.path.join(self.built, "program.c"))
        self.assert_bare(f"debug_path={root}")

    def test_stripped_copy(self):
        """A copy of the binary is no debugging information, wherever it
        lies: the search goes on."""
        debug = self.split()
        root = self.at("root")
        move(debug, self.at(f"debug/.build-id/{ID[:2]}/{ID[2:]}.debug"))
        for place in (f"{ID}/program", f".build-id/{ID[:2]}/{ID[2:]}.debug"):
            with self.subTest(place=place):
                os.makedirs(os.path.dirname(os.path.join(root, place)))
                shutil.copy(self.program, os.path.join(root, place))
                self.assert_whole(f"binary_path={root}",
                                  f"debug_path={self.at('debug')}")
                shutil.rmtree(root)

    def test_debuglink(self):
        """The three places, with the right checksum and with a wrong one."""
        must("objcopy", "--remove-section=.note.gnu.build-id", self.program)
        must("objcopy", "--only-keep-debug", self.program,
             self.at("program.debug"))
        debug = self.split("--add-gnu-debuglink=" + self.at("program.debug"))
        root = self.at("root")
        for place in ("bin/program.debug", "bin/.debug/program.debug",
                      f"root{self.dir}/bin/program.debug"):
            with self.subTest(place=place):
                self.assert_bare(f"debug_path={root}")
                move(debug, self.at(place))
                self.assert_whole(f"debug_path={root}")
                put(self.at(place), b"x", "ab")
                self.assert_bare(f"debug_path={root}")
                os.truncate(self.at(place), os.path.getsize(self.at(place)) - 1)
                move(self.at(place), debug)
        # A wrong one in the first place does not hide the right one.
        put(self.at("bin/program.debug"), "no ELF file")
        move(debug, self.at("bin/.debug/program.debug"))
        self.assert_whole(f"debug_path={root}")

    def test_dwz(self):
        """What two programs had in common is in a third file."""
        if not shutil.which("dwz"):
            self.skipTest("no dwz")
        paths = [self.at("bin/a"), self.at("bin/b")]
        for path, level in zip(paths, ("-O2", "-O1")):
            must("g++", level, "-gdwarf-4", "-o", path,
                 os.path.join(TESTDATA, "symbolize/program.cc"))
        _, begin, size = sections(paths[0])[".text"]
        addresses = range(begin, begin + size, 3) # of a PIE: as in the file
        whole = self.ask(paths[0], addresses=addresses)
        alt = self.at("common")
        for name, moved in ((alt, alt), ("../common", alt),
                            (self.at("gone"), self.at("root/.build-id/"))):
            with self.subTest(name=name):
                copies = [path + ".dwz" for path in paths]
                for path, copy in zip(paths, copies):
                    shutil.copy(path, copy)
                must("dwz", "-m", alt, "-M", name, *copies)
                self.assertIn(".gnu_debugaltlink", sections(copies[0]))
                if moved != alt:
                    found = re.search(r"Build ID: (\w+)", must(
                        "readelf", "-n", alt)).group(1)
                    moved += f"{found[:2]}/{found[2:]}.debug"
                    move(alt, moved)
                options = ("debug_path=" + self.at("root"),)
                self.assertEqual(self.ask(copies[0], *options,
                                          addresses=addresses), whole)
                os.remove(moved)
                self.assertNotEqual(self.ask(copies[0], *options,
                                             addresses=addresses), whole)

    def test_packed_symbols(self):
        """.gnu_debugdata: names of functions that .dynsym has not."""
        if not shutil.which("xz"):
            self.skipTest("no xz")
        mini = self.at("mini")
        must("objcopy", "--strip-debug", self.program)
        symbols = self.ask(self.program)
        self.assertIn("\nf7\n", symbols)
        must("objcopy", "--only-keep-debug", self.program, mini)
        must("objcopy", "--strip-all", self.program)
        self.assertNotIn("\nf7\n", self.ask(self.program))
        must("xz", mini)
        must("objcopy", f"--add-section=.gnu_debugdata={mini}.xz",
             self.program)
        self.assertEqual(self.ask(self.program), symbols)
        put(mini + ".xz", b"damaged", "r+b")
        must("objcopy", f"--update-section=.gnu_debugdata={mini}.xz",
             self.program)
        self.assertNotIn("\nf7\n", self.ask(self.program))

    def test_compressed(self):
        """Sections in the forms of the ELF standard, and of before it."""
        for kind in ("zlib", "zlib-gnu"):
            with self.subTest(kind=kind):
                must("objcopy", f"--compress-debug-sections={kind}",
                     self.original, self.program)
                self.assertLess(os.path.getsize(self.program),
                                os.path.getsize(self.original))
                self.assert_whole()
        packers = {ZLIB: zlib.compress}
        if shutil.which("zstd"):
            packers[ZSTD] = lambda data: subprocess.run(
                ["zstd", "-c"], input=data, capture_output=True,
                check=True).stdout
        for kind, pack in packers.items():
            with self.subTest(kind=kind):
                shutil.copy(self.original, self.program)
                compress(self.program, kind, pack)
                self.assert_whole()
                shutil.copy(self.original, self.program)
                compress(self.program, kind, lambda data: b"damaged" + data)
                self.assert_bare()

    def test_packed_module(self):
        """Kernel modules as distributions pack them."""
        module = self.at("module.ko")
        must("gcc", "-O2", "-g", "-c", "-o", module,
             os.path.join(self.built, "program.c"))
        whole = self.ask(module, addresses=range(1, 200))
        self.assertIn("program.c:", whole)
        for tool, end in (("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")):
            if not shutil.which(tool):
                continue
            with self.subTest(tool=tool):
                packed = f"{module}.{end}"
                must(tool, "-k", module)
                self.assertEqual(self.ask(packed, addresses=range(1, 200)),
                                 whole)
                other = self.at("module.bin") # no module's name
                shutil.copy(packed, other)
                self.assertIn("not an ELF file", self.ask(other, "report=1"))
                size = os.path.getsize(packed)
                for cut in (size - 1, size // 2, 20, 5, 0):
                    os.truncate(packed, cut)
                    self.assertNotIn("program.c:", self.ask(
                        packed, addresses=range(1, 200)))

    def test_debuginfod(self):
        """Nobody is asked, unless the option says so."""
        debug = self.split()
        put(self.at("mock.c"), MOCK)
        must("gcc", "-shared", "-fPIC", "-o", self.at("libdebuginfod.so.1"),
             self.at("mock.c"))
        log = self.at("log")
        env = dict(os.environ, LD_LIBRARY_PATH=self.dir, MOCK_FILE=debug,
                   MOCK_LOG=log, DEBUGINFOD_URLS="http://127.0.0.1:9")
        self.assert_bare(env=env)
        self.assertFalse(os.path.exists(log))
        self.assert_whole("debuginfod=1", env=env)
        with open(log, encoding="ascii") as f:
            self.assertEqual(f.read(), f"debuginfo {ID} 0\n")
        os.remove(self.program) # the file itself is asked for, by its id
        env["MOCK_FILE"] = self.original
        self.assert_bare(f"build_id={ID}", env=env)
        self.assert_whole(f"build_id={ID}", "debuginfod=1", env=env)
        env["MOCK_FILE"] = "/bin/sh" # that has another
        self.assert_bare(f"build_id={ID}", "debuginfod=1", env=env)

    def test_debuginfod_library(self):
        """With elfutils' own library and a server that is a folder."""
        debug = self.split()
        move(debug, self.at(f"server/buildid/{ID}/debuginfo"))
        env = dict(os.environ, DEBUGINFOD_CACHE_PATH=self.at("cache"),
                   DEBUGINFOD_URLS="file://" + self.at("server"))
        self.assert_bare(env=env)
        self.assertFalse(os.path.exists(self.at("cache")))
        got = self.ask(self.program, "debuginfod=1", env=env)
        if not os.path.exists(self.at("cache")):
            self.skipTest("no libdebuginfod")
        self.assertEqual(got, self.whole)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
