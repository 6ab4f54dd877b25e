#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of the documentation, as its readers would.

    ```console      commands after "$ ", and what they print (errors too);
                    "..." stands for anything, and alone for any lines
    ```c NAME       a file that the commands find under that name; one of
                    libprofile/ is compiled, with our own headers

A page's commands run in one shell, in a folder where testdata and docs are
those of the source, with the project installed beside it. Every relative
link must lead to a file.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MARK = "--- end of command %d: %s"


def blocks(text):
    """(words after the fence, lines) of each fenced block."""
    fence = re.compile(r"^```(\S[^\n]*)\n(.*?)^```$", re.M | re.S)
    return [(m[1].split(), m[2]) for m in fence.finditer(text)]


def commands(block):
    """(command, expected output) of a console session."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and found[-1][0].endswith("\\\n"):
            found[-1][0] += line
        else:
            found[-1][1] += line
    return found


def pattern(expected):
    """A regular expression for an expected output."""
    whole = ""
    for line in expected.splitlines(keepends=True):
        if line.strip() == "...":
            whole += r"(?:.*\n)*?"
        else:
            whole += ".*".join(map(re.escape, line.split("...")))
    return re.compile(whole)


def differences(page, sessions, environment, folder):
    """Runs the commands and compares; a list of complaints."""
    script = "".join(
        "%s\nprintf '\\n%s\\n' $?\n" % (command.rstrip("\n"), MARK % (i, "%d"))
        for i, (command, _) in enumerate(sessions))
    done = subprocess.run(["sh"], input=script, env=environment, cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=300)
    complaints = []
    rest = done.stdout
    for i, (command, expected) in enumerate(sessions):
        got, mark, rest = rest.partition("\n%s" % (MARK % (i, "")))
        code, _, rest = rest.partition("\n")
        got = got if not got or got.endswith("\n") else got + "\n"
        if not mark:
            complaints.append("%s: the shell ended in: %s" % (page, command))
            break
        if not pattern(expected).fullmatch(got):
            complaints.append("%s: $ %s(exit code %s) printed\n%s"
                              "where the page has\n%s"
                              % (page, command, code, got, expected))
    return complaints


def broken_links(page, text):
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    return ["%s: no such file: %s" % (page, t) for t in targets
            if "://" not in t and not (page.parent / t).exists()]


def environment_of(prefix, build):
    library = next(prefix.glob("**/libprofile.so")).parent
    return dict(os.environ, LC_ALL="C", TZ="UTC",
                LD_LIBRARY_PATH=str(library),
                PKG_CONFIG_PATH=str(library / "pkgconfig"),
                PATH=os.pathsep.join([str(prefix / "bin"),
                                      str(build / "cmd"),
                                      str(build / "docs/examples"),
                                      os.environ["PATH"]]))


def compile_faults(page, source, name, text):
    """What the compiler says to a file that would be in libprofile/."""
    done = subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall",
         "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
         "-Wstrict-prototypes", "-Werror", "-I", source / "include",
         "-I", source / "libprofile", "-x", "c", "-"],
        input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    return ["%s: %s: %s" % (page, name, done.stdout)] * bool(done.returncode)


def check(page, text, source, environment):
    complaints = broken_links(page, text)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("testdata", "docs"):
            (folder / name).symlink_to(source / name)
        sessions = []
        for words, block in blocks(text):
            if words[0] == "console":
                sessions += commands(block)
            elif words[0] == "c" and words[-1].startswith("libprofile/"):
                complaints += compile_faults(page, source, words[1], block)
            elif words[0] == "c" and len(words) == 2:
                (folder / words[1]).write_text(block)
        if sessions:
            complaints += differences(page, sessions, environment, folder)
    return complaints


PLANTS = ("```console\n$ echo yes\nno\n```\n",
          "```console\n$ echo yes\n```\n",
          "```console\n$ echo a; echo c\na\nb\n...\n```\n",
          "```console\n$ cat a.c\nint a;\n```\n\n```c a.c\nint b;\n```\n",
          "```console\n$ false-is-no-command\n```\n",
          "```c libprofile/model/new.c\n"
          "#include \"model/profile.h\"\n"
          "int n(struct prof_profile *p) { return p->no_such_table; }\n```\n",
          "[gone](no-such-page.md)\n")
SOUND = "```console\n$ printf 'a\\nb\\nc 7 d\\n'\na\n...\nc ... d\n```\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--plant", action="store_true",
                        help="show that faults are found")
    parser.add_argument("pages", nargs="*", help="from the source folder")
    args = parser.parse_args()
    source, build = args.source.resolve(), args.build.resolve()
    complaints = []
    with tempfile.TemporaryDirectory() as folder:
        prefix = pathlib.Path(folder) / "prefix"
        subprocess.run(["cmake", "--install", build, "--prefix", prefix],
                       stdout=subprocess.DEVNULL, check=True)
        environment = environment_of(prefix, build)
        if args.plant:
            page = source / "README.md"
            complaints += ["not seen: " + plant for plant in PLANTS
                           if not check(page, plant, source, environment)]
            complaints += check(page, SOUND, source, environment)
        for page in args.pages:
            path = source / page
            complaints += check(path, path.read_text(), source, environment)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
