#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What the signal handler can call: the closure over the functions of our own
objects, from their disassembly, may leave them only by functions that POSIX
or glibc document to be safe in a signal handler.

	signal_safety.py OBJECT...

Every run plants a fault and checks that it is found. Hooks are among the
objects, so that a call of close(), say, is one of our own close().
"""
import re
import subprocess
import sys

ROOTS = ["cpu_on_signal"]

# signal-safety(7), _dl_find_object's documentation; syscall() is a bare
# system call; clock_gettime() is in the list of POSIX.
SAFE = set("""
    _dl_find_object __errno_location abort clock_gettime close fcntl
    fcntl64 getpid ioctl memcmp memcpy memmove memset pthread_self
    sched_yield strcmp strlen strncmp syscall
""".split())
# Data that our objects name, and what compilers put in.
NO_FUNCTIONS = {"_GLOBAL_OFFSET_TABLE_", "__libc_stack_end",
                "__stack_chk_fail"}

LABEL = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
RELOCATION = re.compile(r"R_X86_64_(?:PLT32|PC32|GOTPCREL\w*)\s+([\w.]+)")
# A call, a jump, or an address that is taken, within a section.
CALL = re.compile(r"\b[0-9a-f]+ <([\w.]+)>$")


def functions_of(objects):
    """{function: names it refers to}, over all objects; and the hooks."""
    found, hooks = {}, set()
    for name in objects:
        text = subprocess.run(
            ["objdump", "-dr", "--no-show-raw-insn", name], check=True,
            capture_output=True, text=True).stdout
        # Static functions of two files may share a name: keep them apart.
        defined = {m[1] for line in text.splitlines()
                   if (m := LABEL.match(line))}
        current = None
        for line in text.splitlines():
            if m := LABEL.match(line):
                current = found.setdefault(m[1], set())
            elif current is None:
                continue
            elif m := RELOCATION.search(line):
                current.add(m[1])
            elif m := CALL.search(line):
                current.add(m[1])
        assert defined, f"{name} has no code"
        if "preload" in name.rsplit("/", 1)[-1]:
            hooks |= defined
    return found, hooks


def unsafe_calls(functions, hooks, data):
    """(function, what it calls that is not safe), from ROOTS on."""
    seen, todo, bad = set(), list(ROOTS), []
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for callee in sorted(functions[name]):
            if callee in hooks:
                bad.append((name, callee))
            elif callee in functions:
                todo.append(callee)
            elif callee not in SAFE | NO_FUNCTIONS | data and \
                    not callee.startswith("."):
                bad.append((name, callee))
    return seen, bad


def data_of(objects):
    """Names of data that the objects define."""
    text = subprocess.run(["nm", "--defined-only", *objects], check=True,
                          capture_output=True, text=True).stdout
    return {line.split()[-1] for line in text.splitlines()
            if len(line.split()) == 3 and line.split()[1] in "bBdDrRVC"}


def main():
    objects = [a for a in sys.argv[1:] if a.endswith(".o")]
    functions, hooks = functions_of(objects)
    data = data_of(objects)
    seen, bad = unsafe_calls(functions, hooks, data)
    for name, callee in bad:
        print(f"{name}() calls {callee}(), which is not safe in a handler")
    for must in ("unwind", "ring_write", "cfi_find", "modules_find",
                 "source_perf_open"):
        if must not in seen:
            bad.append((must, ""))
            print(f"the handler does not reach {must}(): a blind check")
    # A fault that is planted must be found.
    functions["unwind"].add("printf")
    if ("unwind", "printf") not in unsafe_calls(functions, hooks, data)[1]:
        print("a planted printf() was not found")
        return 1
    print(f"{len(seen)} functions are reached")
    return 1 if bad else 0


sys.exit(main())
