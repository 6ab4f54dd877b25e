# SPDX-License-Identifier: Apache-2.0
"""Crafted ELF and DWARF: whatever a file asks for, the answer comes soon.

Each case is a file of a few million bytes that would cost hours if what it
refers to again and again were read again and again. Usage:
hostile_test.py ADDRESSES
"""
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

try:
    import lzma
except ImportError:
    lzma = None

ADDRESSES = os.path.abspath(sys.argv[1])
CODE, CODE_SIZE = 0x100000, 0x100000
N_ADDRESSES = 3000
SECONDS, MEMORY = 10, 2 << 30 # a machine that is busy may take ten times 1 s

CU, SUBPROGRAM, INLINED = 0x11, 0x2e, 0x1d
NAME, LOW, HIGH, RANGES, STMT, ORIGIN = 0x03, 0x11, 0x12, 0x55, 0x10, 0x31
ADDR, DATA4, STRING, UDATA, SEC, REF4, FLAG = (0x01, 0x06, 0x08, 0x0f, 0x17,
                                               0x13, 0x19)


def uleb(n):
    out = b""
    while n > 0x7f:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def abbrev(code, tag, children, *attributes):
    out = uleb(code) + uleb(tag) + bytes([children])
    for name, form in attributes:
        out += uleb(name) + uleb(form)
    return out + b"\0\0"


def unit(body, abbrevs=0, version=4):
    body = struct.pack("<HIB", version, abbrevs, 8) + body
    return struct.pack("<I", len(body)) + body


def lines(program, files=b"\0", directories=b"\0"):
    header = (bytes([1, 1, 1, 0xfb, 14, 13]) + # -5, 14 lines, 12 opcodes
              bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) +
              directories + files)
    body = struct.pack("<HI", 4, len(header)) + header + program
    return struct.pack("<I", len(body)) + body


def set_address(address):
    return b"\0\x09\x02" + struct.pack("<Q", address)


def elf(sections, n_sections=0, names=b""):
    """{name: content} as a 64-bit program; NAME may be a tuple with type,
    flags, link, info and entry size."""
    rows, data, at = [bytes(64)], b"", 64
    text = b"\0" + names
    everything = {(".text", 8, 6, 0, 0, 0): b"", **sections,
                  (".shstrtab", 3, 0, 0, 0, 0): None}
    for key, content in everything.items():
        name, kind, flags, link, info, size = (
            key if isinstance(key, tuple) else (key, 1, 0, 0, 0, 0))
        offset = len(text)
        text += name.encode() + b"\0"
        if content is None:
            content = text
        address, length = ((CODE, CODE_SIZE) if kind == 8
                           else (0, len(content)))
        rows.append(struct.pack("<IIQQQQIIQQ", offset, kind, flags, address,
                                at + len(data), length, link, info, 1, size))
        data += content
    rows += [struct.pack("<IIQQQQIIQQ", i + 1, 1, 0, 0, 0, 0, 0, 0, 1, 0)
             for i in range(n_sections)]
    header = (b"\x7fELF\2\1\1" + bytes(9) +
              struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, CODE, 0, at + len(data),
                          0, 64, 56, 0, 64, len(rows), len(everything)))
    return header + data + b"".join(rows)


def dwarf(info, abbrevs, **more):
    return elf({".debug_info": info, ".debug_abbrev": abbrevs,
                **{".debug_" + name: content
                   for name, content in more.items()}})


ROOT = abbrev(1, CU, 1, (LOW, ADDR), (HIGH, DATA4), (STMT, SEC))
ROOT_ENTRY = b"\1" + struct.pack("<QII", CODE, CODE_SIZE, 0)
PLACE = struct.pack("<QI", CODE, CODE_SIZE)


def small_units(n, size, abbrevs=lambda i: 0):
    return b"".join(unit(b"\1" + struct.pack("<QII", CODE + i * size, size, 0),
                         abbrevs(i)) for i in range(n))


def case_long_section_names():
    return elf({}, 60000, b"x" * (4 << 20))


def case_long_symbol_names():
    symbols = struct.pack("<IBBHQQ", 1, 2, 0, 1, CODE, CODE_SIZE) * 100000
    return elf({(".symtab", 2, 0, 3, 0, 24): symbols,
                (".strtab", 3, 0, 0, 0, 0): b"\0" + b"x" * (4 << 20) + b"\0"})


def case_own_origin():
    origin = 11 + len(ROOT_ENTRY)
    entry = b"\2" + struct.pack("<I", origin) + PLACE
    return dwarf(unit(ROOT_ENTRY + entry + b"\0"),
                 ROOT + abbrev(2, SUBPROGRAM, 0, (ORIGIN, REF4), (LOW, ADDR),
                               (HIGH, DATA4)) + b"\0")


def case_deep_nesting():
    return dwarf(unit(ROOT_ENTRY + (b"\2" + PLACE) * 400000),
                 ROOT + abbrev(2, INLINED, 1, (LOW, ADDR), (HIGH, DATA4)) +
                 b"\0")


def case_shared_lines():
    program = set_address(CODE) + b"\xff" * (4 << 20)
    return dwarf(small_units(N_ADDRESSES, 256), ROOT + b"\0",
                 line=lines(program))


def case_shared_abbreviations():
    table = ROOT + b"".join(abbrev(i, SUBPROGRAM, 0, (NAME, STRING))
                            for i in range(2, 400000))
    return dwarf(small_units(N_ADDRESSES, 256), table + b"\0")


def case_alternating_abbreviations():
    """Of two tables, each unit has the one that its neighbours have not."""
    table = ROOT + b"".join(abbrev(i, SUBPROGRAM, 0, (NAME, STRING))
                            for i in range(2, 200000)) + b"\0"
    return dwarf(small_units(N_ADDRESSES, 256,
                             lambda i: len(table) * (i % 2)), table * 2)


def case_absent_abbreviation():
    """What no unit finds is looked for in the whole table by each."""
    table = b"".join(abbrev(i, SUBPROGRAM, 0, (NAME, STRING))
                     for i in range(2, 400000))
    return dwarf(unit(b"\1") * 5000, table + b"\0")


def case_overlapping_abbreviations():
    """Each unit begins its table one abbreviation later."""
    table = ROOT * 3000 + b"".join(abbrev(i, SUBPROGRAM, 0, (NAME, STRING))
                                   for i in range(2, 400000))
    return dwarf(small_units(N_ADDRESSES, 256, lambda i: len(ROOT) * i),
                 table + b"\0")


def case_attributes_without_bytes():
    wide = abbrev(2, SUBPROGRAM, 0, *[(LOW, FLAG)] * 500000)
    return dwarf(unit(ROOT_ENTRY + b"\2" * (1 << 20)), ROOT + wide + b"\0")


def case_names_far_away():
    """Many places, each with a name of its own and the same long origin."""
    wide = abbrev(2, SUBPROGRAM, 0, *[(0x3b00, UDATA)] * 500000)
    origin = 11 + len(ROOT_ENTRY)
    entries = b"".join(b"\3a\0" + struct.pack("<IQI", origin, CODE + i, 1)
                       for i in range(60000))
    return dwarf(unit(ROOT_ENTRY + b"\2" + b"\0" * 500000 + entries),
                 ROOT + wide + abbrev(3, INLINED, 0, (NAME, STRING),
                                      (ORIGIN, REF4), (LOW, ADDR),
                                      (HIGH, DATA4)) + b"\0")


def case_endless_ranges():
    pairs = struct.pack("<QQ", CODE, CODE + CODE_SIZE) * 100000
    entries = (b"\2" + struct.pack("<I", 0)) * 100000
    return dwarf(unit(ROOT_ENTRY + entries),
                 ROOT + abbrev(2, INLINED, 0, (RANGES, SEC)) + b"\0",
                 ranges=pairs + bytes(16))


def case_long_directory():
    files = b"".join(b"f%d\0\1\0\0" % i for i in range(50000)) + b"\0"
    program = set_address(CODE) + b"".join(
        b"\4" + uleb(1 + i) + b"\x02\x40\1" for i in range(50000))
    return dwarf(unit(ROOT_ENTRY), ROOT + b"\0", line=lines(
        program, files, b"d" * (4 << 20) + b"\0\0"))


def case_zeros_packed():
    plain = bytes(1 << 30)
    packed = struct.pack("<IIQQ", 1, 0, len(plain), 1) + zlib.compress(plain)
    return elf({(".debug_info", 1, 0x800, 0, 0, 0): packed})


def packed_twice():
    """The names in .gnu_debugdata are compressed once more; what was
    unpacked is too large to be kept by an allocator that was given it back.
    """
    names = b"\0packed_function\0" + bytes(40 << 20)
    names = struct.pack("<IIQQ", 1, 0, len(names), 1) + zlib.compress(names)
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 2, 0, 1, CODE, CODE_SIZE)
    packed = elf({(".symtab", 2, 0, 3, 0, 24): symbols,
                  (".strtab", 3, 0x800, 0, 0, 0): names})
    return elf({".gnu_debugdata": lzma.compress(packed)})


def case_odd_lines():
    """Every opcode base and line range, and sizes that do not fit."""
    table = lines(b"\xff" * 1000)
    out = b""
    for base in (0, 1, 255):
        for span in (0, 1, 255):
            t = bytearray(table)
            t[14], t[15] = span, base
            out += bytes(t)
    units = b"".join(unit(b"\1" + struct.pack("<QII", CODE + i * 64, 64,
                                              len(table) * i + (i > 8)))
                     for i in range(20))
    return dwarf(units, ROOT + b"\0", line=out + b"\xff\xff\xff\xff" * 9)


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


class Hostile(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def check(self, content):
        path = os.path.join(self.dir, "program")
        with open(path, "wb") as f:
            f.write(content)
        step = CODE_SIZE // N_ADDRESSES
        addresses = "".join(f"{CODE + i * step:#x}\n"
                            for i in range(N_ADDRESSES))
        begin = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([ADDRESSES, path, "threads=1"], text=True,
                              input=addresses, capture_output=True,
                              errors="replace", check=False, timeout=300,
                              preexec_fn=self.limit)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertEqual(done.returncode, 0, done.stderr[:500])
        self.assertEqual(done.stdout.count("\n\n"), N_ADDRESSES)
        spent = after.ru_utime - before.ru_utime
        if "VERBOSE" in os.environ:
            print(f"{spent:.2f} s, {time.monotonic() - begin:.2f} s elapsed,"
                  f" {len(content) >> 10} KiB")
        self.assertLess(spent, SECONDS)
        return done.stdout

    @unittest.skipUnless(lzma, "no xz")
    def test_packed_twice(self):
        self.assertEqual(self.check(packed_twice()).count(
            "\npacked_function\n"), N_ADDRESSES)

    limit = staticmethod(None if "ASAN_OPTIONS" in os.environ else limit)


def add_case(name, make):
    setattr(Hostile, "test_" + name, lambda self: self.check(make()))


for case in [name for name in dir() if name.startswith("case_")]:
    add_case(case[5:], globals()[case])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
