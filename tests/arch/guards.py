#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/architecture.md that a machine can hold.

    guards.py GUARD --source DIR --build DIR [--plant]

Prints what breaks the rule, and fails if anything does. With --plant, a copy
of the tree gets a fault of each kind that the guard is for, and it fails if
one of them is not seen: a guard that cannot fail guards nothing.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# What each layer may include, beside <profile/...> and the system's headers.
LAYERS = {
    "base": {"base"},
    "model": {"base", "model"},
    "format": {"base", "model", "format"},
    "symbolize": {"base", "model", "symbolize"},
    "transform": {"base", "model", "symbolize", "transform"},
    "report": {"base", "model", "report"},
    "sampler": {"base", "model", "sampler"},
    "runtime": {"base", "model", "runtime"},
}
# Of model/, the sampler knows the chunk stream only: no codecs, no tables.
SAMPLER_MODEL = {"model/chunk.h"}

C_HEADERS = {"stdbool.h", "stddef.h", "stdint.h", "limits.h"}

ALLOCATORS = {
    "malloc", "calloc", "realloc", "reallocarray", "free", "strdup",
    "strndup", "__strdup", "__strndup", "asprintf", "vasprintf",
    "__asprintf_chk", "__vasprintf_chk", "getline", "getdelim", "__getdelim",
    "open_memstream", "aligned_alloc", "posix_memalign", "memalign",
}
# What a file may call all the same, and why.
EXCEPTIONS = {
    "sampler/preload.c": ALLOCATORS,         # it stands in for them
    "symbolize/debuginfod.c": {"free"},      # of what that library hands out
}


def run(*command, **options):
    return subprocess.run([str(c) for c in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)


def checked(*command, **options):
    result = run(*command, **options)
    if result.returncode:
        sys.exit("failed: %s\n%s" % (" ".join(map(str, command)),
                                     result.stdout))
    return result.stdout


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h"))


def includes(path):
    """(is_system, name) of each include; also those in disabled code."""
    for mark, name in INCLUDE.findall(path.read_text()):
        yield mark == "<", name


# ---- Layers ----

def layer_fault(file, name):
    """What is wrong with libprofile/<file> including "name", or None."""
    layer = file.split("/")[0]
    target = name.split("/")[0]
    if "/" not in name:
        return "is not named by its layer"
    if target not in LAYERS[layer]:
        return "goes up or sideways"
    if layer == "sampler" and target == "model" and \
            name not in SAMPLER_MODEL:
        return "brings more than the chunk stream to the sampler"
    if layer == target == "format" and name != "format/format.h":
        # pprof_write.c may know pprof.h, not yaml.h.
        stems = [pathlib.PurePath(n).stem.split("_")[0] for n in (file, name)]
        if stems[0] != stems[1]:
            return "is another format's"
    return None


def find_cycle(graph):
    """A list of nodes that leads back to its first one, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for following in sorted(graph.get(node, ())):
            cycle = visit(following)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for node in sorted(graph):
        cycle = visit(node)
        if cycle:
            return cycle
    return None


def guard_layers(source, build):
    complaints, graph = [], {}
    library = source / "libprofile"
    for path in sources(library):
        file = path.relative_to(library).as_posix()
        if file.split("/")[0] not in LAYERS:
            complaints.append("libprofile/%s: is in no layer" % file)
            continue
        for is_system, name in includes(path):
            if is_system:
                continue
            fault = layer_fault(file, name)
            if fault:
                complaints.append('libprofile/%s: "%s" %s'
                                  % (file, name, fault))
            # x.c and x.h are one module.
            module, other = (str(pathlib.PurePath(n).with_suffix(""))
                             for n in (file, name))
            if module != other:
                graph.setdefault(module, set()).add(other)
    cycle = find_cycle(graph)
    if cycle:
        complaints.append("libprofile: a cycle: " + " -> ".join(cycle))

    own = {p.name for p in (source / "cmd").glob("*.h")}
    for path in sources(source / "cmd"):
        for is_system, name in includes(path):
            if not is_system and name not in own:
                complaints.append('cmd/%s: "%s" is not a header of cmd/'
                                  % (path.name, name))
    for path in sources(source / "include"):
        for is_system, name in includes(path):
            if not is_system or not (name in C_HEADERS or
                                     name.startswith("profile/")):
                complaints.append("include/profile/%s: %s is neither public "
                                  "nor of C" % (path.name, name))
    return complaints


def plant_lines(*plants):
    """Faults that are a line at the beginning of a file."""
    def planted(source, build):
        for name, line in plants:
            path = source / name
            old = path.read_text() if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(line + "\n" + (old or ""))
            yield "%s: %s" % (name, line), source, build
            if old is None:
                path.unlink()
            else:
                path.write_text(old)
    return planted


plant_layers = plant_lines(
    ("libprofile/base/error.c", '#include "model/profile.h"'),
    ("libprofile/model/profile.c", '#include "format/format.h"'),
    ("libprofile/format/collapsed.c", '#include "format/pprof.h"'),
    ("libprofile/report/graph.c", '#include "transform/merge.h"'),
    ("libprofile/sampler/cpu.c", '#include "model/builder.h"'),
    ("libprofile/base/memory.h", '#include "base/intern.h"'),
    ("libprofile/model/profile.c", '#include "profile.h"'),
    ("libprofile/misc.c", '#include "base/memory.h"'),
    ("cmd/profconv.c", '#include "base/memory.h"'),
    ("cmd/profconv.c", '#include "../libprofile/base/memory.h"'),
    ("include/profile/io.h", "#include <zlib.h>"),
)


# ---- Public headers ----

def guard_headers(source, build):
    complaints = []
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
                "-fsyntax-only", "-I", source / "include"]
    languages = [(os.environ.get("CC", "cc"), "-xc", "-std=c11"),
                 (os.environ.get("CXX", "c++"), "-xc++", "-std=c++17")]
    for path in sources(source / "include"):
        name = path.relative_to(source / "include").as_posix()
        for language in languages:
            result = run(*language, *warnings, "-",
                         input="#include <%s>\n" % name)
            if result.returncode:
                complaints.append("<%s> alone as %s:\n%s"
                                  % (name, language[2], result.stdout))
    return complaints


def plant_headers(source, build):
    for line in ("PROF_API int prof_x(ssize_t n);",
                 "PROF_API int prof_x(struct prof_error *class);",
                 "static inline int prof_x(int a) { return a / 2.0; }"):
        path = source / "include/profile/raw.h"
        old = path.read_text()
        path.write_text(old.replace("\n#ifdef __cplusplus\n}",
                                    "\n%s\n#ifdef __cplusplus\n}" % line))
        yield line, source, build
        path.write_text(old)


# ---- Exports ----

DECLARED = re.compile(r"^PROF_API\b[^;{]*?\b(\w+)\s*\(", re.MULTILINE)


def exported(library, *options):
    lines = checked("nm", *options, "-P", "--defined-only",
                    library).splitlines()
    fields = [line.split() for line in lines if line]
    # A is the name of a version; lines with a colon name members.
    return {f[0].split("@")[0] for f in fields
            if len(f) > 1 and f[1] not in "A" and not f[-1].endswith(":")}


def guard_exports(source, build):
    complaints = []
    declared = set()
    for path in sources(source / "include"):
        declared |= set(DECLARED.findall(path.read_text()))
    for file, options in (("libprofile.so", ["-D"]), ("libprofile.a", ["-g"])):
        names = exported(build / "libprofile" / file, *options)
        complaints += ["%s: exports %s" % (file, name)
                       for name in sorted(names - declared)]
        complaints += ["%s: lacks %s, which a header declares" % (file, name)
                       for name in sorted(declared - names)]
    return complaints


def plant_exports(source, build):
    leak = build / "leak.c"
    leak.write_text('__attribute__((visibility("default"))) int %s(void);\n'
                    "int %s(void) { return 1; }\n" % (("arena_new",) * 2))
    folder = build / "libprofile"
    for file in ("libprofile.so", "libprofile.a"):
        shutil.copy(folder / file, folder / (file + ".good"))
    checked("cc", "-shared", "-fPIC", "-o", folder / "libprofile.so", leak)
    yield "arena_new in the .so", source, build
    shutil.copy(folder / "libprofile.so.good", folder / "libprofile.so")
    checked("cc", "-c", "-o", build / "leak.o", leak)
    checked("ar", "rs", folder / "libprofile.a", build / "leak.o")
    yield "arena_new in the .a", source, build
    shutil.copy(folder / "libprofile.a.good", folder / "libprofile.a")
    header = source / "include/profile/common.h"
    header.write_text(header.read_text() +
                      "PROF_API void prof_not_there(void);\n")
    yield "a function that is declared only", source, build


# ---- Form ----

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */"
FORM = (
    (re.compile(r"[ \t]$"), "ends with a blank"),
    (re.compile(r"^ +\t"), "has a tab behind spaces"),
)


def line_faults(line):
    # 80 is the rule; a bracket or two behind it is left to the reviewer.
    if len(line.expandtabs(8)) > 84:
        yield "is much longer than 80 columns"
    for pattern, fault in FORM:
        if pattern.search(line):
            yield fault


def guard_form(source, build):
    """What docs/style.md says of form, as far as no judgement is needed."""
    complaints = []
    for folder in ("libprofile", "cmd", "include"):
        for path in sources(source / folder):
            name = path.relative_to(source).as_posix()
            lines = path.read_text().split("\n")
            if lines[0] != SPDX:
                complaints.append("%s:1: no SPDX line" % name)
            if lines[-1] or not lines[-2]:
                complaints.append("%s: ends with no line, or an empty one"
                                  % name)
            complaints += ["%s:%d: %s" % (name, i, fault)
                           for i, line in enumerate(lines, 1)
                           for fault in line_faults(line)]
    return complaints


plant_form = plant_lines(
    ("cmd/cli.h", "int x;"),
    ("cmd/cli.h", SPDX + "\nint x; "),
    ("cmd/cli.h", SPDX + "\n" + 11 * "\t" + "x"),
    ("libprofile/base/error.c", SPDX + "\n  \tint x;"),
)


# ---- Objects: who allocates, who keeps state ----

def objects(build):
    """(source name in libprofile/, object) of the object library."""
    top = next(build.rglob("profile_objects.dir"))
    for path in sorted(top.rglob("*.o")):
        yield path.relative_to(top).as_posix()[:-len(".o")], path


def guard_allocation(source, build):
    complaints = []
    for file, path in objects(build):
        if file.startswith("base/"):
            continue
        used = {line.split()[-1].split("@")[0]
                for line in checked("nm", "-u", path).splitlines()}
        complaints += ["libprofile/%s: calls %s" % (file, name)
                       for name in sorted((used & ALLOCATORS)
                                          - EXCEPTIONS.get(file, set()))]
    return complaints


def guard_state(source, build):
    """Writable variables, outside the sampler."""
    complaints = []
    for file, path in objects(build):
        if file.startswith("sampler/"):
            continue
        for line in checked("nm", "-f", "sysv", path).splitlines():
            fields = [f.strip() for f in line.split("|")]
            if len(fields) == 7 and fields[3] in ("OBJECT", "TLS") and re.match(
                    r"\.(bss|data|tbss|tdata)(?!\.rel\.ro)", fields[6]):
                complaints.append("libprofile/%s: %s can be written"
                                  % (file, fields[0]))
    return complaints


def plant_object(*codes):
    """Faults that are an object compiled from a few lines."""
    def planted(source, build):
        top = next(build.rglob("profile_objects.dir"))
        for code in codes:
            path = top / "model/planted.c.o"
            path.parent.mkdir(exist_ok=True)
            checked("cc", "-O2", "-fPIC", "-xc", "-c", "-o", path, "-",
                    input=code)
            yield code, source, build
            path.unlink()
    return planted


plant_allocation = plant_object(
    "#include <stdlib.h>\nvoid *f(void) { return malloc(7); }\n",
    "#include <stdlib.h>\nvoid f(void *p) { free(p); }\n",
    "#include <string.h>\nchar *f(char *p) { return strdup(p); }\n")
plant_state = plant_object(
    "static int n; int f(void) { return ++n; }\n",
    "static _Thread_local int n; int f(void) { return ++n; }\n",
    "static char text[] = \"x\"; char *f(void) { return text; }\n",
    "const char *name = \"x\";\n")


# ---- Consumers ----

def library_folder(prefix):
    return next(prefix.rglob("libprofile.pc")).parent.parent


def consumer_ways(prefix, source, work):
    """(what, commands, environment) of each way to use the library."""
    here = pathlib.Path(__file__).parent / "consumer"
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] \
        if shutil.which("ccache") else []
    environment = dict(os.environ)
    library = library_folder(prefix)
    environment["LD_LIBRARY_PATH"] = str(library)
    pkg_config = dict(environment)
    pkg_config["PKG_CONFIG_PATH"] = str(library / "pkgconfig")

    def cmake(name, *options):
        folder = work / name
        return [["cmake", "-S", here, "-B", folder, *launcher, *options],
                ["cmake", "--build", folder, "-j2"],
                [folder / "consumer"]]

    yield ("find_package, shared",
           cmake("shared", "-DWAY=find_package",
                 "-DCMAKE_PREFIX_PATH=%s" % prefix), environment)
    yield ("find_package, static",
           cmake("static", "-DWAY=find_package", "-DBUILD_SHARED_LIBS=OFF",
                 "-DCMAKE_PREFIX_PATH=%s" % prefix), dict(os.environ))
    yield ("add_subdirectory",
           cmake("subdirectory", "-DWAY=add_subdirectory",
                 "-DLIBPROFILE=%s" % source), dict(os.environ))
    # Only the .a is found by a linker that looks here.
    only_a = work / "only_a"
    compile_with = ("cc -std=c11 -o %s " + str(here / "consumer.c") +
                    " %s $(pkg-config --cflags --libs %s libprofile)")
    yield ("pkg-config, shared",
           [["sh", "-ec", compile_with % (work / "pc_shared", "", "")],
            [work / "pc_shared"]], pkg_config)
    yield ("pkg-config, static",
           [["mkdir", only_a],
            ["cp", library / "libprofile.a", only_a],
            ["sh", "-ec", compile_with % (work / "pc_static",
                                          "-L%s" % only_a, "--static")],
            ["env", "-u", "LD_LIBRARY_PATH", work / "pc_static"]],
           pkg_config)


def install(build, work):
    """Installs into a prefix, which then moves: nothing may hold its name."""
    checked("cmake", "--install", build, "--prefix", work / "first")
    (work / "first").rename(work / "prefix")
    return work / "prefix"


def use_ways(prefix, source, work, only=None):
    complaints = []
    work.mkdir()
    for what, commands, environment in consumer_ways(prefix, source, work):
        if only and what != only:
            continue
        for command in commands:
            result = run(*command, env=environment)
            if result.returncode:
                complaints.append("%s: %s\n%s" % (
                    what, " ".join(map(str, command)), result.stdout))
                break
    return complaints


def guard_consumer(source, build):
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        return use_ways(install(build, work), source, work / "ways")


def consumer_plants(source, build):
    """Broken installations; each must be seen by the way it breaks."""
    missed = []
    plants = (("find_package, shared", "cmake/libprofile/libprofile-shared"
               ".cmake", "profile_shared", "profile_other"),
              ("find_package, static", "cmake/libprofile/libprofile-static"
               ".cmake", "PkgConfig::yaml", "PkgConfig::nothing"),
              ("pkg-config, shared", "pkgconfig/libprofile.pc",
               "-lprofile", "-lprofiles"),
              ("pkg-config, static", "pkgconfig/libprofile.pc",
               "yaml-0.1", "no-such-module"))
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        prefix = install(build, work)
        for i, (way, file, old, new) in enumerate(plants):
            path = library_folder(prefix) / file
            good = path.read_text()
            path.write_text(good.replace(old, new))
            if good == path.read_text():
                missed.append("cannot plant '%s' in %s" % (new, file))
            elif not use_ways(prefix, source, work / str(i), way):
                missed.append("%s: '%s' in %s" % (way, new, file))
            path.write_text(good)
    return missed


# ---- Running ----

GUARDS = {
    "layers": (guard_layers, plant_layers),
    "headers": (guard_headers, plant_headers),
    "form": (guard_form, plant_form),
    "exports": (guard_exports, plant_exports),
    "allocation": (guard_allocation, plant_allocation),
    "state": (guard_state, plant_state),
    "consumer": (guard_consumer, None),
}


def copy_tree(source, build, work):
    """What the guards look at, to plant faults in."""
    for name in ("libprofile", "cmd", "include"):
        shutil.copytree(source / name, work / "source" / name)
    shutil.copytree(build / "libprofile", work / "build/libprofile",
                    symlinks=True)
    return work / "source", work / "build"


def missed_plants(guard, plant, source, build):
    if guard is guard_consumer:
        return consumer_plants(source, build)
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(source, build, pathlib.Path(folder))
        before = set(guard(*tree))
        for what, planted_source, planted_build in plant(*tree):
            if not set(guard(planted_source, planted_build)) - before:
                missed.append(what)
    return missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("guard", choices=GUARDS)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--plant", action="store_true")
    args = parser.parse_args()
    guard, plant = GUARDS[args.guard]
    if args.plant:
        faults = ["not seen: " + what for what in missed_plants(
            guard, plant, args.source.resolve(), args.build.resolve())]
    else:
        faults = guard(args.source.resolve(), args.build.resolve())
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
